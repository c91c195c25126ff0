"""One model server, asked: what is sent, what counts, when it is given up. Against a gRPC server in this process."""
from __future__ import annotations

import contextlib
import socket
import threading
import time
import types

import grpc
import idx_files
import numpy
import pytest
from ask_server import OPTIONS, ask_server
from fake_model_server import FLOAT, STRING, ModelServer, brightest, one_hot, serving, signatures, tensor_info

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import address as _address
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import answers, dataset, questions
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import server as _server
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tensors import encode


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(_address, "CONNECT_PATIENCE", 0.3)


@pytest.fixture
def ask(tmp_path):
    """ask(server or address, options) -> (result, warnings); a failed check is raised."""
    dataset = idx_files.write(tmp_path)
    return lambda server, **options: ask_server(server, **{"dataset": dataset, **options})


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


def test_labels_that_fit_no_class_are_not_the_models_mistakes(refused, tmp_path):
    server = ModelServer()
    error = refused(server, dataset=idx_files.write(tmp_path, labels=numpy.arange(100) % 10 + 1))
    assert error.code == "dataset_mismatch" and not server.requests
    assert ": the labels are 1 to 10 (10 different ones), and output scores of signature predict_images has the classes 0 to 9: 10" \
        " of 100 tests can never be answered right; they count from 1 and the model from 0, so take 1 from each label. Correct" \
        " the labels" in error.message
    error = refused(server, dataset=idx_files.write(tmp_path, labels=numpy.arange(100) % 10 + 2))
    assert "can never be answered right. Correct the labels" in error.message


def test_what_a_server_says_ends_with_one_full_stop(refused):
    def fails(images, call, context):
        context.abort(grpc.StatusCode.INTERNAL, "The GPU is gone.")
    error = refused(ModelServer(fails))
    assert "The GPU is gone)" in error.message and ".." not in error.message
    error = refused(ModelServer(metadata=lambda context: context.abort(grpc.StatusCode.INTERNAL, "The GPU is gone.")))
    assert error.message.endswith("The GPU is gone.") and not error.message.endswith("..")
    assert not any(".." in line for line in error.result["summary"])


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
    monkeypatch.setattr(_server, "SINGLE_SECONDS", 0)
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


def test_one_bad_reply_among_many(refused):
    """They are read many at a time, and only the bad ones count as failed."""
    bad = {31: encode(numpy.zeros((1, 9)), FLOAT), 50: encode(numpy.zeros((2, 10)), FLOAT), 60: b"rubbish"}
    server = ModelServer(lambda images, call, context: bad.get(call) or one_hot(brightest(images)))
    error = refused(server, batch_size=1, concurrency=1)
    assert error.code == "requests_failed" and error.result["unanswered"] == 2 and error.result["wrong"] == 1
    assert error.result["address"]["errors"] == {"MALFORMED_REPLY": 2}


def test_one_reply_among_many_whose_answers_are_none(refused):
    """It is found among those that are read with it."""
    bad = encode(numpy.full((1, 1), 7.0), FLOAT)
    server = ModelServer(lambda images, call, context: bad if call == 31 else one_hot(brightest(images)))
    error = refused(server, batch_size=1, concurrency=1)
    assert error.result["address"]["errors"] == {"MALFORMED_REPLY": 1} and error.result["unanswered"] == 1
    assert "output scores: has one score for each test, and not all are from 0 to 1" in error.message
    assert error.result["wrong"] == 0


def test_a_server_that_always_fails_is_given_up(refused):
    server = ModelServer(lambda images, call, context: context.abort(grpc.StatusCode.UNAVAILABLE, "overloaded"))
    error = refused(server, batch_size=1, concurrency=1)
    assert len(server.requests) == _server.GIVE_UP_AFTER
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
    assert error.code == "option_invalid" and "predict_images, serving_default" in error.message


def test_another_service(refused):
    class Other(grpc.GenericRpcHandler):
        def service(self, details):
            return None
    assert refused(Other()).code == "unimplemented"


def test_metadata_that_are_none(refused):
    assert refused(ModelServer(metadata=lambda context: b"\xff\xff")).code == "malformed_reply"
    assert refused(ModelServer(metadata=lambda context: b"")).code == "signature_missing"


IMAGES, SCORES = tensor_info(FLOAT, -1, 784), tensor_info(FLOAT, -1, 10)


@pytest.mark.parametrize(("inputs", "outputs", "options", "code", "says"), [
    ({"images": tensor_info(STRING, -1)}, {"scores": SCORES}, {}, "dataset_mismatch",
     "dataset has uint8 [100, 28, 28], the model wants string [-1]"),
    ({"images": tensor_info(FLOAT, -1, 1024)}, {"scores": SCORES}, {}, "dataset_mismatch",
     "has uint8 [100, 28, 28], the model wants float32 [-1, 1024]"),
    ({"images": tensor_info(FLOAT, -1, 28, 28, 3)}, {"scores": SCORES}, {}, "dataset_mismatch",
     "the model wants float32 [-1, 28, 28, 3]"),
    ({"images": IMAGES, "k": tensor_info(FLOAT)}, {"scores": SCORES}, {}, "option_invalid",
     "wants one value for a whole request of k (float32)"),
    ({"images": tensor_info(20, -1)}, {"scores": SCORES}, {}, "signature_mismatch",
     "signature predict_images cannot be checked: its input images is of"),
    ({"images": tensor_info(FLOAT, 7, 784)}, {"scores": SCORES}, {}, "option_invalid", "batches of exactly 7 tests"),
    ({"images": IMAGES, "mask": IMAGES}, {"scores": SCORES}, {}, "option_invalid", "say with check_inputs which column mask takes"),
    ({"images": IMAGES}, {"scores": SCORES}, {"inputs": {"image": "images"}}, "option_invalid", "check_inputs names image"),
    ({"images": IMAGES}, {"a": SCORES, "b": SCORES}, {}, "option_invalid", "outputs a, b: say which with check_output"),
    ({"images": IMAGES}, {"scores": SCORES}, {"output": "score"}, "option_invalid", "check_output (now 'score')"),
    ({"images": IMAGES}, {"scores": tensor_info(8, -1)}, {}, "signature_mismatch",
     "output scores of signature predict_images is complex64"),
    ({}, {"scores": SCORES}, {}, "signature_mismatch", "signature predict_images cannot be checked: it has no inputs"),
])
def test_mismatches_are_explained_before_anything_is_sent(refused, inputs, outputs, options, code, says):
    server = ModelServer(signature_map=signatures(predict_images=(inputs, outputs)))
    error = refused(server, **options)
    assert error.code == code and says in error.message and not server.requests


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
    pauses = []
    # Not the module `time` itself, whose other users go on beside.
    monkeypatch.setattr(_server, "time", types.SimpleNamespace(**{**vars(time), "sleep": pauses.append}))
    server = ModelServer(versions=[2], metadata_versions=[1, 1, 1, 2])
    assert ask(server, expected_version=2, version_timeout=5)[0]["version"] == 2 and pauses == [1, 1, 1]


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


def test_requests_are_noted_in_the_order_in_which_they_were_sent(tmp_path):
    """One of the first takes the longest, so its reply comes last."""
    def scores(images, call, context):
        time.sleep(0.3 if images[0].argmax() == 0 and len(images) == 10 and not call else 0)
        return one_hot(brightest(images))

    tests = questions.Questions({**OPTIONS, "record": None}, dataset.load(idx_files.write(tmp_path), 100))
    with serving(ModelServer(scores)) as address, contextlib.closing(_server.Server("a", OPTIONS, address)) as server:
        server.meet(tests)
        server.answer(tests)
    # Whichever arrives first: of those that are under way at once it need not be the first that was sent.
    slow = max(range(len(server.sent)), key=lambda number: server.sent[number].seconds)
    assert server.sent[slow].seconds > 0.25 and slow < OPTIONS["concurrency"] < len(server.sent) and server.sent == sorted(server.sent)
    assert server.done == server.answered == 100


def test_what_many_replies_hold_is_read_in_parts(ask, monkeypatch):
    """However large they are, only so much is held at once; the first ones are read one by one, to give up early."""
    read, mark = [], _server.Server._mark
    monkeypatch.setattr(_server.Server, "_mark", lambda server, arrays: read.append(len(arrays)) or mark(server, arrays))
    ask(ModelServer(), batch_size=1, concurrency=1)
    assert read == [1] * 10 + [64, 26]
    del read[:]
    reply = 10 * 4 + 60  # bytes, about
    monkeypatch.setattr(_server, "READ_BYTES", 5 * reply)
    ask(ModelServer(), batch_size=1, concurrency=1)
    assert read[:10] == [1] * 10 and max(read) < 10 and sum(read) == 100


def test_golden_answers_of_another_signature_are_no_question(refused, tmp_path):
    path = str(tmp_path / "golden.npz")
    dataset_here = dataset.load(idx_files.write(tmp_path), 100)
    answers.write_golden(path, numpy.zeros((100, 10)), {"dataset": dataset_here.digest, "signature": "other", "output": "scores"})
    server = ModelServer()
    error = refused(server, golden=path)
    assert error.code == "golden_invalid" and "from the signature 'other'" in error.message and not server.requests


def test_how_it_is_asked(monkeypatch):
    opened = []
    monkeypatch.setattr(_server.channel, "Channel", lambda *arguments: opened.append(arguments))
    _server.Server("title", {**OPTIONS, "model_name": "50%"}, "target", "a", "forward", "tls")
    (target, forward, words, tls), = opened
    assert (target, forward, tls) == ("target", "forward", "tls")
    assert words["DEADLINE_EXCEEDED"] % {"timeout": 3} == "the server did not answer within 3 s (check_timeout)"
    assert words["NOT_FOUND"] % {"said": "no"} == "the server does not serve the model '50%' (check_model_name): no"


def test_an_address_is_tried_first_and_a_pod_is_not(monkeypatch):
    """A port-forward is a socket of our own, which always accepts."""
    tried = []

    def probe(target):
        tried.append(target)
        raise Error("nobody there", "unavailable")

    def ask(server):
        raise Error("asked", "asked")

    monkeypatch.setattr(_server, "probe", probe)
    monkeypatch.setattr(_server.Server, "_metadata", ask)
    for pod, code in ((None, "unavailable"), ("a", "asked")):
        server = _server.Server("title", OPTIONS, "127.0.0.1:1", pod)
        server.meet(None)
        assert server.problem.code == code and server.plan is None
    assert tried == ["127.0.0.1:1"]


@pytest.mark.parametrize(("expected", "versions", "problem", "asked"), [
    (None, {1, 2}, None, 2), (3, {1}, None, 3), (3, set(), "wrong_version", 3), (None, set(), None, None),
    (3, {1}, "unavailable", None), (None, {2}, "deadline_exceeded", None), (None, {2}, "port_forward_failed", None),
    (3, {3}, "tls_failed", None),
])
def test_of_which_version_the_state_is_asked(monkeypatch, expected, versions, problem, asked):
    calls = []
    states = [{"version": version, "state": "STATE %d" % version, "error": ""} for version in (1, 2, 3)]
    monkeypatch.setattr(_server, "model_versions", lambda *arguments: calls.append(arguments) or states)
    server = _server.Server("title", {**OPTIONS, "expected_version": expected}, "127.0.0.1:1")
    server.versions, server.problem = versions, problem and Error("no", problem)
    server.look()
    assert server.state == (asked and "STATE %d" % asked)
    assert calls == ([(server.channel, "mnist", 5.0)] if asked else [])


@pytest.mark.parametrize("answer", [None, [], [{"version": 7, "state": "AVAILABLE", "error": ""}], Error("no", "internal")])
def test_a_server_may_say_nothing_of_a_version(monkeypatch, answer):
    def versions(*arguments):
        if isinstance(answer, Error):
            raise answer
        return answer

    monkeypatch.setattr(_server, "model_versions", versions)
    server = _server.Server("title", OPTIONS, "127.0.0.1:1")
    server.versions = {1}
    server.look()
    assert server.state is None
