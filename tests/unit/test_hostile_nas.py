"""A NAS that others write to, some as root: what they plant and swap is never followed, deleted or trusted."""
from __future__ import annotations

import ast
import json
import os
import shutil
import stat

import pytest
from nas_folder import ONE, TWO, Nas, look
from saved_models import model_files, tar, under

import conftest
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import versions

THREE = tar(under("mnist/3", model_files(b"third")))


@pytest.fixture()
def nas(tmp_path, monkeypatch):
    nas = Nas(tmp_path, monkeypatch)
    nas.outside = tmp_path / "outside"  # the node itself
    fill(nas.outside)
    return nas


def fill(folder):
    """Somebody else's, with the names that ours have."""
    for name in ("2023/payroll.tar", "1/saved_model.pb", "lock", "provenance", "1.json", "saved_model.pb", "variables/variables.index",
                 "mnist/1/saved_model.pb", "unpacked/mnist/2/saved_model.pb", "run-0123456789abcdef/archive"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("canary of " + name)


def canaries(root):
    """What of theirs there is, wherever it lies."""
    found = []
    for folder, dummy, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb") as file:
                    if file.read(6) == b"canary":
                        found.append(name)
    return sorted(found)


PLANTS = {
    "symbolic link": lambda path, nas: path.symlink_to(nas.outside),
    "fifo": lambda path, nas: os.mkfifo(path),
    "device": lambda path, nas: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3)),
    "file": lambda path, nas: path.write_bytes(b""),
    "socket": lambda path, nas: os.mknod(path, stat.S_IFSOCK | 0o600),
    "folder": lambda path, nas: path.mkdir(),
}
PLACES = {
    "model": "/serving/model", "model/mnist": "/serving/model/mnist", "model/.staging-mnist": "/serving/model/.staging-mnist",
    "model/mnist/.provenance": "/serving/model/mnist/.provenance", "model/mnist/.withdrawn": "/serving/model/mnist/.withdrawn",
    "model/.staging-mnist/lock": "/serving/model/.staging-mnist/lock",
}
WORKS = {  # in an order in which each has something to do
    "publish": lambda nas, check_mode=False: nas.publish(THREE, check_mode),
    "list": lambda nas, check_mode=False: nas.versions(check_mode),
    "withdraw": lambda nas, check_mode=False: nas.versions(check_mode, withdraw=[2]),
    "prune": lambda nas, check_mode=False: nas.versions(check_mode, keep=1),
    "teardown": lambda nas, check_mode=False: nas.absent(check_mode),
}


@pytest.mark.parametrize("kind", PLANTS)
@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_folder_of_ours_is_refused_by_name(nas, place, kind):
    wanted = "file" if place.endswith("lock") else "folder"
    if kind == wanted:
        return
    nas.publish(ONE)
    nas.publish(TWO)
    target = nas.root / place
    target.parent.mkdir(exist_ok=True)
    if target.exists():
        target.rename(nas.root / "away")
    PLANTS[kind](target, nas)
    before, outside = names(nas.root), look(nas.outside)
    for work in WORKS.values():
        for check_mode in (True, False):
            with pytest.raises(Error) as caught:
                work(nas, check_mode)
            assert (caught.value.code, caught.value.details) == ("not_ours", {"path": PLACES[place], "found": kind})
            assert "%s on the NAS is a %s, and a %s of this collection has to be there" % (PLACES[place], kind, wanted) in (
                caught.value.message)
    assert (names(nas.root), look(nas.outside)) == (before, outside)


def names(root):
    return sorted(os.path.join(folder, name) for folder, folders, files in os.walk(root) for name in folders + files)


# --- what is not ours is left, and said -----------------------------------------------------------------------------

def test_backups_as_the_base_path(nas):
    nas.write("2023", {"payroll.tar": b"canary"})
    nas.write("7", model_files())
    with nas.unchanged():
        for check_mode in (True, False):
            result = nas.absent(check_mode)
            assert (result["changed"], result["versions"]) == (False, [7, 2023])
            assert ["/serving/model/mnist holds 2023, 7, which" in words for words in result["left"]] == [True]
        assert nas.versions(keep=1)["pruned"] == []
        assert [entry["version"] for entry in nas.versions()["versions"]] == [7, 2023]
        assert nas.refused(ONE, newest=True).details["highest"] == 2023


def test_ours_goes_and_theirs_stays(nas):
    nas.publish(ONE)
    nas.publish(TWO)
    nas.publish(THREE)
    nas.versions(withdraw=[3])
    nas.write("2/notes", {"by.hand": b"canary"})
    nas.write("2023", {"payroll.tar": b"canary"})
    nas.write(".withdrawn/9", {"payroll.tar": b"canary"})
    nas.write(".provenance", {"notes.txt": b"canary", "8.json": b"{}"})
    with nas.unchanged():
        foreseen = nas.absent(check_mode=True)
    result = nas.absent()
    assert result == foreseen
    assert (result["changed"], result["versions"]) == (True, [2, 2023])
    assert nas.names() == [".provenance", ".withdrawn", "2", "2023"]
    assert sorted(os.listdir(nas.root / "model/mnist/.provenance")) == ["2.json", "8.json", "notes.txt"]
    assert os.listdir(nas.root / "model/mnist/.withdrawn") == ["9"]
    assert ".withdrawn/9, .provenance/2.json, .provenance/8.json, .provenance/notes.txt, 2 and 1 more" in result["left"][0]
    with nas.unchanged():
        assert nas.absent()["changed"] is False


@pytest.mark.parametrize("spoil", [
    lambda version: (version / "payroll.tar").write_bytes(b"canary"),
    lambda version: (version / "saved_model.pb").write_bytes(b"canary"),
    lambda version: (version / "assets").symlink_to("/etc"),
    lambda version: os.mkfifo(version / "fifo"),
    lambda version: ((version / "saved_model.pb").unlink(), (version / "saved_model.pb").symlink_to("/etc/passwd")),
], ids=["more", "another", "link", "fifo", "link for a file"])
@pytest.mark.parametrize("work", ["prune", "teardown", "clear"])
def test_a_version_that_is_not_what_was_published_is_not_deleted(nas, spoil, work):
    nas.publish(ONE)
    nas.publish(TWO)
    nas.publish(THREE)
    if work == "clear":
        nas.versions(withdraw=[1, 2])
    version = nas.root / ("model/mnist/.withdrawn/1" if work == "clear" else "model/mnist/1")
    spoil(version)
    before = names(version)
    assert nas.absent()["changed"] if work == "teardown" else nas.versions(keep=1)["pruned"] == ([] if work == "clear" else [2])
    assert names(version) == before


def test_what_comes_into_a_version_while_it_is_deleted_goes_back(nas, monkeypatch):
    nas.publish(ONE)
    nas.publish(TWO)
    real = versions.nofollow.remove

    def remove(path, *args):
        if path.endswith("gone-1"):
            versions.nofollow.writing(path + "/payroll.tar").close()
        real(path, *args)

    monkeypatch.setattr(versions.nofollow, "remove", remove)
    assert nas.versions(keep=1)["pruned"] == []
    assert os.listdir(nas.root / "model/mnist/1") == ["payroll.tar"]


def test_a_withdrawn_version_that_came_by_hand_is_not_deleted(nas):
    """Its record is that of its withdrawal, and says not that it was published."""
    nas.publish(ONE)
    for number in ("4", "5"):
        nas.write(number, model_files())
    nas.versions(withdraw=[4, 5])
    assert nas.versions(keep=1)["pruned"] == []
    nas.absent()
    assert nas.names() == [".provenance", ".withdrawn"]
    assert sorted(os.listdir(nas.root / "model/mnist/.withdrawn")) == ["4", "5"]


def test_what_lies_aside_and_is_not_ours_is_in_the_way(nas):
    nas.publish(ONE)
    nas.publish(TWO)
    nas.write(".withdrawn/2", {"payroll.tar": b"canary"})
    with nas.unchanged():
        with pytest.raises(Error) as caught:
            nas.versions(withdraw=[2])
        assert caught.value.code == "aside_taken"
        assert "/serving/model/mnist/.withdrawn/2 is there already" in caught.value.message
        left = nas.versions(keep=5)["left"]
    assert ["/serving/model/mnist/.withdrawn holds 2, which" in words for words in left] == [True]


def test_an_unfinished_withdrawal_does_not_need_that_place(nas):
    nas.publish(ONE)
    nas.publish(TWO)
    path = nas.root / "model/mnist/.provenance/2.json"
    path.write_text(json.dumps(dict(json.loads(path.read_text()), withdrawn={"at": "then", "reason": "bad"})))
    nas.write(".withdrawn/2", {"payroll.tar": b"canary"})
    with nas.unchanged():
        nas.versions(keep=5)
    nas.publish(THREE)
    assert canaries(nas.root) == ["payroll.tar"]


def test_what_lies_in_the_staging_folder_is_said_and_makes_no_work(nas):
    nas.publish(ONE)
    (nas.root / "model/.staging-mnist").mkdir()
    (nas.root / "model/.staging-mnist/backups").symlink_to(nas.outside)
    for result in (nas.publish(ONE, check_mode=True), nas.publish(ONE), nas.publish(TWO), nas.versions(keep=1), nas.absent()):
        assert "/serving/model/.staging-mnist holds backups, which this collection did not put there" in result["left"][0]
    assert "needs" not in nas.publish(ONE, check_mode=True)
    assert (nas.root / "model/.staging-mnist/backups").is_symlink()


# --- what is read is bounded ----------------------------------------------------------------------------------------

RECORDS = [
    b"", b"{", b"\xff\xfe", b"[]", b"7", b"null", b'"text"', b"{}", b"[" * 100000, b'{"a":' * 100000,
    *[json.dumps(dict({"version": 1, "digest": "d", "files": {"saved_model.pb": {"size": 1}}}, **wrong)).encode() for wrong in (
        {"version": True}, {"version": "1"}, {"version": 2}, {"version": None}, {"files": None}, {"files": []}, {"files": {"a": 1}},
        {"files": {"a": {}}}, {"files": {"a": {"size": "1"}}}, {"files": {"a": {"size": -1}}}, {"files": {"a": {"size": True}}},
        {"files": {"a": {"size": 1.5}}}, {"withdrawn": "yes"}, {"withdrawn": {"at": 7}}, {"pruned": [1]}, {"pruned": {"at": []}},
        {"source": 1}, {"sha256": {}}, {"digest": ["d"]}, {"published": 7}, {"checked": True}, {"etag": 1}, {"last_modified": {}},
        {"chosen": 7}, {"size": "1"}, {"archive_version": "1"}, {"warmup": []}, {"signatures": []},
    )],
]


@pytest.mark.parametrize("content", RECORDS, ids=range(len(RECORDS)))
def test_a_record_that_makes_no_sense_is_none(nas, content):
    nas.publish(TWO)
    nas.write("1", model_files())
    (nas.root / "model/mnist/.provenance/1.json").write_bytes(content)
    entry = nas.versions()["versions"][0]
    assert (entry["version"], entry["state"]) == (1, "live") and "no record" in entry["problem"]
    for work in WORKS.values():
        work(nas)
    assert (nas.root / "model/mnist/1/saved_model.pb").exists()


@pytest.mark.parametrize("kind", ["fifo", "symbolic link", "folder", "device", "socket"])
@pytest.mark.parametrize("place", [".provenance/1.json", "1/saved_model.pb", "1/variables", "1/variables/variables.index", "1"])
def test_what_is_no_file_is_not_waited_for(nas, kind, place):
    nas.publish(ONE)
    nas.publish(TWO)
    path = nas.root / "model/mnist" / place
    path.rename(nas.root / "away")
    if kind == "folder" and place in ("1", "1/variables"):
        path.mkdir()
    else:
        PLANTS[kind](path, nas)
    outside = look(nas.outside)
    entry = nas.versions()["versions"][0]
    assert (entry["version"], entry["state"], bool(entry["problem"])) == (1, "live", True)
    assert json.dumps(nas.publish(TWO))
    assert nas.refused(ONE).code == "version_differs" if place != ".provenance/1.json" else True
    for work in WORKS.values():
        work(nas)
    assert look(nas.outside) == outside


def test_a_record_without_end_is_not_read_whole(nas, monkeypatch):
    nas.publish(ONE)
    monkeypatch.setattr(versions, "MAX_RECORD", 10000)
    with open(nas.root / "model/mnist/.provenance/1.json", "r+b") as file:
        file.truncate(1 << 40)  # a sparse file: nobody has so much memory
    assert "no record" in nas.versions()["versions"][0]["problem"]


# --- swapped while a run is at work ---------------------------------------------------------------------------------

STRIDE = 41  # calls from one swap to the next; each target begins at another one
EVERY = ("open", "mkdir", "rmdir", "rename", "unlink", "stat", "listdir", "fsync", "ftruncate", "pwrite")
TARGETS = (
    "model", "model/mnist", "model/.staging-mnist", "model/.staging-mnist/run-*", "model/.staging-mnist/run-*/unpacked",
    "model/.staging-mnist/run-*/unpacked/mnist", "model/.staging-mnist/run-*/unpacked/mnist/3",
    "model/.staging-mnist/run-*/unpacked/mnist/3/variables", "model/.staging-mnist/run-*/gone-1", "model/mnist/.provenance",
    "model/mnist/.withdrawn", "model/mnist/1", "model/mnist/1/variables", "model/mnist/3", "model/mnist/.provenance/1.json",
    "model/mnist/.provenance/3.json", "model/.staging-mnist/lock", "model/.staging-mnist/run-*/provenance",
)


def run_and_swap(work, step, swap):
    """Run work(), and swap() before its step-th call of any kind. False if it needed fewer."""
    left, real = [step], {name: getattr(os, name) for name in EVERY}

    def counted(name):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                restore()
                swap()
            return real[name](*args, **kwargs)
        return call

    def restore():
        for name, function in real.items():
            setattr(os, name, function)

    for name in EVERY:
        setattr(os, name, counted(name))
    try:
        work()
    except (Error, OSError):
        pass
    finally:
        restore()
    return left[0] <= 0


def swapped(nas, target, with_what):
    """Put a link to the node, or a folder of somebody else, in the place of a target, as soon as it is there."""
    found = sorted(nas.root.glob(target))
    if not found:
        return
    found[0].rename(nas.files / "away")
    if with_what == "link":
        found[0].symlink_to(nas.outside / "saved_model.pb" if "json" in target or "lock" in target else nas.outside)
    else:
        (nas.files / "theirs").rename(found[0])


@pytest.mark.parametrize("with_what", ["link", "folder"])
@pytest.mark.parametrize("work", ["publish", "prune", "teardown"])
def test_swaps_at_any_moment(nas, work, with_what, monkeypatch):
    """Before each call that a run makes, one of its folders becomes a link or another folder: nothing of others goes or changes."""
    start = nas.files / "start"
    nas.publish(ONE)
    nas.publish(TWO)
    nas.versions(withdraw=[2])
    nas.root.rename(start)
    outside, runs = look(nas.outside), 0
    # What is moved into a run's own folder, whose name is random, is given to it: docs/nas.md.
    for at, target in enumerate(target for target in TARGETS if with_what == "link" or "run-*/" not in target):
        for step in range(1 + at % STRIDE, 10000, STRIDE):
            copied(start, nas.root)
            theirs = nas.files / "theirs"
            fill(theirs)
            (theirs / "lock").unlink()  # a file of this name in a staging folder is taken for ours
            expected = canaries(theirs)
            reached = run_and_swap(
                lambda: WORKS[work](nas), step, lambda target=target: swapped(nas, target, with_what))
            runs += 1
            where = "%s at step %d" % (target, step)
            assert look(nas.outside) == outside, where
            assert sorted(canaries(nas.root) + canaries(theirs)) == expected, where
            for path in (nas.root, theirs, nas.files / "away"):
                removed(path)
            if not reached:
                break
    assert runs > 50


def copied(source, target):
    shutil.copytree(source, target, symlinks=True)


def removed(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


# --- no other way ---------------------------------------------------------------------------------------------------

PLAIN = {
    "os": {"open", "listdir", "scandir", "walk", "fwalk", "mkdir", "makedirs", "rename", "renames", "replace", "unlink", "remove", "rmdir",
           "removedirs", "stat", "lstat", "chmod", "chown", "utime", "truncate", "link", "symlink", "readlink", "access", "statvfs"},
    "path": {"exists", "lexists", "isdir", "isfile", "islink", "getsize", "getmtime", "realpath", "samefile", "ismount"},
}
# The archive, which lies on the node.
ON_THE_NODE = {
    ("look.py", "_identify", "isdir"), ("look.py", "file_sha256", "open"), ("bringing.py", "_source", "open"),
    ("archive.py", "_zip_members", "open"),
}


def opens_itself(call):
    """A zip or tar that is given by its name, and not as a file that is open."""
    names = {argument.id for argument in call.args if isinstance(argument, ast.Name)}
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("ZipFile", "TarFile") and not names & {"file", "fileobj"}


def plain_calls(path):
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, ast.FunctionDef):
            continue
        for call in ast.walk(function):
            if not isinstance(call, ast.Call):
                continue
            called = call.func
            if opens_itself(call):
                yield path.name, function.name, called.attr
            if isinstance(called, ast.Name) and called.id == "open":
                yield path.name, function.name, "open"
            elif isinstance(called, ast.Attribute):
                owner = called.value.attr if isinstance(called.value, ast.Attribute) else getattr(called.value, "id", "")
                if called.attr in PLAIN.get(owner, ()) or owner in ("shutil", "tempfile", "glob", "pathlib"):
                    yield path.name, function.name, called.attr


def test_the_work_on_the_nas_knows_no_other_way_to_a_file():
    folder = conftest.ROOT / "plugins/module_utils/nas"
    files = [path for path in folder.glob("*.py") if path.name not in ("nofollow.py", "mount.py")]
    assert len(files) > 8
    assert {call for path in files for call in plain_calls(path)} - ON_THE_NODE == set()
