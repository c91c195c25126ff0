"""The report's files: what they say, what cannot happen to them, and the index."""
from __future__ import annotations

import collections
import html.parser
import multiprocessing
import os
import re
import stat
import subprocess
import sys
import time

import check_results
import numpy
import pytest
from measurements import GOLDEN, unreachable

import conftest
from ansible_collections.mlops.tf_serving.plugins.module_utils import _report, _report_plots
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

# A page may only hold these; whatever else shows up came from somebody's label.
VOID = {"meta", "link", "img", "br", "path", "use", "image", "rect"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp; \\$x^2$ {{ 7*7 }} %s"


class Page(html.parser.HTMLParser):
    """A page's tags, attributes and texts, checked for being well formed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.ids, self.open, self.headings, self.text = collections.Counter(), [], [], [], [], ""
        self.feed(text)
        self.close()
        assert not self.open
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, *attribute) for attribute in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("h1", "h2", "h3"):
            self.headings.append("")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "title"):
            self.text += " " + data.strip()
            if {"h1", "h2", "h3"} & set(self.open):
                self.headings[-1] += data

    @property
    def words(self):
        return " ".join(self.text.split())

    def values(self, tag, name):
        return [value for one, attribute, value in self.attributes if (one, attribute) == (tag, name)]


def page(measured, findings, **options):
    return Page(_report.page(measured, findings, **options))


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
                 "2026-11-22 23:40:00 UTC", "Requests at one time 4"):
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
    text = _report.page(*check_results.check())
    plots = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(plots) == 3 and "var(--accent)" in text and "var(--bad)" in plots[0]
    assert not re.search(r"(fill|stroke): #", "".join(plots)), "a colour that is the same in the dark"
    assert "<style" not in "".join(plots) and "<metadata" not in "".join(plots)


def test_the_same_check_gives_the_same_bytes():
    assert _report.page(*check_results.check()) == _report.page(*check_results.check())


def test_the_surest_mistakes_come_first_and_the_others_are_counted():
    made = page(*check_results.check(tests=400, wrong=200))
    pictures = made.values("img", "alt")
    assert len(pictures) == _report.LISTED and "80 more are left out" in made.words
    assert pictures[0] == "Test 199: expected 9, given 0" and all(made.values("img", "src"))
    assert len(set(made.values("img", "src"))) == 10  # the ten pictures there are


def test_large_pictures_are_made_small_and_the_file_stays_small():
    pictures = numpy.random.default_rng(1).integers(0, 255, (150, 224, 224, 3)).astype(numpy.uint8)
    measured = check_results.measured([check_results.server("pod a", [0] * 150, [1] * 150)], [0] * 150, pictures)
    text = _report.page(measured, check_results.findings(measured))
    assert len(text) < 1_500_000 and "image/jpeg" in text and Page(text).values("img", "width")[0] == "96"


@pytest.mark.parametrize("pixels", [
    numpy.zeros((28, 28), numpy.uint8), numpy.ones((8, 8, 1), numpy.float32), numpy.full((8, 8, 3), numpy.nan),
    numpy.full((5, 7, 4), 3, numpy.int64), numpy.zeros((300, 3), bool), numpy.zeros((9, 9, 2), numpy.uint16),
    numpy.full((200, 200, 4), 9, numpy.uint8), numpy.full((4, 4), -numpy.inf),
])
def test_any_picture_can_be_shown(pixels):
    assert _report.picture(pixels)["picture"].startswith("data:image/")


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
    text = _report.page(measured, check_results.findings(measured))
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


@pytest.fixture
def no_plots(monkeypatch):
    """Where the content is not what is tested: plots take most of the time."""
    monkeypatch.setattr(_report_plots, "drawn", lambda *arguments: None)


# Files ---------------------------------------------------------------------------------------------------------


def test_a_file_is_written_whole_into_a_folder_that_is_made(tmp_path, no_plots):
    path = str(tmp_path / "new" / "report.html")
    assert _report.write(path, *check_results.check()) == path
    assert _report.write(path, *check_results.check(wrong=3)) == path
    assert "error rate: 3.0%" in (tmp_path / "new" / "report.html").read_text()
    assert os.listdir(tmp_path / "new") == ["report.html"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o666 & ~umask


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, no_plots):
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(Error, match=r"check_report .*No space left") as caught:
        _report.write(str(path), *check_results.check())
    assert caught.value.code == "report_not_written" and path.read_text() == "old" and os.listdir(tmp_path) == ["report.html"]


def test_a_path_that_cannot_be_written_is_told(tmp_path, no_plots):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.html").mkdir()
    for path in ("file/report.html", "folder.html", "file/"):
        with pytest.raises(Error, match="check_report") as caught:
            _report.write(str(tmp_path) + "/" + path, *check_results.check())
        assert caught.value.code == "report_not_written"


def test_without_matplotlib_the_way_out_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(_report_plots, "IMPORT_ERROR", ImportError("No module named 'matplotlib'"))
    with pytest.raises(Error, match=r"check_report needs matplotlib.*No module.*pip install matplotlib") as caught:
        _report.write(str(tmp_path / "report.html"), *check_results.check())
    assert caught.value.code == "library_missing" and not os.listdir(tmp_path)


def test_matplotlib_is_imported_for_a_report_only():
    code = "import sys, conftest; from %s import _report; assert not {'matplotlib', 'PIL', 'jinja2'} & set(sys.modules)"
    package = "ansible_collections.mlops.tf_serving.plugins.module_utils"
    subprocess.run([sys.executable, "-c", code % package], cwd=conftest.ROOT / "tests" / "unit", check=True)


# A folder and its index ----------------------------------------------------------------------------------------


def check(wrong=10, **changes):
    measured, dummy = check_results.check(wrong=wrong)
    measured.update(changes)
    return measured, check_results.findings(measured)


def names(folder):
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


def test_the_index_has_every_report_and_the_failed_ones_first(tmp_path, no_plots):
    folder = str(tmp_path) + "/"
    assert _report.write(folder, *check(model="a")) == folder + "a.html"
    _report.write(folder, *check(wrong=50, model="z </td><script>"))
    _report.write(folder, *check(model="m"))
    made = Page((tmp_path / "index.html").read_text())
    assert made.headings == ["✗ 1 of 3 models failed"]
    assert made.values("a", "href") == ["z_td_script_.html", "a.html", "m.html"] and names(tmp_path) == [
        "a.html", "index.html", "m.html", "z_td_script_.html",
    ]
    assert "50.0% 40.4 to 59.6%" in made.words and "z </td><script>" in made.words and made.tags["script"] == 0
    assert "Inference error rate: 50.0% is over" in made.words
    assert Page((tmp_path / "a.html").read_text()).values("a", "href") == ["index.html"]
    _report.write(folder, *check(model="z </td><script>"))
    assert Page((tmp_path / "index.html").read_text()).headings == ["✓ All 3 models passed"]


def test_other_releases_of_a_model_do_not_overwrite_its_report(tmp_path, no_plots):
    folder = str(tmp_path) + "/"
    (tmp_path / "strange.html").write_text("<html>somebody's own page</html>")
    (tmp_path / "broken.html").write_bytes(b'<meta name="inference-check" content="{&quot;passed&quot;: 1">\xff')
    for dummy in range(2):
        _report.write(folder, *check())
        _report.write(folder, *check(release="other"))
        _report.write(folder, *check(release="other", namespace="b"))
        _report.write(folder, *check(model="index"))
        _report.write(folder, *check(model="strange"))
        _report.write(folder, *check(model="mnist-other"))
    assert names(tmp_path) == [
        "broken.html", "index-mnist-deploy.html", "index.html", "mnist-other-b.html", "mnist-other-mnist-deploy.html",
        "mnist-other.html", "mnist.html", "strange-mnist-deploy.html", "strange.html",
    ]
    words = Page((tmp_path / "index.html").read_text()).words
    assert "All 6 models passed" in words and "other in b" in words
    assert (tmp_path / "strange.html").read_text() == "<html>somebody's own page</html>"


def test_a_report_without_a_release(tmp_path, no_plots):
    for address in ("a:1", "b:1"):
        measured, dummy = check(release=None)
        measured["servers"][0].update(title="address " + address, pod=None)
        _report.write(str(tmp_path) + "/", measured, check_results.findings(measured))
    assert names(tmp_path) == ["index.html", "mnist-address_b_1.html", "mnist.html"]


def test_a_report_that_was_taken_away_leaves_the_index(tmp_path, no_plots):
    folder = str(tmp_path) + "/"
    _report.write(folder, *check(model="a"))
    _report.write(folder, *check(model="b"))
    os.unlink(tmp_path / "a.html")
    _report.write(folder, *check(model="b"))
    assert Page((tmp_path / "index.html").read_text()).values("a", "href") == ["b.html"]


def test_checks_that_end_at_the_same_time_agree_on_the_index(tmp_path, no_plots, monkeypatch):
    """As with forks: processes that know nothing of each other, two each with the same model."""
    read = _report._summaries

    def slowly(folder):
        found = read(folder)
        time.sleep(0.1)  # for the others to write what was not read
        return found

    monkeypatch.setattr(_report, "_summaries", slowly)
    processes = multiprocessing.get_context("fork")
    ready = processes.Barrier(6)

    def write(number):
        content = check(wrong=number, model="model%d" % (number // 2), release="release%d" % number)
        ready.wait()
        _report.write(str(tmp_path) + "/", *content)

    children = [processes.Process(target=write, args=(number,)) for number in range(6)]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0] * 6
    made = Page((tmp_path / "index.html").read_text())
    assert len(made.values("a", "href")) == 6 and "All 6 models passed" in made.words
    assert len(names(tmp_path)) == 7 and [name for name in os.listdir(tmp_path) if name.startswith(".")] == [".lock"]
