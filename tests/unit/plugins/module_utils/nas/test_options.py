from __future__ import annotations

import pytest
import yaml

from ansible_collections.mlops.tf_serving.plugins.doc_fragments import nas as fragment
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import (
    MAX_VERSION,
    NAS,
    PUBLISH,
    VERSIONS,
    Archive,
    Request,
    checksum,
    given,
)
from ansible_collections.mlops.tf_serving.plugins.modules import model_publish, model_versions

GOOD = {"nas_server": "nas.example.com", "base_path": "/serving/model/mnist", "archive": "http://host/mnist.tar.gz"}
HEX = "ab" * 32


def request(**options):
    return Request({**GOOD, **options})


def test_defaults_and_empty_answers():
    empty = dict.fromkeys((*PUBLISH, *VERSIONS), "")
    for options in ({}, empty, dict.fromkeys(empty)):
        read = Request({**options, **GOOD})
        assert (read.export, read.options, read.version, read.checksum) == ("/", "vers=4.0", None, None)
        assert (read.timeout, read.mount_timeout, read.lock_timeout, read.max_size) == (1800, 30, 300, 20 << 30)
        assert (read.reinstate, read.newest, read.keep, read.warmup, read.acts) == (False, False, 0, 0, False)
        assert (read.warmup_signature, read.warmup_dataset, read.warmup_samples) == ("predict_images", None, None)
        assert (read.tags, read.release) == (["serve"], None)
        assert (read.reason, read.withdraw, read.in_use, read.checked) == ("withdrawn by hand", [], [], [])
    assert Request({key: value for key, value in GOOD.items() if key != "archive"}).archive is None


def test_what_is_given():
    read = request(
        nas_export="/serving", nas_options="hard", timeout=5, mount_timeout=6, lock_timeout=7, max_size=8, reinstate=True,
        newest=True, saved_model_tags=["serve", "gpu"], server_release="2.15.1",
        version=3, checksum=HEX, keep=2, warmup=4, warmup_dataset="/data", warmup_signature="s", warmup_samples={"shape": [1]},
    )
    assert (read.export, read.options, read.version, read.checksum) == ("/serving", "hard", 3, HEX)
    assert (read.timeout, read.mount_timeout, read.lock_timeout, read.max_size) == (5, 6, 7, 8)
    assert (read.tags, read.release, request(server_release="1.4").release) == (["serve", "gpu"], (2, 15), (1, 4))
    assert (read.server, read.base_path) == ("nas.example.com", "/serving/model/mnist")
    assert (read.reinstate, read.newest, read.keep, read.warmup) == (True, True, 2, 4)
    assert (read.warmup_signature, read.warmup_dataset, read.warmup_samples) == ("s", "/data", {"shape": [1]})


def test_the_most_that_can_be_asked_for():
    read = request(warmup=1000, warmup_dataset="x", max_size=10 ** 18 - 1)
    assert (read.warmup, read.max_size) == (1000, 10 ** 18 - 1)


def test_words_are_stripped_and_nothing_else_is_dropped():
    options = {"a": " x\n", "b": " ", "c": None, "d": 0, "e": False, "f": [], "g": ""}
    assert given(options) == {"a": "x", "d": 0, "e": False, "f": []}


@pytest.mark.parametrize(("export", "base", "folder"), [
    ("/", "/serving/model/mnist", "serving/model/mnist"), ("/serving", "/serving/model/mnist", "model/mnist"),
    ("/serving/", "//serving/model/./mnist/", "model/mnist"), ("/serving/model/mnist", "/serving/model/mnist", "."),
    ("/", "/..serving/x", "..serving/x"),
])
def test_where_the_model_lies_in_the_export(export, base, folder):
    assert request(nas_export=export, base_path=base).folder == folder


@pytest.mark.parametrize(("options", "code"), [
    ({"nas_server": ""}, "variable_missing"), ({"nas_server": None}, "variable_missing"),
    ({"base_path": None}, "variable_missing"),
    ({"nas_server": "nas:/serving"}, "nas_server_invalid"), ({"nas_server": "a b"}, "nas_server_invalid"),
    ({"nas_export": "/other"}, "base_path_outside_export"), ({"nas_export": "/serv"}, "base_path_outside_export"),
    ({"nas_export": "serving"}, "path_invalid"), ({"base_path": "/serving/../etc"}, "path_invalid"),
    ({"base_path": "a"}, "path_invalid"), ({"base_path": "/a\x01b"}, "path_invalid"),
    ({"version": "v2"}, "version_invalid"), ({"version": -1}, "version_invalid"), ({"version": "1.5"}, "version_invalid"),
    ({"version": 2 ** 63}, "version_invalid"), ({"version": True}, "version_invalid"), ({"version": 0}, "version_invalid"),
    ({"version": "00"}, "version_invalid"), ({"withdraw": [1, 0]}, "version_invalid"), ({"in_use": [0]}, "version_invalid"),
    ({"checked": ["0"]}, "version_invalid"), ({"withdraw": ["two"]}, "version_invalid"),
    ({"checksum": "md5:abc"}, "checksum_invalid"), ({"checksum": HEX[:-1]}, "checksum_invalid"),
    ({"checksum": "sha256:" + HEX + "0"}, "checksum_invalid"),
    ({"keep": -1}, "number_invalid"), ({"keep": "all"}, "number_invalid"), ({"keep": True}, "number_invalid"),
    ({"warmup": 1001, "warmup_dataset": "/data"}, "number_invalid"), ({"warmup": 3}, "variable_missing"),
    ({"warmup": 3, "warmup_dataset": ""}, "variable_missing"), ({"warmup": -1}, "number_invalid"),
    ({"timeout": "soon"}, "number_invalid"), ({"timeout": 0}, "number_invalid"), ({"max_size": -5}, "number_invalid"),
    ({"server_release": "new"}, "option_invalid"), ({"server_release": "2"}, "option_invalid"),
    ({"mount_timeout": 0}, "number_invalid"), ({"lock_timeout": 0}, "number_invalid"), ({"max_size": 10 ** 18}, "number_invalid"),
])
def test_refused(options, code):
    with pytest.raises(Error) as caught:
        request(**options)
    assert caught.value.code == code
    assert "model_" in caught.value.message


@pytest.mark.parametrize(("options", "words"), [
    ({"version": 0}, "model_version is 0, and a version is a whole number from 1 to 9223372036854775807:"),
    ({"withdraw": ["x"]}, "withdraw of model_versions is 'x'"), ({"checksum": "x"}, "model_checksum is 'x'"),
    ({"timeout": 0}, "model_timeout is 0: use a whole number from 1 up."),
    ({"keep": -1}, "model_keep is -1: use a whole number from 0"),
    ({"base_path": "x"}, "model_base_path is 'x'"),
    ({"warmup": 1001, "warmup_dataset": "x"}, "model_warmup is 1001: a server takes 1000"),
])
def test_the_variable_and_its_value_are_named(options, words):
    with pytest.raises(Error) as caught:
        request(**options)
    assert caught.value.message.startswith(words)


def test_the_variable_that_is_missing_is_named():
    with pytest.raises(Error) as caught:
        request(nas_server="")
    assert (caught.value.message, caught.value.details) == ("model_nas_server is not set.", {"variable": "model_nas_server"})
    with pytest.raises(Error) as caught:
        request(warmup=1)
    assert caught.value.details == {"variable": "check_dataset"}


@pytest.mark.parametrize(("text", "words"), [
    ("ftp://host/x", "ftp:// is not supported"), ("s3://bucket/x", "s3:// is not supported"), ("http:///x", "not a URL"),
    ("file://host/x", "three slashes"), ("http://host:port/x", "'http://host:port/x'"), ("http://host/a\nb", "not a URL"),
    ("http://me:secret/1@host/x", "%2F"), ("http://me:s#secret@host/x", "%2F"), ("http://me:[secret@host/x", "%2F"),
    ("http://me:secret@host/a\nb?sig=secret", "'http://host/a\\nb?...'"),
    ("s3://me:secret@bucket/x?sig=secret", "'s3://bucket/x?...'"),
])
def test_archives_that_cannot_be_meant(text, words):
    with pytest.raises(Error) as caught:
        request(archive=text)
    assert (caught.value.code, words in caught.value.message) == ("archive_invalid", True)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(("text", "kind", "url", "path"), [
    ("https://host/x.tar.gz", "url", "https://host/x.tar.gz", None), ("HTTP://host/x", "url", "http://host/x", None),
    ("https://host/测试.tar.gz", "url", "https://host/%E6%B5%8B%E8%AF%95.tar.gz", None),
    ("https://bücher.example:8443/a b?x=ä&y=%41", "url", "https://xn--bcher-kva.example:8443/a%20b?x=%C3%A4&y=%41", None),
    ("http://[::1]:8080/100%.tar#part", "url", "http://[::1]:8080/100%.tar", None),
    ("file:///srv/model#12.tar.gz", "node", None, "/srv/model#12.tar.gz"), ("FILE://localhost/a?1 b%", "node", None, "/a?1 b%"),
    ("model?12#3.tar.gz", "controller", None, None),
    ("file:///srv/x.zip", "node", None, "/srv/x.zip"), ("file://localhost/srv/x.zip", "node", None, "/srv/x.zip"),
    ("/home/me/x.tar", "controller", None, None), ("exports/x.tar", "controller", None, None),
])
def test_kinds_of_archive(text, kind, url, path):
    read = request(archive=text).archive
    assert (read.kind, read.url, read.path) == (kind, url, path)
    assert Archive("x.tar", "/tmp/copy").path == "/tmp/copy"
    assert request(archive="x.tar", archive_copy="/tmp/copy").archive.path == "/tmp/copy"


def test_the_query_of_a_signed_url_is_not_written_down():
    read = Archive("https://host/x.tar.gz?Signature=secret")
    assert read.url.endswith("secret")
    assert (read.name, read.file, read.signed) == ("https://host/x.tar.gz?...", "x.tar.gz", True)
    read = Archive("https://me:secret@host/get?file=x/y.tar.gz")
    assert (read.name, read.file, read.signed) == ("https://host/get?file=x/y.tar.gz", "get", False)
    assert Archive("file:///srv/a?sig=...").file == "a?sig=..." and not Archive("file:///srv/a?sig=...").signed
    read = request(archive="https://host/x?...", archive_url="https://host/x?Signature=secret").archive
    assert (read.url, read.name) == ("https://host/x?Signature=secret", "https://host/x?...")


@pytest.mark.parametrize(("number", "version"), [(1, 1), ("7", 7), ("007", 7), (2 ** 63 - 1, MAX_VERSION)])
def test_versions(number, version):
    assert request(version=number).version == version


def test_what_is_done_to_versions():
    assert not request(keep=0, withdraw=[], in_use=[3], checked=[]).acts
    assert request(keep="3").acts and request(withdraw=["2"]).withdraw == [2] and request(checked=[1]).acts
    assert request(withdraw=2).acts and request(in_use=[1, "2"]).in_use == [1, 2] and request(checked=3).checked == [3]
    assert request(reason="two\n lines ").reason == "two lines"


@pytest.mark.parametrize("text", [HEX, "sha256:" + HEX, "SHA256:" + HEX.upper(), " " + HEX + "\n"])
def test_checksums(text):
    assert request(checksum=text).checksum == HEX
    assert checksum(text.strip()) == HEX


def test_the_fragment_documents_the_shared_options():
    documented = yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"]
    assert {
        name: {key: value for key, value in option.items() if key != "description"} for name, option in documented.items()
    } == NAS


@pytest.mark.parametrize(("module", "spec"), [(model_publish, PUBLISH), (model_versions, VERSIONS)])
def test_the_modules_document_the_others(module, spec):
    documentation = yaml.safe_load(module.DOCUMENTATION)
    assert documentation["extends_documentation_fragment"] == "mlops.tf_serving.nas"
    told = {name: {key: value for key, value in option.items() if key != "description"}
            for name, option in documentation["options"].items()}
    spec = {name: {key: value for key, value in option.items() if key != "no_log"} for name, option in spec.items()}
    assert dict(NAS, **told) == spec and not set(told) & set(NAS)
