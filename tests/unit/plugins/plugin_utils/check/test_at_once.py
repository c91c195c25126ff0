"""Several servers at once, and what those who wait are shown."""
from __future__ import annotations

import queue
import threading
import time

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import at_once
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.at_once import Progress, each


@pytest.fixture
def lines():
    return []


@pytest.fixture
def progress(lines):
    return Progress(lines.append, lambda: "line %d" % len(lines))


@pytest.mark.parametrize("most", [1, 3, 8])
def test_all_are_called_and_never_too_many_at_once(progress, lines, most):
    running, seen, done, lock = [], [], [], threading.Lock()

    def work(thing):
        with lock:
            running.append(thing)
            seen.append(len(running))
        time.sleep(0.02)
        with lock:
            running.remove(thing)
            done.append(thing)

    each(work, list(range(6)), most, progress)
    assert sorted(done) == list(range(6)) and max(seen) == min(most, 6) and not lines
    if most == 1:
        assert done == list(range(6)), "in their order"


def test_nothing_to_do(progress):
    each(lambda thing: 1 / 0, [], 8, progress)


def test_no_more_threads_than_things(progress):
    threads = set()
    each(lambda thing: threads.add(threading.current_thread()) or time.sleep(0.05), "ab", 8, progress)
    assert len(threads) == 2 and all(thread.daemon for thread in threads)


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
def test_what_one_raises_is_raised_and_the_others_are_not_waited_for(progress, error):
    over = threading.Event()

    def work(thing):
        if thing == "bad":
            raise error
        over.wait(10)

    start = time.monotonic()
    with pytest.raises(type(error)) as caught:
        each(work, ["slow", "bad"], 2, progress)
    over.set()
    assert caught.value is error and time.monotonic() - start < 5


def test_a_line_every_few_seconds(progress, lines, monkeypatch):
    monkeypatch.setattr(at_once, "EVERY", 0.1)
    progress = Progress(lines.append, lambda: "line %d" % len(lines))
    each(lambda thing: time.sleep(0.04), range(12), 1, progress)
    assert 3 <= len(lines) <= 5 and lines == ["line %d" % number for number in range(len(lines))], "though one ends every 40 ms"


def test_the_pause_goes_on_over_several_rounds(lines, monkeypatch):
    monkeypatch.setattr(at_once, "EVERY", 0.15)
    progress = Progress(lines.append)
    for dummy in range(4):
        each(lambda thing: time.sleep(0.05), [0], 1, progress)
    assert lines == [""]


def test_what_is_there_is_given_though_a_line_is_due(lines, monkeypatch):
    monkeypatch.setattr(at_once, "EVERY", -1)
    done = queue.SimpleQueue()
    done.put(None)
    assert Progress(lines.append).wait_for(done) is None and lines == []
