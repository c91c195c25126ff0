# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what a release consists of: its objects, its pods' logs, Helm's record of it."""
from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import history
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import helm_release
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object, explained, reply
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.rollout_reasons import Reason, Seen
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.workload import TROUBLED, Workload, allowed, troubled
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import load_reasons
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.names import object_names

CONTAINER = "serving"
# Start-up stands at a log's beginning; a log of months can be large.
LOG_BYTES = 512 * 1024
# How a server stands now, its last lines say.
LAST_LINES = 400


class ModelServers(Workload):
    """A Deployment whose pods say in their logs how far they are with their model."""

    def reasons(self, seen: Seen, known_pods: Collection[str], pending_timeout: float) -> list[Reason]:
        """With what servers that run and do not open their port say of the model."""
        said: list[Reason] = []
        for pod in [pod for pod in troubled(seen) if _runs(pod)][:TROUBLED]:
            name = pod["metadata"]["name"]
            said += load_reasons.find(name, self.log(name, tailLines=LAST_LINES) or "", name in known_pods)
        return [*said, *super().reasons(seen, known_pods, pending_timeout)]

    def log(self, pod: str, previous: bool = False, **part: Any) -> str | None:
        """What the pod's server said, see read_log()."""
        return read_log(self.api_client, self.namespace, pod, previous, **part)


class Release(ModelServers):
    """Reads plain objects. None: not there, or (ReplicaSets, events, logs) not allowed."""

    def __init__(self, api_client: Any, namespace: str, release: str) -> None:
        self.release, self.names = release, object_names(release)
        super().__init__(
            api_client, namespace, self.names["deployment"], selector=self.names["selector"], claim=self.names["claim"],
        )
        self.store = helm_release.Store(api_client, namespace, release)

    def service(self) -> Object | None:
        return self.read_one("api/v1", "services", self.names["service"])

    def parameters(self) -> Object | None:
        return self.read_one("api/v1", "configmaps", self.names["parameters"])

    def all_pods(self) -> list[Object]:
        pods: list[Object] = self.pods(self.names["selector"])
        return pods

    def checks(self, warn: Callable[[str], None]) -> list[Object]:
        """The last results of the inference check."""
        results: list[Object] = history.last_results(self.api_client, self.namespace, self.release, warn)
        return results


def read_log(api_client: Any, namespace: str, pod: str, previous: bool = False, **part: Any) -> str | None:
    """The container's log from its beginning, None if there is none or the account may not read it. part: tailLines."""
    with allowed("forbidden", "not_found", "api_error"), explained("read the log of pod " + pod):
        answer = reply(
            api_client, "/api/v1/namespaces/%s/pods/%s/log" % (namespace, pod), container=CONTAINER,
            previous=str(previous).lower(), limitBytes=LOG_BYTES, **part,
        )
        return str(answer.data, errors="replace")
    return None


def _runs(pod: Object) -> bool:
    return any("running" in container.get("state", {}) for container in pod.get("status", {}).get("containerStatuses", ()))


def policy(release: Release, deployment: Object | None) -> str | None:
    """serving_version_policy of a Deployment: pinned where it mounts the release's model config. None: no Deployment."""
    if deployment is None:
        return None
    mounted = [
        source.get("configMap", {}).get("name")
        for volume in deployment["spec"]["template"]["spec"].get("volumes", ())
        for source in volume.get("projected", {}).get("sources", ())
    ]
    return "pinned" if release.names["model_config"] in mounted else "latest"
