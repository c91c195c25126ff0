"""Which way leads to the API, by the environment and the options; and that requests and websockets both go it."""
from __future__ import annotations

import base64

import pytest
from who_answers import VERSION

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import api as cluster_api
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import port_forward
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.proxy import Proxy, decide

API = "https://api.example.com:6443"


PROXY = Proxy("http://proxy:3128", "")


@pytest.mark.parametrize(("environment", "host", "way"), [
    ({}, API, None),
    ({"HTTPS_PROXY": "http://proxy:3128"}, API, PROXY),
    ({"https_proxy": "http://proxy:3128", "HTTPS_PROXY": "http://other"}, API, PROXY),
    ({"https_proxy": " ", "HTTPS_PROXY": "proxy:3128\n"}, API, PROXY),
    ({"HTTP_PROXY": "http://proxy:3128"}, API, None),
    ({"HTTP_PROXY": "http://proxy:3128"}, "http://api.example.com", PROXY),
    ({"ALL_PROXY": "http://proxy:3128"}, API, None),  # kubectl and Helm do not read it
    ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "localhost, api.example.com"}, API, None),
    ({"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "other", "NO_PROXY": "*"}, API, PROXY),
    # As kubectl and Helm do: the end of a tunnel.
    ({"HTTPS_PROXY": "http://proxy:3128"}, "https://127.0.0.1:6443", None),
    ({"HTTPS_PROXY": "http://proxy:3128"}, "https://localhost:6443", None),
    ({"HTTPS_PROXY": "http://proxy:3128"}, "https://[::1]:6443", None),
])
def test_the_environment(environment, host, way):
    assert decide(host, None, None, environment) == way


@pytest.mark.parametrize(("named", "exempt", "host", "way"), [
    ("http://proxy:3128", None, API, PROXY),
    ("http://proxy:3128", "other, example.com", API, None),
    ("http://proxy:3128", None, "https://127.0.0.1", PROXY),  # who says so means it
    (None, "example.com", API, None),
])
def test_what_was_said_for_the_cluster_counts_first(named, exempt, host, way):
    assert decide(host, named, exempt, {"HTTPS_PROXY": "http://other", "NO_PROXY": "*" if named else "other"}) == way


@pytest.mark.parametrize(("text", "url", "login"), [
    ("proxy", "http://proxy:80", ""), ("https://proxy", "https://proxy:443", ""), ("http://[fd00::1]:1/", "http://[fd00::1]:1", ""),
    ("http://me:p%40ss%3Aword@proxy:1", "http://proxy:1", "me:p@ss:word"), ("me@proxy", "http://proxy:80", "me:"),
    ("socks5://proxy", "socks5://proxy:1080", ""),
])
def test_how_a_proxy_is_written(text, url, login):
    assert decide(API, text, None, {}) == Proxy(url, login)


@pytest.mark.parametrize("text", ["ftp://proxy:21", "http://", "http://proxy:port", "http://a b:1", "http://[proxy"])
def test_what_is_no_proxy(text):
    with pytest.raises(ValueError, match=r"^the proxy \(HTTPS_PROXY\) is none: write it as http://NAME:PORT$"):
        decide(API, None, None, {"HTTPS_PROXY": text})
    with pytest.raises(ValueError, match="K8S_AUTH_PROXY"):
        decide(API, text, None, {})


class TestBothWays:
    """A real server, and a real proxy that leads nowhere: who was asked?"""

    @pytest.fixture
    def asked(self, world, monkeypatch):
        """asked(environment, options) gives who was asked by a request and who by a port-forward. PROXY, API, LOGIN: addresses."""
        def note(who, answer):
            return lambda request: heard.append((who, request.headers.get("Proxy-Authorization"))) or answer
        heard = []
        addresses = {"PROXY": world.serve(note("proxy", (502, {}, b""))), "API": world.serve(note("api", VERSION))}
        addresses["LOGIN"] = addresses["PROXY"].replace("//", "//me:p%40ss@")

        def call(environment, options):
            def filled(text):
                for name, address in addresses.items():
                    text = text.replace(name, address) if isinstance(text, str) else text
                return text
            for name, text in environment.items():
                monkeypatch.setenv(name, filled(text))
            given = {name: filled(text) for name, text in options.items()}
            client = cluster_api._client({**dict.fromkeys(cluster_api.AUTH_ARG_SPEC), "api_key": "t0k3n", **given})
            for ask in (lambda: cluster_api.get(client, "/version"),
                        port_forward.to_pod(client, "models", "a", 9090)._open_link):
                try:
                    ask()
                except Exception as error:
                    assert "grant" not in port_forward.reason(error) and "needs" not in port_forward.reason(error)
            return heard
        return call

    @pytest.mark.parametrize(("environment", "options", "who"), [
        ({}, {"host": "API"}, "api"),
        ({"HTTP_PROXY": "PROXY"}, {"host": "API"}, "api"),  # which is on this machine
        ({"HTTP_PROXY": "PROXY", "NO_PROXY": "192.0.2.1"}, {"host": "API", "proxy": "PROXY", "no_proxy": "a, 127.0.0.1"}, "api"),
        ({"NO_PROXY": "*"}, {"host": "API", "proxy": "PROXY"}, "proxy"),
        ({}, {"host": "API", "proxy": "PROXY", "no_proxy": "localhost, .example"}, "proxy"),
        ({"HTTP_PROXY": "PROXY"}, {"host": "http://192.0.2.1"}, "proxy"),
        ({"HTTPS_PROXY": "PROXY"}, {"host": "https://192.0.2.1"}, "proxy"),
        ({"HTTPS_PROXY": "PROXY", "NO_PROXY": "localhost, 127.0.0.1"}, {"host": "https://192.0.2.1"}, "proxy"),
        ({"K8S_AUTH_PROXY": "PROXY"}, {"host": "https://192.0.2.1"}, "proxy"),
    ])
    def test_the_same_is_asked_by_both(self, asked, environment, options, who):
        assert asked(environment, options) == [(who, None)] * 2

    def test_with_the_same_password(self, asked):
        word = "Basic " + base64.b64encode(b"me:p@ss").decode()
        assert asked({"HTTPS_PROXY": "LOGIN"}, {"host": "https://192.0.2.1"}) == [("proxy", word)] * 2

    def test_a_name_of_no_proxy_and_a_blank(self, asked):
        """Nobody is asked at all: the proxy is not to be, and nobody lives there."""
        assert asked({"HTTPS_PROXY": "PROXY", "NO_PROXY": "localhost, nowhere.invalid"}, {"host": "https://nowhere.invalid"}) == []

    @pytest.mark.parametrize("scheme", ["https", "socks5"])
    def test_where_a_websocket_cannot_go(self, scheme):
        client = cluster_api._opened(cluster_api.Configuration(host=API), None)
        client.configuration.proxy = scheme + "://proxy:1"
        with pytest.raises(Error, match="cannot go through a proxy of %s://" % scheme):
            port_forward.to_pod(client, "models", "a", 9090)
