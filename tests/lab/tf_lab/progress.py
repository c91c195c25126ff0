"""What a waiting person sees: which part of how many, what it does, seconds."""
from __future__ import annotations

import contextlib
import threading
import time

_report = None
_thread = threading.local()


def note(text):
    """Say what the current part's build() or start() is doing, for instance "kube-apiserver (1 of 7)"."""
    if _report is not None:
        _report.line(getattr(_thread, "part", None), text)


class Report:
    def __init__(self, parts):
        global _report
        self.parts = list(parts)
        self.started = time.monotonic()
        self.said = self.started
        self.at_work = {}
        self.lock = threading.Lock()
        threading.Thread(target=self._still, daemon=True).start()
        _report = self

    def elapsed(self):
        seconds = time.monotonic() - self.started
        return "%.1f s" % seconds if seconds < 60 else "%d min %02d s" % divmod(seconds, 60)

    def line(self, part, text):
        with self.lock:
            if part in self.at_work:
                self.at_work[part] = text
            self.said = time.monotonic()
            number = "%2d/%d " % (self.parts.index(part) + 1, len(self.parts)) if part else ""
            print("%10s  %s%-10s %s" % (self.elapsed(), number, part or "", text), flush=True)

    @contextlib.contextmanager
    def part(self, name, title):
        with self._working(name, "starting"):
            before = time.monotonic()
            yield
            self.line(name, "%s: up (%.1f s)" % (title, time.monotonic() - before))

    @contextlib.contextmanager
    def building(self, name):
        with self._working(name, "building"):
            before = time.monotonic()
            yield
            if time.monotonic() - before > 2:  # else it was there already
                self.line(name, "built (%.0f s)" % (time.monotonic() - before))

    @contextlib.contextmanager
    def _working(self, name, what):
        _thread.part = name
        self.at_work[name] = what
        try:
            yield
        finally:
            del self.at_work[name]
            _thread.part = None

    def _still(self):
        """A long silence is a worry: say every 30 s what is at work."""
        while True:
            time.sleep(5)
            if time.monotonic() - self.said > 30:
                at_work = ", ".join("%s: %s" % item for item in list(self.at_work.items()))
                self.line(None, "still at work (%s)" % at_work)
