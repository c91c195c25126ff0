"""What is kept as a golden file, and when."""
from __future__ import annotations

import json

import idx_files
import numpy
import pytest
from ask_server import ask_server
from fake_model_server import ModelServer, brightest, one_hot

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import recording, run


@pytest.fixture
def record(tmp_path):
    dataset = idx_files.write(tmp_path)
    path = str(tmp_path / "golden.npz")
    return lambda server, **options: ask_server(server, dataset=dataset, record=path, **options)[0]


def test_the_answers_and_what_they_are_of(record, tmp_path):
    result = record(ModelServer(versions=[7]), tests=25, expected_version=7)
    assert run.record is recording.record and result["changed"] is True and result["version"] == 7 and result["tests"] == 25
    assert result["message"] == "25 answers of mnist version 7, output scores [10]"
    with numpy.load(tmp_path / "golden.npz") as kept:
        meta = json.loads(kept["meta"].item())
        assert kept["answers"].argmax(axis=1).tolist() == [number % 10 for number in range(25)]
    assert meta.pop("dataset").startswith("sha256:") and meta.pop("recorded").endswith("Z")
    assert meta == {"model": "mnist", "version": 7, "signature": "predict_images", "output": "scores", "tests": 25}


def test_a_server_that_does_not_say_its_version(record):
    assert record(ModelServer(versions=[None]))["message"] == "100 answers of mnist version unknown, output scores [10]"


def test_the_same_answers_again_change_nothing(record, tmp_path):
    record(ModelServer())
    before = (tmp_path / "golden.npz").stat().st_mtime_ns
    assert record(ModelServer())["changed"] is False and (tmp_path / "golden.npz").stat().st_mtime_ns == before
    other = record(ModelServer(lambda images, call, context: one_hot(9 - brightest(images))))
    assert other["changed"] is True and other["diff"]["before"] == "other answers\n"
    assert record(ModelServer(), check_mode=True)["changed"] is True


@pytest.mark.parametrize(("server", "code", "says"), [
    (ModelServer(versions=[2]), "wrong_version", "Nothing was recorded: address 127.0.0.1:"),
    (ModelServer(lambda images, call, context: b"rubbish" if call == 9 else one_hot(brightest(images))), "requests_failed",
     "left 10 of 100 tests without an answer (the first: a reply is no PredictResponse"),
])
def test_nothing_is_recorded_of_a_server_that_is_not_right(record, tmp_path, server, code, says):
    with pytest.raises(Error) as caught:
        record(server, expected_version=1)
    assert caught.value.code == code and says in caught.value.message and not (tmp_path / "golden.npz").exists()
