# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests for many tests as bytes, and replies as arrays.

What is the same in all requests is serialised once and the values are appended to it as they lie in memory: that takes
a few microseconds where messages take hundreds. Replies are parsed with protobuf, which is fast enough.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import field, varint_bytes
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import Array
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.channel import parsed
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tensors import (
    SMALL_INTEGERS,
    STRING,
    decode,
    encode,
    patterns,
)

try:
    import numpy
except ImportError:
    pass  # the task has said so: it is one of its NEEDS

Answered = tuple[dict[str, Array], "int | None"]  # ({output: array}, the version that answered, where it says so)


class Request(NamedTuple):
    """The tests from start up to stop, on the wire."""

    start: int
    stop: int
    wire: bytes


def predict(
    model: str, signature: str, tensors: Mapping[str, tuple[int, Array]], outputs: Sequence[str], batch: int,
    whole: Mapping[str, tuple[int, Array]] | None = None,
) -> list[Request]:
    """Requests of so many tests each (the last one may have fewer). tensors: {input: (DataType number, a row for each test)};
    outputs: the names of those that are wanted; whole: inputs that are the same in every request."""
    constant = _named(messages().PredictRequest(output_filter=outputs), model, signature) + b"".join(
        _entry(name, encode(array, number).SerializeToString()) for name, (number, array) in (whole or {}).items())
    inputs = [_spliced(name, *tensor) for name, tensor in tensors.items()]
    tests = len(next(iter(tensors.values()))[1])
    return [
        Request(start, stop, b"".join([constant, *(part for parts in inputs for part in parts(start, stop))]))
        for start, stop in _batches(tests, batch)
    ]


def of_examples(model: str, signature: str, examples: Sequence[bytes], batch: int) -> list[Request]:
    """Requests to classify or to regress serialised tf.Examples: the two look the same."""
    constant = _named(messages().ClassificationRequest(), model, signature)
    fields = [field(1, example) for example in examples]
    return [
        Request(start, stop, constant + field(2, field(1, b"".join(fields[start:stop]))))
        for start, stop in _batches(len(examples), batch)
    ]


def predict_reply(wire: bytes) -> Answered:
    reply = parsed("PredictResponse", wire)
    outputs = {}
    for name, tensor in reply.outputs.items():
        try:
            outputs[name] = decode(tensor)
        except Error as error:
            raise Error("output %s: %s" % (name, error.message), "malformed_reply") from error
    return outputs, version_of(reply)


def classify_reply(wire: bytes) -> Answered:
    """`classes` and their `scores`, a row for each test."""
    reply = parsed("ClassificationResponse", wire)
    rows = [result.classes for result in reply.result.classifications]
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        raise Error("a reply has from %d to %d classes a test" % (min(widths), max(widths)), "malformed_reply")
    shape = len(rows), widths.pop() if widths else 0
    classes = numpy.empty(shape, object)
    classes[:] = [[one.label for one in row] for row in rows] if classes.size else None
    scores = numpy.array([[one.score for one in row] for row in rows], "f4").reshape(shape)
    return {"classes": classes, "scores": scores}, version_of(reply)


def regress_reply(wire: bytes) -> Answered:
    """`outputs`: one number for each test."""
    reply = parsed("RegressionResponse", wire)
    values = numpy.array([one.value for one in reply.result.regressions], "f4")
    return {"outputs": values}, version_of(reply)


def version_of(reply: Any) -> int | None:
    """The version that answered; 1.4 does not say it."""
    version: int = reply.model_spec.version.value
    return version if reply.model_spec.HasField("version") else None


def _named(request: Any, model: str, signature: str) -> bytes:
    """What is the same in all requests of a kind."""
    request.model_spec.name, request.model_spec.signature_name = model, signature
    constant: bytes = request.SerializeToString()
    return constant


def _batches(tests: int, batch: int) -> list[tuple[int, int]]:
    return [(start, min(start + batch, tests)) for start in range(0, tests, batch)]


def _spliced(name: str, number: int, array: Array) -> Callable[[int, int], tuple[bytes | memoryview, ...]]:
    """A function that gives the entry of one input for the tests from start to stop, in parts to be joined."""
    if number == STRING or number in SMALL_INTEGERS:
        return lambda start, stop: (_entry(name, encode(array[start:stop], number).SerializeToString()),)
    values = patterns(array, number)
    heads: dict[int, bytes] = {}  # by their number of tests

    def parts(start: int, stop: int) -> tuple[bytes | memoryview, ...]:
        rows = values[start:stop]
        if len(rows) not in heads:
            tensor = messages().TensorProto(dtype=number)
            for size in array.shape:
                tensor.tensor_shape.dim.add(size=size)
            tensor.tensor_shape.dim[0].size = len(rows)
            head = tensor.SerializeToString() + (_opening(4, rows.nbytes) if rows.nbytes else b"")  # tensor_content
            heads[len(rows)] = _entry(name, head, rows.nbytes)
        return heads[len(rows)], rows.data
    return parts


def _entry(name: str, tensor: bytes, more: int = 0) -> bytes:
    """An entry of the map `inputs`; `more` bytes of the tensor are yet to follow."""
    value = field(1, name) + _opening(2, len(tensor) + more) + tensor
    return _opening(2, len(value) + more) + value


def _opening(number: int, size: int) -> bytes:
    """What stands before that many bytes of a field."""
    return varint_bytes(number << 3 | 2) + varint_bytes(size)
