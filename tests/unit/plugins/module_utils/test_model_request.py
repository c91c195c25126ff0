from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._model_request import Request

GOOD = {"nas_server": "nas.example.com", "base_path": "/serving/model/mnist", "archive": "http://host/mnist.tar.gz"}
HEX = "ab" * 32


def request(**options):
    return Request({**GOOD, **options})


def test_defaults_and_empty_answers():
    empty = dict.fromkeys(("nas_export", "nas_options", "version", "checksum", "timeout", "mount_timeout", "max_size"), "")
    for read in (request(), request(**empty), request(**dict.fromkeys(empty))):
        assert (read.export, read.options, read.version, read.checksum) == ("/", "vers=4.0", None, None)
        assert (read.timeout, read.mount_timeout, read.lock_timeout, read.max_size) == (1800, 30, 300, 20 << 30)


@pytest.mark.parametrize(("export", "base", "folder"), [
    ("/", "/serving/model/mnist", "serving/model/mnist"), ("/serving", "/serving/model/mnist", "model/mnist"),
    ("/serving/", "//serving/model/./mnist/", "model/mnist"), ("/serving/model/mnist", "/serving/model/mnist", "."),
])
def test_where_the_model_lies_in_the_export(export, base, folder):
    assert request(nas_export=export, base_path=base).folder == folder


@pytest.mark.parametrize(("options", "code"), [
    ({"nas_server": ""}, "variable_missing"), ({"nas_server": None}, "variable_missing"),
    ({"nas_server": "nas:/serving"}, "nas_server_invalid"),
    ({"nas_export": "/other"}, "base_path_outside_export"), ({"nas_export": "/serv"}, "base_path_outside_export"),
    ({"nas_export": "serving"}, "path_invalid"), ({"base_path": "/serving/../etc"}, "path_invalid"),
    ({"base_path": "a"}, "path_invalid"),
    ({"version": "v2"}, "version_invalid"), ({"version": -1}, "version_invalid"), ({"version": "1.5"}, "version_invalid"),
    ({"version": 2 ** 63}, "version_invalid"), ({"version": True}, "version_invalid"),
    ({"checksum": "md5:abc"}, "checksum_invalid"), ({"checksum": HEX[:-1]}, "checksum_invalid"),
    ({"checksum": "sha256:" + HEX + "0"}, "checksum_invalid"),
    ({"reinstate": "flase"}, "bool_invalid"), ({"keep": -1}, "number_invalid"), ({"keep": "all"}, "number_invalid"),
    ({"warmup": 1001, "warmup_dataset": "/data"}, "number_invalid"), ({"warmup": 3}, "variable_missing"),
    ({"warmup": 3, "warmup_dataset": ""}, "variable_missing"),
    ({"timeout": "soon"}, "number_invalid"), ({"timeout": 0}, "number_invalid"), ({"max_size": -5}, "number_invalid"),
    ({"archive": "ftp://host/x"}, "archive_invalid"), ({"archive": "http://me:secret@host/x"}, "archive_invalid"),
    ({"archive": "file://host/x"}, "archive_invalid"), ({"archive": "http:///x"}, "archive_invalid"),
    ({"archive": "http://host:port/x"}, "archive_invalid"), ({"archive": "s3://bucket/x"}, "archive_invalid"),
])
def test_refused(options, code):
    with pytest.raises(Error) as caught:
        request(**options)
    assert caught.value.code == code
    assert "model_" in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(("given", "version"), [(0, 0), ("7", 7), ("007", 7), (2 ** 63 - 1, 2 ** 63 - 1)])
def test_versions(given, version):
    assert request(version=given).version == version


def test_what_is_done_to_versions():
    assert not request(keep="", warmup="", reinstate="", withdraw=[], in_use=None).acts
    assert request(keep="3").acts and request(withdraw=["2"]).withdraw == [2]
    assert (request(reinstate="False").reinstate, request(reinstate="True").reinstate, request(newest=True).newest) == (False, True, True)
    assert request(reason="two\n lines ").reason == "two lines"
    with pytest.raises(Error):
        request(withdraw=["two"])


@pytest.mark.parametrize("given", [HEX, "sha256:" + HEX, "SHA256:" + HEX.upper(), " " + HEX + "\n"])
def test_checksums(given):
    assert request(checksum=given).checksum == HEX


@pytest.mark.parametrize(("archive", "kind", "path"), [
    ("https://host/x.tar.gz", "url", None), ("HTTP://host/x", "url", None), ("file:///srv/x.zip", "node", "/srv/x.zip"),
    ("/home/me/x.tar", "controller", None), ("exports/x.tar", "controller", None),
])
def test_kinds_of_source(archive, kind, path):
    read = request(archive=archive)
    assert (read.kind, read.path) == (kind, path)


def test_the_query_of_a_signed_url_is_not_written_down():
    read = request(archive="https://host/x.tar.gz?Signature=secret")
    assert read.url.endswith("secret")
    assert read.source == "https://host/x.tar.gz"
