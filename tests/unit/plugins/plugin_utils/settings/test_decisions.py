"""Every row of the tables by which a run decides about versions."""
from __future__ import annotations

import pytest

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
])
def test_the_first_stable_version(published, served, lost, version):
    assert decisions.first_stable(published, served, lost) == version


@pytest.mark.parametrize(("policy", "stable", "version", "own"), [
    ("pinned", 1, 2, True), ("pinned", 2, 2, False), ("pinned", None, 2, True), ("latest", None, 2, False), (None, None, 2, False),
])
def test_a_name_of_its_own(policy, stable, version, own):
    assert decisions.own_name(policy, stable, version) is own
    assert decisions.trial({"policy": policy, "stable": stable}, {}, version)["own_name"] is own


CHECKED = "It had passed its check before, so it was left. If it is to go: playbooks/rollback.yml."
ALONE = "There is no older version to go back to, so it was left."


@pytest.mark.parametrize(("status", "published", "version", "before", "left_because"), [
    ({"policy": "latest"}, {"versions": [1, 2]}, 2, 1, ""),
    ({"policy": "latest"}, {"versions": [1, 2, 4]}, 4, 2, ""),
    ({"policy": "latest"}, {"versions": [2, 4]}, 2, None, ALONE),
    ({"policy": "latest"}, {"versions": [2]}, 2, None, ALONE),
    ({"policy": "latest"}, {}, 2, None, ALONE),
    ({"policy": "latest"}, {"versions": [1, 2], "checked": "2026-11-22T16:18:00Z"}, 2, 1, CHECKED),
    ({"policy": "latest"}, {"versions": [2], "checked": "2026-11-22T16:18:00Z"}, 2, None, CHECKED),
    ({"policy": "pinned", "stable": 1}, {"versions": [1, 2]}, 2, 1, ""),
    ({"policy": "pinned", "stable": 3}, {"versions": [1, 2, 3]}, 2, 3, ""),
    ({"policy": "pinned", "stable": 2}, {"versions": [1, 2]}, 2, 2, ALONE),
    ({"policy": "pinned", "stable": 1}, {"versions": [1, 2], "checked": "yes"}, 2, 1, CHECKED),
])
def test_how_a_version_is_tried(status, published, version, before, left_because):
    trial = decisions.trial(status, published, version)
    assert (trial["before"], trial["goes_back"], trial["left_because"]) == (before, not left_because, left_because)


@pytest.mark.parametrize(("published", "passed", "keep", "due"), [
    ({"versions": [1], "aside": [], "checked": None}, [1], 3, True),  # to note
    ({"versions": [1], "aside": [], "checked": "yes"}, [1], 3, False),
    ({"versions": [1], "aside": [], "checked": None}, [], 3, False),
    ({"versions": [1, 2, 3], "aside": []}, [], 3, False),
    ({"versions": [1, 2, 3, 4], "aside": []}, [], 3, True),
    ({"versions": [1], "aside": [2, 3, 4, 5]}, [], 3, True),
    ({"versions": [1, 2, 3, 4]}, [], 0, False),
    ({"versions": None, "aside": None}, [], 1, False),
])
def test_is_there_anything_to_note_or_delete(published, passed, keep, due):
    assert decisions.pruning_due(published, passed, keep) is due


@pytest.mark.parametrize(("listed", "versions", "problem"), [
    ({"versions": [{"version": 1}]}, [{"version": 1}], ""),
    ({"versions": []}, [], ""),
    ({"skipped": True}, [], "model_node is not set, or not in the inventory: it has to mount the NAS."),
    ({"failed": True, "msg": "The NAS is gone."}, [], "The NAS is gone."),
    ({"failed": True, "msg": ""}, [], "The NAS cannot be looked at."),
])
def test_the_versions_on_the_nas(listed, versions, problem):
    assert decisions.versions_found(listed) == {"versions": versions, "problem": problem}
