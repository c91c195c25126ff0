"""The private mount, with a `mount` command that binds a folder in place of an NFS server's export."""
from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils import _nas_mount
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._nas_mount import Export


def may_mount():
    return sys.platform == "linux" and subprocess.run(
        ["unshare", "-m", "sh", "-c", "mount --bind /tmp /tmp"], check=False, capture_output=True
    ).returncode == 0


needs_mounts = pytest.mark.skipif(not may_mount(), reason="only root may mount")


@pytest.fixture()
def nas(tmp_path, monkeypatch):
    """A folder that SERVER:/ stands for."""
    root = tmp_path / "nas"
    root.mkdir()
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "mount").write_text("""#!/bin/sh
printf '%%s ' "$@" >> %(log)s
while [ $# -gt 2 ]; do shift; done
path=${1#nas:}
[ "$path" = /hangs ] && exec sleep 61.7
[ -d "%(root)s$path" ] || { echo "mount.nfs: mounting $1 failed, reason given by server: No such file or directory" >&2; exit 32; }
exec %(mount)s --bind "%(root)s$path" "$2"
""" % {"root": root, "log": tmp_path / "log", "mount": "/bin/mount"})
    (tools / "mount").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    return root


def export(path="/", timeout=20):
    return Export("nas", path, "vers=4.0", timeout)


def within(work, path="/", timeout=30, mount_timeout=20, **options):
    return _nas_mount.within(export(path, mount_timeout), work, timeout, **options)


def mounts():
    return Path("/proc/self/mountinfo").read_text()


@needs_mounts
@pytest.mark.parametrize("end", ["success", "error", "crash", "killed"])
def test_mounted_for_the_child_alone(nas, tmp_path, end):
    (nas / "file").write_text("from the NAS")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    before = mounts()

    def work(folder):
        (tmp_path / "seen").write_text(folder + Path(folder, "file").read_text())
        assert folder in mounts()
        if end == "error":
            raise Error("no", "code", detail=1)
        if end == "crash":
            return 1 // 0
        if end == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        return {"answer": 42}

    if end == "success":
        assert within(work, scratch=str(scratch)) == {"answer": 42}
    else:
        with pytest.raises(RuntimeError if end == "crash" else Error) as caught:
            within(work, scratch=str(scratch))
        assert {"error": "no", "crash": "ZeroDivisionError", "killed": "was killed"}[end] in str(caught.value)
    assert (tmp_path / "seen").read_text().endswith("from the NAS")
    assert mounts() == before
    assert not list(scratch.iterdir())


@needs_mounts
def test_a_shared_root_as_systemd_makes_it(nas, tmp_path):
    """In a namespace whose / is shared, a mount without rprivate would show outside."""
    script = """
import sys
sys.path[:0] = %r
import conftest
from ansible_collections.mlops.tf_serving.plugins.module_utils import _nas_mount
before = open("/proc/self/mountinfo").read()
assert " shared:" in before
def work(folder):
    # The parent, which shared its mounts, must not see this one.
    return [folder in open("/proc/%%d/mountinfo" %% process).read() for process in (__import__("os").getppid(), __import__("os").getpid())]
print(_nas_mount.within(_nas_mount.Export("nas", "/", "vers=4.0", 20), work, 30))
assert open("/proc/self/mountinfo").read() == before
""" % [str(Path(__file__).resolve().parents[2])]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", "/bin/mount --make-rshared / && exec \"$0\" -c \"$1\"", sys.executable, script],
        check=False, capture_output=True, text=True,
    )
    assert done.stdout == "[False, True]\n", done.stderr


@needs_mounts
def test_the_child_dies_with_its_parent(nas, tmp_path):
    parent = os.fork()
    if parent == 0:
        try:
            within(lambda folder: (tmp_path / "child").write_text(str(os.getpid())) and time.sleep(60))
        finally:
            os._exit(0)
    for dummy in range(500):
        if (tmp_path / "child").is_file() and (tmp_path / "child").read_text():
            break
        time.sleep(0.02)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    for dummy in range(500):
        if not Path("/proc", (tmp_path / "child").read_text()).exists():
            return
        time.sleep(0.02)
    raise AssertionError("the child lives on")


@needs_mounts
def test_out_of_time_still_tidies_up(nas):
    def work(folder):
        try:
            time.sleep(60)
        finally:
            Path(folder, "tidied").write_text("")

    with pytest.raises(Error) as caught:
        within(work, timeout=1)
    assert caught.value.code == "timeout"
    assert (nas / "tidied").exists()


@needs_mounts
def test_a_child_that_does_not_react_is_killed(nas, monkeypatch):
    monkeypatch.setattr(_nas_mount, "GRACE", 1)

    def work(folder):
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        time.sleep(60)

    with pytest.raises(Error) as caught:
        within(work, timeout=1)
    assert caught.value.code == "timeout"


@needs_mounts
def test_a_mount_that_hangs(nas):
    started = time.monotonic()
    with pytest.raises(Error) as caught:
        within(lambda folder: None, "/hangs", mount_timeout=1)
    assert caught.value.code == "nas_unreachable"
    assert "model_mount_timeout" in caught.value.message
    assert time.monotonic() - started < 10
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"sleep\x0061.7" in read(path)]


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


@needs_mounts
def test_a_missing_export_is_made_by_the_work(nas):
    assert within(os.path.isdir, "/serving", read_only=True) is False
    assert not (nas / "serving").exists()
    within(lambda folder: os.makedirs(folder + "/model"), "/serving")
    assert (nas / "serving/model").is_dir()
    assert within(os.listdir, "/serving") == ["model"]


@needs_mounts
def test_a_missing_export_on_a_nas_that_keeps_its_root(nas):
    def work(folder):
        raise PermissionError(13, "Permission denied", folder)

    with pytest.raises(Error) as caught:
        within(work, "/serving")
    assert caught.value.code == "export_missing"


@needs_mounts
def test_trouble_of_the_nas_names_its_path_there(nas):
    (nas / "serving").mkdir()

    def work(folder):
        raise OSError(28, "No space left on device", folder + "/model/x")

    with pytest.raises(Error) as caught:
        within(work, "/serving")
    assert caught.value.message.startswith("nas:/serving/model/x: No space left on device. Way out: free")


@needs_mounts
def test_options(nas, tmp_path):
    within(os.listdir, read_only=True)
    assert (tmp_path / "log").read_text().startswith("-n -t nfs -o vers=4.0,retry=0,soft,timeo=200,retrans=2,ro nas:/ ")


def test_not_root(monkeypatch):
    class Libc:
        def unshare(self, flags):
            _nas_mount.ctypes.set_errno(1)
            return -1

    with pytest.raises(Error) as caught:
        _nas_mount._private_mounts(Libc())
    assert caught.value.code == "not_root"
    assert "ansible_become" in caught.value.message


# What mount and mount.nfs really say (nfs-utils 1.3 to 2.6, util-linux 2.33 to 2.38).
@pytest.mark.parametrize(("output", "code"), [
    ("mount.nfs: mounting nas:/x failed, reason given by server: No such file or directory", "export_missing"),
    ("mount.nfs: access denied by server while mounting nas:/x", "nas_denied"),
    ("mount.nfs: Operation not permitted", "nas_denied"),
    ("mount.nfs: Connection refused", "nas_unreachable"),
    ("mount.nfs: Connection timed out", "nas_unreachable"),
    ("mount.nfs: No route to host", "nas_unreachable"),
    ("mount.nfs: Failed to resolve server nas: Name or service not known", "nas_unknown"),
    ("mount.nfs: Failed to resolve server nas: Temporary failure in name resolution", "nas_unknown"),
    ("mount.nfs: Protocol not supported", "nas_options"),
    ("mount.nfs: requested NFS version or transport protocol is not supported", "nas_options"),
    ("mount.nfs: an incorrect mount option was specified", "nas_options"),
    ("mount: unknown filesystem type 'nfs'", "no_nfs_client"),
    ("mount.nfs: No such device", "no_nfs_client"),
    ("mount: /mnt: bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program.",
     "no_nfs_client"),
    ("mount.nfs: mount system call failed", "mount_failed"),
])
def test_what_mount_says(output, code):
    error = _nas_mount._mount_error(export("/x"), output)
    assert error.code == code
    assert re.search(r"nas:/x .*vers=4\.0.*Way out: ", error.message)


def test_ipv6():
    assert _nas_mount.source("fe80::1", "/x") == "[fe80::1]:/x"
