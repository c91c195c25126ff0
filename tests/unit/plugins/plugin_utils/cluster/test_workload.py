"""What is read of a Deployment. Its wait: tests/unit/plugins/action/test_deployment_scale.py and test_serving_info.py."""
from __future__ import annotations

import types

import pytest
from cluster_objects import APPS, CORE, pod

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import workload as workload_module
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.workload import Workload, allowed


@pytest.fixture
def workload(api):
    return Workload(api.client, "default", "d", selector="a=b", claim="c")


def test_what_is_there(api, workload):
    assert workload.deployment() is None and workload.claim() is None
    api.add(APPS + "deployments/d", spec={"replicas": 1})
    api.add(CORE + "persistentvolumeclaims/c", spec={"x": 1})
    assert workload.deployment()["spec"] == {"replicas": 1} and workload.claim()["spec"] == {"x": 1}
    assert Workload(api.client, "default", "d").claim() is None


def test_pods_the_oldest_first(api, workload):
    for name, created in (("c", "2026-11-25T11:00:00Z"), ("b", "2026-11-25T12:00:00Z"), ("a", "2026-11-25T11:00:00Z")):
        one = pod(created=created)
        one["metadata"]["labels"] = {"a": "b"}
        api.add(CORE + "pods/" + name, **one)
    api.add(CORE + "pods/other", **pod())
    assert [one["metadata"]["name"] for one in workload.pods("a=b")] == ["a", "c", "b"]


def test_events_of_one_object(api, workload):
    for kind, name in (("Pod", "x"), ("Pod", "y"), ("Service", "x")):
        api.add(CORE + "events/%s-%s" % (kind, name), involvedObject={"kind": kind, "name": name})
    assert [event["metadata"]["name"] for event in workload.events("Pod", "x")] == ["Pod-x"]
    api.forbidden = {("GET", "events")}
    assert workload.events("Pod", "x") is None


def test_what_may_not_be_read(api, workload):
    for name in "xy":
        one = pod(ready=False)
        one["metadata"]["labels"] = {"a": "b"}
        api.add(CORE + "pods/" + name, **one)
    deployment = {"metadata": {"uid": "d"}, "spec": {}}
    assert workload.seen(deployment)["events"] == [] and workload.seen(deployment)["replica_sets"] == []
    api.forbidden = {("GET", "events"), ("GET", "replicasets")}
    api.requests.clear()
    seen = Workload(api.client, "default", "d", selector="a=b").seen(deployment)
    assert seen["events"] is None and seen["replica_sets"] is None and len(seen["pods"]) == 2
    assert len(api.asked("GET", "/events")) == 1, "a right that is missing is not asked for again"
    api.forbidden = {("GET", "pods")}
    with pytest.raises(Error, match="list pods in namespace default"):
        workload.seen(deployment)


def test_events_are_read_of_pods_in_trouble_alone_and_not_every_second(api, workload, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(workload_module, "time", types.SimpleNamespace(monotonic=lambda: clock[0]))
    for name, ready in (("x", False), ("y", True)):
        one = pod(ready=ready)
        one["metadata"]["labels"] = {"a": "b"}
        api.add(CORE + "pods/" + name, **one)

    def asked(seconds):
        """What was asked for events that many seconds later, and how many there were then."""
        clock[0] += seconds
        api.requests.clear()
        seen = workload.seen({"metadata": {"uid": "d"}, "spec": {}})
        return [one.query["fieldSelector"] for one in api.asked("GET", "/events")], len(seen["events"])

    of_x = ["involvedObject.kind=Pod,involvedObject.name=x"]
    assert asked(0) == (of_x, 0)
    api.add(CORE + "events/e", involvedObject={"kind": "Pod", "name": "x"})
    assert [asked(1) for _second in range(4)] == [([], 0)] * 4
    assert asked(1) == (of_x, 1) and asked(4) == ([], 1)
    api.change(CORE + "pods/x", status={"phase": "Failed"})  # which has its reason
    assert asked(0) == (of_x, 1)


@pytest.mark.parametrize(("codes", "code", "passes"), [
    ((), "forbidden", True), ((), "not_found", False), (("not_found",), "not_found", True), (("not_found",), "forbidden", False),
])
def test_allowed(codes, code, passes):
    def fail():
        with allowed(*codes):
            raise Error("x", code)
    if passes:
        fail()
        return
    with pytest.raises(Error):
        fail()
