"""What is kept of a check, and what changed since."""
from __future__ import annotations

import json
import random

import numpy
import pytest
from measurements import GOLDEN, measured, server

from ansible_collections.mlops.tf_serving.plugins.module_utils._comparison import compare, pack, result_of, unpack


def kept(*arguments, labelled=True, golden=None, changes=None, **other):
    one = server(*arguments, **other)
    return result_of(measured(one, tests=one["answered"] + one["unanswered"], labelled=labelled, golden=golden, **(changes or {})),
                     one, "", True)


@pytest.mark.parametrize("tests", [1, 8, 999, 20000])
def test_which_tests_were_right(tests):
    right = [random.Random(tests).randint(0, 1) for dummy in range(tests)]
    text = pack(numpy.array(right, "int8"))
    assert list(unpack(text, tests)) == right and len(text) < 10000


def test_more_are_not_kept():
    assert pack([1] * 20001) is None


@pytest.mark.parametrize("text", ["", "!", "AAAA", pack([1] * 9), pack([2] * 10)[:-4], pack([1] * 20000)])
def test_what_is_none(text):
    with pytest.raises(ValueError):
        unpack(text, 10)


def test_only_of_tests_that_were_all_answered():
    assert kept(3, 100)["bits"] and not kept(3, 100, unanswered=1)["bits"]
    assert kept(None, 100, labelled=False, golden=GOLDEN, agreed=99)["bits"]


def test_it_is_plain_data():
    assert json.loads(json.dumps(kept(3, 100))) == kept(3, 100)


def test_paired():
    before, now = kept(12, 100), kept(9, 100, right=[0] * 4 + [1] * 91 + [0] * 5)
    changes = compare(now, before)
    assert (changes["newly_wrong"], changes["newly_right"], changes["points"]) == (5, 8, -3.0)
    assert changes["p_value"] == pytest.approx(0.5811, abs=1e-4) and changes["within_noise"]
    assert changes["text"].endswith("-3.0 points (12.0% wrong then), 5 tests newly wrong, 8 newly right: within noise (p 0.58)")


def test_nothing_changed():
    assert compare(kept(3, 100), kept(3, 100))["text"].endswith("+0.0 points (3.0% wrong then), the same tests as then")


def test_more_than_chance():
    assert compare(kept(30, 100), kept(10, 100))["text"].endswith("20 tests newly wrong, 0 newly right: more than chance (p below 0.001)")


def test_too_many_to_be_paired():
    before, now = kept(2000, 30000), kept(2100, 30000)
    changes = compare(now, before)
    assert changes["newly_wrong"] is changes["p_value"] is None and changes["within_noise"]
    assert changes["points"] == 0.3 and changes["points_interval"] == [-0.1, 0.7]
    assert changes["text"].endswith("+0.3 points (6.7% wrong then): within noise")
    assert not compare(kept(3000, 30000), before)["within_noise"]


def test_without_labels_the_disagreement_counts():
    def one(agreed):
        return kept(None, 1000, labelled=False, golden=GOLDEN, agreed=agreed)
    changes = compare(one(990), one(998))
    assert changes["points"] == 0.8 and "(0.2% disagreed then), 8 tests newly wrong" in changes["text"]


@pytest.mark.parametrize(("other", "says"), [
    ({"changes": {"dataset": {"location": "/data", "digest": "sha256:2"}}}, "other test data"),
    ({"changes": {"signature": "serving_default"}}, "signature predict_images instead of serving_default"),
    ({"tests": 500}, "100 tests instead of 500"),
    ({"labelled": False, "agreed": 99}, "judged by labels instead of golden"),
    ({"unanswered": 100}, "nothing was answered"),
])
def test_what_cannot_be_compared(other, says):
    tests = other.pop("tests", 100)
    changes = compare(kept(3, 100), kept(0, tests, **other))
    assert says in changes["differs"] and changes["points"] is None and "not comparable, " in changes["text"]


def test_another_golden_file_matters_without_labels():
    def one(golden, labelled):
        return kept(3 if labelled else None, 100, labelled=labelled, golden=golden, agreed=97)
    later = {**GOLDEN, "recorded": "2026-11-20T00:00:00Z"}
    assert compare(one(later, False), one(GOLDEN, False))["differs"] == ["other golden file"]
    assert compare(one(later, True), one(GOLDEN, True))["differs"] == compare(one(None, True), one(GOLDEN, True))["differs"] == []


def test_the_place_of_the_files_does_not_matter():
    def one(place):
        return kept(None, 100, labelled=False, golden={**GOLDEN, "location": place}, agreed=97, changes={
            "dataset": {"location": place, "digest": "sha256:1"}})
    assert not compare(one("/here"), one("/there"))["differs"]
