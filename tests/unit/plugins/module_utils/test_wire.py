"""The wire format against the messages of the official implementation, and what is not of it."""
from __future__ import annotations

import mmap

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils import wire
from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed

HIGHEST = (1 << 64) - 1


def whole(data):
    return 0, len(data)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 1 << 14, (1 << 14) - 1, 1 << 63, HIGHEST])
def test_numbers_there_and_back(number):
    data = wire.varint_bytes(number)
    assert wire.varint(data, 0, len(data)) == (number, len(data))
    assert wire.varint(b"\xff" + data + b"\xff", 1, len(data) + 2) == (number, len(data) + 1)
    with pytest.raises(Malformed, match="at byte %d does not end" % (len(data) - 1)):
        wire.varint(data, 0, len(data) - 1)


def test_numbers_are_at_most_ten_bytes_of_which_64_bits_count():
    assert wire.varint(b"\xff" * 9 + b"\x7f", 0, 10) == (HIGHEST, 10)
    with pytest.raises(Malformed, match="at byte 10 does not end"):
        wire.varint(b"\x80" * 10 + b"\x01", 0, 11)


def test_bytes_of_a_number():
    """The specification's own example."""
    assert wire.varint_bytes(150) == b"\x96\x01"
    assert wire.field(1, 150) == b"\x08\x96\x01"
    assert wire.field(2, "testing") == b"\x12\x07testing" == wire.field(2, b"testing")
    assert wire.field(16, "é") == b"\x82\x01\x02\xc3\xa9"


def test_all_kinds_of_fields():
    data = wire.field(1, 7) + wire.field(2, "abc") + b"\x19" + bytes(8) + b"\x25" + bytes(4) + wire.field(5, "")
    assert list(wire.fields(data, whole(data))) == [(1, 7), (2, (4, 7)), (3, bytes(8)), (4, bytes(4)), (5, (23, 23))]
    assert list(wire.fields(data, (2, 7))) == [(2, (4, 7))]
    assert list(wire.fields(data, (0, 0))) == []


@pytest.mark.parametrize(("data", "words"), [
    (b"\x12\x04abc", "field 2 at byte 6 leads out"), (b"\x19" + bytes(7), "field 3 at byte 9 leads out"),
    (b"\x25" + bytes(3), "field 4 at byte 5 leads out"), (b"\x00\x00", "field 0 at byte 2"), (b"\x0b", "wire type 3 at byte 1"),
    (b"\x0e", "wire type 6 at byte 1"), (b"\x08", "at byte 1 does not end"),
])
def test_what_is_not_a_message(data, words):
    with pytest.raises(Malformed, match=words):
        list(wire.fields(data, whole(data)))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_texts_and_messages(kind):
    data = kind(wire.field(1, "a") + wire.field(2, 5) + wire.field(1, b"\xff") + wire.field(3, wire.field(1, "deep")))
    assert wire.texts(data, whole(data), 1) == ["a", "�"]
    assert wire.last_text(data, whole(data), 1) == "�"
    assert wire.last_text(data, whole(data), 9) == ""
    (span,) = wire.messages(data, whole(data), 3)
    assert wire.texts(data, span, 1) == ["deep"]
    assert wire.text(data, span) == "\n\x04deep"
    with pytest.raises(Malformed, match="field 2 is not a message"):
        list(wire.messages(data, whole(data), 2))


def test_a_mapped_file(tmp_path):
    (tmp_path / "x").write_bytes(wire.field(1, "abc"))
    with open(str(tmp_path / "x"), "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        assert wire.texts(data, whole(data), 1) == ["abc"]


def test_maps():
    def entry(key, value):
        return wire.field(7, wire.field(1, key) + wire.field(2, value))

    without_key, without_value = wire.field(7, wire.field(2, "z")), wire.field(7, wire.field(1, "c"))
    data = entry("a", "x") + wire.field(1, 1) + entry("b", "yy") + without_key + without_value
    found = [(key, wire.text(data, span)) for key, span in wire.map_entries(data, whole(data), 7)]
    assert found == [("a", "x"), ("b", "yy"), ("", "z")]
