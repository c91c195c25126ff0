"""Files of records: what TensorFlow writes is read, and the other way round."""
from __future__ import annotations

import io
import struct

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils import tfrecord
from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed


def read(data, longest=1 << 20, **options):
    return list(tfrecord.records(io.BytesIO(data), longest, **options))


@pytest.mark.parametrize(("data", "crc"), [
    (b"", 0), (b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E),
])
def test_the_sum_is_that_of_rfc_3720(data, crc):
    assert tfrecord.crc32c(data) == tfrecord.crc32c(memoryview(data)) == crc


@pytest.mark.parametrize("crc", [0, 1, 0x7FFF, 0xE3069283, 0xFFFFFFFF])
def test_it_is_rotated_and_moved_on(crc):
    rotated = (crc >> 15) | (crc << 17 & 0xFFFFFFFF)
    assert tfrecord.masked(crc) == (rotated + 0xA282EAD8) % (1 << 32)


def test_there_and_back():
    contents = [b"", b"a", bytes(1000), b"123456789"]
    data = b"".join(map(tfrecord.record, contents))
    assert read(data, longest=1000) == contents
    assert read(b"") == []
    assert data.startswith(bytes(8)) and len(data) == sum(16 + len(content) for content in contents)
    head = tfrecord.record(b"123456789")
    assert head[:8] == struct.pack("<Q", 9)
    assert head[8:12] == struct.pack("<I", tfrecord.masked(tfrecord.crc32c(head[:8])))
    assert head[12:] == b"123456789" + struct.pack("<I", tfrecord.masked(0xE3069283))


def test_cut_off_anywhere():
    data = tfrecord.record(b"first") + tfrecord.record(b"second")
    for length in range(1, len(data)):
        if length == len(tfrecord.record(b"first")):
            assert read(data[:length]) == [b"first"]
            continue
        with pytest.raises(Malformed, match="cut off"):
            read(data[:length])


@pytest.mark.parametrize(("at", "words"), [
    (0, "length has a wrong"), (9, "length has a wrong"), (13, "content has a wrong"), (-1, "content has a wrong"),
])
def test_one_wrong_byte(at, words):
    data = bytearray(tfrecord.record(b"123456789"))
    data[at] ^= 1
    with pytest.raises(Malformed, match=words):
        read(bytes(data))


def test_a_record_that_cannot_be_that_long():
    length = struct.pack("<Q", 1 << 60)
    with pytest.raises(Malformed, match="cut off"):
        read(length + struct.pack("<I", tfrecord.masked(tfrecord.crc32c(length))))
    assert read(tfrecord.record(b"abc"), longest=3) == [b"abc"]
    with pytest.raises(Malformed, match="cut off"):
        read(tfrecord.record(b"abc"), longest=2)


def test_somebody_elses_sum():
    asked = []
    assert read(tfrecord.record(b"abc"), content_crc=lambda data: asked.append(data) or tfrecord.crc32c(data)) == [b"abc"]
    assert asked == [b"abc"]
