"""The check itself, against a gRPC server in this process."""
from __future__ import annotations

import contextlib
import socket
import threading
import time

import grpc
import idx_files
import numpy
import pytest
from fake_model_server import FLOAT, STRING, ModelServer, brightest, one_hot, serving, signatures, tensor_info

from ansible_collections.mlops.tf_serving.plugins.module_utils import _inference, _report
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_protos import messages
from ansible_collections.mlops.tf_serving.plugins.module_utils._tensors import encode

OPTIONS = {
    "release": None, "namespace": "default", "port": 9090, "address": None, "model_name": "mnist",
    "signature": "predict_images", "inputs": {}, "output": "", "labels": "", "tolerance": None, "divisor": None, "golden": None,
    "record": None, "expected_version": None, "stable_version": None, "version_timeout": 0,
    "dataset": None, "dataset_checksum": {}, "dataset_timeout": 5, "tests": 100, "max_error_rate": 15.0, "min_agreement": 99.0,
    "max_latency_ms": {}, "max_failed_requests": 0, "min_rate": None, "max_difference": None, "tls": False, "tls_ca_cert": None,
    "batch_size": 10, "concurrency": 4, "timeout": 5.0, "report": None, "progress": None,
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(_inference, "CONNECT_PATIENCE", 0.3)


@pytest.fixture
def ask(tmp_path):
    """ask(server or address, options) -> (result, warnings); a failed check is raised."""
    def call(server, check_mode=False, **options):
        options = {**OPTIONS, "dataset": idx_files.write(tmp_path), **options}
        warnings = []
        with contextlib.ExitStack() as stack:
            options["address"] = server if isinstance(server, str) else stack.enter_context(serving(server))
            return _inference.check(options, None, warnings.append, check_mode), warnings
    return call


@pytest.fixture
def refused(ask):
    def call(*arguments, **options):
        with pytest.raises(Error) as caught:
            ask(*arguments, **options)
        return caught.value
    return call


def wrong_for(number):
    """Scores that are wrong for the first `number` of every 100 test images, whatever order they come in."""
    def scores(images, call, context):
        classes = brightest(images)
        return one_hot((classes + (classes < number / 10)) % 10)
    return scores


def test_a_model_that_is_right(ask):
    result, warnings = ask(ModelServer())
    assert result["message"] == "Inference error rate: 0.0%" and not warnings
    assert {key: result[key] for key in ("error_rate", "tests", "wrong", "unanswered", "version", "replicas")} == {
        "error_rate": 0.0, "tests": 100, "wrong": 0, "unanswered": 0, "version": 1, "replicas": [],
    }
    report = result["address"]
    assert report["requests"] == 10 + 50 and report["errors"] == {} and report["problem"] is None
    assert report["state"] == "AVAILABLE"
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p99"] <= report["latency_ms"]["max"]
    assert result["summary"][0].startswith("Passed: error rate 0.0%") and len(result["summary"]) <= 10
    assert "version 1 AVAILABLE: 0.0%, 0 of 100 tests wrong, 0 unanswered" in "\n".join(result["summary"])


def test_what_is_sent(ask):
    server = ModelServer()
    ask(server, tests=25)
    sizes = [len(request.inputs["images"].tensor_content) // (4 * 784) for request in server.requests]
    assert sorted(sizes[:3]) == [5, 10, 10] and sizes[3:] == [1] * 25
    for request in server.requests:
        assert (request.model_spec.name, request.model_spec.signature_name) == ("mnist", "predict_images")
        assert not request.model_spec.HasField("version"), "what clients get is checked, not a version of our choice"
        assert list(request.output_filter) == ["scores"] and list(request.inputs) == ["images"]
        pixels = numpy.frombuffer(request.inputs["images"].tensor_content, "<f4")
        assert set(pixels) == {0.0, 1.0}, "pixels go from 0 to 1"


def test_the_threshold(ask, refused):
    assert ask(ModelServer(wrong_for(10)))[0]["error_rate"] == 10.0
    assert ask(ModelServer(wrong_for(10)), max_error_rate=10.0)[0]["wrong"] == 10
    error = refused(ModelServer(wrong_for(20)))
    assert error.code == "error_rate_exceeded"
    assert error.message.startswith("Inference error rate: 20.0% is over check_max_error_rate (15%) on address 127.0.0.1:")
    assert error.result["wrong"] == 20 and error.result["address"]["latency_ms"]
    assert "(0.5%)" in refused(ModelServer(wrong_for(10)), max_error_rate=0.5).message


def test_integer_answers_are_classes(ask):
    server = ModelServer(lambda images, call, context: encode(brightest(images), 9))
    assert ask(server)[0]["error_rate"] == 0.0


def test_not_a_number_is_a_wrong_answer(refused):
    def scores(images, call, context):
        made = numpy.eye(10, dtype="f4")[brightest(images)]
        made[0] = numpy.nan  # the first of each batch; argmax would take it for class 0, which is right
        made[1:2, 1] = numpy.inf
        return encode(made, FLOAT)
    error = refused(ModelServer(scores))
    assert error.code == "error_rate_exceeded" and "20.0%" in error.message
    assert "(20 answers hold NaN or infinity)" in error.message


def test_requests_that_fail_are_counted_apart(refused):
    def scores(images, call, context):
        if call == 3:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue full")
        return one_hot(brightest(images))
    server = ModelServer(scores)
    error = refused(server, concurrency=1)
    assert error.code == "requests_failed" and len(server.requests) == 10 + 50, "nothing is tried again"
    assert "10 of 100 tests got no answer" in error.message and "queue full" in error.message
    assert "1 RESOURCE_EXHAUSTED" in error.message
    assert error.result["error_rate"] == 0.0 and error.result["unanswered"] == 10
    assert error.result["address"]["errors"] == {"RESOURCE_EXHAUSTED": 1}


def test_the_latency_is_that_of_one_request_at_a_time(ask):
    """The server answers in 20 ms, one request after the other: of four at once each would take 80."""
    turn, under_way, most = threading.Lock(), [], []

    def scores(images, call, context):
        under_way.append(call)
        if len(images) == 1:
            most.append(len(under_way))
        with turn:
            time.sleep(0.02)
        under_way.remove(call)
        return one_hot(brightest(images))

    report = ask(ModelServer(scores), batch_size=5)[0]["address"]
    assert most == [1] * 50
    assert 20 <= report["latency_ms"]["p50"] < 40


def test_a_slow_model_is_timed_with_fewer_requests(ask, monkeypatch):
    monkeypatch.setattr(_inference, "SINGLE_SECONDS", 0)
    server = ModelServer()
    report = ask(server)[0]["address"]
    assert report["latency_ms"] and report["requests"] == 10 + 11 and len(server.requests) <= 10 + 12


def test_a_single_request_that_fails_fails_the_check(refused):
    def scores(images, call, context):
        if len(images) == 1 and call == 30:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue full")
        return one_hot(brightest(images))
    server = ModelServer(scores)
    error = refused(server)
    assert error.code == "requests_failed" and len(server.requests) == 60, "nothing is tried again"
    assert "0 of 100 tests got no answer (of 60 requests failed: 1 RESOURCE_EXHAUSTED" in error.message


def test_a_report_that_cannot_be_written_is_no_verdict(ask, tmp_path, monkeypatch):
    def full(*arguments):
        raise Error("check_report cannot be written: no space left", "report_not_written")

    monkeypatch.setattr(_inference._check_options, "look_around", lambda options: None)
    monkeypatch.setattr(_report, "write", full)
    result, warnings = ask(ModelServer(), report=str(tmp_path / "report.html"))
    assert result["error_rate"] == 0.0 and result["report"] is None
    assert warnings == ["check_report cannot be written: no space left"]


def test_one_bad_reply_among_many(refused):
    """They are read many at a time, and only the bad ones count as failed."""
    bad = {31: encode(numpy.zeros((1, 9)), FLOAT), 50: encode(numpy.zeros((2, 10)), FLOAT), 60: b"rubbish"}
    server = ModelServer(lambda images, call, context: bad.get(call) or one_hot(brightest(images)))
    error = refused(server, batch_size=1, concurrency=1)
    assert error.code == "requests_failed" and error.result["unanswered"] == 2 and error.result["wrong"] == 1
    assert error.result["address"]["errors"] == {"MALFORMED_REPLY": 2}


def test_a_server_that_always_fails_is_given_up(refused):
    server = ModelServer(lambda images, call, context: context.abort(grpc.StatusCode.UNAVAILABLE, "overloaded"))
    error = refused(server, batch_size=1, concurrency=1)
    assert len(server.requests) == _inference.GIVE_UP_AFTER
    assert "100 of 100 tests got no answer" in error.message and "10 UNAVAILABLE" in error.message
    assert error.result["message"] == "Inference error rate: unknown, no test was answered"


def test_a_server_of_which_much_may_fail_is_asked_on(ask):
    """Every second request; 100 would be many more than those after which it is given up."""
    def scores(images, call, context):
        if call % 2 and len(images) > 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "overloaded")
        return one_hot(brightest(images))
    server = ModelServer(scores)
    result = ask(server, batch_size=2, concurrency=1, max_failed_requests=25)[0]
    assert result["address"]["errors"] == {"UNAVAILABLE": 25} and result["unanswered"] == 50 and result["error_rate"] == 0.0


def test_silence_has_a_deadline(refused):
    start = time.monotonic()
    error = refused(ModelServer(lambda images, call, context: time.sleep(2) or one_hot([0])), timeout=0.3, concurrency=10)
    assert "did not answer within 0.3 s (check_timeout)" in error.message and "DEADLINE_EXCEEDED" in error.message
    error = refused(ModelServer(metadata=lambda context: time.sleep(2) or b""), timeout=0.3)
    assert error.code == "deadline_exceeded" and time.monotonic() - start < 10


def test_a_port_that_is_closed(refused):
    error = refused("127.0.0.1:1")
    assert error.code == "unavailable" and "cannot be reached" in error.message


def test_a_port_that_only_accepts(refused):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = refused("127.0.0.1:%d" % listener.getsockname()[1], timeout=0.5)
    assert error.code in ("unavailable", "deadline_exceeded")


@pytest.mark.parametrize("reply", [
    b"\xff\xff\xff", b"rubbish", b"",
    messages().PredictResponse().SerializeToString(),
    b"\n\x0a\n\x06scores\x12\x80\x80\x80\x80\x04",  # claims 1 GiB
])
def test_replies_that_are_none(refused, reply):
    error = refused(ModelServer(lambda images, call, context: reply))
    assert error.code == "requests_failed" and "MALFORMED_REPLY" in error.message


@pytest.mark.parametrize("tensor", [
    encode(numpy.zeros((9, 10)), FLOAT), encode(numpy.full(10, 7.0), FLOAT), encode(numpy.zeros((10, 1, 10)), FLOAT),
    encode(numpy.zeros((10, 0)), FLOAT), encode(numpy.zeros(()), FLOAT), encode(numpy.zeros(9), 9),
    messages().TensorProto(dtype=FLOAT, float_val=[1, 2]), messages().TensorProto(dtype=STRING, string_val=[b"7"]),
])
def test_outputs_of_the_wrong_shape(refused, tensor):
    error = refused(ModelServer(lambda images, call, context: tensor))
    assert error.code == "requests_failed" and "output scores" in error.message


def test_truncated_tensors(refused):
    def scores(images, call, context):
        tensor = one_hot(brightest(images))
        tensor.tensor_content = tensor.tensor_content[:-4]
        return tensor
    assert "does not hold the values it claims" in refused(ModelServer(scores)).message


def test_typed_arrays(ask):
    def scores(images, call, context):
        tensor = one_hot(brightest(images))
        tensor.float_val.extend(numpy.frombuffer(tensor.tensor_content, "<f4"))
        tensor.tensor_content = b""
        return tensor
    assert ask(ModelServer(scores))[0]["error_rate"] == 0.0


def test_replies_over_4_MiB(ask):
    def scores(images, call, context):
        made = numpy.zeros((len(images), 200000), "f4")
        made[numpy.arange(len(images)), brightest(images)] = 1
        return encode(made, FLOAT)
    assert ask(ModelServer(scores), concurrency=1)[0]["error_rate"] == 0.0


def test_wrong_model_name(refused):
    error = refused(ModelServer(), model_name="mnits")
    assert error.code == "not_found"
    assert "'mnits' (check_model_name): Servable not found for request: Latest(mnits)" in error.message


def test_wrong_signature(refused):
    error = refused(ModelServer(), signature="predict_image")
    assert error.code == "signature_missing" and "predict_images, serving_default" in error.message


def test_another_service(refused):
    class Other(grpc.GenericRpcHandler):
        def service(self, details):
            return None
    assert refused(Other()).code == "unimplemented"


def test_metadata_that_are_none(refused):
    assert refused(ModelServer(metadata=lambda context: b"\xff\xff")).code == "malformed_reply"
    assert refused(ModelServer(metadata=lambda context: b"")).code == "signature_missing"


IMAGES, SCORES = tensor_info(FLOAT, -1, 784), tensor_info(FLOAT, -1, 10)


@pytest.mark.parametrize(("inputs", "outputs", "options", "says"), [
    ({"images": tensor_info(STRING, -1)}, {"scores": SCORES}, {}, "dataset has uint8 [100, 28, 28], the model wants string [-1]"),
    ({"images": tensor_info(FLOAT, -1, 1024)}, {"scores": SCORES}, {}, "has uint8 [100, 28, 28], the model wants float32 [-1, 1024]"),
    ({"images": tensor_info(FLOAT, -1, 28, 28, 3)}, {"scores": SCORES}, {}, "the model wants float32 [-1, 28, 28, 3]"),
    ({"images": tensor_info(FLOAT)}, {"scores": SCORES}, {}, "wants float32 [], one value for a whole request"),
    ({"images": tensor_info(FLOAT, 7, 784)}, {"scores": SCORES}, {}, "batches of exactly 7 tests"),
    ({"images": IMAGES, "mask": IMAGES}, {"scores": SCORES}, {}, "say with check_inputs which column mask takes"),
    ({"images": IMAGES}, {"scores": SCORES}, {"inputs": {"image": "images"}}, "check_inputs names image"),
    ({"images": IMAGES}, {"a": SCORES, "b": SCORES}, {}, "outputs a, b: say which with check_output"),
    ({"images": IMAGES}, {"scores": SCORES}, {"output": "score"}, "check_output (now 'score')"),
    ({"images": IMAGES}, {"scores": tensor_info(8, -1)}, {}, "output scores of signature predict_images is complex64"),
    ({}, {"scores": SCORES}, {}, "the signature has no inputs"),
])
def test_mismatches_are_explained_before_anything_is_sent(refused, inputs, outputs, options, says):
    server = ModelServer(signature_map=signatures(predict_images=(inputs, outputs)))
    error = refused(server, **options)
    assert error.code == "signature_mismatch" and says in error.message and not server.requests


@pytest.mark.parametrize(("shape", "sent"), [
    ((-1, 784), [10, 784]), ((-1, -1), [10, 784]), ((-1, 28, 28), [10, 28, 28]), ((-1, 28, 28, 1), [10, 28, 28, 1]),
    ((-1, 1, 28, 28), [10, 1, 28, 28]), ((1, 784), [1, 784]), ((50, 784), [50, 784]),
])
def test_images_are_reshaped_as_the_model_wants_them(ask, shape, sent):
    server = ModelServer(
        lambda images, call, context: one_hot(brightest(images.reshape(len(images), -1))),
        signature_map=signatures(predict_images=({"images": tensor_info(FLOAT, *shape)}, {"scores": SCORES})),
    )
    assert ask(server)[0]["error_rate"] == 0.0
    counted = server.requests[:100 // sent[0]]
    assert {tuple(dim.size for dim in r.inputs["images"].tensor_shape.dim) for r in counted} == {tuple(sent)}


def test_the_only_output_may_have_any_name(ask):
    def scores(images, call, context):
        reply = messages().PredictResponse()
        reply.outputs["logits"].CopyFrom(one_hot(brightest(images)))
        return reply.SerializeToString()
    server = ModelServer(scores, signature_map=signatures(predict_images=({"images": IMAGES}, {"logits": SCORES})))
    assert ask(server)[0]["error_rate"] == 0.0


def test_the_state_of_the_expected_version(ask, refused):
    """A server keeps what it has unloaded, and lists the newest first."""
    states = {3: (50, "cannot load"), 2: (30, ""), 1: (50, "")}
    assert ask(ModelServer(versions=[2], states=states), expected_version=2)[0]["address"]["state"] == "AVAILABLE"
    error = refused(ModelServer(versions=[2], states=states), expected_version=3)
    assert error.code == "wrong_version" and error.result["address"]["state"] == "END"
    assert ask(ModelServer(versions=[2], states=states))[0]["address"]["state"] == "AVAILABLE"


def test_an_old_server_has_no_state(ask):
    result = ask(ModelServer(states=None))[0]
    assert result["address"]["state"] is None and "version 1: 0.0%" in result["summary"][2]


def test_the_expected_version(ask, refused):
    assert ask(ModelServer(versions=[2]), expected_version=2)[0]["version"] == 2
    for served, expected in ((1, 2), (3, 2)):
        server = ModelServer(versions=[served])
        error = refused(server, expected_version=expected)
        assert error.code == "wrong_version" and not server.requests
        assert "version %d answered, check_expected_version is %d" % (served, expected) in error.message


def test_the_expected_version_is_waited_for(ask, monkeypatch):
    monkeypatch.setattr(_inference.time, "sleep", lambda seconds: None)
    server = ModelServer(versions=[2], metadata_versions=[1, 1, 1, 2])
    assert ask(server, expected_version=2, version_timeout=5)[0]["version"] == 2


def test_a_newer_version_is_not_waited_for(refused):
    start = time.monotonic()
    assert refused(ModelServer(versions=[3]), expected_version=2, version_timeout=60).code == "wrong_version"
    assert time.monotonic() - start < 10


def test_check_mode_takes_any_version(ask):
    assert ask(ModelServer(versions=[1]), check_mode=True, expected_version=2, version_timeout=60)[0]["version"] == 1


def test_an_old_server_tells_its_version_with_the_metadata(ask, refused):
    assert ask(ModelServer(versions=[None], metadata_versions=[1]), expected_version=1)[0]["version"] == 1
    error = refused(ModelServer(versions=[None], metadata_versions=[1, 2]), expected_version=1)
    assert error.code == "wrong_version" and "version 2 answered" in error.message


def test_a_version_that_changes_meanwhile(ask, refused):
    result, warnings = ask(ModelServer(versions=[1, 1, 1, 2]))
    assert result["version"] == 2 and "versions 1 and 2 answered during the check" in warnings[0]
    assert refused(ModelServer(versions=[1, 1, 1, 2]), expected_version=1).code == "wrong_version"


def test_a_server_that_never_tells(ask):
    result, warnings = ask(ModelServer(versions=[None]), expected_version=1)
    assert result["version"] is None and "does not say which version" in warnings[0]


@pytest.mark.parametrize(("options", "says"), [
    ({"tests": 0}, "check_tests is 0"), ({"batch_size": 0}, "check_batch_size is 0"),
    ({"concurrency": -1}, "check_concurrency is -1"), ({"max_error_rate": 100.5}, "check_max_error_rate is 100.5"),
    ({"max_error_rate": -1.0}, "check_max_error_rate is -1"),
])
def test_options_out_of_range(refused, options, says):
    error = refused("127.0.0.1:1", **options)
    assert error.code == "option_invalid" and says in error.message


def test_nobody_to_ask(refused):
    assert refused("").code == "option_invalid"


@pytest.mark.parametrize(("address", "dialled"), [
    ("10.0.0.1", "10.0.0.1:9090"), ("10.0.0.1:8500", "10.0.0.1:8500"), ("lb.example.com:80", "lb.example.com:80"),
    ("lb.example.com", "lb.example.com:9090"), ("::1", "[::1]:9090"), ("[::1]:8500", "[::1]:8500"), ("[::1]", "[::1]:9090"),
])
def test_addresses(address, dialled):
    assert _inference._dialled({"address": address, "port": 9090}) == dialled


@pytest.mark.parametrize("address", ["http://host:80", "host:port", "host:99999", "host:0", "host:80:90", ":80", "[::1", "host/path"])
def test_addresses_that_are_none(address):
    with pytest.raises(Error, match="check_address is"):
        _inference._dialled({"address": address, "port": 9090})


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

    def of(self, version):
        return None

    def add(self, measured, findings):
        pass


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """cluster({pod: server or Exception}, ...) -> (result, warnings)"""
    def call(pods, others=(), address=None, **options):
        with contextlib.ExitStack() as stack:
            targets = {
                pod: stack.enter_context(serving(server)) if isinstance(server, ModelServer) else server
                for pod, server in pods.items()
            }

            def link(api_client, namespace, pod, port):
                if isinstance(targets[pod], Exception):
                    raise targets[pod]
                return Link(targets[pod])

            monkeypatch.setattr(_inference._port_forward, "_link", link)
            monkeypatch.setattr(_inference._replicas, "ready_replicas", lambda *arguments: (list(pods), list(others)))
            monkeypatch.setattr(_inference._check_history, "read", lambda *arguments: History())
            if isinstance(address, ModelServer):
                address = stack.enter_context(serving(address))
            options = {
                **OPTIONS, "release": "mnist-deploy", "dataset": idx_files.write(tmp_path), "address": address, **options,
            }
            warnings = []
            return _inference.check(options, lambda: None, warnings.append), warnings
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
    with pytest.raises(_inference.CheckFailed) as caught:
        cluster({"a": ModelServer(), "b": ModelServer(wrong_for(20))})
    assert "pod b: 20.0%, version 1" in caught.value.message and "pod a" not in caught.value.message
    assert [report["error_rate"] for report in caught.value.result["replicas"]] == [0.0, 20.0]


def test_an_address_that_cannot_be_reached_is_a_warning(cluster):
    result, warnings = cluster({"a": ModelServer()}, address="127.0.0.1:1")
    assert result["error_rate"] == 0.0 and result["version"] == 1
    assert len(warnings) == 1 and "this controller cannot reach it" in warnings[0] and "127.0.0.1:1" in warnings[0]
    assert result["address"]["error_rate"] is None and "cannot be reached" in result["address"]["problem"]


def test_an_address_that_answers_counts(cluster):
    with pytest.raises(_inference.CheckFailed) as caught:
        cluster({"a": ModelServer()}, address=ModelServer(wrong_for(30)))
    assert "30.0% is over" in caught.value.message and "address 127" in caught.value.message
    with pytest.raises(_inference.CheckFailed, match="Servable not found"):
        cluster({"a": ModelServer()}, address=ModelServer(
            metadata=lambda context: context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found")
        ))
    with pytest.raises(_inference.CheckFailed) as caught:
        cluster({"a": ModelServer()}, address=ModelServer(
            lambda images, call, context: context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        ))
    assert caught.value.code == "requests_failed"


def test_a_forward_that_fails_says_why(cluster):
    reason = "pods \"b\" is forbidden: User \"x\" cannot get resource \"pods/portforward\""
    with pytest.raises(_inference.CheckFailed) as caught:
        cluster({"a": ModelServer(), "b": OSError(reason)}, address=ModelServer())
    assert caught.value.code == "port_forward_failed"
    assert "pod b: port-forward failed: " + reason in caught.value.message
    assert caught.value.result["replicas"][0]["error_rate"] == 0.0


def test_pods_that_are_not_ready_are_named(cluster):
    result, warnings = cluster({"a": ModelServer()}, others=["b is not ready: ContainerCreating"])
    assert warnings == ["b is not ready: ContainerCreating; it is not asked."] and len(result["replicas"]) == 1


def test_many_replicas_make_no_long_message(cluster):
    with pytest.raises(_inference.CheckFailed) as caught:
        cluster({"pod-%02d" % number: OSError("no") for number in range(12)})
    assert caught.value.message == (
        "The inference check failed: pod pod-00, pod pod-01, pod pod-02, and 9 more: port-forward failed: no."
    )
    with pytest.raises(_inference.CheckFailed) as caught:
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
        with pytest.raises(_inference.CheckFailed) as caught:
            cluster({"a": ModelServer(), "b": ModelServer(), "c": bad, "d": ModelServer()}, expected_version=1)
        assert says in caught.value.message and not any("pod %s" % pod in caught.value.message for pod in "abd")
        assert [report["pod"] for report in caught.value.result["replicas"]] == list("abcd")
        assert [report["error_rate"] for report in caught.value.result["replicas"] if report["pod"] != "c"] == [0.0] * 3


def test_replicas_of_two_versions(cluster):
    result, _warnings = cluster({"a": ModelServer(versions=[1]), "b": ModelServer(versions=[2])})
    assert result["version"] is None and [report["version"] for report in result["replicas"]] == [1, 2]


def test_no_deployment(monkeypatch):
    monkeypatch.setattr(_inference._replicas, "ready_replicas", lambda *arguments: None)
    options = {**OPTIONS, "release": "mnist-deploy"}
    assert _inference.check(options, lambda: None, None, check_mode=True)["skipped"] is True
    with pytest.raises(Error, match="mnist-deploy has no Deployment in namespace default"):
        _inference.check(options, lambda: None, None)
