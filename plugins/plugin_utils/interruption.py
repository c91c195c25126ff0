# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happens to a task's open connections and files when somebody ends the run."""
from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def raised_signals() -> Iterator[None]:
    """While this runs, Ctrl-C and SIGTERM are a KeyboardInterrupt, so that what is open is closed on the way out.

    From core 2.19 on they end a worker where it stands, which leaves the sockets of port-forwards behind.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone may have handlers
        yield
        return

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for one in SIGNALS:  # ansible-playbook sends a second one at once
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = {one: signal.signal(one, interrupt) for one in SIGNALS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
