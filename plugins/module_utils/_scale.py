# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The replica count of a Deployment: who owns it, what it is, whether it is reached, and why not."""
from __future__ import annotations

import time

from ansible_collections.mlops.tf_serving.plugins.module_utils import _reasons
from ansible_collections.mlops.tf_serving.plugins.module_utils._cluster import explained, listed, named, send
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error


def replica_count(value):
    """The number in what a playbook, -e or a survey hands over. Jinja's `int` would take "two" for 0."""
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
        raise Error(
            "replicas (role variable scaling_replicas) is %r: use a whole number from 0, or in the role null to leave "
            "the count to an autoscaler or a human." % (value,), "replicas_invalid", value=str(value),
        )
    return int(text)


def refuse_second_owner(name, autoscalers):
    """Two owners of one count undo each other for ever."""
    for autoscaler in autoscalers:
        target = autoscaler["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == ("Deployment", name):
            raise Error(
                "HorizontalPodAutoscaler %s owns the replica count of Deployment %s: set scaling_replicas to null (on "
                "the command line -e scaling_replicas=null), or delete the autoscaler."
                % (autoscaler["metadata"]["name"], name), "replicas_owned", autoscaler=autoscaler["metadata"]["name"],
            )


def counts(deployment):
    status = deployment.get("status", {})
    return {
        "replicas": deployment["spec"].get("replicas", 1),
        "ready": status.get("readyReplicas", 0),
        "updated": status.get("updatedReplicas", 0),
        "existing": status.get("replicas", 0),
    }


def settled(deployment, replicas):
    """Are there exactly that many pods, all ready, all of today's template? Pods that only drain count no more."""
    seen = deployment.get("status", {}).get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    now = counts(deployment)
    return seen and now["ready"] == now["updated"] == now["existing"] == replicas


class Deployments:
    """The calls to the API."""

    def __init__(self, client, name, namespace):
        self.client, self.name, self.namespace = client, name, namespace
        self.path = "/apis/apps/v1/namespaces/%s/deployments/%s" % (namespace, name)

    def __str__(self):
        return "Deployment %s in namespace %s" % (self.name, self.namespace)

    def read(self):
        return named(self.client, "apis/apps/v1", "deployments", self.namespace, self.name)

    def scale(self, replicas, **dry_run):
        with explained("scale %s" % self):
            send(self.client, "PATCH", self.path + "/scale", {"spec": {"replicas": replicas}}, **dry_run)

    def seen(self, deployment):
        """What _reasons.find wants."""
        labels = deployment["spec"]["selector"].get("matchLabels", {})
        selector = {"labelSelector": ",".join("%s=%s" % label for label in sorted(labels.items()))}
        return {
            "deployment": deployment,
            "pods": self._list("api/v1", "pods", **selector) or [],
            "replica_sets": self._list("apis/apps/v1", "replicasets", **selector),
            "events": self._list("api/v1", "events"),
        }

    def autoscalers(self):
        """Of the namespace; none where they cannot be listed (a missing right, a cluster before 1.23)."""
        return self._list("apis/autoscaling/v2", "horizontalpodautoscalers") or []

    def _list(self, group, kind, **selector):
        """None where the account may not."""
        try:
            return listed(self.client, group, kind, self.namespace, **selector)
        except Error as error:
            if error.code not in ("forbidden", "not_found"):
                raise
            return None


def converge(deployments, options, check_mode):
    """Scale, wait. Returns changed, diff and the counts."""
    replicas = replica_count(options["replicas"])
    deployment = deployments.read()
    if deployment is None:
        if not check_mode:
            raise Error(
                "There is no %s: install the release first (playbook site)." % deployments, "deployment_absent",
            )
        return _result(None, replicas, 0)
    refuse_second_owner(deployments.name, deployments.autoscalers())
    before = counts(deployment)["replicas"]
    if before != replicas:
        deployments.scale(replicas, **({"dryRun": "All"} if check_mode else {}))
    if not check_mode:
        deployment = _wait(deployments, options, replicas) if options["wait"] else deployments.read()
    return _result(before, replicas, counts(deployment)["ready"])


def _wait(deployments, options, replicas):
    end = time.monotonic() + options["wait_timeout"]
    first_seen, known_pods = {}, None
    while True:
        deployment = deployments.read()
        if deployment is None:
            raise Error("%s was deleted while it was being scaled." % deployments, "deployment_absent")
        now = counts(deployment)
        if now["replicas"] != replicas:
            raise Error(
                "%s was set to %d replicas by somebody else while we waited for %d: the count needs one owner. Set "
                "scaling_replicas to null if that is an autoscaler." % (deployments, now["replicas"], replicas),
                "replicas_owned", replicas=now["replicas"],
            )
        if settled(deployment, replicas):
            return deployment
        seen, moment = deployments.seen(deployment), time.monotonic()
        if known_pods is None:
            known_pods = {pod["metadata"]["name"] for pod in seen["pods"]}
        reasons = _reasons.find(seen, known_pods, options["pending_timeout"])
        first_seen = {reason.key: first_seen.get(reason.key, moment) for reason in reasons}
        lasting = [reason for reason in reasons if moment - first_seen[reason.key] >= reason.patience]
        if lasting or moment >= end:
            late = "" if lasting else " after %d s (scaling_timeout)" % options["wait_timeout"]
            why = (lasting or reasons)[0].text if reasons else _reasons.describe(seen)
            raise Error(
                "%s should have %d replicas and has %d ready of %d%s. %s"
                % (deployments, replicas, now["ready"], now["existing"], late, why), "replicas_not_ready", **now,
            )
        time.sleep(1)


def _result(before, replicas, ready):
    return {
        "changed": before != replicas,
        "diff": {"before": {"replicas": before}, "after": {"replicas": replicas}},
        "replicas": replicas,
        "ready": ready,
        "before": before,
    }
