"""Wrong options of the check: variable, value and way out. And the files that it will need."""
from __future__ import annotations

import os

import pytest
from documented import documented, facts

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import options as _options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.options import absolute, look_around, validate


@pytest.mark.parametrize("options", [
    {}, {"tests": None, "max_latency_ms": {}, "inputs": {}, "expected_version": None},
    {"tests": 1, "port": 65535, "batch_size": 1, "concurrency": 1, "dataset_timeout": 1, "version_timeout": 0,
     "expected_version": 1, "stable_version": 1, "max_failed_requests": 0},
    {"max_error_rate": 0.0, "min_agreement": 100.0, "max_difference": 0.0, "tolerance": 0.0, "timeout": 0.1, "divisor": 0.5},
    {"max_latency_ms": {"p50": 5, "p90": "7.5", "p99": 20.0, "max": 100}}, {"inputs": {"images": "images", "meta": ["a", "b"]}},
    {"tls": True, "tls_ca_cert": "/ca.pem"}, {"tls_ca_cert": "/ca.pem"}, {"tls": False},
    {"model_name": "any name", "release": "Any", "report": "any", "dataset": "any"},
])
def test_right_options(options):
    validate(options)


@pytest.mark.parametrize(("options", "says"), [
    ({"tests": 0}, "check_tests is 0: use a whole number from 1."),
    ({"port": 0}, "check_port is 0: use a whole number from 1 to 65535."),
    ({"port": 65536}, "check_port is 65536: use a whole number from 1 to 65535."),
    ({"batch_size": -1}, "check_batch_size is -1: use a whole number from 1."),
    ({"concurrency": 0}, "check_concurrency is 0: use a whole number from 1."),
    ({"dataset_timeout": 0}, "check_dataset_timeout is 0: use a whole number from 1."),
    ({"version_timeout": -1}, "check_version_timeout is -1: use a whole number from 0."),
    ({"max_failed_requests": -1}, "check_max_failed_requests is -1: use a whole number from 0."),
    ({"max_error_rate": 150.0}, "check_max_error_rate is 150.0: use a percentage from 0 to 100, such as 15."),
    ({"min_agreement": -0.1}, "check_min_agreement is -0.1: use a percentage"),
    ({"max_difference": -1.0}, "check_max_difference is -1.0: use a percentage"),
    ({"min_agreement": float("nan")}, "check_min_agreement is nan: use a percentage"),
    ({"timeout": 0.0}, "check_timeout is 0.0: use a number above 0."),
    ({"divisor": 0.0}, "check_divisor is 0.0: use a number above 0."),
    ({"min_rate": 0.0}, "check_min_rate is 0.0: use a number above 0."),
    ({"tolerance": -0.1}, "check_tolerance is -0.1: use a number from 0."),
    ({"max_latency_ms": {"p95": 20}}, "check_max_latency_ms is {'p95': 20}: use a mapping of p50, p90, p99 and max to milliseconds"),
    ({"max_latency_ms": {"p99": "0"}}, "check_max_latency_ms is {'p99': '0'}: use a mapping"),
    ({"inputs": {"images": ""}}, "check_inputs is {'images': ''}: use a mapping of the model's inputs to columns"),
    ({"tls_ca_cert": "/ca.pem", "tls": False}, "check_tls_ca_cert is '/ca.pem': check_tls is false: set check_tls to true, or leave"),
])
def test_wrong_options(options, says):
    with pytest.raises(Error) as caught:
        validate(options)
    assert caught.value.message.startswith(says) and caught.value.code == "option_invalid"


@pytest.mark.parametrize("name", ["expected_version", "stable_version"])
def test_versions_begin_at_one(name):
    with pytest.raises(Error, match="check_%s is 0: use a whole number from 1" % name):
        validate({name: 0})


def test_the_files_of_both_modules_are_documented():
    told = documented("check_preflight")
    assert {name: facts(option) for name, option in _options.FILES.items()} == {
        name: facts(told[name]) for name in _options.FILES}


# --- where files lie ---

def test_relative_paths_begin_at_the_playbooks_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir(tmp_path)
    given = {
        "record": "a/g.npz", "report": "reports/", "tls_ca_cert": "~/ca.pem", "golden": "g.npz", "dataset": "data", "tests": 3,
    }
    assert absolute(given, "/play") == {
        **given, "record": "/play/a/g.npz", "golden": "/play/g.npz", "report": "/play/reports/", "tls_ca_cert": "/home/me/ca.pem"}
    assert absolute({"report": "r.html"}, ".") == {"report": str(tmp_path / "r.html")}
    same = {"record": "https://host/g.npz", "report": None, "tls_ca_cert": "/ca.pem", "golden": "file:///g.npz"}
    assert absolute(same, "/play") == same and given["record"] == "a/g.npz"
    assert absolute({"golden": "http://host/g.npz"}, "/play") == {"golden": "http://host/g.npz"}


# --- what is there ---

def problem(**options):
    """The sentence and the code, or nothing."""
    try:
        look_around(options)
    except Error as error:
        return error.message, error.code
    return None


def test_golden_files(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "golden.npz").write_text("")
    for location in ("%s/golden.npz" % tmp_path, "file://%s/golden.npz" % tmp_path, "~/golden.npz", "file://~/golden.npz",
                     "https://host/golden.npz", "http://host/golden.npz", "", None):
        assert problem(golden=location) is None, location
    for location in ("%s/no.npz" % tmp_path, "file://%s/no.npz" % tmp_path, "ftp://host/golden.npz"):
        assert problem(golden=location) == (
            "check_golden is %s, which is not there or cannot be read on this controller: with check_record: true, the first check"
            " makes it; so does playbooks/record.yml, where the model serves already." % location,
            "golden_missing",
        )


@pytest.mark.parametrize("name", _options.TLS_FILES)
def test_files_for_tls(tmp_path, name):
    (tmp_path / "ca.pem").write_text("")
    assert problem(**{name: "%s/ca.pem" % tmp_path}) is None
    assert problem(**{name: "/no/ca.pem"}) == (
        "check_%s is /no/ca.pem, which is not there or cannot be read on this controller." % name, "option_invalid")


@pytest.fixture
def drawn(monkeypatch):
    """matplotlib is there."""
    monkeypatch.setattr(_options.importlib.util, "find_spec", lambda name: True)


def test_reports_that_can_be_written(tmp_path, drawn, monkeypatch):
    (tmp_path / "old.html").write_text("old")
    for name in ("report.html", "old.html", "reports/", "new/folder/report.html", "new/folder/"):
        assert problem(report="%s/%s" % (tmp_path, name)) is None
    monkeypatch.chdir(tmp_path)
    assert problem(report="report.html") is None
    assert os.listdir(tmp_path) == ["old.html"] and (tmp_path / "old.html").read_text() == "old", "it only looks"


@pytest.mark.parametrize(("name", "says"), [
    ("report", ": use FILE.html, or a folder that ends in / (it gets one page a model, and an index)."),
    ("report.pdf", ": use FILE.html"),
    ("folder.html", ", which is a folder: choose a path on this controller that can be written."),
    ("file/report.html", ", and the folder %s/file cannot be written (Not a directory): choose"),
    ("file/", ", and the folder %s/file cannot be written (Not a directory): choose"),
])
def test_reports_that_cannot(tmp_path, drawn, name, says):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.html").mkdir()
    said, code = problem(report="%s/%s" % (tmp_path, name))
    assert said.startswith("check_report is %s/%s%s" % (tmp_path, name, says.replace("%s", str(tmp_path))))
    assert code == "option_invalid"


def test_a_file_and_a_folder_of_somebody_else(tmp_path, drawn, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied", dir)

    path = tmp_path / "report.html"
    monkeypatch.setattr(_options.tempfile, "TemporaryFile", refuse)  # root may write everywhere
    said, code = problem(report=str(path))
    assert "the folder %s cannot be written (Permission denied): choose" % tmp_path in said and code == "option_invalid"
    path.write_text("")
    asked = []
    monkeypatch.setattr(_options.os, "access", lambda path, mode: asked.append((path, mode)))
    assert problem(report=str(path)) == (
        "check_report is %s, which cannot be written: choose a path on this controller that can be written." % path, "option_invalid")
    assert asked == [(str(path), os.W_OK)]


@pytest.mark.parametrize(("there", "missing"), [
    ([], "matplotlib and jinja2"), (["jinja2"], "matplotlib"), (["matplotlib"], "jinja2"), (["matplotlib", "jinja2"], None),
])
def test_what_a_report_is_drawn_with(tmp_path, monkeypatch, there, missing):
    monkeypatch.setattr(_options.importlib.util, "find_spec", lambda name: name in there or None)
    found = problem(report=str(tmp_path / "report.html"))
    if missing is None:
        assert found is None
    else:
        assert found[0].startswith("check_report needs %s in the controller's Python (" % missing)
        assert found[1] == "library_missing"
        assert "pip install %s, or leave check_report empty." % missing.replace(" and", "") in found[0]
    assert problem(report=None) is None


def test_where_to_record(tmp_path):
    assert problem(record=str(tmp_path / "new" / "golden.npz")) is None
    for wrong in ("https://host/golden.npz", "http://host/golden.npz", str(tmp_path / "golden")):
        assert problem(record=wrong) == (
            "check_golden is %s: to record, use the path of a file on this controller that ends in .npz." % wrong, "option_invalid")
    (tmp_path / "folder.npz").mkdir()
    assert problem(record=str(tmp_path / "folder.npz"))[0].startswith("check_golden is %s/folder.npz, which is a folder" % tmp_path)
