# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make one version of a model live in a folder: validated, complete, by a single rename, and never changed after.

What is live, withdrawn and pruned, and where it lies: _model_versions.py. What was taken away is not published again,
unless the request says `reinstate`.
"""
from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import posixpath
import re
import time

from ansible_collections.mlops.tf_serving.plugins.module_utils import _archive, _download, _savedmodel, _warmup
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._model_request import checksum_mismatch, version_number
from ansible_collections.mlops.tf_serving.plugins.module_utils._model_versions import PROVENANCE, WITHDRAWN, Model, now, numbers, sizes_of
from ansible_collections.mlops.tf_serving.plugins.module_utils._staging import staging, sync_folder

TREE_LINES = 200


def publish(export, request, check_mode=False):
    """Bring the version that `request` asks for to life below the folder `export`. Returns the module's result."""
    before = os.umask(0o022)  # whatever uid the server runs as, it can read what is made here
    try:
        return _Publication(export, request).run(check_mode)
    finally:
        os.umask(before)


def absent(export, request, check_mode=False):
    """Delete every version of the model, and what this collection keeps beside them."""
    model = Model(export, request)
    names = os.listdir(model.base) if os.path.isdir(model.base) else []
    strange = sorted(name for name in names if not _is_ours(name))
    if strange:
        raise Error(
            "%s holds %s, which is no model version. Nothing was deleted: check model_base_path, or delete the folder by"
            " hand." % (request.base_path, ", ".join(strange[:5])), "not_a_model_folder", strange=strange,
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
    def __init__(self, export, request):
        super().__init__(export, request)
        self.request = request
        self.started = time.monotonic()
        self.checksum = request.checksum
        self.remote = None  # what the web server says of the archive
        self.stamp = None  # of an archive that is a file, when its checksum was taken

    def run(self, check_mode):
        request = self.request
        before = sorted(self.versions())
        if request.path and os.path.isdir(request.path):
            raise Error(
                "model_archive %s is a folder. Pack it (tar -czf mnist.tar.gz mnist/1) and name the archive." % request.source,
                "archive_is_folder",
            )
        if request.path:
            self.stamp = _stamp(request)
            found = _sha256(request)
            if self.checksum not in (None, found):
                raise checksum_mismatch(request.source, self.checksum, found)
            self.checksum = found
        if request.url and self.checksum is None:
            self.remote = _download.head(request.url) or {}
        record, back = self._found()
        if record and not back and (check_mode or not os.path.isdir(self.staging)):
            finishing = set(self.unfinished()) if check_mode else set()
            return self._result(record, before, bool(finishing), sorted(set(before) - finishing))
        if check_mode:
            if request.url and self.remote is None:
                _download.head(request.url)  # a wrong URL shows here, not in the real run
            return self._forecast(before, record)
        needs = self._needs(record, back)
        if needs:
            return {"changed": False, "needs": needs}
        with staging(self.staging, request.lock_timeout, "publishing " + request.source) as (work, made):
            # Look again: the run that held the lock may have published the same.
            record, back = self._found()
            finished = [version for version in self.unfinished() if not back or version != record["version"]]
            for version in finished:
                self.take_out(version, work, made)
            if record and not back:
                changed = False
            elif record and self._is_there(record):
                record, changed = self._bring_back(record, work, made), True
            else:
                record, changed = self._bring(work, made)
        return self._result(record, before, changed or bool(finished), sorted(self.versions()))

    def _found(self):
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

    def _is_asked_for(self, record):
        request = self.request
        if request.version is None and record.get("archive_version") != record["version"]:
            return False
        if self.checksum is not None:
            return record.get("sha256") == self.checksum
        return bool(self.remote) and record.get("source") == request.source and _download.same(record, self.remote)

    def _must_be_newest(self, version):
        higher = sorted(set(self.versions()) - set(self.unfinished()))[-1:]
        if self.request.newest and higher and version < higher[0]:
            raise Error(
                "Version %d is lower than %d, the highest live one in %s, and servers with serving_version_policy latest take"
                " the highest: they would never serve it. Nothing was published. Publish it under a higher number"
                " (model_version), or go back to an older version with playbooks/rollback.yml."
                % (version, higher[0], self.base_path), "not_newest", version=version, highest=higher[0],
            )

    def _is_there(self, record):
        """Is the data of a version that was taken away at hand, as it was published?"""
        return bool(self.folder(record["version"]) and self.whole(record["version"]))

    def _needs(self, record, back):
        """What has to come from the controller first."""
        request = self.request
        if record and (not back or self._is_there(record)):
            return []
        needs = ["archive"] if request.kind == "controller" and not request.path else []
        return needs + (["warmup"] if request.warmup and not request.warmup_samples else [])

    def _bring_back(self, record, work, made):
        """Back into the base path, and only then without its mark: whoever dies between leaves it withdrawn."""
        version = record["version"]
        if version not in self.versions():
            os.rename(self.folder(version), os.path.join(self.base, str(version)))
            sync_folder(self.base)
        record = _unmarked(record)
        self.write_record(record, work, made)
        with contextlib.suppress(OSError):
            os.rmdir(self.withdrawn)
        return record

    def _bring(self, work, made):
        """Fetch, unpack, validate, rename. Returns (record, did a version appear)."""
        request = self.request
        archive = request.path
        origin: dict = {"size": None, "etag": None, "last_modified": None}
        if request.url:
            archive = os.path.join(work, "archive")
            origin = _download.fetch(request.url, archive, request.max_size)
            if self.checksum not in (None, origin["sha256"]):
                raise checksum_mismatch(request.source, self.checksum, origin["sha256"])
        elif archive is None:
            raise Error("Another run took the version away in the meantime. Run again.", "changed_meanwhile")
        else:
            origin.update(size=os.path.getsize(archive), sha256=self.checksum)
        unpacked = os.path.join(work, "unpacked")
        os.mkdir(unpacked)
        with _of(request):
            files = _archive.unpack(archive, unpacked, request.max_size)
        if request.path and _stamp(request) != self.stamp:
            raise Error(
                "model_archive %s was changed while it was read. Run again once it is complete." % request.source,
                "archive_changed",
            )
        with _of(request):
            top = _model_folder(files)
            archive_version, version = _version(top, request.version)
            folder = os.path.normpath(os.path.join(unpacked, top))
            model = _savedmodel.inspect(folder)
            warmup = _warmup.inspect(folder, model["signatures"])
        inside = len(top) + 1 if top else 0
        files = {path[inside:]: file for path, file in sorted(files.items()) if path.startswith(top + "/") or not top}
        record = dict(
            origin, version=version, archive_version=archive_version, source=request.source, files=files,
            digest=_digest(files), signatures=model["signatures"], warmup=warmup, published=now(),
        )
        live = self.versions().get(version)
        before = self.stored(version)
        if live is not None:
            self._must_be_same(version, live, files)
            if self.whole(version):
                kept = ("files", "warmup", "checked", "withdrawn")  # among the files warm-up records that were made here
                record.update({key: before[key] for key in kept if key in before})
            self.write_record(record, work, made)
            return record, False
        gone = self.what_became_of(before)
        if gone:
            if before.get("digest") != record["digest"]:
                raise self._used(before, gone)
            if not request.reinstate:
                record = dict(before, **origin, source=request.source)  # known without a download next time
                self.write_record(record, work, made)
                return record, False
        self._must_be_newest(version)
        if request.warmup and not warmup:
            with _of(request):
                record["warmup"] = _warmup.write(
                    folder, request.warmup_samples, request.warmup_signature, model["signatures"], posixpath.basename(self.base_path)
                )
            path = os.path.join(folder, _warmup.FILE)
            record["files"] = dict(files, **{_warmup.FILE: {"size": os.path.getsize(path), "sha256": _file_sha256(path)}})
        for path, dummy, dummy in os.walk(folder):
            sync_folder(path)
        # The record first: a version is never without it, and a record without its version is not looked at. A mark goes
        # last: whoever dies before leaves the version withdrawn.
        self.write_record(dict(record, **{gone: before[gone]}) if gone else record, work, made)
        try:
            os.rename(folder, os.path.join(self.base, str(version)))
        except BaseException:
            if not gone:
                os.unlink(self.record_path(version))
            raise
        sync_folder(self.base)
        if gone:
            self.write_record(record, work, made)
            self.discard(self.withdrawn, self.aside().get(version), work)
        return record, True

    def _used(self, record, gone):
        return Error(
            "Version %d was %s (%s), and the archive %s holds other content. A number is used once: publish a new one, in the"
            " archive's folder or with model_version (live: %s)."
            % (record["version"], gone, record[gone].get("reason") or record[gone].get("at"), self.request.source,
               numbers(self.versions()) or "none"),
            "version_used", version=record["version"],
        )

    def _must_be_same(self, version, name, files):
        folder = os.path.join(self.base, name)
        sizes = sizes_of(folder)
        if _warmup.FILE not in files:
            sizes.pop(_warmup.FILE, None)  # written here, from samples
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

    def _result(self, record, before, changed, after):
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
            "duration": round(time.monotonic() - self.started, 3),
            "diff": _diff(self._lines(before), self._lines(after)),
        }

    def _message(self, record, gone, live):
        mark = record[gone]
        return (
            "Version %d was %s on %s%s. %s holds that version, so nothing was published (live: %s). To bring it back:"
            " playbooks/publish.yml -e model_reinstate=true"
            % (record["version"], "withdrawn" if gone == "withdrawn" else "deleted from the NAS, to make room (model_keep),",
               mark.get("at"), ": " + mark["reason"].rstrip(".") if mark.get("reason") else "", self.request.source,
               numbers(live) or "none")
        )

    def _forecast(self, versions, record):
        version = record.get("version", self.request.version)
        what = "<the version in the archive>" if version is None else str(version)
        if version in versions:
            after = self._lines(versions) + ["(version %s is live: its content would be compared with the archive's)" % what]
        else:
            after = self._lines(versions) + [posixpath.join(self.base_path, what)]
        return {
            "changed": True, "version": version, "versions": versions, "aside": sorted(self.aside()), "tree": self.tree(None),
            "verified": False, "path": posixpath.join(self.base_path, what), "source": self.request.source,
            "checksum": "sha256:%s" % self.checksum if self.checksum else None, "checked": None,
            "withdrawn": {}, "pruned": {}, "message": "",
            "duration": round(time.monotonic() - self.started, 3), "diff": _diff(self._lines(versions), after),
        }

    def tree(self, version):
        """Lines for people: all versions, and the files of one."""
        return _drawn(self.base_path, self.base, self.versions(), version)

    def _lines(self, versions):
        return [posixpath.join(self.base_path, str(version)) for version in versions]


def _unmarked(record):
    return {key: value for key, value in record.items() if key not in ("withdrawn", "pruned")}


def _drawn(title, base, versions, opened):
    lines = [title]
    for number in sorted(versions):
        last = number == max(versions)
        lines.append(("└── " if last else "├── ") + versions[number])
        if number == opened:
            lines += _tree(os.path.join(base, versions[number]), "    " if last else "│   ")
    if len(lines) > TREE_LINES:
        lines[TREE_LINES:] = ["... and %d lines more" % (len(lines) - TREE_LINES)]
    return lines


def _is_ours(name):
    return name in (PROVENANCE, WITHDRAWN) or name.startswith(".staging-") or name.startswith(".nfs") or re.match(r"[0-9]+\Z", name)


@contextlib.contextmanager
def _of(request):
    """What is wrong with an archive is said with its name: in a log of many models there are many archives."""
    try:
        yield
    except Error as error:
        raise Error("model_archive %s: %s" % (request.source, error.message), error.code, **error.details) from error


def _model_folder(files):
    """The one folder with a saved_model.pb, "" for the archive's own top."""
    tops = sorted(posixpath.dirname(path) for path in files if posixpath.basename(path) == _savedmodel.SAVED_MODEL)
    if len(tops) == 1:
        return tops[0]
    if tops:
        raise Error(
            "The archive holds %d models (%s). Pack one version per archive." % (len(tops), ", ".join(top or "." for top in tops[:5])),
            "several_models", folders=tops,
        )
    raise Error(
        "The archive holds no saved_model.pb (it holds: %s). Pack the version folder that the export wrote, such as"
        " mnist/1/saved_model.pb." % (", ".join(sorted(files)[:5]) or "nothing"), "no_saved_model",
    )


def _version(top, wanted):
    """(the number that the archive's folder says or None, the number to publish)."""
    name = posixpath.basename(top)
    try:
        own = version_number(name or None, "The archive's folder")
    except Error:
        own = None
    if wanted is not None:
        return own, wanted
    if own is None:
        raise Error(
            "The archive has its model %s, and a server loads folders with whole numbers only (1, 2, ...). Rename the folder"
            " or set model_version." % ("in the folder %r" % name if name else "at its top, without a version folder"),
            "version_missing" if not name else "version_invalid", folder=top,
        )
    return own, own


def _file_sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _sha256(request):
    return _read(request, _file_sha256)


def _stamp(request):
    status = _read(request, os.stat)
    return status.st_ino, status.st_size, status.st_mtime_ns


def _read(request, function):
    try:
        return function(request.path)
    except OSError as error:
        raise Error(
            "model_archive %s cannot be read: %s. Check the path%s."
            % (request.source, error.strerror, " on model_node" if request.kind == "node" else ""),
            "archive_not_found" if error.errno == errno.ENOENT else "archive_unreadable",
        ) from None


def _digest(files):
    """One sum for a version's content, whatever it was packed in."""
    return hashlib.sha256(
        "".join("%s  %s\n" % (file["sha256"], path) for path, file in sorted(files.items())).encode("utf-8", "surrogateescape")
    ).hexdigest()


def _tree(folder, indent):
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


def _human(size):
    if size < 1024:
        return "%d B" % size
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        size /= 1024.0
        if size < 1024 or unit == "TiB":
            return "%.1f %s" % (size, unit)


def _diff(before, after):
    return {
        "before": "".join(line + "\n" for line in before),
        "after": "".join(line + "\n" for line in after),
    }
