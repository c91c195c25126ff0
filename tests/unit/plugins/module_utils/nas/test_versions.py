"""Versions that are listed, withdrawn, pruned and brought back, on a folder in place of a mounted export."""
from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

import pytest
from nas_folder import ONE, TWO, Nas, look, run_and_die, run_and_stop, served, sha
from saved_models import model_files, tar, under, zipped

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import bringing, versions

OTHER_TWO = tar(under("mnist/2", model_files(b"third weights")))


def archive(number):
    return tar(under("mnist/%d" % number, model_files(b"weights %d" % number)))


@pytest.fixture()
def nas(tmp_path, monkeypatch):
    return Nas(tmp_path, monkeypatch)


@pytest.fixture()
def two(nas):
    nas.publish(ONE)
    nas.publish(TWO)
    return nas


@pytest.fixture()
def rolled_back(two):
    two.versions(withdraw=[2], reason="error rate 89.3 %")
    return two


@pytest.fixture()
def five(nas):
    for number in range(1, 6):
        nas.publish(archive(number))
    return nas


def states(result):
    return {entry["version"]: entry["state"] for entry in result["versions"]}


def entry(nas, version):
    return next(entry for entry in nas.versions()["versions"] if entry["version"] == version)


def refused(nas, **options):
    with nas.unchanged(), pytest.raises(Error) as caught:
        nas.versions(**options)
    return caught.value


def timeless(result):
    return json.loads(json.dumps([dict(entry, at=bool(entry["at"])) for entry in result["versions"]]))


# --- the list ------------------------------------------------------------------------------------------------------

def test_what_is_listed(two):
    with two.unchanged():
        result = two.versions()
    assert (result["changed"], states(result)) == (False, {1: "live", 2: "live"})
    first = result["versions"][0]
    assert first["size"] == sum(len(content) for content in model_files().values())
    assert first["checksum"] == "sha256:" + sha(ONE)
    assert first["source"].startswith("file://")
    assert first["published"].endswith("Z")
    assert (first["reason"], first["at"], first["checked"], first["problem"]) == (None, None, None, "")


def test_nothing_is_there_yet(nas):
    with nas.unchanged():
        assert nas.versions()["versions"] == []
        assert nas.versions(keep=3)["changed"] is False


@pytest.mark.parametrize(("files", "words"), [
    (model_files(), ["not published by this collection"]),
    ({"saved_model.pb": model_files()["saved_model.pb"]}, ["not published by this collection", "variables/", "withdraw"]),
    ({"variables/variables.index": b"x"}, ["no file saved_model.pb"]),
    ({"saved_model.pb": b""}, ["empty"]),
])
def test_a_version_that_came_by_hand_is_named_in_words(two, files, words):
    two.write("3", files)
    found = entry(two, 3)
    assert found["state"] == "live"
    for word in words:
        assert word in found["problem"]


def test_a_version_that_was_damaged_by_hand(two):
    (two.root / "model/mnist/2/variables/variables.index").unlink()
    problem = entry(two, 2)["problem"]
    assert "somebody changed them" in problem
    assert "variables.index" in problem


def test_a_file_in_place_of_a_version(two):
    (two.root / "model/mnist/7").write_bytes(b"")
    assert "saved_model.pb" in entry(two, 7)["problem"]


@pytest.mark.parametrize("folder", ["0", "000"])
def test_a_folder_0_is_left_alone_and_said(two, folder):
    two.write(folder, model_files())
    (two.root / "model/mnist/.provenance/0.json").write_text('{"version": 0, "files": {}, "withdrawn": {}}')
    result = two.versions()
    assert [(entry["version"], entry["state"]) for entry in result["versions"]] == [(0, "ignored"), (1, "live"), (2, "live")]
    assert set(result["versions"][0]) == set(result["versions"][1])
    zero = result["versions"][0]
    assert "the folder %s was made by others and is left alone" % folder in zero["problem"]
    assert zero["size"] == sum(len(content) for content in model_files().values())
    assert result["diff"]["before"].startswith("/serving/model/mnist/0  ignored\n")
    assert two.publish(ONE)["versions"] == [1, 2]
    assert two.versions(keep=1)["pruned"] == [1]
    assert refused(two, withdraw=[2]).code == "only_version"
    assert sorted(served(two)) == [folder, "2"]


@pytest.mark.parametrize("content", [
    b"", b"[]", b"{}", b'{"version": 1, "files": 3}', b'{"version": 1, "files": {}, "withdrawn": "yes"}',
])
def test_a_damaged_record(two, content):
    (two.root / "model/mnist/.provenance/1.json").write_bytes(content)
    assert "no record" in entry(two, 1)["problem"]


# --- withdrawing ---------------------------------------------------------------------------------------------------

def test_withdraw(two):
    with two.unchanged():
        forecast = two.versions(check_mode=True, withdraw=[2], reason="error rate 89.3 %")
    result = two.versions(withdraw=[2], reason="error rate 89.3 %")
    assert (result["changed"], result["withdrawn"], states(result)) == (True, [2], {1: "live", 2: "withdrawn"})
    assert timeless(forecast) == timeless(result)
    assert forecast["diff"] == result["diff"] == {
        "before": "/serving/model/mnist/1  live\n/serving/model/mnist/2  live\n",
        "after": "/serving/model/mnist/1  live\n/serving/model/mnist/2  withdrawn: error rate 89.3 %\n",
    }
    found = entry(two, 2)
    assert (found["reason"], found["problem"], found["size"] > 0) == ("error rate 89.3 %", "", True)
    assert two.names() == [".provenance", ".withdrawn", "1"]
    assert not list(two.root.rglob(".staging*"))
    with two.unchanged():
        again = two.versions(withdraw=[2], reason="another")
    assert (again["changed"], again["withdrawn"], entry(two, 2)["reason"]) == (False, [], "error rate 89.3 %")


def test_withdraw_several(five):
    assert five.versions(withdraw=[5, 4])["withdrawn"] == [4, 5]
    assert list(served(five)) and sorted(served(five)) == ["1", "2", "3"]


def test_the_last_one_is_not_withdrawn(two):
    assert refused(two, withdraw=[1, 2]).code == "only_version"
    two.versions(withdraw=[2])
    error = refused(two, withdraw=[1])
    assert error.code == "only_version"
    assert "publish.yml" in error.message


def test_a_version_that_cannot_serve_is_no_reason_to_withdraw_the_one_that_can(two):
    (two.root / "model/mnist/1/variables/variables.index").unlink()
    assert refused(two, withdraw=[2]).code == "only_version"
    two.write("7", model_files())
    assert two.versions(withdraw=[2])["changed"], "one that came by hand serves as well"


def mark(nas, version):
    """As a run leaves it that dies between the record and the rename."""
    path = nas.root / ("model/mnist/.provenance/%d.json" % version)
    path.write_text(json.dumps(dict(json.loads(path.read_text()), withdrawn={"at": "then", "reason": "bad"})))


@pytest.mark.parametrize(
    "work", [lambda nas: nas.versions(keep=9), lambda nas: nas.publish(archive(3))], ids=["prune", "publish"])
def test_finishing_a_withdrawal_never_takes_the_last_version_that_serves(two, work):
    mark(two, 1)
    mark(two, 2)
    work(two)
    assert {"1", "2"} <= set(served(two))
    two.absent()
    two.publish(ONE)
    two.publish(TWO)
    mark(two, 2)
    (two.root / "model/mnist/1/saved_model.pb").unlink()
    work(two)
    assert {"1", "2"} <= set(served(two)), "1 could not be loaded"


def test_a_mark_on_files_that_somebody_changed_moves_nothing(two):
    mark(two, 2)
    (two.root / "model/mnist/2/extra").write_bytes(b"")
    two.versions(keep=9)
    assert sorted(served(two)) == ["1", "2"]


def test_a_withdrawal_is_finished_without_being_asked_for(two):
    mark(two, 2)
    with two.unchanged():
        forecast = two.versions(check_mode=True, keep=9)
    result = two.versions(keep=9)
    assert (result["changed"], result["withdrawn"], entry(two, 2)["at"], entry(two, 2)["reason"]) == (True, [2], "then", "bad")
    assert timeless(forecast) == timeless(result)
    assert forecast["versions"][1]["at"] == "then"


def test_another_run_was_quicker(two, monkeypatch):
    """What there is is looked at again once the lock is held."""
    @contextlib.contextmanager
    def staging(*args):
        monkeypatch.setattr(versions, "staging", real)
        two.versions(withdraw=[2], reason="the other's")
        with contextlib.ExitStack() as stack:
            held = stack.enter_context(real(*args))
            yield held

    real = versions.staging
    monkeypatch.setattr(versions, "staging", staging)
    result = two.versions(withdraw=[2], reason="mine")
    assert (result["changed"], result["withdrawn"], entry(two, 2)["reason"]) == (False, [], "the other's")


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_any_uid_can_read_what_is_made(two, umask):
    before = os.umask(umask)
    try:
        two.versions(withdraw=[2])
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    for path in two.root.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_leftovers_of_the_dead_are_removed_by_a_run_that_changes_nothing(two):
    two.leave_behind()
    with two.unchanged():
        two.versions()
        two.versions(keep=5, check_mode=True)
    assert two.versions(keep=5)["changed"] is False
    assert not list(two.root.rglob(".staging*"))


def test_what_is_not_live_cannot_be_withdrawn(five):
    assert refused(five, withdraw=[9]).code == "version_not_live"
    five.versions(keep=2)
    assert refused(five, withdraw=[1]).code == "version_not_live"


def test_a_half_copied_version_can_be_withdrawn(two):
    two.write("3", {"saved_model.pb": model_files()["saved_model.pb"]})
    two.versions(withdraw=[3])
    assert sorted(served(two)) == ["1", "2"]
    assert entry(two, 3)["state"] == "withdrawn"
    error = two.refused(archive(3))
    assert error.code == "version_used"
    assert "other content" in error.message


# --- withdrawn stays withdrawn ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [{}, {"version": 2}, {"checksum": sha(TWO)}])
def test_what_was_withdrawn_is_reported_and_not_published(rolled_back, options):
    with rolled_back.unchanged():
        for check_mode in (False, True):
            result = rolled_back.publish(TWO, check_mode, **options)
            assert (result["changed"], result["version"], result["versions"], result["aside"]) == (False, 2, [1], [2])
            assert result["withdrawn"]["version"] == 2
            assert result["withdrawn"]["reason"] == "error rate 89.3 %"
            for word in ("Version 2 was withdrawn on 20", "error rate 89.3 %", "model_reinstate=true", "live: 1"):
                assert word in result["message"]
            assert result["path"] == "/serving/model/mnist/.withdrawn/2"
            assert json.dumps(result)
        result = rolled_back.publish(ONE)
        assert (result["changed"], result["message"], result["withdrawn"], result["pruned"]) == (False, "", {}, {})


def test_an_archive_of_the_controller_need_not_travel_to_be_known(rolled_back):
    options = {"archive": "/on/the/controller.tar.gz", "checksum": sha(TWO)}
    with rolled_back.unchanged():
        assert rolled_back.publish(**options)["withdrawn"]
    assert rolled_back.publish(reinstate=True, **options)["changed"], "its data is still there"
    rolled_back.versions(withdraw=[2])
    shutil.rmtree(rolled_back.root / "model/mnist/.withdrawn/2")
    with rolled_back.unchanged():
        assert rolled_back.publish(reinstate=True, **options)["needs"] == ["archive"]


def test_the_same_content_in_another_archive_is_withdrawn_too(rolled_back):
    other = zipped(under("mnist/2", model_files(b"other weights")))
    result = rolled_back.publish(other)
    assert (result["changed"], result["withdrawn"]["version"], result["versions"]) == (False, 2, [1])
    with rolled_back.unchanged():
        assert rolled_back.publish(other)["withdrawn"]
    assert rolled_back.publish(other, reinstate=True)["versions"] == [1, 2]


def test_other_content_under_a_withdrawn_number(rolled_back):
    for options in ({}, {"reinstate": True}):
        error = rolled_back.refused(OTHER_TWO, **options)
        assert error.code == "version_used"
        assert "new one" in error.message
    assert rolled_back.publish(OTHER_TWO, version=3)["versions"] == [1, 3]


def test_a_withdrawn_archive_under_a_number_of_its_own(rolled_back):
    """A model_version that is given is what it says, as for live versions."""
    assert rolled_back.publish(TWO, version=4)["versions"] == [1, 4]


# --- bringing back -------------------------------------------------------------------------------------------------

def test_reinstate(rolled_back):
    with rolled_back.unchanged():
        forecast = rolled_back.publish(TWO, check_mode=True, reinstate=True)
    assert (forecast["changed"], forecast["version"]) == (True, 2)
    result = rolled_back.publish(TWO, reinstate=True)
    assert (result["changed"], result["versions"], result["withdrawn"], result["message"]) == (True, [1, 2], {}, "")
    assert forecast["diff"]["after"] == result["diff"]["after"]
    assert rolled_back.names() == [".provenance", "1", "2"]
    with rolled_back.unchanged():
        assert rolled_back.publish(TWO, reinstate=True)["changed"] is False
        assert rolled_back.publish(TWO)["changed"] is False
    assert rolled_back.versions(withdraw=[2], reason="again")["changed"]
    assert rolled_back.publish(TWO)["withdrawn"]["reason"] == "again"


@pytest.mark.parametrize(("spoil", "left"), [
    (shutil.rmtree, []), (lambda folder: (folder / "saved_model.pb").unlink(), []),
    (lambda folder: (folder / "saved_model.pb").write_bytes(b"cut"), [2]),  # no longer what was published: not ours to delete
])
def test_reinstate_without_the_data(rolled_back, spoil, left):
    spoil(rolled_back.root / "model/mnist/.withdrawn/2")
    assert rolled_back.publish(TWO)["withdrawn"]
    result = rolled_back.publish(TWO, reinstate=True)
    assert (result["changed"], result["versions"], result["aside"]) == (True, [1, 2], left)
    assert [".withdrawn holds 2, which" in words for words in result["left"]] == [True] * len(left)
    assert entry(rolled_back, 2)["problem"] == ""
    assert rolled_back.publish(TWO)["message"] == ""


def test_newest(two):
    error = two.refused(ONE, newest=True)
    assert error.code == "not_newest"
    assert "rollback.yml" in error.message
    assert two.refused(ONE, newest=True, version=1).code == "not_newest"
    with two.unchanged():
        assert two.publish(TWO, newest=True)["changed"] is False
    two.publish(archive(3), newest=True)
    two.versions(withdraw=[2])
    with two.unchanged():
        assert two.publish(TWO, newest=True)["withdrawn"]
    assert two.refused(TWO, newest=True, reinstate=True).code == "not_newest"
    assert two.publish(TWO, reinstate=True)["changed"]


# --- pruning -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("options", "left"), [
    ({"keep": 0}, [1, 2, 3, 4, 5]), ({"keep": ""}, [1, 2, 3, 4, 5]), ({"keep": 5}, [1, 2, 3, 4, 5]),
    ({"keep": 9}, [1, 2, 3, 4, 5]),
    ({"keep": 3}, [3, 4, 5]), ({"keep": 1}, [5]), ({"keep": "2", "in_use": ["1", 4]}, [1, 4, 5]),
])
def test_prune(five, options, left):
    gone = sorted({1, 2, 3, 4, 5} - set(left))
    with five.unchanged():
        forecast = five.versions(check_mode=True, **options)
    result = five.versions(**options)
    assert (result["changed"], result["pruned"]) == (bool(gone), gone)
    assert [version for version, state in states(result).items() if state == "live"] == left
    assert timeless(forecast) == timeless(result)
    assert forecast["diff"] == result["diff"]
    assert not list(five.root.rglob(".staging*"))
    for version in gone:
        found = entry(five, version)
        assert (found["state"], found["size"], bool(found["at"])) == ("pruned", 0, True)
    with five.unchanged():
        assert five.versions(**options)["changed"] is False


def test_what_was_pruned_is_reported_and_comes_back_when_asked_for(five):
    five.versions(keep=3)
    with five.unchanged():
        result = five.publish(archive(2))
        assert (result["changed"], result["pruned"]["version"], result["versions"]) == (False, 2, [3, 4, 5])
        assert "model_keep" in result["message"] and "model_reinstate=true" in result["message"]
        assert five.refused(TWO).code == "version_used"
    assert five.publish(archive(2), reinstate=True)["versions"] == [2, 3, 4, 5]
    assert five.publish(archive(2))["message"] == ""


def test_versions_that_came_by_hand_are_neither_counted_nor_deleted(five):
    five.write("9", model_files())
    five.write("7", {"saved_model.pb": b"half"})
    (five.root / "model/mnist/2/saved_model.pb").write_bytes(b"changed")
    assert five.versions(keep=2)["pruned"] == [1, 3]
    assert sorted(served(five)) == ["2", "4", "5", "7", "9"]


def test_the_data_of_withdrawn_versions_is_pruned_and_they_stay_withdrawn(five):
    five.versions(withdraw=[3, 4, 5], reason="bad")
    result = five.versions(keep=2, in_use=[1])
    assert (result["pruned"], states(result)) == ([3], {1: "live", 2: "live", 3: "withdrawn", 4: "withdrawn", 5: "withdrawn"})
    assert "3  withdrawn: bad (data deleted)" in result["diff"]["after"]
    assert five.publish(archive(3))["withdrawn"]["reason"] == "bad"
    assert five.publish(archive(3), reinstate=True)["versions"] == [1, 2, 3]


def test_checked(two):
    assert two.publish(TWO)["checked"] is None
    assert two.versions(checked=[2])["changed"]
    assert two.publish(TWO)["checked"].endswith("Z")
    assert (entry(two, 2)["checked"] is None, entry(two, 1)["checked"]) == (False, None)
    with two.unchanged():
        assert two.versions(checked=[2])["changed"] is False
    two.publish(zipped(under("mnist/2", model_files(b"other weights"))))
    assert two.publish(TWO, checksum=None)["version"] == 2
    assert entry(two, 2)["checked"], "another archive with the same content passed the same check"


def test_all_of_it_goes_when_the_model_is_deleted(rolled_back):
    assert rolled_back.absent()["changed"]
    assert [path for path in look(rolled_back.root) if "mnist" in path] == []


def test_the_target_of_a_rollback_is_not_pruned_by_a_run_that_knows_nothing_of_it(five):
    """That run read which versions are in use before the rollback, and comes to prune after it."""
    with five.unchanged():
        assert five.versions(check_mode=True, target=1)["changed"]
    assert five.versions(target=1)["changed"]
    with five.unchanged():
        assert five.versions(target=1)["changed"] is False
    assert five.versions(keep=1, in_use=[5])["pruned"] == [2, 3, 4]
    assert five.versions(target=5)["changed"]
    assert five.versions(keep=1, in_use=[5])["pruned"] == [1], "until the model goes back to another one"


@pytest.mark.parametrize(("published", "passes", "pruned"), [
    ("2030-01-01T00:00:00Z", True, [1, 2, 3, 4, 5]), ("2030-01-01T00:00:00Z", False, [2, 3, 4, 5]),
    ("2020-01-01T00:00:00Z", True, [2, 3, 4, 5]),
])
def test_the_target_is_spared_until_a_later_version_has_passed(five, monkeypatch, published, passes, pruned):
    """One that was published before is that of a run which comes to an end while people go back."""
    five.versions(target=1)
    monkeypatch.setattr(bringing, "now", lambda: published)
    five.publish(tar(under("mnist/6", model_files(b"six"))))
    assert five.versions(keep=1, checked=[6] if passes else [], check_mode=True)["pruned"] == pruned
    five.versions(checked=[6] if passes else [])
    assert five.versions(keep=1)["pruned"] == pruned


def test_a_later_version_that_is_withdrawn_has_not_passed(five, monkeypatch):
    five.versions(target=1)
    monkeypatch.setattr(bringing, "now", lambda: "2030-01-01T00:00:00Z")
    five.publish(tar(under("mnist/6", model_files(b"six"))))
    five.versions(checked=[6])
    assert 1 not in five.versions(keep=1, withdraw=[6])["pruned"]


@pytest.mark.parametrize("spoil", [
    lambda nas: nas.versions(keep=1), lambda nas: (nas.root / "model/mnist/1/saved_model.pb").unlink()], ids=["pruned", "broken"])
def test_a_rollback_whose_target_is_gone_changes_nothing(five, spoil):
    spoil(five)
    error = refused(five, target=1)
    assert (error.code, error.details, "Another run may have pruned" in error.message) == ("version_not_live", {"version": 1}, True)


def test_a_rollback_whose_target_it_would_take_away_itself(five):
    assert refused(five, target=4, withdraw=[4, 5]).code == "version_not_live"


# --- killed anywhere -----------------------------------------------------------------------------------------------

WHOLE = {"1": b"weights", "2": b"other weights"}


def restore(root, saved):
    shutil.rmtree(root)
    shutil.copytree(saved, root, symlinks=True)
    for lock in root.rglob("lock"):  # names folders by their inodes, and these are new ones
        record = json.loads(lock.read_text() or "{}")
        record["folders"] = {path.name: path.stat().st_ino for path in lock.parent.glob("run-*")}
        lock.write_text(json.dumps(record))


def each_step(nas, tmp_path, work, stop=run_and_stop):
    """Kill work() before its first, second, ... change, until it gets through. Yields after each kill, and at the end."""
    saved = tmp_path / "saved"
    shutil.copytree(nas.root, saved)
    for step in range(1, 1000):
        killed = stop(work, step)
        yield
        if not killed:
            break
        restore(nas.root, saved)
    assert not killed and step > 15


def what_serves(nas):
    """The live versions; they are whole, and there is always one."""
    now = served(nas)
    assert now
    for name, files in now.items():
        assert files["variables/variables.data-00000-of-00001"] == WHOLE[name]
        assert len(files) == len(model_files()) + 1
    return set(now)


def tidy(nas):
    assert not list(nas.root.rglob(".staging*"))
    return [(found["version"], found["state"], found["problem"]) for found in nas.versions()["versions"]]


@pytest.mark.parametrize("finish", ["withdraw", "publish 1", "publish 2", "prune"])
def test_withdrawal_killed_at_every_step(two, tmp_path, finish):
    seen = set()
    stop = run_and_die if finish == "withdraw" else run_and_stop
    for dummy in each_step(two, tmp_path, lambda: two.versions(withdraw=[2], reason="bad"), stop):
        now = what_serves(two)
        begun = json.loads((two.root / "model/mnist/.provenance/2.json").read_text()).get("withdrawn")
        seen.add(("2" in now, bool(begun)))
        assert begun or "2" in now, "nothing leaves the base path without a mark"
        if finish == "withdraw":
            assert two.versions(withdraw=[2], reason="bad")["changed"] is ("2" in now)
            begun = True
        elif finish == "prune":
            two.versions(keep=3)
        else:
            result = two.publish(ONE if finish == "publish 1" else TWO)
            assert result["changed"] is bool(begun and "2" in now)
            assert bool(result["message"]) is (finish == "publish 2" and bool(begun))
        assert what_serves(two) == ({"1"} if begun else {"1", "2"})
        assert tidy(two) == [(1, "live", ""), (2, "withdrawn" if begun else "live", "")]
    assert seen == {(True, False), (True, True), (False, True)}


def test_a_withdrawal_that_was_cut_short_shows_in_the_list_and_in_check_mode(two, tmp_path):
    for dummy in each_step(two, tmp_path, lambda: two.versions(withdraw=[2], reason="bad")):
        if "withdrawn" in json.loads((two.root / "model/mnist/.provenance/2.json").read_text()) and "2" in what_serves(two):
            assert "not finished" in entry(two, 2)["problem"]
            with two.unchanged():
                forecast = two.publish(TWO, check_mode=True)
                assert (forecast["changed"], forecast["withdrawn"]["reason"], forecast["versions"]) == (True, "bad", [1])
                assert two.versions(check_mode=True, keep=3)["withdrawn"] == [2]


@pytest.mark.parametrize("data", ["aside", "gone"])
def test_reinstatement_killed_at_every_step(rolled_back, tmp_path, data):
    nas = rolled_back
    if data == "gone":
        shutil.rmtree(nas.root / "model/mnist/.withdrawn")
    nas.request(TWO)
    for dummy in each_step(nas, tmp_path, lambda: nas.publish(TWO, reinstate=True)):
        now = what_serves(nas)
        through = "withdrawn" not in json.loads((nas.root / "model/mnist/.provenance/2.json").read_text())
        assert "2" in now or not through, "the mark goes last"
        copy = tmp_path / "copy"
        shutil.copytree(nas.root, copy)
        # Whoever does not ask for it again has it as it was: withdrawn.
        assert bool(nas.publish(TWO)["withdrawn"]) is not through
        assert what_serves(nas) == ({"1", "2"} if through else {"1"})
        restore(nas.root, copy)
        shutil.rmtree(copy)
        nas.publish(TWO, reinstate=True)
        assert what_serves(nas) == {"1", "2"}
        assert tidy(nas) == [(1, "live", ""), (2, "live", "")]


def test_prune_killed_at_every_step(two, tmp_path):
    for dummy in each_step(two, tmp_path, lambda: two.versions(keep=1)):
        assert "2" in what_serves(two)
        copy = tmp_path / "copy"
        shutil.copytree(two.root, copy)
        # It may have come into use since.
        two.versions(keep=1, in_use=[1])
        two.publish(TWO)
        assert what_serves(two) == {"2"} | set(served_in(copy))
        restore(two.root, copy)
        shutil.rmtree(copy)
        two.versions(keep=1)
        assert what_serves(two) == {"2"}
        assert tidy(two) == [(1, "pruned", ""), (2, "live", "")]
        with two.unchanged():
            assert two.publish(ONE)["pruned"]


def served_in(root):
    return [name for name in os.listdir(Path(root) / "model/mnist") if name.isdigit()]


def test_what_comes_back_has_to_pass_its_check_again(two):
    two.versions(checked=[2])
    two.versions(withdraw=[2], reason="error rate 89.3 %")
    assert two.publish(TWO, reinstate=True)["checked"] is None
