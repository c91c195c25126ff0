"""The module as a task. What it knows of Deployments: plugin_utils/cluster/test_scale.py."""
from __future__ import annotations

import pytest
from cluster_objects import CORE, DEPLOYMENT, deployment, pod
from documented import both

from ansible_collections.mlops.tf_serving.plugins.action import deployment_scale


@pytest.fixture
def scale(api):
    api.add(DEPLOYMENT, **deployment(1))

    def on(method, path):
        """The controller follows at once."""
        asked = api.objects[DEPLOYMENT]["spec"]["replicas"] if DEPLOYMENT in api.objects else 0
        if method == "GET" and path == DEPLOYMENT and asked:
            api.change(DEPLOYMENT, status=deployment(asked)["status"])
    api.on = on
    return lambda replicas, **more: api.run("deployment_scale", name="mnist-deploy-serving", replicas=replicas, **more)


def test_what_it_takes():
    spec, told = both(deployment_scale)
    assert spec == told


def test_its_life(api, scale):
    shown = scale(2, check_mode=True)
    assert shown["changed"] and shown["diff"] == {"before": {"replicas": 1}, "after": {"replicas": 2}} and not api.writes
    made = scale("2")
    assert (made["changed"], made["before"], made["replicas"], made["ready"], made["diff"]) == (True, 1, 2, 2, shown["diff"])
    again = scale(2)
    assert not again["changed"] and len(api.writes) == 1
    assert scale(1)["changed"] and api.objects[DEPLOYMENT]["spec"]["replicas"] == 1


def test_a_word_for_a_count(api, scale):
    answer = scale("two")
    assert answer["failed"] and answer["failure"]["code"] == "replicas_invalid" and not api.requests


def test_a_failure(api, scale):
    api.on = lambda method, path: None
    api.add(CORE + "pods/x", **pod(ready=False, conditions=[{"type": "PodScheduled", "status": "False", "message": "no room"}]))
    answer = scale(2, pending_timeout=0)
    assert answer["failed"] and answer["failure"]["code"] == "replicas_not_ready" and "Pod x cannot be scheduled" in answer["msg"]
    assert answer["failure"]["details"] == {"replicas": 2, "ready": 1, "updated": 1, "existing": 1}


def test_the_log_of_a_new_pod_says_what_it_cannot_load(api, scale):
    api.on = lambda method, path: None
    api.add(CORE + "pods/x", **pod(ready=False))
    api.logs["x"] = "Servable {name: mnist version: 2} cannot be loaded: Data loss: no checkpoint\n"
    answer = scale(2, wait_timeout=1)
    assert answer["failure"]["code"] == "replicas_not_ready"
    assert "Pod x cannot load version 2 of mnist: Data loss: no checkpoint. Publish a version that it can load" in answer["msg"]


def test_another_namespace(api):
    answer = api.run("deployment_scale", name="d", replicas=1, namespace="models")
    assert "There is no Deployment d in namespace models" in answer["msg"]
