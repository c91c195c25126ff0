"""What check.py measures with: servers, tools, and files for all clients. Servers listen on 127.0.0.1 and end with it."""
from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import ansible
import grpc
import load_client  # makes the official protos importable without TensorFlow
import numpy
from google.protobuf import descriptor_pb2
from measure import ROOT, timed
from tensorflow_serving.apis import get_model_metadata_pb2, prediction_service_pb2

from tf_lab import models, settings

TOOLS = settings.CACHE / "benchmarks"
GHZ = "github.com/bojand/ghz/cmd/ghz@v0.121.0"
SERVICE = "/tensorflow.serving.PredictionService/"
MODULE = "mlops.tf_serving.inference_check"
PIXELS, PICTURE = 784, (224, 224, 3)
MNIST, LARGE = 4 * PIXELS, 4 * 224 * 224 * 3  # bytes of one test in a request
# All Pythons find their modules compiled, wherever those lie and whatever the shell says; the first run does that.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
COMPILED = {"PYTHONPYCACHEPREFIX": str(TOOLS / "pycache")}
BATCHES = (*range(1, 65), 256)  # the module chooses one of at most 64, and the last request is what remains
TESTS = 28160  # of the folder `many`: 110 requests of 256
LARGE_BATCH, LARGE_REQUESTS = 32, 12
RELEASE = "bench-check"  # the model's inventory host


class Bed:
    """servers: {name: address}. Everything else is made when it is first asked for."""

    def __init__(self, folder, stack):
        self.folder, self.stack, self.servers = folder, stack, {}
        # Everybody takes the collection from this work tree.
        link = folder / "collections" / "ansible_collections" / "mlops" / "tf_serving"
        link.parent.mkdir(parents=True)
        link.symlink_to(ROOT)
        self.collections = folder / "collections"
        self.environment = {**os.environ, **COMPILED, "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
                            "PYTHONPATH": str(self.collections)}
        # As the tutorial's client: Debian's Python, with the grpcio, numpy and protobuf that lie beside TensorFlow.
        self.same_python = {**self.environment, "PYTHONPATH": ":".join(map(str, (
            self.collections, models.TENSORFLOW, Path(ansible.__file__).parent.parent)))}
        self.tests = models.MODELS  # the folder with the 1000 test images
        install_tools()
        self.servers["TensorFlow"] = self._model_server()
        self._record()
        self.servers["constant"] = self._constant_server("mnist", MNIST)
        self._make_many()

    # Servers

    def _run(self, command, **options):
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True, **options)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    def _model_server(self):
        base = self.folder / "base" / "mnist"
        base.mkdir(parents=True)
        with tarfile.open(models.MODELS / models.ARCHIVES[0]) as archive:
            archive.extractall(self.folder / "base", filter="data")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = {**os.environ, "PYTHONPATH": str(models.TENSORFLOW), "MODEL_SERVER_HOST": "127.0.0.1",
                       "TF_SERVING_RELEASE": "2.15.1", "TF_CPP_MIN_LOG_LEVEL": "2"}
        self._run([models.PYTHON, "-m", "model_server", "--port=%d" % port, "--model_name=mnist",
                   "--model_base_path=%s" % base], cwd=settings.SOURCE, env=environment, stderr=subprocess.DEVNULL)
        address = "127.0.0.1:%d" % port
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(timeout=60)
        return address

    def _constant_server(self, folder, test_bytes):
        process = self._run([TOOLS / "constant_server", "-test-bytes", test_bytes, self.folder / folder])
        return process.stdout.readline().strip()

    def _record(self):
        """What the model server answers to a request of each size is what the constant server will answer."""
        images = read_idx(self.tests / models.TEST_IMAGES)[:max(BATCHES)].reshape(-1, PIXELS) / numpy.float32(255)
        replies = self.folder / "mnist"
        replies.mkdir()
        with grpc.insecure_channel(self.servers["TensorFlow"]) as channel:
            for batch in BATCHES:
                wire = request(images[:batch])
                self.request(batch).write_bytes(wire)
                (replies / str(batch)).write_bytes(channel.unary_unary(SERVICE + "Predict")(wire, timeout=30))
            asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
            asked.model_spec.name = "mnist"
            (replies / "metadata").write_bytes(
                channel.unary_unary(SERVICE + "GetModelMetadata")(asked.SerializeToString(), timeout=30))

    def request(self, batch):
        """The file with one request, for clients that send the same again and again."""
        return self.folder / ("request-%s" % batch)

    def start_large(self):
        """The same model, if it took pictures of 224x224x3: 19 MB a request."""
        replies = self.folder / "large"
        replies.mkdir()
        for batch in (1, LARGE_BATCH):
            shutil.copy(self.folder / "mnist" / str(batch), replies)
        metadata = get_model_metadata_pb2.GetModelMetadataResponse.FromString(
            (self.folder / "mnist" / "metadata").read_bytes())
        signatures = get_model_metadata_pb2.SignatureDefMap()
        metadata.metadata["signature_def"].Unpack(signatures)
        shape = signatures.signature_def["predict_images"].inputs["images"].tensor_shape
        del shape.dim[1:]
        for size in PICTURE:
            shape.dim.add(size=size)
        metadata.metadata["signature_def"].Pack(signatures)
        (replies / "metadata").write_bytes(metadata.SerializeToString())
        pictures = numpy.random.default_rng(5).random((LARGE_BATCH * LARGE_REQUESTS, *PICTURE), numpy.float32)
        numpy.save(self.folder / "large-images.npy", pictures)
        numpy.save(self.folder / "large-labels.npy", numpy.zeros(len(pictures), numpy.int64))
        self.request("large").write_bytes(request(pictures[:LARGE_BATCH]))
        self.servers["large"] = self._constant_server("large", LARGE)

    @contextlib.contextmanager
    def release(self):
        """A release with one replica on the lab; gives its pod's own address."""
        inventory = self.folder / "inventory.json"
        inventory.write_text(json.dumps({"models": {"hosts": {RELEASE: {
            "model_archive": "http://%s/%s" % (settings.WEB_IP, models.ARCHIVES[0]), "gpu": False, "scaling_replicas": 1,
            "serving_image": "localhost/tensorflow-serving:2.15.1"}}}}))

        def play(*arguments):
            timed(["ansible-playbook", "-i", "inventories/lab", "-i", inventory, "--limit", RELEASE, *arguments],
                  cwd=ROOT, env=self.environment)

        try:
            play("site.yml")
            yield timed(["kubectl", "get", "pods", "-l", "app.kubernetes.io/instance=%s-deploy" % RELEASE,
                         "-o", "jsonpath={.items[0].status.podIP}:9090"])[2]
        finally:
            play("playbooks/teardown.yml", "-e", "model_delete_data=true")

    # Files

    def _make_many(self):
        """The test images again and again, as a folder like theirs."""
        self.many = self.folder / "many"
        self.many.mkdir()
        for name in (models.TEST_IMAGES, models.TEST_LABELS):
            array = read_idx(self.tests / name)
            repeated = numpy.concatenate([array] * (TESTS // len(array) + 1))[:TESTS]
            header = struct.pack(">BBBB%dI" % array.ndim, 0, 0, 8, array.ndim, *repeated.shape)
            with gzip.open(self.many / name, "wb", compresslevel=0) as file:
                file.write(header + repeated.tobytes())

    def protoset(self):
        """The official descriptors, for ghz."""
        target = self.folder / "serving.protoset"
        if not target.exists():
            files = {}

            def add(file):
                if file.name not in files:
                    for dependency in file.dependencies:
                        add(dependency)
                    files[file.name] = descriptor_pb2.FileDescriptorProto()
                    file.CopyToProto(files[file.name])

            add(prediction_service_pb2.DESCRIPTOR)
            target.write_bytes(descriptor_pb2.FileDescriptorSet(file=files.values()).SerializeToString())
        return target

    def playbook(self, module, options):
        """Two tasks: one to begin at, and the one that is measured."""
        tasks = [{"ansible.builtin.debug": {"msg": "before"}}, {module: options}]
        return self._file(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]).encode(), ".yml")

    def arguments(self, options):
        """The check's options as a file for check_client.py."""
        return self._file(json.dumps(options).encode(), ".json")

    def _file(self, data, suffix):
        path = self.folder / ("%d%s" % (time.monotonic_ns(), suffix))
        path.write_bytes(data)
        return path


def install_tools():
    """ghz and the constant server, compiled when they are missing or older than their source."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    if not (TOOLS / "ghz").exists():
        print("compiling ghz", file=sys.stderr, flush=True)
        subprocess.run(["go", "install", GHZ], check=True, env={**os.environ, "GOBIN": str(TOOLS)})
    subprocess.run(["go", "build", "-o", str(TOOLS / "constant_server"), "."], check=True,
                   cwd=Path(__file__).with_name("constant_server"), env={**os.environ, "GOFLAGS": "-buildvcs=false -mod=readonly"})


def read_idx(path):
    data = gzip.decompress(path.read_bytes())
    shape = struct.unpack_from(">%dI" % data[3], data, 4)
    return numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def request(images):
    """A PredictRequest of the official protos, as bytes."""
    message = load_client.predict_pb2.PredictRequest(output_filter=["scores"])
    message.model_spec.name, message.model_spec.signature_name = "mnist", "predict_images"
    tensor = message.inputs["images"]
    tensor.dtype, tensor.tensor_content = load_client.types_pb2.DT_FLOAT, images.tobytes()
    for size in images.shape:
        tensor.tensor_shape.dim.add(size=size)
    return message.SerializeToString()
