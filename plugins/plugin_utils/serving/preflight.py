# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything that would keep a release from being installed, and whether Helm has anything to do. Changes nothing."""
from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.trust import of_the_release
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import helm_chart, helm_release
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object, explained, get
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.sync import leaving
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.config_map import ConfigMap
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.edits import edited
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.release import Release, policy
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.quantity import quantity

Options = dict[str, Any]  # of the module serving_preflight
Answer = dict[str, Any]  # documented there
Values = Mapping[str, Any]  # of the chart

GPU = "nvidia.com/gpu"
NOTHING: Answer = {
    "release": None, "stored": {}, "unlock": False, "upgrade_because": ["no_release"], "edited": [], "pods": [], "policy": None,
    "model_config": None,
}


def preflight(api_client: Any, options: Options, warn: Callable[[str], None]) -> Answer:
    seen = look(api_client, options, helm_chart.read(Path(options["chart"])), warn)
    return {"values_diff": _difference(seen.pop("stored"), seen["chart_values"]), **seen}


def look(api_client: Any, options: Options, chart: helm_chart.Chart, warn: Callable[[str], None]) -> Answer:
    """The same with `stored`, the values of the release, in the place of how they differ."""
    namespace = options["namespace"]
    values = of_the_release(api_client, namespace, options["values"], options.get("tls_client_secret"), warn)
    wanted = helm_chart.merged(chart["values"], values)
    release = Release(api_client, namespace, options["release"])
    namespace_exists = _namespace_exists(api_client, namespace)
    seen = {**NOTHING}
    if namespace_exists:
        seen = _look(release, values, wanted, chart)
        config = ConfigMap(api_client, namespace, options["release"]).pinned(options["model_name"])
        if (wanted.get("modelConfig") or {}).get("configMap") and config and config["problem"]:
            raise Error(config["problem"], "model_config_foreign")
        seen["model_config"] = config
    gpus = wanted.get("gpuCount") or 0
    return {
        "gpus": gpus,
        "gpu_nodes": _check_gpu(api_client, wanted, options["gpu_preflight"], warn) if gpus else None,
        "chart_values": values,
        "upgrade": bool(seen["upgrade_because"]),
        "namespace_exists": namespace_exists,
        **seen,
    }


def _namespace_exists(api_client: Any, namespace: str) -> bool:
    try:
        with explained("read namespace " + namespace):
            get(api_client, "/api/v1/namespaces/" + namespace)
    except Error as error:
        # An account with rights in its own namespace only may not ask; then it is there.
        if error.code not in ("not_found", "forbidden"):
            raise
        return bool(error.code == "forbidden")
    return True


def _look(release: Release, values: Values, wanted: Values, chart: helm_chart.Chart) -> Answer:
    secret, _age = release.store.read()
    record = helm_release.summary(secret)
    stored = record.pop("values") if record else {}
    objects = _objects(release, _has_parameters(wanted) or _has_parameters(stored))
    for kind, thing in objects.items():
        _check_owner(kind, thing, release)
    if "PersistentVolumeClaim" in objects:
        _check_claim(objects["PersistentVolumeClaim"], wanted["persistence"]["pvc"])
    missing = len(objects) < 3 + _has_parameters(stored)
    because = _why_upgrade(secret, record, missing, stored != values, chart)
    by_hand = edited(helm_release.manifest(secret), objects.values()) if secret and not because else []
    return {
        "release": record,
        "stored": stored,
        "pods": [pod["metadata"]["name"] for pod in release.all_pods()],
        "unlock": _in_the_way(record, because or by_hand),
        "upgrade_because": because + (["edited"] if by_hand else []),
        "edited": by_hand,
        "policy": policy(release, objects.get("Deployment")),
    }


def _objects(release: Release, with_parameters: bool) -> dict[str, Object]:
    """The chart's objects that are there. What is just being deleted is as good as gone."""
    objects = {
        "Deployment": release.deployment(), "Service": release.service(), "PersistentVolumeClaim": release.claim(),
        "ConfigMap": release.parameters() if with_parameters else None,
    }
    return {kind: thing for kind, thing in objects.items() if thing is not None and not leaving(thing)}


def _has_parameters(values: Values) -> bool:
    """Whether the chart makes its ConfigMap."""
    return bool(values.get("batching") or values.get("monitoring"))


def _why_upgrade(
    secret: Object | None, record: Object | None, missing: bool, other_values: bool, chart: helm_chart.Chart,
) -> list[str]:
    """Words; none where Helm has nothing to do."""
    if secret is None or record is None:
        return ["no_release"]
    if record["status"] != helm_release.DEPLOYED:
        return ["not_deployed"]
    return [
        *(["objects_missing"] if missing else []),
        *(["values"] if other_values else []),
        *helm_chart.differences(chart, helm_release.chart(secret)),
    ]


def _in_the_way(record: Object | None, because: list[str]) -> bool:
    """Would Helm refuse the record, or kubernetes.core.helm compare once more, and warn that it may miss a change?"""
    if record is None or record["status"] != helm_release.DEPLOYED:
        return record is not None and not helm_release.settled(record["status"])
    return bool(because)


def _check_owner(kind: str, thing: Object, release: Release) -> None:
    metadata = thing["metadata"]
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    owner = annotations.get("meta.helm.sh/release-namespace"), annotations.get("meta.helm.sh/release-name")
    if owner == (release.namespace, release.release) and labels.get("app.kubernetes.io/managed-by") == "Helm":
        return
    raise Error(
        "%s %s in namespace %s is not release %s's (%s): set serving_release or serving_namespace to another name, or remove"
        " it." % (
            kind, metadata["name"], release.namespace, release.release,
            "it belongs to release %s/%s" % owner if any(owner) else "Helm did not make it",
        ), "object_taken", kind=kind, name=metadata["name"],
    )


def _check_claim(claim: Object, wanted: Values) -> None:
    """A claim cannot be changed once it is made: say so before Helm fails halfway."""
    spec, name = claim["spec"], claim["metadata"]["name"]
    size = spec.get("resources", {}).get("requests", {}).get("storage")
    labels = spec.get("selector", {}).get("matchLabels", {})
    if size and quantity(size) != quantity(wanted["storage"]):
        raise _immutable(name, "serving_storage is %r, but the claim %s asks for %s" % (wanted["storage"], name, size))
    if labels != wanted["matchLabels"]:
        raise _immutable(
            name, "serving_volume_labels is %r, but the claim %s selects %r" % (wanted["matchLabels"], name, labels)
        )


def _immutable(claim: str, text: str) -> Error:
    return Error(
        "%s: a PersistentVolumeClaim cannot be changed: put the value back, or run playbooks/teardown.yml first (the model's"
        " data stays on the NAS)." % text, "claim_immutable", claim=claim,
    )


def _check_gpu(api_client: Any, values: Values, on_failure: str, warn: Callable[[str], None]) -> int | None:
    """How many nodes have that many GPUs; None where that may not be known."""
    count, selector = values["gpuCount"], values.get("nodeSelector") or {}
    try:
        with explained("list the nodes"):
            labels = ",".join("%s=%s" % item for item in sorted(selector.items()))
            nodes = get(api_client, "/api/v1/nodes", labelSelector=labels)["items"]
    except Error as error:
        if error.code != "forbidden":
            raise
        warn("Whether a node has a GPU is not known: this account may not list nodes. Grant it, or set gpu to false for the CPU.")
        return None
    allocatable = [int(node.get("status", {}).get("allocatable", {}).get(GPU, 0)) for node in nodes]
    most = max(allocatable, default=0)
    if most >= count:
        return len([gpus for gpus in allocatable if gpus >= count])
    message = (
        "gpu is true, but no node%s has %d allocatable %s (the most is %d of %d node%s): set gpu to false for the CPU image"
        % (" with serving_node_selector" if selector else "", count, GPU, most, len(nodes), "" if len(nodes) == 1 else "s")
    )
    if on_failure == "warn":
        warn(message + ", unless an autoscaler adds such a node.")
        return 0
    raise Error(
        message + ", add a GPU node, or set serving_gpu_preflight to warn where an autoscaler adds one.", "gpu_unavailable",
        nodes=len(nodes), most=most,
    )


def _difference(stored: Values, values: Values) -> list[str]:
    """Lines of a unified diff of Helm's values, for --check --diff."""
    before, after = (
        json.dumps(one, indent=2, sort_keys=True).splitlines() if one else [] for one in (stored, values)
    )
    return list(difflib.unified_diff(before, after, "values in the release", "values wanted", lineterm="", n=1))
