# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked for, and whether it is there. Changes nothing; what a run does then: bringing.py."""

import contextlib
import errno
import hashlib
import os
import posixpath
import stat
import time
from typing import Any, BinaryIO, Callable, Dict, List, Optional, Tuple, TypeVar

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import nofollow
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Archive, Request, checksum_mismatch
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.staging import is_tidy
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.versions import Model, Record, Result, numbers

TREE_LINES = 200

T = TypeVar("T")


class Look(Model):
    """Whether anything is to be done, and what: the answer in check mode."""

    only_looks = True

    def __init__(self, export: str, request: Request, archive: Archive) -> None:
        super().__init__(export, request)
        self.request, self.archive = request, archive
        self.started = time.monotonic()
        self.checksum = request.checksum
        self.remote: Optional[Dict[str, Any]] = None  # what the web server says of the archive
        self.begun = False  # is that what it says to a download, and not to a HEAD?

    def run(self) -> Result:
        before = sorted(self.versions())
        self._identify()
        record, back = self._found()
        if not record:
            self._refuse_the_checksum_of_another()
        unfinished, tidy = set(self.unfinished()), is_tidy(self.staging)
        if record and not back and (self.only_looks or (tidy and not unfinished)):
            result = self._result(record, before, bool(unfinished), sorted(set(before) - unfinished))
            return result if tidy else dict(result, needs=["tidying"])
        return self._conclude(before, record, back)

    def _conclude(self, before: List[int], record: Record, back: bool) -> Result:
        """What comes of it where something is to be done, or may be."""
        if self.archive.url:
            self._ask(self.archive.url)  # a wrong URL shows here, not in the real run
        return self._forecast(before, record)

    def _identify(self) -> None:
        """What the archive can be known by without its content: its checksum, or else what the web server says of it."""
        path = self.archive.path
        if path and os.path.isdir(path):
            raise Error(
                "model_archive %s is a folder. Pack it (tar -czf mnist.tar.gz mnist/1) and name the archive." % self.archive.name,
                "archive_is_folder",
            )
        if path and (self.archive.kind == "node" or self.checksum is None):  # the controller knows its own, and says it
            found = self._read(path, file_sha256)
            if self.checksum not in (None, found):
                raise self._mismatch(found)
            self.checksum = found
        if self.archive.url and self.checksum is None:
            self._ask(self.archive.url)

    def _ask(self, url: str, begun: bool = False) -> Dict[str, Any]:
        """What the web server says of the archive. begun: to who downloads it."""
        from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import download  # most looks ask nobody

        if self.remote is None or begun > self.begun:
            self.remote, self.begun = (download.begun if begun else download.head)(url), begun
        return self.remote

    def _read(self, path: str, function: Callable[[str], T]) -> T:
        try:
            return function(path)
        except OSError as error:
            raise Error(
                "model_archive %s cannot be read: %s. Check the path%s."
                % (self.archive.name, error.strerror, " on model_node" if self.archive.kind == "node" else ""),
                "archive_not_found" if error.errno == errno.ENOENT else "archive_unreadable",
            ) from None

    def _found(self) -> Tuple[Record, bool]:
        """The record of the version that is what is asked for, as far as can be told without the archive; {} if none is.
        And whether it was taken away and shall come back."""
        live = self.versions()
        for version in sorted(live, reverse=True) + sorted(set(self.recorded()) - set(live), reverse=True):
            if self.request.version not in (None, version):
                continue
            record = self.whole(version) if version in live else self.stored(version)
            if not record or (version not in live and not self.what_became_of(record)):
                continue
            if self._is_asked_for(record):
                gone = bool(self.what_became_of(record))
                if not gone or self.request.reinstate:
                    self._must_be_newest(version)
                return record, gone and self.request.reinstate
        if self.request.version is not None:
            self._must_be_newest(self.request.version)
        return {}, False

    def _is_asked_for(self, record: Record) -> bool:
        request = self.request
        if request.version is None and record.get("archive_version") != record["version"]:
            return False
        url, from_there = self.archive.url, record.get("source") == self.archive.name
        if self.checksum is None:
            return url is not None and from_there and self._is_same(url, record)
        if record.get("sha256") != self.checksum:
            return False
        # A file was read, and has this checksum. What a URL holds is known where it was fetched from there; but what of its query is
        # not recorded may be a signature, new each time, or name another file, which its size tells.
        return url is None or (from_there and not (self.archive.signed and self._differs_in_size(url, record)))

    def _is_same(self, url: str, record: Record) -> bool:
        """Some servers tell a HEAD less than a download, or another length."""
        remote = self._ask(url)
        if not remote["etag"] and not same(record, remote) and (record.get("etag") or record.get("last_modified")):
            remote = self._ask(url, begun=True)
        return same(record, remote)

    def _differs_in_size(self, url: str, record: Record) -> bool:
        """Is there certainly another archive at the URL than the recorded one? A length of 0 says nothing, and what a HEAD is told
        is asked for twice. A signature that is too old shows no other archive."""
        def differs(remote: Dict[str, Any]) -> bool:
            return bool(remote["size"] and record.get("size") and remote["size"] != record["size"])

        try:
            return differs(self._ask(url)) and differs(self._ask(url, begun=True))
        except Error as error:
            if error.code != "archive_refused":
                raise
            return False

    def _owner(self) -> Record:
        """The record of the version whose archive has the checksum that is asked for; {} if none has."""
        records = map(self.stored, self.recorded() if self.checksum is not None else [])
        return next((record for record in records if record.get("sha256") == self.checksum), {})

    def _refuse_the_checksum_of_another(self) -> None:
        """As far as that can be told without a download. The download tells the rest."""
        owner, url = self._owner(), self.archive.url
        if owner and url and self._differs_in_size(url, owner):
            raise self._checksum_of_another(owner, "%d bytes, not %d" % (self._ask(url)["size"], owner["size"]), None)

    def _mismatch(self, found: str) -> Error:
        owner = self._owner()
        return self._checksum_of_another(owner, "other content", found) if owner else checksum_mismatch(
            self.archive.name, self.checksum, found)

    def _checksum_of_another(self, owner: Record, difference: str, found: Optional[str]) -> Error:
        return Error(
            "model_checksum sha256:%s is that of version %d, from %s, and %s is another archive (%s). Nothing was published. To"
            " publish that one, give its own checksum as well: -e model_archive=... -e model_checksum=sha256:%s. To keep version"
            " %d, put model_archive back."
            % (self.checksum, owner["version"], owner.get("source"), self.archive.name, difference,
               found or "... (sha256sum FILE prints it)", owner["version"]),
            "checksum_mismatch", wanted=self.checksum, found=found, version=owner["version"], source=owner.get("source"),
        )

    def _must_be_newest(self, version: int) -> None:
        higher = sorted(set(self.versions()) - set(self.unfinished()))[-1:]
        if self.request.newest and higher and version < higher[0]:
            raise Error(
                "Version %d is lower than %d, the highest live one in %s, and servers with serving_version_policy latest take"
                " the highest: they would never serve it. Nothing was published. Publish it under a higher number"
                " (model_version), or go back to an older version with playbooks/rollback.yml."
                % (version, higher[0], self.base_path), "not_newest", version=version, highest=higher[0],
            )

    def _result(self, record: Record, before: List[int], changed: bool, after: List[int]) -> Result:
        version = record["version"]
        gone = self.what_became_of(record)
        folder = self.folder(version) or os.path.join(self.base, str(version))
        return {
            "changed": changed,
            "version": version,
            "path": posixpath.join(self.base_path, os.path.relpath(folder, self.base)),
            "versions": after,
            "aside": sorted(self.aside()),
            "listed": self.entries(),
            "tree": self.tree(version),
            "source": record.get("source"),
            "checksum": "sha256:%s" % record.get("sha256"),
            "verified": self.checksum is not None,
            "size": sum(file["size"] for file in record["files"].values()),
            "archive_size": record.get("size"),
            "signatures": record.get("signatures", {}),
            "warmup": record.get("warmup") or 0,
            "left_out": record.get("left_out") or [],
            "published": record.get("published"),
            "checked": record.get("checked"),
            "withdrawn": dict(record["withdrawn"], version=version) if gone == "withdrawn" else {},
            "pruned": dict(record["pruned"], version=version) if gone == "pruned" else {},
            "message": self._message(record, gone, after) if gone else "",
            "left": self.left_alone(),
            "duration": self._duration(),
            "diff": _diff(self._lines(before), self._lines(after)),
        }

    def _message(self, record: Record, gone: str, live: List[int]) -> str:
        mark = record[gone]
        return (
            "Version %d was %s on %s%s. %s holds that version, so nothing was published (live: %s). To bring it back:"
            " playbooks/publish.yml -e model_reinstate=true"
            % (record["version"], "withdrawn" if gone == "withdrawn" else "deleted from the NAS, to make room (model_keep),",
               mark.get("at"), ": " + mark["reason"].rstrip(".") if mark.get("reason") else "", self.archive.name,
               numbers(live) or "none")
        )

    def _forecast(self, versions: List[int], record: Record) -> Result:
        """The answer in check mode where something would change, or may: only the archive knows."""
        version = record.get("version", self.request.version)
        what = "<the version in the archive>" if version is None else str(version)
        path = posixpath.join(self.base_path, what)
        after = "(version %s is live: its content would be compared with the archive's)" % what if version in versions else path
        return {
            "changed": True, "version": version, "path": path, "versions": versions, "aside": sorted(self.aside()),
            "listed": self.entries(), "tree": self.tree(None), "source": self.archive.name,
            "checksum": "sha256:%s" % self.checksum if self.checksum else None, "verified": False,
            "size": None, "archive_size": None, "signatures": {}, "warmup": None, "left_out": [], "published": None, "checked": None,
            "withdrawn": {}, "pruned": {}, "message": "", "left": self.left_alone(),
            "duration": self._duration(),
            "diff": _diff(self._lines(versions), self._lines(versions) + [after]),
        }

    def _duration(self) -> float:
        return round(time.monotonic() - self.started, 3)

    def tree(self, version: Optional[int]) -> List[str]:
        """Lines for people: all versions, and the files of one."""
        return _drawn(self.base_path, self.base, self.versions(), version)

    def _lines(self, versions: List[int]) -> List[str]:
        return [posixpath.join(self.base_path, str(version)) for version in versions]


def same(before: Record, now: Record) -> bool:
    """Do two answers of the server describe the same file? Only what identifies it counts, so the size alone does not."""
    if before.get("etag") or now.get("etag"):
        return before.get("etag") == now.get("etag")
    return bool(now.get("last_modified")) and all(before.get(key) == now.get(key) for key in ("last_modified", "size"))


def _drawn(title: str, base: str, versions: Dict[int, str], opened: Optional[int]) -> List[str]:
    lines = [title]
    for number in sorted(versions):
        last = number == max(versions)
        lines.append(("└── " if last else "├── ") + versions[number])
        if number == opened:
            lines += _tree(os.path.join(base, versions[number]), "    " if last else "│   ")
    if len(lines) > TREE_LINES:
        lines[TREE_LINES:] = ["... and %d lines more" % (len(lines) - TREE_LINES)]
    return lines


def file_sha256(path: str) -> str:
    with open(path, "rb") as file:
        return sha256_of(file)


def sha256_of(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    for chunk in iter(lambda: file.read(1 << 20), b""):
        digest.update(chunk)
    return digest.hexdigest()


def _tree(folder: str, indent: str) -> List[str]:
    lines = []
    names = sorted(nofollow.listing(folder))
    for name in names:
        path = os.path.join(folder, name)
        last = name == names[-1]
        with contextlib.suppress(FileNotFoundError):
            status = nofollow.lstat(path)
            is_folder = stat.S_ISDIR(status.st_mode)
            lines.append(indent + ("└── " if last else "├── ") + name + ("" if is_folder else "  (%s)" % _human(status.st_size)))
            if is_folder:
                lines += _tree(path, indent + ("    " if last else "│   "))
    return lines


def _human(size: float) -> str:
    units = ["B", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024.0
        del units[0]
    return ("%d %s" if units[0] == "B" else "%.1f %s") % (size, units[0])


def _diff(before: List[str], after: List[str]) -> Dict[str, str]:
    return {
        "before": "".join(line + "\n" for line in before),
        "after": "".join(line + "\n" for line in after),
    }
