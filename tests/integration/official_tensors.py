"""Holds our requests and replies against TensorFlow and tensorflow-serving-api: official_tensors.py FOLDER (of the lab's).

Runs in a Python of its own (test_official_protos.py), for this is the only test that imports TensorFlow (4 s, 500 MB).
make_ndarray() is TensorFlow's decoder in Python, ParseTensor the one in C++, which is what a server has.
"""
from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import numpy
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

FOLDER = sys.argv[1]
sys.path.append(FOLDER)
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
importlib.import_module("conftest")  # of tests/unit: makes the collection importable

import tensorflow as tf  # noqa: E402
from tensorflow.core.example import example_pb2  # noqa: E402
from tensorflow.core.framework.tensor_pb2 import TensorProto  # noqa: E402
from tensorflow.core.framework.types_pb2 import DataType  # noqa: E402
from tensorflow_serving.apis import classification_pb2, predict_pb2, regression_pb2  # noqa: E402

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import requests  # noqa: E402
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages  # noqa: E402
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tensors import (  # noqa: E402
    BFLOAT16,
    BY_TABLE,
    DATA_TYPES,
    SMALL_FLOATS,
    SMALL_INTEGERS,
    STRING,
    decode,
    exact,
    type_name,
)

QUANTIZED = {11, 12, 13, 15, 16}
CONTENT_ONLY = {26, 27, 28}  # of which TensorFlow's Python knows no typed values
WRITTEN_IN_C = set(DATA_TYPES) - QUANTIZED - {24, 25, *SMALL_FLOATS, *SMALL_INTEGERS}  # SerializeTensor has these; strings as typed values
SHAPES = [(), (0,), (0, 3), (3, 0, 2), (1,), (5,), (2, 3), (1, 2, 3, 4), (7, 1 << 14)]
PROPERTY = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
NUMBERS = st.sampled_from(sorted(DATA_TYPES))


def theirs(array, number):
    """Our array as TensorFlow's numpy type."""
    if number == STRING:
        return array
    kind = tf.dtypes.as_dtype(number)
    with numpy.errstate(all="ignore"):
        return array.view(kind.as_numpy_dtype) if number in QUANTIZED else array.astype(kind.as_numpy_dtype)


def ours(array, number):
    return numpy.asarray(array).view(DATA_TYPES[number].numpy_type) if number in QUANTIZED else (
        numpy.asarray(array).astype(DATA_TYPES[number].numpy_type)
    )


def same(one, other, number):
    """Equal in type, shape and value; of floats in their bits, but that a NaN is a NaN."""
    assert one.dtype == other.dtype and one.shape == other.shape, (type_name(number), one, other)
    assert numpy.array_equal(one, other, equal_nan=one.dtype.kind in "fc"), (type_name(number), one, other)
    if one.dtype.kind == "f":
        assert numpy.array_equal(numpy.signbit(one)[one == 0], numpy.signbit(other)[one == 0]), type_name(number)


@st.composite
def tensors(draw, rows=None):
    """(number, array that this type holds exactly)"""
    number = draw(NUMBERS)
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    if rows is not None:
        shape = (rows, *shape)
    size = int(numpy.prod(shape))
    if number == STRING:
        values = numpy.empty(size, object)
        values[:] = draw(st.lists(st.binary(max_size=200), min_size=size, max_size=size))
        return number, values.reshape(shape)
    if number in BY_TABLE:
        width = 2 if number == BFLOAT16 else 1
        patterns = draw(st.binary(min_size=size * width, max_size=size * width))
        tensor = messages().TensorProto(dtype=number, tensor_content=patterns)
        tensor.tensor_shape.dim.add(size=size)
        return number, (decode(tensor) if size else numpy.zeros(0, DATA_TYPES[number].numpy_type)).reshape(shape)
    return number, draw(arrays.arrays(DATA_TYPES[number].numpy_type, shape))


def parsed_in_c(wire, number):
    """What a server makes of a TensorProto."""
    tensor = tf.io.parse_tensor(wire, tf.dtypes.as_dtype(number))
    if number in QUANTIZED:
        tensor = tf.bitcast(tensor, {11: tf.int8, 12: tf.uint8, 13: tf.int32, 15: tf.int16, 16: tf.uint16}[number])
    return tensor.numpy()


def check_request(number, array, batch):
    """What we send means the same there."""
    for request in requests.predict("mnist", "predict", {"x": (number, array), "y": (number, array)}, ["a", "b"], batch):
        message = predict_pb2.PredictRequest.FromString(request.wire)
        assert (message.model_spec.name, message.model_spec.signature_name) == ("mnist", "predict")
        assert list(message.output_filter) == ["a", "b"] and sorted(message.inputs) == ["x", "y"]
        assert message.ByteSize() == len(request.wire), "nothing is unknown there"
        for tensor in message.inputs.values():
            assert tensor.dtype == number
            same(as_array(tensor, number), array[request.start:request.stop], number)
            same(as_server(tensor, number), array[request.start:request.stop], number)


def as_array(tensor, number):
    if number in QUANTIZED and not tensor.tensor_content:  # make_ndarray() cannot read these
        return numpy.zeros([dim.size for dim in tensor.tensor_shape.dim], DATA_TYPES[number].numpy_type)
    if number in CONTENT_ONLY and not tensor.tensor_content:
        return decode(messages().TensorProto.FromString(tensor.SerializeToString()))
    return ours(tf.make_ndarray(tensor), number)


def as_server(tensor, number):
    value = parsed_in_c(tensor.SerializeToString(), number)
    if number == STRING:
        boxed = numpy.empty((), object)
        boxed[()] = value
        return value if isinstance(value, numpy.ndarray) else boxed
    return ours(value, number)


def replied(tensor):
    """A TensorProto of theirs as we read it in a reply."""
    reply = predict_pb2.PredictResponse()
    reply.model_spec.version.value = 9
    reply.outputs["scores"].CopyFrom(tensor)
    outputs, version = requests.predict_reply(reply.SerializeToString())
    assert version == 9
    return outputs["scores"]


def check_reply(number, array):
    """What they send means the same here: as make_tensor_proto() makes it, in tensor_content, in typed values."""
    try:
        made = tf.make_tensor_proto(theirs(array, number), dtype=tf.dtypes.as_dtype(number), shape=array.shape)
    except TypeError:
        assert number in CONTENT_ONLY and array.size < 2
        return
    same(replied(made), array, number)
    typed = TensorProto(dtype=number, tensor_shape=made.tensor_shape)
    kind = DATA_TYPES[number]
    if number == STRING:
        typed.string_val[:] = array.ravel().tolist()
    elif kind.field == "float8_val":
        typed.float8_val = numpy.ravel(theirs(array, number)).view("u1").tobytes()
    elif kind.field == "half_val":
        typed.half_val.extend(numpy.ravel(theirs(array, number)).view("u2").tolist())
    elif array.dtype.kind == "c":
        getattr(typed, kind.field).extend(array.ravel().view("f%d" % (array.itemsize // 2)).tolist())
    else:
        getattr(typed, kind.field).extend(array.ravel().tolist())
    same(replied(typed), array, number)
    if number in WRITTEN_IN_C:
        in_c = tf.io.parse_tensor(typed.SerializeToString(), tf.dtypes.as_dtype(number))
        content = TensorProto.FromString(tf.io.serialize_tensor(in_c).numpy())
    else:
        content = TensorProto(dtype=number, tensor_shape=made.tensor_shape, tensor_content=theirs(array, number).tobytes())
    same(replied(content), array, number)


@PROPERTY
@given(st.integers(1, 5).flatmap(tensors), st.integers(1, 6))
def requests_in_batches(tensor, batch):
    check_request(*tensor, batch)


@PROPERTY
@given(tensors())
def replies(tensor):
    check_reply(*tensor)


@PROPERTY
@given(tensors(), st.integers(0, 3))
def typed_values_that_end_early(tensor, more):
    """The last one stands for the rest. Both of TensorFlow's decoders say so."""
    number, array = tensor
    size = array.size + more
    proto = TensorProto(dtype=number)
    proto.tensor_shape.dim.add(size=size)
    kind = DATA_TYPES[number]
    assume(kind.field not in ("float8_val",) and number not in QUANTIZED and array.dtype.kind != "c")
    flat = theirs(array.ravel(), number)
    getattr(proto, kind.field).extend((flat.view("u2") if kind.field == "half_val" else flat).tolist())
    same(replied(proto), as_server(proto, number), number)
    if number == STRING and not array.size:
        return  # make_ndarray() gives text, the server bytes
    same(replied(proto), ours(tf.make_ndarray(proto), number), number)


@PROPERTY
@given(st.lists(st.lists(st.floats(width=32, allow_nan=False), max_size=3), max_size=5), st.integers(1, 4))
def examples(rows, batch):
    made = [tf.train.Example(features=tf.train.Features(
        feature={"x": tf.train.Feature(float_list=tf.train.FloatList(value=row))}
    )) for row in rows]
    wires = [example.SerializeToString() for example in made]
    for kind in (classification_pb2.ClassificationRequest, regression_pb2.RegressionRequest):
        seen = []
        for request in requests.of_examples("m", "s", wires, batch):
            message = kind.FromString(request.wire)
            assert (message.model_spec.name, message.model_spec.signature_name) == ("m", "s")
            assert message.ByteSize() == len(request.wire)
            seen += message.input.example_list.examples
        assert all(isinstance(example, example_pb2.Example) for example in seen) and seen == made


@PROPERTY
@given(st.integers(0, 3).flatmap(lambda width: st.lists(
    st.lists(st.tuples(st.text(max_size=5), st.floats(width=32)), min_size=width, max_size=width), max_size=4
)), st.integers(0, 1 << 62))
def classifications_and_regressions(rows, version):
    reply = classification_pb2.ClassificationResponse()
    reply.model_spec.version.value = version
    for row in rows:
        classes = reply.result.classifications.add().classes
        for label, score in row:
            classes.add(label=label, score=score)
    outputs, said = requests.classify_reply(reply.SerializeToString())
    assert said == version and outputs["classes"].tolist() == [[label for label, dummy in row] for row in rows]
    scores = [[score for dummy, score in row] for row in rows]
    assert numpy.array_equal(outputs["scores"].tolist(), scores, equal_nan=True) if rows else not outputs["scores"].size

    reply = regression_pb2.RegressionResponse()
    values = [score for row in scores for score in row]
    for value in values:
        reply.result.regressions.add(value=value)
    outputs, said = requests.regress_reply(reply.SerializeToString())
    assert said is None and numpy.array_equal(outputs["outputs"].tolist(), values, equal_nan=True)


@PROPERTY
@given(st.none() | st.lists(st.none() | st.integers(0, 1 << 40), max_size=6))
def shapes_in_metadata(sizes):
    """Shapes that a model leaves open: a size, or how many there are."""
    theirs = tf.TensorShape(sizes).as_proto()
    read = messages().TensorShapeProto.FromString(theirs.SerializeToString())
    assert read.unknown_rank == (sizes is None)
    assert [dim.size for dim in read.dim] == [-1 if size is None else size for size in sizes or []]


def table():
    """Every type in every shape."""
    for number in DATA_TYPES:
        for shape in SHAPES:
            values = (numpy.arange(numpy.prod(shape, dtype=int)) % 2).reshape(shape)
            if number == STRING:
                texts = numpy.empty(values.size, object)
                texts[:] = [b"\0text\xff" * int(value) for value in values.ravel()]
                array = texts.reshape(shape)
            else:
                array = values.astype(DATA_TYPES[number].numpy_type)
            check_reply(number, array)
            if shape and shape[0]:
                check_request(number, array, 3)
            yield number, shape


assert {number: kind.name for number, kind in DATA_TYPES.items()} == {
    number: {1: "float32"}.get(number, tf.dtypes.as_dtype(number).name) for number in DATA_TYPES
}
known = {number for name, number in DataType.items() if 0 < number < 100}
assert set(DATA_TYPES) == known - {20, 21}, "all that hold data"
for number in [BFLOAT16, 24, *SMALL_FLOATS]:
    assert exact(numpy.array([0.5, -1, 0]), number) is not None
tested = len(list(table()))
for run in (
    requests_in_batches, replies, typed_values_that_end_early, examples, classifications_and_regressions, shapes_in_metadata,
):
    run()
print("%d tensors and 6 properties agree" % tested)
