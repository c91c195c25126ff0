"""The replica count: what is one, who owns it, when it is reached, and why not. Against a Deployment that makes a step at every look."""
from __future__ import annotations

import pytest
from cluster_objects import APPS, CORE, DEPLOYMENT, POD_LABELS, deployment, pod

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import scale as cluster_scale
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import workload

AUTOSCALERS = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
UNSCHEDULED = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: 1 Insufficient memory."}


class Clock:
    """Jumps with every pause."""

    def __init__(self):
        self.now, self.pauses = 0.0, []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(workload, "time", clock)
    return clock


@pytest.fixture
def scale(api):
    """scale(count, *steps): the Deployment as it is at each look, the last one for ever."""
    def call(replicas, *steps, **options):
        steps = list(steps)

        def on(method, path):
            if (method, path) == ("GET", DEPLOYMENT) and steps:
                step = steps.pop(0)
                api.objects.pop(path, None)
                if step is not None:
                    api.add(path, **step)
        api.on = on
        return api.run("deployment_scale", **{"name": "mnist-deploy-serving", "replicas": replicas, "wait_timeout": 60, **options})
    return call


def patches(api):
    return [(one.body["spec"]["replicas"], one.query) for one in api.asked("PATCH", "/scale")]


def test_scales_and_waits(api, scale, clock):
    answer = scale(2, deployment(1), deployment(2, ready=1), deployment(2, ready=1), deployment(2))
    assert answer == {
        "changed": True, "before": 1, "replicas": 2, "ready": 2, "diff": {"before": {"replicas": 1}, "after": {"replicas": 2}},
        "message": "1 -> 2 replicas, 2 ready",
    }
    assert patches(api) == [(2, {})] and clock.pauses == [1, 1]


def test_a_second_time(api, scale, clock):
    answer = scale(2, deployment(2))
    assert not answer["changed"] and answer["diff"]["before"] == answer["diff"]["after"] == {"replicas": 2}
    assert not patches(api) and not clock.pauses


def test_a_killed_run_left_the_count_and_not_the_pods(api, scale, clock):
    answer = scale(2, deployment(2, ready=1), deployment(2, ready=1), deployment(2))
    assert not answer["changed"] and answer["ready"] == 2 and clock.pauses == [1]


def test_down_to_none(scale):
    answer = scale(0, deployment(1), deployment(0))
    assert answer["changed"] and (answer["ready"], answer["replicas"]) == (0, 0)


def test_check_mode_asks_by_dry_run(api, scale, clock):
    answer = scale(2, deployment(1), check_mode=True)
    assert answer["changed"] and patches(api) == [(2, {"dryRun": "All"})] and not api.writes and not clock.pauses
    assert answer["diff"] == {"before": {"replicas": 1}, "after": {"replicas": 2}} and answer["ready"] == 1
    assert api.objects[DEPLOYMENT]["spec"]["replicas"] == 1


def test_check_mode_without_the_right(api, scale):
    api.forbidden = {("PATCH", "scale")}
    answer = scale(2, deployment(1), check_mode=True)
    assert answer["failed"] and answer["failure"]["code"] == "forbidden"
    assert answer["msg"].startswith("Could not change the Deployment mnist-deploy-serving in namespace default: ")


@pytest.mark.parametrize(("before", "wanted", "message"), [
    (3, 1, "3 -> 1 replica, 1 ready"), (2, 2, "2 replicas, 2 ready"), (1, 0, "1 -> 0 replicas, 0 ready"),
])
def test_what_came_of_it_in_words(scale, before, wanted, message):
    assert scale(wanted, deployment(before), deployment(wanted))["message"] == message


def test_check_mode_before_the_first_install(api, scale):
    answer = scale(2, None, check_mode=True)
    assert answer == {
        "changed": True, "before": None, "replicas": 2, "ready": 0, "diff": {"before": {"replicas": None}, "after": {"replicas": 2}},
        "message": "2 replicas, 0 ready",
    }


def test_no_deployment(scale):
    answer = scale(2, None)
    assert answer["failed"] and answer["failure"]["code"] == "deployment_absent"
    assert "There is no Deployment mnist-deploy-serving in namespace default" in answer["msg"]


def test_without_waiting(scale, clock):
    answer = scale(2, deployment(1), deployment(2, ready=1), wait=False)
    assert (answer["before"], answer["replicas"], answer["ready"]) == (1, 2, 1) and not clock.pauses


class TestGivesUp:
    def stuck(self, api):
        api.add(CORE + "pods/x", **pod(ready=False, conditions=[UNSCHEDULED]))

    def test_with_the_reason(self, api, scale, clock):
        self.stuck(api)
        answer = scale(2, deployment(1), deployment(2, ready=1), wait_timeout=3)
        assert answer["failed"] and answer["failure"]["code"] == "replicas_not_ready" and clock.pauses == [1, 1, 1]
        assert answer["msg"] == (
            "Deployment mnist-deploy-serving in namespace default should have 2 replicas and has 1 ready of 1 after 3 s"
            " (scaling_timeout). Pod x cannot be scheduled: 0/1 nodes: 1 Insufficient memory."
        )
        assert answer["failure"]["details"] == {"replicas": 2, "ready": 1, "updated": 1, "existing": 1}

    def test_early_where_nothing_heals(self, api, scale, clock):
        self.stuck(api)
        answer = scale(2, deployment(1), deployment(2, ready=1), pending_timeout=5)
        assert "ready of 1. Pod x cannot be scheduled" in answer["msg"] and clock.pauses == [1] * 5

    def test_where_the_cluster_says_nothing(self, scale):
        answer = scale(2, deployment(1), deployment(2, ready=1), wait_timeout=0)
        assert "after 0 s (scaling_timeout). 1 of 2 pods are updated, 1 available." in answer["msg"]

    def test_a_crash_of_a_pod_that_was_there_before_is_given_time(self, api, scale, clock):
        crash = {"restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                 "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}
        api.add(CORE + "pods/old", **pod(ready=False, container=crash))
        answer = scale(2, deployment(1), deployment(2, ready=1))
        assert "Pod old: its server ended with exit code 1" in answer["msg"] and clock.now == 30

    def test_at_once_for_a_new_one(self, api, scale, clock):
        crash = {"restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                 "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}
        clock.sleep = lambda seconds: api.objects.get(CORE + "pods/new") or api.add(
            CORE + "pods/new", **pod(ready=False, container=crash))
        answer = scale(2, deployment(1), deployment(2, ready=1))
        assert "Pod new: its server ended with exit code 1" in answer["msg"] and clock.now == 0

    def test_events_of_the_troubled_pods_only(self, api, scale, clock):
        """Not every event of the namespace, every second."""
        self.stuck(api)
        api.add(CORE + "pods/fine", **pod())
        scaled = {"reason": "TriggeredScaleUp", "message": "pod triggered scale-up: 1 -> 2",
                  "involvedObject": {"kind": "Pod", "name": "x"}}
        api.add(CORE + "events/1", **scaled)
        answer = scale(2, deployment(1), deployment(2, ready=1), wait_timeout=2, pending_timeout=0)
        assert "An autoscaler adds a node: pod triggered scale-up" in answer["msg"] and clock.pauses == [1, 1]
        assert {one.query["fieldSelector"] for one in api.asked("GET", "/events")} == {"involvedObject.kind=Pod,involvedObject.name=x"}

    def test_of_fifty_troubled_pods_five_are_explained(self, api, scale):
        for number in range(50):
            api.add(CORE + "pods/%02d" % number, **pod(ready=False, conditions=[UNSCHEDULED]))
        scale(50, deployment(1), deployment(50, ready=1), wait_timeout=0)
        assert len(api.asked("GET", "/events")) == 5

    def test_pods_of_others_do_not_count(self, api, scale):
        self.stuck(api)
        api.change(CORE + "pods/x", metadata={"labels": {"app.kubernetes.io/instance": "another"}})
        assert "1 of 2 pods are updated" in scale(2, deployment(1), deployment(2, ready=1), wait_timeout=0)["msg"]
        selector = ",".join("%s=%s" % pair for pair in sorted(POD_LABELS.items()))
        assert {one.query["labelSelector"] for one in api.asked("GET", "/pods") + api.asked("GET", "/replicasets")} == {selector}

    def test_the_pods_of_the_newest_template_count(self, api, scale):
        """An old pod's trouble does not keep the new ones from being ready."""
        self.stuck(api)
        for name, revision in (("old", "1"), ("new", "2")):
            api.add(APPS + "replicasets/" + name, metadata={
                "uid": name, "labels": POD_LABELS, "ownerReferences": [{"uid": "uid-d"}],
                "annotations": {"deployment.kubernetes.io/revision": revision}})
        api.change(CORE + "pods/x", metadata={"ownerReferences": [{"uid": "old"}]})
        one = deployment(2, ready=1)
        one["metadata"]["uid"] = "uid-d"
        assert "1 of 2 pods are updated" in scale(2, deployment(1), one, wait_timeout=0)["msg"]
        api.change(CORE + "pods/x", metadata={"ownerReferences": [{"uid": "new"}]})
        assert "Pod x cannot be scheduled" in scale(2, deployment(1), one, wait_timeout=0)["msg"]

    def test_without_the_right_to_explain(self, api, scale):
        api.add(CORE + "pods/x", **pod(ready=False))
        api.forbidden = {("GET", "events"), ("GET", "replicasets")}
        assert "(Events cannot be read with this account" in scale(2, deployment(1), deployment(2, ready=1), wait_timeout=0)["msg"]

    def test_somebody_else_scales_at_the_same_time(self, scale):
        answer = scale(2, deployment(1), deployment(5))
        assert answer["failure"]["code"] == "replicas_owned" and "was set to 5 replicas by somebody else" in answer["msg"]
        assert answer["failure"]["details"] == {"replicas": 5}

    def test_deleted_in_between(self, scale):
        answer = scale(2, deployment(1), None)
        assert answer["failure"]["code"] == "deployment_absent" and "was deleted while it was being scaled" in answer["msg"]


class TestAutoscalers:
    def add(self, api, kind="Deployment", name="mnist-deploy-serving"):
        api.add(AUTOSCALERS + "/by-load", spec={"scaleTargetRef": {"kind": kind, "name": name}})

    @pytest.mark.parametrize("check_mode", [True, False])
    def test_a_second_owner(self, api, scale, check_mode):
        self.add(api)
        answer = scale(3, deployment(2), check_mode=check_mode)
        assert answer["failed"] and answer["failure"]["code"] == "replicas_owned" and not patches(api)
        assert "HorizontalPodAutoscaler by-load owns the replica count of Deployment mnist-deploy-serving" in answer["msg"]
        assert "scaling_replicas to null" in answer["msg"] and answer["failure"]["details"] == {"autoscaler": "by-load"}

    @pytest.mark.parametrize(("kind", "name"), [("Deployment", "other"), ("StatefulSet", "mnist-deploy-serving")])
    def test_of_something_else(self, api, scale, kind, name):
        self.add(api, kind, name)
        assert not scale(2, deployment(2)).get("failed")

    @pytest.mark.parametrize("status", [403, 404])
    def test_that_may_not_be_listed(self, api, scale, status):
        """A missing right; a cluster before 1.23."""
        self.add(api)
        if status == 403:
            api.forbidden = {("GET", "horizontalpodautoscalers")}
        else:
            handle = api.handle
            api.handle = lambda request: (404, "404 page not found\n") if request.path == AUTOSCALERS else handle(request)
        assert not scale(2, deployment(2)).get("failed")

    def test_that_cannot_be_listed(self, api, scale):
        handle = api.handle
        api.handle = lambda request: (500, {"message": "etcd"}) if request.path == AUTOSCALERS else handle(request)
        assert scale(2, deployment(2))["failure"]["code"] == "api_error"


@pytest.mark.parametrize("value, count", [(2, 2), ("2", 2), (" 4 ", 4), (0, 0), ("0", 0)])
def test_replica_count(value, count):
    assert cluster_scale.replica_count(value) == count


@pytest.mark.parametrize("value", [-1, "-1", "1.5", 1.5, "two", "", None, True, False, [], "²"])
def test_no_replica_count(value):
    with pytest.raises(Error) as caught:
        cluster_scale.replica_count(value)
    assert "scaling_replicas" in caught.value.message and repr(value) in caught.value.message
    assert caught.value.code == "replicas_invalid" and caught.value.details == {"value": str(value)}


def test_counts():
    assert cluster_scale.counts(deployment(3, ready=1, existing=2, updated=2)) == {"replicas": 3, "ready": 1, "updated": 2, "existing": 2}
    assert cluster_scale.counts({"spec": {}}) == {"replicas": 1, "ready": 0, "updated": 0, "existing": 0}


@pytest.mark.parametrize("there, replicas, answer", [
    (deployment(2), 2, True),
    (deployment(0), 0, True),
    (deployment(2), 1, False),
    (deployment(2, ready=1, existing=2), 2, False),
    (deployment(2, existing=3), 2, False),  # a surplus pod
    (deployment(2, existing=3, updated=2), 2, False),  # in the middle of a rollout
    (deployment(2, existing=2, updated=1), 2, False),
    (deployment(2, observed=0), 2, False),  # the controller has not looked yet
])
def test_settled(there, replicas, answer):
    assert cluster_scale.settled(there, replicas) is answer


def test_those_who_wait_are_told_for_what(scale, monkeypatch):
    told = []
    monkeypatch.setattr(workload, "waits_for", told.append)
    scale(2, deployment(1), deployment(2, ready=1), deployment(2, ready=1), deployment(2))
    assert told and all(what.startswith("mnist-deploy-serving. ") for what in told)
