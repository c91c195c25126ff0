"""TLS with a model server: what works, and for each thing that is wrong the sentence that names it. Real servers of gRPC."""
from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import socket
import ssl
import threading
import time
import types

import grpc
import pytest
from fake_model_server import serving
from made_certificates import authority, credentials, self_signed

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import tls as client_tls
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.channel import Channel
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import GET_MODEL_STATUS
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tls import Tls

HOST = "127.0.0.1"
OURS = authority().certificate


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda wire, context: b"")


def at_address(pair, clients=None):
    return serving(Handler(), pair and credentials(pair, clients))


@contextlib.contextmanager
def through_a_socket(pair, clients=None, folder=None):
    """As a port-forward leads to a server."""
    target = "unix:%s/grpc" % folder
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2), [Handler()])
    if pair:
        server.add_secure_port(target, credentials(pair, clients))
    else:
        server.add_insecure_port(target)
    server.start()
    try:
        yield target
    finally:
        server.stop(None).wait()


@pytest.fixture(params=["address", "port-forward"])
def server(request, tmp_path):
    """A context manager: the target of a server with this pair, or without TLS."""
    return at_address if request.param == "address" else functools.partial(through_a_socket, folder=tmp_path)


def ask(target, tls, forward=None):
    with contextlib.closing(Channel(target, forward, tls=tls)) as channel:
        return channel.call(GET_MODEL_STATUS, b"", 5)


def refused_by(target, tls, forward=None):
    with pytest.raises(Error) as caught:
        ask(target, tls, forward)
    assert caught.value.code == "tls_failed", caught.value.message
    return caught.value.message


def client(pair, **more):
    return Tls(OURS, pair.certificate, pair.key, **{"server_name": HOST, **more})


def test_a_server_whose_authority_is_trusted(server):
    with server(authority().pair(HOST)) as target:
        assert ask(target, Tls(OURS, server_name=HOST)) == b""


def test_a_server_that_signed_for_itself_and_is_trusted(server):
    pair = self_signed(HOST)
    with server(pair) as target:
        assert ask(target, Tls(pair.certificate, server_name=HOST)) == b""


def test_the_name_of_the_host_counts_where_none_is_given():
    with at_address(authority().pair(HOST)) as target:
        assert ask(target, Tls(OURS)) == b""
        with contextlib.closing(Channel(target, tls=Tls(OURS))) as channel:
            assert next(channel.each(GET_MODEL_STATUS, [b""], 1, 5)).wire == b""


def test_a_server_of_another_name_than_the_hosts(server):
    with server(authority().pair("mnist.example.com", "*.models.example.com")) as target:
        assert ask(target, Tls(OURS, server_name="mnist.example.com")) == b""
        assert ask(target, Tls(OURS, server_name="a.models.example.com")) == b""
        said = refused_by(target, Tls(OURS, server_name="other.example.com"))
    assert said == (
        "the server's certificate is for mnist.example.com, *.models.example.com, and not for other.example.com: set"
        " check_tls_server_name to a name that it has, or have one made that is for this one")


def test_a_server_that_lets_in_whom_it_knows(server):
    with server(authority().pair(HOST), OURS) as target:
        assert ask(target, client(authority().pair("me"))) == b""


@pytest.mark.parametrize(("days", "says"), [
    ({"begins": -9, "ends": -1}, "expired on 2"), ({"begins": 1}, "is not valid before 2"),
])
def test_a_certificate_that_is_out_of_time(server, days, says):
    with server(authority().pair(HOST, **days)) as target:
        said = refused_by(target, Tls(OURS, server_name=HOST))
    assert said.startswith("the server's certificate " + says) and "playbooks/site.yml" in said


@pytest.mark.parametrize(("pair", "says"), [
    (authority("theirs").pair(HOST), "issued by CN=theirs, is not trusted: unable to get local issuer certificate"),
    (self_signed(HOST), "issued by CN=it, is not trusted: self"),
])
def test_a_certificate_of_an_authority_that_is_not_trusted(server, pair, says):
    with server(pair) as target:
        for tls in (Tls(OURS, server_name=HOST), Tls(server_name=HOST)):
            said = refused_by(target, tls)
            assert says in said and "check_tls_ca_cert" in said and "ca.crt" in said


def test_a_plain_client_at_a_tls_port(server):
    with server(authority().pair(HOST)) as target:
        assert refused_by(target, None) == client_tls.SPEAKS_TLS
        # As kubelet says it of such a connection.
        forward = types.SimpleNamespace(errors=["read tcp 127.0.0.1: connection reset by peer"])
        assert refused_by(target, None, forward) == client_tls.SPEAKS_TLS


def test_a_tls_client_at_a_plain_port(server):
    with server(None) as target:
        assert refused_by(target, Tls(server_name=HOST)) == client_tls.SPEAKS_NONE


def test_a_server_that_wants_a_client_certificate(server):
    with server(authority().pair(HOST), OURS) as target:
        assert refused_by(target, Tls(OURS, server_name=HOST)) == client_tls.WANTS_OURS


def test_a_client_certificate_that_the_server_does_not_take(server):
    with server(authority().pair(HOST), OURS) as target:
        said = refused_by(target, client(authority("theirs").pair("me")))
        assert said.startswith("the server does not take our client certificate (CN=it, issued by CN=theirs)")
        said = refused_by(target, client(authority().pair("me", begins=-9, ends=-1)))
        assert said.startswith("our client certificate (CN=it) expired on 2")


@contextlib.contextmanager
def secured(folder, protocols, then, version=None, clients=None):
    """A TLS server that is none of gRPC; then: what it does with a connection."""
    (folder / "both.pem").write_text("".join(authority().pair(HOST)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    context.set_alpn_protocols(protocols)
    context.maximum_version = version or context.maximum_version
    if clients:
        context.load_verify_locations(cadata=clients)
        context.verify_mode = ssl.CERT_REQUIRED

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _address = listener.accept()
                with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as one:
                    then(one)

    with socket.create_server((HOST, 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield "%s:%d" % (HOST, listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


def test_tls_without_http2(tmp_path):
    """As a proxy has it that was made for HTTP/1."""
    with secured(tmp_path, ["http/1.1"], lambda one: one.recv(1)) as target:
        assert refused_by(target, Tls(OURS)) == client_tls.NO_HTTP2


def test_before_tls_1_3_a_client_certificate_is_wanted_in_the_handshake(tmp_path):
    with secured(tmp_path, ["h2"], lambda one: one.recv(1), ssl.TLSVersion.TLSv1_2, OURS) as target:
        assert refused_by(target, Tls(OURS)) == client_tls.WANTS_OURS
        assert "does not take our client certificate" in refused_by(target, client(authority("theirs").pair("me")))


def test_a_server_that_is_silent_is_no_matter_of_tls(tmp_path, monkeypatch):
    """It ends the first connections, and keeps the one on which TLS is looked at."""
    monkeypatch.setattr(client_tls, "HANDSHAKE_PATIENCE", 0.2)
    looked = threading.Event()
    usual = client_tls._shake_hands
    monkeypatch.setattr(client_tls, "_shake_hands", lambda *arguments: looked.set() or usual(*arguments))
    with secured(tmp_path, ["h2"], lambda one: looked.is_set() and time.sleep(0.5)) as target:
        with pytest.raises(Error) as caught:
            ask(target, Tls(OURS))
    assert looked.is_set() and caught.value.code == "unavailable"


def test_a_certificate_may_be_trusted_itself_whoever_signed_it(server):
    """As gRPC has it. So it is not blamed where something else is wrong."""
    pair = authority().pair(HOST)
    with server(pair) as target:
        assert ask(target, Tls(pair.certificate, server_name=HOST)) == b""
    with at_address(pair, OURS) as target:
        assert refused_by(target, Tls(pair.certificate)) == client_tls.WANTS_OURS


@pytest.mark.parametrize("reads", [0, 1 << 16], ids=["at once", "when it was greeted"])
def test_a_port_forward_that_ends_is_no_matter_of_tls(tmp_path, reads):
    """What it says of itself counts, and where it says nothing, an end is none of a server without TLS."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "grpc"))
        listener.listen()
        threading.Thread(target=_close_all, args=(listener, reads), daemon=True).start()
        for errors, code in (([], "unavailable"), (["no such pod"], "port_forward_failed"), (["broken pipe"], "port_forward_failed")):
            with pytest.raises(Error) as caught:
                ask("unix:%s/grpc" % tmp_path, Tls(OURS, server_name=HOST), types.SimpleNamespace(errors=errors))
            assert caught.value.code == code
        listener.shutdown(socket.SHUT_RDWR)


def _close_all(listener, reads):
    with contextlib.suppress(OSError):
        while True:
            connection = listener.accept()[0]
            if reads:
                connection.recv(reads)
            connection.close()


# --- files on this controller ---

@pytest.fixture
def files(tmp_path):
    pair = authority().pair("me")
    texts = {"ca": OURS, "cert": pair.certificate, "key": pair.key, "other": authority().pair("you").key, "empty": "", "words": "no PEM"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return lambda *names: [name and str(tmp_path / name) for name in names]


def test_of_files(files):
    pair = authority().pair("me")
    assert client_tls.of_files(*files("ca", "cert", "key"), "name") == Tls(OURS, pair.certificate, pair.key, "name")
    assert client_tls.of_files(None, None, None, "") == Tls()
    shown = repr(client_tls.of_files(*files("ca", "cert", "key"), None))
    assert pair.certificate.splitlines()[1] in shown and pair.key.splitlines()[1] not in shown


@pytest.mark.parametrize(("names", "says"), [
    ((None, "cert", None), "check_tls_client_cert is set, and check_tls_client_key is not"),
    ((None, None, "key"), "check_tls_client_key is set, and check_tls_client_cert is not"),
    ((None, "cert", "other"), "the key in check_tls_client_key is not that of the certificate in check_tls_client_cert"),
    ((None, "words", "key"), "for check_tls_client_cert: it has no certificate in PEM"),
    ((None, "cert", "words"), "for check_tls_client_key: it has no private key in PEM"),
    (("nowhere", None, None), "check_tls_ca_cert is FOLDER/nowhere, which cannot be read: No such file"),
    ((None, "cert", "nowhere"), "check_tls_client_key is FOLDER/nowhere, which cannot be read"),
])
def test_files_that_are_of_no_use(files, tmp_path, names, says):
    with pytest.raises(Error) as caught:
        client_tls.of_files(*files(*names), None)
    assert says in caught.value.message.replace(str(tmp_path), "FOLDER")


@pytest.mark.parametrize("text", ["", "no certificate"])
def test_authorities_that_are_none(text):
    with pytest.raises(Error, match="check_tls_ca_cert") as caught:
        Channel("127.0.0.1:1", tls=Tls(text))
    assert caught.value.code == "tls_failed"
