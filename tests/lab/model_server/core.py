"""The set of served models and the labels of their versions: the rules of ServerCore. No TensorFlow in here."""
from __future__ import annotations

import threading
from typing import NamedTuple

from . import log
from .errors import FAILED_PRECONDITION, UNKNOWN, Failure, invalid
from .versions import AVAILABLE


class Entry(NamedTuple):
    """One model of a ModelServerConfig."""

    name: str
    base_path: str
    platform: str = "tensorflow"
    policy: tuple = ("latest", 1)
    labels: dict = {}


class Core:
    def __init__(self, manager, source, allow_labels_for_unavailable=False):
        self.manager, self.source = manager, source
        self.allow_labels_for_unavailable = allow_labels_for_unavailable
        self.lock = threading.Lock()  # one reload at a time: whoever comes meanwhile waits, for ever if it must
        self.configured = False
        self.labels = {}  # model -> {label: number}
        self.started = False

    def reload(self, entries):
        """Serve these and no other models. Returns when every ADDED model has a loaded version; None changes nothing."""
        with self.lock:
            if entries is None:
                if self.configured:
                    raise Failure(FAILED_PRECONDITION, "Cannot transition to requested config. It is only legal to "
                                  "transition from one ModelConfigList to another.")
                log.info("server_core", "Taking no action for empty config.")
                return
            validate(entries)
            self.configured = True
            self.labels = self._new_labels(entries)  # before the models: a version that this reload adds is not there yet
            log.info("server_core", "Adding/updating models.")
            for entry in entries:
                log.info("server_core", " (Re-)adding model: %s" % entry.name)
            for entry in entries:
                check_platform(entry)
            models = {entry.name: (entry.base_path, entry.policy) for entry in entries}
            if self.started:
                self._reconfigure(models)
            else:
                self._first_load(models)
            log.info("server_core", "Finished adding/updating models")

    def _first_load(self, models):
        self.source.configure(models)
        self.manager.start()
        self.source.start()
        failed = self.manager.wait_until_reached(models, self.manager.history)
        if failed:
            raise unavailable(failed, "servable")
        self.manager.end_first_load()
        self.started = True

    def _reconfigure(self, models):
        with self.manager.watch() as since:
            added = set(models) - set(self.source.models)
            self.source.configure(models)
            failed = self.manager.wait_until_reached(added, since)
        if failed:
            raise unavailable(failed, "model")

    def _new_labels(self, entries):
        labels = {}
        for entry in entries:
            available = {version.number for version in self.manager.states(entry.name) if version.state == AVAILABLE}
            had = self.labels.get(entry.name, {})
            for label, number in entry.labels.items():
                allowed = self.allow_labels_for_unavailable and had.get(label, number) == number
                if number not in available and not allowed:
                    raise Failure(FAILED_PRECONDITION, "Request to assign label to version %d of model %s, which is not "
                                  "currently available for inference" % (number, entry.name))
                labels.setdefault(entry.name, {})[label] = number
        return labels

    def serving(self, spec):
        """The Version that answers a request with this ModelSpec, as a context."""
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            return self.manager.serving(spec.name, self._labelled(spec.name, spec.version_label))
        return self.manager.serving(spec.name, spec.version.value if choice else None)

    def _labelled(self, model, label):
        number = self.labels.get(model, {}).get(label)
        if number is None:
            raise invalid("Unrecognized servable version label: %s" % label)
        return number

    def states(self, model):
        return self.manager.states(model)


def validate(entries):
    names = set()
    for entry in entries:
        if entry.name in names:
            raise invalid("Illegal to list model %s multiple times in config list" % entry.name)
        names.add(entry.name)
    for entry in entries:
        if not entry.base_path.startswith("/"):
            raise invalid("Expected model %s to have an absolute path or URI; got base_path()=%s"
                          % (entry.name, entry.base_path))


def check_platform(entry):
    if not entry.platform:
        raise invalid("Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
                      "ModelServerConfig::model_platform.")
    if entry.platform != "tensorflow":
        raise invalid("Model %s requests unsupported platform %s" % (entry.name, entry.platform))


def unavailable(failed, kind):
    return Failure(UNKNOWN, "%d %s(s) did not become available: {%s}" % (len(failed), kind, "".join(
        "{%s due to error: %s}, " % (version, Failure(version.code, version.message)) for version in failed)))
