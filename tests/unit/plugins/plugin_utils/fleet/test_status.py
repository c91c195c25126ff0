"""The status of one model, from the cluster's objects."""
from __future__ import annotations

import json

import pytest
from cluster_objects import (
    CHECKS,
    CORE,
    DEPLOYMENT,
    MODEL_CONFIG,
    RECORD,
    SERVICE,
    deployment,
    install,
    pod,
    record,
    service,
)

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import history
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import snapshot, status
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.model_config import Model, resting, to_text

VALUES = {"serving_release": "mnist-deploy", "serving_namespace": "default", "serving_model_name": "mnist", "check_report": ""}
AT = "2026-11-25T09:00:00Z"
PINNED = {"volumes": [{"name": "parameters", "projected": {"sources": [{"configMap": {"name": "mnist-deploy-model-config"}}]}}]}


def result(version=1, **more):
    return {
        "version": version, "at": AT, "passed": True, "message": "Passed.", "error_rate": 10.1, "interval": None, "agreement": None,
        "of": "error_rate", "wrong": 1, "answered": 10, "tests": 10, "dataset": "d", "signature": "s", "golden": None,
        "latency_ms": None, "rate": None, "bits": None, **more,
    }


def checked(api, *results):
    api.objects.pop(CHECKS, None)
    api.add(CHECKS, data={history.KEY: json.dumps(results)})


@pytest.fixture
def there(api):
    """A release that serves, and was checked."""
    install(api)
    checked(api, result(3))
    return api


def pinned(api, text):
    spec = deployment()["spec"]
    spec["template"]["spec"].update(PINNED)
    api.change(DEPLOYMENT, spec=spec)
    if text:
        api.add(MODEL_CONFIG, data={"models.config": text})


def row(api, **values):
    snapshot.remember(api.client)
    found = status.row(api.client, "mnist", {**VALUES, **values})
    assert not api.writes
    return found


def test_all_is_well(there):
    found = row(there)
    assert found == status.Row(
        "mnist", "mnist-deploy", "default", policy="latest", version=3, version_by="last_check", wanted=1, ready=1, check=found.check,
        reached_at="10.1.0.1:9090, from inside the cluster only", since="2026-11-25T11:00:00Z")
    assert found.check == {
        "version": 3, "at": AT, "passed": True, "message": "Passed.", "error_rate": 10.1, "agreement": None}


def test_no_log_and_no_server_is_asked(there):
    row(there)
    assert {one.path.rpartition("/")[2] for one in there.requests} == {"deployments", "secrets", "configmaps", "services", "pods"}


@pytest.mark.parametrize(("report", "page"), [("/srv/r/", "/srv/r/index.html"), ("/srv/mnist.html", "/srv/mnist.html"), ("", "")])
def test_the_report(there, report, page):
    assert row(there, check_report=report).report == page


def test_a_load_balancer(there):
    there.objects.pop(SERVICE)
    there.add(SERVICE, **service("LoadBalancer", {"ip": "10.2.0.9"}))
    assert (row(there).address, row(there).reached_at) == ("10.2.0.9:9090", "10.2.0.9:9090")


def test_pinned_with_a_candidate(there):
    pinned(there, to_text(resting(2, 3), Model("mnist", "/m")))
    checked(there, result(3, error_rate=80.0), result(2))
    found = row(there)
    assert (found.policy, found.version, found.version_by, found.candidate) == ("pinned", 2, "model_config", 3)
    assert found.check["version"] == 2 and found.sick == []


def test_pinned_without_its_config(there):
    pinned(there, "")
    found = row(there)
    assert (found.version, found.version_by, found.sick) == (None, None, ["the ConfigMap with the model config is missing"])


def test_a_config_that_is_not_ours(there):
    pinned(there, "what is this")
    found = row(there)
    assert found.version is None and found.version_by is None and "is not what this collection writes" in found.sick[0]


def test_a_model_config_that_nothing_mounts_says_nothing(there):
    there.add(MODEL_CONFIG, data={"models.config": to_text(resting(7), Model("mnist", "/m"))})
    assert row(there).version == 3


@pytest.mark.parametrize(("results", "sick"), [
    ([], ["never checked"]), ([result(3)], []),
    ([result(3, passed=False, message="Too wrong."), result(2)], ["the last check failed (%s): Too wrong." % AT]),
])
def test_the_last_check(there, results, sick):
    checked(there, *results)
    assert row(there).sick == sick


def test_results_that_cannot_be_read(there):
    there.change(CHECKS, data={history.KEY: "x"})
    (sentence,) = row(there).sick
    assert "is not what this collection writes" in sentence


def test_servers_that_do_not_say_their_version(there):
    checked(there, result(None))
    found = row(there)
    assert (found.version, found.version_by, found.check["error_rate"]) == (None, None, 10.1)


def test_a_pod_that_does_not_come(there):
    there.change(DEPLOYMENT, spec={"replicas": 3}, status={"readyReplicas": 1})
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}}
    turned = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-25T11:30:00Z"}
    for number in (2, 3):
        there.add(CORE + "pods/pod-%d" % number, **pod(False, container=waiting))
        there.objects[CORE + "pods/pod-%d" % number]["status"]["conditions"] = [turned]
    there.add(CORE + "pods/of-another", **{**pod(container={"state": {"waiting": {"reason": "Other"}}}), "metadata": {}})
    found = row(there)
    assert (found.wanted, found.ready, found.since) == (3, 1, "2026-11-25T11:30:00Z")
    assert found.sick == ["1 of 3 ready", "ImagePullBackOff"]


def test_an_interrupted_run(there):
    there.objects.pop(RECORD)
    there.add(RECORD, **record(status="pending-upgrade"))
    assert row(there).sick == ["the release is pending-upgrade"]


def test_it_is_not_there(there):
    there.objects.clear()
    found = row(there)
    assert found == status.Row("mnist", "mnist-deploy", "default", sick=["not deployed"])


def test_what_may_not_be_read(there):
    there.forbidden.add(("GET", "deployments"))
    (sentence,) = row(there).sick
    assert "deployments is forbidden" in sentence
