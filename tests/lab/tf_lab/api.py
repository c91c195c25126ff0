"""The lab's own calls to its API server: standard library, the administrator's certificate."""
from __future__ import annotations

import http.client
import json
import ssl

from .settings import CLUSTER_IP, STATE

PKI = STATE / "pki"
PORT = 6443
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class ApiError(OSError):
    def __init__(self, status, body):
        super().__init__("HTTP %d: %s" % (status, body.decode(errors="replace")[:300]))
        self.status = status


def connect(timeout=10):
    context = ssl.create_default_context(cafile=PKI / "ca.crt")
    context.load_cert_chain(PKI / "admin.crt", PKI / "admin.key")
    return http.client.HTTPSConnection(CLUSTER_IP, PORT, context=context, timeout=timeout)


def call(method, path, body=None, content_type="application/json", timeout=10):
    """One request; the decoded answer; ApiError (an OSError, as every failure to connect) otherwise."""
    connection = connect(timeout)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": content_type, "Accept": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status >= 300:
            raise ApiError(answer.status, data)
        return json.loads(data) if data[:1] in (b"{", b"[") else data.decode()
    except http.client.HTTPException as e:
        raise OSError("%s: %s" % (type(e).__name__, e)) from e
    finally:
        connection.close()


def apply(path, body):
    """Make the object at path what body says (server-side apply)."""
    return call("PATCH", path + "?fieldManager=lab&force=true", body, APPLY)
