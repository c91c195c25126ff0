# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What serves, of one model after the other, as far as the cluster's objects say: no server is asked."""
from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import scale
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import health
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.config_map import ConfigMap
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.info import address_of, reached_at, service_of
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.release import CONTAINER, Release, policy

# The variables of a model that its status follows from.
NAMES = ("serving_release", "serving_namespace", "serving_model_name", "check_report")

MODEL_CONFIG, LAST_CHECK = "model_config", "last_check"


@dataclasses.dataclass
class Row:
    """One model. version: None where it is not known. sick: in words, empty where all is well."""

    model: str
    release: str = ""
    namespace: str = ""
    policy: str | None = None
    version: int | None = None
    version_by: str | None = None  # who says so: MODEL_CONFIG or LAST_CHECK
    candidate: int | None = None
    wanted: int = 0
    ready: int = 0
    check: dict[str, Any] | None = None  # of the version that serves
    address: str = ""
    reached_at: str = ""
    since: str | None = None
    sick: list[str] = dataclasses.field(default_factory=list)
    report: str = ""


def row(api_client: Any, model: str, values: Mapping[str, Any]) -> Row:
    """values: of NAMES."""
    found = Row(model, values["serving_release"], values["serving_namespace"], report=_page(values["check_report"]))
    try:
        _fill(found, Release(api_client, found.namespace, found.release), values["serving_model_name"])
    except Error as error:
        found.sick.append(error.message)
    return found


def _page(report: str) -> str:
    """The page to open: of a folder its index."""
    return os.path.join(report, "index.html") if report.endswith("/") else report


def _fill(found: Row, release: Release, model_name: str) -> None:
    deployment, record = release.deployment(), release.store.read()[0]
    status = record and record["metadata"]["labels"].get("status")
    if record and status != "deployed":
        found.sick.append("the release is %s" % status)
    if deployment is None:
        found.sick += [] if record else ["not deployed"]
        return
    unreadable: list[str] = []
    results = release.checks(unreadable.append)
    found.policy = policy(release, deployment)
    config = ConfigMap(release.api_client, release.namespace, release.release).pinned(model_name) if found.policy == "pinned" else None
    _fill_versions(found, config, results)
    now, pods = scale.counts(deployment), release.all_pods()
    found.wanted, found.ready = now["replicas"], now["ready"]
    service = service_of(release.service())
    found.address, found.reached_at = address_of(service), reached_at(service)
    found.since = max(map(_turned, pods), default=None)
    found.sick += [*health.sick(deployment, results), *_waiting(pods), *_of_the_config(found, config), *unreadable]
    if not results and not unreadable:
        found.sick.append("never checked")


def _fill_versions(found: Row, config: Mapping[str, Any] | None, results: Sequence[dict[str, Any]]) -> None:
    if config:
        found.version, found.candidate = config["stable"], config["canary"]
        found.version_by = MODEL_CONFIG if found.version else None
    elif found.policy == "latest" and results and results[0]["version"]:
        found.version, found.version_by = results[0]["version"], LAST_CHECK
    found.check = next((result for result in results if result["version"] == found.version), results[0] if results else None)


def _of_the_config(found: Row, config: Mapping[str, Any] | None) -> Iterator[str]:
    if found.policy == "pinned" and config is None:
        yield "the ConfigMap with the model config is missing"
    if config and config["problem"]:
        yield config["problem"]


def _waiting(pods: Sequence[Object]) -> Iterator[str]:
    """What their containers wait for, each once: ImagePullBackOff."""
    states = (
        one.get("state", {}) for pod in pods for one in pod.get("status", {}).get("containerStatuses", ()) if one["name"] == CONTAINER)
    reasons = (state.get("waiting", {}).get("reason") for state in states)
    yield from sorted({reason for reason in reasons if reason})


def _turned(pod: Object) -> str:
    """When the pod last became ready or stopped being so."""
    moments = [one.get("lastTransitionTime") for one in pod.get("status", {}).get("conditions", ()) if one["type"] == "Ready"]
    return str(next((moment for moment in moments if moment), pod["metadata"]["creationTimestamp"]))
