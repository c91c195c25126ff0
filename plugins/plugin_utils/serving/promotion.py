# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes the model config, in its ConfigMap and in every replica, from what it is to what is wanted.

A server reads the file when it starts and never again; what it is to do now is told to it by ReloadConfig. So every step
is written first (a server that starts meanwhile is right), then pushed, then seen on every replica.
"""
from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.model_status import UNREACHABLE, Version
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.pods import Seen, several
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.sync import sync
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import model_config
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.config_map import ConfigMap, text_diff
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.model_config import (
    Config,
    Model,
    canary_name,
    message,
    to_text,
)
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.replica_versions import (
    POLL,
    Replica,
    Replicas,
    each,
    failed,
    why_not,
)
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.waiting import waits_for

Options = dict[str, Any]  # of the module model_config
Answer = dict[str, Any]
# What a replica says: status of the model's versions, of the candidate's, version that the label gives.
Told = tuple[list[Version], list[Version], "int | None"]

PATIENCE = 15  # seconds that a ready replica may be out of reach
PUT_BACK = 60  # seconds for undoing what failed


class Walk:
    """One run. What it did stands in `changed` and `steps`."""

    def __init__(
        self, config_map: ConfigMap, replicas: Replicas, model: Model, timeout: float, warn: Callable[[str], None],
        text: str | None,
    ) -> None:
        """text: of the ConfigMap, None where there is none."""
        self.config_map, self.replicas, self.model, self.timeout, self.warn = config_map, replicas, model, timeout, warn
        self.text = text
        self.names = (model.name, canary_name(model.name))
        self.changed, self.steps = False, list[str]()
        self._warned: set[str] = set()

    def to(self, begin: Config | None, walk: Sequence[Config]) -> None:
        """Go through the steps; where one fails before the label has moved, put back what there was."""
        moved = False
        for step in walk:
            try:
                self._step(step, self.timeout)
            except Error as error:
                if moved or begin is None or _only_takes_away(step, begin):
                    raise Error(
                        "%s Not finished: %s. Run again to go on from there."
                        % (error.message, model_config.sentence(step, self.model)), error.code, **error.details
                    ) from error
                raise self._put_back(begin, error) from error
            moved = begin is not None and begin.stable != step.stable

    def _step(self, step: Config, timeout: float) -> None:
        text, deadline = to_text(step, self.model), time.monotonic() + timeout
        written, pushed, settled = text != self.text, set[str](), set[str]()
        if written:
            self.config_map.write(text)
            self.text = text
        while True:
            seen = self.replicas.look()
            self._freshen(seen, text, written)
            # What was written is pushed to all: that a replica serves what it should does not mean that it tries no more.
            off = self.off(seen, step) if pushed or not written else _ready(seen)
            if not off:
                break
            self._refuse_unsteady([replica.pod for replica in off], settled, deadline)
            outcome = each(functools.partial(self._settle, step, deadline, written and not pushed), off)
            pushed |= outcome.keys()
            problems = {pod: error for pod, error in outcome.items() if isinstance(error, Error)}
            settled |= outcome.keys() - problems.keys()
            self._judge(problems, deadline)
        for sentence in seen.others if seen else []:
            self._say("pod %s; it takes the new model config when it starts." % sentence)
        if written or pushed:
            self.changed = True
            self.steps.append(model_config.sentence(step, self.model))

    def _refuse_unsteady(self, off: list[str], settled: set[str], deadline: float) -> None:
        """A server that starts anew again and again would otherwise be told for ever, and so would pods of which none stays."""
        late, again = time.monotonic() - deadline, [pod for pod in off if pod in settled]
        if again and late >= 0:
            raise Error(
                "pod %s: it does not stay at what it was told, as if its server started anew each time." % several(again, ", "),
                "replica_unsteady", pods=again,
            )
        if off and late >= PATIENCE:
            raise Error(
                "pod %s: still another one that was not told, as if pods were replaced all the time." % several(off, ", "),
                "replica_unsteady", pods=off,
            )

    def _judge(self, problems: dict[str, Error], deadline: float) -> None:
        """A replica that is no longer there has nothing to answer for, nor, for the time being, one that is no longer ready."""
        if not problems:
            return
        seen = self.replicas.look()
        late = time.monotonic() >= deadline
        answerable = set(seen.pods) if seen and late else {replica.pod for replica in _ready(seen)}
        counted = {pod: error for pod, error in problems.items() if pod in answerable}
        if counted:
            sentences = ["pod %s: %s" % (pod, error.message) for pod, error in counted.items()]
            raise Error(several(sentences) + ".", next(iter(counted.values())).code, pods=sorted(counted))

    def refuse_old(self, ready: Sequence[Replica]) -> None:
        """Before anything is written."""
        for pod, answer in each(self._ask, ready).items():
            if isinstance(answer, Error) and answer.code == "server_too_old":
                raise Error("pod %s: %s." % (pod, answer.message), answer.code)

    def nobody_has(self, version: int | None, ready: Sequence[Replica]) -> bool:
        """Do all say so?"""
        answers = each(self._ask, ready).values()
        return all(version and not isinstance(answer, Error) and version not in _available(answer[0]) for answer in answers)

    def off(self, seen: Seen | None, step: Config) -> list[Replica]:
        """Those of the ready replicas that are not as the step wants them, or do not say."""
        answers = each(self._ask, _ready(seen))

        def fits(replica: Replica) -> bool:
            answer = answers[replica.pod]
            return not isinstance(answer, Error) and _fits(answer, step)

        return [replica for replica in _ready(seen) if not fits(replica)]

    def _ask(self, replica: Replica) -> Told:
        own, canary = (replica.status(name) for name in self.names)
        if own is None or canary is None:
            raise Error(
                "the server has no ModelService, which came with 1.6: serving_version_policy pinned needs 1.15 or newer",
                "server_too_old",
            )
        return own, canary, replica.answers(self.model.name, label=model_config.LABEL) if own else None

    def _settle(self, step: Config, deadline: float, push_first: bool, replica: Replica) -> None:
        """Have one replica do what the step says."""
        pushed, stale, answered = None, None, time.monotonic()
        waits_for("pod %s, which is to take another model config" % replica.pod)
        while True:
            try:
                told = self._ask(replica)
                if _fits(told, step) and (pushed == step or not push_first):
                    return
                failures = _failures(told, step, self.names)
                # What had failed before says nothing of this time, until it was tried again.
                stale = failures if stale is None else stale & failures
                push = _next(told, step)
                if push != pushed:
                    self._push(replica, push, deadline)
                    pushed = push
                elif failures - stale or time.monotonic() >= deadline:
                    raise self._missing(replica, step, told) or Error("it does not say what it was told", "replica_unsteady")
                answered = time.monotonic()
            except Error as error:
                if error.code not in UNREACHABLE or time.monotonic() > min(deadline, answered + PATIENCE):
                    raise
                pushed = None  # it may have started anew
            time.sleep(POLL)

    def _push(self, replica: Replica, config: Config, deadline: float) -> None:
        """A server that is told a new name answers when that is loaded, and takes nothing else meanwhile."""
        seconds = max(1, deadline - time.monotonic())
        try:
            replica.reload(message(config, self.model), seconds)
        except Error as error:
            if error.code in ("unavailable", "port_forward_failed", "unimplemented"):
                raise
            told = self._ask(replica)
            missing = self._missing(replica, config, told)
            if error.code == "deadline_exceeded":
                text = "it has not taken the model config in %d s" % seconds
                raise Error(text + (": " + missing.message if missing else ""), "reload_blocked") from error
            raise (_failures(told, config, self.names) and missing) or error from error

    def _missing(self, replica: Replica, step: Config, told: Told) -> Error | None:
        """The Error that says what a replica lacks; None if that is nothing."""
        for name, wanted, versions in zip(self.names, _wanted(step), told[:2]):
            for version in sorted(wanted - _available(versions)):
                line = self.replicas.log(replica.pod, version)
                return Error(why_not(name, version, versions, line), "version_not_available", version=version)
            for version in sorted(_alive(versions) - wanted):
                return Error("it still serves version %d of %s" % (version, name), "version_not_unloaded", version=version)
        if told[2] == step.stable:
            return None
        return Error(
            "its label %s gives version %s, not %s" % (model_config.LABEL, told[2] or "none", step.stable), "label_not_moved"
        )

    def _put_back(self, begin: Config, error: Error) -> Error:
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
            "%s Everything is as before: %s." % (error.message, model_config.sentence(begin, self.model)),
            error.code, put_back=True, **error.details
        )

    def _freshen(self, seen: Seen | None, text: str, written: bool) -> None:
        try:
            self.config_map.freshen(seen.pods if seen else {}, text, written)
        except Error as error:
            self._say(
                "%s. So a server that starts anew in its pod within the next two minutes may still read the old model config;"
                " run this again if one did." % error.message.rstrip(".")
            )

    def _say(self, sentence: str) -> None:
        if sentence not in self._warned:
            self._warned.add(sentence)
            self.warn(sentence)


def _ready(seen: Seen | None) -> list[Replica]:
    return seen.ready if seen else []


def _available(versions: Sequence[Version]) -> set[int]:
    return {entry["version"] for entry in versions if entry["state"] == "AVAILABLE"}


def _alive(versions: Sequence[Version]) -> set[int]:
    return {entry["version"] for entry in versions if entry["state"] in ("START", "LOADING", "AVAILABLE")}


def _wanted(step: Config) -> tuple[set[int], set[int]]:
    return set(step.versions), set() if step.canary is None else {step.canary}


def _fits(told: Told, step: Config) -> bool:
    return told[2] == step.stable and all(
        _available(versions) == _alive(versions) == wanted for wanted, versions in zip(_wanted(step), told[:2])
    )


def _failures(told: Told, step: Config, names: Sequence[str]) -> set[tuple[str, int]]:
    return {
        (name, entry["version"])
        for name, wanted, versions in zip(names, _wanted(step), told[:2])
        for entry in versions if entry["version"] in wanted and failed(entry)
    }


def _next(told: Told, step: Config) -> Config:
    """What to push to a replica. A label is only moved to a version that is loaded: until then it stays where it is."""
    label = told[2]
    if step.stable in _available(told[0]) or label == step.stable:
        return step
    return Config(tuple(sorted({*step.versions, *([label] if label else [])})), label, step.canary)


def _only_takes_away(step: Config, begin: Config) -> bool:
    return set(step.versions) <= set(begin.versions) and step.stable == begin.stable and step.canary in (None, begin.canary)


def ensure(
    config_map: ConfigMap, replicas: Replicas, options: Options, warn: Callable[[str], None], check_mode: bool,
) -> Answer:
    """The whole module model_config, for state present."""
    model = Model(options["model_name"], options["base_path"])
    if options["only_if_absent"]:
        return _begin(config_map, model, options, check_mode)
    before = config_map.read()
    begin = None if before is None else model_config.from_text(before, model)
    wanted = _wish(options, begin, config_map)
    after = to_text(wanted, model)
    walk = Walk(config_map, replicas, model, options["timeout"], warn, before)
    seen = replicas.look()
    ready = _ready(seen)
    walk.refuse_old(ready)
    # Servers that cannot load what the file says are helped by a better one at once, and so are those that cannot start for it.
    way = [wanted] if begin is None or walk.nobody_has(begin.stable, ready) else model_config.steps(begin, wanted)
    answer = _answer(wanted, before != after, config_map, before, after, [replica.pod for replica in ready])
    if check_mode:
        changed = before != after or bool(walk.off(seen, wanted))
        return {
            **answer, "changed": changed, "steps": [model_config.sentence(step, model) for step in way] if changed else [],
        }
    if not ready:
        warn("No replica of release %s is ready: the model config counts from the next start." % options["release"])
    walk.to(begin, way)
    return {**answer, "changed": walk.changed, "steps": walk.steps}


def _begin(config_map: ConfigMap, model: Model, options: Options, check_mode: bool) -> Answer:
    """Make the ConfigMap where there is none; one that is there is left as it is, and no replica asked."""
    def decide(there: Object | None) -> tuple[Object, Object]:
        if there is not None:
            return config_map.fields(model_config.text_of(there)), config_map.fields(model_config.text_of(there))
        return {}, config_map.fields(to_text(_wish(options, None, config_map), model))

    outcome = sync(config_map.item, decide, check_mode)
    before = model_config.text_of(outcome.before) if outcome.before else None
    after = model_config.text_of(outcome.after)
    return _answer(model_config.from_text(after, model), outcome.changed, config_map, before, after, [])


def _answer(
    wanted: Config, changed: bool, config_map: ConfigMap, before: str | None, after: str, replicas: list[str],
) -> Answer:
    return {
        "changed": changed, "steps": [], "stable": wanted.stable, "canary": wanted.canary, "versions": list(wanted.versions),
        "replicas": replicas, "diff": text_diff("%s %s" % (config_map, model_config.KEY), before or "", after),
    }


def _wish(options: Options, begin: Config | None, config_map: ConfigMap) -> Config:
    """The Config that the options ask for."""
    stable = options["stable"]
    if stable is None:
        if begin is None or begin.stable is None:
            raise Error(
                "There is no %s yet: say with which version to begin (option stable). playbooks/site.yml makes it." % config_map,
                "model_config_missing",
            )
        stable = begin.stable
    return model_config.resting(stable, None if options["canary"] == stable else options["canary"])
