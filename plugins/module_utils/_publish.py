# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make one version of a model live in a folder: validated, complete, by a single rename, and never changed after.

    <base path>/1/saved_model.pb ...     a live version; the server takes every folder with an integer name for one
               /.provenance/1.json       where it came from; decides whether to download again
"""
from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import posixpath
import re
import time

from ansible_collections.mlops.tf_serving.plugins.module_utils import _archive, _download, _savedmodel
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._model_request import checksum_mismatch, version_number
from ansible_collections.mlops.tf_serving.plugins.module_utils._staging import make_folder, staging, sync_folder

PROVENANCE = ".provenance"
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
    model = _Model(export, request)
    names = os.listdir(model.base) if os.path.isdir(model.base) else []
    strange = sorted(name for name in names if not _is_ours(name))
    if strange:
        raise Error(
            "%s holds %s, which is no model version. Nothing was deleted: check model_base_path, or delete the folder by"
            " hand." % (request.base_path, ", ".join(strange[:5])), "not_a_model_folder", strange=strange,
        )
    tree = model.tree(None)
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


class _Model:
    """The folders of one model."""

    def __init__(self, export, request):
        self.base_path = request.base_path
        self.is_export = request.folder == "."
        self.base = export if self.is_export else os.path.join(export, request.folder)
        # Beside the base path, where pods that mount it cannot see it; the export's root has no beside.
        name = posixpath.basename(request.base_path) or "model"
        self.staging = os.path.join(self.base if self.is_export else os.path.dirname(self.base), ".staging-" + name)
        self.provenance = os.path.join(self.base, PROVENANCE)

    def listing(self):
        try:
            return os.listdir(self.base)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def versions(self):
        """{number: name of the folder}, as the server would read it: 0001 is version 1."""
        return {int(name): name for name in self.listing() if re.match(r"[0-9]{1,19}\Z", name)}

    def tree(self, version):
        """Lines for people: all versions, and the files of one."""
        versions = self.versions()
        lines = [self.base_path]
        for number in sorted(versions):
            last = number == max(versions)
            lines.append(("└── " if last else "├── ") + versions[number])
            if number == version:
                lines += _tree(os.path.join(self.base, versions[number]), "    " if last else "│   ")
        if len(lines) > TREE_LINES:
            lines[TREE_LINES:] = ["... and %d lines more" % (len(lines) - TREE_LINES)]
        return lines

    def record(self, version):
        """The provenance of a live version, {} if there is none or if the version's files do not fit it."""
        try:
            with open(os.path.join(self.provenance, "%d.json" % version), encoding="utf-8") as file:
                record = json.load(file)
            sizes = {path: file["size"] for path, file in record["files"].items()}
            fits = record["version"] == version and _sizes(os.path.join(self.base, self.versions()[version])) == sizes
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
            return {}
        return record if fits else {}


class _Publication(_Model):
    def __init__(self, export, request):
        super().__init__(export, request)
        self.request = request
        self.started = time.monotonic()
        self.checksum = request.checksum
        self.remote = None  # what the web server says of the archive
        self.stamp = None  # of an archive that is a file, when its checksum was taken

    def run(self, check_mode):
        request = self.request
        versions = sorted(self.versions())
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
        record = self._published()
        if record and (check_mode or not os.path.isdir(self.staging)):
            return self._result(record, versions, False)
        if check_mode:
            if request.url and self.remote is None:
                _download.head(request.url)  # a wrong URL shows here, not in the real run
            return self._forecast(versions)
        if request.kind == "controller" and not request.path and not record:
            return {"changed": False, "needs_archive": True}
        with staging(self.staging, request.lock_timeout, "publishing " + request.source) as (work, made):
            # Look again: the run that held the lock may have published the same.
            record = self._published()
            changed = not record
            if changed:
                record, changed = self._bring(work, made)
        return self._result(record, versions, changed)

    def _published(self):
        """The record of the live version that is what is asked for, as far as can be told without the archive."""
        request = self.request
        for version in sorted(self.versions(), reverse=True):
            if request.version not in (None, version):
                continue
            record = self.record(version)
            if not record or (request.version is None and record.get("archive_version") != version):
                continue
            if self.checksum is not None:
                if record.get("sha256") == self.checksum:
                    return record
            elif self.remote and record.get("source") == request.source and _download.same(record, self.remote):
                return record
        return None

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
        inside = len(top) + 1 if top else 0
        files = {path[inside:]: file for path, file in sorted(files.items()) if path.startswith(top + "/") or not top}
        record = dict(
            origin, version=version, archive_version=archive_version, source=request.source, files=files,
            digest=_digest(files), signatures=model["signatures"],
            published=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )
        live = self.versions().get(version)
        if live is not None:
            self._must_be_same(version, live, files)
            self._write_record(record, work, made)
            return record, False
        for path, dummy, dummy in os.walk(folder):
            sync_folder(path)
        # The record first: a version is never without it, and a record without its version is not looked at.
        self._write_record(record, work, made)
        try:
            os.rename(folder, os.path.join(self.base, str(version)))
        except BaseException:
            os.unlink(self._record_path(version))
            raise
        sync_folder(self.base)
        return record, True

    def _must_be_same(self, version, name, files):
        folder = os.path.join(self.base, name)
        sizes = _sizes(folder)
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

    def _record_path(self, version):
        return os.path.join(self.provenance, "%d.json" % version)

    def _write_record(self, record, work, made):
        make_folder(self.base, made)
        make_folder(self.provenance, made)
        draft = os.path.join(work, "provenance")
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1, sort_keys=True)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, self._record_path(record["version"]))
        sync_folder(self.provenance)

    def _result(self, record, before, changed):
        version = record["version"]
        after = sorted(self.versions())
        return {
            "changed": changed,
            "version": version,
            "path": posixpath.join(self.base_path, self.versions().get(version, str(version))),
            "versions": after,
            "tree": self.tree(version),
            "source": record.get("source"),
            "checksum": "sha256:%s" % record.get("sha256"),
            "verified": self.checksum is not None,
            "size": sum(file["size"] for file in record["files"].values()),
            "archive_size": record.get("size"),
            "signatures": record.get("signatures", {}),
            "published": record.get("published"),
            "duration": round(time.monotonic() - self.started, 3),
            "diff": _diff(self._lines(before), self._lines(after)),
        }

    def _forecast(self, versions):
        version = self.request.version
        what = "<the version in the archive>" if version is None else str(version)
        if version in versions:
            after = self._lines(versions) + ["(version %s is live: its content would be compared with the archive's)" % what]
        else:
            after = self._lines(versions) + [posixpath.join(self.base_path, what)]
        return {
            "changed": True, "version": version, "versions": versions, "tree": self.tree(None), "verified": False,
            "path": posixpath.join(self.base_path, what), "source": self.request.source,
            "checksum": "sha256:%s" % self.checksum if self.checksum else None,
            "duration": round(time.monotonic() - self.started, 3), "diff": _diff(self._lines(versions), after),
        }

    def _lines(self, versions):
        return [posixpath.join(self.base_path, str(version)) for version in versions]


def _is_ours(name):
    return name == PROVENANCE or name.startswith(".staging-") or name.startswith(".nfs") or re.match(r"[0-9]+\Z", name)


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


def _sizes(folder):
    """{relative path: size} of every file. NFS's own .nfs files (deleted, still open somewhere) do not count."""
    if not os.path.isdir(folder):
        return {"": None}
    return {
        os.path.relpath(os.path.join(path, name), folder): os.lstat(os.path.join(path, name)).st_size
        for path, dummy, names in os.walk(folder, onerror=_raise) for name in names if not name.startswith(".nfs")
    }


def _raise(error):
    raise error


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
