# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Has one object of the Kubernetes API be what it should be: present or absent, check mode, diff and conflicts in one place."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object, explained, found, get, send

ATTEMPTS = 4


@dataclass(frozen=True)
class Item:
    """One object: its name, and the calls for it."""

    api_client: Any
    api_version: str
    kind: str
    name: str
    namespace: str | None = None

    def __str__(self) -> str:
        return "%s %s%s" % (self.kind, self.name, " in namespace %s" % self.namespace if self.namespace else "")

    @property
    def _all(self) -> str:
        group = ("/apis/" if "/" in self.api_version else "/api/") + self.api_version
        return "%s%s/%ss" % (group, "/namespaces/%s" % self.namespace if self.namespace else "", self.kind.lower())

    def path(self, subresource: str = "") -> str:
        return "%s/%s%s" % (self._all, self.name, subresource and "/" + subresource)

    def read(self) -> Object | None:
        with explained("read the %s" % self):
            there: Object | None = found(get, self.api_client, self.path())
            return there

    def create(self, fields: Object, **query: str) -> Object:
        body = {
            "apiVersion": self.api_version, "kind": self.kind, **fields,
            "metadata": {"name": self.name, **fields.get("metadata", {})},
        }
        with explained("create the %s" % self):
            made: Object = send(self.api_client, "POST", self._all, body, **query)
            return made

    def patch(self, fields: Object, subresource: str = "", **query: str) -> Object:
        with explained("change the %s" % self):
            made: Object = send(self.api_client, "PATCH", self.path(subresource), fields, **query)
            return made

    def delete(self, there: Object, **query: str) -> None:
        """Only if it is still what was looked at. The options stand in the body: where there is one, the query does not count."""
        preconditions = {key: there["metadata"][key] for key in ("uid", "resourceVersion")}
        options = {name: [value] for name, value in query.items()}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions, **options}
        with explained("delete the %s" % self):
            send(self.api_client, "DELETE", self.path(), body)


@dataclass(frozen=True)
class Outcome:
    before: Object  # the fields that are ours
    after: Object
    there: Object | None  # all of the object, as it is now; in check mode as the API server says that it would be

    @property
    def changed(self) -> bool:
        return bool(self.before != self.after)

    @property
    def diff(self) -> dict[str, Object]:
        return {"before": self.before, "after": self.after}


def leaving(there: Object | None) -> bool:
    """Is it being deleted?"""
    return there is not None and bool(there["metadata"].get("deletionTimestamp"))


def sync(
    item: Item, decide: Callable[[Object | None], tuple[Object, Object]], check_mode: bool, subresource: str = "",
) -> Outcome:
    """Look, decide, act; again where somebody else changed it in between.

    decide(the object or None) gives the fields that are ours, as they are and as they should be; {} for: not there. A dry run
    asks the API server as well: what it would refuse, it refuses before anything has changed. subresource: where to patch.
    """
    query = {"dryRun": "All"} if check_mode else {}
    for attempt in range(1, ATTEMPTS + 1):
        there = item.read()
        before, after = decide(there)
        if before == after:
            break
        try:
            return Outcome(before, after, _act(item, there, before, after, subresource, query))
        except Error as error:
            gone = error.code == "not_found" and there is not None
            if attempt == ATTEMPTS or not (gone or error.code == "conflict"):
                raise
    return Outcome(before, after, there)


def _act(
    item: Item, there: Object | None, before: Object, after: Object, subresource: str, query: dict[str, str],
) -> Object | None:
    if there is None:
        return item.create(after, **query)
    if not after:
        item.delete(there, **query)
        return None
    if leaving(there):
        # A dry run cannot ask for what is still in the way.
        return None if query else item.create(after)
    fields = merge_patch(before, after)
    if not subresource:  # its version changes with every pod of a Deployment
        fields["metadata"] = {**fields.get("metadata", {}), "resourceVersion": there["metadata"]["resourceVersion"]}
    return item.patch(fields, subresource, **query)


def merge_patch(before: Object, after: Object) -> Object:
    """What leads from one to the other (RFC 7386)."""
    patch: Object = {key: None for key in before if key not in after}
    for key, value in after.items():
        if isinstance(value, dict) and isinstance(before.get(key), dict):
            inner = merge_patch(before[key], value)
            if inner:
                patch[key] = inner
        elif key not in before or before[key] != value:
            patch[key] = value
    return patch


def leaves(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of all that is no mapping, or an empty one."""
    for key, value in fields.items():
        if isinstance(value, Mapping) and value:
            yield from (("%s.%s" % (key, path), inner) for path, inner in leaves(value))
        else:
            yield str(key), value
