"""Tensors as numpy arrays. tests/integration holds this against TensorFlow itself."""
from __future__ import annotations

import numpy
import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils import _tensors
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_protos import messages
from ansible_collections.mlops.tf_serving.plugins.module_utils._tensors import DATA_TYPES, decode, encode, exact, type_name

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
        return _tensors._strings([b"\0text\0" * value for value in values.astype(int).ravel()]).reshape(shape)
    return values.astype(DATA_TYPES[number].numpy_type)


def same(one, other):
    return one.shape == other.shape and one.dtype == other.dtype and numpy.array_equal(one, other)


@pytest.mark.parametrize("number", DATA_TYPES)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (2, 3), (2, 0, 3), (1, 2, 3, 4)])
def test_what_is_encoded_is_decoded(number, shape):
    values = some(number, shape)
    assert same(decode(messages().TensorProto.FromString(encode(values, number).SerializeToString())), values)


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
    with pytest.raises(Error):
        decode(tensor)


def test_unknown_rank():
    tensor = proto(FLOAT, (), float_val=[1])
    tensor.tensor_shape.unknown_rank = True
    with pytest.raises(Error):
        decode(tensor)


@pytest.mark.parametrize("number", sorted(_tensors.BY_TABLE - set(_tensors.SMALL_INTEGERS)))
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
    ([0, 255], "i8", UINT8), ([0.0, -3.0], "f8", INT32), ([1 << 24], "i4", FLOAT), ([0.5, numpy.nan, numpy.inf, -0.0], "f8", BFLOAT16),
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
    ([8], "i4", INT4), ([1j], "c8", FLOAT), ([1], "O", STRING), ([1], "i4", STRING), ([b"1"], "O", FLOAT),
])
def test_not_exact(values, kind, number):
    assert exact(numpy.array(values, kind), number) is None


def test_rounded():
    third = numpy.array([1 / 3, numpy.nan, 1e300])
    assert _tensors.rounded(third, FLOAT).tolist()[0] == float(numpy.float32(1 / 3))
    half = _tensors.rounded(third, BFLOAT16)
    assert half.dtype == "f4" and half[0] == 0.333984375 and numpy.isnan(half[1]) and numpy.isinf(half[2])
    assert exact(half, BFLOAT16) is not None


def test_names_of_types():
    assert [type_name(number) for number in (1, 7, 14, 20, 99)] == ["float32", "string", "bfloat16", "resource", "DataType 99"]
