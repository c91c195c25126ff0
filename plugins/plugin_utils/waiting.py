# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What those who wait for a task are shown, every ten seconds: a controller may end a job that has been silent for too long."""
from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from ansible.utils.display import Display

EVERY = 10.0  # seconds between two lines

_for: list[str] = []  # what this task waits for now, last; the process is the task's own


def waits_for(what: str) -> None:
    """Say what the task waits for from now on."""
    _for[:] = [what]


@contextlib.contextmanager
def said(task: str, show: Callable[[str], None]) -> Iterator[None]:
    """While this runs, a line every ten seconds: the task, how long it has run, and what it waits for."""
    done, start = threading.Event(), time.monotonic()
    _for.clear()

    def work() -> None:
        while not done.wait(EVERY):
            show("%s: %d s%s" % (task, time.monotonic() - start, ", waiting for %s" % _for[0] if _for else ""))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def tell(line: str, method: str = "display") -> None:
    """Print from a task. A controller's callback wraps Display and may write into the worker's own standard output, which core takes
    for an error; what goes through the queue to the main process does not meet it."""
    display = Display()
    queue = getattr(display, "_final_q", None)
    if queue is None:
        getattr(display, method)(line)
    else:
        queue.send_display(method, line)
