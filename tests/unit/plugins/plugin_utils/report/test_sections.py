"""What each section of the page says."""
from __future__ import annotations

import check_results
import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import sections

LABELS = [0, 1] * 50


def server(title="pod a", **changes):
    expected, given = (changes.pop(name, LABELS) for name in ("expected", "given"))
    return check_results.server(title, expected, given, **changes)


def of(*servers, **changes):
    """(measured, findings)"""
    measured = check_results.measured(list(servers), changes.pop("expected", LABELS), **changes)
    return measured, check_results.findings(measured)


def latency(**times):
    return {"p50": 1.0, "p90": 2.0, "p99": 3.0, "max": 4.0, **times}


# --- tiles ---

def test_tiles_of_one_server():
    measured, findings = of(server(latency_ms=latency(p50=1.234), tests_per_second=123.4, given=[1] + LABELS[1:]))
    assert sections.tiles(measured, findings, False) == [
        ("Error rate", "1.0%", "95% interval 0.2 to 5.4%"), ("Tests", 100, "1 wrong, 0 unanswered"),
        ("Latency, p50", "1.23 ms", "p99 3 ms"), ("Throughput", "123 tests/s", None), ("Servers", 1, "version 1"),
    ]


def test_tiles_of_several_are_of_the_slowest():
    measured, findings = of(
        server(latency_ms=latency(p99=3.0), tests_per_second=50.0), server("pod b", latency_ms=latency(p50=7.0, p99=9.0), version=2),
        server("address c:1", latency_ms=latency(p99=99.0), tests_per_second=1.0, counts=False, version=3),
        server("pod d", latency_ms=None, tests_per_second=None),
    )
    tiles = {name: rest for name, *rest in sections.tiles(measured, findings, False)}
    assert tiles["Latency, p50"] == ["7 ms", "p99 9 ms, the slowest server"]
    assert tiles["Throughput"] == ["50 tests/s", "the slowest server"]
    assert tiles["Servers"] == [3, "versions 1 and 2"]


def test_tiles_where_nothing_was_answered():
    measured, findings = of(server(failed=range(7), singles=0, tests_per_second=None))
    assert sections.tiles(measured, findings, False) == [
        ("Error rate", "-", None), ("Tests", 100, "0 wrong, 100 unanswered"), ("Servers", 1, "version 1")]


def test_tiles_of_golden_answers():
    golden = {"location": "/g.npz", "version": 1, "recorded": "2026-11-01T00:00:00Z", "answers": LABELS}
    measured, findings = of(
        server(expected=None, agrees=[1] * 99 + [0], agreed=99, latency_ms=None, tests_per_second=None), expected=None, golden=golden)
    assert sections.tiles(measured, findings, True)[:2] == [("Agreement with golden", "99.0%", None), ("Tests", 100, "0 unanswered")]


def test_versions_and_those_that_count():
    measured, _findings = of(server(versions=[10]), server("pod b", versions=[2]), server("address c:1", counts=False, versions=[3]))
    assert sections.versions(measured) == "versions 2 and 10" and len(sections.counting(measured)) == 2
    assert sections.versions(of(server(versions=[]))[0]) == "unknown version"


# --- the paragraph on the rate ---

def text(*servers, golden_only=False, **changes):
    measured, findings = of(*servers, **changes)
    return sections.rate_text(measured, findings, measured["servers"][0], golden_only)


def test_the_rate_in_words():
    one = server(given=[1] + LABELS[1:])
    assert text(one) == "1 of 100 answers of pod a are wrong. 100 answers leave the model's true error rate between 0.2 and 5.4%" \
        " (95% interval)."
    assert text(one, server("pod b"), server("address c:1", counts=False)).startswith(
        "1 of 100 answers of pod a (the worst of 2 servers) are wrong.")
    worse = server(failed=(0,), not_finite=3)
    assert text(worse).startswith("0 of 84 answers of pod a are wrong. 3 of them hold NaN or infinity. 16 tests got no answer and do"
                                  " not count here. 84 answers leave")


def test_no_rate_in_words():
    measured, findings = of(server(failed=range(7)))
    assert sections.rate_text(measured, findings, measured["servers"][0], False) == "Unknown: no test was answered."
    assert sections.rate_text(measured, findings, None, False) is None
    bare, findings = of(server(expected=None, wrong=None), expected=None)
    assert sections.rate_text(bare, {**findings, "error_rate": None}, bare["servers"][0], False) == "Unknown: the dataset has no labels."
    measured, findings = of(server())
    assert sections.rate_text(measured, {**findings, "interval": None}, measured["servers"][0], False) == \
        "0 of 100 answers of pod a are wrong."


def test_the_agreement_in_words():
    assert text(server(agreed=90), golden_only=True) == "90 of 100 answers of pod a are the recorded ones."


@pytest.mark.parametrize(("interval", "key", "golden_only", "says"), [
    ([1, 2], "max_error_rate", False, "The dot is what was measured, the bar its 95% interval, the dashed line the limit."),
    (None, "max_error_rate", False, "The dot is what was measured, the dashed line the limit."),
    (None, "max_error_rate", True, "The dot is what was measured."),
    (None, "min_agreement", False, "The dot is what was measured."),
    (None, "min_agreement", True, "The dot is what was measured, the dashed line the limit."),
])
def test_what_the_plot_shows(interval, key, golden_only, says):
    assert sections.rate_caption({"interval": interval, "thresholds": [{"key": key}]}, golden_only) == says


# --- the table of servers ---

def test_a_row():
    one = server(latency_ms=latency(p50=1.234), tests_per_second=123.4, given=[1] + LABELS[1:], agreed=98)
    measured, _findings = of(one)
    assert sections.row(measured, one) == {
        "title": "pod a", "counts": True, "version": "1 AVAILABLE", "notes": "",
        "numbers": ["1.0%", "100 of 100", 1, "1.23", "2", "3", "4", "123"],
    }
    assert sections.row({**measured, "golden": {"version": 1}}, one)["numbers"][:3] == ["1.0%", "98.0%", "100 of 100"]


def test_a_row_of_a_server_that_failed():
    one = server(
        failed=range(7), singles=0, versions=[1, 2], state=None, problem={"message": "gone", "code": "unavailable"},
        errors={"UNAVAILABLE": 6, "INTERNAL": 1}, first_error="closed", tests_per_second=None, wrong=None, right=None, counts=False)
    measured, _findings = of(server(), one)
    assert sections.row(measured, one) == {
        "title": "pod a", "counts": False, "version": "1 and 2",
        "notes": "gone; failed requests: 1 INTERNAL, 6 UNAVAILABLE; the first: closed",
        "numbers": ["-", "0 of 100", "-", "-", "-", "-", "-", "-"],
    }
    assert sections.row(measured, {**one, "versions": [], "version": None, "state": "END"})["version"] == "- END"


def test_rates():
    assert sections.error_rate(server(failed=range(7))) is None and sections.error_rate(server(right=None)) is None
    assert sections.error_rate(server(given=[1] + LABELS[1:])) == 1.0


# --- other results ---

OTHER = {
    "version": 1, "at": "2026-11-21T02:00:00Z", "differs": [], "error_rate": 9.8, "interval": [8.0, 11.8], "agreement": 99.0,
    "points": 0.3, "points_interval": [-1.1, 1.7], "newly_wrong": 12, "newly_right": 9, "p_value": 0.664, "within_noise": True,
    "text": "in a line",
}


def others(comparison=None, difference=None):
    return sections.others({"comparison": comparison, "difference": difference})


def test_the_last_and_the_stable_result():
    last, stable = others(OTHER, {**OTHER, "version": 2})
    assert (last["title"], last["name"]) == ("The last result, version 1", "version 1")
    assert (stable["title"], stable["name"]) == ("The stable version, version 2", "version 2")
    assert last["text"] == "in a line" and last["facts"] == [
        ("Measured", "2026-11-21T02:00:00Z"), ("Error rate then", "9.8%"), ("Agreement then", "99.0%"),
        ("Now", "0.3 points worse, 95% interval of the difference -1.1 to +1.7, within noise"), ("Newly wrong", 12),
        ("Newly right", 9), ("p-value", "0.66 (exact McNemar test)"),
    ]
    assert others() == [] and [other["title"] for other in others(None, OTHER)] == ["The stable version, version 1"]
    assert [other["name"] for other in others(OTHER, OTHER)] == ["version 1, last", "version 1, stable"]
    assert [other["name"] for other in others({**OTHER, "version": None})] == ["the last result"]


def test_what_is_not_known_is_left_out():
    bare = dict.fromkeys(("error_rate", "agreement", "points", "points_interval", "newly_wrong", "newly_right", "p_value"))
    assert others({**OTHER, **bare})[0]["facts"] == [("Measured", "2026-11-21T02:00:00Z")]
    assert ("Newly wrong", 0) in others({**OTHER, "newly_wrong": 0})[0]["facts"]


@pytest.mark.parametrize(("changes", "says"), [
    ({"points": -0.3}, "0.3 points better, 95% interval of the difference -1.1 to +1.7, within noise"),
    ({"points": 0.0, "points_interval": None}, "the same, within noise"),
    ({"points": 2.0, "points_interval": None, "within_noise": False}, "2.0 points worse"),
])
def test_points_in_words(changes, says):
    assert dict(others({**OTHER, **changes})[0]["facts"])["Now"] == says


@pytest.mark.parametrize(("p_value", "says"), [
    (0.0009, "below 0.001 (exact McNemar test)"), (0.001, "0.001 (exact McNemar test)"),
    (0.0, "below 0.001 (exact McNemar test)"),
])
def test_chance_in_words(p_value, says):
    assert dict(others({**OTHER, "p_value": p_value})[0]["facts"])["p-value"] == says


# --- the environment ---

def test_the_environment():
    golden = {"location": "/g.npz", "version": 3, "recorded": "2026-11-01T00:00:00Z", "answers": []}
    measured = check_results.measured(
        [server()], LABELS, golden=golden, environment={"python": "3.11", "grpcio": "1.60", "odd": None})
    assert sections.environment(measured) == [
        ("Model", "mnist"), ("Signature", "predict_images (predict)"), ("Release", "mnist-deploy in namespace default"),
        ("Date", "2026-11-22T23:40:00Z"), ("Dataset", "http://10.213.0.5/"), ("Its digest", "sha256:" + "8d42" * 16),
        ("Golden answers", "/g.npz, of version 3, recorded 2026-11-01T00:00:00Z"), ("Tests", 100), ("Tests in a request", 16),
        ("Requests at one time", 4), ("Libraries", "grpcio 1.60, python 3.11"),
    ]
    bare, _findings = of(server(), release=None, method=None)
    assert [name for name, dummy in sections.environment(bare)][1:4] == ["Signature", "Date", "Dataset"]
    assert dict(sections.environment(bare))["Signature"] == "predict_images"
