# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""TensorProto from and to numpy arrays, as TensorFlow's make_tensor_proto and make_ndarray have it, without TensorFlow.

numpy has no bfloat16, float8, float4, int4 and int2. Such tensors are float32, int8 or uint8 arrays here: every value of
theirs is one of those, exactly.
"""
from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed, varint
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import Array, strings
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages

try:
    import numpy
except ImportError:
    pass  # the task has said so: it is one of its NEEDS


class DataType(NamedTuple):
    name: str
    numpy_type: str  # little-endian, as on the wire
    field: str  # where typed values stand


# By TensorFlow's DataType numbers.
DATA_TYPES = {
    1: DataType("float32", "<f4", "float_val"),
    2: DataType("float64", "<f8", "double_val"),
    3: DataType("int32", "<i4", "int_val"),
    4: DataType("uint8", "|u1", "int_val"),
    5: DataType("int16", "<i2", "int_val"),
    6: DataType("int8", "|i1", "int_val"),
    7: DataType("string", "|O", "string_val"),  # bytes
    8: DataType("complex64", "<c8", "scomplex_val"),
    9: DataType("int64", "<i8", "int64_val"),
    10: DataType("bool", "|b1", "bool_val"),
    11: DataType("qint8", "|i1", "int_val"),
    12: DataType("quint8", "|u1", "int_val"),
    13: DataType("qint32", "<i4", "int_val"),
    14: DataType("bfloat16", "<f4", "half_val"),
    15: DataType("qint16", "<i2", "int_val"),
    16: DataType("quint16", "<u2", "int_val"),
    17: DataType("uint16", "<u2", "int_val"),
    18: DataType("complex128", "<c16", "dcomplex_val"),
    19: DataType("float16", "<f2", "half_val"),
    22: DataType("uint32", "<u4", "uint32_val"),
    23: DataType("uint64", "<u8", "uint64_val"),
    24: DataType("float8_e5m2", "<f4", "float8_val"),
    25: DataType("float8_e4m3fn", "<f4", "float8_val"),
    26: DataType("float8_e4m3fnuz", "<f4", "float8_val"),
    27: DataType("float8_e4m3b11fnuz", "<f4", "float8_val"),
    28: DataType("float8_e5m2fnuz", "<f4", "float8_val"),
    29: DataType("int4", "|i1", "int_val"),
    30: DataType("uint4", "|u1", "int_val"),
    31: DataType("int2", "|i1", "int_val"),
    32: DataType("uint2", "|u1", "int_val"),
    33: DataType("float4_e2m1fn", "<f4", "float8_val"),
}
OTHER_NAMES = {0: "no type", 20: "resource", 21: "variant"}  # no data: a message can say what the model wants
REFERENCE = 100  # and the type of what is referred to: TensorFlow 1's variables
STRING, BOOL, BFLOAT16 = 7, 10, 14

# What the elements of a field are.
FIELDS = {
    "float_val": "<f4", "double_val": "<f8", "int_val": "<i4", "int64_val": "<i8", "uint32_val": "<u4", "uint64_val": "<u8",
    "bool_val": "|b1", "half_val": "<i4", "scomplex_val": "<f4", "dcomplex_val": "<f8",
}
# Small floats: bits of the exponent and of the mantissa, bias, the patterns that are NaN (without infinities).
SMALL_FLOATS = {
    25: (4, 3, 7, (0x7F, 0xFF)), 26: (4, 3, 8, (0x80,)), 27: (4, 3, 11, (0x80,)), 28: (5, 2, 16, (0x80,)), 33: (2, 1, 1, ()),
}
SMALL_INTEGERS = {29: (4, True), 30: (4, False), 31: (2, True), 32: (2, False)}  # bits, signed
BY_TABLE = {14, 24, *SMALL_FLOATS, *SMALL_INTEGERS}

# A shape is a claim, and two typed values may stand for any number: no tensor is larger than the largest message
# (channel.LARGEST_REPLY), or than a deeper one that numpy can hold.
MAX_BYTES = 256 << 20
MAX_RANK = 32


def type_name(number: int) -> str:
    """In words."""
    if number - REFERENCE in DATA_TYPES:
        return "a reference to " + DATA_TYPES[number - REFERENCE].name
    return DATA_TYPES[number].name if number in DATA_TYPES else OTHER_NAMES.get(number, "a type unknown here (%d)" % number)


def type_number(name: str) -> int:
    """Of a type's name; a SavedModel's node says dtype101 of those that it does not know, and invalid of none. ValueError for no type."""
    numbers = {kind.name: number for number, kind in DATA_TYPES.items()} | {other: number for number, other in OTHER_NAMES.items()}
    numbers["invalid"] = 0
    return numbers[name] if name in numbers else int(name.removeprefix("dtype"))


def can_encode(number: int) -> bool:
    return number in DATA_TYPES


def size_of(number: int) -> int:
    """Bytes of one element in a message; a guess for strings."""
    return 16 if number == STRING else _pattern_type(number).itemsize


def encode(array: Array, number: int) -> Any:
    """A TensorProto of the DataType with this number that holds the array."""
    proto = messages().TensorProto(dtype=number)
    for size in numpy.shape(array):
        proto.tensor_shape.dim.add(size=size)
    if number == STRING:
        proto.string_val.extend(_bytes(numpy.asarray(array)))
    elif number in SMALL_INTEGERS:  # what they are in tensor_content is left to each implementation
        proto.int_val.extend(numpy.ravel(array).tolist())
    else:
        proto.tensor_content = patterns(array, number).tobytes()
    return proto


def patterns(array: Array, number: int) -> Array:
    """The array as it lies in tensor_content: C order, little-endian. Not for strings and integers below 8 bits."""
    if number not in BY_TABLE:
        return numpy.ascontiguousarray(array, DATA_TYPES[number].numpy_type)
    found = _looked_up(numpy.asarray(array, "<f4"), number)
    if found is None:
        raise Error("a value has no exact %s" % type_name(number), "dataset_invalid")
    return found


def decode(proto: Any) -> Array:
    """The array in a TensorProto, from tensor_content or typed values; Error where the two do not add up.

    It may share memory with the message, and not be writable.
    """
    if proto.dtype not in DATA_TYPES:
        raise Error("a tensor of type %s cannot be compared" % type_name(proto.dtype), "unsupported_type")
    kind = DATA_TYPES[proto.dtype]
    shape = tuple(dim.size for dim in proto.tensor_shape.dim[:MAX_RANK + 1])
    claim = math.prod(shape) * numpy.dtype(kind.numpy_type).itemsize
    if proto.tensor_shape.unknown_rank or len(shape) > MAX_RANK or any(length < 0 for length in shape) or claim > MAX_BYTES:
        raise Error("a tensor claims the shape %s" % list(shape), "malformed_tensor")
    try:
        if proto.tensor_content:
            return _content(proto.tensor_content, proto.dtype, math.prod(shape)).reshape(shape)
        return _filled(_typed(proto, kind), shape)
    except (ValueError, OverflowError, IndexError, Malformed) as error:
        raise Error(
            "a %s tensor of shape %s does not hold the values it claims (%s)" % (kind.name, list(shape), error),
            "malformed_tensor",
        ) from error


def _content(content: bytes, number: int, size: int) -> Array:
    if number == STRING:
        return strings(_split(content, size))
    values: Array = numpy.frombuffer(content, _pattern_type(number))
    if number in BY_TABLE:
        return _read(values, number)
    return values.astype(bool) if number == BOOL else values  # any byte but 0 is true


def _split(content: bytes, size: int) -> list[bytes]:
    """Strings in tensor_content (a server with --enable_serialization_as_tensor_content): all lengths, then all bytes."""
    at, lengths = 0, []
    for dummy in range(size):
        length, at = varint(content, at, len(content))
        lengths.append(length)
    if at + sum(lengths) != len(content):
        raise ValueError("%d bytes for %d" % (len(content) - at, sum(lengths)))
    parts = []
    for length in lengths:
        parts.append(content[at:at + length])
        at += length
    return parts


def _typed(proto: Any, kind: DataType) -> Array:
    if kind.field == "string_val":
        return strings(proto.string_val)
    if kind.field == "float8_val":
        return _read(numpy.frombuffer(proto.float8_val, "|u1"), proto.dtype)
    values = numpy.array(getattr(proto, kind.field), FIELDS[kind.field])
    if kind.field == "half_val":  # bit patterns
        halves = _narrowed(values, "<u2")
        return _read(halves, BFLOAT16) if proto.dtype == BFLOAT16 else halves.view("<f2")
    if kind.field in ("scomplex_val", "dcomplex_val"):
        return values.view(kind.numpy_type)
    narrow = _narrowed(values, kind.numpy_type)
    if proto.dtype in SMALL_INTEGERS and not numpy.isin(narrow, _table(proto.dtype)).all():
        raise ValueError("a value is out of range")
    return narrow


def _narrowed(values: Array, numpy_type: str) -> Array:
    """Typed values stand in fields that are wider than their type: none may be out of its range."""
    narrow = values.astype(numpy_type, copy=False)
    if narrow.dtype != values.dtype and not numpy.array_equal(narrow, values):
        raise ValueError("a value is out of range")
    return narrow


def _filled(values: Array, shape: tuple[int, ...]) -> Array:
    """Typed values may end early: the last one stands for the rest, and none at all for zeros."""
    size = math.prod(shape)
    if len(values) > size:
        raise ValueError("%d values" % len(values))
    if len(values) == size:
        return values.reshape(shape)
    if not len(values):
        values = strings([b""]) if values.dtype.kind == "O" else numpy.zeros(1, values.dtype)
    if len(values) == 1:
        return numpy.broadcast_to(values.reshape((1,) * len(shape)), shape)
    return numpy.concatenate([values, numpy.repeat(values[-1:], size - len(values))]).reshape(shape)


def exact(array: Array, number: int) -> Array | None:
    """The array as one of this type (the small floats as float32); None where a value would change."""
    if (number == STRING) != (array.dtype.kind in "OSU"):
        return None
    if number == STRING:
        try:
            return strings(_bytes(array), array.shape)
        except TypeError:
            return None
    cast = _same(array, numpy.dtype(DATA_TYPES[number].numpy_type))
    return None if cast is None or (number in BY_TABLE and _looked_up(cast, number) is None) else cast


def _same(array: Array, wanted: numpy.dtype[Any]) -> Array | None:
    if array.dtype == wanted:
        return array
    if array.dtype.kind not in "biufc" or (array.dtype.kind == "c" and wanted.kind != "c"):
        return None
    with numpy.errstate(all="ignore"):
        cast = array.astype(wanted)
        back = (cast if array.dtype.kind == "c" else cast.real).astype(array.dtype)
    same = (back == array) | (numpy.isnan(back) & numpy.isnan(array))
    # What is out of range becomes some other number, and may become itself on the way back.
    if {array.dtype.kind, wanted.kind} == {"i", "u"}:
        same &= (cast < 0) == (array < 0)
    elif "f" in array.dtype.kind + wanted.kind and {array.dtype.kind, wanted.kind} & set("iu"):
        integers, floats = (cast, array) if wanted.kind in "iu" else (array, cast)
        limits = numpy.iinfo(integers.dtype)
        floats = floats.astype("f8")
        same &= (floats >= float(limits.min)) & (floats < float(limits.max) + 1)
    return cast if same.all() else None


def rounded(array: Array, number: int) -> Array:
    """Floats as the nearest ones of this type: float16, float32, float64, or float32 that are exact in bfloat16."""
    with numpy.errstate(all="ignore"):
        near = array.astype(DATA_TYPES[number].numpy_type)
    if number == BFLOAT16:
        bits = near.view("<u4")
        bits = (bits + (0x7FFF + (bits >> 16 & 1)).astype("<u4")) & numpy.uint32(0xFFFF0000)  # half to even
        near = numpy.where(numpy.isnan(near), near, bits.view("<f4"))
    return near


def _bytes(array: Array) -> list[bytes]:
    """The elements of an array of bytes or text, flat."""
    values = [value.encode() if isinstance(value, str) else value for value in array.ravel().tolist()]
    if not all(isinstance(value, bytes) for value in values):
        raise TypeError("not bytes")
    return values


def _pattern_type(number: int) -> numpy.dtype[Any]:
    """Of the elements of tensor_content."""
    if number in BY_TABLE:
        return numpy.dtype("<u2" if number == BFLOAT16 else "|u1")
    kind = numpy.dtype(DATA_TYPES[number].numpy_type)
    return numpy.dtype("|u1") if kind.kind == "b" else kind


@functools.lru_cache(maxsize=None)
def _table(number: int) -> Array:
    """The value of each bit pattern of a type that numpy does not have."""
    if number == BFLOAT16:
        return (numpy.arange(1 << 16, dtype="<u4") << 16).view("<f4")
    codes = numpy.arange(256)
    if number == 24:  # the upper half of a float16
        return (codes << 8).astype("<u2").view("<f2").astype("<f4")
    if number in SMALL_INTEGERS:
        bits, signed = SMALL_INTEGERS[number]
        codes &= (1 << bits) - 1
        below_zero = codes >> bits - 1 << bits if signed else 0
        return (codes - below_zero).astype(DATA_TYPES[number].numpy_type)
    exponent_bits, mantissa_bits, bias, nans = SMALL_FLOATS[number]
    exponent = codes >> mantissa_bits & (1 << exponent_bits) - 1
    mantissa = (codes & (1 << mantissa_bits) - 1) + ((exponent > 0) << mantissa_bits)
    sign = numpy.where(codes >> exponent_bits + mantissa_bits & 1, -1.0, 1.0)
    values: Array = numpy.ldexp(sign * mantissa, numpy.maximum(exponent, 1) - bias - mantissa_bits)
    values[list(nans)] = math.nan
    return values.astype("<f4")


def _read(codes: Array, number: int) -> Array:
    """The values of these bit patterns."""
    values: Array = _table(number)[codes]
    return values


def _looked_up(array: Array, number: int) -> Array | None:
    """The bit patterns of these values; None where one has none."""
    values = _table(number)
    if values.dtype.kind == "f":  # by their bits: there are two zeros
        array = numpy.where(numpy.isnan(array), numpy.float32(math.nan), array).view("<u4")
        values = values.view("<u4")
    order = numpy.argsort(values, kind="stable")
    places = numpy.minimum(numpy.searchsorted(values, array, sorter=order), len(order) - 1)
    found: Array = order[places].astype(_pattern_type(number))
    return found if numpy.array_equal(values[found], array) else None
