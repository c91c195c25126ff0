"""For all tests: a test that is skipped where everything should be there (CI=true) has failed."""
from __future__ import annotations

import os

import pytest

# Reasons that a machine may have. Each names what is missing there.
ALLOWED = ("no Python ",)  # old interpreters, on which the node's part is tried


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    outcome = yield
    report = outcome.get_result()
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        reason = str(report.longrepr[2]).replace("Skipped: ", "", 1)
        if not reason.startswith(ALLOWED):
            report.outcome, report.longrepr = "failed", "Skipped, and nothing is missing in CI: " + reason


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report():
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome, report.longrepr = "failed", "Skipped as a whole, and nothing is missing in CI: %s" % (report.longrepr[2],)


def pytest_make_parametrize_id(config, val, argname):
    """Packed bytes hold a time, so that two workers would give one case two names."""
    return "%s of %d bytes" % (argname, len(val)) if isinstance(val, bytes) else None
