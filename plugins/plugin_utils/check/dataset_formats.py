# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files with test data, as columns: IDX, .npy, .npz, .csv, .jsonl and .tfrecord, each packed with gzip or not.

Nothing that a file claims is believed: memory is taken for what was read, never for more than 1 GiB, and no pickle is
opened. Of the rows only the first are kept.
"""
from __future__ import annotations

import base64
import csv
import functools
import gzip
import io
import json
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

from ansible_collections.mlops.tf_serving.plugins.module_utils import tfrecord
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import examples
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import Array, strings

try:
    import numpy
except ImportError:
    pass  # an action's NEEDS say so in words

MAX_BYTES = 1 << 30  # of one file, packed or not: a test set is smaller, a gzip bomb is not
MAX_LINE = 1 << 26
CHUNK = 1 << 20

Shape = tuple[int, ...]
Found = dict[str, tuple[Array, Shape]]  # name: its first rows, and the shape of all of them


class Table(NamedTuple):
    """What a file holds."""

    columns: dict[str, Array]  # the first rows
    totals: dict[str, int]  # rows in the file, as far as was looked
    pictures: frozenset[str] = frozenset()  # names of columns
    left_out: Mapping[str, str] = {}  # name: why it is no column


class Format(NamedTuple):
    stem: str  # of the file's name
    ending: str
    packed: bool


def known(name: str) -> bool:
    """Whether the name of a file ends as one of a format that is read here."""
    return _format(name) is not None


def single(name: str) -> bool:
    """Whether the file holds one array."""
    form = _format(name)
    return form is not None and form.ending in ONE_ARRAY


def read(file: IO[bytes], name: str, path: str, rows: int | None) -> Table:
    """The Table in a binary file whose name tells the format; at most so many rows. path: for messages."""
    form = _format(name)
    if form is None:
        raise Error("%s: the end of its name tells no format: use %s." % (path, ENDINGS), "dataset_invalid")
    source = Source(gzip.GzipFile(fileobj=file) if form.packed else file)
    try:
        table = READERS[form.ending](source, rows, form.stem)
        if form.packed:
            source.drain()  # what is behind the rows that are kept may be damaged, and the check sum stands at the end
    except Malformed as problem:
        raise Error("%s: %s." % (path, problem), "dataset_invalid") from problem
    except (EOFError, OSError, zlib.error) as error:  # gzip.BadGzipFile is an OSError
        raise Error("%s cannot be unpacked: %s." % (path, error), "dataset_invalid") from error
    return table


def arrays(content: bytes, path: str) -> dict[str, Array]:
    """{name: array} in the bytes of an .npz file, all rows of arrays of any rank; text as object arrays of bytes."""
    try:
        return {name: array for name, (array, dummy) in _npz_arrays(Source(io.BytesIO(content)), None)}
    except Malformed as problem:
        raise Error("%s: %s." % (path, problem), "dataset_invalid") from problem


def _format(name: str) -> Format | None:
    pattern = r"(.+?)(?:(\.npz|\.npy|\.csv|\.jsonl|\.tfrecord)|[-.]idx\d+-[a-z]+)(\.gz)?$"
    match = re.match(pattern, name, re.IGNORECASE | re.DOTALL)
    return Format(match.group(1), (match.group(2) or IDX).lower(), bool(match.group(3))) if match else None


class Source:
    """A file that is read piece by piece, so that a claim costs no memory, and not further than 1 GiB."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self.file = file
        self.size = 0

    def _counted(self, data: bytes) -> bytes:
        self.size += len(data)
        if self.size > MAX_BYTES:
            raise Malformed("this is more than 1 GiB")
        return data

    def read(self, size: int) -> bytes:
        """So many bytes, fewer where the file ends before."""
        chunks = []
        while size > 0:
            chunk = self._counted(self.file.read(min(size, CHUNK)))
            if not chunk:
                break
            chunks.append(chunk)
            size -= len(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def drain(self) -> int:
        """Read to the end; the number of bytes."""
        start = self.size
        while self.read(CHUNK):
            pass
        return self.size - start

    def lines(self) -> Iterator[tuple[int, str]]:
        """(number, text) of each line."""
        number = 0
        while True:
            number += 1
            line = self._counted(self.file.readline(MAX_LINE + 1))
            if not line:
                return
            if len(line) > MAX_LINE:
                raise Malformed("line %d is longer than %d MiB" % (number, MAX_LINE >> 20))
            try:
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise Malformed("line %d is no UTF-8 text" % number) from None


# --- arrays ---

def _values(source: Source, kind: numpy.dtype[Any], shape: Shape, rows: int | None, fortran: bool = False) -> Array:
    """The first rows of an array that lies in a file as it is in memory. To the end, for a file that is cut off is no dataset."""
    if min(shape, default=0) < 0 or kind.itemsize * math.prod(shape) > MAX_BYTES:
        raise Malformed("this claims the shape %s of %s, more than 1 GiB" % (list(shape), kind))
    size = kind.itemsize * math.prod(shape)
    keep = shape
    if rows is not None and shape and not fortran:
        keep = (min(rows, shape[0]),) + shape[1:]
    content = source.read(kind.itemsize * math.prod(keep))
    have = len(content) + source.drain()
    if have != size:
        raise Malformed(
            "this should hold %d values (shape %s) and holds %s"
            % (math.prod(shape), list(shape), "more" if have > size else "%d" % (have // kind.itemsize))
        )
    try:
        array = numpy.frombuffer(content, kind) if content else numpy.empty(0, kind)
        array = array.reshape(keep, order="F" if fortran else "C")
        return _native(numpy.ascontiguousarray(array[:rows]) if shape else array)
    except (ValueError, SystemError) as error:  # a SystemError for what is no character
        raise Malformed("this holds no %s of the shape %s: %s" % (kind, list(shape), error)) from error


def _native(array: Array) -> Array:
    """In this machine's byte order; text as bytes objects, UTF-8."""
    if array.dtype.kind == "U":
        return strings([value.encode() for value in array.reshape(-1).tolist()], array.shape)
    return array.astype(object if array.dtype.kind == "S" else array.dtype.newbyteorder("="), copy=False)


IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def _idx_file(source: Source, rows: int | None, stem: str) -> Table:
    """00 00, the type, the rank, the sizes in big-endian, the values: the format of MNIST."""
    head = source.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_TYPES or not head[3]:
        raise Malformed("this is no IDX file")
    sizes = source.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise Malformed("this is no IDX file: it ends among its sizes")
    shape = struct.unpack(">%dI" % head[3], sizes)
    values = _values(source, numpy.dtype(IDX_TYPES[head[2]]), shape, rows)
    pictures = {stem} if head[2] == 0x08 and len(shape) in (3, 4) else ()
    return Table({stem: values}, {stem: shape[0]}, frozenset(pictures))


def _npy_file(source: Source, rows: int | None, stem: str) -> Table:
    return _table_of({stem: _npy_array(source, rows)})


def _table_of(found: Found) -> Table:
    for name, (dummy, shape) in found.items():
        if not shape:
            raise Malformed("%s is a single value, not one for each test" % name)
    return Table(
        {name: array for name, (array, dummy) in found.items()}, {name: shape[0] for name, (dummy, shape) in found.items()},
    )


def _npy_array(source: Source, rows: int | None) -> tuple[Array, Shape]:
    """(array, shape that it has in the file)"""
    form: Any = numpy.lib.format
    try:
        version = form.read_magic(source)
        reader = {(1, 0): form.read_array_header_1_0, (2, 0): form.read_array_header_2_0}.get(version)
        if reader is None:
            raise Malformed("this is an .npy file of version %d.%d, known are 1.0 and 2.0" % version)
        shape, fortran, kind = reader(source)
    except (Malformed, EOFError, OSError, zlib.error):
        raise
    except Exception as error:  # its header is Python text, in which anything can go wrong
        raise Malformed("this is no .npy file (%s)" % str(error).partition("\n")[0][:200]) from error
    if kind.kind not in "biufcSU" or kind.subdtype:
        raise Malformed("this holds values of type %s, which cannot be read: use numbers, bool or strings" % kind)
    return _values(source, kind, shape, rows, fortran), shape


def _npz_file(source: Source, rows: int | None, dummy_stem: str) -> Table:
    found = dict(_npz_arrays(source, rows))
    if not found:
        raise Malformed("this .npz file holds no arrays")
    return _table_of(found)


def _npz_arrays(source: Source, rows: int | None) -> Iterator[tuple[str, tuple[Array, Shape]]]:
    """(name, (array, shape in the file)) of each array."""
    try:
        # One that is packed once more would be unpacked anew at every look at its directory, which stands at the end.
        file: Any = io.BytesIO(source.read(MAX_BYTES + 1)) if isinstance(source.file, gzip.GzipFile) else source.file
        with zipfile.ZipFile(file) as folder:
            members = [member for member in folder.infolist() if member.filename.endswith(".npy")]
            if sum(member.file_size for member in members) > MAX_BYTES:
                raise Malformed("this unpacks to more than 1 GiB")
            for member in members:
                name = member.filename[:-len(".npy")]
                with folder.open(member) as content:
                    try:
                        found = _npy_array(Source(content), rows)
                    except Malformed as problem:
                        raise Malformed("%s: %s" % (member.filename, problem)) from problem
                yield name, found
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, zlib.error) as error:
        raise Malformed("this .npz file cannot be unpacked (%s)" % error) from error


# --- lines ---

def _csv_file(source: Source, rows: int | None, dummy_stem: str) -> Table:
    """The first line names the columns. Whole numbers become int64, other numbers float64, all else strings."""
    lines = csv.reader((text for dummy, text in source.lines()), strict=True)
    table: list[list[str]] = []
    numbers: list[int] = []  # of their lines
    try:
        names = next(lines, [])
        _look_at_header(names)
        for cells in lines:
            if not cells:
                continue
            if len(cells) != len(names):
                raise Malformed("line %d has %d values, and line 1 names %d columns" % (lines.line_num, len(cells), len(names)))
            table.append(cells)
            numbers.append(lines.line_num)
            if len(table) == rows:
                break
    except csv.Error as error:
        raise Malformed("line %d is no CSV (%s)" % (lines.line_num, error)) from error
    columns = {name: _csv_column(name, [cells[place] for cells in table], numbers) for place, name in enumerate(names)}
    return Table(columns, {name: len(table) for name in names})


def _look_at_header(names: Sequence[str]) -> None:
    if not any(name.strip() for name in names):
        raise Malformed("line 1 is empty: it has to name the columns")
    if _is_numbers(_typed(names)):
        raise Malformed("line 1 holds numbers: it has to name the columns")
    for name in names:
        if not name.strip() or names.count(name) > 1:
            raise Malformed("line 1 has the column name %r %s" % (name, "twice" if name.strip() else "where a name should be"))


def _csv_column(name: str, cells: Sequence[str], numbers: Sequence[int]) -> Array:
    """numbers: of the lines that the cells stand in."""
    column = _typed(cells)
    if "" in cells:
        filled = [cell for cell in cells if cell]
        if filled and _is_numbers(_typed(filled)):
            raise Malformed("line %d has no value for the column %s, whose others are numbers" % (numbers[cells.index("")], name))
    return column


def _typed(cells: Sequence[str]) -> Array:
    """Cells as the narrowest of int64, float64 and strings that holds all of them."""
    if "_" not in "".join(cells):  # which Python allows within numbers
        for kind, number in (("i8", int), ("f8", float)):
            try:
                return numpy.array([number(cell) for cell in cells], kind)
            except (ValueError, OverflowError):
                pass
    return strings([cell.encode() for cell in cells])


def _is_numbers(array: Array) -> bool:
    return array.dtype.kind != "O"


def _jsonl_file(source: Source, rows: int | None, dummy_stem: str) -> Table:
    """An object a line, {column: value}: what stands in the list `instances` of a request to TensorFlow Serving's REST API."""
    found: dict[str, list[Array]] = {}  # column: what each line has
    first = count = 0
    for number, text in source.lines():
        if not text.strip():
            continue
        row = _json_row(text, number)
        if not count:
            first, found = number, {name: [] for name in row}
        for missing, there, other in ((found.keys() - row, number, first), (row.keys() - found, first, number)):
            if missing:
                raise Malformed("line %d lacks %s, which line %d has" % (there, ", ".join(sorted(missing)), other))
        for name, value in row.items():
            try:
                found[name].append(_json_array(value))
                _look_at_row(found[name][-1], found[name][0], first)
            except Malformed as problem:
                raise Malformed("line %d: %s %s" % (number, name, problem)) from problem
        count += 1
        if count == rows:
            break
    return Table({name: numpy.stack(column) for name, column in found.items()}, {name: count for name in found})


def _json_row(text: str, number: int) -> dict[str, Any]:
    try:
        row = json.loads(text, object_hook=_binary)
    except (ValueError, RecursionError) as error:
        raise Malformed("line %d is no JSON (%s)" % (number, error)) from error
    if not isinstance(row, dict) or not row:
        raise Malformed('line %d is no object such as {"images": [0.1, 0.2], "labels": 3}' % number)
    return row


def _look_at_row(array: Array, other: Array, first: int) -> None:
    """other: that of the first line."""
    if array.shape != other.shape:
        raise Malformed("has the shape %s, and in line %d %s" % (list(array.shape), first, list(other.shape)))
    if _is_numbers(array) != _is_numbers(other):
        words = ["numbers" if _is_numbers(one) else "strings" for one in (array, other)]
        raise Malformed("holds %s, and in line %d %s" % (words[0], first, words[1]))


def _binary(value: dict[str, Any]) -> Any:
    """{"b64": TEXT} stands for bytes."""
    if value.keys() == {"b64"} and isinstance(value["b64"], str):
        return base64.b64decode(value["b64"], validate=True)
    return value


def _json_array(value: Any) -> Array:
    leaf = value
    while isinstance(leaf, list) and leaf:
        leaf = leaf[0]
    try:
        if isinstance(leaf, (str, bytes)):
            array: Array = numpy.array(value, object)
            leaves = [leaf.encode() if isinstance(leaf, str) else leaf for leaf in array.reshape(-1).tolist()]
            if all(isinstance(leaf, bytes) for leaf in leaves):
                return strings(leaves, array.shape)
        else:
            array = numpy.asarray(value)
            if array.dtype.kind in "biuf":
                return array
    except (ValueError, OverflowError):
        pass
    raise Malformed("is neither numbers nor strings, or its lists are not of one length")


# --- records ---

def _tfrecord_file(source: Source, rows: int | None, dummy_stem: str) -> Table:
    """tf.Examples: a column for each feature, and the column `examples` with all as they are."""
    found: list[bytes] = []
    file: Any = source
    try:
        for data in tfrecord.records(file, MAX_BYTES, crc32c):
            found.append(data)
            if len(found) == rows:
                break
    except Malformed as problem:
        raise Malformed("record %d: %s" % (len(found) + 1, problem)) from problem
    columns, left_out = examples.parse(found)
    columns["examples"] = strings(found)
    return Table(columns, {name: len(found) for name in columns}, left_out=left_out)


CRC_BLOCK = 1024


def crc32c(data: bytes) -> int:
    """What tfrecord.crc32c() gives, twenty times as fast where data is long.

    The sum is linear: each byte adds what its value and its distance from the end make of it, which a table tells. Zeros in
    front add nothing, so blocks can be filled up; what the sum starts with is the same as having the first four bytes
    inverted.
    """
    if len(data) < 256:
        return tfrecord.crc32c(data)
    padded = numpy.zeros(-(-len(data) // CRC_BLOCK) * CRC_BLOCK, numpy.uint8)
    content = padded[len(padded) - len(data):]
    content[:] = numpy.frombuffer(data, numpy.uint8)
    content[:4] ^= 0xFF
    table = _crc_table()
    flat = table.reshape(-1)
    first, second, third, fourth = table[:4].tolist()
    crc: int = 0
    for start in range(0, len(padded), CRC_BLOCK * 256):  # a part at a time, for the sake of memory
        blocks = padded[start:start + CRC_BLOCK * 256].reshape(-1, CRC_BLOCK)
        for block in numpy.bitwise_xor.reduce(flat[numpy.arange(CRC_BLOCK) * 256 + blocks], axis=1).tolist():
            crc = first[crc & 0xFF] ^ second[crc >> 8 & 0xFF] ^ third[crc >> 16 & 0xFF] ^ fourth[crc >> 24] ^ block
    return crc ^ 0xFFFFFFFF


@functools.lru_cache(maxsize=None)
def _crc_table() -> Array:
    """[place in a block][byte] -> its part of the sum."""
    table = numpy.empty((CRC_BLOCK, 256), numpy.uint32)
    last = table[-1] = numpy.array(tfrecord.TABLE, numpy.uint32)
    for place in range(CRC_BLOCK - 2, -1, -1):
        table[place] = last[table[place + 1] & 0xFF] ^ table[place + 1] >> 8
    return table


IDX = "-idx"  # stands for all of its endings
READERS: dict[str, Callable[[Source, int | None, str], Table]] = {
    ".npz": _npz_file, ".npy": _npy_file, ".csv": _csv_file, ".jsonl": _jsonl_file, ".tfrecord": _tfrecord_file, IDX: _idx_file,
}
ONE_ARRAY = (".npy", IDX)
ENDINGS = ".npz, .npy, .csv, .jsonl, .tfrecord or -idx3-ubyte (IDX of any rank), each also with .gz"
