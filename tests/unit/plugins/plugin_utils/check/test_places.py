"""Which files are meant: what a URL may be, and what people call it."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.places import IMAGES, LABELS, files

FILE, FOLDER, EITHER = "file", "folder", "either"


@pytest.mark.parametrize(("url", "is_a"), [
    ("http://h/x.csv", FILE), ("http://h/x.csv.gz", FILE), ("HTTPS://h/x.NPZ", FILE), ("http://h/x.data", FILE),
    ("http://h/mnist-test.tfrecord-00000-of-00001", FILE), ("http://h/t10k-images-idx3-ubyte", FILE),
    ("http://h/download?file=x.csv", FILE), ("http://h/?id=7", FILE), ("http://h/mnist/?sig=x", FILE), ("http://h/data.xlsx", FILE),
    ("http://h/mnist/", FOLDER), ("http://h/", FOLDER), ("http://h/x.csv/", FILE),
    ("http://h/mnist", EITHER), ("http://h/mnist-1.0", EITHER), ("http://h/files/1234", EITHER),
])
def test_what_a_url_is(url, is_a):
    choices, dummy = files(url)
    folder = url.rstrip("/") + "/"
    pairs = [[folder + IMAGES, folder + LABELS], [folder + IMAGES[:-3], folder + LABELS[:-3]]]
    assert [[file.place for file in choice] for choice in choices] == {
        FILE: [[url]], FOLDER: pairs, EITHER: [*pairs, [url]]}[is_a]


@pytest.mark.parametrize(("url", "shown"), [
    ("https://me:secret@h/x.csv?sig=secret#secret", "https://h/x.csv?..."), ("HTTPS://me@h/x.csv", "https://h/x.csv"),
    ("http://h/download?file=x.csv", "http://h/download?file=x.csv"), (" http://h/x.csv\n", "http://h/x.csv"),
    ("http://h?sig=secret/@x", "http://h?..."), ("http://h/a@b/x.csv", "http://h/a@b/x.csv"),
])
def test_what_people_call_it(url, shown):
    assert files(url)[1] == shown
    assert files({"x": url})[1] == "x: " + shown
