"""A few hundred files and folders with test data, as people have them: dataset_corpus says what has to come of each."""
from __future__ import annotations

import os
import tempfile

import dataset_corpus
import numpy
import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import dataset


def written(folder, case):
    place = folder / case.name
    if isinstance(case.content, bytes):
        place.write_bytes(case.content)
        return place
    place.mkdir()
    for name, content in case.content.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


def test_there_are_enough_and_each_has_a_name_of_its_own():
    names = [case.what for case in dataset_corpus.ALL]
    assert len(names) >= 150 and sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("case", dataset_corpus.ALL, ids=lambda case: case.what.replace(" ", "_"))
def test_what_comes_of_it(case, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    place = written(tmp_path, case)
    if case.columns is None:
        with pytest.raises(Error) as caught:
            dataset.load(str(place))
        assert case.says in caught.value.message and case.name in caught.value.message
        assert caught.value.code in ("dataset_invalid", "dataset_missing", "dataset_too_small") and "\n" not in caught.value.message
    else:
        data = dataset.load(str(place))
        found = {name: column.tolist() for name, column in data.columns.items()}
        assert found.keys() == case.columns.keys()
        for name, values in case.columns.items():
            numpy.testing.assert_array_equal(found[name], values)
            assert isinstance(_leaf(found[name]), type(_leaf(values))), "%s holds %s" % (name, data.columns[name].dtype)
        assert case.says in " ".join((*data.remarks, *data.odd.values(), *data.left_out.values()))
        assert case.texts is None or {name: data.as_text(name).tolist() for name in case.texts} == case.texts
    assert os.listdir(scratch) == []


def _leaf(value):
    return _leaf(value[0]) if isinstance(value, list) else value
