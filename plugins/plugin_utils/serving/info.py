# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What serves under a release, as plain data for people and plays."""
from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import helm_release, rollout_reasons
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.sync import leaving
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import server_log
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.release import CONTAINER, Release, policy

Status = dict[str, Any]  # documented in module serving_info

LOG_LINES = 10


def info(release: Release, known_pods: Collection[str] | None) -> Status:
    """The status as it is now. known_pods: names of pods that are not this run's; None: all are."""
    deployment = release.deployment()
    warnings: list[str] = []
    pods = [_pod(pod, known_pods) for pod in release.all_pods()]
    for pod in pods:
        # A GPU is there for good or not at all, a version comes and goes: both stand in the log while it lasts.
        read_log(release, pod)
    service = service_of(release.service())
    return {
        "release": _without_values(helm_release.summary(release.store.read()[0])),
        "policy": policy(release, deployment),
        "deployment": deployment and _deployment(deployment),
        "service": service,
        "address": address_of(service),
        "reached_at": reached_at(service),
        "pods": pods,
        "checks": release.checks(warnings.append),
        "warnings": warnings,
    }


def _without_values(release: Object | None) -> Object | None:
    return release and {key: value for key, value in release.items() if key != "values"}


def _deployment(deployment: Object) -> Object:
    status, template = deployment.get("status", {}), deployment["spec"]["template"]
    return {
        "name": deployment["metadata"]["name"],
        "desired": deployment["spec"].get("replicas", 1),
        "updated": status.get("updatedReplicas", 0),
        "ready": status.get("readyReplicas", 0),
        "available": status.get("availableReplicas", 0),
        "image": next((one["image"] for one in template["spec"]["containers"] if one["name"] == CONTAINER), None),
        "gpus": rollout_reasons.gpus(template),
    }


def service_of(service: Object | None) -> Object | None:
    if service is None:
        return None
    spec = service["spec"]
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    port = next((port for port in spec["ports"] if port.get("name") == "grpc"), spec["ports"][0])
    balanced = spec["type"] == "LoadBalancer"
    return {
        "name": service["metadata"]["name"],
        "type": spec["type"],
        "address": ingress[0].get("ip") or ingress[0].get("hostname") if balanced else spec.get("clusterIP"),
        "port": port["port"],
        "node_port": port.get("nodePort"),
        "reachable": None,
    }


def address_of(service: Object | None) -> str:
    """HOST:PORT of a load balancer, '' where there is none."""
    if service is None or service["type"] != "LoadBalancer" or not service["address"]:
        return ""
    return host_and_port(service)


def reached_at(service: Object | None) -> str:
    """Where clients find it, in words."""
    if service is None:
        return "none"
    if not service["address"]:
        return "none yet"
    if service["type"] == "LoadBalancer":
        return host_and_port(service)
    if service["node_port"]:
        return "port %s of every node, and %s from inside the cluster" % (service["node_port"], host_and_port(service))
    return "%s, from inside the cluster only" % host_and_port(service)


def host_and_port(service: Object) -> str:
    return ("[%s]:%s" if ":" in service["address"] else "%s:%s") % (service["address"], service["port"])


def _pod(pod: Object, known_pods: Collection[str] | None) -> Object:
    status, name = pod.get("status", {}), pod["metadata"]["name"]
    container: Object = next((one for one in status.get("containerStatuses", ()) if one["name"] == CONTAINER), {})
    waiting = container.get("state", {}).get("waiting", {}).get("reason")
    return {
        "name": name,
        "node": pod["spec"].get("nodeName"),
        "phase": "Terminating" if leaving(pod) else waiting or status.get("phase"),
        "ready": rollout_reasons.ready(pod) and not leaving(pod),
        "restarts": container.get("restartCount", 0),
        "started": container.get("state", {}).get("running", {}).get("startedAt"),
        "ip": status.get("podIP"),
        "terminating": leaving(pod),
        "new": known_pods is not None and name not in known_pods,
    }


def read_log(release: Release, pod: Object) -> None:
    """Add to the pod what its log says."""
    text = release.log(pod["name"]) if pod["started"] else None
    facts = server_log.parse(text or "")
    pod["model_loaded"] = sorted({servable["version"] for servable in facts["loaded"]})
    pod["gpu_device"] = facts["gpu_device"]
    pod["unknown_arguments"] = facts["unknown_arguments"]
    pod["log"] = {
        "readable": text is not None,
        "telling": facts["telling"],
        "from_start": facts["from_start"],
        "gpu_reason": facts["gpu_reason"],
        "lines": facts["lines"][-LOG_LINES:],
    }
