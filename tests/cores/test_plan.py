"""The plan says what a run of site.yml then does: told in order, of one model that changes and one that is only planned."""
from __future__ import annotations

import json

import pytest

BOTH = {"mnist": {}, "other": {"model_archive": "http://127.0.0.1:9/none.tar.gz", "model_checksum": ""}}


def plan(play, tmp_path, hosts=None, **extra):
    """What it says of each model."""
    file = tmp_path / "plan.json"
    run = play("plan", hosts=hosts, plan_file=str(file), **extra)
    assert run.rc == 0 and run.changes == [], run.failures
    return {model: (one["action"], one["changes"]) for model, one in json.loads(file.read_text())["models"].items()}


def changes(play, *arguments, **extra):
    run = play("site", *arguments, **extra)
    assert run.rc == 0, run.failures
    return [change.partition(" : ")[2] for change in run.changes]


def test_what_is_not_there_yet(play, tmp_path, unseen):
    assert plan(play, tmp_path) == {"mnist": ("create", ["publish mnist-1-right.tar.gz", "volume default-mnist-deploy", "release"])}


def test_after_a_run_nothing_is_left(play, tmp_path):
    assert {"The PersistentVolume", "Install or upgrade the release"} <= set(changes(play))
    assert plan(play, tmp_path) == {"mnist": ("none", [])}
    assert changes(play) == []


@pytest.mark.parametrize(("extra", "planned", "changed"), [
    ({"scaling_replicas": "1"}, ["replicas 2 -> 1"], ["The number of replicas"]),
    ({"serving_start_timeout": 400}, ["startTimeoutSeconds 300 -> 400"], ["Install or upgrade the release"]),
    ({"volume_mount_options": ["hard"]}, None, ["The PersistentVolume"]),
])
def test_a_variable_that_changes(play, world, tmp_path, extra, planned, changed):
    world.models.update(extra)
    action, words = plan(play, tmp_path)["mnist"]
    assert action == "change" and words == (planned or words)
    assert changes(play) == changed
    assert plan(play, tmp_path) == {"mnist": ("none", [])}


def test_a_hand_edit(play, world, tmp_path):
    path, there = next((key, thing) for key, thing in world.cluster.objects.items() if "deployments" in key)
    there["spec"]["template"]["spec"]["containers"][0]["image"] = "busybox"
    assert plan(play, tmp_path) == {"mnist": ("change", ["edited by hand: image"])}
    assert changes(play) == ["Install or upgrade the release"]
    assert world.cluster.objects[path]["spec"]["template"]["spec"]["containers"][0]["image"] != "busybox"
    assert plan(play, tmp_path) == {"mnist": ("none", [])}


def test_another_archive(play, world, tmp_path):
    archive = world.archive(2)
    assert plan(play, tmp_path, model_archive=archive)["mnist"][1][0] == "publish mnist-2-right.tar.gz"


def test_one_that_cannot_be_published_beside_the_others(play, tmp_path, unseen):
    found = plan(play, tmp_path, hosts=BOTH)
    assert found["other"][0] == "wrong" and "127.0.0.1:9" in found["other"][1][0]
    assert found["mnist"] == ("none", [])


def test_it_fits_a_screen_and_goes_to_the_next_job(play, tmp_path, unseen):
    run = play("plan")
    assert "- mnist" in run.text or "~ mnist" in run.text
    assert len(run.stdout.splitlines()) < 40
