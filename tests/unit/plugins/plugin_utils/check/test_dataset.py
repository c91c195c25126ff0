from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import io
import os
import socket
import threading
import time

import idx_files
import numpy
import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils import tfrecord
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import dataset, fetching, places
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import examples

IMAGES, LABELS = idx_files.digits()
POLL = 0.01  # seconds: as long a server may take to end


def refused(*arguments, **options):
    with pytest.raises(Error) as caught:
        dataset.load(*arguments, **options)
    return caught.value


@pytest.fixture
def web(tmp_path):
    """A folder, and the URL under which it is served."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, args=[POLL], daemon=True).start()
    yield tmp_path, "http://127.0.0.1:%d/" % server.server_port
    server.shutdown()
    server.server_close()


def test_the_names_in_a_folder(tmp_path):
    """As they are known everywhere."""
    idx_files.write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() + "\n" for path in sorted(tmp_path.iterdir())]
    assert dataset.load(str(tmp_path)).digest == "sha256:" + hashlib.sha256("".join(sums).encode()).hexdigest()
    for name, other in (("images", "labels"), ("labels", "images")):
        os.rename(tmp_path / ("t10k-%s-idx%d-ubyte.gz" % (name, 3 if name == "images" else 1)), tmp_path / "kept")
        error = refused(str(tmp_path))
        assert error.code == "dataset_missing" and "t10k-" + name in error.message and other not in error.message
        os.rename(tmp_path / "kept", tmp_path / ("t10k-%s-idx%d-ubyte.gz" % (name, 3 if name == "images" else 1)))


def test_a_folder(tmp_path):
    location = idx_files.write(tmp_path)
    data = dataset.load(location, 60)
    assert list(data.columns) == ["images", "labels"] and data.tests == 60
    assert numpy.array_equal(data.columns["images"], IMAGES[:60]) and numpy.array_equal(data.columns["labels"], LABELS[:60])
    assert data.pictures == {"images"} and data.location == location and not data.left_out


def test_a_file_url_and_a_slash_at_the_end(tmp_path):
    assert dataset.load("file://" + idx_files.write(tmp_path) + "/", 100).tests == 100


def test_a_url(web):
    folder, url = web
    idx_files.write(folder)
    assert numpy.array_equal(dataset.load(url, 100).columns["images"], IMAGES)
    assert numpy.array_equal(dataset.load(url.rstrip("/"), 100).columns["images"], IMAGES)


def test_a_url_that_answers_an_error(web):
    error = refused(web[1] + "elsewhere", 1)
    assert error.code == "dataset_missing" and "404" in error.message and "/elsewhere/" + places.IMAGES in error.message


def test_a_url_at_which_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = "http://127.0.0.1:%d/x.csv?key=secret" % server.getsockname()[1]
    error = refused(url)
    assert error.code == "dataset_missing" and "secret" not in error.message
    assert error.message.startswith("check_dataset %s?... cannot be downloaded: " % url[:-11])


def test_how_long_a_server_may_take(monkeypatch):
    asked = []
    monkeypatch.setattr(fetching.web, "opened", lambda url, timeout: asked.append((url, timeout)) or io.BytesIO(b"x\n1\n"))
    dataset.load("http://host/x.csv")
    dataset.load("http://host/x.csv", timeout=7)
    assert asked == [("http://host/x.csv", 60), ("http://host/x.csv", 7)]


def test_a_download_that_trickles_has_a_deadline():
    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            for _byte in range(100):
                self.wfile.write(b"x")
                time.sleep(0.05)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, args=[POLL], daemon=True).start()
    start = time.monotonic()
    error = refused("http://127.0.0.1:%d" % server.server_port, 1, timeout=0.3)
    assert "did not arrive in time: " in error.message and "check_dataset_timeout" in error.message
    assert error.code == "dataset_missing" and 0.3 < time.monotonic() - start < 4
    server.shutdown()
    server.server_close()


def test_checksums(tmp_path):
    location = idx_files.write(tmp_path)
    digest = hashlib.sha256((tmp_path / places.IMAGES).read_bytes()).hexdigest()
    assert len(dataset.load(location, 1, {places.IMAGES: "sha256:" + digest.upper()}).columns["images"]) == 1
    error = refused(location, 1, {places.IMAGES: "sha256:" + 64 * "0"})
    assert error.code == "checksum_mismatch" and digest in error.message and places.IMAGES in error.message


def test_where_a_file_was_changed(tmp_path):
    location = idx_files.write(tmp_path)
    error = refused(location, 1, {places.LABELS: "sha256:" + 64 * "0"})
    assert error.message.startswith("%s/%s has the checksum sha256:" % (location, places.LABELS)), "of just that file"


@pytest.mark.parametrize("checksums", [
    {"images.gz": "sha256:" + 64 * "0"}, {places.LABELS: "md5:" + 32 * "0"}, {places.LABELS: 64 * "0"},
    {places.LABELS: "sha256:" + 63 * "0"}, {places.LABELS: None},
])
def test_checksums_that_are_none(tmp_path, checksums):
    error = refused(idx_files.write(tmp_path), 1, checksums)
    assert error.code == "checksum_invalid" and "check_dataset_checksum" in error.message


WHOLE = idx_files.idx(IMAGES)


@pytest.mark.parametrize(("images", "says"), [
    (b"", "is empty: 0 bytes"),
    (b"<html>Sign in to continue</html>", "is a web page"),
    (gzip.compress(WHOLE)[:-9], "cannot be unpacked"),
    (gzip.compress(WHOLE)[:50], "cannot be unpacked"),
    (gzip.compress(WHOLE) + b"rubbish", "cannot be unpacked"),
    (gzip.compress(b""), "is empty: 0 bytes"),
    (gzip.compress(WHOLE[:10]), "is no IDX file"),
    (gzip.compress(b"a page"), "is no IDX file"),
    (gzip.compress(idx_files.idx(LABELS)), "is no IDX file of unsigned bytes with 3 dimensions"),
    (gzip.compress(idx_files.idx(IMAGES, kind=9)), "is no IDX file of unsigned bytes with 3 dimensions"),
    (gzip.compress(idx_files.idx(IMAGES, kind=13)), "holds 19600"),
    (gzip.compress(WHOLE[:-1]), "holds 78399"),
    (gzip.compress(WHOLE + b"x"), "holds more"),
    (gzip.compress(bytes((0, 0, 8, 3)) + b"\xff" * 12), "more than 1 GiB"),
])
def test_files_that_are_no_dataset(tmp_path, images, says):
    error = refused(idx_files.write(tmp_path, images=images), 1)
    assert error.code == "dataset_invalid" and says in error.message and places.IMAGES in error.message


def test_a_checksum_at_the_end_of_gzip_is_held(tmp_path):
    packed = bytearray(gzip.compress(WHOLE))
    packed[-6] ^= 1
    assert "cannot be unpacked" in refused(idx_files.write(tmp_path, images=bytes(packed)), 1).message


def test_images_and_labels_that_do_not_belong_together(tmp_path):
    error = refused(idx_files.write(tmp_path, labels=LABELS[:99]), 1)
    assert error.code == "dataset_invalid" and "100 images and 99 labels" in error.message


def test_fewer_images_than_tests(tmp_path):
    error = refused(idx_files.write(tmp_path), 101)
    assert error.code == "dataset_too_small" and "has 100 tests" in error.message and "check_tests (101)" in error.message
    assert error.details == {"have": 100, "tests": 101} and str(tmp_path) in error.message


def test_a_folder_without_them(tmp_path):
    error = refused(str(tmp_path), 1)
    assert error.code == "dataset_missing" and places.IMAGES in error.message and "No such file" in error.message


@pytest.mark.parametrize("location", ["", "mnist", "./mnist", "ftp://host/mnist", "s3://bucket"])
def test_locations_that_are_none(location):
    error = refused(location, 1)
    assert error.code == "dataset_invalid" and "check_dataset is %r" % location in error.message


# --- files ---

def test_how_many_rows_are_used(tmp_path):
    path = tmp_path / "x.npy"
    numpy.save(path, numpy.arange(1200))
    assert dataset.load(str(path)).tests == 1000
    assert dataset.load(str(path), 1100).tests == 1100
    numpy.save(path, numpy.arange(7))
    assert dataset.load(str(path)).tests == 7
    numpy.save(path, numpy.arange(0))
    assert refused(str(path)).code == refused(str(path), 1).code == "dataset_too_small"
    assert refused(str(path)).message == "The dataset %s is empty." % path
    assert refused(str(path)).details == {"have": 0, "tests": None} and refused(str(path), 1).details == {"have": 0, "tests": 1}


def test_one_file(tmp_path):
    path = tmp_path / "wine.csv"
    path.write_bytes(b"acid,label\n0.5,1\n0.25,2\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    data = dataset.load("file://%s" % path, checksums={"wine.csv": "sha256:" + digest})
    assert {name: column.tolist() for name, column in data.columns.items()} == {"acid": [0.5, 0.25], "label": [1, 2]}
    assert data.pictures == set()
    assert data.digest == "sha256:" + hashlib.sha256(digest.encode() + b"\n").hexdigest()
    assert refused(str(path), checksums={"wine.csv": "sha256:" + 64 * "0"}).code == "checksum_mismatch"
    assert "the dataset's files are wine.csv" in refused(str(path), checksums={"other.csv": "sha256:" + 64 * "0"}).message


def test_an_idx_file_alone_is_named_after_it(tmp_path):
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    idx_files.write(tmp_path)
    data = dataset.load(str(path), 3)
    assert list(data.columns) == ["t10k-images"] and data.pictures == {"t10k-images"}


def test_one_file_from_a_url_with_a_signature(web):
    folder, url = web
    numpy.savez(folder / "mnist.npz", x=numpy.arange(5))
    data = dataset.load(url.replace("//", "//me:secret@") + "mnist.npz?Signature=secret&name=x.csv#y", 2)
    assert data.columns["x"].tolist() == [0, 1] and data.location == url + "mnist.npz?name=x.csv&..."
    error = refused(url + "mnist.npz?Signature=secret", checksums={"mnist.npz": "sha256:" + 64 * "0"})
    assert error.message.startswith(url + "mnist.npz?... has the checksum") and "secret" not in error.message
    error = refused(url + "other.npz?Signature=secret")
    assert error.code == "dataset_missing" and "other.npz?... answers 404" in error.message and "secret" not in error.message


def test_no_password_is_shown_of_a_file_for_a_column(web):
    folder, url = web
    numpy.save(folder / "x.npy", numpy.arange(5))
    data = dataset.load({"x": url.replace("//", "//me:secret@") + "x.npy?Signature=secret"})
    assert data.location == "x: %sx.npy?..." % url and data.tests == 5 and not data.pictures


def test_an_npz_may_hold_columns_of_several_lengths_if_all_are_long_enough(tmp_path):
    """Such as x_train and x_test."""
    path = tmp_path / "mnist.npz"
    numpy.savez(path, x_train=numpy.arange(60), x_test=numpy.arange(10))
    assert [len(column) for column in dataset.load(str(path), 10).columns.values()] == [10, 10]
    assert "10 x_test and 60 x_train" in refused(str(path)).message
    assert "10 x_test and 60 x_train" in refused(str(path), 11).message


def test_a_file_for_each_column(tmp_path):
    idx_files.write(tmp_path)
    numpy.save(tmp_path / "codes.npy", numpy.arange(100))
    files = {
        "pixels": str(tmp_path / places.IMAGES), "answers": "file://%s" % (tmp_path / "codes.npy"),
        7: str(tmp_path / places.LABELS),
    }
    data = dataset.load(files, 20)
    assert {name: column.shape for name, column in data.columns.items()} == {"pixels": (20, 28, 28), "answers": (20,), "7": (20,)}
    assert data.pictures == {"pixels"}
    assert data.location == "7: {0}/{1}, answers: {0}/codes.npy, pixels: {0}/{2}".format(tmp_path, places.LABELS, places.IMAGES)
    assert dataset.load(dict(reversed(list(files.items()))), 1).digest == data.digest
    assert dataset.load({**files, "answers": files[7], 7: files["answers"]}, 1).digest != data.digest
    numpy.save(tmp_path / "codes.npy", numpy.arange(101))
    assert "100 7 and 101 answers and 100 pixels" in refused(files, 20).message


@pytest.mark.parametrize(("files", "says"), [
    ({}, "check_dataset is an empty mapping"), ({"x": "x.npy"}, "check_dataset is 'x.npy': use an absolute path"),
    ({"x": None}, "check_dataset is None"),
])
def test_columns_whose_files_are_none(files, says):
    error = refused(files)
    assert error.code == "dataset_invalid" and says in error.message


def test_features_that_are_no_columns(tmp_path):
    parts = [{"x": numpy.array([1]), "y": numpy.array([2])}, {"x": numpy.array([3])}]
    (tmp_path / "x.tfrecord").write_bytes(b"".join(tfrecord.record(data) for part in parts for data in examples.build(part)))
    data = dataset.load(str(tmp_path / "x.tfrecord"))
    assert data.columns["x"].tolist() == [1, 3] and data.left_out == {"y": "record 2 lacks it"}


def test_columns_from_files_of_one_column_or_of_numbers_only(tmp_path):
    (tmp_path / "x.csv").write_text(",a,b\n0,1,2.5\n1,3,4\n")
    (tmp_path / "y.csv").write_text("target\n007\n008\n")
    (tmp_path / "z.csv").write_text("a,b\n1,red\n2,green\n")
    (tmp_path / "t.csv").write_text("a\n1.50\n2.50\n")
    data = dataset.load({"x": str(tmp_path / "x.csv"), "y": str(tmp_path / "y.csv"), "t": str(tmp_path / "t.csv")})
    assert data.columns["x"].tolist() == [[1, 2.5], [3, 4]] and data.columns["y"].tolist() == [b"007", b"008"]
    assert data.as_text("t").tolist() == [b"1.50", b"2.50"] and data.as_numbers("y").tolist() == [7, 8]
    error = refused({"x": str(tmp_path / "z.csv")})
    assert error.code == "dataset_invalid"
    assert "gives the column x the file %s, which has the columns a, b" % (tmp_path / "z.csv") in error.message


def test_a_file_that_is_not_there_and_one_that_is_none(tmp_path):
    error = refused(str(tmp_path / "x.csv"))
    assert error.message == "check_dataset %s/x.csv cannot be read: No such file or directory." % tmp_path
    assert error.code == "dataset_missing"
    os.mkfifo(tmp_path / "y.csv")
    assert "is not a file" in refused(str(tmp_path / "y.csv")).message
    assert refused(str(tmp_path / "y.csv")).code == "dataset_missing"
    (tmp_path / "z.csv").mkdir()
    error = refused(str(tmp_path / "z.csv"))
    assert error.code == "dataset_missing" and places.IMAGES in error.message, "a folder, whatever its name is"


def test_a_file_larger_than_a_dataset(tmp_path, web, monkeypatch):
    monkeypatch.setattr(fetching, "MAX_BYTES", 1000)
    (tmp_path / "x.npy").write_bytes(bytes(1001))
    for location in (str(tmp_path / "x.npy"), web[1] + "x.npy"):
        error = refused(location)
        assert error.code == "dataset_invalid" and "larger than 1 GiB" in error.message
    (tmp_path / "x.npy").write_bytes(bytes(1000))
    assert "is no text" in refused(str(tmp_path / "x.npy")).message


def test_the_bytes_of_one_file(tmp_path, web):
    (tmp_path / "golden.npz").write_bytes(b"hello")
    assert dataset.read(str(tmp_path / "golden.npz"), 60, "check_golden") == (str(tmp_path / "golden.npz"), b"hello")
    assert dataset.read(web[1] + "golden.npz?key=1", 60, "check_golden") == (web[1] + "golden.npz?...", b"hello")
    for location, code, says in (
        ("golden.npz", "golden_invalid", "check_golden is 'golden.npz'"), ("/no/such", "golden_missing", "check_golden /no/such"),
    ):
        with pytest.raises(Error, match=says) as caught:
            dataset.read(location, 60, "check_golden")
        assert caught.value.code == code
