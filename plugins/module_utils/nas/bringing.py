# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run does that has a version to bring: fetch, unpack, check, and make it live by one rename.

Imported where there is something to do, for most runs only look, and on the node each compiles anew all that it imports.
"""

import contextlib
import hashlib
import os
import posixpath
from typing import Iterator, List, Optional, Tuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import (
    archive,
    download,
    foreign,
    nofollow,
    packing,
    savedmodel,
    warmup,
)
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.look import Look, sha256_of
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Archive, version_number
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.source import CHUNK, Source
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.versions import Record, Result, now, numbers

ORIGIN = ("source", "sha256", "size", "etag", "last_modified")  # of a record: the archive that it came in
SEARCHED = 20  # files that are looked into for another archive


class Bringing(Look):
    """The real run."""

    only_looks = False

    def _conclude(self, before: List[int], record: Record, back: bool) -> Result:
        needs = self._needs(record, back)
        if needs:
            return {"changed": False, "needs": needs}
        with self.locked(self.request.lock_timeout, "publishing " + self.archive.name) as (work, made):
            record, changed = self._carry_out(work, made)
        return self._result(record, before, changed, sorted(self.versions()))

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
            self.move(os.path.join(self.withdrawn, self.aside()[version]), os.path.join(self.base, str(version)))
            nofollow.sync_folder(self.base)
        record = _unmarked(record)
        self.write_record(record, work, made)
        with contextlib.suppress(OSError):
            nofollow.rmdir(self.withdrawn)
        return record

    def _bring(self, work: str, made: List[str]) -> Tuple[Record, bool]:
        """Fetch, unpack, check, rename. Returns (record, did a version appear)."""
        record, folder = self._unpacked(work)
        version = record["version"]
        before = self.stored(version)
        if version in self.versions():
            self._must_be_same(version, record["files"])
            if self.whole(version):
                # Among the files are warm-up records that were made here.
                kept = ("files", "warmup", "published", "checked", "withdrawn")
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
        into = os.path.join(work, "unpacked")
        unpacked, origin = self._brought(into, os.path.join(work, "archive"))
        with _named(self.archive):
            top = _model_folder(into, unpacked.names() + unpacked.nameless)
            left_out = archive.use_links(unpacked, into, top)
            _must_be_named(unpacked.nameless, top)
            archive_version, version = _version(top, self.request.version)
            folder = os.path.normpath(os.path.join(into, top))
            signatures = savedmodel.inspect(folder, self.request.tags)["signatures"]
            savedmodel.check_callable(signatures, self.request.release)
            warmups = warmup.inspect(folder, signatures)
        inside = len(top) + 1 if top else 0
        files = {
            path[inside:]: file for path, file in sorted(unpacked.files.items()) if path.startswith(top + "/") or not top
        }
        return dict(
            origin, version=version, archive_version=archive_version, files=files, digest=_digest(files),
            signatures=signatures, warmup=warmups, published=now(), left_out=sorted(left_out + unpacked.nameless),
        ), folder

    def _brought(self, into: str, spool: str) -> Tuple[archive.Unpacked, Record]:
        """Unpacked while it arrives, and believed when all of it is here and has the right checksum: (what it holds, where it
        came from)."""
        with self._source() as (source, origin):
            try:
                with _named(self.archive):
                    unpacked = archive.unpack(source, into, self.request.max_size, spool)
            except Error as error:
                # What is wrong with an archive that is not the one that is meant does not matter.
                if self.checksum is not None and error.code.startswith(("archive_", "not_an_archive")):
                    self._must_be_meant(source.rest()[1])
                way_out = foreign.way_out(spool, self.archive.file) if nofollow.kind(spool) == "file" else ""
                if error.code != "not_an_archive" or not way_out:
                    raise
                raise Error("%s %s" % (error.message, way_out), error.code, **error.details) from error
            size, digest = source.rest()
        self._must_be_meant(digest)
        return unpacked, dict(origin, source=self.archive.name, size=size, sha256=digest)

    @contextlib.contextmanager
    def _source(self) -> Iterator[Tuple[Source, Record]]:
        """(the archive's bytes, what its server says of it)"""
        if self.archive.url:
            with download.opened(self.archive.url, self.request.max_size) as (state, read_chunk):
                with Source(read_chunk) as source:
                    yield source, state
            return
        path = self.archive.path
        if path is None:
            raise Error("Another run took the version away in the meantime. Run again.", "changed_meanwhile")
        with open(path, "rb", buffering=0) as file, Source(lambda: file.read(CHUNK), path) as source:
            yield source, {"etag": None, "last_modified": None}

    def _must_be_meant(self, digest: str) -> None:
        if self.checksum in (None, digest):
            return
        if self.archive.kind == "node":  # whose checksum was right when it was looked at
            raise Error(
                "model_archive %s was changed while it was read. Run again once it is complete." % self.archive.name,
                "archive_changed",
            )
        raise self._mismatch(digest)

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
        record["files"][warmup.FILE] = {"size": nofollow.lstat(path).st_size, "sha256": _sha256_on_nas(path)}

    def _make_live(self, record: Record, folder: str, mark: Record, work: str, made: List[str]) -> None:
        """By one rename. mark: what became of it before."""
        version = record["version"]
        nofollow.sync_folders(folder)
        # The record first: a version is never without it, and a record without its version is not looked at. A mark goes
        # last: whoever dies before leaves the version withdrawn.
        self.write_record(dict(record, **mark), work, made)
        try:
            self.move(folder, os.path.join(self.base, str(version)))
        except BaseException:
            if not mark:
                nofollow.unlink(self.record_path(version))
            raise
        nofollow.sync_folder(self.base)
        if mark:
            self.write_record(record, work, made)
            self.discard(version, self.withdrawn, self.aside().get(version), work)

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
        sizes = dict(self.sizes(version))
        if warmup.FILE not in files:
            sizes.pop(warmup.FILE, None)  # written here, from samples
        differing = sorted(
            path for path in set(sizes) | set(files)
            if path not in sizes or path not in files or sizes[path] != files[path]["size"]
            or _sha256_on_nas(os.path.join(folder, path)) != files[path]["sha256"]
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


def _sha256_on_nas(path: str) -> str:
    with nofollow.reading(path) as file:
        return sha256_of(file)


def _unmarked(record: Record) -> Record:
    return {key: value for key, value in record.items() if key not in ("withdrawn", "pruned")}


@contextlib.contextmanager
def _named(source: Archive) -> Iterator[None]:
    """What is wrong with an archive is said with its name: in a log of many models there are many archives."""
    try:
        yield
    except Error as error:
        raise Error("model_archive %s: %s" % (source.name, error.message), error.code, **error.details) from error


def _model_folder(into: str, files: List[str]) -> str:
    """files: the paths of all in the folder `into`. The one folder with a saved_model.pb, "" for the archive's own top."""
    tops = sorted(posixpath.dirname(path) for path in files if posixpath.basename(path) == savedmodel.SAVED_MODEL)
    if len(tops) == 1:
        return str(tops[0])
    if tops:
        raise Error(
            "The archive holds %d models (%s). Pack one version per archive."
            % (len(tops), ", ".join(top or "." for top in tops[:5])), "several_models", folders=tops,
        )
    instead = foreign.instead(into, files)
    inner = next((path for path in files[:SEARCHED] if packing.is_packed(_start(os.path.join(into, path)))), None)
    if inner and not instead:
        raise Error(
            "The archive holds no saved_model.pb, but another archive (%s). Take that out and give it instead." % inner,
            "no_saved_model", archive=inner,
        )
    raise Error(
        "The archive holds no saved_model.pb (it holds: %s). %s"
        % (", ".join(sorted(files)[:5]) or "nothing", instead
           or "Pack the version folder that the export wrote, such as mnist/1/saved_model.pb."), "no_saved_model",
    )


def _start(path: str) -> bytes:
    with contextlib.suppress(FileNotFoundError), nofollow.reading(path) as file:  # a link is no file yet
        return file.read(512)
    return b""


def _must_be_named(nameless: List[str], top: str) -> None:
    """What lies in a version's folder has a name that a model can ask for: those in a graph are UTF-8."""
    inside = [path for path in nameless if not top or path.startswith(top + "/")]
    if inside:
        raise Error(
            "The archive's member %r has a name that is not UTF-8 (%d such; what cannot be read is shown as \ufffd), and a graph can"
            " only name files in UTF-8. Pack it again on a system with UTF-8 names (tar on Linux or macOS; 7-Zip with the parameter"
            " cu=on), or rename the file." % (inside[0], len(inside)), "archive_name_invalid", members=inside[:20],
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


def _digest(files: archive.Files) -> str:
    """One sum for a version's content, whatever it was packed in."""
    return hashlib.sha256(
        "".join("%s  %s\n" % (files[path]["sha256"], path) for path in sorted(files)).encode("utf-8", "surrogateescape")
    ).hexdigest()
