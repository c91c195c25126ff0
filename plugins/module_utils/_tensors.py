# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""TensorProto from and to numpy arrays."""
from __future__ import annotations

import collections
import math

from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_protos import messages

try:
    import numpy
except ImportError:
    pass  # _inference.require_libraries() has said so

DataType = collections.namedtuple("DataType", "name numpy_type field")

# TensorFlow's DataType numbers: what numpy calls it (little-endian, as on the wire), where typed values stand.
DATA_TYPES = {
    1: DataType("float32", "<f4", "float_val"),
    2: DataType("float64", "<f8", "double_val"),
    3: DataType("int32", "<i4", "int_val"),
    4: DataType("uint8", "|u1", "int_val"),
    5: DataType("int16", "<i2", "int_val"),
    6: DataType("int8", "|i1", "int_val"),
    9: DataType("int64", "<i8", "int64_val"),
    10: DataType("bool", "|b1", "bool_val"),
    17: DataType("uint16", "<u2", "int_val"),
    19: DataType("float16", "<f2", "half_val"),
    22: DataType("uint32", "<u4", "uint32_val"),
    23: DataType("uint64", "<u8", "uint64_val"),
}
# Known by name only, so that a message can say what the model wants.
OTHER_NAMES = {7: "string", 8: "complex64", 14: "bfloat16", 18: "complex128", 20: "resource", 21: "variant"}

MAX_ELEMENTS = 1 << 28  # a shape is a claim; nobody reserves memory for one larger than this


def type_name(number):
    return DATA_TYPES[number].name if number in DATA_TYPES else OTHER_NAMES.get(number, "DataType %d" % number)


def encode(array, number):
    """A TensorProto of the DataType with this number that holds the array."""
    proto = messages().TensorProto(dtype=number)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_content = numpy.ascontiguousarray(array, DATA_TYPES[number].numpy_type).tobytes()
    return proto


def decode(proto):
    """The array in a TensorProto, from tensor_content or typed values; Error where the two do not add up."""
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    size = math.prod(shape)
    if proto.tensor_shape.unknown_rank or any(length < 0 for length in shape) or size > MAX_ELEMENTS:
        raise Error("a tensor claims the shape %s" % list(shape), "malformed_tensor")
    if proto.dtype not in DATA_TYPES:
        raise Error("a tensor of type %s cannot be compared" % type_name(proto.dtype), "unsupported_type")
    kind = DATA_TYPES[proto.dtype]
    try:
        if proto.tensor_content:
            values = numpy.frombuffer(proto.tensor_content, kind.numpy_type)
        elif kind.name == "float16":
            values = _narrowed(proto.half_val, "<u2").view("<f2")  # bit patterns
        else:
            values = _narrowed(getattr(proto, kind.field), kind.numpy_type)
        if values.size == 1 and not proto.tensor_content:
            return numpy.broadcast_to(values[0], shape)  # one typed value stands for all
        return values.reshape(shape)
    except (ValueError, OverflowError) as error:
        raise Error(
            "a %s tensor of shape %s does not hold the values it claims (%s)" % (kind.name, list(shape), error),
            "malformed_tensor",
        ) from error


def _narrowed(typed, numpy_type):
    """Typed values stand in fields that are wider than their type: none may be out of its range."""
    values = numpy.array(typed)
    narrow = values.astype(numpy_type)
    if narrow.dtype.kind in "iu" and not numpy.array_equal(narrow, values):
        raise ValueError("a value is out of range")
    return narrow
