"""From role variables to chart values: typed, checked, gpu decided once."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import settle


def values(**settings):
    given = {name if name == "gpu" else "serving_" + name: value for name, value in settings.items()}
    return settle("mnist", given, ["serving"])["serving"]["chart_values"]


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


def test_everything_that_can_be_set_reaches_the_chart():
    result = values(
        gpu=True, gpu_count=2, image_pull_policy="Always", image_pull_secrets="mine", port=8500, service_type="ClusterIP",
        service_annotations={"a": 1}, command="/server", args=["--x"], mount_path="/m", storage="7Gi", volume_labels={"a": "b"},
        start_timeout=60, max_unavailable=1, drain=9, resources={"limits": {"cpu": 1}}, node_selector={"a": "b"},
        tolerations=[{"key": "gpu"}], affinity={"nodeAffinity": {}}, pod_annotations={"p": "q"}, run_as_user=0,
        pod_security_context={"fsGroup": 1}, security_context={"readOnlyRootFilesystem": True}, model_name="digits",
    )
    assert result == {
        "image": "registry.cn-hangzhou.aliyuncs.com/tensorflow-samples/tensorflow-serving:1.4.0-devel-gpu", "gpuCount": 2,
        "imagePullPolicy": "Always", "imagePullSecrets": [{"name": "mine"}], "port": 8500, "serviceType": "ClusterIP",
        "serviceAnnotations": {"a": "1"}, "command": ["/server"],
        "args": ["--port=8500", "--model_name=digits", "--model_base_path=/m", "--x"], "mountPath": "/m",
        "persistence": {"pvc": {"storage": "7Gi", "matchLabels": {"a": "b"}}}, "startTimeoutSeconds": 60, "maxUnavailable": 1,
        "drainSeconds": 9, "resources": {"limits": {"cpu": 1}}, "nodeSelector": {"a": "b"}, "tolerations": [{"key": "gpu"}],
        "affinity": {"nodeAffinity": {}}, "podAnnotations": {"p": "q"},
        "podSecurityContext": {"runAsUser": 0, "runAsGroup": 0, "fsGroup": 1}, "securityContext": {"readOnlyRootFilesystem": True},
    }


def test_a_name_is_no_variable_of_the_container():
    """Kubernetes replaces $(NAME) and $$ in arguments, and nothing in a mount's path."""
    result = values(model_name="$(HOME) $$ $", mount_path="/serving/model/$(HOME)")
    assert result["args"][1:] == ["--model_name=$$(HOME) $$$$ $$", "--model_base_path=/serving/model/$$(HOME)"]
    assert result["mountPath"] == "/serving/model/$(HOME)"


def test_words_become_lists_and_bools_become_words():
    result = values(args="--enable_batching --x='a b'", node_selector={"gpu": True}, image_pull_secrets=["mine"])
    assert result["args"][3:] == ["--enable_batching", "--x=a b"]
    assert result["nodeSelector"] == {"gpu": "true"}
    assert result["imagePullSecrets"] == [{"name": "mine"}]


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
    ("tls_secret", "mnist-tls", "1.10", "1.9.0"),
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
    assert error.value.code == "settings_invalid"
    values(**{**needs, name: value, "gpu": True, "version": since})
    values(**{**needs, name: value, "gpu": True, "version": "", "gpu_image": "serving:latest"})  # not known: allowed


def test_the_tag_is_named_where_the_release_comes_from_it():
    with pytest.raises(Error, match=r"the tag of registry:5000/s:1\.4\.0-devel says 1\.4\.0"):
        values(gpu=False, image="registry:5000/s:1.4.0-devel", rest_port=8501)


def test_batching_and_parallelism_are_as_old_as_1_4():
    assert values(gpu=False, batching={"max_batch_size": 8}, parallelism=1)["batching"] == {"max_batch_size": 8}


def test_gpu_memory_is_nobodys_business_without_a_gpu():
    assert "gpuMemoryFraction" not in values(gpu=False, version="1.4", gpu_memory_fraction=0.5)


def test_pods_are_restricted_where_nothing_asks_for_root():
    restricted = values(gpu=True)
    assert restricted["podSecurityContext"] == {"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000}
    assert restricted["securityContext"] == {"readOnlyRootFilesystem": True}
    assert values(run_as_user=7)["podSecurityContext"]["runAsUser"] == 7
    for root in ({"run_as_user": "0"}, {"port": 80}, {"rest_port": 443, "version": "2.15"}, {"pod_security": "baseline"}):
        assert "securityContext" not in values(**root) and "runAsNonRoot" not in values(**root).get("podSecurityContext", {})
    assert values(port=1024)["securityContext"] == restricted["securityContext"]
    assert values(security_context={"readOnlyRootFilesystem": False})["securityContext"] == {"readOnlyRootFilesystem": False}


def test_what_is_not_restricted_has_the_images_user():
    assert "podSecurityContext" not in values(pod_security="baseline")
    assert values(pod_security="baseline", run_as_user=7)["podSecurityContext"]["runAsUser"] == 7


@pytest.mark.parametrize(("settings", "says"), [
    ({"run_as_user": 0}, "serving_run_as_user is 0: restricted pods do not run as root"),
    ({"port": 1023}, "serving_port is 1023: ports below 1024 are root's"),
    ({"rest_port": 443, "version": "2.15"}, "serving_rest_port is 443: ports below 1024 are root's"),
])
def test_what_restricted_pods_cannot_do(settings, says):
    with pytest.raises(Error) as error:
        values(pod_security="restricted", **settings)
    assert says in error.value.message and "serving_pod_security: baseline" in error.value.message


def test_tls():
    assert values(gpu=False, image="s:2.15.1", tls_secret="mnist-tls")["tls"] == {"secret": "mnist-tls"}
    both = values(gpu=False, image="s:2.15.1", tls_secret="mnist-tls", tls_client_verify="yes", tls_client_secret="me")
    assert both["tls"] == {"secret": "mnist-tls", "clientVerify": True}
    assert not {"tls", "networkPolicy"} & set(values())


def test_who_may_ask():
    peers = [{"podSelector": {"matchLabels": {"app": "shop"}}}]
    assert values(network_policy=peers)["networkPolicy"] == values(network_policy=peers[0])["networkPolicy"] == peers
    for wrong in ([{}], [{"podSelektor": {}}], [{"ipBlock": "10.0.0.0/8"}], "10.0.0.0/8"):
        with pytest.raises(Error, match="serving_network_policy"):
            values(network_policy=wrong)
