# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files with test data, as columns. What a file holds is told by its first bytes, not by its name or by who sent it.

Nothing that a file claims is believed: memory is taken for what was read, never for more than 1 GiB, and no pickle is
opened. Of the rows only the first are kept.
"""
from __future__ import annotations

import io
import itertools
import lzma
import re
import zipfile
import zlib
from typing import IO

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats import (
    array_files,
    delimited,
    named_rows,
    records,
    strangers,
)
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats.source import (
    Source,
    beginning,
    encoding_of,
    lines,
    unpacked,
)
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats.table import Table
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import Array

DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError)  # gzip.BadGzipFile is an OSError
UNZIPPABLE = (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError)
NO_DATA = re.compile(r"(.*/)?(__MACOSX/.*|\.[^/]*|Thumbs\.db|desktop\.ini|)$", re.IGNORECASE | re.DOTALL)
MOST_ZIPS, SHOWN = 2, 5
READABLE = "npz, npy, CSV, JSON, JSON lines, TFRecord of tf.Examples, IDX and Parquet"


def read(file: IO[bytes], name: str, path: str, rows: int | None) -> Table:
    """The Table in a binary file, at most so many rows. name: of the file, after which a lone array is called. path: for people."""
    try:
        return _read(file, name, rows)
    except Malformed as problem:
        raise Error("%s: %s." % (path, problem), "dataset_invalid") from problem
    except DAMAGED as error:
        raise Error("%s cannot be unpacked: %s." % (path, error), "dataset_invalid") from error


def arrays(content: bytes, path: str) -> dict[str, Array]:
    """{name: array} in the bytes of an .npz file, all rows of arrays of any rank; text as object arrays of bytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as folder:
            return {name: found[0] for name, found in array_files.npz_arrays(folder, None) if not isinstance(found, Malformed)}
    except (Malformed, *DAMAGED, *UNZIPPABLE) as error:
        raise Error("%s: this .npz file cannot be unpacked (%s)." % (path, error), "dataset_invalid") from error


def stem(name: str) -> str:
    """The name of a file without the endings that say what it is."""
    return re.match(
        r"(.+?)([-.]idx\d+-[a-z]+|\.(npz|npy|csv|tsv|txt|data|jsonl?|ndjson|parquet|tfrecords?))?(\.(gz|bz2|xz))?$", name,
        re.IGNORECASE | re.DOTALL).group(1)  # type: ignore[union-attr]


def _read(file: IO[bytes], name: str, rows: int | None, zips: int = 0) -> Table:
    """zips: how many were opened on the way."""
    content = unpacked(file)
    head = beginning(content)
    if not head:
        raise Malformed("this is empty: 0 bytes")
    if head.startswith((b"PK\3\4", b"PK\5\6")) and zips < MOST_ZIPS:
        return _unzipped(content, rows, zips)
    source = Source(content)
    table = _known(source, head, name, rows)
    if content is not file:
        source.drain()  # what is behind the rows that are kept may be damaged, and the check sum stands at the end
    return table


def _known(source: Source, head: bytes, name: str, rows: int | None) -> Table:
    if head.startswith(b"\x93NUMPY"):
        return array_files.npy(source, rows, stem(name))
    if records.begins(head):
        return records.read(source, rows)
    if head.startswith(b"PAR1"):
        return named_rows.read_parquet(source, rows)
    if re.match(rb"\0\0[\x08-\x0e][\x01-\x20]", head):
        return array_files.idx(source, rows, stem(name))
    strangers.refuse(head)
    encoding = encoding_of(head)
    if encoding is None:
        return _damaged(source, head, name, rows)
    text = lines(source, encoding)
    before, first = next(((number, line) for number, line in enumerate(text) if line.strip()), (0, ""))
    strangers.refuse_text(first)
    text = itertools.chain(itertools.repeat("\n", before), [first], text)
    if first.lstrip("\ufeff \t").startswith(("{", "[")):
        return named_rows.read_json(text, rows, name)
    return delimited.read(text, rows)


def _damaged(source: Source, head: bytes, name: str, rows: int | None) -> Table:
    """Never a Table: what is wrong with a file that is no text. Its name tells what it should have been."""
    if re.search(r"[._]tfrec", name, re.IGNORECASE):
        return records.read(source, rows)
    if re.search(r"[-.]idx\d", name, re.IGNORECASE):
        return array_files.idx(source, rows, stem(name))
    raise Malformed("this is no text, and its first bytes (%s) are not those of %s" % (head[:8].hex(" "), READABLE))


def _unzipped(content: IO[bytes], rows: int | None, zips: int) -> Table:
    """An .npz, or the one file of data in a zip, as Kaggle hands them out."""
    try:
        # One that is packed once more would be unpacked anew at every look at its directory, which stands at the end.
        file = content if isinstance(content, (io.BufferedReader, io.BytesIO)) else io.BytesIO(Source(content).read())
        with zipfile.ZipFile(file) as folder:
            names = [name for name in folder.namelist() if not NO_DATA.match(name)]
            if any(name.endswith(".npy") for name in names):
                return array_files.npz(folder, rows)
            strangers.refuse_zip(names)
            if len(names) != 1:
                raise Malformed("this is a zip of %d files (%s): unpack it, and name one of them" % (
                    len(names), ", ".join(sorted(names)[:SHOWN])))
            with folder.open(names[0]) as member:
                return _read(member, names[0].rsplit("/", 1)[-1], rows, zips + 1)
    except (*UNZIPPABLE, *DAMAGED) as error:
        raise Malformed("this .npz or zip file cannot be unpacked (%s)" % error) from error
