"""What those who wait are shown."""
from __future__ import annotations

import re
import threading
import time

import pytest
from ansible.utils.display import Display

from ansible_collections.mlops.tf_serving.plugins.plugin_utils import waiting


@pytest.fixture
def lines(monkeypatch):
    """Of a task that runs until two lines have been shown."""
    monkeypatch.setattr(waiting, "EVERY", 0.01)
    shown = []
    enough = threading.Event()

    def show(line):
        shown.append(line)
        if len(shown) >= 2:
            enough.set()

    def task(work=lambda: None):
        with waiting.said("a_task", show):
            work()
            assert enough.wait(30)
        return shown

    return task


def test_a_task_that_says_nothing(lines):
    assert all(re.fullmatch(r"a_task: \d+ s", line) for line in lines())


def test_what_it_waits_for(lines):
    assert lines(lambda: waiting.waits_for("a pod"))[-1].endswith("s, waiting for a pod")


def test_what_another_task_waited_for_is_forgotten(lines):
    waiting.waits_for("a pod")
    assert "pod" not in lines()[0]


def test_nothing_is_shown_after_the_end_nor_of_a_short_task(lines, monkeypatch):
    shown = lines()
    number = len(shown)
    time.sleep(0.1)
    assert len(shown) == number
    monkeypatch.setattr(waiting, "EVERY", 1000)
    with waiting.said("a_task", shown.append):
        pass
    assert len(shown) == number and waiting.EVERY == 1000


def test_it_ends_where_the_task_fails(lines):
    def fail():
        raise ValueError("x")

    before = threading.active_count()
    with pytest.raises(ValueError, match="x"):
        lines(fail)
    assert threading.active_count() == before


class Queue:
    def __init__(self):
        self.sent = []

    def send_display(self, *what):
        self.sent.append(what)


def test_a_worker_prints_through_the_main_process(monkeypatch):
    """Past whatever has been put around Display.display."""
    queue = Queue()
    monkeypatch.setattr(Display(), "_final_q", queue, raising=False)
    monkeypatch.setattr(Display, "display", lambda *_arguments, **_options: pytest.fail("written by the worker"))
    waiting.tell("a line")
    waiting.tell("more", "v")
    assert queue.sent == [("display", "a line"), ("v", "more")]


def test_the_main_process_itself(monkeypatch):
    shown = []
    monkeypatch.setattr(Display, "display", lambda _self, line: shown.append(line))
    waiting.tell("a line")
    assert shown == ["a line"]
