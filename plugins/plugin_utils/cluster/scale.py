# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The replica count of a Deployment: who owns it, what it is, whether it is reached, and why not."""
from __future__ import annotations

from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import workload
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.rollout_reasons import Reason, observed
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.sync import Item, sync
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.workload import Workload, allowed

Options = dict[str, Any]  # of the module deployment_scale


def replica_count(value: object) -> int:
    """The number in what a playbook, -e or a survey hands over. Jinja's `int` would take "two" for 0."""
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
        raise Error(
            "replicas (role variable scaling_replicas) is %r: use a whole number from 0, or in the role null to leave"
            " the count to an autoscaler or a human." % (value,), "replicas_invalid", value=str(value),
        )
    return int(text)


def counts(deployment: Object) -> dict[str, int]:
    status = deployment.get("status", {})
    return {
        "replicas": deployment["spec"].get("replicas", 1),
        "ready": status.get("readyReplicas", 0),
        "updated": status.get("updatedReplicas", 0),
        "existing": status.get("replicas", 0),
    }


def settled(deployment: Object, replicas: int) -> bool:
    """Are there exactly that many pods, all ready, all of today's template? Pods that only drain count no more."""
    now = counts(deployment)
    return observed(deployment) and now["ready"] == now["updated"] == now["existing"] == replicas


def ensure(pods: Workload, options: Options, check_mode: bool) -> dict[str, Any]:
    """Scale, and wait for it. pods: of that Deployment; it says why they are not ready."""
    replicas = replica_count(options["replicas"])
    item = Item(pods.api_client, "apps/v1", "Deployment", pods.name, pods.namespace)
    if check_mode and item.read() is None:
        return _answer(None, replicas, 0)

    def decide(deployment: Object | None) -> tuple[Object, Object]:
        if deployment is None:
            raise Error("There is no %s: install the release first (playbook site)." % item, "deployment_absent")
        _refuse_second_owner(pods)
        return {"spec": {"replicas": counts(deployment)["replicas"]}}, {"spec": {"replicas": replicas}}

    outcome = sync(item, decide, check_mode, subresource="scale")
    if options["wait"] and not check_mode:
        deployment: Object | None = _wait(item, pods, options, replicas)
    else:
        deployment = pods.deployment()
    return _answer(outcome.before["spec"]["replicas"], replicas, counts(deployment)["ready"] if deployment else 0)


def _refuse_second_owner(pods: Workload) -> None:
    """Two owners of one count undo each other for ever. Without the right to list them, or before 1.23: none is known."""
    with allowed("forbidden", "not_found"):
        for autoscaler in pods.read_all("apis/autoscaling/v2", "horizontalpodautoscalers"):
            target, name = autoscaler["spec"]["scaleTargetRef"], autoscaler["metadata"]["name"]
            if (target["kind"], target["name"]) == ("Deployment", pods.name):
                raise Error(
                    "HorizontalPodAutoscaler %s owns the replica count of Deployment %s: set scaling_replicas to null (on"
                    " the command line -e scaling_replicas=null), or delete the autoscaler." % (name, pods.name),
                    "replicas_owned", autoscaler=name,
                )


def _wait(item: Item, pods: Workload, options: Options, replicas: int) -> Object:
    now: dict[str, int] = {}

    def reached(deployment: Object) -> bool:
        now.update(counts(deployment))
        if now["replicas"] != replicas:
            raise Error(
                "%s was set to %d replicas by somebody else while we waited for %d: the count needs one owner. Set"
                " scaling_replicas to null if that is an autoscaler." % (item, now["replicas"], replicas),
                "replicas_owned", replicas=now["replicas"],
            )
        return settled(deployment, replicas)

    def failed(reason: Reason, late: bool) -> Error:
        return Error(
            "%s should have %d replicas and has %d ready of %d%s. %s" % (
                item, replicas, now["ready"], now["existing"],
                " after %d s (scaling_timeout)" % options["wait_timeout"] if late else "", reason.text,
            ), "replicas_not_ready", **now,
        )

    return workload.wait(
        pods, reached, failed, Error("%s was deleted while it was being scaled." % item, "deployment_absent"),
        timeout=options["wait_timeout"], pending_timeout=options["pending_timeout"],
    )


def _answer(before: int | None, replicas: int, ready: int) -> dict[str, Any]:
    return {
        "message": _message(before, replicas, ready),
        "changed": before != replicas,
        "diff": {"before": {"replicas": before}, "after": {"replicas": replicas}},
        "replicas": replicas,
        "ready": ready,
        "before": before,
    }


def _message(before: int | None, replicas: int, ready: int) -> str:
    count = "%d" % replicas if before in (None, replicas) else "%d -> %d" % (before, replicas)
    return "%s replica%s, %d ready" % (count, "" if replicas == 1 else "s", ready)
