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
    ("version", 2.1, "serving_version is 2.1: use a release of TensorFlow Serving in quotes"),
    ("version", "latest", "serving_version is 'latest'"),
    ("version_policy", "pined", "serving_version_policy is 'pined': use one of latest, pinned"),
    ("rest_port", 9090, "serving_rest_port is 9090: serving_port, of gRPC, is the same"),
    ("rest_port", 0, "serving_rest_port"),
    ("monitoring", True, "serving_monitoring is True: metrics are served on the REST port: set serving_rest_port"),
    ("monitoring", "flase", "serving_monitoring is 'flase': use true or false"),
    ("gpu_memory_fraction", 1.5, "serving_gpu_memory_fraction is 1.5: use a number above 0, up to 1"),
    ("gpu_memory_fraction", "half", "serving_gpu_memory_fraction"),
    ("parallelism", -1, "serving_parallelism"),
    ("max_connection_age", "1m", "serving_max_connection_age"),
    ("batching", {"max_batchsize": 8}, "its keys are max_batch_size, batch_timeout_micros"),
    ("batching", {"max_batch_size": 0}, "max_batch_size is a whole number from 1"),
    ("batching", "max_batch_size", "serving_batching is 'max_batch_size': a mapping is needed"),
])
def test_a_wrong_value_is_named_with_the_way_out(name, value, says):
    with pytest.raises(Error) as error:
        values(**{name: value})
    assert says in error.value.message


@pytest.mark.parametrize(("image", "release"), [
    ("tensorflow/serving:2.15.1", (2, 15)),
    ("registry:5000/tensorflow/serving:2.8.0-gpu", (2, 8)),
    ("registry:5000/serving", None),
    ("registry:5000/serving@sha256:1" + "2.3" * 5, None),
    ("tensorflow/serving:1.15.0@sha256:" + "9" * 64, (1, 15)),
    ("my-1.2.3.example.com/serving:latest", None),
    ("serving:v2.15", (2, 15)),
])
def test_the_release_is_read_from_the_images_tag(image, release):
    """A connection age is set where the server is known to have that, since 1.6."""
    assert values(gpu=False, image=image).get("maxConnectionAgeSeconds") == (30 if release else None)
    old = {"gpu": False, "image": image, "version_policy": "pinned"}
    assert values(**old)["modelConfig"] == {"configMap": "mnist-deploy-model-config"}
    if release:
        with pytest.raises(Error, match=r"serving_version says 1\.14"):
            values(**old, version="1.14")


def test_serving_version_outranks_the_tag_and_gpu_picks_whose_tag():
    assert values(gpu=False, version="2.15.1")["maxConnectionAgeSeconds"] == 30
    images = {"image": "serving:1.4.0", "gpu_image": "serving:2.15.1-gpu"}
    assert "maxConnectionAgeSeconds" in values(gpu=True, **images)
    assert "maxConnectionAgeSeconds" not in values(gpu=False, **images)


@pytest.mark.parametrize(("settings", "age"), [
    ({"max_connection_age": "60"}, 60),
    ({"max_connection_age": 0}, 0),
    ({"max_connection_age": ""}, 30),
    # serving_args come last, so that the flag would be theirs.
    ({"args": "--grpc_channel_arguments=grpc.max_connection_age_ms=5000"}, None),
])
def test_connection_age(settings, age):
    assert values(image="s:2.15.1", gpu=False, **settings).get("maxConnectionAgeSeconds") == age


def test_pinned_takes_name_and_path_from_the_config_and_args_still_come_last():
    result = values(gpu=False, image="s:2.15.1", version_policy="pinned", args=["--file_system_poll_wait_seconds=5"])
    assert result["args"] == ["--port=9090", "--file_system_poll_wait_seconds=5"]
    assert result["modelConfig"] == {"configMap": "mnist-deploy-model-config"}
    assert "modelConfig" not in values(gpu=False, image="s:2.15.1", version_policy="")


def test_features_by_value():
    result = values(
        gpu=True, gpu_image="s:2.15.1", rest_port="8501", monitoring="yes", gpu_memory_fraction="0.5", parallelism="2",
        batching={"max_batch_size": "32", "batch_timeout_micros": 0},
    )
    assert result["restPort"] == 8501
    assert result["monitoring"] is True
    assert result["gpuMemoryFraction"] == 0.5
    assert result["parallelism"] == 2
    assert result["batching"] == {"max_batch_size": 32, "batch_timeout_micros": 0}


def test_what_is_not_asked_for_does_not_stand_in_the_release():
    result = values(
        gpu=False, rest_port="", monitoring=False, gpu_memory_fraction=0.5, parallelism="", batching="", drain="",
    )
    assert not {"restPort", "monitoring", "gpuMemoryFraction", "parallelism", "batching", "drainSeconds"} & set(result)


@pytest.mark.parametrize(("name", "value", "since", "too_old"), [
    ("gpu_memory_fraction", 0.5, "1.5", "1.4.0"),
    ("max_connection_age", 30, "1.6", "1.5"),
    ("rest_port", 8501, "1.8", "1.7.1"),
    ("monitoring", True, "1.11", "1.10.0"),
    ("version_policy", "pinned", "1.15", "1.14.0"),
])
def test_what_the_release_does_not_have_is_refused_in_words(name, value, since, too_old):
    needs = {"rest_port": 8501, "version": "1.10"} if name == "monitoring" else {}
    with pytest.raises(Error) as error:
        values(**{**needs, name: value, "gpu": True, "version": too_old})
    message = error.value.message
    assert "serving_%s is %r" % (name, value) in message
    assert "since %s, and serving_version says %s" % (since, too_old) in message
    assert "Use a newer image" in message and "serving_version" in message
    assert error.value.code == "feature_missing"
    values(**{**needs, name: value, "gpu": True, "version": since})
    values(**{**needs, name: value, "gpu": True, "version": "", "gpu_image": "serving:latest"})  # not known: allowed


def test_the_tag_is_named_where_the_release_comes_from_it():
    with pytest.raises(Error, match=r"the tag of registry:5000/s:1\.4\.0-devel says 1\.4\.0"):
        values(gpu=False, image="registry:5000/s:1.4.0-devel", rest_port=8501)


def test_batching_and_parallelism_are_as_old_as_1_4():
    assert values(gpu=False, batching={"max_batch_size": 8}, parallelism=1)["batching"] == {"max_batch_size": 8}


def test_gpu_memory_is_nobodys_business_without_a_gpu():
    assert "gpuMemoryFraction" not in values(gpu=False, version="1.4", gpu_memory_fraction=0.5)


def test_defaults_say_the_same_in_role_and_code():
    role = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    for name, value in _serving_values.DEFAULTS.items():
        assert role["serving_" + name] == ("" if value is None else value), name


def test_every_setting_is_handed_over():
    handed_over = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__serving_settings"]
    assert set(handed_over) == set(_serving_values.DEFAULTS) | set(SETTINGS) | {"gpu"}
