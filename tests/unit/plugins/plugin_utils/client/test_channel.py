"""The one channel helper: deadlines, many requests at once, TLS, and errors in words."""
from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
import os
import threading
import time
import types

import grpc
import pytest
from fake_model_server import serving

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import channel as client_channel
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import GET_MODEL_STATUS, messages


class Handler(grpc.GenericRpcHandler):
    def __init__(self, answer):
        self.answer, self.calls = answer, 0

    def service(self, details):
        def call(wire, context):
            self.calls += 1
            return self.answer(context)
        return self.answer and grpc.unary_unary_rpc_method_handler(call)


def refused(answer, timeout=5, **options):
    handler = Handler(answer)
    with serving(handler) as target, contextlib.closing(client_channel.Channel(target, **options)) as channel:
        with pytest.raises(Error) as caught:
            channel.ask(GET_MODEL_STATUS, messages().GetModelStatusRequest(), "GetModelStatusResponse", timeout)
    assert handler.calls <= 1, "nothing is tried again"
    return caught.value


@pytest.mark.parametrize(("code", "says"), [
    ("UNAVAILABLE", "the server cannot be reached: so it says"),
    ("FAILED_PRECONDITION", "a label may only be moved to a version that is AVAILABLE): so it says"),
    ("INTERNAL", "the server says INTERNAL: so it says"),
    ("RESOURCE_EXHAUSTED", "the server is out of memory or threads: so it says"),
])
def test_status_codes_in_words(code, says):
    error = refused(lambda context: context.abort(getattr(grpc.StatusCode, code), "so it\n says"))
    assert says in error.message and error.code == code.lower() and error.details == {"status": code}


def test_a_method_that_is_not_known():
    error = refused(None)
    assert error.code == "unimplemented" and "does not know GetModelStatus (it is older than 1.6" in error.message


def test_every_call_has_a_deadline():
    start = time.monotonic()
    error = refused(lambda context: time.sleep(1) or b"", timeout=0.2)
    assert error.message == "the server did not answer within 0.2 s" and time.monotonic() - start < 5


def test_a_reply_that_is_none():
    assert refused(lambda context: b"\xff\xff").code == "malformed_reply"


def test_the_way_there_knows_why_it_failed():
    forward = types.SimpleNamespace(errors=["nothing listens on port 9090"])
    error = refused(lambda context: context.abort(grpc.StatusCode.UNAVAILABLE, "reset"), forward=forward)
    assert error.code == "port_forward_failed" and error.message == "port-forward failed: nothing listens on port 9090"


def test_own_words():
    words = {"NOT_FOUND": "there is no %% of that (model_name): %(said)s"}
    error = refused(lambda context: context.abort(grpc.StatusCode.NOT_FOUND, "no"), words=words)
    assert error.message == "there is no % of that (model_name): no"


@pytest.mark.parametrize("status", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_a_queue_that_is_full_is_no_server_that_is_away(status):
    said = "The batch scheduling queue to which this task was submitted is full"
    error = refused(lambda context: context.abort(grpc.StatusCode[status], said))
    assert error.code == "resource_exhausted" and error.details == {"status": status}
    assert error.message == "the server is overloaded, its batching queue is full: " + said


def test_a_reply_that_is_too_large(monkeypatch):
    monkeypatch.setattr(client_channel, "LARGEST_REPLY", 4 << 20)
    monkeypatch.setattr(client_channel, "CHANNEL_OPTIONS", (("grpc.max_receive_message_length", 4 << 20),))
    error = refused(lambda context: bytes((4 << 20) + 1))
    assert error.code == "resource_exhausted" and "the reply is larger than 256 MiB, ask for fewer" in error.message


def test_replies_over_4_mib():
    handler = Handler(lambda context: bytes(5 << 20))
    with serving(handler) as target, contextlib.closing(client_channel.Channel(target)) as channel:
        assert len(channel.call(GET_MODEL_STATUS, b"", 5)) == 5 << 20


def test_channels_do_not_share_a_connection():
    """Or the closing of one would cancel what the other has under way."""
    peers = []
    with serving(Handler(lambda context: peers.append(context.peer()) or b"")) as target, contextlib.ExitStack() as stack:
        for dummy in range(2):
            channel = stack.enter_context(contextlib.closing(client_channel.Channel(target)))
            channel.call(GET_MODEL_STATUS, b"", 5)
            channel.call(GET_MODEL_STATUS, b"", 5)
    assert len(peers) == 4 and len(set(peers)) == 2


def test_a_proxy_is_not_asked(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(Handler(lambda context: b"reply")) as target, contextlib.closing(client_channel.Channel(target)) as channel:
        assert channel.call(GET_MODEL_STATUS, b"", 5) == b"reply"


def test_what_is_closed_is_not_used():
    with serving(Handler(lambda context: b"")) as target:
        channel = client_channel.Channel(target)
        channel.close()
        with pytest.raises(ValueError, match="closed"):
            channel.call(GET_MODEL_STATUS, b"", 5)


def test_a_request_that_is_too_large_for_the_server():
    with serving(Handler(lambda context: b"")) as target, contextlib.closing(client_channel.Channel(target)) as channel:
        with pytest.raises(Error, match="the request is larger than the server takes") as caught:
            channel.call(GET_MODEL_STATUS, bytes(5 << 20), 5)
    assert caught.value.code == "resource_exhausted"


class Echo(grpc.GenericRpcHandler):
    """Answers with the request; counts how many are under way, and holds those that begin with H until they are let go."""

    def __init__(self):
        self.lock = threading.Lock()
        self.held, self.free, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.now = self.most = self.calls = 0

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(self.answer)

    def answer(self, wire, context):
        with self.lock:
            self.calls += 1
            self.now += 1
            self.most = max(self.most, self.now)
        if wire.startswith(b"H"):
            context.add_callback(self.ended.set)
            self.held.set()
            self.free.wait(10)
        time.sleep(0.002)
        with self.lock:
            self.now -= 1
        if wire.startswith(b"F"):
            context.abort(grpc.StatusCode.INTERNAL, "no")
        return wire


@contextlib.contextmanager
def echo():
    server = Echo()
    with serving(server) as target, contextlib.closing(client_channel.Channel(target)) as channel:
        yield server, channel
        server.free.set()


@pytest.mark.parametrize("concurrency", [1, 2, 5])
@pytest.mark.parametrize("number", [0, 1, 3, 40])
def test_each(concurrency, number):
    with echo() as (server, channel):
        before = time.perf_counter()
        replies = list(channel.each("/x/Echo", [b"F%d" % i if i == 2 else b"%d" % i for i in range(number)], concurrency, 5))
        after = time.perf_counter()
    assert sorted(reply.index for reply in replies) == list(range(number)) and server.calls == number
    assert server.most <= concurrency
    for reply in replies:
        assert before <= reply.start <= reply.start + reply.seconds <= after and reply.seconds > 0.001
        if reply.index == 2:
            assert reply.wire is None and reply.error.code == "internal"
        else:
            assert reply.wire == b"%d" % reply.index and reply.error is None


def test_each_in_order_of_completion():
    with echo() as (server, channel):
        replies = channel.each("/x/Echo", [b"H", b"1", b"2"], 2, 5)
        assert [next(replies).index, next(replies).index] == [1, 2]
        server.free.set()
        assert [reply.index for reply in replies] == [0]


def test_each_has_deadlines():
    with echo() as (_server, channel):
        replies = list(channel.each("/x/Echo", [b"H", b"H"], 2, 0.2))
    assert [reply.error.code for reply in replies] == ["deadline_exceeded"] * 2


def test_closing_cancels_what_is_under_way():
    with echo() as (server, channel):
        replies = channel.each("/x/Echo", [b"1", b"H"] + [b"H"] * 100, 2, 60)
        assert next(replies).index == 0 and server.held.wait(5)
        replies.close()
        assert server.ended.wait(5), "the server is told"
        assert server.calls <= 4
        server.free.set()
        assert channel.call("/x/Echo", b"again", 5) == b"again"


@pytest.mark.parametrize("concurrency", [1, 3])
def test_what_a_thread_cannot_do_is_said_here(concurrency):
    with echo() as (_server, channel), pytest.raises(TypeError):
        list(channel.each("/x/Echo", [b"1", b"2", "no bytes", b"4"], concurrency, 5))


@pytest.mark.parametrize("taken", [0, 1, 9])
def test_no_thread_stays_behind(taken):
    with echo() as (_server, channel):
        before = set(threading.enumerate())
        replies = channel.each("/x/Echo", [b"%d" % i for i in range(8)], 2, 5)
        for dummy in itertools.islice(replies, taken):
            pass
        replies.close()
        for thread in set(threading.enumerate()) - before:
            if not thread.name.startswith("ThreadPoolExecutor"):  # of the server, which is in this process too
                thread.join(5)
                assert not thread.is_alive()


def test_no_more_are_made_than_are_needed():
    """Two for each thread, or a dataset would lie in memory twice."""
    made = []
    with echo() as (_server, channel):
        replies = channel.each("/x/Echo", (made.append(i) or b"%d" % i for i in range(20)), 2, 5)
        next(replies)
        assert made == [0, 1, 2, 3, 4]
        next(replies)
        assert made == [0, 1, 2, 3, 4, 5]


def test_requests_that_cannot_be_made():
    with echo() as (_server, channel), pytest.raises(ZeroDivisionError):
        list(channel.each("/x/Echo", (b"%d" % (1 // (3 - i)) for i in range(9)), 2, 5))


def test_nobody_at_all_is_no_matter_of_tls():
    for tls in (None, client_channel.Tls()):
        with contextlib.closing(client_channel.Channel("127.0.0.1:1", tls=tls)) as channel, pytest.raises(Error) as caught:
            channel.call(GET_MODEL_STATUS, b"", 5)
        assert caught.value.code == "unavailable"


def test_grpc_says_nothing_itself():
    """Its C core would write to standard error, where it reads as a failure."""
    assert os.environ["GRPC_VERBOSITY"]


def test_versions():
    assert client_channel.versions() == {name: importlib.metadata.version(name) for name in ("grpcio", "protobuf")}
