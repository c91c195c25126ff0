"""Which column or value goes to which input, in which type and shape; what does not fit is said before anything is sent."""
from __future__ import annotations

import numpy
import pytest
from fake_model_server import signatures, tensor_info
from planned_requests import (
    BFLOAT16,
    BOOL,
    DOUBLE,
    FLOAT,
    HALF,
    IMAGE,
    INT32,
    INT64,
    OPTIONS,
    PICTURES,
    SCORES,
    STRING,
    UINT8,
    columns,
    dataset,
    made,
    refused,
    texts,
)

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import inputs, request_plan
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tensors import decode

# --- which column ---


def test_the_only_input_takes_the_only_column():
    assert columns(made(PICTURES, {"x": tensor_info(FLOAT, -1, 784)})) == {"x": ("images",)}


def test_columns_of_the_inputs_names():
    data = dataset(b=[1], a=[2], c=[3], y=[0])
    inputs = {"a": tensor_info(INT64, -1), "b": tensor_info(INT64, -1)}
    assert columns(made(data, inputs)) == {"a": ("a",), "b": ("b",)}
    assert columns(made(data, inputs, inputs={"a": "c"})) == {"a": ("c",), "b": ("b",)}
    assert [item.name for item in made(data, inputs, inputs={"b": "c", "a": "c"}).inputs] == ["a", "b"], "always in one order"
    assert columns(made(data, {"b": tensor_info(INT64, -1)})) == {"b": ("b",)}, "the one of its name, where there are others"


def test_a_table_of_numbers_is_stacked():
    data = dataset(x=[1, 2], z=[0.5, 1.5], label=[0, 1])
    plan = made(data, {"features": tensor_info(FLOAT, -1, 2)})
    assert columns(plan) == {"features": ("x", "z")}
    assert inputs.values(plan.inputs[0], data, "s").tolist() == [[1, 0.5], [2, 1.5]]
    plan = made(data, {"features": tensor_info(FLOAT, -1, 2)}, inputs={"features": ["z", "x"]})
    assert inputs.values(plan.inputs[0], data, "s").tolist() == [[0.5, 1], [1.5, 2]]


def test_serialised_examples_go_to_a_text_input():
    data = dataset(x=[1.0, 2.0], examples=texts(b"a", b"b"), label=[0, 1])
    assert columns(made(data, {"serialized": tensor_info(STRING, -1)})) == {"serialized": ("examples",)}
    assert columns(made(data, {"x": tensor_info(FLOAT, -1)})) == {"x": ("x",)}


@pytest.mark.parametrize(("data", "inputs", "options", "code", "says"), [
    (dataset(a=[1], b=[1], y=[1]), {"p": tensor_info(FLOAT, -1), "q": tensor_info(FLOAT, -1)}, {},
     "option_invalid", "inputs p, q, the dataset the columns a, b: say with check_inputs which column p, q takes"),
    (PICTURES, {"x": tensor_info(FLOAT, -1, 784)}, {"inputs": {"z": "images"}},
     "option_invalid", "check_inputs names z, and the signature has the inputs x"),
    (PICTURES, {"x": tensor_info(FLOAT, -1, 784)}, {"inputs": {"x": "pixels"}},
     "option_invalid", "column 'pixels', and the dataset has the columns images, labels"),
    (dataset(a=[[1]], b=[1], y=[1]), {"x": tensor_info(FLOAT, -1)}, {}, "option_invalid",
     "columns a, b: say with check_inputs which one"),
    (dataset(a=[1], b=texts(b"t"), y=[1]), {"x": tensor_info(FLOAT, -1)}, {}, "option_invalid",
     "columns a, b: say with check_inputs which one"),
    (dataset(a=[1], b=[[1]], y=[1]), {"x": tensor_info(FLOAT, -1, 2)}, {"inputs": {"x": ["a", "b"]}},
     "option_invalid", "stacks the columns a, b, which are not all one number a test"),
    (dataset(a=[[1]], b=[[1]], y=[1]), {"x": tensor_info(FLOAT, -1, 2)}, {"inputs": {"x": ["a", "b"]}},
     "option_invalid", "not all one number a test"),
    (dataset(y=[1]), {"p": tensor_info(FLOAT, -1), "q": tensor_info(FLOAT, -1)}, {}, "option_invalid",
     "the dataset the columns (none): say"),
    (PICTURES, {}, {"inputs": {"z": "images"}}, "signature_mismatch",
     "signature predict_images cannot be checked: it has no inputs"),
    (dataset(y=[1]), {"x": tensor_info(FLOAT, -1)}, {}, "dataset_invalid", "no column but the labels"),
    (PICTURES, {}, {}, "signature_mismatch", "no inputs"),
])
def test_columns_that_do_not_fit(data, inputs, options, code, says):
    error = refused(data, inputs, **options)
    assert error.code == code and says in error.message


def test_features_that_are_no_columns_are_named():
    data = dataset(x=[1.0], examples=texts(b"e"), label=[0])._replace(left_out={"sex": "why", "age": "it is missing in record 3"})
    error = refused(data, {"x": tensor_info(FLOAT, -1)}, inputs={"x": "age"})
    assert "columns examples, label, x; no column is made of age: it is missing in record 3, sex: why" in error.message


# --- types ---

@pytest.mark.parametrize(("values", "number", "sent"), [
    ([1, 2], FLOAT, "float32"), ([0.1, 2], FLOAT, "float32"), ([1.0, 2.0], INT64, "int64"), ([0, 255], UINT8, "uint8"),
    ([0, 1], BOOL, "bool"), ([True, False], FLOAT, "float32"), ([0.5, 1], DOUBLE, "float64"), ([0.5, 1], HALF, "float16"),
])
def test_casts_that_keep_the_values(values, number, sent):
    data = dataset(x=values, y=[0, 1])
    plan = made(data, {"x": tensor_info(number, -1)})
    array = inputs.values(plan.inputs[0], data, "s")
    assert array.dtype.name == sent and numpy.allclose(array.astype("f8"), numpy.asarray(values, "f8"))


@pytest.mark.parametrize(("values", "number", "says"), [
    ([1.5, 2], INT64, "the dataset has float64 [2], the model wants int64 [-1]; not every value can be one: 1.5"),
    ([1, 300], UINT8, "wants uint8 [-1]; not every value can be one: 300"),
    ([1, -1], UINT8, "not every value can be one: -1"),
    ([1, 2], BOOL, "wants bool [-1]; not every value can be one: 2"),
    ([1e300, 1], FLOAT, "wants float32 [-1]; not every value can be one: 1e+300"),
    ([float("nan"), 1], INT32, "not every value can be one: nan"),
    ([1, 2 ** 24 + 1], FLOAT, "the dataset has int64 [2], the model wants float32 [-1]; not every value can be one: 16777217"),
])
def test_casts_that_would_change_a_value(values, number, says):
    shown = refused(dataset(x=values, y=[0, 1]), {"x": tensor_info(number, -1)})
    assert shown.code == "dataset_mismatch" and says in shown.message
    assert shown.message.startswith("input x of signature predict_images: ")


@pytest.mark.parametrize(("values", "number", "code", "says"), [
    (texts(b"a", b"b"), FLOAT, "dataset_mismatch", "the dataset has string [2], the model wants float32 [-1]"),
    ([1, 2], STRING, "dataset_mismatch", "the dataset has int64 [2], the model wants string [-1]"),
])
def test_text_and_numbers(values, number, code, says):
    error = refused(dataset(x=values, y=[0, 1]), {"x": tensor_info(number, -1)})
    assert error.code == code and says in error.message
    assert error.message.startswith("input x of signature predict_images: ")


def test_the_first_value_that_is_odd_is_shown():
    for place in (1023, 1024, 2500):
        values = numpy.zeros(3000)
        values[[place, 2999]] = 1.5, 2.5
        assert "can be one: 1.5" in refused(dataset(x=values, y=numpy.zeros(3000)), {"x": tensor_info(INT64, -1)}).message


def test_rounding_is_between_floats_only_and_keeps_infinity():
    data = dataset(x=[1 / 3, numpy.inf, numpy.nan], y=[0, 1, 2])
    for number, kind in ((BFLOAT16, "f4"), (HALF, "f2"), (FLOAT, "f4")):
        sent = inputs.values(made(data, {"x": tensor_info(number, -1)}).inputs[0], data, "s")
        assert sent.dtype == kind and sent[0] == pytest.approx(1 / 3, abs=2e-3) and sent[1] == numpy.inf and numpy.isnan(sent[2])
    assert "one: 70000" in refused(dataset(x=[1.0, 70000.0], y=[0, 1]), {"x": tensor_info(HALF, -1)}).message


def test_what_fits_already_is_not_copied():
    data = dataset(x=numpy.zeros(4, "f4"), y=numpy.zeros(4))
    sent = inputs.values(made(data, {"x": tensor_info(FLOAT, -1)}).inputs[0], data, "s")
    assert numpy.shares_memory(sent, data.columns["x"])


# --- pixels ---

def test_the_pixels_of_an_idx_file_go_from_0_to_1():
    data = dataset(pictures=["images"], images=numpy.full((2, 2, 2), 255, "u1"), labels=[0, 1])
    for number, options, sent in (
        (FLOAT, {}, 1.0), (FLOAT, {"divisor": 1.0}, 255.0), (FLOAT, {"divisor": 51.0}, 5.0), (UINT8, {}, 255), (DOUBLE, {}, 1.0),
    ):
        plan = made(data, {"x": tensor_info(number, -1, 4)}, **options)
        assert inputs.values(plan.inputs[0], data, "s").max() == sent
    plan = made(data, {"x": tensor_info(DOUBLE, -1, 4)}, divisor=3.0)
    assert inputs.values(plan.inputs[0], data, "s").dtype == "f8"
    error = refused(data, {"x": tensor_info(UINT8, -1, 4)}, divisor=255.0)
    assert error.code == "option_invalid"
    assert "check_divisor is 255, and no input of signature predict_images is a floating-point number" in error.message


def test_a_divisor_leaves_whole_numbers_alone():
    data = dataset(x=[10.0, 20.0], n=[10, 20], y=[0, 1])
    plan = made(data, {"x": tensor_info(FLOAT, -1), "n": tensor_info(INT64, -1)}, divisor=10.0)
    assert [inputs.values(item, data, "s").tolist() for item in plan.inputs] == [[10, 20], [1.0, 2.0]]


def test_other_numbers_are_sent_as_they_are():
    data = dataset(x=numpy.full((2, 4), 255, "u1"), y=[0, 1])
    assert inputs.values(made(data, {"x": tensor_info(FLOAT, -1, 4)}).inputs[0], data, "s").max() == 255


# --- shapes ---

@pytest.mark.parametrize(("have", "wanted", "sent"), [
    ((28, 28), (-1, 784), (784,)), ((28, 28), (-1, 28, 28, 1), (28, 28, 1)), ((28, 28), (-1, 1, 28, 28), (1, 28, 28)),
    ((28, 28), (-1, -1, -1), (28, 28)), ((784,), (-1, 28, 28, 1), (28, 28, 1)), ((5, 1), (-1, 5), (5,)), ((), (-1, 1), (1,)),
    ((1,), (-1,), ()),
    ((3, 4), (-1, -1), (12,)),
])
def test_shapes_that_hold_the_same(have, wanted, sent):
    data = dataset(x=numpy.zeros((3,) + have), y=[0, 1, 2])
    plan = made(data, {"x": tensor_info(DOUBLE, *wanted)})
    assert plan.inputs[0].shape == sent and inputs.values(plan.inputs[0], data, "s").shape == (3,) + sent


@pytest.mark.parametrize(("have", "wanted"), [
    ((28, 28), (-1, 1024)), ((28, 28), (-1, 14, 56)), ((3, 28, 28), (-1, 28, 28, 3)), ((784,), (-1, 28, 28, 3)),
    ((2,), (-1,)), ((), (-1, 2)),
])
def test_shapes_that_would_be_padded_cut_or_turned(have, wanted):
    error = refused(dataset(x=numpy.zeros((3,) + have), y=[0, 1, 2]), {"x": tensor_info(DOUBLE, *wanted)})
    assert error.code == "dataset_mismatch" and error.message.startswith("input x of signature predict_images: ")
    assert "the dataset has float64 %s, the model wants float64 %s" % ([3, *have], list(wanted)) in error.message


def test_a_rank_that_is_not_known():
    info = tensor_info(FLOAT)
    info.tensor_shape.unknown_rank = True
    assert made(PICTURES, {"x": info}).inputs[0].shape == (784,), "as the tutorial's model wants its pictures"
    assert made(dataset(x=numpy.zeros((2, 3, 4)), y=[0, 1]), {"x": info}).inputs[0].shape == (3, 4)


# --- what nothing can be sent to ---

def encoded(field):
    info = messages().TensorInfo(dtype=FLOAT)
    getattr(info, field).SetInParent()
    return info


@pytest.mark.parametrize(("inputs", "why"), [
    ({"x": tensor_info(20, -1)}, "its input x is of type resource, and the check sends dense tensors of numbers, text or booleans"),
    ({"a": tensor_info(FLOAT, -1), "x": tensor_info(21, -1)}, "its input x is of type variant, and"),
    ({"x": tensor_info(101, -1)}, "its input x is of type a reference to float32, and"),
    ({"x": tensor_info(0, -1)}, "its input x is of type no type, and"),
    ({"x": encoded("coo_sparse")}, "its input x is a sparse tensor, and"),
    ({"x": encoded("composite_tensor")}, "its input x is a composite tensor, as ragged ones are, and"),
    ({}, "it has no inputs"),
    ({"x": tensor_info(FLOAT), "n": tensor_info(INT64)},
     "none of its inputs has a dimension for tests (n: int64 [], x: float32 []): export it with one, [None, ...]"),
])
def test_signatures_that_cannot_be_checked(inputs, why):
    error = refused(dataset(x=[1.0], y=[0]), inputs)
    assert error.code == "signature_mismatch"
    assert error.message.startswith("signature predict_images cannot be checked: " + why)


# --- values that are no test's own ---

ANY_SHAPE = messages().TensorInfo(dtype=FLOAT)


def sent(inputs, given, data=PICTURES):
    """({input: shape of what it gets}, the first request) where check_inputs gives values."""
    plan = made(data, inputs, inputs=given, batch_size=10)
    request = request_plan.requests(plan, data, plan.batch)[0]
    arrays = {name: decode(tensor) for name, tensor in messages().PredictRequest.FromString(request.wire).inputs.items()}
    return {name: array.shape for name, array in arrays.items()}, arrays


@pytest.mark.parametrize(("info", "given", "shape", "value"), [
    (tensor_info(FLOAT), 0.5, (), 0.5), (tensor_info(FLOAT), 1, (), 1.0), (tensor_info(BOOL), False, (), False),
    (tensor_info(BOOL), 1, (), True), (tensor_info(STRING), {"value": "train"}, (), b"train"),
    (tensor_info(FLOAT), {"value": 0.5}, (), 0.5), (ANY_SHAPE, 0.5, (), 0.5), (ANY_SHAPE, [0.5, 1], (2,), [0.5, 1]),
    (tensor_info(INT32, 2), [224, 112], (2,), [224, 112]), (tensor_info(INT32, 2), {"value": [3, 4]}, (2,), [3, 4]),
    (tensor_info(FLOAT, -1), 0.5, (10,), [0.5] * 10), (tensor_info(FLOAT, -1, 2), [1, 2], (10, 2), [[1, 2]] * 10),
    (tensor_info(STRING, -1), {"value": "a"}, (10,), [b"a"] * 10),
])
def test_a_value_for_all_tests(info, given, shape, value):
    shapes, arrays = sent({"images": IMAGE, "k": info}, {"k": given})
    assert shapes == {"images": (10, 784), "k": shape} and arrays["k"].tolist() == value
    assert arrays["k"].dtype.itemsize == decode_type(info.dtype)


def decode_type(number):
    return numpy.dtype({FLOAT: "f4", BOOL: "?", INT32: "i4", STRING: "O"}[number]).itemsize


def test_the_other_input_takes_the_only_column():
    shapes, dummy = sent({"x": IMAGE, "keep_prob": tensor_info(FLOAT)}, {"keep_prob": 1.0})
    assert shapes == {"x": (10, 784), "keep_prob": ()}


def test_a_value_that_is_missing_is_asked_for_once_and_for_all():
    inputs = {"x": IMAGE, "keep_prob": tensor_info(FLOAT), "is_training": tensor_info(BOOL), "mode": tensor_info(STRING)}
    missing = refused(PICTURES, inputs)
    assert missing.code == "option_invalid" and missing.message == (
        "signature predict_images wants one value for a whole request of is_training (bool), keep_prob (float32), mode (string):"
        " give it with check_inputs, such as {is_training: false, keep_prob: 1.0, mode: {value: text}}")
    sent(inputs, {"is_training": False, "keep_prob": 1.0, "mode": {"value": "text"}})
    column = refused(PICTURES, {"images": IMAGE, "n": tensor_info(INT64)}, inputs={"n": "labels"})
    assert column.code == "option_invalid"
    assert column.message.endswith("the dataset has one for each test: give it with check_inputs, such as {n: 1}")
    unknown = refused(PICTURES, {"images": IMAGE, "keep_prob": ANY_SHAPE})
    assert unknown.message.endswith("or the one value that it gets with every test (keep_prob: {value: 1.0})")


@pytest.mark.parametrize(("info", "given", "says"), [
    (tensor_info(FLOAT), [1, 2], "check_inputs gives int64 [2], the model wants float32 []"),
    (tensor_info(INT32), 0.5, "check_inputs gives float64 [], the model wants int32 []"),
    (tensor_info(FLOAT), {"value": "a"}, "check_inputs gives string [], the model wants float32 []"),
    (tensor_info(STRING), 1, "check_inputs gives int64 [], the model wants string []"),
    (tensor_info(FLOAT, -1, 3), [1, 2], "check_inputs gives int64 [2], the model wants float32 [-1, 3]"),
    (tensor_info(FLOAT), {"other": 1}, "which is neither a column nor a value"),
    (tensor_info(FLOAT), [[1], [2, 3]], "which is neither a column nor a value"),
    (tensor_info(FLOAT), {"value": {"a": 1}}, "which is neither a column nor a value"),
    (tensor_info(FLOAT), None, "which is neither a column nor a value"),
])
def test_values_that_do_not_fit(info, given, says):
    error = refused(PICTURES, {"images": IMAGE, "k": info}, inputs={"k": given})
    assert error.code == "option_invalid" and says in error.message


def test_something_of_the_dataset_has_to_be_sent():
    error = refused(PICTURES, {"x": tensor_info(FLOAT, -1)}, inputs={"x": 1.0})
    assert error.code == "option_invalid"
    assert error.message == "check_inputs gives every input a value, so nothing of the dataset would be sent"


def test_pictures_alone_are_divided():
    plan = made(PICTURES, {"images": IMAGE, "k": tensor_info(FLOAT)}, inputs={"k": 51.0}, divisor=51)
    assert inputs.values(plan.inputs[1], PICTURES, "s") == 51
    only = dataset(images=numpy.zeros((16, 2), "u1"), labels=numpy.zeros(16, "u1"))
    assert "no input of signature" in refused(
        only, {"images": tensor_info(UINT8, -1, 2), "k": tensor_info(FLOAT)}, inputs={"k": 1.0}, divisor=255).message


def test_defaults_of_the_model_are_sent_where_nothing_else_is():
    known = signatures(s=({"images": IMAGE, "k": tensor_info(FLOAT)}, SCORES)).signature_def
    known["s"].defaults["k"].dtype = FLOAT
    known["s"].defaults["k"].float_val.append(2.5)
    known["s"].defaults["k"].tensor_shape.SetInParent()
    for given, value in (({}, 2.5), ({"k": 1.0}, 1.0)):
        plan = request_plan.plan({**OPTIONS, "inputs": given}, known, PICTURES)
        assert inputs.values(plan.inputs[1], PICTURES, "s") == value
    known["s"].defaults["k"].tensor_shape.dim.add(size=-1)
    with pytest.raises(Error, match="the model's default for the input k: a tensor claims the shape") as caught:
        request_plan.plan(OPTIONS, known, PICTURES)
    assert caught.value.code == "option_invalid" and caught.value.message.endswith(". Give it a value with check_inputs")
    assert request_plan.plan({**OPTIONS, "inputs": {"k": 1.0}}, known, PICTURES).inputs[1].given == (1.0,)


def test_a_value_is_a_feature_too():
    plan = made(PICTURES, method="classify", inputs={"x": "labels", "k": 2, "mode": {"value": "a"}})
    wire = request_plan.requests(plan, PICTURES, 16)[0].wire
    features = [one.features.feature for one in messages().ClassificationRequest.FromString(wire).input.example_list.examples]
    assert len(features) == 16 and features[-1]["k"].int64_list.value == [2] and features[-1]["mode"].bytes_list.value == [b"a"]


# --- a shape that is not there ---

def test_without_a_shape_a_column_is_sent_as_it_is():
    """TensorFlow Serving's own half_plus_three says nothing of shapes."""
    plan = made(dataset(x=[1.0, 2.0, 5.0], y=[3.5, 4.0, 5.5]), {"x": ANY_SHAPE}, {"y": ANY_SHAPE}, tolerance=0.01, batch_size=3)
    request = request_plan.requests(plan, dataset(x=[1.0, 2.0, 5.0], y=[3.5, 4.0, 5.5]), plan.batch)[0]
    tensor = decode(messages().PredictRequest.FromString(request.wire).inputs["x"])
    assert tensor.dtype == "f4" and tensor.tolist() == [1, 2, 5]


# --- classify and regress: features of tf.Examples ---

def test_features():
    data = dataset(a=[1.0, 2.0], n=[1, 2], t=texts(b"x", b"y"), label=[0, 1])
    plan = made(data, method="classify")
    assert columns(plan) == {"a": ("a",), "n": ("n",), "t": ("t",)} and (plan.method, plan.output) == ("classify", "scores")
    assert [inputs.values(item, data, "s").dtype.kind for item in plan.inputs] == ["f", "i", "O"]
    plan = made(data, method="regress", inputs={"v": ["a", "n"]})
    assert inputs.values(plan.inputs[0], data, "s").tolist() == [[1, 1], [2, 2]] and plan.output == "outputs"
    plan = made(dataset(x=[1.0], examples=texts(b"e"), label=[0]), method="classify")
    assert columns(plan) == {"examples": ("examples",)}


def test_pictures_as_features_are_scaled():
    plan = made(PICTURES, method="classify", inputs={"x": "images"})
    assert inputs.values(plan.inputs[0], PICTURES, "s").dtype.name == "float32" and plan.inputs[0].divisor == 255
