# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The protobuf wire format with the standard library alone, read and written: the NAS node has nothing else."""
from __future__ import annotations


class Malformed(Exception):
    """Bytes that are no protobuf message of the expected kind."""


def varint(data, at, end):
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


def fields(data, span):
    """(field number, value) of one message; value is a number, or the (start, end) of what is nested."""
    at, end = span
    while at < end:
        tag, at = varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = varint(data, at, end)
        elif kind == 2:
            length, start = varint(data, at, end)
            at = start + length
            value = (start, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
            value = None
        else:
            raise Malformed("wire type %d at byte %d" % (kind, at))
        if number == 0 or at > end:
            raise Malformed("field %d at byte %d leads out of its message" % (number, at))
        yield number, value


def messages(data, span, wanted):
    """The spans of a message field; a number in its place means that this is another kind of file."""
    for number, value in fields(data, span):
        if number == wanted:
            if not isinstance(value, tuple):
                raise Malformed("field %d is not a message" % number)
            yield value


def text(data, span):
    return bytes(data[span[0]:span[1]]).decode("utf-8", "replace")


def texts(data, span, wanted):
    return [text(data, part) for part in messages(data, span, wanted)]


def map_entries(data, span, wanted):
    """(key, span of the value) of each entry of a map<string, message>."""
    for entry in messages(data, span, wanted):
        key = "".join(texts(data, entry, 1)[-1:])
        for value in messages(data, entry, 2):
            yield key, value


def varint_bytes(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes((value,))


def field(number, value):
    """One field as bytes: a whole number from 0, or what is nested (str or bytes)."""
    if isinstance(value, int):
        return varint_bytes(number << 3) + varint_bytes(value)
    if isinstance(value, str):
        value = value.encode()
    return varint_bytes(number << 3 | 2) + varint_bytes(len(value)) + value
