# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes the model config, in its ConfigMap and in every replica, from what it is to what is wanted.

A server reads the file when it starts and never again; what it is to do now is told to it by ReloadConfig. So every step
is written first (a server that starts meanwhile is right), then pushed, then seen on every replica.
"""
from __future__ import annotations

import functools
import hashlib
import time

from ansible_collections.mlops.tf_serving.plugins.module_utils import _model_config, _replicas
from ansible_collections.mlops.tf_serving.plugins.module_utils._cluster import explained, send
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._model_config import Config, canary_name, message, to_text
from ansible_collections.mlops.tf_serving.plugins.module_utils._names import CHART, object_names
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_versions import (
    POLL,
    UNREACHABLE,
    each,
    failed,
    stored,
    why_not,
)

ANNOTATION = "mlops.tf-serving/model-config"
PATIENCE = 15  # seconds that a ready replica may be out of reach
PUT_BACK = 60  # seconds for undoing what failed


class ConfigMap:
    """The file that servers read when they start."""

    def __init__(self, api_client, namespace, release):
        self.api_client, self.namespace, self.release = api_client, namespace, release
        self.name = object_names(release)["model_config"]
        self.path = "/api/v1/namespaces/%s/configmaps" % namespace
        self._version = None

    def __str__(self):
        return "ConfigMap %s in namespace %s" % (self.name, self.namespace)

    def read(self):
        """Its text, None where it does not exist."""
        found = stored(self.api_client, self.namespace, self.release)
        self._version = found and found["metadata"]["resourceVersion"]
        return None if found is None else _model_config.text_of(found)

    def write(self, text):
        """Refused if somebody else wrote it since it was read."""
        body = {"metadata": {"name": self.name}, "data": {_model_config.KEY: text}}
        with explained("write the %s (run again if somebody else changed it meanwhile)" % self):
            if self._version is None:
                body["metadata"]["labels"] = {"app.kubernetes.io/name": CHART, "app.kubernetes.io/instance": self.release}
                written = send(self.api_client, "POST", self.path, body)
            else:
                body["metadata"]["resourceVersion"] = self._version
                written = send(self.api_client, "PATCH", "%s/%s" % (self.path, self.name), body)
        self._version = written["metadata"]["resourceVersion"]

    def delete(self):
        with explained("delete the %s" % self):
            send(self.api_client, "DELETE", "%s/%s" % (self.path, self.name))

    def freshen(self, pods, text, written):
        """Have kubelet renew the file in the pods now, which it does when their annotations change, else within minutes."""
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        for name, pod in pods.items():
            said = (pod["metadata"].get("annotations") or {}).get(ANNOTATION)
            if said == digest or not (said or written):
                continue
            try:
                with explained("annotate the pod %s" % name):
                    path = "/api/v1/namespaces/%s/pods/%s" % (self.namespace, name)
                    send(self.api_client, "PATCH", path, {"metadata": {"annotations": {ANNOTATION: digest}}})
            except Error as error:
                if error.code != "not_found":
                    raise


class Walk:
    """One run. What it did stands in `changed` and `steps`."""

    def __init__(self, config_map, replicas, model, timeout, warn):
        self.config_map, self.replicas, self.model, self.timeout, self.warn = config_map, replicas, model, timeout, warn
        self.names = (model.name, canary_name(model.name))
        self.text = None  # of the ConfigMap
        self.changed, self.steps, self.warned = False, [], set()

    def to(self, begin, walk):
        """Go through the steps; where one fails before the label has moved, put back what there was."""
        moved = False
        for step in walk:
            try:
                self._step(step, self.timeout)
            except Error as error:
                if moved or begin is None or _only_takes_away(step, begin):
                    raise Error(
                        "%s Not finished: %s. Run again to go on from there."
                        % (error.message, _model_config.sentence(step, self.model)), error.code, **error.details
                    ) from error
                raise self._put_back(begin, error) from error
            moved = begin is not None and begin.stable != step.stable

    def _step(self, step, timeout):
        text, deadline = to_text(step, self.model), time.monotonic() + timeout
        written, pushed = text != self.text, []
        if written:
            self.config_map.write(text)
            self.text = text
        while True:
            seen = self.replicas.look()
            self._freshen(seen, text, written)
            # What was written is pushed to all: that a replica serves what it should does not mean that it tries no more.
            off = self.off(seen, step) if pushed or not written else seen.ready if seen else []
            if not off:
                break
            outcome = each(functools.partial(self._settle, step, deadline, written and not pushed), off)
            pushed += off
            problems = {pod: error for pod, error in outcome.items() if isinstance(error, Error)}
            if problems:
                self._judge(problems)
        for sentence in seen.others if seen else []:
            self._say("pod %s; it takes the new model config when it starts." % sentence)
        if written or pushed:
            self.changed = True
            self.steps.append(_model_config.sentence(step, self.model))

    def _judge(self, problems):
        """A replica that is no longer there, or no longer ready, has nothing to answer for."""
        seen = self.replicas.look()
        ready = {replica.pod for replica in seen.ready} if seen else set()
        sentences = ["pod %s: %s" % (pod, error.message) for pod, error in problems.items() if pod in ready]
        if sentences:
            codes = [error.code for pod, error in problems.items() if pod in ready]
            raise Error(_replicas.several(sentences) + ".", codes[0], pods=sorted(set(problems) & ready))

    def refuse_old(self, ready):
        """Before anything is written."""
        for pod, answer in each(self._seen, ready).items():
            if isinstance(answer, Error) and answer.code == "server_too_old":
                raise Error("pod %s: %s." % (pod, answer.message), answer.code)

    def off(self, seen, step):
        """Those of the ready replicas that are not as the step wants them, or do not say."""
        ready = seen.ready if seen else []
        answers = each(self._seen, ready)
        return [
            replica for replica in ready
            if isinstance(answers[replica.pod], Error) or not _fits(answers[replica.pod], step)
        ]

    def _seen(self, replica):
        """(status of the model's versions, of the candidate's, version that the label gives)."""
        lists = [replica.status(name) for name in self.names]
        if None in lists:
            raise Error(
                "the server has no ModelService, which came with 1.6: serving_version_policy pinned needs 1.15 or newer",
                "server_too_old",
            )
        label = replica.answers(self.model.name, label=_model_config.LABEL) if lists[0] else None
        return lists[0], lists[1], label

    def _settle(self, step, deadline, push_first, replica):
        """Have one replica do what the step says."""
        pushed, stale, answered = None, None, time.monotonic()
        while True:
            try:
                seen = self._seen(replica)
                if _fits(seen, step) and (pushed == step or not push_first):
                    return
                failures = _failures(seen, step, self.names)
                # What had failed before says nothing of this time, until it was tried again.
                stale = failures if stale is None else stale & failures
                push = _next(seen, step)
                if push != pushed:
                    self._push(replica, push, deadline)
                    pushed = push
                elif failures - stale or time.monotonic() >= deadline:
                    raise self._missing(replica, step, seen)
                answered = time.monotonic()
            except Error as error:
                if error.code not in UNREACHABLE or time.monotonic() > min(deadline, answered + PATIENCE):
                    raise
                pushed = None  # it may have started anew
            time.sleep(POLL)

    def _push(self, replica, config, deadline):
        """A server that is told a new name answers when that is loaded, and takes nothing else meanwhile."""
        seconds = max(1, deadline - time.monotonic())
        try:
            replica.reload(message(config, self.model), seconds)
        except Error as error:
            if error.code in ("unavailable", "port_forward_failed", "unimplemented"):
                raise
            seen = self._seen(replica)
            if error.code == "deadline_exceeded":
                text = "it has not taken the model config in %d s" % seconds
                missing = self._missing(replica, config, seen)
                raise Error(text + (": " + missing.message if missing else ""), "reload_blocked") from error
            raise (_failures(seen, config, self.names) and self._missing(replica, config, seen)) or error from error

    def _missing(self, replica, step, seen):
        """The Error that says what a replica lacks; None if that is nothing."""
        for name, wanted, versions in zip(self.names, _wanted(step), seen):
            for version in sorted(wanted - _available(versions)):
                line = self.replicas.log(replica.pod, version)
                return Error(why_not(name, version, versions, line), "version_not_available", version=version)
            for version in sorted(_alive(versions) - wanted):
                return Error("it still serves version %d of %s" % (version, name), "version_not_unloaded", version=version)
        if seen[2] == step.stable:
            return None
        return Error(
            "its label %s gives version %s, not %s" % (_model_config.LABEL, seen[2] or "none", step.stable), "label_not_moved"
        )

    def _put_back(self, begin, error):
        """Everything as it was before; returns the Error that says what failed, and whether that did too."""
        try:
            self._step(begin, PUT_BACK)
        except Error as second:
            text = "%s What there was is put back in the ConfigMap, and not yet everywhere: %s" % (error.message, second.message)
            if second.code == "reload_blocked":
                text += (
                    " A server takes nothing new until what it was told before is loaded, has failed for good or has left the"
                    " base path."
                )
            if "pods" in second.details:
                text += " A new start cures it at once: kubectl delete pod %s -n %s." % (
                    " ".join(second.details["pods"]), self.config_map.namespace
                )
            return Error(text, error.code, put_back=False, **error.details)
        self.changed = False
        return Error(
            "%s Everything is as before: %s." % (error.message, _model_config.sentence(begin, self.model)),
            error.code, put_back=True, **error.details
        )

    def _freshen(self, seen, text, written):
        try:
            self.config_map.freshen(seen.pods if seen else {}, text, written)
        except Error as error:
            self._say(
                "%s. So a server that starts anew in its pod within the next two minutes may still read the old model config;"
                " run this again if one did." % error.message.rstrip(".")
            )

    def _say(self, sentence):
        if sentence not in self.warned:
            self.warned.add(sentence)
            self.warn(sentence)


def _available(versions):
    return {entry["version"] for entry in versions if entry["state"] == "AVAILABLE"}


def _wanted(step):
    return set(step.versions), {step.canary} - {None}


def _alive(versions):
    return {entry["version"] for entry in versions if entry["state"] in ("START", "LOADING", "AVAILABLE")}


def _fits(seen, step):
    return seen[2] == step.stable and all(
        _available(versions) == _alive(versions) == wanted for wanted, versions in zip(_wanted(step), seen)
    )


def _failures(seen, step, names):
    return {
        (name, entry["version"])
        for name, wanted, versions in zip(names, _wanted(step), seen)
        for entry in versions if entry["version"] in wanted and failed(entry)
    }


def _next(seen, step):
    """What to push to a replica. A label is only moved to a version that is loaded: until then it stays where it is."""
    if step.stable in _available(seen[0]) or seen[2] == step.stable:
        return step
    return Config(tuple(sorted({*step.versions, *([seen[2]] if seen[2] else [])})), seen[2], step.canary)


def _only_takes_away(step, begin):
    return set(step.versions) <= set(begin.versions) and step.stable == begin.stable and step.canary in (None, begin.canary)


def converge(config_map, replicas, options, warn, check_mode=False):
    """The whole module. options: those of the module model_config. Returns a dict for exit_json."""
    model = _model_config.Model(options["model_name"], options["base_path"])
    before = config_map.read()
    if options["state"] == "absent":
        if before is not None and not check_mode:
            config_map.delete()
        return {"changed": before is not None, "diff": _diff(config_map, before, None)}
    begin = None if before is None else _model_config.from_text(before, model)
    wanted = begin if begin and options["only_if_absent"] else _wish(options, begin, config_map)
    after = to_text(wanted, model)
    result = {
        "changed": before != after, "steps": [], "diff": _diff(config_map, before, after),
        "stable": wanted.stable, "canary": wanted.canary, "versions": list(wanted.versions), "replicas": [],
    }
    if options["only_if_absent"]:
        if before is None and not check_mode:
            config_map.write(after)
        return result
    walk = Walk(config_map, replicas, model, options["timeout"], warn)
    walk.text = before
    seen = replicas.look()
    ready = seen.ready if seen else []
    result["replicas"] = [replica.pod for replica in ready]
    walk.refuse_old(ready)
    # Nobody is there to be told: servers that cannot start for what the file says are helped by a better one at once.
    way = _model_config.steps(begin, wanted) if begin and ready else [wanted]
    if check_mode:
        result["changed"] = before != after or bool(walk.off(seen, wanted))
        result["steps"] = [_model_config.sentence(step, model) for step in way] if result["changed"] else []
        return result
    if not ready:
        warn("No replica of release %s is ready: the model config counts from the next start." % options["release"])
    walk.to(begin, way)
    return dict(result, changed=walk.changed, steps=walk.steps)


def _wish(options, begin, config_map):
    """The Config that the options ask for."""
    stable = options["stable"]
    if stable is None:
        if begin is None:
            raise Error(
                "There is no %s yet: say with which version to begin (option stable). playbooks/site.yml makes it." % config_map,
                "model_config_missing",
            )
        stable = begin.stable
    canary = None if options["canary"] == stable else options["canary"]
    for name, version in (("stable", stable), ("canary", canary)):
        if version is not None and version < 0:
            raise Error("%s is %d: use the number of a model version." % (name, version), "option_invalid")
    return _model_config.resting(stable, canary)


def _diff(config_map, before, after):
    title = "%s %s" % (config_map, _model_config.KEY)
    return {"before": before or "", "after": after or "", "before_header": title, "after_header": title}
