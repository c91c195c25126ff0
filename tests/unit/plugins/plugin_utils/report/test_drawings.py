"""Which plots a page has, and what they are given."""
from __future__ import annotations

import check_results
import numpy
import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import drawings as _drawings
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import plots, sections

LABELS = [0, 1] * 50


def server(title="pod a", **changes):
    expected, given = (changes.pop(name, LABELS) for name in ("expected", "given"))
    return check_results.server(title, expected, given, **changes)


def of(*servers, golden_only=False, comparison=None, limits=True, **changes):
    """{plot: [the function, its arguments]}"""
    measured = check_results.measured(list(servers), changes.pop("expected", LABELS), **changes)
    findings = {**check_results.findings(measured), "comparison": comparison}
    if not limits:
        findings["thresholds"] = []
    worst = measured["servers"][0]
    matrix = _drawings.confusion(measured, findings, worst)
    return _drawings.drawings(measured, findings, worst, matrix, sections.others(findings), golden_only)


def test_the_plots_of_one_server():
    one = server()
    made = of(one)
    assert list(made) == ["rate", "latency", "time"] and set(made) <= set(plots.NAMES)
    assert made["rate"] == (plots.intervals, [("this check", 0.0, [0.0, 3.7])], 15.0, False)
    assert made["latency"] == (plots.histogram, [("a", one["singles"])])
    assert made["time"] == (plots.over_time, [("a", one["timeline"])])
    assert of(one, limits=False)["rate"] == (plots.intervals, [("this check", 0.0, [0.0, 3.7])], None, False)


OTHER = {
    "version": 1, "at": "2026-11-21T02:00:00Z", "differs": [], "error_rate": 9.8, "interval": [8.0, 11.8], "agreement": 98.0,
    "points": 0.3, "points_interval": [-1.1, 1.7], "newly_wrong": 12, "newly_right": 9, "p_value": 0.664, "within_noise": True,
    "text": "in a line",
}


def test_other_results_beside_this_one():
    rows = [("this check", 0.0, [0.0, 3.7]), ("version 1", 9.8, [8.0, 11.8])]
    assert of(server(), comparison=OTHER)["others"] == (plots.intervals, rows, 15.0, False)
    assert "others" not in of(server(), comparison={**OTHER, "error_rate": None})


def test_golden_answers():
    golden = {"location": "/g.npz", "version": 1, "recorded": None, "answers": LABELS}
    one = server(expected=None, agreed=90, agrees=[1] * 90 + [0] * 10)
    made = of(one, expected=None, golden=golden, golden_only=True, comparison=OTHER)
    assert made["rate"][1][0][:2] == ("this check", 90.0) and made["rate"][2:] == (99.0, True)
    assert made["others"][1][1][:2] == ("version 1", 98.0)


def test_nothing_was_answered():
    assert of(server(failed=range(7), singles=0, latency_ms=None), comparison=OTHER) == {}


def test_servers_side_by_side(monkeypatch):
    one, two = server(given=[1] + LABELS[1:]), server("address mnist.example.com:9090/1234", expected=LABELS)
    silent = server("pod silent", failed=range(7), singles=0)
    made = of(one, two, silent)
    rows = [("a", 1.0, one["latency_ms"]), ("…om:9090/1234", 0.0, two["latency_ms"])]
    assert made["servers"] == (plots.side_by_side, rows, 15.0)
    assert [name for name, dummy in made["latency"][1]] == ["a", "…om:9090/1234"] == [name for name, dummy in made["time"][1]]
    timed = server("pod b", failed=range(7), singles=3)
    assert [row[:2] for row in of(timed, one)["servers"][1]] == [("b", None), ("a", 1.0)]
    untimed = server("pod c", singles=0, timeline=[])
    assert [row[0] for row in of(one, untimed)["servers"][1]] == ["a", "c"] and len(of(one, untimed)["time"][1]) == 1
    monkeypatch.setattr(_drawings, "PLOTTED_SERVERS", 1)
    assert of(one, two)["servers"][1] == rows[:1] and "servers" not in of(one)


def test_names_are_cut_where_they_are_long():
    assert _drawings._short(["pod " + 24 * "a", "pod " + "b" + 24 * "a", "x"]) == [24 * "a", "…" + 12 * "a", "x"]


# --- confusions ---

def matrix(expected, given):
    measured = check_results.measured([server(expected=expected, given=given)], expected)
    return _drawings.confusion(measured, check_results.findings(measured), measured["servers"][0])


def test_the_verdicts_own_table_is_taken():
    assert matrix([0, 1, 1], [0, 1, 0]) == {"labels": [0, 1], "counts": [[1, 0], [1, 1]]}


def test_many_classes_are_counted_too():
    expected = list(range(60)) * 2
    given = [(number + 1) % 60 if place < 3 else number for place, number in enumerate(expected)]
    made = matrix(expected, given)
    assert made["labels"] == list(range(60)) and made["counts"].shape == (60, 60) and made["counts"].sum() == 120
    assert made["counts"][0, :2].tolist() == [1, 1] and made["counts"][5, 5] == 2
    texts = ["class %d" % number for number in range(60)]
    assert matrix(texts, texts)["labels"] == sorted(texts)


def test_more_classes_than_can_be_seen_are_left_out(monkeypatch):
    monkeypatch.setattr(_drawings, "PLOTTED_CLASSES", 55)
    expected = list(range(60))
    made = matrix(expected, [59, *expected[1:]])
    assert made["labels"] == list(range(55)) and made["counts"].sum() == 54


def test_no_classes():
    measured = check_results.measured([server()], LABELS, kind="values")
    empty = _drawings.confusion(measured, {"confusion": None}, measured["servers"][0])
    assert empty["labels"] == [] and len(empty["counts"]) == 0
    assert _drawings.confusion(measured, {"confusion": None}, None)["labels"] == []


@pytest.mark.parametrize(("classes", "plotted"), [(20, False), (21, True)])
def test_a_table_or_a_plot(classes, plotted):
    labels = list(range(classes)) * 2
    made = of(server(given=labels, expected=labels), expected=labels)
    assert ("confusion" in made) is plotted
    if plotted:
        assert made["confusion"][0] is plots.confusion and numpy.array_equal(made["confusion"][1], 2 * numpy.eye(classes))


# --- values ---

def scatter(expected, given, **changes):
    one = server(expected=expected, given=given, **changes)
    draw, *arrays = of(one, expected=expected, kind="values")["scatter"]
    assert draw is plots.values
    return [array.tolist() for array in arrays]


def test_values_that_were_answered():
    right = numpy.array([1, 0, -1, 1])
    assert scatter([1.0, 2.0, 3.0, 4.0], [1.0, 2.5, None, None], right=right) == [[1.0, 2.0], [1.0, 2.5], [True, False]]
    assert scatter([[1.0, 2.0]], [[1.0, float("nan")]], right=[0]) == [[1.0], [1.0], [False]]
    assert scatter([[1.0, float("inf")]], [[1.0, 2.0]], right=[0]) == [[1.0], [1.0], [False]]
    assert scatter([[1.0, 2.0]], [[1.0]], right=[0]) == [[], [], []], "another number of values"
    assert scatter([1.0], [None], right=None, answered=0) == [[], [], []], "a server that could not be asked"


def test_values_without_labels():
    one = server(expected=None, given=[1.0], agrees=[1], agreed=1)
    golden = {"location": "/g.npz", "version": 1, "recorded": None, "answers": [1.0]}
    arrays = of(one, expected=None, kind="values", golden=golden)["scatter"][1:]
    assert [array.tolist() for array in arrays] == [[], [], []]
    assert "scatter" not in of(server())
