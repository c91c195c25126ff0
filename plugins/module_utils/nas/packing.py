# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a stream of bytes is packed in, by its content, and the bytes inside, as they come."""
import errno
import importlib
import re
import tarfile
import zlib
from typing import Any, Callable, Dict, List, Tuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.source import CHUNK

# Largest read that a tar's own structure may ask for (long names, pax headers); file contents come in chunks.
MAX_HEADER = 4 << 20
MAX_WRAPPINGS = 3  # some are packed twice, by hand and by a web server
MAX_MEMORY = 256 << 20  # bytes that unpacking xz may take: xz -9 needs 65 MiB

ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
WANTED = "Wanted: .tar.gz, .tgz, .tar.bz2, .tar.xz, .tar.zst, .tar or .zip with the model in it"


def damaged(detail: object) -> Error:
    return Error(
        "The archive is damaged or cut off (%s). Download or pack it again; model_checksum tells a bad copy at once."
        % (str(detail) or type(detail).__name__), "archive_damaged",
    )


def guarded(function: Callable[..., Any], *args: Any) -> Any:
    """function(*args), where an archive's bytes may raise anything: ValueError, zlib.error, RecursionError ..."""
    try:
        return function(*args)
    except Error:
        raise
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # the disk or the NAS; EINVAL comes of seeking to nonsense
            raise
        raise damaged(error) from None
    except Exception as error:
        raise damaged(error) from None


class Forward:
    """A stream as a file that is read once, from its beginning to its end. more: gives the next bytes, b"" at the end.

    Single reads are bounded: a tar header may claim to be 20 GB long and would be read at once.
    """

    def __init__(self, more: Callable[[], bytes]) -> None:
        self._more = more
        self._chunk, self._used, self._at = b"", 0, 0
        self.last = b""  # what was read last

    def take(self) -> bytes:
        """The next bytes as they come, b"" at the end."""
        chunk = self._chunk[self._used:] or self._more()
        self._chunk, self._used = b"", 0
        self._at += len(chunk)
        return chunk

    def give_back(self, rest: bytes) -> None:
        self._chunk, self._used = rest + self._chunk[self._used:], 0
        self._at -= len(rest)

    def peek(self, size: int) -> bytes:
        start = self._gathered(size)
        self.give_back(start)
        return start

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_HEADER:
            raise tarfile.ReadError("a header of %d bytes" % size)
        self.last = self._gathered(size)
        return self.last

    def _gathered(self, size: int) -> bytes:
        """`size` bytes, fewer only at the end."""
        taken = self._chunk[self._used:self._used + size]
        self._used += len(taken)
        parts, missing = [taken], size - len(taken)
        while missing:
            self._chunk = self._more()
            self._used = min(missing, len(self._chunk))
            if not self._chunk:
                break
            parts.append(self._chunk[:self._used])
            missing -= self._used
        data = b"".join(parts)
        self._at += len(data)
        return data

    def tell(self) -> int:
        return self._at

    def seek(self, to: int) -> None:
        if to < self._at:
            raise tarfile.ReadError("it leads back")
        while self._at < to:
            if not self._gathered(min(CHUNK, to - self._at)):
                raise tarfile.ReadError("it is cut off")


class _Gunzip:
    """zlib with the manners of bz2's and lzma's decompressors."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        out = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self.needs_input = not self._zlib.unconsumed_tail
        return out


def _bunzip2() -> Any:
    import bz2

    return bz2.BZ2Decompressor()


def _unxz() -> Any:
    import lzma

    return lzma.LZMADecompressor(memlimit=MAX_MEMORY)


def _unzstd() -> Any:
    try:
        return importlib.import_module("compression.zstd").ZstdDecompressor()  # of Python 3.14
    except ImportError:
        module = importlib.import_module("zstandard")  # of others, where somebody has installed it
        return _Zstandard(module.ZstdDecompressor(max_window_size=MAX_MEMORY).decompressobj())


class _Zstandard:
    """The module zstandard, which knows no max_length: it is given little at a time instead, and gives it in pieces."""

    def __init__(self, decoder: Any) -> None:
        self._decoder, self._data, self._out = decoder, b"", b""

    @property
    def needs_input(self) -> bool:
        return not (self._data or self._out)

    @property
    def eof(self) -> bool:
        return bool(self._decoder.eof) and not self._out

    @property
    def unused_data(self) -> bytes:
        return bytes(self._decoder.unused_data) + self._data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        self._data += data
        while self._data and not self._out and not self._decoder.eof:
            piece, self._data = self._data[:1024], self._data[1024:]  # a block is 128 KiB at most, and has 4 bytes at least
            self._out = self._decoder.decompress(piece)
        out, self._out = self._out[:max_length], self._out[max_length:]
        return out


# {first bytes: (what a person calls it, what unpacks it)}
WRAPPINGS: Dict[bytes, Tuple[str, Callable[[], Any]]] = {
    b"\x1f\x8b": ("gzip", _Gunzip), b"BZh": ("bzip2", _bunzip2), b"\xfd7zXZ\0": ("xz", _unxz), b"]\0\0": ("lzma", _unxz),
    b"\x28\xb5\x2f\xfd": ("zstd", _unzstd),
}


class _Unwrapped:
    """The bytes inside. Several packed streams one after the other are one; what else follows is nobody's, as tar has it."""

    def __init__(self, packed: Forward, magic: bytes) -> None:
        self._packed, self._magic = packed, magic
        self._name, self._make = WRAPPINGS[magic]
        self._decoder, self._ended = self._new(), False

    def _new(self) -> Any:
        try:
            return self._make()
        except ImportError:
            raise Error(
                "The archive is packed with %s, which the Python of model_node cannot unpack%s. Pack it as .tar.gz."
                % (self._name, " (3.14 can, and an older one with the module zstandard)" if self._name == "zstd" else ""),
                "archive_unsupported",
            ) from None

    def next(self) -> bytes:
        while not self._ended:
            if self._decoder.eof:
                self._packed.give_back(self._decoder.unused_data)
                self._ended = self._packed.peek(len(self._magic)) != self._magic
                self._decoder = self._new()
                continue
            packed = self._packed.take() if self._decoder.needs_input else b""
            ended = self._decoder.needs_input and not packed
            data: bytes = self._decoder.decompress(packed, CHUNK)
            if data:
                return data
            if ended and not self._decoder.eof:
                raise EOFError("it ends within what is packed with %s" % self._name)
        return b""


def unwrapped(stream: Forward) -> Tuple[Forward, List[str]]:
    """(the stream without what it is packed in, the names of that, from outside)"""
    wrapping: List[str] = []
    while len(wrapping) < MAX_WRAPPINGS:
        start = guarded(stream.peek, 6)
        magic = next((magic for magic in WRAPPINGS if start.startswith(magic)), None)
        if magic is None:
            break
        stream = Forward(_Unwrapped(stream, magic).next)
        wrapping.append(WRAPPINGS[magic][0])
    return stream, wrapping


def is_packed(start: bytes) -> bool:
    """Is this the beginning of an archive, or of something packed?"""
    return start.startswith((*WRAPPINGS, *ZIPS, b"7z\xbc\xaf", b"Rar!")) or start[257:262] == b"ustar"


# What people bring instead: how it begins, what it is, and what to do.
_OTHERS = (
    (br"\Z", "empty", "Look at what wrote it"),
    (br"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "Unpack it and pack it again"),
    (br"Rar!\x1a\x07", "a RAR archive", "Unpack it and pack it again"),
    (br"PK\x07\x08|PK00PK", "the first part of a zip in several volumes", "Join them (zip -s 0 PARTS.zip --out WHOLE.zip)"),
    (br"PK\x03\x04|PK\x05\x06", "a zip archive that was packed once more", "Give the zip itself"),
    (br"version https://git-lfs", "a Git LFS pointer, not the file that it stands for", "Run git lfs pull and take the file"),
    (br"(?is)\s*(\xef\xbb\xbf)?\s*(<!doctype html|<html|<head|<body)", "a web page, such as a login or an error page",
     "Open the URL as model_node does, without being logged in"),
    (br"(?s)\s*(\xef\xbb\xbf)?\s*<\?xml", "an XML document, such as an object store's error",
     "Open the URL as model_node does, without being logged in"),
    (br"(?s)\s*[{\[]", "a JSON document, such as a server's error", "Open the URL as model_node does, without being logged in"),
    (br"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras)", "Export a SavedModel (model.export, tf.saved_model.save) and pack its folder"),
    (br"....TFL3", "a TensorFlow Lite model", "Pack the SavedModel that it was made of"),
    (br"!<arch>\n", "an ar archive or Debian package", "Pack the version folder alone"),
    (br"MZ|\x7fELF", "a program, such as an archive that unpacks itself", "Unpack it and pack it again"),
)


def not_an_archive(start: bytes, wrapping: List[str]) -> Error:
    inside = " and ".join(wrapping)
    for pattern, what, way_out in _OTHERS:
        if re.match(pattern, start, re.DOTALL):
            return Error(
                "The file is %s%s. %s. %s." % (what, ", packed with %s" % inside if inside else "", way_out, WANTED), "not_an_archive",
            )
    return Error(
        "The file is %s: it begins with %r. %s." % (
            "a %s file without a tar in it" % inside if inside else "not an archive", start[:24].decode("latin-1"), WANTED),
        "not_an_archive",
    )
