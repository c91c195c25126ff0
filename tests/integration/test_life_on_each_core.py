"""The whole way, site, publish and rollback, under the oldest and the newest ansible-core that this machine can run. Told in order.

What else a core can change is in tests/cores, without a cluster.
"""
from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import pytest
from served import everywhere

from conftest import HOST, ROOT, V1, V2, Lane, unchanged

LANE = Lane("cores")
pytestmark = pytest.mark.long


@pytest.fixture(scope="module", params=["oldest", "newest"])
def controller(request, project):
    """The project under another core, on a lane that is empty."""
    python = Path(subprocess.run(
        [sys.executable, "tests/cores.py", "--python", request.param], cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.strip())
    under = copy.copy(project.on(LANE))
    under.environment = {**project.environment, "PATH": "%s:%s" % (python.parent, project.environment["PATH"])}
    assert under.run("playbooks/teardown.yml", model_delete_data=True).rc == 0
    yield under
    under.run("playbooks/teardown.yml", model_delete_data=True)


@pytest.mark.parametrize("policy", ["latest", "pinned"])
def test_site_publish_and_rollback(play, api, policy):
    host = {**HOST, "serving_version_policy": policy}
    assert play("site", host, model_archive=V1).rc == 0
    everywhere(api, 1)
    unchanged(play("site", host, model_archive=V1))
    published = play("publish", host, model_archive=V2)
    assert published.rc == 0, published.failures
    if policy == "pinned":
        everywhere(api, 1)
        promoted = play("promote", host)
        assert promoted.rc == 0, promoted.failures
    everywhere(api, 2)
    unchanged(play("publish", host, model_archive=V2))
    rolled_back = play("rollback", host, model_rollback_reason="labels were swapped")
    assert rolled_back.rc == 0, rolled_back.failures
    everywhere(api, 1)
    assert "labels were swapped" in play("status", host).stdout
    assert play("teardown", host, model_delete_data=True).rc == 0


def test_it_is_the_core_that_was_asked_for(controller, request):
    run = controller.run(hosts={}, cmdline="--version")
    row = request.node.callspec.params["controller"]
    assert ("[core 2.16" in run.stdout) == (row == "oldest"), run.stdout
