# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a rollout does not finish, read from plain Kubernetes objects. Pure: no clock, no cluster.

What is read ("seen"): a dict with deployment, replica_sets, pods, events, claim. replica_sets and events are None
where the account may not list them.
"""
from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object

Seen = dict[str, Any]

# Seconds that a state may last before it counts as the reason: some of them heal by themselves.
AT_ONCE = 0
SOON = 10
RETRIED = 30
TO_THE_END = float("inf")  # of the wait

# The scheduler's words about a claim: not bound, not seen yet, or bound to a volume that was not seen yet.
CLAIM_TROUBLE = re.compile(r"persistentvolumeclaim|non-existent pv", re.IGNORECASE)
BOUND_SINCE = "claim_bound_since"

PLUGIN_MISSING = (
    "no volume plugin matched",
    "not found in the list of registered CSI drivers",
    # No CSIDriver object says that attaching is not needed, so that Kubernetes waits for somebody to attach.
    "timed out waiting for external-attacher",
)


class Reason:
    """code: stable word. text: what the cluster says. patience: seconds it may last. pod: whose log explains it. details: facts."""

    def __init__(self, code: str, text: str, patience: float, pod: str | None = None, **details: Any) -> None:
        self.code, self.text, self.patience, self.pod, self.details = code, text, patience, pod, details

    @property
    def key(self) -> tuple[str, str | None]:
        return (self.code, self.pod)


def rolled_out(deployment: Object) -> bool:
    """All pods are of the newest template and available, and no old one is left (kubectl rollout status)."""
    status, wanted = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    return bool(
        observed(deployment)
        and status.get("updatedReplicas", 0) >= wanted
        and status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and status.get("availableReplicas", 0) >= wanted
    )


def observed(deployment: Object) -> bool:
    """Has the controller seen the Deployment as it is now? Until then the status is that of the one before."""
    return bool(deployment.get("status", {}).get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0))


def current_pods(seen: Seen) -> list[Object]:
    """The pods of the newest template: those whose trouble keeps the rollout from finishing."""
    alive = [pod for pod in seen["pods"] if not pod["metadata"].get("deletionTimestamp")]
    owned = [
        replica_set for replica_set in seen["replica_sets"] or ()
        if any(owner["uid"] == seen["deployment"]["metadata"]["uid"] for owner in owners(replica_set))
    ]
    if not owned:
        return alive
    newest = max(owned, key=_revision)["metadata"]["uid"]
    return [pod for pod in alive if any(owner["uid"] == newest for owner in owners(pod))]


def owners(thing: Object) -> Collection[Object]:
    found: Collection[Object] = thing["metadata"].get("ownerReferences", ())
    return found


def _revision(replica_set: Object) -> int:
    return int(replica_set["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision", 0))


def find(seen: Seen, known_pods: Collection[str], pending_timeout: float) -> list[Reason]:
    """The reasons, the most telling first."""
    reasons: list[Reason] = []
    for pod in current_pods(seen):
        reasons += _of_pod(pod, seen, known_pods, pending_timeout)
    reasons += _of_deployment(seen["deployment"])
    return reasons


def _of_deployment(deployment: Object) -> Iterator[Reason]:
    if deployment["spec"].get("paused"):
        yield Reason(
            "paused", "The Deployment is paused: kubectl rollout resume deployment/%s." % deployment["metadata"]["name"],
            AT_ONCE,
        )
    for condition in deployment.get("status", {}).get("conditions", ()):
        message = condition.get("message", "").rstrip(".")
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            yield Reason("pods_refused", "No pod can be created: %s.%s" % (message, _way_past_refusal(message)), SOON)
        elif condition.get("reason") == "ProgressDeadlineExceeded" and condition["status"] == "False":
            yield Reason("no_progress", "The Deployment reports: %s." % message, RETRIED)


def _way_past_refusal(message: str) -> str:
    if "exceeded quota" in message:
        return " A rolling update needs room for one pod more: raise the quota, or set serving_max_unavailable to 1."
    if "violates PodSecurity" in message:
        return (
            " Set serving_pod_security to restricted (the published files are readable for any user; serving_run_as_user says which"
            " one the server runs as)."
        )
    return ""


def _of_pod(pod: Object, seen: Seen, known_pods: Collection[str], pending_timeout: float) -> Iterator[Reason]:
    name = pod["metadata"]["name"]
    status = pod.get("status", {})
    condition: Object = next((c for c in status.get("conditions", ()) if c["type"] == "PodScheduled"), {})
    if condition.get("status") == "False":
        yield _unschedulable(pod, condition.get("message", ""), seen, pending_timeout)
        return
    if status.get("phase") == "Failed":
        yield Reason(
            "pod_failed", "Pod %s failed: %s" % (name, _says(status.get("reason"), status.get("message"))), RETRIED, name
        )
        return
    mount = _mount_trouble(pod, seen["events"])
    if mount:
        yield mount
    for container in status.get("containerStatuses", ()):
        reason = _of_container(pod, container, known_pods)
        if reason:
            yield reason


def _unschedulable(pod: Object, message: str, seen: Seen, pending_timeout: float) -> Reason:
    name = pod["metadata"]["name"]
    text = "Pod %s cannot be scheduled: %s" % (name, message.rstrip("."))
    claim = seen.get("claim")
    if CLAIM_TROUBLE.search(message) and claim:
        if claim.get("status", {}).get("phase") != "Bound":
            return Reason("claim_unbound", "%s. %s" % (text, _no_volume_for(claim)), pending_timeout)
        # No fault: the scheduler was there first. It looks again, at the latest after five minutes.
        return Reason(
            BOUND_SINCE, "%s. Since then its claim %s was bound, and the scheduler has not looked again."
            % (text, claim["metadata"]["name"]), TO_THE_END,
        )
    code, way_out = _without_gpu(seen) if "nvidia.com/gpu" in message else ("unschedulable", "")
    scale_up = [event for event in _events(seen["events"], name) if event.get("reason") == "TriggeredScaleUp"]
    if scale_up:
        return Reason(code, "%s. An autoscaler adds a node: %s" % (text, scale_up[-1]["message"]), TO_THE_END)
    return Reason(code, "%s.%s" % (text, way_out), pending_timeout)


def _no_volume_for(claim: Object) -> str:
    labels = claim["spec"].get("selector", {}).get("matchLabels", {})
    return (
        "The claim %s (%s, labels %s) finds no PersistentVolume: one of at least that size with these labels must"
        " be free or reserved for it (role volume makes it; serving_volume_labels and serving_storage choose)." % (
            claim["metadata"]["name"], claim["spec"].get("resources", {}).get("requests", {}).get("storage", "?"),
            ", ".join("%s=%s" % item for item in sorted(labels.items())) or "none",
        )
    )


def _without_gpu(seen: Seen) -> tuple[str, str]:
    """(code, way out) where no node has a GPU to spare."""
    newest = {pod["metadata"]["name"] for pod in current_pods(seen)}
    holders = [
        pod["metadata"]["name"] for pod in seen["pods"]
        if pod["metadata"]["name"] not in newest and pod.get("status", {}).get("phase") == "Running" and gpus(pod)
    ]
    if holders and not max_unavailable(seen["deployment"]):
        return "gpu_taken", (
            " The GPU is held by %s, which stays until a new pod is ready: with serving_max_unavailable 0 this update"
            " never finishes. Set serving_max_unavailable to 1 (the model is away for the time of one start), or add"
            " a GPU." % ", ".join(holders)
        )
    return "gpu_unschedulable", " Free or add a GPU, or set gpu to false for the CPU image."


def _mount_trouble(pod: Object, events: list[Object] | None) -> Reason | None:
    if pod.get("status", {}).get("phase") != "Pending":
        return None
    name = pod["metadata"]["name"]
    failures = [
        event for event in _events(events, name) if event.get("reason") in ("FailedMount", "FailedAttachVolume")
    ]
    if not failures:
        return None
    # kubelet's own summary ("timed out waiting for the condition") says less than what the driver said.
    telling = [event for event in failures if "timed out waiting" not in event["message"]] or failures
    message = telling[-1]["message"].strip().rstrip(".")
    plugin = next((e["message"].strip() for e in failures if any(text in e["message"] for text in PLUGIN_MISSING)), None)
    if plugin:
        return Reason(
            "volume_plugin_missing",
            "Pod %s cannot mount its volume: %s. The node has no plugin for this PersistentVolume: set volume_driver to"
            " one that the cluster has: csi (nasplugin.csi.alibabacloud.com, today's ACK), flexvolume (alicloud/nas, ACK"
            " before 1.20) or nfs (any cluster whose nodes can mount NFS)." % (name, plugin),
            SOON,
        )
    return Reason("volume_mount", "Pod %s cannot mount its volume: %s." % (name, message), RETRIED)


def _of_container(pod: Object, container: Object, known_pods: Collection[str]) -> Reason | None:
    ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated") or {}
    return _image_trouble(pod, container) or _start_trouble(pod, container, ended) or _end(pod, container, ended, known_pods)


def _image_trouble(pod: Object, container: Object) -> Reason | None:
    name, image = pod["metadata"]["name"], container.get("image", "")
    reason, message = _waiting(container)
    if reason in ("InvalidImageName", "ErrImageNeverPull"):
        return Reason("image", "Pod %s cannot have image %s: %s" % (name, image, _says(reason, message)), AT_ONCE)
    if reason in ("ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"):
        return Reason(
            "image",
            "Pod %s cannot pull image %s: %s. Look at serving_image (serving_gpu_image), serving_image_pull_secrets and"
            " serving_image_pull_policy." % (name, image, _says(reason, message).rstrip(".")),
            RETRIED,
        )
    return None


def _start_trouble(pod: Object, container: Object, ended: Object) -> Reason | None:
    name = pod["metadata"]["name"]
    reason, message = _waiting(container)
    if reason == "CreateContainerConfigError":
        way_out = (
            " Set serving_run_as_user to a uid of your choice." if "runAsNonRoot" in message or "non-root" in message else ""
        )
        return Reason(
            "container_config", "Pod %s cannot start its container: %s.%s" % (name, message.rstrip("."), way_out), SOON
        )
    if reason in ("CreateContainerError", "RunContainerError") or ended.get("reason") in ("StartError", "ContainerCannotRun"):
        return Reason(
            "container_start",
            "Pod %s cannot start its container: %s. Look at serving_command, which must be in the image."
            % (name, (ended.get("message") or message).strip().rstrip(".")),
            SOON,
        )
    return None


def _end(pod: Object, container: Object, ended: Object, known_pods: Collection[str]) -> Reason | None:
    """Why the server itself ended."""
    name, restarts = pod["metadata"]["name"], container.get("restartCount", 0)
    if not ended or (not restarts and not container.get("state", {}).get("terminated")):
        return None
    if ended.get("reason") == "OOMKilled":
        return Reason(
            "out_of_memory",
            "Pod %s was killed for using more memory than its limit: raise serving_resources.limits.memory (two versions"
            " of a model are in memory while it switches)." % name,
            AT_ONCE if restarts else SOON, name,
        )
    if _startup_gave_up(pod, ended):
        return Reason(
            "start_timeout",
            "Pod %s did not open its port within serving_start_timeout: the port opens after the first load, so either"
            " the load takes longer or the server sees no version of the model." % name,
            AT_ONCE, name,
        )
    patience: float = TO_THE_END
    if _waiting(container)[0] == "CrashLoopBackOff":
        # A pod that was there before may be waiting out its back-off after a cause that is gone by now.
        patience = RETRIED if name in known_pods else AT_ONCE
    return Reason(
        "crash_loop",
        "Pod %s: its server ended with exit code %s (%s), %d restart%s." % (
            name, ended.get("exitCode"), ended.get("reason") or "Error", restarts, "" if restarts == 1 else "s",
        ),
        patience, name,
    )


def _waiting(container: Object) -> tuple[str, str]:
    waiting = container.get("state", {}).get("waiting", {})
    return waiting.get("reason", ""), waiting.get("message", "")


def _startup_gave_up(pod: Object, ended: Object) -> bool:
    """Did kubelet end the container because the startup probe had failed for its whole time?"""
    probe = next((c.get("startupProbe") for c in pod["spec"].get("containers", ()) if c["name"] == "serving"), None)
    if not probe or ended.get("exitCode") not in (137, 143):
        return False
    start, end = ended.get("startedAt"), ended.get("finishedAt")
    if not start or not end:
        return False
    allowed: int = probe.get("failureThreshold", 3) * probe.get("periodSeconds", 10)
    return seconds_between(start, end) >= allowed - 2


def seconds_between(start: str, end: str) -> float:
    form = "%Y-%m-%dT%H:%M:%SZ"
    return (datetime.strptime(end, form) - datetime.strptime(start, form)).total_seconds()


def describe(seen: Seen) -> str:
    """Where a rollout that gives no reason stands: for the message when the time is up."""
    status = seen["deployment"].get("status", {})
    words = ["%d of %d pods are updated, %d available." % (
        status.get("updatedReplicas", 0), seen["deployment"]["spec"].get("replicas", 1), status.get("availableReplicas", 0)
    )]
    for pod in current_pods(seen):
        if ready(pod):
            continue
        name = pod["metadata"]["name"]
        containers = ["container %s" % _state(one) for one in pod.get("status", {}).get("containerStatuses", ())]
        words.append("Pod %s: %s." % (name, ", ".join([pod.get("status", {}).get("phase", "Unknown"), *containers])))
        warnings = [event for event in _events(seen["events"], name) if event.get("type") == "Warning"]
        if warnings:
            words.append("Last event: %s." % _says(warnings[-1].get("reason"), warnings[-1]["message"]).rstrip("."))
    if seen["events"] is None:
        words.append("(Events cannot be read with this account: grant list on events for the reason.)")
    return " ".join(words)


def _state(container: Object) -> str:
    if "running" in container.get("state", {}):
        return "running, port not open yet"
    return _says(_waiting(container)[0], None)


def ready(pod: Object) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", ()))


def gpus(pod_or_template: Object) -> int:
    """How many GPUs a pod (or a pod template) asks for."""
    return sum(
        int(container.get("resources", {}).get("limits", {}).get("nvidia.com/gpu", 0))
        for container in pod_or_template["spec"].get("containers", ())
    )


def max_unavailable(deployment: Object) -> bool:
    """May a pod go before its successor is ready?"""
    value = deployment["spec"].get("strategy", {}).get("rollingUpdate", {}).get("maxUnavailable", 0)
    return value not in (0, "0", "0%")


def _events(events: list[Object] | None, name: str) -> list[Object]:
    """The events about one object, oldest first."""
    about = [event for event in events or () if event.get("involvedObject", {}).get("name") == name]
    return sorted(about, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")


def _says(reason: str | None, message: str | None) -> str:
    return ": ".join(part for part in (reason, message) if part) or "no reason given"
