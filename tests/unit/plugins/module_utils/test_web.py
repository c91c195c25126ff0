"""The way to a web server: passwords, redirections and proxies, on the controller and on the node."""
from __future__ import annotations

import base64
import http.server
import threading
import urllib.error

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils import web
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import download
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import dataset


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.command, self.path, self.headers["Authorization"]))
        status, location = self.server.answers.get(self.path, (200, None))
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        body = b"" if location else self.server.body
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *arguments):
        pass


@pytest.fixture
def servers():
    """Two; each has `url`, `answers` by path ((status, Location)), and what was `asked` of it."""
    made = []
    for _number in range(2):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.url, server.answers, server.asked, server.body = "http://127.0.0.1:%d" % server.server_port, {}, [], b"x,y\n1,2\n"
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        made.append(server)
    yield made
    for server in made:
        server.shutdown()
        server.server_close()


def basic(login):
    return "Basic " + base64.b64encode(login.encode()).decode()


def on_the_node(url):
    with download.opened(url, 1 << 20) as (dummy, read_chunk):
        return b"".join(iter(read_chunk, b""))


def on_the_controller(url):
    return dataset.load(url) and b"x,y\n1,2\n"


both = pytest.mark.parametrize("fetch", [on_the_node, on_the_controller])


@both
@pytest.mark.parametrize(("written", "login"), [
    ("me:secret@", "me:secret"), ("me:%40%2Fp%C3%BC@", "me:@/pü"), ("token@", "token:"), ("me:a:b@", "me:a:b"), (":x@", ":x"),
    ("me@example.com:secret@", "me@example.com:secret"), ("m%3Ae:x@", "m:e:x"),
])
def test_a_password(servers, fetch, written, login):
    assert fetch(servers[0].url.replace("//", "//" + written) + "/x.csv") == servers[0].body
    assert servers[0].asked == [("GET", "/x.csv", basic(login))]


@both
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirections(servers, fetch, status):
    first, second = servers
    first.answers["/x.csv"] = status, second.url + "/y.csv"
    assert fetch(first.url + "/x.csv") == second.body and second.asked == [("GET", "/y.csv", None)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_head_stays_one(servers, status):
    servers[0].answers["/x"] = status, servers[1].url + "/y"
    assert download.head(servers[0].url + "/x")["size"] == len(servers[1].body) and servers[1].asked == [("HEAD", "/y", None)]


@both
def test_a_password_is_for_the_server_that_it_was_given_for(servers, fetch):
    first, second = servers
    first.answers = {"/x.csv": (302, "/y.csv"), "/y.csv": (307, second.url + "/z.csv")}
    fetch(first.url.replace("//", "//me:secret@") + "/x.csv")
    assert [asked[2] for asked in first.asked + second.asked] == [basic("me:secret"), basic("me:secret"), None]


@both
def test_a_password_that_a_redirection_brings(servers, fetch):
    first, second = servers
    first.answers["/x.csv"] = 302, second.url.replace("//", "//you:secret@") + "/y.csv"
    fetch(first.url + "/x.csv")
    assert second.asked == [("GET", "/y.csv", basic("you:secret"))]


def test_a_circle_of_redirections(servers):
    servers[0].answers["/x"] = 308, "/x?sig=secret"
    servers[0].answers["/x?sig=secret"] = 308, "/x"
    with pytest.raises(urllib.error.HTTPError) as caught:
        web.opened(servers[0].url + "/x", 5)
    caught.value.close()


@both
@pytest.mark.parametrize(("listed", "direct"), [
    ("localhost, 127.0.0.1", True), ("localhost 127.0.0.1", True), ("127.0.0.0/8", True), ("127.0.0.1:PORT", True), ("*", True),
    ("", False), ("127.0.0.1:1", False), ("other\t10.0.0.0/8", False),
])
def test_no_proxy(servers, fetch, monkeypatch, listed, direct):
    server, proxy = servers
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, listed.replace("PORT", str(server.server_port)))
        fetch(server.url + "/x.csv")
        monkeypatch.delenv(name)
    assert (len(server.asked), len(proxy.asked)) == ((2, 0) if direct else (0, 2))


@both
def test_no_proxy_counts_for_what_a_redirection_leads_to(servers, fetch, monkeypatch):
    server, proxy = servers
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", "other 127.0.0.1")
    proxy.answers["http://h.example/x.csv"] = 302, server.url + "/y.csv"
    fetch("http://h.example/x.csv")
    assert [asked[1] for asked in proxy.asked + server.asked] == ["http://h.example/x.csv", "/y.csv"]
