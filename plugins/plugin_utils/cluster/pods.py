# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pods of a release: which are ready, and what is the matter with the others."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object, explained, found, get
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.rollout_reasons import ready
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.sync import leaving
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.names import object_names


class Seen(NamedTuple):
    """What a release runs."""

    deployment: Object
    pods: dict[str, Object]  # that are not on their way out
    ready: list[Any]  # names
    others: list[str]  # a sentence for each that is not ready


def look(api_client: Any, namespace: str, release: str) -> Seen | None:
    """Seen, or None where the Deployment does not exist."""
    names = object_names(release)
    with explained("read the Deployment %s in namespace %s" % (names["deployment"], namespace)):
        path = "/apis/apps/v1/namespaces/%s/deployments/%s" % (namespace, names["deployment"])
        deployment = found(get, api_client, path)
    if deployment is None:
        return None
    with explained("list the pods of the release %s in namespace %s" % (release, namespace)):
        pods = get(api_client, "/api/v1/namespaces/%s/pods" % namespace, labelSelector=names["selector"])["items"]
    living = {pod["metadata"]["name"]: pod for pod in pods if not leaving(pod)}
    others = ["%s is not ready: %s" % (name, _why(pod)) for name, pod in sorted(living.items()) if not ready(pod)]
    return Seen(deployment, living, [name for name, pod in sorted(living.items()) if ready(pod)], others)


def ready_replicas(api_client: Any, namespace: str, release: str) -> Seen | None:
    """What look() sees, an Error where no pod is ready."""
    seen = look(api_client, namespace, release)
    if seen is None:
        return None
    if not seen.ready:
        wanted = seen.deployment["spec"]["replicas"]
        raise Error(
            "No replica of the Deployment %s in namespace %s is ready: %s."
            % (
                object_names(release)["deployment"], namespace,
                several(seen.others) or ("it is scaled to 0" if wanted == 0 else "it has no pod"),
            ),
            "no_ready_replica",
            wanted=wanted,
        )
    return seen


def several(things: Sequence[str], between: str = "; ") -> str:
    """Three of them, and how many more: of fifty pods the first tell as much as all."""
    more = len(things) - 3
    return between.join(things[:3]) + ("%sand %d more" % (between, more) if more > 0 else "")


def _why(pod: Object) -> str:
    """What the cluster says of a pod that is not ready, the most specific first."""
    for container in pod["status"].get("containerStatuses", []):
        state = container.get("state", {})
        reason = state.get("waiting") or state.get("terminated")
        if reason:
            return _sentence(reason)
    for condition in pod["status"].get("conditions", []):
        if condition["status"] != "True" and condition.get("message"):
            return _sentence(condition)
    return str(pod["status"].get("reason") or pod["status"].get("phase", "Unknown"))


def _sentence(said: Object) -> str:
    return ": ".join(said[key] for key in ("reason", "message") if said.get(key))
