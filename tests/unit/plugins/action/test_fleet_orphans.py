"""Which releases belong to no model: they are going to be removed."""
from __future__ import annotations

import copy
import json

import fake_api
import pytest
from cluster_objects import CHECKS, DEPLOYMENT, RECORD, deployment, install, record
from documented import both

from ansible_collections.mlops.tf_serving.plugins.action import fleet_orphans
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import volume
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import settle
from plugins.action.test_fleet_plan import Hostvars

LABELS = {"app.kubernetes.io/name": "acs-tensorflow-serving", "app.kubernetes.io/instance": "mnist-deploy"}
KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
MODELS = {"other": {}}
MNIST = {"mnist": {}}
EU, US = {"serving_context": "eu"}, {"serving_context": "us"}


@pytest.fixture
def there(api):
    """The release of mnist."""
    install(api)
    made = deployment()
    api.objects.pop(DEPLOYMENT)
    api.add(DEPLOYMENT, **{**made, "metadata": {**made["metadata"], "labels": {**made["metadata"]["labels"], **LABELS}}})
    api.add(CHECKS, data={})
    return api


def ask(api, models, limit=None, wanted="true", variables=None, **options):
    answer = api.run("fleet_orphans", wanted=wanted, task_vars={
        "hostvars": Hostvars({"nas-node": {}, **models}), "ansible_play_hosts_all": limit or sorted(models), "inventory_hostname": "other",
        "groups": {"models": sorted(models)}, **(variables or {})}, **options)
    assert not api.writes
    return answer


def names(answer):
    return [orphan["name"] for orphan in answer["orphans"]]


def test_what_it_takes():
    spec, told = both(fleet_orphans)
    assert spec == told


def test_one(there):
    answer = ask(there, MODELS)
    assert not answer["changed"] and answer["wanted"] is True and answer["hosts"] == ["other"]
    assert answer["orphans"] == [{
        "name": "default/mnist-deploy", "namespace": "default", "release": "mnist-deploy", "model_name": "mnist",
        "claim": "mnist-deploy-acs-tensorflow-serving", "volume": "", "status": "deployed", "updated": "2026-11-25T11:00:00Z",
        "host": "other"}]
    assert answer["lines"] == [
        "- default/mnist-deploy  deployed since 2026-11-25T11:00:00Z, model mnist, volume none that is known",
        "1 release of no model of this inventory. The data on the NAS stay."]


def test_its_volume(there):
    made = volume.manifest({**settle("mnist", {"model_nas_server": "nas"})["volume"], "claim_namespace": "default", "state": "present"})
    foreign = copy.deepcopy(made)
    foreign["metadata"]["labels"] = {}
    there.add("/api/v1/persistentvolumes/theirs", **foreign)
    assert ask(there, MODELS)["orphans"][0]["volume"] == ""
    there.add("/api/v1/persistentvolumes/mine", **made)
    assert ask(there, MODELS)["orphans"][0]["volume"] == "mine"
    assert "volume mine" in ask(there, MODELS)["lines"][0]


@pytest.mark.parametrize("models", [MNIST, {**MODELS, **MNIST}, {"other": {"serving_release": "mnist-deploy"}}])
def test_a_release_of_a_model(there, models):
    answer = ask(there, models)
    assert answer["orphans"] == [] and answer["lines"] == ["0 releases of no model of this inventory. The data on the NAS stay."]


def test_a_release_of_a_model_outside_the_limit(there):
    assert names(ask(there, {**MODELS, **MNIST}, limit=["other"])) == []


@pytest.mark.parametrize("models", [
    {"other": {"serving_namespace": "models"}}, {"other": {"serving_namespace": "models"}, "third": {"serving_namespace": "default"}}])
def test_only_in_the_namespaces_of_the_play(there, models):
    assert names(ask(there, models, limit=["other"])) == []
    assert {one.path.split("/")[-2] for one in there.requests if one.path.endswith("/secrets")} == {"models"}


def test_of_another_chart(there):
    there.objects.pop(RECORD)
    there.add(RECORD, **record(chart={"metadata": {"name": "acs-tensorflow-serving-2"}}))
    assert names(ask(there, MODELS)) == []


@pytest.mark.parametrize("wrong", [{"model_name": "a/b"}, {"serving_release": "No"}, {"serving_context": ["eu"]}])
@pytest.mark.parametrize("limit", [None, ["other"]])
def test_a_model_whose_release_cannot_be_told(there, wrong, limit):
    answer = ask(there, {**MODELS, "broken": wrong}, limit=limit)
    assert answer["failure"]["code"] == "orphans_uncertain" and answer["msg"].startswith("Which release is broken's cannot be told")


@pytest.mark.parametrize(("wanted", "found"), [(True, 1), ("yes", 1), ("1", 1), (False, None), ("no", None)])
def test_asked_for_in_so_many_words(there, wanted, found):
    answer = ask(there, MODELS, wanted=wanted)
    assert answer["wanted"] == bool(found) and len(answer["orphans"]) == (found or 0)


@pytest.mark.parametrize("wanted", ["ture", "please", "2", None, ""])
def test_what_is_neither_yes_nor_no(there, wanted):
    assert ask(there, MODELS, wanted=wanted)["failure"]["code"] == "option_invalid"


def test_a_slice_of_a_job(there):
    job = {"awx_job_template_name": "tear down", "awx_workflow_job_name": "tear down"}
    assert ask(there, MODELS, variables=job)["failure"]["code"] == "orphans_uncertain"
    assert names(ask(there, MODELS, variables={**job, "awx_workflow_job_name": "nightly"}))
    assert names(ask(there, MODELS, variables={"awx_job_template_name": "tear down"}))


@pytest.fixture
def world(there, tmp_path, monkeypatch):
    """Contexts eu and again, which are one cluster, us, and down."""
    there.us = fake_api.Api()
    there.add(KUBE_SYSTEM)
    there.us.add(KUBE_SYSTEM, metadata={"uid": "of us"})
    for path, thing in there.objects.items():
        if "mnist-deploy" in path:
            there.us.objects[path] = copy.deepcopy(thing)
    with fake_api.serving(there.us) as us:
        hosts = {"eu": there.options["host"], "again": there.options["host"] + "/", "us": us["host"], "down": "http://127.0.0.1:9"}
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps({
            "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in hosts],
            "clusters": [{"name": name, "cluster": {"server": host.rstrip("/")}} for name, host in hosts.items()],
            "users": [{"name": "me", "user": {"token": fake_api.TOKEN}}], "current-context": "eu"}))
        monkeypatch.setenv("K8S_AUTH_KUBECONFIG", str(path))
        yield there


def on_clusters(api, limit=None, **models):
    answer = ask(api, models, limit=limit, host=None, api_key=None)
    return [(orphan["name"], orphan["host"]) for orphan in answer["orphans"]]


def test_each_cluster_has_its_own(world):
    release = "default/mnist-deploy"
    assert on_clusters(world, other=EU, third=US) == [(release, "other"), (release, "third")]
    assert on_clusters(world, other=EU, third=US, mnist=US) == [(release, "other")]
    assert on_clusters(world, other=EU, third=EU, mnist=US) == [(release, "other")]


def test_two_ways_to_one_cluster(world):
    assert on_clusters(world, other=EU, third={"serving_context": "again"}) == [("default/mnist-deploy", "other")]
    assert on_clusters(world, other=EU, mnist={"serving_context": "again"}) == []
    assert on_clusters(world, other={}, mnist=EU) == []


def test_a_model_on_a_cluster_that_was_not_asked(world):
    """It may be another way to the same."""
    assert on_clusters(world, ["other"], other=EU, mnist=US) == []


@pytest.mark.parametrize("forbidden", [["eu"], ["us"], ["eu", "us"]])
def test_clusters_that_cannot_be_told_apart(world, forbidden):
    for name in forbidden:
        {"eu": world, "us": world.us}[name].objects.pop(KUBE_SYSTEM)
    assert on_clusters(world, other=EU, mnist=US) == []
    assert len(on_clusters(world, other=EU, third=US)) == (1 if len(forbidden) == 2 else 2)


def test_a_cluster_that_does_not_answer(world):
    down = {"serving_context": "down"}
    answer = ask(world, {"other": EU, "lost": down}, host=None, api_key=None)
    assert names(answer) == ["default/mnist-deploy"]
    assert answer["warnings"][0].startswith("What belongs to no model is not looked for where lost is: ")
    assert names(ask(world, {"other": EU, "mnist": down}, host=None, api_key=None)) == []
