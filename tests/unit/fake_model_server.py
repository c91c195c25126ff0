"""A gRPC server in this process that answers what a test wants: constants, errors, silence, rubbish."""
from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import threading

import grpc
import numpy

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tensors import encode

FLOAT, STRING = 1, 7


def tensor_info(dtype, *shape):
    info = messages().TensorInfo(dtype=dtype)
    info.tensor_shape.SetInParent()  # of a scalar, it is there and empty
    for size in shape:
        info.tensor_shape.dim.add(size=size)
    return info


def signatures(**named):
    """{name: SignatureDef} of {name: (inputs, outputs)}."""
    made = messages().SignatureDefMap()
    for name, (inputs, outputs) in named.items():
        made.signature_def[name].method_name = "tensorflow/serving/predict"
        for key, info in inputs.items():
            made.signature_def[name].inputs[key].CopyFrom(info)
        for key, info in outputs.items():
            made.signature_def[name].outputs[key].CopyFrom(info)
    return made


MNIST = signatures(
    predict_images=({"images": tensor_info(FLOAT, -1, 784)}, {"scores": tensor_info(FLOAT, -1, 10)}),
    serving_default=({"inputs": tensor_info(STRING, -1)}, {"classes": tensor_info(STRING, -1)}),
)


def one_hot(classes):
    return encode(numpy.eye(10, dtype="f4")[numpy.asarray(classes)], FLOAT)


def brightest(images):
    """The class of a test image is the number of its brightest pixel."""
    return images.argmax(axis=1)


class ModelServer(grpc.GenericRpcHandler):
    """Answers as a model whose scores are right for every test image, of version 1.

    scores(images, call number) -> TensorProto, bytes (sent as they are), or raise grpc.StatusCode by abort().
    versions: what is said with each call, the last one for ever; None says nothing, as 1.4 does.
    states: {version: (state, error message)} for GetModelStatus, which a server of None does not know, as 1.4 does not.
    """

    def __init__(
        self, scores=None, versions=(1,), metadata_versions=None, signature_map=MNIST, metadata=None, states="as served"
    ):
        self.scores = scores or (lambda images, call, context: one_hot(brightest(images)))
        self.versions = _forever(versions)
        self.metadata_versions = _forever(metadata_versions or [v for v in versions if v is not None] or [None])
        self.signature_map = signature_map
        self.metadata = metadata
        self.states = {version: (30, "") for version in versions} if states == "as served" else states
        self.calls = itertools.count()
        self.requests = []
        self.lock = threading.Lock()

    def service(self, details):
        handler = {
            "Predict": self._predict, "GetModelMetadata": self._metadata,
            "GetModelStatus": None if self.states is None else self._status,
        }.get(details.method.rpartition("/")[2])
        return grpc.unary_unary_rpc_method_handler(handler) if handler else None

    def _metadata(self, wire, context):
        request = messages().GetModelMetadataRequest.FromString(wire)
        assert list(request.metadata_field) == ["signature_def"]
        if self.metadata:
            return self.metadata(context)
        if request.model_spec.name != "mnist":
            context.abort(
                grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(%s)" % request.model_spec.name
            )
        reply = messages().GetModelMetadataResponse()
        reply.metadata["signature_def"].value = self.signature_map.SerializeToString()
        _say(reply, self.metadata_versions)
        return reply.SerializeToString()

    def _status(self, wire, context):
        name = messages().GetModelStatusRequest.FromString(wire).model_spec.name
        if name != "mnist":
            context.abort(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model %s" % name)
        reply = messages().GetModelStatusResponse()
        for version, (state, error) in self.states.items():
            reply.model_version_status.add(version=version, state=state).status.error_message = error
        return reply.SerializeToString()

    def _predict(self, wire, context):
        request = messages().PredictRequest.FromString(wire)
        with self.lock:
            call = next(self.calls)
            self.requests.append(request)
        tensor = request.inputs["images"]
        images = numpy.frombuffer(tensor.tensor_content, "<f4").reshape([dim.size for dim in tensor.tensor_shape.dim])
        scores = self.scores(images, call, context)
        if isinstance(scores, bytes):
            return scores
        reply = messages().PredictResponse()
        reply.outputs["scores"].CopyFrom(scores)
        _say(reply, self.versions)
        return reply.SerializeToString()


def _forever(versions):
    versions = list(versions)
    return itertools.chain(versions, itertools.repeat(versions[-1]))


def _say(reply, versions):
    version = next(versions)
    if version is not None:
        reply.model_spec.version.value = version


@contextlib.contextmanager
def serving(handler, credentials=None):
    """HOST:PORT at which the handler answers, over TLS with credentials."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), [handler])
    address = "127.0.0.1:0"
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    server.start()
    try:
        yield "127.0.0.1:%d" % port
    finally:
        server.stop(None)
