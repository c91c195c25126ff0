"""What serves, as an API server tells it."""
from __future__ import annotations

import json

import pytest
from cluster_objects import CHECKS, CORE, DEPLOYMENT, LOADED, SERVICE, deployment, install, pod, service

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import info, release

POD = CORE + "pods/pod-1"
GPU = "Creating TensorFlow device (/device:GPU:0) -> (device: 0, name: Tesla P4, pci bus id: 0, compute capability: 6.1)\n"
CRASHED = {
    "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 127, "reason": "Error"}},
}


@pytest.fixture
def installed(api):
    install(api)

    def run(**options):
        return api.run("serving_info", release="mnist-deploy", **options)
    return run


def replace(api, path, thing):
    del api.objects[path]
    return api.add(path, **thing)


def test_all_of_it(api, installed):
    answer = installed()
    assert not answer["changed"] and "warnings" not in answer
    assert answer["status"] == {
        "release": {
            "name": "mnist-deploy", "revision": 1, "status": "deployed", "chart": "acs-tensorflow-serving-1.2.0",
            "updated": "2026-11-25T11:00:00Z",
        },
        "policy": "latest",
        "deployment": {
            "name": "mnist-deploy-serving", "desired": 1, "updated": 1, "ready": 1, "available": 1,
            "image": "tensorflow-serving:1.4.0", "gpus": 0,
        },
        "service": {
            "name": "mnist-deploy-acs-tensorflow-serving", "type": "ClusterIP", "address": "10.1.0.1", "port": 9090,
            "node_port": None, "reachable": None,
        },
        "address": "", "reached_at": "10.1.0.1:9090, from inside the cluster only", "checks": [], "warnings": [],
        "pods": [{
            "name": "pod-1", "node": "node-1", "phase": "Running", "ready": True, "restarts": 0,
            "started": "2026-11-25T11:00:00Z", "ip": "10.2.0.1", "terminating": False, "new": False, "model_loaded": [1],
            "gpu_device": None, "unknown_arguments": [],
            "log": {
                "readable": True, "telling": True, "from_start": True, "gpu_reason": None,
                "lines": [LOADED.splitlines()[0]],
            },
        }],
    }
    (log,) = api.asked("GET", "/log")
    assert log.query == {"container": "serving", "previous": "false", "limitBytes": str(release.LOG_BYTES)} and release.LOG_BYTES == 524288


def test_nothing_is_there(api):
    status = api.run("serving_info", release="mnist-deploy")["status"]
    assert status == {
        "release": None, "policy": None, "deployment": None, "service": None, "address": "", "reached_at": "none", "pods": [],
        "checks": [], "warnings": [],
    }


def test_in_another_namespace(api, installed):
    assert installed(namespace="models")["status"]["deployment"] is None
    assert all("/namespaces/models/" in one.path for one in api.requests[1:])


@pytest.mark.parametrize(("volumes", "policy"), [
    ([], "latest"),
    ([{"name": "config", "projected": {"sources": [{"configMap": {"name": "mnist-deploy-serving"}}]}}], "latest"),
    ([{"name": "config", "projected": {"sources": [
        {"secret": {}}, {"configMap": {"name": "mnist-deploy-model-config"}}]}}], "pinned"),
])
def test_the_policy_is_the_deployments(api, installed, volumes, policy):
    volumes = [{"name": "model", "persistentVolumeClaim": {}}, *volumes]
    api.change(DEPLOYMENT, spec={"template": {"spec": {"volumes": volumes}}})
    assert installed()["status"]["policy"] == policy


def test_a_pod_on_its_way_out(api, installed):
    api.change(POD, metadata={"deletionTimestamp": "2026-11-25T12:00:00Z"})
    (one,) = installed()["status"]["pods"]
    assert (one["phase"], one["ready"], one["terminating"]) == ("Terminating", False, True)


def test_a_pod_that_crashes(api, installed):
    replace(api, POD, pod(ready=False, container=CRASHED))
    (one,) = installed()["status"]["pods"]
    assert (one["phase"], one["ready"], one["restarts"], one["started"]) == ("CrashLoopBackOff", False, 1, None)
    assert not one["log"]["readable"] and not api.asked("GET", "/log"), "there is nothing to read before it starts"


def test_a_pod_of_which_nothing_is_known_yet(api, installed):
    replace(api, POD, {**pod(), "status": {"phase": "Pending"}})
    (one,) = installed()["status"]["pods"]
    assert (one["phase"], one["ready"], one["restarts"], one["ip"]) == ("Pending", False, 0, None)


def test_which_pods_are_new(api, installed):
    assert [one["new"] for one in installed(known_pods=["pod-1"])["status"]["pods"]] == [False]
    assert [one["new"] for one in installed(known_pods=[])["status"]["pods"]] == [True]


@pytest.mark.parametrize(("kind", "ingress", "found", "address", "words"), [
    ("LoadBalancer", {"ip": "10.0.0.9"}, "10.0.0.9", "10.0.0.9:9090", "10.0.0.9:9090"),
    ("LoadBalancer", {"hostname": "lb.example.com"}, "lb.example.com", "lb.example.com:9090", "lb.example.com:9090"),
    ("LoadBalancer", {"ip": "fd00::1"}, "fd00::1", "[fd00::1]:9090", "[fd00::1]:9090"),
    ("LoadBalancer", None, None, "", "none yet"),
    ("NodePort", None, "10.1.0.1", "", "port 30090 of every node, and 10.1.0.1:9090 from inside the cluster"),
    ("ClusterIP", None, "10.1.0.1", "", "10.1.0.1:9090, from inside the cluster only"),
])
def test_addresses(api, installed, kind, ingress, found, address, words):
    made = replace(api, SERVICE, service(kind, ingress))
    node_port = made["spec"]["ports"][1]["nodePort"] = None if kind == "ClusterIP" else 30090
    status = installed()["status"]
    assert (status["service"]["address"], status["address"], status["service"]["node_port"]) == (found, address, node_port)
    assert status["reached_at"] == words


def test_a_service_without_a_port_of_that_name(api, installed):
    replace(api, SERVICE, service())["spec"]["ports"] = [{"port": 7000}]
    assert installed()["status"]["service"]["port"] == 7000


def test_info_judges_nothing(api, installed):
    replace(api, DEPLOYMENT, deployment(gpus=2))
    api.logs["pod-1"] = "unknown argument: --x\n"
    status = installed()["status"]
    assert status["pods"][0]["unknown_arguments"] == ["--x"] and status["deployment"]["gpus"] == 2


def test_only_the_last_lines(api, installed):
    api.logs["pod-1"] = "".join("Successfully loaded servable version {name: mnist version: %d}\n" % n for n in range(1, 21))
    (one,) = installed()["status"]["pods"]
    assert one["model_loaded"] == list(range(1, 21))
    assert len(one["log"]["lines"]) == 10 and "version: 20}" in one["log"]["lines"][-1]


def test_the_last_results_of_the_check(api, installed):
    api.add(CHECKS, data={"results.json": "rubbish"})
    answer = installed()
    assert answer["status"]["checks"] == [] and "mnist-deploy-check" in answer["warnings"][0]
    assert answer["warnings"] == answer["status"]["warnings"]
    api.change(CHECKS, data={"results.json": json.dumps([])})
    assert "warnings" not in installed()


def test_without_rights(api, installed):
    api.forbidden = {("GET", "deployments")}
    answer = installed()
    assert answer["failed"] and answer["failure"]["code"] == "forbidden"


def test_an_address_of_nothing():
    assert info.address_of(None) == "" and info.service_of(None) is None
