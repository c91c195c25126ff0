"""What Ansible has of a host: templates worked out when they are asked for, unanswered surveys looked beneath."""
from __future__ import annotations

import types

import pytest
from ansible.errors import AnsibleError

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.host_variables import HostVariables, plain


class Templar:
    """Works out {{ NAME }} and refuses all else."""

    def __init__(self, **variables):
        self.variables, self.asked = variables, []

    def template(self, value):
        self.asked.append(value)
        if isinstance(value, dict):
            return types.MappingProxyType({key: self.template(entry) for key, entry in value.items()})
        if isinstance(value, list):
            return tuple(map(self.template, value))
        if "{{" not in str(value) and "{%" not in str(value):
            return value
        name = str(value).strip("{} ")
        if name not in self.variables:
            raise AnsibleError("%r is undefined" % name)
        return self.variables[name]


class Hosts(dict):
    """As HostVars: the inventory beside what was said at launch."""

    def __init__(self, inventory, launched):
        super().__init__(mnist={})
        self.inventory = inventory
        self._variable_manager = types.SimpleNamespace(
            _extra_vars=launched, _inventory=types.SimpleNamespace(get_host=lambda name: name), get_vars=self.get_vars)

    def get_vars(self, host, include_hostvars):
        assert (host, include_hostvars) == ("mnist", False)
        return {**self.inventory, **self._variable_manager._extra_vars}


def variables(inventory=None, launched=None, **known):
    inventory, launched = inventory or {}, launched or {}
    hosts = Hosts(inventory, launched)
    return HostVariables({"inventory_hostname": "mnist", "hostvars": hosts, **inventory, **launched}, Templar(**known))


def test_our_variables_are_told_from_others():
    found = variables({"gpu": False, "model_owner": "a", "model_name": "digits", "ansible_host": "h", "remodel_name": "x", "gpus": 1})
    assert sorted(found) == ["gpu", "model_name", "model_owner"] and len(found) == 3


def test_templates_are_worked_out_once_and_only_when_asked_for():
    found = variables({"model_archive": "{{ url }}", "model_name": "{{ missing }}", "check_dataset": "http://h/"}, url="http://h/x.tar.gz")
    assert found["model_archive"] == found["model_archive"] == "http://h/x.tar.gz"
    assert found["check_dataset"] == "http://h/"
    assert found.templar.asked == ["{{ url }}"]
    with pytest.raises(Error) as error:
        found["model_name"]
    assert error.value.message == "model_name cannot be worked out: 'missing' is undefined"


@pytest.mark.parametrize("text", ["{{ x }}", "{% x %}"])
def test_templates_within_mappings_and_lists(text):
    found = variables({"serving_resources": {"limits": [{"cpu": text}]}, "serving_args": ["--a=1"], "serving_affinity": {"a": 1}},
                      x=2, **{"% x %": 2})
    assert found["serving_resources"] == {"limits": [{"cpu": 2}]}
    assert isinstance(found["serving_resources"], dict) and isinstance(found["serving_resources"]["limits"], list)
    assert found["serving_args"] == ["--a=1"] and found["serving_affinity"] == {"a": 1}
    assert {"--a=1"} & set(map(str, found.templar.asked)) == set()


@pytest.mark.parametrize("answer", ["", None, "  "])
def test_an_unanswered_question_does_not_hide_the_inventory(answer):
    found = variables({"model_archive": "{{ url }}", "model_owner": "c"}, {"model_archive": answer, "model_owner": "d"}, url="http://h/")
    assert found["model_archive"] == "http://h/" and found["model_owner"] == "d"
    assert found.get("model_keep") is None
    # What was said at launch is as it was.
    assert found.hosts._variable_manager._extra_vars == {"model_archive": answer, "model_owner": "d"}
    assert found.settle(["model"])["model"]["archive"] == "http://h/"


def test_an_unanswered_question_with_nothing_beneath_is_not_given():
    found = variables({}, {"scaling_replicas": "", "model_name": None})
    assert found.get("scaling_replicas") is None and "scaling_replicas" not in found
    assert found.settle(["scaling"])["scaling"]["replicas"] == 1
    assert variables({"scaling_replicas": None}, {"scaling_replicas": ""}).settle(["scaling"])["scaling"]["replicas"] is None
    assert variables({"scaling_replicas": 3}, {"scaling_replicas": ""}).settle(["scaling"])["scaling"]["replicas"] == 3
    assert variables({"scaling_replicas": None}).settle(["scaling"])["scaling"]["replicas"] is None


def test_a_blank_of_the_inventory_is_what_it_is():
    assert variables({"model_name": ""})["model_name"] == ""
    assert variables({"model_name": ""}).settle(["model"])["model"]["name"] == "mnist"


def test_a_lookup_may_be_asked_without_hosts():
    found = HostVariables({"inventory_hostname": "mnist", "model_name": ""}, Templar())
    assert found["model_name"] == "" and found.host == "mnist" and "x" not in found.hosts


def test_names_of_the_inventory_are_known():
    with pytest.raises(Error, match="which is not in the inventory"):
        variables({"model_node": "nas"}).settle(["model"], ["model_node"])
    assert variables({"model_node": "mnist"}).settle(["model"], ["model_node"])["model"]["node"] == "mnist"


def test_plain():
    lazy = types.MappingProxyType({1: ("a", types.MappingProxyType({"b": None}))})
    assert plain(lazy) == {"1": ["a", {"b": None}]} and isinstance(plain(lazy)["1"], list)


class Play(Hosts):
    """Of three models. What was answered at launch goes before what the inventory says of each."""

    def __init__(self, inventory, launched):
        super().__init__({}, launched)
        self.of_each, self.read = inventory, []

    def __getitem__(self, host):
        self.read.append(host)
        return Undefined({**self.of_each[host], **self._variable_manager._extra_vars})

    def get_vars(self, host, include_hostvars):
        return {**self.of_each[host], **self._variable_manager._extra_vars}


class Undefined(dict):
    """Variables of which one cannot be worked out."""

    def __getitem__(self, name):
        if super().__getitem__(name) == "undefined":
            raise AnsibleError("undefined")
        return super().__getitem__(name)


def play(inventory, launched=None, **known):
    """What mnist sees in a play of all models of the inventory."""
    launched = {} if launched is None else launched
    hosts = Play(inventory, launched)
    task = {"inventory_hostname": "mnist", "hostvars": hosts, "ansible_play_hosts_all": list(inventory)}
    return HostVariables({**task, **inventory["mnist"], **launched}, Templar(**known))


def alike(golden, launched=None, **known):
    """Whose check_golden is the same as that of mnist. golden: what the inventory says of each host."""
    launched = launched or {}
    found = play({host: {"check_golden": value} for host, value in golden.items()}, launched, **known)
    answer = found.alike("check_golden")
    assert found.hosts._variable_manager._extra_vars is launched
    return answer


@pytest.mark.parametrize("launched", [None, {"check_golden": ""}], ids=["the inventory's", "an unanswered question"])
def test_who_has_the_same(launched):
    assert alike({"mnist": "/a.npz", "cifar": " /a.npz", "iris": "/b.npz"}, launched) == ["mnist", "cifar"]
    assert alike({"cifar": "undefined", "mnist": "/a.npz", "iris": None}, launched) == ["mnist"]


def test_what_was_given_at_launch_is_everybodys_unless_it_differs_by_host():
    assert alike({"mnist": "/a.npz", "cifar": "/b.npz"}, {"check_golden": "/c.npz"}) == ["mnist", "cifar"]
    assert alike({"mnist": "/a.npz", "cifar": "/b.npz"}, {"check_golden": "{{ name }}"}, name="/mnist.npz") == ["mnist"]
    assert variables({}, {"check_golden": "", "check_tests": "5"}).launched() == {"check_tests"}


def test_who_has_the_same_by_what_follows_from_other_variables():
    found = play({"mnist": {}, "cifar": {"model_name": "mnist"}, "iris": {"serving_release": "mnist-deploy"},
                  "wine": {"serving_release": "mnist-deploy", "serving_namespace": "team-b"}, "iris_2": {}})
    assert found.alike("serving_release") == ["mnist", "cifar", "iris", "wine"]
    assert found.alike("serving_release", "serving_namespace") == ["mnist", "cifar", "iris"]
    assert found.alike("model_base_path") == ["mnist", "cifar"]
    assert sorted(found.hosts.read) == ["cifar", "iris", "iris_2", "wine"], "each is read once, and nobody reads oneself"


def test_one_of_two_that_was_given_at_launch_says_nothing_of_the_other():
    inventory = {"mnist": {}, "cifar": {"serving_namespace": "team-b"}}
    assert play(inventory, {"serving_release": "x"}).alike("serving_release") == ["mnist", "cifar"]
    assert play(inventory, {"serving_release": "x"}).alike("serving_release", "serving_namespace") == ["mnist"]
