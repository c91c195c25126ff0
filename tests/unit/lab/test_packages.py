"""Installing Debian packages must not start or stop anything of this machine's own."""
from __future__ import annotations

import pytest

from tf_lab import packages
from tf_lab.shell import LabError


@pytest.fixture
def install(monkeypatch, tmp_path):
    """A function that lets build() install; it returns what policy-rc.d said meanwhile."""
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "POLICY", policy)
    monkeypatch.setattr(packages, "_installed", set)
    said = []

    def run(*command, env):
        if "install" in command:
            said.append(policy.read_text())
            raise LabError("killed in the middle")

    monkeypatch.setattr(packages, "run", run)

    def run_build():
        with pytest.raises(LabError, match="killed"):
            packages.build()
        return said[-1]

    run_build.policy = policy
    return run_build


def test_services_may_not_start_and_the_policy_goes_even_after_a_failure(install):
    assert "exit 101" in install()
    assert not install.policy.exists()


def test_somebody_elses_policy_stays(install):
    install.policy.write_text("#!/bin/sh\nexit 101 # theirs\n")
    assert "theirs" in install()
    assert "theirs" in install.policy.read_text()


def test_a_policy_that_a_killed_run_has_left_is_taken_away(monkeypatch, install):
    install.policy.write_text(packages.OURS)
    monkeypatch.setattr(packages, "_installed", lambda: set(packages.PACKAGES))
    packages.build()
    assert not install.policy.exists()
