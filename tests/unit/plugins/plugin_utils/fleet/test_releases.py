"""What is deployed, read back: the variables that are found make the same release again."""
from __future__ import annotations

import base64
import gzip
import json

import pytest
from cluster_objects import APPS, CORE, DEPLOYMENT, RECORD, chart_in_record, deployment, record

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import volume
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import releases
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.releases import Deployed, host_names, variables
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.model_config import Model, resting, to_text
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import settle

GIVEN = {"model_nas_server": "nas.example.com", "gpu": False}
OURS = {"app.kubernetes.io/name": "acs-tensorflow-serving", "app.kubernetes.io/instance": "mnist-deploy"}
RECORDED = {"status": "deployed", "revision": 1, "chart": "c", "updated": ""}


def deployed(settings, replicas=1):
    """As the roles make it."""
    serving = settings["serving"]
    config = to_text(resting(2), Model(serving["model_name"], serving["mount_path"])) if serving["pinned"] else None
    made = volume.manifest({**settings["volume"], "claim_namespace": settings["volume"]["namespace"], "state": "present"})
    made["metadata"]["name"] = settings["volume"]["name"]
    return Deployed(serving["namespace"], serving["release"], RECORDED, serving["chart_values"], replicas, config, made)


@pytest.mark.parametrize("given", [
    {}, {"model_name": "Preis $(heute) 测试"},
    {"gpu": True, "serving_gpu_count": 2, "serving_gpu_memory_fraction": 0.5, "serving_gpu_image": "tf/serving:2.15.1-gpu"},
    {"serving_version_policy": "pinned", "serving_image": "tf/serving:2.15.1", "serving_rest_port": 8501},
    {"serving_image": "tf/serving:2.15.1", "serving_args": ["--tensorflow_intra_op_parallelism=2"], "serving_monitoring": True,
     "serving_batching": {"max_batch_size": 8}, "serving_rest_port": 8501, "serving_parallelism": 3},
    {"serving_namespace": "models", "serving_release": "blue", "serving_service_type": "NodePort", "serving_port": 9000,
     "serving_drain": 0, "serving_run_as_user": 1000, "serving_resources": {"limits": {"cpu": "2"}},
     "serving_tolerations": [{"operator": "Exists"}], "serving_node_selector": {"zone": "b"},
     "serving_max_unavailable": 1, "serving_start_timeout": 400,
     "serving_image_pull_secrets": [{"name": "key"}], "serving_service_annotations": {"a": "b"}, "serving_pod_annotations": {"c": "d"},
     "serving_affinity": {"nodeAffinity": {}}, "serving_security_context": {"readOnlyRootFilesystem": True},
     "serving_image_pull_policy": "Always"},
    {"model_base_path": "/elsewhere/mnist", "serving_mount_path": "/models/mnist", "volume_size": "7Gi", "volume_name": "mine"},
    {"volume_driver": "nfs", "volume_nfs_version": "3"}, {"volume_mount_options": ["hard", "vers=4.1"]}, {"volume_mount_options": ["hard"]},
    {"volume_driver": "flexvolume", "volume_mode": "700", "volume_mount_options": ["hard", "nolock"], "volume_nfs_version": "4.1"},
    {"serving_storage": "1Gi", "serving_volume_labels": {"tier": "gold"}},
])
def test_what_is_read_back_makes_the_same(given):
    there = settle("mnist", {**GIVEN, **given})
    back = variables(deployed(there, 3))
    assert back["scaling_replicas"] == 3
    again = settle("another-host", back)
    assert again["serving"]["chart_values"] == there["serving"]["chart_values"]
    for section in ("serving", "volume", "scaling", "model", "check"):
        for field in ("release", "namespace", "name", "model_name", "base_path", "path", "server", "deployment", "claim"):
            if field in there[section]:
                assert again[section][field] == there[section][field], (section, field)
    assert deployed(again, 3) == deployed(there, 3)


def test_every_value_of_the_chart_is_read_back():
    values = settle("mnist", GIVEN)["serving"]["chart_values"]
    apart = {"image", "gpuCount", "args", "persistence", "modelConfig"}
    assert not set(values) - set(releases.AS_THEY_ARE) - apart


def test_what_is_not_known_is_left_out():
    found = Deployed("default", "old", RECORDED, {"gpuCount": 0, "modelConfig": {"configMap": "old-model-config"}}, None, "")
    assert variables(found) == {
        "serving_release": "old", "serving_namespace": "default", "serving_version_policy": "pinned", "gpu": False}
    assert found.model_name is None and found.label is None and host_names([found]) == ["old"]
    assert variables(Deployed("default", "old", RECORDED, {}))["serving_version_policy"] == "latest"


@pytest.mark.parametrize("options", [["nolock", "tcp", "noresvport"], ["nolock", "tcp", "noresvport", "vers=3", "vers=4.0"], []])
def test_mount_options_of_somebody_elses(options):
    there = deployed(settle("mnist", GIVEN))
    there.volume["spec"]["mountOptions"] = options
    back = variables(there)
    assert back.get("volume_mount_options", []) == options and "volume_nfs_version" not in back


def one(release, namespace="default", model=None, label=None):
    return Deployed(namespace, release, RECORDED, {
        "args": ["--model_name=" + model] if model else [], "persistence": {"pvc": {"matchLabels": {"model": label} if label else {}}}})


def test_names_of_hosts():
    found = [
        one("mnist-deploy", model="mnist"), one("mnist-deploy", "team-b", model="mnist"), one("x", model="Fraud 1"),
        one("y", label="cifar"), one("z"), one("a", "twice", model="m"), one("b", "twice", model="m"),
    ]
    assert host_names(found) == ["mnist.default", "mnist.team-b", "Fraud 1", "cifar", "z", "a.twice", "b.twice"]


# From a cluster

@pytest.fixture
def cluster(api):
    api.add(RECORD, **record(values=settle("mnist", GIVEN)["serving"]["chart_values"]))
    api.add(DEPLOYMENT, **deployment(2))
    api.change(DEPLOYMENT, metadata={"labels": OURS})
    return api


def read(api, *namespaces, warnings=()):
    said = []
    found = releases.read(api.client, namespaces, said.append)
    assert [sentence for sentence in said if not any(word in sentence for word in warnings)] == [] and len(said) == len(warnings)
    assert not api.writes
    return found


def test_a_cluster(cluster):
    made = volume.manifest({**settle("mnist", GIVEN)["volume"], "claim_namespace": "default", "state": "present"})
    cluster.add("/api/v1/persistentvolumes/v-1", **made)
    cluster.add("/api/v1/persistentvolumes/v-2", metadata={"labels": {}}, spec=made["spec"])
    (found,) = read(cluster)
    assert (found.namespace, found.release, found.replicas, found.model_name) == ("default", "mnist-deploy", 2, "mnist")
    assert found.record == {
        "name": "mnist-deploy", "revision": 1, "status": "deployed",
        "chart": "acs-tensorflow-serving-%s" % chart_in_record()["metadata"]["version"], "updated": "2026-11-25T11:00:00Z"}
    assert variables(found)["volume_name"] == "v-1"


def test_the_newest_revision_counts_page_after_page(cluster, monkeypatch):
    monkeypatch.setattr(releases, "PAGE", 1)
    cluster.add(RECORD[:-1] + "2", **record(2, "failed", values={"image": "new"}))
    cluster.add(RECORD[:-1] + "10", **record(10, "superseded", values={"image": "newer"}))
    (found,) = read(cluster)
    assert (found.record["revision"], found.record["status"], found.values) == (2, "failed", {"image": "new"})


def test_one_that_was_given_up_before_it_stood(cluster):
    cluster.objects.pop(RECORD)
    assert read(cluster) == []
    cluster.add(RECORD, **record(1, "superseded"))
    (found,) = read(cluster)
    assert found.record["status"] == "superseded"


def test_without_a_deployment(cluster):
    cluster.objects.pop(DEPLOYMENT)
    (found,) = read(cluster)
    assert found.replicas is None and "scaling_replicas" not in variables(found)


def test_pinned(cluster):
    cluster.objects.pop(RECORD)
    values = settle("mnist", {**GIVEN, "serving_version_policy": "pinned"}, together=False)["serving"]["chart_values"]
    cluster.add(RECORD, **record(values=values))
    assert read(cluster)[0].model_name is None
    text = to_text(resting(2), Model("the model", "/m"))
    cluster.add(CORE + "configmaps/mnist-deploy-model-config", metadata={"labels": OURS}, data={"models.config": text})
    assert read(cluster)[0].model_name == "the model"


def test_of_another_chart_and_what_is_none(cluster):
    cluster.add(CORE + "secrets/sh.helm.release.v1.nginx.v1", **record(chart={"metadata": {"name": "nginx"}}))
    cluster.objects[CORE + "secrets/sh.helm.release.v1.nginx.v1"]["metadata"]["labels"]["name"] = "nginx"
    broken = record()
    broken["data"]["release"] = base64.b64encode(b"no").decode()
    cluster.add(CORE + "secrets/sh.helm.release.v1.broken.v1", **broken)
    cluster.objects[CORE + "secrets/sh.helm.release.v1.broken.v1"]["metadata"]["labels"]["name"] = "broken"
    found = read(cluster, warnings=["Secret sh.helm.release.v1.broken.v1 in namespace default"])
    assert [each.release for each in found] == ["mnist-deploy"]


def test_only_where_it_is_told_to_look(cluster):
    other = gzip.compress(json.dumps({"name": "blue", "chart": chart_in_record(), "info": {}}).encode())
    packed = base64.b64encode(base64.b64encode(other)).decode()
    labels = {"owner": "helm", "name": "blue", "version": "1"}
    cluster.add("/api/v1/namespaces/b/secrets/blue", metadata={"labels": labels}, data={"release": packed})
    assert [found.namespace for found in read(cluster, "default")] == ["default"]
    assert [found.namespace for found in read(cluster, "b", "default", "b")] == ["b", "default"]
    assert {one.path for one in cluster.requests} == {
        "/api/v1/namespaces/default/secrets", "/api/v1/namespaces/b/secrets", APPS + "deployments",
        "/apis/apps/v1/namespaces/b/deployments", "/api/v1/persistentvolumes"}


def test_volumes_that_may_not_be_listed(cluster):
    cluster.forbidden.add(("GET", "persistentvolumes"))
    assert "volume_name" not in variables(read(cluster, warnings=["may not list PersistentVolumes"])[0])


def test_secrets_that_may_not_be_listed(cluster):
    cluster.forbidden.add(("GET", "secrets"))
    with pytest.raises(Error) as error:
        read(cluster)
    assert error.value.code == "forbidden" and "list /api/v1/secrets" in error.value.message
