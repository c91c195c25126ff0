"""A look at what a check will need fails where the check would, and says what there is."""
from __future__ import annotations

import numpy
import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import answers
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.dataset import load
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.preflight import described, preflight


@pytest.fixture
def look(tmp_path):
    numpy.savez(tmp_path / "x.npz", images=numpy.zeros((3, 2, 2), "u1"), labels=numpy.array([0, 1, 2]), half=numpy.zeros(3))
    usual = {
        "dataset": str(tmp_path / "x.npz"), "dataset_checksum": {}, "dataset_timeout": 5, "tests": None, "golden": None,
        "record": None, "record_missing": False, "report": None, "tls_ca_cert": None, "labels": "", "tolerance": None,
        "signatures": {}, "signature": "", "inputs": {}, "output": "", "divisor": None,
    }
    return lambda **options: preflight({**usual, **options})


def test_what_there_is(look):
    assert look(tests=2) == {"tests": 2, "compares": True, "columns": {
        "images": {"type": "uint8", "shape": [2, 2, 2]}, "labels": {"type": "int64", "shape": [2]},
        "half": {"type": "float64", "shape": [2]},
    }, "left_out": {}, "remarks": []}
    assert look()["tests"] == 3 and look(labels="half", tolerance=0.1)["tests"] == 3


def test_texts_are_strings(tmp_path, look):
    (tmp_path / "x.jsonl").write_text('{"text": "a", "y": 1}\n')
    assert look(dataset=str(tmp_path / "x.jsonl"))["columns"]["text"] == {"type": "string", "shape": [1]}


def test_what_was_decided_about_the_files_and_the_labels(tmp_path, look):
    (tmp_path / "x.csv").write_text("5.1,3.5,1\n4.9,3.0,2\n")
    look_at = str(tmp_path / "x.csv")
    assert look(dataset=look_at, labels="column_3")["remarks"] == [
        "line 1 names no columns, it holds values (5.1,3.5,1): they are called column_1 to column_3"]
    with pytest.raises(Error, match=r"no labels \(columns: column_1, column_2, column_3\); line 1 names no columns, it holds"):
        look(dataset=look_at)
    numpy.savez(tmp_path / "hot.npz", x=numpy.zeros((2, 3)), y=numpy.eye(2), notes=numpy.array([{}, {}], object))
    found = look(dataset=str(tmp_path / "hot.npz"))
    assert found["remarks"] == ["the labels in the column y are one-hot [2, 2]: the place of the 1, from 0, is the class"]
    assert found["left_out"].keys() == {"notes"}
    assert look(dataset=str(tmp_path / "hot.npz"), tolerance=0.1)["remarks"] == [], "as values they are what they are"


def test_one_hot_columns_of_a_table_are_known(tmp_path, look):
    (tmp_path / "x.csv").write_text("x,kind_cat,kind_dog,kind_eel\n1,0,1,0\n2,1,0,0\n")
    with pytest.raises(Error, match="kind_cat, kind_dog and kind_eel are one-hot: make one column of class numbers of them"):
        look(dataset=str(tmp_path / "x.csv"))
    (tmp_path / "x.csv").write_text("x,kind_cat,kind_dog\n1,0,1\n2,1,1\n")
    with pytest.raises(Error) as caught:
        look(dataset=str(tmp_path / "x.csv"))
    assert "one-hot" not in caught.value.message


@pytest.mark.parametrize(("options", "code"), [
    ({"tests": 0}, "option_invalid"), ({"tests": 4}, "dataset_too_small"), ({"dataset": "/no.npz"}, "dataset_missing"),
    ({"dataset_timeout": 0}, "option_invalid"), ({"dataset_checksum": {"x.npz": "sha256:" + 64 * "0"}}, "checksum_mismatch"),
    ({"golden": "/no.npz"}, "golden_missing"),
    ({"tls_ca_cert": "/no.pem"}, "option_invalid"), ({"record": "/x"}, "option_invalid"),
    ({"report": "/x"}, "option_invalid"), ({"labels": "label"}, "dataset_invalid"), ({"labels": "images"}, "dataset_invalid"),
])
def test_it_fails_where_the_check_would(look, options, code):
    with pytest.raises(Error) as caught:
        look(**options)
    assert caught.value.code == code


def test_golden_answers_have_to_be_of_this_dataset(look, tmp_path):
    path = str(tmp_path / "golden.npz")
    answers.write_golden(path, numpy.zeros((3, 2)), {"dataset": "sha256:other"})
    with pytest.raises(Error, match="recorded with another dataset") as caught:
        look(golden="file://" + path)
    assert caught.value.code == "golden_invalid"


def test_there_has_to_be_something_to_compare_with(look, tmp_path):
    numpy.savez(tmp_path / "bare.npz", images=numpy.zeros((3, 2, 2), "u1"))
    bare = str(tmp_path / "bare.npz")
    with pytest.raises(Error) as caught:
        look(dataset=bare)
    assert caught.value.code == "labels_missing" and look(dataset=bare, record=str(tmp_path / "g.npz"))["tests"] == 3


def test_what_is_recorded_first_is_compared_with_nothing(look, tmp_path):
    numpy.savez(tmp_path / "bare.npz", images=numpy.zeros((3, 2, 2), "u1"))
    bare, path = str(tmp_path / "bare.npz"), str(tmp_path / "new" / "golden.npz")
    assert look(dataset=bare, golden=path, record_missing=True)["compares"] is False
    assert look(golden=path, record_missing=True)["compares"] is True, "there are labels"
    for options, code in (({"golden": path}, "golden_missing"), ({"record_missing": True}, "labels_missing"),
                          ({"golden": "https://host/g.npz", "record_missing": True}, "option_invalid"),
                          ({"golden": path + "y", "record_missing": True}, "option_invalid")):
        with pytest.raises(Error) as caught:
            look(dataset=bare, **options)
        assert caught.value.code == code
    answers.write_golden(path, numpy.zeros((3, 2)), {"dataset": "sha256:other"})
    with pytest.raises(Error, match="recorded with another dataset"):
        look(dataset=bare, golden=path, record_missing=True)


def signatures(scores="float32[-1,3]", images="uint8[-1,2,2]", method="predict", **outputs):
    images = images if method == "predict" else "string[-1]"
    return {"predict_images": {
        "method": "tensorflow/serving/" + method, "inputs": {"images": images}, "outputs": {"scores": scores, **outputs}}}


@pytest.mark.parametrize(("known", "options"), [
    (signatures(), {}), (signatures("float32[-1,-1]"), {}), (signatures("float32[?]"), {}), (signatures("int64[-1,2]"), {}),
    (signatures("float32[-1,2]"), {"labels": "half"}), (signatures("float32[-1,1]"), {"labels": "half"}),
    (signatures("float32[-1]"), {"labels": "half"}), (signatures("float32[-1,2]"), {"tolerance": 0.5}),
    (signatures("float32[-1,2]", classes="string[-1,2]", method="classify"), {"labels": "labels"}), ({}, {"labels": "labels"}),
])
def test_a_model_that_the_test_data_fit(look, known, options):
    assert look(signatures=known, inputs={"images": "images"}, **options)["tests"] == 3


def test_an_input_that_the_model_has_a_default_for(look):
    known = signatures()
    known["predict_images"]["inputs"]["k"] = "float32[]"
    with pytest.raises(Error, match="one value for a whole request of k"):
        look(signatures=known, inputs={"images": "images"})
    known["predict_images"]["optional"] = ["k"]
    assert look(signatures=known, inputs={"images": "images"})["tests"] == 3


@pytest.mark.parametrize(("known", "options", "code", "says"), [
    (signatures("float32[-1,2]"), {}, "dataset_mismatch",
     "the labels are 0 to 2 (3 different ones), and output scores of signature predict_images has the classes 0 to 1: 1 of 3 tests"
     " can never be answered right. Correct the labels, name another column (check_labels) or output (check_output), or set"
     " check_tolerance if the answers are values."),
    (signatures("float32[-1,1]"), {}, "dataset_mismatch", "has the classes 0 to 1"),
    (signatures("float32[-1]"), {}, "dataset_mismatch", "has the classes 0 to 1"),
    (signatures("float32[-1,2]", method="classify"), {}, "dataset_mismatch", "has the classes 0 to 1"),
    (signatures(), {"labels": "below"}, "dataset_mismatch", "the labels are -1 to 1 (3 different ones)"),
    (signatures(method="classify"), {"labels": "text"}, "dataset_mismatch", "the labels are text, and output scores"),
    (signatures(images="uint8[-1,5]"), {}, "dataset_mismatch", "input images of signature predict_images: the dataset has uint8"),
    (signatures("dtype101[-1,3]"), {}, "signature_mismatch", "is a reference to float32: the check needs numbers or text."),
    (signatures(), {"signature": "other"}, "option_invalid", "no signature 'other'"),
    ({"a": 3}, {}, "option_invalid", "signatures are not as model_publish returns them"),
])
def test_a_model_that_they_do_not_fit(look, tmp_path, known, options, code, says):
    numpy.savez(tmp_path / "x.npz", images=numpy.zeros((3, 2, 2), "u1"), labels=[0, 1, 2], below=[-1, 0, 1], text=["a", "b", "c"])
    with pytest.raises(Error) as caught:
        look(signatures=known, inputs={"images": "images"}, **options)
    assert caught.value.code == code
    assert caught.value.message.startswith("The test data do not fit the model: ") and says in caught.value.message


def test_what_is_only_recorded_is_compared_with_no_label(look, tmp_path):
    assert look(signatures=signatures("float32[-1,2]"), inputs={"images": "images"}, record=str(tmp_path / "g.npz"))["tests"] == 3


def test_golden_answers_have_to_be_of_this_signature(look, tmp_path):
    path = str(tmp_path / "golden.npz")
    look(dataset=str(tmp_path / "x.npz"))
    digest = load(str(tmp_path / "x.npz")).digest
    answers.write_golden(path, numpy.zeros((3, 2)), {"dataset": digest, "signature": "other", "output": "scores"})
    with pytest.raises(Error, match="recorded from the signature 'other', and 'predict_images' is asked now"):
        look(golden=path, signatures=signatures(), inputs={"images": "images"})


def test_the_lookup_says_the_same(look):
    from ansible_collections.mlops.tf_serving.plugins.lookup import dataset

    assert dataset.described is described
