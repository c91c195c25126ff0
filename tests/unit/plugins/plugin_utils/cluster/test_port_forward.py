from __future__ import annotations

import contextlib
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import types
from pathlib import Path

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import port_forward
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.port_forward import Forward


class Link:
    """A port-forward whose far end a test holds; what the kubernetes client returns."""

    def __init__(self, said=None):
        self.near, self.far = socket.socketpair()
        self.said = said
        self.closed = threading.Event()

    def socket(self, port):
        assert port == 9090
        return self.near

    def error(self, port):
        return self.said

    def close(self):
        self.near.close()
        self.closed.set()


def dialled(forward):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(5)
    connection.connect(forward.target[len("unix:"):])
    return connection


def wait_for(true):
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_both_ways():
    link = Link()
    with Forward(lambda: link, 9090) as forward, dialled(forward) as connection:
        connection.sendall(b"to the pod")
        assert link.far.recv(100) == b"to the pod"
        link.far.sendall(b"from the pod")
        assert connection.recv(100) == b"from the pod"
        assert forward.errors == []


def test_much():
    link, sent, got = Link(), os.urandom(8 << 20), bytearray()
    link.far.settimeout(10)

    def read():
        while len(got) < len(sent):
            got.extend(link.far.recv(1 << 20))

    reader = threading.Thread(target=read)
    reader.start()
    with Forward(lambda: link, 9090) as forward, dialled(forward) as connection:
        connection.sendall(sent)
        reader.join(10)
    assert bytes(got) == sent


def test_nobody_else_gets_in():
    with Forward(Link, 9090) as forward:
        folder = os.path.dirname(forward.target[len("unix:"):])
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert not os.path.exists(folder)


def test_a_long_temporary_folder(monkeypatch, tmp_path):
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(port_forward.tempfile, "tempdir", str(deep))
    with Forward(Link, 9090) as forward, dialled(forward):
        assert len(forward.target) < 108
    assert not list(deep.iterdir())


def test_every_connection_is_a_forward_of_its_own():
    links = []

    def link():
        links.append(Link())
        return links[-1]

    with Forward(link, 9090) as forward, dialled(forward), dialled(forward):
        wait_for(lambda: len(links) == 2)


def test_when_the_pod_ends_it_the_reason_is_known_first():
    link = Link()
    with Forward(lambda: link, 9090) as forward, dialled(forward) as connection:
        link.said = "error forwarding port 9090 to pod 1234: lost connection to pod\n"
        link.far.close()
        assert connection.recv(1) == b""
        assert forward.errors == ["error forwarding port 9090 to pod 1234: lost connection to pod"]
    assert link.closed.wait(5)


def test_a_closed_port_in_few_words():
    link = Link("failed to execute portforward in network namespace: dial tcp4 127.0.0.1:9090: connect: connection refused")
    with Forward(lambda: link, 9090) as forward, dialled(forward) as connection:
        link.far.close()
        assert connection.recv(1) == b""
        assert forward.errors == ["nothing listens on port 9090 of the pod (connection refused)"]


def test_when_the_client_ends_it_the_forward_is_closed():
    link = Link()
    with Forward(lambda: link, 9090) as forward:
        dialled(forward).close()
        assert link.closed.wait(5) and forward.errors == []


def test_what_the_pod_says_is_asked_before_the_forward_is_closed():
    link, asked = Link(), []

    def error(port):
        time.sleep(0.2)
        asked.append((port, link.closed.is_set()))
    link.error = error
    with Forward(lambda: link, 9090) as forward:
        dialled(forward).close()
        assert link.closed.wait(5)
    assert asked == [(9090, False)]


def test_a_forward_that_cannot_be_opened():
    def link():
        raise OSError("the API server is gone")

    with Forward(link, 9090) as forward, dialled(forward) as connection:
        assert connection.recv(1) == b""
        assert forward.errors == ["the API server is gone"]


def test_nothing_is_left():
    before = set(threading.enumerate())
    link = Link()
    with Forward(lambda: link, 9090) as forward:
        connection = dialled(forward)
        connection.sendall(b"x")
        link.far.recv(1)
    connection.close()
    wait_for(lambda: not set(threading.enumerate()) - before)
    with pytest.raises(OSError), contextlib.closing(socket.socket(socket.AF_UNIX)) as again:
        again.connect(forward.target[len("unix:"):])


class TestLeftovers:
    """Of a run that was killed: the kernel knows that its process has ended, whatever its number or its container was."""

    @pytest.fixture
    def tmp_path(self):
        """A short one: a socket's path has 107 bytes at most."""
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            yield Path(folder)

    @pytest.fixture(autouse=True)
    def temporary(self, tmp_path, monkeypatch):
        monkeypatch.setattr(port_forward.tempfile, "gettempdir", lambda: str(tmp_path))
        port_forward.remove_leftovers.cache_clear()

    SCRIPT = (
        "import os, socket, sys, tempfile, fcntl\n"
        "folder = tempfile.mkdtemp(prefix='tf-serving-', dir=sys.argv[1])\n"
        "fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)\n"
        "socket.socket(socket.AF_UNIX).bind(folder + '/grpc')\n"
        "print(folder, flush=True)\nsys.stdin.read()\n"
    )

    def test_a_killed_run_and_one_that_lives(self, tmp_path):
        with subprocess.Popen(
            [sys.executable, "-c", self.SCRIPT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as run:
            folder = run.stdout.readline().strip()
            with Forward(Link, 9090):
                assert os.path.exists(folder)
            run.kill()
            run.wait()
        port_forward.remove_leftovers.cache_clear()
        with Forward(Link, 9090) as forward:
            assert os.listdir(tmp_path) == [forward.target.split("/")[-2]]
        assert os.listdir(tmp_path) == []

    def test_what_is_not_ours_stays(self, tmp_path, monkeypatch):
        (tmp_path / "tf-serving-new").mkdir()  # its socket is not there yet
        (tmp_path / "else").mkdir()
        (tmp_path / "else" / "grpc").write_text("")
        (tmp_path / "tf-serving-link").symlink_to(tmp_path / "else")
        (tmp_path / "tf-serving-file").write_text("")
        before = sorted(os.listdir(tmp_path))
        with Forward(Link, 9090):
            pass
        assert sorted(os.listdir(tmp_path)) == before and (tmp_path / "else" / "grpc").exists()

    def test_what_is_somebody_elses_stays(self, tmp_path, monkeypatch):
        (tmp_path / "tf-serving-old").mkdir()
        (tmp_path / "tf-serving-old" / "grpc").write_text("")
        monkeypatch.setattr(port_forward.os, "geteuid", lambda: os.getuid() + 1)
        port_forward.remove_leftovers(str(tmp_path))
        assert (tmp_path / "tf-serving-old" / "grpc").exists()

    def test_two_at_once_leave_each_other_alone(self):
        with Forward(Link, 9090) as one:
            port_forward.remove_leftovers.cache_clear()
            with Forward(Link, 9090):
                assert os.path.exists(one.target[len("unix:"):])


class ApiException(Exception):
    def __init__(self, reason):
        super().__init__("(0)\nReason: " + reason)
        self.reason = reason


@pytest.mark.parametrize(("said", "reason"), [
    ('Handshake status 404 Not Found -+-+- {\'date\': \'x\'} -+-+- b\'{"kind":"Status","message":"pods \\"a\\" not found",'
     '"code":404}\\n\'', 'pods "a" not found'),
    ('Handshake status 403 Forbidden -+-+- {} -+-+- b\'{"message":"pods \\\\"a\\\\" is forbidden"}\'',
     'pods "a" is forbidden (the account needs get and create on pods/portforward)'),
    ("Handshake status 502 Bad Gateway -+-+- {} -+-+- b'<html>'", "Handshake status 502 Bad Gateway"),
    ("[Errno 111] Connection refused", "[Errno 111] Connection refused"),
    # A proxy's, which knows nothing of the account's rights.
    ("failed CONNECT via proxy status: 403", "the proxy does not lead there (it says 403)"),
    ("failed CONNECT via proxy status: 407", "the proxy wants user and password (407)"),
    ("Handshake status 403 Forbidden -+-+- {} -+-+- b'<html>'", "Handshake status 403 Forbidden"),
])
def test_the_reason_in_a_failed_handshake(said, reason):
    assert port_forward.reason(ApiException(said)) == reason


def test_an_error_of_another_kind():
    assert port_forward.reason(OSError("no route")) == "no route"


class TestToAPod:
    @staticmethod
    def client(**headers):
        configuration = types.SimpleNamespace(
            host="https://10.0.0.1:6443", proxy="http://none", auth_settings=lambda: {"BearerToken": {"value": "Bearer x\n"}},
        )
        return types.SimpleNamespace(configuration=configuration, default_headers=headers)

    def test_what_the_api_server_is_asked(self, monkeypatch):
        asked, client = [], self.client()
        monkeypatch.setattr(port_forward.ws_client, "portforward_call", lambda *arguments, **more: asked.append((arguments, more)))
        port_forward.to_pod(client, "models", "pod-1", 9090)._open_link()
        assert asked == [(
            (client.configuration, "GET", "https://10.0.0.1:6443/api/v1/namespaces/models/pods/pod-1/portforward"),
            {"query_params": [("ports", "9090")], "headers": {"authorization": "Bearer x"}},
        )]

    @pytest.mark.parametrize("header", ["Impersonate-User", "Impersonate-Group"])
    def test_as_somebody_else_it_is_refused(self, header):
        """It would be made with more rights than were asked for."""
        with pytest.raises(Error, match="impersonate_user") as caught:
            port_forward.to_pod(self.client(**{header: "robot"}), "models", "pod-1", 9090)
        assert caught.value.code == "impersonation_unsupported"
