# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does variables/ hold what its variables.index promises?

The index is a LevelDB table: blocks of sorted keys and values, then a block that says where those lie, then a footer. The first
value is a BundleHeaderProto, every other one a BundleEntryProto, which says in which shard a tensor lies, and where
(tensorflow/core/protobuf/tensor_bundle.proto, core/lib/io/format.cc). Servers read it when they load a version.
"""
import mmap
import os
import struct
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import nofollow
from ansible_collections.mlops.tf_serving.plugins.module_utils.tfrecord import crc32c, masked
from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Data, Malformed, Span, fields, varint

INDEX = "variables.index"
FOOTER, MAGIC = 48, bytes.fromhex("57fb808b247547db")
TRAILER = 5  # of a block: how it is compressed, and its sum
LONGEST_KEY = 1 << 16  # a variable's name
LARGEST_INDEX = 64 << 20  # of half a million tensors: what is larger is not looked into
# CRC-32C takes this Python a second for 10 MB, so of all that has a sum no more than this is compared with it. Sizes always are.
SUMMED = 1 << 18
UNSUMMED = (7, 20, 21)  # text, resources, variants: their sums are not those of their bytes


class Entry(NamedTuple):
    """Where a tensor lies. crc: None where nothing is said of it."""

    name: str
    dtype: int
    shard: int
    offset: int
    size: int
    crc: Optional[int]
    sliced: bool  # it has no bytes of its own: its parts are entries too


class Compressed(Exception):
    """A block that only Snappy can read. TensorFlow 1.0 wrote such."""


def read(data: Data) -> Tuple[int, List[Entry]]:
    """(the number of shards, the tensors) of an index. Raises Malformed or Compressed."""
    shards, entries, left = 1, [], SUMMED
    for start, end in _blocks(data):
        left -= end - start
        if left >= 0:
            _check_sum(data, start, end)
        for key, value in _pairs(data, start, end):
            if key:
                entries.append(_entry(data, key, value))
            else:
                shards = _number(data, value, 1)
    return shards, entries


def _blocks(data: Data) -> Iterator[Span]:
    """Where the keys and values lie."""
    if len(data) < FOOTER or data[len(data) - len(MAGIC):] != MAGIC:
        raise Malformed("it does not end as an index does")
    at = len(data) - FOOTER
    dummy, dummy, at = _handle(data, at, len(data))  # of what may be told of the table, which is nothing
    start, size, dummy = _handle(data, at, len(data))
    end = 0
    for place, limit in (value for dummy, value in _pairs(data, *_block(data, start, size, 0))):
        start, size, dummy = _handle(data, place, limit)
        yield _block(data, start, size, end)
        end = start + size  # blocks follow one another: none is read twice


def _handle(data: Data, at: int, limit: int) -> Tuple[int, int, int]:
    start, at = varint(data, at, limit)
    size, at = varint(data, at, limit)
    return start, size, at


def _block(data: Data, start: int, size: int, least: int) -> Span:
    if start < least or start + size + TRAILER > len(data) - FOOTER:
        raise Malformed("a block leads out of it")
    if data[start + size]:
        raise Compressed()
    return start, start + size


def _check_sum(data: Data, start: int, end: int) -> None:
    if struct.unpack("<I", data[end + 1:end + TRAILER])[0] != masked(crc32c(data[start:end + 1])):
        raise Malformed("the block at byte %d has a wrong check sum" % start)


def _pairs(data: Data, start: int, end: int) -> Iterator[Tuple[bytes, Span]]:
    """(key, where its value is) in one block, which ends in a list of places to begin at, and the length of that list."""
    restarts = struct.unpack("<I", data[end - 4:end])[0] if end - start >= 4 else 0
    limit = end - 4 - 4 * restarts
    if limit < start or not restarts:
        raise Malformed("the block at byte %d is none" % start)
    at, key = start, b""
    while at < limit:
        shared, at = varint(data, at, limit)  # with the key before
        more, at = varint(data, at, limit)
        size, at = varint(data, at, limit)
        if shared > len(key) or shared + more > LONGEST_KEY or at + more + size > limit:
            raise Malformed("a key at byte %d leads out of its block" % at)
        key = key[:shared] + bytes(data[at:at + more])
        at += more + size
        yield key, (at - size, at)


def _number(data: Data, span: Span, wanted: int) -> int:
    return next((value for number, value in fields(data, span) if number == wanted and isinstance(value, int)), 0)


def _entry(data: Data, key: bytes, span: Span) -> Entry:
    numbers: Dict[int, int] = {}
    sliced = False
    for number, value in fields(data, span):
        if isinstance(value, bytes):
            numbers[number] = int.from_bytes(value, "little")
        elif isinstance(value, int):
            numbers[number] = value
        else:
            sliced = sliced or number == 7
    return Entry(
        key.decode("utf-8", "replace"), numbers.get(1, 0), numbers.get(3, 0), numbers.get(4, 0), numbers.get(5, 0), numbers.get(6),
        sliced,
    )


def check(folder: str) -> None:
    """An Error where a server could not restore the variables in the folder variables/."""
    try:
        with nofollow.reading(os.path.join(folder, INDEX)) as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST_INDEX:
                return
            if not size:
                raise Malformed("it is empty")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                shards, entries = read(data)
    except Compressed:
        return
    except Malformed as problem:
        raise Error(
            "variables/%s is damaged or cut off (%s). Export and pack the model again." % (INDEX, problem), "variables_damaged"
        ) from None
    _check_shards(folder, shards, [entry for entry in entries if not entry.sliced])  # slices are entries of their own


def _check_shards(folder: str, shards: int, entries: List[Entry]) -> None:
    needed: Dict[int, int] = {}
    for entry in entries:
        needed[entry.shard] = max(needed.get(entry.shard, 0), entry.offset + entry.size)
    names = {shard: "variables.data-%05d-of-%05d" % (shard, shards) for shard in needed}
    sizes = {shard: _size(os.path.join(folder, name)) for shard, name in names.items()}
    missing = [names[shard] for shard in sorted(needed) if sizes[shard] < 0]
    if missing:
        raise Error(
            "The model has variables, but variables/%s is missing%s. Pack the whole version folder."
            % (missing[0], " (and %d more)" % (len(missing) - 1) if missing[1:] else ""), "variables_missing", missing=missing,
        )
    for shard in sorted(needed):
        if sizes[shard] < needed[shard]:
            raise Error(
                "variables/%s has %d bytes, and variables/%s says that it has %d: it is cut off, or the index is another model's."
                " Copy or export both again." % (names[shard], sizes[shard], INDEX, needed[shard]), "variables_damaged",
            )
    _check_tensors(folder, names, entries)


def _size(path: str) -> int:
    return nofollow.lstat(path).st_size if nofollow.kind(path) == "file" else -1


def _check_tensors(folder: str, names: Dict[int, str], entries: List[Entry]) -> None:
    """The small ones against their sums, which tells weights that were trained otherwise."""
    left = SUMMED
    for entry in sorted(entries, key=lambda entry: entry.size):
        left -= entry.size
        if left < 0:
            return
        if entry.dtype in UNSUMMED or entry.crc is None:
            continue
        with nofollow.reading(os.path.join(folder, names[entry.shard])) as file:
            file.seek(entry.offset)
            if masked(crc32c(file.read(entry.size))) != entry.crc:
                raise Error(
                    "variables/%s does not hold what variables/%s says of it (%s has a wrong check sum): it is damaged, or the index"
                    " is another model's. Copy or export both again." % (names[entry.shard], INDEX, entry.name), "variables_damaged",
                )
