"""Why a rollout does not finish, on objects as a cluster has them."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils import _reasons

STARTUP = {"failureThreshold": 300, "periodSeconds": 1}


def deployment(wanted=1, conditions=(), max_unavailable=0, paused=False, **status):
    return {
        "metadata": {"name": "mnist-deploy-serving", "uid": "d", "generation": 2},
        "spec": {
            "replicas": wanted, "paused": paused, "strategy": {"rollingUpdate": {"maxUnavailable": max_unavailable}},
            "template": {"spec": {"containers": []}},
        },
        "status": {"observedGeneration": 2, "conditions": list(conditions), **status},
    }


def replica_set(uid, revision):
    return {"metadata": {
        "uid": uid, "ownerReferences": [{"uid": "d"}], "annotations": {"deployment.kubernetes.io/revision": str(revision)},
    }}


def pod(name="new", owner="rs2", phase="Pending", container=None, conditions=(), gpus=0, deleted=False):
    return {
        "metadata": {"name": name, "ownerReferences": [{"uid": owner}], **({"deletionTimestamp": "x"} if deleted else {})},
        "spec": {"containers": [{
            "name": "serving", "startupProbe": STARTUP, "resources": {"limits": {"nvidia.com/gpu": str(gpus)} if gpus else {}},
        }]},
        "status": {
            "phase": phase, "conditions": list(conditions),
            "containerStatuses": [{"name": "serving", "image": "x:1", "restartCount": 0, **container}] if container else [],
        },
    }


def unschedulable(message):
    return [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]


def event(reason, message, name="new", kind="Warning"):
    return {"reason": reason, "message": message, "type": kind, "involvedObject": {"name": name}}


def find(*pods, events=(), known=(), claim=None, **options):
    seen = {
        "deployment": deployment(**options), "pods": list(pods), "events": events, "claim": claim,
        "replica_sets": [replica_set("rs1", 1), replica_set("rs2", 2)],
    }
    return list(_reasons.find(seen, known, pending_timeout=30))


def waiting(reason, message="", **more):
    return {"state": {"waiting": {"reason": reason, "message": message}}, **more}


def ended(code=1, reason="Error", start="2026-11-22T16:00:00Z", end="2026-11-22T16:00:01Z", message=""):
    return {"terminated": {"exitCode": code, "reason": reason, "startedAt": start, "finishedAt": end, "message": message}}


@pytest.mark.parametrize(("state", "done"), [
    ({"updatedReplicas": 1, "replicas": 1, "availableReplicas": 1}, True),
    ({"updatedReplicas": 1, "replicas": 2, "availableReplicas": 2}, False),  # an old pod is left
    ({"updatedReplicas": 1, "replicas": 1}, False),
    ({"updatedReplicas": 1, "replicas": 1, "availableReplicas": 1, "observedGeneration": 1}, False),
])
def test_rolled_out(state, done):
    assert _reasons.rolled_out(deployment(**state)) is done


def test_no_pods_wanted_is_rolled_out():
    assert _reasons.rolled_out(deployment(wanted=0))


def test_only_the_newest_template_counts():
    assert find(pod("old", "rs1", container=waiting("ImagePullBackOff"))) == []
    assert find(pod(container=waiting("ImagePullBackOff"), deleted=True)) == []


def test_without_the_right_to_list_replica_sets_every_pod_counts():
    seen = {"deployment": deployment(), "pods": [pod("old", "rs1")], "replica_sets": None, "events": None, "claim": None}
    assert [p["metadata"]["name"] for p in _reasons.current_pods(seen)] == ["old"]


def test_an_image_that_cannot_be_pulled_may_be_retried_first():
    (reason,) = find(pod(container=waiting("ErrImagePull", "not found")))
    assert reason.code == "image"
    assert reason.patience == _reasons.RETRIED
    assert "serving_image" in reason.text and "not found" in reason.text


def test_an_image_that_may_not_be_pulled_is_final():
    (reason,) = find(pod(container=waiting("ErrImageNeverPull")))
    assert reason.patience == _reasons.AT_ONCE


def test_a_crash_loop_is_final_for_a_pod_of_this_run_only():
    crashing = pod(phase="Running", container=waiting("CrashLoopBackOff", restartCount=2, lastState=ended(127)))
    (reason,) = find(crashing)
    assert (reason.code, reason.patience, reason.pod) == ("crash_loop", _reasons.AT_ONCE, "new")
    (reason,) = find(crashing, known=["new"])
    assert reason.patience == _reasons.RETRIED


def test_one_crash_is_not_final():
    (reason,) = find(pod(phase="Running", container={"state": {"running": {}}, "restartCount": 1, "lastState": ended()}))
    assert reason.patience == _reasons.NEVER_BY_ITSELF


def test_out_of_memory_names_the_limit():
    (reason,) = find(pod(phase="Running", container=waiting(
        "CrashLoopBackOff", restartCount=1, lastState=ended(137, "OOMKilled"))))
    assert reason.code == "out_of_memory"
    assert "serving_resources" in reason.text


def test_a_port_that_never_opens():
    (reason,) = find(pod(phase="Running", container={
        "state": {"running": {}}, "restartCount": 1, "lastState": ended(137, end="2026-11-22T16:05:08Z")}))
    assert reason.code == "start_timeout"
    assert "serving_start_timeout" in reason.text
    assert reason.patience == _reasons.AT_ONCE


def test_a_command_that_is_not_in_the_image():
    (reason,) = find(pod(phase="Running", container=waiting(
        "CrashLoopBackOff", restartCount=1, lastState=ended(128, "StartError", message="exec: no such file"))))
    assert reason.code == "container_start"
    assert "serving_command" in reason.text and "no such file" in reason.text


def test_a_root_image_that_must_not_be_root():
    (reason,) = find(pod(container=waiting(
        "CreateContainerConfigError", "container has runAsNonRoot and image will run as root")))
    assert "serving_run_as_user" in reason.text


def test_no_gpu_left_and_an_old_pod_holds_it():
    new = pod(conditions=unschedulable("0/1 nodes are available: 1 Insufficient nvidia.com/gpu."), gpus=1)
    old = pod("old", "rs1", phase="Running", gpus=1)
    (reason,) = find(new, old)
    assert reason.code == "gpu_taken"
    assert "serving_max_unavailable to 1" in reason.text and "held by old" in reason.text
    (reason,) = find(new, old, max_unavailable=1)
    assert reason.code == "gpu_unschedulable"
    (reason,) = find(new)
    assert reason.code == "gpu_unschedulable" and "set gpu to false" in reason.text


def test_an_autoscaler_that_adds_a_node_is_waited_for():
    (reason,) = find(
        pod(conditions=unschedulable("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")),
        events=[event("TriggeredScaleUp", "pod triggered scale-up: [{pool 0->1}]", kind="Normal")],
    )
    assert reason.patience == _reasons.NEVER_BY_ITSELF


def test_a_claim_without_a_volume():
    claim = {
        "metadata": {"name": "mnist-deploy-acs-tensorflow-serving"},
        "spec": {"resources": {"requests": {"storage": "5Gi"}}, "selector": {"matchLabels": {"model": "mnist"}}},
        "status": {"phase": "Pending"},
    }
    (reason,) = find(pod(conditions=unschedulable("pod has unbound immediate PersistentVolumeClaims.")), claim=claim)
    assert reason.code == "claim_unbound"
    assert "model=mnist" in reason.text and "5Gi" in reason.text


@pytest.mark.parametrize("message", [
    'Unable to attach or mount volumes: unmounted volumes=[model]: failed to get Plugin from volumeSpec for volume "pv-nas"'
    " err=no volume plugin matched",
    'AttachVolume.Attach failed for volume "pv-nas" : timed out waiting for external-attacher of'
    " nasplugin.csi.alibabacloud.com CSI driver to attach volume pv-nas",
    "MountVolume.MountDevice failed for volume \"pv-nas\" : kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriver"
    "Client: driver name nasplugin.csi.alibabacloud.com not found in the list of registered CSI drivers",
])
def test_a_missing_volume_plugin_names_the_drivers(message):
    (reason,) = find(pod(), events=[event("FailedMount", message)])
    assert reason.code == "volume_plugin_missing"
    assert "volume_driver" in reason.text


def test_a_mount_that_fails_says_what_the_driver_said():
    (reason,) = find(pod(container=waiting("ContainerCreating")), events=[
        event("FailedMount", "MountVolume.SetUp failed for volume: mount.nfs: access denied by server"),
        event("FailedMount", "Unable to attach or mount volumes: timed out waiting for the condition"),
    ])
    assert reason.code == "volume_mount"
    assert "access denied" in reason.text


def test_events_that_may_not_be_read_are_no_failure():
    assert find(pod(container=waiting("ContainerCreating")), events=None) == []


@pytest.mark.parametrize(("message", "way_out"), [
    ("pods \"x\" is forbidden: exceeded quota: pods, requested: pods=1", "serving_max_unavailable"),
    ("pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true", "serving_run_as_user"),
])
def test_pods_that_are_refused(message, way_out):
    (reason,) = find(conditions=[{"type": "ReplicaFailure", "status": "True", "message": message}])
    assert reason.code == "pods_refused"
    assert way_out in reason.text


def test_a_paused_deployment():
    (reason,) = find(paused=True)
    assert "rollout resume" in reason.text


def test_describe_says_that_events_may_not_be_read():
    seen = {"deployment": deployment(), "pods": [pod()], "events": None, "replica_sets": None, "claim": None}
    assert "grant list on events" in _reasons.describe(seen)
