"""The ConfigMap with the model config, against an API server."""
from __future__ import annotations

import fake_cluster
import pytest
from cluster_objects import MODEL_CONFIG
from fake_cluster import Server

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import config_map
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.model_config import Model, resting, to_text

MNIST = Model("mnist", "/serving/model/mnist")


@pytest.fixture
def cluster(monkeypatch):
    with fake_cluster.running(monkeypatch) as cluster:
        yield cluster


@pytest.fixture
def there(cluster):
    return config_map.ConfigMap(cluster.client, "default", "mnist-deploy")


def test_pinned(cluster, there):
    assert there.pinned("mnist") is None
    cluster.store(to_text(resting(1, 2), MNIST))
    assert there.pinned("mnist") == {"stable": 1, "canary": 2, "versions": [1], "problem": None}
    cluster.add(MODEL_CONFIG)
    assert there.pinned("mnist")["stable"] is None and there.pinned("mnist")["versions"] == []


def test_a_write_after_a_look(cluster, there):
    assert there.read() is None
    there.write("one")
    there.write("two")
    assert cluster.config_map == "two" and [method for method, _path in cluster.writes] == ["POST", "PATCH"]
    assert there.read() == "two"


def test_another_failure_of_a_write(cluster, there):
    cluster.forbidden = {("POST", "configmaps")}
    with pytest.raises(Error, match=r"^Could not create the ConfigMap [^(]*configmaps is forbidden$"):
        there.write("x")


def test_a_pod_that_goes_while_it_is_annotated(cluster, there):
    there.freshen({"gone": {"metadata": {}}}, "text", written=True)
    assert len(cluster.asked("PATCH", "/pods/gone")) == 1


def test_what_is_annotated(cluster, there):
    for pod in "ab":
        cluster.add_pod(pod, Server({}))
    pods = {pod: cluster.pod(pod) for pod in "ab"}
    there.freshen(pods, "text", written=False)
    assert not cluster.writes, "made since the last write, it has read the file as it is"
    there.freshen(pods, "text", written=True)
    digest = cluster.pod("a")["metadata"]["annotations"]["mlops.tf-serving/model-config"]
    assert len(digest) == 16 and len(cluster.writes) == 2
    pods = {pod: cluster.pod(pod) for pod in "ab"}
    there.freshen(pods, "text", written=True)
    assert len(cluster.writes) == 2, "it has been told"
    there.freshen(pods, "other", written=False)
    assert len(cluster.writes) == 4 and cluster.pod("a")["metadata"]["annotations"]["mlops.tf-serving/model-config"] != digest
