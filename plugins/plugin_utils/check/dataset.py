# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Test data from files or from under URLs, as columns with a row for each test."""
from __future__ import annotations

import collections
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.urls import public
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.fetching import name, opened, place
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats import cells, reading
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats.table import Table
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.places import File, files
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import Array

try:
    import numpy
except ImportError:
    pass  # the task has said so: it is one of its NEEDS

USUAL_TESTS = 1000  # or all, where a dataset has fewer
GONE = range(400, 500)  # what a server answers where a file is not


class Dataset(NamedTuple):
    """Test data."""

    columns: dict[str, Array]  # with a row for each test; strings as object arrays of bytes
    pictures: frozenset[str]  # columns that are pictures from IDX files
    location: str  # where the data are from, for people
    digest: str  # sha256:HEX over the files' own sums
    left_out: Mapping[str, str] = {}  # column or feature of a file: why it is none
    texts: Mapping[str, Array] = {}  # of columns of numbers in a text: what stands there, such as 007 or 1.50
    odd: Mapping[str, str] = {}  # column of text: the cell that keeps it from being numbers
    remarks: tuple[str, ...] = ()  # what was decided about the files, for people

    @property
    def tests(self) -> int:
        return len(next(iter(self.columns.values())))

    def as_text(self, column: str) -> Array:
        """The column for a model that wants text: as it stands in the file."""
        return self.texts.get(column, self.columns[column])

    def as_numbers(self, column: str) -> Array:
        """The column for a model that wants numbers; as it is where it is text that says none."""
        array = self.columns[column]
        if array.dtype.kind != "O":
            return array
        found = cells.numbers([value.decode("utf-8", "replace") for value in array.reshape(-1).tolist()])
        return array if found is None else found.reshape(array.shape)


def load(location: Any, tests: int | None = None, checksums: Mapping[str, Any] | None = None, timeout: float = 60) -> Dataset:
    """The first `tests` rows of a dataset; without that number up to 1000. location: the option `dataset`."""
    choices, shown = files(location)
    given = checksums or {}
    named = [choice for choice in choices if set(given) <= {name(file.place) for file in choice}] or choices[:1]
    first: Error | None = None
    for choice in named:
        try:
            return _load(choice, shown, tests, given, timeout)
        except Error as error:
            if first and error.code == "dataset_invalid":
                raise Error("As a folder: %s As a file: %s" % (first.message, error.message), error.code) from None
            first = first or error
            if error.details.get("status") not in GONE:
                break
    raise first or AssertionError


def _load(choice: Sequence[File], shown: str, tests: int | None, checksums: Mapping[str, Any], timeout: float) -> Dataset:
    wanted = _checked(checksums, [name(file.place) for file in choice])
    rows = USUAL_TESTS if tests is None else tests
    tables, digests = [], []
    for file in choice:
        with opened(file.place, timeout, "check_dataset") as (content, digest):
            _compare(file.place, digest, wanted)
            table = reading.read(content, name(file.place), public(file.place), rows)
        tables.append(_named(table, file))
        digests.append(digest + "\n")
    whole = _joined(tables)
    whole = whole if len(choice) > 1 else _of_one_length(whole, tests)
    _compare_rows(shown, whole.totals, tests, strict=len(choice) > 1)
    return Dataset(
        whole.columns, whole.pictures, shown, "sha256:" + hashlib.sha256("".join(digests).encode()).hexdigest(),
        whole.left_out, whole.texts, whole.odd, whole.remarks,
    )


def read(location: Any, timeout: float, variable: str) -> tuple[str, bytes]:
    """(path or URL, bytes) of one file. variable: the one that says where it is, for errors."""
    at = place(location, variable)
    with opened(at, timeout, variable) as (content, dummy):
        return public(at), content.read()


def _checked(checksums: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """{file name: hex digest}, or an Error that names the entry that is no such thing."""
    for entry, value in checksums.items():
        if entry not in names:
            raise Error(
                "check_dataset_checksum names %r: the dataset's files are %s." % (entry, " and ".join(names)), "checksum_invalid"
            )
        if not re.match(r"sha256:[0-9a-fA-F]{64}$", str(value)):
            raise Error(
                "check_dataset_checksum of %s is %r: use sha256: and 64 hexadecimal digits." % (entry, value),
                "checksum_invalid",
            )
    return {entry: value.split(":")[1].lower() for entry, value in checksums.items()}


def _compare(at: str, digest: str, checksums: Mapping[str, str]) -> None:
    wanted = checksums.get(name(at), digest)
    if digest != wanted:
        raise Error(
            "%s has the checksum sha256:%s, check_dataset_checksum says sha256:%s: it was changed or damaged on the way."
            % (public(at), digest, wanted),
            "checksum_mismatch",
        )


def _named(table: Table, file: File) -> Table:
    """The Table with the column's own name."""
    if file.column is None:
        return table
    array, total = _only(table, file), max(table.totals.values())
    if file.rank and (array.ndim != file.rank or array.dtype != "uint8"):
        raise Error(
            "%s is no IDX file of unsigned bytes with %d dimensions." % (public(file.place), file.rank),
            "dataset_invalid",
        )
    alone = Table({file.column: array}, {file.column: total}, remarks=table.remarks)
    if len(table.columns) > 1:
        return alone
    own = (file.column,)
    return alone._replace(
        pictures=frozenset(own if table.pictures else ()), texts=dict(zip(own, table.texts.values())),
        odd=dict(zip(own, table.odd.values())),
    )


def _only(table: Table, file: File) -> Array:
    """The one array of a file: its only column, or its columns of numbers side by side."""
    columns = list(table.columns.values())
    if len(columns) == 1:
        return columns[0]
    if all(column.ndim == 1 and column.dtype.kind != "O" for column in columns) and len(set(table.totals.values())) == 1:
        return numpy.stack(columns, axis=1)
    raise Error(
        "check_dataset gives the column %s the file %s, which has the columns %s: use a file of one array or of numbers only, or"
        " give that file alone." % (file.column, public(file.place), ", ".join(sorted(table.columns))), "dataset_invalid",
    )


def _joined(tables: Sequence[Table]) -> Table:
    return Table(
        {key: value for table in tables for key, value in table.columns.items()},
        {key: value for table in tables for key, value in table.totals.items()},
        frozenset(key for table in tables for key in table.pictures),
        {key: value for table in tables for key, value in table.left_out.items()},
        {key: value for table in tables for key, value in table.texts.items()},
        {key: value for table in tables for key, value in table.odd.items()},
        tuple(remark for table in tables for remark in table.remarks),
    )


def _of_one_length(table: Table, tests: int | None) -> Table:
    """The Table without arrays of fewer rows than most have, such as the mean that a dataset was made with."""
    counted = collections.Counter(table.totals.values()).most_common(2)
    (most, times), others = counted[0], counted[1:]
    usual = min(tests or USUAL_TESTS, most)
    short = [key for key, total in table.totals.items() if total < usual]
    if not short or any(count == times for dummy, count in others):
        return table
    left_out = {key: "it has %d rows, others have %d" % (table.totals[key], most) for key in short}
    return table._replace(
        columns={key: value for key, value in table.columns.items() if key not in short},
        totals={key: value for key, value in table.totals.items() if key not in short},
        left_out={**table.left_out, **left_out},
    )


def _compare_rows(shown: str, totals: Mapping[str, int], tests: int | None, strict: bool) -> None:
    """Error where there are too few. strict: all columns have to have as many, as separate files that belong together have."""
    have = min(totals.values(), default=0)
    wanted = tests or min(max(totals.values(), default=0), USUAL_TESTS)
    if len(set(totals.values())) > 1 and (strict or have < wanted):
        raise Error(
            "The dataset %s has %s: they do not belong together."
            % (shown, " and ".join("%d %s" % (totals[name], name) for name in sorted(totals))),
            "dataset_invalid",
        )
    if have < wanted:
        raise Error(
            "The dataset %s has %d tests, fewer than check_tests (%d): lower that, or use a larger dataset."
            % (shown, have, wanted),
            "dataset_too_small",
            have=have,
            tests=wanted,
        )
    if not have:
        raise Error("The dataset %s is empty." % shown, "dataset_too_small", have=0, tests=tests)
