# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run does about a model's versions, by what is on the NAS and what serves. Pure; each a table in its test."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def expected_version(status: Mapping[str, Any], published: Mapping[str, Any]) -> int | None:
    """The version that should answer: the stable one, where servers are pinned, else the highest that is live.

    status: serving_status. published: model_published. Both may be empty; then it is not known.
    """
    return status.get("stable") or max(published.get("versions") or [], default=None)


def first_stable(
    published: Mapping[str, Any], served: Iterable[int] = (), config_lost: bool = False,
) -> int | None:
    """With policy pinned and no model config yet, the version to begin with; None where none is known.

    It is the highest on the NAS, which serves now where servers take that. Where the config was lost, what every replica
    still serves comes first. A version that was taken away on purpose is none.
    """
    if config_lost and served:
        return max(served)
    taken_away = published.get("withdrawn") or published.get("pruned")
    candidates = [*(published.get("versions") or []), None if taken_away else published.get("version")]
    return max((int(version) for version in candidates if version), default=None)


def own_name(policy: str | None, stable: int | None, version: int) -> bool:
    """Is it tried under a name of its own, which no client asks for?

    Under the model's name, clients that ask for no version would get the highest that is loaded.
    """
    return policy == "pinned" and stable != version


def trial(status: Mapping[str, Any], published: Mapping[str, Any], version: int) -> dict[str, Any]:
    """How a new version is tried: {own_name, before, goes_back, left_because}.

    before: the version that serves where this one does not, or None. goes_back: whether it is withdrawn when it fails.
    left_because: the sentence for where it is not.
    """
    stable = status.get("stable")
    lower = [number for number in published.get("versions") or [] if number < version]
    before = stable or max(lower, default=None)
    because = ""
    # What once passed its check is not taken away by a later one that fails: that may be the network's fault.
    if published.get("checked"):
        because = "It had passed its check before, so it was left. If it is to go: playbooks/rollback.yml."
    elif before in (None, version):
        because = "There is no older version to go back to, so it was left."
    return {
        "own_name": own_name(status.get("policy"), stable, version), "before": before, "goes_back": not because,
        "left_because": because,
    }


def pruning_due(published: Mapping[str, Any], passed: Iterable[int], keep: int) -> bool:
    """Is there anything to note or to delete on the NAS after a run?"""
    note = bool(list(passed)) and not published.get("checked")
    most = max(len(published.get("versions") or []), len(published.get("aside") or []))
    return note or 0 < keep < most


def versions_found(listed: Mapping[str, Any]) -> dict[str, Any]:
    """{versions, problem} out of the result of model_versions. That the NAS does not answer is a finding, not a failure."""
    if "versions" in listed:
        return {"versions": listed["versions"], "problem": ""}
    if listed.get("skipped"):
        return {"versions": [], "problem": "model_node is not set, or not in the inventory: it has to mount the NAS."}
    return {"versions": [], "problem": str(listed.get("msg") or "The NAS cannot be looked at.")}
