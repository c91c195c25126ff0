# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The versions of one model on the NAS: which are live, which were withdrawn or pruned. How they become so: lifecycle.py.

    <base path>/1/saved_model.pb ...     a live version; servers take every folder with a whole number for a name for one
               /.provenance/1.json       where it came from, and what became of it; outlives the data
               /.withdrawn/2/            a version that was taken back: out of the base path by one rename, kept aside

Anybody may write there. What a record names that publish wrote is ours; the rest is seen and shown, and never deleted.

The record says what is meant, and is written first. A version that is marked as withdrawn and still lies in the base
path is the work of a run that died: the next one that holds the lock moves it. (A version that is marked as pruned and
is still live just stays live, until somebody prunes again: it may have come into use since.)
"""
import contextlib
import errno
import json
import os
import posixpath
import re
import stat
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple, TypeVar

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import nofollow
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Request
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.staging import LOCK, staging, strangers

PROVENANCE = ".provenance"
WITHDRAWN = ".withdrawn"
NOT_LIVE = {"servable": False, "unfinished": False}  # of an entry
MAX_RECORD = 32 << 20  # bytes; that of a version with 100000 files has 20 million
TEXTS = ("chosen", "source", "sha256", "digest", "published", "checked", "etag", "last_modified")  # of a record, where they are
NUMBERS = ("size", "archive_version", "warmup")

Record = Dict[str, Any]  # what .provenance/VERSION.json holds
Entry = Dict[str, Any]  # one of the versions that the module model_versions answers
Result = Dict[str, Any]  # what a module answers


T = TypeVar("T")


class Model:
    """The folders of one model. What changes them is called with the lock held."""

    def __init__(self, export: str, request: Request) -> None:
        self.base_path = request.base_path
        self.tags = request.tags
        self.is_export = request.folder == "."
        self.base = export if self.is_export else os.path.join(export, request.folder)
        # Beside the base path, where pods that mount it cannot see it; the export's root has no beside.
        self.beside = self.base_path if self.is_export else posixpath.dirname(self.base_path)
        name = posixpath.basename(request.base_path) or "model"
        self.staging = os.path.join(self.base if self.is_export else os.path.dirname(self.base), ".staging-" + name)
        self.provenance = os.path.join(self.base, PROVENANCE)
        self.withdrawn = os.path.join(self.base, WITHDRAWN)
        self.known: Dict[Any, Any] = {}  # what was read: over NFS each look costs
        self._must_be_folders(export, request)

    def _must_be_folders(self, export: str, request: Request) -> None:
        """Refuse what is no folder where one of ours has to be: a link there leads to what is not ours."""
        above = [] if self.is_export else request.folder.split("/")
        places = [
            (os.path.join(export, *above[:depth]), posixpath.join(request.export, *above[:depth])) for depth in range(1, len(above))]
        staging_path = posixpath.join(self.beside, os.path.basename(self.staging))
        places += [
            (self.base, self.base_path), (self.provenance, posixpath.join(self.base_path, PROVENANCE)),
            (self.withdrawn, posixpath.join(self.base_path, WITHDRAWN)), (self.staging, staging_path),
        ]
        wanted = [place + ("folder",) for place in places]
        for path, path_there, kind in wanted + [(os.path.join(self.staging, LOCK), posixpath.join(staging_path, LOCK), "file")]:
            found = nofollow.kind(path)
            if found not in ("", kind):
                raise Error(
                    "%s on the NAS is a %s, and a %s of this collection has to be there. It may lead to other people's files, so"
                    " nothing was changed. Find out who put it there and remove it, or change model_base_path."
                    % (path_there, found, kind), "not_ours", path=path_there, found=found,
                )

    def _once(self, what: Tuple[Any, ...], read: Callable[[], T]) -> T:
        if what not in self.known:
            self.known[what] = read()
        found: T = self.known[what]
        return found

    @contextlib.contextmanager
    def locked(self, lock_timeout: int, purpose: str) -> Iterator[Tuple[str, List[str]]]:
        """With what there is read anew, for the run that held the lock may have changed it."""
        with contextlib.ExitStack() as stack:
            held = stack.enter_context(staging(self.staging, lock_timeout, purpose))
            self.known.clear()
            yield held

    def move(self, source: str, target: str) -> None:
        self.known.clear()
        nofollow.rename(source, target)

    def listing(self) -> List[str]:
        return self._once(("base",), lambda: nofollow.listing(self.base))

    def versions(self) -> Dict[int, str]:
        """{number: name of the folder} of the live ones, as the server would read it: 0001 is version 1."""
        return _numbered(self.listing())

    def aside(self) -> Dict[int, str]:
        """{number: name of the folder} of those that were withdrawn and whose data is still there."""
        return _numbered(self._once(("aside",), lambda: nofollow.listing(self.withdrawn)))

    def recorded(self) -> List[int]:
        """The numbers of all that have a record."""
        names = self._once(("records",), lambda: nofollow.listing(self.provenance))
        return sorted(_numbered(name[:-5] for name in names if name.endswith(".json")))

    def folder(self, version: int) -> Optional[str]:
        """Where the data of a version lies, None if there is none."""
        live, aside = self.versions(), self.aside()
        if version in live:
            return os.path.join(self.base, live[version])
        return os.path.join(self.withdrawn, aside[version]) if version in aside else None

    def stored(self, version: int) -> Record:
        """What is written down of a version, wherever its data is; {} where nothing is, or no sense."""
        return self._once(("record", version), lambda: _read_record(self.record_path(version), version))

    def sizes(self, version: int) -> Dict[str, int]:
        """{relative path: size} of a version's files, live or aside."""
        return self._once(("sizes", version), lambda: sizes_of(self.folder(version)))

    def whole(self, version: int) -> Record:
        """The record of a version whose files, live or aside, are those that were published; else {}."""
        record = self.stored(version)
        if record and self.folder(version) and self.sizes(version) == _sizes_in(record):
            return record
        return {}

    def is_ours(self, version: int, folder: Optional[str] = None) -> bool:
        """May it be deleted? If publish recorded it, and no file is in its folder that the record does not name, as it is named."""
        record = self.stored(version)
        sizes = self.sizes(version) if folder is None else sizes_of(folder)
        return bool(record.get("digest")) and sizes.items() <= _sizes_in(record).items()

    def what_became_of(self, record: Record) -> str:
        """"withdrawn" or "pruned"; "" for a version that is live, or never was."""
        if record.get("withdrawn"):
            return "withdrawn"
        return "pruned" if record.get("pruned") and record["version"] not in self.versions() else ""

    def chosen(self) -> List[int]:
        """The version that people went back to last. Its servers may not say so yet."""
        return [version for version in self.recorded() if self.stored(version).get("chosen")]

    def unfinished(self) -> List[int]:
        """Live versions that a run has marked as withdrawn before it died. Never all: what serves is not taken away."""
        live = self.versions()
        marked = [version for version in sorted(live) if self._is_unfinished(version)]
        return marked if marked and any(self.loadable(version) for version in set(live) - set(marked)) else []

    def _is_unfinished(self, version: int) -> bool:
        return bool(self.stored(version).get("withdrawn") and self.whole(version) and self.has_room(version))

    def loadable(self, version: int) -> bool:
        """Would a server load it, as far as can be told?"""
        if self.whole(version):
            return True
        with contextlib.suppress(Error, OSError):
            return bool(self._inspect(version))
        return False

    def _inspect(self, version: int) -> Dict[str, Any]:
        from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import savedmodel  # for what others put there

        strange = [name or "it" for name, size in self.sizes(version).items() if size < 0]
        if strange:
            raise _not_followed(strange[0])
        try:
            return dict(savedmodel.inspect(self.folder(version) or os.path.join(self.base, str(version)), self.tags))
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise _not_followed(os.path.basename(error.filename)) from None  # a folder of a file's name, or just swapped

    def record_path(self, version: int) -> str:
        return os.path.join(self.provenance, "%d.json" % version)

    def write_record(self, record: Record, work: str, made: List[str]) -> None:
        nofollow.make_folders(self.base, made)
        nofollow.make_folders(self.provenance, made)
        draft = os.path.join(work, "provenance")
        with nofollow.writing(draft) as file:
            file.write(json.dumps(record, indent=1, sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.move(draft, self.record_path(record["version"]))
        nofollow.sync_folder(self.provenance)

    def take_out(self, version: int, work: str, made: List[str]) -> None:
        """Out of the base path, kept aside."""
        nofollow.make_folders(self.withdrawn, made)
        if not self.discard(version, self.withdrawn, self.aside().get(version), work):
            raise self.no_room(version)
        self.move(os.path.join(self.base, self.versions()[version]), os.path.join(self.withdrawn, str(version)))
        nofollow.sync_folder(self.withdrawn)
        nofollow.sync_folder(self.base)

    def has_room(self, version: int) -> bool:
        """Can it be kept aside, or does other data lie there under its number that is not ours to delete?"""
        name = self.aside().get(version)
        return name is None or self.is_ours(version, os.path.join(self.withdrawn, name))

    def no_room(self, version: int) -> Error:
        return Error(
            "Version %d cannot be withdrawn: %s is there already, and this collection did not put it there. Move it away by hand."
            % (version, posixpath.join(self.base_path, WITHDRAWN, self.aside().get(version, str(version)))), "aside_taken",
            version=version,
        )

    def discard(self, version: int, parent: str, name: Optional[str], work: str) -> bool:
        """Gone by one rename, from where it is deleted file by file: those that its record names. False if it is not ours.

        Looked at once more when nobody finds it by its name any longer, for it may be another folder than before the rename.
        """
        if name is None:
            return True
        path, gone = os.path.join(parent, name), os.path.join(work, "gone-" + name)
        named = _sizes_in(self.stored(version))
        if not self.is_ours(version, path):
            return False
        self.move(path, gone)
        if sizes_of(gone).items() <= named.items():
            nofollow.sync_folder(parent)
            nofollow.remove(gone, named)
        return not self._given_back(gone, path)

    def _given_back(self, gone: str, path: str) -> bool:
        """What others put in the place of a version, in the moment of its removal, goes back to where it was."""
        if not any(nofollow.files(gone)):
            return False
        with contextlib.suppress(OSError):
            self.move(gone, path)
            return True
        self.move(gone, "%s.others-%s" % (path, os.urandom(4).hex()))
        return True

    def forget(self, version: int, work: str) -> None:
        """Its record goes as well, unless it is another file by now."""
        path, gone = self.record_path(version), os.path.join(work, "record-%d" % version)
        self.move(path, gone)
        if not _read_record(gone, version):
            self.move(gone, path)

    def left_alone(self) -> List[str]:
        """What lies where only our own is expected, as sentences: others put it there, or changed it."""
        staging_path = posixpath.join(self.beside, os.path.basename(self.staging))
        again = sorted(set(self.aside()) & set(self.versions()))
        places = ((staging_path, strangers(self.staging)), (posixpath.join(self.base_path, WITHDRAWN), map(str, again)))
        return [left_alone(path, names) for path, names in ((path, list(names)) for path, names in places) if names]

    def entries(self) -> List[Entry]:
        """What a person wants to know of every version, ascending."""
        versions = sorted({*self.versions(), *self.aside(), *self.recorded()})
        unfinished = self.unfinished()  # reads every live version: once for all
        entries = [self._entry(version, version in unfinished) for version in versions]
        return self._zero() + [entry for entry in entries if entry]

    def _zero(self) -> List[Entry]:
        """A folder 0 is a version to servers. Here versions start at 1, so it is not ours: it is left alone, and said."""
        return [{
            "version": 0, "state": "ignored", "size": _total(sizes_of(os.path.join(self.base, name))), "published": None,
            "checked": None, "chosen": None, "source": None, "checksum": None, "reason": None, "at": None, **NOT_LIVE,
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
            "version": version, "state": state, "size": _total(self.sizes(version)),
            "published": record.get("published"), "checked": record.get("checked"), "chosen": record.get("chosen"),
            "source": record.get("source"), "checksum": "sha256:%s" % record["sha256"] if record.get("sha256") else None,
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


def _not_followed(name: str) -> Error:
    return Error(
        "%s is a link or no regular file, and nothing of that kind is followed here. Put the files themselves there." % name,
        "not_followed",
    )


def left_alone(path: str, names: List[str]) -> str:
    return (
        "%s holds %s, which this collection did not put there, or which somebody changed since: it is left alone. Delete it by hand"
        " if nobody needs it." % (path, ", ".join(names[:5]) + (" and %d more" % (len(names) - 5) if names[5:] else ""))
    )


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def still_chosen(chosen: str, passed: Iterable[Optional[str]]) -> bool:
    """Until one has passed that was published later than people went back. One that they went back from, whose run comes to an end
    meanwhile, was published before. chosen: when they went back. passed: when those were published that passed, None where unknown."""
    return not any((published or "") > chosen for published in passed)


def numbers(versions: Iterable[int]) -> str:
    return ", ".join(str(version) for version in sorted(versions))


def sizes_of(folder: Optional[str]) -> Dict[str, int]:
    """{relative path: size} of every file; -1 for what is neither file nor folder, which no record names."""
    if folder is None:
        return {}
    found = nofollow.kind(folder)
    if found not in ("", "folder"):
        return {"": nofollow.lstat(folder).st_size if found == "file" else -1}
    return {name: status.st_size if stat.S_ISREG(status.st_mode) else -1 for name, status in nofollow.files(folder)}


def _total(sizes: Dict[str, int]) -> int:
    return sum(size for size in sizes.values() if size > 0)


def _sizes_in(record: Record) -> Dict[str, int]:
    return {path: file["size"] for path, file in record.get("files", {}).items()}


def _read_record(path: str, version: int) -> Record:
    """{} where there is none, or what somebody else wrote."""
    try:
        with nofollow.reading(path) as file:
            content = file.read(MAX_RECORD + 1)
        record = json.loads(content.decode()) if len(content) <= MAX_RECORD else None
    except OSError:
        if nofollow.kind(path) == "file":
            raise
        return {}
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) and _makes_sense(record, version) else {}


def _makes_sense(record: Record, version: int) -> bool:
    files, marks = record.get("files"), [record.get(mark) or {} for mark in ("withdrawn", "pruned")]
    return (
        _is_number(record.get("version")) and record["version"] == version
        and isinstance(files, dict) and all(isinstance(file, dict) and _is_number(file.get("size")) for file in files.values())
        and all(isinstance(mark, dict) and all(isinstance(text, str) for text in mark.values()) for mark in marks)
        and all(isinstance(record.get(key, ""), (str, type(None))) for key in TEXTS)
        and all(record.get(key) is None or _is_number(record[key]) for key in NUMBERS)
        and isinstance(record.get("signatures", {}), dict)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


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
