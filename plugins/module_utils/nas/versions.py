# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The versions of one model on the NAS: which are live, which were withdrawn or pruned, and how they become so.

    <base path>/1/saved_model.pb ...     a live version; servers take every folder with a whole number for a name for one
               /.provenance/1.json       where it came from, and what became of it; outlives the data
               /.withdrawn/2/            a version that was taken back: out of the base path by one rename, kept aside

The record says what is meant, and is written first. A version that is marked as withdrawn and still lies in the base
path is the work of a run that died: the next one that holds the lock moves it. (A version that is marked as pruned and
is still live just stays live, until somebody prunes again: it may have come into use since.)
"""
import contextlib
import json
import os
import posixpath
import re
import time
from typing import Any, Dict, Iterable, List, Optional

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Request
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.staging import make_folder, staging, sync_folder

PROVENANCE = ".provenance"
WITHDRAWN = ".withdrawn"
NOT_LIVE = {"servable": False, "unfinished": False}  # of an entry

Record = Dict[str, Any]  # what .provenance/VERSION.json holds
Entry = Dict[str, Any]  # one of the versions that the module model_versions answers
Result = Dict[str, Any]  # what a module answers


class Model:
    """The folders of one model. What changes them is called with the lock held."""

    def __init__(self, export: str, request: Request) -> None:
        self.base_path = request.base_path
        self.tags = request.tags
        self.is_export = request.folder == "."
        self.base = export if self.is_export else os.path.join(export, request.folder)
        # Beside the base path, where pods that mount it cannot see it; the export's root has no beside.
        name = posixpath.basename(request.base_path) or "model"
        self.staging = os.path.join(self.base if self.is_export else os.path.dirname(self.base), ".staging-" + name)
        self.provenance = os.path.join(self.base, PROVENANCE)
        self.withdrawn = os.path.join(self.base, WITHDRAWN)

    def listing(self) -> List[str]:
        return _listing(self.base)

    def versions(self) -> Dict[int, str]:
        """{number: name of the folder} of the live ones, as the server would read it: 0001 is version 1."""
        return _numbered(_listing(self.base))

    def aside(self) -> Dict[int, str]:
        """{number: name of the folder} of those that were withdrawn and whose data is still there."""
        return _numbered(_listing(self.withdrawn))

    def recorded(self) -> List[int]:
        """The numbers of all that have a record."""
        return sorted(_numbered(name[:-5] for name in _listing(self.provenance) if name.endswith(".json")))

    def folder(self, version: int) -> Optional[str]:
        """Where the data of a version lies, None if there is none."""
        live, aside = self.versions(), self.aside()
        if version in live:
            return os.path.join(self.base, live[version])
        return os.path.join(self.withdrawn, aside[version]) if version in aside else None

    def stored(self, version: int) -> Record:
        """What is written down of a version, wherever its data is; {} where nothing is, or no sense."""
        try:
            with open(self.record_path(version), encoding="utf-8") as file:
                record: Record = json.load(file)
            marks = [mark for mark in (record.get("withdrawn"), record.get("pruned")) if mark is not None]
            if record["version"] == version and all(file["size"] >= 0 for file in record["files"].values()) \
                    and all(isinstance(mark, dict) for mark in marks):
                return record
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
            pass
        return {}

    def whole(self, version: int) -> Record:
        """The record of a version whose files, live or aside, are those that were published; else {}."""
        record, folder = self.stored(version), self.folder(version)
        if record and folder and sizes_of(folder) == {path: file["size"] for path, file in record["files"].items()}:
            return record
        return {}

    def what_became_of(self, record: Record) -> str:
        """"withdrawn" or "pruned"; "" for a version that is live, or never was."""
        if record.get("withdrawn"):
            return "withdrawn"
        return "pruned" if record.get("pruned") and record["version"] not in self.versions() else ""

    def unfinished(self) -> List[int]:
        """Live versions that a run has marked as withdrawn before it died. Never all: what serves is not taken away."""
        live = self.versions()
        marked = [version for version in sorted(live) if self.stored(version).get("withdrawn") and self.whole(version)]
        return marked if marked and any(self.loadable(version) for version in set(live) - set(marked)) else []

    def loadable(self, version: int) -> bool:
        """Would a server load it, as far as can be told?"""
        if self.whole(version):
            return True
        with contextlib.suppress(Error, OSError):
            return bool(self._inspect(version))
        return False

    def _inspect(self, version: int) -> Dict[str, Any]:
        from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import savedmodel  # for what others put there

        folder = self.folder(version) or os.path.join(self.base, str(version))
        return dict(savedmodel.inspect(folder, self.tags))

    def record_path(self, version: int) -> str:
        return os.path.join(self.provenance, "%d.json" % version)

    def write_record(self, record: Record, work: str, made: List[str]) -> None:
        make_folder(self.base, made)
        make_folder(self.provenance, made)
        draft = os.path.join(work, "provenance")
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1, sort_keys=True)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, self.record_path(record["version"]))
        sync_folder(self.provenance)

    def take_out(self, version: int, work: str, made: List[str]) -> None:
        """Out of the base path, kept aside."""
        make_folder(self.withdrawn, made)
        self.discard(self.withdrawn, self.aside().get(version), work)
        os.rename(os.path.join(self.base, self.versions()[version]), os.path.join(self.withdrawn, str(version)))
        sync_folder(self.withdrawn)
        sync_folder(self.base)

    def discard(self, parent: str, name: Optional[str], work: str) -> None:
        """Gone by one rename, from where it is deleted file by file."""
        if name is not None:
            os.rename(os.path.join(parent, name), os.path.join(work, "gone-" + name))
            sync_folder(parent)

    def entries(self) -> List[Entry]:
        """What a person wants to know of every version, ascending."""
        versions = sorted({*self.versions(), *self.aside(), *self.recorded()})
        unfinished = self.unfinished()  # reads every live version: once for all
        entries = [self._entry(version, version in unfinished) for version in versions]
        return self._zero() + [entry for entry in entries if entry]

    def _zero(self) -> List[Entry]:
        """A folder 0 is a version to servers. Here versions start at 1, so it is not ours: it is left alone, and said."""
        return [{
            "version": 0, "state": "ignored", "size": sum(sizes_of(os.path.join(self.base, name)).values()), "published": None,
            "checked": None, "source": None, "checksum": None, "reason": None, "at": None, **NOT_LIVE,
            "problem": "Versions start at 1, so the folder %s was made by others and is left alone. A server takes it where there"
                       " is no other version: delete it by hand if nobody needs it." % name,
        } for name in self.listing() if re.match(r"0+\Z", name)][:1]

    def _entry(self, version: int, unfinished: bool) -> Optional[Entry]:
        record, live = self.stored(version), version in self.versions()
        state = "live" if live else "withdrawn" if version in self.aside() else self.what_became_of(record)
        if not state:
            return None  # deleted by hand, or the record of a run that died before its version appeared
        mark = record.get(state) or {}
        return {
            "version": version, "state": state, "size": sum(sizes_of(self.folder(version)).values()),
            "published": record.get("published"), "checked": record.get("checked"), "source": record.get("source"),
            "checksum": "sha256:%s" % record["sha256"] if record.get("sha256") else None,
            "reason": mark.get("reason"), "at": mark.get("at"), "problem": self._problem(version, record, state),
            "servable": live and self.loadable(version), "unfinished": unfinished,
        }

    def _problem(self, version: int, record: Record, state: str) -> str:
        if state == "withdrawn" and not record.get("withdrawn"):
            return (
                "It was put into %s by hand, without a mark in its record: publishing its archive brings it back." % WITHDRAWN
            )
        if state != "live":
            return ""
        if record and self.whole(version):
            return "" if not record.get("withdrawn") else (
                "Its withdrawal was begun and not finished: the next playbooks/rollback.yml or site.yml finishes it."
            )
        words = "Its files are not those that were published: somebody changed them." if record else (
            "It was not published by this collection: there is no record of where it came from."
        )
        try:
            self._inspect(version)
        except Error as error:
            return "%s A server cannot serve it: %s Or take it away: withdraw it with mlops.tf_serving.model_versions." % (
                words, error.message)
        return words


def versions(export: str, request: Request, check_mode: bool = False) -> Result:
    """List the versions, after withdrawing and pruning what `request` asks for. Returns the module's result."""
    before_umask = os.umask(0o022)
    try:
        return _versions(Model(export, request), request, check_mode)
    finally:
        os.umask(before_umask)


def _versions(model: Model, request: Request, check_mode: bool) -> Result:
    before = model.entries()
    plan = _Plan(model, request)
    after = plan.forecast(before)
    if not check_mode and request.acts and (plan.anything() or os.path.isdir(model.staging)):
        with staging(model.staging, request.lock_timeout, "withdrawing or pruning versions") as (work, made):
            plan = _Plan(model, request)  # again: the run that held the lock may have changed what there is
            plan.carry_out(work, made)
        after = model.entries()
    return {
        "changed": plan.anything(), "path": request.base_path, "versions": after, "withdrawn": plan.withdraw,
        "pruned": sorted(plan.prune + plan.clear),
        "diff": {"before": described(request.base_path, before), "after": described(request.base_path, after)},
    }


class _Plan:
    """What is to be done to the versions as they are now. Without a request to act: nothing."""

    def __init__(self, model: Model, request: Request) -> None:
        self.model, self.request, self.now = model, request, now()
        self.withdraw: List[int] = []
        self.prune: List[int] = []
        self.clear: List[int] = []  # withdrawn ones whose data goes
        self.check: List[int] = []
        if not request.acts:
            return
        live = model.versions()
        self.withdraw = self._to_withdraw(sorted(live))
        left = sorted(set(live) - set(self.withdraw))
        if request.withdraw and self.withdraw and not any(model.loadable(version) for version in reversed(left)):
            raise Error(
                "Without version %s no version that could serve would be left in %s, and every server would unload the model."
                " Nothing was changed. Publish another version first: playbooks/publish.yml."
                % (numbers(self.withdraw), request.base_path), "only_version", withdraw=self.withdraw,
            )
        self.check = [
            version for version in request.checked
            if version in left and model.stored(version) and not model.stored(version).get("checked")
        ]
        if request.keep:
            self._make_room(left)

    def _to_withdraw(self, live: List[int]) -> List[int]:
        """Those that are asked for and live, and those whose withdrawal a run that died has begun."""
        asked = self.request.withdraw
        unknown = [version for version in asked if version not in live and not self.model.stored(version).get("withdrawn")]
        if unknown:
            raise Error(
                "Version %d is not live in %s, so it cannot be withdrawn. Live: %s."
                % (unknown[0], self.request.base_path, numbers(live) or "none"), "version_not_live", version=unknown[0],
            )
        return sorted({version for version in asked if version in live} | set(self.model.unfinished()))

    def _make_room(self, left: List[int]) -> None:
        # A version with a problem is nobody's spare: it does not count, and it is not ours to delete.
        model, keep, in_use = self.model, self.request.keep, self.request.in_use
        whole = [version for version in left if model.whole(version)]
        self.prune = [version for version in whole[:-keep] if version not in in_use]
        aside = sorted({*model.aside(), *self.withdraw})
        self.clear = [
            version for version in aside[:-keep]
            if version not in in_use and (version in self.withdraw or model.stored(version).get("withdrawn"))
        ]

    def anything(self) -> bool:
        return bool(self.withdraw or self.prune or self.clear or self.check)

    def carry_out(self, work: str, made: List[str]) -> None:
        model = self.model
        # The lowest first: the highest is the one that serves, and its successor should be the final one.
        for version in self.withdraw:
            record = model.stored(version)
            if not record.get("withdrawn") or version in self.request.withdraw:
                record = record or {"version": version, "files": {
                    path: {"size": size} for path, size in sizes_of(model.folder(version)).items()}}
                record = dict(record, withdrawn={"at": self.now, "reason": self.request.reason})
                for mark in ("pruned", "checked"):  # if it comes back, it has to prove itself again
                    record.pop(mark, None)
                model.write_record(record, work, made)
            model.take_out(version, work, made)
        for version in self.check:
            model.write_record(dict(model.stored(version), checked=self.now), work, made)
        for version in self.prune:
            model.write_record(dict(model.stored(version), pruned={"at": self.now}), work, made)
            model.discard(model.base, model.versions()[version], work)
        for version in self.clear:
            model.discard(model.withdrawn, model.aside()[version], work)

    def forecast(self, entries: List[Entry]) -> List[Entry]:
        """The entries as they will be."""
        forecast = []
        for entry in entries:
            version = entry["version"]
            change: Entry = {}
            if version in self.withdraw:
                mark = self.model.stored(version).get("withdrawn") if version not in self.request.withdraw else None
                mark = mark or {"at": self.now, "reason": self.request.reason}
                change = {"state": "withdrawn", "at": mark["at"], "reason": mark["reason"], "problem": "", "checked": None, **NOT_LIVE}
            if version in self.check:
                change = {"checked": self.now}
            if version in self.prune:
                change = dict(change, state="pruned", at=self.now, **NOT_LIVE)
            if version in self.prune + self.clear:
                change["size"] = 0
            forecast.append(dict(entry, **change))
        return forecast


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def numbers(versions: Iterable[int]) -> str:
    return ", ".join(str(version) for version in sorted(versions))


def sizes_of(folder: Optional[str]) -> Dict[str, int]:
    """{relative path: size} of every file. NFS's own .nfs files (deleted, still open somewhere) do not count."""
    if folder is None:
        return {}
    if not os.path.isdir(folder):
        return {"": os.lstat(folder).st_size} if os.path.lexists(folder) else {}
    try:
        return {
            os.path.relpath(os.path.join(path, name), folder): os.lstat(os.path.join(path, name)).st_size
            for path, dummy, names in os.walk(folder, onerror=_raise) for name in names if not name.startswith(".nfs")
        }
    except FileNotFoundError:  # somebody moves it while we look
        return {}


def _raise(error: OSError) -> None:
    raise error


def _listing(folder: str) -> List[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _numbered(names: Iterable[str]) -> Dict[int, str]:
    return {int(name): name for name in names if re.match(r"[0-9]{1,19}\Z", name) and int(name)}


def described(base_path: str, entries: Iterable[Entry]) -> str:
    """The versions with what became of them, for people."""
    text = ""
    for entry in entries:
        line = "%s  %s" % (posixpath.join(base_path, str(entry["version"])), entry["state"])
        if entry["reason"]:
            line += ": " + entry["reason"]
        if entry["state"] == "withdrawn" and not entry["size"]:
            line += " (data deleted)"
        text += line + (", checked" if entry["checked"] else "") + "\n"
    return text
