"""A folder in place of a mounted export, what a run on it says, and runs that are killed on the way."""
from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import signal
import threading

import pytest
from saved_models import model_files, tar, under

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import lifecycle, publish, staging
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Request

ONE = tar(under("mnist/1", model_files()))
TWO = tar(under("mnist/2", model_files(b"other weights")))
NO_MODEL = tar({"x": b""})
OTHER_ONE = tar(under("mnist/1", model_files(b"other weights")))
SAME_SIZE = tar(under("mnist/1", model_files(b"WEIGHTS")))  # as ONE


def sha(data):
    return hashlib.sha256(data).hexdigest()


def look(root):
    """{path: content} of everything below root."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in sorted(root.rglob("*"))
    }


class Nas:
    """An export and what a run on it says."""

    base = "model/mnist"

    def __init__(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # it costs most of the time; see recorded()
        monkeypatch.setattr(staging, "POLL", 0.02)
        self.root = tmp_path / "export"
        self.root.mkdir()
        self.files = tmp_path / "files"
        self.files.mkdir()

    def request(self, archive=None, **options):
        if isinstance(archive, bytes):
            path = self.files / sha(archive)
            if not path.exists():
                path.write_bytes(archive)
            archive = "file://%s" % path
        return Request({
            "nas_server": "nas", "nas_export": "/serving", "base_path": ("/serving/" + self.base).rstrip("/"), "lock_timeout": 10,
            "archive": archive, **options,
        })

    def publish(self, archive, check_mode=False, **options):
        return publish.publish(str(self.root), self.request(archive, **options), check_mode)

    def absent(self, check_mode=False, **options):
        return publish.absent(str(self.root), self.request(**options), check_mode)

    def versions(self, check_mode=False, **options):
        return lifecycle.versions(str(self.root), self.request(**options), check_mode)

    @contextlib.contextmanager
    def unchanged(self):
        before = look(self.root)
        yield
        assert look(self.root) == before

    def refused(self, archive, **options):
        with self.unchanged(), pytest.raises(Error) as caught:
            self.publish(archive, **options)
        return caught.value

    def names(self):
        return sorted(os.listdir(self.root / self.base))

    def write(self, folder, files):
        """Files that came by hand."""
        for path, content in under(folder, files).items():
            target = self.root / self.base / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def leave_behind(self, files=()):
        """What a run leaves that dies: the folder that it worked in, and the lock that names it."""
        folder = self.root / self.base / "../.staging-mnist/run-0123456789abcdef"
        folder.mkdir(parents=True)
        for name in files:
            (folder / name).write_bytes(b"half of it")
        (folder.parent / "lock").write_text(json.dumps({"folders": {folder.name: folder.stat().st_ino}}))

    def recorded(self, monkeypatch):
        """A list of all that is synced and renamed from now on, as paths below the base path or the staging folder."""
        events = []

        def short(path):
            path = os.path.relpath(path, self.root / self.base)
            return re.sub(r"^\.\./\.staging-mnist/[^/]+", "staging", path)

        def fsync(descriptor):
            events.append("sync " + short(os.readlink("/proc/self/fd/%d" % descriptor)))

        def rename(source, target, src_dir_fd, dst_dir_fd):
            events.append("rename %s %s" % tuple(
                short(os.path.join(os.readlink("/proc/self/fd/%d" % folder), name))
                for name, folder in ((source, src_dir_fd), (target, dst_dir_fd))))
            real(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

        real = os.rename
        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "rename", rename)
        return events


CHANGES = ("mkdir", "rmdir", "rename", "unlink", "fsync", "open", "ftruncate", "pwrite", "write", "close")


def changes_nothing(name, args):
    """Is this call of one of them on the way to something only: a folder that is opened, a file that was read?"""
    if name == "open":
        return not args[1] & (os.O_WRONLY | os.O_RDWR)
    with contextlib.suppress(OSError):
        return name == "close" and not fcntl.fcntl(args[0], fcntl.F_GETFL) & (os.O_WRONLY | os.O_RDWR)
    return False


def run_and_die(work, step):
    """Run work() in a child that gets SIGKILL before its step-th system call that changes a file. True if it got there."""
    child = os.fork()
    if child == 0:
        try:
            left = [step]

            def deadly(name, real):
                def call(*args, **kwargs):
                    left[0] -= not changes_nothing(name, args)
                    if left[0] == 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return real(*args, **kwargs)
                return call

            for name in CHANGES:
                setattr(os, name, deadly(name, getattr(os, name)))
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


class Dead(BaseException):
    pass


def run_and_stop(work, step):
    """As run_and_die, at a tenth of the cost: from that system call on, none that changes a file gets through.

    Calls of other threads, servers of other tests among them, go their way.
    """
    left, opened, thread = [step], {}, threading.get_ident()
    real = {name: getattr(os, name) for name in CHANGES}

    def deadly(name):
        def call(*args, **kwargs):
            if threading.get_ident() != thread or changes_nothing(name, args):
                return real[name](*args, **kwargs)
            left[0] -= 1
            if left[0] <= 0:
                raise Dead
            result = real[name](*args, **kwargs)
            if name == "open":
                opened[result] = _file(result)
            elif name == "close":
                opened.pop(args[0], None)
            return result
        return call

    try:
        for name in CHANGES:
            setattr(os, name, deadly(name))
        work()
        return False
    except Dead:
        return True
    finally:
        for name, function in real.items():
            setattr(os, name, function)
        for descriptor, file in opened.items():  # as the kernel does it; a file object has closed its own
            with contextlib.suppress(OSError):
                if _file(descriptor) == file:
                    os.close(descriptor)


def _file(descriptor):
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino


def served(nas):
    """What a server could take for versions: {name: {path: content}}."""
    base = nas.root / nas.base
    return {path.name: look(path) for path in base.iterdir() if path.name.isdigit()} if base.is_dir() else {}
