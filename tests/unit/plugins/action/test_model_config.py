"""The module against model servers behind an API server. The walk itself: plugin_utils/serving/test_promotion.py."""
from __future__ import annotations

import fake_cluster
import pytest
from cluster_objects import CHECKS, MODEL_CONFIG
from documented import both
from fake_cluster import Server
from run_action import run_action

from ansible_collections.mlops.tf_serving.plugins.action import model_config
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import promotion
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.model_config import Model, message, resting, to_text

MNIST = Model("mnist", "/serving/model/mnist")


@pytest.fixture
def cluster(monkeypatch):
    monkeypatch.setattr(promotion, "POLL", 0.02)
    with fake_cluster.running(monkeypatch) as cluster:
        yield cluster


@pytest.fixture
def config(cluster):
    def run(**options):
        return run_action(model_config, **{
            "release": "mnist-deploy", "model_name": "mnist", "base_path": MNIST.base_path, "timeout": 20, **cluster.options, **options,
        })
    return run


def test_what_it_takes():
    spec, told = both(model_config)
    assert spec == told


def test_its_life(cluster, config):
    shown = config(stable=1, only_if_absent=True, check_mode=True, diff=True)
    assert shown["changed"] and cluster.config_map is None and cluster.requests[-1].query == {"dryRun": "All"}
    text = to_text(resting(1), MNIST)
    title = "ConfigMap mnist-deploy-model-config in namespace default models.config"
    assert shown["diff"] == {"before": "", "after": text, "before_header": title, "after_header": title}

    made = config(stable=1, only_if_absent=True)
    assert made == {
        "changed": True, "stable": 1, "canary": None, "versions": [1], "steps": [], "replicas": [], "diff": shown["diff"],
    }
    assert cluster.config_map == text
    assert cluster.objects[MODEL_CONFIG]["metadata"]["labels"] == {
        "app.kubernetes.io/name": "acs-tensorflow-serving", "app.kubernetes.io/instance": "mnist-deploy"}
    again = config(stable=5, only_if_absent=True)
    assert not again["changed"] and again["stable"] == 1 and again["diff"]["before"] == again["diff"]["after"] == text

    for pod in "ab":
        cluster.add_pod(pod, Server({1: None, 2: None}, message(resting(1), MNIST)))
    shown = config(canary=2, check_mode=True)
    assert shown["changed"] and cluster.config_map == text and not cluster.servers["a"].pushes
    made = config(canary=2)
    assert (made["changed"], made["stable"], made["canary"], made["replicas"]) == (True, 1, 2, ["a", "b"])
    assert made["steps"] == shown["steps"] == ["mnist serves 1, stable is 1; mnist-canary serves 2"] and made["diff"] == shown["diff"]
    assert all(server.available("mnist-canary") == {2} for server in cluster.servers.values())
    assert not config(canary=2)["changed"] and not config(canary=2, check_mode=True)["changed"]

    assert config(stable=2)["versions"] == [2] and cluster.config_map == to_text(resting(2), MNIST)

    shown = config(state="absent", check_mode=True)
    assert shown["changed"] and cluster.config_map
    gone = config(state="absent")
    assert gone == {"changed": True, "diff": [
        {"before": to_text(resting(2), MNIST), "after": "", "before_header": title, "after_header": title}]}
    assert gone["diff"] == shown["diff"] and cluster.config_map is None
    assert config(state="absent") == {"changed": False, "diff": []}


def test_the_results_of_the_check_are_forgotten_too(cluster, config):
    cluster.add(CHECKS, data={"results.json": "[]", "more": "x"})
    assert not config(state="absent")["changed"] and CHECKS in cluster.objects
    shown = config(state="absent", checks=True, check_mode=True)
    assert shown["changed"] and CHECKS in cluster.objects
    cluster.store("rubbish")
    gone = config(state="absent", checks=True)
    assert gone["changed"] and not {CHECKS, MODEL_CONFIG} & set(cluster.objects)
    assert [(one["before_header"].rpartition(" ")[2], one["before"]) for one in gone["diff"]] == [
        ("models.config", "rubbish"), ("more", "x"), ("results.json", "[]")]
    assert "ConfigMap mnist-deploy-check in namespace default" in gone["diff"][1]["before_header"]
    assert not config(state="absent", checks=True)["changed"]


def test_absent_asks_no_replica(cluster, config):
    cluster.add_pod("a", Server({1: None}, message(resting(1), MNIST)))
    cluster.store("rubbish")
    config(state="absent")
    assert not cluster.servers["a"].calls and not cluster.asked("GET", "/pods")


def test_one_without_data_goes_as_well(cluster, config):
    cluster.add(MODEL_CONFIG)
    assert config(state="absent") == {"changed": True, "diff": []} and MODEL_CONFIG not in cluster.objects


@pytest.mark.parametrize("option", ["stable", "canary"])
@pytest.mark.parametrize("version", [0, -2])
def test_versions_begin_at_one(cluster, config, option, version):
    answer = config(**{"stable": 1, option: version})
    assert answer["failed"] and answer["failure"]["code"] == "option_invalid" and not cluster.requests
    assert answer["msg"] == "%s is %d: versions of a model are whole numbers from 1." % (option, version)


def test_a_failure_says_what_is_put_back(cluster, config):
    cluster.store(to_text(resting(1), MNIST))
    cluster.add_pod("a", Server({1: None, 2: "Data loss"}, message(resting(1), MNIST)))
    answer = config(stable=2)
    assert answer["failed"] and answer["failure"]["code"] == "version_not_available"
    assert answer["failure"]["details"] == {"put_back": True, "pods": ["a"]} and "Everything is as before" in answer["msg"]


def test_warnings(cluster, config):
    assert config(stable=1)["warnings"] == [
        "No replica of release mnist-deploy is ready: the model config counts from the next start."]
