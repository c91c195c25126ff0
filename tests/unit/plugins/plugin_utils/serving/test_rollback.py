from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.rollback import rollback_plan


def on_disk(live, withdrawn=(), pruned=()):
    states = [("live", live), ("withdrawn", withdrawn), ("pruned", pruned)]
    return [{"version": version, "state": state} for state, versions in states for version in versions]


def plan(*args, **kwargs):
    found = rollback_plan(iter(args[0]), *args[1:], **kwargs)  # any iterable will do
    return found["withdraw"], found["serves"], bool(found["message"])


def test_the_newest_version_is_undone():
    assert plan(on_disk([1, 2, 3])) == ([3], 2, False)


def test_a_second_rollback_does_not_go_back_further():
    found = rollback_plan(on_disk([1, 2], withdrawn=[3]))
    assert (found["withdraw"], found["serves"]) == ([], 2)
    assert found["message"] == (
        "Version 3, the newest, is withdrawn already, and version 2 is the highest live one. To go further back, name the"
        " version: -e model_rollback_to=1.")
    assert "and version 1 is stable. There is no older version" in rollback_plan(on_disk([1, 2], withdrawn=[3]), stable=1)["message"]


@pytest.mark.parametrize("versions", [on_disk([1, 2]), on_disk([1], withdrawn=[2]), []], ids=["two", "one was withdrawn", "none"])
@pytest.mark.parametrize("to", [None, 1])
def test_where_nothing_is_deployed_nothing_serves(versions, to):
    with pytest.raises(Error, match=r"not deployed here: nothing serves, .* playbooks/site\.yml") as caught:
        rollback_plan(versions, to=to, deployed=False)
    assert caught.value.code == "not_deployed"


def test_an_older_withdrawn_version_does_not_stand_in_the_way():
    assert plan(on_disk([1, 3], withdrawn=[2])) == ([3], 1, False)


def test_a_candidate_is_undone_and_the_stable_version_stays():
    assert plan(on_disk([1, 2]), stable=1) == ([2], 1, False)


def test_a_promoted_version_is_undone():
    assert plan(on_disk([1, 2]), stable=2) == ([2], 1, False)


def test_several_versions_back():
    assert plan(on_disk([1, 2, 3]), to="1") == ([2, 3], 1, False)
    assert plan(on_disk([1, 2, 3]), to=1, stable=3) == ([2, 3], 1, False)


def test_back_to_what_is_there_already():
    assert plan(on_disk([1], withdrawn=[2, 3]), to=1) == ([], 1, True)


def test_nowhere_to_go():
    with pytest.raises(Error, match="only live version") as caught:
        rollback_plan(on_disk([2], pruned=[1]))
    assert (caught.value.code, caught.value.details) == ("only_version", {"version": 2})
    with pytest.raises(Error, match="no live version") as caught:
        rollback_plan(on_disk([], withdrawn=[1]))
    assert caught.value.code == "no_live_version"


def test_a_version_that_is_not_live():
    with pytest.raises(Error, match=r"model_rollback_to is 2, and the live versions are 1, 3. .*=true[.]$") as caught:
        rollback_plan(on_disk([3, 1], withdrawn=[2]), to=2)
    assert (caught.value.code, caught.value.details) == ("version_not_live", {"version": 2, "live": [1, 3]})
    with pytest.raises(Error, match=r"the live versions are 1\.$"):
        rollback_plan(on_disk([1]), to=2)
    with pytest.raises(Error, match="model_rollback_to is 'two'"):
        rollback_plan(on_disk([1, 2]), to="two")


@pytest.mark.parametrize("to", [0, "0", -1, True, 2.5])
def test_what_cannot_be_a_version(to):
    with pytest.raises(Error, match="a whole number from 1") as caught:
        rollback_plan(on_disk([1, 2]), to=to)
    assert caught.value.code == "version_invalid"


def test_a_folder_0_is_nothing_to_go_back_to():
    zero = [{"version": 0, "state": "ignored"}]
    with pytest.raises(Error) as caught:
        rollback_plan(zero + on_disk([1]))
    assert caught.value.code == "only_version"


def test_forwards_is_not_back():
    with pytest.raises(Error, match=r"promote\.yml"):
        rollback_plan(on_disk([1, 2]), to=2, stable=1)


def test_promoted_the_wrong_way():
    with pytest.raises(Error, match=r"the stable version is 1: that would be no way back.*promote.yml") as caught:
        rollback_plan(on_disk([1, 2, 3]), to=2, stable=1)
    assert (caught.value.code, caught.value.details) == ("not_backwards", {"version": 2, "stable": 1})


def test_pinned_servers_that_serve_what_is_no_longer_live_are_led_back():
    """Its folder was deleted by hand: nothing is to be withdrawn, and the label has to move."""
    plan = rollback_plan(on_disk([1]), 1, stable=2)
    assert plan == {"withdraw": [], "serves": 1, "message": ""}
    assert "nothing to withdraw" in rollback_plan(on_disk([1]), 1, stable=1)["message"]


@pytest.mark.parametrize("to", [None, 3])
def test_not_to_what_no_server_can_load(to):
    """It would serve nothing where a pod starts anew."""
    found = [{"version": version, "state": "live", "servable": version != 3} for version in (1, 3, 4)]
    with pytest.raises(Error) as caught:
        rollback_plan(found, to)
    assert caught.value.code == "version_not_servable" and "Version 3" in caught.value.message
    assert plan(found, 1) == ([3, 4], 1, False)
