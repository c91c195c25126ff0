# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One writer at a time per model, in a folder that no server looks at, with nothing left behind.

    <parent of the base path>/.staging-<model>/lock     held with fcntl for as long as a run changes something
                                              /run-...  what that run downloads and unpacks

The kernel and the NFS server drop the lock of a run that dies. Its record in the lock names the folder that it worked in, and the
next run to get the lock removes that. What is not named there was put there by others: it is left, and said.
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import time
from typing import Any, Dict, Iterator, List, Tuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import nofollow

LOCK = "lock"
OURS = re.compile(r"run-[0-9a-f]{16}\Z")
POLL = 0.5  # seconds between two attempts to get the lock
MAX_SIGNATURE = 1 << 16  # bytes that are read of a lock, which anybody may have written


@contextlib.contextmanager
def staging(folder: str, lock_timeout: float, purpose: str) -> Iterator[Tuple[str, List[str]]]:
    """Yield (a private folder on the same file system, the folders made so far).

    Folders that the caller makes with make_folders(path, made) are removed again if it fails and they are empty.
    """
    made: List[str] = []
    answers = True
    try:
        lock = _acquire(folder, lock_timeout, made)
        with nofollow.pin(folder) as place:
            _must_hold(os.path.join(place, LOCK), lock)
            try:
                with _working(place, lock[0], purpose) as work:
                    yield work, made
            except OSError as error:
                # A NAS that fell silent would keep every step of tidying up waiting. The next run does it.
                answers = error.errno not in (errno.EIO, errno.ETIMEDOUT)
                raise
            finally:
                if answers:
                    _remove_leftovers(place, _folders(lock[0], place))
                    _release(place, lock)
        if answers:
            with contextlib.suppress(OSError):
                nofollow.rmdir(folder)  # not empty: another run waits, and will remove it
    except BaseException:
        for path in reversed(made if answers else []):
            with contextlib.suppress(OSError):
                nofollow.rmdir(path)
        raise


def is_tidy(folder: str) -> bool:
    """Does nobody work here, and is nothing left of a run that died? What others put there is not ours to tidy."""
    names = nofollow.listing(folder)
    return LOCK not in names and (bool(names) or not nofollow.is_folder(folder))


def strangers(folder: str) -> List[str]:
    """What others put there."""
    names = nofollow.listing(folder)
    return sorted(
        name for name in names if name != LOCK and not name.startswith(".nfs") and not (LOCK in names and OURS.match(name)))


def _acquire(folder: str, lock_timeout: float, made: List[str]) -> List[int]:
    """Open descriptors that hold the lock until they are closed."""
    path = os.path.join(folder, LOCK)
    deadline = time.monotonic() + lock_timeout
    while True:
        lock: List[int] = []
        busy = False
        try:
            nofollow.make_folders(folder, made)
            if _locked(path, lock):
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
    lock.append(nofollow.open_file(path, os.O_RDWR | os.O_CREAT, 0o600))
    fcntl.lockf(lock[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.append(nofollow.open_file(path, os.O_RDONLY))
    return os.path.samestat(os.fstat(lock[0]), os.fstat(lock[1]))


def _must_hold(path: str, lock: List[int]) -> None:
    if not os.path.samestat(os.fstat(lock[0]), nofollow.lstat(path)):
        _close(lock)
        raise Error("Somebody moved the lock away, which keeps two runs on one model apart. Run again.", "changed_meanwhile")


def _close(lock: List[int]) -> None:
    for descriptor in lock:
        os.close(descriptor)


@contextlib.contextmanager
def _working(place: str, lock: int, purpose: str) -> Iterator[str]:
    """A new folder that the lock's record names before anything lies in it."""
    _remove_leftovers(place, _folders(lock, place))
    name = "run-" + os.urandom(8).hex()
    path = os.path.join(place, name)
    nofollow.mkdir(path, 0o700)
    with nofollow.pin(path) as work:
        if nofollow.listing(work):
            raise OSError(errno.ENOTEMPTY, "somebody put another folder in the place of a new one", nofollow.shown(path))
        _sign(lock, purpose, dict(_folders(lock, place), **{name: nofollow.lstat(work).st_ino}))
        try:
            yield work
        except OSError as error:
            if isinstance(error.filename, str):
                error.filename = nofollow.shown(error.filename)
            raise


def _sign(lock: int, purpose: str, folders: Dict[str, int]) -> None:
    holder = {
        "host": os.uname().nodename, "pid": os.getpid(), "doing": purpose,
        "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "folders": folders,
    }
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps(holder).encode(), 0)
    os.fsync(lock)


def _signature(lock: int) -> Dict[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        holder = json.loads(os.pread(lock, MAX_SIGNATURE, 0).decode())
        if isinstance(holder, dict):
            return holder
    return {}


def _folders(lock: int, place: str) -> Dict[str, int]:
    """{name: inode} of the folders that runs worked in and that are still there, as far as the lock's record makes sense."""
    folders = _signature(lock).get("folders")
    return {
        name: inode for name, inode in folders.items()
        if OURS.match(name) and isinstance(inode, int) and _inode(os.path.join(place, name)) == inode
    } if isinstance(folders, dict) else {}


def _inode(path: str) -> int:
    try:
        return nofollow.lstat(path).st_ino
    except FileNotFoundError:
        return -1


def _held(path: str, lock_timeout: float) -> Error:
    holder: Dict[str, Any] = {}
    who = "somebody who has not signed yet"
    with contextlib.suppress(OSError, KeyError):
        with nofollow.reading(path) as file:
            holder = _signature(file.fileno())
        who = "%(doing)s on %(host)s (pid %(pid)s) since %(since)s" % holder
    return Error(
        "Another run works on this model: %s. It did not finish within %d s (model_lock_timeout). Wait for it and run"
        " again." % (who, lock_timeout), "locked", holder=holder,
    )


def _remove_leftovers(place: str, folders: Dict[str, int]) -> None:
    """Those that are recorded, as long as they are the same folders still; and new ones, whose run died before it could sign."""
    for name in filter(OURS.match, nofollow.listing(place)):
        path = os.path.join(place, name)
        with contextlib.suppress(OSError):
            if name not in folders:
                nofollow.rmdir(path)
                continue
            with nofollow.pin(path) as leftover:
                if _inode(leftover) == folders[name]:
                    nofollow.remove(leftover)
            nofollow.rmdir(path)


def _release(place: str, lock: List[int]) -> None:
    # Removed while held, so that nobody takes a lock on a file that is about to vanish; closed before the folder goes, for NFS
    # keeps an open file alive under a .nfs name. It stays where it names what could not be removed.
    if not _folders(lock[0], place):
        with contextlib.suppress(OSError):
            nofollow.unlink(os.path.join(place, LOCK))
    _close(lock)
