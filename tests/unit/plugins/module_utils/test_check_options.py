"""Wrong options of the check: variable, value and way out, whether from the module or as a person wrote them."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.filter.model import FilterModule
from ansible_collections.mlops.tf_serving.plugins.module_utils import _check_options
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error


@pytest.mark.parametrize("options", [
    {}, {"tests": "", "max_error_rate": "", "min_rate": None, "max_latency_ms": "", "inputs": {}, "tolerance": " "},
    {"tests": "1000", "batch_size": 20, "timeout": "0.5", "max_error_rate": 0, "min_agreement": "99.5", "tolerance": 0},
    {"max_latency_ms": {"p50": 5, "p90": "7.5", "p99": 20.0, "max": 100}, "max_failed_requests": 0, "stable_version": "3"},
    {"inputs": {"images": "images", "meta": ["a", "b"]}, "tls": "yes", "tls_ca_cert": "/ca.pem"},
    {"batch_size": "64", "max_batch_size": 64}, {"batch_size": "", "max_batch_size": 32},
])
def test_right_options(options):
    _check_options.validate(options)


@pytest.mark.parametrize(("options", "says"), [
    ({"tests": 0}, "check_tests is 0: use a whole number from 1"),
    ({"tests": "1.5"}, "check_tests is 1.5: use a whole number from 1"),
    ({"tests": "many"}, "check_tests is many: use a whole number from 1"),
    ({"batch_size": -1}, "check_batch_size is -1: use a whole number"),
    ({"concurrency": True}, "check_concurrency is True"),
    ({"max_failed_requests": "-1"}, "check_max_failed_requests is -1: use a whole number from 0"),
    ({"max_error_rate": 150}, "check_max_error_rate is 150: use a percentage from 0 to 100"),
    ({"min_agreement": "nan"}, "check_min_agreement is nan"),
    ({"max_difference": -1}, "check_max_difference is -1: use a percentage"),
    ({"timeout": 0}, "check_timeout is 0: use a number above 0"),
    ({"divisor": "0"}, "check_divisor is 0: use a number above 0"),
    ({"tolerance": -0.1}, "check_tolerance is -0.1: use a number from 0"),
    ({"min_rate": "fast"}, "check_min_rate is fast: use a number"),
    ({"max_latency_ms": 20}, "check_max_latency_ms is 20: use a mapping of p50"),
    ({"max_latency_ms": {"p95": 20}}, "check_max_latency_ms has p95: 20"),
    ({"max_latency_ms": {"p99": "0"}}, "check_max_latency_ms has p99: 0"),
    ({"inputs": "images"}, "check_inputs is images: use a mapping"),
    ({"inputs": {"images": ""}}, "check_inputs is {'images': ''}"),
    ({"tls_ca_cert": "/ca.pem", "tls": False}, "check_tls is false"),
    ({"tls": "flase"}, "check_tls is flase: use true or false"),
    ({"batch_size": "65", "max_batch_size": 64}, "check_batch_size is 65, and serving_batching.max_batch_size is 64"),
])
def test_wrong_options(options, says):
    with pytest.raises(Error) as caught:
        _check_options.validate(options)
    assert caught.value.message.startswith(says) or says in caught.value.message
    assert caught.value.code == "option_invalid"
    assert FilterModule().filters()["check_problem"](options) == caught.value.message


def test_files_that_are_not_there(tmp_path):
    assert _check_options.problem({"golden": "https://host/golden.npz", "tls_ca_cert": ""}) == ""
    assert "which is not there" in _check_options.problem({"golden": str(tmp_path / "no.npz")})
    assert "playbooks/record.yml makes it" in _check_options.problem({"golden": str(tmp_path / "no.npz")})
    assert "check_tls_ca_cert is" in _check_options.problem({"tls_ca_cert": "/no/ca.pem", "tls": True})


@pytest.fixture
def drawn(monkeypatch):
    """matplotlib is there."""
    monkeypatch.setattr(_check_options.importlib.util, "find_spec", lambda name: True)


def test_reports_that_can_be_written(tmp_path, drawn):
    (tmp_path / "old.html").write_text("")
    for name in ("report.html", "old.html", "reports/", "new/folder/report.html"):
        assert _check_options.problem({"report": str(tmp_path) + "/" + name}) == ""
    assert not (tmp_path / "new").exists(), "it only looks"


@pytest.mark.parametrize(("name", "says"), [
    ("report", "use FILE.html, or a folder that ends in /"), ("report.pdf", "use FILE.html"), ("folder.html", "which is a folder"),
    ("file/report.html", "the folder %s/file cannot be written"), ("file/", "the folder %s/file cannot be written"),
])
def test_reports_that_cannot(tmp_path, drawn, name, says):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.html").mkdir()
    said = _check_options.problem({"report": "%s/%s" % (tmp_path, name)})
    assert said.startswith("check_report is %s/%s" % (tmp_path, name))
    assert (says % tmp_path if "%s" in says else says) in said


def test_a_folder_of_somebody_else(tmp_path, drawn, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied", dir)
    monkeypatch.setattr(_check_options.tempfile, "TemporaryFile", refuse)  # root may write everywhere
    said = _check_options.problem({"report": str(tmp_path / "report.html")})
    assert "the folder %s cannot be written (Permission denied): choose" % tmp_path in said


def test_a_report_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setattr(_check_options.importlib.util, "find_spec", lambda name: name != "matplotlib" or None)
    said = _check_options.problem({"report": str(tmp_path / "report.html")})
    assert "check_report needs matplotlib in the controller's Python" in said and "pip install matplotlib" in said


def test_where_to_record(tmp_path):
    assert _check_options.problem({"record": str(tmp_path / "new" / "golden.npz")}) == ""
    for wrong in ("https://host/golden.npz", str(tmp_path / "golden")):
        assert "check_golden is %s: to record" % wrong in _check_options.problem({"record": wrong})
