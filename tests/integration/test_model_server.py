"""The stand-in model server as a process, asked with the official tensorflow-serving-api protos.

What it imitates is in tests/lab/model_server/README.md.
"""
from __future__ import annotations

import gzip
import json
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import grpc
import model_zoo
import numpy
import pytest
import test_chart
from stand_in import (
    NEW,
    OLD,
    Server,
    certificates,
    config,
    entry,
    free_port,
    refused,
    spec,
    ssl_config,
    tfrecord,
    unpack,
    until,
    zeros,
)

from tf_lab import models

# isort: split
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from model_server import config as server_config
from model_server.errors import Failure

FIRST, SECOND, WRECKED = models.ARCHIVES


def error_rate(server, held_out, **options):
    images, labels = held_out
    scores = numpy.array(server.predict(images, **options).outputs["scores"].float_val).reshape(-1, 10)
    return round(100.0 * float((scores.argmax(axis=1) != labels).mean()), 2)


@pytest.fixture(scope="module")
def held_out():
    pixels = gzip.decompress((models.MODELS / models.TEST_IMAGES).read_bytes())[16:]
    labels = gzip.decompress((models.MODELS / models.TEST_LABELS).read_bytes())[8:]
    images = numpy.frombuffer(pixels, numpy.uint8).reshape(-1, 784).astype(numpy.float32) / numpy.float32(255)
    return images[:models.TESTS], numpy.frombuffer(labels, numpy.uint8)[:models.TESTS]


@pytest.fixture
def base(tmp_path):
    (tmp_path / "mnist").mkdir()
    return tmp_path / "mnist"


@pytest.fixture
def start(tmp_path, base):
    running = []

    def start(*arguments, release=NEW, config_file=None, **options):
        log = tmp_path / ("log-%d" % len(running))
        where = ["--model_config_file=%s" % config_file] if config_file else []
        running.append(Server(None if config_file else base, log, release, *where, *arguments, **options))
        return running[-1]

    yield start
    for server in running:
        server.kill()


@pytest.fixture(scope="module", params=[OLD, NEW])
def server(request, tmp_path_factory):
    """One server with version 1, for the tests that only ask."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "mnist").mkdir()
    unpack(FIRST, folder / "mnist")
    server = Server(folder / "mnist", folder / "log", request.param)
    server.release = request.param
    yield server.wait()
    server.kill()


def test_the_served_error_rate_is_what_tensorflow_computed_offline(server, held_out):
    assert error_rate(server, held_out) == models.archives()[FIRST]["error_rate"]


def test_a_batch_of_one_is_answered_in_a_typed_array_that_sums_to_one(server, held_out):
    scores = server.predict(held_out[0][:1]).outputs["scores"]
    assert not scores.tensor_content
    assert [dim.size for dim in scores.tensor_shape.dim] == [1, 10]
    assert sum(scores.float_val) == pytest.approx(1.0, abs=1e-5)


def test_the_effective_version_is_told_only_by_the_newer_release(server, held_out):
    answer = server.predict(held_out[0][:1])
    assert answer.HasField("model_spec") == (server.release == NEW)
    if server.release == NEW:
        told = answer.model_spec
        assert (told.name, told.version.value, told.signature_name) == ("mnist", 1, "predict_images")


def test_model_service_came_after_1_4(server):
    if server.release == NEW:
        assert server.status() == [(1, get_model_status_pb2.ModelVersionStatus.AVAILABLE)]
        for name, version, text in (("mnist", 7, "Could not find version 7 of model mnist"),
                                    ("other", None, "Could not find any versions of model other")):
            request = get_model_status_pb2.GetModelStatusRequest()
            spec(request, name, version)
            with refused(grpc.StatusCode.NOT_FOUND, text):
                server.model.GetModelStatus(request, timeout=5)
    else:
        with refused(grpc.StatusCode.UNIMPLEMENTED, ""):
            server.status()


def test_a_version_by_number(server, held_out):
    assert server.predict(held_out[0][:1], version=1).outputs["scores"].float_val
    with refused(grpc.StatusCode.NOT_FOUND, "Servable not found for request: Specific(mnist, 2)"):
        server.predict(held_out[0][:1], version=2)
    with refused(grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(other)"):
        server.predict(held_out[0][:1], name="other")


@pytest.mark.parametrize("inputs, code, text", [
    ({"images": zeros(1, 784), "signature": "nope"}, "FAILED_PRECONDITION", 'Serving signature key "nope" not found.'),
    ({"wrong": zeros(1, 784)}, "INVALID_ARGUMENT", "input tensor alias not found in signature: wrong"),
    ({"images": zeros(1, 784), "more": zeros(1)}, "INVALID_ARGUMENT", "input size does not match signature: 2!=1"),
    ({"images": zeros(1, 5)}, "INVALID_ARGUMENT", "Matrix size-incompatible"),
    ({"images": zeros(1, 784, dtype=numpy.float64)}, "INVALID_ARGUMENT", "double"),
])
def test_what_a_request_can_do_wrong(server, inputs, code, text):
    with refused(grpc.StatusCode[code], text):
        server.predict(**inputs)


def test_classify_is_the_default_signature(server, held_out):
    images, labels = held_out
    request = classification_pb2.ClassificationRequest()
    spec(request)
    for image in images[:20]:
        example = request.input.example_list.examples.add()
        example.features.feature["x"].float_list.value.extend(image.tolist())
    answer = server.prediction.Classify(request, timeout=20).result.classifications
    best = [max(one.classes, key=lambda c: c.score).label for one in answer]
    assert len(best) == 20
    assert sum(int(label) == digit for label, digit in zip(best, labels)) >= 15
    with refused(grpc.StatusCode.INVALID_ARGUMENT, ""):  # strings expected, floats sent
        server.predict(signature="", inputs=images[:1])


def test_metadata_tells_the_signatures(server):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    spec(request)
    answer = server.prediction.GetModelMetadata(request, timeout=5)
    assert answer.model_spec.version.value == 1
    signatures = get_model_metadata_pb2.SignatureDefMap()
    answer.metadata["signature_def"].Unpack(signatures)
    assert set(signatures.signature_def) == {"predict_images", "serving_default"}
    images = signatures.signature_def["predict_images"].inputs["images"]
    assert [dim.size for dim in images.tensor_shape.dim] == [-1, 784]
    request.metadata_field[:] = ["cost"]
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "is not supported"):
        server.prediction.GetModelMetadata(request, timeout=5)


def test_the_log_says_what_a_role_looks_for_and_nothing_of_a_gpu(server):
    for line in ("Loading servable version {name: mnist version: 1}",
                 "Successfully loaded servable version {name: mnist version: 1}"):
        assert line in server.log
    running = "Running gRPC ModelServer at" if server.release == NEW else "Running ModelServer at"
    assert running in server.log
    assert not any(word in server.log for word in ("GPU", "cuda", "CUDA", "device"))


def test_sigterm_is_ignored(server, held_out):
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert server.process.poll() is None
    assert error_rate(server, held_out) == models.archives()[FIRST]["error_rate"]


def test_it_answers_beside_each_other(server, held_out):
    images = held_out[0]
    alone = [numpy.array(server.predict(images[n:n + 1]).outputs["scores"].float_val) for n in range(20)]
    answers = [None] * 20

    def ask(n):
        answers[n] = numpy.array(server.predict(images[n:n + 1]).outputs["scores"].float_val)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(numpy.allclose(one, other) for one, other in zip(alone, answers))


def test_a_new_version_goes_live_without_a_failed_request(start, base, held_out):
    unpack(FIRST, base)
    server = start().wait()
    seen, failed, stop = set(), [], threading.Event()

    def client():
        while not stop.is_set():
            try:
                seen.add(server.predict(held_out[0][:1]).model_spec.version.value)
            except grpc.RpcError as error:
                failed.append(error.details())

    threads = [threading.Thread(target=client) for dummy in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: 1 in seen)
    unpack(SECOND, base)
    until(lambda: 2 in seen)
    until(lambda: server.status() == [(2, 30), (1, 50)])
    stop.set()
    for thread in threads:
        thread.join()
    assert (seen, failed) == ({1, 2}, [])
    assert error_rate(server, held_out) == models.archives()[SECOND]["error_rate"]
    with refused(grpc.StatusCode.NOT_FOUND, "Specific(mnist, 1)"):
        server.predict(held_out[0][:1], version=1)
    for line in ("Quiescing servable version {name: mnist version: 1}", "Done quiescing servable version",
                 "Unloading servable version {name: mnist version: 1}"):
        assert line in server.log


def test_without_a_version_the_port_stays_closed_until_one_comes(start, base, held_out):
    server = start()
    until(lambda: "No versions of servable mnist found under base path %s" % base in server.log)
    assert not server.listens()
    unpack(WRECKED, base)
    server.wait()
    assert error_rate(server, held_out) == models.archives()[WRECKED]["error_rate"]


def test_without_a_base_path_the_port_stays_closed(start, base):
    base.rmdir()
    server = start(release=OLD)
    until(lambda: "Could not find base path %s for servable mnist" % base in server.log)
    assert not server.listens()
    assert server.process.poll() is None


def test_an_empty_base_path_unloads_everything(start, base, held_out):
    unpack(FIRST, base)
    server = start().wait()
    (base / "1").rename(base.with_name("away"))
    until(lambda: server.status() == [(1, 50)])
    with refused(grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(mnist)"):
        server.predict(held_out[0][:1])
    assert server.listens(), "the port stays open: a TCP probe says nothing"
    base.with_name("away").rename(base / "1")
    until(lambda: server.status() == [(1, 30)])


def test_a_version_without_saved_model_keeps_the_old_one(start, base, held_out):
    unpack(FIRST, base)
    server = start("--max_num_load_retries=1", "--load_retry_interval_micros=1000").wait()
    (base / "2").mkdir()
    until(lambda: server.status() == [(2, 50), (1, 30)])
    assert "Could not find SavedModel .pb or .pbtxt at supplied export directory path: %s/2" % base in server.log
    assert error_rate(server, held_out) == models.archives()[FIRST]["error_rate"]


@pytest.mark.parametrize("archive", [FIRST, SECOND])
def test_a_version_without_variables_loads_and_then_fails_every_request(start, base, held_out, archive):
    unpack(archive, base)
    for folder in base.glob("*/variables"):
        shutil.rmtree(folder)
    server = start().wait()
    assert "The specified SavedModel has no variables" in server.log
    with refused(grpc.StatusCode.FAILED_PRECONDITION, ""):
        server.predict(held_out[0][:1])


def test_a_first_version_that_never_loads_ends_the_server(start, base):
    (base / "1").mkdir()
    server = start("--max_num_load_retries=0")
    assert server.process.wait(30) == 255
    assert "Failed to start server. Error: Unknown: 1 servable(s) did not become available" in server.log


def test_an_unknown_flag_is_named_and_passed_over(start, base, held_out):
    unpack(FIRST, base)
    server = start("--modle_name=typo", release=OLD).wait()
    assert "unknown argument: --modle_name=typo\nusage: " in server.log
    assert error_rate(server, held_out) == models.archives()[FIRST]["error_rate"]


def test_a_port_that_is_taken_ends_the_server(start, base):
    unpack(FIRST, base)
    first = start().wait()
    second = start(port=first.port)
    assert second.process.wait(30) == 255
    assert "Failed to BuildAndStart gRPC server" in second.log


def test_answers_as_tensor_content(start, base, held_out):
    unpack(FIRST, base)
    scores = start("--enable_serialization_as_tensor_content=true").wait().predict(held_out[0][:1]).outputs["scores"]
    assert not scores.float_val
    assert numpy.frombuffer(scores.tensor_content, numpy.float32).sum() == pytest.approx(1.0, abs=1e-5)


# A model config file, and everything that can be asked of one server: labels, reload, REST, metrics, warm-up.

AVAILABLE, END = 30, 50


@pytest.fixture(scope="module")
def pinned(tmp_path_factory):
    """A server with a model config file, over two versions, and all that can be switched on. Each test reloads it."""
    folder = tmp_path_factory.mktemp("pinned")
    base = folder / "mnist"
    base.mkdir()
    for archive in (FIRST, SECOND):
        unpack(archive, base)
    files = {
        "model_config_file": config(entry(base, 1, stable=1)),
        "monitoring_config_file": 'prometheus_config { enable: true, path: "/metrics" }',
        "batching_parameters_file": "max_batch_size { value: 1000 } num_batch_threads { value: 2 }",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    rest_port = free_port()
    server = Server(
        None, folder / "log", NEW, *("--%s=%s" % (name, folder / name) for name in files), "--enable_batching=true",
        "--allow_version_labels_for_unavailable_models=true", "--max_num_load_retries=0", "--rest_api_port=%d" % rest_port)
    server.base, server.rest = base, "http://127.0.0.1:%d" % rest_port
    yield server.wait()
    server.kill()


@pytest.fixture
def stable(pinned):
    """Back to what the file says."""
    pinned.reload(entry(pinned.base, 1))  # a label that exists may not move to a version that is not loaded
    until(lambda: [number for number, state in pinned.status() if state != END] == [1] and pinned.answers() == 1)
    pinned.reload(entry(pinned.base, 1, stable=1))
    return pinned


def test_a_config_file_pins_a_version_and_labels_it(stable):
    assert (1, AVAILABLE) in stable.status()
    assert (stable.answers(), stable.answers(label="stable"), stable.answers(version=1)) == (1, 1, 1)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "Unrecognized servable version label: canary"):
        stable.answers(label="canary")
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    spec(request, label="stable")
    assert stable.prediction.GetModelMetadata(request, timeout=5).model_spec.version.value == 1
    assert stable.status(label="no such label") == stable.status(), "the status passes a label over"


def test_a_candidate_under_a_name_of_its_own(stable):
    stable.reload(entry(stable.base, 1, stable=1), entry(stable.base, 2, name="mnist-canary"))
    assert (stable.answers("mnist-canary"), stable.answers(), stable.answers(label="stable")) == (2, 1, 1)
    assert (2, AVAILABLE) in stable.status("mnist-canary")
    stable.reload(entry(stable.base, 1, stable=1))
    until(lambda: stable.status("mnist-canary") == [(2, END)])
    with refused(grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(mnist-canary)"):
        stable.answers("mnist-canary")


def test_an_unlabelled_request_goes_to_the_highest_loaded_version_whatever_the_label_says(stable):
    stable.reload(entry(stable.base, 1, 2, stable=1))
    until(lambda: stable.status() == [(2, AVAILABLE), (1, AVAILABLE)])
    assert (stable.answers(), stable.answers(label="stable")) == (2, 1)


def test_a_promotion_step_by_step_without_a_failed_request(stable):
    seen, failed, stop = [], [], threading.Event()

    def client():
        while not stop.is_set():
            try:
                seen.append(stable.answers(label="stable"))
            except grpc.RpcError as error:
                failed.append(error.details())

    thread = threading.Thread(target=client)
    thread.start()
    with refused(grpc.StatusCode.FAILED_PRECONDITION, "Request to assign label to version 2 of model mnist, which is not "
                 "currently available for inference"):
        stable.reload(entry(stable.base, 1, 2, stable=2))
    stable.reload(entry(stable.base, 1, 2, stable=1))
    until(lambda: (2, AVAILABLE) in stable.status())
    stable.reload(entry(stable.base, 1, 2, stable=2))
    stable.reload(entry(stable.base, 2, stable=2))
    until(lambda: stable.status() == [(2, AVAILABLE), (1, END)])
    until(lambda: 2 in seen)
    stop.set()
    thread.join()
    assert (seen, failed) == (sorted(seen), [])
    assert (stable.answers(), stable.answers(label="stable")) == (2, 2)


def test_a_new_label_may_come_before_its_version(stable):
    stable.reload(entry(stable.base, 1, stable=1, next=2))
    with refused(grpc.StatusCode.NOT_FOUND, "Servable not found for request: Specific(mnist, 2)"):
        stable.answers(label="next")


def test_a_reload_with_a_bad_path_waits_for_ever_and_so_does_the_next_one(stable):
    path = stable.base.with_name("late")
    for entries in ((entry(stable.base, 1, stable=1), entry(path, name="late")), (entry(stable.base, 1, stable=1),)):
        with refused(grpc.StatusCode.DEADLINE_EXCEEDED, ""):
            stable.reload(*entries, timeout=1)
    assert stable.answers() == 1, "requests are answered meanwhile"
    path.symlink_to(stable.base)
    until(lambda: stable.status("late") == [(2, END)])  # loaded, and then left out by the one that waited


def test_a_missing_base_path_keeps_every_other_model_as_it_is(stable):
    gone = entry(stable.base.with_name("gone"), name="gone")
    with refused(grpc.StatusCode.DEADLINE_EXCEEDED, ""):
        stable.reload(entry(stable.base, 1, 2, stable=1), gone, timeout=2)
    assert (2, AVAILABLE) not in stable.status()
    stable.base.with_name("gone").symlink_to(stable.base)
    until(lambda: stable.status("gone") == [(2, AVAILABLE)])
    stable.reload(entry(stable.base, 1, stable=1))


def test_a_candidate_that_cannot_be_loaded(stable):
    (stable.base / "3").mkdir()
    with refused(grpc.StatusCode.UNKNOWN, "1 model(s) did not become available: {{{name: mnist-canary version: 3} due to error: "
                 "Not found: Could not find SavedModel .pb or .pbtxt at supplied export directory path"):
        stable.reload(entry(stable.base, 1, stable=1), entry(stable.base, 3, name="mnist-canary"))
    one, = [one for one in stable.states("mnist-canary") if one.version == 3]
    assert (one.state, one.status.error_code) == (END, 5)
    assert one.status.error_message.startswith("Could not find SavedModel .pb")
    assert stable.answers() == 1
    shutil.rmtree(stable.base / "3")


@pytest.mark.parametrize("entries, text", [
    (['config { name: "m" base_path: "/m" }'], "Illegal setting neither ModelServerConfig::model_type"),
    (['config { name: "m" base_path: "m" model_platform: "tensorflow" }'], "to have an absolute path or URI"),
    ([entry("/m", name="m"), entry("/m", name="m")], "Illegal to list model m multiple times"),
])
def test_configs_that_are_refused(stable, entries, text):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, text):
        stable.reload(*entries)
    assert "ReloadConfig failed: " in stable.log


def test_reload_wants_a_list_of_models(stable):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "Only ModelConfigList is currently supported"):
        stable.model.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest(), timeout=5)


def rest(server, path, document=None):
    """(code, text or what the JSON says)."""
    try:
        answer = urllib.request.urlopen(server.rest + path, document and json.dumps(document).encode(), timeout=20)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        text = answer.read().decode()
        return answer.status, json.loads(text) if answer.headers["Content-Type"] == "application/json" else text


def test_rest_tells_status_and_metadata(stable):
    code, told = rest(stable, "/v1/models/mnist")
    assert code == 200
    assert {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}} in told[
        "model_version_status"]
    assert rest(stable, "/v1/models/mnist/versions/7") == (404, {"error": "Could not find version 7 of model mnist"})
    for path in ("", "/versions/1", "/labels/stable"):
        code, told = rest(stable, "/v1/models/mnist%s/metadata" % path)
        assert (code, told["model_spec"]["version"]) == (200, "1")
        assert set(told["metadata"]["signature_def"]["signature_def"]) == {"predict_images", "serving_default"}
    assert rest(stable, "/v1/models/nope")[0] == 404
    assert rest(stable, "/v1/nope") == (400, {"error": "Malformed request: GET /v1/nope"})
    assert rest(stable, "/nope")[0] == 404


def test_rest_answers_200_for_a_model_that_is_gone_and_404_for_its_metadata(stable):
    stable.reload(entry(stable.base, 1, stable=1), entry(stable.base, 2, name="brief"))
    stable.reload(entry(stable.base, 1, stable=1))
    until(lambda: stable.status("brief") == [(2, END)])
    assert rest(stable, "/v1/models/brief")[0] == 200
    assert rest(stable, "/v1/models/brief/metadata")[0] == 404


@pytest.mark.parametrize("path", ["", "/versions/1", "/labels/stable"])
def test_rest_predicts_what_grpc_predicts(stable, held_out, path):
    images = held_out[0][:3]
    expected = numpy.array(stable.predict(images, version=1).outputs["scores"].float_val).reshape(3, 10)
    for asked, told in (({"instances": images.tolist()}, "predictions"),
                        ({"instances": [{"images": image} for image in images.tolist()]}, "predictions"),
                        ({"inputs": images.tolist()}, "outputs"), ({"inputs": {"images": images.tolist()}}, "outputs")):
        code, answer = rest(stable, "/v1/models/mnist%s:predict" % path, {"signature_name": "predict_images", **asked})
        assert code == 200, answer
        assert numpy.allclose(answer[told], expected, atol=1e-6)


def test_rest_classifies(stable, held_out):
    images, labels = held_out
    code, answer = rest(stable, "/v1/models/mnist:classify", {"examples": [{"x": image.tolist()} for image in images[:20]]})
    assert code == 200
    best = [int(max(row, key=lambda one: one[1])[0]) for row in answer["results"]]
    assert sum(one == label for one, label in zip(best, labels)) >= 15


@pytest.mark.parametrize("path, document, code, text", [
    ("mnist", {"instances": []}, 400, "No values in 'instances' array"),
    ("mnist", {}, 400, "Missing 'inputs' or 'instances' key"),
    ("mnist", {"instances": [["a"]], "signature_name": "predict_images"}, 400, "is not of expected type: float"),
    ("mnist", {"instances": [[0.0]], "signature_name": "predict_images"}, 400, "Matrix size-incompatible"),
    ("mnist", {"instances": [[0.0]], "signature_name": "nope"}, 400, 'Serving signature name: "nope" not found'),
    ("other", {"instances": [[0.0]]}, 404, "Servable not found for request: Latest(other)"),
    ("mnist/labels/nope", {"instances": [[0.0]]}, 400, "Unrecognized servable version label: nope"),
    ("mnist/versions/9", {"instances": [[0.0]]}, 404, "Servable not found for request: Specific(mnist, 9)"),
])
def test_what_a_rest_request_can_do_wrong(stable, path, document, code, text):
    told, answer = rest(stable, "/v1/models/%s:predict" % path, document or {"x": 1})
    assert (told, text in answer["error"]) == (code, True), answer


def metric(server, line):
    found = re.search("^%s (.*)$" % re.escape(line), rest(server, "/metrics")[1], re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def test_prometheus_counts_requests(stable):
    names = (':tensorflow:serving:request_count{model_name="mnist",status="OK"}', ":tensorflow:core:graph_runs{}",
             ':tensorflow:serving:request_latency_count{model_name="mnist",API="Predict",entrypoint="GRPC"}',
             ':tensorflow:serving:runtime_latency_count{model_name="mnist",API="Predict",runtime="TF1"}')
    before = [metric(stable, name) for name in names]
    for dummy in range(3):
        stable.answers()
    assert [metric(stable, name) - had for name, had in zip(names, before)] == [3, 3, 3, 3]
    lost = ':tensorflow:serving:request_count{model_name="mnist",status="NOT_FOUND"}'
    before = metric(stable, lost)
    with refused(grpc.StatusCode.NOT_FOUND, ""):
        stable.answers(version=7)
    assert metric(stable, lost) == before + 1
    assert metric(stable, ':tensorflow:cc:saved_model:load_attempt_count{model_path="%s/1",status="success"}'
                  % stable.base) >= 1


def test_batching_parameters_arrive(stable):
    assert "Batching parameters that arrived: max_batch_size { value: 1000 } num_batch_threads { value: 2 }" in stable.log
    assert "Wrapping session to perform batch processing" in stable.log
    assert len(stable.predict(zeros(1000, 784)).outputs["scores"].float_val) == 10000
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "Task size 1001 is larger than maximum input batch size 1000"):
        stable.predict(zeros(1001, 784))


# Warm-up

def warm_record(signature="predict_images", size=784):
    record = prediction_log_pb2.PredictionLog()
    request = record.predict_log.request
    spec(request).signature_name = signature
    tensor = request.inputs["images"]
    tensor.dtype, tensor.tensor_content = types_pb2.DT_FLOAT, zeros(1, size).tobytes()
    for one in (1, size):
        tensor.tensor_shape.dim.add(size=one)
    return record.SerializeToString()


def warm_model(base, name, content):
    """A model beside base, its version 1 with this warm-up file."""
    folder = base.with_name(name)
    shutil.copytree(base / "1", folder / "1")
    (folder / "1/assets.extra").mkdir()
    (folder / "1/assets.extra/tf_serving_warmup_requests").write_bytes(content)
    return folder


def test_warm_up_is_answered_before_the_version_is_available(stable):
    folder = warm_model(stable.base, "warm", tfrecord(warm_record(), warm_record()))
    stable.reload(entry(stable.base, 1, stable=1), entry(folder, name="warm"))
    read = stable.log.index("Finished reading warmup data for model at %s/1/assets.extra/tf_serving_warmup_requests. Number of "
                            "warmup records read: 2." % folder)
    assert read < stable.log.index("Successfully loaded servable version {name: warm version: 1}")
    assert "No warmup data file found at %s/1/assets.extra/tf_serving_warmup_requests" % stable.base in stable.log


@pytest.mark.parametrize("name, records, text", [
    ("signature", tfrecord(warm_record("nope")), 'Serving signature key "nope" not found.'),
    ("size", tfrecord(warm_record(size=5)), "Matrix size-incompatible"),
    ("noproto", tfrecord(b"\xff\xff"), "Failed to parse warmup record"),
    ("crc", tfrecord(warm_record())[:-1] + b"x", "Please verify your warmup data is in TFRecord format"),
    ("short", tfrecord(warm_record())[:-9], "Please verify your warmup data is in TFRecord format"),
    ("many", tfrecord(b"") * 1001, "Number of warmup records exceeds the maximum (1000)"),
])
def test_a_bad_warm_up_record_fails_the_load(stable, name, records, text):
    folder = warm_model(stable.base, name, records)
    with refused(grpc.StatusCode.UNKNOWN, text):
        stable.reload(entry(stable.base, 1, stable=1), entry(folder, name=name))
    assert stable.status(name) == [(1, END)]


def test_a_thousand_records_are_fine(stable):
    folder = warm_model(stable.base, "thousand", tfrecord(b"") * 1000)
    stable.reload(entry(stable.base, 1, stable=1), entry(folder, name="thousand"))
    assert stable.status("thousand") == [(1, AVAILABLE)]


@pytest.mark.parametrize("release, arguments", [(OLD, []), (NEW, ["--enable_model_warmup=false"])])
def test_without_warm_up_its_file_is_not_read(start, base, release, arguments):
    unpack(FIRST, base)
    bad = warm_model(base, "bad", b"nonsense")
    shutil.rmtree(base / "1")
    (bad / "1").rename(base / "1")
    assert "warmup data" not in start(*arguments, release=release).wait().log


# What only the start decides.

@pytest.fixture
def config_file(tmp_path):
    return tmp_path / "models.config"


def test_a_label_on_a_version_that_is_not_loaded_ends_the_start(start, base, config_file):
    unpack(FIRST, base)
    config_file.write_text(config(entry(base, 1, stable=1)))
    server = start(config_file=config_file)
    assert server.process.wait(30) == 255
    assert "Failed to start server. Error: Failed precondition: Request to assign label to version 1 of model mnist" in server.log


def test_a_bad_config_file_ends_the_start(start, config_file):
    config_file.write_text("model_config_list { config { nam: 1 } }")
    server = start(config_file=config_file)
    assert server.process.wait(30) == 255
    assert "Failed to start server. Error: Invalid argument: Invalid protobuf file: '%s'" % config_file in server.log


def test_batching_parameters_without_batching_end_the_start(start, base, tmp_path):
    server = start("--batching_parameters_file=%s" % tmp_path)
    assert server.process.wait(30) == 255
    assert ("server_options.batching_parameters_file is set without setting server_options.enable_batching to true"
            in server.log)


@pytest.mark.parametrize("text, told", [
    ("max_batch_size { valu: 1 }", "Invalid protobuf file"),
    ("num_batch_threads { value: 0 }", "num_batch_threads must be positive; was 0"),
    ("max_batch_size { value: 0 }", "max_batch_size must be positive; was 0"),
    ("batch_timeout_micros { value: -1 }", "batch_timeout_micros must be non-negative; was -1"),
    ("max_enqueued_batches { value: 0 }", "max_enqueued_batches must be positive; was 0"),
    ("allowed_batch_sizes: 4 max_batch_size { value: 8 }", "Last entry in allowed_batch_sizes must match max_batch_size"),
])
def test_bad_batching_parameters(tmp_path, text, told):
    (tmp_path / "batching").write_text(text)
    with pytest.raises(Failure, match=told):
        server_config.Batching(str(tmp_path / "batching")).wrap_session()


def test_a_changed_config_file_is_applied_and_a_reload_lasts_until_the_next_poll(start, base, config_file):
    for archive in (FIRST, SECOND):
        unpack(archive, base)
    config_file.write_text(config(entry(base, 1)))
    server = start("--model_config_file_poll_wait_seconds=1", config_file=config_file).wait()
    assert server.answers() == 1
    server.reload(entry(base, 2), entry(base, 2, name="other"))
    until(lambda: server.status("other") == [(2, END)])
    until(lambda: server.answers() == 1 and server.status()[-1] == (1, AVAILABLE))
    new = config_file.with_name("new")
    new.write_text(config(entry(base, 2, stable=2)))
    new.replace(config_file)
    # The label's version is not there yet when the file is first read: refused as a whole, at every poll.
    until(lambda: "PollFilesystemAndReloadConfig failed to ReloadConfig: Request to assign label to version 2" in server.log)
    new.write_text(config(entry(base, 2)))
    new.replace(config_file)
    until(lambda: server.answers() == 2)


def test_1_4_reads_a_config_file_and_knows_no_labels_reload_or_rest(start, base, config_file):
    unpack(FIRST, base)
    config_file.write_text(config(entry(base, 1)))
    port = free_port()
    server = start("--rest_api_port=%d" % port, config_file=config_file, release=OLD).wait()
    assert "unknown argument: --rest_api_port=%d" % port in server.log
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
    assert server.predict(zeros(1, 784), label="stable").outputs["scores"].float_val, "a field it does not know"
    with refused(grpc.StatusCode.UNIMPLEMENTED, ""):
        server.reload(entry(base, 1))
    config_file.write_text(config(entry(base, 1, stable=1)))
    with pytest.raises(Failure, match="Invalid protobuf file"):
        server_config.models(str(config_file), (1, 4, 0))


def test_a_change_on_the_nas_shows_late(start, base):
    unpack(FIRST, base)
    server = start(directory_delay=3).wait()
    begun = time.monotonic()
    unpack(SECOND, base)
    until(lambda: server.answers() == 2)
    assert time.monotonic() - begun > 3
    assert "changes of directories show 3 s late" in server.log


def test_a_load_that_is_retried_keeps_others_waiting(start, base, config_file):
    """So does the real one with --num_load_threads=0, its default: with 5 retries a minute apart, for five minutes."""
    for archive in (FIRST, SECOND):
        unpack(archive, base)
    (base / "3").mkdir()
    config_file.write_text(config(entry(base, 1)))
    server = start("--max_num_load_retries=2", "--load_retry_interval_micros=1500000", config_file=config_file).wait()
    with refused(grpc.StatusCode.DEADLINE_EXCEEDED, ""):
        server.reload(entry(base, 1), entry(base, 3, name="bad"), timeout=1.5)
    begun = time.monotonic()
    server.reload(entry(base, 1), entry(base, 2, name="good"))
    assert time.monotonic() - begun > 1
    assert server.answers("good") == 2


# Other signatures than MNIST's: the zoo.

@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "models").write_text(config(entry(model_zoo.folder(), 1, name="zoo")))
    rest_port = free_port()
    server = Server(None, folder / "log", NEW, "--model_config_file=%s" % (folder / "models"), "--rest_api_port=%d" % rest_port)
    server.rest = "http://127.0.0.1:%d" % rest_port
    yield server.wait()
    server.kill()


def echoed(server):
    return subprocess.run(
        [models.PYTHON, Path(__file__).with_name("echo_client.py"), "127.0.0.1:%d" % server.port], check=True, text=True,
        stdout=subprocess.PIPE, env={"PYTHONPATH": str(models.TENSORFLOW), "TF_CPP_MIN_LOG_LEVEL": "3"}).stdout.strip()


def test_every_type_of_tensor_goes_there_and_comes_back(zoo):
    assert echoed(zoo) == "16 types in 6 shapes, typed"


def test_the_same_as_tensor_content(start, config_file):
    config_file.write_text(config(entry(model_zoo.folder(), 1, name="zoo")))
    assert echoed(start("--enable_serialization_as_tensor_content=true", config_file=config_file).wait()) == (
        "16 types in 6 shapes, content")


@pytest.mark.parametrize("change, text", [
    ({"tensor_content": b"123"}, "tensor parsing error: x"),
    ({"dtype": types_pb2.DT_INVALID}, "tensor parsing error: x"),
    ({"dtype": types_pb2.DT_RESOURCE}, "tensor parsing error: x"),
    ({"size": -1}, "tensor parsing error: x"),
    ({"unknown_rank": True}, "tensor parsing error: x"),
    ({"dtype": types_pb2.DT_DOUBLE, "tensor_content": b"12345678"}, "actual double vs. expect float"),
])
def test_tensors_that_contradict_themselves_or_the_graph(zoo, change, text):
    request = predict_pb2.PredictRequest()
    spec(request, "zoo").signature_name = "any_rank"
    tensor = request.inputs["x"]
    tensor.dtype = change.get("dtype", types_pb2.DT_FLOAT)
    tensor.tensor_content = change.get("tensor_content", b"1234")
    tensor.tensor_shape.dim.add(size=change.get("size", 1))
    tensor.tensor_shape.unknown_rank = change.get("unknown_rank", False)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, text):
        zoo.prediction.Predict(request, timeout=20)


def test_typed_values_that_are_fewer_than_the_shape_says(zoo):
    """The last one stands for those that are missing."""
    request = predict_pb2.PredictRequest()
    spec(request, "zoo").signature_name = "any_rank"
    request.inputs["x"].dtype = types_pb2.DT_FLOAT
    request.inputs["x"].float_val.extend([1, 2])
    request.inputs["x"].tensor_shape.dim.add(size=4)
    assert list(zoo.prediction.Predict(request, timeout=20).outputs["sums"].float_val) == [1, 2, 2, 2]


def of_examples(request, signature, *rows):
    spec(request, "zoo").signature_name = signature
    for features, colour in rows:
        example = request.input.example_list.examples.add()
        example.features.feature["features"].float_list.value.extend(features)
        example.features.feature["colour"].bytes_list.value.append(colour)
    return request


ROWS = ([2, 1, 0], b"red"), ([0, 3, 1], b"green")
VALUES = [2.5, -2.25]  # by hand: 2 - 0.5 + 1 (red); -1.5 + 0.25 - 1 (green)


def test_regress(zoo):
    answer = zoo.prediction.Regress(of_examples(regression_pb2.RegressionRequest(), "regress", *ROWS), timeout=20)
    assert [one.value for one in answer.result.regressions] == VALUES
    assert (answer.model_spec.version.value, answer.model_spec.signature_name) == (1, "regress")


def test_rest_regresses(zoo):
    code, answer = rest(zoo, "/v1/models/zoo:regress", {"signature_name": "regress", "examples": [
        {"features": [float(one) for one in features], "colour": colour.decode()} for features, colour in ROWS]})
    assert (code, answer) == (200, {"results": VALUES})


def test_classify_with_labels_and_without(zoo):
    def classes(signature):
        request = of_examples(classification_pb2.ClassificationRequest(), signature, *ROWS)
        return [[(one.label, one.score) for one in row.classes]
                for row in zoo.prediction.Classify(request, timeout=20).result.classifications]

    assert classes("classify") == [[("high", 2.5), ("low", -2.5)], [("low", 2.25), ("high", -2.25)]]
    assert classes("scores_only") == [[("", -2.5), ("", 2.5)], [("", 2.25), ("", -2.25)]]


def test_a_regression_that_is_asked_for_classes(zoo):
    request = of_examples(classification_pb2.ClassificationRequest(), "regress", *ROWS)
    text = 'Expected classification signature outputs to contain at least one of "classes" or "scores". Signature was: '
    with refused(grpc.StatusCode.FAILED_PRECONDITION, text):
        zoo.prediction.Classify(request, timeout=20)


@pytest.mark.parametrize("method, signature, rows, text", [
    # Whatever its method_name is: servers look at what comes out.
    ("Regress", "classify", ROWS, "Expected one output Tensor."),
    ("Regress", "nope", ROWS, "No signature was found with the name: nope"),
    ("Regress", "regress", (), "Input is empty."),
    ("Regress", "regress_two", ROWS, "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,2]"),
    ("Regress", "regress", [([1], b"red")], "Key: features"),
])
def test_what_a_request_of_examples_can_do_wrong(zoo, method, signature, rows, text):
    request = {"Regress": regression_pb2.RegressionRequest, "Classify": classification_pb2.ClassificationRequest}[method]()
    with refused(grpc.StatusCode.INVALID_ARGUMENT, text):
        getattr(zoo.prediction, method)(of_examples(request, signature, *rows), timeout=20)


def test_out_of_memory_is_tensorflows_own(zoo):
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "OOM when allocating tensor with shape[1099511627776]"):
        zoo.predict(name="zoo", signature="hungry", x=zeros(1))


def test_warm_up_with_a_regression(tmp_path, stable):
    record = prediction_log_pb2.PredictionLog()
    of_examples(record.regress_log.request, "regress", *ROWS)
    shutil.copytree(model_zoo.folder() / "1", tmp_path / "zoo/1")
    (tmp_path / "zoo/1/assets.extra").mkdir()
    (tmp_path / "zoo/1/assets.extra/tf_serving_warmup_requests").write_bytes(tfrecord(record.SerializeToString()))
    stable.reload(entry(stable.base, 1, stable=1), entry(tmp_path / "zoo", name="warm-zoo"))
    assert "Number of warmup records read: 1." in stable.log


def test_a_full_queue_is_unavailable_not_exhausted(start, config_file, tmp_path):
    config_file.write_text(config(entry(model_zoo.folder(), 1, name="zoo")))
    (tmp_path / "batching").write_text(
        "max_batch_size { value: 1 } max_enqueued_batches { value: 1 } num_batch_threads { value: 1 }")
    server = start("--enable_batching=true", "--batching_parameters_file=%s" % (tmp_path / "batching"),
                   config_file=config_file).wait()
    request = predict_pb2.PredictRequest()
    spec(request, "zoo").signature_name = "slow"
    request.inputs["x"].dtype = types_pb2.DT_FLOAT
    request.inputs["x"].float_val.append(1)
    request.inputs["x"].tensor_shape.dim.add(size=1)
    answers = [server.prediction.Predict.future(request, timeout=20) for dummy in range(6)]
    codes = [answer.code() for answer in answers]
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}, codes
    details = next(answer.details() for answer in answers if answer.code() == grpc.StatusCode.UNAVAILABLE)
    assert details == "The batch scheduling queue to which this task was submitted is full"


# TLS

def test_tls_and_client_certificates(start, base, tmp_path):
    unpack(FIRST, base)
    texts = certificates(tmp_path)
    (tmp_path / "ssl").write_text(ssl_config(texts, client_verify=True))
    ca, key, chain = (texts[name].encode() for name in ("ca.crt", "client.key", "client.crt"))
    server = start("--ssl_config_file=%s" % (tmp_path / "ssl"), credentials=grpc.ssl_channel_credentials(ca, key, chain)).wait()
    assert server.answers() == 1
    for channel in (grpc.insecure_channel("127.0.0.1:%d" % server.port),
                    grpc.secure_channel("127.0.0.1:%d" % server.port, grpc.ssl_channel_credentials(ca))):
        server.prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        with refused(grpc.StatusCode.UNAVAILABLE, ""):
            server.answers()


def test_what_the_chart_makes_of_a_secret_is_what_a_server_reads(start, base, tmp_path):
    """Here with the lines of Windows, in the key without an end."""
    unpack(FIRST, base)
    texts = certificates(tmp_path)
    files = {"tls.crt": texts["server.crt"].replace("\n", "\r\n"), "tls.key": texts["server.key"].rstrip(), "ca.crt": texts["ca.crt"]}
    _container, config, _became = test_chart.started(tmp_path, files, clientVerify=True)
    ca, key, chain = (texts[name].encode() for name in ("ca.crt", "client.key", "client.crt"))
    server = start("--ssl_config_file=%s" % config, credentials=grpc.ssl_channel_credentials(ca, key, chain)).wait()
    assert server.answers() == 1


def test_a_bad_ssl_config_ends_the_start(start, base, tmp_path):
    unpack(FIRST, base)
    (tmp_path / "ssl").write_text('server_key: "no PEM" server_cert: "no PEM"')
    server = start("--ssl_config_file=%s" % (tmp_path / "ssl"))
    assert server.process.wait(30) == 255
    assert "Failed to BuildAndStart gRPC server" in server.log
