"""Which address is dialled, and how long it is waited for."""
from __future__ import annotations

import socket
import threading
import time
import types

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import address as _address


@pytest.mark.parametrize(("address", "dialled"), [
    ("10.0.0.1", "10.0.0.1:9090"), ("10.0.0.1:8500", "10.0.0.1:8500"), ("lb.example.com:80", "lb.example.com:80"),
    ("lb.example.com", "lb.example.com:9090"), ("::1", "[::1]:9090"), ("[::1]:8500", "[::1]:8500"), ("[::1]", "[::1]:9090"),
])
def test_addresses(address, dialled):
    assert _address.dialled(address, 9090) == dialled


@pytest.mark.parametrize("address", [
    "http://host:80", "host:port", "host:99999", "host:0", "host:80:90", ":80", "[::1", "host/path",
])
def test_addresses_that_are_none(address):
    with pytest.raises(Error, match="check_address is"):
        _address.dialled(address, 9090)


def test_only_what_lies_on_the_edge_is_a_port():
    assert _address.dialled("h:1", 9090) == "h:1" and _address.dialled("h:65535", 9090) == "h:65535"
    with pytest.raises(Error) as caught:
        _address.dialled("h:65536", 9090)
    assert caught.value.code == "address_invalid" and "check_address is 'h:65536': use HOST or HOST:PORT." in caught.value.message


@pytest.fixture
def port():
    """One on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_an_address_that_comes_late_is_waited_for(port):
    def listen():
        time.sleep(0.3)
        with socket.create_server(("127.0.0.1", port)) as listener:
            listener.accept()

    threading.Thread(target=listen, daemon=True).start()
    start = time.monotonic()
    _address.probe("127.0.0.1:%d" % port)
    assert 0.2 < time.monotonic() - start < 2


def test_patience_ends(port, monkeypatch):
    monkeypatch.setattr(_address, "CONNECT_PATIENCE", 0.3)
    start = time.monotonic()
    with pytest.raises(Error, match="the server cannot be reached: Connection refused") as caught:
        _address.probe("127.0.0.1:%d" % port)
    assert caught.value.code == "unavailable" and 0.3 < time.monotonic() - start < 1.5


def test_it_pauses_between_two_tries(port, monkeypatch):
    now, pauses = [0.0], []

    def sleep(seconds):
        pauses.append(seconds)
        now[0] += seconds

    # Not the module `time` itself, whose other users go on beside.
    monkeypatch.setattr(_address, "time", types.SimpleNamespace(sleep=sleep, monotonic=lambda: now[0]))
    with pytest.raises(Error):
        _address.probe("127.0.0.1:%d" % port)
    assert set(pauses) == {0.2} and 15 <= len(pauses) <= 16, "for three seconds"


def test_an_error_without_a_number_is_said_too(monkeypatch):
    def refuse(target, timeout):
        raise OSError("no such host")

    monkeypatch.setattr(_address, "CONNECT_PATIENCE", 0)
    monkeypatch.setattr(_address.socket, "create_connection", refuse)
    with pytest.raises(Error, match="cannot be reached: no such host"):
        _address.probe("host:80")


def test_an_ipv6_address_is_dialled_without_its_brackets(monkeypatch):
    dialled = []
    monkeypatch.setattr(
        _address.socket, "create_connection", lambda target, timeout: dialled.append((*target, timeout)) or socket.socket())
    _address.probe("[::1]:8500")
    assert dialled == [("::1", 8500, 1)]
