# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The calls of `os` for a folder that others write to: no link is followed, in no component of a path.

A path begins at / or at a folder that is held open (pin). From there each component is opened by itself, relative to the one
before it and only if it is a folder, so whatever others rename meanwhile, the call ends in an error or where it was meant to.
Why so, and not by an option of the mount: docs/nas.md.
"""

import contextlib
import errno
import os
import re
import stat
from typing import BinaryIO, Container, Iterator, List, Optional, Tuple

PIN = re.compile(r"/proc/self/fd/[0-9]+(?=/|\Z)")
FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
MAX_DEPTH = 200  # folders in each other that are looked into: a descriptor is held for each
KINDS = (
    (stat.S_ISDIR, "folder"), (stat.S_ISREG, "file"), (stat.S_ISLNK, "symbolic link"), (stat.S_ISFIFO, "fifo"),
    (stat.S_ISSOCK, "socket"),
)


@contextlib.contextmanager
def pin(path: str) -> Iterator[str]:
    """A path that stands for this very folder, whatever others rename while it is in use."""
    descriptor = _walk(path)
    try:
        yield "/proc/self/fd/%d" % descriptor
    finally:
        os.close(descriptor)


def shown(path: str) -> str:
    """A path as people know it: a pin by the folder's name."""
    pinned = PIN.match(path)
    return os.readlink(pinned.group()) + path[pinned.end():] if pinned else path


def _walk(path: str) -> int:
    """A descriptor of this folder."""
    pinned = PIN.match(path)
    start = pinned.group() if pinned else "/"
    descriptor = os.open(start, os.O_PATH | os.O_DIRECTORY)
    for name in path[len(start):].split("/"):
        if name in ("", "."):
            continue
        try:
            inner = os.open(_inner(name), FOLDER, dir_fd=descriptor)
        except OSError as error:
            error.filename = path
            raise
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def _inner(name: str) -> str:
    if name == "..":
        raise OSError(errno.ELOOP, "leads out of its folder")
    return name


@contextlib.contextmanager
def _parent(path: str) -> Iterator[Tuple[str, int]]:
    """(the last component, a descriptor of the folder that it lies in)"""
    pinned = PIN.match(path)
    folder, name = (path, ".") if path == "/" or (pinned and pinned.end() == len(path)) else os.path.split(path)
    descriptor = _walk(folder)
    try:
        yield _inner(name), descriptor
    except OSError as error:
        error.filename, error.filename2 = path, None
        raise
    finally:
        os.close(descriptor)


def open_file(path: str, flags: int, mode: int = 0o644) -> int:
    """A descriptor of a regular file. A fifo of that name keeps nobody waiting."""
    with _parent(path) as (name, folder):
        descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY, mode, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.ELOOP, "is no regular file")
    return descriptor


def reading(path: str) -> BinaryIO:
    return os.fdopen(open_file(path, os.O_RDONLY), "rb")


def writing(path: str) -> BinaryIO:
    """A new file."""
    return os.fdopen(open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb")


def lstat(path: str) -> os.stat_result:
    with _parent(path) as (name, folder):
        return os.stat(name, dir_fd=folder, follow_symlinks=False)


def kind(path: str) -> str:
    """What lies there, in words; "" for nothing."""
    try:
        mode = lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return next((name for matches, name in KINDS if matches(mode)), "device")


def is_folder(path: str) -> bool:
    return kind(path) == "folder"


def listing(path: str) -> List[str]:
    """The names in a folder; none where there is no folder."""
    try:
        descriptor = _readable(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    try:
        return os.listdir(descriptor)
    finally:
        os.close(descriptor)


def _readable(path: str) -> int:
    folder = _walk(path)
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
    finally:
        os.close(folder)


def files(path: str, depth: int = MAX_DEPTH) -> Iterator[Tuple[str, os.stat_result]]:
    """(relative path, status) of all below a folder that is no folder, and of folders that lie too deep to look into.

    NFS's own .nfs files (deleted, still open somewhere) do not count, nor does what goes while it is looked at.
    """
    for name in listing(path):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            inner = os.path.join(path, name)
            status = lstat(inner)
            if stat.S_ISDIR(status.st_mode) and depth:
                for below, its_status in files(inner, depth - 1):
                    yield os.path.join(name, below), its_status
            elif not name.startswith(".nfs"):
                yield name, status


def sync_folders(path: str) -> None:
    """A folder and all in it."""
    sync_folder(path)
    for name in listing(path):
        if is_folder(os.path.join(path, name)):
            sync_folders(os.path.join(path, name))


def remove(path: str, named: Optional[Container[str]] = None, prefix: str = "", depth: int = MAX_DEPTH) -> None:
    """Delete a folder with all in it; or with the files of it that are `named`, as far as that makes it empty."""
    for name in listing(path):
        inner, relative = os.path.join(path, name), prefix + name
        with contextlib.suppress(OSError):
            if is_folder(inner):
                if depth:
                    remove(inner, named, relative + "/", depth - 1)
            elif named is None or relative in named:
                unlink(inner)
    with contextlib.suppress(OSError):
        rmdir(path)


def mkdir(path: str, mode: int = 0o755) -> None:
    with _parent(path) as (name, folder):
        os.mkdir(name, mode, dir_fd=folder)


def rmdir(path: str) -> None:
    with _parent(path) as (name, folder):
        os.rmdir(name, dir_fd=folder)


def unlink(path: str) -> None:
    with _parent(path) as (name, folder):
        os.unlink(name, dir_fd=folder)


def rename(source: str, target: str) -> None:
    with _parent(source) as (name, folder), _parent(target) as (new_name, new_folder):
        os.rename(name, new_name, src_dir_fd=folder, dst_dir_fd=new_folder)


def make_folders(path: str, made: Optional[List[str]] = None) -> None:
    """mkdir -p, which notes in `made` what it made. Gives way to another run that makes or removes the same."""
    missing = []
    while not is_folder(path):
        missing.append(path)
        path = os.path.dirname(path)
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):
            mkdir(path)
            if made is not None:
                made.append(path)
                sync_folder(os.path.dirname(path))


def sync_folder(path: str) -> None:
    """Make the names in a folder survive a crash of the machine."""
    descriptor = _readable(path)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
