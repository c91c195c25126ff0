# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one way to ask a model server: a channel with a deadline for every call, and errors in words."""
from __future__ import annotations

import collections
import itertools
import os
import queue
import re
import socket
import ssl
import threading
import time
import traceback

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.mlops.tf_serving.plugins.module_utils import _serving_protos
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_protos import messages

# gRPC's C core writes to standard error, where it reads as if the module had crashed.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

IMPORT_ERROR = _serving_protos.IMPORT_ERROR
try:
    import grpc
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

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
HANDSHAKE_PATIENCE = 3  # seconds

# ca_cert: a PEM file with the authorities that are trusted; None = those of this machine.
Tls = collections.namedtuple("Tls", "ca_cert", defaults=(None,))
# What came of a request: its number, when it was sent (time.perf_counter), how long it took, the reply's bytes or an Error.
Reply = collections.namedtuple("Reply", "index start seconds wire error")


def require_library(module):
    if IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("grpcio and protobuf"), exception=IMPORT_ERROR)


def versions():
    return {"grpcio": grpc.__version__, "protobuf": _serving_protos.version()}


class Channel:
    """To one server; connects with the first call. Nothing is tried again.

    forward: the port-forward that leads there, which knows why it failed. words: as WORDS, and instead of those.
    """

    def __init__(self, target, forward=None, words=None, tls=None):
        self._target = target
        self._forward = forward
        self._words = {**WORDS, **(words or {})}
        self._tls = tls
        self._authorities = _authorities(tls) if tls else None
        self._handshake = None
        self._channel = self._opened()

    def _opened(self):
        if self._tls is None:
            return grpc.insecure_channel(self._target, CHANNEL_OPTIONS)
        authorities = self._authorities and self._authorities.encode()
        return grpc.secure_channel(self._target, grpc.ssl_channel_credentials(authorities), CHANNEL_OPTIONS)

    def close(self):
        self._channel.close()

    def call(self, method, wire, timeout):
        """The reply to a serialised request, as bytes."""
        try:
            return self._channel.unary_unary(method)(wire, timeout=timeout)
        except grpc.RpcError as error:
            raise self._explained(error, method, timeout) from error

    def ask(self, method, request, reply, timeout):
        """The same with messages; reply is the name of its type."""
        return parsed(reply, self.call(method, request.SerializeToString(), timeout))

    def each(self, method, wires, concurrency, timeout):
        """A Reply for each of many requests, as they end, with so many under way at a time.

        To close this generator cancels what is under way. A blocking call in a thread of its own costs least: one
        request at a time takes 0.36 ms of CPU, with gRPC's futures 0.68 ms, and at 4 and 8 both take 0.3 ms.
        """
        call = self._channel.unary_unary(method)
        for index, start, seconds, wire, error in _each(call, wires, concurrency, timeout, self._cancel):
            yield Reply(index, start, seconds, wire, error and self._explained(error, method, timeout))

    def _cancel(self):
        """gRPC ends blocking calls with their channel, and only so."""
        old, self._channel = self._channel, self._opened()
        old.close()

    def _explained(self, error, method, timeout):
        status, said = error.code().name, " ".join((error.details() or "").split())
        kind = _kind(status, said)
        if kind == "UNAVAILABLE" and self._forward is not None and self._forward.errors:
            return Error("port-forward failed: " + self._forward.errors[-1], "port_forward_failed", status=status)
        if kind == "UNAVAILABLE" and self._tls_problem():
            return Error(self._tls_problem(), "tls_failed", status=status)
        text = self._words.get(kind, OTHERWISE) % {
            "code": status, "said": said, "timeout": timeout, "method": method.rpartition("/")[2],
        }
        return Error(text, CODES.get(kind, status.lower()), status=status)

    def _tls_problem(self):
        """A sentence where TLS is what is wrong, which gRPC tells apart from no server only in some releases."""
        if self._handshake is None:
            match = re.fullmatch(r"\[?([^/\[\]]+?)\]?:(\d+)", self._target)
            self._handshake = (match and _shake_hands(match.group(1), int(match.group(2)), self._tls, self._authorities)) or ""
        return self._handshake


def _each(call, wires, concurrency, timeout, cancel):
    """(index, start, seconds, bytes, RpcError) of each."""
    numbered = enumerate(wires)
    if concurrency == 1:
        for item in numbered:
            yield _timed(call, item, timeout)
        return
    # Two for each thread: it need not wait for whoever reads the replies, and no more than that are held in memory.
    todo, done = queue.SimpleQueue(), queue.SimpleQueue()

    def work():
        for item in iter(todo.get, None):
            try:
                done.put(_timed(call, item, timeout))
            except Exception as error:  # of whoever reads, who would wait for ever
                done.put(error)

    threads = [threading.Thread(target=work, daemon=True) for dummy in range(concurrency)]
    under_way = 0
    for thread in threads:
        thread.start()
    try:
        for item in itertools.islice(numbered, 2 * concurrency):
            todo.put(item)
            under_way += 1
        while under_way:
            reply = done.get()
            under_way -= 1
            if isinstance(reply, Exception):
                raise reply
            for item in itertools.islice(numbered, 1):
                todo.put(item)
                under_way += 1
            yield reply
    finally:
        while not todo.empty():
            todo.get()
        for dummy in threads:
            todo.put(None)
        if under_way:
            cancel()


def _timed(call, item, timeout):
    index, wire = item
    start = time.perf_counter()
    try:
        reply, error = call(wire, timeout=timeout), None
    except grpc.RpcError as failed:
        reply, error = None, failed
    return index, start, time.perf_counter() - start, reply, error


def _kind(status, said):
    """The key of WORDS: what a status means, where it means more than one thing."""
    if "queue" in said and "is full" in said and status in ("UNAVAILABLE", "RESOURCE_EXHAUSTED"):
        return "QUEUE_FULL"
    too_large = re.search(r"larger than max \(\d+ vs\. (\d+)\)", said)
    if status == "RESOURCE_EXHAUSTED" and too_large:
        ours = int(too_large.group(1)) == LARGEST_REPLY and not said.startswith("SERVER")
        return "REPLY_TOO_LARGE" if ours else "REQUEST_TOO_LARGE"
    return status


def _authorities(tls):
    """The certificates that are trusted, in PEM; None where this machine has none: then gRPC's own."""
    usual = ssl.get_default_verify_paths()
    paths = [tls.ca_cert] if tls.ca_cert else [
        path for path in (usual.cafile, "%s/ca-certificates.crt" % usual.capath) if path and os.path.isfile(path)
    ]
    if not paths:
        return None
    try:
        with open(paths[0], encoding="ascii", errors="ignore") as file:
            text = file.read()
        ssl.create_default_context(cadata=text or "-")
        return text
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise Error("The certificates in %s (check_tls_ca_cert) cannot be read: %s." % (paths[0], error), "tls_failed") from error


def _shake_hands(host, port, tls, authorities):
    """A sentence on why TLS fails, or None."""
    context = ssl.create_default_context(cadata=authorities)
    context.set_alpn_protocols(["h2"])
    if tls is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        connection = socket.create_connection((host, port), HANDSHAKE_PATIENCE)
    except OSError:
        return None
    with connection:
        try:
            with context.wrap_socket(connection, server_hostname=host) as secured:
                if tls is None:
                    return "the server speaks TLS on this port: set check_tls"
                if secured.selected_alpn_protocol() != "h2":
                    return "the server's TLS does not offer HTTP/2 (ALPN h2), which gRPC needs"
                return _unwelcome(secured)
        except ssl.SSLCertVerificationError as error:
            return "the server's certificate is not trusted: %s (check_tls_ca_cert says whom to trust)" % error.verify_message
        except OSError:  # an answer that is none, or the end of the connection
            return None if tls is None else "the server does not speak TLS on this port: leave check_tls out"


def _unwelcome(secured):
    """An HTTP/2 server speaks first. With TLS 1.3 one that misses a client certificate says so, or ends, only now."""
    try:
        ended = secured.recv(1) == b""
    except TimeoutError:
        ended = False
    except OSError:
        ended = True
    return "the server ends the connection after the TLS handshake, as if it wanted a client certificate, which the check" \
        " does not have" if ended else None


def parsed(name, wire):
    message = getattr(messages(), name)()
    try:
        message.ParseFromString(wire)
    except Exception as error:  # protobuf's DecodeError, or what its pure Python version lets through
        raise Error("a reply is no %s: %s" % (name, error), "malformed_reply") from error
    return message
