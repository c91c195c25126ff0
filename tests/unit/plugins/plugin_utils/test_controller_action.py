"""The base of what runs on the controller: what a task gets from it that a module gets from AnsibleModule."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import types

import pytest
import run_action as run_action_module
from ansible.utils.display import Display
from run_action import run_action

import conftest
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils import controller_action, waiting
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import ControllerAction, failed, require
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.failures import whole


@pytest.fixture
def run():
    """run(act, **options): a task whose action does act(self, options)."""
    def call(act, spec=None, rules=None, needs=(), **more):
        class ActionModule(ControllerAction):
            SPEC = {"name": {"type": "str", "required": True}, "count": {"type": "int", "default": 3, "aliases": ["number"]},
                    "token": {"type": "str", "no_log": True}, **(spec or {})}
            RULES, NEEDS = rules or {}, needs

            def act(self, options):
                return act(self, options)

        plugin = types.SimpleNamespace(__name__="plugins.action.example", ActionModule=ActionModule)
        return run_action(plugin, **{"name": "x", **more})
    return call


def test_options_are_checked_and_have_their_defaults(run):
    assert run(lambda self, options: {"options": options}) == {
        "changed": False, "options": {"name": "x", "count": 3, "token": None}}
    assert run(lambda self, options: {"options": options}, number="5")["options"]["count"] == 5
    assert run(lambda self, options: {"changed": True}) == {"changed": True}


@pytest.mark.parametrize("blank", ["", None])
def test_what_is_blank_is_not_given(run, blank):
    """A template that is None arrives as an empty string, up to core 2.18."""
    spec = {"words": {"type": "list", "elements": "str", "default": ["a"]}, "on": {"type": "bool", "default": True}}
    options = run(lambda self, options: {"options": options}, spec=spec, count=blank, words=blank, token=blank, on=blank)["options"]
    assert options == {"name": "x", "count": 3, "words": ["a"], "token": None, "on": True}
    options = run(lambda self, options: {"options": options}, spec=spec, count=0, words=[], on=False)["options"]
    assert (options["count"], options["words"], options["on"]) == (0, [], False)
    answer = run(lambda self, options: {}, spec={"must": {"type": "int", "required": True}}, must=blank)
    assert answer["failed"] and "missing required arguments: must" in answer["msg"]


@pytest.mark.parametrize(("options", "words"), [
    ({"name": None}, "missing required arguments: name"), ({"count": "many"}, "count"), ({"cuont": 1}, "cuont"),
])
def test_wrong_options_fail_before_anything_happens(run, options, words):
    done = []
    answer = run(lambda self, options: done.append(1), **options)
    assert answer["failed"] and words in answer["msg"] and answer["failure"]["code"] == "option_invalid" and not done
    assert answer["failure"]["message"] == answer["msg"]


def test_all_that_is_wrong_at_once(run):
    answer = run(lambda self, options: {}, name=None, count="many")
    assert "name" in answer["msg"] and "count" in answer["msg"] and "; " in answer["msg"]


def test_rules(run):
    answer = run(lambda self, options: {}, rules={"mutually_exclusive": [("name", "token")]}, token="t")
    assert answer["failed"] and "mutually exclusive" in answer["msg"]


@pytest.mark.parametrize("fails", [False, True])
def test_no_key_of_a_kubeconfig_is_left_in_a_file(run, fails):
    """A task's process ends without the client's knowing: its folder for temporary files had thousands of private keys."""
    from kubernetes.config import kube_config

    made = []

    def act(self, options):
        made.append(kube_config._create_temp_file_with_content("-----BEGIN PRIVATE KEY-----"))
        assert os.path.exists(made[0])
        if fails:
            raise Error("no")
        return {}

    run(act)
    assert len(made) == 1 and not os.path.exists(made[0])


def test_an_error_is_the_tasks_failure(run):
    def act(self, options):
        raise Error("It does not work.", "broken", where="here")
    assert run(act) == {
        "failed": True, "msg": "It does not work.",
        "failure": {"message": "It does not work.", "code": "broken", "details": {"where": "here"}},
    }


def test_an_error_may_bring_what_was_measured():
    error = Error("No.", "no")
    error.result = {"rate": 5, "msg": "another"}
    assert whole(failed(error)).items() >= {
        "rate": 5, "failed": True, "msg": "No.", "failure": {"message": "No.", "code": "no", "details": {}}}.items()


@pytest.mark.parametrize("verbosity", [0, 1])
def test_what_is_printed_of_a_failure_and_what_is_kept(run, monkeypatch, verbosity):
    """Ansible prints all but the invocation; that stands in what is registered."""
    shown, answers = [], []
    monkeypatch.setattr(Display, "display", lambda self, text, *more, **others: shown.append(text))
    monkeypatch.setattr(Display(), "verbosity", verbosity)
    monkeypatch.setattr(run_action_module, "everything", lambda answer: answers.append(answer) or answer)

    def act(self, options):
        error = Error("%(token)s is wrong." % options, "no", where="here", token=options["token"])
        error.result = {"rate": 5, "report": "/r.html"}
        self.warn("Mind the gap.")
        raise error
    run(act, token="hunter22")
    kept = answers[0].pop("invocation")
    assert answers[0] == {
        "failed": True, "msg": "******** is wrong.", "failure": {"code": "no"}, "report": "/r.html", "warnings": ["Mind the gap."]}
    details = {"where": "here", "token": "********"}
    rest = {"rate": 5, "failure": {"message": "******** is wrong.", "code": "no", "details": details}}
    assert kept == {"measured": rest}
    assert shown == (["mnist: " + json.dumps(rest, indent=2)] if verbosity else [])


def test_another_exception_is_a_bug(run):
    with pytest.raises(ZeroDivisionError):
        run(lambda self, options: 1 / 0)


@pytest.mark.parametrize("fails", [False, True])
def test_warnings(run, fails):
    def act(self, options):
        self.warn("one")
        self.warn("two..")
        if fails:
            raise Error("No.")
        return {}
    assert run(act)["warnings"] == ["one", "two."]
    assert "warnings" not in run(lambda self, options: {})


@pytest.mark.parametrize("value", [True, False, None])
def test_modes(run, value):
    def act(self, options):
        assert self.task_vars["inventory_hostname"] == self.host
        return {"seen": [self.check_mode, self.diff, self.host]}
    assert run(act, check_mode=value)["seen"] == [bool(value), False, "mnist"]
    assert run(act, diff=value, task_vars={"inventory_hostname": "digits"})["seen"] == [False, bool(value), "digits"]


def test_a_secret_is_not_shown(run):
    def act(self, options):
        self.warn("it is %(token)s" % options)
        return {"deep": [{"it": "is %(token)s" % options}]}
    answer = run(act, token="hunter22")
    assert "hunter22" not in str(answer) and "********" in answer["deep"][0]["it"] and "********" in answer["warnings"][0]


def test_nor_in_a_failure(run):
    def act(self, options):
        raise Error("%(token)s is wrong" % options, token=options["token"])
    assert "hunter22" not in str(run(act, token="hunter22"))


def test_async_is_refused(run):
    answer = run(lambda self, options: {}, async_val=30)
    assert answer["failed"] and answer["failure"]["code"] == "async_unsupported"
    assert answer["msg"].startswith("mlops.tf_serving.example runs in ansible-playbook's own process")
    assert "leave out async and poll" in answer["msg"]


def test_the_environment_of_the_task(run, monkeypatch):
    monkeypatch.setenv("OURS", "old")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    answer = run(lambda self, options: {"ours": os.environ["OURS"], "number": os.environ["NUMBER"]},
                 environment=[{"OURS": "new", "NUMBER": 4}, {"NUMBER": 5}])
    assert answer == {"changed": False, "ours": "new", "number": "5"}


class TestLibraries:
    def test_that_are_there(self):
        require(())
        require(("json", "xml.etree.ElementTree"))

    @pytest.mark.parametrize("name", ["no_such_library", "no.such.library", "json.nothing"])
    def test_that_are_missing(self, name):
        with pytest.raises(Error) as caught:
            require(("json", name))
        assert caught.value.code == "library_missing" and "cannot import %s: install" % name in caught.value.message
        assert sys.executable in caught.value.message
        assert caught.value.details == {"missing": [name], "python": sys.executable}

    def test_all_at_once(self):
        with pytest.raises(Error, match="cannot import nothing_a, nothing_b: "):
            require(("nothing_a", "nothing_b"))

    def test_a_task_says_so(self, run):
        done = []
        answer = run(lambda self, options: done.append(1), needs=("no_such_library",))
        assert answer["failed"] and answer["failure"]["code"] == "library_missing" and not done


def test_a_subclass_has_to_act():
    with pytest.raises(NotImplementedError):
        ControllerAction.act(None, {})
    assert controller_action.ControllerAction.NEEDS == ()


WITHOUT = """
import sys
sys.path.insert(0, %r)
import conftest, importlib
from run_action import run_action
for missing in ("kubernetes", "urllib3", "grpc", "google", "google.protobuf"):
    sys.modules[missing] = None
options = {
    "name": "x", "replicas": 1, "release": "x", "model_name": "x", "base_path": "/x", "values": {}, "chart": "/x", "state": None,
    "claim": "x", "claim_namespace": "x", "model": "x", "server": "x", "path": "/x",
}
for name in %r:
    action = importlib.import_module("ansible_collections.mlops.tf_serving.plugins.action." + name)
    answer = run_action(action, **{key: value for key, value in options.items() if key in action.ActionModule.SPEC})
    print(name, answer["failure"]["code"], *answer["failure"]["details"]["missing"])
"""


def test_where_libraries_are_missing_each_module_says_which():
    """They are imported where the plugins are loaded: that has to work without them."""
    needs = {
        "deployment_scale": ["kubernetes"], "model_volume": ["kubernetes"], "release_unlock": ["kubernetes"],
        "serving_info": ["kubernetes"], "serving_preflight": ["kubernetes", "google.protobuf"],
        "model_config": ["kubernetes", "grpc", "google.protobuf"], "serving_versions": ["kubernetes", "grpc", "google.protobuf"],
    }
    code = WITHOUT % (str(conftest.ROOT / "tests" / "unit"), sorted(needs))
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["%s library_missing %s" % (name, " ".join(needs[name])) for name in sorted(needs)], done.stderr


@pytest.mark.parametrize("url", ["https://h/x.csv?sig=open-sesame", "https://me:open-sesame@h/x.csv"])
def test_what_signs_a_url_of_the_options_is_in_no_answer(run, url):
    def act(self, options):
        self.warn("Words about %s." % url)
        raise Error("A library said %s." % url.partition("//")[2], details={"paths": [url]})

    answer = run(act, name=url)
    assert answer["failed"] and "h/x.csv" in answer["msg"] + json.dumps(answer) and "open-sesame" not in json.dumps(answer)
    assert "open-sesame" not in json.dumps(run(lambda self, options: {"seen": options}, spec={"data": {"type": "dict"}}, data={"x": url}))


def test_a_task_that_takes_its_time_says_so(run, monkeypatch):
    told = threading.Event()
    monkeypatch.setattr(waiting, "EVERY", 0.01)
    monkeypatch.setattr(Display, "display", lambda self, text, *more, **others: text.startswith("mnist: mlops.") and told.set())
    assert run(lambda self, options: {"told": told.wait(30)})["told"]
    told.clear()
    monkeypatch.setattr(ControllerAction, "SHOWS_PROGRESS", True)
    assert not run(lambda self, options: {"told": told.wait(0.2)})["told"]
