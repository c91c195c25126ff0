"""Every row of the tables by which a run decides about versions."""
from __future__ import annotations

import pytest
from listed_versions import YES, entry, listed

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings import decisions


@pytest.mark.parametrize(("status", "published", "version"), [
    ({}, {}, None),
    ({}, {"version": 1, "versions": [1, 2]}, 2),  # an older archive in the inventory
    ({"stable": None}, {"version": 1, "versions": [1]}, 1),
    ({"stable": 1}, {"version": 2, "versions": [1, 2]}, 1),
    ({}, {"version": 2, "versions": []}, None),
    ({}, {"versions": None}, None),
    ({"stable": 3}, {}, 3),
])
def test_the_version_that_should_answer(status, published, version):
    assert decisions.expected_version(status, published) == version


LISTED = [
    {"version": version, "state": state, "checked": checked}
    for version, state, checked in ((1, "live", YES), (2, "withdrawn", YES), (3, "live", None), (4, "live", None))
]


@pytest.mark.parametrize(("published", "served", "lost", "version"), [
    ({}, [], False, None),
    ({"version": 1, "versions": []}, [], False, 1),  # check mode: not there yet
    ({"version": 1, "versions": [1, 3]}, [], False, 3),
    ({"version": 4, "versions": [1, 3], "withdrawn": {"at": "now"}}, [], False, 3),
    ({"version": 4, "versions": [1, 3], "pruned": {"at": "now"}}, [], False, 3),
    ({"version": 4, "versions": [1, 3], "withdrawn": None, "pruned": None}, [], False, 4),
    ({"version": 4, "versions": [1, 3]}, [1, 2], True, 2),  # what every replica still serves
    ({"version": 4, "versions": [1, 3]}, [], True, 4),
    ({"version": 4, "versions": [1, 3]}, [9], False, 4),
    ({"version": 4, "versions": None, "withdrawn": True}, [], False, None),
    # what passed its check comes before what was never tried
    ({"version": 4, "versions": [1, 3, 4], "listed": LISTED}, [], False, 1),
    ({"version": 4, "versions": [1, 3, 4], "listed": LISTED}, [4], True, 4),
])
def test_the_first_stable_version(published, served, lost, version):
    assert decisions.first_stable(published, served, lost) == version


@pytest.mark.parametrize(("policy", "stable", "version", "own"), [
    ("pinned", 1, 2, True), ("pinned", 2, 2, False), ("pinned", None, 2, True), ("latest", None, 2, False), (None, None, 2, False),
])
def test_a_name_of_its_own(policy, stable, version, own):
    assert decisions.own_name(policy, stable, version) is own
    assert decisions.trial({"policy": policy, "stable": stable}, {}, version)["own_name"] is own


@pytest.mark.parametrize(("status", "versions", "version", "before"), [
    ({"policy": "latest"}, [1, 2], 2, 1),
    ({"policy": "latest"}, [1, 2, 4], 4, 2),
    ({"policy": "latest"}, [2, 4], 2, None),
    ({"policy": "latest"}, None, 2, None),
    ({"policy": "pinned", "stable": 1}, [1, 2], 2, 1),
    ({"policy": "pinned", "stable": 3}, [1, 2, 3], 2, 3),
    ({"policy": "pinned", "stable": 2}, [1, 2], 2, 2),
])
def test_what_serves_while_a_version_is_tried(status, versions, version, before):
    assert decisions.trial(status, {"versions": versions}, version)["before"] == before


LATEST, PINNED = {"policy": "latest", "pods": [{"ready": True}]}, {"policy": "pinned", "stable": 1, "pods": [{"ready": True}]}
WRONG = {"msg": "89.3% is over 15%.", "failure": {"code": "error_rate_exceeded"}}
ALONE = "there is no older version to go back to"


@pytest.mark.parametrize(("status", "entries", "version", "serves", "words"), [
    # What never passed goes back to the version that servers take then.
    (LATEST, [entry(1, YES), entry(2, None)], 2, 1,
     "Version 2 failed and was withdrawn, and version 1 serves on every replica. 89.3%"),
    (LATEST, [entry(1, YES), entry(2, None), entry(4, None)], 4, 2, "That one never passed its check either"),
    (LATEST, [entry(1, None, published=None), entry(2, None)], 2, 1, "version 1 serves on every replica. 89.3%"),
    # What once passed stays, and what others put there.
    (LATEST, [entry(1, YES), entry(2, YES)], 2, None, "had passed its check before"),
    (LATEST, [entry(2, YES)], 2, None, "had passed its check before"),
    (LATEST, [entry(1, YES), entry(2, None, published=None)], 2, None, "not published by this collection"),
    # Nothing to go back to is said first.
    (LATEST, [entry(2, None)], 2, None, "Version 2 failed, and %s, so it was left. 89.3%%" % ALONE),
    (LATEST, [entry(1, YES, "withdrawn"), entry(2, None)], 2, None, ALONE),
    (LATEST, [entry(1, None, servable=False), entry(2, None)], 2, None, ALONE),
    (LATEST, [entry(1, YES), entry(2, servable=False), entry(3, None)], 3, None, ALONE),  # servers would take 2
    (LATEST, [entry(1, YES), entry(2, YES, unfinished=True), entry(3, None)], 3, 1, "version 1 serves on every replica. 89.3%"),
    (LATEST, [entry(2, YES, unfinished=True), entry(3, None)], 3, None, ALONE),
    # Somebody else was quicker.
    (LATEST, [entry(1, YES), entry(2, None), entry(3, None)], 2, None, "version 3 is live by now"),
    (LATEST, [entry(1, YES), entry(2, None, "withdrawn")], 2, None, "not live on the NAS"),
    (LATEST, [entry(1, YES)], None, None, "not known which version"),
    # A candidate goes, and the stable version serves on.
    (PINNED, [entry(1, YES), entry(2, None)], 2, 1, "version 1 serves on every replica"),
    (PINNED, [entry(1, None), entry(2, None)], 2, 1, "That one never passed its check either"),
    (PINNED, [entry(1, YES), entry(2, YES)], 2, None, "had passed its check before"),
    ({**PINNED, "stable": 3}, [entry(2, None), entry(3, YES)], 2, 3, "version 3 serves on every replica"),
    # A stable version that never passed goes back to what did, for servers take what they are told.
    ({**PINNED, "stable": 3}, [entry(1, YES), entry(2, None), entry(3, None), entry(4, None)], 3, 1,
     "version 1 serves on every replica"),
    ({**PINNED, "stable": 3}, [entry(1, None, servable=False), entry(2, None), entry(3, None)], 3, 2,
     "never passed its check either"),
    ({**PINNED, "stable": 1}, [entry(1, None), entry(2, YES)], 1, None, ALONE),
    # The stable one serves out of the memory of servers, and none that starts anew would find it.
    (PINNED, [entry(2, None)], 2, None, ALONE), (PINNED, [entry(1, YES, servable=False), entry(2, None)], 2, None, ALONE),
])
def test_what_becomes_of_a_version_whose_trial_failed(status, entries, version, serves, words):
    found = decisions.after_failure(status, listed(*entries), version, WRONG)
    assert (found["goes_back"], found["withdraw"]) == (serves is not None, [version])
    assert words in found["message"] and found["message"].endswith("89.3% is over 15%.") and found["reason"] == "89.3% is over 15%."
    if serves:
        assert found["serves"] == serves
        assert "going back to version %d failed as well" % serves in found["unfinished"]
        assert found["unfinished"].endswith(" 89.3% is over 15%. Going back:")


def unloadable(version, final):
    return {"failure": {"code": "model_not_loadable", "details": {"pod": "a", "version": version, "final": final}}}


@pytest.mark.parametrize(("failed", "version"), [
    (unloadable(2, True), 2), (unloadable(2, False), None), ({"failure": {"code": "no_version", "details": {"version": 2}}}, None),
    ({"msg": "template error"}, None),
])
def test_which_version_pods_cannot_load(failed, version):
    assert decisions.load_failed(failed) == version


def test_what_no_pod_can_load_serves_nowhere():
    found = decisions.after_failure(LATEST, listed(entry(1, YES), entry(2, None)), 2, unloadable(2, True))
    assert found["goes_back"] and "version 1 serves on every replica that has started." in found["message"]


def test_what_hangs_is_withdrawn_first():
    for code, hangs in (("reload_blocked", True), ("error_rate_exceeded", False)):
        found = decisions.after_failure(PINNED, listed(entry(1, YES), entry(2, None)), 2, {"failure": {"code": code}})
        assert found["goes_back"] and found["hangs"] is hangs


def test_in_check_mode_nothing_goes_back():
    found = decisions.after_failure(LATEST, listed(entry(1, YES), entry(2, None)), 2, WRONG, check_mode=True)
    assert not found["goes_back"] and found["message"].startswith("Version 2 failed. A run without --check goes back to version 1.")


def test_nothing_goes_back_while_the_nas_is_not_known():
    found = decisions.after_failure(LATEST, listed(problem="The NAS is gone."), 2, WRONG)
    assert not found["goes_back"] and "The NAS is gone. 89.3%" in found["message"]


def test_nothing_goes_back_for_what_was_not_measured():
    failed = {"msg": "No route.", "failure": {"code": "unavailable"}}
    found = decisions.after_failure(LATEST, listed(entry(1, YES), entry(2, None)), 2, failed)
    assert not found["goes_back"] and "Version 2 could not be tried" in found["message"] and found["message"].endswith("No route.")
    assert not decisions.after_failure(LATEST, listed(entry(1, YES), entry(2, None)), 2, {})["goes_back"]


def test_what_only_the_address_gets_wrong_is_said_to_be_the_address():
    limits = [{"key": "max_error_rate", "passed": False}]
    failed = {"msg": "89.3% is over 15%.", "failure": {"code": "address_differs"}, "thresholds": limits}
    found = decisions.after_failure(LATEST, listed(entry(1, YES), entry(2, None)), 2, failed)
    assert not found["goes_back"]
    assert found["message"].startswith("Version 2 passed on every replica, but not at check_address, so it was left, without")


def report(pod, problem=None, **models):
    return {"pod": pod, "problem": problem, "models": {
        name: {"versions": [{"version": version, "state": state} for version, state in versions.items()]}
        for name, versions in models.items()}}


def missing(*replicas):
    return {"failure": {"code": "version_not_available", "details": {"version": 2, "replicas": list(replicas)}}}


HAS = report("a", mnist={1: "END", 2: "AVAILABLE"})


@pytest.mark.parametrize(("failed", "tells"), [
    ({}, False),
    ({"msg": "template error"}, False),
    *[({"failure": {"code": code}}, True) for code in sorted(decisions.TELLING)],
    *[({"failure": {"code": code}}, False) for code in (
        "unavailable", "deadline_exceeded", "port_forward_failed", "forbidden", "cluster_unreachable", "deployment_missing",
        "no_ready_replica", "option_invalid", "dataset_invalid", "dataset_missing", "golden_missing", "library_missing", "not_found",
        "requests_failed", "conflict")],
    # One replica that was asked is enough, and so is one limit.
    ({"failure": {"code": "unavailable"}, "thresholds": [{"key": "max_error_rate", "passed": False}]}, True),
    ({"failure": {"code": "unavailable"}, "thresholds": [{"key": "max_error_rate", "passed": True}]}, False),
    ({"failure": {"code": "requests_failed"}, "thresholds": [{"key": "max_failed_requests", "passed": False}]}, False),
    ({"failure": {"code": "requests_failed"}, "replicas": [{"errors": {"UNAVAILABLE": 3, "DEADLINE_EXCEEDED": 1}}]}, False),
    ({"failure": {"code": "requests_failed"}, "replicas": [{"errors": {"UNAVAILABLE": 3}}, {"errors": {"INTERNAL": 1}}]}, True),
    # Pods that start anew cannot load it, or another one.
    (unloadable(2, True), True), (unloadable(2, False), False), (unloadable(3, True), False),
    ({"failure": {"code": "model_not_loadable"}}, False),
    # It does not load.
    (missing(report("a", mnist={1: "AVAILABLE", 2: "END"}), HAS), True),
    (missing(report("a", mnist={1: "AVAILABLE"})), True),
    (missing(report("a", problem="port-forward failed")), False),
    (missing(report("a", problem="port-forward failed"), HAS), False),
    (missing(report("a", problem="port-forward failed"), report("b", mnist={2: "LOADING"})), True),
    (missing(), True),  # it has ended its servers
    ({"failure": {"code": "version_not_available", "details": {"pods": ["a"]}}}, True),
    ({"failure": {"code": "version_not_available", "details": None}}, True),
])
def test_which_failures_tell_of_the_version(failed, tells):
    assert decisions.tells_of_version(failed, 2) is tells


def test_a_release_without_pods_tells_nothing():
    assert decisions.tells_of_version(missing(), 2, had_pods=False) is False
    found = decisions.after_failure({**LATEST, "pods": []}, listed(entry(1, YES), entry(2, None)), 2, missing())
    assert not found["goes_back"]


@pytest.mark.parametrize(("status", "found", "version", "words"), [
    ({"policy": "latest", "canary": None}, listed(), None, "take the highest version by themselves"),
    ({"policy": "pinned", "stable": 2, "canary": None}, listed(), None, "version 2 is stable, and there is no candidate"),
    ({"policy": "pinned", "stable": 1, "canary": 2}, listed(entry(1, None), entry(2, YES)), 2, ""),
])
def test_what_is_promoted(status, found, version, words):
    plan = decisions.promotion(status, found)
    assert (plan["version"], plan["problem"], bool(plan["message"])) == (version, "", bool(words)) and words in plan["message"]


@pytest.mark.parametrize(("found", "words"), [
    (listed(entry(1, YES), entry(2, None)),
     "never passed its check, so it is not promoted. playbooks/publish.yml -e model_archive=https://x/2.tgz"),
    (listed(entry(1, YES), entry(2, None, source=None)), "-e model_archive=ARCHIVE"),
    (listed(entry(1, YES)), "Candidate 2 is not on the NAS"),
    (listed(entry(1, YES), entry(2, YES, "withdrawn")), "Candidate 2 is not on the NAS"),
    (listed(problem="The NAS is gone."), "is not known: The NAS is gone."),
])
def test_what_is_not_promoted(found, words):
    plan = decisions.promotion({"policy": "pinned", "stable": 1, "canary": 2}, found)
    assert (plan["version"], plan["message"]) == (None, "") and words in plan["problem"]


@pytest.mark.parametrize(("published", "passed", "keep", "due"), [
    ({"versions": [1], "aside": [], "listed": [entry(1, None)]}, [1], 3, True),  # to note
    ({"versions": [1, 2], "aside": [], "listed": [entry(1, YES), entry(2, None)], "version": 1}, [2], 3, True),
    ({"versions": [1], "aside": [], "listed": [entry(1, YES)]}, [1], 3, False),
    ({"versions": [1], "aside": [], "listed": [entry(1, None, published=None)]}, [1], 3, False),  # nowhere to note it
    ({"versions": [1], "aside": [], "listed": [entry(1, None)]}, [], 3, False),
    ({"versions": [1, 2, 3], "aside": []}, [], 3, False),
    ({"versions": [1, 2, 3, 4], "aside": []}, [], 3, True),
    ({"versions": [1], "aside": [2, 3, 4, 5]}, [], 3, True),
    ({"versions": [1, 2, 3, 4]}, [], 0, False),
    ({"versions": None, "aside": None}, [], 1, False),
])
def test_is_there_anything_to_note_or_delete(published, passed, keep, due):
    assert decisions.pruning_due(published, passed, keep) is due


def on_nas(version, **other):
    return {"version": version, "state": "live", "size": 9, "published": "t", "problem": "", "chosen": None, "checked": None, **other}


@pytest.mark.parametrize(("entries", "keep", "in_use", "gone"), [
    ([on_nas(1), on_nas(2), on_nas(3)], 2, [3], [1]), ([on_nas(1), on_nas(2), on_nas(3)], 0, [3], []),
    ([on_nas(1), on_nas(2), on_nas(3)], 1, [1], [2]), ([on_nas(1, chosen="t"), on_nas(2), on_nas(3)], 1, [3], [2]),
    ([on_nas(1, chosen="t"), on_nas(2), on_nas(3, published="u", checked="v")], 1, [3], [1, 2]),  # one that came later has passed
    ([on_nas(1, chosen="t"), on_nas(2), on_nas(3, published="u")], 1, [3], [2]),
    ([on_nas(1, published=None), on_nas(2), on_nas(3)], 1, [], [2]),  # others put it there
    ([on_nas(1, problem="x"), on_nas(2), on_nas(3)], 1, [], [2]),
    ([on_nas(1), on_nas(2, state="withdrawn"), on_nas(3, state="withdrawn")], 1, [], [2]),
    ([on_nas(2, state="withdrawn", size=0), on_nas(3, state="withdrawn")], 1, [], []),  # its data are gone
    ([on_nas(1, state="pruned"), on_nas(2)], 1, [], []),
])
def test_what_pruning_would_delete(entries, keep, in_use, gone):
    assert decisions.surplus({"listed": entries}, keep, in_use) == gone


@pytest.mark.parametrize(("status", "published", "spared"), [
    ({"all_asked": True, "in_use": [2]}, {"versions": [1, 2]}, [2]),
    ({"all_asked": False, "in_use": [2]}, {"versions": [1, 2], "aside": [3]}, [1, 2, 3]),  # one has not said what it uses
    ({"all_asked": False, "in_use": []}, {}, []),
    ({}, {"versions": [1, 2]}, []),  # the role alone
])
def test_what_is_not_deleted(status, published, spared):
    assert decisions.spared(status, published) == spared


@pytest.mark.parametrize(("run", "skip", "left_out"), [
    (["all"], [], False), (["check"], [], False), (["model", "check"], [], False), (["model"], [], True), (["tagged"], [], False),
    (["all"], ["check"], True), (["all"], ["model"], False), (["check"], ["check"], True), (["untagged"], [], True),
    (["all"], ["tagged"], True), (["all"], ["all"], True),
])
def test_steps_that_tags_leave_out(run, skip, left_out):
    assert decisions.left_out("check", run, skip) is left_out


@pytest.mark.parametrize(("listed", "versions", "problem"), [
    ({"versions": [{"version": 1}]}, [{"version": 1}], ""),
    ({"versions": []}, [], ""),
    ({"skipped": True}, [], "model_node is not set, or not in the inventory: it has to mount the NAS."),
    ({"failed": True, "msg": "The NAS is gone."}, [], "The NAS is gone."),
    ({"failed": True, "msg": ""}, [], "The NAS cannot be looked at."),
])
def test_the_versions_on_the_nas(listed, versions, problem):
    assert decisions.versions_found(listed) == {"versions": versions, "problem": problem}
