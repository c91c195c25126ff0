"""A model's life after day one under serving_version_policy latest: publish, roll back, on every replica. Told in order.

What serves is asked of each pod with the official API, never of our own modules.
"""
from __future__ import annotations

import shutil
import tarfile

import pytest
import served
from served import everywhere, ready

from conftest import HOST, V1, V2, WRECKED, Lane, World, eventually, unchanged
from tf_lab import models, settings

LANE = Lane("latest")
ARCHIVES = models.archives()


@pytest.fixture(scope="module", autouse=True)
def clean_slate(controller):
    assert controller.run("playbooks/teardown.yml", model_delete_data=True).rc == 0
    yield
    controller.run("playbooks/teardown.yml", model_delete_data=True)


def test_publish_needs_a_deployment(play, api):
    world = World(api)
    run = play("publish", HOST, model_archive=V1)
    assert run.rc == 2 and "playbooks/site.yml" in run.failures
    assert world.differences() == []


def test_publish_in_check_mode_shows_the_version(controller, api, play):
    assert play("site", HOST, model_archive=V1).rc == 0
    everywhere(api, 1)
    world = World(api)
    run = controller.run(
        "playbooks/publish.yml", hosts={"mnist": {**HOST, "model_archive": V2}}, cmdline="--check --diff")
    assert run.rc == 0, run.failures
    assert "+%s/mnist/" % LANE.export in run.stdout
    assert world.differences() == []


def test_publish(play, api, status_tells):
    run = play("publish", HOST, model_archive=V2)
    assert run.rc == 0, run.failures
    everywhere(api, 2)
    assert "Inference error rate: %.1f%%" % ARCHIVES["mnist-export-2.tar.gz"]["error_rate"] in run.stdout
    for pod in ready(api):
        assert pod.metadata.name in run.stdout
    unchanged(play("publish", HOST, model_archive=V2))
    status_tells(HOST, "2.15.1", V2, ARCHIVES["mnist-export-2.tar.gz"]["sha256"][:12])


def test_rollback_and_a_second_one(play, api, status_tells):
    run = play("rollback", HOST, model_rollback_reason="labels were swapped")
    assert run.rc == 0, run.failures
    everywhere(api, 1)
    assert not (LANE.base / "mnist" / "2").exists()
    assert (LANE.base / "mnist" / ".withdrawn" / "2" / "saved_model.pb").is_file(), "kept aside"
    again = unchanged(play("rollback", HOST))
    assert "withdrawn already" in again.stdout
    everywhere(api, 1)
    status_tells(HOST, "withdrawn", "labels were swapped")


@pytest.mark.parametrize("archive", [V1, V2])
def test_rolled_back_stays_rolled_back(play, api, archive):
    world = World(api)
    run = unchanged(play("site", HOST, model_archive=archive))
    assert world.differences(but=["ConfigMap %s/mnist-deploy-check" % LANE.namespace]) == []
    everywhere(api, 1)
    if archive == V2:
        assert "withdrawn" in run.stdout and "labels were swapped" in run.stdout and "model_reinstate" in run.stdout


def test_publishing_what_was_withdrawn_asks_for_a_word(play, api):
    run = play("publish", HOST, model_archive=V2)
    assert run.rc == 2 and "model_reinstate=true" in run.failures
    everywhere(api, 1)


def test_reinstate(play, api):
    run = play("publish", HOST, model_archive=V2, model_reinstate=True)
    assert run.rc == 0, run.failures
    everywhere(api, 2)
    unchanged(play("publish", HOST, model_archive=V2, model_reinstate=True))


@pytest.mark.long
def test_an_older_archive_in_the_inventory_takes_nothing_back(play, api):
    run = unchanged(play("site", HOST, model_archive=V1))
    everywhere(api, 2)
    assert "version 2" in run.stdout


def test_wrecked_weights_roll_themselves_back(play, api, status_tells):
    run = play("publish", {**HOST, **WRECKED})
    assert run.rc == 2
    assert "%.1f%%" % ARCHIVES["mnist-wrecked.tar.gz"]["error_rate"] in run.failures, "what was measured"
    assert "version 2 serves" in run.failures, "what serves now"
    everywhere(api, 2)
    status_tells(HOST, "withdrawn", "check_max_error_rate")
    # and stays rolled back
    run = unchanged(play("site", {**HOST, **WRECKED}))
    everywhere(api, 2)


def test_versions_that_nobody_serves_are_pruned(play, api):
    run = play("publish", HOST, model_archive=V1, model_version=4, model_keep=1)
    assert run.rc == 0, run.failures
    everywhere(api, 4)
    assert sorted(path.name for path in (LANE.base / "mnist").iterdir() if path.name.isdigit()) == ["4"]
    unchanged(play("publish", HOST, model_archive=V1, model_version=4, model_keep=1))
    # The inventory's old archive does not come back either.
    run = unchanged(play("site", HOST, model_archive=V2, model_keep=1))
    assert "to make room" in run.stdout and "model_reinstate=true" in run.stdout
    everywhere(api, 4)


@pytest.mark.long
def test_one_bad_replica_of_four(play, api):
    """One pod is given another model behind everybody's back."""
    assert play("scale", HOST, scaling_replicas=4).rc == 0
    other = LANE.base / "mnist" / ".other"
    try:
        with tarfile.open(settings.WWW / "mnist-wrecked.tar.gz") as tar:
            tar.extractall(other, filter="data")
        # A server takes a version that it has loaded for the same version of another base path: so another number.
        (other / "mnist" / "1").rename(other / "mnist" / "5")
        bad = ready(api)[2]
        served.reload(bad, mnist=LANE.export + "/mnist/.other/mnist")
        eventually(lambda: served.loaded(bad) == [5])
        run = play("check", HOST)
        assert run.rc == 2
        assert bad.metadata.name in run.failures
        others = [pod.metadata.name for pod in ready(api) if pod.metadata.name != bad.metadata.name]
        assert len(others) == 3 and not [name for name in others if name in run.failures]
        api.core.delete_namespaced_pod(bad.metadata.name, LANE.namespace)
    finally:
        shutil.rmtree(other)
    assert play("scale", HOST, scaling_replicas=2).rc == 0


@pytest.mark.long
def test_half_copied_version(play, api, status_tells):
    """By hand, into the base path: saved_model.pb without its variables. The server takes it, and every request fails."""
    half = LANE.base / "mnist" / "5"
    half.mkdir()
    shutil.copy(LANE.base / "mnist" / "4" / "saved_model.pb", half)
    run = status_tells(HOST, "variables")
    assert "version 5" in run.stdout.lower()
    run = play("rollback", HOST, model_rollback_reason="half-copied")
    assert run.rc == 0, run.failures
    everywhere(api, 4)


@pytest.mark.long
def test_version_that_cannot_be_loaded(play, api, status_tells):
    """By hand again. The server tries it, gives up for good, and serves on what it has."""
    broken = LANE.base / "mnist" / "6"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"rubbish")
    for pod in ready(api):
        eventually(lambda: served.states(pod).get(6) == "END")  # noqa: B023 - called before the next pod
    status_tells(
        HOST, "could not load version 6 of mnist", "under a new number", "version 6: It was not published by this collection")
    everywhere(api, 4)
    assert play("rollback", HOST, model_rollback_reason="cannot be loaded").rc == 0
    everywhere(api, 4)


@pytest.mark.long
def test_emptied_base_path(play, api, status_tells):
    pod = ready(api)[0]
    (LANE.base / "mnist" / "4").rename(LANE.base / "mnist-4-elsewhere")
    try:
        eventually(lambda: served.loaded(pod) == [])
        status_tells(HOST, "serves no version of mnist", "Is there a version in its base path")
        run = play("rollback", HOST)
        assert run.rc == 2 and "no live version" in run.failures
        run = play("check", HOST)
        assert run.rc == 2 and pod.metadata.name in run.failures
    finally:
        (LANE.base / "mnist-4-elsewhere").rename(LANE.base / "mnist" / "4")
    eventually(lambda: served.loaded(pod) == [4])


def test_a_lower_version_is_refused_where_servers_take_the_highest(play, api):
    assert play("publish", HOST, model_archive=V1, model_version=9).rc == 0
    everywhere(api, 9)
    world = World(api)
    run = play("publish", HOST, model_archive=WRECKED["model_archive"], model_version=7)
    assert run.rc == 2 and "version 7" in run.failures.lower() and "9" in run.failures
    assert world.differences() == []
    everywhere(api, 9)
