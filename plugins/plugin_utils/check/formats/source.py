# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A dataset's file as it is read: unpacked by what its first bytes say, piece by piece, and not further than 1 GiB."""
from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
from collections.abc import Iterator
from typing import IO, Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed

MAX_BYTES = 1 << 30  # of one file, packed or not: a test set is smaller, a gzip bomb is not
MAX_LINE = 1 << 26
MOST_LAYERS = 4  # a server's gzip around gzip is two
CHUNK = 1 << 20
HEAD = 4096  # bytes that tell what a file is

PACKED: dict[bytes, Any] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file, mode="rb"),  # one within another has a mode that it does not know
    b"BZh": bz2.BZ2File, b"\xfd7zXZ\0": lzma.LZMAFile,
}


def beginning(file: IO[bytes]) -> bytes:
    """The first bytes of a file, which is left at its start."""
    head = file.read(HEAD)
    file.seek(0)
    return head


def unpacked(file: IO[bytes]) -> IO[bytes]:
    """What is within gzip, bzip2 and xz, whatever the name says: a server may have packed it once more, or have unpacked it."""
    for dummy in range(MOST_LAYERS):
        head = beginning(file)
        kind = next((kind for magic, kind in PACKED.items() if head.startswith(magic)), None)
        if kind is None:
            return file
        file = kind(file)
    raise Malformed("this is packed more than %d times" % (MOST_LAYERS - 1))


class Source(io.RawIOBase):
    """A file that is read piece by piece, so that a claim costs no memory, and not further than 1 GiB."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.size = 0

    def _counted(self, data: bytes) -> bytes:
        self.size += len(data)
        if self.size > MAX_BYTES:
            raise Malformed("this is more than 1 GiB")
        return data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._counted(self.file.read(len(buffer)))
        buffer[:len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer where the file ends before."""
        chunks = []
        size = MAX_BYTES + 1 if size < 0 else size
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


def lines(source: Source, encoding: str) -> Iterator[str]:
    """The lines of a text, ended as Unix, Windows or an old Mac ends them.

    Bytes that are no UTF-8 come as surrogates: which encoding they are of is asked only where somebody needs them.
    """
    errors = "surrogateescape" if encoding == "utf-8-sig" else "strict"
    text = io.TextIOWrapper(io.BufferedReader(source), encoding, errors, newline="")
    number = 0
    try:
        while True:
            number += 1
            line = text.readline(MAX_LINE + 1)
            if not line:
                return
            if len(line) > MAX_LINE:
                raise Malformed("line %d is longer than %d MiB" % (number, MAX_LINE >> 20))
            if "\0" in line:
                raise Malformed("line %d holds a NUL byte, as no text does: the file is damaged" % number)
            yield line
    except UnicodeError:
        raise Malformed("line %d is no %s text" % (number, encoding.upper())) from None


MARKS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
CONTROLS = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")


def encoding_of(head: bytes) -> str | None:
    """Of a text, by its byte order mark, or by where the zeros of UTF-16 without one stand; None of what is no text."""
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding
    for first, encoding in ((0, "utf-16-be"), (1, "utf-16-le")):
        zeros, others = head[first::2], head[1 - first::2]
        if len(zeros) > 1 and not zeros.strip(b"\0") and b"\0" not in others:
            return encoding
    return None if len(CONTROLS.findall(head)) * 20 > len(head) else "utf-8-sig"


def decoded(text: str, encoding: str) -> str:
    """A text of lines() whose bytes are in this encoding."""
    return text.encode("utf-8", "surrogateescape").decode(encoding, "replace")


def foreign(texts: list[str]) -> str | None:
    """The encoding of texts with bytes that are no UTF-8: gbk, cp1252, or None where only a guess would name one.

    Chinese letters are pairs of high bytes, most of them of the common ones; Western Europe's stand alone, or seldom two together.
    """
    runs = [run for text in texts for run in _high_runs(text.encode("utf-8", "surrogateescape"))]
    common = [0xA1 <= byte <= 0xD7 for run in runs for byte in run[::2]]
    try:
        if all(len(run) % 2 == 0 and run.decode("gb2312") for run in runs) and sum(common) * 2 > len(common):
            return "gbk"
    except UnicodeDecodeError:
        pass
    damaged = any(not text.isascii() and not undecoded(text) for text in texts)  # some are UTF-8
    return None if damaged or max(map(len, runs)) > 2 else "cp1252"


def undecoded(text: str) -> bool:
    return any("\udc80" <= letter <= "\udcff" for letter in text)


def _high_runs(data: bytes) -> list[bytes]:
    return bytes(byte if byte > 0x7F else 0x20 for byte in data).split()
