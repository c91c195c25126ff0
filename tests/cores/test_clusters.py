"""One inventory, two clusters: each model goes to its own, by Helm as by the API. Told in order."""
from __future__ import annotations

import json

import pytest
from api_server import ApiServer

NO_CREDENTIAL = {"K8S_AUTH_HOST": "", "K8S_AUTH_API_KEY": ""}


@pytest.fixture(scope="module")
def us(world):
    made = ApiServer(world.nas)
    yield made
    made.close()


@pytest.fixture
def go(world, us, play, tmp_path):
    """Run a playbook of both models, which have the same release on different clusters."""
    servers = {"eu": world.cluster.url, "us": us.url}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps({
        "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in servers],
        "clusters": [{"name": name, "cluster": {"server": server}} for name, server in servers.items()],
        "users": [{"name": "me", "user": {"token": "token"}}], "current-context": "eu"}))
    world.models.update(serving_kubeconfig=str(path), serving_release="same")
    hosts = {"mnist": {"serving_context": "eu"}, "other": {"serving_context": "us", "scaling_replicas": 1, "serving_port": us.service_port}}
    return lambda playbook, *arguments, **more: play(
        playbook, *arguments, **{"hosts": hosts, "environment": NO_CREDENTIAL, **more})


def kinds(cluster):
    return sorted(key[1] for key in cluster.objects if key[3].startswith(("same-", "sh.helm", "default-same")))


def test_each_on_its_own(go, world, us):
    run = go("site", "--skip-tags", "check")
    assert run.rc == 0, run.failures
    assert kinds(world.cluster) == [
        "deployments", "persistentvolumeclaims", "persistentvolumes", "pods", "pods", "secrets", "services"]
    assert kinds(us) == ["deployments", "persistentvolumeclaims", "persistentvolumes", "pods", "secrets", "services"]


def test_plan_and_status(go, tmp_path):
    assert go("plan", plan_file=str(tmp_path / "plan")).rc == 0
    models = json.loads((tmp_path / "plan").read_text())["models"]
    assert [one["changes"] for one in models.values()] == [["version 1 never passed its check"]] * 2
    assert go("status", status_file=str(tmp_path / "status")).rc == 0
    models = json.loads((tmp_path / "status").read_text())["models"]
    assert {name: one["ready"] for name, one in models.items()} == {"mnist": 2, "other": 1}


def test_a_credential_that_would_hide_it(go, world, us):
    before = world.seen()
    run = go("site", environment={})
    assert run.rc != 0 and "serving_kubeconfig is " in run.failures
    assert "K8S_AUTH_HOST and K8S_AUTH_API_KEY in the environment" in run.failures and world.seen() == before


def test_what_goes_goes_there(go, world, us):
    run = go("teardown", "--limit", "other")
    assert run.rc == 0, run.failures
    assert kinds(us) == [] and len(kinds(world.cluster)) == 7
    hosts = {"third": {"serving_context": "eu"}, "first": {"serving_context": "us"}}
    run = go("teardown", hosts={name: {**given, "serving_release": name} for name, given in hosts.items()}, fleet_orphans="true")
    assert run.rc == 0, run.failures
    assert kinds(world.cluster) == []
