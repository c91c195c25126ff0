"""The verdict: which threshold decides, in which words, and what the number is worth."""
from __future__ import annotations

import json

import numpy
import pytest
from measurements import GOLDEN, OPTIONS, measured, server, unreachable

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import verdict
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.comparison import result_of


def judge(*servers, tests=1000, labelled=True, golden=None, previous=None, stable=None, changes=None, **options):
    seen = measured(*servers, tests=tests, labelled=labelled, golden=golden, **(changes or {}))
    return verdict.judge({**OPTIONS, **options}, seen, previous, stable)


def kept(*arguments, **options):
    """An earlier result, as it is kept."""
    seen = measured(server(*arguments, **options), tests=options.get("tests", 1000))
    return result_of(seen, seen["servers"][0], "", True)


def entry(findings, key):
    return next(entry for entry in findings["thresholds"] if entry["key"] == key)


def test_a_model_that_is_good_enough():
    findings = judge(server(60))
    assert findings["passed"] and findings["code"] is findings["failure"] is None
    assert findings["message"] == "Inference error rate: 6.0%" and findings["interval"] == [4.7, 7.6]
    assert findings["sentence"] == "Passed: error rate 6.0% (at most 15%)."
    assert (findings["wrong"], findings["unanswered"], findings["version"], findings["warnings"]) == (60, 0, 1, [])
    assert not entry(findings, "max_error_rate")["within_noise"]


def test_too_many_wrong_answers():
    findings = judge(server(200, title="address h:1"))
    assert findings["code"] == "error_rate_exceeded" and not findings["passed"]
    assert findings["failure"] == (
        "Inference error rate: 20.0% is over check_max_error_rate (15%) on address h:1: 20.0%, version 1.")
    assert findings["sentence"] == "Failed: error rate 20.0% (at most 15%)."
    assert "(0.5%)" in judge(server(100), max_error_rate=0.5)["failure"]


@pytest.mark.parametrize(("wrong", "printed", "passed"), [(1504, "15.0%", True), (1506, "15.1%", False)])
def test_the_rate_counts_as_it_is_printed(wrong, printed, passed):
    findings = judge(server(wrong, 10000), tests=10000)
    assert findings["message"].endswith(printed) and findings["passed"] is passed


def test_a_crossing_within_noise_is_said_to_be_so_both_ways():
    over = judge(server(104), max_error_rate=10.0)
    assert not over["passed"] and entry(over, "max_error_rate")["within_noise"]
    assert over["failure"].endswith(
        "; over the limit, but within what 1000 tests can tell (8.7% to 12.4%): more tests (check_tests) would tell.")
    under = judge(server(104), max_error_rate=11.0)
    assert under["passed"] and under["sentence"] == (
        "Passed: error rate 10.4% (at most 11%); the error rate keeps its limit, but within what 1000 tests can tell"
        " (8.7% to 12.4%): more tests (check_tests) would tell.")
    plain = judge(server(104), max_error_rate=8.0)
    assert "can tell" not in plain["failure"]


def test_the_worst_server_decides():
    findings = judge(server(10), server(200, title="pod b"), server(20, title="pod c"))
    assert findings["worst"] == "pod b" and findings["error_rate"] == 20.0
    assert "pod b: 20.0%, version 1" in findings["failure"] and "pod a" not in findings["failure"]


def test_servers_with_the_same_fault_are_named_together():
    several = [server(200, title="pod %s" % name) for name in "abcde"]
    assert "on pod a, pod b, pod c, and 2 more: 20.0%, version 1." in judge(*several)["failure"]


def test_what_is_not_a_number_is_said():
    assert "(20 answers hold NaN or infinity)" in judge(server(200, not_finite=20))["failure"]


def test_a_server_that_cannot_be_asked_comes_first():
    findings = judge(server(200), unreachable())
    assert findings["code"] == "unavailable"
    assert findings["failure"].startswith(
        "The inference check failed: pod b: the server cannot be reached: Connection refused. Inference error rate: 20.0%")
    assert findings["message"] == "Inference error rate: unknown, no test was answered" and findings["interval"] is None
    assert findings["sentence"].startswith("Failed: pod b: the server cannot be reached")


def test_the_wrong_version():
    problem = {"message": "version 2 answered, check_expected_version is 1", "code": "wrong_version"}
    findings = judge(server(0, problem=problem, version=2, versions=[2]), expected_version=1)
    assert findings["code"] == "wrong_version" and findings["failure"] == (
        "The inference check failed: pod a: version 2 answered, check_expected_version is 1.")
    assert findings["version"] == 2


def test_an_address_that_does_not_count_is_a_warning():
    findings = judge(server(0), unreachable("address h:1", counts=False))
    assert findings["passed"] and findings["version"] == 1
    assert findings["warnings"] == [
        "The Service's address is not checked, this controller cannot reach it: address h:1: the server cannot be reached:"
        " Connection refused."]


def test_what_else_should_be_known():
    findings = judge(server(0, versions=[2, 1]), server(0, title="pod b", version=None, versions=[]), expected_version=1)
    assert findings["warnings"] == [
        "pod a: versions 1 and 2 answered during the check.", "pod b does not say which version answers."]
    assert findings["version"] is None


def test_classes_that_are_counted_from_another_number_are_said():
    labels = [number % 3 + 1 for number in range(1000)]
    shifted = server(1000, given=[label - 1 for label in labels])
    findings = verdict.judge(OPTIONS, measured(shifted, expected=labels))
    assert findings["warnings"] == [
        "pod a: most answers are the label -1: labels and model seem to count classes from different numbers."]
    assert verdict.judge(OPTIONS, measured(shifted, expected=labels, kind="values"))["warnings"] == []


def test_failed_requests_are_counted_apart():
    failing = server(0, unanswered=10, errors={"RESOURCE_EXHAUSTED": 1}, first_error="queue full", requests=150)
    findings = judge(failing)
    assert findings["code"] == "requests_failed" and findings["failure"] == (
        "The inference check failed: pod a: 10 of 1000 tests got no answer (of 150 requests failed: 1 RESOURCE_EXHAUSTED; the"
        " first: queue full).")
    assert findings["error_rate"] == 0.0
    assert judge(failing, max_failed_requests=1)["passed"]


def test_a_server_that_was_given_up_fails_whatever_may_fail():
    """Ten requests of ten tests failed, the rest was not sent."""
    given_up = server(0, unanswered=900, errors={"UNAVAILABLE": 10}, first_error="overloaded")
    assert judge(given_up, max_failed_requests=10)["code"] == "requests_failed"
    nothing = server(0, unanswered=1000, errors={"UNAVAILABLE": 100}, first_error="overloaded", latency_ms=None, rate=None)
    assert judge(nothing, max_failed_requests=1000, max_latency_ms={"p99": 1}, min_rate=1.0)["code"] == "requests_failed"


def test_several_thresholds_are_all_named():
    findings = judge(
        server(200, agreed=970), golden=GOLDEN, max_latency_ms={"p99": 5, "p50": 10, "max": 12.1}, min_rate=1000.0)
    assert findings["code"] == "error_rate_exceeded"
    for sentence in (
        "Inference error rate: 20.0% is over check_max_error_rate (15%) on pod a",
        "Agreement with golden: 97.0% is under check_min_agreement (99%) on pod a: 97.0%, version 1",
        "Latency: p99 9 ms is over check_max_latency_ms (p99: 5) on pod a: 9 ms",
        "Rate: 812.3 requests per second is under check_min_rate (1000) on pod a: 812.3, version 1",
    ):
        assert sentence in findings["failure"], findings["failure"]
    assert [entry["passed"] for entry in findings["thresholds"]] == [True, False, False, True, False, True, False]


def test_every_limit_and_what_came_of_it():
    findings = judge(
        server(60, agreed=990, version=2, versions=[2], errors={"INTERNAL": 1}), golden=GOLDEN, min_rate=812.3,
        max_latency_ms={"p99": "9", "max": 12}, max_failed_requests=1, stable=kept(20), stable_version=1, max_difference=4.0)
    limits = [
        ("max_failed_requests", "failed requests", "at most 1", "1", 1, 1, True, False, ""),
        ("max_error_rate", "error rate", "at most 15%", "6.0%", 6.0, 15.0, True, False, ""),
        ("min_agreement", "agreement", "at least 99%", "99.0%", 99.0, 99.0, True, True,
         "within what 1000 tests can tell (98.2% to 99.5%): more tests (check_tests) would tell"),
        ("max_latency_ms.p99", "p99", "at most 9 ms", "9 ms", 9.0, 9.0, True, False, ""),
        ("max_latency_ms.max", "max", "at most 12 ms", "12.1 ms", 12.1, 12.0, False, False, ""),
        ("min_rate", "rate", "at least 812.3 per second", "812.3 per second", 812.3, 812.3, True, False, ""),
        ("max_difference", "difference", "at most +4 points", "+4.0 points", 4.0, 4.0, True, True,
         "within what these tests can tell (+2.8 to +5.2 points): more tests (check_tests) would tell"),
    ]
    keys = ("key", "name", "limit", "measured", "value", "bound", "passed", "within_noise", "noise")
    assert findings["thresholds"] == [dict(zip(keys, limit)) for limit in limits]
    assert findings["code"] == "too_slow" and findings["failure"] == (
        "Latency: max 12.1 ms is over check_max_latency_ms (max: 12) on pod a: 12.1 ms.")
    assert findings["sentence"] == "Failed: max 12.1 ms (at most 12 ms)."


def test_the_worst_of_several_servers_is_what_a_limit_shows():
    servers = (
        server(10, agreed=990),
        server(30, title="pod b", agreed=970, rate=400.04, latency_ms=dict.fromkeys(("p50", "p90", "p99", "max"), 50.0)),
        server(20, title="pod c", agreed=980),
    )
    findings = judge(*servers, golden=GOLDEN, max_latency_ms={"p50": 60}, min_rate=1.0, min_agreement=1.0)
    assert [entry["value"] for entry in findings["thresholds"]] == [0, 3.0, 97.0, 50.0, 400.0]
    assert findings["agreement"] == 97.0 and findings["worst"] == "pod b" and findings["passed"]


def test_a_limit_at_the_end_of_the_interval_is_not_within_it():
    """104 of 1000: 8.7 to 12.4 %."""
    for limit, noise in ((8.7, False), (8.8, True), (12.3, True), (12.4, False)):
        assert entry(judge(server(104), max_error_rate=limit), "max_error_rate")["within_noise"] is noise, limit


def test_a_latency_that_others_may_have_caused_is_not_judged():
    findings = verdict.judge({**OPTIONS, "max_latency_ms": {"p50": 1, "p99": 10}}, measured(server(0), alone=False))
    assert findings["passed"] and findings["code"] is None
    assert findings["warnings"] == [
        "check_max_latency_ms is not judged (2 ms, at most 1 ms): other checks of this run asked at the same time, and went on. Check"
        " this model alone (--limit), or fewer at a time (--forks)."]
    assert [entry["key"] for entry in findings["thresholds"]] == ["max_failed_requests", "max_error_rate", "max_latency_ms.p99"]
    failed = verdict.judge({**OPTIONS, "max_latency_ms": {"p50": 1}}, measured(server(200), alone=False))
    assert failed["code"] == "error_rate_exceeded" and "p50" not in failed["failure"] + failed["sentence"]


def test_the_latency_was_not_measured():
    findings = judge(server(0, latency_ms=None), max_latency_ms={"p50": 5})
    assert findings["failure"] == (
        "Latency: p50 was not measured is over check_max_latency_ms (p50: 5) on pod a: was not measured.")
    assert entry(findings, "max_latency_ms.p50")["value"] is None
    both = judge(server(0, latency_ms=None), server(0, title="pod b"), max_latency_ms={"p50": 5})
    assert entry(both, "max_latency_ms.p50")["value"] == 2.0 and not both["passed"]


def test_failed_requests_of_several_servers():
    one = server(0, unanswered=10, errors={"INTERNAL": 1, "ABORTED": 2}, first_error="no", requests=150)
    findings = judge(one, server(0, title="pod b"), max_failed_requests=2)
    assert entry(findings, "max_failed_requests")["measured"] == "3" and entry(findings, "max_failed_requests")["bound"] == 2
    assert findings["failure"] == (
        "The inference check failed: pod a: 10 of 1000 tests got no answer (of 150 requests failed: 2 ABORTED, 1 INTERNAL; the"
        " first: no).")
    assert findings["sentence"].startswith("Failed: failed requests 3 (at most 2)")


def test_requests_that_were_not_sent_have_failed_too():
    """Each request holds 10 tests."""
    assert judge(server(0, unanswered=20, errors={"INTERNAL": 2}), max_failed_requests=2)["passed"]
    assert judge(server(0, unanswered=21, errors={"INTERNAL": 2}), max_failed_requests=2)["code"] == "requests_failed"
    assert not judge(server(0, 10, unanswered=10, errors={"INTERNAL": 1}, rate=None), tests=10, max_failed_requests=9)["passed"]
    nothing = judge(server(0, unanswered=5))
    assert "(of 150 requests failed: none; the first: None)" in nothing["failure"]


def test_what_comes_first_is_what_is_worst():
    """No answer, then wrong ones, then disagreement, then what was left unanswered."""
    ranked = [
        server(0, title="pod a", unanswered=1000, agreed=0), server(200, title="pod b", agreed=1000),
        server(0, title="pod c", agreed=500), server(0, title="pod d", agreed=997, unanswered=3),
        server(0, title="pod e", agreed=1000),
    ]
    for place, one in enumerate(ranked):
        assert judge(*reversed(ranked[place:]), golden=GOLDEN)["worst"] == one["title"]


@pytest.mark.parametrize(("options", "code"), [
    ({"max_latency_ms": {"p90": 3.4}}, "too_slow"), ({"max_latency_ms": {"p90": "3.4"}}, "too_slow"),
    ({"min_rate": 812.4}, "rate_too_low"),
])
def test_the_code_is_that_of_the_first(options, code):
    assert judge(server(0), **options)["code"] == code


def test_the_slowest_server_decides():
    quick = server(0, title="pod b", latency_ms={"p50": 1, "p90": 1, "p99": 1, "max": 1}, rate=2000.0)
    assert judge(quick, server(0), max_latency_ms={"p99": 5})["code"] == "too_slow"
    assert "on pod a: 812.3, version 1" in judge(quick, server(0), min_rate=1000.0)["failure"]


def test_a_golden_file_and_no_labels():
    findings = judge(server(None, agreed=998), labelled=False, golden=GOLDEN)
    assert findings["message"] == "Agreement with golden: 99.8%" and findings["agreement"] == 99.8 and findings["passed"]
    assert findings["error_rate"] is findings["interval"] is findings["confusion"] is None and findings["confused"] == []
    assert findings["sentence"] == "Passed: agreement 99.8% (at least 99%)."
    less = judge(server(None, agreed=998), server(None, agreed=980, title="pod b"), labelled=False, golden=GOLDEN)
    assert less["code"] == "agreement_too_low" and less["worst"] == "pod b" and less["message"].endswith("98.0%")
    assert json.dumps(verdict.result(measured(server(None, agreed=998), labelled=False, golden=GOLDEN), findings))


def test_the_confusion_is_the_worst_servers():
    given = [2] * 3 + [1] * 5 + [3] + [None]
    worst = server(4, 10, title="pod b", given=given, unanswered=1)
    findings = judge(server(0, 10), worst, tests=10, changes={"expected": [1] * 8 + [2, 2]}, max_failed_requests=9)
    assert findings["confusion"] == {"labels": [1, 2, 3], "counts": [[5, 3, 0], [0, 0, 1], [0, 0, 0]]}
    assert findings["confused"] == [{"expected": 1, "given": 2, "count": 3}, {"expected": 2, "given": 3, "count": 1}]


def test_numpys_numbers_and_bytes_are_plain_in_the_result():
    one = server(1, 2, given=[numpy.int64(3), b"cat"])
    seen = measured(one, tests=2, expected=[numpy.int64(1), b"cat"])
    findings = verdict.judge(OPTIONS, seen)
    assert findings["confusion"]["labels"] == [1, 3, "cat"]
    assert json.loads(json.dumps(verdict.result(seen, findings)))["confused"] == [{"expected": 1, "given": 3, "count": 1}]


def test_too_many_classes_for_a_table():
    findings = judge(server(51, 51, given=list(range(1, 52))), tests=51, changes={"expected": list(range(51))})
    assert findings["confusion"] is None and len(findings["confused"]) == 10
    most = judge(server(50, 50, given=list(range(1, 50)) + [0]), tests=50, changes={"expected": list(range(50))})
    assert len(most["confusion"]["labels"]) == 50


def test_the_most_frequent_confusions_come_first():
    pairs = [(1, 2)] * 2 + [(3, 1)] * 3 + [(10, 1)] * 2 + [(2, 2)] * 9
    findings = judge(
        server(7, 16, given=[given for dummy, given in pairs]), tests=16, changes={"expected": [label for label, dummy in pairs]})
    assert [(one["expected"], one["given"], one["count"]) for one in findings["confused"]] == [(3, 1, 3), (1, 2, 2), (10, 1, 2)]
    mixed = judge(server(3, 3, given=["b", 2, 1]), tests=3, changes={"expected": [1, 1, "a"]})
    assert [(one["expected"], one["given"]) for one in mixed["confused"]] == [("a", 1), (1, "b"), (1, 2)]


def test_values_are_not_confused():
    findings = judge(server(1, 2, given=[[0.1], [0.2]]), tests=2, changes={"kind": "values", "expected": [[1.0], [0.2]]})
    assert findings["confusion"] is None and findings["confused"] == []


def test_against_the_last_result():
    findings = judge(server(104), previous=kept(101))
    assert findings["comparison"]["text"] == (
        "Against version 1 of 2026-11-22T23:40:00Z: +0.3 points (10.1% wrong then), 3 tests newly wrong, 0 newly right:"
        " within noise (p 0.25)")
    assert findings["difference"] is None and findings["comparison"]["interval"] == [8.4, 12.1]


# --- the version now stable ---

def test_worse_than_the_stable_version():
    findings = judge(server(60, version=2, versions=[2]), stable=kept(20), stable_version=1, max_difference=1.0)
    assert findings["code"] == "worse_than_stable" and findings["failure"] == (
        "Difference from version 1, which is stable: +4.0 percentage points is over check_max_difference (1).")
    assert findings["difference"]["newly_wrong"] == 40 and "more than chance (p below 0.001)" in findings["difference"]["text"]
    assert judge(server(60, version=2, versions=[2]), stable=kept(20), stable_version=1, max_difference=4.0)["passed"]


def test_worse_within_noise():
    findings = judge(server(23, version=2, versions=[2]), stable=kept(20), stable_version=1, max_difference=0.2)
    assert findings["code"] == "worse_than_stable" and entry(findings, "max_difference")["within_noise"]
    assert "(0.2); over the limit, but within what these tests can tell (-0.1 to +0.7 points)" in findings["failure"]


def test_no_result_of_the_stable_version_is_a_warning():
    findings = judge(server(60, version=2, versions=[2]), stable_version=1, max_difference=1.0)
    assert findings["passed"] and findings["warnings"] == [
        "check_max_difference is not judged: no result is kept of version 1, which is stable. playbooks/check.yml with the same"
        " check_* variables makes such a result while version 1 serves."]
    assert judge(server(60, version=2, versions=[2]), stable_version=1)["warnings"] == [], "nobody asked"


def test_another_dataset_then_is_a_warning():
    other = {**kept(20), "dataset": "sha256:2"}
    findings = judge(server(60, version=2, versions=[2]), stable=other, stable_version=1, max_difference=1.0)
    assert findings["passed"] and "not comparable (other test data)" in findings["warnings"][0]
    assert findings["difference"]["points"] is None
    unasked = judge(server(60, version=2, versions=[2]), stable=other, stable_version=1)
    assert unasked["warnings"] == [] and unasked["difference"]["differs"] == ["other test data"]


def test_the_stable_version_is_not_compared_with_itself():
    findings = judge(server(60), stable=kept(20), stable_version=1, max_difference=1.0)
    assert findings["passed"] and findings["difference"] is None and findings["warnings"] == []
    assert judge(server(60), stable=kept(20), max_difference=1.0)["difference"] is None, "nothing is stable"


def test_the_difference_is_known_without_a_limit():
    findings = judge(server(60, version=2, versions=[2]), stable=kept(20), stable_version=1)
    assert findings["difference"]["points"] == 4.0 and [entry["key"] for entry in findings["thresholds"]] == [
        "max_failed_requests", "max_error_rate"]


# --- for people ---

def summary(*servers, labelled=True, golden=None, options=None, **more):
    seen = measured(*servers, labelled=labelled, golden=golden)
    findings = verdict.judge({**OPTIONS, **(options or {})}, seen, **more)
    return verdict.summary(seen, {**findings, "report": "/srv/report.html"})


def test_the_summary():
    assert summary(server(104), previous=kept(101)) == [
        "Passed: error rate 10.4% (at most 15%).",
        "Inference error rate: 10.4% (8.7% to 12.4% with 95% confidence, limit at most 15%)",
        "pod a, version 1 AVAILABLE: 10.4%, 104 of 1000 tests wrong, 0 unanswered",
        "One request at a time took 2 ms (p50), 3.5 ms (p90), 9 ms (p99), 12.1 ms (max); 4 at once, 10 tests each:"
        " 812 requests per second (8123 tests)",
        "Most frequent confusions: 1 taken for 2 (104)",
        "Against version 1 of 2026-11-22T23:40:00Z: +0.3 points (10.1% wrong then), 3 tests newly wrong, 0 newly right:"
        " within noise (p 0.25)",
        "Report: /srv/report.html",
    ]


def test_the_summary_of_many_servers_is_ten_lines():
    many = [server(number, title="pod mnist-deploy-serving-5d4b9cf6c8-%05d" % number) for number in range(20)]
    many.append(unreachable(message="the server cannot be reached: " + "because " * 30))
    lines = summary(*many, previous=kept(3))
    assert len(lines) <= 10 and lines[0].startswith("Failed: pod b: ")
    assert lines[2] == "pod b: the server cannot be reached: " + "because " * 30, "what a server says is said whole"
    assert "00019, " in lines[3] and lines[5].endswith("; and 17 more")


def test_the_summary_with_a_golden_file():
    assert summary(server(None, agreed=998), labelled=False, golden=GOLDEN)[1:3] == [
        "Agreement with golden: 99.8% (limit at least 99%)",
        "pod a, version 1 AVAILABLE: 99.8%, 2 of 1000 tests disagree, 0 unanswered",
    ]
    assert summary(server(0, agreed=998), golden=GOLDEN)[1].endswith("; agreement with golden: 99.8% (limit at least 99%)")


def test_the_summary_of_nothing():
    assert summary(unreachable(version=None)) == [
        "Failed: pod b: the server cannot be reached: Connection refused.",
        "Inference error rate: unknown, no test was answered", "pod b: the server cannot be reached: Connection refused",
        "Report: /srv/report.html",
    ]


def test_the_summary_of_a_server_that_was_given_up():
    silent = server(0, unanswered=1000, errors={"INTERNAL": 10}, first_error="no", latency_ms=None, rate=None)
    assert summary(silent)[2] == "pod a, version 1 AVAILABLE: unknown, 0 of 1000 tests wrong, 1000 unanswered"


def test_the_order_of_servers_in_the_summary():
    quick = server(30, title="pod c", version=None, state=None, rate=2000.0, latency_ms={"p50": 1, "p90": 1, "p99": 1, "max": 1})
    lines = summary(server(10), quick, unreachable())
    assert [line.partition(":")[0] for line in lines[2:5]] == [
        "pod b", "pod c, unknown version", "pod a, version 1 AVAILABLE"]
    assert lines[5].startswith("One request at a time took 2 ms (p50)") and "812 requests per second" in lines[5], "the slowest"
    assert not any("more" in line for line in summary(*[server(0, title="pod %d" % number) for number in range(4)]))


def test_long_names_are_cut_in_the_summary():
    given = ["a" * 20, "b" * 21, 7, 7, 5]
    seen = measured(server(5, 5, given=given), tests=5, expected=["x"] * 4 + ["y" * 21])
    lines = verdict.summary(seen, verdict.judge(OPTIONS, seen))
    assert lines[4] == (
        "Most frequent confusions: x taken for 7 (2), x taken for %s (1), x taken for %s... (1), %s... taken for 5 (1)"
        % ("a" * 20, "b" * 17, "y" * 17))
    seen = measured(server(8, 8, given=list(range(8))), tests=8, expected=[9] * 8)
    assert verdict.summary(seen, verdict.judge(OPTIONS, seen))[4].count("taken for") == 5


def test_the_difference_from_the_stable_version_is_told_rather_than_the_last_result():
    lines = summary(
        server(60, version=2, versions=[2]), previous=kept(101, version=2), stable=kept(20, version=1),
        options={"stable_version": 1})
    assert lines[-2].startswith("Against version 1 of") and "+4.0 points" in lines[-2]


def test_the_result():
    seen = measured(server(10), server(20, title="address h:1"))
    result = json.loads(json.dumps(verdict.result(seen, verdict.judge(OPTIONS, seen))))
    assert set(result) == {
        "message", "summary", "error_rate", "interval", "agreement", "tests", "wrong", "unanswered", "version", "replicas",
        "address", "thresholds", "confused", "comparison", "difference", "rate", "report"}
    assert [report["pod"] for report in result["replicas"]] == ["a"] and result["address"]["address"] == "h:1"
    assert result["address"]["error_rate"] == 2.0 and result["rate"] == 812.3 and result["tests"] == 1000
    assert result["replicas"][0] == {
        "pod": "a", "version": 1, "state": "AVAILABLE", "wrong": 10, "not_finite": 0, "unanswered": 0, "requests": 150,
        "errors": {},
        "latency_ms": {"p50": 2.0, "p90": 3.5, "p99": 9.0, "max": 12.1}, "error_rate": 1.0, "agreement": None, "rate": 812.3,
        "problem": None,
    }


def test_the_rate_is_that_of_the_slowest_which_counts():
    seen = measured(server(0), server(0, title="pod b", rate=700.06), unreachable("address h:1", counts=False))
    result = verdict.result(seen, verdict.judge(OPTIONS, seen))
    assert result["rate"] == 700.1 and result["address"]["rate"] is None
    assert result["address"]["problem"] == "the server cannot be reached: Connection refused"
    seen = measured(unreachable())
    result = verdict.result(seen, verdict.judge(OPTIONS, seen))
    assert result["rate"] is result["address"] is result["report"] is None
    assert verdict.result(seen, {**verdict.judge(OPTIONS, seen), "report": "/srv/report.html"})["report"] == "/srv/report.html"


def test_an_address_that_does_not_count_is_not_judged():
    slow = server(900, title="address h:1", counts=False, rate=1.0)
    findings = judge(server(0), slow, min_rate=2.0)
    assert findings["passed"] and findings["warnings"] == [
        "The Service's address is not checked, this controller cannot reach it: address h:1: it did not answer."]
