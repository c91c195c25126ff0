# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Deployment with its pods, and the one wait for them: ends with the reason found in the cluster."""
from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import rollout_reasons
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object, listed, named
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.rollout_reasons import Reason, Seen
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.sync import Item
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.waiting import waits_for

POLL = 1  # seconds
# A pod that the scheduler found before its claim was bound it looks at again when the claim changes, else after five minutes.
# Seconds that it gets to do so by itself.
WAKE = 5
WOKEN = "mlops.tf-serving/scheduled-after"  # annotation of the claim
TROUBLED = 5  # pods whose events are read: of fifty the first tell as much as all
EVENTS_EVERY = 5  # seconds, for a pod that has not changed: an API server keeps no index of events, and goes through all of them


@contextlib.contextmanager
def allowed(*codes: str) -> Iterator[None]:
    """What an account may not read is not an error here: less can be explained."""
    try:
        yield
    except Error as error:
        if error.code not in (codes or ("forbidden",)):
            raise


class KnownEvents(NamedTuple):
    read: float
    version: str  # of the pod then
    events: list[Object] | None


class Workload:
    """Reads plain objects. None: not there, or (ReplicaSets, events) not allowed."""

    def __init__(
        self, api_client: Any, namespace: str, name: str, selector: str | None = None, claim: str | None = None,
    ) -> None:
        """selector: labels of the pods, by default the Deployment's own. claim: the PersistentVolumeClaim that they mount."""
        self.api_client, self.namespace, self.name = api_client, namespace, name
        self.selector, self.claim_name = selector, claim
        self._known_events: dict[str, KnownEvents] = {}  # by pod

    def deployment(self) -> Object | None:
        return self.read_one("apis/apps/v1", "deployments", self.name)

    def claim(self) -> Object | None:
        return self.read_one("api/v1", "persistentvolumeclaims", self.claim_name) if self.claim_name else None

    def pods(self, selector: str) -> list[Object]:
        """The oldest first."""
        pods = self.read_all("api/v1", "pods", labelSelector=selector)
        return sorted(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))

    def events(self, kind: str, name: str) -> list[Object] | None:
        """The events about one object."""
        with allowed():
            return self.read_all("api/v1", "events", fieldSelector="involvedObject.kind=%s,involvedObject.name=%s" % (kind, name))
        return None

    def seen(self, deployment: Object) -> Seen:
        """What rollout_reasons.find wants; events of the troubled pods only."""
        selector = self.selector or _selector(deployment)
        seen: Seen = {
            "deployment": deployment, "pods": self.pods(selector), "claim": self.claim(), "replica_sets": None, "events": [],
        }
        with allowed():
            seen["replica_sets"] = self.read_all("apis/apps/v1", "replicasets", labelSelector=selector)
        for pod in troubled(seen)[:TROUBLED]:
            events = self._events_of(pod)
            if events is None:
                return {**seen, "events": None}
            seen["events"] += events
        return seen

    def _events_of(self, pod: Object) -> list[Object] | None:
        """Those about it, which is looked at every second."""
        name, version, now = pod["metadata"]["name"], pod["metadata"].get("resourceVersion", ""), time.monotonic()
        known = self._known_events.get(name)
        if known is None or known.version != version or now - known.read >= EVENTS_EVERY:
            known = self._known_events[name] = KnownEvents(now, version, self.events("Pod", name))
        return known.events

    def reasons(self, seen: Seen, known_pods: Collection[str], pending_timeout: float) -> list[Reason]:
        """Why it does not come to an end, the most telling first."""
        return rollout_reasons.find(seen, known_pods, pending_timeout)

    def wake_scheduler(self, claim: Object) -> None:
        """Change the claim. Without the right to do that the scheduler comes by itself, only later."""
        item = Item(self.api_client, "v1", "PersistentVolumeClaim", claim["metadata"]["name"], self.namespace)
        with allowed("forbidden", "not_found"):
            item.patch({"metadata": {"annotations": {WOKEN: claim["metadata"]["resourceVersion"]}}})

    def read_one(self, group: str, kind: str, name: str) -> Object | None:
        return named(self.api_client, group, kind, self.namespace, name)

    def read_all(self, group: str, kind: str, **selector: str) -> list[Object]:
        there: list[Object] = listed(self.api_client, group, kind, self.namespace, **selector)
        return there


def _selector(deployment: Object) -> str:
    labels = deployment["spec"]["selector"].get("matchLabels", {})
    return ",".join("%s=%s" % label for label in sorted(labels.items()))


def troubled(seen: Seen) -> list[Object]:
    return [pod for pod in rollout_reasons.current_pods(seen) if not rollout_reasons.ready(pod)]


def wait(
    workload: Workload, reached: Callable[[Object], bool], failed: Callable[[Reason, bool], Error], missing: Error, *,
    timeout: float, pending_timeout: float, known_pods: Collection[str] | None = None,
) -> Object:
    """The Deployment, once reached(it) holds.

    Gives up when a reason has lasted for longer than it may, and at the latest after timeout seconds, with what
    failed(reason, whether the time was up) gives; with `missing` where there is no Deployment.
    known_pods: names of the pods that were there before; by default those of the first look.
    """
    deadline = time.monotonic() + timeout
    since: dict[tuple[str, str | None], float] = {}
    while True:
        deployment = workload.deployment()
        if deployment is None:
            raise missing
        if reached(deployment):
            return deployment
        seen = workload.seen(deployment)
        if known_pods is None:
            known_pods = {pod["metadata"]["name"] for pod in seen["pods"]}
        now = time.monotonic()
        reasons = workload.reasons(seen, known_pods, pending_timeout)
        since = {reason.key: since.get(reason.key, now) for reason in reasons}
        for reason in reasons:
            lasted = now - since[reason.key]
            if lasted >= reason.patience:
                raise failed(reason, False)
            if reason.code == rollout_reasons.BOUND_SINCE and lasted >= WAKE:
                workload.wake_scheduler(seen["claim"])
                since[reason.key] = now
        why = reasons[0] if reasons else _no_reason(seen)
        if now >= deadline:
            raise failed(why, True)
        waits_for("%s. %s" % (workload.name, why.text))
        time.sleep(POLL)


def _no_reason(seen: Seen) -> Reason:
    waiting = troubled(seen)
    return Reason(
        "rollout_timeout", rollout_reasons.describe(seen), rollout_reasons.TO_THE_END,
        waiting[0]["metadata"]["name"] if waiting else None,
    )
