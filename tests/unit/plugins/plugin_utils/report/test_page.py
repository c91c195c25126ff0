"""What the report says: the verdict first, everything escaped, nothing loaded."""
from __future__ import annotations

import re

import check_results
import numpy
import pytest
from measurements import GOLDEN, unreachable
from parsed_page import Page

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import mistakes, plots
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import page as report

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp; \\$x^2$ {{ 7*7 }} %s"


def page(measured, findings, **options):
    return Page(report.page(measured, findings, **options))


def of(servers, expected, pictures=None, **changes):
    measured = check_results.measured(servers, expected, pictures, **changes)
    return page(measured, check_results.findings(measured))


def test_the_verdict_comes_first_and_the_rest_in_order():
    made = page(*check_results.check(wrong=20))
    assert made.headings == [
        "✗ Failed. Inference error rate: 20.0%", "Thresholds", "Error rate", "Confusion matrix", "Wrong answers", "Latency",
        "Servers and versions", "Environment",
    ]
    assert "Failed: error rate 20.0% (at most 15%)." in made.words and "✗ failed" in made.words
    assert "20 of 100 answers of pod mnist-deploy-serving-6f5d8c7b9-x2k4j are wrong." in made.words
    assert "13.3 and 28.9%" in made.words  # Wilson's interval
    assert page(*check_results.check(wrong=2)).headings[0] == "✓ Passed. Inference error rate: 2.0%"


def test_the_environment_is_told():
    words = page(*check_results.check()).words
    for fact in ("predict_images (predict)", "http://10.213.0.5/", "sha256:8d42", "grpcio 1.85.1", "mnist-deploy in namespace default",
                 "2026-11-22T23:40:00Z", "Requests at one time 4"):
        assert fact in words


def test_nothing_is_loaded_and_no_script_is_there():
    made = page(*check_results.check())
    assert not {"script", "iframe", "object", "base", "form"} & set(made.tags)
    for tag, name, value in made.attributes:
        if name in ("src", "href") or name.startswith("xlink"):
            assert value.startswith(("data:", "#")), (tag, name, value)
        assert not name.startswith("on") and "url(" not in (value or "").replace("url(#", "")
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in made.values("meta", "content")


def test_plots_take_the_colours_of_the_page():
    text = report.page(*check_results.check())
    plots = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(plots) == 3 and "var(--accent)" in text and "var(--bad)" in plots[0]
    assert not re.search(r"(fill|stroke): #", "".join(plots)), "a colour that is the same in the dark"
    assert "<style" not in "".join(plots) and "<metadata" not in "".join(plots)


def test_the_same_check_gives_the_same_bytes():
    assert report.page(*check_results.check()) == report.page(*check_results.check())


def test_the_surest_mistakes_come_first_and_the_others_are_counted():
    made = page(*check_results.check(tests=400, wrong=200))
    pictures = made.values("img", "alt")
    assert len(pictures) == mistakes.LISTED and "80 more are left out" in made.words
    assert pictures[0] == "Test 199: expected 9, given 0" and all(made.values("img", "src"))
    assert len(set(made.values("img", "src"))) == 10  # the ten pictures there are


def test_large_pictures_are_made_small_and_the_file_stays_small():
    pictures = numpy.random.default_rng(1).integers(0, 255, (150, 224, 224, 3)).astype(numpy.uint8)
    measured = check_results.measured([check_results.server("pod a", [0] * 150, [1] * 150)], [0] * 150, pictures)
    text = report.page(measured, check_results.findings(measured))
    assert len(text) < 1_500_000 and "image/jpeg" in text and Page(text).values("img", "width")[0] == "96"


@pytest.mark.parametrize("pixels", [
    numpy.zeros((28, 28), numpy.uint8), numpy.ones((8, 8, 1), numpy.float32), numpy.full((8, 8, 3), numpy.nan),
    numpy.full((5, 7, 4), 3, numpy.int64), numpy.zeros((300, 3), bool), numpy.zeros((9, 9, 2), numpy.uint16),
    numpy.full((200, 200, 4), 9, numpy.uint8), numpy.full((4, 4), -numpy.inf),
])
def test_any_picture_can_be_shown(pixels):
    assert mistakes.picture(pixels)["picture"].startswith("data:image/")


def test_labels_and_all_other_texts_are_harmless():
    labels = [HOSTILE, HOSTILE + "2"] * 20
    server = check_results.server("pod " + HOSTILE, labels, [HOSTILE] * 40, failed=(0,), batch=8)
    server["first_error"] = HOSTILE
    other = check_results.server("pod b" + HOSTILE, labels, [HOSTILE] * 40, problem={"message": HOSTILE, "code": "unavailable"})
    measured = check_results.measured([server, other], labels, model=HOSTILE, signature=HOSTILE)
    measured["dataset"] = {"location": "http://x/" + HOSTILE, "digest": HOSTILE}
    findings = check_results.findings(measured)
    findings["warnings"] = [HOSTILE]
    made = page(measured, findings)
    assert made.tags["script"] == 0 and made.tags["img"] == 0
    assert not [attribute for attribute in made.attributes if attribute[1].startswith("on")]
    assert "<script>alert(1)</script>" in made.words and "{{ 7*7 }}" in made.words  # told as they are


def test_pod_names_are_no_formulas_in_a_plot():
    labels = [0, 1] * 10
    servers = [check_results.server("pod $%s^$" % letter, labels, labels) for letter in "ab"]
    assert "$a^$" in of(servers, labels).words


def test_no_answer_at_all():
    labels = [0, 1] * 50
    server = check_results.server("pod a", labels, labels, failed=range(7), singles=0)
    server.update(timeline=[], tests_per_second=None, rate=None)
    words = of([server], labels).words
    assert "Unknown: no test was answered." in words and "No request was answered." in words and "7 UNAVAILABLE" in words


def test_a_server_that_could_not_be_asked():
    labels = [0, 1] * 500
    made = of([check_results.server("pod a", labels, labels), unreachable()], labels)
    assert "the server cannot be reached: Connection refused" in made.words and made.headings[0].startswith("✗ Failed.")
    assert "Failed" in of([unreachable()], labels, method=None).headings[0]


def test_fifty_replicas():
    labels = [0, 1] * 50
    name = "pod mnist-serving-6f5d8c7b9-%05d"
    servers = [check_results.server(name % number, labels, labels, seed=number, batch=1) for number in range(50)]
    measured = check_results.measured(servers, labels)
    text = report.page(measured, check_results.findings(measured))
    assert "worst of 50 servers" in Page(text).words and len(text) < 1_500_000
    assert "…d8c7b9-00049" in text  # in the plot, where there is no room for more


def test_failed_requests_are_marked_where_several_versions_answered():
    labels = [0, 1] * 50
    servers = [
        check_results.server("pod a", labels, labels), check_results.server("pod b", labels, labels, version=2, failed=(1,)),
        check_results.server("address c:1", labels, labels, counts=False, versions=[1, 2]),
    ]
    words = of(servers, labels).words
    for told in ("mnist , versions 1 and 2 ·", "1 and 2 AVAILABLE", "(does not count)", "1 UNAVAILABLE", " failed "):
        assert told in words


@pytest.mark.parametrize("classes", [2, 20, 21, 100])
def test_many_classes(classes):
    labels = ["class %d" % (number % classes) for number in range(2 * classes)]
    given = [labels[number - 1] if number < classes / 2 else label for number, label in enumerate(labels)]
    made = of([check_results.server("pod a", labels, given)], labels)
    cells = made.values("td", "class").count("same")
    assert "Confusion matrix" in made.headings and "Most often confused" in made.words
    assert cells == (classes if classes <= 20 else 0)


def test_values():
    expected = [float(number) for number in range(40)]
    server = check_results.server("pod a", expected, [value + (3 if value < 4 else 0.01) for value in expected])
    server["right"] = numpy.array([0] * 4 + [1] * 36, numpy.int8)
    server["given"][5], server["given"][6], server["wrong"] = float("nan"), None, 4
    made = of([server], expected, kind="values")
    assert "Values" in made.headings and "Confusion matrix" not in made.headings
    assert "the farthest off first" in made.words and "given minus expected" in made.words
    rows = [[1.0, 2.0]] * 40
    server = check_results.server("pod a", rows, rows)
    assert "Values" in of([server], rows, kind="values").headings


def test_golden_answers_without_labels():
    pictures, labels = check_results.digits(40)
    agrees = numpy.array([0] * 4 + [1] * 36, numpy.int8)
    server = check_results.server("pod a", None, [int(label) for label in labels], agrees=agrees, agreed=36)
    golden = {**GOLDEN, "answers": [9] * 40}
    made = of([server], None, pictures, golden=golden)
    assert made.headings[0] == "✗ Failed. Agreement with golden: 90.0%" and "Answers unlike the golden ones" in made.headings
    assert "36 of 40 answers of pod a are the recorded ones." in made.words
    assert made.values("img", "alt")[0] == "Test 0: recorded 9, given 0" and "/golden.npz, of version 1" in made.words


def test_comparisons():
    before = {
        "version": 1, "at": "2026-11-21T02:00:00Z", "differs": [], "error_rate": 9.8, "interval": [8.0, 11.8], "agreement": None,
        "points": 0.3, "points_interval": [-1.1, 1.7], "newly_wrong": 12, "newly_right": 9, "p_value": 0.664, "within_noise": True,
        "text": "told in a line",
    }
    other = {**before, "version": 2, "points": None, "points_interval": None, "differs": ["other test data"], "text": "not comparable"}
    measured, findings = check_results.check()
    words = page(measured, {**findings, "comparison": before, "difference": other}).words
    assert "Error rate then 0.0%" in page(measured, {**findings, "comparison": {**before, "error_rate": 0.0, "p_value": 0.0}}).words
    for told in ("The last result, version 1 told in a line", "0.3 points worse, 95% interval of the difference -1.1 to +1.7, within noise",
                 "The stable version, version 2 not comparable", "other test data"):
        assert told in words


# --- the parts that page itself makes ---

def test_a_confusion_is_shaded_by_its_share_and_mistakes_apart():
    made = report._table({"labels": [0, b"a", "c"], "counts": [[100, 1, 0], [2, 50, 4], [0, 0, 0]]})
    assert made["labels"] == ["0", "a", "c"] and [label for label, dummy in made["rows"]] == ["0", "a", "c"]
    cells = [[(cell["count"], cell["class"], cell["share"]) for cell in row] for dummy, row in made["rows"]]
    assert cells == [
        [(100, "same", "0.55"), (1, "", "0.23"), (0, "none", "")],
        [(2, "", "0.33"), (50, "same", "0.33"), (4, "", "0.55")],
        [(0, "none", ""), (0, "none", ""), (0, "none", "")],
    ]
    assert report._table({"labels": [0], "counts": [[0]]})["rows"][0][1][0]["share"] == ""
    assert report._table({"labels": [], "counts": []}) == {"labels": [], "rows": []}


def test_what_the_index_needs_to_know():
    measured, findings = check_results.check(tests=100, wrong=50)
    found = report.summary(measured, findings)
    times = measured["servers"][0]["latency_ms"]
    assert found == {
        "model": "mnist", "release": "mnist-deploy", "namespace": "default", "address": None, "passed": False,
        "failure": findings["failure"], "version": 1, "error_rate": 50.0, "interval": findings["interval"], "agreement": None,
        "at": measured["at"], "p50": times["p50"], "p99": times["p99"],
    }
    servers = [check_results.server("address " + 150 * letter, [0], [0], singles=0) for letter in "ab"]
    servers += [check_results.server("address c", [0], [0], latency_ms={"p50": 9.0, "p99": 99.0}, counts=False)]
    measured = check_results.measured(servers, [0], release=None)
    found = report.summary(measured, {**findings, "failure": None, "interval": None, "passed": 1})
    assert (found["release"], found["namespace"], found["failure"], found["interval"]) == (None, None, "", [])
    assert found["address"] == ("address %s, address %s" % (150 * "a", 150 * "b"))[:200] and found["passed"] is True
    assert found["p50"] is None and found["p99"] is None, "a server that does not count"
    assert len(report.summary(measured, {**findings, "failure": 600 * "x"})["failure"]) == 500
    slow, fast = (check_results.server("pod a", [0], [0], latency_ms={"p50": one, "p99": 2 * one}) for one in (7.0, 3.0))
    assert report.summary(check_results.measured([fast, slow], [0]), findings)["p99"] == 14.0


def test_the_page_knows_the_server_that_decides():
    measured, findings = check_results.check()
    assert report._server(measured, findings["worst"]) is measured["servers"][0]
    assert report._server({"servers": [{"title": "a"}, {"title": "b"}]}, "b") == {"title": "b"}
    assert report._server({"servers": [{"title": "a"}]}, "gone") == {"title": "a"}
    assert report._server({"servers": []}, "a") is None


def test_what_the_template_is_given(monkeypatch):
    given = {}
    monkeypatch.setattr(report, "render", lambda template, **values: given.update(values) or template)
    monkeypatch.setattr(plots, "drawn", lambda name, *drawing: None if name == "time" else "<svg>%s</svg>" % name)
    measured, findings = check_results.check(wrong=20)
    assert report.page(measured, findings, True) == "report"
    assert given["title"] == "mnist: failed, Inference error rate: 20.0%" and given["index"] is True
    assert given["plots"] == {
        "rate": "<svg>rate</svg>", "latency": "<svg>latency</svg>", "time": None, "confusion": None, "scatter": None,
        "servers": None, "others": None,
    }
    assert given["plots"]["rate"].__html__() == "<svg>rate</svg>" and given["unanswered"] is False
    assert given["confusion"]["labels"] == [str(number) for number in range(10)] and given["golden_only"] is False
    assert (given["version"], given["at"]) == ("version 1", "2026-11-22T23:40:00Z")
    measured["servers"][0]["unanswered"] = 1
    report.page(measured, {**findings, "passed": True})
    assert given["unanswered"] is True and given["index"] is False and given["title"].startswith("mnist: passed")
    values = check_results.measured([check_results.server("pod a", [1.0], [1.0])], [1.0], kind="values")
    report.page(values, check_results.findings(values))
    assert given["confusion"] is None and given["plots"]["scatter"] == "<svg>scatter</svg>"
    nobody = check_results.measured([], [0])
    report.page(nobody, {**findings, "confusion": None})
    assert given["unanswered"] is False and given["mistakes"] is None


def test_the_way_out_where_matplotlib_is_missing(monkeypatch):
    monkeypatch.setattr(plots, "IMPORT_ERROR", ImportError("No module named 'matplotlib'"))
    with pytest.raises(Error) as caught:
        report.page(*check_results.check())
    assert caught.value.code == "library_missing" and caught.value.message == (
        "check_report needs matplotlib and jinja2 in the controller's Python (No module named 'matplotlib'): install them"
        " (pip install matplotlib jinja2), or leave check_report empty."
    )
