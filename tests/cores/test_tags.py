"""The six steps by tags, and a version that was put on the NAS without its check. Told in order."""
from __future__ import annotations

import pytest
from test_latest import good, unchanged


def test_an_empty_cluster_has_nothing_to_check(world, play):
    run = play("site", "--tags", "check")
    assert run.rc == 2 and "deploy it first" in run.failures
    assert world.versions() == []


def test_all_but_the_check(world, play):
    run = good(play("site", "--skip-tags", "check"))
    assert (world.versions(), world.serving(), world.record(1).get("checked")) == ([1], [1, 1], None)
    lines = run.results
    assert lines[0] == "1 model    /serving/model/mnist/1 on nas.example.com" and lines[4] == "5 check    not checked"
    assert [line for line in lines if "Version 1 serves, and never passed its check" in line]


def test_the_check_alone(world, play):
    run = good(play("site", "--tags", "check"))
    assert "Inference error rate: 0.0%" in run.text and world.record(1).get("checked")
    assert run.results[1] == "2 volume   left out" and len(run.results) == 6
    unchanged(play("site"))


# How often each step's task runs, its look included.
ACTS = {"model": "Show the tree", "volume": "The PersistentVolume", "serving": "Wait until the release serves",
        "scaling": "The number of replicas", "check": "Ask every replica"}
LOOKS = {"model": 0, "volume": 1, "serving": 0, "scaling": 1, "check": 0}


@pytest.mark.parametrize("tag", ACTS)
def test_one_step(world, play, tag):
    run = unchanged(play("site", "--tags", tag))
    looks = dict.fromkeys(ACTS, 0) if tag == "check" else LOOKS  # nothing differs, so that the check alone is asked for
    assert {step: run.done.count(task) for step, task in ACTS.items()} == {**looks, tag: looks[tag] + 1}
    assert len(run.results) == 6 and (run.results[4] == "5 check    not checked") == (tag != "check")


def test_the_looks_refuse_whatever_the_tags(play, unseen):
    run = play("site", "--tags", "model", scaling_replicas="many")
    assert run.rc == 2 and "scaling_replicas" in run.failures


def test_a_version_without_its_check_is_found_by_the_next_run(world, play):
    """As a publish that was killed leaves it: the highest on the NAS, and nobody has asked it."""
    run = good(play("site", "--tags", "model", model_archive=world.bad_archive(2)))
    assert world.serving() == [2, 2] and [line for line in run.results if "unchecked" in line or "never passed" in line]
    assert "Version 2 serves, and never passed its check" in unchanged(play("status")).text
    run = play("site", "--check")
    assert run.rc == 2 and "A run without --check goes back to version 1" in run.failures and world.serving() == [2, 2]
    run = play("site")
    assert run.rc == 2 and "100.0%" in run.failures and "version 1 serves on every replica" in run.failures
    assert (world.serving(), world.versions()) == ([1, 1], [1])
    lines = good(play("site")).results
    assert lines[0] == "1 model    /serving/model/mnist/1 on nas.example.com" and [line for line in lines if "Withdrawn: 2" in line]


def test_what_is_right_is_noted_by_the_next_run(world, play):
    good(play("site", "--tags", "model", model_archive=world.archive(3)))
    assert world.serving() == [3, 3] and not world.record(3).get("checked")
    lines = good(play("site")).results  # with version 1 in the inventory
    assert world.record(3).get("checked")
    assert lines[0].startswith("1 model    /serving/model/mnist/3 on nas.example.com (from ")
    assert [line for line in lines[6:] if "Version 1, which the archive in the inventory holds" in line]


def test_what_cannot_be_asked_is_left(world, play):
    good(play("site", "--tags", "model", model_archive=world.archive(4)))
    world.cluster.forbidden.add(("GET", "pods/portforward"))
    try:
        run = play("site", check_version_timeout="1")
    finally:
        world.cluster.forbidden.clear()
    assert run.rc == 2 and "Version 4 could not be tried" in run.failures
    assert (world.serving(), world.versions()) == ([4, 4], [1, 3, 4])


def test_a_misspelt_variable_tells_nothing_of_the_version(world, play):
    run = play("site", check_signature="predict_image")
    assert run.rc == 2 and "Version 4 could not be tried" in run.failures and "no signature 'predict_image'" in run.failures
    assert (world.serving(), world.versions()) == ([4, 4], [1, 3, 4])


def test_publishing_leaves_nothing_out(world, play):
    run = play("publish", "--skip-tags", "check", model_archive=world.bad_archive(5))
    assert run.rc == 2 and "version 4 serves on every replica" in run.failures and "never passed its check either" in run.failures
    assert world.versions() == [1, 3, 4]
