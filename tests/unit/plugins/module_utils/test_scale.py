"""The replica count: its value, its owner, when it is reached, and why not."""
from __future__ import annotations

import copy

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils import _scale
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

NAME = "mnist-deploy-serving"


def deployment(replicas=1, ready=None, existing=None, updated=None, seen=1, conditions=()):
    ready = replicas if ready is None else ready
    existing = ready if existing is None else existing
    status = {
        "observedGeneration": seen, "replicas": existing, "readyReplicas": ready, "conditions": list(conditions),
        "updatedReplicas": existing if updated is None else updated,
    }
    return {
        "metadata": {"name": NAME, "generation": 1},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "x"}}},
        "status": {key: value for key, value in status.items() if value},  # the API server leaves zeros out
    }


class Deployments:
    """A Deployment whose controller makes one step for every read."""

    name = NAME

    def __init__(self, *steps, autoscalers=(), stuck=False):
        self.stuck = stuck
        self.steps, self.scaled, self.found = list(steps), [], list(autoscalers)

    def __str__(self):
        return "Deployment %s in namespace default" % NAME

    def read(self):
        return copy.deepcopy(self.steps.pop(0) if len(self.steps) > 1 else self.steps[0])

    def autoscalers(self):
        return self.found

    def scale(self, replicas, dryRun=None):
        self.scaled.append((replicas, dryRun))

    def seen(self, deployment):
        unscheduled = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: 1 Insufficient memory."}
        pod = {"metadata": {"name": "x", "uid": "x"}, "spec": {}, "status": {"conditions": [unscheduled]}}
        return {"deployment": deployment, "pods": [pod] if self.stuck else [], "replica_sets": None, "events": None}


def run(deployments, replicas, check_mode=False, wait=True, wait_timeout=0, pending_timeout=30):
    options = {
        "replicas": replicas, "wait": wait, "wait_timeout": wait_timeout, "pending_timeout": pending_timeout,
    }
    return _scale.converge(deployments, options, check_mode)


@pytest.fixture(autouse=True)
def no_sleep(monkeypatch):
    monkeypatch.setattr(_scale.time, "sleep", lambda _seconds: None)


@pytest.mark.parametrize("value, count", [(2, 2), ("2", 2), (" 4 ", 4), (0, 0), ("0", 0)])
def test_replica_count(value, count):
    assert _scale.replica_count(value) == count


@pytest.mark.parametrize("value", [-1, "-1", "1.5", 1.5, "two", "", None, True, False, [], "²"])
def test_no_replica_count(value):
    with pytest.raises(Error) as caught:
        _scale.replica_count(value)
    assert "scaling_replicas" in caught.value.message and repr(value) in caught.value.message


@pytest.mark.parametrize("there, replicas, answer", [
    (deployment(2), 2, True),
    (deployment(0), 0, True),
    (deployment(2, ready=1), 2, False),
    (deployment(2, existing=3), 2, False),  # a surplus pod
    (deployment(2, existing=3, updated=1), 2, False),  # in the middle of a rollout
    (deployment(2, existing=2, updated=1), 2, False),
    (deployment(2, seen=0), 2, False),  # the controller has not looked yet
])
def test_settled(there, replicas, answer):
    assert _scale.settled(there, replicas) is answer


class TestConverge:
    def test_scales_and_waits(self):
        deployments = Deployments(deployment(1), deployment(2, ready=1), deployment(2))
        answer = run(deployments, 2, wait_timeout=60)
        assert deployments.scaled == [(2, None)]
        assert answer == {
            "changed": True,
            "diff": {"before": {"replicas": 1}, "after": {"replicas": 2}},
            "before": 1, "replicas": 2, "ready": 2,
        }

    def test_nothing_to_do(self):
        deployments = Deployments(deployment(2))
        answer = run(deployments, 2)
        assert not answer["changed"] and not deployments.scaled
        assert answer["diff"]["before"] == answer["diff"]["after"]

    def test_a_killed_run_left_the_count_and_not_the_pods(self):
        deployments = Deployments(deployment(2, ready=1), deployment(2, ready=1), deployment(2))
        assert not run(deployments, 2, wait_timeout=60)["changed"]

    def test_down_to_none(self):
        assert run(Deployments(deployment(1), deployment(0)), 0)["ready"] == 0

    def test_check_mode_asks_by_dry_run(self):
        deployments = Deployments(deployment(1))
        answer = run(deployments, 2, check_mode=True)
        assert answer["changed"] and deployments.scaled == [(2, "All")]
        assert answer["diff"]["after"] == {"replicas": 2}

    def test_check_mode_before_the_first_install(self):
        answer = run(Deployments(None), 2, check_mode=True)
        assert answer["changed"] and answer["diff"]["before"] == {"replicas": None}

    def test_no_deployment(self):
        with pytest.raises(Error, match=NAME) as caught:
            run(Deployments(None), 2)
        assert caught.value.code == "deployment_absent"

    def test_without_waiting(self):
        answer = run(Deployments(deployment(1), deployment(2, ready=1)), 2, wait=False)
        assert (answer["before"], answer["replicas"], answer["ready"]) == (1, 2, 1)

    def test_gives_up_with_the_reason(self):
        with pytest.raises(Error, match=r"2 replicas and has 1 ready of 1 after 0 s.*Insufficient memory") as caught:
            run(Deployments(deployment(1), deployment(2, ready=1), stuck=True), 2)
        assert caught.value.code == "replicas_not_ready"

    def test_gives_up_early_where_nothing_heals(self):
        with pytest.raises(Error, match=r"1 ready of 1\. Pod x cannot be scheduled: .*Insufficient memory"):
            run(Deployments(deployment(1), deployment(2, ready=1), stuck=True), 2, wait_timeout=60, pending_timeout=0)

    def test_gives_up_where_the_cluster_says_nothing(self):
        with pytest.raises(Error, match=r"after 0 s .*1 of 2 pods are updated"):
            run(Deployments(deployment(1), deployment(2, ready=1)), 2)

    def test_somebody_else_scales_at_the_same_time(self):
        with pytest.raises(Error, match="somebody else"):
            run(Deployments(deployment(1), deployment(5)), 2)

    def test_deleted_in_between(self):
        with pytest.raises(Error, match="deleted"):
            run(Deployments(deployment(1), None), 2)

    @pytest.mark.parametrize("kind, name, owned", [
        ("Deployment", NAME, True), ("Deployment", "other", False), ("StatefulSet", NAME, False),
    ])
    @pytest.mark.parametrize("check_mode", [True, False])
    def test_an_autoscaler(self, kind, name, owned, check_mode):
        scaler = {"metadata": {"name": "by-load"}, "spec": {"scaleTargetRef": {"kind": kind, "name": name}}}
        deployments = Deployments(deployment(2), autoscalers=[scaler])
        if not owned:
            assert not run(deployments, 2, check_mode)["changed"]
            return
        with pytest.raises(Error, match=r"HorizontalPodAutoscaler by-load.*scaling_replicas to null"):
            run(deployments, 3, check_mode)
        assert not deployments.scaled
