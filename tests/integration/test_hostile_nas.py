"""The real NFS: publish, withdraw, prune and teardown run on the node, again and again, while others rename folders and plant links."""
from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import time

import pytest

from conftest import ROOT, Lane
from tf_lab import settings

sys.path.insert(0, str(ROOT / "tests" / "unit"))
from saved_models import model_files, tar, under  # noqa: E402

LANE = Lane("hostile")
SECONDS = 12  # of swapping
SSH = ["ssh", "-i", str(settings.NODE_KEY), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
       "root@" + settings.NAS_NODE_IP]
DRIVER = """
import json, sys, time
sys.path.insert(0, %(there)r)
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import bringing, lifecycle, mount, publish
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Request

def run(work, **options):
    request = Request(dict({"nas_server": %(server)r, "nas_export": %(export)r, "base_path": %(export)r + "/mnist", "lock_timeout": 2,
                            "timeout": 60}, **options))
    try:
        return mount.within(mount.Export(request.server, request.export, request.options, 30), lambda folder: work(folder, request), 60)
    except Error as error:
        return error.as_dict()

def archive(number):
    return "file://%(there)s/%%d.tar.gz" %% number

def a_life():
    return [run(publish.publish, archive=archive(number)) for number in (1, 2, 3)] + [
        run(lifecycle.versions, withdraw=[3], reason="x"), run(lifecycle.versions, keep=1), run(publish.absent)]

end, lives, done = time.monotonic() + %(seconds)d, 0, []
least = 3 if %(seconds)d else 1  # on a busy machine each takes long
while lives < least or time.monotonic() < end:
    done += a_life()
    lives += 1
print(json.dumps({"lives": lives, "changed": sum(bool(each.get("changed")) for each in done),
                  "codes": sorted({each["code"] for each in done if "code" in each}), "last": done[-6:]}))
"""


def node(command, **options):
    done = subprocess.run([*SSH, command], check=False, capture_output=True, timeout=300, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def there():
    """A folder on the node with the code and three archives."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as pack:
        pack.add(ROOT / "plugins/module_utils", "ansible_collections/mlops/tf_serving/plugins/module_utils")
        for number in (1, 2, 3):
            content = tar(under("mnist/%d" % number, model_files(b"weights %d" % number * 2000)))
            member = tarfile.TarInfo("%d.tar.gz" % number)
            member.size = len(content)
            pack.addfile(member, io.BytesIO(content))
    folder = node("mktemp -d /root/hostile.XXXXXX").strip()
    node("tar -xz -C %s && mkdir %s/canary && echo secret > %s/canary/saved_model.pb" % (folder, folder, folder), input=packed.getvalue())
    yield folder
    node("rm -rf %s" % folder)


@pytest.fixture
def lane():
    shutil.rmtree(LANE.base, ignore_errors=True)
    (LANE.base / "backups/2023").mkdir(parents=True)
    for name in ("2023/payroll.tar", "1/saved_model.pb", "variables/variables.index"):
        path = LANE.base / "backups" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("canary " + name)
    os.chown(LANE.base / "backups", 1234, 1234)
    yield LANE.base
    shutil.rmtree(LANE.base)


def driven(there, seconds):
    """The driver at work on the node."""
    values = {"there": there, "server": settings.NAS_IP, "export": LANE.export, "seconds": seconds}
    process = subprocess.Popen([*SSH, "python3 -"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write((DRIVER % values).encode())
    process.stdin.close()
    process.stdin = None
    return process


def ended(process):
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors.decode()
    return json.loads(output)


def contents(folder):
    return {
        hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


def canary(there):
    return node("cd %s/canary && find . -printf '%%p %%y %%m %%U\\n' | sort && sha256sum saved_model.pb && ls -la /etc | sha256sum" % there)


def test_a_life_on_the_real_nfs(there, lane):
    """What the rest is about: it works, and nothing is left behind."""
    before = canary(there)
    told = ended(driven(there, 0))
    assert (told["changed"], told["codes"]) == (6, []), told
    assert sorted(path.name for path in lane.iterdir()) == ["backups"]
    assert canary(there) == before


@pytest.mark.parametrize("kind", ["link", "fifo", "device", "file"])
def test_what_is_planted_is_refused(there, lane, kind):
    path, before = lane / ".staging-mnist", canary(there)
    {"link": lambda: path.symlink_to(there + "/canary"), "fifo": lambda: os.mkfifo(path), "file": lambda: path.write_text(""),
     "device": lambda: os.mknod(path, 0o020600, os.makedev(10, 130))}[kind]()
    told = ended(driven(there, 0))
    assert (told["changed"], told["codes"]) == (0, ["not_ours"]), told
    assert sorted(found.name for found in lane.iterdir()) == [".staging-mnist", "backups"]
    assert canary(there) == before


def test_swaps_at_random_moments(there, lane):
    before, theirs, random_ = canary(there), contents(lane / "backups"), random.Random(11)
    process = driven(there, SECONDS)
    swaps = 0
    while process.poll() is None:
        for pattern in random_.sample([
            "mnist", ".staging-mnist", ".staging-mnist/run-*", ".staging-mnist/run-*/unpacked/mnist", "mnist/1", "mnist/2/variables",
            "mnist/.provenance", "mnist/.withdrawn", "mnist/.provenance/1.json", ".staging-mnist/lock",
        ], 3):
            for path in list(lane.glob(pattern))[:1]:
                swaps += swapped(path, lane, there, random_.choice(["link", "folder"]) if "run-" not in pattern else "link")
        time.sleep(random_.uniform(0, 0.05))
    told = ended(process)
    assert told["lives"] > 2 and told["changed"] > 2 and swaps > 50, (told, swaps)
    assert canary(there) == before
    assert theirs <= contents(lane), "what others had is still there, wherever it was moved"


def swapped(path, lane, there, what):
    """For a moment something else lies there. 1 if it did."""
    away = lane / "away"
    try:
        path.rename(away)
    except OSError:
        return 0
    try:
        if what == "link":
            path.symlink_to(there + "/canary")
        else:
            (lane / "backups").rename(path)
        time.sleep(0.02)
    except OSError:
        pass
    try:
        if path.is_symlink():
            path.unlink()
        elif not (lane / "backups").exists() and (path / "2023/payroll.tar").exists():
            path.rename(lane / "backups")
        away.rename(path)
    except OSError:  # a run has made another one meanwhile
        shutil.rmtree(away, ignore_errors=True)
        if away.exists():
            away.unlink()
    return 1
