"""Servers that lie, stall, break off or talk rubbish: every call ends in time, in bounded memory, with a reply or an Error."""
from __future__ import annotations

import contextlib
import gzip
import itertools
import os
import re
import socket
import struct
import threading
import time

import grpc
import numpy
import pytest
from fake_model_server import serving
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import requests
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.channel import Channel
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import PREDICT, messages
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tensors import encode

TIMEOUT = 0.2
MEMORY = 64 << 20
READERS = [requests.predict_reply, requests.classify_reply, requests.regress_reply]


def fuzz(examples):
    """Always the same examples, nothing is written to disk."""
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )


@pytest.fixture(autouse=True)
def _bounded_memory():
    """No test takes more than a little memory at its worst moment, whatever a server claims."""
    if not os.access("/proc/self/clear_refs", os.W_OK):
        yield
        return
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the highest RSS so far is forgotten
    before = _memory("VmRSS")
    yield
    assert _memory("VmHWM") - before < MEMORY


def _memory(name):
    with open("/proc/self/status") as file:
        return 1024 * int(re.search(name + r":\s+(\d+) kB", file.read()).group(1))


def asked(target, timeout=TIMEOUT):
    """What comes of a request: (status or code of an Error, outputs). Anything but an Error is a failure of the test."""
    start = time.monotonic()
    try:
        with contextlib.closing(Channel(target)) as channel:
            return None, requests.predict_reply(channel.call(PREDICT, b"request", timeout))
    except Error as error:
        assert error.message and "Traceback" not in error.message
        return error.details.get("status", error.code), None
    finally:
        assert time.monotonic() - start < timeout + 5


# Replies

def a_reply():
    reply = messages().PredictResponse()
    reply.model_spec.name, reply.model_spec.version.value = "mnist", 3
    reply.outputs["scores"].CopyFrom(encode(numpy.eye(2, 3), 1))
    typed = reply.outputs["typed"]
    typed.dtype = 9
    typed.tensor_shape.dim.add(size=3)
    typed.int64_val.extend([1, -1, 300])
    texts = reply.outputs["text"]
    texts.CopyFrom(encode(numpy.array([b"cat", b""], object), 7))
    return reply


def a_classification():
    reply = messages().ClassificationResponse()
    for label in ("cat", "dog"):
        reply.result.classifications.add().classes.add(label=label, score=0.5)
    return reply


WIRES = [a_reply().SerializeToString(), a_classification().SerializeToString(), b""]


@st.composite
def mutated(draw, wire):
    """These bytes with some of them changed, left out, doubled or put in."""
    wire = bytearray(wire)
    for dummy in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(wire)))
        end = draw(st.integers(at, min(len(wire), at + 8)))
        wire[at:end] = draw(st.one_of(
            st.binary(max_size=8), st.just(wire[at:end] * 2), st.sampled_from([b"\xff" * 10, b"\x80\x80\x80\x80\x04", b"\0" * 4])
        ))
    return bytes(wire[:draw(st.integers(0, len(wire)))]) if draw(st.booleans()) else bytes(wire)


@fuzz(150)
@given(st.sampled_from(WIRES).flatmap(mutated))
def test_replies_that_are_wrong_somewhere(wire):
    for read in READERS:
        with contextlib.suppress(Error):
            outputs, _version = read(wire)
            assert all(isinstance(array, numpy.ndarray) for array in outputs.values())


SIZES = st.one_of(st.integers(-2, 9), st.sampled_from([1 << 20, 1 << 28, 1 << 30, 1 << 31, 1 << 62, (1 << 63) - 1, -1 << 63]))


@fuzz(150)
@given(
    st.integers(-1, 40), st.lists(SIZES, max_size=40), st.binary(max_size=40), st.booleans(),
    st.sampled_from(["float_val", "int_val", "half_val", "scomplex_val", "int64_val"]),
    st.lists(st.integers(-9, 70000), max_size=3),
)
def test_tensors_that_claim_what_they_do_not_hold(number, shape, content, unknown, field, values):
    reply = messages().PredictResponse()
    tensor = reply.outputs["scores"]
    tensor.dtype, tensor.tensor_content, tensor.tensor_shape.unknown_rank = number, content, unknown
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    getattr(tensor, field).extend(values)
    with contextlib.suppress(Error):
        outputs, _version = requests.predict_reply(reply.SerializeToString())
        assert outputs["scores"].shape == tuple(shape)


@pytest.mark.parametrize("shape", [(1 << 28,), (1 << 30,), (1 << 20, 1 << 10), (1 << 62, 4)])
@pytest.mark.parametrize("values", [[], [1], [1, 2]])
def test_a_tensor_of_1_gib_in_a_few_bytes(shape, values):
    reply = messages().PredictResponse()
    tensor = reply.outputs["scores"]
    tensor.dtype = 1
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.float_val.extend(values)
    with pytest.raises(Error, match="claims the shape"):
        requests.predict_reply(reply.SerializeToString())


def test_a_shape_of_very_many_dimensions():
    reply = messages().PredictResponse()
    reply.outputs["scores"].dtype = 1
    one = messages().TensorShapeProto()
    one.dim.add(size=(1 << 63) - 1)
    reply.outputs["scores"].tensor_shape.ParseFromString(one.SerializeToString() * 20_000)
    with pytest.raises(Error, match="claims the shape"):
        requests.predict_reply(reply.SerializeToString())


class Answer(grpc.GenericRpcHandler):
    def __init__(self, wire):
        self.wire = wire

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self.wire)


@pytest.mark.parametrize(
    "wire", [b"\xff" * (5 << 20), WIRES[0][:-1], WIRES[0][:40] + b"\xff" * 9, b"\x0a\xff\xff\xff\xff\x0f"],
    ids=["too much", "cut off", "spoilt", "a length of gigabytes"],
)
def test_rubbish_from_a_server_that_speaks_grpc(wire):
    with serving(Answer(wire)) as target:
        assert asked(target, 5) == ("malformed_reply", None)


# HTTP/2

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags=0, payload=b"", stream=1, size=None):
    return struct.pack(">I", len(payload) if size is None else size)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def fields(**values):
    """HTTP headers, as HPACK has them without compression."""
    return b"".join(
        b"\0" + bytes([len(name)]) + name + b"\x7f" + _rest(len(value) - 127) + value if len(value) > 126 else
        b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
        for name, value in ((name.replace("_", "-").encode(), value) for name, value in values.items())
    )


def _rest(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


OK = b"\x88"  # :status 200
HELLO = frame(SETTINGS, stream=0) + frame(SETTINGS, ACK, stream=0)
OPEN = HELLO + frame(HEADERS, END_HEADERS, OK + fields(content_type=b"application/grpc"))
DONE = frame(HEADERS, END_HEADERS | END_STREAM, fields(grpc_status=b"0"))


def data(message, flags=0, claim=None, compressed=0):
    """A gRPC message in DATA frames."""
    whole = struct.pack(">BI", compressed, len(message) if claim is None else claim) + message
    parts = [whole[at:at + 16384] for at in range(0, len(whole), 16384)]
    return b"".join(frame(DATA, flags if part is parts[-1] else 0, part) for part in parts)


STALL = "stall"
RESET = "reset"


class RawServer:
    """Answers every request with the same bytes, then closes, stalls, resets, or repeats what `then` gives for ever.

    early: answers before it was asked anything.
    """

    def __init__(self, answer, then=None, early=False):
        self.answer, self.then, self.early = answer, then, early
        self.over = threading.Event()

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return "127.0.0.1:%d" % self.listener.getsockname()[1]

    def __exit__(self, *exception):
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self.listener.accept()
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(3)
            if self.early or self._wait_for_a_request(connection):
                self._give(connection)

    def _give(self, connection):
        connection.sendall(self.answer)
        if self.then == STALL:
            self.over.wait(3)
        elif self.then == RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif self.then:
            end = time.monotonic() + 3
            while time.monotonic() < end and not self.over.is_set():
                connection.sendall(self.then)
        else:
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):  # or the kernel resets what was not read yet
                pass

    @staticmethod
    def _wait_for_a_request(connection):
        """Until there are HEADERS; False for somebody who does not speak HTTP/2."""
        connection.sendall(frame(SETTINGS, stream=0))
        with connection.makefile("rb", 0) as file:
            if file.read(len(PREFACE)) != PREFACE:
                return False
            while True:
                head = file.read(9)
                if len(head) < 9:
                    return False
                size = int.from_bytes(head[:3], "big")
                while size:
                    size -= len(file.read(size)) or size
                if head[3] == HEADERS:
                    return True


def test_the_raw_server_can_answer_well():
    """Or the tests below would prove nothing."""
    with RawServer(OPEN + data(WIRES[0]) + DONE, STALL) as target:
        status, (outputs, version) = asked(target, 5)
    assert status is None and version == 3 and outputs["typed"].tolist() == [1, -1, 300]


AWAY, LATE, TOO_MUCH = "UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"
BROKEN = {"UNAVAILABLE", "INTERNAL", "UNKNOWN", "CANCELLED", "UNIMPLEMENTED", "malformed_reply"}
BOMB = gzip.compress(bytes(300 << 20), 1)


# What the server says, what it does then, what may come of it (releases of gRPC differ).
ENDS = [
    (b"", None, {AWAY}),
    (b"", RESET, {AWAY}),
    (HELLO, STALL, {LATE}),
    (OPEN, STALL, {LATE}),
    (OPEN, None, {AWAY}),
    (OPEN, RESET, {AWAY}),
    (OPEN + data(WIRES[0]), STALL, {LATE}),
    (OPEN + data(WIRES[0]), None, {AWAY}),
    (OPEN + data(WIRES[0])[:20], None, {AWAY}),
    (OPEN + data(WIRES[0])[:20], RESET, {AWAY}),
    (OPEN + data(WIRES[0])[:20], STALL, {LATE}),
    (OPEN + data(WIRES[0], END_STREAM), STALL, BROKEN),
    (OPEN + data(WIRES[0][:9], END_STREAM, claim=99), STALL, BROKEN),
    (OPEN + data(WIRES[0], claim=9) + DONE, STALL, {*BROKEN, LATE}),
    (OPEN + DONE, STALL, BROKEN),
    (OPEN + data(WIRES[0]) + data(WIRES[0]) + DONE, STALL, {None, *BROKEN, LATE}),
    (OPEN + data(b"few", claim=1 << 30), STALL, {TOO_MUCH, LATE}),
    (OPEN + data(b"few", claim=1 << 30), None, {TOO_MUCH, AWAY}),
    (OPEN + data(b"few", claim=(1 << 32) - 1) + DONE, STALL, {TOO_MUCH, *BROKEN}),
    (OPEN + data(b"few", claim=200 << 20), STALL, {LATE}),
    (OPEN + frame(DATA, 0, b"\0", size=(1 << 24) - 1), STALL, {*BROKEN, LATE}),
    (OPEN + data(b"no gzip", compressed=1) + DONE, STALL, BROKEN),
    (HELLO + frame(HEADERS, END_HEADERS, OK + fields(content_type=b"application/grpc", grpc_encoding=b"gzip"))
     + data(b"no gzip", compressed=1) + DONE, STALL, BROKEN),
    (HELLO + frame(HEADERS, END_HEADERS, OK + fields(content_type=b"text/html")) + frame(DATA, END_STREAM, b"<html>"),
     STALL, BROKEN),
    (HELLO + frame(HEADERS, END_HEADERS | END_STREAM, b"\x8d"), STALL, BROKEN),  # 404
    (HELLO + frame(HEADERS, END_HEADERS | END_STREAM, b"\x8e"), STALL, BROKEN),  # 500
    (HELLO + frame(HEADERS, END_HEADERS, b"\xff" * 30), STALL, {*BROKEN, LATE}),
    (OPEN + frame(HEADERS, END_HEADERS | END_STREAM, fields(grpc_status=b"99", grpc_message=b"%ff%zz\xff%41")), STALL, BROKEN),
    (OPEN + frame(HEADERS, END_HEADERS | END_STREAM, fields(grpc_status=b"?")), STALL, BROKEN),
    (OPEN + frame(HEADERS, END_HEADERS | END_STREAM, fields(grpc_status=b"5", grpc_message=b"m" * 9000)), STALL,
     {"NOT_FOUND", TOO_MUCH}),
    *((HELLO + frame(RST_STREAM, 0, struct.pack(">I", code)), STALL, {*BROKEN, TOO_MUCH, "PERMISSION_DENIED"})
      for code in (0, 2, 8, 11, 12)),
    (HELLO + frame(GOAWAY, 0, struct.pack(">II", 0, 0), stream=0), STALL, {*BROKEN, LATE}),
    (HELLO + frame(GOAWAY, 0, struct.pack(">II", 0, 11) + b"too_many_pings", stream=0), RESET, {AWAY}),
    (OPEN, frame(PING, 0, bytes(8), stream=0) * 100, {LATE, AWAY}),
    (OPEN, frame(WINDOW_UPDATE, 0, struct.pack(">I", 1), stream=0) * 100, {LATE, *BROKEN}),
    (HELLO + frame(HEADERS, 0, OK), frame(CONTINUATION, 0, fields(more=b"m" * 9000)), {LATE, TOO_MUCH, *BROKEN}),
    (OPEN, frame(DATA) * 100, {LATE, *BROKEN}),
]


@pytest.mark.parametrize(("answer", "then", "statuses"), ENDS, ids=map(str, range(len(ENDS))))
def test_a_server_that_breaks_off(answer, then, statuses):
    with RawServer(answer, then) as target:
        status, _outputs = asked(target)
    assert status in statuses


@pytest.mark.parametrize("compressed", [b"gzip", b"deflate", b"identity", b"none-such"])
def test_a_small_reply_that_becomes_a_large_one(compressed):
    start = HELLO + frame(HEADERS, END_HEADERS, OK + fields(content_type=b"application/grpc", grpc_encoding=compressed))
    with RawServer(start + data(BOMB, compressed=1) + DONE, STALL) as target:
        assert asked(target, 2)[0] in BROKEN | {LATE}


@pytest.mark.parametrize("answer", [
    b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"\x15\x03\x01\0\x02\x02\x50",
    b"\0" * 100000,
    b"\xff" * 100, PREFACE, frame(DATA, 0, b"early"), frame(GOAWAY, 0, bytes(8), stream=0), frame(SETTINGS, 0, b"odd", stream=0),
    frame(SETTINGS, 0, struct.pack(">HI", 4, 0xFFFFFFFF), stream=0), frame(SETTINGS, 0, struct.pack(">HI", 4, 0), stream=0),
])
@pytest.mark.parametrize("then", [None, STALL, RESET])
def test_rubbish_before_http2(answer, then):
    with RawServer(answer, then, early=True) as target:
        assert asked(target)[0] in BROKEN | {LATE}


@fuzz(40)
@given(mutated(OPEN + data(WIRES[0]) + DONE), st.sampled_from([None, STALL, RESET]))
def test_answers_that_are_wrong_somewhere(answer, then):
    with RawServer(answer, then) as target:
        asked(target, 0.1)


@pytest.mark.parametrize("then", [None, STALL, RESET])
@pytest.mark.parametrize("concurrency", [1, 3])
def test_many_requests_to_a_server_that_breaks_off(concurrency, then):
    with RawServer(OPEN + data(WIRES[0])[:20], then) as target, contextlib.closing(Channel(target)) as channel:
        replies = list(channel.each(PREDICT, itertools.repeat(b"request", 6), concurrency, TIMEOUT))
    assert sorted(reply.index for reply in replies) == list(range(6))
    assert all(reply.wire is None and reply.error.code in ("unavailable", "deadline_exceeded") for reply in replies)
