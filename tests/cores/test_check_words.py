"""How much a person has to read when a check fails, and what is still there for programs."""
from __future__ import annotations

import re

import idx_files
import numpy
import pytest

YAML = {"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"}  # as the clone's ansible.cfg has it
SLOW = {"check_max_latency_ms": {"p50": 0.000001, "p99": 0.000001}}  # no server is that quick


def printed(run):
    """{task: its lines} of the tasks that failed.

    Without what ansible-core puts before a failure from 2.19 on: the sentence once more, and where the task stands in its file.
    """
    parts = re.split(r"^TASK \[(.+)\] \**\n", run.stdout.partition("PLAY RECAP")[0], flags=re.MULTILINE)
    tasks = [(name, re.sub(r"^\[ERROR\]: (.*\n)+?Origin: .*\n(.*\n)+?(?=fatal: )", "", text, flags=re.MULTILINE))
             for name, text in zip(parts[1::2], parts[2::2])]
    return {
        name: ["TASK [%s]" % name, *text.partition("\nPLAY [")[0].strip().splitlines()] for name, text in tasks if "fatal: " in text}


def test_site(play):
    assert play("site").rc == 0


def test_a_check_that_fails_is_read_at_a_glance(play):
    run = play("check", environment=YAML, **SLOW)
    (task, lines), = printed(run).items()
    assert run.rc == 2 and task.endswith("Ask every replica") and len(lines) <= 10, lines
    text = " ".join(" ".join(lines).split())
    for words in ("is over check_max_latency_ms (p50: 1e-06)", "is over check_max_latency_ms (p99: 1e-06)", "code: too_slow"):
        assert text.count(words) == 1


def test_a_publish_that_fails_as_well(world, play):
    run = play("publish", model_archive=world.bad_archive(2), environment=YAML)
    tasks = printed(run)
    assert run.rc == 2 and len(tasks) == 2 and max(map(len, tasks.values())) <= 10, tasks
    for lines in tasks.values():
        assert "Inference error rate: 100.0% is over check_max_error_rate (15%)" in " ".join(" ".join(lines).split())
    assert "version 1 serves" in run.text and world.serving() == [1, 1]


def test_what_was_measured_is_shown_to_who_asks(play):
    run = play("check", "-v", environment=YAML, **SLOW)
    assert run.rc == 2 and '"key": "max_latency_ms.p50"' in run.text


# --- data without labels, and labels of another model ---

@pytest.fixture(scope="module")
def bare(world):
    """Images without labels."""
    path = world.folder / "bare.npz"
    numpy.savez(path, images=idx_files.digits()[0])
    return {"check_dataset": str(path), "check_divisor": 255}


@pytest.fixture(scope="module")
def misfit(world):
    """Labels from 1 to 10, and the model's classes go from 0 to 9."""
    images, labels = idx_files.digits()
    numpy.savez(world.folder / "misfit.npz", images=images, labels=labels + 1)
    return {"check_dataset": str(world.folder / "misfit.npz"), "check_divisor": 255}


@pytest.fixture(scope="module")
def golden(world):
    return world.folder / "golden" / "mnist.npz"


def test_nothing_is_left_of_before(world, play):
    assert play("teardown", model_delete_data=True).rc == 0 and world.versions() == []


def test_labels_that_fit_no_class_are_found_before_anything_is_deployed(world, play, misfit):
    before = set(world.cluster.objects)
    run = play("site", **misfit)
    assert run.rc == 2, run.failures
    assert "The test data do not fit the model: the labels are 1 to 10 (10 different ones)" in run.failures
    assert "classes 0 to 9: 10 of 100 tests can never be answered right; they count from 1 and the model from 0, so take 1 from each" \
        " label. Correct the labels" in run.failures
    assert set(world.cluster.objects) == before


def test_no_labels_at_all(play, bare, golden, unseen):
    run = play("site", **bare)
    assert run.rc == 2 and "has no labels" in run.failures and "check_record: true" in run.failures
    run = play("site", **bare, check_golden=str(golden))
    assert run.rc == 2 and "check_record: true" in run.failures
    run = play("site", **bare, check_record="yes")
    assert run.rc == 2 and "check_record is True: check_golden does not say where" in run.failures


def test_the_first_deployment_records(world, play, bare, golden):
    run = play("site", **bare, check_golden=str(golden), check_record="yes")
    assert run.rc == 0 and "Recorded, nothing was compared: 100 answers of mnist version 1" in run.text and golden.exists()
    run = play("site", **bare, check_golden=str(golden), check_record="yes")
    assert run.rc == 0 and run.changes == [] and "Agreement with golden: 100.0%" in run.text


def test_a_new_version_is_compared_with_what_was_recorded(world, play, bare, golden):
    before = golden.read_bytes()
    run = play("publish", model_archive=world.bad_archive(2), **bare, check_golden=str(golden), check_record="yes")
    assert run.rc == 2 and "Agreement with golden: 0.0% is under" in run.failures and world.serving() == [1, 1]
    assert golden.read_bytes() == before


def test_without_a_record_what_serves_is_recorded_before_a_new_version_comes(world, play, bare):
    late = world.folder / "golden" / "late.npz"
    run = play("publish", model_archive=world.bad_archive(2), model_reinstate=True, **bare, check_golden=str(late), check_record="yes")
    assert run.rc == 2 and "Recorded, nothing was compared: 100 answers of mnist version 1" in run.text and late.exists()
    assert "Agreement with golden: 0.0% is under" in run.failures and world.serving() == [1, 1]


def test_a_new_version_that_the_labels_do_not_fit_goes_back(world, play, misfit):
    run = play("publish", model_archive=world.archive(3), **misfit)
    assert run.rc == 2 and "The test data do not fit the model: the labels are 1 to 10" in run.failures
    assert not any("check : Ask" in event["task"] for event in run.events) and world.serving() == [1, 1]
