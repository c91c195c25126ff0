"""A model's life under serving_version_policy pinned. Told in order."""
from __future__ import annotations

import pytest
from test_latest import good, unchanged

PINNED = {"serving_version_policy": "pinned "}  # a survey's text has blanks


def labels(world):
    return [server.labels["mnist"] for server in world.cluster.servers.values()]


def test_site(world, play):
    good(play("site", **PINNED))
    assert (world.serving(), labels(world)) == ([1, 1], [{"stable": 1}] * 2)
    again = unchanged(play("site", "--limit", "mnist", **PINNED))
    assert again.done.count("Wait until the release serves") == 1 and "Install or upgrade the release" not in again.done


def test_what_site_puts_on_the_nas_is_loaded_nowhere_and_said(world, play):
    lines = good(play("site", model_archive=world.archive(2), **PINNED)).results
    assert (world.serving(), world.serving("mnist-canary"), world.versions()) == ([1, 1], [None, None], [1, 2])
    assert lines[0].startswith("1 model    /serving/model/mnist/1 on nas.example.com") and lines[6:] == [
        "  beside   Version 2, which the archive in the inventory holds, lies on the NAS, unchecked, and no replica serves it: "
        "playbooks/publish.yml makes it the candidate and checks it."]


def test_candidate(world, play):
    run = good(play("publish", model_archive=world.archive(2), **PINNED))
    assert "Version 2 is the candidate, and passed its check: playbooks/promote.yml makes it stable" in run.text
    assert (world.serving(), world.serving("mnist-canary")) == ([1, 1], [2, 2])
    unchanged(play("site", model_archive=world.archive(2), **PINNED))
    assert "canary=2" in play("status", **PINNED).text


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("playbook", ["promote", "rollback"])
def test_check_mode(world, play, playbook):
    assert good(play(playbook, "--check", "--diff", **PINNED)).changes


def test_a_candidate_that_was_never_checked_is_not_promoted(world, play):
    """As a publish that was killed leaves it."""
    world.forget_the_check(2)
    run = play("promote", **PINNED)
    assert run.rc == 2 and "never passed its check" in run.failures and "playbooks/publish.yml" in run.failures
    assert world.serving() == [1, 1]
    assert "Version 2 is the candidate, and never passed its check" in good(play("site", **PINNED)).results[-1]
    good(play("publish", model_archive=world.archive(2), **PINNED))


def test_promote(world, play):
    good(play("promote", **PINNED))
    assert (world.serving(), labels(world), world.serving("mnist-canary")) == ([2, 2], [{"stable": 2}] * 2, [None, None])
    assert "no candidate" in unchanged(play("promote", **PINNED)).text


def test_what_answers_wrongly_is_dropped(world, play):
    run = play("publish", model_archive=world.bad_archive(3), **PINNED)
    assert run.rc == 2 and "100.0%" in run.failures and "version 2 serves" in run.failures
    assert (world.serving(), world.serving("mnist-canary"), world.versions()) == ([2, 2], [None, None], [1, 2])


def test_a_stable_version_that_never_passed_goes_back(world, play):
    """As an older release of this collection, or a hand, could promote it."""
    data = world.base / "2" / "variables" / "variables.data-00000-of-00001"
    right = data.read_bytes()
    data.write_bytes(b"wrong")
    run = play("site", **PINNED)
    assert run.rc == 2 and "had passed its check before" in run.failures and world.serving() == [2, 2]
    world.forget_the_check(2)
    run = play("site", **PINNED)
    assert run.rc == 2 and "version 1 serves on every replica" in run.failures
    assert (world.serving(), labels(world), world.versions()) == ([1, 1], [{"stable": 1}] * 2, [1])
    (world.base / ".withdrawn" / "2" / "variables" / data.name).write_bytes(right)
    good(play("publish", model_archive=world.archive(2), model_reinstate=True, **PINNED))
    good(play("promote", **PINNED))


def test_rollback(world, play):
    good(play("rollback", model_rollback_to="1", **PINNED))
    assert (world.serving(), labels(world), world.versions()) == ([1, 1], [{"stable": 1}] * 2, [1])
    unchanged(play("rollback", model_rollback_to=1, **PINNED))


def test_back_to_latest(world, play):
    good(play("site", serving_version_policy=""))
    assert world.serving() == [1, 1]
    assert world.cluster.get("v1", "configmaps", "mnist-deploy-model-config") is None
    unchanged(play("site"))


def test_teardown(world, play):
    good(play("site", **PINNED))
    good(play("teardown", model_delete_data=True, **PINNED))
    assert [key for key in world.cluster.objects if key[1] not in ("namespaces", "nodes")] == []
    assert world.versions() == []
