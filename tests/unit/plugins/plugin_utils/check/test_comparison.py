"""What is kept of a check, and what changed since."""
from __future__ import annotations

import base64
import json
import random
import zlib

import numpy
import pytest
from measurements import GOLDEN, measured, server

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.comparison import (
    compare,
    pack,
    result_of,
    shifted,
    unpack,
)


def kept(*arguments, labelled=True, golden=None, changes=None, **other):
    one = server(*arguments, **other)
    tests = one["answered"] + one["unanswered"]
    return result_of(measured(one, tests=tests, labelled=labelled, golden=golden, **(changes or {})), one, "", True)


@pytest.mark.parametrize("tests", [1, 8, 999, 20000])
def test_which_tests_were_right(tests):
    right = [random.Random(tests).randint(0, 1) for dummy in range(tests)]
    text = pack(numpy.array(right, "int8"))
    assert list(unpack(text, tests)) == right and len(text) < 10000


def test_more_are_not_kept():
    assert pack([1] * 20001) is None


def test_as_many_as_are_kept():
    assert unpack(pack([1] * 20000), 20000) == b"\1" * 20000


def packed(content):
    return base64.b64encode(content).decode()


@pytest.mark.parametrize(("text", "says"), [
    ("", "does not hold 10 tests"), ("!", "padding|base64"), ("AAAA", "Error -3|does not hold"),
    (pack([1] * 9), "does not hold 10 tests"),
    (pack([1] * 11), "does not hold 10 tests"), (pack([1] * 10)[:-4], "does not hold 10 tests"), ("é", "ASCII"),
    (packed(zlib.compress(b"\2" * 10)), "does not hold 10 tests"),
    (packed(zlib.compress(bytes(20001))), "does not hold 10 tests"),
    (pack([1] * 10) + "!", "padding|base64"),
])
def test_what_is_none(text, says):
    with pytest.raises(ValueError, match=says):
        unpack(text, 10)


def test_a_bomb_is_not_unpacked():
    with pytest.raises(ValueError, match="does not hold"):
        unpack(packed(zlib.compress(bytes(1 << 24))), 1 << 24)


def test_only_of_tests_that_were_all_answered():
    assert kept(3, 100)["bits"] and not kept(3, 100, unanswered=1)["bits"]
    assert kept(None, 100, labelled=False, golden=GOLDEN, agreed=99)["bits"]


def test_it_is_plain_data():
    assert json.loads(json.dumps(kept(3, 100))) == kept(3, 100)


def test_all_that_is_kept():
    one = server(104, version=2, agreed=990)
    result = result_of(measured(one, golden=GOLDEN), one, "the message", True)
    assert unpack(result.pop("bits"), 1000) == bytes([0] * 104 + [1] * 896)
    assert result == {
        "version": 2, "at": "2026-11-22T23:40:00Z", "passed": True, "message": "the message", "error_rate": 10.4,
        "interval": [8.7, 12.4], "agreement": 99.0, "of": "labels", "wrong": 104, "answered": 1000, "tests": 1000,
        "dataset": "sha256:1", "signature": "predict_images", "golden": {"version": 1, "recorded": "2026-11-01T00:00:00Z"},
        "latency_ms": {"p50": 2.0, "p90": 3.5, "p99": 9.0, "max": 12.1}, "rate": 812.34,
    }


def test_what_is_kept_without_labels():
    one = server(None, agreed=990)
    result = result_of(measured(one, labelled=False, golden=GOLDEN), one, "", False)
    assert (result["of"], result["wrong"], result["agreement"]) == ("golden", 10, 99.0)
    assert result["error_rate"] is result["interval"] is None and result["passed"] is False
    assert unpack(result["bits"], 1000) == bytes([1] * 990 + [0] * 10), "which agreed"


def test_without_a_golden_file():
    result = kept(3, 100)
    assert result["golden"] is result["agreement"] is None


def test_tests_that_were_not_answered_are_not_right():
    assert unpack(pack([1, 0, -1]), 3) == b"\1\0\0"


def test_all_that_changed():
    assert compare(kept(9, 100, right=[0] * 4 + [1] * 91 + [0] * 5), kept(12, 100, agreed=97, version=4)) == {
        "version": 4, "at": "2026-11-22T23:40:00Z", "differs": [], "error_rate": 12.0, "interval": [7.0, 19.8], "agreement": 97.0,
        "points": -3.0, "points_interval": [-10.1, 4.2], "newly_wrong": 5, "newly_right": 8, "p_value": 0.5811,
        "within_noise": True,
        "text": "Against version 4 of 2026-11-22T23:40:00Z: -3.0 points (12.0% wrong then), 5 tests newly wrong, 8 newly right:"
                " within noise (p 0.58)",
    }


def test_what_is_not_known_of_results_that_cannot_be_compared():
    changes = compare(kept(3, 100), kept(3, 200))
    assert changes == {
        "version": 1, "at": "2026-11-22T23:40:00Z", "differs": ["100 tests instead of 200"], "error_rate": 1.5,
        "interval": [0.5, 4.3], "agreement": None, "points": None, "points_interval": None, "newly_wrong": None,
        "newly_right": None, "p_value": None, "within_noise": None,
        "text": "Against version 1 of 2026-11-22T23:40:00Z: not comparable, 100 tests instead of 200",
    }


def test_a_version_that_was_not_told():
    assert compare(kept(3, 100), kept(3, 100, version=None))["text"].startswith("Against a version that was not told of 2026")


@pytest.mark.parametrize(("worse", "noise", "p_value"), [
    (5, True, "0.062"), (6, False, "0.031"), (11, False, "0.001"), (12, False, "below 0.001"),
])
def test_where_chance_ends(worse, noise, p_value):
    changes = compare(kept(worse, 1000), kept(0, 1000))
    assert changes["within_noise"] is noise and changes["text"].endswith("(p %s)" % p_value)


def test_one_that_has_no_bits():
    """Some of its tests were not answered."""
    changes = compare(kept(0, 1000), kept(100, 1000, unanswered=1))
    assert changes["newly_wrong"] is None and changes["within_noise"] is False and changes["points"] == -10.0
    assert compare(kept(100, 1000, unanswered=1), kept(0, 1000))["points_interval"] == [8.3, 12.0]


def test_paired():
    before, now = kept(12, 100), kept(9, 100, right=[0] * 4 + [1] * 91 + [0] * 5)
    changes = compare(now, before)
    assert (changes["newly_wrong"], changes["newly_right"], changes["points"]) == (5, 8, -3.0)
    assert changes["p_value"] == pytest.approx(0.5811, abs=1e-4) and changes["within_noise"]
    assert changes["text"].endswith("-3.0 points (12.0% wrong then), 5 tests newly wrong, 8 newly right: within noise (p 0.58)")


def test_nothing_changed():
    assert compare(kept(3, 100), kept(3, 100))["text"].endswith("+0.0 points (3.0% wrong then), the same tests as then")


def test_more_than_chance():
    changes = compare(kept(30, 100), kept(10, 100))
    assert changes["text"].endswith("20 tests newly wrong, 0 newly right: more than chance (p below 0.001)")


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
    assert compare(one(later, False), one(GOLDEN, False))["differs"] == ["another golden file"]
    assert compare(one(later, True), one(GOLDEN, True))["differs"] == compare(one(None, True), one(GOLDEN, True))["differs"] == []


def test_the_place_of_the_files_does_not_matter():
    def one(place):
        return kept(None, 100, labelled=False, golden={**GOLDEN, "location": place}, agreed=97, changes={
            "dataset": {"location": place, "digest": "sha256:1"}})
    assert not compare(one("/here"), one("/there"))["differs"]


LABELS = [number % 3 for number in range(30)]


@pytest.mark.parametrize(("expected", "given", "step"), [
    (LABELS, [label + 1 for label in LABELS], 1), (LABELS, [label - 1 for label in LABELS], -1), (LABELS, LABELS, 0),
    (LABELS, [label + 1 for label in LABELS[:25]] + LABELS[25:], 1),
    (LABELS, [label + 1 for label in LABELS[:24]] + LABELS[24:], 0),
    (LABELS, [label + 2 for label in LABELS], 0), (LABELS[:19], [label + 1 for label in LABELS[:19]], 0),
    (LABELS[:20], [label + 1 for label in LABELS[:20]], 1), ([0, 1] * 15, [1, 2] * 15, 0), (["a"] * 30, ["b"] * 30, 0),
    (LABELS, [label + 1 for label in LABELS[:20]] + [None] * 10, 1), (None, LABELS, 0), (LABELS, None, 0),
])
def test_answers_that_are_all_one_beside_the_labels(expected, given, step):
    assert shifted(expected, given) == step
