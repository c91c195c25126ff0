# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is to be made and what to be removed on a controller, by what is there. Pure."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.awx.objects import MARK, Object

# In the order of removal: what uses another thing goes before it. Schedules and nodes go with their template, sources with their
# inventory. These are looked up in the organization.
KINDS = ("workflow_job_templates", "job_templates", "inventories", "projects", "credentials", "notification_templates", "teams")
# These are looked up by name. Where somebody else has made them, they are used as they are.
SHARED = ("execution_environments", "organizations")

HIDDEN = "$encrypted$"

Found = Mapping[str, Sequence[Mapping[str, Any]]]


def made_here(there: Mapping[str, Any]) -> bool:
    return MARK in (there.get("description") or "")


def to_make(objects: Mapping[str, Any], found: Found) -> dict[str, Any]:
    """objects as they are to be made, with `missing`, the titles of those that are not there, and problems.

    What somebody else has made is never changed: an organization or execution environment is used, anything else is a problem.
    """
    if objects["problems"]:
        return {"problems": list(objects["problems"].values())}
    made: dict[str, Any] = dict(objects)
    missing, problems = [], []
    for kind in (*SHARED, *KINDS):
        there = {entry["name"]: entry for entry in found.get(kind, [])}
        missing += ["%s %s" % (title(kind), entry["name"]) for entry in objects[kind] if entry["name"] not in there]
        foreign = [entry["name"] for entry in objects[kind] if entry["name"] in there and not made_here(there[entry["name"]])]
        if kind in SHARED:
            made[kind] = [entry for entry in objects[kind] if entry["name"] not in foreign]
        else:
            problems += [
                "The %s %s is there already, and playbooks/awx.yml did not make it: rename it, or take another"
                " controller_organization." % (title(kind), name) for name in foreign]
    known = {entry["name"]: entry for entry in found.get("notification_templates", [])}
    made["notification_templates"] = [
        entry for entry in objects["notification_templates"] if not _told_alike(entry, known.get(entry["name"], {}))]
    return {**made, "missing": missing, "problems": problems}


def _told_alike(wanted: Object, there: Mapping[str, Any]) -> bool:
    """Whether a notification is as it should be. The controller adds what was not given and hides secrets, and its module would
    take both for a difference at each run."""
    has = there.get("notification_configuration", {})
    return wanted["description"] == there.get("description") and wanted["notification_type"] == there.get("notification_type") and all(
        has.get(key) in (value, HIDDEN) for key, value in wanted["notification_configuration"].items())


def to_remove(found: Found) -> dict[str, Any]:
    """{kind: objects} that were made here, with `kept`, a sentence where the organization stays."""
    ours = {kind: [_for_removal(entry) for entry in found.get(kind, []) if made_here(entry)] for kind in (*KINDS, *SHARED)}
    others = ["%s %s" % (title(kind), entry["name"]) for kind in KINDS for entry in found.get(kind, []) if not made_here(entry)]
    kept = ""
    if others and ours["organizations"]:
        kept = "The organization %s stays, for it has what was not made here: %s." % (
            ours["organizations"][0]["name"], ", ".join(others))
        ours["organizations"] = []
    return {**ours, "kept": kept}


def _for_removal(entry: Mapping[str, Any]) -> Object:
    return {key: entry[key] for key in ("name", "credential_type") if key in entry}


def title(kind: str) -> str:
    return {"inventories": "inventory"}.get(kind, kind[:-1]).replace("_", " ")
