"""Parquet files where pyarrow is there. The one here is a stand-in with the calls that are made: tests have to run without it."""
from __future__ import annotations

import io
import sys
import types

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats import reading

ROWS = [
    {"x": 1.5, "name": "a", "pixels": [1, 2], "age": None, "__index_level_0__": 7},
    {"x": 2.5, "name": "b", "pixels": [3, 4], "age": 3},
    {"x": 3.5, "name": "c", "pixels": [5, 6], "age": 4},
]


class Broken(Exception):
    pass


class ParquetFile:
    def __init__(self, file):
        if file.read(5) != b"PAR1!":
            raise Broken("Parquet magic bytes not found\nin the footer")

    def iter_batches(self, batch_size):
        """A batch ends where a group of rows does."""
        for rows in (ROWS[:2], ROWS[2:]):
            for start in range(0, len(rows), batch_size):
                yield types.SimpleNamespace(to_pylist=lambda part=rows[start:start + batch_size]: part)


@pytest.fixture
def pyarrow(monkeypatch):
    parquet = types.SimpleNamespace(ParquetFile=ParquetFile)
    monkeypatch.setitem(sys.modules, "pyarrow", types.SimpleNamespace(ArrowException=Broken, parquet=parquet))


def read(content, rows):
    return reading.read(io.BytesIO(content), "x", "/data/x", rows)


@pytest.mark.parametrize("rows", [1, 2, 3, 1000])
def test_rows_of_several_groups(pyarrow, rows):
    table = read(b"PAR1!", rows)
    have = min(rows, 3)
    assert {name: column.tolist() for name, column in table.columns.items()} == {
        "x": [1.5, 2.5, 3.5][:have], "name": [b"a", b"b", b"c"][:have], "pixels": [[1, 2], [3, 4], [5, 6]][:have]}
    assert table.left_out == {"age": "row 1 has no value"} and set(table.totals.values()) == {have}


def test_one_that_is_damaged(pyarrow):
    with pytest.raises(Error, match=r"/data/x: this Parquet file cannot be read \(Parquet magic bytes not found\)\."):
        read(b"PAR1?", 5)


def test_without_pyarrow(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Error, match=r"takes pyarrow in the controller's Python: pip install pyarrow, or save it as \.csv"):
        read(b"PAR1!", 5)
