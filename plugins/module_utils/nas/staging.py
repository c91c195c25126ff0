# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One writer at a time per model, in a folder that no server looks at, with nothing left behind.

    <parent of the base path>/.staging-<model>/lock     held with fcntl for as long as a run changes something
                                              /<random>  what that run downloads and unpacks

The kernel and the NFS server drop the lock of a run that dies. The next one to get it removes what the dead run left.
"""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import socket
import tempfile
import time
from typing import Any, Dict, Iterator, List, Tuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error

LOCK = "lock"
POLL = 0.5  # seconds between two attempts to get the lock


@contextlib.contextmanager
def staging(folder: str, lock_timeout: float, purpose: str) -> Iterator[Tuple[str, List[str]]]:
    """Yield (a private folder on the same file system, the folders made so far).

    Folders that the caller makes with make_folder(path, made) are removed again if it fails and they are empty.
    """
    made: List[str] = []
    answers = True
    try:
        lock = _acquire(folder, lock_timeout, purpose, made)
        try:
            _remove_leftovers(folder)
            yield tempfile.mkdtemp(dir=folder), made
        except OSError as error:
            # A NAS that fell silent would keep every step of tidying up waiting. The next run does it.
            answers = error.errno not in (errno.EIO, errno.ETIMEDOUT)
            raise
        finally:
            if answers:
                _remove_leftovers(folder)
                _release(folder, lock)
    except BaseException:
        for path in reversed(made if answers else []):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        raise


def make_folder(path: str, made: List[str]) -> None:
    """mkdir -p, which notes in `made` what it made. Gives way to another run that makes or removes the same."""
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o755)
            made.append(path)
            sync_folder(os.path.dirname(path))


def sync_folder(path: str) -> None:
    """Make the names in a folder survive a crash of the machine."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _acquire(folder: str, lock_timeout: float, purpose: str, made: List[str]) -> List[int]:
    """Open descriptors that hold the lock until they are closed."""
    path = os.path.join(folder, LOCK)
    deadline = time.monotonic() + lock_timeout
    while True:
        lock: List[int] = []
        busy = False
        try:
            make_folder(folder, made)
            if _locked(path, lock):
                _sign(lock[0], purpose)
                return lock
        except OSError as error:
            busy = error.errno in (errno.EACCES, errno.EAGAIN) and bool(lock)
            if error.errno == errno.ENOLCK:
                raise Error(
                    "The NAS gives no locks, which keep two runs on one model apart. Use vers=4.0 in model_nas_options, or"
                    " add nolock to them: then only runs on the same node are kept apart.", "no_locks",
                ) from None
            if not busy and error.errno not in (errno.ENOENT, errno.ESTALE):  # these: removed under our hands
                raise
        _close(lock)
        if time.monotonic() > deadline:
            raise _held(path, lock_timeout)
        time.sleep(POLL if busy else 0.01)


def _locked(path: str, lock: List[int]) -> bool:
    """Lock the file, with the descriptors put into `lock`. False where it is no longer the file of that name.

    The run before removes the file with its lock: is this still the file that others would open? Opened, not stat()ed,
    for an NFS client asks the server at every open; kept open, for a close would drop the lock.
    """
    lock.append(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    fcntl.lockf(lock[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.append(os.open(path, os.O_RDONLY))
    return os.path.samestat(os.fstat(lock[0]), os.fstat(lock[1]))


def _close(lock: List[int]) -> None:
    for descriptor in lock:
        os.close(descriptor)


def _sign(lock: int, purpose: str) -> None:
    holder = {
        "host": socket.gethostname(), "pid": os.getpid(), "doing": purpose,
        "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps(holder).encode(), 0)
    os.fsync(lock)


def _held(path: str, lock_timeout: float) -> Error:
    holder: Dict[str, Any] = {}
    who = "somebody who has not signed yet"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        with open(path, encoding="utf-8") as file:
            holder = json.load(file)
        who = "%(doing)s on %(host)s (pid %(pid)s) since %(since)s" % holder
    return Error(
        "Another run works on this model: %s. It did not finish within %d s (model_lock_timeout). Wait for it and run"
        " again." % (who, lock_timeout), "locked", holder=holder,
    )


def _remove_leftovers(folder: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            elif name != LOCK:
                with contextlib.suppress(OSError):
                    os.unlink(path)


def _release(folder: str, lock: List[int]) -> None:
    # Removed while held, so that nobody takes a lock on a file that is about to vanish; closed before the folder goes,
    # for NFS keeps an open file alive under a .nfs name.
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(folder, LOCK))
    _close(lock)
    with contextlib.suppress(OSError):
        os.rmdir(folder)  # not empty: another run waits, and will remove it
