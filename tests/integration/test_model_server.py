"""The stand-in model server as a process, asked with the official tensorflow-serving-api protos.

What it imitates is in tests/lab/model_server/README.md. Needs what `tests/lab/lab up` has built, not the cluster.
"""
from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import types

import grpc
import numpy
import pytest

from tf_lab import models, settings

# The official protos import TensorFlow's, and those need its folder but not TensorFlow.
sys.path.append(str(models.TENSORFLOW))
sys.modules.setdefault("tensorflow", types.ModuleType("tensorflow")).__path__ = [str(models.TENSORFLOW / "tensorflow")]

from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

OLD, NEW = "1.4.0", "2.15.1"
FIRST, SECOND, WRECKED = models.ARCHIVES


class Server:
    """One running server and what it wrote."""

    def __init__(self, base_path, log, release, *arguments, port=None):
        self.port = port or free_port()
        self.log_path = log
        command = [models.PYTHON, "-m", "model_server", "--port=%d" % self.port, "--model_name=mnist",
                   "--model_base_path=%s" % base_path, *arguments]
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                command, cwd=settings.SOURCE, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={"PATH": os.defpath, "PYTHONPATH": str(models.TENSORFLOW), "PYTHONDONTWRITEBYTECODE": "1",
                     "MODEL_SERVER_HOST": "127.0.0.1", "TF_SERVING_RELEASE": release})
        self.channel = grpc.insecure_channel("127.0.0.1:%d" % self.port, options=[
            ("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)])
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    @property
    def log(self):
        return self.log_path.read_text()

    def listens(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def wait(self):
        until(lambda: self.listens() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log
        return self

    def kill(self):
        self.channel.close()
        self.process.kill()
        self.process.wait()

    def predict(self, images=None, version=None, signature="predict_images", name="mnist", **inputs):
        if images is not None:
            inputs["images"] = images
        request = predict_pb2.PredictRequest()
        spec(request, name, version).signature_name = signature
        for alias, array in inputs.items():
            tensor = request.inputs[alias]
            tensor.dtype = types_pb2.DT_FLOAT if array.dtype == numpy.float32 else types_pb2.DT_DOUBLE
            tensor.tensor_content = array.tobytes()
            for size in array.shape:
                tensor.tensor_shape.dim.add(size=size)
        return self.prediction.Predict(request, timeout=20)

    def status(self):
        request = get_model_status_pb2.GetModelStatusRequest()
        spec(request)
        answer = self.model.GetModelStatus(request, timeout=5)
        return [(one.version, one.state) for one in answer.model_version_status]


def spec(request, name="mnist", version=None):
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = version
    return request.model_spec


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, timeout=30):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


def unpack(archive, base):
    """Into base, each version by one rename, as a publisher does it."""
    aside = base.with_name("unpacked-" + archive)
    with tarfile.open(models.MODELS / archive) as tar:
        tar.extractall(aside)
    for version in (aside / "mnist").iterdir():
        version.rename(base / version.name)


def error_rate(server, held_out, **options):
    images, labels = held_out
    scores = numpy.array(server.predict(images, **options).outputs["scores"].float_val).reshape(-1, 10)
    return round(100.0 * float((scores.argmax(axis=1) != labels).mean()), 2)


@contextlib.contextmanager
def refused(code, text):
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert (caught.value.code(), text in caught.value.details()) == (code, True), caught.value.details()


@pytest.fixture(scope="module")
def held_out():
    pixels = gzip.decompress((models.MODELS / models.TEST_IMAGES).read_bytes())[16:]
    labels = gzip.decompress((models.MODELS / models.TEST_LABELS).read_bytes())[8:]
    images = numpy.frombuffer(pixels, numpy.uint8).reshape(-1, 784).astype(numpy.float32) / numpy.float32(255)
    return images, numpy.frombuffer(labels, numpy.uint8)


@pytest.fixture
def base(tmp_path):
    (tmp_path / "mnist").mkdir()
    return tmp_path / "mnist"


@pytest.fixture
def start(tmp_path, base):
    running = []

    def start(*arguments, release=NEW, **options):
        log = tmp_path / ("log-%d" % len(running))
        running.append(Server(base, log, release, *arguments, **options))
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


def zeros(*shape, dtype=numpy.float32):
    return numpy.zeros(shape, dtype)


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
