"""A model's life after day one: publish, promote, roll back, on every replica. Told in order, latest first, then pinned.

What serves is asked of each pod with the official API, never of our own modules.
"""
from __future__ import annotations

import re
import shutil
import tarfile

import pytest
import served
from served import everywhere, ready

from conftest import BASE, HOST, PINNED, V1, V2, WEB, World, eventually
from tf_lab import models, settings

ARCHIVES = models.archives()
WRECKED = {"model_archive": WEB + "mnist-wrecked.tar.gz", "model_version": 3}
CONFIG = "mnist-deploy-model-config"


@pytest.fixture(scope="module", autouse=True)
def clean_slate(controller):
    assert controller.run("playbooks/teardown.yml", model_delete_data=True).rc == 0
    yield
    controller.run("playbooks/teardown.yml", model_delete_data=True)


@pytest.fixture
def status_tells(play, api):
    def tell(host, *words):
        """Status says these words, and of every pod what that pod says itself when it is asked directly."""
        run = play("status", host)
        assert run.rc == 0 and run.changed == 0, run.failures
        said = " ".join(run.stdout.split())  # long lines are folded
        missing = [word for word in words if word not in said]
        assert not missing, missing
        told = {}
        for line in run.stdout.splitlines():
            columns = re.split(r"  +", re.sub(r"^[ '-]+", "", line).rstrip("'"))
            if len(columns) == 9 and columns[0].startswith("mnist-deploy-serving-"):
                told[columns[0]] = (columns[6], columns[7].partition(",")[0])
        pods = ready(api)  # one that is going may have a row as well
        assert {pod.metadata.name: told.get(pod.metadata.name) for pod in pods} == {pod.metadata.name: (
            ",".join(map(str, sorted({*served.loaded(pod), *served.loaded(pod, "mnist-canary")}))) or "-",
            str(served.serves(pod) or "nothing"),
        ) for pod in pods}
        return run
    return tell


def unchanged(run):
    assert run.rc == 0, run.failures
    assert run.changes() == []
    return run


# latest: the server takes the highest version on disk ----------------------------------------------------------------

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
    assert "+/serving/model/mnist/" in run.stdout
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


def test_a_lower_version_is_refused_where_servers_take_the_highest(play, api):
    world = World(api)
    run = play("publish", HOST, model_archive=WRECKED["model_archive"], model_version=0)
    assert run.rc == 2 and "version 0" in run.failures.lower() and "2" in run.failures
    assert world.differences() == []
    everywhere(api, 2)


def test_rollback_and_a_second_one(play, api, status_tells):
    run = play("rollback", HOST, model_rollback_reason="labels were swapped")
    assert run.rc == 0, run.failures
    everywhere(api, 1)
    assert not (BASE / "mnist" / "2").exists()
    assert (BASE / "mnist" / ".withdrawn" / "2" / "saved_model.pb").is_file(), "kept aside"
    again = unchanged(play("rollback", HOST))
    assert "withdrawn already" in again.stdout
    everywhere(api, 1)
    status_tells(HOST, "withdrawn", "labels were swapped")


@pytest.mark.parametrize("archive", [V1, V2])
def test_rolled_back_stays_rolled_back(play, api, archive):
    world = World(api)
    run = unchanged(play("site", HOST, model_archive=archive))
    assert world.differences() == []
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
    assert sorted(path.name for path in (BASE / "mnist").iterdir() if path.name.isdigit()) == ["4"]
    unchanged(play("publish", HOST, model_archive=V1, model_version=4, model_keep=1))
    # The inventory's old archive does not come back either.
    run = unchanged(play("site", HOST, model_archive=V2, model_keep=1))
    assert "to make room" in run.stdout and "model_reinstate=true" in run.stdout
    everywhere(api, 4)


def test_one_bad_replica_of_four(play, api):
    """One pod is given another model behind everybody's back."""
    assert play("scale", HOST, scaling_replicas=4).rc == 0
    other = BASE / "mnist" / ".other"
    try:
        with tarfile.open(settings.WWW / "mnist-wrecked.tar.gz") as tar:
            tar.extractall(other, filter="data")
        # A server takes a version that it has loaded for the same version of another base path: so another number.
        (other / "mnist" / "1").rename(other / "mnist" / "5")
        bad = ready(api)[2]
        served.reload(bad, mnist="/serving/model/mnist/.other/mnist")
        eventually(lambda: served.loaded(bad) == [5])
        run = play("check", HOST)
        assert run.rc == 2
        assert bad.metadata.name in run.failures
        others = [pod.metadata.name for pod in ready(api) if pod.metadata.name != bad.metadata.name]
        assert len(others) == 3 and not [name for name in others if name in run.failures]
        api.core.delete_namespaced_pod(bad.metadata.name, "default")
    finally:
        shutil.rmtree(other)
    assert play("scale", HOST, scaling_replicas=2).rc == 0


def test_half_copied_version(play, api, status_tells):
    """By hand, into the base path: saved_model.pb without its variables. The server takes it, and every request fails."""
    half = BASE / "mnist" / "5"
    half.mkdir()
    shutil.copy(BASE / "mnist" / "4" / "saved_model.pb", half)
    run = status_tells(HOST, "variables")
    assert "version 5" in run.stdout.lower()
    run = play("rollback", HOST, model_rollback_reason="half-copied")
    assert run.rc == 0, run.failures
    everywhere(api, 4)


def test_version_that_cannot_be_loaded(play, api, status_tells):
    """By hand again. The server tries it, gives up for good, and serves on what it has."""
    broken = BASE / "mnist" / "6"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"rubbish")
    for pod in ready(api):
        eventually(lambda: served.states(pod).get(6) == "END")  # noqa: B023 - called before the next pod
    status_tells(
        HOST, "could not load version 6 of mnist", "under a new number", "version 6: It was not published by this collection")
    everywhere(api, 4)
    assert play("rollback", HOST, model_rollback_reason="cannot be loaded").rc == 0
    everywhere(api, 4)


def test_emptied_base_path(play, api, status_tells):
    pod = ready(api)[0]
    (BASE / "mnist" / "4").rename(BASE / "mnist-4-elsewhere")
    try:
        eventually(lambda: served.loaded(pod) == [])
        status_tells(HOST, "serves no version of mnist", "Is there a version in its base path")
        run = play("rollback", HOST)
        assert run.rc == 2 and "no live version" in run.failures
        run = play("check", HOST)
        assert run.rc == 2 and pod.metadata.name in run.failures
    finally:
        (BASE / "mnist-4-elsewhere").rename(BASE / "mnist" / "4")
    eventually(lambda: served.loaded(pod) == [4])


# pinned: the model config file says which --------------------------------------------------------------------------

def config(api):
    return api.get("v1", "ConfigMap", CONFIG, "default").data["models.config"]


def test_pinned_from_nothing(play, api):
    assert play("teardown", HOST, model_delete_data=True).rc == 0
    run = play("site", PINNED, model_archive=V1)
    assert run.rc == 0, run.failures
    everywhere(api, 1)
    everywhere(api, 1, label="stable")
    unchanged(play("site", PINNED, model_archive=V1))


def test_candidate_answers_under_its_own_name(play, api, status_tells):
    run = play("publish", PINNED, model_archive=V2)
    assert run.rc == 0, run.failures
    everywhere(api, 2, "mnist-canary")
    everywhere(api, 1)
    everywhere(api, 1, label="stable")
    unchanged(play("publish", PINNED, model_archive=V2))
    status_tells(PINNED, "canary", "stable")


def test_site_does_not_promote(play, api):
    unchanged(play("site", PINNED, model_archive=V2))
    everywhere(api, 1)
    everywhere(api, 2, "mnist-canary")


def test_promote(play, api):
    run = play("promote", PINNED)
    assert run.rc == 0, run.failures
    everywhere(api, 2)
    everywhere(api, 2, label="stable")
    everywhere(api, None, "mnist-canary")
    for pod in ready(api):
        assert served.loaded(pod) == [2]
        log = api.core.read_namespaced_pod_log(pod.metadata.name, "default")
        loaded = log.index("Successfully loaded servable version {name: mnist version: 2}")
        assert loaded < log.index("Done unloading servable version {name: mnist version: 1}"), "the old one goes last"
    unchanged(play("promote", PINNED))
    unchanged(play("site", PINNED, model_archive=V1))
    everywhere(api, 2)


def test_a_restarted_pod_has_the_same_state(play, api):
    old = ready(api)[0]
    api.core.delete_namespaced_pod(old.metadata.name, "default")
    eventually(lambda: len([pod for pod in ready(api) if pod.metadata.name != old.metadata.name]) == 2)
    everywhere(api, 2)
    everywhere(api, 2, label="stable")


def test_label_on_a_missing_version(play, api, status_tells):
    """Somebody edits the ConfigMap by hand: said in words before anything is changed, and nothing that serves is lost."""
    before = config(api)
    wrong = before.replace("value: 2", "value: 7")
    assert wrong != before
    api.core.patch_namespaced_config_map(CONFIG, "default", {"data": {"models.config": wrong}})
    run = play("publish", PINNED, model_archive=V1, model_version=8)
    assert run.rc == 2 and "label stable is on version 7, and mnist serves 2" in run.failures and "model-config" in run.failures
    assert not (BASE / "mnist" / "8").exists()
    status_tells(PINNED, "label stable is on version 7")
    everywhere(api, 2)
    api.core.patch_namespaced_config_map(CONFIG, "default", {"data": {"models.config": before}})


def test_wrecked_candidate_is_dropped(play, api, status_tells):
    run = play("publish", {**PINNED, **WRECKED})
    assert run.rc == 2
    assert "%.1f%%" % ARCHIVES["mnist-wrecked.tar.gz"]["error_rate"] in run.failures
    assert "version 2 serves" in run.failures
    everywhere(api, 2)
    everywhere(api, None, "mnist-canary")
    status_tells(PINNED, "withdrawn")


def test_rollback_of_a_promotion(play, api):
    run = play("rollback", PINNED, model_rollback_to=1)
    assert run.rc == 0, run.failures
    everywhere(api, 1)
    everywhere(api, 1, label="stable")
    unchanged(play("rollback", PINNED, model_rollback_to=1))
    unchanged(play("site", PINNED, model_archive=V2))
    everywhere(api, 1)


def test_publish_where_nodes_see_new_folders_late(play, api):
    """The servers' NFS client shows what it saw a minute ago."""
    slow = {**PINNED, "serving_image": "localhost/tensorflow-serving:2.15.1-slow-nas"}
    run = play("site", slow, model_archive=V1)
    assert run.rc == 0, run.failures
    run = play("publish", slow, model_archive=V2, model_reinstate=True)
    assert run.rc == 0, run.failures
    everywhere(api, 2, "mnist-canary")


def test_the_tutorials_server_publishes_and_rolls_back(play, api):
    """1.4.0 has no ModelService: its metadata tell which version is there."""
    old = {**HOST, "serving_image": "localhost/tensorflow-serving:1.4.0-devel", "serving_args": []}
    assert play("teardown", HOST, model_delete_data=True).rc == 0
    assert play("site", old, model_archive=V1).rc == 0
    run = play("publish", old, model_archive=V2)
    assert run.rc == 0, run.failures
    everywhere(api, 2)
    run = play("rollback", old)
    assert run.rc == 0, run.failures
    everywhere(api, 1)
    assert "1.4.0" in play("status", old).stdout
