"""A host that the inventory does not have."""
from __future__ import annotations

from documented import both
from run_action import run_action

from ansible_collections.mlops.tf_serving.plugins.action import model_node


def test_what_it_takes():
    spec, told = both(model_node)
    assert spec == told


def test_it_is_added_with_its_variables():
    answer = run_action(model_node, {"hostvars": {"mnist": {}}}, name="nas-node", variables={"ansible_host": "10.0.0.3"})
    assert answer["add_host"] == {"host_name": "nas-node", "groups": [], "host_vars": {"ansible_host": "10.0.0.3"}}


def test_one_that_is_known_keeps_its_own():
    assert run_action(model_node, {"hostvars": {"nas-node": {}}}, name="nas-node", variables={"ansible_host": "x"}) == {"changed": False}
