"""The wait, on a cluster that is played: what ends it, with which words."""
from __future__ import annotations

import pytest
from test_release import secret

from ansible_collections.mlops.tf_serving.plugins.module_utils import _serving
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

LOADED = "Successfully loaded servable version {name: mnist version: 1}\nRunning ModelServer at 0.0.0.0:9090 ..."
GPU = "Creating TensorFlow device (/device:GPU:0) -> (device: 0, name: Tesla P4, pci bus id: 0, compute capability: 6.1)\n"


class Store:
    def __init__(self, status):
        self.status = status

    def read(self):
        return (secret(1, self.status) if self.status else None), 0


class Cluster(_serving.Cluster):
    """One replica. The tests change what they are about."""

    def __init__(self, log=LOADED, release="deployed", gpus=0, address="10.0.0.9", service_type="LoadBalancer"):
        super().__init__(None, "default", "mnist-deploy")
        self.store = Store(release)
        self.unreadable = False
        self.text, self.gpus, self.address, self.service_type = log, gpus, address, service_type
        self.done, self.there, self.container = True, True, {"state": {"running": {"startedAt": "2026-11-22T16:00:00Z"}}}

    def deployment(self):
        limits = {"nvidia.com/gpu": str(self.gpus)} if self.gpus else {}
        return {
            "metadata": {"name": "mnist-deploy-serving", "uid": "d", "generation": 1},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [
                {"name": "serving", "image": "x:1", "resources": {"limits": limits}}]}}},
            "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": int(self.done)},
        } if self.there else None

    def service(self):
        return {
            "metadata": {"name": "mnist-deploy-acs-tensorflow-serving"},
            "spec": {"type": self.service_type, "clusterIP": "10.1.0.1", "ports": [{"name": "grpc", "port": 9090}]},
            "status": {"loadBalancer": {"ingress": [{"ip": self.address}]} if self.address else {}},
        }

    def claim(self):
        return None

    def pods(self):
        return [{
            "metadata": {"name": "pod", "creationTimestamp": "2026-11-22T16:00:00Z"},
            "spec": {"nodeName": "node", "containers": []},
            "status": {
                "phase": "Running", "podIP": "10.2.0.1",
                "conditions": [{"type": "Ready", "status": str(self.done)}],
                "containerStatuses": [{"name": "serving", "restartCount": 0, "image": "x:1", **self.container}],
            },
        }]

    def events(self, name):
        return []

    def log(self, pod, previous=False):
        return None if previous else self.text

    def checks(self, warn):
        if self.unreadable:
            warn("The last result of the check is not known.")
        return [] if self.unreadable else [{"version": 1, "passed": True}]

    def seen(self):
        return {
            "deployment": self.deployment(), "pods": self.pods(), "claim": None, "replica_sets": None, "events": [],
        }


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """A clock that jumps with every sleep, and a network that answers."""
    now = [0.0]
    monkeypatch.setattr(_serving.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(_serving.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + max(seconds, 0.1)))
    monkeypatch.setattr(_serving, "_connects", lambda address, port, seconds: address != "10.0.0.66")


def wait(cluster, known=()):
    return _serving.wait(cluster, 600, list(known))


def refused(cluster, known=()):
    with pytest.raises(Error) as error:
        wait(cluster, known)
    return error.value


def test_a_release_that_serves():
    status = wait(Cluster())
    assert status["release"] == {
        "name": "mnist-deploy", "revision": 1, "status": "deployed", "chart": "acs-tensorflow-serving-1.0.0",
        "updated": "2026-11-22T16:00:00Z",
    }
    assert status["address"] == "10.0.0.9:9090"
    assert status["service"]["reachable"] is True
    assert status["deployment"]["desired"] == status["deployment"]["available"] == 1
    (pod,) = status["pods"]
    assert pod["new"] and pod["ready"] and pod["model_loaded"] == [1]
    assert status["warnings"] == []


@pytest.mark.parametrize(("status", "code"), [
    (None, "release_missing"), ("pending-install", "release_not_deployed"), ("failed", "release_not_deployed"),
])
def test_the_record_counts_not_helms_exit_code(status, code):
    assert refused(Cluster(release=status)).code == code


@pytest.mark.parametrize(("volumes", "policy"), [
    ([], "latest"),
    ([{"name": "config", "projected": {"sources": [{"configMap": {"name": "mnist-deploy-serving"}}]}}], "latest"),
    ([{"name": "config", "projected": {"sources": [{"configMap": {"name": "mnist-deploy-model-config"}}]}}], "pinned"),
])
def test_the_policy_is_the_deployments(volumes, policy):
    cluster = Cluster()
    deployment = cluster.deployment()
    deployment["spec"]["template"]["spec"]["volumes"] = [{"name": "model", "persistentVolumeClaim": {}}, *volumes]
    cluster.deployment = lambda: deployment
    assert _serving.info(cluster)["policy"] == policy
    cluster.deployment = lambda: None
    assert _serving.info(cluster)["policy"] is None


def test_a_deployment_that_somebody_removed():
    cluster = Cluster()
    cluster.there = False
    assert refused(cluster).code == "deployment_missing"


def test_a_gpu_that_was_not_created():
    error = refused(Cluster(gpus=1, log="failed call to cuInit: CUresult(-1)\n" + LOADED))
    assert error.code == "gpu_missing"
    assert "no GPU device was created" in error.message and "cuInit" in error.message


def test_a_gpu_that_was_created():
    (pod,) = wait(Cluster(gpus=1, log=GPU + LOADED))["pods"]
    assert pod["gpu_device"] == "Tesla P4"


def test_an_older_pod_is_judged_by_a_log_that_reaches_back_only():
    rotated = LOADED.splitlines()[0].replace("version: 1", "version: 7")
    assert wait(Cluster(gpus=1, log=rotated), known=["pod"])["pods"][0]["model_loaded"] == [7]
    assert wait(Cluster(gpus=1, log=""), known=["pod"])["warnings"] == []
    assert refused(Cluster(gpus=1), known=["pod"]).code == "gpu_missing"
    assert refused(Cluster(gpus=1, log=rotated)).code == "gpu_missing"  # a new pod's log is whole


def test_an_unknown_argument_fails():
    error = refused(Cluster(log="unknown argument: --prot=1\n" + LOADED))
    assert error.code == "unknown_argument"
    assert "--prot=1" in error.message and "serving_args" in error.message


def test_a_log_that_may_not_be_read_is_a_warning():
    assert "pods/log" in wait(Cluster(log=None))["warnings"][0]


def test_a_port_that_is_open_without_a_load():
    error = refused(Cluster(log="Running ModelServer at 0.0.0.0:9090 ..."))
    assert error.code == "model_not_loaded"


def test_a_crash_ends_the_wait_with_the_log():
    cluster = Cluster(log="tensorflow_model_server: error while loading shared libraries: libcuda.so.1: cannot open")
    cluster.done = False
    cluster.container = {
        "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 127, "reason": "Error"}},
    }
    error = refused(cluster)
    assert error.code == "crash_loop"
    assert "set gpu to false" in error.message and "error while loading shared libraries" in error.message


def test_time_that_is_up_says_where_it_stands():
    cluster = Cluster(log="still loading")
    cluster.done = False
    error = refused(cluster)
    assert error.code == "rollout_timeout"
    assert "serving_timeout" in error.message and "port not open yet" in error.message and "still loading" in error.message


def test_an_address_that_does_not_come():
    error = refused(Cluster(address=None))
    assert error.code == "no_address"
    assert "serving_service_type" in error.message


def test_the_last_results_of_the_check():
    cluster = Cluster()
    assert wait(cluster)["checks"] == [{"version": 1, "passed": True}]
    cluster.unreadable = True
    assert wait(cluster)["warnings"] == ["The last result of the check is not known."]


def test_an_address_that_the_controller_cannot_reach_is_a_warning():
    status = wait(Cluster(address="10.0.0.66"))
    assert status["service"]["reachable"] is False
    assert "10.0.0.66:9090" in status["warnings"][0]


def test_no_address_is_waited_for_without_a_load_balancer():
    status = wait(Cluster(service_type="ClusterIP", address=None))
    assert status["address"] == ""
    assert status["service"]["address"] == "10.1.0.1"


def test_info_judges_nothing():
    cluster = Cluster(gpus=1, log="unknown argument: --x")
    assert _serving.info(cluster)["pods"][0]["unknown_arguments"] == ["--x"]
    cluster.there, cluster.store = False, Store(None)
    assert _serving.info(cluster)["release"] is None
