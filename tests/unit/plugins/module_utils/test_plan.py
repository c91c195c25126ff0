"""Which column goes to which input, in which type and shape; what does not fit is said before anything is sent."""
from __future__ import annotations

import numpy
import pytest
from fake_model_server import signatures, tensor_info

from ansible_collections.mlops.tf_serving.plugins.module_utils import _plan
from ansible_collections.mlops.tf_serving.plugins.module_utils._dataset import Dataset
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

FLOAT, DOUBLE, INT32, UINT8, STRING, INT64, BOOL, BFLOAT16, HALF, COMPLEX64 = 1, 2, 3, 4, 7, 9, 10, 14, 19, 8
SCORES = {"scores": tensor_info(FLOAT, -1, 10)}
OPTIONS = {
    "model_name": "m", "signature": "", "inputs": {}, "output": "", "labels": "", "tolerance": None, "divisor": None, "batch_size": None,
}


def dataset(pictures=(), **columns):
    made = {}
    for name, values in columns.items():
        array = numpy.asarray(values)
        made[name] = array.astype(object) if array.dtype.kind in "SU" else array
    return Dataset(made, frozenset(pictures), "here", "digest")


def texts(*values):
    return numpy.array(values, dtype=object)


def made(data, wanted=None, outputs=None, /, method="predict", **options):
    signature_map = signatures(predict_images=(wanted or {}, outputs or SCORES)).signature_def
    signature_map["predict_images"].method_name = "tensorflow/serving/" + method
    return _plan.plan({**OPTIONS, **options}, signature_map, data)


def refused(*arguments, **options):
    with pytest.raises(Error) as caught:
        plan = made(*arguments, **options)
        for item in plan.inputs:
            _plan.values(item, arguments[0], plan.signature)
    return caught.value


PICTURES = dataset(pictures=["images"], images=numpy.zeros((16, 28, 28), "u1"), labels=numpy.zeros(16, "u1"))


# --- which signature ---

@pytest.mark.parametrize(("names", "option", "chosen"), [
    (("predict_images", "serving_default"), "", "predict_images"), (("other", "serving_default"), "", "serving_default"),
    (("other",), "", "other"), (("a", "b"), "b", "b"),
])
def test_the_usual_signature(names, option, chosen):
    known = signatures(**{name: ({"x": tensor_info(FLOAT, -1, 784)}, SCORES) for name in names}).signature_def
    assert _plan.plan({**OPTIONS, "signature": option}, known, PICTURES).signature == chosen


def test_no_usual_signature():
    known = signatures(a=({}, SCORES), b=({}, SCORES)).signature_def
    with pytest.raises(Error, match="signatures a, b: say which with check_signature"):
        _plan.plan(OPTIONS, known, PICTURES)
    known["init"].method_name = ""  # a SavedModel's initialisation stands among its signatures
    with pytest.raises(Error, match=r"no signature 'init' \(check_signature\), it has: a, b"):
        _plan.plan({**OPTIONS, "signature": "init"}, known, PICTURES)


# --- which column ---

def columns(plan):
    return {item.name: item.columns for item in plan.inputs}


def test_the_only_input_takes_the_only_column():
    assert columns(made(PICTURES, {"x": tensor_info(FLOAT, -1, 784)})) == {"x": ("images",)}


def test_columns_of_the_inputs_names():
    data = dataset(b=[1], a=[2], c=[3], y=[0])
    inputs = {"a": tensor_info(INT64, -1), "b": tensor_info(INT64, -1)}
    assert columns(made(data, inputs)) == {"a": ("a",), "b": ("b",)}
    assert columns(made(data, inputs, inputs={"a": "c"})) == {"a": ("c",), "b": ("b",)}


def test_a_table_of_numbers_is_stacked():
    data = dataset(x=[1, 2], z=[0.5, 1.5], label=[0, 1])
    plan = made(data, {"features": tensor_info(FLOAT, -1, 2)})
    assert columns(plan) == {"features": ("x", "z")}
    assert _plan.values(plan.inputs[0], data, "s").tolist() == [[1, 0.5], [2, 1.5]]
    plan = made(data, {"features": tensor_info(FLOAT, -1, 2)}, inputs={"features": ["z", "x"]})
    assert _plan.values(plan.inputs[0], data, "s").tolist() == [[0.5, 1], [1.5, 2]]


def test_serialised_examples_go_to_a_text_input():
    data = dataset(x=[1.0, 2.0], examples=texts(b"a", b"b"), label=[0, 1])
    assert columns(made(data, {"serialized": tensor_info(STRING, -1)})) == {"serialized": ("examples",)}
    assert columns(made(data, {"x": tensor_info(FLOAT, -1)})) == {"x": ("x",)}


@pytest.mark.parametrize(("data", "inputs", "options", "says"), [
    (dataset(a=[1], b=[1], y=[1]), {"p": tensor_info(FLOAT, -1), "q": tensor_info(FLOAT, -1)}, {},
     "inputs p, q, the dataset the columns a, b: say with check_inputs which column p, q takes"),
    (PICTURES, {"x": tensor_info(FLOAT, -1, 784)}, {"inputs": {"z": "images"}}, "check_inputs names z, and the signature has the inputs x"),
    (PICTURES, {"x": tensor_info(FLOAT, -1, 784)}, {"inputs": {"x": "pixels"}},
     "column 'pixels', and the dataset has the columns images, labels"),
    (dataset(a=[[1]], b=[1], y=[1]), {"x": tensor_info(FLOAT, -1)}, {}, "columns a, b: say with check_inputs which one"),
    (dataset(y=[1]), {"x": tensor_info(FLOAT, -1)}, {}, "no column but the labels"),
    (PICTURES, {}, {}, "no inputs"),
])
def test_columns_that_do_not_fit(data, inputs, options, says):
    error = refused(data, inputs, **options)
    assert error.code == "signature_mismatch" and says in error.message


def test_labels():
    assert _plan.labels_column(OPTIONS, dataset(label=[1], x=[1])) == "label"
    assert _plan.labels_column(OPTIONS, dataset(x=[1])) is None
    assert _plan.labels_column({**OPTIONS, "labels": "x"}, dataset(x=[1])) == "x"
    with pytest.raises(Error, match="check_labels is 'z', and the dataset has the columns x"):
        _plan.labels_column({**OPTIONS, "labels": "z"}, dataset(x=[1]))


def test_features_that_are_no_columns_are_named():
    data = dataset(x=[1.0], examples=texts(b"e"), label=[0])._replace(left_out={"age": "it is missing in record 3"})
    error = refused(data, {"x": tensor_info(FLOAT, -1)}, inputs={"x": "age"})
    assert "columns examples, label, x; no column is made of age: it is missing in record 3" in error.message


# --- types ---

@pytest.mark.parametrize(("values", "number", "sent"), [
    ([1, 2], FLOAT, "float32"), ([0.1, 2], FLOAT, "float32"), ([1.0, 2.0], INT64, "int64"), ([0, 255], UINT8, "uint8"),
    ([0, 1], BOOL, "bool"), ([True, False], FLOAT, "float32"), ([0.5, 1], DOUBLE, "float64"), ([0.5, 1], HALF, "float16"),
])
def test_casts_that_keep_the_values(values, number, sent):
    data = dataset(x=values, y=[0, 1])
    plan = made(data, {"x": tensor_info(number, -1)})
    array = _plan.values(plan.inputs[0], data, "s")
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
    assert shown.code == "signature_mismatch" and says in shown.message
    assert shown.message.startswith("input x of signature predict_images: ")


@pytest.mark.parametrize(("values", "number", "says"), [
    (texts(b"a", b"b"), FLOAT, "the dataset has string [2], the model wants float32 [-1]"),
    ([1, 2], STRING, "the dataset has int64 [2], the model wants string [-1]"),
    ([1, 2], 20, "the model wants resource [-1]"),
])
def test_text_and_numbers(values, number, says):
    assert says in refused(dataset(x=values, y=[0, 1]), {"x": tensor_info(number, -1)}).message


# --- pixels ---

def test_the_pixels_of_an_idx_file_go_from_0_to_1():
    data = dataset(pictures=["images"], images=numpy.full((2, 2, 2), 255, "u1"), labels=[0, 1])
    for number, options, sent in (
        (FLOAT, {}, 1.0), (FLOAT, {"divisor": 1.0}, 255.0), (FLOAT, {"divisor": 51.0}, 5.0), (UINT8, {}, 255), (DOUBLE, {}, 1.0),
    ):
        plan = made(data, {"x": tensor_info(number, -1, 4)}, **options)
        assert _plan.values(plan.inputs[0], data, "s").max() == sent
    assert "check_divisor is 255, and no input of signature predict_images is a floating-point number" in refused(
        data, {"x": tensor_info(UINT8, -1, 4)}, divisor=255.0).message


def test_a_divisor_leaves_whole_numbers_alone():
    data = dataset(x=[10.0, 20.0], n=[10, 20], y=[0, 1])
    plan = made(data, {"x": tensor_info(FLOAT, -1), "n": tensor_info(INT64, -1)}, divisor=10.0)
    assert [_plan.values(item, data, "s").tolist() for item in plan.inputs] == [[10, 20], [1.0, 2.0]]


def test_other_numbers_are_sent_as_they_are():
    data = dataset(x=numpy.full((2, 4), 255, "u1"), y=[0, 1])
    assert _plan.values(made(data, {"x": tensor_info(FLOAT, -1, 4)}).inputs[0], data, "s").max() == 255


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
    assert plan.inputs[0].shape == sent and _plan.values(plan.inputs[0], data, "s").shape == (3,) + sent


@pytest.mark.parametrize(("have", "wanted"), [
    ((28, 28), (-1, 1024)), ((28, 28), (-1, 14, 56)), ((3, 28, 28), (-1, 28, 28, 3)), ((784,), (-1, 28, 28, 3)),
    ((2,), (-1,)), ((), (-1, 2)),
])
def test_shapes_that_would_be_padded_cut_or_turned(have, wanted):
    error = refused(dataset(x=numpy.zeros((3,) + have), y=[0, 1, 2]), {"x": tensor_info(DOUBLE, *wanted)})
    assert "the dataset has float64 %s, the model wants float64 %s" % ([3, *have], list(wanted)) in error.message


def test_a_rank_that_is_not_known():
    info = tensor_info(FLOAT)
    info.tensor_shape.unknown_rank = True
    assert made(PICTURES, {"x": info}).inputs[0].shape == (784,), "as the tutorial's model wants its pictures"
    assert made(dataset(x=numpy.zeros((2, 3, 4)), y=[0, 1]), {"x": info}).inputs[0].shape == (3, 4)


def test_a_scalar_input_is_refused():
    assert "one value for a whole request" in refused(dataset(x=[1.0], y=[0]), {"x": tensor_info(FLOAT)}).message


# --- batches ---

def test_fixed_batches():
    plan = made(PICTURES, {"x": tensor_info(FLOAT, 8, 784)}, batch_size=3)
    assert (plan.batch, plan.least) == (8, 8)
    assert "batches of exactly 7 tests, which do not add up to check_tests (16)" in refused(
        PICTURES, {"x": tensor_info(FLOAT, 7, 784)}).message
    data = dataset(a=[1.0, 2], b=[1.0, 2], y=[0, 1])
    assert "different sizes: a 1, b 2" in refused(data, {"a": tensor_info(FLOAT, 1), "b": tensor_info(FLOAT, 2)}).message


@pytest.mark.parametrize(("tests", "size", "batch"), [
    (1000, 784, 64), (100, 784, 13), (1000, 224 * 224 * 3, 1), (1000, 8192, 16), (1, 1, 1),
])
def test_the_batch_that_is_chosen(tests, size, batch):
    data = dataset(x=numpy.zeros((tests, size), "f4"), y=numpy.zeros(tests, "i8"))
    assert made(data, {"x": tensor_info(FLOAT, -1, size)}).batch == batch


# --- outputs and labels ---

@pytest.mark.parametrize(("outputs", "options", "says"), [
    ({"a": tensor_info(FLOAT, -1), "b": tensor_info(FLOAT, -1)}, {}, "outputs a, b: say which with check_output"),
    (SCORES, {"output": "z"}, "check_output (now 'z')"),
    ({"s": tensor_info(COMPLEX64, -1)}, {}, "output s of signature predict_images is complex64: the check needs numbers or text"),
    ({"s": tensor_info(STRING, -1)}, {"tolerance": 0.1}, "check_tolerance is 0.1, and output s is text"),
])
def test_outputs_that_do_not_fit(outputs, options, says):
    assert says in refused(PICTURES, {"x": tensor_info(FLOAT, -1, 784)}, outputs, **options).message


def test_text_labels_need_text_answers():
    data = dataset(x=[1.0, 2.0], y=texts(b"cat", b"dog"))
    assert made(data, {"x": tensor_info(FLOAT, -1)}, {"names": tensor_info(STRING, -1)}).output == "names"
    assert "the column y (check_labels) is text" in refused(data, {"x": tensor_info(FLOAT, -1)}, SCORES).message


# --- classify and regress: features of tf.Examples ---

def test_features():
    data = dataset(a=[1.0, 2.0], n=[1, 2], t=texts(b"x", b"y"), label=[0, 1])
    plan = made(data, method="classify")
    assert columns(plan) == {"a": ("a",), "n": ("n",), "t": ("t",)} and (plan.method, plan.output) == ("classify", "scores")
    assert [_plan.values(item, data, "s").dtype.kind for item in plan.inputs] == ["f", "i", "O"]
    plan = made(data, method="regress", inputs={"v": ["a", "n"]})
    assert _plan.values(plan.inputs[0], data, "s").tolist() == [[1, 1], [2, 2]] and plan.output == "outputs"
    plan = made(dataset(x=[1.0], examples=texts(b"e"), label=[0]), method="classify")
    assert columns(plan) == {"examples": ("examples",)}


def test_pictures_as_features_are_scaled():
    plan = made(PICTURES, method="classify", inputs={"x": "images"})
    assert _plan.values(plan.inputs[0], PICTURES, "s").dtype.name == "float32" and plan.inputs[0].divisor == 255
