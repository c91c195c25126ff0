from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile

import pytest
from saved_models import model_files, tar, under, zipped

from ansible_collections.mlops.tf_serving.plugins.module_utils import _archive
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

LARGE = 1 << 30


def unpack(tmp_path, data, max_size=LARGE):
    (tmp_path / "archive").write_bytes(data)
    into = tmp_path / "into"
    into.mkdir()
    return _archive.unpack(str(tmp_path / "archive"), str(into), max_size)


def refused(tmp_path, data, max_size=LARGE):
    with pytest.raises(Error) as caught:
        unpack(tmp_path, data, max_size)
    assert {path.name for path in tmp_path.iterdir()} <= {"archive", "into"}, "something was written outside"
    return caught.value


MODEL = under("mnist/1", model_files())


@pytest.mark.parametrize("data", [
    tar(MODEL), tar(MODEL, "w"), tar(MODEL, "w:gz"), zipped(MODEL), tar(under("./mnist/1", model_files())),
    zipped({path.replace("/", "\\"): content for path, content in MODEL.items()}),
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


@pytest.mark.parametrize(("kind", "word"), [
    (tarfile.SYMTYPE, "link"), (tarfile.LNKTYPE, "link"), (tarfile.CHRTYPE, "device"), (tarfile.FIFOTYPE, "device"),
])
def test_links_and_devices(tmp_path, kind, word):
    error = refused(tmp_path, tar(MODEL, links=[("mnist/1/x", "/etc/passwd", kind)]))
    assert error.code == "archive_unsafe"
    assert word in error.message
    assert "mnist/1/x" in error.message


def test_link_in_a_zip(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("mnist/1/x")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert "link" in refused(tmp_path, buffer.getvalue()).message


def test_a_link_and_then_a_file_through_it(tmp_path):
    data = tar({}, "w", links=[("out", str(tmp_path), tarfile.SYMTYPE)])[:512] + tar({"out/evil": b"x"}, "w")
    assert refused(tmp_path, data).code == "archive_unsafe"


@pytest.mark.parametrize("files", [{"a": b"1", "a/b": b"2"}, {"a/b": b"2", "a": b"1"}])
def test_a_file_that_is_a_folder_too(tmp_path, files):
    assert "twice" in refused(tmp_path, tar(files)).message


def test_twice_the_same(tmp_path):
    data = tar({"a": b"1"}, "w")[:1024] + tar({"a": b"2"}, "w")
    assert "twice" in refused(tmp_path, data).message


@pytest.mark.parametrize("pack", [tar, zipped])
def test_bombs_are_stopped_while_unpacking(tmp_path, pack):
    error = refused(tmp_path, pack({"zeros": bytes(50 << 20)}), max_size=3 << 20)
    assert error.code == "archive_too_large"
    assert sum(path.stat().st_size for path in (tmp_path / "into").iterdir()) <= 4 << 20


def test_many_small_files_count_together(tmp_path):
    assert refused(tmp_path, tar({"f%d" % number: bytes(100) for number in range(20)}), 1000).code == "archive_too_large"


def test_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(_archive, "MAX_MEMBERS", 10)
    assert refused(tmp_path, tar({"f%d" % number: b"" for number in range(20)})).code == "archive_too_large"


def test_a_header_that_claims_gigabytes(tmp_path):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 8 << 30
    data = gzip.compress(info.tobuf() + bytes(1 << 20))
    assert refused(tmp_path, data).code in ("archive_damaged", "not_an_archive")


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
        assert {path.name for path in folder.iterdir()} <= {"archive", "into"}


def test_the_last_byte_of_gzip_counts(tmp_path):
    data = bytearray(tar(MODEL))
    data[-6] ^= 1  # in the CRC
    assert refused(tmp_path, bytes(data)).code == "archive_damaged"


def test_zip_with_a_password(tmp_path):
    data = bytearray(zipped({"a": b"1"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "password" in refused(tmp_path, bytes(data)).message
