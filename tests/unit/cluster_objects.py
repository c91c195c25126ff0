"""Objects of the release mnist-deploy as the cluster has them, for fake_api."""
from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import helm_chart

CHART = Path(__file__).resolve().parents[2] / "roles" / "serving" / "files" / "acs-tensorflow-serving"
CORE, APPS = "/api/v1/namespaces/default/", "/apis/apps/v1/namespaces/default/"
DEPLOYMENT = APPS + "deployments/mnist-deploy-serving"
SERVICE = CORE + "services/mnist-deploy-acs-tensorflow-serving"
CLAIM = CORE + "persistentvolumeclaims/mnist-deploy-acs-tensorflow-serving"
PARAMETERS = CORE + "configmaps/mnist-deploy-serving"
MODEL_CONFIG = CORE + "configmaps/mnist-deploy-model-config"
CHECKS = CORE + "configmaps/mnist-deploy-check"
RECORD = CORE + "secrets/sh.helm.release.v1.mnist-deploy.v1"
HELMS = {
    "labels": {"app.kubernetes.io/managed-by": "Helm"},
    "annotations": {"meta.helm.sh/release-name": "mnist-deploy", "meta.helm.sh/release-namespace": "default"},
}
POD_LABELS = {"app.kubernetes.io/name": "acs-tensorflow-serving", "app.kubernetes.io/instance": "mnist-deploy"}
VALUES = {
    "gpuCount": 0, "mountPath": "/serving/model/mnist",
    "persistence": {"pvc": {"storage": "5Gi", "matchLabels": {"model": "mnist"}}},
}
LOADED = (
    "2026-11-25 12:00:00.0: I loader_harness.cc:86] Successfully loaded servable version {name: mnist version: 1}\n"
    "2026-11-25 12:00:01.0: I main.cc:284] Running ModelServer at 0.0.0.0:9090 ...\n"
)


def chart_in_record(folder=CHART):
    """As Helm writes it."""
    chart = helm_chart.read(folder)
    return {
        "metadata": {"name": chart["name"], "version": chart["version"], "apiVersion": "v2"},
        "templates": [
            {"name": name, "data": base64.b64encode(data).decode()} for name, data in reversed(chart["templates"].items())
        ],
        "values": chart["values"], "schema": base64.b64encode(chart["schema"]).decode(), "files": [],
    }


def record(version=1, status="deployed", values=None, chart=None, manifest="", **metadata):
    """Helm's Secret, without its name."""
    body = {
        "name": "mnist-deploy", "version": version, "namespace": "default",
        "info": {"status": status, "last_deployed": "2026-11-25T11:00:00Z"},
        "chart": chart_in_record() if chart is None else chart, "config": VALUES if values is None else values,
        "manifest": manifest,
    }
    return {
        "metadata": {
            "labels": {"owner": "helm", "name": "mnist-deploy", "status": status, "version": str(version)},
            "creationTimestamp": "2026-11-25T11:00:00Z", **metadata,
        },
        "data": {"release": base64.b64encode(base64.b64encode(gzip.compress(json.dumps(body).encode()))).decode()},
    }


def deployment(replicas=1, ready=None, existing=None, updated=None, observed=1, gpus=0, **spec):
    ready = replicas if ready is None else ready
    existing = ready if existing is None else existing
    status = {
        "observedGeneration": observed, "replicas": existing, "readyReplicas": ready, "availableReplicas": ready,
        "updatedReplicas": existing if updated is None else updated,
    }
    limits = {"limits": {"nvidia.com/gpu": str(gpus)}} if gpus else {}
    container = {"name": "serving", "image": "tensorflow-serving:1.4.0", "resources": limits}
    return {
        "metadata": {**HELMS, "generation": 1},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": POD_LABELS}, "template": {"spec": {"containers": [container]}},
            **spec,
        },
        "status": {key: value for key, value in status.items() if value},  # the API server leaves zeros out
    }


def pod(ready=True, created="2026-11-25T11:00:00Z", container=None, conditions=(), **more):
    state = {"state": {"running": {"startedAt": created}}} if container is None else container
    return {
        "metadata": {"labels": POD_LABELS, "creationTimestamp": created},
        "spec": {"nodeName": "node-1", "containers": []},
        "status": {
            "phase": "Running", "podIP": "10.2.0.1", "conditions": [{"type": "Ready", "status": str(ready)}, *conditions],
            "containerStatuses": [{"name": "serving", "restartCount": 0, "image": "tensorflow-serving:1.4.0", **state}],
        },
        **more,
    }


def service(kind="ClusterIP", ingress=None, **more):
    return {
        "metadata": HELMS,
        "spec": {"type": kind, "clusterIP": "10.1.0.1", "ports": [{"name": "rest", "port": 8501}, {"name": "grpc", "port": 9090}]},
        "status": {"loadBalancer": {"ingress": [ingress]} if ingress else {}}, **more,
    }


def claim(storage="5Gi", labels=None):
    return {
        "metadata": HELMS,
        "spec": {
            "resources": {"requests": {"storage": storage}},
            "selector": {"matchLabels": {"model": "mnist"} if labels is None else labels},
        },
    }


def install(api):
    """A release that serves, with one pod."""
    api.add("/api/v1/namespaces/default")
    api.add(RECORD, **record())
    api.add(DEPLOYMENT, **deployment())
    api.add(SERVICE, **service())
    api.add(CLAIM, **claim())
    api.add(CORE + "pods/pod-1", **pod())
    api.logs["pod-1"] = LOADED
