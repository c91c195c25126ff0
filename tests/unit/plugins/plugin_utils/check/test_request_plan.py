"""Which signature and output, how many tests in a request; what does not fit is said before anything is sent."""
from __future__ import annotations

import numpy
import pytest
from fake_model_server import signatures, tensor_info
from planned_requests import COMPLEX64, FLOAT, IMAGE, INT32, OPTIONS, PICTURES, SCORES, STRING, dataset, made, refused, texts

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import request_plan
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import examples
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tensors import decode

# --- which signature ---


@pytest.mark.parametrize(("names", "option", "chosen"), [
    (("predict_images", "serving_default"), "", "predict_images"), (("other", "serving_default"), "", "serving_default"),
    (("other",), "", "other"), (("a", "b"), "b", "b"),
])
def test_the_usual_signature(names, option, chosen):
    known = signatures(**{name: ({"x": tensor_info(FLOAT, -1, 784)}, SCORES) for name in names}).signature_def
    assert request_plan.plan({**OPTIONS, "signature": option}, known, PICTURES).signature == chosen


def test_no_usual_signature():
    known = signatures(a=({}, SCORES), b=({}, SCORES)).signature_def
    with pytest.raises(Error, match="signatures a, b: say which with check_signature") as caught:
        request_plan.plan(OPTIONS, known, PICTURES)
    assert caught.value.code == "option_invalid"
    known["__saved_model_init_op"].method_name = ""  # a SavedModel's initialisation stands among its signatures
    with pytest.raises(Error, match=r"no signature '__saved_model_init_op' \(check_signature\), it has: a, b") as caught:
        request_plan.plan({**OPTIONS, "signature": "__saved_model_init_op"}, known, PICTURES)
    assert caught.value.code == "option_invalid"
    del known["a"], known["b"]
    for signature in ("", "a"):
        with pytest.raises(Error, match="the model has no signature, so nothing can be asked") as caught:
            request_plan.plan({**OPTIONS, "signature": signature}, known, PICTURES)
        assert caught.value.code == "signature_missing"


@pytest.mark.parametrize("method", ["", "my/own", "tensorflow/serving/predict"])
def test_whatever_names_no_other_method_is_predict(method):
    known = signatures(s=({"x": tensor_info(FLOAT, -1, 784)}, SCORES)).signature_def
    known["s"].method_name = method
    assert request_plan.plan(OPTIONS, known, PICTURES).method == "predict"


@pytest.mark.parametrize("method", ["classify", "regress"])
def test_what_takes_no_examples_is_asked_to_predict(method):
    """TensorFlow's own half_plus_two has such a signature."""
    x2 = {"inputs": tensor_info(FLOAT, -1, 784)}
    assert made(PICTURES, x2, method=method).method == "predict"
    assert made(PICTURES, {"inputs": tensor_info(STRING)}, method=method).method == method


def test_a_plan():
    plan = made(PICTURES, {"x": tensor_info(FLOAT, -1, 784)}, batch_size=5)
    image = ("x", ("images",), FLOAT, (784,), 255, (), False)
    assert plan == ("m", "predict_images", "predict", (image,), "scores", 5, 1, 10)


# --- batches ---

def test_fixed_batches():
    plan = made(PICTURES, {"x": tensor_info(FLOAT, 8, 784)}, batch_size=3)
    assert (plan.batch, plan.least) == (8, 8)
    error = refused(PICTURES, {"x": tensor_info(FLOAT, 7, 784)})
    assert error.code == "option_invalid"
    assert "batches of exactly 7 tests, which do not add up to check_tests (16)" in error.message
    data = dataset(a=[1.0, 2], b=[1.0, 2], y=[0, 1])
    error = refused(data, {"b": tensor_info(FLOAT, 2), "a": tensor_info(FLOAT, 1)})
    assert error.code == "signature_mismatch" and "different sizes: a 1, b 2" in error.message
    assert made(data, {"a": tensor_info(FLOAT, 1), "b": tensor_info(FLOAT, -1)}).batch == 1


@pytest.mark.parametrize(("tests", "size", "batch"), [
    (1000, 784, 64), (100, 784, 13), (1000, 224 * 224 * 3, 1), (1000, 8192, 16), (1, 1, 1), (512, 1, 64), (504, 1, 63), (9, 0, 2),
    (1000, 2048, 64), (1000, 2100, 62),
])
def test_the_batch_that_is_chosen(tests, size, batch):
    data = dataset(x=numpy.zeros((tests, size), "f4"), y=numpy.zeros(tests, "i8"))
    assert made(data, {"x": tensor_info(FLOAT, -1, size)}).batch == batch


def test_the_batch_of_strings_and_features():
    """A string is taken for 16 bytes, a feature of an Example for 4 a value."""
    data = dataset(x=numpy.full((1000, 2048), b"", object), y=numpy.zeros(1000))
    assert made(data, {"x": tensor_info(STRING, -1, 2048)}, {"names": tensor_info(STRING, -1)}).batch == 16
    data = dataset(x=numpy.zeros((1000, 4096), "f4"), z=numpy.zeros((1000, 4096), "f4"), y=numpy.zeros(1000))
    assert made(data, method="classify").batch == 16
    assert made(data, method="classify", batch_size=7).batch == 7


def test_a_value_for_a_whole_request_is_no_batch():
    assert made(PICTURES, {"images": IMAGE, "k": tensor_info(INT32, 2)}, inputs={"k": [1, 2]}, batch_size=10).batch == 10


def test_a_large_value_makes_no_smaller_batches():
    large = [0.5] * (request_plan.BATCH_BYTES // 4)
    inputs = {"images": IMAGE, "k": tensor_info(FLOAT, len(large))}
    assert made(PICTURES, inputs, inputs={"k": large}).batch == made(PICTURES, {"images": IMAGE}).batch > 1


# --- outputs and labels ---

@pytest.mark.parametrize(("outputs", "options", "code", "says"), [
    ({"a": tensor_info(FLOAT, -1), "b": tensor_info(FLOAT, -1)}, {}, "option_invalid", "outputs a, b: say which with check_output"),
    (SCORES, {"output": "z"}, "option_invalid", "outputs scores: say which with check_output (now 'z')"),
    ({"a": tensor_info(20, -1)}, {}, "signature_mismatch",
     "output a of signature predict_images is resource: the check needs numbers or text"),
    ({}, {"output": "z"}, "signature_mismatch", "the signature has no outputs: nothing can be compared"),
    ({"s": tensor_info(COMPLEX64, -1)}, {}, "signature_mismatch",
     "output s of signature predict_images is complex64: the check needs numbers or text"),
    ({"s": tensor_info(STRING, -1)}, {"tolerance": 0.1}, "option_invalid", "check_tolerance is 0.1, and output s is text"),
])
def test_outputs_that_do_not_fit(outputs, options, code, says):
    error = refused(PICTURES, {"x": tensor_info(FLOAT, -1, 784)}, outputs, **options)
    assert error.code == code and says in error.message


def test_the_usual_output():
    several = {"a": tensor_info(FLOAT, -1), **SCORES}
    only = {"a": tensor_info(FLOAT, -1)}
    for outputs, options, chosen in ((several, {}, "scores"), (several, {"output": "a"}, "a"), (only, {}, "a")):
        assert made(PICTURES, {"x": tensor_info(FLOAT, -1, 784)}, outputs, **options).output == chosen


def test_a_tolerance_for_text_labels():
    data = dataset(x=[1.0, 2.0], y=texts(b"cat", b"dog"))
    error = refused(data, {"x": tensor_info(FLOAT, -1)}, SCORES, tolerance=0.1)
    assert "check_tolerance is 0.1, and the column y is text: leave it empty" in error.message
    assert made(PICTURES, {"x": tensor_info(FLOAT, -1, 784)}, tolerance=0.1).output == "scores"


def test_text_labels_need_text_answers():
    data = dataset(x=[1.0, 2.0], y=texts(b"cat", b"dog"))
    assert made(data, {"x": tensor_info(FLOAT, -1)}, {"names": tensor_info(STRING, -1)}).output == "names"
    error = refused(data, {"x": tensor_info(FLOAT, -1)}, SCORES)
    assert error.code == "dataset_mismatch" and "the column y (check_labels) is text" in error.message


def test_labels():
    assert request_plan.labels_column(OPTIONS, dataset(label=[1], x=[1])) == "label"
    assert request_plan.labels_column(OPTIONS, dataset(y=[1], label=[1], labels=[1])) == "labels"
    assert request_plan.labels_column(OPTIONS, dataset(y=[1], label=[1])) == "label"
    assert request_plan.labels_column(OPTIONS, dataset(y=[1])) == "y"
    assert request_plan.labels_column(OPTIONS, dataset(x=[1])) is None
    assert request_plan.labels_column({**OPTIONS, "labels": "x"}, dataset(x=[1])) == "x"
    with pytest.raises(Error, match="check_labels is 'z', and the dataset has the columns x") as caught:
        request_plan.labels_column({**OPTIONS, "labels": "z"}, dataset(x=[1]))
    assert caught.value.code == "dataset_invalid"


# --- requests ---

def parsed(kind, sent):
    return [getattr(messages(), kind).FromString(one.wire) for one in sent]


def test_requests_to_predict():
    data = dataset(x=[1, 2, 3], y=[0, 1, 2])
    plan = made(data, {"x": tensor_info(FLOAT, -1)})
    sent = request_plan.requests(plan, data, 2)
    assert [(one.start, one.stop) for one in sent] == [(0, 2), (2, 3)]
    first, second = parsed("PredictRequest", sent)
    assert (first.model_spec.name, first.model_spec.signature_name) == ("m", "predict_images")
    assert list(first.output_filter) == ["scores"]
    assert decode(first.inputs["x"]).tolist() == [1, 2] and decode(second.inputs["x"]).tolist() == [3]
    assert [(one.start, one.stop) for one in request_plan.requests(plan, data, 1, 2)] == [(0, 1), (1, 2)], "at most so many"


@pytest.mark.parametrize(("method", "kind"), [("classify", "ClassificationRequest"), ("regress", "RegressionRequest")])
def test_requests_with_examples(method, kind):
    data = dataset(x=[1.5, 2.5, 3.5], y=[0, 1, 2])
    sent = request_plan.requests(made(data, method=method), data, 2, 1)
    assert [(one.start, one.stop) for one in sent] == [(0, 2)]
    request, = parsed(kind, sent)
    sent = request.input.example_list.examples
    assert [example.features.feature["x"].float_list.value[:] for example in sent] == [[1.5], [2.5]]
    ready = dataset(examples=texts(*examples.build({"x": numpy.array([7, 8, 9])})), y=[0, 1, 2])
    request, = parsed(kind, request_plan.requests(made(ready, method=method), ready, 2, 1))
    sent = request.input.example_list.examples
    assert [example.features.feature["x"].int64_list.value[:] for example in sent] == [[7], [8]]


def test_the_two_methods_are_not_mistaken():
    """Their requests look the same on the wire; the plan says which is which, and what comes back."""
    data = dataset(x=[1.0], y=[0])
    assert [(made(data, method=method).method, made(data, method=method).output) for method in ("classify", "regress")] == [
        ("classify", "scores"), ("regress", "outputs")]
