# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A way for gRPC into one pod, through the Kubernetes API server.

gRPC wants something to dial: a unix socket in a folder that only this user can enter. It needs no free port and lets
nobody else in. Every connection to it is one port-forward of the official client.
"""
from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import causes
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import authorization

try:
    from kubernetes.stream import ws_client
except ImportError:
    pass  # NEEDS of the action plugin has its name

MAX_SOCKET_PATH = 100  # the kernel's limit is 108
FOLDER, SOCKET = "tf-serving-", "grpc"


def to_pod(api_client: Any, namespace: str, pod: str, port: int) -> Forward:
    """A Forward to one port of one pod."""
    way = urlsplit(api_client.configuration.proxy or "").scheme
    if way not in ("", "http"):
        raise Error(
            "A port-forward cannot go through a proxy of %s://, the official client's websocket knows only http://: name another"
            " one, or add the API server to NO_PROXY if it is to be reached without a proxy." % way, "port_forward_failed",
        )
    if any(name.lower().startswith("impersonate-") for name in api_client.default_headers):
        raise Error(
            "A port-forward cannot be made as somebody else (impersonate_user, impersonate_groups): the official client's"
            " websocket does not say so. Use an account of its own.", "impersonation_unsupported",
        )
    return Forward(functools.partial(_link, api_client, namespace, pod, port), port)


def _link(api_client: Any, namespace: str, pod: str, port: int) -> Any:
    # What kubernetes.stream.portforward() ends in. That patches its ApiClient while it runs, so that threads must not
    # share one (kubernetes-client/python#928), and takes an API class, whose import costs 1.4 s of CPU time.
    configuration = api_client.configuration
    return ws_client.portforward_call(  # type: ignore[no-untyped-call]
        configuration, "GET", "%s/api/v1/namespaces/%s/pods/%s/portforward" % (configuration.host, namespace, pod),
        query_params=[("ports", str(port))], headers=authorization(configuration),
    )


class Forward:
    """Context manager; `target` is what to dial, `errors` what the API server and the pod said against it.

    open_link() returns what kubernetes.stream.portforward() does.
    """

    target: str

    def __init__(self, open_link: Callable[[], Any], port: int) -> None:
        self.errors: list[str] = []
        self._open_link = open_link
        self._port = port

    def __enter__(self) -> Forward:
        parent = tempfile.gettempdir()
        if len(os.path.join(parent, FOLDER)) + 20 > MAX_SOCKET_PATH:
            parent = "/tmp"
        remove_leftovers(parent)
        self._folder = tempfile.mkdtemp(prefix=FOLDER, dir=parent)
        self._lock = _locked(self._folder)
        path = os.path.join(self._folder, SOCKET)
        self.target = "unix:" + path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen()
        _start(self._accept)
        return self

    def __exit__(self, *exception: object) -> None:
        _shut(self._listener)  # wakes accept(), which close() alone would not
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            _start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                link = self._open_link()
            except Exception as error:  # whatever the client, its websocket or TLS raises
                self.errors.append(reason(error))
                return
            with contextlib.closing(link):
                remote = link.socket(self._port)
                inbound = _start(self._inbound, link, remote, connection)
                _pump(connection, remote)
                inbound.join()

    def _inbound(self, link: Any, remote: Any, connection: socket.socket) -> None:
        _pump(remote, connection, functools.partial(self._note, link))

    def _note(self, link: Any) -> None:
        said = (link.error(self._port) or "").strip()
        if "connection refused" in said:  # buried in 300 characters about network namespaces
            said = "nothing listens on port %d of the pod (connection refused)" % self._port
        if said:
            self.errors.append(said)


@functools.cache  # once a task
def remove_leftovers(parent: str) -> None:
    """Folders of runs that were killed. Whose run still lives is locked, by the kernel, in whatever container it is."""
    for folder in Path(parent).glob(FOLDER + "*"):
        with contextlib.suppress(OSError):  # somebody else's, in use, or gone by now
            there = folder.lstat()
            if there.st_uid == os.geteuid() and (folder / SOCKET).exists():  # which is made after the lock
                lock = _locked(str(folder))
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _locked(folder: str) -> int:
    """A descriptor whose end is the lock's; an OSError where another process has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _start(function: Callable[..., None], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def _pump(source: Any, sink: Any, before_closing: Callable[[], None] | None = None) -> None:
    """Copy until one side ends, then end both: HTTP/2 has no use for a connection that is half open."""
    with contextlib.suppress(OSError):
        while True:
            data = source.recv(1 << 18)
            if not data:
                break
            sink.sendall(data)
    if before_closing:
        before_closing()  # the reason has to be known before gRPC sees the end
    _shut(source)
    _shut(sink)


def _shut(end: Any) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def reason(error: BaseException) -> str:
    """The API server's own sentence, which the client buries in the text of a failed handshake; or what was in the way."""
    text = str(getattr(error, "reason", None) or error)
    message = re.search(r'"message":"(.*?)(?<!\\)"', text)
    if message is None:
        known = causes.known(error)
        return known.text if known else text.partition(" -+-+- ")[0]
    said = message.group(1).replace("\\", "")
    if re.search(r"\b403\b", text):
        said += " (the account needs get and create on pods/portforward)"
    return said
