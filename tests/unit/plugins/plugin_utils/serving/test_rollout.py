"""The wait until a release serves, against an API server: what ends it, with which words."""
from __future__ import annotations

import pytest
from cluster_objects import (
    APPS,
    CLAIM,
    CORE,
    DEPLOYMENT,
    LOADED,
    POD_LABELS,
    RECORD,
    SERVICE,
    deployment,
    install,
    pod,
    record,
    service,
)

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import workload
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import rollout

POD = CORE + "pods/pod-1"
GPU = "Creating TensorFlow device (/device:GPU:0) -> (device: 0, name: Tesla P4, pci bus id: 0, compute capability: 6.1)\n"
LOADING = "I loader_harness.cc:74] Loading servable version {name: mnist version: 1}\n"
FAILED = "E retrier.cc:38] Loading servable: {name: mnist version: 1} failed: %s\n"
CRASHED = {
    "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 127, "reason": "Error"}},
}


class Clock:
    """Jumps with every pause; `events` happen at their time."""

    def __init__(self):
        self.now, self.events = 0.0, {}

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        for moment in [moment for moment in self.events if moment <= self.now]:
            self.events.pop(moment)()


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(workload, "time", clock)
    monkeypatch.setattr(rollout, "time", clock)
    return clock


@pytest.fixture
def probes(monkeypatch):
    """(address, port, timeout) of each connection; the address 10.0.0.66 answers never, 10.0.0.7 from the 3rd try on."""
    tried = []

    class Connection:
        def close(self):
            pass

    def create_connection(target, timeout):
        tried.append((*target, timeout))
        if target[0] == "10.0.0.66" or (target[0] == "10.0.0.7" and len(tried) < 3):
            raise ConnectionRefusedError("refused")
        return Connection()
    monkeypatch.setattr(rollout.socket, "create_connection", create_connection)
    return tried


@pytest.fixture
def installed(api):
    install(api)

    def run(**options):
        return api.run("serving_info", release="mnist-deploy", **options)
    return run


@pytest.fixture
def wait(installed):
    def run(known=(), **options):
        return installed(wait=True, known_pods=list(known), **options)
    return run


def replace(api, path, thing):
    del api.objects[path]
    return api.add(path, **thing)


def rolling(api, container=None, **more):
    """A rollout that does not end: its pod is not ready."""
    replace(api, DEPLOYMENT, deployment(1, ready=0, existing=1))
    replace(api, POD, pod(ready=False, container=container, **more))


class TestRecord:
    @pytest.mark.parametrize("status", ["pending-install", "failed", "superseded"])
    def test_it_counts_not_helms_exit_code(self, api, wait, status):
        replace(api, RECORD, record(3, status))
        answer = wait()
        assert answer["failure"]["code"] == "release_not_deployed" and answer["failure"]["details"] == {"status": status}
        assert "release mnist-deploy (revision 3) says %s, not deployed" % status in answer["msg"] and "Secrets" in answer["msg"]

    def test_there_is_none(self, api, wait):
        del api.objects[RECORD]
        answer = wait()
        assert answer["failure"]["code"] == "release_missing" and "no Helm release mnist-deploy in namespace default" in answer["msg"]


class TestRollout:
    def test_a_release_that_serves(self, wait, clock):
        answer = wait()
        assert answer["status"]["pods"][0]["new"] and answer["status"]["deployment"]["available"] == 1 and clock.now == 0

    def test_is_waited_for(self, api, wait, clock):
        rolling(api)
        clock.events = {7: lambda: (replace(api, DEPLOYMENT, deployment()), replace(api, POD, pod()))}
        assert wait()["status"]["pods"][0]["ready"] and clock.now == 7

    def test_a_deployment_that_somebody_removed(self, api, wait):
        del api.objects[DEPLOYMENT]
        answer = wait()
        assert answer["failure"]["code"] == "deployment_missing" and "Deployment mnist-deploy-serving is missing" in answer["msg"]

    def test_a_crash_ends_it_with_the_log(self, api, wait, clock):
        rolling(api, CRASHED)
        api.logs["pod-1", "previous"] = "tensorflow_model_server: error while loading shared libraries: libcuda.so.1: cannot open\n"
        answer = wait()
        assert answer["failure"]["code"] == "crash_loop" and clock.now == 0
        assert answer["msg"] == (
            "Pod pod-1: its server ended with exit code 127 (Error), 1 restart. This is a GPU image on a node without the NVIDIA"
            " driver: set gpu to false, which picks serving_image and asks for no GPU, or let serving_node_selector choose GPU"
            " nodes. The log of pod-1 ends:\ntensorflow_model_server: error while loading shared libraries: libcuda.so.1: cannot open"
        )
        assert answer["failure"]["details"]["pod"] == "pod-1" and "libcuda" in answer["failure"]["details"]["log"]

    def test_a_crash_without_a_log(self, api, wait):
        rolling(api, CRASHED)
        api.logs = {}
        assert wait()["msg"].endswith("exit code 127 (Error), 1 restart.")
        api.logs = {"pod-1": "it is said once"}
        assert wait()["msg"].endswith("The log of pod-1 ends:\nit is said once")

    def test_a_pod_that_crashed_before_is_given_time(self, api, wait, clock):
        rolling(api, CRASHED)
        assert wait(known=["pod-1"])["failure"]["code"] == "crash_loop" and clock.now == 30

    def test_by_default_all_pods_are_older(self, api, installed, clock):
        rolling(api, CRASHED)
        assert installed(wait=True)["failure"]["code"] == "crash_loop" and clock.now == 30

    def test_a_reason_that_goes_and_comes_starts_anew(self, api, wait, clock):
        rolling(api, CRASHED)
        crashed = api.objects[POD]
        clock.events = {
            20: lambda: api.objects.update({POD: {**crashed, "status": pod(ready=False)["status"]}}),
            21: lambda: api.objects.update({POD: crashed}),
        }
        assert wait(known=["pod-1"])["failure"]["code"] == "crash_loop" and clock.now == 51

    def test_a_pod_that_cannot_be_scheduled(self, api, wait, clock):
        unscheduled = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available."}
        rolling(api, conditions=[unscheduled])
        answer = wait(pending_timeout=12)
        assert answer["failure"]["code"] == "unschedulable" and clock.now == 12
        assert answer["msg"] == "Pod pod-1 cannot be scheduled: 0/3 nodes are available."
        clock.now = 0
        answer = wait(pending_timeout=700, wait_timeout=5)
        assert "Not rolled out after 5 s (serving_timeout). Pod pod-1 cannot be scheduled" in answer["msg"] and clock.now == 5

    def test_a_claim_that_finds_no_volume(self, api, wait):
        rolling(api, conditions=[{
            "type": "PodScheduled", "status": "False", "message": "pod has unbound immediate PersistentVolumeClaims."}])
        answer = wait(pending_timeout=0)
        assert answer["failure"]["code"] == "claim_unbound"
        assert "claim mnist-deploy-acs-tensorflow-serving (5Gi, labels model=mnist) finds no" in answer["msg"]

    @pytest.mark.parametrize("message", [
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found",
        '0/1 nodes are available: persistentvolumeclaim "mnist-deploy-acs-tensorflow-serving" not found.',
        "0/1 nodes are available: 1 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s).",
    ])
    def test_a_scheduler_that_came_before_the_claim_was_bound_is_asked_to_look_again(self, api, wait, clock, message):
        """By itself it would come after five minutes."""
        rolling(api, conditions=[{"type": "PodScheduled", "status": "False", "message": message}])
        api.change(CLAIM, status={"phase": "Bound"})

        def scheduler(method, path):
            if (method, path) == ("PATCH", CLAIM):
                clock.events[clock.now + 2] = lambda: (replace(api, DEPLOYMENT, deployment()), replace(api, POD, pod()))
        api.on = scheduler
        assert wait()["status"]["pods"][0]["ready"] and clock.now == 7
        assert api.objects[CLAIM]["metadata"]["annotations"].keys() >= {
            "mlops.tf-serving/scheduled-after", "meta.helm.sh/release-name"}

    def test_a_scheduler_that_does_not_look_again(self, api, wait, clock):
        rolling(api, conditions=[{
            "type": "PodScheduled", "status": "False", "message": "pod has unbound immediate PersistentVolumeClaims."}])
        api.change(CLAIM, status={"phase": "Bound"})
        answer = wait(wait_timeout=12)
        assert answer["failure"]["code"] == "claim_bound_since" and clock.now == 12
        assert answer["msg"] == (
            "Not rolled out after 12 s (serving_timeout). Pod pod-1 cannot be scheduled: pod has unbound immediate"
            " PersistentVolumeClaims. Since then its claim mnist-deploy-acs-tensorflow-serving was bound, and the scheduler has not"
            " looked again.")
        versions = [one.body["metadata"]["annotations"]["mlops.tf-serving/scheduled-after"] for one in api.asked("PATCH", CLAIM)]
        assert len(versions) == len(set(versions)) == 2, "what stays the same is no change"

    def test_without_the_right_to_change_the_claim_it_comes_by_itself(self, api, wait, clock):
        rolling(api, conditions=[{
            "type": "PodScheduled", "status": "False", "message": "pod has unbound immediate PersistentVolumeClaims."}])
        api.change(CLAIM, status={"phase": "Bound"})
        api.forbidden = {("PATCH", "persistentvolumeclaims")}
        clock.events = {301: lambda: (replace(api, DEPLOYMENT, deployment()), replace(api, POD, pod()))}
        assert wait()["status"]["pods"][0]["ready"] and clock.now == 301

    @pytest.mark.parametrize(("known", "seconds"), [([], 1), (["pod-1"], 71)], ids=["a new pod", "one of before"])
    def test_a_version_that_can_never_be_loaded(self, api, wait, clock, known, seconds):
        """The server tries again for minutes, and says why after one second."""
        rolling(api)
        api.logs["pod-1"] = LOADING
        clock.events = {1: lambda: api.logs.update({"pod-1": LOADING + FAILED % "Not found: Could not find SavedModel at /m/1"})}
        answer = wait(known)
        assert answer["failure"] == {
            "code": "model_not_loadable", "details": {"pod": "pod-1", "version": 1, "final": True},
            "message": answer["msg"]} and clock.now == seconds
        assert answer["msg"] == (
            "Pod pod-1 cannot load version 1 of mnist: Not found: Could not find SavedModel at /m/1. Publish a version that it can"
            " load under a new number (playbooks/publish.yml).")

    def test_a_load_that_may_succeed_next_time(self, api, wait, clock):
        rolling(api)
        api.logs["pod-1"] = LOADING + FAILED % "Unavailable: stale file handle"
        clock.events = {61: lambda: (
            replace(api, DEPLOYMENT, deployment()), replace(api, POD, pod()), api.logs.update({"pod-1": LOADED}))}
        assert wait()["status"]["pods"][0]["model_loaded"] == [1] and clock.now == 61

    def test_a_load_that_did_not_succeed_in_time(self, api, wait, clock):
        rolling(api)
        api.logs["pod-1"] = LOADING + FAILED % "Unavailable: stale file handle"
        answer = wait(wait_timeout=20)
        assert answer["failure"]["code"] == "model_not_loadable" and clock.now == 20
        assert answer["msg"].startswith(
            "Not rolled out after 20 s (serving_timeout). Pod pod-1 cannot load version 1 of mnist: Unavailable: ")

    def test_a_failure_in_the_log_of_a_pod_that_is_ready(self, api, wait):
        """It serves another version."""
        api.logs["pod-1"] = LOADED + FAILED % "Not found: x"
        assert "failed" not in wait()

    def test_a_server_that_sees_no_version(self, api, wait, clock):
        rolling(api)
        api.logs["pod-1"] = "W storage_path.cc:1] No versions of servable mnist found under base path /m\n" * 3
        answer = wait()
        assert answer["failure"]["code"] == "no_version" and clock.now == 90, "a NAS client may show a folder as it was a minute ago"
        assert answer["msg"].startswith("Pod pod-1: No versions of servable mnist found under base path /m. The server sees no version")

    def test_a_log_of_hours_is_judged_by_its_end(self, api, wait):
        rolling(api)
        wait(wait_timeout=1)
        assert {one.query.get("tailLines") for one in api.asked("GET", "/log")} == {"400", None}, "the whole of it for the message only"

    def test_time_that_is_up_says_where_it_stands(self, api, wait, clock):
        rolling(api)
        api.logs["pod-1"] = "still loading"
        answer = wait(wait_timeout=9)
        assert answer["failure"]["code"] == "rollout_timeout" and clock.now == 9
        assert answer["msg"] == (
            "Not rolled out after 9 s (serving_timeout). 1 of 1 pods are updated, 0 available. Pod pod-1: Running, container"
            " running, port not open yet. The log of pod-1 ends:\nstill loading"
        )

    def test_time_that_is_up_before_there_is_a_pod(self, api, wait):
        replace(api, DEPLOYMENT, deployment(1, ready=0, existing=0))
        del api.objects[POD]
        answer = wait(wait_timeout=1)
        assert answer["msg"].endswith("(serving_timeout). 0 of 1 pods are updated, 0 available.")
        assert answer["failure"]["details"] == {"pod": None, "log": ""}


class TestWhatPodsSay:
    def test_a_gpu_that_was_not_created(self, api, wait):
        replace(api, DEPLOYMENT, deployment(gpus=1))
        api.logs["pod-1"] = "failed call to cuInit: CUresult(-1)\n" + LOADED
        answer = wait()
        assert answer["failure"]["code"] == "gpu_missing"
        assert "no GPU device was created" in answer["msg"] and "The server says: failed call to cuInit: CUresult(-1)." in answer["msg"]
        api.logs["pod-1"] = LOADED
        assert "Pod pod-1 has 1 nvidia.com/gpu" in wait()["msg"] and "The server's log gives no reason." in wait()["msg"]

    def test_a_gpu_that_was_created(self, api, wait):
        replace(api, DEPLOYMENT, deployment(gpus=1))
        api.logs["pod-1"] = GPU + LOADED
        assert wait()["status"]["pods"][0]["gpu_device"] == "Tesla P4"

    def test_an_older_pod_is_judged_by_a_log_that_reaches_back_only(self, api, wait):
        replace(api, DEPLOYMENT, deployment(gpus=1))
        rotated = LOADED.splitlines()[0].replace("version: 1", "version: 7")
        api.logs["pod-1"] = rotated
        assert wait(known=["pod-1"])["status"]["pods"][0]["model_loaded"] == [7]
        assert wait()["failure"]["code"] == "gpu_missing", "a new pod's log is whole"
        api.logs["pod-1"] = ""
        assert "warnings" not in wait(known=["pod-1"])
        api.logs["pod-1"] = LOADED
        assert wait(known=["pod-1"])["failure"]["code"] == "gpu_missing"

    @pytest.mark.parametrize("known", [[], ["pod-1"]])
    def test_an_unknown_argument_fails(self, api, wait, known):
        api.logs["pod-1"] = "Unknown argument: --prot=1\n" + LOADED
        answer = wait(known)
        assert answer["failure"]["code"] == "unknown_argument" and answer["failure"]["details"]["arguments"] == ["--prot=1"]
        assert "Pod pod-1 says: Unknown argument: --prot=1. " in answer["msg"] and "serving_args" in answer["msg"]

    def test_one_on_its_way_out_is_not_judged(self, api, wait):
        api.logs["pod-1"] = "unknown argument: --prot=1\n" + LOADED
        api.change(POD, metadata={"deletionTimestamp": "2026-11-25T12:00:00Z"})
        assert "failed" not in wait()

    def test_a_log_that_may_not_be_read_is_a_warning(self, api, wait, clock):
        api.forbidden = {("GET", "log")}
        assert wait()["warnings"] == ["The log of pod pod-1 cannot be read (grant get on pods/log): what it loaded is not known."]
        assert clock.now == 0
        assert "warnings" not in wait(known=["pod-1"])

    def test_a_log_that_says_nothing_is_a_warning(self, api, wait, clock):
        api.logs["pod-1"] = "hello\n"
        assert "says nothing of a model server" in wait()["warnings"][0] and clock.now == 10

    def test_a_port_that_is_open_without_a_load(self, api, wait, clock):
        api.logs["pod-1"] = "Running ModelServer at 0.0.0.0:9090 ..."
        answer = wait()
        assert answer["failure"]["code"] == "model_not_loaded" and clock.now == 10
        assert "Pod pod-1 has its port open, but its log does not say that a model version is loaded." in answer["msg"]
        assert "failed" not in wait(known=["pod-1"])

    def test_the_last_line_may_come_late(self, api, wait, clock):
        api.logs["pod-1"] = "Running ModelServer at 0.0.0.0:9090 ..."
        clock.events = {3: lambda: api.logs.update({"pod-1": LOADED})}
        assert wait()["status"]["pods"][0]["model_loaded"] == [1] and clock.now == 3


class TestAddress:
    @pytest.fixture
    def balanced(self, api, wait, probes):
        def run(ingress, known=("pod-1",), **options):
            replace(api, SERVICE, service("LoadBalancer", ingress))
            return wait(known, **options)
        return run

    def test_it_answers(self, balanced, probes, clock):
        status = balanced({"ip": "10.0.0.9"})["status"]
        assert status["address"] == "10.0.0.9:9090" and status["service"]["reachable"] is True
        assert probes == [("10.0.0.9", 9090, 1)] and clock.now == 0

    def test_it_is_waited_for(self, api, balanced, clock):
        clock.events = {40: lambda: replace(api, SERVICE, service("LoadBalancer", {"ip": "10.0.0.9"}))}
        status = balanced(None)["status"]
        assert status["address"] == "10.0.0.9:9090" and status["service"]["address"] == "10.0.0.9" and clock.now == 40
        assert status["reached_at"] == "10.0.0.9:9090"

    def test_it_does_not_come(self, api, balanced, clock):
        answer = balanced(None, address_timeout=25)
        assert answer["failure"]["code"] == "no_address" and clock.now == 25
        assert "Service mnist-deploy-acs-tensorflow-serving of type LoadBalancer has no address after 25 s. Does" in answer["msg"]
        assert "serving_service_type" in answer["msg"] and "serving_address_timeout" in answer["msg"]

    def test_those_who_wait_are_told(self, balanced, monkeypatch):
        told = []
        monkeypatch.setattr(rollout, "waits_for", told.append)
        balanced(None, address_timeout=5)
        assert set(told) == {"an address of Service mnist-deploy-acs-tensorflow-serving"}

    def test_why_it_does_not_come(self, api, balanced):
        about = {"kind": "Service", "name": "mnist-deploy-acs-tensorflow-serving"}
        api.add(CORE + "events/1", type="Normal", message="Ensuring load balancer", involvedObject=about)
        api.add(CORE + "events/2", type="Warning", message="no quota for load balancers", involvedObject=about)
        assert "after 0 s: no quota for load balancers. Does" in balanced(None, address_timeout=0)["msg"]
        api.forbidden = {("GET", "events")}
        assert "after 0 s. Does" in balanced(None, address_timeout=0)["msg"]

    def test_a_service_that_goes_meanwhile(self, api, balanced, clock):
        clock.events = {2: lambda: api.objects.pop(SERVICE)}
        assert balanced(None, address_timeout=5)["failure"]["code"] == "no_address"

    @pytest.mark.parametrize(("known", "seconds"), [(["pod-1"], 3), ([], 15)])
    def test_one_that_the_controller_cannot_reach_is_a_warning(self, balanced, clock, known, seconds):
        answer = balanced({"ip": "10.0.0.66"}, known)
        assert answer["status"]["service"]["reachable"] is False and seconds <= clock.now < seconds + 0.3
        assert answer["warnings"] == [
            "10.0.0.66:9090 does not answer from this controller: it may be reachable from elsewhere only."]

    def test_one_that_needs_a_moment(self, balanced, probes):
        assert balanced({"ip": "10.0.0.7"})["status"]["service"]["reachable"] is True and len(probes) == 3

    def test_without_a_ready_pod_nobody_would_answer(self, api, balanced, probes):
        replace(api, DEPLOYMENT, deployment(0))
        del api.objects[POD]
        assert balanced({"ip": "10.0.0.66"})["status"]["service"]["reachable"] is True and not probes

    def test_no_address_is_waited_for_without_a_load_balancer(self, api, wait, probes, clock):
        replace(api, SERVICE, service("NodePort"))
        assert wait()["status"]["address"] == "" and not probes and clock.now == 0
        del api.objects[SERVICE]
        assert wait()["status"]["service"] is None


def test_pods_of_an_older_template_do_not_count(api, wait, clock):
    """During an update the old pod may crash as it likes."""
    made = replace(api, DEPLOYMENT, deployment(1, ready=0, existing=2, updated=1))
    for name, revision in (("old", "9"), ("new", "10")):
        api.add(APPS + "replicasets/" + name, metadata={
            "uid": name, "labels": POD_LABELS, "ownerReferences": [{"uid": made["metadata"]["uid"]}],
            "annotations": {"deployment.kubernetes.io/revision": revision}})
    api.change(POD, metadata={"ownerReferences": [{"uid": "new"}]}, status=pod(ready=False)["status"])
    api.add(CORE + "pods/pod-0", **pod(ready=False, container=CRASHED))
    api.change(CORE + "pods/pod-0", metadata={"ownerReferences": [{"uid": "old"}]})
    assert wait(wait_timeout=2)["failure"]["code"] == "rollout_timeout"
