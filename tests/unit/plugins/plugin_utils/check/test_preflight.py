"""A look at what a check will need fails where the check would, and says what there is."""
from __future__ import annotations

import numpy
import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import answers
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.preflight import described, preflight


@pytest.fixture
def look(tmp_path):
    numpy.savez(tmp_path / "x.npz", images=numpy.zeros((3, 2, 2), "u1"), labels=numpy.array([0, 1, 2]), half=numpy.zeros(3))
    usual = {
        "dataset": str(tmp_path / "x.npz"), "dataset_checksum": {}, "dataset_timeout": 5, "tests": None, "golden": None,
        "record": None, "report": None, "tls_ca_cert": None, "labels": "", "tolerance": None,
    }
    return lambda **options: preflight({**usual, **options})


def test_what_there_is(look):
    assert look(tests=2) == {"tests": 2, "columns": {
        "images": {"type": "uint8", "shape": [2, 2, 2]}, "labels": {"type": "int64", "shape": [2]},
        "half": {"type": "float64", "shape": [2]},
    }}
    assert look()["tests"] == 3 and look(labels="half", tolerance=0.1)["tests"] == 3


def test_texts_are_strings(tmp_path, look):
    (tmp_path / "x.jsonl").write_text('{"text": "a", "y": 1}\n')
    assert look(dataset=str(tmp_path / "x.jsonl"))["columns"]["text"] == {"type": "string", "shape": [1]}


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


def test_the_lookup_says_the_same(look):
    from ansible_collections.mlops.tf_serving.plugins.lookup import dataset

    assert dataset.described is described
