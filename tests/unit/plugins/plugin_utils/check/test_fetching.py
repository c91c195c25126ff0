"""Bytes from paths and URLs, as curl would have them."""
from __future__ import annotations

import gzip
import hashlib
import http.server
import threading

import idx_files
import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import dataset, fetching, places

CSV = b"x,label\n1.5,0\n2.5,1\n"


@pytest.fixture
def web():
    """A function of (answers by path: (status, headers, body)), which gives a URL and the requests that came."""
    servers = []

    def serve(answers):
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append((self.path, dict(self.headers)))
                status, headers, body = answers.get(self.path, (404, {}, b"<html>not here</html>"))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        servers.append(server)
        return "http://127.0.0.1:%d" % server.server_port, asked

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def values(data):
    return {name: column.tolist() for name, column in data.columns.items()}


@pytest.mark.parametrize("body", [gzip.compress(CSV), gzip.compress(gzip.compress(CSV)), CSV])
@pytest.mark.parametrize("encoding", [{"Content-Encoding": "gzip"}, {}])
def test_a_server_may_say_what_it_wants_of_gzip(web, body, encoding):
    """And the checksum is that of the bytes as they came."""
    url, asked = web({"/x.csv.gz": (200, {**encoding, "Content-Type": "text/html"}, body)})
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    assert values(dataset.load(url + "/x.csv.gz", checksums={"x.csv.gz": digest})) == {"x": [1.5, 2.5], "label": [0, 1]}
    assert asked[0][1].get("Accept-Encoding", "identity") == "identity"


@pytest.mark.parametrize(("typed", "sent"), [
    ("/数据/x.csv", "/%E6%95%B0%E6%8D%AE/x.csv"), ("/my data.csv", "/my%20data.csv"), ("/my%20data.csv", "/my%20data.csv"),
    ("/100%.csv", "/100%25.csv"), ("/download?file=ü x.csv&sig=a%2Fb", "/download?file=%C3%BC%20x.csv&sig=a%2Fb"),
    ("/x.csv#part", "/x.csv"), ("/x.csv\n", "/x.csv"), ("/a+b;c=1,2/x.csv", "/a+b;c=1,2/x.csv"),
])
def test_urls_as_people_type_them(web, typed, sent):
    url, asked = web({sent: (200, {}, CSV)})
    assert values(dataset.load(" " + url.replace("http", "HTTP") + typed)) == {"x": [1.5, 2.5], "label": [0, 1]}
    assert asked[0][0] == sent


def test_a_host_outside_of_ascii():
    assert fetching.sendable("https://me:a@bücher.example:8080/x") == "https://me:a@xn--bcher-kva.example:8080/x"
    assert fetching.sendable("http://bücher:8080/x") == "http://xn--bcher-kva:8080/x"


def test_a_file_url_as_a_browser_shows_it(tmp_path):
    (tmp_path / "my data.csv").write_bytes(CSV)
    (tmp_path / "50%20.csv").write_bytes(CSV)
    assert dataset.load("FILE://%s/my%%20data.csv" % tmp_path).tests == dataset.load("file://%s/50%%20.csv" % tmp_path).tests == 2


def test_a_folder_of_a_server_with_unpacked_files(web):
    images, labels = idx_files.digits(20)
    unpacked = {places.IMAGES[:-3]: images, places.LABELS[:-3]: labels}
    url, dummy = web({"/mnist/" + name: (200, {}, idx_files.idx(array)) for name, array in unpacked.items()})
    for location in (url + "/mnist", url + "/mnist/"):
        assert dataset.load(location).columns["labels"].tolist() == labels.tolist()


def test_a_url_that_does_not_look_like_a_file(web):
    url, dummy = web({"/files/1234": (200, {}, CSV), "/page": (200, {}, b"<html>"), "/mnist/" + places.IMAGES: (403, {}, b"")})
    digest = "sha256:" + hashlib.sha256(CSV).hexdigest()
    assert dataset.load(url + "/files/1234").tests == dataset.load(url + "/files/1234", checksums={"1234": digest}).tests == 2
    for path, says in (("/page", "As a file: %s/page: this is a web page" % url), ("/none", "/none/%s answers 404" % places.IMAGES),
                       ("/mnist", places.IMAGES + " answers 403")):
        with pytest.raises(Error) as caught:
            dataset.load(url + path)
        assert says in caught.value.message


@pytest.mark.parametrize("path", ["/x y.csv?sig=secret", "/x.csv?sig=secret", "/\x01.csv?sig=secret", ":bad/x.csv?sig=secret"])
def test_no_signature_is_in_any_message(web, path):
    url, dummy = web({})
    with pytest.raises(Error) as caught:
        dataset.load(url + path)
    assert caught.value.code == "dataset_missing" and "secret" not in caught.value.message and "\n" not in caught.value.message
    assert caught.value.__cause__ is None, "Ansible prints every cause"


@pytest.mark.parametrize("location", ["file:///x.csv?sig=secret", "http://h:bad/x.csv?sig=secret", "/x.csv?sig=secret"])
def test_no_signature_of_a_redirection_is_in_any_message(web, location):
    url, dummy = web({path: (302, {"Location": location}, b"") for path in ("/x.csv", "/x.csv?sig=secret")})
    with pytest.raises(Error) as caught:
        dataset.load(url + "/x.csv")
    assert caught.value.code == "dataset_missing" and "secret" not in caught.value.message and "\n" not in caught.value.message
    assert caught.value.__cause__ is None, "Ansible prints every cause"


def test_the_proxy_is_asked_or_not(web, monkeypatch):
    url, asked = web({"/x.csv": (200, {}, CSV)})
    proxy, of_proxy = web({"http://h.example/x.csv": (200, {}, CSV)})
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy)
    assert dataset.load("http://h.example/x.csv").tests == 2 and len(of_proxy) == 1
    monkeypatch.setenv("no_proxy", "localhost 127.0.0.1")
    assert dataset.load(url + "/x.csv").tests == 2 and len(asked) == len(of_proxy) == 1
