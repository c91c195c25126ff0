"""The module as a task. What it knows: plugin_utils/serving/test_info.py and test_rollout.py."""
from __future__ import annotations

import pytest
from cluster_objects import CORE, DEPLOYMENT, SERVICE, deployment, install, pod, service
from documented import both

from ansible_collections.mlops.tf_serving.plugins.action import serving_info


@pytest.fixture
def info(api):
    install(api)
    return lambda **more: api.run("serving_info", release="mnist-deploy", **more)


def test_what_it_takes():
    spec, told = both(serving_info)
    assert spec == told


def test_what_serves(api, info):
    answer = info()
    assert not answer["changed"] and answer["status"]["deployment"]["available"] == 1 and "warnings" not in answer
    assert [pod["new"] for pod in answer["status"]["pods"]] == [False] and not api.writes
    assert [pod["new"] for pod in info(known_pods=[])["status"]["pods"]] == [True]
    assert info(namespace="models")["status"]["deployment"] is None


def test_a_wait_that_ends_well(info):
    assert info(wait=True)["status"]["address"] == ""


def test_check_mode_waits_for_nothing(api, info):
    del api.objects[DEPLOYMENT]
    assert info(wait=True, check_mode=True)["status"]["deployment"] is None
    assert info(wait=True)["failure"]["code"] == "deployment_missing"


@pytest.fixture
def rolling(api, info):
    api.add(DEPLOYMENT, **deployment(1, ready=0, existing=1))
    unscheduled = {"type": "PodScheduled", "status": "False", "message": "no room"}
    api.add(CORE + "pods/pod-1", **pod(ready=False, conditions=[unscheduled]))


def test_how_long_it_waits(rolling, info):
    answer = info(wait=True, wait_timeout=0)
    assert answer["failed"] and "Not rolled out after 0 s (serving_timeout)" in answer["msg"]
    assert "Not rolled out" not in info(wait=True, pending_timeout=0)["msg"]


def test_whose_crash_it_is(api, rolling, info):
    crash = {"restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
             "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    api.add(CORE + "pods/pod-1", **pod(ready=False, container=crash))
    assert "Not rolled out" not in info(wait=True, known_pods=[], wait_timeout=0)["msg"]
    assert "Not rolled out" in info(wait=True, known_pods=["pod-1"], wait_timeout=0)["msg"]


def test_how_long_it_waits_for_an_address(api, info):
    api.add(SERVICE, **service("LoadBalancer"))
    answer = info(wait=True, address_timeout=0)
    assert answer["failure"]["code"] == "no_address" and "after 0 s" in answer["msg"]


def test_warnings(api, info):
    api.forbidden = {("GET", "log")}
    answer = info(wait=True, known_pods=[])
    assert answer["warnings"] == answer["status"]["warnings"] and "pods/log" in answer["warnings"][0]
