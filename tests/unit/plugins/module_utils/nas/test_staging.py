"""One writer at a time, who leaves nothing behind, on a folder in place of a mounted export."""
from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import socket
import stat
import time
import types

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import nofollow, staging


@pytest.fixture()
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "POLL", 0.01)
    return tmp_path / "model" / ".staging-mnist"


def hold(folder, timeout=5):
    return staging.staging(str(folder), timeout, "publishing x")


def name_of(work):
    return os.path.basename(nofollow.shown(work))


def refused(folder, timeout=0.1):
    with pytest.raises(Error) as caught, hold(folder, timeout):
        raise AssertionError("got the lock")
    return caught.value


def test_a_private_folder_that_goes_with_its_content(folder):
    with hold(folder) as (work, made):
        assert re.match(r"run-[0-9a-f]{16}$", name_of(work))
        assert os.stat(work).st_mode & 0o777 == 0o700
        assert made == [str(folder.parent), str(folder)]
        os.symlink(str(folder.parent), os.path.join(work, "link"))
        with open(os.path.join(work, "file"), "wb"):
            pass
    assert not folder.exists()
    assert folder.parent.exists(), "of use to whoever succeeded"


def test_the_holder_signs(folder):
    folder.mkdir(parents=True)
    (folder / "lock").write_text(json.dumps({"host": "of the dead " * 50}))
    with hold(folder) as (work, dummy):
        holder = json.loads((folder / "lock").read_text())
        assert holder.pop("folders") == {name_of(work): os.stat(work).st_ino}
        assert abs(time.time() - (folder / "lock").stat().st_mtime) < 60
    assert {**holder, "since": None} == {"host": socket.gethostname(), "pid": os.getpid(), "doing": "publishing x", "since": None}
    assert abs(time.time() - time.mktime(time.strptime(holder["since"], "%Y-%m-%dT%H:%M:%SZ")) + time.timezone) < 60


def test_the_signature_is_on_disk_before_the_work_begins(folder, monkeypatch):
    synced = []

    def fsync(descriptor):
        synced.append(path_of(descriptor))
        if synced[-1] == str(folder / "lock"):
            assert b"publishing x" in os.pread(descriptor, 500, 0)

    monkeypatch.setattr(os, "fsync", fsync)
    with hold(folder):
        assert synced[-1] == str(folder / "lock")


def path_of(descriptor):
    try:
        return os.readlink("/proc/self/fd/%d" % descriptor)
    except FileNotFoundError:  # that of the listing itself
        return None


@pytest.mark.parametrize(("signature", "words"), [
    (b'{"host": "n7", "pid": 4711, "doing": "publishing x", "since": "2026"}', "publishing x on n7 (pid 4711) since 2026"),
    (b"", "somebody who has not signed yet"), (b"{}", "somebody who has not signed yet"),
    (b"[]", "somebody who has not signed yet"),
])
def test_a_lock_that_somebody_else_holds(folder, signature, words):
    folder.mkdir(parents=True)
    (folder / "lock").write_bytes(signature)
    with in_another_process(folder / "lock"):
        started = time.monotonic()
        error = refused(folder)
        assert (error.code, words in error.message) == ("locked", True)
        assert 0.1 < time.monotonic() - started < 5
        assert (folder / "lock").read_bytes() == signature
    with hold(folder):
        pass
    assert not folder.exists()


@contextlib.contextmanager
def in_another_process(path):
    """The lock held by another process, for a process never shuts itself out."""
    ready, reader = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader[1])
            descriptor = os.open(str(path), os.O_RDWR)
            fcntl.lockf(descriptor, fcntl.LOCK_EX)
            os.write(ready[1], b"1")
            os.read(reader[0], 1)
        finally:
            os._exit(0)
    os.close(reader[0])
    try:
        assert os.read(ready[0], 1)
        yield
    finally:
        os.close(reader[1])
        os.waitpid(child, 0)
        os.close(ready[0])
        os.close(ready[1])


def test_the_lock_is_waited_for(folder, monkeypatch):
    folder.mkdir(parents=True)
    (folder / "lock").write_bytes(b"")
    waited = []
    with contextlib.ExitStack() as holder:
        holder.enter_context(in_another_process(folder / "lock"))

        def sleep(seconds):
            waited.append(seconds)
            if len(waited) == 3:
                holder.close()

        monkeypatch.setattr(staging, "time", types.SimpleNamespace(**{**vars(time), "sleep": sleep}))
        with hold(folder, 60):
            assert waited == [staging.POLL] * 3


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_none(folder, monkeypatch):
    """The run before unlinks the file while it holds the lock: whoever waited with it open then locks what nobody else opens."""
    real, locked, descriptors = fcntl.lockf, [], set(os.listdir("/proc/self/fd"))

    def lockf(descriptor, how):
        locked.append(descriptor)
        if len(locked) < 3:  # the run before goes, and another one is quicker than this
            os.unlink(str(folder / "lock"))
            (folder / "lock").write_bytes(b"of the other")
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "lockf", lockf)
    with hold(folder):
        assert len(locked) == 3
        assert os.path.samestat(os.fstat(locked[-1]), os.stat(str(folder / "lock")))
    assert set(os.listdir("/proc/self/fd")) == descriptors, "no descriptor is left open"


def test_a_folder_that_goes_while_its_lock_is_opened(folder, monkeypatch):
    real, tries = os.open, []

    def opened(path, *args, **kwargs):
        if str(path).endswith("lock"):
            tries.append(path)
            if len(tries) == 1:
                raise FileNotFoundError(errno.ENOENT, "gone", path)
            if len(tries) == 3:
                raise OSError(errno.ESTALE, "stale", path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", opened)
    with hold(folder):
        assert len(tries) == 5


@pytest.mark.parametrize(("number", "code"), [(errno.ENOLCK, "no_locks"), (errno.EIO, None)])
def test_a_nas_that_gives_no_lock(folder, monkeypatch, number, code):
    def lockf(descriptor, how):
        raise OSError(number, "no")

    monkeypatch.setattr(fcntl, "lockf", lockf)
    with pytest.raises(Error if code else OSError) as caught, hold(folder):
        pass
    if code:
        assert (caught.value.code, "nolock" in caught.value.message) == (code, True)
    else:
        assert caught.value.errno == number


DEAD, OTHER = "run-" + "d" * 16, "run-" + "0" * 16


def leave(folder, record=lambda folder: {"folders": {DEAD: (folder / DEAD).stat().st_ino}}):
    """What a run leaves that died, and what others put beside it."""
    (folder / DEAD / "deep").mkdir(parents=True)
    (folder / DEAD / "file").write_bytes(b"x")
    (folder / "backups").mkdir()
    (folder / "backups/payroll.tar").write_bytes(b"canary")
    (folder / "link").symlink_to(folder / "backups")
    record = record(folder)
    (folder / "lock").write_bytes(record if isinstance(record, bytes) else json.dumps(record).encode())


def test_what_the_dead_left_is_removed_before_the_work(folder):
    leave(folder)
    assert not staging.is_tidy(str(folder))
    with hold(folder) as (work, dummy):
        assert sorted(os.listdir(str(folder))) == sorted(["lock", name_of(work), "backups", "link"])
    assert sorted(os.listdir(str(folder))) == staging.strangers(str(folder)) == ["backups", "link"]
    assert (folder / "backups/payroll.tar").read_bytes() == b"canary"
    assert staging.is_tidy(str(folder)), "what others put there makes no work"


@pytest.mark.parametrize("record", [
    {}, [], 7, b"", b"{", b"[" * 50000, b"\xff", {"folders": None}, {"folders": []}, {"folders": {DEAD: "1"}}, {"folders": {DEAD: None}},
    {"folders": {DEAD: 1}}, {"folders": {"backups": "*"}}, {"folders": {"../backups": "*"}}, {"folders": {"link": "*"}},
    {"folders": {".": "*"}},
], ids=str)
def test_only_what_the_record_names_is_removed(folder, record):
    """By its name and its inode, and only the kind of name that runs give."""
    def completed(folder):
        if isinstance(record, dict) and isinstance(record.get("folders"), dict):
            return {"folders": {
                name: os.stat(str(folder / name)).st_ino if inode == "*" and (folder / name).exists() else inode
                for name, inode in record["folders"].items()}}
        return record

    leave(folder, completed)
    (folder.parent / "backups").mkdir()
    with hold(folder):
        pass
    assert sorted(os.listdir(str(folder))) == ["backups", "link", DEAD]
    assert sorted(os.listdir(str(folder / DEAD))) == ["deep", "file"]
    assert staging.strangers(str(folder)) == ["backups", "link", DEAD]
    assert (folder / "backups/payroll.tar").read_bytes() == b"canary"
    assert (folder.parent / "backups").is_dir()


def test_a_run_that_died_before_it_could_sign(folder):
    (folder / OTHER).mkdir(parents=True)
    with hold(folder):
        assert not (folder / OTHER).exists()
    assert not folder.exists()


def test_a_link_in_the_place_of_what_the_dead_left(folder):
    leave(folder)
    shutil.rmtree(folder / DEAD)
    (folder / DEAD).symlink_to(folder / "backups")
    with hold(folder):
        pass
    assert (folder / "backups/payroll.tar").read_bytes() == b"canary"


def test_what_cannot_be_removed_stays_named(folder, monkeypatch):
    """NFS keeps what somebody has open: the next run tries again."""
    with hold(folder) as (work, dummy):
        name = name_of(work)
        open(os.path.join(work, ".nfs1"), "wb").close()
        real = os.unlink
        monkeypatch.setattr(os, "unlink", lambda path, dir_fd: None if path.startswith(".nfs") else real(path, dir_fd=dir_fd))
    assert sorted(os.listdir(str(folder))) == ["lock", name]
    monkeypatch.undo()
    with hold(folder):
        pass
    assert not folder.exists()


@pytest.mark.parametrize("plant", [
    lambda path, other: path.symlink_to(other), lambda path, other: os.mkfifo(str(path)), lambda path, other: path.mkdir(),
    lambda path, other: os.mknod(str(path), stat.S_IFCHR, os.makedev(1, 3)),
], ids=["link", "fifo", "folder", "device"])
def test_a_lock_that_is_no_file(folder, plant):
    folder.mkdir(parents=True)
    (folder.parent / "secret").write_bytes(b"canary")
    plant(folder / "lock", folder.parent / "secret")
    with pytest.raises(OSError) as caught, hold(folder):
        pass
    assert caught.value.filename == str(folder / "lock")
    assert (folder.parent / "secret").read_bytes() == b"canary"
    assert os.listdir(str(folder)) == ["lock"]


@pytest.mark.parametrize("what", ["link", "folder"])
def test_another_folder_in_the_place_of_a_new_one(folder, monkeypatch, what):
    """Whoever sees the name of a new folder can be quicker than its next use."""
    (folder.parent / "backups").mkdir(parents=True)
    (folder.parent / "backups/payroll.tar").write_bytes(b"canary")
    real = os.mkdir

    def mkdir(name, mode, dir_fd):
        real(name, mode, dir_fd=dir_fd)
        if name.startswith("run-"):
            os.rmdir(str(folder / name))
            if what == "link":
                (folder / name).symlink_to(folder.parent / "backups")
            else:
                (folder.parent / "backups").rename(folder / name)

    monkeypatch.setattr(os, "mkdir", mkdir)
    with pytest.raises(OSError), hold(folder):
        pass
    assert [path.read_bytes() for path in folder.parent.rglob("payroll.tar")] == [b"canary"]


def test_a_staging_folder_that_is_moved_away_once_its_lock_is_taken(folder, monkeypatch):
    (folder.parent / "others").mkdir(parents=True)
    (folder.parent / "others/lock").write_bytes(b"canary")

    def pin(path):
        if not (folder.parent / "away").exists():
            folder.rename(folder.parent / "away")
            (folder.parent / "others").rename(folder)
        return real(path)

    real, descriptors = nofollow.pin, set(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(nofollow, "pin", pin)
    assert refused(folder).code == "changed_meanwhile"
    assert (folder / "lock").read_bytes() == b"canary"
    assert set(os.listdir("/proc/self/fd")) == descriptors


def test_the_order_of_the_end(folder, monkeypatch):
    """Unlinked while it is held, closed before the folder goes."""
    ends, locks = [], []

    def noted(name, what):
        real = getattr(os, name)

        def call(*args, **kwargs):
            ends.append(what(*args))
            return real(*args, **kwargs)
        monkeypatch.setattr(os, name, call)

    with hold(folder):
        locks = [number for number in map(int, os.listdir("/proc/self/fd")) if path_of(number) == str(folder / "lock")]
        assert len(locks) == 2
        noted("unlink", lambda path, **options: ("unlink", path))
        noted("close", lambda descriptor: ("close", (path_of(descriptor) or "").startswith(str(folder / "lock"))))
        noted("rmdir", lambda path, **options: ("rmdir", path))
    told = [end for end in ends if end in [("unlink", "lock"), ("close", True), ("rmdir", ".staging-mnist")]]
    assert told == [("unlink", "lock"), ("close", True), ("close", True), ("rmdir", ".staging-mnist")]


def test_folders_that_were_made_for_nothing_go_again(folder):
    kept = folder.parent / "kept"
    with pytest.raises(ZeroDivisionError), hold(folder) as (dummy, made):
        nofollow.make_folders(str(folder.parent / "a" / "b"), made)
        nofollow.make_folders(str(kept), made)
        (kept / "file").write_bytes(b"")
        assert 1 // 0
    assert os.listdir(str(folder.parent)) == ["kept"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ETIMEDOUT])
def test_a_nas_that_fell_silent_is_not_asked_again(folder, monkeypatch, number):
    with pytest.raises(OSError), hold(folder) as (work, dummy):
        work = name_of(work)
        raise OSError(number, "silent")
    assert (folder / work).is_dir()
    assert (folder / "lock").exists()
    with hold(folder):
        assert not (folder / work).exists(), "the next run tidies up"


def test_other_trouble_is_tidied_up_after(folder):
    with pytest.raises(OSError), hold(folder):
        raise OSError(errno.ENOSPC, "full")
    assert not folder.parent.exists()
