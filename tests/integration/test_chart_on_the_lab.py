"""The chart on its own, without our roles: what its values promise reaches the server, under the restricted Pod Security."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import time
import urllib.error
import urllib.request

import grpc
import pytest
from test_chart import CHART, HELM

from conftest import SHIPPED, eventually
from tf_lab import models, settings

LANE = SHIPPED  # nothing of it is touched
NAME = "chart-alone"  # of namespace, release, volume and folder on the NAS
MODELS = """model_config_list { config {
  name: "mnist" base_path: "/models/mnist" model_platform: "tensorflow"
  model_version_policy { specific { versions: 1 versions: 2 } }
  version_labels { key: "stable" value: 1 }
} }"""
VALUES = {
    "image": "localhost/tensorflow-serving:2.15.1", "gpuCount": 0, "args": ["--port=9090"], "mountPath": "/models/mnist",
    "persistence": {"pvc": {"storage": "1Gi", "volumeName": NAME}},
    "podSecurityContext": {"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000},
    "restPort": 8501, "monitoring": True, "batching": {"max_batch_size": 4, "batch_timeout_micros": 1500},
    "parallelism": 1, "maxConnectionAgeSeconds": 2, "drainSeconds": 1, "modelConfig": {"configMap": "mine"},
}


def helm(*arguments):
    done = subprocess.run(
        [HELM, *arguments, "--namespace", NAME, "--wait", "--timeout", "120s"],
        env={**os.environ, "KUBECONFIG": str(settings.KUBECONFIG)}, capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def address(api, tmp_path_factory):
    """Of the Service of an installed release with all features."""
    folder = settings.EXPORT / NAME
    for archive in models.ARCHIVES[:2]:
        with tarfile.open(models.MODELS / archive) as opened:
            opened.extractall(folder, filter="data")
    volume = {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": NAME},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"], "storageClassName": "",
            "claimRef": {"namespace": NAME, "name": NAME + "-acs-tensorflow-serving"},
            "nfs": {"server": settings.NAS_IP, "path": "/%s/mnist" % NAME},
        },
    }
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.core.create_namespace({"metadata": {"name": NAME, "labels": restricted}})
    try:
        api.core.create_persistent_volume(volume)
        api.core.create_namespaced_config_map(NAME, {"metadata": {"name": "mine"}, "data": {"models.config": MODELS}})
        values = tmp_path_factory.mktemp("values") / "values.json"
        values.write_text(json.dumps(VALUES))
        helm("install", NAME, str(CHART), "--values", str(values))
        service = api.get("v1", "Service", NAME + "-acs-tensorflow-serving", NAME)
        yield service.status.loadBalancer.ingress[0].ip
        helm("uninstall", NAME)
    finally:
        api.core.delete_namespace(NAME)
        api.core.delete_persistent_volume(NAME)
        shutil.rmtree(folder)
        eventually(lambda: api.get("v1", "Namespace", NAME) is None)


def rest(address, path, body=None):
    """The answer's body, whatever its status."""
    data = None if body is None else json.dumps(body).encode()
    try:
        return urllib.request.urlopen("http://%s:8501%s" % (address, path), data, timeout=30).read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


def predict(address, images, model="mnist"):
    body = {"signature_name": "predict_images", "instances": [[0.0] * 784] * images}
    return json.loads(rest(address, "/v1/models/%s:predict" % model, body))


def log(api):
    (pod,) = [pod for pod in api.pods(NAME, NAME) if not pod.metadata.deletion_timestamp]
    return api.core.read_namespaced_pod_log(pod.metadata.name, NAME)


def test_rest_predict_through_the_services_address(address):
    (scores,) = predict(address, 1)["predictions"]
    assert len(scores) == 10
    assert sum(scores) == pytest.approx(1, abs=0.01)


def test_the_model_config_decides_and_labels_work(address):
    """Two versions under one name, which args alone could not say; what has no label gets the highest."""
    metadata = json.loads(rest(address, "/v1/models/mnist/labels/stable/metadata"))
    assert metadata["model_spec"]["version"] == "1"
    assert json.loads(rest(address, "/v1/models/mnist/metadata"))["model_spec"]["version"] == "2"
    assert predict(address, 1, "mnist/labels/stable") != predict(address, 1)


def test_prometheus_text(address):
    predict(address, 1)
    page = rest(address, "/monitoring/prometheus/metrics")
    assert page.startswith("# TYPE ")
    assert 'model_name="mnist"' in page


def test_batching_parameters_reach_the_server(api, address):
    said = next(line for line in log(api).splitlines() if "Batching parameters that arrived" in line)
    assert "max_batch_size { value: 4 }" in said
    assert "batch_timeout_micros { value: 1500 }" in said
    assert "Task size 5 is larger than maximum input batch size 4" in predict(address, 5)["error"]


def test_a_connection_ends_after_its_age(address):
    """So that a client learns of other pods; gRPC spreads the age by a tenth."""
    states = []
    with grpc.insecure_channel(address + ":9090") as channel:
        channel.subscribe(lambda state: states.append((state, time.monotonic())), try_to_connect=True)
        eventually(lambda: grpc.ChannelConnectivity.IDLE in [state for state, _time in states[1:]], 15)
    ready = next(at for state, at in states if state is grpc.ChannelConnectivity.READY)
    assert 1.7 < states[-1][1] - ready < 4


def test_other_batching_parameters_replace_the_pods(api, address):
    before = {pod.metadata.uid for pod in api.pods(NAME, NAME)}
    helm("upgrade", NAME, str(CHART), "--reuse-values", "--set", "batching.max_batch_size=8")
    eventually(lambda: before.isdisjoint({pod.metadata.uid for pod in api.pods(NAME, NAME)}))
    assert "max_batch_size { value: 8 }" in log(api)
    assert "predictions" in predict(address, 5)
