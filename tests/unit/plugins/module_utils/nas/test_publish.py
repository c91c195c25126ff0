"""The publisher on a folder in place of a mounted export."""
from __future__ import annotations

import contextlib
import fcntl
import http.server
import json
import os
import signal
import socket
import tarfile
import threading
import time
from pathlib import Path

import pytest
from nas_folder import NO_MODEL, ONE, OTHER_ONE, SAME_SIZE, TWO, Nas, look, run_and_die, run_and_stop, served, sha
from saved_models import INDEX, model_files, saved_model, tar, under, zipped

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import bringing, versions
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import look as looking


@pytest.fixture(params=["model/mnist", ""], ids=["beside", "export is base path"])
def anywhere(request, tmp_path, monkeypatch):
    nas = Nas(tmp_path, monkeypatch)
    nas.base = request.param
    return nas


@pytest.fixture()
def nas(tmp_path, monkeypatch):
    return Nas(tmp_path, monkeypatch)


# --- the way of a version ------------------------------------------------------------------------------------------

def test_first_and_second_run(anywhere):
    nas = anywhere
    with nas.unchanged():
        forecast = nas.publish(ONE, check_mode=True)
    assert forecast["changed"]
    assert forecast["version"] is None
    result = nas.publish(ONE)
    assert (result["changed"], result["version"], result["versions"], result["verified"]) == (True, 1, [1], True)
    assert nas.names() == [".provenance", "1"]
    assert [path for path in look(nas.root) if ".staging" in path] == []
    with nas.unchanged():
        assert not nas.publish(ONE)["changed"]
        assert not nas.publish(ONE, check_mode=True)["changed"]


def test_what_is_said(nas):
    result = nas.publish(ONE)
    assert result["source"] == "file://%s" % (nas.files / sha(ONE))
    assert (result["size"], result["archive_size"]) == (sum(map(len, model_files().values())), len(ONE))
    assert (result["aside"], result["warmup"], result["checked"], result["message"]) == ([], 0, None, "")
    assert result["published"].endswith("Z") and 0 <= result["duration"] < 60
    assert result["path"] == "/serving/model/mnist/1"
    assert result["checksum"] == "sha256:" + sha(ONE)
    assert result["signatures"]["predict_images"]["inputs"] == {"images": "float32[-1,784]"}
    assert result["tree"] == [
        "/serving/model/mnist", "└── 1", "    ├── saved_model.pb  (%d B)" % len(saved_model()), "    └── variables",
        "        ├── variables.data-00000-of-00001  (7 B)", "        └── variables.index  (%d B)" % len(INDEX),
    ]
    assert result["diff"] == {"before": "", "after": "/serving/model/mnist/1\n"}
    text = (nas.root / "model/mnist/.provenance/1.json").read_text()
    assert (json.loads(text)["sha256"], text[-3:]) == (sha(ONE), "\n}\n")
    assert json.dumps(result)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_any_uid_can_read(nas, umask):
    before = os.umask(umask)
    try:
        nas.publish(ONE)
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    for path in nas.root.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


@pytest.mark.parametrize(("archive", "options", "version"), [
    (tar(under("1", model_files())), {}, 1),
    (tar(under("a/b/c/12", model_files())), {}, 12),
    (tar(under("007", model_files())), {}, 7),
    (zipped(under("mnist/3", model_files())), {}, 3),
    (tar(model_files()), {"version": 5}, 5),
    (tar(under("v2", model_files())), {"version": "2"}, 2),
    (ONE, {"version": 9}, 9),
    (tar({**under("mnist/4", model_files()), "README": b"x"}), {}, 4),
])
def test_version_and_folder(nas, archive, options, version):
    assert nas.publish(archive, **options)["version"] == version
    assert nas.names() == [".provenance", str(version)]
    assert sorted(os.listdir(nas.root / "model/mnist" / str(version))) == ["saved_model.pb", "variables"]
    with nas.unchanged():
        assert not nas.publish(archive, **options)["changed"]


def test_next_version(nas):
    nas.publish(ONE)
    result = nas.publish(TWO)
    assert result["versions"] == [1, 2]
    assert result["tree"][:3] == ["/serving/model/mnist", "├── 1", "└── 2"]
    with nas.unchanged():
        assert not nas.publish(ONE)["changed"]
        assert not nas.publish(TWO)["changed"]


def test_one_archive_under_two_numbers(nas):
    nas.publish(ONE, version=5)
    assert nas.publish(ONE)["version"] == 1, "the archive's own number, not the one it has been published under"
    assert nas.publish(ONE, version=5)["changed"] is False


def test_same_content_otherwise_packed_is_no_change(nas):
    nas.publish(ONE)
    result = nas.publish(zipped(under("mnist/1", model_files())))
    assert result["changed"] is False
    assert nas.publish(ONE)["changed"] is False


@pytest.mark.parametrize("folder", ["1", "0001"])
def test_content_that_came_by_hand(nas, folder):
    """The tutorial's way: unpacked into the live folder, no provenance."""
    nas.write(folder, model_files())
    assert nas.publish(ONE)["changed"] is False
    assert folder in nas.names()
    error = nas.refused(OTHER_ONE)
    assert error.code == "version_differs"


def test_other_content_of_the_same_size(nas):
    nas.publish(ONE)
    assert nas.refused(SAME_SIZE).details["differing"] == ["variables/variables.data-00000-of-00001"]
    (nas.root / "model/mnist/1/variables/variables.data-00000-of-00001").write_bytes(b"WEIGHTS")
    assert nas.refused(zipped(under("mnist/1", model_files()))).code == "version_differs", "somebody wrote over it"


@pytest.mark.parametrize("spoil", [
    lambda version: (version / "saved_model.pb").write_bytes(b"cut"),
    lambda version: (version / "saved_model.pb").unlink(),
    lambda version: (version / "extra").write_bytes(b""),
    lambda version: (version / "variables/variables.data-00000-of-00001").write_bytes(b""),
])
def test_live_version_that_was_changed_by_hand(nas, spoil):
    nas.publish(ONE)
    spoil(nas.root / "model/mnist/1")
    assert nas.refused(ONE).code == "version_differs"


# --- bad input changes nothing -------------------------------------------------------------------------------------

BAD = [
    (b"<html>404</html>", {}, "not_an_archive"),
    (tar({"mnist/1/readme": b"x"}), {}, "no_saved_model"),
    (tar({}), {}, "no_saved_model"),
    (tar({**under("mnist/1", model_files()), "../../evil": b"x"}), {}, "archive_unsafe"),
    (tar(under("mnist/1", model_files()), links=[("mnist/1/link", "/etc/passwd", tarfile.SYMTYPE)]), {}, "archive_unsafe"),
    (tar(under("mnist/v2", model_files())), {}, "version_invalid"),
    (tar(under("mnist", model_files())), {}, "version_invalid"),
    (tar(under("-1", model_files())), {}, "version_invalid"),
    (tar(under("mnist/0", model_files())), {}, "version_invalid"),
    (tar(under("00", model_files())), {}, "version_invalid"),
    (tar(under(str(2 ** 63), model_files())), {}, "version_invalid"),
    (tar(model_files()), {}, "version_missing"),
    (tar({**under("mnist/1", model_files()), **under("mnist/2", model_files())}), {}, "several_models"),
    (tar(under("mnist/1", {"saved_model.pb": saved_model()})), {}, "variables_missing"),
    (tar(under("mnist/1", {"saved_model.pb": b"text"})), {}, "saved_model_invalid"),
    (ONE[:-20], {}, "archive_damaged"),
    (ONE, {"max_size": 100}, "archive_too_large"),
    (ONE, {"checksum": "sha256:" + "0" * 64}, "checksum_mismatch"),
    (None, {}, "variable_missing"),
    ("file:///no/such/archive.tar.gz", {}, "archive_not_found"),
    ("file:///etc", {}, "archive_is_folder"),
]


@pytest.mark.parametrize(("archive", "options", "code"), BAD, ids=["%s-%d" % (bad[2], at) for at, bad in enumerate(BAD)])
@pytest.mark.parametrize("before", [None, TWO], ids=["empty", "with a version"])
def test_bad_input_changes_nothing(anywhere, archive, options, code, before):
    if before:
        anywhere.publish(before)
    error = anywhere.refused(archive, **options)
    assert error.code == code
    assert len(error.message) < 500
    assert json.dumps(error.as_dict())


@pytest.mark.parametrize(("archive", "words"), [
    (tar({**model_files(), **under("mnist/2", model_files())}), "The archive holds 2 models (., mnist/2). Pack one version"),
    (tar(dict.fromkeys("abcdefg", b"")), "no saved_model.pb (it holds: a, b, c, d, e)"),
    (tar({}), "no saved_model.pb (it holds: nothing)"),
    (tar(model_files()), "has its model at its top, without a version folder, and a version's folder"),
    (tar(under("a/v2", model_files())), "has its model in the folder 'v2', and a version's folder"),
], ids=["two", "none", "empty", "flat", "no number"])
def test_what_is_wrong_with_an_archive_is_shown(nas, archive, words):
    message = nas.refused(archive).message
    assert words in message
    assert message.startswith("model_archive file://%s/%s: The archive" % (nas.files, sha(archive)))


def test_differences_are_counted(nas):
    nas.publish(ONE)
    error = nas.refused(tar(under("mnist/1", {**model_files(b"longer weights"), "a": b"", "b": b""})))
    assert "(a and 2 files more)" in error.message and "(live: 1)" in error.message
    assert error.details == {"version": 1, "differing": ["a", "b", "variables/variables.data-00000-of-00001"]}
    assert "(a)" in nas.refused(tar(under("mnist/1", {**model_files(), "a": b""}))).message


def test_sizes_for_people():
    sizes = [0, 1023, 1024, 1536, 1 << 20, 5 << 30, 1 << 40, 1 << 50]
    assert [looking._human(size) for size in sizes] == [
        "0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "5.0 GiB", "1.0 TiB", "1024.0 TiB"]


def test_a_tree_is_not_endless(nas, monkeypatch):
    nas.publish(tar(under("mnist/1", {**model_files(), "assets.extra/deep/x": b""})))
    assert nas.publish(TWO)["tree"][1:4] == ["├── 1", "└── 2", "    ├── saved_model.pb  (%d B)" % len(saved_model())]
    whole = nas.publish(tar(under("mnist/1", {**model_files(), "assets.extra/deep/x": b""})))["tree"]
    assert whole[1:6] == ["├── 1", "│   ├── assets.extra", "│   │   └── deep", "│   │       └── x  (0 B)",
                          "│   ├── saved_model.pb  (%d B)" % len(saved_model())]
    monkeypatch.setattr(looking, "TREE_LINES", len(whole))
    assert nas.publish(ONE, check_mode=True, version=9)["tree"] == ["/serving/model/mnist", "├── 1", "└── 2"]
    monkeypatch.setattr(looking, "TREE_LINES", 4)
    assert nas.publish(TWO)["tree"][3:] == ["    ├── saved_model.pb  (%d B)" % len(saved_model()), "... and 3 lines more"]


@pytest.mark.parametrize("folder", ["0", "v2"])
def test_a_folder_that_cannot_be_a_version_can_be_given_a_number(nas, folder):
    archive = tar(under("mnist/" + folder, model_files()))
    message = nas.refused(archive).message
    assert "in the folder '%s', and a version's folder has a whole number from 1 for a name" % folder in message
    assert "model_version" in message
    assert nas.publish(archive, version=4)["version"] == 4
    assert json.loads((nas.root / "model/mnist/.provenance/4.json").read_text())["archive_version"] is None


def test_both_sums_are_named(nas):
    error = nas.refused(ONE, checksum="0" * 64)
    assert error.message.startswith("file://%s/%s has the checksum sha256:%s, but model_checksum is sha256:%s." % (
        nas.files, sha(ONE), sha(ONE), "0" * 64))
    assert error.details == {"wanted": "0" * 64, "found": sha(ONE)}


def test_other_content_under_a_live_number(nas):
    nas.publish(ONE)
    error = nas.refused(OTHER_ONE)
    assert error.code == "version_differs"
    assert "new number" in error.message
    assert error.details["differing"] == ["variables/variables.data-00000-of-00001"]
    assert nas.publish(OTHER_ONE, version=2)["versions"] == [1, 2]


def test_an_empty_folder_is_not_filled(nas):
    (nas.root / "model/mnist/1").mkdir(parents=True)
    assert nas.refused(ONE).code == "version_differs"


def test_archive_of_the_controller_is_asked_for_only_if_needed(nas):
    options = {"archive": "/on/the/controller.tar.gz", "checksum": "sha256:" + sha(ONE)}
    with nas.unchanged():
        assert nas.publish(**options) == {"changed": False, "needs": ["archive"]}
        assert nas.publish(check_mode=True, **options)["changed"]
    copy = nas.files / "copy"
    copy.write_bytes(ONE)
    assert nas.publish(archive_copy=str(copy), **options)["changed"]
    assert nas.publish(**options)["changed"] is False
    nas.absent()
    copy.write_bytes(ONE[:-1])
    assert nas.refused(archive_copy=str(copy), **options).code == "checksum_mismatch"


@pytest.mark.parametrize("content", [SAME_SIZE, ONE[:-9]], ids=["whole", "half"])
def test_an_archive_that_is_being_rewritten(nas, monkeypatch, content):
    """What was unpacked is what was looked at, or nothing."""
    def late(*args):
        (nas.files / sha(ONE)).write_bytes(content)
        return real(*args)

    real = bringing.Source
    monkeypatch.setattr(bringing, "Source", late)
    assert nas.refused(ONE).code == "archive_changed"


def test_what_is_left_out_is_said_and_written_down(nas):
    links = [("latest", "mnist/1", tarfile.SYMTYPE), ("mnist/old", "0", tarfile.SYMTYPE)]
    archive = tar({**under("mnist/1", model_files()), "mnist/\udcff": b""}, links=links)
    assert nas.publish(archive)["left_out"] == ["latest", "mnist/old", "mnist/\ufffd"]
    assert nas.publish(archive, check_mode=True)["left_out"] == ["latest", "mnist/old", "mnist/\ufffd"]
    assert nas.publish(TWO)["left_out"] == []


# --- the look: check mode ------------------------------------------------------------------------------------------

def timeless(result):
    return {key: value for key, value in result.items() if key != "duration"}


def same_answer(nas, archive, **options):
    """What the look and a real run say where nothing is to be done: the same, so that the run can be left out."""
    with nas.unchanged():
        look, run = nas.publish(archive, check_mode=True, **options), nas.publish(archive, **options)
    assert (run["changed"], "needs" in look) == (False, False)
    assert timeless(look) == timeless(run)
    return run


def test_the_look_is_the_answer_of_an_unchanged_run(anywhere, web):
    nas = anywhere
    published = nas.publish(web.url)
    assert same_answer(nas, web.url)["verified"] is False
    assert same_answer(nas, web.url, checksum=sha(ONE))["verified"] is True
    nas.publish(TWO)
    assert same_answer(nas, ONE)["tree"][:2] == [published["tree"][0], "├── 1"]
    nas.versions(checked=[2])
    assert same_answer(nas, TWO)["checked"]
    nas.versions(withdraw=[2], reason="bad")
    assert same_answer(nas, TWO)["withdrawn"]["reason"] == "bad"
    nas.publish(tar(under("mnist/3", model_files(b"third"))))
    nas.versions(keep=1)
    assert same_answer(nas, ONE)["pruned"]
    assert same_answer(nas, archive="/on/the/controller.tar.gz", checksum=sha(ONE))["pruned"]


def test_the_look_says_as_much_where_something_would_change(nas):
    look = nas.publish(ONE, check_mode=True)
    run = nas.publish(ONE)
    assert {key: type(value) for key, value in look.items() if value is not None}.items() <= {
        key: type(value) for key, value in run.items()}.items()
    assert set(look) == set(run)
    assert (look["checksum"], look["version"], look["verified"]) == ("sha256:" + sha(ONE), None, False)
    assert look["path"] == "/serving/model/mnist/<the version in the archive>"
    assert look["tree"] == ["/serving/model/mnist"]
    look = nas.publish(OTHER_ONE, check_mode=True, version=1)
    assert look["versions"] == [1]
    assert look["diff"]["after"] == (
        "/serving/model/mnist/1\n(version 1 is live: its content would be compared with the archive's)\n")


def test_a_look_does_not_replace_a_run_that_has_to_tidy_up(nas):
    nas.publish(ONE)
    nas.leave_behind()
    with nas.unchanged():
        look = nas.publish(ONE, check_mode=True)
    assert (look["changed"], look["needs"]) == (False, ["tidying"])
    run = nas.publish(ONE)
    assert timeless(run) == timeless({key: value for key, value in look.items() if key != "needs"})
    same_answer(nas, ONE)


def test_a_look_at_an_empty_nas_makes_nothing(nas):
    with nas.unchanged():
        for options in ({}, {"reinstate": True}, {"version": 3}, {"newest": True}):
            assert nas.publish(ONE, check_mode=True, **options)["changed"]
        assert nas.absent(check_mode=True)["changed"] is False


# --- on disk before it is seen -------------------------------------------------------------------------------------

def test_everything_is_on_disk_before_it_is_seen(nas, monkeypatch):
    """Files, then the names in their folders; the record, then the version; and the name of each that others go by."""
    nas.publish(ONE)
    events = nas.recorded(monkeypatch)
    nas.publish(TWO)
    assert events[:2] == ["sync ..", "sync staging"], "the staging folder's name, and the holder's signature in it"
    assert sorted(events[2:5]) == ["sync staging/unpacked/mnist/2/" + path for path in sorted(model_files())]
    assert sorted(events[5:7]) == ["sync staging/unpacked/mnist/2", "sync staging/unpacked/mnist/2/variables"]
    assert events[7:] == [
        "sync staging/provenance", "rename staging/provenance .provenance/2.json", "sync .provenance",
        "rename staging/unpacked/mnist/2 2", "sync .",
    ]


def test_a_version_that_comes_back_keeps_its_mark_until_it_is_there(nas, monkeypatch):
    nas.publish(ONE)
    nas.publish(TWO)
    events = nas.recorded(monkeypatch)
    record = ["sync staging/provenance", "rename staging/provenance .provenance/2.json", "sync .provenance"]
    nas.versions(withdraw=[2])
    assert events[2:] == [*record, "sync .", "rename 2 .withdrawn/2", "sync .withdrawn", "sync ."]
    events.clear()
    nas.publish(TWO, reinstate=True)
    assert events[2:] == ["rename .withdrawn/2 2", "sync .", *record]
    nas.versions(withdraw=[2])
    (nas.root / "model/mnist/.withdrawn/2/saved_model.pb").unlink()
    events.clear()
    nas.publish(TWO, reinstate=True)
    assert events[7:] == [
        *record, "rename staging/unpacked/mnist/2 2", "sync .", *record, "rename .withdrawn/2 staging/gone-2", "sync .withdrawn",
    ]


def test_a_deleted_version_goes_by_one_rename(nas, monkeypatch):
    nas.publish(ONE)
    nas.publish(TWO)
    events = nas.recorded(monkeypatch)
    nas.versions(keep=1)
    assert events[2:] == [
        "sync staging/provenance", "rename staging/provenance .provenance/1.json", "sync .provenance",
        "rename 1 staging/gone-1", "sync .",
    ]


# --- the web ------------------------------------------------------------------------------------------------------

class Web(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/mnist.tar.gz" % self.server_port
        self.data, self.headers, self.asked, self.status, self.stop_after = ONE, {"ETag": '"1"'}, [], {}, None
        # What else there is by path, the length that a HEAD is told instead of the true one, and whether it is told no headers.
        self.others, self.length, self.only_get = {}, None, False


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        web = self.server
        web.asked.append("beginning" if self.headers["Range"] else self.command)
        status = web.status.get(web.asked[-1], web.status.get(self.command, 200))
        data = web.others.get(self.path, web.data)
        self.send_response(status)
        for name, value in {} if self.command == "HEAD" and web.only_get else web.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(web.length if self.command == "HEAD" and web.length is not None else len(data)))
        self.end_headers()
        if self.command == "GET" and status == 200:
            self.wfile.write(data[:web.stop_after])
            self.close_connection = True

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


@pytest.fixture()
def web():
    server = Web()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def asked(web):
    seen, web.asked[:] = list(web.asked), []
    return seen


def test_with_checksum_an_unchanged_run_asks_nobody(nas, web):
    assert nas.publish(web.url, checksum=sha(ONE))["verified"]
    assert asked(web) == ["GET"]
    assert not nas.publish(web.url, checksum=sha(ONE))["changed"]
    assert asked(web) == []


@pytest.mark.parametrize("headers", [{"ETag": '"1"'}, {"Last-Modified": "Sun, 22 Nov 2026 16:00:00 GMT"}])
def test_without_checksum_one_head(nas, web, headers):
    web.headers = headers
    assert nas.publish(web.url)["changed"]
    assert asked(web) == ["HEAD", "GET"]
    result = nas.publish(web.url)
    assert (result["changed"], result["verified"], asked(web)) == (False, False, ["HEAD"])


def test_a_server_that_says_too_little_is_downloaded_from(nas, web):
    web.headers = {}
    nas.publish(web.url)
    asked(web)
    assert nas.publish(web.url)["changed"] is False
    assert asked(web) == ["HEAD", "GET"]


MODIFIED = {"Last-Modified": "Sun, 22 Nov 2026 16:00:00 GMT"}


@pytest.mark.parametrize(("headers", "answers"), [
    *(({"ETag": '"1"'}, {"status": {"HEAD": status}}) for status in (400, 403, 404, 405, 500, 501)),
    (MODIFIED, {"length": 7}), ({"ETag": '"1"'}, {"only_get": True}),
], ids=[400, 403, 404, 405, 500, 501, "another length", "no ETag"])
def test_a_bad_answer_to_a_head_is_not_believed(nas, web, headers, answers):
    web.headers = headers
    vars(web).update(answers)
    assert nas.publish(web.url, check_mode=True)["changed"] and nas.publish(web.url)["changed"]
    asked(web)
    assert nas.publish(web.url)["changed"] is False
    assert asked(web) == ["HEAD", "beginning"], "and it is not downloaded again"


def test_a_new_etag_with_the_same_content(nas, web):
    nas.publish(web.url)
    web.headers = {"ETag": '"2"'}
    asked(web)
    assert nas.publish(web.url)["changed"] is False
    assert asked(web) == ["HEAD", "GET"]
    assert nas.publish(web.url)["changed"] is False
    assert asked(web) == ["HEAD"]


@pytest.mark.parametrize(("before", "now", "same"), [
    ({"etag": "1"}, {"etag": "1"}, True), ({"etag": "1"}, {"etag": "2"}, False), ({"etag": "1"}, {}, False),
    ({}, {"etag": "1"}, False),
    ({"etag": "1", "last_modified": "a", "size": 1}, {"etag": "2", "last_modified": "a", "size": 1}, False),
    ({"last_modified": "a", "size": 1}, {"last_modified": "a", "size": 1}, True),
    ({"last_modified": "a", "size": 1}, {"last_modified": "b", "size": 1}, False),
    ({"last_modified": "a", "size": 1}, {"last_modified": "a", "size": 2}, False),
    ({"size": 1}, {"size": 1}, False), ({}, {}, False),
])
def test_which_answers_describe_the_same_file(before, now, same):
    assert looking.same(before, now) is same


def test_new_archive_under_the_same_url(nas, web):
    nas.publish(web.url)
    web.data, web.headers = TWO, {"ETag": '"2"'}
    assert nas.publish(web.url)["versions"] == [1, 2]
    web.data, web.headers = OTHER_ONE, {"ETag": '"3"'}
    assert nas.refused(web.url).code == "version_differs"


def test_check_mode_asks_but_does_not_download(nas, web):
    with nas.unchanged():
        assert nas.publish(web.url, check_mode=True)["diff"]["after"].startswith("/serving/model/mnist/<")
        assert nas.publish(web.url, check_mode=True, checksum=sha(ONE))["changed"]
        assert nas.publish(web.url, check_mode=True, version=4)["path"] == "/serving/model/mnist/4"
    assert asked(web) == ["HEAD"] * 3
    web.status = {"HEAD": 404, "GET": 404}
    assert nas.refused(web.url, check_mode=True).code == "archive_not_found"


LARGER = tar(under("mnist/2", model_files(os.urandom(999))))  # than ONE, packed as well


@pytest.mark.parametrize("check_mode", [True, False], ids=["check mode", "real"])
@pytest.mark.parametrize("options", [{}, {"version": 2}, {"newest": True}], ids=["", "with its number", "where the highest serves"])
def test_a_checksum_that_belongs_to_another_url(nas, web, check_mode, options):
    """An inventory keeps version 1's checksum, and a launch names another archive."""
    nas.publish(web.url, checksum=sha(ONE))
    web.others["/v2.tar.gz"] = LARGER
    other = web.url.replace("mnist.tar.gz", "v2.tar.gz")
    asked(web)
    error = nas.refused(other, checksum=sha(ONE), check_mode=check_mode, **options)
    assert error.code == "checksum_mismatch" and asked(web) == ["HEAD", "beginning"]
    assert error.message.startswith(
        "model_checksum sha256:%s is that of version 1, from %s, and %s is another archive (%d bytes, not %d)."
        % (sha(ONE), web.url, other, len(LARGER), len(ONE)))
    assert "-e model_archive=... -e model_checksum=sha256:... (sha256sum" in error.message
    assert error.details == {"wanted": sha(ONE), "found": None, "version": 1, "source": web.url}
    assert nas.publish(other, checksum=sha(LARGER), check_mode=check_mode, **options)["changed"]


@pytest.mark.parametrize("check_mode", [True, False], ids=["check mode", "real"])
def test_a_url_that_is_not_there_is_no_version_that_is(nas, web, check_mode):
    nas.publish(web.url, checksum=sha(ONE))
    web.status = {"HEAD": 404, "GET": 404}
    assert nas.refused(web.url + "/v2", checksum=sha(ONE), check_mode=check_mode).code == "archive_not_found"


@pytest.mark.parametrize(
    "answers", [{"status": {"HEAD": 403, "beginning": 403}}, {"length": 0}, {"length": len(ONE)}],
    ids=["signed once", "no size", "same size"])
def test_only_the_download_tells_whose_checksum_it_is(nas, web, answers):
    nas.publish(web.url, checksum=sha(ONE))
    web.others["/v2.tar.gz"] = LARGER
    vars(web).update(answers)
    other = web.url.replace("mnist.tar.gz", "v2.tar.gz")
    with nas.unchanged():
        if "status" not in answers:
            assert nas.publish(other, checksum=sha(ONE), check_mode=True)["changed"], "the look cannot know"
    error = nas.refused(other, checksum=sha(ONE))
    assert (error.code, error.details["found"], error.details["source"]) == ("checksum_mismatch", sha(LARGER), web.url)
    assert "(other content)" in error.message and "-e model_checksum=sha256:%s. To keep version 1" % sha(LARGER) in error.message


def test_a_checksum_that_belongs_to_another_file(nas):
    nas.publish(ONE)
    error = nas.refused(LARGER, checksum=sha(ONE))
    assert "is that of version 1, from file://%s/%s, and file://" % (nas.files, sha(ONE)) in error.message


def test_a_copy_that_lies_elsewhere_is_the_same_version(nas, web, monkeypatch):
    monkeypatch.setattr(bringing, "now", lambda: "2026-11-25T12:00:00Z")
    published = nas.publish(web.url, checksum=sha(ONE))["published"]
    monkeypatch.setattr(bringing, "now", lambda: "2027-01-01T00:00:00Z")
    asked(web)
    moved = nas.publish(web.url + "/moved", checksum=sha(ONE))
    assert (moved["changed"], moved["versions"], moved["source"], moved["published"]) == (False, [1], web.url + "/moved", published)
    assert asked(web) == ["HEAD", "GET"]
    same_answer(nas, web.url + "/moved", checksum=sha(ONE))
    assert asked(web) == []


SUM = {"checksum": sha(ONE)}


@pytest.mark.parametrize(("options", "status", "length"), [
    (SUM, {}, None), (SUM, {"HEAD": 403}, None), (SUM, {"HEAD": 403, "GET": 403}, None), (SUM, {}, 7), ({}, {}, None),
    ({}, {"HEAD": 403}, None),
], ids=["answers HEAD", "signed for GET", "too old", "HEAD has another length", "no checksum", "no checksum, signed for GET"])
def test_another_signature_is_no_other_archive(nas, web, status, length, options):
    nas.publish(web.url + "?file=x&Signature=secret", **options)
    web.status, web.length = status, length
    asked(web)
    answer = same_answer(nas, web.url + "?file=x&Signature=other", **options)
    assert answer["source"] == web.url + "?file=x&..."
    assert set(asked(web)) <= {"HEAD", "beginning"}, "no run downloads it again"
    assert not any(b"secret" in (content or b"") for content in look(nas.root).values())


def test_a_name_in_a_query_needs_no_question(nas, web):
    nas.publish(web.url + "?file=x", checksum=sha(ONE))
    asked(web)
    assert same_answer(nas, web.url + "?file=x", checksum=sha(ONE))["source"] == web.url + "?file=x"
    assert asked(web) == []


@pytest.mark.parametrize(("before", "now"), [("version=1", "version=2"), ("v=1", "v=2"), ("sig=1&file=1", "file=2&sig=1")])
def test_a_query_that_names_another_file(nas, web, before, now):
    web.others = {"/mnist.tar.gz?" + now: LARGER}
    nas.publish(web.url + "?" + before, checksum=sha(ONE))
    for check_mode in (True, False):
        error = nas.refused(web.url + "?" + now, checksum=sha(ONE), check_mode=check_mode)
        assert (error.code, "%d bytes, not %d" % (len(LARGER), len(ONE)) in error.message) == ("checksum_mismatch", True)


@pytest.mark.parametrize("options", [{}, {"checksum": "0" * 64}])
def test_bad_answers(nas, web, options):
    web.status = {"HEAD": 404, "GET": 404}
    error = nas.refused(web.url, **options)
    assert (error.code, "404" in error.message) == ("archive_not_found", True)
    web.status = {"GET": 500}
    assert nas.refused(web.url, **options).code == "archive_refused"
    web.status, web.stop_after = {}, 100
    assert nas.refused(web.url, **options).code == "download_cut_off"
    web.stop_after = None
    assert nas.refused(web.url, max_size=10, **options).code == "archive_too_large"
    error = nas.refused(web.url, checksum="0" * 64)
    assert (error.code, error.details) == ("checksum_mismatch", {"wanted": "0" * 64, "found": sha(ONE)})
    assert error.message.startswith(web.url + " has the checksum sha256:" + sha(ONE))


def test_nobody_listens(nas):
    with contextlib.closing(socket.socket()) as port:
        port.bind(("127.0.0.1", 0))
        error = nas.refused("http://127.0.0.1:%d/x" % port.getsockname()[1])
    assert "refused" in error.message


def test_unknown_name(nas):
    assert "not known" in nas.refused("http://no-such-host.invalid/x").message


# --- killed anywhere ----------------------------------------------------------------------------------------------

def files_and_folders(files):
    folders = {str(parent): None for path in files for parent in Path(path).parents if str(parent) != "."}
    return {**files, **folders}


@pytest.mark.parametrize("before", [None, ONE], ids=["empty", "with a version"])
def test_killed_at_every_step(anywhere, tmp_path, before):
    """Never anything half visible or without its record, and the next run brings the same as one that was never killed."""
    nas = anywhere
    stop = run_and_die if before and nas.base else run_and_stop
    whole = {"2": files_and_folders(model_files(b"other weights"))}
    if before:
        nas.publish(before)
        whole["1"] = files_and_folders(model_files())
    at_first = look(nas.root)
    states = set()
    for step in range(1, 1000):
        killed = stop(lambda: nas.publish(TWO), step)
        now = served(nas)
        assert all(now[name] == whole[name] for name in now), "half a version was visible at step %d" % step
        assert all((nas.root / nas.base / (".provenance/%s.json" % name)).exists() for name in now)
        states.add("2" in now)
        result = nas.publish(TWO)
        assert result["changed"] is ("2" not in now)
        assert served(nas) == whole
        assert [path for path in look(nas.root) if ".staging" in path] == []
        if not killed:
            break
        for path in sorted(nas.root.rglob("*"), reverse=True):  # back to the beginning
            if str(path.relative_to(nas.root)) not in at_first:
                path.rmdir() if path.is_dir() else path.unlink()
    assert not killed
    assert step > 30
    assert states == {False, True}


def test_deleting_killed_at_every_step(nas):
    for step in range(1, 1000):
        nas.publish(ONE)
        nas.publish(TWO)
        whole = served(nas)
        killed = run_and_stop(nas.absent, step)
        now = served(nas)
        assert all(now[name] == whole[name] for name in now)
        nas.absent()
        assert [path for path in look(nas.root) if "mnist" in path] == []
        if not killed:
            break
    assert not killed


# --- two at once --------------------------------------------------------------------------------------------------

@pytest.fixture()
def busy(nas):
    """A NAS whose archives lie ready, for children that read them at the same time."""
    for archive in (ONE, TWO, NO_MODEL):
        nas.request(archive)
    return nas


def in_children(*works):
    """Run each in a process of its own, at the same time; what each returned or raised."""
    running = []
    for work in works:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                try:
                    answer = work()
                except Error as error:
                    answer = error.as_dict()
                os.write(writer, json.dumps(answer).encode())
            finally:
                os._exit(0)
        os.close(writer)
        running.append((child, reader))
    answers = []
    for child, reader in running:
        with os.fdopen(reader) as pipe:
            answers.append(json.loads(pipe.read()))
        os.waitpid(child, 0)
    return answers


def test_two_runs_with_the_same_archive(busy):
    for dummy in range(5):
        answers = in_children(*[lambda: busy.publish(ONE)] * 4)
        assert sorted(str(answer.get("changed", answer)) for answer in answers) == ["False"] * 3 + ["True"]
        assert busy.names() == [".provenance", "1"]
        busy.absent()


def test_two_runs_with_two_versions(busy):
    answers = in_children(lambda: busy.publish(ONE), lambda: busy.publish(TWO))
    assert [answer["changed"] for answer in answers] == [True, True]
    assert busy.names() == [".provenance", "1", "2"]


def test_one_that_fails_beside_one_that_works(busy):
    for dummy in range(5):
        answers = in_children(lambda: busy.publish(NO_MODEL), lambda: busy.publish(ONE), lambda: busy.publish(NO_MODEL))
        assert [answer.get("code") for answer in answers] == ["no_saved_model", None, "no_saved_model"]
        assert sorted(look(busy.root))[:3] == ["model", "model/mnist", "model/mnist/.provenance"]
        assert not list(busy.root.rglob(".staging*"))
        busy.absent()


def test_another_run_was_quicker(nas, monkeypatch):
    """What there is is looked at again once the lock is held: nothing is fetched or unpacked a second time."""
    @contextlib.contextmanager
    def staging(*args):
        with contextlib.ExitStack() as stack:
            held = stack.enter_context(real(*args))
            monkeypatch.setattr(versions, "staging", real)
            (nas.root / "model/mnist").mkdir()
            for name in ("1", ".provenance"):
                (other.root / "model/mnist" / name).rename(nas.root / "model/mnist" / name)
            monkeypatch.setattr(bringing.archive, "unpack", None)
            yield held

    other = Nas.__new__(Nas)
    other.root, other.files = nas.files / "other", nas.files
    other.root.mkdir()
    other.publish(ONE)
    real = versions.staging
    monkeypatch.setattr(versions, "staging", staging)
    result = nas.publish(ONE)
    assert (result["changed"], result["versions"]) == (False, [1])


@contextlib.contextmanager
def lock_holder(nas, text):
    nas.leave_behind(["archive"])
    folder = nas.root / "model/.staging-mnist"
    text = json.dumps({**text, **json.loads((folder / "lock").read_text())}).encode()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        lock = os.open(str(folder / "lock"), os.O_RDWR | os.O_CREAT)
        os.write(lock, text)
        fcntl.lockf(lock, fcntl.LOCK_EX)
        os.write(writer, b"1")
        time.sleep(60)
        os._exit(0)
    try:
        os.read(reader, 1)
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_lock_that_is_held(nas):
    holder = {"host": "node-7", "pid": 4711, "doing": "publishing x", "since": "2026-11-22T16:00:00Z"}
    with lock_holder(nas, holder):
        error = nas.refused(ONE, lock_timeout=1)
        assert error.code == "locked"
        for word in ("node-7", "4711", "publishing x", "model_lock_timeout"):
            assert word in error.message
    assert nas.publish(ONE)["changed"], "a dead holder's lock is free"
    assert not list(nas.root.rglob(".staging*"))


def test_leftovers_of_the_dead_are_removed_by_an_unchanged_run_too(nas):
    nas.publish(ONE)
    nas.leave_behind(["archive"])
    assert nas.publish(ONE)["changed"] is False
    assert not list(nas.root.rglob(".staging*"))


# --- deleting -----------------------------------------------------------------------------------------------------

def test_absent(anywhere):
    nas = anywhere
    nas.publish(ONE)
    nas.publish(TWO)
    with nas.unchanged():
        assert nas.absent(check_mode=True)["changed"]
    result = nas.absent()
    assert (result["changed"], result["versions"]) == (True, [])
    assert [path for path in look(nas.root) if "1" in path or "mnist" in path or "." in path] == []
    with nas.unchanged():
        assert nas.absent()["changed"] is False


def test_all_that_is_deleted_is_shown(nas):
    assert nas.absent()["diff"] == {"before": "", "after": ""}
    for archive in (ONE, TWO, tar(under("mnist/3", model_files(b"third")))):
        nas.publish(archive)
    nas.versions(withdraw=[2], reason="wrong labels")
    nas.versions(keep=1)
    nas.versions(checked=[3])
    shown = {"before": (
        "/serving/model/mnist\n/serving/model/mnist/1  pruned\n/serving/model/mnist/2  withdrawn: wrong labels\n"
        "/serving/model/mnist/3  live, checked\n"), "after": ""}
    with nas.unchanged():
        assert nas.absent(check_mode=True)["diff"] == shown
    assert nas.absent()["diff"] == shown


@pytest.mark.parametrize("name", ["0", "00", "notes.txt", ".hidden", "1a"])
def test_what_others_put_there_is_left_and_said(anywhere, name):
    nas = anywhere
    nas.publish(ONE)
    nas.write(name, {"payroll.tar": b"x"})
    with nas.unchanged():
        foreseen = nas.absent(check_mode=True)
    result = nas.absent()
    assert foreseen == result
    assert (result["changed"], result["versions"], nas.names()) == (True, [], [name])
    assert result["left"] == [
        "%s holds %s, which this collection did not put there, or which somebody changed since: it is left alone. Delete it by hand"
        " if nobody needs it." % (nas.request().base_path, name)]
    with nas.unchanged():
        assert nas.absent()["changed"] is False


def test_a_folder_of_other_folders_is_not_deleted(nas):
    nas.publish(ONE)
    with nas.unchanged():
        assert (nas.absent(base_path="/serving/model")["changed"], nas.absent(base_path="/serving/model/mnist/1")["changed"]) == (
            False, False)
