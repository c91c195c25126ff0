"""Who is asked, and what becomes of the answers. Against gRPC servers in this process."""
from __future__ import annotations

import contextlib
import functools
import socket
import threading
import types

import grpc
import idx_files
import numpy
import pytest
from ask_server import OPTIONS, ask_server
from fake_model_server import ModelServer, brightest, one_hot, serving
from made_certificates import authority, credentials, secret

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import address as _address
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import quiet, run, trust


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(_address, "CONNECT_PATIENCE", 0.3)


def wrong_for(number):
    """Scores that are wrong for the first `number` of every 100 test images, whatever order they come in."""
    def scores(images, call, context):
        classes = brightest(images)
        return one_hot((classes + (classes < number / 10)) % 10)
    return scores


# --- replicas, by a port-forward that leads to a server in this process ---

class Link:
    """What kubernetes.stream.portforward() returns, with a plain connection behind it."""

    def __init__(self, target):
        host, _colon, port = target.rpartition(":")
        self.connection = socket.create_connection((host, int(port)))

    def socket(self, port):
        return self.connection

    def error(self, port):
        return None

    def close(self):
        self.connection.close()


class History:
    """No results of earlier checks."""

    def before(self, measured):
        return None

    def of(self, version, _measured):
        return None

    def add(self, measured, findings):
        pass


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """cluster({pod: server or Exception}, ...) -> (result, warnings)"""
    def call(pods, others=(), address=None, mounts=None, speaks=None, **options):
        """mounts: what the pods mount for TLS, speaks: gRPC's credentials, of servers that speak it."""
        with contextlib.ExitStack() as stack:
            targets = {
                pod: stack.enter_context(serving(server, speaks)) if isinstance(server, ModelServer) else server
                for pod, server in pods.items()
            }

            def link(pod):
                if isinstance(targets[pod], Exception):
                    raise targets[pod]
                return Link(targets[pod])

            monkeypatch.setattr(run.port_forward, "to_pod", lambda api_client, namespace, pod, port: run.port_forward.Forward(
                functools.partial(link, pod), port))
            there = {"spec": {"volumes": [{"name": "tls", "secret": {"secretName": mounts}}] if mounts else []}}
            seen = run.pods.Seen({}, dict.fromkeys(pods, there), list(pods), list(others))
            monkeypatch.setattr(run.pods, "ready_replicas", lambda *arguments: seen)
            monkeypatch.setattr(run.history, "read", lambda *arguments: History())
            if isinstance(address, ModelServer):
                address = stack.enter_context(serving(address, speaks))
            options = {
                **OPTIONS, "release": "mnist-deploy", "dataset": idx_files.write(tmp_path), "address": address, **options,
            }
            warnings = []
            return run.check(options, lambda: None, warnings.append, None), warnings
    return call


def test_every_replica_is_asked_all(cluster):
    servers = {"pod-%d" % number: ModelServer() for number in range(3)}
    result, warnings = cluster(servers, address=ModelServer())
    assert not warnings and [report["pod"] for report in result["replicas"]] == list(servers)
    assert all(len(server.requests) == 10 + 50 for server in servers.values())
    assert sum("0 of 100 tests wrong" in line for line in result["summary"]) == 4 and result["version"] == 1


def test_the_worst_replica_decides(cluster):
    result, _warnings = cluster({"a": ModelServer(), "b": ModelServer(wrong_for(10)), "c": ModelServer()})
    assert result["message"] == "Inference error rate: 10.0%" and result["wrong"] == 10
    with pytest.raises(run.CheckFailed) as caught:
        cluster({"a": ModelServer(), "b": ModelServer(wrong_for(20))})
    assert "pod b: 20.0%, version 1" in caught.value.message and "pod a" not in caught.value.message
    assert [report["error_rate"] for report in caught.value.result["replicas"]] == [0.0, 20.0]


@pytest.fixture
def mnist_tls(monkeypatch):
    """The Secret that pods mount for TLS; credentials that fit."""
    pair = authority().pair("mnist.example.com")
    there = [{"metadata": {"name": "mnist-tls"}, "data": secret(pair, authority().certificate)}]
    monkeypatch.setattr(trust, "listed", lambda *arguments, **selector: there)
    return credentials(pair)


def test_pods_and_address_over_tls(cluster, mnist_tls):
    result, warnings = cluster({"a": ModelServer()}, address=ModelServer(), mounts="mnist-tls", speaks=mnist_tls, tls=True)
    assert not warnings and sum("0 of 100 tests wrong" in line for line in result["summary"]) == 2


def test_tls_at_the_address_alone(cluster, mnist_tls, tmp_path):
    """As something in front of the pods speaks it."""
    (tmp_path / "ca").write_text(authority().certificate)
    with serving(ModelServer(), mnist_tls) as address:
        result, warnings = cluster(
            {"a": ModelServer()}, address=address, tls=True, tls_ca_cert=str(tmp_path / "ca"), tls_server_name="mnist.example.com")
    assert not warnings and sum("0 of 100 tests wrong" in line for line in result["summary"]) == 2


def test_tls_at_the_pods_alone(cluster, mnist_tls):
    with serving(ModelServer()) as address:
        result, _warnings = cluster({"a": ModelServer()}, address=address, mounts="mnist-tls", speaks=mnist_tls)
    assert sum("0 of 100 tests wrong" in line for line in result["summary"]) == 2


def test_an_address_that_cannot_be_reached_is_a_warning(cluster):
    result, warnings = cluster({"a": ModelServer()}, address="127.0.0.1:1")
    assert result["error_rate"] == 0.0 and result["version"] == 1
    assert len(warnings) == 1 and "this controller cannot reach it" in warnings[0] and "127.0.0.1:1" in warnings[0]
    assert result["address"]["error_rate"] is None and "cannot be reached" in result["address"]["problem"]


def test_an_address_that_answers_counts(cluster):
    with pytest.raises(run.CheckFailed) as caught:
        cluster({"a": ModelServer()}, address=ModelServer(wrong_for(30)))
    assert "30.0% is over" in caught.value.message and "address 127" in caught.value.message
    with pytest.raises(run.CheckFailed, match="Servable not found"):
        cluster({"a": ModelServer()}, address=ModelServer(
            metadata=lambda context: context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found")
        ))
    with pytest.raises(run.CheckFailed) as caught:
        cluster({"a": ModelServer()}, address=ModelServer(
            lambda images, call, context: context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        ))
    assert caught.value.code == "address_differs" and "10 UNAVAILABLE" in caught.value.message


def test_what_only_the_address_gets_wrong_is_not_the_versions(cluster):
    """It may be another server's. What a pod gets wrong as well is the version's."""
    for address, says in ((ModelServer(wrong_for(30)), "30.0% is over"), (ModelServer(versions=[2]), "version 2 answered")):
        with pytest.raises(run.CheckFailed, match=says) as caught:
            cluster({"a": ModelServer(), "b": ModelServer()}, address=address, expected_version=1)
        assert caught.value.code == "address_differs"
    with pytest.raises(run.CheckFailed) as caught:
        cluster({"a": ModelServer(), "b": ModelServer(wrong_for(20))}, address=ModelServer(wrong_for(30)))
    assert caught.value.code == "error_rate_exceeded"


def test_a_forward_that_fails_says_why(cluster):
    reason = "pods \"b\" is forbidden: User \"x\" cannot get resource \"pods/portforward\""
    with pytest.raises(run.CheckFailed) as caught:
        cluster({"a": ModelServer(), "b": OSError(reason)}, address=ModelServer())
    assert caught.value.code == "port_forward_failed"
    assert "pod b: port-forward failed: " + reason in caught.value.message
    assert caught.value.result["replicas"][0]["error_rate"] == 0.0


def test_pods_that_are_not_ready_are_named(cluster):
    result, warnings = cluster({"a": ModelServer()}, others=["b is not ready: ContainerCreating"])
    assert warnings == ["b is not ready: ContainerCreating; it is not asked."] and len(result["replicas"]) == 1


def test_many_replicas_make_no_long_message(cluster):
    with pytest.raises(run.CheckFailed) as caught:
        cluster({"pod-%02d" % number: OSError("no") for number in range(12)})
    assert caught.value.message == (
        "The inference check failed: pod pod-00, pod pod-01, pod pod-02, and 9 more: port-forward failed: no."
    )
    with pytest.raises(run.CheckFailed) as caught:
        cluster({"pod-%02d" % number: OSError("no %d" % number) for number in range(12)})
    assert caught.value.message.count("port-forward failed") == 3 and "and 9 more" in caught.value.message


def test_one_bad_replica_of_four_fails_and_is_named(cluster):
    def fails(images, call, context):
        context.abort(grpc.StatusCode.INTERNAL, "out of memory")

    for bad, says in (
        (ModelServer(wrong_for(90)), "90.0% is over check_max_error_rate (15%) on pod c: 90.0%, version 1"),
        (ModelServer(fails), "pod c: 100 of 100 tests got no answer"),
        (ModelServer(versions=[2]), "pod c: version 2 answered, check_expected_version is 1"),
        (OSError("gone"), "pod c: port-forward failed: gone"),
    ):
        with pytest.raises(run.CheckFailed) as caught:
            cluster({"a": ModelServer(), "b": ModelServer(), "c": bad, "d": ModelServer()}, expected_version=1)
        assert says in caught.value.message and not any("pod %s" % pod in caught.value.message for pod in "abd")
        assert [report["pod"] for report in caught.value.result["replicas"]] == list("abcd")
        assert [report["error_rate"] for report in caught.value.result["replicas"] if report["pod"] != "c"] == [0.0] * 3


def test_replicas_of_two_versions(cluster):
    result, _warnings = cluster({"a": ModelServer(versions=[1]), "b": ModelServer(versions=[2])})
    assert result["version"] is None and [report["version"] for report in result["replicas"]] == [1, 2]


def test_what_is_wrong_with_the_data_is_said_before_the_cluster_is_asked():
    with pytest.raises(Error, match="check_dataset is None: use an absolute path"):
        run.check({**OPTIONS, "release": "mnist-deploy", "dataset": None}, lambda: pytest.fail("asked"), None, None)


def test_no_deployment(monkeypatch):
    monkeypatch.setattr(run.pods, "ready_replicas", lambda *arguments: None)
    monkeypatch.setattr(run.dataset, "load", lambda *arguments: None)
    monkeypatch.setattr(run, "Questions", lambda *arguments: None)
    options = {**OPTIONS, "release": "mnist-deploy"}
    assert run.check(options, lambda: None, None, None, check_mode=True)["skipped"] is True
    with pytest.raises(Error, match="mnist-deploy has no Deployment in namespace default"):
        run.check(options, lambda: None, None, None)


def test_the_report_is_written_of_what_was_measured_and_found(tmp_path):
    written = []

    def write(path, measured, findings):
        written.append((path, measured["tests"], findings["error_rate"]))
        return "/where/it/is.html"

    options = {"dataset": idx_files.write(tmp_path), "report": str(tmp_path / "report.html")}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run, "look_around", lambda options: None)
        assert ask_server(ModelServer(), write=write, **options)[0]["report"] == "/where/it/is.html"
        assert ask_server(ModelServer(), write=write, check_mode=True, **options)[0]["report"] is None
        with pytest.raises(run.CheckFailed) as caught:
            ask_server(ModelServer(wrong_for(90)), write=write, **options)
    assert caught.value.result["report"] == "/where/it/is.html"
    assert written == [(options["report"], 100, 0.0), (options["report"], 100, 90.0)]


def test_a_report_that_cannot_be_written_is_no_verdict(tmp_path, monkeypatch):
    def full(*arguments):
        raise Error("check_report cannot be written: no space left", "report_not_written")

    monkeypatch.setattr(run, "look_around", lambda options: None)
    result, warnings = ask_server(
        ModelServer(), write=full, dataset=idx_files.write(tmp_path), report=str(tmp_path / "report.html"))
    assert result["error_rate"] == 0.0 and result["report"] is None
    assert warnings == ["check_report cannot be written: no space left"]


def test_checks_of_one_run_measure_one_at_a_time(tmp_path):
    """Each sends ten requests at first, and then one after the other, in which nobody else gets a word."""
    sent, lock, dataset = [], threading.Lock(), idx_files.write(tmp_path)

    def model(number):
        def scores(images, call, context):
            with lock:
                sent.append((number, len(images)))
            return one_hot(brightest(images))
        return ModelServer(scores)

    checks = [threading.Thread(target=ask_server, args=(model(number),), kwargs={
        "dataset": dataset, "folder": str(tmp_path), "max_latency_ms": {"max": 60000.0}}) for number in range(4)]
    for check in checks:
        check.start()
    for check in checks:
        check.join(60)
    assert len(sent) == 4 * (10 + 50)
    for number in range(4):
        timed = [place for place, one in enumerate(sent) if one == (number, 1)]
        assert timed == list(range(timed[0], timed[0] + 50))


def test_a_latency_that_could_not_be_measured_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(quiet, "PATIENCE", -1.0)
    options = {"dataset": idx_files.write(tmp_path), "folder": str(tmp_path), "max_latency_ms": {"p50": 0.000001}}
    with quiet.Quiet(str(tmp_path)).asking():
        result, warnings = ask_server(ModelServer(), **options)
    assert result["summary"][0] == "Passed: error rate 0.0% (at most 15%)."
    assert len(warnings) == 1 and warnings[0].startswith("check_max_latency_ms is not judged (")
    with pytest.raises(run.CheckFailed, match="is over check_max_latency_ms"):
        ask_server(ModelServer(), **options)


def test_how_far_it_is(monkeypatch):
    monkeypatch.setattr(run.time, "monotonic", iter([10.0, 12.0, 14.0]).__next__)
    servers = [types.SimpleNamespace(done=30), types.SimpleNamespace(done=10)]
    text = run._counter(servers, 100)
    assert text() == "40 of 200 tests, 20 per second"
    servers[1].done = 90
    assert text() == "120 of 200 tests, 30 per second"


def test_those_who_wait_are_told_what_for(monkeypatch, tmp_path):
    """One server after the other is timed, and as many as eight are asked at once."""
    rounds, shown = [], []

    def each(function, servers, at_once, progress):
        rounds.append((len(servers), at_once))
        progress.show(progress.text())
        for server in servers:
            function(server)

    monkeypatch.setattr(run, "each", each)
    with serving(ModelServer()) as address:
        options = {**OPTIONS, "dataset": idx_files.write(tmp_path), "address": address}
        run.check(options, None, None, None, show=shown.append)
        assert rounds == [(1, 8), (1, 8), (1, 1), (1, 8)]
        assert shown[0] == "waiting for an answer" and shown[1].startswith("0 of 100 tests, 0 per second")
        assert shown[2:] == ["timing one request after the other"] * 2
        del shown[:]
        images, labels = idx_files.digits()
        numpy.savez(tmp_path / "hot.npz", images=images, labels=numpy.eye(10)[labels])
        run.check({**options, "dataset": str(tmp_path / "hot.npz"), "divisor": 255}, None, None, None, show=shown.append)
        assert shown[0].startswith("the labels in the column labels are one-hot [100, 10]")
        del rounds[:], shown[:]
        run.check({**options, "expected_version": 1}, None, None, None, show=shown.append)
        assert shown[0] == "waiting for version 1"
        del rounds[:]
        run.check({**options, "record": str(tmp_path / "g.npz")}, None, None, None)
        assert rounds == [(1, 8), (1, 8)], "answers that are recorded are not timed"
