# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the cluster says of a release and what its model servers say of themselves, put together. Pure."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Facts = Mapping[str, Any]


def serving_status(status: Facts, answers: Facts, model_name: str, policy: str | None = None) -> dict[str, Any]:
    """The fact of that name. status: of serving_info. answers: result of serving_versions, failed or skipped if need be.

    policy: the serving_version_policy that is wanted.
    """
    pinned = status["policy"] == "pinned"
    config = (answers.get("config") or {}) if pinned else {}
    reports = {report["pod"]: report for report in answers.get("replicas", ())}
    pods = [{**pod, **_of_replica(reports.get(pod["name"]), model_name)} for pod in status["pods"]]
    result = {
        **status, "model_name": model_name, "stable": config.get("stable"), "canary": config.get("canary"),
        "in_use": answers.get("in_use", []), "pods": pods,
        # While a replica has not said which versions it uses, nothing may be deleted.
        "all_asked": all(pod["asked"] for pod in pods if not pod["terminating"]),
    }
    return {**result, "warnings": [*status["warnings"], *_remarks(result, answers, config, pinned, reports, policy)]}


def _of_replica(report: Facts | None, model_name: str) -> dict[str, Any]:
    """What one replica said; nothing is known of a pod that was not asked."""
    models = report["models"] if report else {}
    own, canary = models.get(model_name, {}), models.get(model_name + "-canary", {})
    loaded = {
        entry["version"] for model in (own, canary) for entry in model.get("versions", ()) if entry["state"] == "AVAILABLE"
    }
    return {
        "asked": bool(report and not report["problem"]), "versions": sorted(loaded), "serves": own.get("serves"),
        "labels": own.get("labels", {}), "canary": canary.get("serves"),
    }


def _remarks(
    result: Facts, answers: Facts, config: Facts, pinned: bool, reports: Mapping[str, Facts], policy: str | None,
) -> Iterator[str]:
    if "replicas" not in answers:
        if answers.get("msg") and not answers.get("skipped"):
            yield "What the replicas serve is not known: " + answers["msg"]
        return
    yield from answers.get("problems", ())
    if pinned and not config:
        yield (
            "The ConfigMap with the model config is missing: a pod that starts now would wait for it in vain."
            " playbooks/site.yml makes it again."
        )
    if config.get("problem"):
        yield config["problem"]
    if policy and result["policy"] and policy != result["policy"]:
        yield "serving_version_policy is %s, and the release was deployed with %s: playbooks/site.yml changes that." % (
            policy, result["policy"],
        )
    for pod in result["pods"]:
        if pod["asked"]:
            yield from _remarks_on(pod, reports[pod["name"]], result)


def _remarks_on(pod: Facts, report: Facts, result: Facts) -> Iterator[str]:
    for name, model in sorted(report["models"].items()):
        for entry in model["versions"]:
            if entry["state"] == "END" and entry["error"]:
                yield (
                    "Pod %s could not load version %d of %s: %s. It does not try again: publish what is right under a new"
                    " number." % (pod["name"], entry["version"], name, entry["error"].rstrip("."))
                )
    if pod["serves"] is None:
        yield (
            "Pod %s serves no version of %s. Is there a version in its base path, and is the NAS mounted there?"
            % (pod["name"], result["model_name"])
        )
    elif result["stable"] not in (None, pod["serves"]):
        yield (
            "Pod %s gives version %d, and the stable one is %d: playbooks/site.yml, or promote.yml if that was interrupted,"
            " brings it there." % (pod["name"], pod["serves"], result["stable"])
        )
