"""A model's world in one process, and the playbooks that act on it, step by step; what decides is the collection's own code.

A folder is the NAS, two model servers keep TensorFlow Serving's rules, the model config is a text. Each method of Playbooks is
named after a file and takes its steps in the file's order, under the file's conditions: test_walks.py compares them.
"""
from __future__ import annotations

import contextlib
import copy
import functools
import json
import shutil

from nas_folder import Nas, run_and_stop
from saved_models import model_files, tar, under

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.model_status import Version
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.pods import Seen
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import failed
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.failures import whole
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import plan
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import config_map, model_config, promotion, replica_versions
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.rollback import rollback_plan
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.six_results import six_results
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.status import serving_status
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.version_states import after_run, beside, table
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings import decisions

BASE = "/serving/model/mnist"
MODEL = model_config.Model("mnist", BASE)
# What is in the variables of a version: right answers, at once or later, wrong ones, something that no server loads, or that none
# is done with loading.
GOOD, LATE, BAD, BROKEN, HANGS = b"right", b"right, later", b"wrong", b"no checkpoint", b"endless"
RIGHT = (GOOD, LATE)
LOADS_LATE = 3  # looks
PATIENCE = 12  # of a run, in looks
KEEP = 3


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self):
        self.now = 0

    def monotonic(self):
        return self.now

    def sleep(self, _seconds):
        self.now += 1


class Killed(BaseException):
    """SIGKILL, or a controller's cancel."""


class Failed(Exception):
    """A task has failed; `result` is what it answered."""

    def __init__(self, result):
        super().__init__(result["msg"])
        self.result = result


@functools.cache
def archive(version, content=GOOD, half=False):
    """An archive; half: the end of it is missing."""
    packed = tar(under("mnist/%d" % version, model_files(content)))
    return packed[:len(packed) // 2] if half else packed


class Server:
    """TensorFlow Serving as it decides which versions it has. config: its model config file, None where it takes the highest."""

    def __init__(self, world, config):
        self.world, self.states, self.aspired, self.ready = world, {}, {}, False
        self.memory = {}  # what was loaded, which may be deleted since
        self.looks = {}  # {(name, version): how often it was looked at while it loads}
        self.awaited, self.next_config = set(), None  # names that a reload waits for, and what it was told meanwhile
        self.models, self.labels = ({"mnist": None}, {}) if config is None else _read(config)
        self.tick()

    def tick(self):
        """Look at the base path, load what is wanted and there, and unload the rest once there is something in its place."""
        found = set(self.world.on_disk())
        for name in {*self.models, *self.states}:
            wanted = set()
            if name in self.models:
                wanted = {max(found, default=None)} - {None} if self.models[name] is None else self.models[name] & found
            states = self.states.setdefault(name, {})
            for version in sorted(wanted - self.aspired.get(name, set())):
                error = self.world.load_error(version)
                states[version], self.looks[name, version] = ("END", error) if error else ("LOADING", ""), 0
            for version in [version for version, (state, _error) in states.items() if state == "LOADING"]:
                self.load(name, version, version in wanted)
            self.aspired[name] = wanted
            if not wanted or self.available(name) & wanted:
                states.update({version: ("END", states[version][1]) for version in self.available(name) - wanted})
        self.ready = self.ready or all(self.available(name) for name in self.models)
        if self.next_config is not None and not self.busy():
            config, self.next_config = self.next_config, None
            with contextlib.suppress(Error):
                self.reload(config)

    def load(self, name, version, wanted):
        """Go on with it."""
        if not wanted:
            self.states[name][version] = ("END", "")
            return
        content = self.world.content(version)
        self.looks[name, version] += 1
        if content != HANGS and (content != LATE or self.looks[name, version] > LOADS_LATE):
            self.states[name][version], self.memory[version] = ("AVAILABLE", ""), content

    def available(self, name):
        return {version for version, (state, _error) in self.states.get(name, {}).items() if state == "AVAILABLE"}

    def failed(self):
        """[(version, error)] of what could not be loaded."""
        return [(version, error) for states in self.states.values() for version, (_state, error) in states.items() if error]

    def busy(self):
        """Does a reload still wait for a model of a new name?"""
        self.awaited = {name for name in self.awaited if any(state == "LOADING" for state, _error in self.states[name].values())}
        return bool(self.awaited)

    def reload(self, config):
        if self.busy():
            self.next_config = config
            raise Error("no answer", "deadline_exceeded")
        models, labels = _read(config)
        for label, version in labels.items():
            if version not in self.available("mnist") and self.labels.get(label, version) != version:
                raise Error("version %d is not available for the label %s" % (version, label), "failed_precondition")
        added = set(models) - set(self.models)
        self.models, self.labels, self.awaited = models, labels, added
        for _look in range(PATIENCE):
            self.tick()
        if self.busy():
            raise Error("no answer", "deadline_exceeded")
        for name in added:
            if not self.available(name):
                raise Error("%s did not become available" % name, "unknown")


def _read(config):
    """({model: {versions}}, {label: version})"""
    entries = config.model_config_list.config
    return (
        {entry.name: set(entry.model_version_policy.specific.versions) for entry in entries},
        {label: version for entry in entries for label, version in entry.version_labels.items()})


class Replica(replica_versions.Replica):
    """One that is asked without a network, unless that is down."""

    def __init__(self, pod, server):
        super().__init__(pod, None)
        self.server = server

    def _ask(self):
        if self.server.world.network_down:
            raise Error("port-forward failed", "port_forward_failed")
        self.server.tick()

    def status(self, name):
        self._ask()
        known = self.server.states.get(name, {})
        return [Version(version=version, state=state, error=error) for version, (state, error) in sorted(known.items())]

    def answers(self, name, version=None, label=None):
        self._ask()
        available = self.server.available(name)
        wanted = version if version is not None else self.server.labels.get(label) if label else max(available, default=None)
        return wanted if wanted in available else None

    def reload(self, config, timeout):
        self._ask()
        self.server.world.burn()
        self.server.reload(config)


class Replicas:
    def __init__(self, world):
        self.world = world

    def look(self):
        if self.world.policy is None:
            return None
        servers = {"pod-%d" % number: server for number, server in enumerate([*self.world.servers, *self.world.starting])}
        return Seen({"spec": {"replicas": 2}}, {pod: {"metadata": {}} for pod in servers}, [
            Replica(pod, server) for pod, server in servers.items() if server.ready], [
            pod + " is not ready" for pod, server in servers.items() if not server.ready])

    def log(self, pod, version):
        return ""


class Item:
    """The ConfigMap with the model config."""

    def __init__(self, world):
        self.world, self.serial = world, 0

    def __str__(self):
        return "ConfigMap mnist-deploy-model-config"

    def read(self):
        if self.world.config is None:
            return None
        return {"metadata": {"resourceVersion": str(self.serial), "uid": "u"}, "data": {model_config.KEY: self.world.config}}

    def create(self, fields, **query):
        return self._write(fields)

    def patch(self, fields, subresource="", **query):
        return self._write(fields)

    def delete(self, there, **query):
        self._write({"data": {model_config.KEY: None}})

    def _write(self, fields):
        self.world.burn()
        self.world.config, self.serial = fields["data"][model_config.KEY], self.serial + 1
        self.world.burn()
        return {"metadata": {"resourceVersion": str(self.serial)}}


class ConfigMap(config_map.ConfigMap):
    def __init__(self, world):
        self.namespace, self.release, self.item, self._version = "default", "mnist-deploy", Item(world), None

    def freshen(self, pods, text, written):
        pass


class World:
    """policy: of the release that is deployed, None where none is. servers: of its ready pods. starting: of those to come."""

    def __init__(self, folder, monkeypatch):
        self.nas = Nas(folder, monkeypatch)
        self.policy = self.config = None
        self.servers, self.starting = [], []
        self.network_down = self.address_wrong = False
        self.fuse = self.nas_fuse = None  # steps, and changes of the NAS, until a kill
        self.base = self.nas.root / self.nas.base

    def burn(self):
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse <= 0:
                raise Killed

    def on_nas(self, work):
        """Have work() done, unless a kill comes in between."""
        if self.nas_fuse is None:
            return work()
        results = []
        if run_and_stop(lambda: results.append(work()), self.nas_fuse):
            raise Killed
        return results[0]

    def on_disk(self):
        return [int(path.name) for path in self.base.iterdir() if path.name.isdigit()] if self.base.is_dir() else []

    def content(self, version):
        return (self.base / str(version) / "variables" / "variables.data-00000-of-00001").read_bytes()

    def load_error(self, version):
        """Why no server could load it, empty where one could."""
        complete = (self.base / str(version) / "saved_model.pb").is_file() and self.content(version) != BROKEN
        return "" if complete else "it cannot be read"

    def start(self):
        """Pods of the release as it is now; they take the others' place once they are ready."""
        wanted = None if self.policy == "latest" else model_config.text_format.Parse(
            self.config or "", model_config.messages().ModelServerConfig())
        self.starting = [Server(self, copy.deepcopy(wanted)) for _pod in range(2)]

    def tick(self):
        for server in [*self.servers, *self.starting]:
            server.tick()
        if any(server.failed() for server in self.starting if not server.ready) and (self.policy == "latest" or self.config):
            self.start()  # kubelet does, in the same pod
        if self.starting and all(server.ready for server in self.starting):
            self.servers, self.starting = self.starting, []

    def rest(self):
        """Until what loads late is loaded."""
        self.tick()
        for _look in range(PATIENCE):
            if self.still():
                break
            self.tick()

    def still(self):
        """Would another look change nothing?"""
        return not self.starting and not any(
            state == "LOADING" for server in self.servers for states in server.states.values() for state, _error in states.values())


class Playbooks:
    """`said`: what the run has printed. What a role hands on to the next is an attribute of its name."""

    def __init__(self, world):
        self.world = world

    def run(self, playbook, *arguments):
        """The failure of its last task; None where all went well."""
        self.said, self.status, self.published, self.pruned, self.listed, self.look = [], None, {}, {}, {}, None
        self.checked, self.over = {}, False
        try:
            getattr(self, playbook)(*arguments)
        except Failed as failure:
            return failure.result
        return None

    def step(self, action, when=""):
        """One task of a file: the role, the file or the module that it calls, and its condition."""
        if not self.over:  # what only says what failed takes no time
            self.world.tick()
        self.world.burn()

    def module(self, work):
        """What a module answers."""
        try:
            return work()
        except Error as error:
            raise Failed(whole(failed(error))) from error

    def fail(self, message):
        raise Failed({"msg": message})

    # --- playbooks/ ---

    def site(self, packed, policy):
        failed_one = None
        self.step("stale.yml")
        self.step("plan.yml")
        differs = self.differs(packed, policy)
        self.step("debug")
        self.step("set_fact")
        try:
            if differs:
                self.step("steps.yml")
                self.steps(packed, policy)
            self.step("meta", when="groups.site_failed | default([]) | length > hostvars['localhost'].site_plan.max_failures")
            if not differs:
                expected = decisions.expected_version(self.look["model_config"] or {}, self.published)
                try:
                    self.step("check")
                    self.checked = self.check("mnist", expected)
                except Failed:
                    self.step("steps.yml")
                    self.steps(packed, policy)
                else:
                    self.step(
                        "unchanged.yml", when="inventory_hostname in hostvars['localhost'].site_plan.shown and serving_look is not defined")
                    self.unchanged(policy)
        except Failed as failure:
            failed_one = failure
        if failed_one:
            self.step("fail")
            raise failed_one

    def differs(self, packed, policy):
        """The plan of one model, by the parts of it that look at versions and policy."""
        try:
            self.model_preflight(packed, newest=False)
            self.serving_preflight(policy)
        except Failed:
            return True  # it is wrong
        status = {"canary": None, **(self.look["model_config"] or {"stable": None})}
        return bool(self.look["upgrade"] or [
            *plan._of_the_nas(self.published, "archive"), *plan._of_the_policy(self.look, policy == "pinned"),
            *plan._of_the_versions(self.published, status, KEEP)])

    def unchanged(self, policy):
        self.step("serving/status")
        self.show(policy)
        self.step("results.yml")
        self.results()

    def results(self):
        self.step("debug", when="not ansible_check_mode")
        self.said += six_results({
            "serving_status": self.status, "model_published": self.published, "model_pruned": self.pruned, "check_result": self.checked,
            "volume_result": {}, "scaling_result": {}, "model": {"nas_server": "nas", "base_path": BASE}, "volume": {}})

    def steps(self, packed, policy):
        try:
            self.step("looks.yml")
            self.model_preflight(packed, newest=False)
            self.serving_preflight(policy)
            self.step("new_version.yml", when="serving_look.policy is none or not model_published.up_to_date")
            if self.look["policy"] is None or not self.published["up_to_date"]:
                self.new_version(packed)
            self.step("model/show")
            self.step("volume")
            try:
                self.step("serving")
                self.serving(policy)
            except Failed as failure:
                self.step("failed_rollout.yml")
                self.failed_rollout(failure.result)
            self.step("serving/status", when="serving_status is not defined")
            self.step("scaling")
            expected = decisions.expected_version(self.status, self.published)
            try:
                self.step("check")
                self.checked = self.check("mnist", expected)
            except Failed as failure:
                self.step("failed_trial.yml")
                self.failed_trial(expected, failure.result)
            self.step("model/prune", when="not ansible_check_mode")
            self.prune([self.checked["version"]])
            self.step("results.yml")
            self.results()
            self.step("outcome.yml")
        except Failed:
            self.over = True
            self.step("set_fact")
            self.step("group_by")
            raise

    def publish(self, packed, reinstate):
        self.step("settings.yml")
        self.step("serving/status")
        self.show()
        self.step("fail", when="serving_status.deployment is none")
        if self.status["deployment"] is None:
            self.fail("mnist is not deployed")
        self.step("fail", when="serving_status.policy == 'pinned' and serving_status.stable is none")
        if self.status["policy"] == "pinned" and self.status["stable"] is None:
            self.fail("the model config is missing")
        newest = self.status["policy"] == "latest"
        self.step("model/preflight")
        self.model_preflight(packed, newest=newest, reinstate=reinstate)
        self.step("check/preflight")
        self.step("check/record_first")
        self.step("model")
        self.model(packed, newest=newest, reinstate=reinstate)
        self.step("fail", when="model_published.message | length > 0")
        if self.published["message"]:
            self.fail(self.published["message"])
        self.step("try_version.yml", when="not (ansible_check_mode and model_published is changed)")
        self.try_version(self.published["version"])
        self.step("serving/status")
        self.show()
        self.step("model/prune", when="not (ansible_check_mode and model_published is changed)")
        self.prune([self.published["version"]])
        self.step("debug", when="__beside | length > 0")
        self.said += beside(self.status, after_run(self.published, self.pruned), self.published)
        self.step("outcome.yml")

    def promote(self):
        self.step("serving/status")
        self.show()
        self.step("model/versions")
        self.versions()
        plan = decisions.promotion(self.status, self.listed)
        self.step("fail", when="__promotion.problem | length > 0")
        if plan["problem"]:
            self.fail(plan["problem"])
        self.step("debug", when="__promotion.message | length > 0")
        self.said.append(plan["message"])
        self.step("serving/promote", when="__promotion.version is not none")
        if plan["version"] is not None:
            self.serving_promote(plan["version"])
        self.step("serving/status", when="__promotion.version is not none")
        self.show()
        self.step("outcome.yml")

    def rollback(self, to):
        self.step("settings.yml")
        self.step("serving/status")
        self.show()
        self.step("model/versions")
        self.versions()
        self.step("fail", when="model_versions.problem | length > 0")
        self.step("set_fact")
        plan = self.module(lambda: rollback_plan(
            self.listed["versions"], to, self.status["stable"], self.status["deployment"] is not None))
        self.step("fail", when="__rollback.problem | length > 0")
        self.step("debug", when="__rollback.message | length > 0")
        self.said.append(plan["message"])
        self.step("go_back.yml", when="__rollback.message | length == 0")
        if not plan["message"]:
            self.go_back(plan["withdraw"], plan["serves"], "by hand")
        self.step("serving/status")
        self.show()
        self.step("show_versions.yml")
        self.show_versions()
        self.step("outcome.yml")

    def tell(self):
        """Of one model."""
        self.step("fleet_status", when="__several | bool or status_file | default('', true) | length > 0")
        self.step("debug", when="__several | bool")
        self.step("set_stats", when="fleet is not skipped")
        self.step("meta", when="__several | bool")
        self.step("serving/status")
        self.show()
        self.step("show_versions.yml")
        self.show_versions()

    # --- playbooks/tasks/ ---

    def new_version(self, packed):
        self.step("check/record_first", when="serving_look.policy == 'latest' and not model_published.up_to_date")
        self.step("model/publish", when="not model_published.up_to_date")
        self.model(packed, newest=False)
        self.step("check/fits", when="serving_look.policy is none")

    def try_version(self, version):
        trial = decisions.trial(self.status, self.published, version)
        try:
            self.step("check/fits")
            self.step("serving/candidate")
            self.serving_candidate(version)
            self.step("check")
            self.check("mnist-canary" if trial["own_name"] else "mnist", version)
        except Failed as failure:
            self.step("failed_trial.yml")
            self.failed_trial(version, failure.result)

    def failed_rollout(self, failure):
        self.step("fail", when="not (ansible_failed_result | mlops.tf_serving.load_failed)")
        self.said.append(failure["msg"])
        tried = decisions.load_failed(whole(failure))
        if tried is None:
            self.fail("What failed above tells nothing of a version, so none was taken back.")
        self.step("serving/status")
        self.show()
        self.step("failed_trial.yml")
        self.failed_trial(tried, failure)

    def failed_trial(self, tried, failure):
        self.step("set_fact")
        self.step("model/versions")
        self.versions()
        self.step("set_fact")
        outcome = decisions.after_failure(self.status, self.listed, tried, whole(failure))
        if outcome["goes_back"]:
            try:
                self.step("go_back.yml")
                self.go_back(outcome["withdraw"], outcome["serves"], outcome["reason"], outcome["hangs"])
            except Failed as second:
                self.step("fail")
                self.fail("%s %s" % (outcome["unfinished"], second.result["msg"]))
        self.step("fail")
        self.fail(outcome["message"])

    def go_back(self, withdraw, serves, reason, hangs=False):
        self.step("withdraw.yml", when="__hangs | bool")
        if hangs:
            self.withdraw(withdraw, reason, serves)
        self.step("withdraw.yml", when="serving_status.policy == 'pinned' and not (__hangs | bool)")
        if self.status["policy"] == "pinned" and not hangs:
            self.withdraw([], reason, serves)
        self.step("serving/promote", when="serving_status.policy == 'pinned'")
        if self.status["policy"] == "pinned":
            self.serving_promote(serves)
        self.step("withdraw.yml", when="not (__hangs | bool)")
        if not hangs:
            self.withdraw(withdraw, reason, serves)
        self.step("serving/candidate", when="serving_status.policy == 'latest' and not ansible_check_mode")
        if self.status["policy"] == "latest":
            self.serving_candidate(serves)

    def withdraw(self, versions, reason, serves):
        self.step("model/withdraw")
        self.module(lambda: self.world.on_nas(lambda: self.world.nas.versions(withdraw=versions, reason=reason, target=serves)))

    def show_versions(self):
        self.step("model/versions")
        self.versions()
        self.step("debug")
        self.said += table(self.status, self.listed, "title")

    # --- roles/model ---

    def model_preflight(self, packed, **options):
        self.published = self.module(lambda: self.world.nas.publish(packed, check_mode=True, **options))
        self.published["up_to_date"] = not (self.published["changed"] or self.published.get("needs"))

    def model(self, packed, **options):
        if not self.published["up_to_date"]:
            self.published = self.module(lambda: self.world.on_nas(lambda: self.world.nas.publish(packed, **options)))

    def versions(self):
        self.listed = decisions.versions_found(self.world.nas.versions())

    def prune(self, passed):
        passed = [version for version in passed if version in self.published["versions"]]
        if decisions.pruning_due(self.published, passed, KEEP):
            in_use = decisions.spared(self.status, self.published)
            self.pruned = self.module(lambda: self.world.on_nas(
                lambda: self.world.nas.versions(keep=KEEP, in_use=in_use, checked=passed)))

    # --- roles/serving/tasks/ ---

    def serving_preflight(self, policy):
        self.look = {
            "policy": self.world.policy, "upgrade": policy != self.world.policy,
            "model_config": ConfigMap(self.world).pinned("mnist")}

    def serving(self, policy):
        self.step("preflight.yml", when="serving_look is not defined")
        self.step("upgrade.yml", when="serving_look.upgrade or (__serving_settings.pinned and serving_look.model_config is none)")
        if self.look["upgrade"] or (policy == "pinned" and self.look["model_config"] is None):
            self.serving_upgrade(policy)
        self.step("wait.yml")
        self.serving_wait()
        self.step("settle.yml", when="serving_look.model_config is not none")
        if self.look["model_config"] is not None:
            self.serving_settle(policy)
        self.step("show.yml")
        self.show(policy)

    def serving_upgrade(self, policy):
        self.step("release_unlock", when="serving_look.unlock")
        self.step("release_namespace", when="not serving_look.namespace_exists")
        self.step("pin.yml", when="__serving_settings.pinned")
        if policy == "pinned":
            self.serving_pin()
        self.step("debug", when="ansible_diff_mode and serving_look.values_diff | length > 0")
        self.step("helm", when="serving_look.upgrade")
        if self.look["upgrade"]:
            self.world.policy = policy
            self.world.start()

    def serving_wait(self):
        self.world.rest()
        for server in self.world.starting:
            for version, error in server.failed():
                raise Failed({"msg": "Pod pod-2 cannot load version %d: %s" % (version, error), "failure": {
                    "code": "model_not_loadable", "details": {"version": version, "final": True}}})
        if self.world.starting or not all(server.available("mnist") for server in self.world.servers):
            self.fail("not rolled out")

    def serving_pin(self):
        self.step("model_config", when="serving_look.model_config is not none and serving_look.policy == 'latest'")
        if self.look["model_config"] is not None and self.look["policy"] == "latest":
            self._forget()
        self.step("ask.yml", when="serving_look.model_config is none and serving_look.policy == 'pinned'")
        lost = self.look["policy"] == "pinned"
        served = self._answers()["available"] if self.look["model_config"] is None and lost else []
        first = decisions.first_stable(self.published, served, lost)
        self.step("model_config", when="not ansible_check_mode or __serving_first")
        self._model_config(stable=first, only_if_absent=True)

    def serving_settle(self, policy):
        self.step("model_config", when="__serving_settings.pinned and serving_look.policy == 'pinned'")
        if policy == "pinned" and self.look["policy"] == "pinned":
            self._model_config(canary=self.look["model_config"]["canary"])
        self.step("model_config", when="not __serving_settings.pinned")
        if policy != "pinned":
            self._forget()

    def serving_candidate(self, version):
        self.step("status.yml", when="serving_status is not defined")
        own_name = decisions.trial(self.status, {}, version)["own_name"]
        self.step("model_config", when="__serving_trial.own_name")
        if own_name:
            self._model_config(canary=version)
        self.step("serving_versions", when="not __serving_trial.own_name")
        if not own_name:
            self.module(lambda: replica_versions.wait(self._question(version), Replicas(self.world)))

    def serving_promote(self, version):
        self.step("status.yml", when="serving_status is not defined")
        self.step("fail", when="serving_status.policy != 'pinned'")
        self.step("model_config")
        self._model_config(stable=version)

    def show(self, policy=None):
        """serving_status"""
        world = self.world
        info = {
            "policy": world.policy, "checks": [], "warnings": [],
            "deployment": {"desired": 2, "image": "x"} if world.policy else None,
            "release": {"name": "mnist-deploy", "revision": 1, "status": "deployed"} if world.policy else None, "reached_at": "",
            "pods": [{"name": "pod-%d" % number, "terminating": False, "model_loaded": []}
                     for number in range(len([*world.servers, *world.starting]))]}
        answers = {"config": ConfigMap(world).pinned("mnist"), **self._answers()} if world.policy else {"skipped": True}
        self.status = serving_status(info, answers, "mnist", policy)

    def _answers(self):
        return replica_versions.look(self._question(), Replicas(self.world))

    def _question(self, expected=None):
        return {"model_name": "mnist", "canary": True, "labels": ["stable"], "versions": [], "expected": expected, "timeout": PATIENCE,
                "release": "mnist-deploy", "namespace": "default"}

    def _model_config(self, **options):
        options = {"model_name": "mnist", "base_path": BASE, "stable": None, "canary": None, "only_if_absent": False, "timeout": PATIENCE,
                   "release": "mnist-deploy", **options}
        self.module(lambda: promotion.ensure(ConfigMap(self.world), Replicas(self.world), options, self.said.append, False))

    def _forget(self):
        self.world.burn()
        self.world.config = None

    # --- roles/check ---

    def check(self, name, expected):
        world = self.world
        if world.network_down:
            raise Failed({"msg": "port-forward failed", "failure": {"code": "port_forward_failed"}})
        ready, version = Replicas(world).look().ready, None
        if not ready:
            raise Failed({"msg": "No replica is ready.", "failure": {"code": "no_ready_replica"}})
        for replica in ready:
            version = replica.answers(name)
            if version is None:
                raise Failed({"msg": "Servable not found", "failure": {"code": "not_found"}})
            if expected not in (None, version):
                raise Failed({"msg": "version %d answered" % version, "failure": {"code": "wrong_version"}})
            if replica.server.memory[version] == BAD:
                raise Failed({"msg": "error rate 89.3%", "failure": {"code": "error_rate_exceeded"}})
        if world.address_wrong:
            raise Failed({"msg": "address lb: version 7 answered", "failure": {"code": "address_differs"}})
        return {"version": version, "message": "Inference error rate: 0.0%"}


# --- hands ---

def copy_by_hand(world, version, complete, content=GOOD):
    files = model_files(content)
    world.nas.write(str(version), files if complete else {
        path: data for path, data in files.items() if path != "saved_model.pb"})


def break_by_hand(world, version):
    """Its data, and the note that it passed: servers that have it loaded serve on."""
    (world.base / str(version) / "variables" / "variables.data-00000-of-00001").write_bytes(BROKEN)
    path = world.base / ".provenance" / ("%d.json" % version)
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "checked"}))


def delete_by_hand(world, version):
    shutil.rmtree(world.base / str(version))


def mark_by_hand(world, version):
    """As a rollback leaves it that is killed before its rename."""
    path = world.base / ".provenance" / ("%d.json" % version)
    with contextlib.suppress(FileNotFoundError):
        path.write_text(json.dumps({**json.loads(path.read_text()), "withdrawn": {"at": "then", "reason": "swapped"}}))


def pin_by_hand(world, version):
    world.config = model_config.to_text(model_config.resting(version), MODEL)
