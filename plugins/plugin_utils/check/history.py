# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The last results of the inference check, small, in the ConfigMap RELEASE-check: a controller keeps nothing on its disk.

It is a help, never a reason to fail: where it cannot be read or written, a warning says so.
"""
from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.comparison import Measured, Result, result_of, unpack
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import explained, named, send
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.names import CHART, object_names

KEY = "results.json"
AT = "%Y-%m-%dT%H:%M:%SZ"  # the form of a result's moment, UTC
MOST = 5  # versions of the model, each with its last result and perhaps one of more tests
MOST_BYTES = 100000
# A check that failed for anything else says nothing of the model, and takes no result's place.
TELLING = (None, "error_rate_exceeded", "agreement_too_low", "too_slow", "rate_too_low", "worse_than_stable")
# What every result has, by type.
NUMBER, NONE = (int, float), (type(None),)
FIELDS: dict[str, tuple[type, ...]] = {
    "version": (int, *NONE), "at": (str,), "passed": (bool,), "message": (str,), "error_rate": (*NUMBER, *NONE),
    "interval": (list, *NONE), "agreement": (*NUMBER, *NONE), "of": (str,), "wrong": (int,), "answered": (int,), "tests": (int,),
    "dataset": (str,), "signature": (str,), "golden": (dict, *NONE), "latency_ms": (dict, *NONE), "rate": (*NUMBER, *NONE),
    "bits": (str, *NONE),
}


def read(api_client: Any, namespace: str, release: str, warn: Callable[[str], None]) -> History:
    """The History of a release. warn() takes a sentence."""
    return History(api_client, namespace, release, warn)


class History:
    """results: newest first. readable: whether it could be read, for then only may it be written."""

    def __init__(self, api_client: Any, namespace: str, release: str, warn: Callable[[str], None]) -> None:
        self.api_client, self.namespace, self.release, self.warn = api_client, namespace, release, warn
        self.name = object_names(release)["check"]
        self.readable = True
        self.version: str | None = None  # of the ConfigMap, where there is one
        self.results: list[Result] = []
        try:
            found = named(api_client, "api/v1", "configmaps", namespace, self.name)
        except Error as error:
            self.readable = False
            self.warn("The last result of the check is not known. %s" % error.message)
            return
        if found is not None:
            self.version = found["metadata"]["resourceVersion"]
            self._take((found.get("data") or {}).get(KEY))

    def _take(self, text: Any) -> None:
        try:
            self.results = parsed(text)
        except ValueError as error:
            self.warn(
                "The ConfigMap %s in namespace %s is not what this collection writes (%s): the check begins a new one."
                % (self.name, self.namespace, error)
            )

    def before(self, measured: Measured) -> Result | None:
        """What to compare with: the last result of the same version, else the last one that was good, else the last one."""
        versions = {server["version"] for server in measured["servers"] if server["counts"]}
        same = [result for result in self.results if result["version"] in versions]
        good = [result for result in self.results if result["passed"]]
        return _alike(same or good or self.results, measured)

    def of(self, version: int | None, measured: Measured) -> Result | None:
        """The result of that version of the model to compare with, None where none is kept."""
        if version is None:  # as the version is of servers that do not say it
            return None
        return _alike([result for result in self.results if result["version"] == version], measured)

    def add(self, measured: Measured, findings: dict[str, Any]) -> None:
        """Keep what was found, if it says something of the model."""
        if findings["code"] not in TELLING or not self.readable:
            return
        server = next(server for server in measured["servers"] if server["title"] == findings["worst"])
        result = result_of(measured, server, findings["message"], findings["passed"])
        # A shorter check, such as one that a schedule runs often, is the last result and no base for the next full one.
        fuller = sorted((other for other in self.results if _covers(other, result)), key=lambda other: -int(other["tests"]))[:1]
        others = [other for other in self.results if other["version"] != result["version"]]
        while len({other["version"] for other in others}) >= MOST:  # what passed stays longer: candidates are compared with it
            gone = next((other for other in reversed(others) if not other["passed"]), others[-1])
            others = [other for other in others if other["version"] != gone["version"]]
        self.results = [result, *fuller, *others]
        try:
            self._write(to_text(self.results))
        except Error as error:
            self.warn("The result of the check is not kept. %s" % error.message)

    def _write(self, text: str) -> None:
        """Refused if somebody else wrote it since it was read."""
        path = "/api/v1/namespaces/%s/configmaps" % self.namespace
        metadata: dict[str, Any] = {"name": self.name}
        body = {"metadata": metadata, "data": {KEY: text}}
        with explained("write the ConfigMap %s in namespace %s" % (self.name, self.namespace)):
            if self.version is None:
                metadata["labels"] = {"app.kubernetes.io/name": CHART, "app.kubernetes.io/instance": self.release}
                send(self.api_client, "POST", path, body)
            else:
                metadata["resourceVersion"] = self.version
                send(self.api_client, "PATCH", "%s/%s" % (path, self.name), body)


def _alike(results: list[Result], measured: Measured) -> Result | None:
    """The newest that was asked the same tests, else the newest."""
    asked = (measured["dataset"]["digest"], measured["tests"])
    return next((result for result in results if (result["dataset"], result["tests"]) == asked), next(iter(results), None))


def _covers(other: Result, result: Result) -> bool:
    """Whether it has been asked the same tests, and more of them."""
    return all(other[key] == result[key] for key in ("version", "dataset", "signature", "of")) and other["tests"] > result["tests"]


def last_results(api_client: Any, namespace: str, release: str, warn: Callable[[str], None]) -> list[dict[str, Any]]:
    """[{version, at, passed, message, error_rate, agreement}], the last one of each version, newest first: for the status."""
    shown = ("version", "at", "passed", "message", "error_rate", "agreement")
    last: dict[int | None, dict[str, Any]] = {}
    for result in History(api_client, namespace, release, warn).results:
        last.setdefault(result["version"], {key: result[key] for key in shown})
    return list(last.values())


def moment(result: Mapping[str, Any]) -> datetime.datetime | None:
    """When a result came; None where it does not say so as results of ours do."""
    try:
        return datetime.datetime.strptime(result["at"], AT).replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return None


def to_text(results: list[Result]) -> str:
    """The oldest go first where they are too many."""
    results = list(results)
    while True:
        text = json.dumps(results, indent=1, sort_keys=True)
        if len(text) <= MOST_BYTES:
            return text
        results.pop()


def parsed(text: Any) -> list[Result]:
    """The results in a text; ValueError for anything that was not written here."""
    if not isinstance(text, str) or len(text) > MOST_BYTES:
        raise ValueError("it has no %s of at most %d bytes" % (KEY, MOST_BYTES))
    try:
        results = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("%s is no JSON" % KEY) from error
    if not isinstance(results, list):
        raise ValueError("%s is no list" % KEY)
    for result in results:
        _look_at(result)
    return results


def _look_at(result: Any) -> None:
    if not isinstance(result, dict) or set(result) != set(FIELDS):
        raise ValueError("a result lacks fields, or has others")
    for key, kind in FIELDS.items():
        if not isinstance(result[key], kind):
            raise ValueError("the %s of a result is %r" % (key, result[key]))
    if result["interval"] is not None and [type(bound) for bound in result["interval"]] != [float, float]:
        raise ValueError("the interval of a result is %r" % result["interval"])
    if not 0 <= result["wrong"] <= result["answered"] <= result["tests"]:
        raise ValueError("the counts of a result do not add up")
    if result["bits"] is not None:
        unpack(result["bits"], result["tests"])
