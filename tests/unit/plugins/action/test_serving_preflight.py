"""The module as a task. What it knows: plugin_utils/serving/test_preflight.py."""
from __future__ import annotations

import pytest
from cluster_objects import CHART, VALUES, install
from documented import both

from ansible_collections.mlops.tf_serving.plugins.action import serving_preflight


@pytest.fixture
def look(api, tmp_path):
    helm = tmp_path / "helm"
    helm.write_text("#!/bin/sh\necho v3.19.5\n")
    helm.chmod(0o755)
    return lambda **more: api.run("serving_preflight", **{
        "release": "mnist-deploy", "model_name": "mnist", "values": VALUES, "chart": str(CHART), "binary_path": str(helm), **more})


def test_what_it_takes():
    spec, told = both(serving_preflight)
    assert spec == told


def test_what_is_there(api, look, tmp_path):
    assert look()["upgrade_because"] == ["no_release"]
    install(api)
    answer = look()
    assert (answer["changed"], answer["upgrade"], answer["pods"]) == (False, False, ["pod-1"]) and not api.writes
    assert answer["helm"] == {"path": str(tmp_path / "helm"), "version": "v3.19.5"}
    assert look(namespace="models")["namespace_exists"] is False
    assert look(values={**VALUES, "port": 1})["upgrade_because"] == ["values"]


def test_helm_comes_first(api, look):
    answer = look(binary_path="/nowhere/helm")
    assert answer["failed"] and answer["failure"]["code"] == "helm_missing" and not api.requests


def test_gpus(look):
    wanted = {**VALUES, "gpuCount": 1}
    answer = look(values=wanted)
    assert answer["failed"] and answer["failure"]["code"] == "gpu_unavailable"
    assert "autoscaler" in look(values=wanted, gpu_preflight="warn")["warnings"][0]
    assert look(values=wanted, gpu_preflight="maybe")["failure"]["code"] == "option_invalid"
