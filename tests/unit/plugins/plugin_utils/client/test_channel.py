"""The one channel helper: deadlines, many requests at once, TLS, and errors in words."""
from __future__ import annotations

import contextlib
import datetime
import functools
import importlib.metadata
import ipaddress
import itertools
import os
import socket
import ssl
import threading
import time
import types

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
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


@functools.lru_cache(maxsize=None)
def certificate(name="127.0.0.1", days=2):
    """(key, certificate that it signed itself) in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    alternative = x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(9))
        .not_valid_after(now + datetime.timedelta(days)).add_extension(x509.SubjectAlternativeName([alternative]), False)
        .add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return (
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()), made.public_bytes(pem)
    )


@pytest.fixture
def trusting(tmp_path):
    """A function that gives the Tls that trusts a certificate."""
    def write(pair):
        path = tmp_path / "ca.pem"
        path.write_bytes(pair[1])
        return client_channel.Tls(str(path))
    return write


def serving_tls(pair=None):
    return serving(Handler(lambda context: b""), grpc.ssl_server_credentials([pair or certificate()]))


def refused_by(target, tls):
    with contextlib.closing(client_channel.Channel(target, tls=tls)) as channel, pytest.raises(Error) as caught:
        channel.call(GET_MODEL_STATUS, b"", 5)
    assert caught.value.code == "tls_failed"
    return caught.value.message


def test_tls(trusting):
    with serving_tls() as target, contextlib.closing(client_channel.Channel(target, tls=trusting(certificate()))) as channel:
        assert channel.call(GET_MODEL_STATUS, b"", 5) == b""
        assert next(channel.each(GET_MODEL_STATUS, [b""], 1, 5)).wire == b""


def test_a_plain_client_at_a_tls_port():
    with serving_tls() as target:
        assert refused_by(target, None) == "the server speaks TLS on this port: set check_tls"


def test_a_tls_client_at_a_plain_port():
    with serving(Handler(lambda context: b"")) as target:
        assert refused_by(target, client_channel.Tls()) == "the server does not speak TLS on this port: leave check_tls out"


@pytest.mark.parametrize(("name", "days", "says"), [
    ("elsewhere", 2, "certificate is not valid for '127.0.0.1'"), ("127.0.0.1", -1, "certificate has expired"),
])
def test_a_certificate_of_another_name_or_time(trusting, name, days, says):
    pair = certificate(name, days)
    with serving_tls(pair) as target:
        assert says in refused_by(target, trusting(pair))


def test_a_certificate_that_nobody_signed(trusting):
    with serving_tls() as target:
        for tls in (client_channel.Tls(), trusting(certificate(days=3))):
            assert "is not trusted: self" in refused_by(target, tls)


def test_a_server_that_wants_a_client_certificate(trusting):
    pair = certificate()
    credentials = grpc.ssl_server_credentials([pair], pair[1], require_client_auth=True)
    with serving(Handler(lambda context: b""), credentials) as target:
        assert "as if it wanted a client certificate" in refused_by(target, trusting(pair))


@contextlib.contextmanager
def secured(folder, protocols, then):
    """A TLS server that is none of gRPC; then: what it does with a connection."""
    (folder / "both.pem").write_bytes(b"".join(certificate()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    context.set_alpn_protocols(protocols)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _address = listener.accept()
                with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as one:
                    then(one)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield "127.0.0.1:%d" % listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def test_tls_without_http2(trusting, tmp_path):
    """As a proxy has it that was made for HTTP/1."""
    with secured(tmp_path, ["http/1.1"], lambda one: one.recv(1)) as target:
        said = refused_by(target, trusting(certificate()))
    assert said == "the server's TLS does not offer HTTP/2 (ALPN h2), which gRPC needs"


def test_a_server_that_is_silent_is_no_matter_of_tls(trusting, tmp_path, monkeypatch):
    """It ends the first connections, and keeps the one on which TLS is looked at."""
    monkeypatch.setattr(client_channel, "HANDSHAKE_PATIENCE", 0.2)
    looked = threading.Event()
    usual = client_channel._shake_hands
    monkeypatch.setattr(client_channel, "_shake_hands", lambda *arguments: looked.set() or usual(*arguments))
    tls, code = trusting(certificate()), None
    with secured(tmp_path, ["h2"], lambda one: looked.is_set() and time.sleep(0.5)) as target:
        with contextlib.closing(client_channel.Channel(target, tls=tls)) as channel, pytest.raises(Error) as caught:
            channel.call(GET_MODEL_STATUS, b"", 5)
        code = caught.value.code
    assert looked.is_set() and code == "unavailable"


@pytest.mark.parametrize("text", ["", "no certificate", None])
def test_authorities_that_cannot_be_read(tmp_path, text):
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Error, match="check_tls_ca_cert") as caught:
        client_channel.Channel("127.0.0.1:1", tls=client_channel.Tls(str(path)))
    assert str(path) in caught.value.message and caught.value.code == "tls_failed"


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
