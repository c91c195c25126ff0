"""As a job of AWX: in a slice that has not the node, with artifacts, and with files that do not outlive it. Told in order."""
from __future__ import annotations

import pytest


@pytest.fixture
def sliced(world, play):
    """A run in a slice with models alone, who say how their node is reached."""
    return lambda playbook, **extra: play(playbook, sliced=True, model_node_variables=world.node, **extra)


def test_a_node_that_nobody_knows_is_refused_with_the_way_out(play, unseen):
    run = play("site", sliced=True)
    assert run.rc == 2 and "model_node is 'nas-node', which is not in the inventory" in run.failures
    assert "model_node_variables: {ansible_host: ADDRESS}" in run.failures


def test_the_model_says_how_its_node_is_reached(sliced, world):
    run = sliced("site")
    assert run.rc == 0 and world.versions() == [1], run.failures


def test_and_a_second_run_changes_nothing(sliced):
    run = sliced("site")
    assert run.rc == 0 and run.changes == [], run.failures


def test_a_check_hands_on_what_it_measured(play, tmp_path):
    run = play("check", check_report=str(tmp_path / "reports") + "/", environment={"JOB_ID": "12"})
    assert run.rc == 0 and run.artifacts["mnist"] == {"changed": [], "version": 1, "error_rate": 0.0, "address": None}
    assert "which is in this job's container and gone when the job ends" in run.text


def test_a_publish_what_it_made(sliced, world):
    run = sliced("publish", model_archive=world.archive(2))
    assert run.rc == 0 and world.versions() == [1, 2], run.failures
    outcome = run.artifacts["mnist"]
    assert (outcome["changed"], outcome["version"], outcome["error_rate"]) == (["version 2 published"], 2, 0.0)
    assert outcome["address"].endswith(":%d" % world.cluster.service_port)


def test_a_rollback_what_it_took(sliced, world):
    run = sliced("rollback")
    assert run.rc == 0 and world.versions() == [1], run.failures
    assert run.artifacts["mnist"]["changed"] == ["versions withdrawn"] and run.artifacts["mnist"]["version"] == 1


def test_a_scale_how_many(play):
    run = play("scale", scaling_replicas="1")
    assert run.rc == 0 and run.artifacts["mnist"]["changed"] == ["replicas 1"], run.failures


def test_the_status_lists_what_is_on_the_nas(sliced):
    run = sliced("status")
    assert run.rc == 0 and "withdrawn" in run.text, run.failures


def test_a_teardown_finds_it_as_well(sliced, world):
    run = sliced("teardown", model_delete_data="true")
    assert run.rc == 0 and world.versions() == [], run.failures
