from __future__ import annotations

import numpy
import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_protos import messages
from ansible_collections.mlops.tf_serving.plugins.module_utils._tensors import DATA_TYPES, decode, encode, type_name


def proto(dtype, shape, **fields):
    tensor = messages().TensorProto(dtype=dtype, **fields)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


@pytest.mark.parametrize("number", DATA_TYPES)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (2, 3), (2, 0, 3), (1, 2, 3, 4)])
def test_what_is_encoded_is_decoded(number, shape):
    values = (numpy.arange(numpy.prod(shape)) % 7).astype(DATA_TYPES[number].numpy_type).reshape(shape)
    again = decode(messages().TensorProto.FromString(encode(values, number).SerializeToString()))
    assert again.shape == shape and again.dtype == values.dtype and numpy.array_equal(again, values)


@pytest.mark.parametrize("number", DATA_TYPES)
def test_typed_values(number):
    kind = DATA_TYPES[number]
    values = numpy.array([0, 1, 1, 0, 1, 0], kind.numpy_type)
    sent = values.view("<u2") if kind.name == "float16" else values
    again = decode(proto(number, (2, 3), **{kind.field: sent.tolist()}))
    assert again.dtype == values.dtype and numpy.array_equal(again, values.reshape(2, 3))


def test_one_typed_value_stands_for_all():
    assert decode(proto(1, (2, 3), float_val=[0.5])).tolist() == [[0.5] * 3] * 2
    assert decode(proto(3, (), int_val=[7])).tolist() == 7


@pytest.mark.parametrize("tensor", [
    proto(1, (2, 3), float_val=[1, 2, 3, 4, 5]),
    proto(1, (2, 3), float_val=[1, 2, 3, 4, 5, 6, 7]),
    proto(1, (2, 3)),
    proto(1, (2, 3), int_val=[1, 2, 3, 4, 5, 6]),
    proto(1, (2, 3), tensor_content=b"\0" * 23),
    proto(1, (2, 3), tensor_content=b"\0" * 20),
    proto(1, (2, 3), tensor_content=b"\0" * 4),
    proto(1, (2, 3), tensor_content=b"\0" * 28),
    proto(1, (-1, 3), float_val=[1, 2, 3]),
    proto(1, (1 << 28,), tensor_content=b"\0" * 4),
    proto(1, (1 << 62, 1 << 62), float_val=[1]),
    proto(1, [1] * 100, float_val=[1]),
    proto(4, (1,), int_val=[256]),
    proto(19, (1,), half_val=[-1]),
    proto(7, (1,), string_val=[b"seven"]),
    proto(0, (1,), float_val=[1]),
    proto(99, (1,), float_val=[1]),
])
def test_tensors_that_do_not_add_up(tensor):
    with pytest.raises(Error):
        decode(tensor)


def test_unknown_rank():
    tensor = proto(1, (), float_val=[1])
    tensor.tensor_shape.unknown_rank = True
    with pytest.raises(Error):
        decode(tensor)


def test_names_of_types():
    assert [type_name(number) for number in (1, 7, 14, 99)] == ["float32", "string", "bfloat16", "DataType 99"]
