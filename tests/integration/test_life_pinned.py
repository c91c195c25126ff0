"""A model's life under serving_version_policy pinned: candidate, promotion, rollback, on every replica. Told in order.

What serves is asked of each pod with the official API, never of our own modules.
"""
from __future__ import annotations

import pytest
import served
from served import everywhere, ready

from conftest import HOST, PINNED, V1, V2, WRECKED, Lane, eventually, unchanged
from tf_lab import models

LANE = Lane("pinned")
ARCHIVES = models.archives()
CONFIG = "mnist-deploy-model-config"


@pytest.fixture(scope="module", autouse=True)
def clean_slate(controller):
    assert controller.run("playbooks/teardown.yml", model_delete_data=True).rc == 0
    yield
    controller.run("playbooks/teardown.yml", model_delete_data=True)


def config(api):
    return api.config_map(CONFIG).data["models.config"]


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
        log = api.core.read_namespaced_pod_log(pod.metadata.name, LANE.namespace)
        loaded = log.index("Successfully loaded servable version {name: mnist version: 2}")
        assert loaded < log.index("Done unloading servable version {name: mnist version: 1}"), "the old one goes last"
    unchanged(play("promote", PINNED))
    unchanged(play("site", PINNED, model_archive=V1))
    everywhere(api, 2)


@pytest.mark.long
def test_a_restarted_pod_has_the_same_state(play, api):
    old = ready(api)[0]
    api.core.delete_namespaced_pod(old.metadata.name, LANE.namespace)
    eventually(lambda: len([pod for pod in ready(api) if pod.metadata.name != old.metadata.name]) == 2)
    everywhere(api, 2)
    everywhere(api, 2, label="stable")


@pytest.mark.long
def test_label_on_a_missing_version(play, api, status_tells):
    """Somebody edits the ConfigMap by hand: said in words before anything is changed, and nothing that serves is lost."""
    before = config(api)
    wrong = before.replace("value: 2", "value: 7")
    assert wrong != before
    api.core.patch_namespaced_config_map(CONFIG, LANE.namespace, {"data": {"models.config": wrong}})
    run = play("publish", PINNED, model_archive=V1, model_version=8)
    assert run.rc == 2 and "label stable is on version 7, and mnist serves 2" in run.failures and "model-config" in run.failures
    assert not (LANE.base / "mnist" / "8").exists()
    status_tells(PINNED, "label stable is on version 7")
    everywhere(api, 2)
    api.core.patch_namespaced_config_map(CONFIG, LANE.namespace, {"data": {"models.config": before}})


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


@pytest.mark.long
def test_publish_where_nodes_see_new_folders_late(play, api):
    """The servers' NFS client shows what it saw a minute ago."""
    slow = {**PINNED, "serving_image": "localhost/tensorflow-serving:2.15.1-slow-nas"}
    run = play("site", slow, model_archive=V1)
    assert run.rc == 0, run.failures
    run = play("publish", slow, model_archive=V2, model_reinstate=True)
    assert run.rc == 0, run.failures
    everywhere(api, 2, "mnist-canary")


@pytest.mark.long
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
