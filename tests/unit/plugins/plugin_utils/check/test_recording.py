"""What is kept as a golden file, and when."""
from __future__ import annotations

import json
import types

import grpc
import idx_files
import numpy
import pytest
from ask_server import ask_server
from fake_model_server import ModelServer, brightest, one_hot

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import dataset, recording, run


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


@pytest.fixture
def first(tmp_path):
    """first(server, labels=...) -> (result, warnings) of a check that records what is missing."""
    path = tmp_path / "golden" / "golden.npz"

    def call(server, labels=None, **options):
        images = {"images": idx_files.digits()[0]}
        numpy.savez(tmp_path / "x.npz", **(images if labels is None else {**images, "labels": labels}))
        return ask_server(server, **{
            "dataset": str(tmp_path / "x.npz"), "golden": str(path), "record_missing": True, "divisor": 255.0, **options})
    call.path = path
    return call


def test_the_first_check_of_a_model_without_labels(first):
    planned, dummy = first(ModelServer(), check_mode=True)
    assert planned["message"] == (
        "Would be recorded, nothing was compared: 100 answers of mnist version 1, output scores [10]") and not first.path.exists()
    result, warnings = first(ModelServer())
    assert (result["changed"], result["recorded"], result["version"], warnings) == (True, True, 1, [])
    assert result["message"] == "Recorded, nothing was compared: 100 answers of mnist version 1, output scores [10]"
    assert result["summary"] == ["%s, in %s. The next check compares with them." % (result["message"], first.path)]
    before = first.path.read_bytes()
    again, dummy = first(ModelServer())
    assert again["message"] == "Agreement with golden: 100.0%" and "recorded" not in again
    with pytest.raises(run.CheckFailed, match=r"Agreement with golden: 0.0% is under"):
        first(ModelServer(lambda images, call, context: one_hot((brightest(images) + 1) % 10)))
    assert first.path.read_bytes() == before


def test_labels_judge_what_is_recorded(first):
    labels = numpy.arange(100) % 10
    with pytest.raises(run.CheckFailed, match=r"error rate: 100.0% is over"):
        first(ModelServer(lambda images, call, context: one_hot((brightest(images) + 1) % 10)), labels)
    assert not first.path.exists()
    result, dummy = first(ModelServer(), labels)
    assert (result["message"], result["changed"], result["recorded"]) == ("Inference error rate: 0.0%", True, True)
    assert result["summary"][0].startswith("Passed: error rate 0.0%")
    assert result["summary"][-1] == (
        "Recorded: 100 answers of mnist version 1, output scores [10], in %s. The next check compares with them." % first.path)
    assert "agreement with golden: 100.0%" in first(ModelServer(), labels)[0]["summary"][1]


def test_what_passed_and_cannot_be_recorded_has_passed(first):
    """A version that is right is not taken back for that."""
    def scores(images, call, context):
        return b"rubbish" if call == 9 else one_hot(brightest(images))
    result, warnings = first(ModelServer(scores), numpy.arange(100) % 10, max_failed_requests=1)
    assert result["message"] == "Inference error rate: 0.0%" and not first.path.exists() and "recorded" not in result
    assert len(warnings) == 1 and warnings[0].startswith("Nothing was recorded: address 127.0.0.1:")


def test_what_came_meanwhile_is_not_written_over(first, monkeypatch):
    def load(*arguments):
        first.path.parent.mkdir()
        first.path.write_text("another model's")
        return dataset.load(*arguments)
    monkeypatch.setattr(run, "dataset", types.SimpleNamespace(load=load))
    with pytest.raises(Error, match="was not there when the check began, and is now: it was left as it is") as caught:
        first(ModelServer())
    assert caught.value.code == "golden_not_written" and first.path.read_text() == "another model's"
    assert [path.name for path in first.path.parent.iterdir()] == ["golden.npz"]


@pytest.mark.parametrize(("server", "code", "says"), [
    (ModelServer(metadata=lambda context: context.abort(grpc.StatusCode.INTERNAL, "Gone.")), "internal", "says INTERNAL: Gone."),
    (ModelServer(versions=[2]), "wrong_version", "Nothing was recorded: address 127.0.0.1:"),
    (ModelServer(lambda images, call, context: b"rubbish" if call == 9 else one_hot(brightest(images))), "requests_failed",
     "left 10 of 100 tests without an answer (the first: a reply is no PredictResponse"),
])
def test_nothing_is_recorded_of_a_server_that_is_not_right(record, tmp_path, server, code, says):
    with pytest.raises(Error) as caught:
        record(server, expected_version=1)
    assert caught.value.code == code and says in caught.value.message and not (tmp_path / "golden.npz").exists()
    assert ".." not in caught.value.message
