"""tf.Examples from and to columns. tests/integration/official_protos.py holds them against TensorFlow's own."""
from __future__ import annotations

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import examples
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages


def strings(*values):
    array = numpy.empty(len(values), object)
    array[:] = values
    return array


def one(**features):
    """A tf.Example; the features' values as lists."""
    example = messages().Example()
    for name, values in features.items():
        kind = {bytes: "bytes_list", float: "float_list", int: "int64_list"}[type(values[0])]
        getattr(example.features.feature[name], kind).value.extend(values)
    return example.SerializeToString()


def test_the_bytes_of_an_example():
    """Written down by hand from example.proto and feature.proto; numbers are packed."""
    assert examples.build({"x": numpy.array([[1, 300]])}) == [b"\x0a\x0e\x0a\x0c\x0a\x01x\x12\x07\x1a\x05\x0a\x03\x01\xac\x02"]
    assert examples.build({"x": strings(b"ab")}) == [b"\x0a\x0d\x0a\x0b\x0a\x01x\x12\x06\x0a\x04\x0a\x02ab"]
    assert examples.build({"x": numpy.array([1.0])}) == [b"\x0a\x0f\x0a\x0d\x0a\x01x\x12\x08\x12\x06\x0a\x04\0\0\x80\x3f"]


def test_numbers_that_are_not_packed_are_read_too():
    columns, left_out = examples.parse([b"\x0a\x0e\x0a\x0c\x0a\x01x\x12\x07\x1a\x05\x08\x01\x08\xac\x02"])
    assert columns["x"].tolist() == [[1, 300]] and not left_out


def test_rows_are_flattened():
    columns, dummy = examples.parse(examples.build({"x": numpy.arange(12, dtype="f4").reshape(3, 2, 2)}))
    assert columns["x"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]] and columns["x"].dtype == "f4"


def test_one_value_is_a_number_and_not_a_vector():
    columns, dummy = examples.parse([one(label=[3], name=[b"a"], both=[1, 2]), one(label=[-4], name=[b""], both=[3, 4])])
    assert columns["label"].tolist() == [3, -4] and columns["label"].dtype == "i8"
    assert columns["name"].tolist() == [b"a", b""]
    assert columns["both"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(("second", "why"), [
    (one(there=[1]), "record 2 lacks it"),
    (one(there=[1], x=[1, 2]), "record 2 has int64_list of length 2, record 1 has int64_list of length 1"),
    (one(there=[1], x=[1.0]), "record 2 has float_list of length 1, record 1 has int64_list of length 1"),
])
def test_features_that_are_no_column(second, why):
    columns, left_out = examples.parse([one(there=[0], x=[1]), second])
    assert list(columns) == ["there"] and left_out == {"x": why}


def test_a_feature_that_comes_later_or_without_a_value():
    empty = messages().Example.FromString(one(there=[1]))
    empty.features.feature["x"].SetInParent()
    columns, left_out = examples.parse([empty.SerializeToString(), one(there=[1], x=[1], y=[2])])
    assert list(columns) == ["there"] and left_out.keys() == {"x", "y"} and left_out["y"] == "record 1 lacks it"
    assert examples.parse([empty.SerializeToString()])[1] == {"x": "record 1 has no value"}


def test_what_an_example_can_just_hold():
    columns, dummy = examples.parse(examples.build({"x": numpy.array([2**63 - 1, 0], "u8"), "none": numpy.zeros((2, 0), "u8")}))
    assert columns["x"].tolist() == [2**63 - 1, 0] and columns["none"].shape == (2, 0)
    assert examples.build({"x": numpy.array([True, False])}) == [one(x=[1]), one(x=[0])]


def test_without_protobuf(monkeypatch):
    monkeypatch.setattr(examples, "protobuf", None)
    with pytest.raises(Error, match="pip install protobuf") as caught:
        examples.parse([])
    assert caught.value.code == "library_missing"


@pytest.mark.parametrize("data", [b"", b"\xff\xff", one(x=[1])[:-1], b"\x0a\x00", b"not an example"])
def test_what_is_no_example(data):
    with pytest.raises(Malformed, match=r"^record 2 is no tf\.Example"):
        examples.parse([one(x=[1]), data])


@pytest.mark.parametrize(("column", "says"), [
    (numpy.array([1, 2**63], "u8"), "above int64, 9223372036854775808"), (numpy.array([1j]), "complex128"),
])
def test_what_no_example_can_hold(column, says):
    with pytest.raises(Error) as caught:
        examples.build({"x": column})
    assert caught.value.code == "dataset_invalid" and says in caught.value.message and "feature x" in caught.value.message


ROWS = st.integers(1, 4)
KIND = st.sampled_from(["f4", "i8", "O"])


@st.composite
def tables(draw):
    rows = draw(ROWS)
    columns = {}
    for name in draw(st.sets(st.text(max_size=5), min_size=1, max_size=4)):
        kind, shape = draw(KIND), (rows,) + draw(st.sampled_from([(), (0,), (2,), (3,)]))
        columns[name] = draw(arrays.arrays(
            kind if kind != "O" else object, shape,
            elements=st.binary(max_size=8) if kind == "O" else arrays.from_dtype(numpy.dtype(kind), allow_nan=False),
            fill=st.nothing(),
        ))
    return columns


@settings(max_examples=40)
@given(tables())
def test_what_is_built_is_parsed_again(columns):
    again, left_out = examples.parse(examples.build(columns))
    assert again.keys() == columns.keys() and not left_out
    for name, column in columns.items():
        assert again[name].dtype == column.dtype and again[name].shape == column.shape
        assert numpy.array_equal(again[name], column)


@settings(max_examples=60)
@given(st.binary(max_size=60))
def test_any_bytes_give_columns_or_malformed(data):
    try:
        examples.parse([data])
    except Malformed:
        pass
