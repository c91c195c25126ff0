"""Which versions should be served: what the real server's file system source makes of a base path."""
from __future__ import annotations

import time

import pytest

from model_server.source import Directories, Source, choose, parse_version, scan


@pytest.fixture
def said():
    """What the source said, the latest of each model."""
    return {}


@pytest.fixture
def make(tmp_path, said):
    def make(*numbers, policy=("latest", 1), **options):
        for number in numbers:
            (tmp_path / "mnist" / str(number)).mkdir(parents=True)
        source = Source(said.__setitem__, **options)
        source.configure({"mnist": (str(tmp_path / "mnist"), policy)})
        return source
    return make


@pytest.mark.parametrize("name, number", [
    ("1", 1), ("0001", 1), ("20171108", 20171108), (" 7 ", 7), ("-1", -1), ("9223372036854775807", 2**63 - 1),
    ("9223372036854775808", None), ("v2", None), ("0.1", None), (".staging-2", None), ("2.tmp", None), ("1_0", None),
    ("", None), ("\u0661", None), ("+1", None)])
def test_which_names_are_versions(name, number):
    assert parse_version(name) == number


def test_of_two_names_for_one_number_the_later_one_is_loaded(capsys):
    assert scan(["01", "1"]) == {1: "1"}
    assert "Duplicate version directories detected" in capsys.readouterr().err


@pytest.mark.parametrize("policy, chosen", [
    (("latest", 1), [10]), (("latest", 2), [9, 10]), (("latest", 0), [10]), (("all",), [2, 9, 10]), (("specific", {9}), [9]),
    (("specific", {2, 10, 11}), [2, 10]), (("specific", {11}), [])])
def test_policies(policy, chosen):
    assert choose("mnist", policy, {2: "2", 10: "10", 9: "9"}) == chosen


def test_a_specific_version_that_is_not_there_is_told(capsys):
    choose("mnist", ("specific", {11}), {2: "2"})
    assert "Version 11 of servable mnist, which was requested to be served as a 'specific' version" in capsys.readouterr().err


def test_a_file_with_a_number_for_its_name_is_a_version_too(make, said, tmp_path):
    source = make(1)
    (tmp_path / "mnist/3").write_text("")
    source.poll()
    assert said == {"mnist": {3: str(tmp_path / "mnist/3")}}


def test_an_empty_base_path_means_nothing(make, said, tmp_path, capsys):
    (tmp_path / "mnist").mkdir()
    make().poll()
    assert said == {"mnist": {}}
    assert "No versions of servable mnist found under base path %s" % (tmp_path / "mnist") in capsys.readouterr().err


def test_a_base_path_that_is_gone_changes_nothing_for_no_model(make, said, tmp_path, capsys):
    source = make(1)
    models = {"mnist": (str(tmp_path / "mnist"), ("latest", 1)), "gone": (str(tmp_path / "gone"), ("latest", 1))}
    source.configure(models)
    source.poll()
    assert said == {}
    assert "Could not find base path %s for servable gone" % (tmp_path / "gone") in capsys.readouterr().err


def test_a_model_left_out_is_given_up_at_once_a_new_one_waits_for_the_poll(make, said, tmp_path):
    source = make(1)
    source.configure({"canary": (str(tmp_path / "mnist"), ("latest", 1))})
    assert said == {"mnist": {}}
    source.poll()
    assert said["canary"] == {1: str(tmp_path / "mnist/1")}


@pytest.mark.parametrize("seconds, seen", [(0.02, 2), (0, 1), (-1, None)])
def test_how_often_it_looks(make, said, tmp_path, seconds, seen):
    make(1, poll_seconds=seconds).start()
    end = time.monotonic() + 5
    while seen and not said and time.monotonic() < end:
        time.sleep(0.01)
    (tmp_path / "mnist/2").mkdir()
    time.sleep(0.2)
    assert (max(said["mnist"]) if said else None) == seen


def test_a_delay_hides_changes_of_a_directory_that_was_seen_before(tmp_path):
    now = [0.0]
    directories = Directories(60, clock=lambda: now[0])
    (tmp_path / "1").mkdir()
    assert directories.list(str(tmp_path)) == ["1"]
    (tmp_path / "2").mkdir()
    assert directories.list(str(tmp_path)) == ["1"]
    now[0] = 59.0
    (tmp_path / "3").mkdir()
    assert directories.list(str(tmp_path)) == ["1"]
    now[0] = 60.0
    assert directories.list(str(tmp_path)) == ["1", "2", "3"]
    (tmp_path / "2").rmdir()
    assert directories.list(str(tmp_path)) == ["1", "2", "3"], "a withdrawn version is hidden as long"


def test_without_a_delay_a_change_shows_at_once(tmp_path):
    directories = Directories()
    assert directories.list(str(tmp_path)) == []
    (tmp_path / "1").mkdir()
    assert directories.list(str(tmp_path)) == ["1"]
