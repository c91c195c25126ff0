# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Helm's own record of a release: one Secret per revision, its body base64 of gzip of JSON."""
from __future__ import annotations

import base64
import binascii
import email.utils
import gzip
import json
import time
from datetime import datetime, timezone

from ansible_collections.mlops.tf_serving.plugins.module_utils._cluster import explained, reply, send
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

DEPLOYED = "deployed"
SUPERSEDED = "superseded"


def decode(data):
    """The release in a Secret's `release` field, as a dict."""
    try:
        body = base64.b64decode(base64.b64decode(data))
        if body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        return json.loads(body)
    except (binascii.Error, OSError, EOFError, ValueError) as error:
        raise Error("Helm's record of the release cannot be read: %s." % error, "release_unreadable") from error


def encode(body):
    packed = gzip.compress(json.dumps(body, separators=(",", ":")).encode())
    return base64.b64encode(base64.b64encode(packed)).decode()


def latest(secrets):
    """The Secret of the newest revision among a list of Secrets (plain dicts), or None."""
    return max(secrets, key=lambda secret: int(secret["metadata"]["labels"].get("version", 0)), default=None)


def summary(secret):
    """What a person and a play want to know of a revision."""
    if secret is None:
        return None
    body = decode(secret["data"]["release"])
    chart = body.get("chart", {}).get("metadata", {})
    return {
        "name": body.get("name"),
        "revision": body.get("version"),
        "status": body.get("info", {}).get("status"),
        "chart": "%s-%s" % (chart.get("name"), chart.get("version")),
        "updated": body.get("info", {}).get("last_deployed"),
        "values": body.get("config") or {},
    }


def pending(status):
    return (status or "").startswith("pending")


def settled(status):
    """May Helm go on from here by itself and see that there is something to do?"""
    return status in (None, DEPLOYED, SUPERSEDED, "uninstalled")


def superseded(secret):
    """The same Secret with its revision given up, as Helm writes it of a revision that another one replaced."""
    body = decode(secret["data"]["release"])
    body["info"]["status"] = SUPERSEDED
    body["info"]["description"] = "Given up: interrupted or incomplete (was %s)" % (
        secret["metadata"]["labels"].get("status") or "unknown"
    )
    metadata = dict(secret["metadata"], labels=dict(secret["metadata"]["labels"], status=SUPERSEDED))
    return dict(secret, metadata=metadata, data=dict(secret["data"], release=encode(body)))


class Store:
    """The revisions of one release in the cluster."""

    def __init__(self, api, namespace, name):
        self.api, self.namespace, self.name = api, namespace, name

    def read(self):
        """(Secret of the newest revision or None, its age in seconds by the API server's own clock)."""
        with explained("read the Helm release %s (Secrets in namespace %s)" % (self.name, self.namespace)):
            response = reply(
                self.api, "/api/v1/namespaces/%s/secrets" % self.namespace, labelSelector="owner=helm,name=" + self.name
            )
        secret = latest(json.loads(response.data)["items"])
        if secret is None:
            return None, 0
        return secret, _age(secret["metadata"]["creationTimestamp"], response.headers.get("Date"))

    def give_up(self, secret):
        """False if somebody else changed the Secret since it was read."""
        try:
            with explained("give up revision %s" % secret["metadata"]["name"]):
                path = "/api/v1/namespaces/%s/secrets/%s" % (self.namespace, secret["metadata"]["name"])
                send(self.api, "PUT", path, superseded(secret))
        except Error as error:
            if error.code in ("conflict", "not_found"):
                return False
            raise
        return True


def _age(created, server_date):
    """Both times are the API server's, so that a wrong clock on the controller does not matter."""
    start = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    now = email.utils.parsedate_to_datetime(server_date) if server_date else datetime.now(timezone.utc)
    return (now - start).total_seconds()


def unlock(store, again, pending_age, check_mode=False):
    """Make a release that an interrupted run left behind one that Helm goes on from. Returns a dict for exit_json.

    A pending revision younger than pending_age seconds may belong to a run that is still going: it is waited for.
    The revision is not deleted but marked superseded: `helm upgrade --install` takes that for "something to do",
    whatever the values are, while a deleted one could leave its objects behind a record that says otherwise.
    """
    while True:
        secret, age = store.read()
        before = summary(secret)
        status = before and before["status"]
        if settled(status) and not (again and status == DEPLOYED):
            return {"changed": False, "release": before}
        if pending(status) and age < pending_age:
            time.sleep(min(2, max(0.1, pending_age - age)))
            continue
        if check_mode or store.give_up(secret):
            after = dict(before, status=SUPERSEDED)
            return {
                "changed": True,
                "release": after,
                "diff": {"before": "%(name)s revision %(revision)s: %(status)s\n" % before,
                         "after": "%(name)s revision %(revision)s: %(status)s\n" % after},
            }
