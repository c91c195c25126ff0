from __future__ import annotations

import random

import pytest
from saved_models import INDEX_END, field, model_files, saved_model

from ansible_collections.mlops.tf_serving.plugins.module_utils import _savedmodel
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error


def write(folder, files):
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return str(folder)


def refused(folder):
    with pytest.raises(Error) as caught:
        _savedmodel.inspect(folder)
    return caught.value


def test_signatures(tmp_path):
    model = _savedmodel.inspect(write(tmp_path, model_files()))
    assert model["signatures"] == {
        "predict_images": {
            "method": "tensorflow/serving/predict",
            "inputs": {"images": "float32[-1,784]"},
            "outputs": {"scores": "float32[-1,10]"},
        }
    }


def test_unknown_rank_and_scalar():
    assert _savedmodel._tensor(field(2, 7) + field(3, field(3, 1)), (0, 6)) == "string[?]"
    assert _savedmodel._tensor(field(2, 9) + field(3, b""), (0, 4)) == "int64[]"


@pytest.mark.parametrize("options", [
    {"ops": ["VariableV2"]}, {"ops": ["VarHandleOp"]}, {"ops": ["Const"], "function_ops": ["VarHandleOp"]},
])
def test_variables_have_to_be_there(tmp_path, options):
    error = refused(write(tmp_path, {"saved_model.pb": saved_model(**options)}))
    assert error.code == "variables_missing"
    assert "variables/" in error.message


def test_model_without_variables_needs_none(tmp_path):
    assert not _savedmodel.inspect(write(tmp_path, {"saved_model.pb": saved_model(ops=["Const"])}))["variables"]


def test_every_shard_has_to_be_there(tmp_path):
    files = model_files()
    files["variables/variables.data-00000-of-00003"] = files.pop("variables/variables.data-00000-of-00001")
    files["variables/variables.data-00002-of-00003"] = b""
    error = refused(write(tmp_path, files))
    assert error.details["missing"] == ["variables.data-00001-of-00003"]


@pytest.mark.parametrize("name", ["variables.index", "variables.data-00000-of-00001"])
def test_index_and_data_have_to_be_there(tmp_path, name):
    files = model_files()
    del files["variables/" + name]
    assert name in refused(write(tmp_path, files)).message


@pytest.mark.parametrize("index", [b"", b"short", b"x" * 100, INDEX_END + b"tail"])
def test_cut_off_index(tmp_path, index):
    files = dict(model_files(), **{"variables/variables.index": index})
    assert refused(write(tmp_path, files)).code == "variables_damaged"


def test_assets_have_to_be_there(tmp_path):
    files = model_files(assets=["vocabulary.txt"])
    assert "assets/vocabulary.txt" in refused(write(tmp_path, files)).message
    write(tmp_path, {"assets/vocabulary.txt": b"a"})
    assert _savedmodel.inspect(str(tmp_path))


@pytest.mark.parametrize(("content", "word"), [
    (b"", "empty"),
    (b"<!DOCTYPE html><html>", "SavedModel"),
    (saved_model(tags=["train"]), "graphs in it: train"),
    (field(1, 1), "none"),
    (field(2, 5), "not a message"),
    (bytes(20), "field 0"),
])
def test_no_saved_model(tmp_path, content, word):
    error = refused(write(tmp_path, {"saved_model.pb": content}))
    assert error.code == "saved_model_invalid"
    assert word in error.message


def test_damage_never_ends_in_a_traceback(tmp_path):
    """Every truncation, and 3000 random changes: a result or an Error, nothing else."""
    whole = saved_model(assets=["a"], function_ops=["Const"])
    chance = random.Random(3)
    damaged = [whole[:length] for length in range(len(whole))]
    for dummy in range(3000):
        copy = bytearray(whole)
        for dummy in range(chance.randint(1, 8)):
            copy[chance.randrange(len(copy))] = chance.randrange(256)
        damaged.append(bytes(copy))
    damaged += [chance.randbytes(chance.randint(1, 200)) for dummy in range(1000)]
    for data in damaged:
        try:
            _savedmodel.parse(data)
        except _savedmodel.Malformed:
            pass


def test_a_truncated_file_is_refused():
    whole = saved_model()
    for length in range(3, len(whole)):
        with pytest.raises(_savedmodel.Malformed):
            _savedmodel.parse(whole[:length])
