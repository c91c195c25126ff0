# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The wait until a release serves: rolled out, its model loaded, its address there. Ends with the reason found in the cluster."""
from __future__ import annotations

import socket
import time
from collections.abc import Collection

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.sentences import joined
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import helm_release, rollout_reasons, workload
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.rollout_reasons import Reason
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import load_reasons, server_log
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.info import (
    Status,
    address_of,
    info,
    reached_at,
    read_log,
    service_of,
)
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.release import Release
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.waiting import waits_for

POLL = 1  # seconds
# The port opens a moment before the container runtime has written the last line.
LOG_PATIENCE = 10
# Of the probe at a load balancer's address: kube-proxy or a cloud needs a moment after the address is there.
PROBE_FIRST, PROBE_LATER, CONNECT = 15, 3, 1


def wait(
    release: Release, timeout: float, known_pods: Collection[str] | None, pending_timeout: float, address_timeout: float,
) -> Status:
    """Wait until the release is rolled out and its pods say that they serve; return info()."""
    _check_record(release)
    _wait_for_rollout(release, timeout, known_pods, pending_timeout)
    status = info(release, known_pods)
    _check_pods(release, status)
    _reach(release, status, address_timeout)
    return status


def _check_record(release: Release) -> None:
    """Helm can exit 0 and leave the record pending: the record counts, not the exit code."""
    record = helm_release.summary(release.store.read()[0])
    if record is None:
        raise Error(
            "There is no Helm release %s in namespace %s: install it with role serving (playbooks/site.yml)."
            % (release.release, release.namespace), "release_missing",
        )
    if record["status"] != helm_release.DEPLOYED:
        raise Error(
            "Helm's record of release %s (revision %s) says %s, not deployed. If Helm itself reported success, the account"
            " may not update Secrets in namespace %s: grant get, list, create, update and delete on secrets; then run"
            " again." % (record["name"], record["revision"], record["status"], release.namespace),
            "release_not_deployed", status=record["status"],
        )


def _wait_for_rollout(
    release: Release, timeout: float, known_pods: Collection[str] | None, pending_timeout: float,
) -> None:
    def failed(reason: Reason, late: bool) -> Error:
        text = "Not rolled out after %d s (serving_timeout). %s" % (timeout, reason.text) if late else reason.text
        if reason.code in (load_reasons.NOT_LOADABLE, load_reasons.NO_VERSION):  # which say what the log says
            return Error(text, reason.code, pod=reason.pod, **reason.details)
        return _with_log(release, reason.code, text, reason.pod)

    missing = Error(
        "Release %s is installed, but its Deployment %s is missing in namespace %s: somebody removed it. Run"
        " playbooks/site.yml, which makes it again." % (release.release, release.name, release.namespace),
        "deployment_missing",
    )
    workload.wait(
        release, rollout_reasons.rolled_out, failed, missing, timeout=timeout, pending_timeout=pending_timeout,
        known_pods=known_pods,
    )


def _with_log(release: Release, code: str, text: str, pod: str | None) -> Error:
    """The Error, with the end of the pod's log and what that means."""
    # While a container waits for its restart, its log is the one that tells; once it runs again, the one before.
    log = (pod and (release.log(pod, previous=True) or release.log(pod))) or ""
    message = joined(text, server_log.meaning(log))
    if log.strip():
        message += " The log of %s ends:\n%s" % (pod, server_log.tail(log))
    return Error(message, code, pod=pod, log=server_log.tail(log, 40))


def _check_pods(release: Release, status: Status) -> None:
    """What the pods say of themselves. Of an older pod the first lines may be gone: then nothing is concluded."""
    deadline = time.monotonic() + LOG_PATIENCE
    for pod in status["pods"]:
        if pod["terminating"]:
            continue
        while pod["new"] and not pod["model_loaded"] and pod["log"]["readable"] and time.monotonic() < deadline:
            time.sleep(POLL)
            read_log(release, pod)
        if pod["unknown_arguments"]:
            raise Error(
                "Pod %s says: %s. The server started without it: correct serving_args, or use an image that knows it."
                % (pod["name"], next(line for line in pod["log"]["lines"] if "unknown argument" in line.lower())),
                "unknown_argument", pod=pod["name"], arguments=pod["unknown_arguments"],
            )
        if pod["log"]["from_start"] or (pod["new"] and pod["log"]["telling"]):
            _check_gpu_device(pod, status["deployment"]["gpus"])
        if pod["new"]:
            _check_load(release, pod, status["warnings"])


def _check_gpu_device(pod: Object, gpus: int) -> None:
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


def _check_load(release: Release, pod: Object, warnings: list[str]) -> None:
    if not pod["log"]["readable"]:
        warnings.append(
            "The log of pod %s cannot be read (grant get on pods/log): what it loaded is not known." % pod["name"]
        )
    elif not pod["log"]["telling"]:
        warnings.append(
            "The log of pod %s says nothing of a model server: what it loaded is not known." % pod["name"]
        )
    elif not pod["model_loaded"]:
        raise _with_log(
            release, "model_not_loaded",
            "Pod %s has its port open, but its log does not say that a model version is loaded" % pod["name"], pod["name"],
        )


def _reach(release: Release, status: Status, timeout: float) -> None:
    """A load balancer's address is waited for, then tried with short fresh connects: one channel that is opened in
    the first second can hang for 20."""
    service = status["service"]
    if service is None or service["type"] != "LoadBalancer":
        return
    _wait_for_address(release, service, timeout)
    status["address"], status["reached_at"] = address_of(service), reached_at(service)
    fresh = any(pod["new"] for pod in status["pods"])
    service["reachable"] = not any(pod["ready"] for pod in status["pods"]) or _connects(
        service["address"], service["port"], PROBE_FIRST if fresh else PROBE_LATER
    )
    if not service["reachable"]:
        status["warnings"].append(
            "%s does not answer from this controller: it may be reachable from elsewhere only." % status["address"]
        )


def _wait_for_address(release: Release, service: Object, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not service["address"]:
        if time.monotonic() >= deadline:
            events = [one for one in release.events("Service", service["name"]) or () if one.get("type") == "Warning"]
            raise Error(
                "Service %s of type LoadBalancer has no address after %d s%s. Does this cluster have a load balancer"
                " controller? If not, set serving_service_type to ClusterIP or NodePort; if it is slow, raise"
                " serving_address_timeout." % (service["name"], timeout, ": " + events[-1]["message"] if events else ""),
                "no_address",
            )
        waits_for("an address of Service %s" % service["name"])
        time.sleep(POLL)
        service.update(service_of(release.service()) or {})


def _connects(address: str, port: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((address, port), timeout=CONNECT).close()
            return True
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.2)
