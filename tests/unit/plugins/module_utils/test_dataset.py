from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import threading
import time

import idx_files
import numpy
import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils import _dataset
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

IMAGES, LABELS = idx_files.digits()


def refused(*arguments, **options):
    with pytest.raises(Error) as caught:
        _dataset.load(*arguments, **options)
    return caught.value


@pytest.fixture
def web(tmp_path):
    """A folder, and the URL under which it is served."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield tmp_path, "http://127.0.0.1:%d/" % server.server_port
    server.shutdown()
    server.server_close()


def test_a_folder(tmp_path):
    images, labels = _dataset.load(idx_files.write(tmp_path), 60)
    assert numpy.array_equal(images, IMAGES[:60]) and numpy.array_equal(labels, LABELS[:60])


def test_a_file_url_and_a_slash_at_the_end(tmp_path):
    assert len(_dataset.load("file://" + idx_files.write(tmp_path) + "/", 100).labels) == 100


def test_a_url(web):
    folder, url = web
    idx_files.write(folder)
    assert numpy.array_equal(_dataset.load(url, 100).images, IMAGES)
    assert numpy.array_equal(_dataset.load(url.rstrip("/"), 100).images, IMAGES)


def test_a_url_that_answers_an_error(web):
    error = refused(web[1] + "elsewhere", 1)
    assert error.code == "dataset_missing" and "404" in error.message and "/elsewhere/" + _dataset.IMAGES in error.message


def test_a_download_that_trickles_has_a_deadline():
    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            for _byte in range(100):
                self.wfile.write(b"x")
                time.sleep(0.1)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    start = time.monotonic()
    error = refused("http://127.0.0.1:%d" % server.server_port, 1, timeout=1)
    assert "check_dataset_timeout" in error.message and time.monotonic() - start < 5
    server.shutdown()
    server.server_close()


def test_checksums(tmp_path):
    location = idx_files.write(tmp_path)
    digest = hashlib.sha256((tmp_path / _dataset.IMAGES).read_bytes()).hexdigest()
    assert len(_dataset.load(location, 1, {_dataset.IMAGES: "sha256:" + digest.upper()}).images) == 1
    error = refused(location, 1, {_dataset.IMAGES: "sha256:" + 64 * "0"})
    assert error.code == "checksum_mismatch" and digest in error.message and _dataset.IMAGES in error.message


@pytest.mark.parametrize("checksums", [
    {"images.gz": "sha256:" + 64 * "0"}, {_dataset.LABELS: "md5:" + 32 * "0"}, {_dataset.LABELS: 64 * "0"},
    {_dataset.LABELS: "sha256:" + 63 * "0"}, {_dataset.LABELS: None},
])
def test_checksums_that_are_none(tmp_path, checksums):
    error = refused(idx_files.write(tmp_path), 1, checksums)
    assert error.code == "checksum_invalid" and "check_dataset_checksum" in error.message


WHOLE = idx_files.idx(IMAGES)


@pytest.mark.parametrize(("images", "says"), [
    (b"", "is no IDX file"),
    (WHOLE, "cannot be unpacked"),
    (b"<html>Sign in to continue</html>", "cannot be unpacked"),
    (gzip.compress(WHOLE)[:-9], "cannot be unpacked"),
    (gzip.compress(WHOLE)[:50], "cannot be unpacked"),
    (gzip.compress(WHOLE) + b"rubbish", "cannot be unpacked"),
    (gzip.compress(b""), "is no IDX file"),
    (gzip.compress(WHOLE[:10]), "is no IDX file"),
    (gzip.compress(b"a page"), "is no IDX file"),
    (gzip.compress(idx_files.idx(LABELS)), "is no IDX file"),
    (gzip.compress(idx_files.idx(IMAGES, kind=13)), "is no IDX file"),
    (gzip.compress(WHOLE[:-1]), "holds 78399"),
    (gzip.compress(WHOLE + b"x"), "holds more"),
    (gzip.compress(bytes((0, 0, 8, 3)) + b"\xff" * 12), "more than 1 GiB"),
])
def test_files_that_are_no_dataset(tmp_path, images, says):
    error = refused(idx_files.write(tmp_path, images=images), 1)
    assert error.code == "dataset_invalid" and says in error.message and _dataset.IMAGES in error.message


def test_a_checksum_at_the_end_of_gzip_is_held(tmp_path):
    packed = bytearray(gzip.compress(WHOLE))
    packed[-6] ^= 1
    assert "cannot be unpacked" in refused(idx_files.write(tmp_path, images=bytes(packed)), 1).message


def test_images_and_labels_that_do_not_belong_together(tmp_path):
    error = refused(idx_files.write(tmp_path, labels=LABELS[:99]), 1)
    assert "100 images and 99 labels" in error.message


def test_fewer_images_than_tests(tmp_path):
    error = refused(idx_files.write(tmp_path), 101)
    assert error.code == "dataset_too_small" and "100 images" in error.message and "check_tests (101)" in error.message


def test_a_folder_without_them(tmp_path):
    error = refused(str(tmp_path), 1)
    assert error.code == "dataset_missing" and _dataset.IMAGES in error.message and "No such file" in error.message


@pytest.mark.parametrize("location", ["", "mnist", "./mnist", "ftp://host/mnist", "s3://bucket"])
def test_locations_that_are_none(location):
    error = refused(location, 1)
    assert error.code == "dataset_invalid" and "check_dataset is %r" % location in error.message
