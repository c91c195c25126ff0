"""One writer at a time, who leaves nothing behind, on a folder in place of a mounted export."""
from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
import types

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import staging


@pytest.fixture()
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "POLL", 0.01)
    return tmp_path / "model" / ".staging-mnist"


def hold(folder, timeout=5):
    return staging.staging(str(folder), timeout, "publishing x")


def refused(folder, timeout=0.1):
    with pytest.raises(Error) as caught, hold(folder, timeout):
        raise AssertionError("got the lock")
    return caught.value


def test_a_private_folder_that_goes_with_its_content(folder):
    with hold(folder) as (work, made):
        assert os.path.dirname(work) == str(folder)
        assert made == [str(folder.parent), str(folder)]
        (folder / "leftover").write_bytes(b"")
        (folder / "link").symlink_to(folder.parent)
        with open(os.path.join(work, "file"), "wb"):
            pass
    assert not folder.exists()
    assert folder.parent.exists(), "of use to whoever succeeded"


def test_the_holder_signs(folder):
    folder.mkdir(parents=True)
    (folder / "lock").write_text(json.dumps({"host": "of the dead " * 50}))
    with hold(folder):
        holder = json.loads((folder / "lock").read_text())
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


def test_what_the_dead_left_is_removed_before_the_work(folder):
    (folder / "dead" / "deep").mkdir(parents=True)
    (folder / "dead" / "file").write_bytes(b"x")
    with hold(folder) as (work, dummy):
        assert sorted(os.listdir(str(folder))) == sorted(["lock", os.path.basename(work)])


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
        noted("unlink", lambda path, **options: ("unlink", os.path.basename(path)))
        noted("close", lambda descriptor: ("close", descriptor))
        noted("rmdir", lambda path, **options: ("rmdir", os.path.basename(path)))
    told = [end for end in ends if end in [("unlink", "lock"), ("rmdir", ".staging-mnist"), *(("close", lock) for lock in locks)]]
    assert told == [("unlink", "lock"), *sorted(("close", lock) for lock in locks), ("rmdir", ".staging-mnist")]


def test_folders_that_were_made_for_nothing_go_again(folder):
    kept = folder.parent / "kept"
    with pytest.raises(ZeroDivisionError), hold(folder) as (dummy, made):
        staging.make_folder(str(folder.parent / "a" / "b"), made)
        staging.make_folder(str(kept), made)
        (kept / "file").write_bytes(b"")
        assert 1 // 0
    assert os.listdir(str(folder.parent)) == ["kept"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ETIMEDOUT])
def test_a_nas_that_fell_silent_is_not_asked_again(folder, monkeypatch, number):
    with pytest.raises(OSError), hold(folder) as (work, dummy):
        raise OSError(number, "silent")
    assert os.path.isdir(work)
    assert (folder / "lock").exists()
    with hold(folder):
        assert not os.path.isdir(work), "the next run tidies up"


def test_other_trouble_is_tidied_up_after(folder):
    with pytest.raises(OSError), hold(folder):
        raise OSError(errno.ENOSPC, "full")
    assert not folder.parent.exists()


def test_a_folder_that_another_run_makes_at_the_same_time(tmp_path, monkeypatch):
    real = os.mkdir

    def mkdir(path, mode):
        real(path, mode)
        raise FileExistsError(errno.EEXIST, "exists", path)

    monkeypatch.setattr(os, "mkdir", mkdir)
    made = []
    staging.make_folder(str(tmp_path / "a" / "b"), made)
    assert (tmp_path / "a" / "b").is_dir() and made == []


def test_new_names_are_made_to_last(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(path_of(descriptor)))
    descriptors = len(os.listdir("/proc/self/fd"))
    made = []
    staging.make_folder(str(tmp_path / "a" / "b"), made)
    assert synced == [str(tmp_path), str(tmp_path / "a")]
    assert made == [str(tmp_path / "a"), str(tmp_path / "a" / "b")]
    assert len(os.listdir("/proc/self/fd")) == descriptors
