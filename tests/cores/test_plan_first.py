"""site.yml plans first: who goes through the roles, who is only asked, and what becomes of the others where one fails. Told in order."""
from __future__ import annotations

import json
import re

import pytest
from test_latest import good, unchanged

PINNED = {"serving_version_policy": "pinned", "serving_version": "2.15"}


def by_roles(run, host="mnist"):
    """Did the host go through the roles?"""
    return any(event["host"] == host and event["task"] == "Look at all variables" for event in run.events)


def asked(run, host="mnist"):
    return any(event["host"] == host and event["task"].endswith("Ask every replica") and event["kind"] != "skipped" for event in run.events)


def test_a_first_run_goes_through_the_roles(play):
    run = good(play("site", **PINNED))
    assert by_roles(run) and "+ mnist" in run.text and "1 model: 1 to create" in run.text


def test_an_unchanged_one_is_only_asked(play):
    run = unchanged(play("site", **PINNED))
    assert asked(run) and not by_roles(run)
    assert run.results[0].startswith("1 model    /serving/model/mnist/1 on nas.example.com") and run.results[4].endswith("0.0%")
    assert run.results[1].startswith("2 volume   default-mnist-deploy 5Gi csi") and run.results[5] == "6 replicas 2"
    assert len(run.events) <= 16, [event["task"] for event in run.events]


@pytest.mark.parametrize("arguments", [("--limit", "mnist"), ("--tags", "serving,check")])
def test_what_is_asked_for_by_name_is_done(play, arguments):
    run = unchanged(play("site", *arguments, **PINNED))
    assert by_roles(run) and asked(run)


def test_a_result_that_is_young_enough(play):
    run = unchanged(play("site", check_max_age="24h", **PINNED))
    assert not asked(run) and not by_roles(run)
    assert re.fullmatch(r"5 check    Inference error rate: 0.0% \(20.*Z\)", run.results[4])
    assert asked(unchanged(play("site", "--tags", "check", check_max_age="24h", **PINNED)))


def test_a_replica_that_was_left_behind_is_found_by_its_answers(world, play):
    """No object of the cluster says so. What answers wrong goes through the roles, which mend it."""
    server = next(iter(world.cluster.servers.values()))
    server.wanted = {"mnist": set()}
    assert sorted(map(str, world.serving())) == ["1", "None"]
    run = play("site", check_version_timeout=1, **PINNED)
    assert run.rc == 0 and by_roles(run) and world.serving() == [1, 1], run.failures


def test_a_short_run_says_little(play):
    many = {"mnist": {}, **{"m%d" % number: {} for number in range(5)}}
    good(play("site", hosts=many, **PINNED))
    run = unchanged(play("site", hosts=many, check_max_age="1h", **PINNED))
    lines = [line for line in run.stdout.split("PLAY RECAP")[0].splitlines() if line]
    assert len(lines) < 40 and not any("m%d" % 3 in line for line in lines), lines


def test_one_that_fails_stops_no_other(world, play):
    hosts = {"a": {}, "b": {"model_archive": world.folder.joinpath("none.tar.gz").as_posix()}, "c": {}, "mnist": {}}
    run = play("site", hosts=hosts, **PINNED)
    assert run.rc == 2 and not run.failures_of("a") and not run.failures_of("c")
    last = [event for event in run.events if event["task"] == "What failed" and event["kind"] == "failed"]
    assert [event["host"] for event in last] == ["b"] and "none.tar.gz" in last[0]["said"]["msg"]
    assert len(last[0]["said"]["msg"]) <= 120
    assert asked(run, "mnist") and not by_roles(run, "mnist") and by_roles(run, "b")


def test_the_first_ones_go_first(world, play):
    none = {"model_archive": str(world.folder / "none.tar.gz")}
    hosts = {"d": none, "e": {}, "mnist": {}}
    run = play("site", hosts=hosts, fleet_first="1", fleet_max_failures="0", **PINNED)
    assert run.rc == 2 and by_roles(run, "d") and not by_roles(run, "e") and asked(run, "mnist")
    run = play("site", hosts=hosts, fleet_first="1", fleet_max_failures="1", **PINNED)
    assert run.rc == 2 and by_roles(run, "e") and not run.failures_of("e")


@pytest.mark.parametrize(("name", "value"), [("fleet_first", "0"), ("fleet_max_failures", "none at all")])
def test_limits_that_are_none(play, unseen, name, value):
    run = play("site", **{name: value}, **PINNED)
    assert run.rc == 2 and "%s is %s" % (name, value) in run.failures.replace("'", "")


def test_a_node_that_does_not_answer(play, unseen):
    run = play("site", node={"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}, **PINNED)
    assert run.rc != 0 and "model_node nas-node does not say what is on the NAS" in run.text


def test_a_last_result_that_failed_is_asked_again(world, play):
    results = world.cluster.get("v1", "configmaps", "mnist-deploy-check")
    kept = json.loads(results["data"]["results.json"])
    kept[0]["passed"] = False
    results["data"]["results.json"] = json.dumps(kept)
    assert asked(play("site", check_max_age="24h", **PINNED))
