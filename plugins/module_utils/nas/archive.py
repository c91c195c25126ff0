# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Unpack an archive that may be damaged or hostile, while it arrives. Its content says what it is (packing.py), not its name.

What is unpacked is what people have: links to files of the same archive become copies, what a packer adds of its own is left out.
"""
import bisect
import contextlib
import functools
import hashlib
import os
import posixpath
import stat
import tarfile
import zipfile
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import nofollow, packing
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.packing import Forward, damaged, guarded
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.source import CHUNK, Source

MAX_MEMBERS = 100000
MAX_LINKS = 40  # that lead from one to the next, as many as Linux follows
MAX_NAME, MAX_PATH, MAX_DEPTH = 255, 2048, 100  # bytes of a file's name, of a path with its folders; and how many these may be
MAX_TARGET = 4096  # bytes of what a link leads to

UNPACKABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
FOLLOW = "Pack it again with links followed (tar --dereference --hard-dereference; zip without -y)"

Files = Dict[str, Dict[str, Any]]  # relative path: {"size": bytes, "sha256": hex}


class Unpacked:
    """files: written. links: {path: the path in the archive that it leads to, None where it leads out}, for use_links() to make
    files of. nameless: paths, for people, of what was left out because its name is not UTF-8."""

    def __init__(self, max_size: int) -> None:
        self.max_size = self.budget = max_size  # bytes
        self.files: Files = {}
        self.links: Dict[str, Optional[str]] = {}
        self.nameless: List[str] = []

    def names(self) -> List[str]:
        """Of all that is a file, or leads to one."""
        return sorted(set(self.files) | {link for link in self.links if self.leads_to(link) in self.files})

    def below(self, path: str, names: List[str]) -> List[str]:
        """Of the sorted names that of the path itself, or those in the folder of this name."""
        if path in self.files:
            return [path]
        return names[bisect.bisect_left(names, path + "/"):bisect.bisect_left(names, path + "0")]  # "0" comes after "/"

    def leads_to(self, path: str) -> Optional[str]:
        """The path without links, None where these lead out of the archive or in circles."""
        for dummy in range(MAX_LINKS):
            parts = path.split("/")
            heads = ("/".join(parts[:end]) for end in range(1, len(parts) + 1))
            link = next((head for head in heads if head in self.links), None)
            if link is None:
                return path
            target = self.links[link]
            if target is None:
                return None
            path = posixpath.normpath(target + path[len(link):])
        return None

    def spend(self, size: int, path: str) -> None:
        self.budget -= size
        if self.budget < 0:
            raise Error(
                "The archive unpacks to more than %d bytes (model_max_size). Raise model_max_size if the model"
                " really is that large." % self.max_size, "archive_too_large", member=path,
            )


class _Member:
    """What tar and zip have in common.

    special: what it is, if it is neither file nor folder. link: the path that it leads to, from the archive's top; None where it
    is no link, "" where that leads out. size: what the archive promises.
    """

    def __init__(self, name: str, folder: bool, size: int, special: Optional[str], open_it: Callable[[], Any],
                 link: Optional[str] = None) -> None:
        self.name, self.folder, self.size, self.special, self.open, self.link = name, folder, size, special, open_it, link


def unpack(source: Source, into: str, max_size: int, spool: str) -> Unpacked:
    """Unpack into the folder `into`, which is new or empty. spool: where a zip is put that comes from elsewhere, and what is no
    archive.

    Every member is checked before it is written; what is written counts, not what the archive's headers promise.
    """
    unpacked = Unpacked(max_size)
    for member in _members(source, spool):
        parts = _parts(member)
        if parts is None:
            continue
        path = "/".join(parts)
        if not _is_utf8(path):
            unpacked.nameless.append(shown(path))
        elif member.link is not None:
            if path in unpacked.links:
                raise _twice(path)
            unpacked.links[path] = member.link or None
        else:
            _unpack_one(member, path, into, unpacked)
    for path in unpacked.links:
        if nofollow.kind(os.path.join(into, path)) or any(parent in unpacked.files for parent in _parents(path)):
            raise _twice(path)
    return unpacked


def use_links(unpacked: Unpacked, into: str, top: str) -> List[str]:
    """Make files of the links in the folder `top`, whose names there are in `files` then. The links elsewhere, which nobody needs."""
    inside = top + "/" if top else ""
    names = unpacked.names()
    copies: Dict[str, str] = {}
    for link in sorted(unpacked.links):
        if link.startswith(inside):
            target = unpacked.leads_to(link)
            found = [] if target is None else unpacked.below(target, names)
            if target is None or not found or link.startswith(target + "/"):
                raise _leads_nowhere(link, target, bool(found))
            copies.update({link + path[len(target):]: unpacked.leads_to(path) or path for path in found})
            _limit(len(copies))
    for path, original in copies.items():
        unpacked.spend(unpacked.files[original]["size"], path)
        _copy(os.path.join(into, original), _new_file(into, path))
        unpacked.files[path] = unpacked.files[original]
    return sorted(link for link in unpacked.links if not link.startswith(inside))


def _leads_nowhere(link: str, target: Optional[str], found: bool) -> Error:
    where = "that leads out of the archive" if target is None else (
        "to the folder that it lies in" if found else "to %r, which is not in the archive" % target)
    return Error(
        "The archive's member %r is a link %s, and a server would not find a file there. %s." % (link, where, FOLLOW),
        "archive_unsafe", member=link,
    )


def _limit(members: int) -> None:
    if members > MAX_MEMBERS:
        raise Error("The archive has more than %d members: this is not a model." % MAX_MEMBERS, "archive_too_large")


def shown(path: str) -> str:
    """A name as a person can read it, and JSON carry it, whatever bytes it is made of."""
    return _bytes(path).decode("utf-8", "replace")


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _is_utf8(path: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in path)


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = posixpath.dirname(path)
        yield path


def _unpack_one(member: _Member, path: str, into: str, unpacked: Unpacked) -> None:
    if member.folder:
        _make_folder(into, path)
        return
    with os.fdopen(_new_file(into, path), "wb", buffering=0) as file:
        if member.size > unpacked.budget:
            unpacked.spend(member.size, path)  # nothing of it need be written to know
        with guarded(member.open) as content:
            unpacked.files[path] = _write(file, content, path, unpacked)


def _make_folder(into: str, path: str) -> None:
    folder = os.path.normpath(os.path.join(into, path))
    with contextlib.suppress(NotADirectoryError):
        nofollow.make_folders(folder)
    if not nofollow.is_folder(folder):
        raise _twice(path)


def _new_file(into: str, path: str) -> int:
    """The descriptor to write it with."""
    _make_folder(into, posixpath.dirname(path))
    try:
        return nofollow.open_file(os.path.join(into, path), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except (FileExistsError, NotADirectoryError):
        raise _twice(path) from None


def _twice(path: str) -> Error:
    return Error("The archive holds %r twice. Pack it again." % path, "archive_unsafe", member=path)


def _write(file: Any, content: BinaryIO, path: str, unpacked: Unpacked) -> Dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    for chunk in _chunks(content, path):
        unpacked.spend(len(chunk), path)
        size += len(chunk)
        digest.update(chunk)
        write_all(file, chunk)
    os.fsync(file.fileno())
    return {"size": size, "sha256": digest.hexdigest()}


def write_all(file: Any, chunk: bytes) -> None:
    """To a file without a buffer, which would copy every byte once more."""
    left = memoryview(chunk)
    while left:
        left = left[file.write(left):]


def _copy(original: str, output: int) -> None:
    with os.fdopen(output, "wb") as file, nofollow.reading(original) as content:
        for chunk in iter(lambda: content.read(CHUNK), b""):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _parts(member: _Member) -> Optional[List[str]]:
    """The checked path of a member as a list; None for what a packer adds of its own."""
    name = member.name
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise Error(
            "The archive's member %r leads out of the folder it is unpacked in. Nothing was published: do not trust this"
            " archive, or pack it with relative paths." % shown(name), "archive_unsafe", member=shown(name),
        )
    if len(parts) > MAX_DEPTH or len(_bytes(name)) > MAX_PATH or any(len(_bytes(part)) > MAX_NAME for part in parts):
        raise Error(
            "The archive's member %r... has a name that is too long for a file, or lies in more than %d folders. Pack it again"
            " under a shorter one." % (shown(name[:80]), MAX_DEPTH), "archive_unsafe", member=shown(name[:80]),
        )
    if not parts or "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1] == ".DS_Store":
        return None
    if member.special:
        raise Error(
            "The archive's member %r is %s." % (shown(name), member.special), "archive_unsafe", member=shown(name),
        )
    return parts


def _chunks(content: BinaryIO, path: str) -> Iterator[bytes]:
    while True:
        try:
            chunk = guarded(content.read, CHUNK)
        except Error as error:
            error.details["member"] = path
            raise
        if not chunk:
            return
        yield chunk


def _members(source: Source, spool: str) -> Iterator[_Member]:
    stream = Forward(source.next)
    if stream.peek(4) in packing.ZIPS:
        members = _zip_members(source.path, stream, spool)
    else:
        members = _tar_members(*packing.unwrapped(stream), spool)
    for count, member in enumerate(iter(lambda: guarded(next, members, None), None)):
        _limit(count + 1)
        yield member


def _spool(stream: Forward, spool: str, start: bytes = b"") -> None:
    """start: what was read of it already."""
    with nofollow.writing(spool) as file:
        file.write(start)
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            file.write(chunk)


# What tarfile does not know, and people's tar writes.
LABEL, DUMP_FOLDER, CONTINUED = b"V", b"D", b"M"
DEVICE = "a device or pipe; a model consists of files and folders. Pack it again without"
VOLUME = "a part of a file that begins in another volume. Pack it again in one (tar without --multi-volume)"
PASSWORD = "a file under a password. Pack it again without one"  # noqa: S105 - no password


class _Content:
    """What follows a member's header in the stream, as a file to read."""

    def __init__(self, stream: Forward, size: int) -> None:
        self._stream, self._left = stream, size

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(min(size, self._left))
        if len(chunk) < min(size, self._left):
            raise EOFError("it ends within a file")
        self._left -= len(chunk)
        return chunk

    def __enter__(self) -> "_Content":
        return self

    def __exit__(self, *error: object) -> None:
        pass


def _tar_members(stream: Forward, wrapping: List[str], spool: str) -> Iterator[_Member]:
    start = stream.peek(512)
    try:
        tar = tarfile.open(  # noqa: SIM115
            fileobj=stream, mode="r:", encoding="utf-8", errors="surrogateescape")  # type: ignore[call-overload]
    except tarfile.ReadError:
        if not wrapping:  # for who wants to know what it is instead; tarfile has read its beginning
            _spool(stream, spool, start)
        raise packing.not_an_archive(start, wrapping) from None
    with tar:
        for info in iter(tar.next, None):
            tar.members = []  # it keeps them all
            if info.type != LABEL:
                yield _tar_member(tar, info, stream)
        # tarfile takes a cut-off header for the end. A whole tar ends in zeros; reading what it is packed in to its end checks
        # the sum there.
        if stream.last != bytes(tarfile.BLOCKSIZE):
            raise damaged("it has no end mark")
        if not any(len(stream.read(CHUNK)) < CHUNK for dummy in range(64)):
            raise damaged("more than 64 MiB follow its end")


def _tar_member(tar: tarfile.TarFile, info: tarfile.TarInfo, stream: Forward) -> _Member:
    special = link = None
    if info.issym():
        link = _target(posixpath.dirname(info.name), info.linkname)
    elif info.islnk():
        link = _target("", info.linkname)
    elif info.type == CONTINUED:
        special = VOLUME
    elif not (info.isfile() or info.isdir() or info.type == DUMP_FOLDER):
        special = DEVICE
    open_it: Callable[[], Any] = functools.partial(_Content, stream, info.size)
    if info.issparse():
        open_it = functools.partial(tar.extractfile, info)
    return _Member(info.name, info.isdir() or info.type == DUMP_FOLDER, info.size, special, open_it, link)


def _target(folder: str, target: str) -> str:
    """The path that a link leads to, from the archive's top; "" where it leads out."""
    path = posixpath.normpath(posixpath.join(folder, target))
    return "" if path.startswith("/") or path.split("/")[0] == ".." else path


def _zip_members(path: Optional[str], stream: Forward, spool: str) -> Iterator[_Member]:
    """path: where it lies on the node. One that comes from elsewhere is read when all of it is there: its list stands at its end."""
    if path is None:
        _spool(stream, spool)
    with open(path, "rb") if path else nofollow.reading(spool) as file, zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            name = _zip_name(info)
            special = link = None
            if info.flag_bits & 1:
                special = PASSWORD
            elif kind not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
                special = DEVICE
            elif info.compress_type not in UNPACKABLE:
                special = "packed by method %d, which Python cannot unpack. Pack it again as .tar.gz" % info.compress_type
            elif kind == stat.S_IFLNK:
                with archive.open(info) as content:
                    link = _target(posixpath.dirname(name), content.read(MAX_TARGET).decode("utf-8", "surrogateescape"))
            folder = name.endswith("/") or kind == stat.S_IFDIR
            yield _Member(name, folder, info.file_size, special, functools.partial(archive.open, info), link)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Without the flag for UTF-8 a name is cp437 by the book, and mostly UTF-8 (macOS, Info-ZIP) or the packer's own code page."""
    name = info.filename
    if not info.flag_bits & 0x800:
        name = name.encode("cp437").decode("utf-8", "surrogateescape")
    return name.replace("\\", "/")  # some Windows packers write these
