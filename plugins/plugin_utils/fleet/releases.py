# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The releases of our chart that a cluster has, and the variables of a model that would make each of them again."""
from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import helm_release, volume
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object, explained, get
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.workload import allowed
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import model_config
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.names import CHART, object_names

PAGE = 500  # objects an answer

# Values of the chart that are variables of role serving as they are; the name without serving_.
AS_THEY_ARE = {
    "imagePullPolicy": "image_pull_policy", "imagePullSecrets": "image_pull_secrets", "port": "port", "restPort": "rest_port",
    "batching": "batching", "monitoring": "monitoring", "gpuMemoryFraction": "gpu_memory_fraction", "parallelism": "parallelism",
    "maxConnectionAgeSeconds": "max_connection_age", "serviceType": "service_type", "serviceAnnotations": "service_annotations",
    "command": "command", "mountPath": "mount_path", "startTimeoutSeconds": "start_timeout", "maxUnavailable": "max_unavailable",
    "drainSeconds": "drain", "resources": "resources", "nodeSelector": "node_selector", "tolerations": "tolerations",
    "affinity": "affinity", "podAnnotations": "pod_annotations", "podSecurityContext": "pod_security_context",
    "securityContext": "security_context",
}
# Arguments of the server that follow from other variables, and come first.
DERIVED_ARGS = ("--port=", "--model_name=", "--model_base_path=")


@dataclasses.dataclass
class Deployed:
    """One release, with what was found beside it. values: what was chosen of the chart's."""

    namespace: str
    release: str
    record: Object  # revision, status, chart, updated
    values: Object
    replicas: int | None = None
    config: str | None = None  # the model config, where versions are pinned
    volume: Object | None = None

    @property
    def model_name(self) -> str | None:
        """What clients ask for, None where it is not known."""
        if self.config is None:
            return _flags(self.values).get("--model_name=")
        with allowed("model_config_foreign"):
            return model_config.model_name(self.config)
        return None

    @property
    def label(self) -> str | None:
        """The model, as the claim selects its volume by it."""
        labels = ((self.values.get("persistence") or {}).get("pvc") or {}).get("matchLabels") or {}
        return labels.get("model")


def read(api_client: Any, namespaces: Collection[str], warn: Callable[[str], None]) -> list[Deployed]:
    """By list calls, of these namespaces; of all where none is named. warn() takes a sentence."""
    wheres = ["/namespaces/" + namespace for namespace in sorted(set(namespaces))] or [""]
    found: list[Deployed] = []
    for where in wheres:
        found += _read(api_client, where, warn)
    volumes = _volumes(api_client, warn)
    for each in found:
        each.volume = volumes.get((each.namespace, object_names(each.release)["claim"]))
    return sorted(found, key=lambda each: (each.namespace, each.release))


def _read(api_client: Any, where: str, warn: Callable[[str], None]) -> list[Deployed]:
    deployments = {
        (thing["metadata"]["namespace"], thing["metadata"]["name"]): thing
        for thing in _listed(api_client, "/apis/apps/v1%s/deployments" % where, labelSelector="app.kubernetes.io/name=" + CHART)}
    found = [each for secret in _secrets(api_client, where, deployments.values()) for each in _decoded(secret, warn)]
    configs = {}
    if any(each.values.get("modelConfig") for each in found):
        configs = {
            (thing["metadata"]["namespace"], thing["metadata"]["name"]): thing
            for thing in _listed(api_client, "/api/v1%s/configmaps" % where, labelSelector="app.kubernetes.io/name=" + CHART)}
    for each in found:
        names = object_names(each.release)
        deployment, config = deployments.get((each.namespace, names["deployment"])), configs.get((each.namespace, names["model_config"]))
        each.replicas = deployment["spec"].get("replicas", 1) if deployment else None
        if each.values.get("modelConfig"):
            each.config = model_config.text_of(config or {})
    return found


def _secrets(api_client: Any, where: str, deployments: Collection[Object]) -> list[Object]:
    """The newest of each release. Of one that was given up before it ever stood the Deployment tells."""
    revisions: dict[tuple[str, str], list[Object]] = {}
    for secret in _listed(api_client, "/api/v1%s/secrets" % where, labelSelector="owner=helm,status!=superseded"):
        revisions.setdefault((secret["metadata"]["namespace"], secret["metadata"]["labels"]["name"]), []).append(secret)
    newest = {key: helm_release.latest(secrets) for key, secrets in revisions.items()}
    for deployment in deployments:
        key = deployment["metadata"]["namespace"], deployment["metadata"]["labels"].get("app.kubernetes.io/instance", "")
        if key not in newest:
            newest[key] = helm_release.Store(api_client, *key).read()[0]
    return [secret for secret in newest.values() if secret is not None]


def _decoded(secret: Object, warn: Callable[[str], None]) -> Iterator[Deployed]:
    """Nothing of another chart."""
    try:
        body = helm_release.decode(secret["data"]["release"])
    except Error as error:
        warn("%s (Secret %s in namespace %s)" % (error.message, secret["metadata"]["name"], secret["metadata"]["namespace"]))
        return
    if ((body.get("chart") or {}).get("metadata") or {}).get("name") == CHART:
        record = helm_release.summary(secret) or {}
        values = record.pop("values")
        yield Deployed(secret["metadata"]["namespace"], record["name"], record, values)


def _volumes(api_client: Any, warn: Callable[[str], None]) -> dict[tuple[str | None, str | None], Object]:
    """Our own, by the claim that they are for."""
    try:
        found = _listed(
            api_client, "/api/v1/persistentvolumes", labelSelector=",".join("=".join(label) for label in volume.MANAGED_BY.items()))
    except Error as error:
        if error.code != "forbidden":
            raise
        warn("What volumes the models have is not known: this account may not list PersistentVolumes (docs/rights.yml).")
        return {}
    return {volume.claimed_by(thing)[:2]: thing for thing in found}


def _listed(api_client: Any, path: str, **query: str) -> list[Object]:
    """Page after page."""
    items: list[Object] = []
    more: dict[str, str] = {}
    while True:
        with explained("list " + path):
            answer = get(api_client, path, limit=PAGE, **query, **more)
        items += answer["items"] or []
        more = {"continue": answer.get("metadata", {}).get("continue") or ""}
        if not more["continue"]:
            return items


# Back to variables. Pure.

def variables(found: Deployed) -> dict[str, Any]:
    """Those that role variables say the same by. What only the NAS or the inventory knows is not among them: archive, node, check."""
    return {"serving_release": found.release, "serving_namespace": found.namespace, **dict(_of_the_model(found)),
            **dict(_of_the_values(found.values)), **dict(_of_the_volume(found.volume)),
            **({"scaling_replicas": found.replicas} if found.replicas is not None else {})}


def _of_the_model(found: Deployed) -> Iterator[tuple[str, Any]]:
    if found.model_name:
        yield "model_name", found.model_name
    yield "serving_version_policy", "pinned" if found.values.get("modelConfig") else "latest"


def _of_the_values(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from (("serving_" + name, values[value]) for value, name in AS_THEY_ARE.items() if value in values)
    gpus = values.get("gpuCount") or 0
    yield "gpu", bool(gpus)
    if gpus:
        yield "serving_gpu_count", gpus
    if values.get("image"):
        yield "serving_gpu_image" if gpus else "serving_image", values["image"]
    own = [word for word in values.get("args") or [] if not word.startswith(DERIVED_ARGS)]
    if own:
        yield "serving_args", own
    claim = (values.get("persistence") or {}).get("pvc") or {}
    if claim.get("storage"):
        yield "serving_storage", claim["storage"]
    if claim.get("matchLabels"):
        yield "serving_volume_labels", claim["matchLabels"]


def _flags(values: Mapping[str, Any]) -> dict[str, str]:
    """{flag: what it says} of the derived arguments. A container's arguments have $$ for a $."""
    return {flag: word.removeprefix(flag).replace("$$", "$")
            for word in values.get("args") or [] for flag in DERIVED_ARGS if word.startswith(flag)}


def _of_the_volume(there: Object | None) -> Iterator[tuple[str, Any]]:
    if there is None:
        return
    spec = there["spec"]
    yield from (("volume_name", there["metadata"]["name"]), ("volume_size", spec["capacity"]["storage"]))
    if there["metadata"]["labels"].get("model"):
        yield "volume_model", there["metadata"]["labels"]["model"]
    if "flexVolume" in spec:
        options = spec["flexVolume"].get("options") or {}
        yield from (("volume_driver", "flexvolume"), ("volume_nfs_version", options.get("vers")), ("volume_mode", options.get("mode")))
        yield from _of_the_place(options)
        if options.get("options"):
            yield "volume_mount_options", options["options"].split(",")
        return
    csi = spec.get("csi")
    yield "volume_driver", "csi" if csi else "nfs"
    yield from _of_the_place((csi.get("volumeAttributes") if csi else spec.get("nfs")) or {})
    yield from _of_the_mount(spec.get("mountOptions") or [])


def _of_the_place(source: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if source.get("server"):
        yield "model_nas_server", source["server"]
    if source.get("path"):
        yield "model_base_path", source["path"]


def _of_the_mount(options: Sequence[str]) -> Iterator[tuple[str, Any]]:
    versions = [option.removeprefix("vers=") for option in options if option.startswith("vers=")]
    if [*volume.USUAL_MOUNT_OPTIONS, *("vers=" + version for version in versions)] == list(options) and len(versions) == 1:
        yield "volume_nfs_version", versions[0]
    elif options:
        yield "volume_mount_options", list(options)


def host_names(found: Sequence[Deployed]) -> list[str]:
    """A name for each: the model's, else the release's; with the namespace, or the release as well, where two would be one."""
    ways: tuple[Callable[[Deployed], str], ...] = (
        lambda each: each.model_name or each.label or each.release,
        lambda each: "%s.%s" % (each.model_name or each.label or each.release, each.namespace),
        lambda each: "%s.%s" % (each.release, each.namespace),
    )
    columns = [[way(each) for each in found] for way in ways]
    counts = [Counter(column) for column in columns]
    return [
        next((name for name, count in zip(names, counts) if count[name] == 1), names[-1]) for names in zip(*columns)]
