# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Unpack an archive that may be damaged or hostile. Its content says what it is (tar, tar.gz, zip), not its name."""
import errno
import functools
import gzip
import hashlib
import os
import stat
import tarfile
import zipfile
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import nofollow

CHUNK = 1 << 20
MAX_MEMBERS = 100000
# Largest read that a tar's own structure may ask for (long names, pax headers); file contents come in chunks.
MAX_HEADER = 4 << 20


Files = Dict[str, Dict[str, Any]]  # relative path: {"size": bytes, "sha256": hex}


class _Member:
    """What tar and zip have in common. special: what it is, if it is neither file nor folder."""

    def __init__(self, name: str, folder: bool, special: Optional[str], open_it: Callable[[], Any]) -> None:
        self.name, self.folder, self.special, self.open = name, folder, special, open_it


def unpack(path: str, into: str, max_size: int) -> Files:
    """Unpack into the folder `into`, which is new or empty.

    Every member is checked before it is written; what is written counts, not what the archive's headers promise.
    """
    budget = max_size
    files: Files = {}
    for member in _members(path):
        parts = _parts(member)
        if parts is None:
            continue
        relative = "/".join(parts)
        try:
            output = _make(os.path.join(into, *parts), member.folder)
        except (FileExistsError, NotADirectoryError):
            raise Error("The archive holds %r twice. Pack it again." % relative, "archive_unsafe", member=relative) from None
        if output is not None:
            files[relative] = _write(output, member, relative, budget, max_size)
            budget -= files[relative]["size"]
    return files


def _make(target: str, folder: bool) -> Optional[int]:
    """Make a folder, or a new file: the descriptor to write it with."""
    nofollow.make_folders(target if folder else os.path.dirname(target))
    return None if folder else nofollow.open_file(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def _write(output: int, member: _Member, relative: str, budget: int, max_size: int) -> Dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with os.fdopen(output, "wb") as file, _guarded(member.open) as content:
        for chunk in _chunks(content, relative):
            size += len(chunk)
            if size > budget:
                raise Error(
                    "The archive unpacks to more than %d bytes (model_max_size). Raise model_max_size if the model"
                    " really is that large." % max_size, "archive_too_large", member=relative,
                )
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return {"size": size, "sha256": digest.hexdigest()}


def _parts(member: _Member) -> Optional[List[str]]:
    """The checked path of a member as a list; None for what a packer adds of its own."""
    name = member.name
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise Error(
            "The archive's member %r leads out of the folder it is unpacked in. Nothing was published: do not trust this"
            " archive, or pack it with relative paths." % name, "archive_unsafe", member=name,
        )
    if not parts or "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1] == ".DS_Store":
        return None
    if member.special:
        raise Error(
            "The archive's member %r is a %s; a model consists of files and folders. Pack it again with links followed"
            " (tar --dereference)." % (name, member.special), "archive_unsafe", member=name,
        )
    return parts


def _damaged(detail: object) -> Error:
    return Error(
        "The archive is damaged or cut off (%s). Download or pack it again; model_checksum tells a bad copy at once."
        % (str(detail) or type(detail).__name__), "archive_damaged",
    )


def _guarded(function: Callable[..., Any], *args: Any) -> Any:
    """function(*args), where an archive's bytes may raise anything: ValueError, zlib.error, RecursionError ..."""
    try:
        return function(*args)
    except Error:
        raise
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # the disk or the NAS; EINVAL comes of seeking to nonsense
            raise
        raise _damaged(error) from None
    except Exception as error:
        raise _damaged(error) from None


def _chunks(content: BinaryIO, relative: str) -> Iterator[bytes]:
    while True:
        try:
            chunk = _guarded(content.read, CHUNK)
        except Error as error:
            error.details["member"] = relative
            raise
        if not chunk:
            return
        yield chunk


def _members(path: str) -> Iterator[_Member]:
    with open(path, "rb") as file:
        start = file.read(512)
        file.seek(0)
        if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            members = _zip_members(file)
        elif start.startswith(b"\x1f\x8b"):
            members = _tar_members(gzip.GzipFile(fileobj=file), "a gzip file without a tar in it")
        else:
            members = _tar_members(file, "not an archive")
        for count, member in enumerate(iter(lambda: _guarded(next, members, None), None)):
            if count == MAX_MEMBERS:
                raise Error("The archive has more than %d members: this is not a model." % MAX_MEMBERS, "archive_too_large")
            yield member


class _HeaderLimit:
    """A file whose single reads are bounded: a tar header may claim to be 20 GB long and would be read at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_HEADER:
            raise tarfile.ReadError("a header of %d bytes" % size)
        return self._file.read(size)


def _tar_members(stream: Any, otherwise: str) -> Iterator[_Member]:
    start = stream.read(24)
    stream.seek(0)
    try:
        limited: Any = _HeaderLimit(stream)
        tar = tarfile.open(fileobj=limited, mode="r:")  # noqa: SIM115
    except tarfile.ReadError:
        raise Error(
            "The file is %s: it begins with %r. Wanted: .tar.gz, .tgz, .tar or .zip with the model in it."
            % (otherwise, start.decode("latin-1")), "not_an_archive",
        ) from None
    with tar:
        for member in iter(tar.next, None):
            special: Optional[str] = None
            if member.issym() or member.islnk():
                special = "link (to %r)" % member.linkname
            elif not (member.isfile() or member.isdir()):
                special = "device or pipe"
            yield _Member(member.name, member.isdir(), special, functools.partial(tar.extractfile, member))
        # tarfile takes a cut-off header for the end. A whole tar ends in zeros; reading gzip to its end checks its CRC.
        stream.seek(tar.offset)
        if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise _damaged("it has no end mark")
        if not any(len(stream.read(CHUNK)) < CHUNK for dummy in range(64)):
            raise _damaged("more than 64 MiB follow its end")


def _zip_members(file: BinaryIO) -> Iterator[_Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            special: Optional[str] = None
            if kind == stat.S_IFLNK:
                special = "link"
            elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                special = "device or pipe"
            elif info.flag_bits & 1:
                special = "file under a password"
            # Some Windows packers write backslashes.
            yield _Member(info.filename.replace("\\", "/"), info.is_dir(), special, functools.partial(archive.open, info))
