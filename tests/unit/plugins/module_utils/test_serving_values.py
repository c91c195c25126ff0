"""From role variables to chart values: typed, checked, gpu decided once."""
from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.mlops.tf_serving.plugins.module_utils import _serving_values
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

ROLE = Path(__file__).resolve().parents[4] / "roles" / "serving"
SETTINGS = {
    "release": "mnist-deploy", "model_name": "mnist", "mount_path": "/serving/model/mnist", "storage": "5Gi",
    "volume_labels": {"model": "mnist"},
}


def values(**settings):
    return _serving_values.chart_values({**SETTINGS, **settings})


def test_the_tutorials_values():
    result = values(gpu=True)
    assert result["image"].endswith(":1.4.0-devel-gpu")
    assert result["gpuCount"] == 1
    assert result["args"] == ["--port=9090", "--model_name=mnist", "--model_base_path=/serving/model/mnist"]
    assert result["persistence"] == {"pvc": {"storage": "5Gi", "matchLabels": {"model": "mnist"}}}
    assert "replicas" not in result


@pytest.mark.parametrize("gpu", [False, "false", "no", "off", "0", 0])
def test_without_gpu_image_and_count_change_together(gpu):
    result = values(gpu=gpu, gpu_count=2)
    assert result["image"].endswith(":1.4.0-devel")
    assert result["gpuCount"] == 0


@pytest.mark.parametrize("gpu", [True, "true", "Yes", "on", "1", 1, "", None])
def test_with_gpu(gpu):
    assert values(gpu=gpu, gpu_count="2")["gpuCount"] == 2


def test_numbers_from_a_survey_become_numbers_and_nothing_becomes_the_default():
    result = values(port="8500", start_timeout="", max_unavailable="1", run_as_user="1000", service_type="")
    assert (result["port"], result["startTimeoutSeconds"], result["maxUnavailable"]) == (8500, 300, 1)
    assert result["serviceType"] == "LoadBalancer"
    assert result["podSecurityContext"] == {"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000}


def test_words_become_lists_and_bools_become_words():
    result = values(args="--enable_batching --x='a b'", node_selector={"gpu": True}, image_pull_secrets=["mine"])
    assert result["args"][3:] == ["--enable_batching", "--x=a b"]
    assert result["nodeSelector"] == {"gpu": "true"}
    assert result["imagePullSecrets"] == [{"name": "mine"}]


@pytest.mark.parametrize(("name", "value", "says"), [
    ("gpu", "flase", "gpu is 'flase'"),
    ("port", "99999", "serving_port is 99999: use a whole number from 1 to 65535"),
    ("port", "http", "serving_port"),
    ("port", True, "serving_port"),
    ("gpu_count", 0, "serving_gpu_count is 0"),
    ("service_type", "Loadbalancer", "serving_service_type is 'Loadbalancer': use one of ClusterIP, NodePort, LoadBalancer"),
    ("release", "Mnist_deploy", "serving_release is 'Mnist_deploy'"),
    ("release", "1mnist", "serving_release"),
    ("release", "m" * 41, "at most 40"),
    ("namespace", "a_b", "serving_namespace"),
    ("model_name", "a b", "serving_model_name"),
    ("mount_path", "serving", "serving_mount_path"),
    ("storage", "5 GB", "serving_storage"),
    ("timeout", 10, "serving_timeout is 10"),
    ("gpu_preflight", "ignore", "serving_gpu_preflight"),
    ("image_pull_policy", "Sometimes", "serving_image_pull_policy"),
    ("resources", "lots", "serving_resources"),
    ("drain", -1, "serving_drain"),
])
def test_a_wrong_value_is_named_with_the_way_out(name, value, says):
    with pytest.raises(Error) as error:
        values(**{name: value})
    assert says in error.value.message


def test_defaults_say_the_same_in_role_and_code():
    role = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    for name, value in _serving_values.DEFAULTS.items():
        assert role["serving_" + name] == ("" if value is None else value), name


def test_every_setting_is_handed_over():
    handed_over = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__serving_settings"]
    assert set(handed_over) == set(_serving_values.DEFAULTS) | set(SETTINGS) | {"gpu"}
