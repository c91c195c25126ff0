# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows of named values: JSON lines, JSON as pandas and TensorFlow Serving's REST API have it, and Parquet."""
from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats.source import Source
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats.table import Table
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import Array, strings

try:
    import numpy
except ImportError:
    pass  # an action's NEEDS say so in words

Value = Any
Named = dict[str, Value]
LINES = (".jsonl", ".ndjson", ".jsonlines")
PARQUET_BATCH = 1000  # rows that are in memory as Python's own objects at a time
MAX_DOCUMENT = 1 << 28  # characters: a document is in memory as a whole, in Python's own objects


def read_json(lines: Iterator[str], rows: int | None, name: str) -> Table:
    """A line for each row, or one document. One line alone may be either: there the file's name tells."""
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    start = next(numbered)
    first = _parsed(start[1])
    if isinstance(first, dict):
        second = next(numbered, None)
        found = None if second or name.lower().removesuffix(".gz").endswith(LINES) else _document(first)
        if found is not None:
            return _table(found, rows, "row")
        return _table(_of_lines([start, *([second] if second else [])], numbered, rows), rows, "line")
    return _table(_document_or_malformed(start[1], lines), rows, "row")


def _parsed(text: str) -> Value:
    """What a whole JSON text says; None where it is none, or only the beginning of one."""
    try:
        return json.loads(text, object_hook=_binary)
    except (ValueError, RecursionError):
        return None


def _binary(value: dict[str, Any]) -> Value:
    """{"b64": TEXT} stands for bytes."""
    if value.keys() == {"b64"} and isinstance(value["b64"], str):
        return base64.b64decode(value["b64"], validate=True)
    return value


def _of_lines(ready: Sequence[tuple[int, str]], more: Iterator[tuple[int, str]], rows: int | None) -> Iterator[tuple[int, Named]]:
    for count, (number, text) in enumerate((pair for part in (ready, more) for pair in part), 1):
        yield number, _row(text, number)
        if count == rows:
            return


def _row(text: str, number: int) -> Named:
    try:
        row = json.loads(text, object_hook=_binary)
    except (ValueError, RecursionError) as error:
        raise Malformed("line %d is no JSON (%s)" % (number, error)) from error
    if not isinstance(row, dict) or not row:
        raise Malformed('line %d is no object such as {"images": [0.1, 0.2], "labels": 3}' % number)
    return row


def _document_or_malformed(first: str, lines: Iterator[str]) -> Iterator[tuple[int, Named]]:
    parts, size = [first], len(first)
    for line in lines:
        parts.append(line)
        size += len(line)
        if size > MAX_DOCUMENT:
            raise Malformed("this JSON document is larger than %d MiB: write JSON lines, an object a line" % (MAX_DOCUMENT >> 20))
    try:
        value = json.loads("".join(parts), object_hook=_binary)
    except (ValueError, RecursionError) as error:
        number = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise Malformed("line %d is no JSON (%s)" % (number, error)) from error
    found = _document(value)
    if found is None:
        raise Malformed(
            'this JSON is no table: use a list of objects, {"column": [values]} with as many values in each, or JSON lines such as'
            ' {"images": [0.1, 0.2], "labels": 3}')
    return found


def _document(value: Value) -> Iterator[tuple[int, Named]] | None:
    """(number, row) of what pandas' to_json makes in each of its orients, or a request to the REST API; None of something else."""
    if isinstance(value, list):
        return _of_list(value)
    if not isinstance(value, dict) or not value:
        return None
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):  # orient split
        return _of_lists([str(name) for name in value["columns"]], value["data"])
    if isinstance(value.get("data"), list) and isinstance(value.get("schema"), dict):  # orient table
        names = value["schema"].get("primaryKey", [])
        rows = [row for row in value["data"] if isinstance(row, dict)]
        return _of_list([{key: row[key] for key in row if key not in names} for row in rows])
    if isinstance(value.get("instances"), list):
        return _of_list(value["instances"])
    if len(value) == 1 and _are_rows(next(iter(value.values()))):  # {"data": [{...}, ...]}, as web services answer
        return _of_list(next(iter(value.values())))
    columns = value["inputs"] if isinstance(value.get("inputs"), dict) else value
    parts = list(columns.values())
    if parts and all(isinstance(part, dict) and part for part in parts):
        return _of_mappings(columns)
    if parts and all(isinstance(part, list) for part in parts) and len({len(part) for part in parts}) == 1:
        return enumerate((dict(zip(columns, row)) for row in zip(*parts)), 1)
    return None


def _of_list(rows: Sequence[Value]) -> Iterator[tuple[int, Named]] | None:
    """Rows with names; rows of single values, a column for each; or an array, whose rows are lists of lists or single values."""
    if _are_rows(rows):
        return enumerate(rows, 1)
    first = rows[0] if rows else None
    if isinstance(first, list) and first and not isinstance(first[0], list):
        return _of_lists(["column_%d" % (place + 1) for place in range(len(first))], rows)
    return enumerate(({"column_1": row} for row in rows), 1) if rows else None


def _are_rows(value: Value) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) and row for row in value)


def _of_lists(names: Sequence[str], rows: Sequence[Value]) -> Iterator[tuple[int, Named]] | None:
    if not names or not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        return None
    return enumerate((dict(zip(names, row)) for row in rows), 1)


def _of_mappings(value: Mapping[str, Mapping[str, Value]]) -> Iterator[tuple[int, Named]] | None:
    """{column: {row: value}}, which is orient columns, or {row: {column: value}}, which is orient index: rows are numbers."""
    inner = list(next(iter(value.values())))
    if any(list(part) != inner for part in value.values()):
        return None
    if all(key.isdecimal() for key in value) and not all(key.isdecimal() for key in inner):
        return enumerate((dict(row) for row in value.values()), 1)
    return enumerate(({name: value[name][row] for name in value} for row in inner), 1)


# --- Parquet ---

def read_parquet(source: Source, rows: int | None) -> Table:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise Malformed(
            "this is a Parquet file, which takes pyarrow in the controller's Python: pip install pyarrow, or save it as .csv or"
            " .npz") from None
    try:
        batches = parquet.ParquetFile(source.file).iter_batches(batch_size=rows or PARQUET_BATCH)
        numbered = enumerate((_without_index(row) for batch in batches for row in batch.to_pylist()), 1)
        return _table(numbered, rows, "row")
    except (ArrowException, OSError, ValueError) as error:
        raise Malformed("this Parquet file cannot be read (%s)" % str(error).partition("\n")[0]) from error


def _without_index(row: Named) -> Named:
    """Without what pandas keeps of its rows' names."""
    return {name: value for name, value in row.items() if not name.startswith("__index_level_")}


# --- columns ---

def _table(numbered: Iterable[tuple[int, Named]], rows: int | None, unit: str) -> Table:
    """unit: what the rows' numbers count. What is no column is left out, for nobody may want it."""
    found: dict[str, list[Array]] = {}
    left_out: dict[str, str] = {}
    first = count = 0
    for number, row in numbered:
        if not count:
            first, found = number, {name: [] for name in row}
        for name in row.keys() - found:
            left_out.setdefault(name, "%s %d lacks it, which %s %d has" % (unit, first, unit, number))
        for name in found.keys() - left_out:
            why = _add(found[name], row, name, "%s %d" % (unit, first))
            if why:
                left_out[name] = "%s %d %s" % (unit, number, why)
        count += 1
        if count == rows:
            break
    kept = {name: numpy.stack(column) for name, column in found.items() if name not in left_out}
    if not kept:
        raise Malformed("; ".join("%s: %s" % item for item in sorted(left_out.items())) or "this holds no rows")
    return Table(kept, {name: count for name in kept}, left_out=left_out)


def _add(column: list[Array], row: Named, name: str, first: str) -> str:
    """Adds the row's value; why it cannot be one, "" where it can. first: the row that begins the column."""
    if name not in row:
        return "lacks it"
    if row[name] is None:
        return "has no value"
    array = _array(row[name])
    if array is None:
        return "holds neither numbers nor strings, or lists that are not of one length"
    other = column[0] if column else array
    if array.shape != other.shape:
        return "has the shape %s, and %s %s" % (list(array.shape), first, list(other.shape))
    words = ["strings" if one.dtype.kind == "O" else "numbers" for one in (array, other)]
    if words[0] != words[1]:
        return "holds %s, and %s %s" % (words[0], first, words[1])
    column.append(array)
    return ""


def _array(value: Value) -> Array | None:
    """Numbers, or strings as bytes; None where they are neither."""
    leaf = value
    while isinstance(leaf, list) and leaf:
        leaf = leaf[0]
    try:
        if isinstance(leaf, (str, bytes)):
            array: Array = numpy.array(value, object)
            leaves = [leaf.encode() if isinstance(leaf, str) else leaf for leaf in array.reshape(-1).tolist()]
            return strings(leaves, array.shape) if all(isinstance(leaf, bytes) for leaf in leaves) else None
        array = numpy.asarray(value)
        return array if array.dtype.kind in "biuf" else None
    except (ValueError, OverflowError):
        return None
