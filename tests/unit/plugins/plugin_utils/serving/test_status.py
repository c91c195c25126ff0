"""What the replicas say beside what the cluster says: nothing is made up, and what is wrong is named."""
from __future__ import annotations

from pathlib import Path

from jinja2 import Environment

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.status import serving_status

TEMPLATE = Path(__file__).resolve().parents[5] / "roles" / "serving" / "templates" / "status.j2"


def info(policy="pinned", pods=("a", "b")):
    return {
        "policy": policy, "warnings": [], "release": None, "service": None, "address": "", "checks": [],
        "deployment": {
            "name": "d", "desired": 2, "updated": 2, "ready": 2, "available": 2, "image": "x:1", "gpus": 0,
        } if policy else None,
        "pods": [
            {
                "name": name, "phase": "Running", "ready": True, "restarts": 0, "started": None, "node": None, "new": False,
                "log": None, "terminating": False, "model_loaded": [7], "gpu_device": None,
            } for name in pods
        ],
    }


def version(number, state="AVAILABLE", error=""):
    return {"version": number, "state": state, "error": error}


def report(pod, serves, *versions, canary=None, labels=None, problem=None):
    models = {"mnist": {"versions": list(versions), "serves": serves, "labels": labels or {}}}
    if canary:
        models["mnist-canary"] = {"versions": [version(canary)], "serves": canary, "labels": {}}
    return {"pod": pod, "models": {} if problem else models, "problem": problem}


def answers(*replicas, config=None, problems=()):
    return {"replicas": list(replicas), "in_use": [1, 2], "problems": list(problems), "config": config}


STABLE_1 = {"stable": 1, "canary": 2, "versions": [1], "problem": None}


def table(status):
    return Environment(trim_blocks=True, lstrip_blocks=True).from_string(
        "{% macro regex_replace() %}{% endmacro %}" + TEMPLATE.read_text().replace("| regex_replace('\\..*', '')", "")
    ).render(serving_status=status, __serving_settings={"release": "r", "namespace": "n"})


def test_the_last_results_of_the_check_are_shown():
    found = {**info(), "checks": [
        {"version": 2, "at": "2026-11-22T23:40:00Z", "passed": False, "message": "Inference error rate: 89.3%"},
        {"version": None, "at": "2026-11-21T23:40:00Z", "passed": True, "message": "Agreement with golden: 99.8%"},
    ]}
    shown = table(serving_status(found, answers(), "mnist"))
    assert "check       version 2, 2026-11-22T23:40:00Z: Inference error rate: 89.3%, failed\n" in shown
    assert "check       version ?, 2026-11-21T23:40:00Z: Agreement with golden: 99.8%, passed\n" in shown


def test_what_every_replica_serves():
    said = answers(
        report("a", 1, version(1), version(3, "END"), canary=2, labels={"stable": 1}),
        report("b", 1, version(1), canary=2, labels={"stable": 1}), config=STABLE_1,
    )
    status = serving_status(info(), said, "mnist", "pinned")
    assert (status["policy"], status["stable"], status["canary"], status["in_use"]) == ("pinned", 1, 2, [1, 2])
    for pod in status["pods"]:
        assert (pod["asked"], pod["versions"], pod["serves"], pod["labels"], pod["canary"]) == (True, [1, 2], 1, {"stable": 1}, 2)
    assert status["warnings"] == []
    assert "1,stable=1,canary=2" in table(status)
    assert "pinned, version 1 is stable, version 2 is the candidate" in table(status)


def test_a_pod_that_cannot_be_asked_is_a_remark_and_its_log_stands_in():
    said = answers(
        report("a", 1, version(1)), report("b", None, problem="port-forward failed"), config=None,
        problems=["pod b: port-forward failed"],
    )
    status = serving_status(info("latest"), said, "mnist", "latest")
    assert [pod["asked"] for pod in status["pods"]] == [True, False] and status["all_asked"] is False
    assert (status["pods"][1]["versions"], status["pods"][1]["serves"]) == ([], None)
    assert status["warnings"] == ["pod b: port-forward failed"]
    assert "log:7" in table(status)


def test_what_a_pod_uses_counts_until_it_goes():
    found = info("latest")
    said = answers(report("a", 1, version(1)), report("b", 1, version(1)))
    assert serving_status(found, said, "mnist")["all_asked"] is True
    assert serving_status(found, answers(report("a", 1, version(1))), "mnist")["all_asked"] is False, "b was not asked"
    found["pods"][1]["terminating"] = True
    assert serving_status(found, answers(report("a", 1, version(1))), "mnist")["all_asked"] is True


def test_nobody_could_be_asked():
    status = serving_status(info("latest"), {"msg": "forbidden", "failed": False}, "mnist")
    assert status["warnings"] == ["What the replicas serve is not known: forbidden"]
    assert not any(pod["asked"] for pod in status["pods"])


def test_nothing_is_deployed():
    skipped = {"skipped": True, "msg": "Conditional result was False"}
    status = serving_status(info(None, pods=()), skipped, "mnist", "pinned")
    assert (status["policy"], status["stable"], status["warnings"]) == (None, None, [])
    assert "none named r in namespace n" in table(status)


def test_a_config_that_is_left_over_does_not_count_under_latest():
    status = serving_status(info("latest", ("a",)), answers(report("a", 2, version(2)), config=STABLE_1), "mnist", "latest")
    assert (status["stable"], status["canary"], status["warnings"]) == (None, None, [])


def test_what_is_wrong_is_named_with_the_way_out():
    said = answers(
        report("a", 2, version(2), version(3, "END", "no variables.")), report("b", None, version(1, "END")), config=STABLE_1,
    )
    first, second, third = serving_status(info(), said, "mnist", "pinned")["warnings"]
    assert "Pod a could not load version 3 of mnist: no variables. It does not try again" in first
    assert "Pod a gives version 2, and the stable one is 1" in second and "site.yml" in second
    assert "Pod b serves no version of mnist" in third and "base path" in third


def test_policy_and_config_that_do_not_fit():
    said = answers(report("a", 1, version(1)), report("b", 1, version(1)))
    (remark,) = serving_status(info("latest"), said, "mnist", "pinned")["warnings"]
    assert "serving_version_policy is pinned, and the release was deployed with latest: playbooks/site.yml" in remark
    (remark,) = serving_status(info("pinned"), said, "mnist", "pinned")["warnings"]
    assert "ConfigMap with the model config is missing" in remark and "site.yml" in remark
    foreign = {"stable": None, "canary": None, "versions": [], "problem": "the model config is not ours"}
    status = serving_status(info("pinned"), dict(said, config=foreign), "mnist", "pinned")
    assert status["warnings"] == ["the model config is not ours"]
    assert "the stable version is not known" in table(status)
