"""Which versions are loaded: the rules of AspiredVersionsManager and AvailabilityPreservingPolicy. No TensorFlow in here.

A source (source.py) says which versions of a model are aspired, that is, should be served. One thread takes what follows
from that, one load or unload at a time.
"""
from __future__ import annotations

import threading
from contextlib import contextmanager

from . import log
from .errors import NOT_FOUND, Failure

START, LOADING, AVAILABLE, UNLOADING, END = 10, 20, 30, 40, 50  # as in GetModelStatusResponse


class Version:
    """One version's life: START, LOADING, AVAILABLE, UNLOADING, END."""

    def __init__(self, model, number, path):
        self.model, self.number, self.path = model, number, path
        self.state, self.code, self.message = START, 0, ""
        self.aspired = True
        self.servable = None
        self.users = 0  # requests under way
        self.unwanted = threading.Event()  # no longer aspired: stop retrying

    def __str__(self):
        return "{name: %s version: %d}" % (self.model, self.number)


class Manager:
    """All versions of all models; `load` makes a servable of a Version or raises Failure."""

    def __init__(self, load, max_retries=5, retry_seconds=60.0, load_threads=0):
        self.load, self.max_retries, self.retry_seconds, self.load_threads = load, max_retries, retry_seconds, load_threads
        self.parallel = True  # until the first load is over: the server begins with a thread for each
        self.changed = threading.Condition()  # guards everything below
        self.managed = {}  # model -> {number: Version}, what is aspired or still alive
        self.requests = {}  # model -> {number: path}, aspired by the source and not yet taken up
        self.history = {}  # model -> {number: the latest Version of that number}; END stays, also of models long gone
        self.monitors = [self.history]

    # What requests and services ask.

    @contextmanager
    def serving(self, model, number=None):
        """The loaded version of that number, without a number the highest loaded one. It stays loaded meanwhile."""
        with self.changed:
            loaded = [n for n, version in self.managed.get(model, {}).items() if version.state == AVAILABLE]
            if number is None and loaded:
                number = max(loaded)
            if number not in loaded:
                wanted = "Latest(%s)" % model if number is None else "Specific(%s, %d)" % (model, number)
                raise Failure(NOT_FOUND, "Servable not found for request: %s" % wanted)
            version = self.managed[model][number]
            version.users += 1
        try:
            yield version
        finally:
            with self.changed:
                version.users -= 1
                if version.state == UNLOADING:
                    self.changed.notify_all()

    def states(self, model):
        """All versions ever seen, newest first."""
        with self.changed:
            return [version for dummy, version in sorted(self.history.get(model, {}).items(), reverse=True)]

    @contextmanager
    def watch(self):
        """A history that begins now: a model that comes back must not be taken for what it was."""
        fresh = {}
        with self.changed:
            self.monitors.append(fresh)
        try:
            yield fresh
        finally:
            with self.changed:
                self.monitors = [monitor for monitor in self.monitors if monitor is not fresh]  # by identity

    def wait_until_reached(self, models, history):
        """Until each model has a version that is AVAILABLE or has ENDed. For ever when there is none. Those that ENDed."""
        def reached(model):
            return next((version for dummy, version in sorted(history.get(model, {}).items(), reverse=True)
                         if version.state in (AVAILABLE, END)), None)

        with self.changed:
            self.changed.wait_for(lambda: all(reached(model) for model in models))
            return [reached(model) for model in models if reached(model).state == END]

    # What the source says.

    def aspire(self, model, versions):
        """{number: path}. A newer request replaces one that has not been taken up."""
        with self.changed:
            self.requests[model] = versions
            self.changed.notify_all()

    # The thread.

    def start(self):
        threading.Thread(target=self._run, name="manager", daemon=True).start()

    def end_first_load(self):
        """From now on loads run one after the other in the manager's own thread, unless --num_load_threads says else."""
        with self.changed:
            self.changed.wait_for(lambda: not any(version.state == LOADING for version in self._alive()))
            self.parallel = self.load_threads > 0

    def _run(self):
        while True:
            with self.changed:
                work, version = self.changed.wait_for(self._next_action)
                self._publish(version, LOADING if work == self._load else UNLOADING)
                parallel = self.parallel and work == self._load
            if parallel:
                threading.Thread(target=work, args=(version,), name="load", daemon=True).start()
            else:
                work(version)

    def _alive(self):
        return [version for managed in self.managed.values() for version in managed.values()]

    def _publish(self, version, state, failure=None):
        version.state = state
        if failure:
            version.code, version.message = failure.code, failure.message
        for monitor in self.monitors:
            monitor.setdefault(version.model, {})[version.number] = version
        self.changed.notify_all()

    def _next_action(self):
        """(self._load or self._unload, Version) or None; unloads come first."""
        self._flush()
        for model in list(self.requests):
            self._take_up(model)
        loads = []
        for managed in self.managed.values():
            versions = sorted(managed.values(), key=lambda version: version.number)
            aspired = [version for version in versions if version.aspired]
            left = [version for version in versions if not version.aspired and version.state == AVAILABLE]
            serving = any(version.state == AVAILABLE for version in aspired)
            # Availability first: the last of the old ones goes only when an aspired one serves, or none is aspired.
            if left and (serving or not aspired or len(left) > 1):
                return self._unload, left[0]
            loads += [version for version in aspired if version.state == START][-1:]
        return (self._load, loads[0]) if loads else None

    def _flush(self):
        for model, managed in list(self.managed.items()):
            self.managed[model] = {number: version for number, version in managed.items()
                                   if version.aspired or version.state not in (START, END)}

    def _take_up(self, model):
        managed = self.managed.setdefault(model, {})
        request = self.requests[model]
        if any(not version.aspired for number, version in managed.items() if number in request):
            return  # aspired again before it was gone: the whole request waits until it is gone
        del self.requests[model]
        for number, version in managed.items():
            if number not in request:
                version.aspired = False
                version.unwanted.set()
        for number, path in request.items():
            if number not in managed:
                managed[number] = Version(model, number, path)
                self._publish(managed[number], START)
        self._flush()

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
                servable, failure = self.load(version), None
                break
            except Failure as error:
                failure = error
                log.error("loader_harness", "Servable: %s load failure: %s" % (version, error))
        if failure:
            log.error("aspired_versions", "Servable %s cannot be loaded: %s" % (version, failure))
            with self.changed:
                self._publish(version, END, failure)
            return
        log.info("loader_harness", "Successfully loaded servable version %s" % version)
        with self.changed:
            version.servable = servable
            self._publish(version, AVAILABLE)

    def _unload(self, version):
        log.info("loader_harness", "Quiescing servable version %s" % version)
        with self.changed:
            self.changed.wait_for(lambda: not version.users)
        log.info("loader_harness", "Done quiescing servable version %s" % version)
        log.info("loader_harness", "Unloading servable version %s" % version)
        version.servable.close()
        log.info("loader_harness", "Done unloading servable version %s" % version)
        with self.changed:
            version.servable = None
            self._publish(version, END)
