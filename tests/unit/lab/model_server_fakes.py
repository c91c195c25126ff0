"""A manager with servables that are no models, and waiting for it."""
from __future__ import annotations

import threading
import time

from model_server.errors import Failure


class Load:
    """Makes servables: fails for versions in `broken`, waits for `gate`."""

    def __init__(self):
        self.broken, self.gate, self.loads, self.closed = set(), threading.Event(), [], []
        self.gate.set()

    def __call__(self, version):
        self.loads.append(version.number)
        self.gate.wait(5)
        if version.number in self.broken:
            raise Failure(5, "no saved_model.pb in %d" % version.number)
        return Servable(self, version.number)


class Servable:
    def __init__(self, load, number):
        self.load, self.number = load, number

    def close(self):
        self.load.closed.append(self.number)


def until(condition):
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def serving(manager, number=None, model="mnist"):
    """The number of the version that answers, None when there is none."""
    try:
        with manager.serving(model, number) as version:
            return version.number
    except Failure:
        return None


def states(manager, model="mnist"):
    return {version.number: version.state for version in manager.states(model)}
