# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make one version of a model live in a folder: validated, complete, by a single rename, and never changed after.

What is live, withdrawn and pruned, and where it lies: versions.py. What was taken away is not published again, unless the
request says `reinstate`.
"""

import contextlib
import errno
import hashlib
import os
import posixpath
import re
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, TypeVar

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import archive, download, savedmodel, warmup
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import (
    Archive,
    Request,
    checksum_mismatch,
    version_number,
)
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.staging import staging, sync_folder
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.versions import (
    PROVENANCE,
    WITHDRAWN,
    Model,
    Record,
    Result,
    now,
    numbers,
    sizes_of,
)

TREE_LINES = 200
ORIGIN = ("source", "sha256", "size", "etag", "last_modified")  # of a record: the archive that it came in

T = TypeVar("T")


def publish(export: str, request: Request, check_mode: bool = False) -> Result:
    """Bring the version that `request` asks for to life below the folder `export`. Returns the module's result.

    In check mode: the same answer where nothing would change. `needs` are what the action plugin has to send along, or
    "tidying", where another run works or has left something behind, so that this one cannot be left out.
    """
    if request.archive is None:
        raise Error("model_archive is not set.", "variable_missing", variable="model_archive")
    before = os.umask(0o022)  # whatever uid the server runs as, it can read what is made here
    try:
        return _Publication(export, request, request.archive).run(check_mode)
    finally:
        os.umask(before)


def absent(export: str, request: Request, check_mode: bool = False) -> Result:
    """Delete every version of the model, and what this collection keeps beside them."""
    model = Model(export, request)
    names = os.listdir(model.base) if os.path.isdir(model.base) else []
    strange = sorted(name for name in names if not _is_ours(name))
    if strange:
        raise Error(
            "%s holds %s, which is not a version of the model. Nothing was deleted: check model_base_path, or delete the folder"
            " by hand." % (request.base_path, ", ".join(strange[:5])), "not_a_model_folder", strange=strange,
        )
    tree = _drawn(request.base_path, model.base, model.versions(), None)
    result = {"path": request.base_path, "versions": [], "tree": [], "diff": _diff(tree, [])}
    gone = not names and (model.is_export or not os.path.isdir(model.base))
    if gone and not os.path.isdir(model.staging):
        return dict(result, changed=False)
    if not check_mode:
        with staging(model.staging, request.lock_timeout, "deleting the model") as (trash, dummy):
            for name in model.listing():
                if os.path.join(model.base, name) != model.staging and not name.startswith(".nfs"):
                    os.rename(os.path.join(model.base, name), os.path.join(trash, name))
            if not model.is_export:
                with contextlib.suppress(FileNotFoundError):
                    os.rmdir(model.base)
    return dict(result, changed=not gone)


class _Publication(Model):
    def __init__(self, export: str, request: Request, archive: Archive) -> None:
        super().__init__(export, request)
        self.request, self.archive = request, archive
        self.started = time.monotonic()
        self.checksum = request.checksum
        self.remote: Optional[Dict[str, Any]] = None  # what the web server says of the archive
        self.stamp: Optional[Tuple[int, int, int]] = None  # of a file, when its checksum was taken

    def run(self, check_mode: bool) -> Result:
        before = sorted(self.versions())
        self._identify()
        record, back = self._found()
        unfinished, tidy = set(self.unfinished()), not os.path.isdir(self.staging)
        if record and not back and (check_mode or (tidy and not unfinished)):
            result = self._result(record, before, bool(unfinished), sorted(set(before) - unfinished))
            return result if tidy else dict(result, needs=["tidying"])
        if check_mode:
            if self.archive.url and self.remote is None:
                download.head(self.archive.url)  # a wrong URL shows here, not in the real run
            return self._forecast(before, record)
        needs = self._needs(record, back)
        if needs:
            return {"changed": False, "needs": needs}
        with staging(self.staging, self.request.lock_timeout, "publishing " + self.archive.name) as (work, made):
            record, changed = self._carry_out(work, made)
        return self._result(record, before, changed, sorted(self.versions()))

    def _identify(self) -> None:
        """What the archive can be known by without its content: its checksum, or else what the web server says of it."""
        path = self.archive.path
        if path and os.path.isdir(path):
            raise Error(
                "model_archive %s is a folder. Pack it (tar -czf mnist.tar.gz mnist/1) and name the archive." % self.archive.name,
                "archive_is_folder",
            )
        if path:
            self.stamp = self._read(path, _stamp)
            found = self._read(path, _file_sha256)
            if self.checksum not in (None, found):
                raise checksum_mismatch(self.archive.name, self.checksum, found)
            self.checksum = found
        if self.archive.url and self.checksum is None:
            self.remote = download.head(self.archive.url) or {}

    def _read(self, path: str, function: Callable[[str], T]) -> T:
        try:
            return function(path)
        except OSError as error:
            raise Error(
                "model_archive %s cannot be read: %s. Check the path%s."
                % (self.archive.name, error.strerror, " on model_node" if self.archive.kind == "node" else ""),
                "archive_not_found" if error.errno == errno.ENOENT else "archive_unreadable",
            ) from None

    def _carry_out(self, work: str, made: List[str]) -> Tuple[Record, bool]:
        """With the lock held. Returns (record, did anything change)."""
        record, back = self._found()  # again: the run that held the lock may have published the same
        unfinished = [version for version in self.unfinished() if not back or version != record["version"]]
        for version in unfinished:
            self.take_out(version, work, made)
        changed = False
        if back and self._is_there(record):
            record, changed = self._bring_back(record, work, made), True
        elif back or not record:
            record, changed = self._bring(work, made)
        return record, changed or bool(unfinished)

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
        if self.checksum is not None:
            return bool(record.get("sha256") == self.checksum)
        return self.remote is not None and record.get("source") == self.archive.name and download.same(record, self.remote)

    def _must_be_newest(self, version: int) -> None:
        higher = sorted(set(self.versions()) - set(self.unfinished()))[-1:]
        if self.request.newest and higher and version < higher[0]:
            raise Error(
                "Version %d is lower than %d, the highest live one in %s, and servers with serving_version_policy latest take"
                " the highest: they would never serve it. Nothing was published. Publish it under a higher number"
                " (model_version), or go back to an older version with playbooks/rollback.yml."
                % (version, higher[0], self.base_path), "not_newest", version=version, highest=higher[0],
            )

    def _is_there(self, record: Record) -> bool:
        """Is the data of a version that was taken away at hand, as it was published?"""
        return bool(self.folder(record["version"]) and self.whole(record["version"]))

    def _needs(self, record: Record, back: bool) -> List[str]:
        """What has to come from the controller first."""
        if record and (not back or self._is_there(record)):
            return []
        needs = ["archive"] if self.archive.kind == "controller" and not self.archive.path else []
        return needs + (["warmup"] if self.request.warmup and not self.request.warmup_samples else [])

    def _bring_back(self, record: Record, work: str, made: List[str]) -> Record:
        """Back into the base path, and only then without its mark: whoever dies between leaves it withdrawn."""
        version = record["version"]
        if version not in self.versions():
            os.rename(os.path.join(self.withdrawn, self.aside()[version]), os.path.join(self.base, str(version)))
            sync_folder(self.base)
        record = _unmarked(record)
        self.write_record(record, work, made)
        with contextlib.suppress(OSError):
            os.rmdir(self.withdrawn)
        return record

    def _bring(self, work: str, made: List[str]) -> Tuple[Record, bool]:
        """Fetch, unpack, check, rename. Returns (record, did a version appear)."""
        record, folder = self._unpacked(work)
        version = record["version"]
        before = self.stored(version)
        if version in self.versions():
            self._must_be_same(version, record["files"])
            if self.whole(version):
                kept = ("files", "warmup", "checked", "withdrawn")  # among the files warm-up records that were made here
                record.update({key: before[key] for key in kept if key in before})
            self.write_record(record, work, made)
            return record, False
        gone = self.what_became_of(before)
        if gone and before.get("digest") != record["digest"]:
            raise self._used(before, gone)
        if gone and not self.request.reinstate:
            record = dict(before, **{key: record[key] for key in ORIGIN})  # known without a download next time
            self.write_record(record, work, made)
            return record, False
        self._must_be_newest(version)
        self._add_warmup(record, folder)
        self._make_live(record, folder, {gone: before[gone]} if gone else {}, work, made)
        return record, True

    def _unpacked(self, work: str) -> Tuple[Record, str]:
        """What the archive holds, checked: (its record, its folder)."""
        path, origin = self._fetched(work)
        unpacked = os.path.join(work, "unpacked")
        with _named(self.archive):
            files = archive.unpack(path, unpacked, self.request.max_size)
        if self.stamp and self._read(path, _stamp) != self.stamp:
            raise Error(
                "model_archive %s was changed while it was read. Run again once it is complete." % self.archive.name,
                "archive_changed",
            )
        with _named(self.archive):
            top = _model_folder(files)
            archive_version, version = _version(top, self.request.version)
            folder = os.path.normpath(os.path.join(unpacked, top))
            signatures = savedmodel.inspect(folder)["signatures"]
            warmups = warmup.inspect(folder, signatures)
        inside = len(top) + 1 if top else 0
        files = {path[inside:]: file for path, file in sorted(files.items()) if path.startswith(top + "/") or not top}
        return dict(
            origin, version=version, archive_version=archive_version, files=files, digest=_digest(files),
            signatures=signatures, warmup=warmups, published=now(),
        ), folder

    def _fetched(self, work: str) -> Tuple[str, Record]:
        """(path of the archive, where it came from)"""
        origin: Record = {"source": self.archive.name, "size": None, "etag": None, "last_modified": None}
        if self.archive.url:
            path = os.path.join(work, "archive")
            origin.update(download.fetch(self.archive.url, path, self.request.max_size))
            if self.checksum not in (None, origin["sha256"]):
                raise checksum_mismatch(self.archive.name, self.checksum, origin["sha256"])
            return path, origin
        if self.archive.path is None:
            raise Error("Another run took the version away in the meantime. Run again.", "changed_meanwhile")
        origin.update(size=os.path.getsize(self.archive.path), sha256=self.checksum)
        return self.archive.path, origin

    def _add_warmup(self, record: Record, folder: str) -> None:
        """The samples as warm-up requests, unless the archive brought its own."""
        request = self.request
        if not request.warmup or record["warmup"]:
            return
        with _named(self.archive):
            record["warmup"] = warmup.write(
                folder, request.warmup_samples, request.warmup_signature, record["signatures"], posixpath.basename(self.base_path)
            )
        path = os.path.join(folder, warmup.FILE)
        record["files"][warmup.FILE] = {"size": os.path.getsize(path), "sha256": _file_sha256(path)}

    def _make_live(self, record: Record, folder: str, mark: Record, work: str, made: List[str]) -> None:
        """By one rename. mark: what became of it before."""
        version = record["version"]
        for path, dummy, dummy in os.walk(folder):
            sync_folder(path)
        # The record first: a version is never without it, and a record without its version is not looked at. A mark goes
        # last: whoever dies before leaves the version withdrawn.
        self.write_record(dict(record, **mark), work, made)
        try:
            os.rename(folder, os.path.join(self.base, str(version)))
        except BaseException:
            if not mark:
                os.unlink(self.record_path(version))
            raise
        sync_folder(self.base)
        if mark:
            self.write_record(record, work, made)
            self.discard(self.withdrawn, self.aside().get(version), work)

    def _used(self, record: Record, gone: str) -> Error:
        return Error(
            "Version %d was %s (%s), and the archive %s holds other content. A number is used once: publish a new one, in the"
            " archive's folder or with model_version (live: %s)."
            % (record["version"], gone, record[gone].get("reason") or record[gone].get("at"), self.archive.name,
               numbers(self.versions()) or "none"),
            "version_used", version=record["version"],
        )

    def _must_be_same(self, version: int, files: archive.Files) -> None:
        folder = os.path.join(self.base, self.versions()[version])
        sizes = sizes_of(folder)
        if warmup.FILE not in files:
            sizes.pop(warmup.FILE, None)  # written here, from samples
        differing = sorted(
            path for path in set(sizes) | set(files)
            if path not in sizes or path not in files or sizes[path] != files[path]["size"]
            or _file_sha256(os.path.join(folder, path)) != files[path]["sha256"]
        )
        if differing:
            raise Error(
                "Version %d is live in %s with other content than the archive's (%s%s). A live version is never"
                " overwritten, for servers would not load it again: publish a new number, in the archive's folder or with"
                " model_version (live: %s)."
                % (version, self.base_path, differing[0], " and %d files more" % (len(differing) - 1) if differing[1:] else "",
                   ", ".join(str(number) for number in sorted(self.versions()))),
                "version_differs", version=version, differing=differing[:20],
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
            "tree": self.tree(version),
            "source": record.get("source"),
            "checksum": "sha256:%s" % record.get("sha256"),
            "verified": self.checksum is not None,
            "size": sum(file["size"] for file in record["files"].values()),
            "archive_size": record.get("size"),
            "signatures": record.get("signatures", {}),
            "warmup": record.get("warmup") or 0,
            "published": record.get("published"),
            "checked": record.get("checked"),
            "withdrawn": dict(record["withdrawn"], version=version) if gone == "withdrawn" else {},
            "pruned": dict(record["pruned"], version=version) if gone == "pruned" else {},
            "message": self._message(record, gone, after) if gone else "",
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
            "tree": self.tree(None), "source": self.archive.name,
            "checksum": "sha256:%s" % self.checksum if self.checksum else None, "verified": False,
            "size": None, "archive_size": None, "signatures": {}, "warmup": None, "published": None, "checked": None,
            "withdrawn": {}, "pruned": {}, "message": "", "duration": self._duration(),
            "diff": _diff(self._lines(versions), self._lines(versions) + [after]),
        }

    def _duration(self) -> float:
        return round(time.monotonic() - self.started, 3)

    def tree(self, version: Optional[int]) -> List[str]:
        """Lines for people: all versions, and the files of one."""
        return _drawn(self.base_path, self.base, self.versions(), version)

    def _lines(self, versions: List[int]) -> List[str]:
        return [posixpath.join(self.base_path, str(version)) for version in versions]


def _unmarked(record: Record) -> Record:
    return {key: value for key, value in record.items() if key not in ("withdrawn", "pruned")}


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


def _is_ours(name: str) -> bool:
    return name in (PROVENANCE, WITHDRAWN) or bool(re.match(r"\.staging-|\.nfs|0*[1-9][0-9]*\Z", name))


@contextlib.contextmanager
def _named(source: Archive) -> Iterator[None]:
    """What is wrong with an archive is said with its name: in a log of many models there are many archives."""
    try:
        yield
    except Error as error:
        raise Error("model_archive %s: %s" % (source.name, error.message), error.code, **error.details) from error


def _model_folder(files: archive.Files) -> str:
    """The one folder with a saved_model.pb, "" for the archive's own top."""
    tops = sorted(posixpath.dirname(path) for path in files if posixpath.basename(path) == savedmodel.SAVED_MODEL)
    if len(tops) == 1:
        return str(tops[0])
    if tops:
        raise Error(
            "The archive holds %d models (%s). Pack one version per archive."
            % (len(tops), ", ".join(top or "." for top in tops[:5])), "several_models", folders=tops,
        )
    raise Error(
        "The archive holds no saved_model.pb (it holds: %s). Pack the version folder that the export wrote, such as"
        " mnist/1/saved_model.pb." % (", ".join(sorted(files)[:5]) or "nothing"), "no_saved_model",
    )


def _version(top: str, wanted: Optional[int]) -> Tuple[Optional[int], int]:
    """(the number that the archive's folder says or None, the number to publish)."""
    name = posixpath.basename(top)
    own = None
    with contextlib.suppress(Error):
        own = version_number(name, "The archive's folder")
    version = own if wanted is None else wanted
    if version is None:
        raise Error(
            "The archive has its model %s, and a version's folder has a whole number from 1 for a name (1, 2, ...). Rename the"
            " folder or set model_version." % ("in the folder %r" % name if name else "at its top, without a version folder"),
            "version_invalid" if name else "version_missing", folder=top,
        )
    return own, version


def _file_sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _stamp(path: str) -> Tuple[int, int, int]:
    status = os.stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns


def _digest(files: archive.Files) -> str:
    """One sum for a version's content, whatever it was packed in."""
    return hashlib.sha256(
        "".join("%s  %s\n" % (files[path]["sha256"], path) for path in sorted(files)).encode("utf-8", "surrogateescape")
    ).hexdigest()


def _tree(folder: str, indent: str) -> List[str]:
    lines = []
    with contextlib.suppress(NotADirectoryError):
        names = sorted(os.listdir(folder))
        for name in names:
            path = os.path.join(folder, name)
            last = name == names[-1]
            is_folder = os.path.isdir(path)
            size = "" if is_folder else "  (%s)" % _human(os.lstat(path).st_size)
            lines.append(indent + ("└── " if last else "├── ") + name + size)
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
