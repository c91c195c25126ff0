"""Publishing killed with SIGKILL at each of its steps: something good serves all the time, and running it again finishes."""
from __future__ import annotations

import contextlib

import pytest
import served
from served import everywhere, ready

from conftest import HOST, PINNED, V1, V2, WEB, Lane, Watch, eventually
from tf_lab import settings

LANE = Lane("version-kills")
WRECKED = {"model_archive": WEB + "mnist-wrecked.tar.gz"}


@pytest.fixture(scope="module", autouse=True)
def deployed(controller):
    assert controller.run("playbooks/teardown.yml", model_delete_data=True).rc == 0
    assert controller.run(hosts={"mnist": {**HOST, "model_archive": V1}}, gpu="false").rc == 0
    yield
    controller.run("playbooks/teardown.yml", model_delete_data=True)


@pytest.fixture
def gaps(api):
    """Asks each replica all the time, and finds each moment in which one serves nothing."""
    pods = ready(api)
    assert len(pods) == 2
    with Watch(lambda: [pod.metadata.name for pod in pods if served.serves(pod) is None], pause=0.05) as watch:
        yield
    assert watch.found == []


@contextlib.contextmanager
def killed(controller, playbook, host):
    with controller.doomed("playbooks/%s.yml" % playbook, hosts={"mnist": host}, gpu="false"):
        yield


def staged():
    return [path for path in LANE.base.glob(".staging-*/**/*") if path.is_file() and path.name != "lock"]


@pytest.mark.long
def test_killed_while_it_downloads(controller, api, play, gaps):
    slow = "http://%s/slow/mnist-export-2.tar.gz" % settings.WEB_IP
    with killed(controller, "publish", {**HOST, "model_archive": slow}):
        eventually(staged)
    everywhere(api, 1)
    assert play("publish", HOST, model_archive=V2).rc == 0
    everywhere(api, 2)


def test_killed_when_the_version_is_live_and_unchecked(controller, api, play, gaps):
    host = {**HOST, "model_archive": V1, "model_version": 4}
    with killed(controller, "publish", host):
        eventually((LANE.base / "mnist" / "4").exists)
    assert play("publish", host).rc == 0
    everywhere(api, 4)


@pytest.mark.long
def test_killed_before_a_wrecked_version_was_checked(controller, api, play, gaps):
    host = {**HOST, **WRECKED, "model_version": 5}
    with killed(controller, "publish", host):
        eventually(lambda: served.serves(ready(api)[0]) == 5)
    run = play("publish", host)
    assert run.rc == 2 and "version 4 serves" in run.failures
    everywhere(api, 4)


@pytest.mark.long
def test_killed_during_its_own_rollback(controller, api, play, gaps):
    host = {**HOST, **WRECKED, "model_version": 6}
    with killed(controller, "publish", host):
        eventually((LANE.base / "mnist" / ".withdrawn" / "6").exists, pause=0.005)
    run = play("publish", host)
    assert run.rc == 2 and "withdrawn" in run.failures
    eventually(lambda: {served.serves(pod) for pod in ready(api)} == {4})


def config(api):
    return api.config_map("mnist-deploy-model-config").data["models.config"]


def test_promotion_killed_between_its_steps(controller, api, play):
    assert play("site", PINNED, model_archive=V1, model_version=4).rc == 0
    everywhere(api, 4, label="stable")
    host = {**PINNED, "model_archive": V2, "model_version": 7}
    assert play("publish", host).rc == 0
    with killed(controller, "promote", PINNED):
        eventually(lambda: "versions: 7" in config(api).split("canary")[0], pause=0.01)
    # The label was on version 4. It moves on every replica or on none, and where it has moved, 7 is loaded.
    stable = {served.serves(pod, label="stable") for pod in ready(api)}
    assert stable in ({4}, {7}), "the label is nowhere lost, and the same on all replicas, which were stepped together"
    assert play("promote", PINNED).rc == 0
    everywhere(api, 7)
    everywhere(api, 7, label="stable")
    assert all(served.loaded(pod) == [7] for pod in ready(api))
