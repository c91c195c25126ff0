# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which version serves, and what lies beside it on the NAS and in the cluster, in words. Pure; docs/states.md has the table."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible.module_utils.common.text.formatters import bytes_to_human

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.decisions import unchecked

Facts = Mapping[str, Any]  # serving_status, model_published, model_versions
Entry = Mapping[str, Any]  # one version, as model_versions lists it

COLUMNS = ("VERSION", "ON NAS", "CHECKED", "SERVED BY", "AS", "SIZE", "PUBLISHED", "SHA256", "FROM")
# Two spaces between columns: YAML output folds long lines at single ones.
ROW = "%-8s  %-10s  %-20s  %-9s  %-9s  %-10s  %-20s  %-12s  %s"
MOST = 3  # of many versions
REINSTATE = "playbooks/publish.yml -e model_reinstate=true brings back the one that its archive holds"


def given(status: Facts) -> list[int]:
    """The versions that the replicas give to who asks for none in particular. One, unless something is under way."""
    return sorted({pod["serves"] for pod in status.get("pods") or () if pod["serves"] is not None and not pod["terminating"]})


def beside(status: Facts, listed: Facts, published: Facts | None = None) -> list[str]:
    """A sentence for each thing that a person should know beside which version serves.

    published: model_published, where a run had an archive in its hands.
    """
    if listed["problem"]:
        return ["What lies on the NAS is not known: %s" % listed["problem"]]
    return [*_of_what_serves(status, listed), *_of_the_candidate(status, listed), *_of_the_archive(status, listed, published or {}),
            *_of_the_others(status, listed, published or {})]


def after_run(published: Facts, pruned: Facts) -> dict[str, Any]:
    """What is on the NAS at the end of a run: model_versions, out of model_published, and of model_pruned where that came later."""
    return {"versions": pruned.get("versions") or published.get("listed") or [], "problem": ""}


def _entry(listed: Facts, version: int) -> Entry:
    return next((entry for entry in listed["versions"] if entry["version"] == version), {"state": "gone"})


def _of_what_serves(status: Facts, listed: Facts) -> Iterator[str]:
    serving, stable = given(status), status.get("stable")
    for version in sorted({*serving, *([] if stable is None else [stable])}):
        entry, verb = _entry(listed, version), "serves" if version in serving else "is stable"
        if entry["state"] not in ("live", "ignored"):
            lower = [one["version"] for one in listed["versions"] if one["servable"] and one["version"] < version]
            yield (
                "Version %d %s, and its data has left the base path (%s): a server that starts anew cannot load it."
                " playbooks/publish.yml brings it back%s." % (
                    version, verb, entry["state"],
                    ", playbooks/rollback.yml -e model_rollback_to=%d goes back" % max(lower) if lower else "")
            )
        elif version not in serving:
            continue
        elif entry["state"] == "live" and not entry["published"]:
            yield "Version %d serves, and has no record in which a check could be noted." % version
        elif version in unchecked(listed["versions"]):
            yield (
                "Version %d serves, and never passed its check: playbooks/site.yml checks it, and goes back where it fails."
                % version
            )


def _of_the_candidate(status: Facts, listed: Facts) -> Iterator[str]:
    version = status.get("canary")
    if version is None:
        return
    entry = _entry(listed, version)
    if entry["state"] != "live":
        yield "Version %d is the candidate, and not on the NAS (%s): playbooks/publish.yml makes another one." % (
            version, entry["state"])
    elif entry["checked"]:
        yield (
            "Version %d is the candidate, and passed its check: playbooks/promote.yml makes it stable, playbooks/rollback.yml"
            " drops it." % version
        )
    else:
        yield "Version %d is the candidate, and never passed its check: playbooks/publish.yml checks it." % version


def _of_the_archive(status: Facts, listed: Facts, published: Facts) -> Iterator[str]:
    """Where the inventory's archive holds something else than what serves."""
    version = published.get("version")
    if published.get("message"):
        yield published["message"]
    elif version is None or version in (*given(status), status.get("canary")):
        return
    elif _entry(listed, version)["state"] == "live":
        if status.get("policy") == "pinned":
            way = "playbooks/publish.yml makes it the candidate and checks it."
        elif version > max(given(status), default=0):
            way = "the servers should take it, for they take the highest. playbooks/site.yml checks it."
        else:
            way = "the servers take the highest. To go back to an older one: playbooks/rollback.yml."
        yield "Version %d, which the archive in the inventory holds, lies on the NAS%s, and %s: %s" % (
            version, ", unchecked" if version in unchecked(listed["versions"]) else "", _by_none(status), way)


def _by_none(status: Facts) -> str:
    return "no replica serves it" if status.get("all_asked", True) else "not every pod has said whether it serves it"


def _of_the_others(status: Facts, listed: Facts, published: Facts) -> Iterator[str]:
    named = {*given(status), status.get("canary"), published.get("version")}
    gone: dict[str, list[int]] = {"withdrawn": [], "pruned": []}
    never = unchecked(listed["versions"])
    for entry in listed["versions"]:
        version = entry["version"]
        if version in never and version not in named:
            yield "Version %d lies on the NAS, never passed its check, and %s." % (version, _by_none(status))
        if entry["problem"]:
            yield "Version %d: %s" % (version, entry["problem"])
        if entry["state"] in gone and version not in named:
            gone[entry["state"]].append(version)
    if gone["withdrawn"]:
        yield "Withdrawn: %s. %s." % (_numbers(gone["withdrawn"]), REINSTATE)
    if gone["pruned"]:
        yield "Deleted to make room: %s." % _numbers(gone["pruned"])


def _numbers(versions: Sequence[int]) -> str:
    older = len(versions) - MOST
    newest = ", ".join(str(version) for version in versions[-MOST:])
    return "%s%s" % (newest, " and %d older" % older if older > 0 else "")


def table(status: Facts, listed: Facts, title: str) -> list[str]:
    """The versions, for status: one row each, the newest first, why some were taken away, and what lies beside what serves."""
    if listed["problem"]:
        return [title, "warning     " + listed["problem"]]
    return [title, ROW % COLUMNS, *_rows(status, listed["versions"]), *(
        "remark      " + sentence for sentence in beside(status, listed))]


def _rows(status: Facts, entries: Sequence[Entry]) -> Iterator[str]:
    known = {entry["version"] for entry in entries}
    asked_for = {*given(status), status.get("stable"), status.get("canary")}
    lost: list[Entry] = [{"version": version, "state": "gone"} for version in asked_for - known - {None}]
    for entry in sorted([*entries, *lost], key=lambda entry: -int(entry["version"])):
        yield ROW % _cells(status, entries, entry)
        if entry.get("reason"):
            yield "          %s %s: %s" % (entry["state"], entry["at"], entry["reason"])


def _cells(status: Facts, entries: Sequence[Entry], entry: Entry) -> tuple[object, ...]:
    version, pods, live = entry["version"], status["pods"], entry["state"] == "live"
    names = [name for name in ("stable", "canary") if status.get(name) == version]
    if status["policy"] == "latest" and live and version == max(e["version"] for e in entries if e["state"] == "live"):
        names = ["highest"]
    return (
        version, "unfinished" if entry.get("unfinished") else entry["state"], entry.get("checked") or ("never" if live else "-"),
        "%d of %d%s" % (sum(version in pod["versions"] for pod in pods), len(pods), "" if status["all_asked"] else "?"),
        ", ".join(names) or "-",
        bytes_to_human(entry.get("size") or 0), entry.get("published") or "-",
        (entry.get("checksum") or "-").replace("sha256:", "")[:12], entry.get("source") or "unknown",
    )
