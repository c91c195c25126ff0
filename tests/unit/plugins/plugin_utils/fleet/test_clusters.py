"""One inventory, several clusters: each is asked once, for its own models."""
from __future__ import annotations

import json

import fake_api
import pytest
from cluster_objects import CHART, DEPLOYMENT, install

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import clusters
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.wanted import Fleet
from plugins.action.test_fleet_plan import COMPLETE, Hostvars

EU, US = {"serving_context": "eu"}, {"serving_context": "us"}


@pytest.fixture
def world(api, tmp_path, monkeypatch):
    """Contexts eu, where a release is deployed, us, where none is, and down, where nobody answers."""
    install(api)
    api.change(DEPLOYMENT, metadata={"labels": {
        "app.kubernetes.io/name": "acs-tensorflow-serving", "app.kubernetes.io/instance": "mnist-deploy"}})
    api.us = fake_api.Api()
    with fake_api.serving(api.us) as us:
        hosts = {"eu": api.options["host"], "us": us["host"], "down": "http://127.0.0.1:9"}
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps({
            "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in hosts],
            "clusters": [{"name": name, "cluster": {"server": host}} for name, host in hosts.items()],
            "users": [{"name": "me", "user": {"token": fake_api.TOKEN}}], "current-context": "eu"}))
        monkeypatch.setenv("K8S_AUTH_KUBECONFIG", str(path))
        api.path = str(path)
        yield api


def ask(api, module, limit=None, **models):
    hosts = Hostvars({"nas-node": {}, **{name: {**COMPLETE, **given} for name, given in models.items()}})
    return api.run(module, host=None, api_key=None, **({"chart": str(CHART)} if module == "fleet_plan" else {}), task_vars={
        "inventory_hostname": sorted(models)[0], "hostvars": hosts, "ansible_play_hosts_all": limit or sorted(models),
        "groups": {"models": sorted(models)}, **hosts[sorted(models)[0]]})


@pytest.mark.parametrize(("module", "there", "missing"), [
    ("fleet_status", lambda one: one["ready"] == 1, lambda one: one["sick"] == ["not deployed"]),
    ("fleet_plan", lambda one: one["action"] == "change", lambda one: one["action"] == "create"),
])
def test_each_model_on_its_own(world, module, there, missing):
    models = ask(world, module, a={**US, "model_name": "mnist", "model_base_path": "/a"}, mnist=EU, c=US, d=EU)["models"]
    assert there(models["mnist"]) and all(missing(models[name]) for name in "acd")
    for cluster in (world, world.us):
        paths = [(one.path, str(one.query)) for one in cluster.requests if one.method == "GET"]
        assert len(paths) == len(set(paths)) > 3, "whatever the number of models"


@pytest.mark.parametrize("module", ["fleet_status", "fleet_plan"])
def test_the_first_models_cluster_is_not_everybodys(world, module):
    """The task runs once, as the first."""
    found = ask(world, module, first=US, mnist={})["models"]["mnist"]
    assert found.get("ready") == 1 or found.get("action") == "change"


@pytest.mark.parametrize(("module", "says"), [("fleet_status", "sick"), ("fleet_plan", "changes")])
def test_one_that_does_not_answer(world, module, says):
    models = ask(world, module, down={"serving_context": "down"}, lost={"serving_kubeconfig": "/nowhere"}, mnist=EU)["models"]
    assert "http://127.0.0.1:9 cannot be reached" in models["down"][says][0] and "/nowhere" in models["lost"][says][0]
    assert not any("reached" in sentence for sentence in models["mnist"][says])


@pytest.mark.parametrize("module", ["fleet_status", "fleet_plan"])
def test_none_that_answers(world, module):
    answer = ask(world, module, down={"serving_context": "down"})
    assert answer["failed"] and answer["failure"]["code"] == "cluster_unreachable"


def test_what_belongs_to_no_model_is_told_by_cluster(world):
    release = {"serving_release": "mnist-deploy", "model_name": "m"}
    assert ask(world, "fleet_plan", a={**US, **release}, b=EU)["unmanaged"] == ["default/mnist-deploy"]
    assert ask(world, "fleet_plan", a={**EU, **release}, b=EU)["unmanaged"] == []
    assert ask(world, "fleet_plan", ["b"], a={**EU, **release}, b=EU)["unmanaged"] == []
    assert ask(world, "fleet_plan", ["b"], a={**US, **release}, b=EU)["unmanaged"] == ["default/mnist-deploy"]


def test_two_of_one_name_on_two_clusters(world):
    found = ask(world, "fleet_plan", a={**US, "serving_release": "same"}, b={**EU, "serving_release": "same"})["models"]
    assert {one["action"] for one in found.values()} == {"create"}
    found = ask(world, "fleet_plan", a={**EU, "serving_release": "same"}, b={**EU, "serving_release": "same"})["models"]
    assert all(one["action"] == "wrong" and "serving_release is same for a, b" in one["changes"][0] for one in found.values())


def test_a_task_of_one_model_goes_there(world):
    def info(**variables):
        answer = world.run("serving_info", host=None, api_key=None, release="mnist-deploy", task_vars={
            "inventory_hostname": "mnist", **variables})
        return answer.get("msg") or bool(answer["status"]["deployment"])

    assert info(serving_context="eu") is True and info(serving_context="us") is False
    assert info(serving_context=" ") is True, "nobody answered: the kubeconfig's own"
    assert "cannot be reached" in info(serving_context="down")
    assert "/nowhere" in info(serving_kubeconfig="/nowhere")


def test_what_the_environment_hides(world, monkeypatch):
    monkeypatch.setenv("K8S_AUTH_HOST", world.options["host"])
    answer = world.run("serving_info", host=None, api_key=None, release="mnist-deploy", task_vars={
        "inventory_hostname": "mnist", **EU})
    assert answer["failure"]["code"] == "cluster_ambiguous"
    assert ask(world, "fleet_status", mnist=EU)["failure"]["code"] == "cluster_ambiguous"


def test_a_model_whose_cluster_cannot_be_told():
    hosts = Hostvars({"a": {"serving_context": ["eu"]}, "b": EU})
    fleet = Fleet(["a", "b"], hosts, None)
    assert clusters.by_cluster(fleet, ["a", "b"]) == {(): ["a"], (("context", "eu"),): ["b"]}
    assert clusters.reached(fleet, [], {}) == []
    with pytest.raises(Error):
        fleet.named("a", ["serving_context"])
