# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Several servers at once, while somebody waits and may lose patience."""
from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

Thing = TypeVar("Thing")
Show = Callable[[str], None]

EVERY = 4.0  # seconds between two lines of progress


class Progress:
    """What those who wait are shown, at most a line every few seconds. show() prints one; text() makes it."""

    def __init__(self, show: Show, text: Callable[[], str] = str):
        self.show, self.text = show, text
        self._next = time.monotonic() + EVERY

    def wait_for(self, done: queue.SimpleQueue[BaseException | None]) -> BaseException | None:
        """What comes out of the queue."""
        while True:
            try:
                return done.get(timeout=max(0.0, self._next - time.monotonic()))
            except queue.Empty:
                self.look()

    def look(self) -> None:
        """Show a line, if it is time for one."""
        if time.monotonic() >= self._next:
            self.show(self.text())
            self._next = time.monotonic() + EVERY


def each(function: Callable[[Thing], None], things: Sequence[Thing], at_once: int, progress: Progress) -> None:
    """Call function(thing) for all things, so many at once. What it raises is raised here.

    The threads are daemons and this one only waits: a signal ends the check at once, however long a server keeps silent.
    """
    todo: queue.SimpleQueue[Thing] = queue.SimpleQueue()
    done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def work() -> None:
        while True:
            try:
                thing = todo.get_nowait()
            except queue.Empty:
                return
            try:
                function(thing)
            except BaseException as error:  # of whoever waits, who would wait for ever
                done.put(error)
                return
            done.put(None)

    for thing in things:
        todo.put(thing)
    for dummy in range(min(at_once, len(things))):
        threading.Thread(target=work, daemon=True).start()
    for _thing in things:
        error = progress.wait_for(done)
        if error is not None:
            raise error
