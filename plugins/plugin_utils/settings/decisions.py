# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run does about a model's versions, by what is on the NAS and what serves. Pure; docs/states.md has the table."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.versions import still_chosen

Facts = Mapping[str, Any]  # what a role handed on: serving_status, model_published, model_versions
Entry = Mapping[str, Any]  # one version, as model_versions lists it

HANGS = "reload_blocked"  # of a server that takes no config, for it is still loading what the one before names
ADDRESS_DIFFERS = "address_differs"  # of a check that every pod passed, and what answers at the address did not
NOT_LOADABLE = "model_not_loadable"  # of pods that start and whose log says so; details: version, final
# Codes of failures that say something of the version that was tried. All others, such as those of a server out of reach, of test
# data that are not there or of a right that is missing, only say that it could not be tried.
TELLING = frozenset({
    # The check came to a verdict.
    "error_rate_exceeded", "agreement_too_low", "worse_than_stable", "too_slow",
    # It takes or gives other things than its tests.
    "signature_mismatch", "signature_missing", "dataset_mismatch", "malformed_reply", "unsupported_type", "malformed_tensor",
    # It does not load, or an older one answers in its place.
    HANGS, "wrong_version",
})
# Statuses of requests that a network, or others who ask as well, may be the cause of.
UNANSWERED = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "RESOURCE_EXHAUSTED"})


def expected_version(status: Facts, published: Facts) -> int | None:
    """The version that should answer: the stable one, where servers are pinned, else the highest that is live.

    status: serving_status. published: model_published. Both may be empty; then it is not known.
    """
    return status.get("stable") or max(published.get("versions") or [], default=None)


def first_stable(
    published: Facts, served: Iterable[int] = (), config_lost: bool = False,
) -> int | None:
    """With policy pinned and no model config yet, the version to begin with; None where none is known.

    It is the highest that passed its check, or else the highest on the NAS, which serves now where servers take that. Where the
    config was lost, what every replica still serves comes first. A version that was taken away on purpose is none.
    """
    if config_lost and served:
        return max(served)
    passed = [entry["version"] for entry in published.get("listed") or [] if entry["state"] == "live" and entry["checked"]]
    if passed:  # what was never tried is nothing to begin with
        return int(max(passed))
    taken_away = published.get("withdrawn") or published.get("pruned")
    candidates = [*(published.get("versions") or []), None if taken_away else published.get("version")]
    return max((int(version) for version in candidates if version), default=None)


def own_name(policy: str | None, stable: int | None, version: int) -> bool:
    """Is it tried under a name of its own, which no client asks for?

    Under the model's name, clients that ask for no version would get the highest that is loaded.
    """
    return policy == "pinned" and stable != version


def trial(status: Facts, published: Facts, version: int) -> dict[str, Any]:
    """How a new version is tried: {own_name, before}. before: the version that serves where this one does not, or None."""
    stable = status.get("stable")
    lower = [number for number in published.get("versions") or [] if number < version]
    return {
        "own_name": own_name(status.get("policy"), stable, version), "before": stable or max(lower, default=None),
    }


def after_failure(
    status: Facts, listed: Facts, version: int | None, failed: Facts, check_mode: bool = False,
) -> dict[str, Any]:
    """What becomes of a version whose trial failed: {goes_back, withdraw, serves, hangs, reason, message, unfinished}.

    status: serving_status. listed: model_versions. version: what was tried, None where that is not known. failed: the result of
    the task that failed. hangs: a server hangs in loading it. The message says first what became of it, then what was measured;
    unfinished is what stands before the reason where going back fails as well.
    """
    reason = str(failed.get("msg") or "no reason is known.")
    before = _before(status, listed, version)
    because = _why_it_stays(status, listed, version, before, failed)
    if because:
        message = because
    elif check_mode:
        message = "Version %s failed. A run without --check goes back to version %s." % (version, before)
    else:
        message = "Version %s failed and was withdrawn, and version %s serves on every replica%s." % (
            version, before, " that has started" if _code(failed) == NOT_LOADABLE else "",
        )
        if before in unchecked(listed["versions"]):
            message += " That one never passed its check either: playbooks/site.yml checks it."
    return {
        "goes_back": not because and not check_mode, "withdraw": [version], "serves": before, "reason": reason,
        "hangs": _code(failed) == HANGS, "message": "%s %s" % (message, reason),
        "unfinished": (
            "Version %s failed, and going back to version %s failed as well: once that is mended, playbooks/rollback.yml does it, or the"
            " next run of playbooks/site.yml. %s Going back:" % (version, before, reason)
        ),
    }


def _code(failed: Facts) -> str | None:
    code: str | None = (failed.get("failure") or {}).get("code")
    return code


def _before(status: Facts, listed: Facts, version: int | None) -> int | None:
    """The version that serves where this one is taken away; None where there is none that could."""
    stable = status.get("stable")
    if stable not in (None, version):
        return stable if _live(listed).get(stable, {}).get("servable") else None  # a server that starts anew would not find it
    # A withdrawal that was begun is finished before the next one.
    lower = {number: entry for number, entry in _live(listed).items() if number < (version or 0) and not entry.get("unfinished")}
    if status.get("policy") != "pinned":  # servers take the highest, whatever it is
        highest = max(lower, default=None)
        return highest if highest and lower[highest]["servable"] else None
    servable = [number for number, entry in lower.items() if entry["servable"]]
    return max([number for number in servable if lower[number]["checked"]] or servable, default=None)


def _why_it_stays(status: Facts, listed: Facts, version: int | None, before: int | None, failed: Facts) -> str:
    """In words; empty where it is to go."""
    if version is None:
        return "The check failed, and it is not known which version should have answered."
    if listed["problem"]:
        return "Version %d failed, and what lies on the NAS is not known, so it was left: %s" % (version, listed["problem"])
    live = _live(listed)
    if version not in live:
        return "Version %d failed. It is not live on the NAS, so there is nothing to take back." % version
    if live[version]["checked"]:
        # A later failure may have many causes. People decide.
        return (
            "Version %d failed. It had passed its check before, so it was left. If it is to go: playbooks/rollback.yml." % version
        )
    had_pods = any(pod.get("ready") or pod.get("restarts") for pod in status.get("pods") or ())
    if _code(failed) == ADDRESS_DIFFERS:
        return (
            "Version %d passed on every replica, but not at check_address, so it was left, without being noted as checked. Mend the"
            " address, or what answers there, and run again." % version
        )
    if not tells_of_version(failed, version, had_pods):
        return (
            "Version %d could not be tried, so it was left, without having passed its check. Run again once that is possible; if"
            " it is to go: playbooks/rollback.yml." % version
        )
    if not live[version]["published"]:
        return (
            "Version %d failed. It was not published by this collection, so it was left. If it is to go: playbooks/rollback.yml."
            % version
        )
    if status.get("policy") != "pinned" and max(live) > version:
        return "Version %d failed, and version %d is live by now, which servers take: nothing was taken back." % (version, max(live))
    if before is None:
        return "Version %d failed, and there is no older version to go back to, so it was left." % version
    return ""


def load_failed(failed: Facts) -> int | None:
    """The version that pods cannot load, and never will; None where that is not what failed."""
    details = (failed.get("failure") or {}).get("details") or {}
    return int(details["version"]) if _code(failed) == NOT_LOADABLE and details.get("final") else None


def tells_of_version(failed: Facts, version: int, had_pods: bool = True) -> bool:
    """Does a failure say something of the version that was tried, or only that it could not be tried?

    had_pods: whether the release had pods before that ran.
    """
    failure = failed.get("failure") or {}
    if failure.get("code") == NOT_LOADABLE:
        return load_failed(failed) == version
    if failure.get("code") == "version_not_available":
        reports = (failure.get("details") or {}).get("replicas")
        if reports is None:  # of model_config, which says so only where a server did
            return True
        # A version can end its server, so no replica that is ready tells as well. One that cannot be asked does not.
        return any(not report["problem"] for report in reports if not _has(report, version)) if reports else had_pods
    # Of several limits that are crossed, one that tells is enough.
    crossed = {limit["key"] for limit in failed.get("thresholds") or () if not limit["passed"]} - {"max_failed_requests"}
    refused = {status for replica in failed.get("replicas") or () for status in replica["errors"]} - UNANSWERED
    return failure.get("code") in TELLING or bool(crossed or refused)


def _has(report: Facts, version: int) -> bool:
    return any(
        entry["version"] == version and entry["state"] == "AVAILABLE"
        for model in report["models"].values() for entry in model["versions"])


def _live(listed: Facts) -> dict[int, Entry]:
    return {entry["version"]: entry for entry in listed["versions"] if entry["state"] == "live"}


def unchecked(entries: Iterable[Entry]) -> list[int]:
    """The live versions that never passed their check. Of those that others put there none is noted."""
    return [entry["version"] for entry in entries if entry["state"] == "live" and entry["published"] and not entry["checked"]]


def promotion(status: Facts, listed: Facts) -> dict[str, Any]:
    """{version, message, problem} of playbooks/promote.yml: what becomes stable, why nothing does, or why that is refused.

    status: serving_status. listed: model_versions.
    """
    version, message, problem = status.get("canary"), "", ""
    candidate = _live(listed).get(version or 0)
    if status.get("policy") != "pinned":
        message = "Nothing to promote: with serving_version_policy latest the servers take the highest version by themselves."
    elif version is None:
        message = "Nothing to promote: version %s is stable, and there is no candidate. playbooks/publish.yml makes one." % (
            status.get("stable"),
        )
    elif listed["problem"]:
        problem = "Whether candidate %d passed its check stands on the NAS, and is not known: %s" % (version, listed["problem"])
    elif candidate is None:
        problem = (
            "Candidate %d is not on the NAS, so no server could load it under the model's name. Publish it again:"
            " playbooks/publish.yml." % version
        )
    elif not candidate["checked"]:
        problem = (
            "Candidate %d never passed its check, so it is not promoted. playbooks/publish.yml -e model_archive=%s checks it."
            % (version, candidate["source"] or "ARCHIVE")
        )
    return {"version": None if message or problem else version, "message": message, "problem": problem}


def pruning_due(published: Facts, passed: Iterable[int], keep: int) -> bool:
    """Is there anything to note or to delete on the NAS after a run?"""
    note = set(passed) & set(unchecked(published.get("listed") or []))
    most = max(len(published.get("versions") or []), len(published.get("aside") or []))
    return bool(note) or 0 < keep < most


def surplus(published: Facts, keep: int, in_use: Iterable[int]) -> list[int]:
    """The versions that pruning would delete, as far as they are listed: of those that are ours and whole all but the `keep` highest."""
    passed = [entry["published"] for entry in published["listed"] if entry["state"] == "live" and entry["checked"]]
    chosen = (entry for entry in published["listed"] if entry.get("chosen"))
    spare = {*in_use, *(entry["version"] for entry in chosen if still_chosen(entry["chosen"], passed))}
    kinds: dict[str, list[int]] = {"live": [], "withdrawn": []}
    for entry in published["listed"]:
        if entry["state"] in kinds and entry["size"] and entry["published"] and not entry["problem"]:
            kinds[entry["state"]].append(entry["version"])
    return [version for versions in kinds.values() for version in (versions[:-keep] if keep else []) if version not in spare]


def spared(status: Facts, published: Facts) -> list[int]:
    """What is not deleted, however old: what replicas use, and all there is while one of them has not said what that is."""
    if status.get("all_asked", True):
        return list(status.get("in_use") or [])
    return sorted({*(published.get("versions") or []), *(published.get("aside") or [])})


def versions_found(listed: Facts) -> dict[str, Any]:
    """{versions, problem} out of the result of model_versions. That the NAS does not answer is a finding, not a failure."""
    if "versions" in listed:
        return {"versions": listed["versions"], "problem": ""}
    if listed.get("skipped"):
        return {"versions": [], "problem": "model_node is not set, or not in the inventory: it has to mount the NAS."}
    return {"versions": [], "problem": str(listed.get("msg") or "The NAS cannot be looked at.")}


def left_out(step: str, run_tags: Iterable[str], skip_tags: Iterable[str]) -> bool:
    """Did --tags or --skip-tags leave a step out?"""
    wanted = {step, "all", "tagged"} & set(run_tags)
    return not wanted or bool({step, "all", "tagged"} & set(skip_tags))
