"""Who measures is alone, and who asks waits for that."""
from __future__ import annotations

import contextlib
import fcntl
import threading

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import quiet
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.quiet import Quiet


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(quiet, "PATIENCE", -1.0)


class Other(threading.Thread):
    """Another check that wants to ask, or to measure. waits: set once it had to; granted: what it got, or nothing yet."""

    def __init__(self, folder, wanted):
        super().__init__(daemon=True)
        self.waits, self.over, self.granted = threading.Event(), threading.Event(), []
        self.wanted = getattr(Quiet(folder, self.waits.set), wanted)
        self.start()

    def run(self):
        with self.wanted() as alone:
            self.granted.append(alone)
            self.waits.set()
            self.over.wait(30)

    def end(self):
        self.over.set()
        self.join(30)
        return self.granted


def end(*others):
    """What each got. Whoever is let in first lets in the next."""
    for one in others:
        one.over.set()
    return [one.end() for one in others]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(quiet, "POLL", 0.001)
    return str(tmp_path)


def other(folder, wanted):
    made = Other(folder, wanted)
    assert made.waits.wait(30)
    return made


def test_many_ask_at_once(folder):
    with Quiet(folder).asking(), Quiet(folder).asking() as alone:
        assert alone is False


def test_who_measures_waits_for_those_who_ask(folder):
    with Quiet(folder).asking():
        measuring = other(folder, "alone")
        assert measuring.granted == []
    assert measuring.end() == [True]


def test_who_asks_waits_for_who_measures(folder):
    with Quiet(folder).alone() as alone:
        asking, measuring = other(folder, "asking"), other(folder, "alone")
        assert alone is True and asking.granted == measuring.granted == []
    assert end(asking, measuring) == [[False], [True]]


def test_nobody_gets_in_before_who_waits_to_measure(folder):
    first = other(folder, "asking")
    assert first.granted == [False]
    measuring = other(folder, "alone")
    late = other(folder, "asking")
    assert measuring.granted == late.granted == []
    assert end(first, measuring, late) == [[False], [True], [False]]


def test_after_a_while_it_goes_on(folder, impatient):
    with Quiet(folder).asking(), Quiet(folder).alone() as alone:
        assert alone is False
    with Quiet(folder).alone() as first, Quiet(folder).alone() as second:
        assert (first, second) == (True, False)


def test_a_folder_without_locks(folder, monkeypatch):
    def flock(file, how):
        raise OSError("No locks available")
    monkeypatch.setattr(fcntl, "flock", flock)
    with Quiet(folder).alone() as alone:
        assert alone is False
    with Quiet(folder).asking():
        pass


def test_without_others_there_is_nothing_to_wait_for():
    with Quiet(None).alone() as first, Quiet(None).alone() as second, Quiet(None).asking():
        assert first is second is True


def test_what_fails_ends_its_turn(folder):
    for wanted in ("asking", "alone"):
        with contextlib.suppress(ZeroDivisionError), getattr(Quiet(folder), wanted)():
            1 / 0  # noqa: B018
        with Quiet(folder).alone() as alone:
            assert alone is True
