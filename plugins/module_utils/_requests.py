# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests for many tests as bytes, and replies as arrays.

What is the same in all requests is serialised once and the values are appended to it as they lie in memory: that takes
a few microseconds where messages take hundreds. Replies are parsed with protobuf, which is fast enough.
"""
from __future__ import annotations

import collections

from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._grpc import parsed
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_protos import messages
from ansible_collections.mlops.tf_serving.plugins.module_utils._tensors import SMALL_INTEGERS, STRING, decode, encode, patterns
from ansible_collections.mlops.tf_serving.plugins.module_utils._wire import field, varint_bytes

try:
    import numpy
except ImportError:
    pass  # _inference.require_libraries() has said so

# The tests from start up to stop, on the wire.
Request = collections.namedtuple("Request", "start stop wire")


def predict(model, signature, tensors, outputs, batch):
    """Requests of so many tests each (the last one may have fewer). tensors: {input: (DataType number, a row for each test)};
    outputs: the names of those that are wanted."""
    constant = messages().PredictRequest(output_filter=outputs)
    _name(constant, model, signature)
    constant = constant.SerializeToString()
    inputs = [_spliced(name, *tensor) for name, tensor in tensors.items()]
    tests = len(next(iter(tensors.values()))[1])
    return [
        Request(start, stop, b"".join([constant, *(part for parts in inputs for part in parts(start, stop))]))
        for start, stop in _batches(tests, batch)
    ]


def classify(model, signature, examples, batch):
    """The same for serialised tf.Examples."""
    return _of_examples(messages().ClassificationRequest(), model, signature, examples, batch)


def regress(model, signature, examples, batch):
    return _of_examples(messages().RegressionRequest(), model, signature, examples, batch)


def predict_reply(wire):
    """({output: array}, the version that answered or None)."""
    reply = parsed("PredictResponse", wire)
    outputs = {}
    for name, tensor in reply.outputs.items():
        try:
            outputs[name] = decode(tensor)
        except Error as error:
            raise Error("output %s: %s" % (name, error.message), "malformed_reply") from error
    return outputs, version_of(reply)


def classify_reply(wire):
    """The same: `classes` and their `scores`, a row for each test."""
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


def regress_reply(wire):
    """The same: one number for each test."""
    reply = parsed("RegressionResponse", wire)
    values = numpy.array([one.value for one in reply.result.regressions], "f4")
    return {"outputs": values}, version_of(reply)


def version_of(reply):
    """The version that answered; 1.4 does not say it."""
    return reply.model_spec.version.value if reply.model_spec.HasField("version") else None


def _name(request, model, signature):
    request.model_spec.name, request.model_spec.signature_name = model, signature


def _batches(tests, batch):
    return [(start, min(start + batch, tests)) for start in range(0, tests, batch)]


def _spliced(name, number, array):
    """A function that gives the entry of one input for the tests from start to stop, in parts to be joined."""
    if number == STRING or number in SMALL_INTEGERS:
        return lambda start, stop: (_entry(name, encode(array[start:stop], number).SerializeToString()),)
    values = patterns(array, number)
    heads = {}

    def parts(start, stop):
        rows = values[start:stop]
        if len(rows) not in heads:
            tensor = messages().TensorProto(dtype=number)
            for size in array.shape:
                tensor.tensor_shape.dim.add(size=size)
            tensor.tensor_shape.dim[0].size = len(rows)
            head = tensor.SerializeToString() + (_opening(4, rows.nbytes) if rows.nbytes else b"")  # tensor_content
            heads[len(rows)] = _entry(name, head, rows.nbytes)
        return heads[len(rows)], rows
    return parts


def _entry(name, tensor, more=0):
    """An entry of the map `inputs`; `more` bytes of the tensor are yet to follow."""
    value = field(1, name) + _opening(2, len(tensor) + more) + tensor
    return _opening(2, len(value) + more) + value


def _opening(number, size):
    """What stands before that many bytes of a field."""
    return varint_bytes(number << 3 | 2) + varint_bytes(size)


def _of_examples(constant, model, signature, examples, batch):
    _name(constant, model, signature)
    constant = constant.SerializeToString()
    examples = [field(1, example) for example in examples]
    return [
        Request(start, stop, constant + field(2, field(1, b"".join(examples[start:stop]))))
        for start, stop in _batches(len(examples), batch)
    ]
