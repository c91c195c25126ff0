# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way to the Kubernetes API: kubernetes.core's options and environment variables, the official client.

The client is imported where it is used and not above: that takes 1 s of CPU time, and a module that is only given an
address has no use for it.
"""
from __future__ import annotations

import contextlib
import json
import signal
import traceback
from urllib.parse import urlencode

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.kubernetes.core.plugins.module_utils import args_common

from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

AUTH_ARG_SPEC = args_common.AUTH_ARG_SPEC  # for modules' argument_spec, as documented in k8s_auth_options


def connect(module):
    """An ApiClient for the options that kubernetes.core knows (kubeconfig, host, api_key, ... and K8S_AUTH_*)."""
    try:
        from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
        from ansible_collections.kubernetes.core.plugins.module_utils.k8s.exceptions import CoreException
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError
    except ImportError:
        module.fail_json(msg=missing_required_lib("kubernetes"), exception=traceback.format_exc())
    try:
        with _within(20):
            # Its `module` argument would have to be kubernetes.core's own module class.
            return get_api_client(**{option: module.params[option] for option in AUTH_ARG_SPEC}).client.client
    except (CoreException, ApiException, HTTPError, OSError) as error:
        raise Error(
            "The Kubernetes API cannot be reached: %s. Check KUBECONFIG, or K8S_AUTH_HOST and K8S_AUTH_API_KEY." % error,
            "cluster_unreachable",
        ) from error


@contextlib.contextmanager
def _within(seconds):
    """kubernetes.core asks for /version with no timeout: a cluster that drops every packet would hold it for minutes."""
    def late(_signal, _frame):
        raise Error(
            "The Kubernetes API does not answer within %d s. Check KUBECONFIG, or K8S_AUTH_HOST, and the network." % seconds,
            "cluster_unreachable",
        )

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def explained(action):
    """Turn what the API says into an Error that names the action ("read the nodes")."""
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        raise api_error(action, error) from error
    except HTTPError as error:
        raise Error(
            "Could not %s: the Kubernetes API does not answer (%s)." % (action, error), "cluster_unreachable"
        ) from error


def api_error(action, error):
    code = {401: "cluster_unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict", 422: "refused"}
    return Error(
        "Could not %s: %s" % (action, reason(error)), code.get(error.status, "api_error"), status=error.status
    )


def reason(error):
    """The API server's own sentence out of an ApiException."""
    try:
        return json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        return "%s %s" % (error.status, error.reason)


def found(call, *args, **kwargs):
    """call(...), or None where the object does not exist."""
    from kubernetes.client import ApiException

    try:
        return call(*args, **kwargs)
    except ApiException as error:
        if error.status == 404:
            return None
        raise


def named(api_client, group, kind, namespace, name):
    """The object as plain data, None where it does not exist. group: api/v1, apis/apps/v1, ..."""
    with explained("read %s %s in namespace %s" % (kind, name, namespace)):
        return found(get, api_client, "/%s/namespaces/%s/%s/%s" % (group, namespace, kind, name))


def listed(api_client, group, kind, namespace, **selector):
    with explained("list %s in namespace %s" % (kind, namespace)):
        return get(api_client, "/%s/namespaces/%s/%s" % (group, namespace, kind), **selector)["items"]


def authorization(configuration):
    """The header that says who asks, empty where a client certificate does."""
    token = configuration.auth_settings().get("BearerToken") or {}
    return {"authorization": token["value"]} if token.get("value") else {}


# The official client's own methods do what get() and send() do, but the first of them imports all its models:
# 1 s of CPU time for every module.

def get(api_client, path, **query):
    """What the API server answers to GET path, as plain data."""
    return json.loads(reply(api_client, path, **query).data)


def send(api_client, method, path, body=None, **query):
    """The same for POST, PUT, PATCH (a JSON merge patch) and DELETE."""
    return json.loads(reply(api_client, path, method, body, **query).data)


def reply(api_client, path, method="GET", body=None, **query):
    """The answer with its headers, and for what is no JSON (a log)."""
    from kubernetes.client import ApiException

    configuration = api_client.configuration
    headers = {**api_client.default_headers, "accept": "application/json, */*", **authorization(configuration)}
    if body is not None:
        headers["content-type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
    answer = api_client.rest_client.pool_manager.request(
        method, configuration.host + path + ("?" + urlencode(query) if query else ""), timeout=30, headers=headers,
        body=None if body is None else json.dumps(body),
    )
    if answer.status not in (200, 201, 202):
        raise ApiException(http_resp=_Reply(answer))
    return answer


class _Reply:
    """A reply of urllib3 with the names that ApiException asks for."""

    def __init__(self, reply):
        self.status, self.reason, self.data, self.headers = reply.status, reply.reason, reply.data, reply.headers

    def getheaders(self):
        return self.headers
