# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way to the Kubernetes API: kubernetes.core's options and environment variables, the official client's connections.

Objects are plain data, as the API server writes them. Measured with kubernetes 37: the client's own typed methods take 1.4 s of
CPU for their first call (they import all models) and 2 to 3 times as much for each; its dynamic client 19 ms and 2 times.
"""
from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s import client as core

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import causes, kubeconfig, login, proxy

try:  # Here and not where it is used: tasks are forks of the process that imports this.
    from kubernetes.client import ApiClient, ApiException, Configuration
    from kubernetes.config import ConfigException, incluster_config, kube_config
    from urllib3 import disable_warnings
    from urllib3.exceptions import HTTPError, InsecureRequestWarning, ProtocolError
    from urllib3.util import Timeout, make_headers, parse_url
    from yaml import YAMLError
except ImportError:
    pass  # NEEDS of the action plugin has its name

Object = dict[str, Any]  # of the API, as plain data

FIRST_CONTACT = 20  # seconds
REQUEST = 30
LONGEST_PAUSE = 10  # that a server may ask for
CODES = {401: "cluster_unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict", 422: "refused"}
WAY_OUT = "Check KUBECONFIG, or K8S_AUTH_HOST and K8S_AUTH_API_KEY."
NEW_LOGIN = (
    "Log in anew for another token, or correct K8S_AUTH_API_KEY; in AWX update the credential of the job template. A token belongs"
    " to one cluster: check the address too."
)


def connect(options: dict[str, Any]) -> Any:
    """An ApiClient for the options that kubernetes.core knows (kubeconfig, host, api_key, ... and K8S_AUTH_*)."""
    try:
        api_client = within(FIRST_CONTACT, lambda: _client({name: options[name] for name in AUTH_ARG_SPEC}))
    except (
        ConfigException, YAMLError, HTTPError, OSError, ValueError, TypeError, KeyError, AttributeError, ImportError,
    ) as error:
        raise _unreachable("The connection to the Kubernetes API cannot be set up: %s" % causes.words(error)) from error
    _greet(api_client)
    return api_client


def within(seconds: float, call: Callable[[], Any]) -> Any:
    """What call() gives. A kubeconfig may have a program to run for a token, which may wait for a person."""
    came: list[Any] = []

    def run() -> None:
        try:
            came.append((call(), None))
        except Exception as error:  # this thread has nobody to tell
            came.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not came:
        raise _unreachable(
            "The credentials of the Kubernetes API were not there after %g s: does the login program of the kubeconfig wait for a"
            " person?" % seconds)
    result, error = came[0]
    if error is not None:
        raise error
    return result


def _client(options: dict[str, Any]) -> Any:
    # Not get_api_client: it asks for /version without a time limit, and discovers every API.
    auth = core._create_auth_spec(**options)
    for name, bare in (("host", login.bare_host), ("api_key", login.bare_token)):
        if auth.get(name):
            auth[name] = bare(str(auth[name]))
    if auth.get("host"):
        _refuse_address(auth["host"])
    Configuration.set_default(None)  # what another item of the same loop has loaded
    # The client has read that when it was imported, and a task has an environment of its own.
    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = os.environ.get("KUBECONFIG") or kubeconfig.DEFAULT
    chosen = kubeconfig.choose(auth.get("kubeconfig"), auth.get("context"), os.environ) if _by_kubeconfig(auth) else None
    configuration = _configuration(auth, chosen)
    _refuse_address(configuration.host)
    token = authorization(configuration).get("authorization", "")
    if re.search(r"[\r\n]", token):
        raise ValueError("the token has more than one line")
    if not re.fullmatch(r"(Bearer )?[!-~]*", token):
        raise ValueError("the token has blanks or other characters that no token has: is it all of it, and nothing else?")
    named = auth.get("proxy") or (chosen and chosen.cluster.get("proxy-url"))
    way = proxy.decide(configuration.host, named, auth.get("no_proxy"), os.environ)
    api_client = _opened(configuration, way)
    for name, value in core._create_headers(**options).items():
        core._set_header(api_client, name, value)
    if not configuration.verify_ssl:
        disable_warnings(InsecureRequestWarning)  # on standard error, at every request
    return api_client


def _configuration(auth: dict[str, Any], chosen: kubeconfig.Chosen | None) -> Any:
    """With the credentials, where the kubeconfig says how to come by them."""
    configuration, problem = None, None
    with _noted() as said:
        try:
            configuration = core._create_configuration(auth)
        except Exception as error:
            problem = error
    if chosen and not (configuration and (configuration.cert_file or authorization(configuration))):
        sentence = kubeconfig.no_credentials(chosen.user, said)
        if sentence:
            raise ValueError(sentence) from problem
    kubeconfig.refuse_token(chosen.user if chosen else {})
    if problem:
        raise problem
    return configuration


def _refuse_address(host: str) -> None:
    if not re.match("https?://", host):
        raise ValueError("the host is %r, write it with https:// in front" % host)
    try:
        name = parse_url(host).host
    except HTTPError:
        name = None
    if not name:
        raise ValueError("the host is %r, write it as https://NAME:PORT" % host)


def _by_kubeconfig(auth: dict[str, Any]) -> bool:
    """Does kubernetes.core look for one? Not where it was told all, or runs in a pod with an account."""
    if any(all(auth.get(name) for name in ("host", *names)) for names in (
        ("api_key",), ("username", "password"), ("cert_file", "key_file"),
    )):
        return False
    in_pod = os.environ.get("KUBERNETES_SERVICE_HOST") and os.path.isfile(incluster_config.SERVICE_TOKEN_FILENAME)
    return bool(auth.get("kubeconfig") or auth.get("context") or not in_pod)


@contextlib.contextmanager
def _noted() -> Iterator[list[str]]:
    """What the client says in its log, and to nobody else: that a login program has failed."""
    said: list[str] = []

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.module == "kube_config":
                said.append(record.getMessage())

    notes = Notes(logging.ERROR)
    logging.getLogger().addHandler(notes)
    try:
        yield said
    finally:
        logging.getLogger().removeHandler(notes)


def _opened(configuration: Any, way: proxy.Proxy | None) -> Any:
    """The ApiClient, whose requests and websockets go the same way: each would read the environment in a way of its own."""
    configuration.proxy, configuration.no_proxy = (way.url, "") if way else (None, "*")
    if way and way.login:
        configuration.proxy_headers = {**(configuration.proxy_headers or {}), **make_headers(proxy_basic_auth=way.login)}
    api_client = ApiClient(configuration)
    # The names of no_proxy do not count for what was decided, and without a proxy a websocket looks for one.
    configuration.proxy, configuration.no_proxy = (way.url, "none") if way else ("http://none", "*")
    return api_client


def _greet(api_client: Any) -> None:
    """The first contact: is it there, and is it a Kubernetes API?"""
    place, host = _place(api_client), api_client.configuration.host
    try:
        answer = _ask(api_client, "GET", host + "/version", FIRST_CONTACT)
    except (HTTPError, OSError, ValueError) as error:
        why = _wrong_file(api_client.configuration) or causes.cause(error, host.startswith("http://"))
        raise _unreachable("The Kubernetes API at %s cannot be reached: %s" % (place, why.text), why.way_out) from error
    data = _json(answer)
    if not isinstance(data, dict) or not ("gitVersion" in data or data.get("kind") == "Status"):
        raise _stranger(place, answer)
    if answer.status == 401:
        raise Error(
            "The Kubernetes API at %s does not accept these credentials (401 Unauthorized). %s" % (place, NEW_LOGIN), CODES[401])
    if answer.status >= 500 or answer.status == 429:
        raise _unreachable(
            "The Kubernetes API at %s is not ready (%s): %s" % (place, answer.status, data.get("message")), "Run again later.")


def _place(api_client: Any) -> str:
    """The API's address, for a person."""
    configuration = api_client.configuration
    through = "" if configuration.no_proxy == "*" else " (through the proxy %s)" % configuration.proxy
    return str(configuration.host) + through


def _stranger(host: str, answer: Any) -> Error:
    """An Error that says who answers there in place of the API."""
    place = urlsplit(answer.headers.get("location") or "")
    if answer.status in (301, 302, 303, 307, 308) and place.path:
        return _unreachable(
            "What answers at %s is no Kubernetes API: it sends us to %s (%s), as a login page or a web console does" % (
                host, place._replace(query="", fragment="").geturl(), answer.status), causes.ADDRESS)
    said = _beginning(answer)
    if answer.status == 400 and "HTTPS server" in said:
        return _unreachable(
            "What answers at %s wants https" % host, "Write https:// in K8S_AUTH_HOST, or server in the kubeconfig.")
    if answer.status == 407:
        return _unreachable("The proxy on the way to %s wants user and password (407)" % host, causes.PROXY_LOGIN)
    if answer.status in (429, 502, 503, 504):
        return _unreachable(
            "What answers at %s is a gateway or proxy that does not reach the Kubernetes API: %s %s" % (host, answer.status, said),
            "Run again later, or check the address (K8S_AUTH_HOST, or server in the kubeconfig).")
    return _unreachable("What answers at %s is no Kubernetes API: %s %s" % (host, answer.status, said))


def _unreachable(text: str, way_out: str = "") -> Error:
    return Error("%s%s %s" % (text.rstrip("."), "" if text.endswith("?") else ".", way_out or WAY_OUT), "cluster_unreachable")


def _wrong_file(configuration: Any) -> causes.Cause | None:
    """Certificates that cannot be used. OpenSSL names neither the file nor what it wanted there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority, certificate, key = configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file
    if authority:
        try:
            context.load_verify_locations(authority)
        except (OSError, ValueError) as error:  # of which an SSLError is one
            return causes.Cause(_of_file("CA certificates", str(authority), error), causes.AUTHORITY)
    if certificate:
        try:
            # Of a key with a passphrase nobody shall be asked.
            context.load_cert_chain(certificate, key, password=lambda: "")
        except (OSError, ValueError) as error:
            text = _of_file("client certificate", str(certificate), error)
            if not isinstance(error, ssl.SSLError) and key and os.path.isfile(certificate):
                text = _of_file("key of the client certificate", str(key), error)
            elif isinstance(error, ssl.SSLError):
                text += " with its key %s" % key if key else ", and K8S_AUTH_KEY_FILE names no key"
            return causes.Cause(text, causes.CLIENT_CERTIFICATE)
    return None


def _of_file(what: str, path: str, error: Exception) -> str:
    path = "the kubeconfig's data" if path in kube_config._temp_files.values() else path
    if "-----BEGIN" in path:
        return "the %s were given themselves, and the name of their file is needed" % what
    if isinstance(error, ssl.SSLError):
        return "the %s in %s cannot be used (%s)" % (what, path, (error.reason or "no PEM").lower().replace("_", " "))
    return "the %s cannot be read from %s (%s)" % (what, path, getattr(error, "strerror", None) or error)


def _json(answer: Any) -> Any:
    try:
        return json.loads(answer.data)
    except ValueError:
        return None


def _beginning(answer: Any) -> str:
    return repr(" ".join(answer.data[:500].decode(errors="replace").split())[:60])


@contextlib.contextmanager
def explained(action: str) -> Iterator[None]:
    """Turn what the API says into an Error that names the action ("read the nodes")."""
    try:
        yield
    except ApiException as error:
        raise api_error(action, error) from error
    except HTTPError as error:
        why = causes.cause(error)
        raise Error(
            ("Could not %s: the Kubernetes API cannot be reached, %s. %s" % (action, *why)).rstrip(), "cluster_unreachable"
        ) from error


def api_error(action: str, error: Any) -> Error:
    if error.status == 403 and "system:anonymous" in reason(error):
        return Error("Could not %s: no credentials came with the request (%s). %s" % (
            action, reason(error), WAY_OUT), CODES[401], status=403)
    if error.status == 401:
        return Error("Could not %s: %s. %s" % (action, reason(error).rstrip("."), NEW_LOGIN), CODES[401], status=401)
    return Error("Could not %s: %s" % (action, reason(error)), CODES.get(error.status, "api_error"), status=error.status)


def reason(error: Any) -> str:
    """The API server's own sentence out of an ApiException."""
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, KeyError):
        said = ""
    except ValueError:  # a load balancer's, or of an API that another server is to answer for
        text = error.body.decode(errors="replace") if isinstance(error.body, bytes) else error.body
        said = " ".join(text.split())[:60]
    return "%s %s%s" % (error.status, error.reason, said and " (it says %r)" % said)


def found(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """call(...), or None where the object does not exist."""
    try:
        return call(*args, **kwargs)
    except ApiException as error:
        if error.status == 404:
            return None
        raise


def named(api_client: Any, group: str, kind: str, namespace: str, name: str) -> Object | None:
    """The object as plain data, None where it does not exist. group: api/v1, apis/apps/v1, ..."""
    with explained("read %s %s in namespace %s" % (kind, name, namespace)):
        there: Object | None = found(get, api_client, "/%s/namespaces/%s/%s/%s" % (group, namespace, kind, name))
        return there


def listed(api_client: Any, group: str, kind: str, namespace: str, **selector: str) -> list[Object]:
    with explained("list %s in namespace %s" % (kind, namespace)):
        items: list[Object] = get(api_client, "/%s/namespaces/%s/%s" % (group, namespace, kind), **selector)["items"]
        return items


def authorization(configuration: Any) -> dict[str, str]:
    """The header that says who asks, empty where a client certificate does."""
    token = login.bare_token((configuration.auth_settings().get("BearerToken") or {}).get("value") or "")
    return {"authorization": "Bearer " + token} if token else {}


def get(api_client: Any, path: str, **query: Any) -> Any:
    """What the API server answers to GET path, as plain data."""
    return _parsed(reply(api_client, path, **query))


def send(api_client: Any, method: str, path: str, body: Object | None = None, **query: Any) -> Any:
    """The same for POST, PUT, PATCH (a JSON merge patch) and DELETE."""
    return _parsed(reply(api_client, path, method, body, **query))


def _parsed(answer: Any) -> Any:
    data = _json(answer)
    if not isinstance(data, dict):
        raise _unreachable("The Kubernetes API, or what answers for it, gives no object in JSON: %s" % _beginning(answer))
    return data


def reply(api_client: Any, path: str, method: str = "GET", body: Object | None = None, **query: Any) -> Any:
    """The answer with its headers, and for what is no JSON (a log)."""
    url = api_client.configuration.host + path + ("?" + urlencode(query) if query else "")
    end = time.monotonic() + REQUEST
    while True:
        try:
            answer = _ask(api_client, method, url, REQUEST, body)
        except ProtocolError:
            if method != "GET":
                raise
            answer = _ask(api_client, method, url, REQUEST, body)  # a connection that was kept may end just when it is used again
        pause = _asked_to_wait(answer)
        if pause is None or time.monotonic() + pause > end:
            break
        time.sleep(pause)
    if answer.status in (200, 201, 202):
        return answer
    if answer.status < 500 and answer.status != 429 and not _by_the_api(answer):
        raise _stranger(_place(api_client), answer)
    raise ApiException(http_resp=_Reply(answer))


def _asked_to_wait(answer: Any) -> float | None:
    """Seconds, None where the answer counts. Who is asked to come again has not been served, so that a change was not made."""
    seconds = answer.headers.get("retry-after") or ""
    if answer.status not in (429, 503) or not (seconds.isascii() and seconds.isdigit()):
        return None
    return min(max(int(seconds), 1), LONGEST_PAUSE)


def _by_the_api(answer: Any) -> bool:
    """Is it the API's own refusal? What a proxy or a login page says would read as a right that is missing, or as "not there"."""
    data = _json(answer)
    group_missing: bool = answer.data.strip() == b"404 page not found"
    return group_missing or (isinstance(data, dict) and data.get("kind") == "Status")


def _ask(api_client: Any, method: str, url: str, seconds: float, body: Object | None = None) -> Any:
    headers = {
        **api_client.default_headers, "accept": "application/json, */*", **authorization(api_client.configuration)
    }
    if body is not None:
        headers["content-type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
    return api_client.rest_client.pool_manager.request(
        method, url, headers=headers, body=None if body is None else json.dumps(body), timeout=Timeout(total=seconds),
        retries=False,
    )


class _Reply:
    """A reply of urllib3 with the names that ApiException asks for."""

    def __init__(self, reply: Any) -> None:
        self.status, self.reason, self.data, self.headers = reply.status, reply.reason, reply.data, reply.headers

    def getheaders(self) -> Any:
        return self.headers
