from __future__ import annotations

import random

import pytest
from saved_models import INDEX, INIT, field, index, model_files, saved_model, signature, tensor

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import savedmodel


def write(folder, files):
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return str(folder)


def refused(folder):
    with pytest.raises(Error) as caught:
        savedmodel.inspect(folder)
    return caught.value


def test_signatures(tmp_path):
    model = savedmodel.inspect(write(tmp_path, model_files()))
    assert model["signatures"] == {
        "predict_images": {
            "method": "tensorflow/serving/predict",
            "inputs": {"images": "float32[-1,784]"},
            "outputs": {"scores": "float32[-1,10]"},
        }
    }


# tensorflow/core/framework/types.proto
@pytest.mark.parametrize(("number", "name"), [
    (0, "invalid"), (1, "float32"), (2, "float64"), (3, "int32"), (4, "uint8"), (5, "int16"), (6, "int8"), (7, "string"),
    (8, "complex64"), (9, "int64"), (10, "bool"), (11, "qint8"), (12, "quint8"), (13, "qint32"), (14, "bfloat16"), (15, "qint16"),
    (16, "quint16"), (17, "uint16"), (18, "complex128"), (19, "float16"), (20, "resource"), (21, "variant"), (22, "uint32"),
    (23, "uint64"), (24, "dtype24"), (101, "dtype101"),
])
def test_types(number, name):
    assert text_of(tensor(number, 3)) == name + "[3]"


def text_of(data):
    return savedmodel._tensor(data, (0, len(data)))


def test_shapes():
    assert text_of(tensor(1, -1, 28, 1)) == "float32[-1,28,1]"
    assert text_of(tensor(1, (1 << 63) - 1, -(1 << 63))) == "float32[%d,%d]" % ((1 << 63) - 1, -(1 << 63))
    assert text_of(field(2, 1)) == "float32[?]"
    assert text_of(field(2, 1) + field(3, field(2, b""))) == "float32[0]", "a size that is not written is 0"
    assert text_of(field(2, 1) + field(3, field(3, 0) + field(2, field(1, 5)))) == "float32[5]"
    assert text_of(field(2, b"x") + field(3, 7)) == "invalid[?]", "fields of another kind are left out"


def test_signatures_of_all_kinds():
    def entry(name, *parts, **options):
        return field(5, field(1, name) + field(2, signature(*parts, **options)))

    graph = (
        field(1, field(4, "serve")) + entry("b", {"x": tensor(1), "y": tensor(7, 2)}, {"z": tensor(3, -1)})
        + entry("a", {}, {}, method="tensorflow/serving/classify") + field(5, field(1, "__saved_model_init_op") + field(2, INIT))
        + entry("named", {}, {}, method="my/own") + entry("nameless", {}, {}, method="")
    )
    model = savedmodel.parse(field(2, graph))
    assert model == {
        "signatures": {
            "a": {"method": "tensorflow/serving/classify", "inputs": {}, "outputs": {}},
            "b": {
                "method": "tensorflow/serving/predict", "inputs": {"x": "float32[]", "y": "string[2]"},
                "outputs": {"z": "int32[-1]"},
            },
            "named": {"method": "my/own", "inputs": {}, "outputs": {}},
            "nameless": {"method": "", "inputs": {}, "outputs": {}},
        },
        "variables": False, "assets": [],
    }
    assert list(model["signatures"]) == ["a", "b", "named", "nameless"]


def test_the_graph_for_serving_is_found_among_others():
    def graph(assets, *tags):
        return field(2, b"".join(field(1, field(4, tag)) for tag in tags) + field(6, field(2, assets)))

    several = graph("no", "train") + graph("tpu", "tpu", "serve") + graph("yes", "serve") + graph("late", "serve")
    assert savedmodel.parse(several)["assets"] == ["yes"], "the first with just these tags"
    assert savedmodel.parse(several, ["serve", "tpu"])["assets"] == ["tpu"]
    with pytest.raises(Error) as caught:
        savedmodel.parse(graph("a", "train", "gpu") + graph("b"))
    assert caught.value.message == (
        "saved_model.pb has no graph whose set of tags is {serve}, which is what servers load (in it: {gpu, train}; {}). Export it"
        " with these tags, or add --saved_model_tags=gpu,train to serving_args.")
    assert caught.value.details == {"wanted": ["serve"], "found": [["gpu", "train"], []]}


@pytest.mark.parametrize("size", [(1 << 31) - 1, 1 << 31])
def test_a_file_that_tensorflow_does_not_load(tmp_path, size):
    with open(str(tmp_path / "saved_model.pb"), "wb") as file:
        file.truncate(size)
    assert ("loads less than 2 GiB" in refused(str(tmp_path)).message) is (size == 1 << 31)


def test_without_a_file(tmp_path):
    write(tmp_path, model_files())
    (tmp_path / "saved_model.pb").unlink()
    assert refused(str(tmp_path)).code == "no_saved_model"
    assert refused(str(tmp_path / "variables/variables.index")).code == "no_saved_model", "a file in place of the folder"


def test_what_is_missing_is_counted(tmp_path):
    files = {"saved_model.pb": saved_model(), "variables/variables.data-00001-of-00003": b""}
    error = refused(write(tmp_path, files))
    assert "variables/variables.index is missing: " in error.message and error.details["missing"] == ["variables.index"]
    write(tmp_path, {"variables/variables.index": index(dict.fromkeys("abc", b""), shards=3)})
    error = refused(str(tmp_path))
    assert "variables/variables.data-00000-of-00003 is missing (and 1 more)." in error.message
    assert error.details["missing"] == ["variables.data-00000-of-00003", "variables.data-00002-of-00003"]
    write(tmp_path, {"variables/variables.data-00000-of-00003": b""})
    assert "variables.data-00002-of-00003 is missing." in refused(str(tmp_path)).message
    write(tmp_path, {"variables/variables.data-00002-of-00003": b""})
    assert savedmodel.inspect(str(tmp_path))["variables"] is True


def test_a_file_in_place_of_the_variables(tmp_path):
    assert refused(write(tmp_path, {"saved_model.pb": saved_model(), "variables": b""})).code == "variables_missing"


def test_an_asset_that_is_a_folder(tmp_path):
    write(tmp_path, {**model_files(assets=["a", "b"]), "assets/a": b"", "assets/b/x": b""})
    error = refused(str(tmp_path))
    assert (error.code, error.details) == ("assets_missing", {"missing": "b"})


def test_unknown_rank_and_scalar():
    assert savedmodel._tensor(field(2, 7) + field(3, field(3, 1)), (0, 6)) == "string[?]"
    assert savedmodel._tensor(field(2, 9) + field(3, b""), (0, 4)) == "int64[]"


@pytest.mark.parametrize("options", [
    {"ops": ["VariableV2"]}, {"ops": ["VarHandleOp"]}, {"ops": ["Const"], "function_ops": ["VarHandleOp"]},
])
def test_variables_have_to_be_there(tmp_path, options):
    error = refused(write(tmp_path, {"saved_model.pb": saved_model(**options)}))
    assert error.code == "variables_missing"
    assert "variables/" in error.message


def test_model_without_variables_needs_none(tmp_path):
    assert not savedmodel.inspect(write(tmp_path, {"saved_model.pb": saved_model(ops=["Const"])}))["variables"]


@pytest.mark.parametrize("name", ["variables.index", "variables.data-00000-of-00001"])
def test_index_and_data_have_to_be_there(tmp_path, name):
    files = model_files()
    del files["variables/" + name]
    assert name in refused(write(tmp_path, files)).message


@pytest.mark.parametrize("index", [b"", b"short", b"x" * 100, INDEX + b"tail"])
def test_cut_off_index(tmp_path, index):
    files = dict(model_files(), **{"variables/variables.index": index})
    assert refused(write(tmp_path, files)).code == "variables_damaged"


def test_assets_have_to_be_there(tmp_path):
    files = model_files(assets=["vocabulary.txt"])
    assert "assets/vocabulary.txt" in refused(write(tmp_path, files)).message
    write(tmp_path, {"assets/vocabulary.txt": b"a"})
    assert savedmodel.inspect(str(tmp_path))


@pytest.mark.parametrize(("content", "word"), [
    (b"", "empty"),
    (b"<!DOCTYPE html><html>", "SavedModel"),
    (field(1, 1), "no graph in it"),
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
            savedmodel.parse(data)
        except (savedmodel.Malformed, Error):
            pass


def test_a_truncated_file_is_refused():
    whole = saved_model()
    for length in range(3, len(whole)):
        with pytest.raises(savedmodel.Malformed):
            savedmodel.parse(whole[:length])
