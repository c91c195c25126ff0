# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What serves under a release, and the one wait until it does: ends with the reason found in the cluster."""
from __future__ import annotations

import contextlib
import socket
import time

from ansible_collections.mlops.tf_serving.plugins.module_utils import _check_history, _reasons, _release, _server_log
from ansible_collections.mlops.tf_serving.plugins.module_utils._cluster import explained, listed, named, reply
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._names import object_names

POLL = 1
CONTAINER = "serving"
# Start-up stands at a log's beginning; a log of months can be large.
LOG_BYTES = 512 * 1024
# The port opens a moment before the container runtime has written the last line.
LOG_PATIENCE = 10
# Of the probe at a load balancer's address: kube-proxy or a cloud needs a moment after the address is there.
PROBE_FIRST, PROBE_LATER, CONNECT = 15, 3, 1


class Cluster:
    """Reads the objects of one release as plain dicts. None: not there, or (ReplicaSets, events, logs) not allowed."""

    def __init__(self, api, namespace, release):
        self.api, self.namespace, self.release, self.names = api, namespace, release, object_names(release)
        self.store = _release.Store(api, namespace, release)

    def deployment(self):
        return self._get("apis/apps/v1", "deployments", self.names["deployment"])

    def service(self):
        return self._get("api/v1", "services", self.names["service"])

    def claim(self):
        return self._get("api/v1", "persistentvolumeclaims", self.names["claim"])

    def parameters(self):
        return self._get("api/v1", "configmaps", self.names["parameters"])

    def pods(self):
        pods = self._list("api/v1", "pods", labelSelector=self.names["selector"])
        return sorted(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))

    def events(self, name):
        """The events about an object of that name, None where the account may not list events."""
        with _allowed():
            return self._list("api/v1", "events", fieldSelector="involvedObject.name=" + name)

    def log(self, pod, previous=False):
        """The container's log from its beginning, None if there is none or the account may not read it."""
        with _allowed("forbidden", "not_found", "api_error"), explained("read the log of pod " + pod):
            return reply(
                self.api, "/api/v1/namespaces/%s/pods/%s/log" % (self.namespace, pod), container=CONTAINER,
                previous=str(previous).lower(), limitBytes=LOG_BYTES,
            ).data.decode(errors="replace")

    def checks(self, warn):
        """The last results of the inference check."""
        return _check_history.last_results(self.api, self.namespace, self.release, warn)

    def seen(self):
        """What _reasons.find wants; events of the troubled pods only."""
        seen = {"deployment": self.deployment(), "pods": self.pods(), "claim": self.claim(), "replica_sets": None}
        with _allowed():
            seen["replica_sets"] = self._list("apis/apps/v1", "replicasets", labelSelector=self.names["selector"])
        seen["events"] = []
        for pod in [pod for pod in _reasons.current_pods(seen) if not _reasons.ready(pod)][:5]:
            events = self.events(pod["metadata"]["name"])
            if events is None:
                return dict(seen, events=None)
            seen["events"] += events
        return seen

    def _get(self, group, kind, name):
        return named(self.api, group, kind, self.namespace, name)

    def _list(self, group, kind, **selector):
        return listed(self.api, group, kind, self.namespace, **selector)


@contextlib.contextmanager
def _allowed(*codes):
    """What an account may not read is not an error here: less can be explained."""
    try:
        yield
    except Error as error:
        if error.code not in (codes or ("forbidden",)):
            raise


def policy(cluster, deployment):
    """serving_version_policy of a Deployment: pinned where it mounts the release's model config. None: no Deployment."""
    if deployment is None:
        return None
    mounted = [
        source.get("configMap", {}).get("name")
        for volume in deployment["spec"]["template"]["spec"].get("volumes", ())
        for source in volume.get("projected", {}).get("sources", ())
    ]
    return "pinned" if cluster.names["model_config"] in mounted else "latest"


def info(cluster, known_pods=None):
    """The status as it is now. known_pods: names of pods that are not this run's; None: all are."""
    deployment, warnings = cluster.deployment(), []
    pods = [_pod(pod, known_pods) for pod in cluster.pods()]
    for pod in pods:
        # A GPU is there for good or not at all, a version comes and goes: both stand in the log while it lasts.
        _read_log(cluster, pod)
    service = _service(cluster.service())
    return {
        "release": _without_values(_release.summary(cluster.store.read()[0])),
        "policy": policy(cluster, deployment),
        "deployment": deployment and _deployment(deployment),
        "service": service,
        "address": _address(service),
        "pods": pods,
        "checks": cluster.checks(warnings.append),
        "warnings": warnings,
    }


def wait(cluster, timeout, known_pods=None, pending_timeout=30, address_timeout=180):
    """Wait until the release is rolled out and its pods say that they serve; return info()."""
    deadline = time.monotonic() + timeout
    _check_release(cluster)
    _wait_for_rollout(cluster, deadline, timeout, known_pods, pending_timeout)
    status = info(cluster, known_pods)
    _check_pods(cluster, status)
    _reach(cluster, status, address_timeout)
    return status


def _check_release(cluster):
    """Helm can exit 0 and leave the record pending: the record counts, not the exit code."""
    release = _release.summary(cluster.store.read()[0])
    if release is None:
        raise Error(
            "There is no Helm release %s in namespace %s: install it with role serving (playbooks/site.yml)."
            % (cluster.release, cluster.namespace), "release_missing",
        )
    if release["status"] != _release.DEPLOYED:
        raise Error(
            "Helm's record of release %s (revision %s) says %s, not deployed. If Helm itself reported success, the account"
            " may not update Secrets in namespace %s: grant get, list, create, update and delete on secrets; then run"
            " again." % (release["name"], release["revision"], release["status"], cluster.namespace),
            "release_not_deployed", status=release["status"],
        )


def _wait_for_rollout(cluster, deadline, timeout, known_pods, pending_timeout):
    first_seen = {}
    while True:
        deployment = cluster.deployment()
        if deployment is None:
            raise Error(
                "Release %s is installed, but its Deployment %s is missing in namespace %s: somebody removed it. Run"
                " playbooks/site.yml, which makes it again." % (
                    cluster.release, cluster.names["deployment"], cluster.namespace
                ), "deployment_missing",
            )
        if _reasons.rolled_out(deployment):
            return
        seen = cluster.seen()
        if seen["deployment"] is None or _reasons.rolled_out(seen["deployment"]):
            continue
        now = time.monotonic()
        reasons = _reasons.find(seen, known_pods or (), pending_timeout)
        first_seen = {reason.key: first_seen.get(reason.key, now) for reason in reasons}
        for reason in reasons:
            if now - first_seen[reason.key] >= reason.patience:
                raise _explained(cluster, reason.code, reason.text, reason.pod)
        if now >= deadline:
            if reasons:
                raise _explained(cluster, reasons[0].code, _late(timeout) + reasons[0].text, reasons[0].pod)
            waiting = [pod for pod in _reasons.current_pods(seen) if not _reasons.ready(pod)]
            raise _explained(
                cluster, "rollout_timeout", _late(timeout) + _reasons.describe(seen),
                waiting[0]["metadata"]["name"] if waiting else None,
            )
        time.sleep(POLL)


def _late(timeout):
    return "Not rolled out after %d s (serving_timeout). " % timeout


def _explained(cluster, code, text, pod):
    """The Error, with the end of the pod's log and what that means."""
    # While a container waits for its restart, its log is the one that tells; once it runs again, the one before.
    log = (pod and (cluster.log(pod, previous=True) or cluster.log(pod))) or ""
    parts = [text.rstrip("."), _server_log.meaning(log).rstrip(".")]
    message = ". ".join(part for part in parts if part) + "."
    if log.strip():
        message += " The log of %s ends:\n%s" % (pod, _server_log.tail(log))
    return Error(message, code, pod=pod, log=_server_log.tail(log, 40))


def _check_pods(cluster, status):
    """What the pods say of themselves. Of an older pod the first lines may be gone: then nothing is concluded."""
    deadline = time.monotonic() + LOG_PATIENCE
    for pod in status["pods"]:
        if pod["terminating"]:
            continue
        while pod["new"] and not pod["model_loaded"] and pod["log"]["readable"] and time.monotonic() < deadline:
            time.sleep(POLL)
            _read_log(cluster, pod)
        if pod["unknown_arguments"]:
            raise Error(
                "Pod %s says: %s. The server started without it: correct serving_args, or use an image that knows it."
                % (pod["name"], next(line for line in pod["log"]["lines"] if "unknown argument" in line.lower())),
                "unknown_argument", pod=pod["name"], arguments=pod["unknown_arguments"],
            )
        if pod["log"]["from_start"] or (pod["new"] and pod["log"]["telling"]):
            _check_gpu_device(pod, status["deployment"]["gpus"])
        if pod["new"]:
            _check_load(cluster, pod, status["warnings"])


def _check_gpu_device(pod, gpus):
    if not gpus or pod["gpu_device"]:
        return
    reason = pod["log"]["gpu_reason"]
    raise Error(
        "Pod %s has %d nvidia.com/gpu, but no GPU device was created: it serves on the CPU. %s Look at the node's NVIDIA"
        " driver and at serving_gpu_image, or set gpu to false." % (
            pod["name"], gpus,
            "The server says: %s." % reason.rstrip(".") if reason else "The server's log gives no reason.",
        ),
        "gpu_missing", pod=pod["name"], reason=reason,
    )


def _check_load(cluster, pod, warnings):
    if not pod["log"]["readable"]:
        warnings.append(
            "The log of pod %s cannot be read (grant get on pods/log): what it loaded is not known." % pod["name"]
        )
    elif not pod["log"]["telling"]:
        warnings.append(
            "The log of pod %s says nothing of a model server: what it loaded is not known." % pod["name"]
        )
    elif not pod["model_loaded"]:
        raise _explained(
            cluster, "model_not_loaded",
            "Pod %s has its port open, but its log does not say that a model version is loaded" % pod["name"], pod["name"],
        )


def _reach(cluster, status, timeout):
    """A load balancer's address is waited for, then tried with short fresh connects: one channel that is opened in
    the first second can hang for 20."""
    service = status["service"]
    if service is None or service["type"] != "LoadBalancer":
        return
    deadline = time.monotonic() + timeout
    while not service["address"]:
        if time.monotonic() >= deadline:
            events = [e for e in cluster.events(service["name"]) or () if e.get("type") == "Warning"]
            raise Error(
                "Service %s of type LoadBalancer has no address after %d s%s. Does this cluster have a load balancer"
                " controller? If not, set serving_service_type to ClusterIP or NodePort; if it is slow, raise"
                " serving_address_timeout." % (service["name"], timeout, ": " + events[-1]["message"] if events else ""),
                "no_address",
            )
        time.sleep(POLL)
        service.update(_service(cluster.service()) or {})
    status["address"] = _address(service)
    fresh = any(pod["new"] for pod in status["pods"])
    service["reachable"] = not any(pod["ready"] for pod in status["pods"]) or _connects(
        service["address"], service["port"], PROBE_FIRST if fresh else PROBE_LATER
    )
    if not service["reachable"]:
        status["warnings"].append(
            "%s:%s does not answer from this controller: it may be reachable from elsewhere only."
            % (service["address"], service["port"])
        )


def _connects(address, port, seconds):
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((address, port), timeout=CONNECT).close()
            return True
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.2)


def _without_values(release):
    return release and {key: value for key, value in release.items() if key != "values"}


def _deployment(deployment):
    status, template = deployment.get("status", {}), deployment["spec"]["template"]
    return {
        "name": deployment["metadata"]["name"],
        "desired": deployment["spec"].get("replicas", 1),
        "updated": status.get("updatedReplicas", 0),
        "ready": status.get("readyReplicas", 0),
        "available": status.get("availableReplicas", 0),
        "image": next((c["image"] for c in template["spec"]["containers"] if c["name"] == CONTAINER), None),
        "gpus": _reasons.gpus(template),
    }


def _service(service):
    if service is None:
        return None
    spec = service["spec"]
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    port = next((port for port in spec["ports"] if port.get("name") == "grpc"), spec["ports"][0])
    address = ingress[0].get("ip") or ingress[0].get("hostname") if spec["type"] == "LoadBalancer" else spec.get("clusterIP")
    return {
        "name": service["metadata"]["name"],
        "type": spec["type"],
        "address": address,
        "port": port["port"],
        "node_port": port.get("nodePort"),
        "reachable": None,
    }


def _address(service):
    """HOST:PORT of a load balancer, '' where there is none."""
    if service is None or service["type"] != "LoadBalancer" or not service["address"]:
        return ""
    return ("[%s]:%s" if ":" in service["address"] else "%s:%s") % (service["address"], service["port"])


def _pod(pod, known_pods):
    status = pod.get("status", {})
    container = next((c for c in status.get("containerStatuses", ()) if c["name"] == CONTAINER), {})
    terminating = bool(pod["metadata"].get("deletionTimestamp"))
    waiting = container.get("state", {}).get("waiting", {}).get("reason")
    return {
        "name": pod["metadata"]["name"],
        "node": pod["spec"].get("nodeName"),
        "phase": "Terminating" if terminating else waiting or status.get("phase"),
        "ready": _reasons.ready(pod) and not terminating,
        "restarts": container.get("restartCount", 0),
        "started": container.get("state", {}).get("running", {}).get("startedAt"),
        "ip": status.get("podIP"),
        "terminating": terminating,
        "new": known_pods is not None and pod["metadata"]["name"] not in known_pods,
        "model_loaded": [],
        "gpu_device": None,
        "unknown_arguments": [],
        "log": {"readable": False, "telling": False, "from_start": False, "gpu_reason": None, "lines": []},
    }


def _read_log(cluster, pod):
    text = cluster.log(pod["name"]) if pod["started"] else None
    facts = _server_log.parse(text or "")
    pod["model_loaded"] = sorted({servable["version"] for servable in facts["loaded"]})
    pod["gpu_device"] = facts["gpu_device"]
    pod["unknown_arguments"] = facts["unknown_arguments"]
    pod["log"] = {
        "readable": text is not None,
        "telling": facts["telling"],
        "from_start": facts["from_start"],
        "gpu_reason": facts["gpu_reason"],
        "lines": facts["lines"][-10:],
    }
