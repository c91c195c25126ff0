# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""TensorFlow's file of records, read and written with the standard library alone, for the NAS node has nothing else.

Each record: length (8 bytes, little-endian), its sum, content, its sum. The sums are CRC-32C, rotated and moved on.
"""

import struct
from typing import BinaryIO, Callable, Iterator, List, Union

from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed


def _table() -> List[int]:
    """CRC-32C (Castagnoli), reflected: zlib has another polynomial."""
    table = []
    for value in range(256):
        for dummy in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


TABLE = _table()


def crc32c(data: Union[bytes, bytearray, memoryview]) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(file: BinaryIO, longest: int, content_crc: Callable[[bytes], int] = crc32c) -> Iterator[bytes]:
    """The contents of the records in a file, checked. longest: bytes that a record can have at most, such as the file's size.

    content_crc: whoever has numpy knows a faster one.
    """
    while True:
        head = file.read(12)
        if not head:
            return
        if len(head) < 12:
            raise Malformed("the file is cut off")
        length, total = struct.unpack("<QI", head)
        if total != masked(crc32c(head[:8])):
            raise Malformed("its length has a wrong check sum")
        if length > longest:
            raise Malformed("the file is cut off")
        data = file.read(length)
        tail = file.read(4)
        if len(data) < length or len(tail) < 4:
            raise Malformed("the file is cut off")
        if struct.unpack("<I", tail)[0] != masked(content_crc(data)):
            raise Malformed("its content has a wrong check sum")
        yield data


def record(data: bytes) -> bytes:
    """One record as bytes."""
    length = struct.pack("<Q", len(data))
    return b"".join((
        length, struct.pack("<I", masked(crc32c(length))), data, struct.pack("<I", masked(crc32c(data))),
    ))
