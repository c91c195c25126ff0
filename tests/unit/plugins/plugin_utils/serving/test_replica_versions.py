"""What every replica says of its versions, and the wait for one of them."""
from __future__ import annotations

import fake_cluster
import grpc
import pytest
from cluster_objects import CORE, DEPLOYMENT
from fake_cluster import AVAILABLE, END, LOADING, Server
from made_certificates import authority, credentials, secret

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tls import WANTS_OURS
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import replica_versions
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.model_config import Config, Model, message, resting

MNIST = Model("mnist", "/serving/model/mnist")
OPTIONS = {
    "release": "mnist-deploy", "namespace": "default", "model_name": "mnist", "canary": True, "labels": ["stable"],
    "versions": [], "expected": None, "timeout": 1,
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(replica_versions, "POLL", 0.02)
    monkeypatch.setattr(replica_versions, "CALL", 1)


@pytest.fixture
def cluster(monkeypatch):
    with fake_cluster.running(monkeypatch) as cluster:
        yield cluster


def ask(cluster, **options):
    with replica_versions.Replicas(cluster.client, {**fake_cluster.RELEASE, **options}) as replicas:
        return replica_versions.wait({**OPTIONS, **options}, replicas)


def refused(cluster, **options):
    with pytest.raises(Error) as caught:
        ask(cluster, **options)
    assert caught.value.code == "version_not_available"
    return caught.value.message


def serving(*versions, disk=(1, 2, 3), old=False, **states):
    """A server of a `latest` kind: these versions are AVAILABLE."""
    server = Server(dict.fromkeys(disk), old=old)
    server.states = {"mnist": {version: (AVAILABLE, "") for version in versions}}
    server.states["mnist"].update({int(version[1:]): state for version, state in states.items()})
    return server


def test_what_a_replica_says(cluster):
    cluster.add_pod("a", Server({1: None, 2: None}, message(resting(1, 2), MNIST)))
    result = ask(cluster)
    assert result["replicas"] == [{"pod": "a", "problem": None, "models": {
        "mnist": {"versions": [{"version": 1, "state": "AVAILABLE", "error": ""}], "serves": 1, "labels": {"stable": 1}},
        "mnist-canary": {"versions": [{"version": 2, "state": "AVAILABLE", "error": ""}], "serves": 2, "labels": {}},
    }}]
    assert (result["available"], result["in_use"], result["problems"], result["deployed"]) == ([1], [1, 2], [], True)
    assert list(ask(cluster, canary=False)["replicas"][0]["models"]) == ["mnist"]


def test_without_a_version_the_highest_answers_whatever_the_label_says(cluster):
    cluster.add_pod("a", Server({1: None, 2: None}, message(Config((1, 2), 1, None), MNIST)))
    model = ask(cluster)["replicas"][0]["models"]["mnist"]
    assert model["serves"] == 2 and model["labels"] == {"stable": 1}


def test_what_was_unloaded_is_not_in_use(cluster):
    cluster.add_pod("a", serving(2, v1=(END, ""), v3=(LOADING, "")))
    result = ask(cluster)
    assert [entry["state"] for entry in result["replicas"][0]["models"]["mnist"]["versions"]] == ["END", "AVAILABLE", "LOADING"]
    assert result["available"] == [2] and result["in_use"] == [2, 3]


def test_available_is_what_all_have_and_in_use_what_any_has(cluster):
    cluster.add_pod("a", serving(1, 2))
    cluster.add_pod("b", serving(2, 3))
    result = ask(cluster)
    assert result["available"] == [2] and result["in_use"] == [1, 2, 3]


def test_a_replica_that_cannot_be_asked_is_a_problem_and_no_failure(cluster):
    cluster.add_pod("a", serving(1))
    cluster.add_pod("b", serving(1))
    cluster.add_pod("c", serving(1), ready=False)
    cluster.servers["b"].dead = (grpc.StatusCode.UNAVAILABLE, "reset")
    result = ask(cluster)
    assert [report["problem"] for report in result["replicas"]] == [None, "the server cannot be reached: reset"]
    assert result["available"] == [] and result["problems"] == [
        "pod b: the server cannot be reached: reset", "pod c is not ready: loading",
    ]


def test_a_replica_that_says_its_versions_and_no_more(cluster):
    cluster.add_pod("a", serving(1))

    def fail(wire, context):
        context.abort(grpc.StatusCode.INTERNAL, "out of order")
    cluster.servers["a"]._metadata = fail
    assert ask(cluster)["problems"] == ["pod a: the server says INTERNAL: out of order"]


def test_a_name_that_is_not_served(cluster):
    cluster.add_pod("a", serving(1))
    result = ask(cluster, model_name="digits")
    assert result["replicas"][0]["models"] == {"digits": {"versions": [], "serves": None, "labels": {}}}


def test_nothing_is_deployed(cluster):
    del cluster.objects[DEPLOYMENT]
    result = ask(cluster)
    assert (result["deployed"], result["replicas"], result["available"], result["in_use"]) == (False, [], [], [])
    assert "no replica of release mnist-deploy in namespace default is ready: it has no Deployment" in refused(cluster, expected=1)


def test_an_old_server_is_asked_for_each_version(cluster):
    """1.4 knows no ModelService, and passes over a label."""
    cluster.add_pod("a", serving(2, old=True))
    model = ask(cluster, versions=[1, 3])["replicas"][0]["models"]["mnist"]
    assert model == {"versions": [{"version": 2, "state": "AVAILABLE", "error": ""}], "serves": 2, "labels": {}}
    assert ask(cluster, expected=2)["available"] == [2]
    cluster.servers["a"].states["mnist"][3] = (AVAILABLE, "")
    assert ask(cluster, versions=[2])["available"] == [2, 3]
    assert "does not know version 1" in refused(cluster, expected=1, timeout=0)


class TestWaiting:
    def test_until_every_replica_has_it(self, cluster):
        cluster.add_pod("a", serving(1, 2))
        cluster.add_pod("b", serving(1))
        server, states = cluster.servers["b"], []
        status = server._status

        def later(wire, context):
            states.append(len(states))
            if len(states) == 5:
                server.states["mnist"][2] = (AVAILABLE, "")
            return status(wire, context)
        server._status = later
        assert ask(cluster, expected=2, timeout=20)["available"] == [1, 2] and len(states) >= 5

    def test_one_bad_replica_of_four_is_named(self, cluster):
        for pod in "abcd":
            cluster.add_pod(pod, serving(1) if pod == "c" else serving(1, 2))
        message = refused(cluster, expected=2)
        assert "Version 2 of mnist is not available on every replica after 1 s: pod c: it does not know version 2" in message
        assert "60 s" in message and "pod a" not in message

    def test_a_load_that_fails_ends_it_at_once(self, cluster):
        cluster.add_pod("a", serving(1, v2=(LOADING, "")))
        server, status = cluster.servers["a"], cluster.servers["a"]._status

        def fail(wire, context):
            answer = status(wire, context)
            server.states["mnist"][2] = (END, "Data loss: Can't parse")
            return answer
        server._status = fail
        message = refused(cluster, expected=2, timeout=600)
        assert "pod a: version 2 of mnist is END: Data loss: Can't parse. The server does not try it again" in message

    def test_what_had_failed_before_may_be_tried_again(self, cluster):
        """A version that was withdrawn and is back is END until the server has seen its folder."""
        cluster.add_pod("a", serving(1, v2=(END, "Not found")))
        server, status, calls = cluster.servers["a"], cluster.servers["a"]._status, []

        def again(wire, context):
            calls.append(1)
            if len(calls) == 5:
                server.states["mnist"][2] = (AVAILABLE, "")
            return status(wire, context)
        server._status = again
        assert ask(cluster, expected=2, timeout=20)["available"] == [1, 2]
        server.states["mnist"][2] = (END, "Not found")
        calls.clear()
        server._status = status
        assert "is END: Not found" in refused(cluster, expected=2)

    def test_the_log_tells_why_it_still_loads(self, cluster):
        cluster.add_pod("a", serving(1, v2=(LOADING, "")))
        cluster.logs["a"] = "2026: E retrier.cc:37] Loading servable: {name: mnist version: 2} failed: no saved_model.pb\n"
        assert "is still LOADING: Loading servable: {name: mnist version: 2} failed: no saved_model.pb" in refused(
            cluster, expected=2)

    def test_a_lower_version_is_never_loaded(self, cluster):
        cluster.add_pod("a", serving(3))
        assert "does not know version 2 of mnist, and serves 3: servers that take the highest version" in refused(
            cluster, expected=2)

    def test_a_version_that_was_unloaded(self, cluster):
        cluster.add_pod("a", serving(3, v2=(END, "")))
        assert "version 2 of mnist is END: it was unloaded, because a higher one serves" in refused(cluster, expected=2)

    def test_nobody_is_ready(self, cluster):
        cluster.add_pod("a", serving(2), ready=False)
        assert "is ready: pod a is not ready: loading" in refused(cluster, expected=2)


def test_old_and_new_pods_are_asked_each_in_its_own_way(cluster):
    """In the middle of an upgrade to TLS. And who lets in whom it knows gets the client certificate of a Secret."""
    pair, ours = authority().pair("mnist.example.com"), authority().certificate
    cluster.add(CORE + "secrets/mnist-tls", data=secret(pair, ours))
    cluster.add(CORE + "secrets/me", data=secret(authority().pair("me")))
    cluster.add_pod("a", serving(1))
    cluster.add_pod("b", serving(1), secret="mnist-tls", credentials=credentials(pair, ours))
    result = ask(cluster, tls_client_secret="me")
    assert (result["available"], result["problems"]) == ([1], [])
    assert ask(cluster)["problems"] == ["pod b: " + WANTS_OURS]
    cluster.change(CORE + "secrets/mnist-tls", data=secret(pair, authority("theirs").certificate))
    (problem,) = ask(cluster, tls_client_secret="me")["problems"]
    assert problem.startswith("pod b: the server's certificate, issued by CN=ours, is not trusted")


def test_those_who_wait_are_told_for_which_version(cluster, monkeypatch):
    told = []
    monkeypatch.setattr(replica_versions, "waits_for", told.append)
    cluster.add_pod("a", serving(1))
    refused(cluster, expected=2, timeout=0.1)
    assert set(told) == {"version 2 of mnist on every replica"}
