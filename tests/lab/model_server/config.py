"""Files in protobuf's text format: --model_config_file, --batching_parameters_file, --monitoring_config_file,
--ssl_config_file."""
from __future__ import annotations

import contextlib
import os
import threading

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from tensorflow_serving.config import model_server_config_pb2

from . import log
from .core import Entry
from .errors import NOT_FOUND, UNAVAILABLE, UNKNOWN, Failure, invalid


def read(path, message):
    try:
        with open(path, encoding="utf-8") as file:
            return text_format.Parse(file.read(), message)
    except OSError as error:
        raise Failure(NOT_FOUND, "%s; %s" % (path, error.strerror)) from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        log.error("protobuf", "Error parsing text-format %s: %s" % (message.DESCRIPTOR.full_name, error))
        raise invalid("Invalid protobuf file: '%s'" % path) from error


# Models

def single_model(name, base_path):
    log.info("main", "Building single TensorFlow model file config:  model_name: %s model_base_path: %s"
             % (name, base_path))
    return [Entry(name, base_path)]


def models(path, release):
    """The entries of a config file, None if it holds no list of models."""
    config = read(path, model_server_config_pb2.ModelServerConfig())
    if release < (1, 9) and any(model.version_labels for model in config.model_config_list.config):
        raise invalid("Invalid protobuf file: '%s'" % path)  # labels came later: an unknown field
    return entries(config)


def entries(config):
    kind = config.WhichOneof("config")
    if kind == "custom_model_config":
        raise invalid("ModelServer does not yet support custom model config.")
    if kind is None:
        return None
    return [Entry(model.name, model.base_path, _platform(model), _policy(model.model_version_policy),
                  dict(model.version_labels)) for model in config.model_config_list.config]


def _platform(model):
    if model.model_type == model_server_config_pb2.TENSORFLOW and not model.model_platform:
        return "tensorflow"  # the deprecated way to say it
    return model.model_platform


def _policy(policy):
    kind = policy.WhichOneof("policy_choice") or "latest"
    if kind == "specific":
        return kind, set(policy.specific.versions)
    return (kind,) if kind == "all" else ("latest", policy.latest.num_versions or 1)


# Batching, monitoring and TLS. The packages of the protos leave these out, so their messages are made here; only the
# names matter in text format.

def _messages(**messages):
    """{name: {field: type}} -> a class each. A type ends in "s" if it repeats."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="model_server.proto", package="model_server", syntax="proto3",
                                              dependency=["google/protobuf/wrappers.proto"])
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, (key, kind) in enumerate(fields.items(), 1):
            one = message.field.add(name=key, number=number, label=field.LABEL_OPTIONAL)
            if kind.endswith("s"):
                kind, one.label = kind[:-1], field.LABEL_REPEATED
            if kind.startswith("."):
                one.type, one.type_name = field.TYPE_MESSAGE, kind
            else:
                one.type = getattr(field, "TYPE_" + kind.upper())
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName("model_server." + name)) for name in messages]


INT, BOOL, STRING = (".google.protobuf.%sValue" % kind for kind in ("Int64", "Bool", "String"))
BatchingParameters, PrometheusConfig, MonitoringConfig, SSLConfig = _messages(
    BatchingParameters={
        "max_batch_size": INT, "batch_timeout_micros": INT, "max_enqueued_batches": INT, "num_batch_threads": INT,
        "thread_pool_name": STRING, "allowed_batch_sizes": "int64s", "pad_variable_length_inputs": "bool",
        "enable_large_batch_splitting": BOOL, "max_execution_batch_size": INT},
    PrometheusConfig={"enable": "bool", "path": "string"},
    MonitoringConfig={"prometheus_config": ".model_server.PrometheusConfig"},
    SSLConfig={"server_key": "string", "server_cert": "string", "custom_ca": "string", "client_verify": "bool"})


class Batching:
    """What --enable_batching says. Requests are not put together here; only what a client can be refused for is done."""

    def __init__(self, path=""):
        given = read(path, BatchingParameters()) if path else BatchingParameters()
        log.info("stand_in", "Batching parameters that arrived: %s" % (
            text_format.MessageToString(given, as_one_line=True) or "none, the defaults"))

        def value(name, default):
            return getattr(given, name).value if given.HasField(name) else default

        self.max_batch_size = value("max_batch_size", 1000)
        self.splits = value("enable_large_batch_splitting", False)
        self.limits = (("max_batch_size must be positive; was %d", self.max_batch_size, 1),
                       ("batch_timeout_micros must be non-negative; was %d", value("batch_timeout_micros", 0), 0),
                       ("max_enqueued_batches must be positive; was %d", value("max_enqueued_batches", 10), 1))
        threads = value("num_batch_threads", os.cpu_count())
        if threads < 1:
            raise invalid("num_batch_threads must be positive; was %d" % threads)
        self.threads = threading.Semaphore(threads)
        self.lock, self.waiting, self.room = threading.Lock(), 0, value("max_enqueued_batches", 10) * self.max_batch_size
        sizes = given.allowed_batch_sizes
        if sizes and sizes[-1] != self.max_batch_size:
            raise invalid("Last entry in allowed_batch_sizes must match max_batch_size; last entry was %d; expected %d"
                          % (sizes[-1], self.max_batch_size))

    def wrap_session(self):
        """At each load; queue options are looked at only here, so a bad one is a load that fails."""
        log.info("bundle_factory", "Wrapping session to perform batch processing")
        for text, number, least in self.limits:
            if number < least:
                raise invalid(text % number)

    @contextlib.contextmanager
    def queued(self, size):
        """A request of so many rows waits for one of the batch threads, or is refused. One queue, whatever the model."""
        if size > self.max_batch_size and not self.splits:
            raise invalid("Task size %d is larger than maximum input batch size %d" % (size, self.max_batch_size))
        if not self.threads.acquire(blocking=False):
            with self.lock:
                if self.waiting + size > self.room:
                    raise Failure(UNAVAILABLE, "The batch scheduling queue to which this task was submitted is full")
                self.waiting += size
            self.threads.acquire()
            with self.lock:
                self.waiting -= size
        try:
            yield
        finally:
            self.threads.release()


def server_credentials(path):
    """gRPC's, from --ssl_config_file: the PEM texts themselves, no paths."""
    given = read(path, SSLConfig())
    try:
        return grpc.ssl_server_credentials([(given.server_key.encode(), given.server_cert.encode())],
                                           given.custom_ca.encode() or None, given.client_verify)
    except ValueError as error:  # client_verify without custom_ca
        raise Failure(UNKNOWN, "Failed to BuildAndStart gRPC server: %s" % error) from error


def prometheus_path(path):
    """Where --monitoring_config_file wants the metrics, None for nowhere."""
    config = read(path, MonitoringConfig()).prometheus_config if path else None
    return config.path if config and config.enable else None
