# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cluster as it was at one moment: a list call for each kind, and from then on every object is at hand.

The roles' own looks read one object at a time. On a snapshot a thousand of them cost ten requests, so that the plan of a fleet
finds what the roles would find: it is the same code that looks.
"""
from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Set
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.helm_release import latest

PAGE = 500  # objects an answer
PATH = re.compile(r"(?P<collection>/(?:api/v1|apis/[^/]+/[^/]+)(?:/namespaces/[^/]+)?/(?P<kind>[a-z]+))(?:/(?P<name>[^/]+))?")
# Of Secrets Helm's records only. Each revision has all of the chart: of those that others replaced the names will do.
SELECTORS = {"secrets": ("owner=helm,status!=superseded", "owner=helm,status=superseded")}
NAMES = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
LISTED = {
    "secrets", "deployments", "services", "configmaps", "persistentvolumeclaims", "persistentvolumes", "pods", "replicasets",
    "horizontalpodautoscalers",
}
MISSING = {"kind": "Status", "status": "Failure", "reason": "NotFound", "message": "not found", "code": 404}


class Answer:
    """What urllib3 would have given."""

    def __init__(self, status: int, data: Any, headers: Mapping[str, str]):
        self.status, self.headers, self.reason = status, headers, ""
        self.data = json.dumps(data).encode()


class Listed:
    """The objects of a collection."""

    def __init__(self, by_name: dict[str, Object]):
        self.by_name = by_name
        self.by_label: dict[tuple[str, str], list[Object]] = defaultdict(list)
        for item in by_name.values():
            for label in _labels(item):
                self.by_label[label].append(item)

    def having(self, labels: Collection[tuple[str, str]]) -> list[Object]:
        """Looked for among those with the rarest of the labels: a fleet has as many questions as objects."""
        few = min((self.by_label.get(label, []) for label in labels), key=len, default=list(self.by_name.values()))
        return [item for item in few if _labels(item) >= set(labels)]


def _labels(item: Object) -> Set[tuple[str, str]]:
    return (item["metadata"].get("labels") or {}).items()


class Snapshot:
    """Takes the place of an ApiClient's pool of connections. What it has not listed, and what changes something, it hands on."""

    def __init__(self, pool: Any):
        self.pool = pool
        self.lists: dict[str, Listed | None] = {}  # by collection; None where listing is not allowed
        self.answers: dict[str, Any] = {}  # to GETs of anything else
        self.date: dict[str, str] = {}

    def request(self, method: str, url: str, **options: Any) -> Any:
        if method != "GET":
            return self.pool.request(method, url, **options)
        parts = urlsplit(url)
        found = PATH.fullmatch(parts.path)
        if found and found["kind"] in LISTED:
            items = self._listed(url[:url.index(parts.path)], found, options)
            answer = None if items is None else _answer(items, found, dict(parse_qsl(parts.query)))
            if answer is not None:
                return Answer(*answer, self.date)
        if url not in self.answers:
            self.answers[url] = self.pool.request(method, url, **options)
        return self.answers[url]

    def seen(self, kind: str) -> Iterator[Object]:
        """All objects of a kind that were listed until now."""
        for collection, items in self.lists.items():
            if collection.endswith("/" + kind):
                yield from items.by_name.values() if items else ()

    def _listed(self, server: str, found: re.Match[str], options: Any) -> Listed | None:
        collection = found["collection"]
        if collection not in self.lists:
            items = self._list(server + collection, *SELECTORS.get(found["kind"], ("", "")), options)
            self.lists[collection] = None if items is None else Listed(items)
        return self.lists[collection]

    def _list(self, url: str, whole: str, names: str, options: Any) -> dict[str, Object] | None:
        items: dict[str, Object] = {}
        for selector, accept in ((whole, options["headers"]["accept"]), (names, NAMES))[:2 if names else 1]:
            query = {"limit": str(PAGE), **({"labelSelector": selector} if selector else {})}
            while True:
                answer = self.pool.request(
                    "GET", "%s?%s" % (url, urlencode(query)), **{**options, "headers": {**options["headers"], "accept": accept}})
                if answer.status != 200:
                    return None
                data = json.loads(answer.data)
                items.update((item["metadata"]["name"], item) for item in data["items"] or ())
                self.date.setdefault("Date", answer.headers.get("Date") or "")
                query["continue"] = data.get("metadata", {}).get("continue") or ""
                if not query["continue"]:
                    break
        return items


def _answer(items: Listed, found: re.Match[str], query: Mapping[str, str]) -> tuple[int, Object] | None:
    """(status, body), None where the list does not tell."""
    name = found["name"]
    if name is not None:
        return (200, items.by_name[name]) if name in items.by_name else (404, MISSING)
    if set(query) - {"labelSelector"}:
        return None
    wanted = [pair.partition("=") for pair in query.get("labelSelector", "").split(",") if pair]
    if any(not equals or "!" in key for key, equals, _value in wanted):
        return None
    labels = {(key, value.lstrip("=")) for key, _equals, value in wanted}
    there = items.having(labels)
    if found["kind"] in SELECTORS and "data" not in (latest(there) or {"data": None}):
        return None  # the newest is one that was given up
    return 200, {"kind": "List", "items": there}


def remember(api_client: Any) -> Snapshot:
    """From now on the client answers out of a snapshot."""
    snapshot = api_client.rest_client.pool_manager = Snapshot(api_client.rest_client.pool_manager)
    return snapshot
