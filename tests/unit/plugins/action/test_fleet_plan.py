"""One task that plans for all models of a play."""
from __future__ import annotations

import json
import types

import pytest
from ansible.errors import AnsibleError
from cluster_objects import CHART, install

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import wanted

COMPLETE = {
    "model_archive": "http://h/model.tar.gz", "model_node": "nas-node", "model_nas_server": "nas",
    "check_dataset": "http://h/data/", "gpu": False,
}


class Hostvars(dict):
    """As Ansible's: raw_get() gives a host's variables with their templates."""

    _variable_manager = types.SimpleNamespace(_extra_vars={})

    def raw_get(self, host):
        return {"inventory_hostname": host, **self[host]}


@pytest.fixture
def plan(api, tmp_path):
    install(api)

    def run(published=None, limit=None, tags=("all",), **models):
        hosts = Hostvars({"nas-node": {}, **{name: {**COMPLETE, **given} for name, given in models.items()}})
        looks = [{"models": published}] if published else None
        return api.run("fleet_plan", chart=str(CHART), looks=looks, file=str(tmp_path / "plan.json"), task_vars={
            "hostvars": hosts, "ansible_play_hosts_all": limit or sorted(models), "groups": {"models": sorted(models)},
            "ansible_run_tags": tags})
    return run


def test_two_models(plan, tmp_path):
    answer = plan(mnist={}, other={"serving_namespace": "models"})
    assert not answer["changed"] and answer["differing"] == ["mnist", "other"]
    assert answer["models"]["mnist"]["action"] == "change" and answer["models"]["other"]["action"] == "create"
    assert answer["summary"] == answer["table"][-1] == "2 models: 1 to create, 1 to change, 0 unchanged"
    assert json.loads((tmp_path / "plan.json").read_text()) == {key: answer[key] for key in ("models", "unmanaged", "summary")}


def test_who_is_to_run(plan):
    answer = plan(mnist={}, other={})
    assert answer["to_run"] == ["mnist", "other"] and answer["to_check"] == answer["due"] == answer["shown"] == []
    assert answer["known"] == {} and "known" not in answer["models"]["mnist"]


def test_the_nas(plan):
    answer = plan({"mnist": {"changed": True, "version": 4}}, mnist={}, other={})
    assert answer["models"]["mnist"]["changes"][0] == "publish version 4"
    assert not any("publish" in text for text in answer["models"]["other"]["changes"])


def test_wrong_variables_of_one(plan):
    answer = plan(mnist={"scaling_replicas": "two"}, other={})
    assert answer["models"]["mnist"]["action"] == "wrong" and "scaling_replicas" in answer["models"]["mnist"]["changes"][0]
    assert answer["models"]["other"]["action"] == "create" and answer["table"][0].startswith("x mnist  scaling_replicas")


def test_two_models_that_would_be_one(plan):
    answer = plan(a={"serving_release": "same"}, b={"serving_release": "same"}, c={})
    for name in "ab":
        assert answer["models"][name]["changes"][0].startswith("serving_release is same for a, b: ")
    assert answer["models"]["c"]["action"] == "create"


def test_what_belongs_to_no_model(plan, api):
    api.change("/apis/apps/v1/namespaces/default/deployments/mnist-deploy-serving", metadata={"labels": {
        "app.kubernetes.io/name": "acs-tensorflow-serving", "app.kubernetes.io/instance": "mnist-deploy"}})
    assert plan(other={})["unmanaged"] == ["default/mnist-deploy"]
    assert plan(other={}, mnist={})["unmanaged"] == []
    assert plan(other={}, mnist={}, limit=["other"])["unmanaged"] == []
    assert plan(other={}, mnist={"scaling_replicas": "two"})["unmanaged"] == [], "of one whose variables are wrong"


def test_a_file_that_cannot_be_written(api, plan, tmp_path):
    (tmp_path / "plan.json").mkdir()
    answer = plan(mnist={})
    assert answer["failure"]["code"] == "plan_not_written" and "plan_file is " in answer["msg"]


def test_how_often_the_cluster_is_asked(plan, api):
    counts = []
    for many in (2, 12):
        api.requests.clear()
        plan(**{"m%d" % number: {} for number in range(many)})
        counts.append(sum(one.method == "GET" for one in api.requests))
    assert counts[0] == counts[1] < 15


def test_a_model_whose_variables_cannot_be_worked_out(plan, monkeypatch):
    """It says so itself, and does not end the plan of the others."""
    def template(self, value):
        raise AnsibleError("'nobody_knows' is undefined")

    monkeypatch.setattr(wanted._Templates, "template", template)
    answer = plan(mnist={}, broken={"serving_release": "{{ nobody_knows }}"})
    assert answer["models"]["broken"]["action"] == "wrong" and "serving_release" in answer["models"]["broken"]["changes"][0]
    assert answer["models"]["mnist"]["action"] == "change"
