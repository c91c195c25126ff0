# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way to the Kubernetes API: kubernetes.core's options and environment variables, the official client's connections.

Objects are plain data, as the API server writes them. Measured with kubernetes 37: the client's own typed methods take 1.4 s of
CPU for their first call (they import all models) and 2 to 3 times as much for each; its dynamic client 19 ms and 2 times.
"""
from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s import client as core

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error

try:  # Here and not where it is used: tasks are forks of the process that imports this.
    from kubernetes.client import ApiClient, ApiException, Configuration
    from kubernetes.config import ConfigException, kube_config
    from urllib3 import disable_warnings
    from urllib3.exceptions import HTTPError, InsecureRequestWarning, ProtocolError
    from urllib3.util import Timeout
    from yaml import YAMLError
except ImportError:
    pass  # NEEDS of the action plugin has its name

Object = dict[str, Any]  # of the API, as plain data

FIRST_CONTACT = 20  # seconds
REQUEST = 30
CODES = {401: "cluster_unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict", 422: "refused"}
WAY_OUT = "Check KUBECONFIG, or K8S_AUTH_HOST and K8S_AUTH_API_KEY."


def connect(options: dict[str, Any]) -> Any:
    """An ApiClient for the options that kubernetes.core knows (kubeconfig, host, api_key, ... and K8S_AUTH_*)."""
    try:
        api_client = within(FIRST_CONTACT, lambda: _client({name: options[name] for name in AUTH_ARG_SPEC}))
    except (ConfigException, YAMLError, HTTPError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _unreachable("The connection to the Kubernetes API cannot be set up: %s" % (error or type(error).__name__)) from error
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
        raise _unreachable("The credentials of the Kubernetes API were not there after %g s" % seconds)
    result, error = came[0]
    if error is not None:
        raise error
    return result


def _client(options: dict[str, Any]) -> Any:
    # Not get_api_client: it asks for /version without a time limit, and discovers every API.
    auth = core._create_auth_spec(**options)
    for name in ("host", "api_key"):
        if isinstance(auth.get(name), str):
            auth[name] = auth[name].strip()  # a file with a token ends in a newline
    host = auth.get("host")
    if host and not re.match("https?://", host):
        raise ValueError("the host is %r, write it with https:// in front" % host)
    Configuration.set_default(None)  # what another item of the same loop has loaded
    # The client has read that when it was imported, and a task has an environment of its own.
    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = os.environ.get("KUBECONFIG") or "~/.kube/config"
    api_client = ApiClient(core._create_configuration(auth))
    for name, value in core._create_headers(**options).items():
        core._set_header(api_client, name, value)
    if any(re.search(r"[\r\n]", value) for value in authorization(api_client.configuration).values()):
        raise ValueError("the token has more than one line")
    if not api_client.configuration.verify_ssl:
        disable_warnings(InsecureRequestWarning)  # on standard error, at every request
    _decide_on_the_proxy(api_client)
    return api_client


def _decide_on_the_proxy(api_client: Any) -> None:
    """Have the websockets of a port-forward go as the requests go, which read no_proxy (and the environment) in other ways."""
    pool, configuration = api_client.rest_client.pool_manager, api_client.configuration
    if pool.proxy is None and not hasattr(pool, "proxy_url"):  # the latter has SOCKS
        configuration.proxy, configuration.no_proxy = "http://none", "*"
    else:
        configuration.no_proxy = "none"


def _greet(api_client: Any) -> None:
    """The first contact: is it there, and is it a Kubernetes API?"""
    host = api_client.configuration.host
    try:
        answer = _ask(api_client, "GET", host + "/version", FIRST_CONTACT)
    except (HTTPError, OSError, ValueError) as error:
        raise _unreachable("The Kubernetes API at %s cannot be reached: %s" % (host, _cause(error))) from error
    if answer.status == 401:
        raise Error("The Kubernetes API does not accept these credentials (401 Unauthorized): %s" % (
            WAY_OUT[0].lower() + WAY_OUT[1:]), CODES[401])
    data = _json(answer)
    if not isinstance(data, dict) or not ("gitVersion" in data or data.get("kind") == "Status"):
        raise _unreachable("What answers at %s is no Kubernetes API: %s %s" % (host, answer.status, _beginning(answer)))


def _unreachable(text: str) -> Error:
    return Error("%s. %s" % (text.rstrip("."), WAY_OUT), "cluster_unreachable")


def _cause(error: BaseException) -> str:
    """A sentence without the names of urllib3's objects: <urllib3.connection.HTTPSConnection object at 0x...>: ..."""
    return re.sub(r"<[^>]*>:? ?|^\w+\([^)]*\): ", "", str(error)).strip() or type(error).__name__


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
        raise Error(
            "Could not %s: the Kubernetes API does not answer (%s)." % (action, _cause(error)), "cluster_unreachable"
        ) from error


def api_error(action: str, error: Any) -> Error:
    return Error("Could not %s: %s" % (action, reason(error)), CODES.get(error.status, "api_error"), status=error.status)


def reason(error: Any) -> str:
    """The API server's own sentence out of an ApiException."""
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return "%s %s" % (error.status, error.reason)


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
    token = configuration.auth_settings().get("BearerToken") or {}
    return {"authorization": token["value"].strip()} if token.get("value") else {}


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
    try:
        answer = _ask(api_client, method, url, REQUEST, body)
    except ProtocolError:
        if method != "GET":
            raise
        answer = _ask(api_client, method, url, REQUEST, body)  # a connection that was kept may end just when it is used again
    if answer.status not in (200, 201, 202):
        raise ApiException(http_resp=_Reply(answer))
    return answer


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
