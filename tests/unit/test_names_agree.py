"""Every role finds the same names for the same model: alone, with all the others, and with '' for "not given"."""
from __future__ import annotations

import functools
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).resolve().parents[2] / "roles"
ALL = ("check", "model", "scaling", "serving", "volume")

# Who says what a thing is called; each row has one value.
SAME = {
    "release": ("serving_release", "volume_release", "scaling_release", "check_release"),
    "namespace": ("serving_namespace", "volume_namespace", "scaling_namespace", "check_namespace"),
    "base path": ("model_base_path", "volume_path", "serving_mount_path"),
    "name that clients ask for": ("serving_model_name", "check_model_name"),
    "model label": ("volume_model", "serving_volume_labels.model"),
    "size": ("volume_size", "serving_storage"),
    "server": ("model_nas_server", "volume_server"),
    "port": ("serving_port", "check_port"),
}
GIVEN = [
    {},
    {"model_name": "digits"},
    {"serving_release": "blue"},
    {"serving_namespace": "team-a"},
    {"serving_model_name": "digits"},
    {"model_base_path": "/models/digits"},
    {"model_nas_server": "nas"},
    {"volume_model": "digits"},
    {"volume_size": "7Gi"},
    {"serving_port": 8500},
]
# The internal name under which a role uses what may come as ''.
INTERNAL = {
    "volume_server": "__volume_server", "volume_path": "__volume_path", "volume_model": "__volume_model",
    "volume_namespace": "__volume_namespace", "volume_release": "__volume_release", "volume_name": "__volume_name",
    "scaling_namespace": "__scaling_namespace", "scaling_release": "__scaling_release",
    "serving_namespace": "__serving_namespace", "serving_release": "__serving_release",
    "serving_model_name": "__serving_model_name",
    "check_namespace": "__check_namespace", "check_release": "__check_release", "check_port": "__check_port",
    "check_model_name": "__check_model_name", "check_expected_version": "__check_expected_version",
    "model_base_path": "__model_base_path",
}


@functools.lru_cache(maxsize=None)
def variables_of(role, folder):
    path = ROLES / role / folder / "main.yml"
    return DataLoader().load_from_file(str(path), trusted_as_template=True) if path.is_file() else {}


def resolved(name, roles, given):
    """The variable as Ansible sees it in a play with these roles and these inventory variables."""
    variables = {"inventory_hostname": "mnist", "model_nas_server": "0fc8.nas.aliyuncs.com"}
    for role in roles:
        variables.update({**variables_of(role, "defaults"), **variables_of(role, "vars")})
    variables.update(given)
    return Templar(loader=DataLoader(), variables=variables).template(trust_as_template("{{ %s }}" % name))


@pytest.mark.parametrize("thing", SAME)
@pytest.mark.parametrize("given", GIVEN, ids=str)
def test_alone_and_together(thing, given):
    found = {}
    for name in SAME[thing]:
        role = name.split("_")[0]
        found["%s together" % name] = resolved(name, ALL, given)
        # A role alone sees its own defaults and the inventory's variables, of whatever prefix.
        if name.split(".")[0] in {**variables_of(role, "defaults"), **given}:
            found["%s alone" % name] = resolved(name, [role], given)
    assert len(set(map(str, found.values()))) == 1, found


@pytest.mark.parametrize("name", INTERNAL)
@pytest.mark.parametrize("together", [True, False], ids=["together", "alone"])
def test_an_empty_answer_means_the_default(name, together):
    roles = ALL if together else [name.split("_")[0]]
    assert resolved(INTERNAL[name], roles, {name: ""}) == resolved(name, roles, {})


@pytest.mark.parametrize(("found", "version"), [
    ({}, ""),
    ({"model_published": {"version": 1, "versions": [1, 2]}}, 2),  # an older archive in the inventory
    ({"model_published": {"version": 1, "versions": [1]}, "serving_status": {"stable": None}}, 1),
    ({"model_published": {"version": 2, "versions": [1, 2]}, "serving_status": {"stable": 1}}, 1),
    ({"model_published": {"version": 2, "versions": []}}, ""),
    ({"serving_status": {"stable": 3}}, 3),
    ({"check_expected_version": 5, "serving_status": {"stable": 3}}, 5),
])
def test_the_version_that_should_answer(found, version):
    assert resolved("check_expected_version", ["check"], found) == version
    assert resolved("__check_expected_version", ["check"], found) == version


def test_the_name_of_a_candidate():
    assert resolved("__check_model_name", ["check"], {"__check_name_suffix": "-canary"}) == "mnist-canary"


@pytest.mark.parametrize(("given", "batch_size"), [
    ({}, ""), ({"check_batch_size": 16}, 16), ({"check_batch_size": "16", "serving_batching": {"max_batch_size": 32}}, "16"),
    ({"serving_batching": {"max_batch_size": 32}}, 32), ({"serving_batching": {"max_batch_size": 512}}, ""),
    ({"serving_batching": {"batch_timeout_micros": 100}}, ""), ({"serving_batching": ""}, ""),
])
@pytest.mark.parametrize("roles", [("check",), ALL], ids=["alone", "together"])
def test_a_batch_that_is_chosen_is_none_that_servers_refuse(given, batch_size, roles):
    assert resolved("__check_batch_size", roles, given) == batch_size


@pytest.mark.parametrize(("found", "version"), [
    ({}, ""), ({"serving_status": {"stable": None}}, ""), ({"serving_status": {"stable": 3}}, 3),
    ({"check_stable_version": "", "serving_status": {"stable": 3}}, 3), ({"check_stable_version": 2, "serving_status": {"stable": 3}}, 2),
])
def test_the_version_to_compare_with(found, version):
    assert resolved("__check_stable_version", ["check"], found) == version
