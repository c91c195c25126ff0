from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import itertools
import lzma
import os
import random
import tarfile
import zipfile

import pytest
from saved_models import model_files, tar, under, zipped

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import archive as _archive
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import packing
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.source import CHUNK, Source

LARGE = 1 << 30


def unpack(tmp_path, data, max_size=LARGE):
    into = tmp_path / "into"
    into.mkdir()
    with Source(io.BytesIO(data).read1) as source:
        return _archive.unpack(source, str(into), max_size, str(tmp_path / "spool")).files


def test_the_limits():
    assert (_archive.MAX_MEMBERS, packing.MAX_HEADER, packing.MAX_MEMORY, CHUNK) == (100000, 4 << 20, 256 << 20, 1 << 20)


def refused(tmp_path, data, max_size=LARGE):
    with pytest.raises(Error) as caught:
        unpack(tmp_path, data, max_size)
    assert {path.name for path in tmp_path.iterdir()} <= {"into", "spool"}, "something was written outside"
    return caught.value


MODEL = under("mnist/1", model_files())


@pytest.mark.parametrize("data", [
    tar(MODEL), tar(MODEL, "w"), tar(MODEL, "w:gz"), zipped(MODEL), tar(under("./mnist/1", model_files())),
    zipped({path.replace("/", "\\"): content for path, content in MODEL.items()}),
    tar({".DS_Store": b"x", **MODEL}), tar({"./": b"", **MODEL}), tar({"__MACOSX/x": b"", **MODEL}), tar({"a/._x": b"", **MODEL}),
    tar({**MODEL, "._mnist": b"x", "__MACOSX/mnist/1/._saved_model.pb": b"x", "mnist/.DS_Store": b"x"}),
])
def test_formats(tmp_path, data):
    files = unpack(tmp_path, data)
    assert sorted(files) == sorted(MODEL)
    for path, content in MODEL.items():
        assert (tmp_path / "into" / path).read_bytes() == content
        assert files[path]["size"] == len(content)


@pytest.mark.parametrize("name", ["../evil", "mnist/../../evil", "/evil", "mnist/1/../../../evil", ".."])
@pytest.mark.parametrize("pack", [tar, zipped])
def test_paths_that_climb_out(tmp_path, pack, name):
    error = refused(tmp_path, pack({name: b"evil"}))
    assert error.code == "archive_unsafe"
    assert name in error.message


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices(tmp_path, kind):
    error = refused(tmp_path, tar(MODEL, links=[("mnist/1/x", "/etc/passwd", kind)]))
    assert error.code == "archive_unsafe"
    assert "member 'mnist/1/x' is a device or pipe; a model consists of files and folders. Pack" in error.message


def test_a_link_and_then_a_file_through_it(tmp_path):
    data = tar({}, "w", links=[("out", str(tmp_path), tarfile.SYMTYPE)])[:512] + tar({"out/evil": b"x"}, "w")
    assert refused(tmp_path, data).code == "archive_unsafe"


@pytest.mark.parametrize("files", [{"a": b"1", "a/b": b"2"}, {"a/b": b"2", "a": b"1"}])
def test_a_file_that_is_a_folder_too(tmp_path, files):
    assert "twice" in refused(tmp_path, tar(files)).message


@pytest.mark.parametrize("folder", ["a", "a/b"])
def test_a_file_and_then_a_folder_of_its_name(tmp_path, folder):
    """With nothing in it, which would be refused for its own name."""
    assert "twice" in refused(tmp_path, tar({"a": b"1"}, links=[(folder, "", tarfile.DIRTYPE)])).message


def test_twice_the_same(tmp_path):
    data = tar({"a": b"1"}, "w")[:1024] + tar({"a": b"2"}, "w")
    assert "twice" in refused(tmp_path, data).message


@pytest.mark.parametrize("pack", [tar, zipped])
def test_bombs_are_stopped_while_unpacking(tmp_path, pack):
    error = refused(tmp_path, pack({"zeros": bytes(50 << 20)}), max_size=3 << 20)
    assert error.code == "archive_too_large"
    assert sum(path.stat().st_size for path in (tmp_path / "into").iterdir()) <= 4 << 20


@pytest.mark.parametrize("pack", [tar, zipped])
def test_of_what_is_announced_as_too_large_nothing_is_written(tmp_path, monkeypatch, pack):
    monkeypatch.setattr(_archive, "CHUNK", 1000)
    assert refused(tmp_path, pack({"a": b"1" * 10, "big": b"2" * 3000}), 2000).code == "archive_too_large"
    assert {path.name: path.stat().st_size for path in (tmp_path / "into").iterdir()} == {"a": 10, "big": 0}


def test_many_small_files_count_together(tmp_path):
    assert refused(tmp_path, tar({"f%d" % number: bytes(100) for number in range(20)}), 1000).code == "archive_too_large"


@pytest.mark.parametrize("pack", [tar, zipped])
def test_the_limit_itself_is_not_over_it(tmp_path, pack):
    files = {"a": bytes(600), "b": bytes(400)}
    (tmp_path / "under").mkdir()
    assert refused(tmp_path / "under", pack(files), 999).details == {"member": "b"}
    assert sorted(unpack(tmp_path, pack(files), 1000)) == ["a", "b"]


@pytest.mark.parametrize("pack", [tar, zipped])
def test_many_members(tmp_path, monkeypatch, pack):
    monkeypatch.setattr(_archive, "MAX_MEMBERS", 10)
    assert len(unpack(tmp_path, pack({"f%d" % number: b"" for number in range(10)}))) == 10
    (tmp_path / "more").mkdir()
    assert refused(tmp_path / "more", pack({"f%d" % number: b"" for number in range(11)})).code == "archive_too_large"


@pytest.mark.parametrize("size", [packing.MAX_HEADER + 1, 8 << 30])
def test_a_header_that_claims_gigabytes(tmp_path, monkeypatch, size):
    """It is refused for what it claims, and nobody tries to read as much."""
    class Stream(packing.Forward):
        def _gathered(self, size):
            assert 0 <= size <= packing.MAX_HEADER
            return super()._gathered(size)

    monkeypatch.setattr(packing, "Forward", Stream)
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, size
    error = refused(tmp_path, gzip.compress(info.tobuf() + bytes(1 << 20)))
    assert (error.code, "begins with" in error.message) == ("not_an_archive", True)


@pytest.mark.parametrize(("size", "allowed"), [
    (0, True), (packing.MAX_HEADER, True), (packing.MAX_HEADER + 1, False), (-1, False),
])
def test_a_single_read_has_a_limit(size, allowed):
    limited = packing.Forward(io.BytesIO(b"abc").read1)
    with pytest.raises(tarfile.ReadError):
        limited.read()
    if allowed:
        assert limited.read(size) == b"abc"[:size]
    else:
        with pytest.raises(tarfile.ReadError):
            limited.read(size)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_stream_that_comes_letter_by_letter(pack):
    """What is packed gives nothing for a while, and is not cut off for that."""
    stream, wrapping = packing.unwrapped(packing.Forward(iter([*(bytes([b]) for b in pack(b"words")), b""]).__next__))
    assert stream.read(5) == b"words" and len(wrapping) == 1


def test_a_stream_goes_forward_only():
    stream = packing.Forward(itertools.chain([b"ab", b"cdef"], itertools.repeat(b"")).__next__)
    assert (stream.peek(3), stream.tell(), stream.read(1), stream.last, stream.tell()) == (b"abc", 0, b"a", b"a", 1)
    stream.seek(4)
    assert (stream.tell(), stream.take(), stream.tell()) == (4, b"ef", 6)
    stream.give_back(b"ef")
    assert (stream.tell(), stream.read(1)) == (4, b"e")
    with pytest.raises(tarfile.ReadError, match="back"):
        stream.seek(4)
    with pytest.raises(tarfile.ReadError, match="cut off"):
        stream.seek(7)


def test_a_long_name_is_no_such_header(tmp_path):
    name = "/".join(["folder" * 15] * 4)
    assert list(unpack(tmp_path, tar({name: b"x"}))) == [name]


def test_large_files_come_whole(tmp_path):
    content = bytes(range(256)) * (5 << 12) + b"end"
    files = unpack(tmp_path, tar({"x": content}))
    assert files == {"x": {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}}
    assert (tmp_path / "into/x").read_bytes() == content


def test_folders_and_modes(tmp_path):
    before = os.umask(0o022)
    try:
        files = unpack(tmp_path, tar({"a/b": b"1"}, links=[("empty", "", tarfile.DIRTYPE), ("a", "", tarfile.DIRTYPE)]))
    finally:
        os.umask(before)
    assert list(files) == ["a/b"]
    assert (tmp_path / "into/empty").is_dir()
    assert (tmp_path / "into/a/b").stat().st_mode & 0o777 == 0o644


def test_a_zip_with_folders_and_devices(tmp_path):
    for mode, special in ((0o040755, None), (0o020644, "device or pipe"), (0o100644, None)):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            info = zipfile.ZipInfo("x/" if mode == 0o040755 else "x")
            info.external_attr = mode << 16
            archive.writestr(info, b"")
        folder = tmp_path / str(mode)
        folder.mkdir()
        if special:
            assert special in refused(folder, buffer.getvalue()).message
        else:
            unpack(folder, buffer.getvalue())
            assert (folder / "into/x").is_dir() is (mode == 0o040755)


@pytest.mark.parametrize(("error", "code"), [
    (OSError(28, "No space left on device"), None), (OSError(5, "Input/output error"), None),
    (OSError(22, "Invalid argument"), "archive_damaged"), (OSError("odd"), "archive_damaged"), (EOFError(), "archive_damaged"),
    (ValueError("x"), "archive_damaged"), (Error("no", "code"), "code"), (RecursionError(), "archive_damaged"),
])
def test_whose_fault_it_is(error, code):
    def call(*args):
        assert args == (1, 2)
        raise error

    with pytest.raises(Error if code else OSError) as caught:
        packing.guarded(call, 1, 2)
    assert caught.value is error if code in (None, "code") else caught.value.code == code
    if code == "archive_damaged":
        assert "(%s)" % (str(error) or type(error).__name__) in caught.value.message


def test_the_member_that_is_damaged_is_named(tmp_path):
    data = bytearray(zipped({"a": bytes(500), "b": bytes(range(256)) * 9}))
    data[data.index(b"PK\x03\x04", 4) + 35] ^= 255  # in its content
    assert refused(tmp_path, bytes(data)).details == {"member": "b"}


@pytest.mark.parametrize("after", [0, 1 << 20])
def test_zeros_after_the_end_are_padding(tmp_path, after):
    assert unpack(tmp_path, tar(MODEL, "w") + bytes(after))


def test_too_much_after_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(_archive, "CHUNK", 1 << 10)
    data = tar({"a": b"1"}, "w")
    assert unpack(tmp_path, data + bytes(40 << 10))
    (tmp_path / "more").mkdir()
    error = refused(tmp_path / "more", data + bytes(70 << 10))
    assert (error.code, "follow its end" in error.message) == ("archive_damaged", True)


def test_a_tar_without_its_end_mark(tmp_path):
    error = refused(tmp_path, tar({"a": b"1"}, "w")[:1024])
    assert (error.code, "no end mark" in error.message) == ("archive_damaged", True)


def test_every_file_is_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    unpack(tmp_path, tar({"a": b"1", "b": b"22"}))
    assert synced == [1, 2]


def test_nothing_is_followed(tmp_path):
    """What already lies there is somebody else's, also a link."""
    into = tmp_path / "into"
    into.mkdir()
    (into / "x").symlink_to(tmp_path / "outside")
    with pytest.raises(Error, match="twice"), Source(io.BytesIO(tar({"x": b"evil"})).read1) as source:
        _archive.unpack(source, str(into), LARGE, str(tmp_path / "spool"))
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("data", [
    b"", b"PK", b"<!DOCTYPE html><html></html>", gzip.compress(b"just text" * 100), gzip.compress(b""),
])
def test_not_an_archive(tmp_path, data):
    error = refused(tmp_path, data)
    assert error.code == "not_an_archive"
    assert ".tar.gz" in error.message


@pytest.mark.parametrize("pack", [tar, lambda files: tar(files, "w"), zipped])
def test_cut_off_anywhere(tmp_path, pack):
    data = pack(under("mnist/1", model_files(bytes(3000))))
    end = len(data.rstrip(b"\0")) if data[257:262] == b"ustar" else len(data)
    for number, length in enumerate(range(600, end, 97)):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert refused(folder, data[:length]).code in ("archive_damaged", "not_an_archive")


@pytest.mark.parametrize("pack", [tar, lambda files: tar(files, "w"), zipped])
def test_damage_never_ends_in_a_traceback(tmp_path, pack):
    data = pack(under("mnist/1", model_files(bytes(range(256)) * 8)))
    chance = random.Random(5)
    for number in range(150):
        copy = bytearray(data)
        for dummy in range(chance.randint(1, 20)):
            copy[chance.randrange(len(copy))] = chance.randrange(256)
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            unpack(folder, bytes(copy))
        except Error:
            pass
        assert {path.name for path in folder.iterdir()} <= {"into", "spool"}


def test_the_last_byte_of_gzip_counts(tmp_path):
    data = bytearray(tar(MODEL))
    data[-6] ^= 1  # in the CRC
    assert refused(tmp_path, bytes(data)).code == "archive_damaged"


def test_zip_with_a_password(tmp_path):
    data = bytearray(zipped({"a": b"1"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "is a file under a password. Pack it again without one." in refused(tmp_path, bytes(data)).message
