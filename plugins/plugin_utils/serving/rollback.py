# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which versions a rollback takes away, and which one serves afterwards. Pure: what playbooks/rollback.yml goes by.

Without a number it undoes the newest version, and only that: where the newest is withdrawn already, there is nothing to
do. A second run, or a job that a controller repeats, therefore never goes back further than the first.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import version_number

WAY_FURTHER = "To go further back, name the version: -e model_rollback_to=%d."


def rollback_plan(
    versions: Sequence[Mapping[str, Any]], to: object = None, stable: int | None = None, deployed: bool = True,
) -> dict[str, Any]:
    """{withdraw: [versions], serves: version, message: why nothing is to be done, else ''}.

    versions: those of module model_versions. to: the version to go back to, None or '' for the one before the newest.
    stable: the version that pinned servers serve, None where they take the highest. deployed: whether there are servers at all.
    """
    if not deployed:
        # Not done on the NAS alone: the servers may be elsewhere, in another cluster for one, and pinned to what would go.
        raise Error(
            "This model is not deployed here: nothing serves, so there is nothing to go back from. Nothing was changed. Deploy it"
            " first, with playbooks/site.yml, or say where it runs: the cluster, serving_namespace, serving_release.",
            "not_deployed",
        )
    live = sorted(entry["version"] for entry in versions if entry["state"] == "live")
    gone = sorted(entry["version"] for entry in versions if entry["state"] == "withdrawn")
    if not live:
        raise Error(
            "There is no live version of this model on the NAS, so there is none to go back to. Publish one:"
            " playbooks/publish.yml.", "no_live_version",
        )
    broken = {entry["version"] for entry in versions if entry["state"] == "live" and not entry.get("servable", True)}
    if to is None or str(to).strip() == "":
        return _can_serve(_undo_newest(live, gone, stable), broken)
    target: int = version_number(to, "model_rollback_to")
    if target not in live:
        raise Error(
            "model_rollback_to is %d, and the live versions are %s%s." % (
                target, _numbers(live),
                ". Version %d was withdrawn: bring it back with playbooks/publish.yml -e model_reinstate=true" % target
                if target in gone else "",
            ), "version_not_live", version=target, live=live,
        )
    if stable is not None and stable < target:
        raise Error(
            "model_rollback_to is %d, and the stable version is %d: that would be no way back. Use playbooks/promote.yml."
            % (target, stable), "not_backwards", version=target, stable=stable,
        )
    withdraw = [version for version in live if version > target]
    # Pinned servers may serve what is no longer live: then the label moves, and nothing is withdrawn.
    message = "" if withdraw or stable not in (None, target) else (
        "Version %d is the newest live one: nothing to withdraw." % target)
    return _can_serve({"withdraw": withdraw, "serves": target, "message": message}, broken)


def _can_serve(plan: dict[str, Any], broken: set[int]) -> dict[str, Any]:
    """A server that starts anew would not become ready with what it cannot load."""
    if not plan["message"] and plan["serves"] in broken:
        raise Error(
            "Version %d cannot be served (playbooks/status.yml says why), so nothing was changed. Name another one:"
            " -e model_rollback_to=NUMBER." % plan["serves"], "version_not_servable", version=plan["serves"],
        )
    return plan


def _undo_newest(live: list[int], gone: list[int], stable: int | None) -> dict[str, Any]:
    newest = live[-1]
    serves = newest if stable is None else stable
    why = "the highest live one" if stable is None else "stable"
    if gone and gone[-1] > newest:
        further = [version for version in live if version < serves]
        return {
            "withdraw": [], "serves": serves,
            "message": "Version %d, the newest, is withdrawn already, and version %d is %s. %s" % (
                gone[-1], serves, why, WAY_FURTHER % further[-1] if further else "There is no older version to go back to.",
            ),
        }
    if len(live) == 1:
        raise Error(
            "Version %d is the only live version: without it nothing would serve. Publish another one first:"
            " playbooks/publish.yml." % newest, "only_version", version=newest,
        )
    return {"withdraw": [newest], "serves": live[-2] if serves == newest else serves, "message": ""}


def _numbers(versions: Sequence[int]) -> str:
    return ", ".join(str(version) for version in versions)
