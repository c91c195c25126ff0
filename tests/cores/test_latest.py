"""The tutorial's steps and a model's life where servers take the highest version. Told in order.

Answers come as a controller gives them: extra variables from a file, where a survey's question without an answer is '', a
number may be text, and "false" is a word.
"""
from __future__ import annotations

import pytest

UNANSWERED = dict.fromkeys((
    "model_version", "model_checksum", "model_keep", "model_reinstate", "serving_version", "serving_rest_port", "serving_resources",
    "serving_tolerations", "serving_run_as_user", "check_max_error_rate", "check_max_latency_ms", "check_max_difference",
    "check_tests", "volume_size",
), "")
IN_WORDS = {
    "gpu": "false", "scaling_replicas": "2", "check_max_error_rate": "15", "check_max_latency_ms": '{"p99": 60000}', "check_tests": "50",
    "serving_tolerations": '[{"operator": "Exists"}]', "serving_version": "2.15", "model_keep": "3",
}
CHECKED = {"check_max_latency_ms": {"p50": 0.000001}}  # no server is that quick


def good(run):
    assert run.rc == 0, run.failures
    return run


def unchanged(run):
    assert good(run).changes == []
    return run


def test_check_mode_on_an_empty_cluster(world, play, unseen):
    run = good(play("site", "--check", "--diff"))
    assert {"The PersistentVolume", "Install or upgrade the release"} <= {
        change.partition(" : ")[2] for change in run.changes}


def test_a_publish_needs_a_deployment(play, unseen):
    run = play("publish")
    assert run.rc == 2 and "playbooks/site.yml" in run.failures


def test_site(world, play):
    run = good(play("site", **UNANSWERED))
    assert (world.versions(), world.serving()) == ([1], [1, 1])
    assert world.cluster.get("v1", "persistentvolumes", "default-mnist-deploy", "")["status"]["phase"] == "Bound"
    assert "Inference error rate: 0.0%" in run.text


UPGRADE = ["Install or upgrade the release"]


@pytest.mark.parametrize(("answers", "changes"), [
    # All that is said twice, differently, is the same; but for the toleration, which comes and goes again.
    (UNANSWERED, []), (IN_WORDS, UPGRADE), (IN_WORDS, []), (UNANSWERED, UPGRADE),
], ids=["unanswered", "in words", "in words again", "unanswered again"])
def test_again(world, play, answers, changes):
    run = good(play("site", **answers))
    assert [change.partition(" : ")[2] for change in run.changes] == changes
    assert (world.versions(), world.serving()) == ([1], [1, 1])


def test_an_unchanged_run_has_few_tasks(play):
    """Each is paid for by every model, and what is skipped costs nearly as much as what runs."""
    run = unchanged(play("site"))
    assert len(run.events) <= 22 and len(run.events) - len(run.done) <= 5, [event["task"] for event in run.events]


def test_status(world, play, unseen):
    run = unchanged(play("status"))
    for pod in world.cluster.servers:
        assert pod in run.text
    assert "latest, the highest version is served" in run.text and "version 1" in run.text


def test_by_its_full_name(play):
    """From anywhere, where the collection is installed."""
    run = play("mlops.tf_serving.status")
    assert run.rc == 0 and "mnist-deploy" in run.text, run.failures


def test_publish_in_check_mode(world, play, unseen):
    run = good(play("publish", "--check", "--diff", model_archive=world.archive(2)))
    assert len(run.changes) == 1


def test_publish(world, play):
    run = good(play("publish", model_archive=world.archive(2)))
    assert (world.versions(), world.serving()) == ([1, 2], [2, 2])
    assert "Inference error rate: 0.0%" in run.text


def test_publish_again(world, play):
    unchanged(play("publish", model_archive=world.archive(2)))


def test_a_later_check_that_fails_does_not_take_back_what_had_passed(world, play):
    run = play("publish", model_archive=world.archive(2), **CHECKED)
    assert run.rc == 2 and "had passed its check before" in run.failures
    assert (world.versions(), world.serving()) == ([1, 2], [2, 2])


def test_rollback_in_check_mode(world, play, unseen):
    assert good(play("rollback", "--check", "--diff")).changes


def test_rollback(world, play):
    good(play("rollback", model_rollback_to="", model_rollback_reason="labels were swapped"))
    assert (world.versions(), world.serving()) == ([1], [1, 1])


def test_a_second_rollback_does_not_go_further(world, play):
    assert "withdrawn already" in unchanged(play("rollback")).text
    assert world.serving() == [1, 1]


def test_rolled_back_stays_rolled_back(world, play):
    run = unchanged(play("site", model_archive=world.archive(2)))
    assert "labels were swapped" in run.text and "model_reinstate" in run.text
    run = play("publish", model_archive=world.archive(2))
    assert run.rc == 2 and "model_reinstate=true" in run.failures
    assert (world.versions(), world.serving()) == ([1], [1, 1])


def test_reinstate(world, play):
    good(play("publish", model_archive=world.archive(2), model_reinstate="yes"))
    assert (world.versions(), world.serving()) == ([1, 2], [2, 2])


def test_what_answers_wrongly_goes_back_by_itself(world, play):
    run = play("publish", model_archive=world.bad_archive(3))
    assert run.rc == 2
    assert "100.0%" in run.failures and "version 2 serves on every replica" in run.failures
    assert (world.versions(), world.serving()) == ([1, 2], [2, 2])


def test_old_versions_make_room(world, play):
    good(play("publish", model_archive=world.archive(4), model_keep="1"))
    assert (world.versions(), world.serving()) == ([4], [4, 4])


def test_scale(world, play):
    assert len(good(play("scale", "--check", scaling_replicas="3")).changes) == 1
    assert len(world.serving()) == 2
    assert len(good(play("scale", scaling_replicas="3")).changes) == 1
    assert world.serving() == [4, 4, 4]
    unchanged(play("scale", scaling_replicas="null"))
    good(play("scale", scaling_replicas=2))


def test_promote_has_nothing_to_do(play, unseen):
    assert "Nothing to promote" in unchanged(play("promote")).text


def test_record_wants_a_file(play, unseen):
    run = play("record", check_golden="")
    assert run.rc == 2 and "check_golden" in run.failures


def test_record(world, play):
    golden = world.folder / "golden" / "mnist.npz"
    run = good(play("record", "--check", check_golden=str(golden)))
    assert len(run.changes) == 1 and not golden.exists()
    assert len(good(play("record", check_golden=str(golden))).changes) == 1 and golden.is_file()
    unchanged(play("record", check_golden=str(golden)))
    assert "agreement with golden: 100.0%" in unchanged(play("check", check_golden=str(golden))).text


@pytest.mark.parametrize("answer, words", [
    ({"check_max_error_rate": "0", "check_expected_version": "3", "check_version_timeout": "1"}, "version 4 answered"),
    ({"check_max_latency_ms": "{p50: 0.000001}"}, "check_max_latency_ms"),
])
def test_check_refuses(play, answer, words):
    run = play("check", **answer)
    assert run.rc == 2 and words in run.failures, run.failures


def test_a_pod_that_cannot_be_asked_is_a_remark(world, play):
    world.cluster.forbidden.add(("GET", "pods/portforward"))
    try:
        run = unchanged(play("status"))
    finally:
        world.cluster.forbidden.clear()
    assert "log:4" in run.text and "pods/portforward" in run.text


def test_teardown_in_check_mode(play, unseen):
    assert len(good(play("teardown", "--check", model_delete_data=True)).changes) >= 3


def test_teardown_keeps_the_data(world, play):
    good(play("teardown", model_delete_data="false"))
    assert [key for key in world.cluster.objects if key[1] not in ("namespaces", "nodes")] == []
    assert world.versions() == [4]
    unchanged(play("teardown"))


def test_a_first_version_that_fails_has_no_older_one(world, play):
    good(play("teardown", model_delete_data="yes"))
    assert world.versions() == []
    bad = world.bad_archive(1)
    for playbook in ("site", "publish"):
        run = play(playbook, model_archive=bad)
        last = [line for line in run.failures.splitlines() if "100.0%" in line][-1].partition(": ")[2]
        assert run.rc == 2
        assert last.startswith("Version 1 failed, and there is no older version to go back to, so it was left.")
    assert world.serving() == [1, 1]
