"""The way to the API: who answers there, for how long it is waited, what its answers mean."""
from __future__ import annotations

import socket
import stat
import threading
import time
import warnings

import fake_api
import pytest
from urllib3.exceptions import InsecureRequestWarning

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import api as cluster_api

OPTIONS = dict.fromkeys(cluster_api.AUTH_ARG_SPEC)


@pytest.fixture(autouse=True)
def no_kubeconfig(monkeypatch, tmp_path):
    """Nothing of this machine."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def api():
    api = fake_api.Api()
    with fake_api.serving(api) as options:
        api.options = options
        yield api


def connect(options, **more):
    return cluster_api.connect({**OPTIONS, **options, **more})


def refused(options, **more):
    with pytest.raises(Error) as caught:
        connect(options, **more)
    return caught.value


def test_the_first_contact_asks_who_is_there(api):
    client = connect(api.options)
    assert [(one.method, one.path) for one in api.requests] == [("GET", "/version")]
    assert cluster_api.get(client, "/api/v1/nodes") == {"kind": "List", "items": []}
    assert all(one.headers["authorization"] == "Bearer t0k3n" for one in api.requests)


def test_options_may_come_from_the_environment(api, monkeypatch):
    monkeypatch.setenv("K8S_AUTH_HOST", api.options["host"])
    monkeypatch.setenv("K8S_AUTH_API_KEY", "t0k3n\n")
    connect({})
    assert api.requests


def test_a_token_that_ends_in_a_newline(api):
    connect(api.options, api_key="t0k3n\n", host=api.options["host"] + "/\n")
    assert api.requests[0].headers["authorization"] == "Bearer t0k3n"


def test_a_token_of_two_lines(api):
    assert "the token has more than one line" in refused(api.options, api_key="sec\nret").message and not api.requests


@pytest.mark.parametrize("host", ["10.0.0.1:6443", "kubernetes.example.com", "tcp://10.0.0.1"])
def test_a_host_without_a_scheme(host):
    error = refused({"host": host, "api_key": "x"})
    assert error.code == "cluster_unreachable" and error.message == (
        "The connection to the Kubernetes API cannot be set up: the host is %r, write it with https:// in front. Check"
        " KUBECONFIG, or K8S_AUTH_HOST and K8S_AUTH_API_KEY." % host)


@pytest.mark.parametrize(("answer", "words"), [
    ((200, "<html>\n  <title>Login</title>"), "200 '<html> <title>Login</title>'"), ((200, {"hello": "world"}), "hello"),
    ((200, [1]), "[1]"), ((200, ""), "200 ''"), ((302, "Found"), "302 'Found'"), ((404, "no such page"), "404 'no such page'"),
    ((200, b"\xff\xfe"), "200"), ((200, "x" * 1000), "'%s'." % ("x" * 60)),
])
def test_something_else_answers_there(api, answer, words):
    api.on = lambda method, path: answer
    error = refused(api.options)
    assert error.code == "cluster_unreachable" and words in error.message and "\n" not in error.message
    assert "What answers at %s is no Kubernetes API" % api.options["host"] in error.message
    assert error.message.endswith("Check KUBECONFIG, or K8S_AUTH_HOST and K8S_AUTH_API_KEY.")


def test_credentials_that_do_not_count(api):
    error = refused(api.options, api_key="other")
    assert error.code == "cluster_unauthorized" and "401" in error.message and "K8S_AUTH_API_KEY" in error.message


def test_an_account_that_may_not_ask_for_the_version(api):
    api.on = lambda method, path: (403, {"kind": "Status", "message": "no"}) if path == "/version" else None
    assert cluster_api.get(connect(api.options), "/api/v1/nodes")["items"] == []


@pytest.fixture
def silence():
    """HOST:PORT of one who takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield "http://127.0.0.1:%d" % listener.getsockname()[1]


def test_the_first_contact_has_an_end(silence, monkeypatch):
    assert cluster_api.FIRST_CONTACT == 20
    monkeypatch.setattr(cluster_api, "FIRST_CONTACT", 0.3)
    start = time.monotonic()
    error = refused({"host": silence, "api_key": "x"})
    assert 0.3 <= time.monotonic() - start < 3, "and it is tried once"
    assert error.code == "cluster_unreachable" and "does not answer in time" in error.message


def test_a_request_has_an_end(api, monkeypatch):
    assert cluster_api.REQUEST == 30
    client = connect(api.options)
    monkeypatch.setattr(cluster_api, "REQUEST", 0.3)
    over, asked = threading.Event(), []

    def hang(method, path):
        asked.append(path)
        over.wait(10)
    api.on = hang
    start = time.monotonic()
    words = "^Could not read the nodes: the Kubernetes API cannot be reached, it does not answer in time. Check"
    with pytest.raises(Error, match=words) as caught:
        with cluster_api.explained("read the nodes"):
            cluster_api.get(client, "/api/v1/nodes")
    over.set()
    assert time.monotonic() - start < 3 and caught.value.code == "cluster_unreachable" and asked == ["/api/v1/nodes"]


def test_credentials_that_a_program_does_not_give(monkeypatch, tmp_path):
    """A login that waits for a person."""
    program = tmp_path / "login"
    program.write_text("#!/bin/sh\nsleep 5\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setattr(cluster_api, "FIRST_CONTACT", 0.5)
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}}}],
    }
    error = refused({"kubeconfig": config})
    assert error.code == "cluster_unreachable" and "were not there after 0.5 s" in error.message


@pytest.mark.parametrize("text", ["{", "[]", "clusters: 5", "current-context: nowhere", None])
def test_a_kubeconfig_that_is_none(tmp_path, text):
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    error = refused({"kubeconfig": str(path)})
    assert error.message.startswith("The connection to the Kubernetes API cannot be set up: ") and ".." not in error.message
    assert error.code == "cluster_unreachable" and error.message.endswith("Check KUBECONFIG, or K8S_AUTH_HOST and K8S_AUTH_API_KEY.")


KUBECONFIG = (
    "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"
    "clusters: [{name: c, cluster: {server: '%s'}}]\nusers: [{name: u, user: {token: t0k3n}}]\n"
)


def test_the_environment_of_a_task_counts(api, monkeypatch, tmp_path):
    """Though the client has been imported before, with another one."""
    (tmp_path / "config").write_text(KUBECONFIG % api.options["host"])
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    connect({})
    monkeypatch.delenv("KUBECONFIG")
    assert refused({}).code == "cluster_unreachable"
    (tmp_path / ".kube").mkdir()
    (tmp_path / "config").rename(tmp_path / ".kube" / "config")
    connect({})
    assert len(api.requests) == 2


def test_a_kubeconfig(api, tmp_path):
    path = tmp_path / "config"
    path.write_text(KUBECONFIG % api.options["host"])
    connect({"kubeconfig": str(path)})
    assert api.requests[0].headers["authorization"] == "Bearer t0k3n"
    # A loop's next item, with a host of its own, has nothing of that.
    with pytest.raises(Error):
        connect({"host": "http://127.0.0.1:1", "username": "x", "password": "y"})
    client = cluster_api._client({**OPTIONS, "host": "http://127.0.0.1:1", "username": "x", "password": "y"})
    assert "t0k3n" not in str(cluster_api.authorization(client.configuration))


@pytest.mark.parametrize("verified", [True, False])
def test_certificates_that_are_not_looked_at_are_no_warning_each_time(verified):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cluster_api._client({**OPTIONS, "host": "https://10.0.0.1", "api_key": "x", "validate_certs": verified})
        warnings.warn("unverified", InsecureRequestWarning, stacklevel=1)
    assert bool(caught) is verified


def test_somebody_elses_name(api):
    client = connect(api.options, impersonate_user="robot", impersonate_groups=["a", "b"])
    cluster_api.get(client, "/api/v1/nodes")
    headers = api.requests[-1].headers
    assert headers["impersonate-user"] == "robot" and headers.get_all("impersonate-group") == ["a", "b"]


class TestAnswers:
    def test_not_found(self, api):
        client = connect(api.options)
        assert cluster_api.named(client, "api/v1", "configmaps", "default", "x") is None
        api.add("/api/v1/namespaces/default/configmaps/x", data={"a": "b"})
        assert cluster_api.named(client, "api/v1", "configmaps", "default", "x")["data"] == {"a": "b"}
        assert [one["data"] for one in cluster_api.listed(client, "api/v1", "configmaps", "default")] == [{"a": "b"}]
        assert cluster_api.listed(client, "api/v1", "configmaps", "default", labelSelector="x=y") == []

    @pytest.mark.parametrize(("status", "code"), [
        (403, "forbidden"), (409, "conflict"), (422, "refused"), (500, "api_error"), (404, "not_found"),
    ])
    def test_a_refusal_has_the_servers_words(self, api, status, code):
        client = connect(api.options)
        api.on = lambda method, path: (status, {"kind": "Status", "message": "because"})
        with pytest.raises(Error, match=r"^Could not list pods in namespace default: because$") as caught:
            cluster_api.listed(client, "api/v1", "pods", "default")
        assert caught.value.code == code and caught.value.details == {"status": status}

    @pytest.mark.parametrize("answer", ["<html>", [1], {"reason": "no message"}])
    def test_a_refusal_without_words(self, api, answer):
        client = connect(api.options)
        api.on = lambda method, path: (503, answer)
        with pytest.raises(Error, match="Could not list pods in namespace default: 503 Service Unavailable"):
            cluster_api.listed(client, "api/v1", "pods", "default")

    @pytest.mark.parametrize("answer", ["<html>Login</html>", [1], "", "5"])
    def test_what_is_no_object(self, api, answer):
        client = connect(api.options)
        api.on = lambda method, path: (200, answer)
        with pytest.raises(Error, match="gives no object in JSON: '") as caught:
            cluster_api.named(client, "api/v1", "configmaps", "default", "x")
        assert caught.value.code == "cluster_unreachable"

    def test_a_log_is_no_json(self, api):
        client = connect(api.options)
        api.logs["a"] = "one\ntwo\n"
        assert cluster_api.reply(client, "/api/v1/namespaces/default/pods/a/log").data == b"one\ntwo\n"

    def test_what_is_sent(self, api):
        client = connect(api.options)
        path = "/api/v1/namespaces/default/configmaps"
        cluster_api.send(client, "POST", path, {"metadata": {"name": "x"}, "data": {"a": "b"}}, dryRun="All")
        assert path + "/x" not in api.objects
        cluster_api.send(client, "POST", path, {"metadata": {"name": "x"}, "data": {"a": "b"}})
        cluster_api.send(client, "PATCH", path + "/x", {"data": {"c": "d e"}})
        assert api.objects[path + "/x"]["data"] == {"a": "b", "c": "d e"}
        assert api.requests[-2].headers["content-type"] == "application/json" and "content-type" not in api.requests[0].headers
        cluster_api.send(client, "DELETE", path + "/x")
        assert path + "/x" not in api.objects


class TestAConnectionThatEnds:
    """As one that was kept does when a load balancer thinks that it was idle for too long."""

    @pytest.fixture
    def ending(self):
        """(host, [requests]) of a server that answers each connection's first request and ends at its second."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            asked = []

            def serve():
                while True:
                    try:
                        connection = listener.accept()[0]
                    except OSError:
                        return
                    with connection:
                        for number in range(2):
                            head = connection.recv(1 << 16)
                            asked.append(head.split(b" HTTP")[0].decode())
                            if number == 0:
                                body = b'{"gitVersion": "v1.34.0"}'
                                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            threading.Thread(target=serve, daemon=True).start()
            yield "http://127.0.0.1:%d" % listener.getsockname()[1], asked
            listener.shutdown(socket.SHUT_RDWR)

    def test_a_question_is_asked_again(self, ending):
        client = connect({"host": ending[0], "api_key": "x"})
        assert cluster_api.get(client, "/api")["gitVersion"] == "v1.34.0"
        assert ending[1] == ["GET /version", "GET /api", "GET /api"]

    def test_a_change_is_not(self, ending):
        """It may have been made."""
        client = connect({"host": ending[0], "api_key": "x"})
        with pytest.raises(Error, match="ends the connection without an answer"):
            with cluster_api.explained("make it"):
                cluster_api.send(client, "POST", "/api", {})
        assert ending[1] == ["GET /version", "POST /api"]
