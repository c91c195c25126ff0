"""Tensors as numpy arrays. tests/integration holds this against TensorFlow itself."""
from __future__ import annotations

import numpy
import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import savedmodel
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import tensors
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import strings
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tensors import DATA_TYPES, decode, encode, exact, type_name

FLOAT, DOUBLE, INT32, UINT8, STRING, COMPLEX, INT64, BOOL = 1, 2, 3, 4, 7, 8, 9, 10
BFLOAT16, HALF, UINT64, FLOAT8, INT4 = 14, 19, 23, 25, 29


def proto(dtype, shape, **fields):
    tensor = messages().TensorProto(dtype=dtype, **fields)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def some(number, shape):
    """An array of that type and shape in which zeros and others alternate."""
    values = (numpy.arange(numpy.prod(shape)) % 2).reshape(shape)
    if number == STRING:
        return strings([b"\0text\0" * value for value in values.astype(int).ravel()], shape)
    return values.astype(DATA_TYPES[number].numpy_type)


def same(one, other):
    return one.shape == other.shape and one.dtype == other.dtype and numpy.array_equal(one, other)


# What TensorFlow's types.proto has: number, name; what numpy calls it; some values; how they lie in tensor_content, and how as
# typed values in which field of tensor.proto.
TYPES = [
    (1, "float32", "f4", [0.5, -2], "0000003f 000000c0", "float_val", [0.5, -2]),
    (2, "float64", "f8", [0.5, -2], "000000000000e03f 00000000000000c0", "double_val", [0.5, -2]),
    (3, "int32", "i4", [1, -2], "01000000 feffffff", "int_val", [1, -2]),
    (4, "uint8", "u1", [1, 255], "01 ff", "int_val", [1, 255]),
    (5, "int16", "i2", [1, -2], "0100 feff", "int_val", [1, -2]),
    (6, "int8", "i1", [1, -2], "01 fe", "int_val", [1, -2]),
    (8, "complex64", "c8", [1 - 2j], "0000803f 000000c0", "scomplex_val", [1, -2]),
    (9, "int64", "i8", [1, -2], "0100000000000000 feffffffffffffff", "int64_val", [1, -2]),
    (10, "bool", "?", [True, False], "01 00", "bool_val", [True, False]),
    (11, "qint8", "i1", [1, -2], "01 fe", "int_val", [1, -2]),
    (12, "quint8", "u1", [1, 255], "01 ff", "int_val", [1, 255]),
    (13, "qint32", "i4", [1, -2], "01000000 feffffff", "int_val", [1, -2]),
    (14, "bfloat16", "f4", [1, -2], "803f 00c0", "half_val", [0x3F80, 0xC000]),
    (15, "qint16", "i2", [1, -2], "0100 feff", "int_val", [1, -2]),
    (16, "quint16", "u2", [1, 65535], "0100 ffff", "int_val", [1, 65535]),
    (17, "uint16", "u2", [1, 65535], "0100 ffff", "int_val", [1, 65535]),
    (18, "complex128", "c16", [1 - 2j], "000000000000f03f 00000000000000c0", "dcomplex_val", [1, -2]),
    (19, "float16", "f2", [1, -2], "003c 00c0", "half_val", [0x3C00, 0xC000]),
    (22, "uint32", "u4", [1, (1 << 32) - 1], "01000000 ffffffff", "uint32_val", [1, (1 << 32) - 1]),
    (23, "uint64", "u8", [1, (1 << 64) - 1], "0100000000000000 ffffffffffffffff", "uint64_val", [1, (1 << 64) - 1]),
    (24, "float8_e5m2", "f4", [1, -2], "3c c0", "float8_val", b"\x3c\xc0"),
    (25, "float8_e4m3fn", "f4", [1, -2], "38 c0", "float8_val", b"\x38\xc0"),
    (26, "float8_e4m3fnuz", "f4", [1, -2], "40 c8", "float8_val", b"\x40\xc8"),
    (27, "float8_e4m3b11fnuz", "f4", [1, -2], "58 e0", "float8_val", b"\x58\xe0"),
    (28, "float8_e5m2fnuz", "f4", [1, -2], "40 c4", "float8_val", b"\x40\xc4"),
    (33, "float4_e2m1fn", "f4", [1, -2], "02 0c", "float8_val", b"\x02\x0c"),
]
# Their tensor_content is left to each implementation: it is only read. Last what is out of range.
SMALL_INTEGERS = [
    (29, "int4", "i1", [7, -8], "07 08", "int_val", [7, -8], [8, -9]),
    (30, "uint4", "u1", [7, 15], "07 0f", "int_val", [7, 15], [16, -1]),
    (31, "int2", "i1", [1, -2], "01 02", "int_val", [1, -2], [2, -3]),
    (32, "uint2", "u1", [1, 3], "01 03", "int_val", [1, 3], [4, -1]),
]


@pytest.mark.parametrize(("number", "name", "kind", "values", "content", "field", "typed"), TYPES)
def test_the_bytes_of_every_type(number, name, kind, values, content, field, typed):
    values = numpy.array(values, kind)
    encoded = encode(values, number)
    assert type_name(number) == name and tensors.can_encode(number)
    assert encoded == proto(number, values.shape, tensor_content=bytes.fromhex(content))
    assert same(decode(encoded), values) and same(decode(proto(number, values.shape, **{field: typed})), values)
    assert tensors.size_of(number) * len(values) == len(encoded.tensor_content)


@pytest.mark.parametrize(("number", "name", "kind", "values", "content", "field", "typed", "outside"), SMALL_INTEGERS)
def test_integers_below_8_bits(number, name, kind, values, content, field, typed, outside):
    values = numpy.array(values, kind)
    assert type_name(number) == name and tensors.can_encode(number) and tensors.size_of(number) == 1
    assert encode(values, number) == proto(number, values.shape, int_val=typed)
    for sent in ({field: typed}, {"tensor_content": bytes.fromhex(content)}):
        assert same(decode(proto(number, values.shape, **sent)), values)
    for value in outside:
        assert exact(numpy.array([value]), number) is None
        with pytest.raises(Error, match="out of range"):
            decode(proto(number, (1,), int_val=[value]))
    above = bytes(code | 0xF0 if number < 31 else code | 0xFC for code in bytes.fromhex(content))
    assert same(decode(proto(number, values.shape, tensor_content=above)), values), "bits above do not count"


def test_any_byte_but_0_is_true():
    assert decode(proto(BOOL, (3,), tensor_content=b"\2\0\xff")).view("u1").tolist() == [1, 0, 1]


def test_a_string():
    assert type_name(STRING) == "string" and tensors.can_encode(STRING) and tensors.size_of(STRING) == 16
    assert encode(numpy.array([["a", b"\0"]], object), STRING) == proto(STRING, (1, 2), string_val=[b"a", b"\0"])


def test_all_types_are_here():
    assert {number for number, *dummy in TYPES + SMALL_INTEGERS} | {STRING} == set(DATA_TYPES)
    names = {20: "resource", 21: "variant", 0: "no type", 101: "a reference to float32", 99: "a type unknown here (99)"}
    assert {number: type_name(number) for number in names} == names
    assert not tensors.can_encode(20) and not tensors.can_encode(99)


def test_a_types_number():
    """As a SavedModel is read on the node, which knows fewer of them by name."""
    assert [tensors.type_number(name) for name in savedmodel.DTYPES[1:]] == [*range(1, 24)]
    assert [tensors.type_number("dtype%d" % number) for number in (24, 101)] == [24, 101]
    with pytest.raises(ValueError, match="floaty"):
        tensors.type_number("floaty")


@pytest.mark.parametrize("number", DATA_TYPES)
def test_what_is_encoded_is_decoded(number):
    for shape in ((), (0,), (1,), (3,), (2, 3), (2, 0, 3), (1, 2, 3, 4)):
        values = some(number, shape)
        assert same(decode(messages().TensorProto.FromString(encode(values, number).SerializeToString())), values), shape


@pytest.mark.parametrize(("number", "field", "sent", "values"), [
    (FLOAT, "float_val", [0.5, -1], [0.5, -1]),
    (DOUBLE, "double_val", [0.1], [0.1]),
    (UINT8, "int_val", [0, 255], [0, 255]),
    (INT64, "int64_val", [-1 << 63], [-1 << 63]),
    (UINT64, "uint64_val", [(1 << 64) - 1], [(1 << 64) - 1]),
    (BOOL, "bool_val", [True, False], [True, False]),
    (STRING, "string_val", [b"a\0", b""], [b"a\0", b""]),
    (COMPLEX, "scomplex_val", [1, 2, 3, -4], [1 + 2j, 3 - 4j]),
    (HALF, "half_val", [0x3C00, 0xC000], [1, -2]),
    (BFLOAT16, "half_val", [0x3F80, 0xC000], [1, -2]),
    (FLOAT8, "float8_val", b"\x38\xc0\x01", [1, -2, 2 ** -9]),
    (INT4, "int_val", [-8, 7], [-8, 7]),
])
def test_typed_values(number, field, sent, values):
    wanted = numpy.array(values, DATA_TYPES[number].numpy_type)
    assert same(decode(proto(number, (len(values),), **{field: sent})), wanted)


def test_the_last_typed_value_stands_for_the_rest():
    assert decode(proto(FLOAT, (2, 3), float_val=[0.5])).tolist() == [[0.5] * 3] * 2
    assert decode(proto(INT32, (), int_val=[7])).tolist() == 7
    assert decode(proto(INT32, (5,), int_val=[7, 8])).tolist() == [7, 8, 8, 8, 8]
    assert decode(proto(INT32, (2, 2), int_val=[7, 8])).tolist() == [[7, 8], [8, 8]]
    assert decode(proto(STRING, (3,), string_val=[b"a", b"b"])).tolist() == [b"a", b"b", b"b"]
    assert same(decode(proto(STRING, (2,), string_val=[b"a\0"])), numpy.array([b"a\0"] * 2, object))
    assert decode(proto(COMPLEX, (2,), scomplex_val=[1, 2])).tolist() == [1 + 2j] * 2
    assert decode(proto(HALF, (2,))).tolist() == [0, 0]
    assert decode(proto(STRING, (2,))).tolist() == [b"", b""]


def test_strings_in_tensor_content():
    assert decode(proto(STRING, (2, 1), tensor_content=b"\x02\x81\x01a\0" + b"b" * 129)).tolist() == [[b"a\0"], [b"b" * 129]]


@pytest.mark.parametrize("tensor", [
    proto(FLOAT, (2, 3), float_val=[1, 2, 3, 4, 5, 6, 7]),
    proto(FLOAT, (0,), float_val=[1]),
    proto(FLOAT, (2, 3), tensor_content=b"\0" * 23),
    proto(FLOAT, (2, 3), tensor_content=b"\0" * 20),
    proto(FLOAT, (2, 3), tensor_content=b"\0" * 4),
    proto(FLOAT, (2, 3), tensor_content=b"\0" * 28),
    proto(FLOAT, (-1, 3), float_val=[1, 2, 3]),
    proto(FLOAT, (1 << 28,), float_val=[1]),
    proto(FLOAT, (1 << 62, 1 << 62), float_val=[1]),
    proto(FLOAT, (0, 1 << 63 - 1), tensor_content=b"\0"),
    proto(FLOAT, [1] * 100, float_val=[1]),
    proto(UINT8, (1,), int_val=[256]),
    proto(HALF, (1,), half_val=[-1]),
    proto(BFLOAT16, (1,), half_val=[1 << 16]),
    proto(INT4, (1,), int_val=[8]),
    proto(COMPLEX, (1,), scomplex_val=[1, 2, 3]),
    proto(STRING, (2,), tensor_content=b"\x01\x02a"),
    proto(STRING, (2,), tensor_content=b"\x01\x01abc"),
    proto(STRING, (3,), tensor_content=b"\x01"),
    proto(STRING, (1,), tensor_content=b"\xff" * 20),
    proto(20, (1,)),
    proto(0, (1,), float_val=[1]),
    proto(99, (1,), float_val=[1]),
])
def test_tensors_that_do_not_add_up(tensor):
    with pytest.raises(Error) as caught:
        decode(tensor)
    assert caught.value.code == ("malformed_tensor" if tensor.dtype in DATA_TYPES else "unsupported_type")


def test_unknown_rank():
    tensor = proto(FLOAT, (), float_val=[1])
    tensor.tensor_shape.unknown_rank = True
    with pytest.raises(Error):
        decode(tensor)


@pytest.mark.parametrize("number", sorted(tensors.BY_TABLE - set(tensors.SMALL_INTEGERS)))
def test_every_pattern_of_a_small_float(number):
    """Each bit pattern comes back, but for the many NaNs, which become one."""
    patterns = numpy.arange(1 << 16, dtype="<u2") if number == BFLOAT16 else numpy.arange(16 if number == 33 else 256, dtype="u1")
    values = decode(proto(number, patterns.shape, tensor_content=patterns.tobytes()))
    again = numpy.frombuffer(encode(values, number).tensor_content, patterns.dtype)
    finite = ~numpy.isnan(values)
    assert numpy.array_equal(again[finite], patterns[finite]) and finite.sum() > 15
    assert numpy.isnan(decode(encode(values, number))[~finite]).all()


def test_values_that_a_small_float_does_not_have():
    with pytest.raises(Error, match="no exact bfloat16"):
        encode(numpy.array([0.1], "f4"), BFLOAT16)


@pytest.mark.parametrize(("values", "kind", "number"), [
    ([0, 255], "i8", UINT8), ([0.0, -3.0], "f8", INT32), ([1 << 24], "i4", FLOAT),
    ([0.5, numpy.nan, numpy.inf, -0.0], "f8", BFLOAT16),
    ([True], "?", FLOAT), ([1, 0], "u1", BOOL), ([7, -8], "i8", INT4), ([1.5], "f4", COMPLEX), ([(1 << 64) - 1], "u8", UINT64),
    ([b"a\0", "ä"], "O", STRING), (["ä"], "U", STRING), ([-(1 << 63)], "f8", INT64), ([], "f8", UINT8),
])
def test_exact(values, kind, number):
    values = numpy.array(values, kind)
    cast = exact(values, number)
    assert cast.dtype == DATA_TYPES[number].numpy_type
    if number == STRING:
        assert all(isinstance(value, bytes) for value in cast)
    else:
        assert numpy.array_equal(cast, values, equal_nan=True)


@pytest.mark.parametrize(("values", "kind", "number"), [
    ([256], "i8", UINT8), ([-1], "i8", UINT64), ([(1 << 64) - 1], "u8", INT64), ([0.5], "f8", INT32), ([numpy.nan], "f8", INT32),
    ([2.0 ** 63], "f8", INT64), ([(1 << 63) - 1], "i8", DOUBLE), ([(1 << 24) + 1], "i4", FLOAT), ([numpy.inf], "f2", INT32),
    ([-numpy.inf], "f2", INT32), ([0.1], "f8", FLOAT), ([1e300], "f8", FLOAT), ([0.1], "f4", BFLOAT16), ([2], "i4", BOOL),
    ([8], "i4", INT4), ([1j], "c8", FLOAT), ([(1 << 53) + 1], "i8", DOUBLE), ([1], "O", STRING), ([1], "i4", STRING),
    ([b"1"], "O", FLOAT),
])
def test_not_exact(values, kind, number):
    assert exact(numpy.array(values, kind), number) is None


@pytest.mark.parametrize(("number", "values"), [
    (24, {0x01: 2 ** -16, 0x04: 2 ** -14, 0x7B: 57344, 0x7C: numpy.inf, 0x7D: numpy.nan, 0xFC: -numpy.inf}),
    (25, {0x01: 2 ** -9, 0x08: 2 ** -6, 0x7E: 448, 0x7F: numpy.nan, 0xFE: -448, 0xFF: numpy.nan}),
    (26, {0x01: 2 ** -10, 0x08: 2 ** -7, 0x7F: 240, 0x80: numpy.nan, 0xFF: -240}),
    (27, {0x01: 2 ** -13, 0x08: 2 ** -10, 0x7F: 30, 0x80: numpy.nan, 0xFF: -30}),
    (28, {0x01: 2 ** -17, 0x04: 2 ** -15, 0x7F: 57344, 0x80: numpy.nan, 0xFF: -57344}),
    (33, {0: 0, 1: 0.5, 2: 1, 3: 1.5, 4: 2, 5: 3, 6: 4, 7: 6, 9: -0.5, 15: -6}),
    (BFLOAT16, {1: 2.0 ** -133, 0x7F7F: 3.3895313892515355e38, 0x7F80: numpy.inf, 0x7FC0: numpy.nan}),
])
def test_the_ends_of_small_floats(number, values):
    content = numpy.array(list(values), "<u2" if number == BFLOAT16 else "u1").tobytes()
    found = decode(proto(number, (len(values),), tensor_content=content))
    assert numpy.array_equal(found, numpy.array(list(values.values()), "f4"), equal_nan=True)


def test_negative_zero_is_a_pattern_of_its_own():
    assert encode(numpy.array([0.0, -0.0], "f4"), FLOAT8).tensor_content == b"\0\x80"


def test_how_large_a_tensor_may_be():
    assert decode(proto(FLOAT, (1 << 26,), float_val=[2])).shape == (1 << 26,), "256 MiB, of which one value is there"
    assert decode(proto(FLOAT, [1] * 32, float_val=[2])).ndim == 32
    for shape in (((1 << 26) + 1,), [1] * 33):
        with pytest.raises(Error, match="claims the shape") as caught:
            decode(proto(FLOAT, shape, float_val=[2]))
        assert caught.value.code == "malformed_tensor"


def test_what_is_said_of_a_tensor():
    with pytest.raises(Error, match="a tensor of type resource cannot be compared") as caught:
        decode(proto(20, (1,)))
    assert caught.value.code == "unsupported_type"
    with pytest.raises(Error, match=r"a float32 tensor of shape \[2\] does not hold the values it claims \(3 values\)") as caught:
        decode(proto(FLOAT, (2,), float_val=[1, 2, 3]))
    assert caught.value.code == "malformed_tensor"
    with pytest.raises(Error, match=r"\(1 bytes for 3\)"):
        decode(proto(STRING, (1,), tensor_content=b"\x03a"))


def test_rounded():
    tie = numpy.array([1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, -1 - 2 ** -8])
    assert tensors.rounded(tie, BFLOAT16).tolist() == [1, 1.015625, 1.0078125, -1], "to the nearest, a half to even"
    third = numpy.array([1 / 3, numpy.nan, 1e300])
    assert tensors.rounded(third, FLOAT).tolist()[0] == float(numpy.float32(1 / 3))
    half = tensors.rounded(third, BFLOAT16)
    assert half.dtype == "f4" and half[0] == 0.333984375 and numpy.isnan(half[1]) and numpy.isinf(half[2])
    assert exact(half, BFLOAT16) is not None
