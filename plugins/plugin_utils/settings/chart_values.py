# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The values of chart acs-tensorflow-serving for what is settled of a release. Pure."""
from __future__ import annotations

import re
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.names import object_names
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.record import Serving

# What a variable (without serving_) needs of the server, and since which release of TensorFlow Serving it has that. Batching
# and parallelism: always.
FEATURES = {
    "gpu_memory_fraction": ("--per_process_gpu_memory_fraction", (1, 5)),
    "max_connection_age": ("--grpc_channel_arguments", (1, 6)),
    "rest_port": ("--rest_api_port", (1, 8)),
    "tls_secret": ("--ssl_config_file", (1, 10)),
    "monitoring": ("--monitoring_config_file", (1, 11)),
    "version_policy": ("--allow_version_labels_for_unavailable_models", (1, 15)),  # pinned
}
CONNECTION_AGE = 30  # seconds
USER = 1000  # of restricted pods: any but root will do, for published files are everybody's to read


def chart_values(serving: Serving) -> dict[str, Any]:
    pinned = serving.version_policy == "pinned"
    values = {
        # gpu picks the image and the count together.
        "image": serving.gpu_image if serving.gpu else serving.image,
        "imagePullPolicy": serving.image_pull_policy,
        "imagePullSecrets": serving.image_pull_secrets,
        "gpuCount": serving.gpu_count if serving.gpu else 0,
        "port": serving.port,
        "restPort": serving.rest_port,
        "modelConfig": {"configMap": object_names(serving.release)["model_config"]} if pinned else {},
        "batching": serving.batching,
        "monitoring": serving.monitoring or None,
        # serving_preflight adds the certificate's checksum.
        "tls": _tls(serving),
        "networkPolicy": serving.network_policy,
        "gpuMemoryFraction": serving.gpu_memory_fraction if serving.gpu else None,
        "parallelism": serving.parallelism,
        "maxConnectionAgeSeconds": _connection_age(serving),
        "serviceType": serving.service_type,
        "serviceAnnotations": serving.service_annotations,
        "command": serving.command,
        "args": [
            "--port=%d" % serving.port,
            # Pinned servers read both in the model config.
            *([] if pinned else [
                "--model_name=" + _literal(serving.model_name), "--model_base_path=" + _literal(serving.mount_path)]),
            *serving.args,
        ],
        "mountPath": serving.mount_path,
        "persistence": {"pvc": {"storage": serving.storage, "matchLabels": serving.volume_labels}},
        "startTimeoutSeconds": serving.start_timeout,
        "maxUnavailable": serving.max_unavailable,
        "drainSeconds": serving.drain,
        "resources": serving.resources,
        "nodeSelector": serving.node_selector,
        "tolerations": serving.tolerations,
        "affinity": serving.affinity,
        "podAnnotations": serving.pod_annotations,
        "podSecurityContext": {**_user(serving), **serving.pod_security_context},
        "securityContext": {
            **({"readOnlyRootFilesystem": True} if serving.pod_security == "restricted" else {}), **serving.security_context},
    }
    # What is empty is left to the chart, so that its record in the cluster shows what was chosen.
    return {key: value for key, value in values.items() if value is not None and value not in ({}, [])}


def server_release(version: str | None, image: str) -> tuple[tuple[int, int] | None, str]:
    """((major, minor) of the server, who says so); (None, '') where nobody does."""
    source = "serving_version" if version else "the tag of " + image
    # A registry may have a port, and a digest has digits too: the tag stands after the last / and before the @.
    text = version or image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    number = re.search(r"([0-9]+)\.([0-9]+)(\.[0-9]+)?", text)
    if number is None:
        return None, ""
    return (int(number[1]), int(number[2])), "%s says %s" % (source, number[0])


def saved_model_tags(args: list[str]) -> list[str]:
    """Of the graph that servers load. Of a flag given twice they heed the last."""
    flag = "--saved_model_tags="
    given = [word.removeprefix(flag) for word in args if word.startswith(flag)]
    return given[-1].split(",") if given else ["serve"]


def _literal(text: str) -> str:
    """In a container's arguments Kubernetes takes $(NAME) for a variable, and $$ for a $."""
    return text.replace("$", "$$")


def _connection_age(serving: Serving) -> int | None:
    """Without it a client stays with the pods that it found first. serving_args may have the flag with other arguments."""
    flag, since = FEATURES["max_connection_age"]
    release, _source = server_release(serving.version, serving.gpu_image if serving.gpu else serving.image)
    if serving.max_connection_age is None and release and release >= since and not any(
        word.startswith(flag) for word in serving.args
    ):
        return CONNECTION_AGE
    return serving.max_connection_age


def _tls(serving: Serving) -> dict[str, Any]:
    if not serving.tls_secret:
        return {}
    return {"secret": serving.tls_secret, **({"clientVerify": True} if serving.tls_client_verify else {})}


def _user(serving: Serving) -> dict[str, Any]:
    user = USER if serving.run_as_user is None and serving.pod_security == "restricted" else serving.run_as_user
    if user is None:
        return {}
    return {"runAsUser": user, "runAsGroup": user, **({"runAsNonRoot": True} if user else {})}
