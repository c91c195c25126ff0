"""The calls of `os` that follow no link, against what others may plant and swap in a folder."""
from __future__ import annotations

import errno
import os
import stat
import subprocess

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import nofollow


@pytest.fixture()
def place(tmp_path):
    """A folder with a link to one outside, and that one."""
    (tmp_path / "outside/deep").mkdir(parents=True)
    (tmp_path / "outside/secret").write_bytes(b"canary")
    (tmp_path / "inside/folder").mkdir(parents=True)
    (tmp_path / "inside/file").write_bytes(b"ours")
    (tmp_path / "inside/link").symlink_to(tmp_path / "outside")
    (tmp_path / "inside/to_file").symlink_to(tmp_path / "outside/secret")
    return tmp_path


def tree(root):
    return {str(path.relative_to(root)): path.is_dir() or path.read_bytes() for path in sorted(root.rglob("*"))}


CALLS = {
    "open_file": lambda path: nofollow.open_file(path + "/new", os.O_WRONLY | os.O_CREAT),
    "reading": lambda path: nofollow.reading(path + "/secret"),
    "writing": lambda path: nofollow.writing(path + "/new"),
    "lstat": lambda path: nofollow.lstat(path + "/secret"),
    "mkdir": lambda path: nofollow.mkdir(path + "/new"),
    "rmdir": lambda path: nofollow.rmdir(path + "/deep"),
    "unlink": lambda path: nofollow.unlink(path + "/secret"),
    "rename from": lambda path: nofollow.rename(path + "/secret", os.path.dirname(path) + "/stolen"),
    "rename to": lambda path: nofollow.rename(os.path.dirname(path) + "/file", path + "/given"),
    "sync_folder": lambda path: nofollow.sync_folder(path + "/deep"),
    "make_folders": lambda path: nofollow.make_folders(path + "/a/b"),
    "pin": lambda path: nofollow.pin(path + "/deep").__enter__(),
}


@pytest.mark.parametrize("call", CALLS)
def test_no_call_goes_through_a_link(place, call):
    before, descriptors = tree(place), len(os.listdir("/proc/self/fd"))
    with pytest.raises(NotADirectoryError) as caught:
        CALLS[call](str(place / "inside/link"))
    assert "inside/" in caught.value.filename
    assert (tree(place), len(os.listdir("/proc/self/fd"))) == (before, descriptors)


@pytest.mark.parametrize("call", CALLS)
def test_nor_out_of_its_folder(place, call):
    before = tree(place)
    with pytest.raises(OSError) as caught:
        CALLS[call](str(place / "inside/folder/../../outside"))
    assert caught.value.errno == errno.ELOOP
    assert tree(place) == before


def test_what_lies_behind_a_link_is_not_there(place):
    link = str(place / "inside/link")
    assert nofollow.kind(link) == "symbolic link"
    assert (nofollow.is_folder(link), nofollow.kind(link + "/deep")) == (False, "")
    assert (nofollow.listing(link), nofollow.listing(link + "/deep"), list(nofollow.files(link))) == ([], [], [])


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_TRUNC])
def test_a_file_is_not_opened_through_a_link(place, flags):
    with pytest.raises(OSError) as caught:
        nofollow.open_file(str(place / "inside/to_file"), flags)
    assert caught.value.errno == errno.ELOOP
    assert (place / "outside/secret").read_bytes() == b"canary"


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR])
def test_a_fifo_keeps_nobody_waiting(place, flags):
    os.mkfifo(place / "fifo")
    descriptors = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError) as caught:
        nofollow.open_file(str(place / "fifo"), flags)
    assert "no regular file" in str(caught.value)
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_what_there_is_in_words(place):
    os.mkfifo(place / "fifo")
    os.mknod(place / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    assert [nofollow.kind(str(place / name)) for name in ("inside", "inside/file", "inside/link", "fifo", "device", "nothing")] == [
        "folder", "file", "symbolic link", "fifo", "device", ""]
    assert (nofollow.kind("/"), nofollow.kind("/proc/self/fd"), nofollow.kind(str(place / "inside/file/x"))) == ("folder", "", "")


def test_a_pin_stays_with_its_folder(place):
    with nofollow.pin(str(place / "inside")) as pinned:
        (place / "inside").rename(place / "moved")
        (place / "outside").rename(place / "inside")
        assert nofollow.is_folder(pinned) and nofollow.shown(pinned + "/x") == str(place / "moved/x")
        nofollow.writing(pinned + "/new").close()
        nofollow.make_folders(pinned + "/a/b")
        assert sorted(nofollow.listing(pinned)) == ["a", "file", "folder", "link", "new", "to_file"]
        with pytest.raises(NotADirectoryError):
            nofollow.lstat(pinned + "/link/secret")
    assert not os.path.exists(pinned)
    assert sorted(os.listdir(place / "inside")) == ["deep", "secret"]


def test_what_is_below(place):
    os.mkfifo(place / "inside/folder/fifo")
    (place / "inside/.nfs0001").write_bytes(b"")
    found = {name: stat.S_IFMT(status.st_mode) for name, status in nofollow.files(str(place / "inside"))}
    assert found == {"file": stat.S_IFREG, "link": stat.S_IFLNK, "to_file": stat.S_IFLNK, "folder/fifo": stat.S_IFIFO}
    assert set(dict(nofollow.files(str(place / "inside"), depth=0))) == {"file", "link", "to_file", "folder"}


def test_a_folder_goes_with_all_in_it_and_its_links_go_nowhere(place):
    nofollow.remove(str(place / "inside"))
    assert sorted(tree(place)) == ["outside", "outside/deep", "outside/secret"]


def test_a_link_in_the_place_of_a_folder_is_not_emptied(place):
    before = tree(place)
    nofollow.remove(str(place / "inside/link"))
    assert tree(place) == before


def test_only_what_is_named_goes(place):
    (place / "inside/folder/file").write_bytes(b"not named")
    (place / "inside/empty/deep").mkdir(parents=True)
    nofollow.remove(str(place / "inside"), {"file", "to_file"})
    assert sorted(tree(place / "inside")) == ["folder", "folder/file", "link"]


def test_folders_in_folders_without_end(tmp_path):
    """Nobody's recursion and nobody's descriptors end."""
    path = str(tmp_path / "planted")
    os.mkdir(path)
    descriptor = os.open(path, os.O_RDONLY)
    for dummy in range(1500):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    assert [name.count("/") for name, dummy in nofollow.files(path)] == [nofollow.MAX_DEPTH]
    nofollow.remove(path)
    assert os.path.isdir(path)
    subprocess.run(["rm", "-r", path], check=True)  # Python's own would be as deep


def test_a_folder_that_another_run_makes_at_the_same_time(tmp_path, monkeypatch):
    real = os.mkdir

    def mkdir(path, mode, dir_fd):
        real(path, mode, dir_fd=dir_fd)
        raise FileExistsError(errno.EEXIST, "exists", path)

    monkeypatch.setattr(os, "mkdir", mkdir)
    made = []
    nofollow.make_folders(str(tmp_path / "a" / "b"), made)
    assert (tmp_path / "a" / "b").is_dir() and made == []


def test_new_names_are_made_to_last(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink("/proc/self/fd/%d" % descriptor)))
    descriptors = len(os.listdir("/proc/self/fd"))
    made = []
    nofollow.make_folders(str(tmp_path / "a" / "b"), made)
    assert synced == [str(tmp_path), str(tmp_path / "a")]
    assert made == [str(tmp_path / "a"), str(tmp_path / "a" / "b")]
    assert len(os.listdir("/proc/self/fd")) == descriptors
    synced.clear()
    nofollow.sync_folders(str(tmp_path / "a"))
    assert synced == made
