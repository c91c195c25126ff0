"""The report's files: what cannot happen to them, and the index."""
from __future__ import annotations

import multiprocessing
import os
import stat
import subprocess
import sys
import time

import check_results
import pytest
from parsed_page import Page

import conftest
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import files, plots


@pytest.fixture
def no_plots(monkeypatch):
    """Where the content is not what is tested: plots take most of the time."""
    monkeypatch.setattr(plots, "drawn", lambda *arguments: None)


# Files ---------------------------------------------------------------------------------------------------------


def test_a_file_is_written_whole_into_a_folder_that_is_made(tmp_path, no_plots):
    path = str(tmp_path / "new" / "report.html")
    assert files.write(path, *check_results.check()) == path
    assert files.write(path, *check_results.check(wrong=3)) == path
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
        files.write(str(path), *check_results.check())
    assert caught.value.code == "report_not_written" and path.read_text() == "old" and os.listdir(tmp_path) == ["report.html"]


def test_a_path_that_cannot_be_written_is_told(tmp_path, no_plots):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.html").mkdir()
    for path in ("file/report.html", "folder.html", "file/"):
        with pytest.raises(Error, match="check_report") as caught:
            files.write(str(tmp_path) + "/" + path, *check_results.check())
        assert caught.value.code == "report_not_written"


def test_without_matplotlib_the_way_out_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "IMPORT_ERROR", ImportError("No module named 'matplotlib'"))
    with pytest.raises(Error, match=r"check_report needs matplotlib.*No module.*pip install matplotlib") as caught:
        files.write(str(tmp_path / "report.html"), *check_results.check())
    assert caught.value.code == "library_missing" and not os.listdir(tmp_path)


def test_matplotlib_is_imported_for_a_report_only():
    code = "import sys, conftest; from %s import run; assert not {'matplotlib', 'PIL', 'jinja2'} & set(sys.modules)"
    package = "ansible_collections.mlops.tf_serving.plugins.plugin_utils.check"
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
    assert files.write(folder, *check(model="a")) == folder + "a.html"
    files.write(folder, *check(wrong=50, model="z </td><script>"))
    files.write(folder, *check(model="m"))
    made = Page((tmp_path / "index.html").read_text())
    assert made.headings == ["✗ 1 of 3 models failed"]
    assert made.values("a", "href") == ["z_td_script_.html", "a.html", "m.html"] and names(tmp_path) == [
        "a.html", "index.html", "m.html", "z_td_script_.html",
    ]
    assert "50.0% 40.4 to 59.6%" in made.words and "z </td><script>" in made.words and made.tags["script"] == 0
    assert "Inference error rate: 50.0% is over" in made.words
    assert Page((tmp_path / "a.html").read_text()).values("a", "href") == ["index.html"]
    files.write(folder, *check(model="z </td><script>"))
    assert Page((tmp_path / "index.html").read_text()).headings == ["✓ All 3 models passed"]


def test_other_releases_of_a_model_do_not_overwrite_its_report(tmp_path, no_plots):
    folder = str(tmp_path) + "/"
    (tmp_path / "strange.html").write_text("<html>somebody's own page</html>")
    (tmp_path / "broken.html").write_bytes(b'<meta name="inference-check" content="{&quot;passed&quot;: 1">\xff')
    for dummy in range(2):
        files.write(folder, *check())
        files.write(folder, *check(release="other"))
        files.write(folder, *check(release="other", namespace="b"))
        files.write(folder, *check(model="index"))
        files.write(folder, *check(model="strange"))
        files.write(folder, *check(model="mnist-other"))
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
        files.write(str(tmp_path) + "/", measured, check_results.findings(measured))
    assert names(tmp_path) == ["index.html", "mnist-address_b_1.html", "mnist.html"]


def test_a_report_that_was_taken_away_leaves_the_index(tmp_path, no_plots):
    folder = str(tmp_path) + "/"
    files.write(folder, *check(model="a"))
    files.write(folder, *check(model="b"))
    os.unlink(tmp_path / "a.html")
    files.write(folder, *check(model="b"))
    assert Page((tmp_path / "index.html").read_text()).values("a", "href") == ["b.html"]


def test_checks_that_end_at_the_same_time_agree_on_the_index(tmp_path, no_plots, monkeypatch):
    """As with forks: processes that know nothing of each other, two each with the same model."""
    read = files._summaries

    def slowly(folder):
        found = read(folder)
        time.sleep(0.1)  # for the others to write what was not read
        return found

    monkeypatch.setattr(files, "_summaries", slowly)
    processes = multiprocessing.get_context("fork")
    ready = processes.Barrier(6)

    def write(number):
        content = check(wrong=number, model="model%d" % (number // 2), release="release%d" % number)
        ready.wait()
        files.write(str(tmp_path) + "/", *content)

    children = [processes.Process(target=write, args=(number,)) for number in range(6)]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0] * 6
    made = Page((tmp_path / "index.html").read_text())
    assert len(made.values("a", "href")) == 6 and "All 6 models passed" in made.words
    assert len(names(tmp_path)) == 7 and [name for name in os.listdir(tmp_path) if name.startswith(".")] == [".lock"]
