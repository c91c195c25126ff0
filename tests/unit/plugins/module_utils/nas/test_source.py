"""Bytes that are read ahead: all of them, in order, never more than a few chunks, and the reader's trouble is not lost."""
from __future__ import annotations

import hashlib
import threading

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import source as _source
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.source import Source


def given(*chunks):
    return iter([*chunks, b""]).__next__


def test_all_in_order_counted_and_summed():
    with Source(given(b"ab", b"c", b"def")) as source:
        assert (source.next(), source.next()) == (b"ab", b"c")
        assert source.rest() == (6, hashlib.sha256(b"abcdef").hexdigest())
        assert source.next() == b"" and source.rest()[0] == 6
    assert Source(given(), "/srv/x").path == "/srv/x"


def test_no_more_than_a_few_chunks_wait(monkeypatch):
    monkeypatch.setattr(_source, "AHEAD", 3)
    read, enough = [], threading.Event()

    def read_chunk():
        read.append(1)
        if len(read) == 4:
            enough.set()
        return b"x" if len(read) < 100 else b""

    with Source(read_chunk) as source:
        assert enough.wait(10)
        source._thread.join(0.05)
        assert len(read) == 4, "three wait, one is held"
        assert source.rest()[0] == 99
    assert (_source.AHEAD, _source.CHUNK) == (3, 1 << 20)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError(), KeyboardInterrupt()])
def test_trouble_comes_to_the_one_who_reads(error):
    def read_chunk():
        if not chunks:
            raise error
        return chunks.pop()

    chunks = [b"a"]
    with Source(read_chunk) as source:
        assert source.next() == b"a"
        with pytest.raises(type(error)) as caught:
            source.next()
        assert caught.value is error
        assert source.next() == b"", "nobody waits for more"


def test_who_leaves_early_leaves_no_reader_behind():
    """Its file is closed then, and the next one that is opened gets the number of it."""
    read = []
    with Source(lambda: read.append(1) or b"x") as source:
        source.next()
    assert not source._thread.is_alive()
    before = len(read)
    threading.Event().wait(0.02)
    assert len(read) == before
