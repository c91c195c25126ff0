"""Releases of no model: listed by the plan, removed by a teardown that is asked for that in so many words, and by no other. In order."""
from __future__ import annotations

import pytest

BOTH = {"mnist": {}, "old": {}}
MODELS = {"mnist": {}, "new": {}}  # what the inventory has later


def deployed(world):
    """What the cluster has of each."""
    return {model: sorted({key[1] for key in world.cluster.objects if model + "-deploy" in key[3]}) for model in BOTH}


def lines(run):
    (found,) = [event["said"]["msg"] for event in run.events if event["task"] == "Releases of no model"]
    return found


def test_what_there_is(world, play):
    run = play("site", "--skip-tags", "check", hosts=BOTH)
    assert run.rc == 0, run.failures
    for model in BOTH:
        world.cluster.store("v1", "configmaps", "default", model + "-deploy-check", {"data": {}})
    assert len(deployed(world)["old"]) == 7


def test_the_plan_lists_it(play, unseen):
    assert "? default/old-deploy unmanaged" in play("plan", hosts=MODELS).text


def test_check_mode_lists_it(play, unseen):
    run = play("teardown", "--check", hosts=MODELS, fleet_orphans="true")
    assert run.rc == 0, run.failures
    assert lines(run)[0].startswith("- default/old-deploy  deployed since ") and "volume default-old-deploy" in lines(run)[0]
    assert run.changes, "what would be removed"


@pytest.mark.parametrize("limit", [[], ["--limit", "mnist"]])
def test_of_models_nothing_is_removed(play, unseen, limit):
    run = play("teardown", *limit, hosts=BOTH, fleet_orphans=True)
    assert run.rc == 0 and run.changes == [], run.failures
    assert lines(run) == ["0 releases of no model of this inventory. The data on the NAS stay."]


@pytest.mark.parametrize("asked", ["ture", "2", "all"])
def test_what_is_neither_yes_nor_no(play, unseen, asked):
    run = play("teardown", hosts=MODELS, fleet_orphans=asked)
    assert run.rc != 0 and "wanted" in run.failures


def test_it_goes_and_nothing_else(world, play):
    before, data = deployed(world)["mnist"], sorted(world.nas.rglob("*"))
    run = play("teardown", hosts=MODELS, fleet_orphans="yes")
    assert run.rc == 0, run.failures
    assert deployed(world) == {"mnist": before, "old": []} and sorted(world.nas.rglob("*")) == data
    assert lines(run)[-1] == "1 release of no model of this inventory. The data on the NAS stay."
    assert run.changes and not [event for event in run.events if event["kind"] != "skipped" and event["host"] == "new"]


def test_a_second_run_changes_nothing(play, unseen):
    run = play("teardown", hosts=MODELS, fleet_orphans="yes")
    assert run.rc == 0 and run.changes == []


@pytest.mark.parametrize("asked", [{}, {"fleet_orphans": ""}, {"fleet_orphans": "false"}])
def test_a_bare_teardown_leaves_them(world, play, asked):
    assert play("site", "--skip-tags", "check", hosts=BOTH).rc == 0
    run = play("teardown", hosts={"mnist": {}}, **asked)
    assert run.rc == 0, run.failures
    assert deployed(world)["mnist"] == [] and deployed(world)["old"]
