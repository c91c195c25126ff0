"""A model's life over TLS, where servers let in only whom they know. Told in order.

The certificate's way from the Secret into the server is the chart's (tests/integration/test_chart.py).
"""
from __future__ import annotations

import base64
import contextlib
import threading
from pathlib import Path

import pytest
from made_certificates import authority, credentials, secret
from test_latest import UPGRADE, good, unchanged

TLS = {"serving_tls_secret": "mnist-tls", "serving_tls_client_verify": True, "serving_tls_client_secret": "me"}
TOKEN = "m4rk3d-t0k3n"


@pytest.fixture(scope="module", autouse=True)
def service(world):
    """The Service leads to a port of its own, which speaks TLS too."""
    both = credentials(authority().pair("mnist.example.com"), authority().certificate)
    world.models["serving_port"] = world.cluster._grpc(world.cluster, both)


def put(world, name, pair, ca=None):
    world.cluster.store("v1", "secrets", "default", name, {"data": secret(pair, authority().certificate if ca is None else ca)})


def changes(run):
    return [change.partition(" : ")[2] for change in good(run).changes]


def test_a_secret_that_is_not_there(play, unseen):
    run = play("site", **TLS)
    assert run.rc == 2 and "Secret mnist-tls in namespace default (serving_tls_secret) is not there" in run.failures


def test_a_certificate_that_has_expired(world, play):
    put(world, "me", authority().pair("me"))
    put(world, "mnist-tls", authority().pair("mnist.example.com", begins=-9, ends=-1))
    before = world.seen()
    run = play("site", **TLS)
    assert run.rc == 2 and "(serving_tls_secret) expired on 2" in run.failures and world.seen() == before


def test_site(world, play):
    put(world, "mnist-tls", authority().pair("mnist.example.com"))
    run = good(play("site", **TLS))
    assert world.serving() == [1, 1] and "Inference error rate: 0.0%" in run.text
    unchanged(play("site", **TLS))


def test_publish_and_rollback(world, play):
    good(play("publish", model_archive=world.archive(2), **TLS))
    assert world.serving() == [2, 2]
    good(play("rollback", **TLS))
    assert world.serving() == [1, 1]


def test_rotation(world, play):
    """Whoever renews the certificate does so in the Secret; servers have read it when they started."""
    before = set(world.cluster.servers)
    put(world, "mnist-tls", authority().pair("mnist.example.com", ends=80))
    run = play("plan", **TLS)
    assert "tls.checksum" in good(run).text
    assert changes(play("site", **TLS)) == UPGRADE and not before & set(world.cluster.servers)
    unchanged(play("site", **TLS))


@pytest.mark.parametrize(("given", "says"), [
    ({"check_tls_server_name": "other.example.com"}, "is for mnist.example.com, and not for other.example.com"),
    ({"check_tls_ca_cert": "theirs.pem"}, "issued by CN=ours, is not trusted"),
    ({"serving_tls_client_secret": "them"}, "the server does not take our client certificate (CN=it, issued by CN=theirs)"),
    ({"serving_tls_client_secret": "", "serving_tls_client_verify": False}, "the server lets nobody in without a client certificate"),
], ids=["name", "authority", "stranger", "nobody"])
def test_what_is_wrong_is_named(world, play, given, says):
    put(world, "them", authority("theirs").pair("me"))
    (world.folder / "theirs.pem").write_text(authority("theirs").certificate)
    if "check_tls_ca_cert" in given:
        given = {"check_tls_ca_cert": str(world.folder / "theirs.pem")}
    run = play("check", **{**TLS, **given})
    assert run.rc == 2 and says in run.failures


@contextlib.contextmanager
def processes():
    """The arguments of all that run meanwhile."""
    seen, over = set(), threading.Event()

    def look():
        while not over.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    seen.add(path.read_bytes())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def test_secrets_are_in_no_output_and_no_processs_arguments(world, play):
    """At the highest verbosity, in check mode with its differences, of a run that installs, and of one that fails."""
    put(world, "mnist-tls", authority().pair("mnist.example.com", ends=70))
    marks = [TOKEN, *(line for name in ("mnist-tls", "me") for line in key_lines(world, name))]
    assert len(marks) >= 7
    with processes() as seen:
        runs = [
            play("site", "-vvvvv", *arguments, environment={"K8S_AUTH_API_KEY": TOKEN}, **TLS, **extra)
            for arguments, extra in ((["--check", "--diff"], {}), (["--diff"], {}), ([], {"check_tls_server_name": "other"}))]
    assert [run.rc for run in runs] == [0, 0, 2] and any(b"ansible-playbook" in arguments for arguments in seen)
    shown = "".join(run.stdout for run in runs) + b" ".join(seen).decode(errors="replace")
    assert [mark for mark in marks if mark in shown] == []


def key_lines(world, name):
    """As they stand in the Secret, and in the file."""
    packed = world.cluster.get("v1", "secrets", name)["data"]["tls.key"]
    return [packed, *(line for line in base64.b64decode(packed).decode().splitlines() if not line.startswith("-"))]
