"""The walk over ConfigMap and replicas, against model servers and an API server in this process."""
from __future__ import annotations

import threading
import time
import types

import fake_cluster
import grpc
import pytest
from cluster_objects import DEPLOYMENT
from fake_cluster import Server

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import promotion, replica_versions
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.config_map import ConfigMap
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.model_config import (
    Config,
    Model,
    from_text,
    message,
    resting,
    to_text,
)

MNIST = Model("mnist", "/serving/model/mnist")
OPTIONS = {
    "release": "mnist-deploy", "namespace": "default", "port": 9090, "model_name": "mnist", "base_path": MNIST.base_path,
    "stable": None, "canary": None, "only_if_absent": False, "timeout": 1,
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(promotion, "POLL", 0.02)
    monkeypatch.setattr(promotion, "PATIENCE", 0.2)
    monkeypatch.setattr(promotion, "PUT_BACK", 1)


@pytest.fixture
def cluster(monkeypatch):
    with fake_cluster.running(monkeypatch) as cluster:
        yield cluster


@pytest.fixture
def two(cluster):
    """Two replicas that serve version 1 as the ConfigMap says; versions 1 and 2 are on the disk."""
    cluster.store(to_text(resting(1), MNIST))
    cluster.disk = {1: None, 2: None}
    for pod in "ab":
        cluster.add_pod(pod, Server(cluster.disk, message(resting(1), MNIST)))
    return cluster


def run(cluster, check_mode=False, **options):
    cluster.warnings, options = [], {**OPTIONS, **options}
    config_map = ConfigMap(cluster.client, "default", "mnist-deploy")
    with replica_versions.Replicas(cluster.client, fake_cluster.RELEASE) as replicas:
        return promotion.ensure(config_map, replicas, options, cluster.warnings.append, check_mode)


def refused(cluster, **options):
    with pytest.raises(Error) as caught:
        run(cluster, **options)
    return caught.value


def written(cluster):
    return [from_text(text, MNIST) for text in cluster.texts]


def pushed(server):
    return [from_text(to_text_of(config), MNIST) for config in server.pushes]


def to_text_of(config):
    from google.protobuf import text_format
    return text_format.MessageToString(config)


def state(server):
    return server.available("mnist"), server.available("mnist-canary"), server.labels["mnist"].get("stable")


def test_candidate_promotion_and_rollback(two):
    result = run(two, canary=2)
    assert result["changed"] and (result["stable"], result["canary"], result["versions"]) == (1, 2, [1])
    assert result["steps"] == ["mnist serves 1, stable is 1; mnist-canary serves 2"] and result["replicas"] == ["a", "b"]
    assert all(state(server) == ({1}, {2}, 1) for server in two.servers.values())
    two.requests.clear()

    result = run(two, stable=2)
    walk = [Config((1, 2), 1, 2), Config((1, 2), 2, 2), resting(2)]
    assert written(two) == walk and all(pushed(server)[-3:] == walk for server in two.servers.values())
    assert all(state(server) == ({2}, set(), 2) for server in two.servers.values())
    assert len(result["steps"]) == 3 and result["canary"] is None and not two.warnings
    assert "versions: 1" in result["diff"]["before"] and "versions: 2" in result["diff"]["after"]

    assert run(two, stable=1)["changed"]
    assert all(state(server) == ({1}, set(), 1) for server in two.servers.values())


def test_a_second_run_touches_nothing(two):
    run(two, canary=2)
    pushes, writes = [len(server.pushes) for server in two.servers.values()], len(two.texts)
    result = run(two, canary=2)
    assert not result["changed"] and result["steps"] == [] and result["diff"]["before"] == result["diff"]["after"]
    assert [len(server.pushes) for server in two.servers.values()] == pushes and len(two.texts) == writes


def test_what_is_left_out_stays_as_it_is(two):
    run(two, canary=2)
    assert run(two)["stable"] == 1, "stable stays, and the candidate goes"
    assert state(two.servers["a"]) == ({1}, set(), 1)
    assert run(two, stable=1, canary=1)["changed"] is False, "the stable version is no candidate"


def test_every_step_is_seen_everywhere_before_the_next(two):
    """When the label is written as moved, every replica has both versions; when 1 is dropped, every label has moved."""
    seen = []
    two.before_write = lambda text: seen.append([state(server) for server in two.servers.values()])
    run(two, stable=2)
    assert seen == [[({1}, set(), 1)] * 2, [({1, 2}, set(), 1)] * 2, [({1, 2}, set(), 2)] * 2]


def test_check_mode_shows_the_way_and_goes_none_of_it(two):
    result = run(two, check_mode=True, stable=2)
    assert result["changed"] and len(result["steps"]) == 3 and result["diff"]["before"] != result["diff"]["after"]
    assert not two.texts and not two.servers["a"].pushes


def test_a_replica_that_started_with_an_older_file_is_put_right(two):
    run(two, stable=2)
    two.add_pod("c", Server(two.disk, message(resting(1), MNIST)))
    two.requests.clear()
    assert run(two, check_mode=True, stable=2)["changed"]
    result = run(two, stable=2)
    assert result["changed"] and not two.texts and state(two.servers["c"]) == ({2}, set(), 2)
    # Its label could not move before 2 was loaded there.
    assert pushed(two.servers["c"]) == [Config((1, 2), 1, None), resting(2)]
    assert not run(two, stable=2)["changed"]


def test_a_replica_without_the_label_gets_it(two):
    two.servers["a"].labels = {"mnist": {}}
    assert run(two)["changed"] and state(two.servers["a"]) == ({1}, set(), 1)


@pytest.mark.parametrize("kill_at", range(4))
@pytest.mark.parametrize("where", ["before the write", "before the push"])
def test_a_killed_run_is_finished_by_the_next(two, monkeypatch, kill_at, where):
    """BaseException: nothing of ours gets to clean up after it."""
    run(two, canary=2)
    two.requests.clear()
    count = [0]

    def kill(*arguments):
        count[0] += 1
        if count[0] == kill_at + 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        write, freshen = ConfigMap.write, ConfigMap.freshen
        if where == "before the write":
            patch.setattr(ConfigMap, "write", lambda self, text: kill() or write(self, text))
        else:
            patch.setattr(ConfigMap, "freshen", lambda self, *arguments: kill() or freshen(self, *arguments))
        try:
            run(two, stable=2)
        except KeyboardInterrupt:
            pass
    assert all(server.available("mnist") for server in two.servers.values()), "somebody serves at any time"
    run(two, stable=2)
    assert all(state(server) == ({2}, set(), 2) for server in two.servers.values())
    assert written(two)[-1] == resting(2) and not run(two, stable=2)["changed"]


class TestFailures:
    def test_a_candidate_that_does_not_load(self, two):
        two.disk[3] = "Data loss: Can't parse saved_model.pb"
        error = refused(two, canary=3)
        assert "pod a: version 3 of mnist-canary is END: Data loss: Can't parse saved_model.pb. The server does not" in error.message
        assert error.message.endswith("Everything is as before: mnist serves 1, stable is 1.") and error.details["put_back"]
        assert written(two)[-1] == resting(1) and pushed(two.servers["b"])[-1] == resting(1)
        assert error.details["pods"] == ["a", "b"]

    def test_a_candidate_that_is_not_on_the_disk(self, two):
        """A server that waits for a model of a new name takes no other reload: only a new start, or the version, helps."""
        error = refused(two, canary=3)
        assert error.code == "reload_blocked" and "pod a: it has not taken the model config in" in error.message
        assert "it does not know version 3 of mnist-canary" in error.message and "60 s" in error.message
        assert "put back in the ConfigMap, and not yet everywhere" in error.message
        assert "kubectl delete pod a b -n default" in error.message and error.details["put_back"] is False
        assert written(two)[-1] == resting(1) and state(two.servers["a"]) == ({1}, set(), 1)
        two.disk[3] = None
        while not all(server.pushes[-1:] == [message(resting(1), MNIST)] for server in two.servers.values()):
            time.sleep(0.01)  # a server that was busy does in the end what it was told last
        assert not run(two)["changed"] and state(two.servers["a"]) == ({1}, set(), 1)

    def test_a_promotion_to_what_does_not_load(self, two):
        two.disk[3] = "no variables"
        error = refused(two, stable=3)
        assert error.code == "version_not_available" and "version 3 of mnist is END: no variables" in error.message
        assert "under a new number" in error.message and "Everything is as before: mnist serves 1" in error.message
        assert all(state(server) == ({1}, set(), 1) for server in two.servers.values())

    def test_what_had_failed_before_is_waited_for(self, two):
        """END of an earlier try says nothing of this one."""
        for server in two.servers.values():
            server.states["mnist"][2] = (fake_cluster.END, "not found")
        assert run(two, stable=2)["changed"] and state(two.servers["a"]) == ({2}, set(), 2)

    def test_the_log_says_why_it_still_loads(self, two):
        two.servers["a"].poll = lambda: two.servers["a"].states["mnist"].update({3: (fake_cluster.LOADING, "")})
        two.disk[3] = None
        two.logs["a"] = (
            "2026-11-22 16:00:00.0: E tensorflow_serving/util/retrier.cc:37] Loading servable: {name: mnist version: 3} "
            "failed: Not found: no saved_model.pb\n2026: I x.cc:1] Retrying of Loading servable: {name: mnist version: 3}\n"
        )
        error = refused(two, stable=3)
        assert "version 3 of mnist is still LOADING: Loading servable: {name: mnist version: 3} failed: Not found" in error.message

    def test_one_replica_out_of_reach(self, two):
        two.servers["b"].dead = (grpc.StatusCode.UNAVAILABLE, "connection reset")
        error = refused(two, stable=2)
        assert error.code == "unavailable" and "pod b: the server cannot be reached: connection reset" in error.message
        assert "pod a" not in error.message and "kubectl delete pod b -n default" in error.message
        assert error.details["put_back"] is False
        assert written(two)[-1] == resting(1) and state(two.servers["a"]) == ({1}, set(), 1)

    def test_after_the_label_has_moved_there_is_only_one_way(self, two):
        def strike(text):
            if from_text(text, MNIST) == resting(2):
                two.servers["b"].dead = (grpc.StatusCode.UNAVAILABLE, "connection reset")
        two.before_write = strike
        error = refused(two, stable=2)
        assert "pod b: the server cannot be reached" in error.message
        assert "Not finished: mnist serves 2, stable is 2. Run again" in error.message and written(two)[-1] == resting(2)
        two.before_write = two.servers["b"].dead = None
        assert run(two, stable=2)["changed"] and state(two.servers["b"]) == ({2}, set(), 2)

    def test_a_replica_that_goes_meanwhile_is_not_missed(self, two):
        two.before_write = lambda text: two.pod("b") and two.remove_pod("b")
        assert run(two, stable=2)["changed"] and state(two.servers["a"]) == ({2}, set(), 2)

    def test_a_replica_that_comes_meanwhile_is_put_right(self, two):
        def arrive(text):
            if not two.pod("c"):
                two.add_pod("c", Server(two.disk, message(resting(1), MNIST)))
        two.before_write = arrive
        run(two, stable=2)
        assert state(two.servers["c"]) == ({2}, set(), 2)

    def test_somebody_else_at_the_same_time(self, two):
        two.before_write = lambda text: two.store(to_text(resting(1, 2), MNIST)) if len(two.texts) == 1 else None
        error = refused(two, stable=2)
        assert "(somebody else changed it meanwhile: run again)" in error.message and error.code == "conflict"
        assert error.message.startswith("Could not change the ConfigMap mnist-deploy-model-config in namespace default: ")

    def test_an_old_server(self, cluster):
        cluster.add_pod("a", Server({1: None}, message(resting(1), MNIST), old=True))
        error = refused(cluster, stable=1)
        assert error.code == "server_too_old" and "pod a: " in error.message and "needs 1.15" in error.message
        assert cluster.config_map is None

    def test_a_config_that_is_not_ours(self, two):
        two.store("model_config_list { config { name: 'other' } }")
        assert refused(two, stable=2).code == "model_config_foreign" and not two.texts


class TestBeforeThereArePods:
    def test_made_once(self, cluster):
        result = run(cluster, stable=1, only_if_absent=True)
        assert result["changed"] and written(cluster) == [resting(1)]
        result = run(cluster, stable=2, only_if_absent=True)
        assert not result["changed"] and result["stable"] == 1 and written(cluster) == [resting(1)]
        assert not run(cluster, only_if_absent=True)["changed"], "an existing one needs no version"

    def test_check_mode(self, cluster):
        result = run(cluster, check_mode=True, stable=1, only_if_absent=True)
        assert result["changed"] and not cluster.texts and result["diff"]["before"] == ""

    def test_servers_are_left_alone(self, two):
        two.servers["a"].apply(message(resting(2), MNIST))
        calls = two.servers["a"].calls
        assert not run(two, stable=1, only_if_absent=True)["changed"] and two.servers["a"].calls == calls

    def test_a_version_is_needed(self, cluster):
        error = refused(cluster, canary=2)
        assert error.code == "model_config_missing" and "mnist-deploy-model-config in namespace default" in error.message

    def test_nobody_is_ready(self, two):
        """Servers that cannot start for what the file says are helped by a better one, without steps."""
        [two.remove_pod(pod) for pod in "ab"]
        two.add_pod("c", Server(two.disk), ready=False)
        assert run(two, stable=2)["changed"] and written(two) == [resting(2)]
        assert "No replica of release mnist-deploy is ready" in two.warnings[0] and "c is not ready" in two.warnings[1]

    def test_nobody_has_what_the_file_says(self, two):
        """Pods of a release that takes the highest do not read it; and those that do cannot start for it."""
        two.store(to_text(resting(3), MNIST))
        two.disk[3] = "no variables"
        two.add_pod("c", Server(two.disk), ready=False)
        assert run(two, stable=2)["changed"] and written(two) == [resting(2)]
        assert [state(two.servers[pod]) for pod in "ab"] == [({2}, set(), 2)] * 2

    def test_no_deployment(self, two):
        del two.objects[DEPLOYMENT]
        assert run(two, stable=2)["changed"] and written(two) == [resting(2)]


class TestFreshFiles:
    def test_pods_are_annotated_with_what_was_written(self, two):
        run(two, canary=2)
        first = {pod["metadata"]["annotations"]["mlops.tf-serving/model-config"] for pod in (two.pod(name) for name in "ab")}
        assert len(first) == 1
        run(two, stable=2)
        assert {pod["metadata"]["annotations"]["mlops.tf-serving/model-config"] for pod in (two.pod(name) for name in "ab")} != first

    def test_a_pod_made_since_is_left_alone(self, two):
        run(two, canary=2)
        two.add_pod("c", Server(two.disk, message(resting(1, 2), MNIST)))
        assert not run(two, canary=2)["changed"] and "annotations" not in two.pod("c")["metadata"]

    def test_without_the_right_there_is_a_warning(self, two):
        two.forbidden = {("PATCH", "pods")}
        assert run(two, stable=2)["changed"]
        assert len(two.warnings) == 1 and "annotate the pod a" in two.warnings[0] and "old model config" in two.warnings[0]


class TestServersThatStartAnew:
    """What they were told is gone, and the file that they read may be an older one."""

    @staticmethod
    def restart(server):
        server.apply(message(resting(1), MNIST))
        server.states = {"mnist": {1: (fake_cluster.AVAILABLE, "")}}

    def test_once_after_it_was_told(self, two):
        server, told = two.servers["a"], []
        reload = server._reload

        def forget(wire, context):
            answer = reload(wire, context)
            told.append(1)
            if len(told) == 1:
                self.restart(server)
                server.dead = (grpc.StatusCode.UNAVAILABLE, "connection reset")
                threading.Timer(0.1, setattr, (server, "dead", None)).start()
            return answer
        server._reload = forget
        assert run(two, stable=2, timeout=20)["changed"] and state(server) == ({2}, set(), 2) and len(told) >= 3

    def test_again_and_again(self, two):
        """Nobody waits for ever for such a one."""
        server = two.servers["b"]
        look = two.on

        def on(method, path):
            if method == "GET" and path.endswith("/pods"):
                self.restart(server)
            return look(method, path)
        two.on = on
        error = refused(two, canary=2, timeout=0.5)
        assert error.code == "replica_unsteady" and error.details["pods"] == ["b"] and error.details["put_back"] is True
        assert "pod b: it does not stay at what it was told" in error.message

    def test_pods_of_which_none_stays(self, two):
        """As a Deployment has them whose liveness probe or autoscaler is wrong: each is told, and the next one is not."""
        look, names = two.on, ["b"]

        def on(method, path):
            if method == "GET" and path.endswith("/pods"):
                assert len(names) < 300, "it goes on for ever"
                two.remove_pod(names[-1])
                names.append("b%d" % len(names))
                two.add_pod(names[-1], Server(two.disk, message(resting(1), MNIST)))
            return look(method, path)
        two.on = on
        error = refused(two, canary=2, timeout=0.2)
        assert error.code == "replica_unsteady" and "pods were replaced all the time" in error.message
        assert error.details["pods"][0] in names and error.details["put_back"] is True

    def test_and_is_ready_and_not_in_turns(self, two):
        """Whoever looks at it finds it ready, and whoever judges it does not."""
        server, looks = two.servers["b"], []
        server.dead = (grpc.StatusCode.UNAVAILABLE, "connection reset")
        look = two.on

        def on(method, path):
            if method == "GET" and path.endswith("/pods"):
                looks.append(1)
                two.ready("b", len(looks) % 2 == 1)
            return look(method, path)
        two.on = on
        two.requests.clear()
        looks.append(1)  # the first look is before the walk
        error = refused(two, stable=2, timeout=0.5)
        assert error.code == "unavailable" and "pod b: the server cannot be reached" in error.message
        assert len(looks) < 60


def test_a_version_that_fails_once_more_ends_it_at_once(two):
    """It had failed before, was tried again, and fails again."""
    two.servers["a"].disk = {1: None}
    two.servers["a"].states["mnist"][2] = (fake_cluster.END, "not found")
    server, status, asked = two.servers["a"], two.servers["a"]._status, []

    def later(wire, context):
        if server.pushes:
            asked.append(1)
            if len(asked) == 4:
                server.states["mnist"][2] = (fake_cluster.LOADING, "")
            if len(asked) == 12:
                server.states["mnist"][2] = (fake_cluster.END, "no variables")
        return status(wire, context)
    server._status = later
    start = time.monotonic()
    error = refused(two, stable=2, timeout=60)
    assert "version 2 of mnist is END: no variables" in error.message
    assert len(asked) >= 12 and time.monotonic() - start < 30


def test_what_is_loaded_beside_has_to_go(two):
    two.servers["a"].states["mnist"][2] = (fake_cluster.AVAILABLE, "")
    two.servers["a"].poll = lambda: None
    error = refused(two, stable=1)
    assert "pod a: it still serves version 2 of mnist" in error.message and error.code == "version_not_unloaded"


def test_a_label_that_does_not_move(two):
    server = two.servers["a"]
    server.apply = lambda config: server.poll()
    server.states["mnist"][1] = (fake_cluster.AVAILABLE, "")
    server.labels = {"mnist": {}}
    error = refused(two)
    assert error.code == "label_not_moved" and "pod a: its label stable gives version none, not 1" in error.message


def test_a_server_that_refuses(two):
    def refuse(wire, context):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "duplicate name")
    two.servers["a"]._reload = refuse
    error = refused(two, stable=2)
    assert "pod a: the server says INVALID_ARGUMENT: duplicate name" in error.message and error.code == "invalid_argument"


def test_a_reload_that_is_answered_with_a_refusal(two):
    """As servers do that answer with an error in a reply."""
    def refuse(wire, context):
        reply = fake_cluster.messages().ReloadConfigResponse()
        reply.status.error_code, reply.status.error_message = 3, "no such platform"
        return reply.SerializeToString()
    two.servers["a"]._reload = refuse
    error = refused(two, stable=2)
    assert "pod a: the server refuses: no such platform" in error.message and error.code == "reload_refused"


def test_seconds_for_a_push_are_those_that_are_left(two, monkeypatch):
    seen = []
    reload = replica_versions.Replica.reload

    def measured(self, config, seconds):
        seen.append(seconds)
        reload(self, config, seconds)
    monkeypatch.setattr(replica_versions.Replica, "reload", measured)
    run(two, stable=2, timeout=30)
    assert seen and all(25 < seconds <= 30 for seconds in seen)


def test_between_two_looks_there_is_a_pause(two, monkeypatch):
    pauses = []

    def sleep(seconds):
        pauses.append(seconds)
        time.sleep(seconds)
    monkeypatch.setattr(promotion, "time", types.SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    two.servers["a"].dead = (grpc.StatusCode.UNAVAILABLE, "connection reset")
    refused(two, stable=2)
    assert pauses and set(pauses) == {promotion.POLL}


def test_those_who_wait_are_told_for_which_pod(two, monkeypatch):
    told = []
    monkeypatch.setattr(promotion, "waits_for", told.append)
    run(two, stable=2)
    assert set(told) == {"pod a, which is to take another model config", "pod b, which is to take another model config"}
