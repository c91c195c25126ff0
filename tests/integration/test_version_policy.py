"""serving_version_policy changed on a release that serves: a plain upgrade, and never another version than before."""
from __future__ import annotations

import shutil

import pytest
import served

from conftest import Lane, eventually

LANE = Lane("policy")
HOSTS = {"chart-mnist": {}}
RELEASE, CONFIG = "chart-mnist-deploy", "chart-mnist-deploy-model-config"
GIVEN = {
    "gpu": "false", "serving_image": "localhost/tensorflow-serving:2.15.1", "scaling_replicas": 1, "serving_drain": 1,
    "model_archive": "http://10.213.0.5/mnist-export-2.tar.gz",
}
FROM_BEFORE = """model_config_list { config {
  name: "chart-mnist" base_path: "/lanes/policy/chart-mnist" model_platform: "tensorflow"
  model_version_policy { specific { versions: 1 } }
  version_labels { key: "stable" value: 1 }
} }"""


@pytest.fixture(scope="module", autouse=True)
def clean_slate(controller):
    assert controller.run("playbooks/teardown.yml", HOSTS, model_delete_data=True).rc == 0
    yield
    assert controller.run("playbooks/teardown.yml", HOSTS, model_delete_data=True).rc == 0


@pytest.fixture
def pod(api):
    def running():
        (only,) = [pod for pod in api.pods(RELEASE) if not pod.metadata.deletion_timestamp]
        return only
    return running


def config(api):
    found = api.config_map(CONFIG)
    return found and found.data["models.config"]


def site(controller, policy):
    run = controller.run(hosts=HOSTS, **GIVEN, serving_version_policy=policy)
    assert run.rc == 0, run.failures
    return run


def test_a_server_that_is_too_old_is_refused_before_anything_acts(controller):
    run = controller.run(
        hosts=HOSTS, **{**GIVEN, "serving_image": "localhost/tensorflow-serving:1.4.0-devel"}, serving_version_policy="pinned",
    )
    assert run.rc and not run.changed
    assert "serving_version_policy is 'pinned'" in run.failures and "says 1.4.0" in run.failures


def test_pinned_from_the_start(controller, api, pod):
    site(controller, "pinned")
    assert "value: 2" in config(api)
    assert served.loaded(pod(), "chart-mnist") == [2]
    assert served.serves(pod(), "chart-mnist", "stable") == 2


@pytest.mark.long
def test_a_model_config_that_was_lost_is_made_of_what_serves(controller, api, pod):
    """Not of the highest version on the NAS, which nobody has promoted."""
    shutil.copytree(LANE.base / "chart-mnist" / "2", LANE.base / "chart-mnist" / "3")
    try:
        api.core.delete_namespaced_config_map(CONFIG, LANE.namespace)
        before = pod().metadata.uid
        run = site(controller, "pinned")
        assert run.changes() == ["Begin with the version that serves"]
        assert "versions: 2" in config(api) and "3" not in config(api)
        assert (served.serves(pod(), "chart-mnist"), pod().metadata.uid) == (2, before)
    finally:
        shutil.rmtree(LANE.base / "chart-mnist" / "3")


def test_back_to_latest(controller, api, pod):
    site(controller, "latest")
    assert config(api) is None
    assert served.serves(pod(), "chart-mnist") == 2
    assert served.serves(pod(), "chart-mnist", "stable") is None
    assert site(controller, "latest").changed == 0


@pytest.mark.long
def test_what_an_old_model_config_says_is_forgotten(controller, api, pod):
    """Of a run that was killed, or from long ago: what serves now goes on to serve."""
    api.core.create_namespaced_config_map(LANE.namespace, {"metadata": {"name": CONFIG}, "data": {"models.config": FROM_BEFORE}})
    site(controller, "pinned")
    assert served.loaded(pod(), "chart-mnist") == [2]
    assert served.serves(pod(), "chart-mnist", "stable") == 2


def test_teardown_takes_the_model_config_along(controller, api):
    assert controller.run("playbooks/teardown.yml", HOSTS).rc == 0
    assert config(api) is None
    assert eventually(lambda: not api.pods(RELEASE))
