# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run of site.yml would change, for one model after the other. The looks are those of the roles."""
from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Archive
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.history import last_results, moment
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import scale, volume
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.helm_chart import Chart
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.sync import leaves
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.workload import Workload
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import health
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.info import address_of, service_of
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.preflight import look
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.release import Release
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.decisions import expected_version, surplus, unchecked
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.names import CHART

Settings = Mapping[str, Mapping[str, Any]]  # the sections of a model's record
Facts = Mapping[str, Any]

CREATE, CHANGE, NONE, WRONG = "create", "change", "none", "wrong"
STEPS = {"model", "volume", "serving", "scaling"}  # tags of what changes something
MOST = 4  # values that are named one by one
LONGEST = 40  # of a value
BECAUSE = {
    "not_deployed": "release was interrupted", "objects_missing": "objects of the release are missing",
    "chart_name": "another chart", "chart_version": "chart version", "chart_templates": "chart's templates",
    "chart_values": "chart's defaults", "chart_schema": "chart's schema",
}


@dataclasses.dataclass
class Row:
    """One model. changes: in words. sick: what is not as it should be and no run would change; empty where all is well.

    due: whether its check is to be asked again, though nothing changes. known: where nothing changes, the facts that the roles
    would hand on, as far as a check needs them.
    """

    model: str
    release: str = ""
    namespace: str = ""
    action: str = NONE
    changes: list[str] = dataclasses.field(default_factory=list)
    sick: str = ""
    due: bool = False
    known: Facts = dataclasses.field(default_factory=dict)


def row(api_client: Any, model: str, settings: Settings, chart: Chart, published: Mapping[str, Any] | None = None) -> Row:
    """published: what model_publish answered in check mode, where it was asked."""
    serving, found = settings["serving"], Row(model)
    found.release, found.namespace = serving["release"], serving["namespace"]
    try:
        _fill(found, api_client, settings, chart, published)
    except Error as error:
        return dataclasses.replace(found, action=WRONG, changes=[error.message])
    if found.changes and found.action == NONE:
        found.action = CHANGE
    return found


def unmanaged(deployments: Iterable[Object], rows: Iterable[Row], others: Collection[tuple[str, str]]) -> list[str]:
    """NAMESPACE/RELEASE of what the chart made for no model of the inventory. others: releases of models that are not planned here."""
    known = {(row.namespace, row.release) for row in rows} | set(others)
    found = set()
    for deployment in deployments:
        labels = deployment["metadata"].get("labels") or {}
        release = deployment["metadata"]["namespace"], labels.get("app.kubernetes.io/instance", "")
        if labels.get("app.kubernetes.io/name") == CHART and release not in known:
            found.add("/".join(release))
    return sorted(found)


def _fill(found: Row, api_client: Any, settings: Settings, chart: Chart, published: Mapping[str, Any] | None) -> None:
    serving = settings["serving"]
    seen = look(api_client, {
        "release": serving["release"], "namespace": serving["namespace"], "model_name": serving["model_name"],
        "values": serving["chart_values"], "gpu_preflight": serving["gpu_preflight"],
        "tls_client_secret": serving["tls_client_secret"],
    }, chart, _nothing)
    if seen["release"] is None:
        found.action = CREATE
    release = Release(api_client, serving["namespace"], serving["release"])
    results = last_results(api_client, serving["namespace"], serving["release"], _nothing)
    status = {
        "stable": (seen["model_config"] or {}).get("stable"), "canary": (seen["model_config"] or {}).get("canary"),
        "address": address_of(service_of(release.service())) if seen["release"] else "",
    }
    volume_result = _volume(api_client, settings["volume"])
    scaling_result = _scale(api_client, settings["scaling"])
    found.changes += _of_the_nas(published, settings["model"]["archive"])
    found.changes += _of_the_volume(volume_result, settings["volume"]["name"])
    found.changes += _of_the_release(seen, seen["chart_values"])
    found.changes += _of_the_policy(seen, serving["pinned"])
    found.changes += _of_the_scale(scaling_result)
    if published is not None:
        found.changes += _of_the_versions(published, status, settings["model"]["keep"])
    found.sick = "; ".join(_sick(release, results))
    if not found.changes:
        found.due = _due(results, expected_version(status, published or {}), settings["check"]["max_age"])
        found.known = {
            "model_published": published or {}, "serving_status": status,
            "volume_result": {"volume": volume_result["volume"]}, "scaling_result": scaling_result,
        }


def _due(results: Sequence[Mapping[str, Any]], expected: int | None, max_age: int) -> bool:
    """Is there no result of that version that passed and is young enough?"""
    last = results[0] if results else None
    if not max_age or last is None or not last["passed"] or last["version"] != expected:
        return True
    at = moment(last)
    return at is None or not 0 <= (datetime.datetime.now(datetime.timezone.utc) - at).total_seconds() < max_age


def _sick(release: Release, results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    deployment = release.deployment()
    if deployment is None:
        return
    yield from health.sick(deployment, results)


def _nothing(sentence: str) -> None:
    """A plan leaves warnings to the run."""


def _of_the_nas(published: Mapping[str, Any] | None, archive: str) -> Iterator[str]:
    if published is None:
        return
    if published.get("failed"):
        raise Error(str(published["msg"]), published["failure"]["code"])
    if published["changed"] or published.get("needs"):
        version = published.get("version")  # unknown until the archive is read
        yield "publish %s" % ("version %s" % version if version else Archive(archive).file)


def _of_the_versions(published: Facts, status: Facts, keep: int) -> Iterator[str]:
    """What the step of the check does on the NAS: a version that never passed has its trial, and what is too much goes."""
    if published["changed"] or published.get("failed"):
        return
    expected = expected_version(status, published)
    if expected in unchecked(published["listed"]):
        yield "version %d never passed its check" % expected
    going = surplus(published, keep, [version for version in (expected, status["canary"]) if version])
    if going:
        yield "delete version %s (model_keep is %d)" % (" and ".join(map(str, going)), keep)


def _volume(api_client: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {**options, "claim_namespace": options["namespace"], "state": "present", "wait_timeout": 0}
    return volume.ensure(api_client, wanted, True, _nothing)


def _of_the_volume(answer: Facts, name: str) -> Iterator[str]:
    if answer["changed"]:
        before, after = answer["diff"]["before"], answer["diff"]["after"]
        changes = _named(before, after) if before else [name]
        yield from ("volume " + change.removeprefix("spec.").removeprefix("metadata.") for change in changes)


def _of_the_release(seen: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    for word in seen["upgrade_because"]:
        if word == "no_release":
            yield "release"
        elif word == "values":
            yield from _named(seen["stored"], values)
        elif word == "edited":
            yield "edited by hand: %s" % ", ".join(dict.fromkeys(_field(place) for place in seen["edited"]))
        else:
            yield BECAUSE[word]


def _of_the_policy(seen: Mapping[str, Any], pinned: bool) -> Iterator[str]:
    if seen["policy"] is not None and pinned != (seen["model_config"] is not None):
        yield "which version is pinned" if pinned else "no version is pinned any more"


def _scale(api_client: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Empty where somebody else owns the number."""
    if options["replicas"] is None:
        return {}
    wanted = {"name": options["deployment"], "namespace": options["namespace"], "replicas": options["replicas"], "wait": False}
    return scale.ensure(Workload(api_client, wanted["namespace"], wanted["name"]), wanted, check_mode=True)


def _of_the_scale(answer: Facts) -> Iterator[str]:
    if answer and answer["before"] is not None and answer["changed"]:
        yield "replicas %s -> %s" % (answer["before"], answer["replicas"])


def _named(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What differs, one by one, or how much."""
    there, wanted = dict(leaves(before)), dict(leaves(after))
    differing = sorted(key for key in there.keys() | wanted.keys() if there.get(key) != wanted.get(key))
    for key in differing[:MOST]:
        yield "%s %s -> %s" % (key, _short(there.get(key)), _short(wanted.get(key)))
    if len(differing) > MOST:
        yield "%d more values" % (len(differing) - MOST)


def _field(place: str) -> str:
    """The last name of a path: args of spec.template.spec.containers.serving.args.0."""
    return next(part for part in reversed(place.split(".")) if not part.isdigit())


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    half = LONGEST // 2
    return text if len(text) <= LONGEST else "%s...%s" % (text[:half], text[-half:])


def chosen(rows: Iterable[Row], limit: str, tags: Iterable[str]) -> tuple[list[str], list[str]]:
    """(the models that go through the roles, those of the others that are asked whether they still pass)

    limit: --limit. tags: --tags. What they name is done, whether or not it differs.
    """
    named, steps = set(re.split("[:,]", limit)), set(tags)
    run: list[str] = []
    ask: list[str] = []
    for row in rows:
        if row.action != NONE or row.model in named or steps & STEPS:
            run.append(row.model)
        elif row.due or "check" in steps:
            ask.append(row.model)
    return run, ask
