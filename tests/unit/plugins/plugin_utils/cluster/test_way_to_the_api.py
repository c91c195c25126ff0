"""Every failure on the way to the API is one sentence: the real cause, and the way out. Against servers that are real ones."""
from __future__ import annotations

import json
import re
import types

import pytest
from who_answers import VERSION, status

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import api as cluster_api

OPTIONS = dict.fromkeys(cluster_api.AUTH_ARG_SPEC)
TOKEN = {"api_key": "t0k3n"}

GENERAL = "Check KUBECONFIG, or K8S_AUTH_HOST and K8S_AUTH_API_KEY."
ADDRESS = "Check K8S_AUTH_HOST, or server in the kubeconfig."
AUTHORITY = "Set K8S_AUTH_SSL_CA_CERT to the file with the cluster's CA, or certificate-authority in the kubeconfig."
CLIENT = "Check K8S_AUTH_CERT_FILE and K8S_AUTH_KEY_FILE, or the user's client-certificate in the kubeconfig."
PROXY = (
    "Check the proxy (HTTPS_PROXY, K8S_AUTH_PROXY, or proxy-url in the kubeconfig), or add the API server to NO_PROXY if it is to"
    " be reached without one."
)
PROXY_LOGIN = "Put them into the proxy's URL, such as HTTPS_PROXY=http://USER:PASSWORD@NAME:PORT."
LOGIN = (
    "Log in anew for another token, or correct K8S_AUTH_API_KEY; in AWX update the credential of the job template. A token belongs"
    " to one cluster: check the address too."
)
SET_UP = "The connection to the Kubernetes API cannot be set up: "
FAR = "https://192.0.2.1:6443"  # nobody's (RFC 5737), to be reached by a proxy


@pytest.fixture
def authority(world):
    """ca.crt, and what it has signed."""
    authority = world.certificate("ca")
    world.certificate("other")
    for name, more in {
        "good": {}, "client": {}, "expired": {"days": (-30, -1)}, "future": {"days": (5, 30)}, "elsewhere": {"host": "api.example.com"},
    }.items():
        world.certificate(name, authority, **more)
    return authority


def refused(world, options):
    """(code, message) with the names of servers and files as HOST and FOLDER."""
    with pytest.raises(Error) as caught:
        cluster_api.connect({**OPTIONS, **options})
    text = caught.value.message.replace(str(world.folder), "FOLDER")
    for host in world.hosts:
        text = text.replace(host, "HOST").replace(host.replace("http://", "https://"), "S-HOST").replace(
            host.replace("https://", "http://"), "P-HOST")
    return caught.value.code, text


def fits(text, wanted):
    """... stands for words that differ by release of Python or the client."""
    return re.fullmatch(re.escape(wanted).replace(r"\.\.\.", ".+"), text) is not None


def by(answer):
    """Who gives that answer to everything."""
    return lambda world: {"host": world.serve(answer), **TOKEN}


UNREACHABLE = "The Kubernetes API at %s cannot be reached: "
NO_API = "What answers at HOST is no Kubernetes API: "
GATEWAY = "What answers at HOST is a gateway or proxy that does not reach the Kubernetes API: "
WAIT = "Run again later, or check the address (K8S_AUTH_HOST, or server in the kubeconfig)."
HOST_AND_TOKEN = {
    "nobody listens": (
        lambda world: {"host": "https://127.0.0.1:1"},
        UNREACHABLE % "https://127.0.0.1:1" + "nothing listens there (connection refused). " + ADDRESS),
    "a name that is none": (
        lambda world: {"host": "https://nowhere.invalid"},
        UNREACHABLE % "https://nowhere.invalid" + "its name is not known here (DNS: ...). " + ADDRESS),
    "a port that is none": (
        lambda world: {"host": "https://127.0.0.1:644300"},
        SET_UP + "the host is 'https://127.0.0.1:644300', write it as https://NAME:PORT. " + GENERAL),
    "a port in words": (
        lambda world: {"host": "https://api:https"},
        SET_UP + "the host is 'https://api:https', write it as https://NAME:PORT. " + GENERAL),
    "a host without a name": (
        lambda world: {"host": "https://"}, SET_UP + "the host is 'https://', write it as https://NAME:PORT. " + GENERAL),
    "a host without https": (
        lambda world: {"host": "10.0.0.1:6443"},
        SET_UP + "the host is '10.0.0.1:6443', write it with https:// in front. " + GENERAL),
    "silence": (
        lambda world: {"host": world.say(None)},
        UNREACHABLE % "HOST" + "it does not answer in time. " + ADDRESS + " Or a firewall is in the way."),
    "hangs up": (
        lambda world: {"host": world.say(b"")},
        UNREACHABLE % "HOST" + "it ends the connection without an answer. " + ADDRESS + " Does it want https://?"),
    "port 22": (
        lambda world: {"host": world.say(b"SSH-2.0-OpenSSH_9.2\r\n")},
        UNREACHABLE % "HOST" + "what listens there does not speak HTTP (it says 'SSH-2.0-OpenSSH_9.2'). " + ADDRESS),
    "http to an API server, which is written in Go": (
        lambda world: {"host": world.say(
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")},
        "What answers at HOST wants https. Write https:// in K8S_AUTH_HOST, or server in the kubeconfig."),
    "https to who speaks http": (
        lambda world: {"host": world.serve(VERSION).replace("http:", "https:")},
        UNREACHABLE % "S-HOST" + "it does not speak TLS on that port. Is it another port, or http://? " + ADDRESS),
    "a web page": (by((200, {}, b"<html>Login</html>")), NO_API + "200 '<html>Login</html>'. " + GENERAL),
    "JSON of something else": (by((200, {}, b'{"a": 1}')), NO_API + "200 '{\"a\": 1}'. " + GENERAL),
    "a list": (by((200, {}, b"[]")), NO_API + "200 '[]'. " + GENERAL),
    "nothing": (by((200, {}, b"")), NO_API + "200 ''. " + GENERAL),
    "a login page elsewhere": (
        by((302, {"Location": "https://sso.example.com/login?state=s3cret"}, b"Found")),
        NO_API + "it sends us to https://sso.example.com/login (302), as a login page or a web console does. " + ADDRESS),
    "a redirect to nowhere": (by((302, {}, b"Found")), NO_API + "302 'Found'. " + GENERAL),
    "a firewall's page": (by((403, {}, b"<html>Forbidden")), NO_API + "403 '<html>Forbidden'. " + GENERAL),
    "a firewall's JSON": (by((403, {}, b'{"error": "denied"}')), NO_API + "403 '{\"error\": \"denied\"}'. " + GENERAL),
    "a web server without that page": (by((404, {}, b"not here")), NO_API + "404 'not here'. " + GENERAL),
    "a login of another kind": (by((401, {"WWW-Authenticate": "Basic"}, b"<html>")), NO_API + "401 '<html>'. " + GENERAL),
    "a token that has expired": (
        by(status(401, "Unauthorized")),
        "The Kubernetes API at HOST does not accept these credentials (401 Unauthorized). " + LOGIN),
    "too many requests": (
        by(status(429, "Too many requests, please try again later.", Retry_After="7")),
        "The Kubernetes API at HOST is not ready (429): Too many requests, please try again later. Run again later."),
    "an API server that starts": (
        by(status(500, "etcd is down")), "The Kubernetes API at HOST is not ready (500): etcd is down. Run again later."),
    "a load balancer without an API server": (
        by((503, {"Retry-After": "1"}, b"upstream connect error")), GATEWAY + "503 'upstream connect error'. " + WAIT),
    "a gateway": (by((502, {}, b"<html>Bad Gateway")), GATEWAY + "502 '<html>Bad Gateway'. " + WAIT),
    "a gateway that waits": (by((504, {}, b"")), GATEWAY + "504 ''. " + WAIT),
    "a token of two lines": (
        lambda world: {"host": "https://127.0.0.1:1", "api_key": "a\nb"}, SET_UP + "the token has more than one line. " + GENERAL),
    "a token with something beside it": (
        lambda world: {"host": "https://127.0.0.1:1", "api_key": "token: abc"},
        SET_UP + "the token has blanks or other characters that no token has: is it all of it, and nothing else? " + GENERAL),
    "a token that was typed": (
        lambda world: {"host": "https://127.0.0.1:1", "api_key": "tökén"},
        SET_UP + "the token has blanks or other characters that no token has: is it all of it, and nothing else? " + GENERAL),
}


@pytest.mark.parametrize("name", HOST_AND_TOKEN)
def test_a_host_and_a_token(world, monkeypatch, name):
    monkeypatch.setattr(cluster_api, "FIRST_CONTACT", 0.5)
    arrange, wanted = HOST_AND_TOKEN[name]
    code, text = refused(world, {**TOKEN, **arrange(world)})
    assert fits(text, wanted), text
    assert code == ("cluster_unauthorized" if "401 Unauthorized" in wanted else "cluster_unreachable")


def tls(server="good", ca="ca.crt", wants_certificate=False, client=None, key=None, token=True):
    def arrange(world):
        host, login = world.serve(VERSION, server, wants_certificate), TOKEN if token else {}
        options = {"host": host, "ca_cert": ca and world.path(ca), **login}
        return {**options, "client_cert": client and world.path(client), "client_key": key and world.path(key)}
    return arrange


CERTIFICATES = {
    "an authority that nobody knows": (
        tls(ca=None), UNREACHABLE % "HOST" + "its certificate is of an authority that is not trusted here. " + AUTHORITY),
    "another authority": (
        tls(ca="other.crt"), UNREACHABLE % "HOST" + "its certificate is of an authority that is not trusted here. " + AUTHORITY),
    "its time is over": (
        tls("expired"), UNREACHABLE % "HOST" + "its certificate has expired. Renew it there. Or is this machine's clock wrong?"),
    "its time has not come": (
        tls("future"), UNREACHABLE % "HOST" + "its certificate is not valid yet. Is this machine's clock wrong?"),
    "the certificate of another address": (
        tls("elsewhere"), UNREACHABLE % "HOST" + "its certificate is for another name. Use a name or address of the certificate: "
        "K8S_AUTH_HOST, or server in the kubeconfig."),
    "the authority's file is not there": (
        tls(ca="nowhere.crt"), UNREACHABLE % "HOST" + "the CA certificates cannot be read from FOLDER/nowhere.crt"
        " (No such file or directory). " + AUTHORITY),
    "the authority's file is no PEM": (
        tls(ca="text"), UNREACHABLE % "HOST" + "the CA certificates in FOLDER/text cannot be used (...). " + AUTHORITY),
    "the authority's file is empty": (
        tls(ca="empty"), UNREACHABLE % "HOST" + "the CA certificates in FOLDER/empty cannot be used (...). " + AUTHORITY),
    "the authority itself in place of its file": (
        lambda world: {**tls()(world), "ca_cert": (world.folder / "ca.crt").read_text()},
        UNREACHABLE % "HOST" + "the CA certificates were given themselves, and the name of their file is needed. " + AUTHORITY),
    "the server wants a certificate": (tls(wants_certificate=True), UNREACHABLE % "HOST" + "it ends the ..."),
    "a certificate without its key": (
        tls(client="client.crt"), UNREACHABLE % "HOST" + "the client certificate in FOLDER/client.crt cannot be used (...), and"
        " K8S_AUTH_KEY_FILE names no key. " + CLIENT),
    "a certificate with another's key": (
        tls(client="client.crt", key="good.key", token=False), UNREACHABLE % "HOST" + "the client certificate in FOLDER/client.crt"
        " cannot be used (...) with its key FOLDER/good.key. " + CLIENT),
    "a certificate that is not there": (
        tls(client="nowhere.crt", key="good.key", token=False), UNREACHABLE % "HOST" + "the client certificate cannot be read from"
        " FOLDER/nowhere.crt (No such file or directory). " + CLIENT),
    "a key that is not there": (
        tls(client="client.crt", key="nowhere.key", token=False), UNREACHABLE % "HOST" + "the key of the client certificate cannot be"
        " read from FOLDER/nowhere.key (No such file or directory). " + CLIENT),
    "an authority in a kubeconfig that is no PEM": (
        lambda world: {"kubeconfig": world.kubeconfig(
            server=world.serve(VERSION, "good"), cluster={"certificate-authority-data": "aGVsbG8="})},
        UNREACHABLE % "HOST" + "the CA certificates in the kubeconfig's data cannot be used (...). " + AUTHORITY),
}


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificates(world, name):
    (world.folder / "text").write_text("hello\n")
    (world.folder / "empty").write_text("")
    arrange, wanted = CERTIFICATES[name]
    code, text = refused(world, arrange(world))
    assert code == "cluster_unreachable" and fits(text, wanted), text


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize("arrange", [
    tls(), tls("expired", ca=None), tls(wants_certificate=True, client="client.crt", key="client.key", token=False),
])
def test_certificates_that_are_right_or_are_not_looked_at(world, arrange):
    options = arrange(world)
    cluster_api.connect({**OPTIONS, **options, "validate_certs": options["ca_cert"] is not None})


def file(text):
    return lambda world: {"kubeconfig": world.file(text, "kubeconfig")}


def written(**more):
    return lambda world: {"kubeconfig": world.kubeconfig(**more)}


def program(script, **more):
    return lambda world: world.by_program(script, **more)


NO_TOKEN = SET_UP + "the login program FOLDER/login0 of the kubeconfig gives no token: "
NO_PROVIDER = (
    SET_UP + "the kubeconfig's auth-provider %s gives no token, clients no longer know it or its login has ended: use a program that"
    " gives a token (exec), or set K8S_AUTH_HOST and K8S_AUTH_API_KEY. " + GENERAL
)
KUBECONFIGS = {
    "nothing at all": (
        lambda world: {}, SET_UP + "no cluster is named: there is no KUBECONFIG, no ~/.kube/config, and not both K8S_AUTH_HOST and"
        " K8S_AUTH_API_KEY. " + GENERAL),
    "a host without a token": (
        lambda world: {"host": "https://10.0.0.1"}, SET_UP + "no cluster is named: there is no KUBECONFIG, no ~/.kube/config, and not"
        " both K8S_AUTH_HOST and K8S_AUTH_API_KEY. " + GENERAL),
    "a token that is empty": (
        lambda world: {"host": "https://10.0.0.1", "api_key": ""}, SET_UP + "no cluster is named: there is no KUBECONFIG, no"
        " ~/.kube/config, and not both K8S_AUTH_HOST and K8S_AUTH_API_KEY. " + GENERAL),
    "no file": (
        lambda world: {"kubeconfig": "/nowhere/config"}, SET_UP + "there is no kubeconfig /nowhere/config. " + GENERAL),
    "a folder": (
        lambda world: {"kubeconfig": str(world.folder)},
        SET_UP + "the kubeconfig FOLDER cannot be read: Is a directory. " + GENERAL),
    "empty": (file(""), SET_UP + "the kubeconfig FOLDER/kubeconfig0 is empty. " + GENERAL),
    "no YAML": (file("a:\n\tb"), SET_UP + "the kubeconfig FOLDER/kubeconfig0 is no YAML (line 2). " + GENERAL),
    "no text": (file("\x00\x01"), SET_UP + "the kubeconfig FOLDER/kubeconfig0 is no YAML. " + GENERAL),
    "a web page": (
        file("<html>Login</html>"),
        SET_UP + "FOLDER/kubeconfig0 is no kubeconfig: it begins with '<html>Login</html>'. " + GENERAL),
    "a list": (file("[]"), SET_UP + "FOLDER/kubeconfig0 is no kubeconfig: it begins with '[]'. " + GENERAL),
    "an inventory": (file("all: {}"), SET_UP + "FOLDER/kubeconfig0 is no kubeconfig: it begins with \"{'all': {}}\". " + GENERAL),
    "clusters that are none": (
        file("clusters: 5"),
        SET_UP + "FOLDER/kubeconfig0 is no kubeconfig: its clusters are no list of things with a name. " + GENERAL),
    "no context": (
        written(**{"current-context": ""}),
        SET_UP + "FOLDER/kubeconfig0 has no current-context: set K8S_AUTH_CONTEXT to one of its own: c. " + GENERAL),
    "another context": (
        lambda world: {"kubeconfig": world.kubeconfig(), "context": "prod"},
        SET_UP + "FOLDER/kubeconfig0 has no context prod: set K8S_AUTH_CONTEXT to one of its own: c. " + GENERAL),
    "nothing in it": (
        file("current-context: prod"), SET_UP + "FOLDER/kubeconfig0 has no context prod: set K8S_AUTH_CONTEXT to one that is there (it"
        " has none). " + GENERAL),
    "a context without its cluster": (
        written(clusters=[]), SET_UP + "FOLDER/kubeconfig0 has no cluster c, which its context c names. " + GENERAL),
    "a cluster without a server": (written(server=""), SET_UP + "FOLDER/kubeconfig0 has no server for its cluster c. " + GENERAL),
    "a server without https": (
        written(server="10.0.0.1:6443"), SET_UP + "the host is '10.0.0.1:6443', write it with https:// in front. " + GENERAL),
    "a token's file that is not there": (
        written(user={"tokenFile": "/nowhere/token"}), SET_UP + "/nowhere/token: No such file or directory. " + GENERAL),
    "an authority's file that is not there": (
        written(server="https://10.0.0.1", cluster={"certificate-authority": "/nowhere/ca"}),
        SET_UP + "File does not exist: /nowhere/ca. " + GENERAL),
    "a program that is not there": (
        program("kubelogin-of-nobody", installHint="Get it\nfrom us"), SET_UP + "the login program kubelogin-of-nobody of the"
        " kubeconfig gives no token: [Errno 2] No such file or directory: 'kubelogin-of-nobody' (Get it from us). " + GENERAL),
    "a program that may not be run": (
        lambda world: world.by_program(world.file("", "login")), NO_TOKEN + "[Errno 13] Permission denied: 'FOLDER/login0'. " + GENERAL),
    "a program that fails": (
        program("echo 'Unable to locate credentials' >&2; exit 255"),
        NO_TOKEN + "process returned 255. Unable to locate credentials. " + GENERAL),
    "a program that says something else": (program("echo 'hello you'"), NO_TOKEN + "failed to decode process output: ... " + GENERAL),
    "a program that says nothing": (program("exit 0"), NO_TOKEN + "failed to decode process output: ... " + GENERAL),
    "a program that says half of it": (program("echo '{}'"), NO_TOKEN + "malformed response. missing key 'apiVersion'. " + GENERAL),
    "a program of another time": (
        program("echo '%s'" % json.dumps(
            {"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": {"token": "x"}})),
        NO_TOKEN + "plugin api version client.authentication.k8s.io/v1beta1 does not match client.authentication.k8s.io/v1. " + GENERAL),
    "a program that waits for a person": (
        program("sleep 20 # for a login"), "The credentials of the Kubernetes API were not there after 0.5 s: does the login program of"
        " the kubeconfig wait for a person? " + GENERAL),
    "Google's old way": (written(user={"auth-provider": {"name": "gcp"}}), NO_PROVIDER % "gcp"),
    "Microsoft's old way": (written(user={"auth-provider": {"name": "azure"}}), NO_PROVIDER % "azure"),
    "an old way whose login has ended": (
        written(user={"auth-provider": {"name": "oidc", "config": {"id-token": "a.b.c"}}}), NO_PROVIDER % "oidc"),
}


@pytest.mark.parametrize("name", KUBECONFIGS)
def test_a_kubeconfig(world, monkeypatch, name):
    monkeypatch.setattr(cluster_api, "FIRST_CONTACT", 0.5)
    arrange, wanted = KUBECONFIGS[name]
    code, text = refused(world, arrange(world))
    assert code == "cluster_unreachable" and fits(text, wanted), text


def test_the_client_prints_nothing_of_its_own(world, caplog, capfd):
    refused(world, world.by_program("exit 3 # at once"))
    assert "exit" not in capfd.readouterr().err


COPIED = ["t0k3n", "t0k3n\n", "t0k3n\r\n", " t0k3n ", "Bearer t0k3n", "bearer  t0k3n\n", "\ufefft0k3n", "\tBearer\tt0k3n"]


@pytest.mark.parametrize("around", ["%s", "%s\n", " %s/\n", "\ufeff%s"])
@pytest.mark.parametrize("token", COPIED)
@pytest.mark.parametrize("where", ["option", "environment"])
def test_a_host_and_a_token_as_people_copy_them(world, monkeypatch, token, around, where):
    asked = []

    def answer(request):
        asked.append(request.headers["Authorization"])
        return VERSION
    host = around % world.serve(answer)
    options = {"host": host, "api_key": token}
    if where == "environment":
        for name, value in options.items():
            monkeypatch.setenv("K8S_AUTH_" + name.upper(), value)
        options = {}
    cluster_api.connect({**OPTIONS, **options})
    assert asked == ["Bearer t0k3n"]


@pytest.mark.parametrize("token", COPIED[1:])
def test_a_token_in_a_kubeconfig_that_helm_would_not_take(world, token):
    assert refused(world, {"kubeconfig": world.kubeconfig({"token": token})}) == (
        "cluster_unreachable", SET_UP + "the kubeconfig's token has more than the token (a line break, a blank or the word Bearer): write"
        " it alone. " + GENERAL)


@pytest.mark.parametrize("server", ["", "no/such/path"])
def test_files_of_a_list_that_are_not_there_do_not_count(world, monkeypatch, server):
    monkeypatch.setenv("KUBECONFIG", "/nowhere/%s:%s" % (server, world.kubeconfig(server=world.serve(VERSION))))
    cluster_api.connect(OPTIONS)


PROXIED = UNREACHABLE % (FAR + " (through the proxy HOST)")
PROXIES = {
    "wants a password": (
        (407, {"Proxy-Authenticate": "Basic"}, b""), PROXIED + "the proxy wants user and password (407). " + PROXY_LOGIN),
    "does not reach it": ((502, {}, b"<html>"), PROXIED + "the proxy does not lead there (it says 502 Bad Gateway). " + PROXY),
    "forbids it": ((403, {}, b"denied"), PROXIED + "the proxy does not lead there (it says 403 Forbidden). " + PROXY),
    "has a page for it": (
        (302, {"Location": "http://portal/"}, b""), PROXIED + "the proxy does not lead there (it says 302 Found). " + PROXY),
}


@pytest.mark.parametrize("where", ["option", "environment", "kubeconfig"])
@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_that(world, monkeypatch, name, where):
    answer, wanted = PROXIES[name]
    options, host = {"host": FAR, **TOKEN}, world.serve(answer)
    if where == "option":
        options["proxy"] = host
    elif where == "environment":
        monkeypatch.setenv("HTTPS_PROXY", host)
    else:
        options = {"kubeconfig": world.kubeconfig(server=FAR, cluster={"proxy-url": host})}
    assert refused(world, options) == ("cluster_unreachable", wanted)


@pytest.mark.parametrize(("answer", "wanted"), [
    ((407, {}, b""), "The proxy on the way to http://192.0.2.1 (through the proxy HOST) wants user and password (407). " + PROXY_LOGIN),
    ((403, {}, b"denied"), "What answers at http://192.0.2.1 (through the proxy HOST) is no Kubernetes API: 403 'denied'. " + GENERAL),
    ((502, {}, b""), "What answers at http://192.0.2.1 (through the proxy HOST) is a gateway or proxy that does not reach the Kubernetes"
     " API: 502 ''. " + WAIT),
])
def test_a_proxy_for_plain_http(world, answer, wanted):
    assert refused(world, {"host": "http://192.0.2.1", "proxy": world.serve(answer), **TOKEN})[1] == wanted


@pytest.mark.parametrize(("proxy", "wanted"), [
    ("http://127.0.0.1:1", PROXIED.replace("HOST", "http://127.0.0.1:1") + "the proxy does not answer: nothing listens there (connection"
     " refused). " + PROXY),
    ("127.0.0.1:1", PROXIED.replace("HOST", "http://127.0.0.1:1") + "the proxy does not answer: nothing listens there (connection"
     " refused). " + PROXY),
    ("http://u:s3cret@127.0.0.1:1", PROXIED.replace("HOST", "http://127.0.0.1:1") + "the proxy does not answer: nothing listens there"
     " (connection refused). " + PROXY),
    ("http://proxy.invalid", PROXIED.replace("HOST", "http://proxy.invalid:80") + "the proxy does not answer: its name is not known here"
     " (DNS: ...). " + PROXY),
    ("ftp://proxy:21", SET_UP + "the proxy (HTTPS_PROXY) is none: write it as http://NAME:PORT. " + GENERAL),
])
def test_a_proxy_that_is_not_there(world, monkeypatch, proxy, wanted):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    code, text = refused(world, {"host": FAR, **TOKEN})
    assert code == "cluster_unreachable" and fits(text, wanted), text


class TestLaterOn:
    """What the first contact did not show."""

    @staticmethod
    def asked(world, *answers, method="GET"):
        """(what came of a question, how often it was asked), answered like that one after the other, the last for ever."""
        answers, count = list(answers), []

        def answer(request):
            if request.path == "/version":
                return VERSION
            count.append(request.path)
            return answers.pop(0) if len(answers) > 1 else answers[0]
        client = cluster_api.connect({**OPTIONS, "host": world.serve(answer), **TOKEN})
        try:
            with cluster_api.explained("do it"):
                return cluster_api.send(client, method, "/api/v1/x"), len(count)
        except Error as error:
            return (error.code, error.message.replace(world.hosts[-1], "HOST")), len(count)

    @pytest.fixture(autouse=True)
    def pauses(self, monkeypatch):
        """Their seconds, which pass at once."""
        pauses = []
        monkeypatch.setattr(cluster_api, "time", types.SimpleNamespace(monotonic=lambda: sum(pauses), sleep=pauses.append))
        return pauses

    @pytest.mark.parametrize(("answer", "code", "wanted"), [
        (status(401, "Unauthorized"), "cluster_unauthorized", "Could not do it: Unauthorized. " + LOGIN),
        (status(403, "pods is forbidden"), "forbidden", "Could not do it: pods is forbidden"),
        (status(403, 'pods is forbidden: User "system:anonymous" cannot list'), "cluster_unauthorized",
         'Could not do it: no credentials came with the request (pods is forbidden: User "system:anonymous" cannot list). ' + GENERAL),
        ((403, {}, b"<html>Forbidden"), "cluster_unreachable", NO_API + "403 '<html>Forbidden'. " + GENERAL),
        ((403, {}, b'{"error": "denied"}'), "cluster_unreachable", NO_API + "403 '{\"error\": \"denied\"}'. " + GENERAL),
        ((404, {}, b"<html>Not here"), "cluster_unreachable", NO_API + "404 '<html>Not here'. " + GENERAL),
        ((404, {}, b"404 page not found\n"), "not_found", "Could not do it: 404 Not Found (it says '404 page not found')"),
        ((302, {"Location": "http://sso/login?x"}, b""), "cluster_unreachable",
         NO_API + "it sends us to http://sso/login (302), as a login page or a web console does. " + ADDRESS),
        # An API that another server is to answer for.
        ((503, {}, b"service unavailable\n"), "api_error", "Could not do it: 503 Service Unavailable (it says 'service unavailable')"),
        (status(503, "the server is currently unable to handle the request"), "api_error",
         "Could not do it: the server is currently unable to handle the request"),
    ])
    def test_what_is_said(self, world, pauses, answer, code, wanted):
        assert self.asked(world, answer) == ((code, wanted), 1) and not pauses

    @pytest.mark.parametrize("method", ["GET", "PATCH"])
    @pytest.mark.parametrize("code", [429, 503])
    def test_who_asks_to_wait_is_asked_again(self, world, pauses, method, code):
        """Nothing was done then, whatever was asked."""
        told, count = self.asked(
            world, *[status(code, "busy", Retry_After=seconds) for seconds in ("2", "60", "0")], (200, {}, b'{"a": 1}'), method=method)
        assert (told, count, pauses) == ({"a": 1}, 4, [2, 10, 1])

    def test_but_not_for_ever(self, world, pauses, monkeypatch):
        monkeypatch.setattr(cluster_api, "REQUEST", 5)
        told, count = self.asked(world, status(429, "busy", Retry_After="2"))
        assert told == ("api_error", "Could not do it: busy") and pauses == [2, 2] and count == 3

    @pytest.mark.parametrize("after", ["", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "\u0661"])
    def test_who_does_not_say_for_how_long_is_not(self, world, pauses, after):
        headers = {"Retry-After": after.encode().decode("latin-1")}
        assert self.asked(world, (503, headers, b"")) == (("api_error", "Could not do it: 503 Service Unavailable"), 1) and not pauses
