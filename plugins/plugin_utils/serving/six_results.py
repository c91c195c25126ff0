# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What playbooks/site.yml prints at its end: the results of the tutorial's six steps, and what lies beside what serves. Pure."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.version_states import after_run, beside, given
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.decisions import left_out

Facts = Mapping[str, Any]


def six_results(found: Facts, run_tags: Iterable[str] = ("all",), skip_tags: Iterable[str] = ()) -> list[str]:
    """found: the facts that the roles have handed on by their names, empty where one has not, and the settings of model and volume.

    The looks hand on the same facts as the steps do: whether a step was taken say the tags.
    """
    status, published = found["serving_status"], found["model_published"]
    listed = after_run(published, found["model_pruned"])

    def taken(step: str) -> bool:
        return not left_out(step, run_tags, skip_tags)

    volume = found["volume_result"].get("volume") if taken("volume") else None
    check = found["check_result"].get("message") or _last(status) if taken("check") else None
    replicas = found["scaling_result"].get("replicas") if taken("scaling") else None
    return [
        "1 model    " + _model(status, published, found["model"]),
        "2 volume   " + ("%s %s %s, bound to %s" % (
            volume["name"], volume["size"], found["volume"]["driver"], volume["claim"]) if volume else "left out"),
        "3 release  " + _release(status),
        "4 address  " + status["reached_at"],
        "5 check    " + (check or "not checked"),
        "6 replicas %s" % _replicas(status, replicas),
        *("  beside   " + sentence for sentence in beside(status, listed, published)),
    ]


def _last(status: Facts) -> str:
    """Where it was not asked again, for check_max_age says so."""
    results = status.get("checks")
    return "%s (%s)" % (results[0]["message"], results[0]["at"]) if results else ""


def _model(status: Facts, published: Facts, model: Facts) -> str:
    """What serves, by what the replicas say."""
    versions = given(status)
    if not versions:
        if not status["all_asked"]:
            return "not known, no pod has said what it serves"
        return "no replica serves a version of %s" % status["model_name"]
    paths = [_path(version, published, model) for version in versions]
    return "%s on %s%s%s" % (
        " and ".join(paths), model["nas_server"], ", not the same on every replica" if len(paths) > 1 else "",
        _origin(versions[-1], published))


def _path(version: int, published: Facts, model: Facts) -> str:
    if version == published.get("version") and not published.get("message"):  # else it names where the data are kept aside
        return str(published["path"])
    return "%s/%d" % (model["base_path"].rstrip("/"), version)


def _origin(version: int, published: Facts) -> str:
    """Whether the archive is known by its checksum; of another archive than the inventory's, where it came from."""
    if version == published.get("version"):
        return "" if published["verified"] else " (unverified: no model_checksum)"
    source = next((entry["source"] for entry in published.get("listed") or () if entry["version"] == version), None)
    return " (from %s)" % source if source else " (not published by this collection)"


def _release(status: Facts) -> str:
    if not status["release"] or not status["deployment"]:
        return "none"
    return "%s revision %s %s, %s" % (
        status["release"]["name"], status["release"]["revision"], status["release"]["status"], status["deployment"]["image"])


def _replicas(status: Facts, replicas: int | None) -> object:
    if replicas is not None:
        return replicas
    return status["deployment"]["desired"] if status["deployment"] else "none"
