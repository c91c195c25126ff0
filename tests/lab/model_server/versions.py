"""Which version of a model is served: polling the base path, loading, switching, unloading. No TensorFlow in here.

The rules are those of FileSystemStoragePathSource, AspiredVersionsManager and AvailabilityPreservingPolicy:
an aspired version is one that the file system says should be served, by default the highest integer.
"""
from __future__ import annotations

import os
import re
import threading
import time
from contextlib import contextmanager

from . import log

START, LOADING, AVAILABLE, UNLOADING, END = 10, 20, 30, 40, 50  # as in GetModelStatusResponse
INT64_MAX = 2**63 - 1


class LoadError(Exception):
    """A version that cannot be loaded; code is the gRPC status code's number."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message


class NotServed(Exception):
    """No loaded version answers this request."""


def scan(base_path):
    """{version: child} of all children whose name parses as int64: what is in them is nobody's concern here."""
    found = {}
    for child in sorted(os.listdir(base_path)):
        number = parse_version(child)
        if number is None:
            continue
        if number in found:
            log.warning("storage_path", "Duplicate version directories detected. Version %d will be loaded from %s, "
                        "%s will be ignored." % (number, child, found[number]))
        found[number] = child
    return found


def parse_version(name):
    """TensorFlow's safe_strto64: blanks around and leading zeros are fine, anything else is not a version."""
    if not re.fullmatch(r"\s*-?[0-9]+\s*", name, re.ASCII):
        return None
    number = int(name)
    return number if -INT64_MAX - 1 <= number <= INT64_MAX else None


class Version:
    """One version's life: START, LOADING, AVAILABLE, UNLOADING, END."""

    def __init__(self, model, number, path):
        self.model, self.number, self.path = model, number, path
        self.state, self.code, self.message = START, 0, ""
        self.servable = None
        self.users = 0  # requests under way
        self.unwanted = threading.Event()  # the file system no longer asks for it: stop retrying

    def __str__(self):
        return "{name: %s version: %d}" % (self.model, self.number)


class Model:
    """All versions of one model name, and the thread that keeps them as the base path says."""

    def __init__(self, name, base_path, load, poll_seconds=1, max_retries=5, retry_seconds=60.0, release=(1, 4, 0)):
        self.name, self.base_path, self.load, self.release = name, base_path, load, release
        self.poll_seconds, self.max_retries, self.retry_seconds = poll_seconds, max_retries, retry_seconds
        self.changed = threading.Condition()  # guards everything below
        self.managed = {}  # number -> Version that is aspired or still alive
        self.history = {}  # number -> the latest Version of that number: END stays listed
        self.aspired = set()

    # What the services ask.

    @contextmanager
    def serving(self, number=None):
        """The loaded version of that number, without a number the highest loaded one. It stays loaded meanwhile."""
        with self.changed:
            loaded = [n for n, version in self.managed.items() if version.state == AVAILABLE]
            if number is None and loaded:
                number = max(loaded)
            if number not in loaded:
                wanted = "Latest(%s)" % self.name if number is None else "Specific(%s, %d)" % (self.name, number)
                raise NotServed("Servable not found for request: %s" % wanted)
            version = self.managed[number]
            version.users += 1
        try:
            yield version
        finally:
            with self.changed:
                version.users -= 1
                if version.state == UNLOADING:
                    self.changed.notify_all()

    def states(self):
        """All versions ever seen, newest first."""
        with self.changed:
            return [self.history[number] for number in sorted(self.history, reverse=True)]

    def wait_until_loaded(self):
        """Until some version is AVAILABLE or has ENDed for good; for ever when there is none. Returns that version."""
        with self.changed:
            while True:
                for version in self.states():
                    if version.state in (AVAILABLE, END):
                        return version
                self.changed.wait()

    # The thread.

    def start(self):
        threading.Thread(target=self._run, name="manager", daemon=True).start()

    def _run(self):
        next_poll = 0.0
        while True:
            if time.monotonic() >= next_poll:
                self.poll()
                next_poll = time.monotonic() + self.poll_seconds if self.poll_seconds > 0 else float("inf")
            self.act()
            with self.changed:
                if not self._next_action():
                    # A load or an unload that ends notifies; with poll_seconds 0 nothing else will ever happen.
                    self.changed.wait(None if next_poll == float("inf") else max(0.0, next_poll - time.monotonic()))

    def poll(self):
        """Look at the base path once. An unreadable one changes nothing; an empty one means: serve nothing."""
        try:
            found = scan(self.base_path)
        except OSError as error:
            detail = " with error NOT_FOUND: %s not found" % self.base_path if self.release >= (2,) else ""
            if not isinstance(error, FileNotFoundError):
                detail = " with error %s" % error
            log.error("storage_path", "FileSystemStoragePathSource encountered a file-system access error: "
                      "Could not find base path %s for servable %s%s" % (self.base_path, self.name, detail))
            return
        if not found:
            hint = ". Did you forget to name your leaf directory as a number (eg. '/1/')?"
            log.warning("storage_path", "No versions of servable %s found under base path %s%s"
                        % (self.name, self.base_path, hint if self.release >= (2,) else ""))
        with self.changed:
            self.aspired = {max(found)} if found else set()
            for number, version in list(self.managed.items()):
                if number in self.aspired:
                    continue
                version.unwanted.set()
                if version.state in (START, END):
                    del self.managed[number]  # forgotten, so that the number coming back is a new load
            for number in self.aspired - set(self.managed):
                version = Version(self.name, number, os.path.join(self.base_path, found[number]))
                self.managed[number] = self.history[number] = version
            self.changed.notify_all()

    def act(self):
        """Start every load and unload that is due."""
        while True:
            with self.changed:
                action = self._next_action()
                if not action:
                    return
                work, version, state = action
                version.state = state
            threading.Thread(target=work, args=(version,), name=work.__name__, daemon=True).start()

    def _next_action(self):
        """Availability first: an old version goes only when an aspired one serves, or when none is aspired."""
        alive = self.managed.values()
        serving = any(version.state == AVAILABLE for version in alive if version.number in self.aspired)
        if serving or not self.aspired:
            for version in sorted(alive, key=lambda v: v.number):
                if version.state == AVAILABLE and version.number not in self.aspired:
                    return self._unload, version, UNLOADING
        for version in sorted(alive, key=lambda v: -v.number):
            if version.state == START and version.number in self.aspired:
                return self._load, version, LOADING
        return None

    def _load(self, version):
        log.info("basic_manager", "Successfully reserved resources to load servable %s" % version)
        log.info("loader_harness", "Approving load for servable version %s" % version)
        log.info("loader_harness", "Loading servable version %s" % version)
        failure = None
        for attempt in range(self.max_retries + 1):
            if attempt:
                if version.unwanted.wait(self.retry_seconds):
                    log.info("loader_harness", "Load cancelled for servable: %s" % version)
                    break
                log.info("loader_harness", "Retrying load on servable version: %s retry: %d" % (version, attempt))
            try:
                servable, failure = self.load(version.path), None
                break
            except LoadError as error:
                failure = error
                log.error("loader_harness", "Servable: %s load failure: %s" % (version, error.message))
        if failure:
            log.error("aspired_versions", "Servable %s cannot be loaded: %s" % (version, failure.message))
            with self.changed:
                version.state, version.code, version.message = END, failure.code, failure.message
                if version.number not in self.aspired:
                    del self.managed[version.number]
                self.changed.notify_all()
            return
        log.info("loader_harness", "Successfully loaded servable version %s" % version)
        with self.changed:
            version.state, version.servable = AVAILABLE, servable
            self.changed.notify_all()

    def _unload(self, version):
        log.info("loader_harness", "Quiescing servable version %s" % version)
        with self.changed:
            self.changed.wait_for(lambda: not version.users)
        log.info("loader_harness", "Done quiescing servable version %s" % version)
        log.info("loader_harness", "Unloading servable version %s" % version)
        version.servable.close()
        log.info("loader_harness", "Done unloading servable version %s" % version)
        with self.changed:
            version.state, version.servable = END, None
            del self.managed[version.number]  # aspired again meanwhile? The next poll loads it anew.
            self.changed.notify_all()
