"""The inventory plugin: hosts, groups, and what it says where it may not look."""
from __future__ import annotations

import importlib
import json

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.doc_fragments import constructed
from ansible_collections.kubernetes.core.plugins.doc_fragments import k8s_auth_options
from cluster_objects import DEPLOYMENT, RECORD, deployment, record

from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import settle

releases = importlib.import_module("ansible_collections.mlops.tf_serving.plugins.inventory.releases")
NAME = "mlops.tf_serving.releases"
OPTIONS = {
    **yaml.safe_load(k8s_auth_options.ModuleDocFragment.DOCUMENTATION)["options"],
    **yaml.safe_load(constructed.ModuleDocFragment.DOCUMENTATION)["options"], **yaml.safe_load(releases.DOCUMENTATION)["options"],
}


@pytest.fixture
def inventory(api, tmp_path):
    """What it makes of a file that says this."""
    api.add(RECORD, **record(values=settle("mnist", {"gpu": False})["serving"]["chart_values"]))
    api.add(DEPLOYMENT, **deployment(2))
    labels = {"app.kubernetes.io/name": "acs-tensorflow-serving", "app.kubernetes.io/instance": "mnist-deploy"}
    api.change(DEPLOYMENT, metadata={"labels": labels})
    constants.config.initialize_plugin_configuration_definitions("inventory", NAME, OPTIONS)

    def run(**content):
        path = tmp_path / "releases.tf_serving.yml"
        path.write_text(json.dumps({"plugin": NAME, **api.options, **content}))
        plugin, made = releases.InventoryModule(), InventoryData()
        plugin._load_name = plugin._original_path = NAME
        plugin._redirected_names = [NAME]  # as the loader sets them
        assert plugin.verify_file(str(path))
        plugin.parse(made, DataLoader(), str(path))
        return made
    return run


def test_it_takes_what_leads_to_the_api():
    assert set(specs.API) <= set(OPTIONS)


def test_a_host_and_its_variables(inventory, api):
    made = inventory()
    (host,) = made.groups["models"].get_hosts()
    assert host.name == "mnist" and not api.writes
    assert {"model_name": "mnist", "serving_release": "mnist-deploy", "serving_namespace": "default", "scaling_replicas": 2, "gpu": False,
            "release_status": "deployed", "release_revision": 1}.items() <= host.vars.items()
    assert "release_name" not in host.vars, "it is serving_release"


def test_nothing_deployed(inventory, api):
    api.objects.clear()
    assert inventory().groups["models"].get_hosts() == []


def test_groups_and_variables_of_ones_own(inventory):
    made = inventory(
        keyed_groups=[{"key": "serving_namespace", "prefix": "in"}], groups={"latest": "serving_version_policy == 'latest'"},
        compose={"twice": "scaling_replicas * 2"})
    for group in ("in_default", "latest"):
        assert [host.name for host in made.groups[group].get_hosts()] == ["mnist"]
    assert str(made.hosts["mnist"].vars["twice"]) == "4"  # text before core 2.19


@pytest.mark.parametrize("wrong", [
    {"compose": {"x": "nobody_knows"}}, {"groups": {"x": "nobody_knows"}}, {"keyed_groups": [{"key": "nobody_knows"}]}])
def test_strict(inventory, wrong):
    inventory(**wrong)
    with pytest.raises(Exception, match="nobody_knows"):
        inventory(**wrong, strict=True)


def test_namespaces(inventory, api):
    assert inventory(namespaces=["models"]).groups["models"].get_hosts() == []
    assert "mnist" in inventory(namespaces=["default"]).hosts


def test_what_it_may_not_see(inventory, api):
    api.forbidden.add(("GET", "secrets"))
    with pytest.raises(AnsibleParserError) as error:
        inventory()
    assert "secrets is forbidden. Name the namespaces that this account may look into, in namespaces." in str(error.value)


def test_a_cluster_that_is_not_there(inventory):
    with pytest.raises(AnsibleParserError, match="cannot be reached") as error:
        inventory(host="http://127.0.0.1:9")
    assert "in namespaces" not in str(error.value)


@pytest.mark.parametrize(("name", "takes"), [
    ("releases.tf_serving.yml", True), ("tf_serving.yaml", True), ("releases.yml", False), ("tf_serving.json", False)])
def test_which_files_are_its_own(tmp_path, name, takes):
    (tmp_path / name).write_text("plugin: " + NAME)
    assert releases.InventoryModule().verify_file(str(tmp_path / name)) == takes
    assert not releases.InventoryModule().verify_file(str(tmp_path / "not-there.tf_serving.yml"))
