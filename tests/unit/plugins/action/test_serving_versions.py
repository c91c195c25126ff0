"""The module against model servers behind an API server."""
from __future__ import annotations

import fake_cluster
import pytest
from cluster_objects import DEPLOYMENT, MODEL_CONFIG
from documented import both
from fake_cluster import AVAILABLE, END, Server
from run_action import run_action

from ansible_collections.mlops.tf_serving.plugins.action import serving_versions
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import replica_versions
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.model_config import Model, message, resting, to_text

MNIST = Model("mnist", "/serving/model/mnist")


@pytest.fixture
def cluster(monkeypatch):
    monkeypatch.setattr(replica_versions, "POLL", 0.02)
    with fake_cluster.running(monkeypatch) as cluster:
        yield cluster


@pytest.fixture
def ask(cluster):
    def run(**options):
        return run_action(serving_versions, **{"release": "mnist-deploy", "model_name": "mnist", **cluster.options, **options})
    return run


def serving(*versions):
    server = Server(dict.fromkeys(versions))
    server.states = {"mnist": {version: (AVAILABLE, "") for version in versions}}
    return server


def test_what_it_takes():
    spec, told = both(serving_versions)
    assert spec == told


def test_what_they_say(cluster, ask):
    cluster.add_pod("a", Server({1: None, 2: None}, message(resting(1, 2), MNIST)))
    cluster.store(to_text(resting(1, 2), MNIST))
    answer = ask(canary=True)
    assert answer == {
        "changed": False, "deployed": True, "available": [1], "in_use": [1, 2], "problems": [],
        "config": {"stable": 1, "canary": 2, "versions": [1], "problem": None},
        "replicas": [{"pod": "a", "problem": None, "models": {
            "mnist": {"versions": [{"version": 1, "state": "AVAILABLE", "error": ""}], "serves": 1, "labels": {"stable": 1}},
            "mnist-canary": {"versions": [{"version": 2, "state": "AVAILABLE", "error": ""}], "serves": 2, "labels": {}},
        }}],
    }
    assert list(ask()["replicas"][0]["models"]) == ["mnist"], "without canary"
    assert ask(labels=["beta"])["replicas"][0]["models"]["mnist"]["labels"] == {}
    assert not cluster.writes


def test_the_models_name_is_said_to_the_server(cluster, ask):
    """A server has many models, and one that is asked for none says nothing."""
    cluster.add_pod("a", serving(1))
    assert ask()["available"] == [1]
    other = ask(model_name="digits")
    assert other["available"] == [] and other["replicas"][0]["models"]["digits"]["versions"] == []


def test_waits(cluster, ask):
    cluster.add_pod("a", serving(1))
    states = cluster.servers["a"].states["mnist"]
    later, status = [], cluster.servers["a"]._status

    def come(wire, context):
        later.append(1)
        if len(later) == 3:
            states[2] = (AVAILABLE, "")
        return status(wire, context)
    cluster.servers["a"]._status = come
    assert ask(expected=2, timeout=20)["available"] == [1, 2] and len(later) >= 3


def test_gives_up(cluster, ask):
    cluster.add_pod("a", serving(1))
    answer = ask(expected=2, timeout=0)
    assert answer["failed"] and answer["failure"]["code"] == "version_not_available"
    assert answer["failure"]["details"]["version"] == 2 and answer["failure"]["details"]["replicas"][0]["pod"] == "a"
    assert "Version 2 of mnist is not available on every replica after 0 s: pod a: it does not know version 2" in answer["msg"]


def test_check_mode_does_not_wait(cluster, ask):
    """What would have been published by now is not there."""
    cluster.add_pod("a", serving(1))
    assert ask(expected=2, check_mode=True)["available"] == [1]


def test_nothing_is_deployed(cluster, ask):
    del cluster.objects[DEPLOYMENT]
    answer = ask()
    assert (answer["deployed"], answer["replicas"], answer["config"]) == (False, [], None)


def test_a_config_of_others(cluster, ask):
    cluster.store("rubbish")
    answer = ask()
    assert "is not what this collection writes" in answer["config"]["problem"] and answer["config"]["stable"] is None
    del cluster.objects[MODEL_CONFIG]


@pytest.mark.parametrize("options", [{"expected": 0}, {"expected": -1}, {"versions": [1, 0]}])
def test_versions_begin_at_one(cluster, ask, options):
    answer = ask(**options)
    assert answer["failed"] and answer["failure"]["code"] == "option_invalid" and "whole numbers from 1" in answer["msg"]
    assert answer["msg"].startswith(next(iter(options))) and not cluster.requests


def test_without_rights(cluster, ask):
    cluster.add_pod("a", serving(1))
    cluster.forbidden = {("GET", "pods")}
    assert ask()["failure"]["code"] == "forbidden"


def test_what_had_failed_for_good(cluster, ask):
    cluster.add_pod("a", serving(1))
    cluster.servers["a"].states["mnist"][2] = (END, "Data loss")
    assert "version 2 of mnist is END: Data loss. The server does not try it again" in ask(expected=2, timeout=0)["msg"]
