# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Arrays as they lie in memory: IDX, .npy and .npz. No pickle is opened."""
from __future__ import annotations

import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats import source as limits
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats.source import Source
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats.table import Found, Shape, Table, of_arrays
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import Array, strings

try:
    import numpy
except ImportError:
    pass  # an action's NEEDS say so in words


def _values(source: Source, kind: numpy.dtype[Any], shape: Shape, rows: int | None, fortran: bool = False) -> Array:
    """The first rows of an array that lies in a file as it is in memory. To the end, for a file that is cut off is no dataset."""
    if min(shape, default=0) < 0 or kind.itemsize * math.prod(shape) > limits.MAX_BYTES:
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


def idx(source: Source, rows: int | None, stem: str) -> Table:
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


def npy(source: Source, rows: int | None, stem: str) -> Table:
    return of_arrays({stem: npy_array(source, rows)}, {})


def npy_array(source: Source, rows: int | None) -> tuple[Array, Shape]:
    """(array, shape that it has in the file)"""
    form: Any = numpy.lib.format
    try:
        version = form.read_magic(source)
        reader = {(1, 0): form.read_array_header_1_0, (2, 0): form.read_array_header_2_0}.get(version)
        if reader is None:
            raise Malformed("this is an .npy file of version %d.%d, known are 1.0 and 2.0" % version)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that Python 2 wrote it
            shape, fortran, kind = reader(source)
    except (Malformed, EOFError, OSError, zlib.error):
        raise
    except Exception as error:  # its header is Python text, in which anything can go wrong
        raise Malformed("this is no .npy file (%s)" % str(error).partition("\n")[0][:200]) from error
    if kind.kind == "O":
        raise Malformed("this holds Python objects (type object), which only pickle could read, and pickle runs what is in a file:"
                        " save numbers, bool or text of one shape, such as x.astype(str)")
    if kind.kind not in "biufcSU" or kind.subdtype:
        raise Malformed("this holds values of type %s, which cannot be read: use numbers, bool or strings" % kind)
    return _values(source, kind, shape, rows, fortran), shape


def npz(folder: zipfile.ZipFile, rows: int | None) -> Table:
    """A column for each array. What cannot be read is left out, for nobody may want it."""
    found: Found = {}
    left_out: dict[str, str] = {}
    for name, array in npz_arrays(folder, rows):
        if isinstance(array, Malformed):
            left_out[name] = str(array)
        else:
            found[name] = array
    return of_arrays(found, left_out)


def npz_arrays(folder: zipfile.ZipFile, rows: int | None) -> Iterator[tuple[str, tuple[Array, Shape] | Malformed]]:
    """(name, (array, shape in the file)) of each array, or what is wrong with it."""
    members = [member for member in folder.infolist() if member.filename.endswith(".npy")]
    if sum(member.file_size for member in members) > limits.MAX_BYTES:
        raise Malformed("this unpacks to more than 1 GiB")
    for member in members:
        with folder.open(member) as content:
            try:
                yield member.filename[:-len(".npy")], npy_array(Source(content), rows)
            except Malformed as problem:
                yield member.filename[:-len(".npy")], problem
