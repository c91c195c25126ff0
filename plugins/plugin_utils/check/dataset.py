# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Test data from files or from under URLs, as columns with a row for each test."""
from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple
from urllib.error import HTTPError

from ansible.module_utils.urls import open_url

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import dataset_formats
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.dataset_formats import CHUNK, ENDINGS, MAX_BYTES, Table
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import Array

# A folder holds MNIST's test data, as they are known everywhere.
IMAGES = "t10k-images-idx3-ubyte.gz"
LABELS = "t10k-labels-idx1-ubyte.gz"
USUAL_TESTS = 1000  # or all, where a dataset has fewer
URL = "https?://"


class File(NamedTuple):
    """One file of a dataset."""

    place: str  # URL or path
    column: str | None = None  # what its one array is called, None where the file says it
    rank: int | None = None  # of MNIST's files


class Dataset(NamedTuple):
    """Test data."""

    columns: dict[str, Array]  # with a row for each test; strings as object arrays of bytes
    pictures: frozenset[str]  # columns that are pictures from IDX files
    location: str  # where the data are from, for people
    digest: str  # sha256:HEX over the files' own sums
    left_out: Mapping[str, str] = {}  # feature of a file: why it is no column

    @property
    def tests(self) -> int:
        return len(next(iter(self.columns.values())))


def load(location: Any, tests: int | None = None, checksums: Mapping[str, Any] | None = None, timeout: float = 60) -> Dataset:
    """The first `tests` rows of a dataset; without that number up to 1000. location: the option `dataset`."""
    files, shown = _files(location)
    wanted = _checked(checksums or {}, [_name(file.place) for file in files])
    rows = USUAL_TESTS if tests is None else tests
    tables, digests = [], []
    for file in files:
        with _opened(file.place, timeout, "check_dataset") as (content, digest):
            _compare(file.place, digest, wanted)
            table = dataset_formats.read(content, _name(file.place), _without_secrets(file.place), rows)
        tables.append(_named(table, file))
        digests.append(digest + "\n")
    totals = {name: total for table in tables for name, total in table.totals.items()}
    _compare_rows(shown, totals, tests, strict=len(files) > 1)
    return Dataset(
        {name: column for table in tables for name, column in table.columns.items()},
        frozenset(name for table in tables for name in table.pictures),
        shown,
        "sha256:" + hashlib.sha256("".join(digests).encode()).hexdigest(),
        {name: why for table in tables for name, why in table.left_out.items()},
    )


def read(location: Any, timeout: float, variable: str) -> tuple[str, bytes]:
    """(path or URL, bytes) of one file. variable: the one that says where it is, for errors."""
    place = _place(location, variable)
    with _opened(place, timeout, variable) as (content, dummy):
        return _without_secrets(place), content.read()


def _files(location: Any) -> tuple[list[File], str]:
    """(the Files of a dataset, always in the same order, and what people call it)"""
    if isinstance(location, dict):
        if not location:
            raise Error("check_dataset is an empty mapping: give each column a file, or use a path or URL.", "dataset_invalid")
        files = [
            File(_place(location[column], "check_dataset"), str(column)) for column in sorted(location, key=str)
        ]
        for file in files:
            if not dataset_formats.single(_name(file.place)):
                raise Error(
                    "check_dataset gives the column %s the file %s: use a file of one array, .npy or IDX, or give that file"
                    " alone." % (file.column, _without_secrets(file.place)), "dataset_invalid",
                )
        return files, ", ".join("%s: %s" % (file.column, _without_secrets(file.place)) for file in files)
    place = _place(location, "check_dataset")
    if dataset_formats.known(_name(place)) and not os.path.isdir(place):
        return [File(place)], _without_secrets(place)
    if os.path.isfile(place):
        raise Error(
            "check_dataset is %s, and the end of its name tells no format: use %s." % (place, ENDINGS), "dataset_invalid"
        )
    folder = place.rstrip("/") + "/"
    return [File(folder + IMAGES, "images", 3), File(folder + LABELS, "labels", 1)], _without_secrets(place)


def _place(location: Any, variable: str) -> str:
    """An http(s) URL as it is, or an absolute path."""
    text = str(location)
    if re.match(URL, text):
        return text
    path = os.path.expanduser(text[len("file://"):] if text.startswith("file://") else text)
    if not os.path.isabs(path):
        raise Error("%s is %r: use an absolute path or an http(s) URL." % (variable, location), _code(variable, "invalid"))
    return path


def _code(variable: str, what: str) -> str:
    return "%s_%s" % (variable[len("check_"):], what)


def _without_secrets(place: str) -> str:
    """For people, and for reports that are kept: without the password or signature that a URL may have in it."""
    return re.sub(r"^(https?://)(?:[^/@]*@)?([^?#]*).*", r"\1\2", place, flags=re.DOTALL)


def _name(place: str) -> str:
    return _without_secrets(place).rsplit("/", 1)[-1]


def _checked(checksums: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """{file name: hex digest}, or an Error that names the entry that is no such thing."""
    for name, value in checksums.items():
        if name not in names:
            raise Error(
                "check_dataset_checksum names %r: the dataset's files are %s." % (name, " and ".join(names)), "checksum_invalid"
            )
        if not re.match(r"sha256:[0-9a-fA-F]{64}$", str(value)):
            raise Error(
                "check_dataset_checksum of %s is %r: use sha256: and 64 hexadecimal digits." % (name, value),
                "checksum_invalid",
            )
    return {name: value.split(":")[1].lower() for name, value in checksums.items()}


def _compare(place: str, digest: str, checksums: Mapping[str, str]) -> None:
    wanted = checksums.get(_name(place), digest)
    if digest != wanted:
        raise Error(
            "%s has the checksum sha256:%s, check_dataset_checksum says sha256:%s: it was changed or damaged on the way."
            % (_without_secrets(place), digest, wanted),
            "checksum_mismatch",
        )


def _named(table: Table, file: File) -> Table:
    """The Table with the column's own name."""
    if file.column is None:
        return table
    (array,), (total,) = table.columns.values(), table.totals.values()
    if file.rank and (array.ndim != file.rank or array.dtype != "uint8"):
        raise Error(
            "%s is no IDX file of unsigned bytes with %d dimensions." % (_without_secrets(file.place), file.rank),
            "dataset_invalid",
        )
    return table._replace(
        columns={file.column: array}, totals={file.column: total}, pictures=frozenset({file.column} if table.pictures else ())
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


@contextlib.contextmanager
def _opened(place: str, timeout: float, variable: str) -> Iterator[tuple[IO[bytes], str]]:
    """(the file, its sha256)"""
    with contextlib.ExitStack() as stack:
        file: IO[bytes]
        if re.match(URL, place):
            file = stack.enter_context(tempfile.TemporaryFile())
            digest = _download(place, file, timeout, variable)
        else:
            try:
                if os.path.exists(place) and not os.path.isfile(place):  # a pipe might never end
                    raise Error("%s %s is not a file." % (variable, place), _code(variable, "missing"))
                file = stack.enter_context(open(place, "rb"))
                digest = _read_through(file.read, place, variable)
            except OSError as error:
                why = "%s %s cannot be read: %s." % (variable, place, error.strerror)
                raise Error(why, _code(variable, "missing")) from error
        file.seek(0)
        yield file, digest


def _download(url: str, file: IO[bytes], timeout: float, variable: str) -> str:
    """Fetch into a file; the sha256."""
    shown = _without_secrets(url)
    deadline = time.monotonic() + timeout
    try:
        with open_url(url, timeout=timeout) as reply:
            # read1: what has come, for read() waits for a whole chunk, and a socket's own timeout starts anew with every byte.
            return _read_through(reply.read1, shown, variable, deadline, file.write)
    except HTTPError as error:
        raise Error("%s %s answers %s %s." % (variable, shown, error.code, error.reason), _code(variable, "missing")) from error
    except Error:
        raise
    except Exception as error:  # open_url raises errors of urllib, http.client, ssl and its own
        raise Error("%s %s cannot be downloaded: %s." % (variable, shown, error), _code(variable, "missing")) from error


def _read_through(
    read_some: Callable[[int], bytes], shown: str, variable: str, deadline: float | None = None,
    write: Callable[[bytes], Any] | None = None,
) -> str:
    """The sha256 of all there is, unless it is too much or too slow."""
    digest, size = hashlib.sha256(), 0
    while True:
        chunk = read_some(CHUNK)
        if not chunk:
            return digest.hexdigest()
        size += len(chunk)
        digest.update(chunk)
        if write:
            write(chunk)
        if size > MAX_BYTES:
            raise Error("%s %s is larger than 1 GiB." % (variable, shown), _code(variable, "invalid"))
        if deadline is not None and time.monotonic() > deadline:
            raise Error(
                "%s %s did not arrive in time: %d bytes so far. Raise check_dataset_timeout, or use a local copy."
                % (variable, shown, size),
                _code(variable, "missing"),
            )
