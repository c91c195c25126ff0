"""The private mount, with a `mount` command that binds a folder in place of an NFS server's export."""
from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_mount import fake_nas, needs_mounts

import conftest
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import mount, nofollow
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.mount import Export


@pytest.fixture()
def fake(tmp_path, monkeypatch):
    return fake_nas(tmp_path, monkeypatch)


@pytest.fixture()
def nas(fake):
    return fake.root


def export(path="/", timeout=20):
    return Export("nas", path, "vers=4.0", timeout)


def within(work, path="/", timeout=30, mount_timeout=20, **options):
    return mount.within(export(path, mount_timeout), work, timeout, **options)


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
        assert os.path.realpath(folder) in mounts()
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
import os
import sys
sys.path[:0] = %r
import conftest
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import mount, nofollow
before = open("/proc/self/mountinfo").read()
assert " shared:" in before
def work(folder):
    # The parent, which shared its mounts, must not see this one.
    return [os.path.realpath(folder) in open("/proc/%%d/mountinfo" %% process).read() for process in (os.getppid(), os.getpid())]
print(mount.within(mount.Export("nas", "/", "vers=4.0", 20), work, 30))
assert open("/proc/self/mountinfo").read() == before
""" % [str(conftest.ROOT / "tests/unit")]
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
    assert gone(lambda: not read(tmp_path / "child"))
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert gone(Path("/proc", (tmp_path / "child").read_text()).exists), "the child lives on"


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
    assert "Not finished within 1 s" in caught.value.message
    assert (nas / "tidied").exists()


@needs_mounts
def test_a_child_that_does_not_react_is_killed(nas, tmp_path, monkeypatch):
    monkeypatch.setattr(mount, "GRACE", 0.2)

    def work(folder):
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        (tmp_path / "child").write_text(str(os.getpid()))
        time.sleep(60)

    with pytest.raises(Error) as caught:
        within(work, timeout=1)
    assert caught.value.code == "timeout"
    assert "given up after 1 s" in caught.value.message
    assert not Path("/proc", (tmp_path / "child").read_text()).exists(), "the child was reaped"


@needs_mounts
def test_a_mount_that_hangs(nas):
    started = time.monotonic()
    with pytest.raises(Error) as caught:
        within(lambda folder: None, "/hangs", mount_timeout=1)
    assert caught.value.code == "nas_unreachable"
    assert "model_mount_timeout" in caught.value.message
    assert time.monotonic() - started < 50, "it did not wait for the mount to end by itself"
    assert gone(lambda: [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"sleep\x0061.7" in read(path)])


def gone(find, within_seconds=30):
    """Was there a moment without what find() finds?"""
    deadline = time.monotonic() + within_seconds
    while find():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


@needs_mounts
def test_a_mount_that_fails_without_a_word(nas):
    with pytest.raises(Error) as caught:
        within(os.listdir, "/breaks")
    assert (caught.value.code, "exit status 32" in caught.value.message) == ("mount_failed", True)


@needs_mounts
def test_no_command_mount(nas, fake, monkeypatch):
    def missing(command, **options):
        raise FileNotFoundError(command[0])

    monkeypatch.setattr(mount.subprocess, "Popen", missing)
    with pytest.raises(Error) as caught:
        within(os.listdir)
    assert (caught.value.code, "no command mount" in caught.value.message) == ("no_mount_command", True)


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
@pytest.mark.parametrize("number", [errno.EROFS, errno.EPERM, errno.ENOSPC])
def test_other_trouble_below_a_missing_export(nas, number):
    def work(folder):
        raise OSError(number, "no", folder)

    with pytest.raises(Error) as caught:
        within(work, "/serving")
    assert caught.value.code == ("nas_io" if number == errno.ENOSPC else "export_missing")


@needs_mounts
def test_neither_the_export_nor_the_root(nas, fake):
    nas.rename(nas.parent / "away")
    with pytest.raises(Error) as caught:
        within(os.listdir, "/serving")
    assert (caught.value.code, "nas:/serving" in caught.value.message, len(fake.mounts())) == ("export_missing", True, 2)
    with pytest.raises(Error):
        within(os.listdir, "/")
    assert len(fake.mounts()) == 3, "the root is tried once"


@needs_mounts
def test_trouble_of_the_nas_names_its_path_there(nas):
    (nas / "serving").mkdir()

    def work(folder):
        raise OSError(28, "No space left on device", folder + "/model/x")

    with pytest.raises(Error) as caught:
        within(work, "/serving")
    assert caught.value.message.startswith("nas:/serving/model/x: No space left on device. Way out: free")


@needs_mounts
@pytest.mark.parametrize(("given", "read_only", "options"), [
    ("vers=4.0", True, "vers=4.0,retry=0,soft,timeo=200,retrans=2,nosuid,nodev,noexec,ro"),
    ("", False, "retry=0,soft,timeo=200,retrans=2,nosuid,nodev,noexec"),
    ("hard,,nolock", False, "hard,nolock,retry=0,nosuid,nodev,noexec"), ("softerr,retry=2", False, "softerr,retry=2,nosuid,nodev,noexec"),
    ("soft", False, "soft,retry=0,nosuid,nodev,noexec"),
    ("soft,dev,suid", False, "soft,dev,suid,retry=0,nosuid,nodev,noexec"),
])
def test_options(fake, given, read_only, options):
    mount.within(Export("nas", "/", given, 20), os.listdir, 30, read_only=read_only)
    assert re.match(r"-n -t nfs -o %s nas:/ /\S+$" % options, fake.mounts()[0])


@needs_mounts
def test_mount_speaks_english(fake, monkeypatch, tmp_path):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    (fake.tools / "mount").write_text("#!/bin/sh\necho $LC_ALL $PATH > %s; exit 1\n" % (tmp_path / "environment"))
    with pytest.raises(Error):
        within(os.listdir)
    assert re.match(r"C %s:.*:/usr/sbin:/sbin:/usr/bin:/bin$" % fake.tools, (tmp_path / "environment").read_text())


@pytest.mark.parametrize(("user", "clients", "code", "words"), [
    (1000, ["mount"], "node_not_root", "this is user id 1000, and only root may mount the NAS. Set ansible_become: true"),
    (0, ["nothing"], "nfs_client_missing", "has no NFS client. Install nfs-common"), (0, ["nothing", "mount"], None, None),
])
def test_a_node_that_cannot_mount(fake, monkeypatch, user, clients, code, words):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(mount, "CLIENTS", [str(fake.tools / name) for name in clients])
    if code is None:
        mount.require_root_and_client()
        return
    with pytest.raises(Error) as caught:
        mount.require_root_and_client()
    assert (caught.value.code, words in caught.value.message) == (code, True)


def test_where_the_client_is_looked_for():
    assert set(mount.CLIENTS) == {"/sbin/mount.nfs", "/usr/sbin/mount.nfs", "/usr/bin/mount.nfs", "/usr/local/sbin/mount.nfs"}


class Libc:
    """Refuses the call of this name."""

    def __init__(self, refuses):
        self.refuses, self.calls = refuses, []

    def __getattr__(self, name):
        def call(*args):
            self.calls.append((name, *args[:3]))
            mount.ctypes.set_errno(errno.EPERM)
            return -1 if name == self.refuses else 0
        return call


@pytest.mark.parametrize("refuses", ["unshare", "mount"])
def test_a_container_without_the_right(refuses):
    with pytest.raises(Error) as caught:
        mount._private_mounts(Libc(refuses))
    assert (caught.value.code, "Operation not permitted" in caught.value.message) == ("no_mount_namespace", True)


def test_the_namespace_is_private():
    libc = Libc(None)
    mount._private_mounts(libc)
    assert libc.calls == [("unshare", 0x00020000), ("mount", b"none", b"/", None)]


@pytest.mark.parametrize(("number", "words"), [
    (errno.EIO, "check the NAS and the network"), (errno.ETIMEDOUT, "check the NAS and the network"),
    (errno.ENOSPC, "free or add"),
    (errno.EDQUOT, "quota"), (errno.EROFS, "model_nas_options"), (errno.EACCES, "squash"), (errno.EPERM, "squash"),
    (errno.ENOTDIR, "find out who put it there"), (errno.ELOOP, "find out who put it there"), (errno.ENOTEMPTY, "look at the NAS"),
])
def test_trouble_of_the_nas_has_a_way_out(number, words):
    error = mount.io_error(OSError(number, os.strerror(number), "nas:/x"))
    assert error.code == "nas_io"
    assert re.match(r"nas:/x: %s\. Way out: .*%s" % (re.escape(os.strerror(number)), words), error.message)
    assert mount.io_error(OSError("odd")).message == "model_node: odd. Way out: look at the NAS, then run again."


@needs_mounts
def test_trouble_without_a_name_is_named_after_the_export(nas):
    def work(folder):
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(Error) as caught:
        within(work)
    assert caught.value.message.startswith("nas:/: Input/output error. Way out: check")


@needs_mounts
def test_a_large_answer_comes_whole(nas):
    answer = {"lines": ["x" * 1000] * 300, "error": None}
    assert within(lambda folder: answer) == json.loads(json.dumps(answer))


@needs_mounts
def test_details_of_an_error_come_along(nas):
    def work(folder):
        raise Error("no", "some_code", found=[1, 2])

    with pytest.raises(Error) as caught:
        within(work)
    assert caught.value.as_dict() == {"message": "no", "code": "some_code", "details": {"found": [1, 2]}}


# What mount and mount.nfs really say (nfs-utils 1.3 to 2.6, util-linux 2.33 to 2.38).
@pytest.mark.parametrize(("output", "code"), [
    ("mount.nfs: mounting nas:/x failed, reason given by server: No such file or directory", "export_missing"),
    ("mount.nfs: access denied by server while mounting nas:/x", "nas_denied"),
    ("mount.nfs: Operation not permitted", "nas_denied"), ("mount.nfs: Permission denied", "nas_denied"),
    ("mount.nfs: Network is unreachable", "nas_unreachable"), ("nfs: server nas not responding, still trying", "nas_unreachable"),
    ("mount.nfs: Host is down", "nas_unreachable"), ("mount.nfs: invalid argument", "nas_options"),
    ("mount.nfs: not configured in kernel", "nfs_client_missing"), ("mount: wrong fs type, bad superblock", "nfs_client_missing"),
    ("mount.nfs: mount point nas:/x does not exist", "export_missing"), ("mount: bad NFS data", "nas_options"),
    ("mount.nfs: Connection refused", "nas_unreachable"),
    ("mount.nfs: Connection timed out", "nas_unreachable"),
    ("mount.nfs: No route to host", "nas_unreachable"),
    ("mount.nfs: Failed to resolve server nas: Name or service not known", "nas_unknown"),
    ("mount.nfs: Failed to resolve server nas: Temporary failure in name resolution", "nas_unknown"),
    ("mount.nfs: Protocol not supported", "nas_options"),
    ("mount.nfs: requested NFS version or transport protocol is not supported", "nas_options"),
    ("mount.nfs: an incorrect mount option was specified", "nas_options"),
    ("mount: unknown filesystem type 'nfs'", "nfs_client_missing"),
    ("mount.nfs: No such device", "nfs_client_missing"),
    ("mount: /mnt: bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program.",
     "nfs_client_missing"),
    ("mount.nfs: mount system call failed", "mount_failed"),
])
def test_what_mount_says(output, code):
    error = mount._mount_error(export("/x"), output)
    assert error.code == code
    assert re.search(r"nas:/x .*vers=4\.0.*Way out: ", error.message)


@needs_mounts
def test_names_of_any_bytes_come_home_as_text(nas):
    """A name that is no UTF-8 in an answer is what ansible-core refuses, now and in every later run."""
    (nas / os.fsdecode(b"caf\xe9")).write_text("")
    assert within(os.listdir) == ["caf?"]


@needs_mounts
def test_a_link_below_the_mount_leads_nowhere(nas, tmp_path):
    """Not on the node, where the work is done as root."""
    (tmp_path / "outside").mkdir()
    (nas / "serving").symlink_to(tmp_path / "outside")
    with pytest.raises(Error) as caught:
        within(lambda folder: nofollow.make_folders(folder + "/serving/model"))
    assert caught.value.message.startswith("nas:/serving: Not a directory. Way out: something else lies there than a folder")
    assert os.listdir(tmp_path / "outside") == []


@needs_mounts
def test_the_work_stays_in_the_mount_whatever_becomes_of_its_mount_point(nas, tmp_path):
    (tmp_path / "scratch").mkdir(mode=0o700)

    def work(folder):
        (tmp_path / "scratch").rename(tmp_path / "away")
        (tmp_path / "scratch").mkdir()
        nofollow.writing(folder + "/file").close()
        (tmp_path / "scratch").rmdir()
        (tmp_path / "away").rename(tmp_path / "scratch")

    within(work, scratch=str(tmp_path / "scratch"))
    assert os.listdir(nas) == ["file"]


@pytest.mark.parametrize(("mode", "trusted"), [(0o700, True), (0o775, True), (0o1777, True), (0o777, False), (0o757, False)])
def test_a_mount_point_that_others_could_replace(fake, tmp_path, mode, trusted):
    (tmp_path / "open/tmp").mkdir(parents=True)
    (tmp_path / "open").chmod(mode)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    if trusted:
        assert mount._trusted(str(tmp_path / "open/tmp")) == str(tmp_path / "open/tmp")
        return
    with pytest.raises(Error) as caught:
        within(os.listdir, scratch=str(tmp_path / "link/tmp"))
    assert (caught.value.code, caught.value.details) == ("tmp_unsafe", {"folder": str(tmp_path / "open")})
    assert fake.mounts() == [] and os.listdir(tmp_path / "open/tmp") == []


def test_ipv6():
    assert mount.source("fe80::1", "/x") == "[fe80::1]:/x"
    assert mount.source("[fe80::1]", "/x") == "[fe80::1]:/x"
