"""TensorFlow's own client against a server of the zoo: echo_client.py HOST:PORT. Every type goes there and comes back.

Runs in the lab's Python (test_model_server.py), for it imports all of TensorFlow.
"""
from __future__ import annotations

import sys

import grpc
import numpy
import tensorflow
from model_zoo import TYPES
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

SHAPES = ((), (0,), (1,), (3,), (2, 0, 2), (2, 3))


def array(kind, shape):
    numbers = numpy.arange(numpy.prod(shape, dtype=int)) % 7
    if kind == "string":
        return numpy.array([b"\xff\x00" * number for number in numbers], object).reshape(shape)
    values = numbers.astype(tensorflow.as_dtype(kind).as_numpy_dtype)
    return (values * 1j + 1 if "complex" in kind else values).astype(values.dtype).reshape(shape)


stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(sys.argv[1]))
for shape in SHAPES:
    sent = {kind: array(kind, shape) for kind in TYPES}
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "zoo", "echo"
    for kind, values in sent.items():
        request.inputs[kind].CopyFrom(tensorflow.make_tensor_proto(values, kind, shape))
    reply = stub.Predict(request, timeout=30)
    for kind, values in sent.items():
        tensor = reply.outputs[kind]
        content = tensor.tensor_content
        if kind == "string" and content:  # make_ndarray cannot read these; the order is TensorFlow's EncodeStringList
            lengths = [len(one) for one in values.ravel()]
            assert content == bytes(lengths) + b"".join(values.ravel()), content
            continue
        again = tensorflow.make_ndarray(tensor)
        assert tensor.dtype == request.inputs[kind].dtype and again.dtype == values.dtype, (kind, tensor)
        assert again.shape == shape and numpy.array_equal(again, values), (kind, again, values)
print("%d types in %d shapes, %s" % (len(TYPES), len(SHAPES), "content" if content else "typed"))
