"""Every row of what is said of a model's versions beside which one serves."""
from __future__ import annotations

import pytest
from listed_versions import YES, entry, listed, pinned, status

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.version_states import beside, given, table


@pytest.mark.parametrize(("found", "versions"), [
    ({}, []), (status(), []), (status(None), []), (status(1, 1), [1]), (status(2, 1, None), [1, 2]),
    ({"pods": [{"serves": 1, "terminating": True}, {"serves": 2, "terminating": False}]}, [2]),
])
def test_what_the_replicas_give(found, versions):
    assert given(found) == versions


QUIET = [
    (status(1, 1), listed(entry(1)), {"version": 1}),
    (status(1, 1), listed(entry(1)), None),
    (pinned(1), listed(entry(1)), {"version": 1}),
    (status(None), listed(), {"version": None}),  # check mode, and only the archive knows
    (status(1), listed(entry(1)), {"version": 9}),  # not there yet
]


@pytest.mark.parametrize(("found", "on_the_nas", "published"), QUIET)
def test_nothing_to_say(found, on_the_nas, published):
    assert beside(found, on_the_nas, published) == []


SAID = [
    # What serves.
    (status(2, 2), listed(entry(1), entry(2, None)), {"version": 2},
     "Version 2 serves, and never passed its check: playbooks/site.yml checks it"),
    (pinned(2), listed(entry(1), entry(2, None)), {"version": 2}, "Version 2 serves, and never passed its check"),
    (status(2), listed(entry(2, None, published=None)), None, "Version 2 serves, and has no record in which a check could be noted."),
    (pinned(2), listed(entry(1)), None, "Version 2 serves, and its data has left the base path (gone)"),
    (pinned(2), listed(entry(1), entry(2, None, "withdrawn")), {"version": 2}, "has left the base path (withdrawn)"),
    (pinned(2), listed(entry(1)), None, "brings it back, playbooks/rollback.yml -e model_rollback_to=1 goes back."),
    (pinned(2), listed(), None, "playbooks/publish.yml brings it back."),
    (status(None, policy="pinned", stable=2), listed(entry(1)), None, "Version 2 is stable, and its data has left the base path (gone)"),
    # The candidate.
    (pinned(1, 2), listed(entry(1), entry(2)), {"version": 2},
     "Version 2 is the candidate, and passed its check: playbooks/promote.yml"),
    (pinned(1, 2), listed(entry(1), entry(2, None)), {"version": 2},
     "Version 2 is the candidate, and never passed its check: playbooks/publish"),
    (pinned(1, 2), listed(entry(1)), None, "Version 2 is the candidate, and not on the NAS (gone)"),
    # The archive in the inventory.
    (status(1), listed(entry(1), entry(2, None, "withdrawn")), {"version": 2, "message": "Version 2 was withdrawn."},
     "Version 2 was withdrawn."),
    (status(2), listed(entry(1), entry(2)), {"version": 1},
     "Version 1, which the archive in the inventory holds, lies on the NAS, and no replica "
     "serves it: the servers take the highest. To go back to an older one: playbooks/rollback.yml."),
    (status(1), listed(entry(1), entry(2, None)), {"version": 2},
     "lies on the NAS, unchecked, and no replica serves it: the servers should take it"),
    (pinned(1), listed(entry(1), entry(2, None)), {"version": 2},
     "lies on the NAS, unchecked, and no replica serves it: playbooks/publish.yml makes it"),
    (status(None), listed(entry(2, None)), {"version": 2}, "the servers should take it"),
    # All others.
    (pinned(1), listed(entry(1), entry(3, None)), None,
     "Version 3 lies on the NAS, never passed its check, and no replica serves it."),
    (status(1), listed(entry(1), entry(2, problem="Its files are not those.")), None, "Version 2: Its files are not those."),
    (status(1), listed(entry(0, None, "ignored", problem="Versions start at 1."), entry(1)), None,
     "Version 0: Versions start at 1."),
    (status(5), listed(*[entry(one, None, "withdrawn") for one in (1, 2, 3, 4)], entry(5)), None,
     "Withdrawn: 2, 3, 4 and 1 older. playbooks/publish.yml"),
    (status(3), listed(entry(1, YES, "pruned"), entry(2, YES, "pruned"), entry(3)), None, "Deleted to make room: 1, 2."),
    (status(3), listed(problem="The NAS is gone."), {"version": 3}, "What lies on the NAS is not known: The NAS is gone."),
]


@pytest.mark.parametrize(("found", "on_the_nas", "published", "words"), SAID)
def test_one_thing_to_say(found, on_the_nas, published, words):
    (sentence,) = beside(found, on_the_nas, published)
    assert words in sentence


@pytest.mark.parametrize("published", [None, {"version": 2}])
def test_what_was_not_asked_is_not_said(published):
    silent = {**status(None, policy="pinned", stable=1), "all_asked": False}
    (sentence,) = beside(silent, listed(entry(1), entry(2, None)), published)
    assert "and not every pod has said whether it serves it" in sentence
    assert "0 of 1?" in table(silent, listed(entry(1)), "t")[2]


def test_what_was_said_of_the_archive_is_not_said_again():
    found = beside(
        status(3), listed(entry(1, YES, "pruned"), entry(2, None, "withdrawn"), entry(3)), {"version": 2, "message": "M."})
    assert found == ["M.", "Deleted to make room: 1."]


def test_the_table():
    lines = table(pinned(2, 3), listed(
        entry(1, YES, "pruned", at="T"), entry(2), entry(3, None), entry(4, None, "withdrawn", reason="swapped", at="T"),
        entry(5, None, unfinished=True, source=None, checksum=None, published=None),
    ), "/m on nas")
    assert lines[0] == "/m on nas"
    rows = [line.split() for line in lines[2:] if not line.startswith("remark")]
    assert [row[:6] for row in rows if row[0].isdigit()] == [
        ["5", "unfinished", "never", "0", "of", "2"], ["4", "withdrawn", "-", "0", "of", "2"],
        ["3", "live", "never", "2", "of", "2"], ["2", "live", YES, "2", "of", "2"], ["1", "pruned", YES, "0", "of", "2"]]
    assert [row[6] for row in rows if row[0].isdigit()] == ["-", "-", "canary", "stable", "-"]
    text = "\n".join(lines)
    assert "          withdrawn T: swapped\n" in text and "50.50 KB" in text and "2c26b46b68ff  https://x/3.tgz" in text
    assert any(line.startswith("remark      Version 3 is the candidate, and never passed") for line in lines)


@pytest.mark.parametrize(("found", "names"), [(status(2), {2: "highest", 1: "-"}), (status(policy=None), {2: "-", 1: "-"})])
def test_the_highest_is_named_where_servers_take_it(found, names):
    _title, header, *rows = table(found, listed(entry(1), entry(2)), "t")
    assert {int(row[:8]): row[header.index(" AS ") + 1:].split()[0] for row in rows} == names


def test_what_is_lost_has_a_row():
    lines = table(pinned(2), listed(entry(1)), "t")
    assert lines[2].split()[:6] == ["2", "gone", "-", "2", "of", "2"] and "unknown" in lines[2]


def test_a_nas_that_is_not_known_is_a_warning():
    assert table(status(1), listed(problem="The NAS is gone."), "t") == ["t", "warning     The NAS is gone."]
