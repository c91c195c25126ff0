"""What a person reads of a host that cannot mount the NAS."""
from __future__ import annotations

import re
import threading

import pytest
from ansible import constants
from ansible.errors import AnsibleConnectionFailure
from ansible.release import __version__
from ansible.utils.display import Display
from fake_node import fake_node

from ansible_collections.mlops.tf_serving.plugins.action import model_versions
from ansible_collections.mlops.tf_serving.plugins.plugin_utils import node_action, waiting

NAS = {"nas_server": "nas", "base_path": "/serving/model/mnist"}
NOT_RUN = {"failed": True, "msg": "MODULE FAILURE", "rc": 127, "module_stderr": "/usr/bin/python9: not found"}
FLOORS = {"2.16": (3, 6), "2.17": (3, 7), "2.18": (3, 8), "2.19": (3, 8), "2.20": (3, 9), "2.21": (3, 9)}


def run(*answers, task_vars=None, **task):
    action = fake_node(model_versions, NAS, *answers, **task)
    return action.run(task_vars=task_vars), action.asked


def python(text, stderr=""):
    return {"stdout": text, "stderr": stderr, "rc": 0}


@pytest.mark.parametrize("answer", [
    {"changed": False, "versions": []},
    {"failed": True, "msg": "no", "failure": {"message": "no", "code": "locked", "details": {}}},
])
def test_a_module_that_ran_is_asked_once(answer):
    assert run(answer) == (answer, [NAS])


def test_a_failure_is_printed_in_a_few_lines():
    failure = {"message": "no", "code": "locked", "details": {"files": ["a", "b"]}}
    action = fake_node(model_versions, NAS, {"failed": True, "msg": "no", "failure": failure, "invocation": {"module_args": NAS}})
    answer = super(type(action), action).run(task_vars={"inventory_hostname": "mnist"})
    assert answer == {
        "failed": True, "msg": "no", "failure": {"code": "locked"},
        "invocation": {"module_args": NAS, "measured": {"failure": failure}}}


def test_the_node_is_named_once():
    message = "model_node could not mount nas:/x: no. Way out: check the DNS of model_node."
    failure = {"message": message, "code": "nas_unknown", "details": {"a": 1}}
    answer = {"failed": True, "msg": message, "failure": failure, "rc": 1}
    named = "model_node ecs-node could not mount nas:/x: no. Way out: check the DNS of model_node."
    result, dummy = run(answer)
    assert result == {"failed": True, "msg": named, "failure": {**failure, "message": named}, "rc": 1}
    assert "model_node mnist could" in run(answer, delegate_to=None)[0]["msg"], "without delegate_to it is the host of the task"


def test_no_such_python():
    result, asked = run(NOT_RUN, low_level=python("", "sh: /usr/bin/python9: not found\n"), interpreter="#!/usr/bin/python9")
    assert result["failed"]
    assert result["failure"]["code"] == "node_python_missing"
    assert re.match(
        r"model_node ecs-node has no Python where ansible_python_interpreter \(/usr/bin/python9\) looks for it\. Install Python"
        r" 3\.\d+ or later there, or set ansible_python_interpreter of that host\. sh: /usr/bin/python9: not found$",
        result["msg"])
    assert asked[0] == NAS and asked[1].startswith("/usr/bin/python9 -c '") and len(asked) == 2


@pytest.mark.parametrize("text", ["Python 2.7\n", "Python 3.5\r\n", "a banner\nPython 3.4\n"])
def test_an_old_python(text):
    result, dummy = run({"failed": True, "msg": "ansible-core requires ..."}, low_level=python(text))
    assert result["failure"]["code"] == "node_python_old"
    assert re.match(
        r"model_node ecs-node has Python %s, and this ansible-core needs 3\.\d+ or later on a managed node\. Install a newer one"
        r" beside it and set ansible_python_interpreter of that host, or name another model_node\.$"
        % re.search(r"\d\.\d", text).group(), result["msg"])
    assert result["failure"]["details"] == {"python": re.search(r"\d\.\d", text).group()}


@pytest.mark.parametrize("text", ["Python 3.14\n", "Python 4.0\n", "Python %d.%d\n" % node_action.python_floor()])
def test_a_module_that_failed_for_another_reason_says_so_itself(text):
    crash = {"failed": True, "msg": "MODULE FAILURE", "module_stderr": "Traceback ...", "rc": 1}
    assert run(crash, low_level=python(text))[0] == crash


def test_the_command_says_the_version():
    import subprocess
    import sys
    dummy, asked = run(NOT_RUN, low_level=python("Python 3.14"), interpreter="#!" + sys.executable)
    said = subprocess.run(["sh", "-c", asked[1]], check=True, capture_output=True, text=True).stdout
    assert said == "Python %d.%d\n" % sys.version_info[:2]
    assert run(NOT_RUN, low_level=python("Python 3.14"), interpreter=None)[1][1].startswith("python3 -c")


GONE = AnsibleConnectionFailure("Failed to connect to the host via ssh: Connection refused. ")


@pytest.mark.parametrize(
    "answers", [{"answers": [GONE]}, {"answers": [NOT_RUN], "low_level": GONE}], ids=["at once", "while asked"])
def test_a_node_that_cannot_be_reached(answers):
    result, dummy = run(*answers.pop("answers"), **answers, task_vars={"hostvars": {"ecs-node": {}}})
    assert result["failed"] and "unreachable" not in result
    assert result["failure"]["code"] == "node_unreachable"
    assert result["msg"] == (
        "model_node ecs-node cannot be reached: Failed to connect to the host via ssh: Connection refused. Check its"
        " ansible_host, ansible_user and key, and that it runs.")


def test_a_node_that_is_not_in_the_inventory():
    result, dummy = run(GONE, task_vars={"hostvars": {"mnist": {}}})
    assert result["failure"]["code"] == "node_not_in_inventory"
    assert result["msg"] == (
        "model_node is 'ecs-node', which is not in the inventory. Set it to the inventory name of a host that may mount the NAS,"
        " a node of the cluster for one.")


@pytest.mark.parametrize(("said", "used"), [(None, "auto_silent"), ("auto", "auto_silent"), ("/opt/python", "/opt/python")])
def test_a_python_that_is_discovered_is_nothing_to_warn_of(said, used):
    variables = {} if said is None else {"ansible_python_interpreter": said}
    seen = {"ansible_delegated_vars": {"ecs-node": dict(variables)}, **variables}
    run({"changed": False}, task_vars=seen)
    assert seen == {"ansible_delegated_vars": {"ecs-node": {"ansible_python_interpreter": used}}, **variables}
    action = fake_node(model_versions, NAS, {"changed": False}, delegate_to=None)
    action.run(task_vars=variables)
    assert action.task_vars["ansible_python_interpreter"] == used


def test_bad_options_are_not_sent():
    action = fake_node(model_versions, {**NAS, "keep": "all", "withdarw": [1]})
    result = action.run()
    assert (result["failed"], result["failure"]["code"], action.asked) == (True, "option_invalid", [])
    assert "keep" in result["msg"] and "withdarw" in result["msg"]
    assert fake_node(model_versions, {**NAS, "withdraw": ["0"]}).run()["failure"]["code"] == "version_invalid"


def test_the_floor_of_this_core():
    core = ".".join(__version__.split(".")[:2])
    assert node_action.python_floor() == FLOORS.get(core, node_action.python_floor())
    assert node_action.python_floor() >= (3, 6)
    names = constants.config.get_configuration_definitions()["INTERPRETER_PYTHON_FALLBACK"]["default"]
    assert "python%d.%d" % node_action.python_floor() in names and "python3.5" not in names


def test_what_signs_a_url_of_the_options_is_in_no_answer():
    url = "https://h/x?sig=open-sesame"
    answer = fake_node(model_versions, {**NAS, "reason": url}, {"changed": False, "words": ["of sig=open-sesame"]}).run()
    assert answer == {"changed": False, "words": ["of ********"]}


def test_a_module_that_takes_its_time_says_so(monkeypatch):
    told = threading.Event()
    monkeypatch.setattr(waiting, "EVERY", 0.01)
    monkeypatch.setattr(Display, "display", lambda self, text, *more, **others: text.startswith("ecs-node: ") and told.set())
    action = fake_node(model_versions, NAS, {"versions": []})
    monkeypatch.setattr(type(action), "_answer", lambda self, answer: {**answer, "told": told.wait(30)})
    assert action.run()["told"]
