"""Downloads from servers that say much, little, or the wrong thing."""
from __future__ import annotations

import contextlib
import http.client
import http.server
import socket
import ssl
import threading
import urllib.error

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import download

DATA = bytes(range(256)) * 1200
LARGE = 1 << 30


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/mnist.tar.gz" % self.server_port
        self.status, self.headers, self.length, self.stop_after, self.asked = 200, {}, len(DATA), None, []
        self.bad_head, self.partial = None, False  # how a HEAD is answered, and whether a Range is


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, self.close_connection = self.server, True
        server.asked.append((
            self.command, self.path, self.headers["User-Agent"], self.headers["Accept-Encoding"], self.headers["Range"]))
        bad = server.bad_head if self.command == "HEAD" else None
        if bad == "hang up":
            return
        if server.partial and self.headers["Range"]:
            self.send_response(206)
            self.send_header("Content-Range", "bytes 0-0/%s" % server.length)
            self.send_header("Content-Length", "1")
            for name, value in server.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(DATA[:1])
            return
        self.send_response(bad or server.status, "Because of %s?sig=secret" % self.path)
        for name, value in server.headers.items():
            self.send_header(name, value)
        if server.length is not None:
            self.send_header("Content-Length", server.length)
        self.end_headers()
        if self.command == "GET":
            with contextlib.suppress(OSError):  # who has read enough hangs up
                self.wfile.write(DATA[:server.stop_after])

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


@pytest.fixture()
def server():
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def fetch(url, max_size):
    """(all of it, what the server says of it)"""
    with download.opened(url, max_size) as (state, read_chunk):
        return b"".join(iter(read_chunk, b"")), state


def refused(call, *args):
    with pytest.raises(Error) as caught:
        call(*args)
    return caught.value


@pytest.mark.parametrize("length", [len(DATA), None], ids=["with a length", "without"])
def test_a_download(server, length):
    server.length = length
    server.headers = {"ETag": '"1"', "Last-Modified": "Sun, 22 Nov 2026 16:00:00 GMT"}
    assert fetch(server.url, len(DATA)) == (DATA, {
        "etag": '"1"', "last_modified": "Sun, 22 Nov 2026 16:00:00 GMT", "size": length,
    })
    assert server.asked == [("GET", "/mnist.tar.gz", "mlops.tf_serving", "identity", None)]


def test_head(server):
    server.headers = {"ETag": '"1"'}
    assert download.head(server.url) == {"etag": '"1"', "last_modified": None, "size": len(DATA)}
    server.length = "many"
    assert download.head(server.url)["size"] is None
    assert [asked[0] for asked in server.asked] == ["HEAD", "HEAD"]


@pytest.mark.parametrize("bad", [400, 401, 403, 404, 405, 500, 501, "hang up"])
@pytest.mark.parametrize("partial", [True, False], ids=["a part", "all of it"])
def test_a_server_that_does_not_answer_head(server, bad, partial):
    server.bad_head, server.partial, server.headers = bad, partial, {"ETag": '"1"'}
    assert download.head(server.url) == {"etag": '"1"', "last_modified": None, "size": len(DATA)}
    assert [asked[0] for asked in server.asked] == ["HEAD", "GET"] and server.asked[1][4] == "bytes=0-0"


def test_a_part_of_nobody_knows_what(server):
    server.bad_head, server.partial, server.length = 405, True, "*"
    assert download.head(server.url)["size"] is None


@pytest.mark.parametrize(("status", "code"), [
    (404, "archive_not_found"), (410, "archive_not_found"), (500, "archive_refused"), (403, "archive_refused"),
])
def test_a_server_that_refuses(server, status, code):
    server.status = status
    for error in (refused(download.head, server.url), refused(fetch, server.url, LARGE)):
        assert error.code == code
        assert "/mnist.tar.gz answers %d Because of /mnist.tar.gz?.... Check model_archive" % status in error.message


@pytest.mark.parametrize("length", [len(DATA), None], ids=["with a length", "without"])
def test_a_file_over_the_limit(server, length):
    server.length = length
    error = refused(fetch, server.url, len(DATA) - 1)
    assert error.code == "archive_too_large"
    assert "%d bytes or more, over the %d that model_max_size allows" % (len(DATA), len(DATA) - 1) in error.message


def test_what_is_over_the_limit_is_not_read_to_its_end(server, monkeypatch):
    monkeypatch.setattr(download, "CHUNK", 1000)
    server.length = None
    with download.opened(server.url, 5000) as (dummy, read_chunk):
        assert sum(len(read_chunk()) for dummy in range(5)) == 5000
        assert refused(read_chunk).code == "archive_too_large"


@pytest.mark.parametrize("length", [len(DATA), None], ids=["with a length", "without"])
def test_what_is_announced_as_too_large_is_not_begun(server, length):
    server.length = length
    opened = download.opened(server.url, len(DATA) - 1)
    if length:
        assert refused(opened.__enter__).code == "archive_too_large"
    else:
        with opened as (state, dummy):
            assert state["size"] is None


def test_a_connection_that_ends_early(server):
    server.stop_after = 70000
    error = refused(fetch, server.url, LARGE)
    assert (error.code, "70000 of %d bytes" % len(DATA) in error.message) == ("download_cut_off", True)


def test_the_query_of_a_signed_url_is_not_said(server):
    server.status = 404
    assert "secret" not in refused(download.head, server.url + "?Signature=secret").message
    assert {asked[1] for asked in server.asked} == {"/mnist.tar.gz?Signature=secret"}
    assert "secret" not in download._too_large("http://host/x?secret", 1, 1).message
    assert "secret" not in download._failed("http://host/x?secret", "why").message


def test_a_server_that_stalls(monkeypatch):
    monkeypatch.setattr(download, "STALL", 0.2)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as port:
        error = refused(download.head, "http://127.0.0.1:%d/x" % port.getsockname()[1])
    assert (error.code, "no byte came for 0 s" in error.message) == ("download_failed", True)
    assert download.STALL < 100


@pytest.mark.parametrize(("error", "words"), [
    (socket.gaierror(-2, "Name or service not known"), "the host name is not known (Name or service not known)"),
    (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
    (http.client.IncompleteRead(b""), "IncompleteRead"), (http.client.BadStatusLine("x"), "x"),
    (http.client.HTTPException(), "HTTPException"),
    (ValueError("unknown url type"), "unknown url type"), (urllib.error.URLError(socket.timeout()), "no byte came for 60 s"),
    (urllib.error.URLError(ConnectionRefusedError(111, "Connection refused")), "Connection refused"),
])
def test_what_is_said_of_trouble(error, words):
    def call():
        raise error

    found = refused(download._explained, "http://host/x?secret", call)
    assert (found.code, words in found.message, "http://host/x?...:" in found.message) == ("download_failed", True, True)


@pytest.mark.parametrize("detail", ["self signed certificate", None])
def test_a_certificate_that_is_not_trusted(detail):
    error = ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    error.reason = "CERTIFICATE_VERIFY_FAILED"
    if detail:
        error.verify_message = detail
    assert download._reason(error) == "its certificate is not trusted (%s): add its CA to model_node" % (detail or "not verified")
    other = ssl.SSLError(1, "wrong version number")
    other.reason = "WRONG_VERSION_NUMBER"
    assert download._reason(other) == "wrong version number"
