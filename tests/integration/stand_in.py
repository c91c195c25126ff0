"""The stand-in model server as a process on this machine, and the official tensorflow-serving-api to ask it with.

Needs what `tests/lab/lab up` has built, not the cluster.
"""
from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import tarfile
import time
import types

import grpc
import numpy
import pytest
from google.protobuf import text_format

from tf_lab import models, settings

# The official protos import TensorFlow's, and those need its folder but not TensorFlow.
sys.path.append(str(models.TENSORFLOW))
sys.modules.setdefault("tensorflow", types.ModuleType("tensorflow")).__path__ = [str(models.TENSORFLOW / "tensorflow")]

from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

OLD, NEW = "1.4.0", "2.15.1"


class Server:
    """One running server and what it wrote. Without a base path the arguments name a model config file."""

    def __init__(self, base_path, log, release, *arguments, port=None, directory_delay=0, credentials=None):
        self.port = port or free_port()
        self.log_path = log
        model = ["--model_name=mnist", "--model_base_path=%s" % base_path] if base_path else []
        command = [models.PYTHON, "-m", "model_server", "--port=%d" % self.port, *model, *arguments]
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                command, cwd=settings.SOURCE, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={"PATH": os.defpath, "PYTHONPATH": str(models.TENSORFLOW), "PYTHONDONTWRITEBYTECODE": "1",
                     "MODEL_SERVER_HOST": "127.0.0.1", "TF_SERVING_RELEASE": release,
                     "MODEL_SERVER_DIRECTORY_DELAY": str(directory_delay)})
        target = "127.0.0.1:%d" % self.port
        options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.secure_channel(target, credentials, options) if credentials else grpc.insecure_channel(target, options)
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

    def predict(self, images=None, version=None, signature="predict_images", name="mnist", label=None, **inputs):
        if images is not None:
            inputs["images"] = images
        request = predict_pb2.PredictRequest()
        spec(request, name, version, label).signature_name = signature
        for alias, array in inputs.items():
            tensor = request.inputs[alias]
            tensor.dtype = types_pb2.DT_FLOAT if array.dtype == numpy.float32 else types_pb2.DT_DOUBLE
            tensor.tensor_content = array.tobytes()
            for size in array.shape:
                tensor.tensor_shape.dim.add(size=size)
        return self.prediction.Predict(request, timeout=20)

    def status(self, name="mnist", **which):
        try:
            return [(one.version, one.state) for one in self.states(name, **which)]
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise
            return []

    def states(self, name="mnist", **which):
        request = get_model_status_pb2.GetModelStatusRequest()
        spec(request, name, **which)
        return self.model.GetModelStatus(request, timeout=5).model_version_status

    def answers(self, name="mnist", **which):
        """The version that answers."""
        return self.predict(zeros(1, 784), name=name, **which).model_spec.version.value

    def reload(self, *entries, timeout=20):
        request = model_management_pb2.ReloadConfigRequest()
        text_format.Parse(config(*entries), request.config)
        return self.model.HandleReloadConfigRequest(request, timeout=timeout)


def config(*entries):
    return "model_config_list { %s }" % " ".join(entries)


def entry(base, *versions, name="mnist", **labels):
    """The text of one model that serves these versions (none: the latest)."""
    policy = "model_version_policy { specific { %s } }" % " ".join("versions: %d" % number for number in versions)
    return 'config { name: "%s" base_path: "%s" model_platform: "tensorflow" %s %s }' % (
        name, base, policy if versions else "",
        " ".join('version_labels { key: "%s" value: %d }' % item for item in labels.items()))


def spec(request, name="mnist", version=None, label=None):
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
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


def zeros(*shape, dtype=numpy.float32):
    return numpy.zeros(shape, dtype)


@contextlib.contextmanager
def refused(code, text):
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert (caught.value.code(), text in caught.value.details()) == (code, True), caught.value.details()


def certificates(folder):
    """NAME.crt and NAME.key of an authority (ca) and of a server (of 127.0.0.1) and a client that it has signed; PEM texts."""
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    by_ca = ["-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"]
    for name, more in (("ca", []), ("server", [*by_ca, "-addext", "subjectAltName=IP:127.0.0.1"]), ("client", by_ca)):
        subprocess.run([*request, "-subj", "/CN=" + name, "-keyout", name + ".key", "-out", name + ".crt", *more],
                       cwd=folder, check=True, capture_output=True)
    return {name: (folder / name).read_text() for name in ("ca.crt", "server.crt", "server.key", "client.crt", "client.key")}


def ssl_config(certificates, client_verify=False):
    """The text of --ssl_config_file."""
    fields = {"server_key": "server.key", "server_cert": "server.crt", "custom_ca": "ca.crt"}
    lines = ["%s: %s" % (field, json.dumps(certificates[name])) for field, name in fields.items()]
    return "\n".join([*lines, "client_verify: %s" % str(client_verify).lower()])


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for dummy in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return ~value & 0xFFFFFFFF


def tfrecord(*records):
    def masked(data):
        crc = crc32c(data)
        return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    out = b""
    for record in records:
        length = struct.pack("<Q", len(record))
        out += length + masked(length) + record + masked(record)
    return out
