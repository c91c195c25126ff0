# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one way to ask a model server: a channel with a deadline for every call, and errors in words."""
from __future__ import annotations

import dataclasses
import itertools
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, Protocol

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import protos
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tls import Tls, problem, trusted

# gRPC's C core writes to standard error, where it reads as if the module had crashed.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

try:
    import grpc
except ImportError:
    pass  # the task has said so: it is one of its NEEDS

# The default of 4 MiB is too small for pictures. One reply may be as large as a few 4K pictures of float32 (95 MiB each),
# for the answer to a single test cannot be made smaller; what is larger is a server gone wrong, and as many as are under
# way at once still have to fit into this controller's memory.
LARGEST_REPLY = 256 << 20
CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", LARGEST_REPLY),
    ("grpc.max_send_message_length", -1),
    ("grpc.per_message_decompression", 0),  # never asked for, and a small reply could become a very large one
    ("grpc.use_local_subchannel_pool", 1),  # or channels of one process to one address share a connection
    ("grpc.enable_retries", 0),  # a retry would hide a replica that comes and goes
    ("grpc.enable_http_proxy", 0),
)
# What a status code means, for a person. `said` is the server's own sentence.
WORDS = {
    "UNAVAILABLE": "the server cannot be reached: %(said)s",
    "DEADLINE_EXCEEDED": "the server did not answer within %(timeout)g s",
    "UNIMPLEMENTED": "the server does not know %(method)s (it is older than 1.6, or no TensorFlow Serving): %(said)s",
    "FAILED_PRECONDITION": "the server refuses (a label may only be moved to a version that is AVAILABLE): %(said)s",
    "RESOURCE_EXHAUSTED": "the server is out of memory or threads: %(said)s",
    # What gRPC has the same codes for.
    "QUEUE_FULL": "the server is overloaded, its batching queue is full: %(said)s",
    "REPLY_TOO_LARGE": "the reply is larger than %d MiB, ask for fewer tests at once: %%(said)s" % (LARGEST_REPLY >> 20),
    "REQUEST_TOO_LARGE": "the request is larger than the server takes, ask for fewer tests at once: %(said)s",
}
OTHERWISE = "the server says %(code)s: %(said)s"
CODES = {
    "QUEUE_FULL": "resource_exhausted", "REPLY_TOO_LARGE": "resource_exhausted", "REQUEST_TOO_LARGE": "resource_exhausted",
}
# With what a port-forward ends where a server was spoken to in a way that it does not know.
CUT_OFF = ("reset by peer", "broken pipe", "EOF")


@dataclasses.dataclass(slots=True)
class Reply:
    """What came of a request: the reply's bytes, or an error."""

    index: int  # of the request
    start: float  # when it was sent, by time.perf_counter()
    seconds: float
    wire: bytes | None
    error: Error | None


class Forward(Protocol):
    """A port-forward, as far as it is of interest here."""

    @property
    def errors(self) -> list[str]: ...


class Call(Protocol):
    """gRPC's own way to send a serialised request. It gives the reply's bytes, or raises grpc.RpcError."""

    def __call__(self, wire: bytes, timeout: float) -> bytes: ...


def versions() -> dict[str, str]:
    return {"grpcio": grpc.__version__, "protobuf": protos.version()}


class Channel:
    """To one server; connects with the first call. Nothing is tried again.

    forward: the port-forward that leads there, which knows why it failed. words: as WORDS, and instead of those.
    """

    def __init__(
        self, target: str, forward: Forward | None = None, words: Mapping[str, str] | None = None, tls: Tls | None = None
    ) -> None:
        self._target = target
        self._forward = forward
        self._words = {**WORDS, **(words or {})}
        self._tls = tls
        self._authorities = trusted(tls) if tls else None
        self._tls_says: str | None = None
        self._channel = self._opened()

    def _opened(self) -> Any:
        if self._tls is None:
            return grpc.insecure_channel(self._target, CHANNEL_OPTIONS)
        ours = [text and text.encode() for text in (self._authorities, self._tls.key, self._tls.certificate)]
        name = self._tls.server_name
        options = (*CHANNEL_OPTIONS, *([("grpc.ssl_target_name_override", name)] if name else []))
        return grpc.secure_channel(self._target, grpc.ssl_channel_credentials(*ours), options)

    def close(self) -> None:
        self._channel.close()

    def call(self, method: str, wire: bytes, timeout: float) -> bytes:
        """The reply to a serialised request, as bytes."""
        send: Call = self._channel.unary_unary(method)
        try:
            return send(wire, timeout=timeout)
        except grpc.RpcError as error:
            raise self._explained(error, method, timeout) from error

    def ask(self, method: str, request: Any, reply: str, timeout: float) -> Any:
        """The same with messages; reply is the name of its type."""
        return parsed(reply, self.call(method, request.SerializeToString(), timeout))

    def each(self, method: str, wires: Iterable[bytes], concurrency: int, timeout: float) -> Generator[Reply, None, None]:
        """A Reply for each of many requests, as they end, with so many under way at a time.

        To close this generator cancels what is under way. A blocking call in a thread of its own costs least: one
        request at a time takes 0.36 ms of CPU, with gRPC's futures 0.68 ms, and at 4 and 8 both take 0.3 ms.
        """
        call: Call = self._channel.unary_unary(method)
        if concurrency == 1:
            replies = _one_by_one(call, wires, timeout)
        else:
            replies = _at_once(call, wires, concurrency, timeout, self._cancel)
        for reply in replies:
            reply.error = reply.error and self._explained(reply.error, method, timeout)
            yield reply

    def _cancel(self) -> None:
        """gRPC ends blocking calls with their channel, and only so."""
        old, self._channel = self._channel, self._opened()
        old.close()

    def _explained(self, error: Any, method: str, timeout: float) -> Error:
        status, said = error.code().name, " ".join((error.details() or "").split())
        kind = _kind(status, said)
        if kind == "UNAVAILABLE":
            on_the_way = self._forward.errors[-1:] if self._forward is not None else []
            if (not on_the_way or any(word in on_the_way[0] for word in CUT_OFF)) and self._tls_problem():
                return Error(self._tls_problem(), "tls_failed", status=status)
            if on_the_way:
                return Error("port-forward failed: " + on_the_way[0], "port_forward_failed", status=status)
        text = self._words.get(kind, OTHERWISE) % {
            "code": status, "said": said, "timeout": timeout, "method": method.rpartition("/")[2],
        }
        return Error(text, CODES.get(kind, status.lower()), status=status)

    def _tls_problem(self) -> str:
        """A sentence where TLS is what is wrong, which gRPC tells apart from no server only in some releases."""
        if self._tls_says is None:
            self._tls_says = problem(self._target, self._tls, self._authorities) or ""
        return self._tls_says


def _one_by_one(call: Call, wires: Iterable[bytes], timeout: float) -> Generator[Reply, None, None]:
    """Here and below an error is still gRPC's own."""
    for index, wire in enumerate(wires):
        yield _timed(call, index, wire, timeout)


def _at_once(
    call: Call, wires: Iterable[bytes], concurrency: int, timeout: float, cancel: Callable[[], None]
) -> Generator[Reply, None, None]:
    threads = _Threads(call, wires, concurrency, timeout)
    try:
        # Two for each thread: it need not wait for whoever reads the replies, and no more than that are held in memory.
        threads.send(2 * concurrency)
        while threads.under_way:
            reply = threads.ended()
            threads.send(1)
            yield reply
    finally:
        threads.stop()
        if threads.under_way:
            cancel()


class _Threads:
    """under_way: requests that were handed to these threads and have not ended."""

    def __init__(self, call: Call, wires: Iterable[bytes], number: int, timeout: float) -> None:
        self._call, self._timeout = call, timeout
        self._numbered = enumerate(wires)
        self._todo: queue.SimpleQueue[tuple[int, bytes] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Reply | Exception] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for dummy in range(number)]
        self.under_way = 0
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        for index, wire in iter(self._todo.get, None):
            try:
                self._done.put(_timed(self._call, index, wire, self._timeout))
            except Exception as error:  # of whoever reads, who would wait for ever
                self._done.put(error)

    def send(self, most: int) -> None:
        for item in itertools.islice(self._numbered, most):
            self._todo.put(item)
            self.under_way += 1

    def ended(self) -> Reply:
        """Waits for one that ends."""
        reply = self._done.get()
        self.under_way -= 1
        if isinstance(reply, Exception):
            raise reply
        return reply

    def stop(self) -> None:
        while not self._todo.empty():
            self._todo.get()
        for dummy in self._threads:
            self._todo.put(None)


def _timed(call: Call, index: int, wire: bytes, timeout: float) -> Reply:
    start = time.perf_counter()
    reply = error = None
    try:
        reply = call(wire, timeout=timeout)
    except grpc.RpcError as failed:
        error = failed
    return Reply(index, start, time.perf_counter() - start, reply, error)


def _kind(status: str, said: str) -> str:
    """The key of WORDS: what a status means, where it means more than one thing."""
    if "queue" in said and "is full" in said and status in ("UNAVAILABLE", "RESOURCE_EXHAUSTED"):
        return "QUEUE_FULL"
    too_large = re.search(r"larger than max \(\d+ vs\. (\d+)\)", said)
    if status == "RESOURCE_EXHAUSTED" and too_large:
        ours = int(too_large.group(1)) == LARGEST_REPLY and not said.startswith("SERVER")
        return "REPLY_TOO_LARGE" if ours else "REQUEST_TOO_LARGE"
    return status


def parsed(name: str, wire: bytes) -> Any:
    """The message of this type in these bytes."""
    message = getattr(messages(), name)()
    try:
        message.ParseFromString(wire)
    except Exception as error:  # protobuf's DecodeError, or what its pure Python version lets through
        raise Error("a reply is no %s: %s" % (name, error), "malformed_reply") from error
    return message
