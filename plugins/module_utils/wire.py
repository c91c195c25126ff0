# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The protobuf wire format with the standard library alone, read and written: the NAS node has nothing else."""

import mmap
from typing import Iterator, List, Tuple, Union

Data = Union[bytes, bytearray, memoryview, mmap.mmap]
Span = Tuple[int, int]  # where something begins, and where what follows it begins
Value = Union[int, Span, bytes]  # of a field: a number, the span of what is nested, or as many bytes as its kind always has


class Malformed(Exception):
    """Bytes that are not a protobuf message of the expected kind."""


def varint(data: Data, at: int, end: int) -> Tuple[int, int]:
    """The number that begins at `at`, and where what follows it begins."""
    value = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift > 63:
            break
    raise Malformed("a number at byte %d does not end" % at)


def fields(data: Data, span: Span) -> Iterator[Tuple[int, Value]]:
    """(field number, value) of one message."""
    at, end = span
    while at < end:
        tag, at = varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        value: Value
        if kind == 0:
            value, at = varint(data, at, end)
        elif kind == 2:
            length, start = varint(data, at, end)
            at = start + length
            value = (start, at)
        elif kind in (1, 5):
            start, at = at, at + (8 if kind == 1 else 4)
            value = bytes(data[start:at])
        else:
            raise Malformed("wire type %d at byte %d" % (kind, at))
        if number == 0 or at > end:
            raise Malformed("field %d at byte %d leads out of its message" % (number, at))
        yield number, value


def messages(data: Data, span: Span, wanted: int) -> Iterator[Span]:
    """The spans of a message field; another kind of value in its place means that this is another kind of file."""
    for number, value in fields(data, span):
        if number == wanted:
            if not isinstance(value, tuple):
                raise Malformed("field %d is not a message" % number)
            yield value


def text(data: Data, span: Span) -> str:
    return bytes(data[span[0]:span[1]]).decode("utf-8", "replace")


def texts(data: Data, span: Span, wanted: int) -> List[str]:
    return [text(data, part) for part in messages(data, span, wanted)]


def last_text(data: Data, span: Span, wanted: int) -> str:
    """Of a field that is there once; where it is repeated the last one counts, and '' where it is missing."""
    return "".join(texts(data, span, wanted)[-1:])


def map_entries(data: Data, span: Span, wanted: int) -> Iterator[Tuple[str, Span]]:
    """(key, span of the value) of each entry of a map<string, message>."""
    for entry in messages(data, span, wanted):
        key = last_text(data, entry, 1)
        for value in messages(data, entry, 2):
            yield key, value


def varint_bytes(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes((value,))


def field(number: int, value: Union[int, str, bytes]) -> bytes:
    """One field as bytes: a whole number from 0, or what is nested (str or bytes)."""
    if isinstance(value, int):
        return varint_bytes(number << 3) + varint_bytes(value)
    nested = value.encode() if isinstance(value, str) else value
    return varint_bytes(number << 3 | 2) + varint_bytes(len(nested)) + nested
