from __future__ import annotations

import functools
import hashlib
import http.client
import threading
import time

import pytest

from tf_lab import web


@pytest.fixture
def ask(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"x" * 20000)
    server = web.Server(("127.0.0.1", 0), functools.partial(web.Handler, str(tmp_path)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def ask(method, path, headers=None):
        connection = http.client.HTTPConnection(*server.server_address, timeout=10)
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()

    yield ask
    server.shutdown()
    server.server_close()


def test_a_file_with_the_headers_a_download_compares(ask):
    status, headers, body = ask("GET", "/a.tar.gz")
    assert (status, len(body)) == (200, 20000)
    assert headers["ETag"] == '"%s"' % hashlib.sha256(body).hexdigest()
    assert headers["Content-Length"] == "20000"
    assert headers["Last-Modified"].endswith("GMT")
    head_status, head, nothing = ask("HEAD", "/a.tar.gz")
    assert (head_status, nothing) == (200, b"")
    assert all(head[name] == headers[name] for name in ("ETag", "Content-Length", "Last-Modified"))
    assert ask("GET", "/a.tar.gz", {"If-None-Match": headers["ETag"]})[0] == 304


@pytest.mark.parametrize("path", ["/b", "/../a.tar.gz", "/%2e%2e/a", "/slow/b", "//etc/passwd", "/a.tar.gz/x"])
def test_what_is_not_there(ask, path):
    assert ask("GET", path)[0] == 404


def test_slow_is_32_kib_a_second(ask):
    started = time.monotonic()
    assert len(ask("GET", "/slow/a.tar.gz")[2]) == 20000
    assert 0.5 < time.monotonic() - started < 3


def test_the_list_of_files(ask):
    assert ask("GET", "/")[2] == b"a.tar.gz\n"
