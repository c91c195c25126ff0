# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Helm's own record of a release: one Secret per revision, its body base64 of gzip of JSON."""
from __future__ import annotations

import base64
import binascii
import email.utils
import gzip
import json
import re
import time
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import yaml

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object, explained, reply, send
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.waiting import waits_for

DEPLOYED = "deployed"
SUPERSEDED = "superseded"
POLL = 2  # seconds
LEAST = 0.1


def decode(data: str) -> Object:
    """The release in a Secret's `release` field."""
    try:
        body = base64.b64decode(base64.b64decode(data))
        if body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        release: Object = json.loads(body)
        return release
    except (binascii.Error, OSError, EOFError, ValueError) as error:
        raise Error("Helm's record of the release cannot be read: %s." % error, "release_unreadable") from error


def encode(body: Object) -> str:
    packed = gzip.compress(json.dumps(body, separators=(",", ":")).encode())
    return base64.b64encode(base64.b64encode(packed)).decode()


def latest(secrets: Iterable[Object]) -> Object | None:
    """The Secret of the newest revision, None of none."""
    return max(secrets, key=lambda secret: int(secret["metadata"]["labels"].get("version", 0)), default=None)


def summary(secret: Object | None) -> Object | None:
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
        "updated": _utc(body.get("info", {}).get("last_deployed") or ""),
        "values": body.get("config") or {},
    }


def _utc(moment: str) -> str:
    """Helm writes nanoseconds, and the zone of whoever ran it."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", moment)
    if match is None:
        return moment
    there = datetime.fromisoformat(match[1] + match[2].replace("Z", "+00:00"))
    return there.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def chart(secret: Object) -> Object:
    """The chart that a revision was made of."""
    found: Object = decode(secret["data"]["release"]).get("chart") or {}
    return found


def manifest(secret: Object) -> str:
    """The objects that a revision consists of, as YAML documents."""
    return str(decode(secret["data"]["release"]).get("manifest") or "")


def objects(secret: Object) -> list[str]:
    """Kind and name of each object that a revision consists of: what an uninstall deletes."""
    return ["%s %s" % (each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(manifest(secret)) if each]


def under_way(status: str | None) -> bool:
    """Does a Helm work on it, or did one that was killed?"""
    return status is not None and (status.startswith("pending") or status == "uninstalling")


def settled(status: str | None) -> bool:
    """May Helm go on from here by itself and see that there is something to do?"""
    return status in (None, DEPLOYED, SUPERSEDED, "uninstalled")


def superseded(secret: Object) -> Object:
    """The same Secret with its revision given up, as Helm writes it of a revision that another one replaced."""
    body = decode(secret["data"]["release"])
    body["info"]["status"] = SUPERSEDED
    body["info"]["description"] = "Given up: interrupted or incomplete (was %s)" % (
        secret["metadata"]["labels"].get("status") or "unknown"
    )
    metadata = {**secret["metadata"], "labels": {**secret["metadata"]["labels"], "status": SUPERSEDED}}
    return {**secret, "metadata": metadata, "data": {**secret["data"], "release": encode(body)}}


class Store:
    """The revisions of one release in the cluster."""

    def __init__(self, api_client: Any, namespace: str, name: str) -> None:
        self.api_client, self.namespace, self.name = api_client, namespace, name

    def read(self) -> tuple[Object | None, float]:
        """(Secret of the newest revision or None, seconds since it was last written, by the API server's own clock)."""
        with explained("read the Helm release %s (Secrets in namespace %s)" % (self.name, self.namespace)):
            answer = reply(
                self.api_client, "/api/v1/namespaces/%s/secrets" % self.namespace,
                labelSelector="owner=helm,name=" + self.name,
            )
        secret = latest(json.loads(answer.data)["items"])
        return secret, 0 if secret is None else _age(secret["metadata"], answer.headers.get("Date"))

    def give_up(self, secret: Object) -> bool:
        """False if somebody else changed the Secret since it was read."""
        name = secret["metadata"]["name"]
        try:
            with explained("give up revision %s" % name):
                send(
                    self.api_client, "PUT", "/api/v1/namespaces/%s/secrets/%s" % (self.namespace, name), superseded(secret)
                )
        except Error as error:
            if error.code in ("conflict", "not_found"):
                return False
            raise
        return True


def _age(metadata: Object, server_date: str | None) -> float:
    """All times are the API server's, so that a wrong clock on the controller does not matter.

    An uninstall does not make a new Secret, it writes the old one: managedFields say when.
    """
    written = [entry["time"] for entry in metadata.get("managedFields") or () if entry.get("time")]
    last = datetime.strptime(max([metadata["creationTimestamp"], *written]), "%Y-%m-%dT%H:%M:%SZ")
    now = email.utils.parsedate_to_datetime(server_date) if server_date else datetime.now(timezone.utc)
    return (now - last.replace(tzinfo=timezone.utc)).total_seconds()


def unlock(store: Store, again: bool, pending_age: float, check_mode: bool) -> dict[str, Any]:
    """Make a release that an interrupted run left behind one that Helm goes on from.

    A revision that Helm works on and that was written in the last pending_age seconds may belong to a run that is still
    going: it is waited for. The revision is not deleted but marked superseded: `helm upgrade --install` takes that for
    "something to do", whatever the values are, while a deleted one could leave its objects behind a record that says otherwise.
    """
    while True:
        secret, age = store.read()
        before = summary(secret)
        if secret is None or before is None:
            return {"changed": False, "release": None}
        before["objects"] = objects(secret)
        before.pop("values")
        status = before["status"]
        if settled(status) and not (again and status == DEPLOYED):
            return {"changed": False, "release": before}
        if under_way(status) and age < pending_age:
            waits_for("another Helm that works on release %s, %s" % (before["name"], status))
            time.sleep(min(POLL, max(LEAST, pending_age - age)))
            continue
        if check_mode or store.give_up(secret):
            after = {**before, "status": SUPERSEDED}
            text = "%(name)s revision %(revision)s: %(status)s\n"
            return {"changed": True, "release": after, "diff": {"before": text % before, "after": text % after}}
