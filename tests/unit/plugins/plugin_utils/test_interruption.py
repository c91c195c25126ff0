"""Signals become an exception while a task has something open, and only then."""
from __future__ import annotations

import os
import signal
import threading

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.interruption import raised_signals


@pytest.fixture(autouse=True)
def handlers():
    """Those of before, whatever a test leaves."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_open_is_closed_though_a_second_signal_comes(handlers, number):
    closed = []
    with pytest.raises(KeyboardInterrupt, match=number.name):
        with raised_signals():
            try:
                os.kill(os.getpid(), number)
                closed.append("it went on")
            finally:
                for other in handlers:
                    os.kill(os.getpid(), other)
                closed.append("closed")
    assert closed == ["closed"]
    assert {other: signal.getsignal(other) for other in handlers} == handlers


def test_handlers_are_put_back(handlers):
    with raised_signals():
        assert all(signal.getsignal(number) is not handler for number, handler in handlers.items())
    assert {number: signal.getsignal(number) for number in handlers} == handlers


def test_another_thread_does_without():
    done = []

    def work():
        before = signal.getsignal(signal.SIGTERM)
        with raised_signals():
            done.append(signal.getsignal(signal.SIGTERM) is before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
