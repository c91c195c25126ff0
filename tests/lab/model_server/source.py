"""Which versions should be served: polling the base paths, the rules of FileSystemStoragePathSource. No TensorFlow in here."""
from __future__ import annotations

import os
import re
import threading
import time

from . import log

INT64_MAX = 2**63 - 1


class Source:
    """Says to `aspire(model, {number: path})` what the base paths hold, every poll_seconds (0: once, below: never)."""

    def __init__(self, aspire, poll_seconds=1, release=(1, 4, 0), delay=0.0):
        self.aspire, self.poll_seconds, self.release = aspire, poll_seconds, release
        self.directories = Directories(delay)
        self.models = {}  # model -> (base path, policy)
        self.lock = threading.Lock()

    def configure(self, models):
        """{model: (base path, policy)}, all of them. Those left out are unloaded; the others wait for the next poll."""
        with self.lock:
            for model in set(self.models) - set(models):
                self.aspire(model, {})
            self.models = dict(models)

    def start(self):
        if self.poll_seconds >= 0:
            threading.Thread(target=self._run, name="file system polling", daemon=True).start()

    def _run(self):
        self.poll()
        while self.poll_seconds:
            time.sleep(self.poll_seconds)
            self.poll()

    def poll(self):
        """Look at all base paths once. One that cannot be read changes nothing, for no model; an empty one: serve nothing."""
        with self.lock:
            aspired = {}
            for model, (base_path, policy) in self.models.items():
                try:
                    found = scan(self.directories.list(base_path))
                except OSError as error:
                    self._unreadable(model, base_path, error)
                    return
                chosen = choose(model, policy, found)
                if not chosen:
                    hint = ". Did you forget to name your leaf directory as a number (eg. '/1/')?"
                    log.warning("storage_path", "No versions of servable %s found under base path %s%s"
                                % (model, base_path, hint if self.release >= (2,) else ""))
                aspired[model] = {number: os.path.join(base_path, found[number]) for number in chosen}
            for model, versions in aspired.items():
                self.aspire(model, versions)

    def _unreadable(self, model, base_path, error):
        detail = " with error NOT_FOUND: %s not found" % base_path if self.release >= (2,) else ""
        if not isinstance(error, FileNotFoundError):
            detail = " with error %s" % error
        log.error("storage_path", "FileSystemStoragePathSource encountered a file-system access error: "
                  "Could not find base path %s for servable %s%s" % (base_path, model, detail))


class Directories:
    """Listings, as an NFS client with an attribute cache gives them: a change shows `delay` seconds late.

    The first listing of a directory is true. A real client's delay lies between 0 and acdirmax; here it is always the whole.
    """

    def __init__(self, delay=0.0, clock=time.monotonic):
        self.delay, self.clock = delay, clock
        self.shown, self.since = {}, {}  # path -> listing; path -> when it was first seen to differ

    def list(self, path):
        true, now = sorted(os.listdir(path)), self.clock()
        shown = self.shown.setdefault(path, true)
        if true == shown:
            self.since.pop(path, None)
        elif now - self.since.setdefault(path, now) >= self.delay:
            del self.since[path]
            shown = self.shown[path] = true
        return shown


def scan(children):
    """{version: child} of all names that parse as int64: what is in them is nobody's concern here."""
    found = {}
    for child in children:
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


def choose(model, policy, found):
    """policy: ("latest", how many), ("all",) or ("specific", {numbers})."""
    if policy[0] == "all":
        return sorted(found)
    if policy[0] == "latest":
        return sorted(found)[-max(policy[1], 1):]
    for number in sorted(policy[1] - set(found)):
        log.warning("storage_path", "Version %d of servable %s, which was requested to be served as a 'specific' version "
                    "in the servable's version policy, was not found in the file system" % (number, model))
    return sorted(policy[1] & set(found))
