# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of several models in one run: while one measures the latency, no other asks.

They are processes of one ansible-playbook and share its folder for temporary files. All that ask hold a lock in common, and one
that measures holds it alone. It waits at a gate through which everybody goes, so that no new one gets in before it. Locks end with
their processes.
"""
from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from typing import IO

PATIENCE = 120.0  # seconds; those who ask by now are done long before
POLL = 0.05
NAMES = "check.gate", "check.asking"


class Quiet:
    """folder: of the run's temporary files; None where there are no other checks. waiting(): called again and again meanwhile."""

    def __init__(self, folder: str | None, waiting: Callable[[], None] = lambda: None) -> None:
        self.folder, self.waiting = folder, waiting

    @contextlib.contextmanager
    def asking(self) -> Iterator[bool]:
        """Ask, while nobody measures, however long that takes: it has an end. Others may ask as well, so this is False."""
        with self._files() as (gate, lock):
            self._take(gate, fcntl.LOCK_EX)
            self._take(lock, fcntl.LOCK_SH)
            gate.close()
            yield False

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Measure. Whether nobody else asks meanwhile."""
        with self._files() as (gate, lock):
            deadline = time.monotonic() + PATIENCE
            yield self._take(gate, fcntl.LOCK_EX, deadline) and self._take(lock, fcntl.LOCK_EX, deadline)

    @contextlib.contextmanager
    def _files(self) -> Iterator[tuple[IO[str], IO[str]]]:
        with contextlib.ExitStack() as stack:
            gate, lock = (
                stack.enter_context(open(os.path.join(self.folder, name) if self.folder else os.devnull, "a", encoding="utf-8"))
                for name in NAMES)
            yield gate, lock

    def _take(self, file: IO[str], how: int, deadline: float | None = None) -> bool:
        while self.folder:
            try:
                fcntl.flock(file, how | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if deadline is not None and time.monotonic() > deadline:
                    return False
            except OSError:  # a folder whose file system has no locks
                return False
            self.waiting()
            time.sleep(POLL)
        return True
