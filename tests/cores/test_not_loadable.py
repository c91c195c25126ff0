"""A version that no server can load, where pods start anew; and a going back that fails. Told in order."""
from __future__ import annotations

from test_latest import good

OTHER = "localhost/tensorflow-serving-too:2.15.1"


def test_what_new_pods_cannot_load_goes_back(world, play):
    """They start anew in the run that brings the version, for it brings another image as well."""
    good(play("site"))
    run = play("site", model_archive=world.broken_archive(2), serving_image=OTHER)
    last = run.failures.splitlines()[-1].partition(": ")[2]
    assert run.rc == 2
    assert last.startswith("Version 2 failed and was withdrawn, and version 1 serves on every replica that has started.")
    assert "cannot load version 2 of mnist: Data loss: no checkpoint" in last
    assert (world.serving(), world.versions()) == ([1, 1], [1])


def test_another_failure_takes_nothing_back(world, play):
    world.cluster.forbidden.add(("POST", "secrets"))
    try:
        run = play("site", model_archive=world.archive(3))
    finally:
        world.cluster.forbidden.clear()
    assert run.rc == 2 and "secrets is forbidden" in run.failures and "tells nothing of a version" in run.failures
    assert (world.serving(), world.versions()) == ([3, 3], [1, 3])


def test_a_first_version_that_no_pod_can_load_has_no_older_one(world, play):
    good(play("teardown", model_delete_data=True))
    run = play("site", model_archive=world.broken_archive(1))
    assert run.rc == 2 and "Version 1 failed, and there is no older version to go back to, so it was left. Pod " in run.failures
    assert world.versions() == [1]


def test_a_stable_version_that_new_pods_cannot_load_goes_back(world, play):
    """As an older release of this collection, or a hand, could promote it."""
    good(play("teardown", model_delete_data=True))
    pinned = {"serving_version_policy": "pinned"}
    good(play("site", **pinned))
    good(play("publish", model_archive=world.archive(2), **pinned))
    good(play("promote", **pinned))
    world.forget_the_check(2)
    (world.base / "2" / "variables" / "variables.data-00000-of-00001").write_bytes(b"broken")
    run = play("site", serving_image=OTHER, **pinned)
    assert run.rc == 2 and "version 1 serves on every replica that has started." in run.failures
    config = world.cluster.get("v1", "configmaps", "mnist-deploy-model-config")["data"]["models.config"]
    assert world.versions() == [1] and "versions: 1" in config and "versions: 2" not in config


def test_where_going_back_fails_as_well_both_are_said(world, play):
    good(play("teardown", model_delete_data=True))
    good(play("site"))
    (world.base / ".withdrawn").mkdir(exist_ok=True)
    (world.base / ".withdrawn" / "3").write_text("in the way")
    run = play("publish", model_archive=world.bad_archive(3))
    last = run.failures.splitlines()[-1].partition(": ")[2]
    assert run.rc == 2 and last.startswith("Version 3 failed, and going back to version 1 failed as well: ") and "100.0%" in last
    assert "Going back: " in last and "/.withdrawn/3 is there already" in last


def test_the_other_models_go_on(world, play):
    good(play("teardown", model_delete_data=True))
    run = play("site", hosts={"broken": {"model_archive": world.broken_archive(1)}, "mnist": {}})
    assert "Version 1 failed, and there is no older version to go back to" in run.failures_of("broken")
    assert run.failures_of("mnist") == "" and world.record(1)["checked"]
