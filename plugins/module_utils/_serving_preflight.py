# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything that would keep a release from being installed, looked at before anything acts. Changes nothing."""
from __future__ import annotations

import difflib
import json
import re

from ansible_collections.mlops.tf_serving.plugins.module_utils import _release, _serving_values
from ansible_collections.mlops.tf_serving.plugins.module_utils._cluster import explained, get
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._names import gpu_wanted
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving import Cluster, policy
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_versions import pinned

GPU = "nvidia.com/gpu"


def preflight(api, settings, helm):
    """helm: callable that returns (path, version text) or raises an Error. Returns a dict for exit_json."""
    values = _serving_values.chart_values(settings)
    namespace, release = str(settings.get("namespace") or "default"), str(settings["release"])
    path, version = helm()
    warnings = []
    namespace_exists = _namespace_exists(api, namespace)
    seen = {"release": None, "pods": [], "stored": {}, "unlock": False, "policy": None, "model_config": None}
    if namespace_exists:
        seen = _look(Cluster(api, namespace, release), values)
        seen["model_config"] = pinned(api, namespace, release, str(settings["model_name"]))
        if "modelConfig" in values and seen["model_config"] and seen["model_config"]["problem"]:
            raise Error(seen["model_config"]["problem"], "model_config_foreign")
    if gpu_wanted(settings.get("gpu")):
        _check_gpu(api, values, str(settings.get("gpu_preflight") or "fail"), warnings)
    return {
        "values": values,
        "values_diff": _difference(seen["stored"], values),
        "release": seen["release"],
        "unlock": seen["unlock"],
        "pods": seen["pods"],
        "policy": seen["policy"],
        "model_config": seen["model_config"],
        "namespace_exists": namespace_exists,
        "helm": {"path": path, "version": version},
        "warnings": warnings,
    }


def helm_version(text, path):
    """The version in the output of `helm version --short`; an Error if that is not Helm 3 or later."""
    match = re.search(r"v(\d+)\.(\d+)\.\d+", text)
    if not match or int(match.group(1)) < 3:
        raise Error(
            "%s is not Helm 3 or later (it says %r): install one, or name it in serving_helm_binary." % (path, text.strip()),
            "helm_version",
        )
    return match.group(0)


def _namespace_exists(api, namespace):
    try:
        with explained("read namespace " + namespace):
            get(api, "/api/v1/namespaces/" + namespace)
    except Error as error:
        if error.code == "not_found":
            return False
        # An account with rights in its own namespace only may not ask; then it is there.
        if error.code == "forbidden":
            return True
        if error.code == "cluster_unauthorized":
            raise Error(
                "The Kubernetes API does not accept these credentials (401 Unauthorized): check KUBECONFIG, or"
                " K8S_AUTH_HOST and K8S_AUTH_API_KEY.", "cluster_unauthorized",
            ) from error
        raise
    return True


def _look(cluster, values):
    secret, _age = cluster.store.read()
    release = _release.summary(secret)
    stored = release.pop("values") if release else {}
    objects = {
        "Deployment": cluster.deployment(), "Service": cluster.service(), "PersistentVolumeClaim": cluster.claim(),
    }
    if _has_parameters(values) or _has_parameters(stored):
        objects["ConfigMap"] = cluster.parameters()
    made = 3 + _has_parameters(stored)
    # What is just being deleted is as good as gone.
    objects = {kind: thing for kind, thing in objects.items() if thing and not thing["metadata"].get("deletionTimestamp")}
    for kind, thing in objects.items():
        _check_owner(kind, thing, cluster)
    if "PersistentVolumeClaim" in objects:
        _check_claim(objects["PersistentVolumeClaim"], values["persistence"]["pvc"])
    status = release and release["status"]
    return {
        "release": release,
        "stored": stored,
        "pods": [pod["metadata"]["name"] for pod in cluster.pods()],
        # Helm compares values with its record only: it would not notice that objects are missing.
        "unlock": not _release.settled(status) or (status == _release.DEPLOYED and len(objects) < made),
        "policy": policy(cluster, objects.get("Deployment")),
    }


def _has_parameters(values):
    """Whether the chart makes its ConfigMap."""
    return bool(values.get("batching") or values.get("monitoring"))


def _check_owner(kind, thing, cluster):
    metadata = thing["metadata"]
    annotations = metadata.get("annotations") or {}
    owner = annotations.get("meta.helm.sh/release-namespace"), annotations.get("meta.helm.sh/release-name")
    if owner == (cluster.namespace, cluster.release) and (metadata.get("labels") or {}).get(
        "app.kubernetes.io/managed-by"
    ) == "Helm":
        return
    raise Error(
        "%s %s in namespace %s is not release %s's (%s): set serving_release or serving_namespace to another name, or remove"
        " it." % (
            kind, metadata["name"], cluster.namespace, cluster.release,
            "it belongs to release %s/%s" % owner if any(owner) else "Helm did not make it",
        ), "object_taken", kind=kind, name=metadata["name"],
    )


def _check_claim(claim, wanted):
    """A claim cannot be changed once it is made: say so before Helm fails halfway."""
    spec, name = claim["spec"], claim["metadata"]["name"]
    size = spec.get("resources", {}).get("requests", {}).get("storage")
    labels = spec.get("selector", {}).get("matchLabels", {})
    way_out = (
        "a PersistentVolumeClaim cannot be changed: put the value back, or run playbooks/teardown.yml first (the model's data"
        " stays on the NAS)"
    )
    if size and quantity(size) != quantity(wanted["storage"]):
        raise Error(
            "serving_storage is %r, but the claim %s asks for %s: %s." % (wanted["storage"], name, size, way_out),
            "claim_immutable", claim=name,
        )
    if labels != wanted["matchLabels"]:
        raise Error(
            "serving_volume_labels is %r, but the claim %s selects %r: %s." % (wanted["matchLabels"], name, labels, way_out),
            "claim_immutable", claim=name,
        )


def quantity(text):
    """A Kubernetes quantity as a number, so that 5Gi equals 5120Mi."""
    match = re.fullmatch(r"([0-9.]+)([eE][0-9]+)?([kMGTPE]?)(i?)", str(text))
    if not match:
        return text
    number, exponent, prefix, binary = match.groups()
    power = "kMGTPE".find(prefix.replace("K", "k")) + 1 if prefix else 0
    return float(number + (exponent or "")) * (1024 if binary else 1000) ** power


def _check_gpu(api, values, on_failure, warnings):
    wanted, selector = values["gpuCount"], values.get("nodeSelector", {})
    try:
        with explained("list the nodes"):
            labels = ",".join("%s=%s" % item for item in sorted(selector.items()))
            nodes = get(api, "/api/v1/nodes", labelSelector=labels)["items"]
    except Error as error:
        if error.code != "forbidden":
            raise
        warnings.append(
            "Whether a node has a GPU is not known: this account may not list nodes. Grant it, or set gpu to false for the CPU."
        )
        return
    most = max((int(node.get("status", {}).get("allocatable", {}).get(GPU, 0)) for node in nodes), default=0)
    if most >= wanted:
        return
    message = (
        "gpu is true, but no node%s has %d allocatable %s (the most is %d of %d node%s): set gpu to false for the CPU image"
        % (
            " with serving_node_selector" if selector else "", wanted, GPU, most, len(nodes), "" if len(nodes) == 1 else "s",
        )
    )
    if on_failure == "warn":
        warnings.append(message + ", unless an autoscaler adds such a node.")
        return
    raise Error(
        message + ", add a GPU node, or set serving_gpu_preflight to warn where an autoscaler adds one.", "gpu_unavailable",
        nodes=len(nodes), most=most,
    )


def _difference(stored, wanted):
    """Lines of a unified diff of Helm's values, for --check --diff."""
    before, after = (
        json.dumps(values, indent=2, sort_keys=True).splitlines() if values else [] for values in (stored, wanted)
    )
    return list(difflib.unified_diff(before, after, "values in the release", "values wanted", lineterm="", n=1))
