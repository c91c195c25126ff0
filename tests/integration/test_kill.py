"""A run killed with SIGKILL at any step, then run again, converges; nothing half-copied is ever visible."""
from __future__ import annotations

import os
import subprocess
import tarfile

import pytest

from conftest import Lane, Watch, eventually, nas_tree
from tf_lab import settings

LANE = Lane("kill")
HOST = {"scaling_replicas": 2}
ARCHIVE = settings.CACHE / "models" / "mnist-export.tar.gz"


@pytest.fixture(scope="module")
def expected_files():
    with tarfile.open(ARCHIVE) as tar:
        return {m.name.split("/", 2)[2]: m.size for m in tar.getmembers() if m.isfile()}


@pytest.fixture(scope="module", autouse=True)
def clean_up(controller):
    yield
    controller.run("playbooks/teardown.yml", model_delete_data=True)


@pytest.fixture(autouse=True)
def from_nothing(controller):
    assert controller.run("playbooks/teardown.yml", model_delete_data=True).rc == 0


@pytest.fixture
def watcher(expected_files):
    """Looks at the base path all the time, as a server's poll does, and finds each version that is not whole."""
    def look():
        try:
            versions = [entry for entry in os.listdir(LANE.base / "mnist") if entry.isdigit()]
        except FileNotFoundError:
            return []
        halves = []
        for version in versions:
            for name, size in expected_files.items():
                path = LANE.base / "mnist" / version / name
                if not path.is_file() or path.stat().st_size != size:
                    halves.append(str(path))
        watch.versions.update(versions)
        return halves

    watch = Watch(look, pause=0.002)
    watch.versions = set()  # that it has seen at all
    with watch:
        yield watch
    assert watch.found == [] and watch.versions, "it has seen a version, and never a half of one"


def staged():
    """Files that a publishing run has in its staging folder now."""
    return [path for path in LANE.base.glob(".staging-*/**/*") if path.is_file() and path.name != "lock"]


def pending(api):
    return [
        secret.metadata.name
        for secret in api.core.list_namespaced_secret(LANE.namespace, label_selector="owner=helm,name=mnist-deploy").items
        if secret.metadata.labels["status"].startswith("pending")
    ]


def mounts_on_the_node():
    """Of this lane's export, in any process."""
    return subprocess.run(
        ["ssh", "-i", settings.NODE_KEY, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
         "-o", "LogLevel=ERROR", "root@" + settings.NAS_NODE_IP, "cat /proc/[0-9]*/mounts | grep nfs | grep -c ':%s '; true" % LANE.export],
        check=True, capture_output=True, text=True, timeout=60,
    ).stdout.strip()


def converges(controller, api, watcher, host):
    run = controller.run(hosts={"mnist": host}, gpu="false")
    assert run.rc == 0, run.failures
    assert watcher.found == []
    assert pending(api) == []
    assert mounts_on_the_node() == "0"
    assert not list(LANE.base.glob(".staging-*")), nas_tree(LANE)
    assert len([pod for pod in api.pods("mnist-deploy") if not pod.metadata.deletion_timestamp]) == 2
    again = controller.run(hosts={"mnist": host}, gpu="false")
    assert again.rc == 0 and again.changes() == [], again.failures


@pytest.mark.long
def test_killed_during_download(controller, api, watcher):
    slow = {**HOST, "model_archive": "http://%s/slow/mnist-export.tar.gz" % settings.WEB_IP}
    with controller.doomed(hosts={"mnist": slow}, gpu="false"):
        eventually(staged)
    assert not (LANE.base / "mnist" / "1").exists(), "killed on the way"
    converges(controller, api, watcher, HOST)


@pytest.mark.long
def test_killed_during_unpack(controller, api, watcher):
    """An archive with a large asset, so that unpacking takes a while."""
    large = settings.WWW / "mnist-large.tar.gz"
    with tarfile.open(ARCHIVE) as small, tarfile.open(large, "w:gz", compresslevel=1) as tar:
        for member in small.getmembers():
            tar.addfile(member, small.extractfile(member) if member.isfile() else None)
        asset = tarfile.TarInfo("mnist/1/assets/large")
        asset.size = 200 << 20
        with open("/dev/zero", "rb") as zeros:
            tar.addfile(asset, zeros)
    host = {**HOST, "model_archive": "http://%s/mnist-large.tar.gz" % settings.WEB_IP}
    with controller.doomed(hosts={"mnist": host}, gpu="false"):
        eventually(lambda: [path for path in staged() if path.name == "saved_model.pb"])
    converges(controller, api, watcher, host)
    large.unlink()


def test_killed_during_helm_install(controller, api, watcher):
    with controller.doomed(hosts={"mnist": HOST}, gpu="false"):
        eventually(lambda: pending(api), pause=0.01)
    converges(controller, api, watcher, HOST)


@pytest.mark.long
def test_killed_during_scale(controller, api, watcher):
    def asked():
        deployment = api.deployment()
        return deployment is not None and deployment.spec.replicas == 2

    with controller.doomed(hosts={"mnist": HOST}, gpu="false"):
        eventually(asked, seconds=120)
    converges(controller, api, watcher, HOST)
