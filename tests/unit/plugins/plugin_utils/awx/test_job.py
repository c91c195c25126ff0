"""What is gone when a controller's job ends."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.awx.job import dies_with_the_job

MOUNTS = {"/", "/runner", "/srv/reports", "/runner/project"}


@pytest.mark.parametrize(("path", "gone"), [
    ("/tmp/report.html", True), ("/runner/report.html", True), ("/runner/project/golden.npz", True), ("/srv/reports/", False),
    ("/srv/reports/deep/er/x.html", False), ("/srv/report.html", True), ("/runners/x", True), ("/srv/reports/../x", True),
])
def test_in_a_job(path, gone):
    assert dies_with_the_job(path, {"JOB_ID": "12"}, MOUNTS.__contains__) is gone


def test_a_relative_path_is_of_the_project(monkeypatch):
    monkeypatch.setattr("os.getcwd", lambda: "/runner/project")
    assert dies_with_the_job("report.html", {"JOB_ID": "12"}, MOUNTS.__contains__)


def test_in_a_mount_below_the_jobs_home():
    assert dies_with_the_job("/runner/env/x", {"JOB_ID": "1"}, {"/", "/runner/env"}.__contains__)
    assert not dies_with_the_job("/runners/x", {"JOB_ID": "1"}, {"/", "/runners"}.__contains__)


def test_elsewhere_it_stays():
    assert not dies_with_the_job("/tmp/report.html", {}, MOUNTS.__contains__)
