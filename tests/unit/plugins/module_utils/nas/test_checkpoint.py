"""The index of a checkpoint, and what it says of the shards beside it."""
from __future__ import annotations

import os

import pytest
from saved_models import INDEX_END, block, field, index, table, varint

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import checkpoint
from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed

WEIGHTS = {"dense/kernel": b"k" * 31360, "dense/bias": b"b" * 40}


def written(folder, tensors=None, **files):
    """variables/ of one shard; files: what stands in another's place."""
    tensors = WEIGHTS if tensors is None else tensors
    contents = {"variables.index": index(tensors), "variables.data-00000-of-00001": b"".join(tensors.values())}
    for name, content in {**contents, **files}.items():
        (folder / name).write_bytes(content)
    return str(folder)


def damaged(folder):
    with pytest.raises(Error) as caught:
        checkpoint.check(folder)
    assert caught.value.code == "variables_damaged"
    return caught.value.message


def test_tensors():
    shards, entries = checkpoint.read(index({"b": b"12", "a/b": b"345", "c": b"6"}, shards=2))
    assert shards == 2
    assert [entry[:5] for entry in entries] == [("a/b", 4, 1, 0, 3), ("b", 4, 0, 0, 2), ("c", 4, 0, 2, 1)]
    assert not any(entry.sliced for entry in entries)


def test_many_blocks_with_common_beginnings():
    names = ["layer_%d/kernel" % number for number in range(500)]
    dummy, entries = checkpoint.read(index(dict.fromkeys(names, b"1"), per_block=7))
    assert [entry.name for entry in entries] == sorted(names)


def test_whole(tmp_path):
    checkpoint.check(written(tmp_path))
    (tmp_path / "variables.data-00000-of-00001").open("ab").write(b"more than is needed")
    checkpoint.check(str(tmp_path))


@pytest.mark.parametrize("size", [0, 1000, 31399])
def test_weights_cut_short(tmp_path, size):
    shard = "variables.data-00000-of-00001"
    message = damaged(written(tmp_path, **{shard: b"".join(WEIGHTS.values())[:size]}))
    assert message == (
        "variables/%s has %d bytes, and variables/variables.index says that it has 31400: it is cut off, or the index is another"
        " model's. Copy or export both again." % (shard, size))


def test_an_index_of_another_model(tmp_path):
    assert "says that it has 31400" in damaged(written(tmp_path, {"x": b"12"}, **{"variables.index": index(WEIGHTS)}))
    other = {name: content.upper() for name, content in WEIGHTS.items()}  # of the same sizes
    assert "(dense/bias has a wrong check sum)" in damaged(written(tmp_path, **{"variables.index": index(other)}))


def test_sums_of_what_is_small(tmp_path, monkeypatch):
    """The smallest tensors first, up to a limit."""
    monkeypatch.setattr(checkpoint, "SUMMED", 40)
    tensors = {**WEIGHTS, "dense/kernel": b"K" * 31360}
    checkpoint.check(written(tmp_path, **{"variables.index": index(tensors)}))
    monkeypatch.setattr(checkpoint, "SUMMED", 31400)
    assert "dense/kernel" in damaged(str(tmp_path))


@pytest.mark.parametrize("dtype", checkpoint.UNSUMMED)
def test_sums_of_text_are_of_something_else(tmp_path, dtype):
    checkpoint.check(written(tmp_path, {"a": b"12"}, **{"variables.index": index({"a": b"34"}, dtype=dtype)}))
    assert "wrong check sum" in damaged(written(tmp_path, {"a": b"12"}, **{"variables.index": index({"a": b"34"}, dtype=1)}))


def test_a_tensor_in_slices_lies_where_its_slices_do(tmp_path):
    """Its own entry names shard 0 and no bytes."""
    whole = field(1, 1) + field(2, field(2, field(1, 9))) + field(7, b"")
    part = field(1, 1) + field(3, 1) + field(5, 3)
    written(tmp_path, **{"variables.index": table([(b"", field(1, 2)), (b"\0w\0slice", part), (b"w", whole)])})
    (tmp_path / "variables.data-00001-of-00002").write_bytes(b"abc")
    checkpoint.check(str(tmp_path))
    (tmp_path / "variables.data-00001-of-00002").write_bytes(b"ab")
    assert "variables.data-00001-of-00002 has 2 bytes" in damaged(str(tmp_path))


def test_what_only_snappy_reads_is_left_to_the_server(tmp_path):
    pairs = [(b"", field(1, 1))]
    packed = bytearray(table(pairs))
    packed[len(block(pairs)) - 5] = 1
    with pytest.raises(checkpoint.Compressed):
        checkpoint.read(bytes(packed))
    checkpoint.check(written(tmp_path, **{"variables.index": bytes(packed)}))


def test_an_index_too_large_to_look_into(tmp_path, monkeypatch):
    folder = written(tmp_path, **{"variables.data-00000-of-00001": b""})
    monkeypatch.setattr(checkpoint, "LARGEST_INDEX", os.path.getsize(tmp_path / "variables.index") - 1)
    checkpoint.check(folder)
    monkeypatch.setattr(checkpoint, "LARGEST_INDEX", os.path.getsize(tmp_path / "variables.index"))
    damaged(folder)


def test_a_changed_bit_is_found(tmp_path):
    whole = index(WEIGHTS)
    for at in range(0, whole.index(INDEX_END) - 60, 7):
        changed = bytearray(whole)
        changed[at] ^= 4
        try:
            checkpoint.check(written(tmp_path, **{"variables.index": bytes(changed)}))
        except Error as error:
            assert error.code in ("variables_damaged", "variables_missing")
        else:
            # In the block that tells of the table, which nobody reads.
            assert at >= len(block([(b"", b""), *((key.encode(), b"x" * 20) for key in WEIGHTS)]))


def footed(handles, blocks=b""):
    return blocks + b"".join(varint(number) for number in handles).ljust(40, b"\0") + INDEX_END


HOSTILE_KEY = varint(0) + varint(checkpoint.LONGEST_KEY + 1) + varint(0) + b"k" * (checkpoint.LONGEST_KEY + 1)


@pytest.mark.parametrize(("content", "words"), [
    (b"", "does not end"), (INDEX_END, "does not end"), (index({})[:-1], "does not end"), (bytes(48), "does not end"),
    (footed([0, 0, 0, 8]), "leads out of it"),
    (footed([0, 0, 1 << 63, 8], bytes(20)), "leads out of it"),
    (footed([0, 0, 0, 2], bytes(20)), "is none"),
    (footed([0, 0, 0, 8], b"\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0"), "is none"),
    (footed([0, 0, 0, 8], bytes(13)), "is none"),
    (footed([0, 0, 0, 10], varint(1) + b"\0" + b"\0\0\0\0\1\0\0\0\0\0\0\0\0"), "does not end"),
    (footed([0, 0, 0, 11], b"\1\0\0" + b"\0\0\0\0\1\0\0\0\0\0\0\0\0"), "leads out of its block"),
    (footed([0, 0, 0, len(HOSTILE_KEY) + 8], HOSTILE_KEY + b"\0\0\0\0\1\0\0\0\0\0\0\0\0"), "leads out of its block"),
])
def test_what_is_no_index(content, words):
    with pytest.raises(Malformed, match=words):
        checkpoint.read(content)


def test_no_block_is_read_twice():
    """Or an index of some MB would be read for hours."""
    first = block([(b"", field(1, 1))])
    handle = varint(0) + varint(len(first) - 5)
    places = block([(b"a", handle), (b"b", handle)], 1)
    with pytest.raises(Malformed, match="leads out of it"):
        checkpoint.read(footed([0, 0, len(first), len(places) - 5], first + places))
