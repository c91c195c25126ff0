"""Why a rollout does not finish, on objects as a cluster has them."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import rollout_reasons
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.rollout_reasons import AT_ONCE, RETRIED, SOON, TO_THE_END

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
    return list(rollout_reasons.find(seen, known, pending_timeout=30))


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
    assert rollout_reasons.rolled_out(deployment(**state)) is done


def test_no_pods_wanted_is_rolled_out():
    assert rollout_reasons.rolled_out(deployment(wanted=0))


def test_only_the_newest_template_counts():
    assert find(pod("old", "rs1", container=waiting("ImagePullBackOff"))) == []
    assert find(pod(container=waiting("ImagePullBackOff"), deleted=True)) == []


def test_without_the_right_to_list_replica_sets_every_pod_counts():
    seen = {"deployment": deployment(), "pods": [pod("old", "rs1")], "replica_sets": None, "events": None, "claim": None}
    assert [p["metadata"]["name"] for p in rollout_reasons.current_pods(seen)] == ["old"]


def test_an_image_that_cannot_be_pulled_may_be_retried_first():
    (reason,) = find(pod(container=waiting("ErrImagePull", "not found")))
    assert reason.code == "image"
    assert reason.patience == rollout_reasons.RETRIED
    assert "serving_image" in reason.text and "not found" in reason.text


def test_an_image_that_may_not_be_pulled_is_final():
    (reason,) = find(pod(container=waiting("ErrImageNeverPull")))
    assert reason.patience == rollout_reasons.AT_ONCE


def test_a_crash_loop_is_final_for_a_pod_of_this_run_only():
    crashing = pod(phase="Running", container=waiting("CrashLoopBackOff", restartCount=2, lastState=ended(127)))
    (reason,) = find(crashing)
    assert (reason.code, reason.patience, reason.pod) == ("crash_loop", rollout_reasons.AT_ONCE, "new")
    (reason,) = find(crashing, known=["new"])
    assert reason.patience == rollout_reasons.RETRIED


def test_one_crash_is_not_final():
    (reason,) = find(pod(phase="Running", container={"state": {"running": {}}, "restartCount": 1, "lastState": ended()}))
    assert reason.patience == rollout_reasons.TO_THE_END


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
    assert reason.patience == rollout_reasons.AT_ONCE


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
    assert reason.patience == rollout_reasons.TO_THE_END


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
    assert told(reason) == (
        "paused", AT_ONCE, None, "The Deployment is paused: kubectl rollout resume deployment/mnist-deploy-serving.")


def test_describe_says_that_events_may_not_be_read():
    seen = {"deployment": deployment(), "pods": [pod()], "events": None, "replica_sets": None, "claim": None}
    assert "grant list on events" in rollout_reasons.describe(seen)


def test_how_long_they_may_last():
    assert (0, 10, 30, float("inf")) == (AT_ONCE, SOON, RETRIED, TO_THE_END)


def told(reason):
    return reason.code, reason.patience, reason.pod, reason.text


CLAIM = {
    "metadata": {"name": "c"}, "status": {"phase": "Pending"},
    "spec": {"resources": {"requests": {"storage": "5Gi"}}, "selector": {"matchLabels": {"zone": "a", "model": "mnist"}}},
}
NO_CLAIM = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."
GPU = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."


class TestWords:
    """Each reason whole: its code, how long it may last, whose log explains it, and what a person reads."""

    @pytest.mark.parametrize(("there", "reason"), [
        ({"conditions": unschedulable("0/3 nodes are available.")},
         ("unschedulable", 30, None, "Pod new cannot be scheduled: 0/3 nodes are available.")),
        ({"conditions": unschedulable(GPU)},
         ("gpu_unschedulable", 30, None, "Pod new cannot be scheduled: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu. Free"
          " or add a GPU, or set gpu to false for the CPU image.")),
        ({"phase": "Failed", "status": {"reason": "Evicted", "message": "The node was low on memory"}},
         ("pod_failed", RETRIED, "new", "Pod new failed: Evicted: The node was low on memory")),
        ({"phase": "Failed"}, ("pod_failed", RETRIED, "new", "Pod new failed: no reason given")),
        ({"container": waiting("InvalidImageName", "couldn't parse")},
         ("image", AT_ONCE, None, "Pod new cannot have image x:1: InvalidImageName: couldn't parse")),
        ({"container": waiting("ErrImageNeverPull")}, ("image", AT_ONCE, None, "Pod new cannot have image x:1: ErrImageNeverPull")),
        *[({"container": waiting(word, "not found.")},
           ("image", RETRIED, None, "Pod new cannot pull image x:1: %s: not found. Look at serving_image (serving_gpu_image),"
            " serving_image_pull_secrets and serving_image_pull_policy." % word))
          for word in ("ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable")],
        ({"container": waiting("CreateContainerConfigError", 'secret "x" not found.')},
         ("container_config", SOON, None, 'Pod new cannot start its container: secret "x" not found.')),
        ({"container": waiting("CreateContainerConfigError", "image has non-numeric user, cannot verify user is non-root")},
         ("container_config", SOON, None, "Pod new cannot start its container: image has non-numeric user, cannot verify user is"
          " non-root. Set serving_run_as_user to a uid of your choice.")),
        *[({"container": waiting(word, "no such file.")},
           ("container_start", SOON, None, "Pod new cannot start its container: no such file. Look at serving_command, which must"
            " be in the image.")) for word in ("CreateContainerError", "RunContainerError")],
        *[({"phase": "Running", "container": {"state": ended(128, word, message=" exec failed. ")}},
           ("container_start", SOON, None, "Pod new cannot start its container: exec failed. Look at serving_command, which must"
            " be in the image.")) for word in ("StartError", "ContainerCannotRun")],
        ({"phase": "Running", "container": {"state": ended(137, "OOMKilled")}},
         ("out_of_memory", SOON, "new", "Pod new was killed for using more memory than its limit: raise"
          " serving_resources.limits.memory (two versions of a model are in memory while it switches).")),
        ({"phase": "Running", "container": waiting("CrashLoopBackOff", restartCount=1, lastState=ended(137, "OOMKilled"))},
         ("out_of_memory", AT_ONCE, "new", "Pod new was killed for using more memory than its limit: raise"
          " serving_resources.limits.memory (two versions of a model are in memory while it switches).")),
        ({"phase": "Running", "container": {"state": ended(2)}},
         ("crash_loop", TO_THE_END, "new", "Pod new: its server ended with exit code 2 (Error), 0 restarts.")),
        ({"phase": "Running", "container": {"state": {"running": {}}, "restartCount": 1, "lastState": ended(0, "")}},
         ("crash_loop", TO_THE_END, "new", "Pod new: its server ended with exit code 0 (Error), 1 restart.")),
        ({"phase": "Running", "container": waiting("CrashLoopBackOff", restartCount=2, lastState=ended(127, "Completed"))},
         ("crash_loop", AT_ONCE, "new", "Pod new: its server ended with exit code 127 (Completed), 2 restarts.")),
    ])
    def test_of_a_pod(self, there, reason):
        status = there.pop("status", {})
        one = pod(**there)
        one["status"].update(status)
        there["status"] = status
        assert [told(found) for found in find(one)] == [reason]

    @pytest.mark.parametrize("container", [
        {"state": {"running": {}}}, {"state": {"waiting": {"reason": "ContainerCreating"}}},
        {"state": {"running": {}}, "restartCount": 0, "lastState": ended(1)},
    ])
    def test_of_a_pod_that_may_still_come(self, container):
        assert find(pod(phase="Running", container=container)) == []

    @pytest.mark.parametrize(("code", "seconds", "probe", "gave_up"), [
        (137, 298, STARTUP, True), (143, 300, STARTUP, True), (137, 297, STARTUP, False), (1, 300, STARTUP, False),
        (137, 300, None, False), (137, 28, {}, True), (137, 27, {"periodSeconds": 10}, False), (137, 20, {"failureThreshold": 2}, True),
    ])
    def test_of_a_probe_that_gives_up(self, code, seconds, probe, gave_up):
        end = "2026-11-22T16:%02d:%02dZ" % divmod(seconds, 60)
        one = pod(phase="Running", container={"state": {"running": {}}, "restartCount": 1, "lastState": ended(code, end=end)})
        one["spec"]["containers"] = [{"name": "sidecar", "startupProbe": {"failureThreshold": 1, "periodSeconds": 1}}, {
            "name": "serving", **({} if probe is None else {"startupProbe": {"exec": {}, **probe}})}]
        (reason,) = find(one)
        assert reason.code == ("start_timeout" if gave_up else "crash_loop") and reason.pod == "new"
        if gave_up:
            assert told(reason)[1:] == (AT_ONCE, "new", (
                "Pod new did not open its port within serving_start_timeout: the port opens after the first load, so either the"
                " load takes longer or the server sees no version of the model."))

    @pytest.mark.parametrize("time", ["startedAt", "finishedAt"])
    def test_of_a_probe_without_times(self, time):
        state = ended(137, end="2026-11-22T16:10:00Z")
        state["terminated"][time] = None
        (reason,) = find(pod(phase="Running", container={"state": {"running": {}}, "restartCount": 1, "lastState": state}))
        assert reason.code == "crash_loop"

    def test_of_a_claim(self):
        one = pod(conditions=unschedulable(NO_CLAIM))
        assert [told(reason) for reason in find(one, claim=CLAIM)] == [("claim_unbound", 30, None, (
            "Pod new cannot be scheduled: 0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. The claim c"
            " (5Gi, labels model=mnist, zone=a) finds no PersistentVolume: one of at least that size with these labels must be"
            " free or reserved for it (role volume makes it; serving_volume_labels and serving_storage choose)."))]
        assert "(?, labels none)" in find(one, claim={"metadata": {"name": "c"}, "spec": {}})[0].text
        bound = {**CLAIM, "status": {"phase": "Bound"}}
        assert [told(reason) for reason in find(one, claim=bound)] == [("claim_bound_since", TO_THE_END, None, (
            "Pod new cannot be scheduled: 0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. Since then its"
            " claim c was bound, and the scheduler has not looked again."))], "a race, and no fault"
        assert find(one)[0].code == "unschedulable", "there is no claim"
        assert find(one)[0].code == "unschedulable"
        assert find(pod(conditions=unschedulable("no room")), claim=CLAIM)[0].code == "unschedulable"

    def test_of_a_gpu_that_is_taken(self):
        new, held = pod(conditions=unschedulable(GPU), gpus=1), [pod(name, "rs1", phase="Running", gpus=1) for name in ("a", "b")]
        assert [told(reason) for reason in find(new, *held)] == [("gpu_taken", 30, None, (
            "Pod new cannot be scheduled: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu. The GPU is held by a, b, which"
            " stays until a new pod is ready: with serving_max_unavailable 0 this update never finishes. Set"
            " serving_max_unavailable to 1 (the model is away for the time of one start), or add a GPU."))]

    @pytest.mark.parametrize("other", [
        pod("old", "rs1", phase="Running"), pod("old", "rs1", phase="Pending", gpus=1), pod("second", "rs2", phase="Running", gpus=1),
    ])
    def test_of_a_gpu_that_is_not_there(self, other):
        new = pod(conditions=unschedulable(GPU), gpus=1)
        assert [reason.code for reason in find(new, other) if "new" in reason.text] == ["gpu_unschedulable"]

    def test_of_an_autoscaler(self):
        events = [
            event("TriggeredScaleUp", "of another", name="other"), event("Scheduled", "another"),
            {**event("TriggeredScaleUp", "later"), "lastTimestamp": "2026-11-22T16:00:02Z"},
            {**event("TriggeredScaleUp", "sooner"), "eventTime": "2026-11-22T16:00:01Z"},
        ]
        assert [told(reason) for reason in find(pod(conditions=unschedulable("no room.")), events=events)] == [
            ("unschedulable", TO_THE_END, None, "Pod new cannot be scheduled: no room. An autoscaler adds a node: later")]
        (reason,) = find(pod(conditions=unschedulable(GPU)), events=events)
        assert reason.code == "gpu_unschedulable"

    @pytest.mark.parametrize("kind", ["FailedMount", "FailedAttachVolume"])
    def test_of_a_mount(self, kind):
        events = [event(kind, " access denied. "), event(kind, "timed out waiting for the condition"), event("Pulled", "image")]
        assert [told(reason) for reason in find(pod(), events=events)] == [
            ("volume_mount", RETRIED, None, "Pod new cannot mount its volume: access denied.")]
        (reason,) = find(pod(), events=events[1:])
        assert reason.text == "Pod new cannot mount its volume: timed out waiting for the condition."
        assert find(pod(phase="Running"), events=events) == find(pod(), events=events[2:]) == []

    def test_of_a_driver(self):
        events = [event("FailedMount", " no volume plugin matched "), event("FailedMount", "another")]
        assert [told(reason) for reason in find(pod(), events=events)] == [("volume_plugin_missing", SOON, None, (
            "Pod new cannot mount its volume: no volume plugin matched. The node has no plugin for this PersistentVolume: set"
            " volume_driver to one that the cluster has: csi (nasplugin.csi.alibabacloud.com, today's ACK), flexvolume"
            " (alicloud/nas, ACK before 1.20) or nfs (any cluster whose nodes can mount NFS)."))]

    @pytest.mark.parametrize(("condition", "reason"), [
        ({"type": "ReplicaFailure", "status": "True", "message": "no."}, ("pods_refused", SOON, None, "No pod can be created: no.")),
        ({"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: pods"}, ("pods_refused", SOON, None, (
            "No pod can be created: exceeded quota: pods. A rolling update needs room for one pod more: raise the quota, or set"
            " serving_max_unavailable to 1."))),
        ({"type": "ReplicaFailure", "status": "True", "message": "violates PodSecurity"}, ("pods_refused", SOON, None, (
            "No pod can be created: violates PodSecurity. Set serving_pod_security to restricted (the published files are readable"
            " for any user; serving_run_as_user says which one the server runs as)."))),
        ({"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out."},
         ("no_progress", RETRIED, None, "The Deployment reports: timed out.")),
    ])
    def test_of_a_deployment(self, condition, reason):
        assert [told(found) for found in find(conditions=[condition])] == [reason]
        other = {**condition, "status": "False" if condition["status"] == "True" else "True"}
        assert find(conditions=[other, {"type": "Available", "status": "True"}, {"type": "Progressing", "status": "False"}]) == []

    def test_the_pods_come_first(self):
        broken = {"type": "ReplicaFailure", "status": "True", "message": "no"}
        assert [reason.code for reason in find(pod(container=waiting("ErrImagePull")), conditions=[broken])] == [
            "image", "pods_refused"]

    def test_who_is_who(self):
        one, other = find(pod("a", container=waiting("CrashLoopBackOff", restartCount=1, lastState=ended())),
                          pod("b", container=waiting("CrashLoopBackOff", restartCount=1, lastState=ended())))
        assert (one.key, other.key) == (("crash_loop", "a"), ("crash_loop", "b"))


class TestWhereItStands:
    @staticmethod
    def describe(*pods, events=(), **options):
        return rollout_reasons.describe({
            "deployment": deployment(**options), "pods": list(pods), "events": events, "replica_sets": None, "claim": None})

    def test_in_numbers(self):
        assert self.describe(wanted=3, updatedReplicas=2, availableReplicas=1) == "2 of 3 pods are updated, 1 available."
        assert self.describe() == "0 of 1 pods are updated, 0 available."

    def test_each_pod_that_is_not_ready(self):
        ready = pod("a", phase="Running", conditions=[{"type": "Ready", "status": "True"}])
        starting = pod("b", phase="Running", container={"state": {"running": {}}})
        creating = pod("c", container=waiting("ContainerCreating"))
        unknown = {"metadata": {"name": "d"}}
        assert self.describe(ready, starting, creating, unknown) == (
            "0 of 1 pods are updated, 0 available. Pod b: Running, container running, port not open yet. Pod c: Pending, container"
            " ContainerCreating. Pod d: Unknown.")
        assert self.describe(pod("e", container={"state": {}})).endswith("Pod e: Pending, container no reason given.")

    def test_its_last_warning(self):
        events = [
            {**event("Unhealthy", "second."), "lastTimestamp": "2"}, {**event("Failed", "first"), "lastTimestamp": "1"},
            {**event("Pulled", "third", kind="Normal"), "lastTimestamp": "3"}, event("Other", "of another", name="other"),
        ]
        assert self.describe(pod(), events=events).endswith("Pod new: Pending. Last event: Unhealthy: second.")
        assert "Last event" not in self.describe(pod(), events=events[2:])

    def test_without_the_right(self):
        assert self.describe(events=None).endswith(
            " (Events cannot be read with this account: grant list on events for the reason.)")


def test_gpus():
    two = {"resources": {"limits": {"nvidia.com/gpu": "2"}}}
    assert rollout_reasons.gpus({"spec": {"containers": [two, two, {}]}}) == 4 and rollout_reasons.gpus({"spec": {}}) == 0


@pytest.mark.parametrize(("value", "may"), [(0, False), ("0", False), ("0%", False), (1, True), ("25%", True), (None, False)])
def test_max_unavailable(value, may):
    strategy = {} if value is None else {"rollingUpdate": {"maxUnavailable": value}}
    assert rollout_reasons.max_unavailable({"spec": {"strategy": strategy}}) is may


@pytest.mark.parametrize(("conditions", "ready"), [
    ([], False), ([{"type": "Ready", "status": "True"}], True), ([{"type": "Ready", "status": "False"}], False),
    ([{"type": "Initialized", "status": "True"}], False),
])
def test_ready(conditions, ready):
    assert rollout_reasons.ready({"status": {"conditions": conditions}}) is ready and rollout_reasons.ready({}) is False


def test_replica_sets_of_others():
    """Same labels, another owner."""
    foreign = {"metadata": {"uid": "rs9", "ownerReferences": [{"uid": "other"}], "annotations": {
        "deployment.kubernetes.io/revision": "99"}}}
    seen = {"deployment": deployment(), "pods": [pod(), pod("other", "rs9")], "replica_sets": [foreign, replica_set("rs2", 2), {
        "metadata": {"uid": "rs0", "ownerReferences": [{"uid": "d"}]}}], "events": None}
    assert [one["metadata"]["name"] for one in rollout_reasons.current_pods(seen)] == ["new"]
