"""The chart, rendered by the real Helm. Needs the helm binary only, no cluster."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tf_lab import settings

CHART = Path(__file__).resolve().parents[2] / "roles" / "serving" / "files" / "acs-tensorflow-serving"
HELM = shutil.which("helm", path="%s:%s" % (settings.BIN, os.environ["PATH"]))

pytestmark = pytest.mark.skipif(HELM is None, reason="no helm in PATH and none built by the lab")


def helm(*arguments):
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False, timeout=60)


def render(tmp_path, kubernetes="1.34.4", **values):
    (tmp_path / "values.json").write_text(json.dumps(values))
    done = helm(
        "template", "mnist-deploy", str(CHART), "--namespace", "models", "--kube-version", kubernetes,
        "--values", str(tmp_path / "values.json"),
    )
    assert done.returncode == 0, done.stderr
    return {thing["kind"]: thing for thing in yaml.safe_load_all(done.stdout) if thing}


def container(objects):
    return objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]


def test_lint():
    done = helm("lint", "--strict", "--quiet", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tutorials_names_and_defaults(tmp_path):
    objects = render(tmp_path)
    assert set(objects) == {"Deployment", "Service", "PersistentVolumeClaim", "PodDisruptionBudget"}
    assert objects["Deployment"]["metadata"]["name"] == "mnist-deploy-serving"
    assert objects["Service"]["metadata"]["name"] == "mnist-deploy-acs-tensorflow-serving"
    assert objects["PersistentVolumeClaim"]["metadata"]["name"] == "mnist-deploy-acs-tensorflow-serving"
    assert container(objects)["resources"] == {"limits": {"nvidia.com/gpu": 1}}
    assert objects["Service"]["spec"]["type"] == "LoadBalancer"
    assert objects["Service"]["spec"]["ports"] == [{"name": "grpc", "port": 9090, "targetPort": "grpc"}]
    assert objects["PersistentVolumeClaim"]["spec"]["storageClassName"] == ""


def test_selectors_agree(tmp_path):
    objects = render(tmp_path)
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert objects["Service"]["spec"]["selector"] == labels
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels


@pytest.mark.parametrize(("values", "replicas"), [({}, None), ({"replicas": 0}, 0), ({"replicas": 3}, 3)])
def test_replicas_only_if_set(tmp_path, values, replicas):
    assert render(tmp_path, **values)["Deployment"]["spec"].get("replicas") == replicas


def test_without_gpu_there_is_no_limit(tmp_path):
    assert "resources" not in container(render(tmp_path, gpuCount=0))


def test_gpu_stands_beside_other_limits(tmp_path):
    resources = container(render(tmp_path, gpuCount=2, resources={
        "requests": {"cpu": "500m"}, "limits": {"memory": "1Gi"}}))["resources"]
    assert resources == {"requests": {"cpu": "500m"}, "limits": {"memory": "1Gi", "nvidia.com/gpu": 2}}


def test_probes_and_update(tmp_path):
    objects = render(tmp_path, startTimeoutSeconds=900, maxUnavailable=1)
    probed = container(objects)
    assert "livenessProbe" not in probed
    assert probed["startupProbe"] == {"tcpSocket": {"port": "grpc"}, "periodSeconds": 1, "failureThreshold": 900}
    assert probed["readinessProbe"] == {"tcpSocket": {"port": "grpc"}, "periodSeconds": 1}
    assert objects["Deployment"]["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 1}
    assert objects["Deployment"]["spec"]["progressDeadlineSeconds"] > 900


@pytest.mark.parametrize(("kubernetes", "action"), [
    ("1.34.4", {"sleep": {"seconds": 7}}),
    ("1.30.1-aliyun.1", {"sleep": {"seconds": 7}}),
    ("1.29.9", {"exec": {"command": ["sleep", "7"]}}),
])
def test_drain(tmp_path, kubernetes, action):
    objects = render(tmp_path, kubernetes, drainSeconds=7)
    assert container(objects)["lifecycle"] == {"preStop": action}
    assert objects["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > 7


def test_no_drain(tmp_path):
    assert "lifecycle" not in container(render(tmp_path, drainSeconds=0))


def test_restricted_pod_security(tmp_path):
    objects = render(tmp_path, podSecurityContext={"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000})
    spec = objects["Deployment"]["spec"]["template"]["spec"]
    assert spec["securityContext"] == {
        "runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(objects)["securityContext"] == {
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False


def test_what_is_handed_through(tmp_path):
    objects = render(
        tmp_path, imagePullSecrets=[{"name": "mine"}], nodeSelector={"gpu": "true"}, podAnnotations={"a": "1"},
        tolerations=[{"key": "gpu", "operator": "Exists"}], affinity={"nodeAffinity": {}},
        serviceAnnotations={"service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type": "intranet"},
        persistence={"pvc": {"matchLabels": {"model": "mnist"}, "volumeName": "pv-nas"}},
    )
    spec = objects["Deployment"]["spec"]["template"]["spec"]
    assert spec["imagePullSecrets"] == [{"name": "mine"}]
    assert spec["nodeSelector"] == {"gpu": "true"}
    assert spec["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert spec["affinity"] == {"nodeAffinity": {}}
    assert objects["Deployment"]["spec"]["template"]["metadata"]["annotations"] == {"a": "1"}
    assert list(objects["Service"]["metadata"]["annotations"].values()) == ["intranet"]
    assert objects["PersistentVolumeClaim"]["spec"]["selector"] == {"matchLabels": {"model": "mnist"}}
    assert objects["PersistentVolumeClaim"]["spec"]["volumeName"] == "pv-nas"


@pytest.mark.parametrize(("values", "says"), [
    ({"gpuCount": True}, "gpuCount"),
    ({"port": "9090"}, "port"),
    ({"port": 99999}, "port"),
    ({"serviceType": "Loadbalancer"}, "serviceType"),
    ({"persistence": {"mountPath": "/x", "pvc": {"storage": "5Gi"}}}, "mountPath"),  # some samples put it there
    ({"replica": 2}, "replica"),
])
def test_a_wrong_value_fails_early(tmp_path, values, says):
    (tmp_path / "values.json").write_text(json.dumps(values))
    done = helm(
        "template", "x", str(CHART), "--kube-version", "1.34.4", "--values", str(tmp_path / "values.json"),
    )
    assert done.returncode
    assert says in done.stderr
