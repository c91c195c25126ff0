"""From a host's variables to one record: every name once, all problems at once."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import (
    HANDED_ON,
    VARIABLES,
    Wrong,
    misspelt,
    needed_by,
    settle,
)

SMALLEST = {
    "model_archive": "http://h/mnist.tar.gz", "model_node": "nas-node", "model_nas_server": "0fc8.nas.aliyuncs.com",
    "check_dataset": "http://h/mnist/",
}


def one(name, **given):
    """A settled value by its variable's name."""
    section, field = name.split("_", 1)
    return settle("mnist", {**SMALLEST, **given}, [section])[section][field]


def problems(*sections, required=(), hosts=("nas-node",), **given):
    with pytest.raises(Wrong) as error:
        settle("mnist", {**SMALLEST, **given}, *([sections] if sections else []), required=required, hosts=hosts)
    found = {problem["variable"]: problem["message"] for problem in error.value.details["problems"]}
    assert error.value.code == "settings_invalid" and error.value.problems == found
    return found


# Who says what a thing is called; each row has one value.
SAME = {
    "release": ("serving_release", "volume_release", "scaling_release", "check_release"),
    "namespace": ("serving_namespace", "volume_namespace", "scaling_namespace", "check_namespace"),
    "base path": ("model_base_path", "volume_path", "serving_mount_path"),
    "name that clients ask for": ("serving_model_name", "check_model_name"),
    "size": ("volume_size", "serving_storage"),
    "server": ("model_nas_server", "volume_server"),
    "port": ("serving_port", "check_port"),
}


@pytest.mark.parametrize(("thing", "given", "value"), [
    ("release", {}, "mnist-deploy"),
    ("release", {"model_name": "digits"}, "digits-deploy"),
    ("release", {"model_name": "digits", "serving_release": "blue"}, "blue"),
    ("namespace", {}, "default"),
    ("namespace", {"serving_namespace": "team-a"}, "team-a"),
    ("base path", {}, "/serving/model/mnist"),
    ("base path", {"model_name": "digits"}, "/serving/model/digits"),
    ("base path", {"model_base_path": "/models/digits", "model_name": "x"}, "/models/digits"),
    ("name that clients ask for", {}, "mnist"),
    ("name that clients ask for", {"model_name": "digits"}, "digits"),
    ("name that clients ask for", {"model_name": "digits", "serving_model_name": "d"}, "d"),
    ("size", {}, "5Gi"), ("size", {"volume_size": "7Gi"}, "7Gi"),
    ("server", {}, "0fc8.nas.aliyuncs.com"),
    ("port", {}, 9090), ("port", {"serving_port": "8500"}, 8500),
])
@pytest.mark.parametrize("blank", [None, "", " "])
def test_every_role_finds_the_same_name(thing, given, value, blank):
    unset = {name: blank for name in SAME[thing] if name not in SMALLEST}
    assert {one(name, **{**unset, **given}) for name in SAME[thing]} == {value}
    assert {one(name, **given) for name in SAME[thing]} == {value}


@pytest.mark.parametrize("name", ["volume_release", "scaling_release", "check_release"])
def test_a_role_may_have_a_name_of_its_own(name):
    assert one(name, **{name: "green"}) == "green" and one("serving_release", **{name: "green"}) == "mnist-deploy"


def test_the_smallest_inventory_is_complete():
    found = settle("mnist", SMALLEST, required=needed_by(["model", "volume", "serving", "scaling", "check"]), hosts=["nas-node"])
    assert list(found) == ["model", "volume", "serving", "scaling", "check"]
    assert found["volume"]["name"] == "default-mnist-deploy" and found["volume"]["model"] == "mnist"
    assert found["volume"]["claim"] == "mnist-deploy-acs-tensorflow-serving"
    assert found["scaling"]["deployment"] == "mnist-deploy-serving"
    assert found["serving"]["names"]["check"] == "mnist-deploy-check"
    assert found["serving"]["volume_labels"] == {"model": "mnist"}
    assert found["serving"]["gpu"] is True
    assert (found["serving"]["load_timeout"], found["serving"]["unschedulable_timeout"]) == (360, 30)
    assert found["check"]["served_name"] == "mnist"


@pytest.mark.parametrize(("given", "tags", "release"), [
    ({}, ["serve"], "1.4"),
    ({"gpu": False, "serving_image": "host:5000/serving:2.15.1", "serving_gpu_image": "x:1.4.0"}, ["serve"], "2.15"),
    ({"gpu": True, "serving_image": "host:5000/serving:2.15.1", "serving_gpu_image": "x:1.4.0"}, ["serve"], "1.4"),
    ({"gpu": False, "serving_image": "host:5000/serving:latest"}, ["serve"], ""),
    ({"serving_args": ["--saved_model_tags=serve,gpu"]}, ["serve", "gpu"], "1.4"),
    ({"serving_args": ["--saved_model_tags=a", "--rest", "--saved_model_tags=b"]}, ["b"], "1.4"),
    # What is wrong with the server's variables is no matter where only the model is looked at.
    ({"serving_args": 3, "gpu": False, "serving_image": "a b"}, ["serve"], ""),
])
def test_what_a_model_has_to_be_for_its_server(given, tags, release):
    found = settle("mnist", given, ["model"])["model"]
    assert (found["saved_model_tags"], found["server_release"]) == (tags, release)


def test_what_follows_from_variables():
    found = settle("mnist", {
        "volume_release": "a", "scaling_release": "b", "serving_gpu_preflight": "warn", "serving_timeout": 700, "serving_start_timeout": 60,
        "check_candidate": True, "check_model_name": "digits", "serving_version": "2.15.1", "serving_version_policy": " pinned ",
    })
    assert found["volume"]["claim"] == "a-acs-tensorflow-serving" and found["scaling"]["deployment"] == "b-serving"
    assert (found["serving"]["load_timeout"], found["serving"]["unschedulable_timeout"]) == (120, 700)
    assert found["check"]["served_name"] == "digits-canary"
    assert found["serving"]["pinned"] is True and found["serving"]["version_policy"] == "pinned"
    assert (found["model"]["saved_model_tags"], found["model"]["server_release"]) == (["serve"], "2.15")
    # pinned everywhere or nowhere: the chart mounts the ConfigMap that the role makes
    assert found["serving"]["chart_values"]["modelConfig"] == {"configMap": "mnist-deploy-model-config"}


@pytest.mark.parametrize(("given", "gpu"), [
    ({}, True), ({"gpu": False}, False), ({"gpu": "false"}, False), ({"gpu": "off "}, False), ({"gpu": ""}, True), ({"gpu": None}, True),
    ({"gpu": False, "serving_gpu": ""}, False), ({"gpu": False, "serving_gpu": None}, False), ({"gpu": False, "serving_gpu": True}, True),
])
def test_gpu(given, gpu):
    found = settle("mnist", given, ["serving"])["serving"]
    assert found["gpu"] is gpu
    assert found["chart_values"]["gpuCount"] == (1 if gpu else 0) and found["chart_values"]["image"].endswith("-gpu") is gpu


@pytest.mark.parametrize(("given", "replicas"), [
    ({}, 1), ({"scaling_replicas": 0}, 0), ({"scaling_replicas": "0"}, 0), ({"scaling_replicas": "4"}, 4),
    ({"scaling_replicas": None}, None), ({"scaling_replicas": "none"}, None), ({"scaling_replicas": "null"}, None),
])
def test_replicas(given, replicas):
    assert one("scaling_replicas", **given) == replicas


@pytest.mark.parametrize(("name", "given", "value"), [
    ("serving_pending_timeout", 0, 0), ("serving_pending_timeout", "0", 0), ("check_max_error_rate", 0, 0.0),
    ("check_max_error_rate", "", 15.0), ("check_max_error_rate", None, 15.0), ("check_max_difference", 0, 0.0),
    ("check_max_difference", "", None), ("check_tolerance", "0", 0.0), ("model_keep", "", 3), ("model_keep", 0, 0),
    ("model_rollback_reason", " ", "rolled back by hand"), ("volume_mode", 493, "755"), ("serving_version", 2.15, "2.15"),
    ("volume_nfs_version", 4.0, "4.0"), ("volume_nfs_version", 3, "3"), ("check_max_latency_ms", '{"p99":50}', {"p99": 50.0}),
    ("serving_resources", '{"limits": {"cpu": 1}}', {"limits": {"cpu": 1}}), ("model_checksum", "SHA256:" + "A" * 64, "SHA256:" + "A" * 64),
])
def test_zero_is_a_number_and_blank_is_the_default(name, given, value):
    assert one(name, **{name: given}) == value


@pytest.mark.parametrize(("given", "batch_size"), [
    ({}, None), ({"check_batch_size": 16}, 16), ({"check_batch_size": "16", "serving_batching": {"max_batch_size": 32}}, 16),
    ({"serving_batching": {"max_batch_size": "32"}}, 32), ({"serving_batching": {"max_batch_size": 64}}, None),
    ({"serving_batching": {"max_batch_size": 63}}, 63), ({"serving_batching": {"batch_timeout_micros": 100}}, None),
    ({"serving_batching": ""}, None),
])
def test_a_batch_that_is_chosen_is_none_that_servers_refuse(given, batch_size):
    assert one("check_batch_size", **given) == batch_size


@pytest.mark.parametrize(("name", "given", "value"), [
    ("check_expected_version", {}, None),
    ("check_expected_version", {"model_published": {"version": 1, "versions": [1, 2]}}, 2),
    ("check_expected_version", {"model_published": {"versions": [1, 2]}, "serving_status": {"stable": 1}}, 1),
    ("check_expected_version", {"check_expected_version": "5", "serving_status": {"stable": 3}}, 5),
    ("check_stable_version", {}, None),
    ("check_stable_version", {"serving_status": {"stable": 3}}, 3),
    ("check_stable_version", {"check_stable_version": "", "serving_status": {"stable": 3}}, 3),
    ("check_stable_version", {"check_stable_version": 2, "serving_status": {"stable": 3}}, 2),
    ("check_address", {}, ""),
    ("check_address", {"serving_status": {"address": "10.0.0.1:9090"}}, "10.0.0.1:9090"),
    ("check_address", {"check_address": "h:1", "serving_status": {"address": "10.0.0.1:9090"}}, "h:1"),
    ("check_address", {"serving_status": {"address": None}}, ""),
    ("model_in_use", {}, []), ("model_in_use", {"serving_status": {"in_use": [1, 2]}}, [1, 2]),
])
def test_what_a_run_has_found_is_a_default(name, given, value):
    assert one(name, **given) == value


@pytest.mark.parametrize(("given", "says"), [
    ({"gpu": "flase"}, "gpu is 'flase': use true or false (yes/no, on/off, 1/0; empty means true)."),
    ({"serving_port": 99999}, "serving_port is 99999: use a whole number from 1 to 65535."),
    ({"serving_port": True}, "serving_port is True: use a whole number from 1 to 65535."),
    ({"serving_gpu_count": 0}, "serving_gpu_count is 0: use a whole number from 1."),
    ({"serving_service_type": "Loadbalancer"}, "serving_service_type is 'Loadbalancer': use one of ClusterIP, NodePort, LoadBalancer."),
    ({"serving_release": "1mnist"}, "serving_release is '1mnist': use at most 40 lower case letters"),
    ({"serving_release": "m" * 41}, "use at most 40 lower case letters"),
    ({"serving_namespace": "a_b"}, "serving_namespace is 'a_b': use at most 63 lower case letters"),
    ({"serving_namespace": "a" * 64}, "use at most 63 lower case letters"),
    ({"serving_model_name": "a/b"}, "serving_model_name is 'a/b': use at most 200 bytes, without '/', ':' and control characters"),
    ({"model_name": "a:b"}, "model_name is 'a:b': use at most 200 bytes"),
    ({"model_name": "a\nb"}, "use at most 200 bytes"), ({"model_name": "a\x00b"}, "use at most 200 bytes"),
    ({"model_name": ".."}, "use at most 200 bytes"), ({"model_name": ".staging-x"}, "use at most 200 bytes"),
    ({"model_name": "é" * 101}, "use at most 200 bytes"), ({"model_name": "a" * 201}, "use at most 200 bytes"),
    ({"model_name": "\ud800"}, "use at most 200 bytes"),
    ({"model_name": ["a"]}, "model_name is ['a']: a text is needed."),
    ({"serving_release": "Bad_Name"}, "serving_release is 'Bad_Name': use at most 40 lower case letters"),
    ({"volume_model": "a b"}, "volume_model is 'a b': use at most 63 letters"),
    ({"serving_mount_path": "serving"}, "serving_mount_path is 'serving': use an absolute path, without '..'."),
    ({"serving_mount_path": "/a/../b"}, "use an absolute path, without '..'."),
    ({"serving_storage": "5 GB"}, "serving_storage is '5 GB': use a Kubernetes quantity such as 5Gi."),
    ({"serving_timeout": 10}, "serving_timeout is 10: a pod alone may take serving_start_timeout (300 s): use at least that."),
    ({"serving_gpu_preflight": "ignore"}, "use one of fail, warn."),
    ({"serving_image_pull_policy": "Sometimes"}, "use one of Always, IfNotPresent, Never."),
    ({"serving_image": "a b"}, "serving_image is 'a b': an image reference has no spaces."),
    ({"serving_resources": "lots"}, "serving_resources is 'lots': a mapping is needed."),
    ({"serving_tolerations": "gpu Exists"}, "serving_tolerations is 'gpu Exists': a list is needed."),
    ({"serving_drain": -1}, "serving_drain is -1: use a whole number from 0."),
    ({"serving_version": "latest"}, "serving_version is 'latest': use a release of TensorFlow Serving in quotes"),
    ({"serving_version_policy": "pined"}, "serving_version_policy is 'pined': use one of latest, pinned."),
    ({"serving_version": "2.15.1", "serving_rest_port": 9090},
     "serving_rest_port is 9090: serving_port, of gRPC, is the same: use another, 8501 for example."),
    ({"serving_rest_port": 0}, "serving_rest_port is 0: use a whole number from 1 to 65535."),
    ({"serving_version": "2.15.1", "serving_monitoring": True},
     "serving_monitoring is True: metrics are served on the REST port: set serving_rest_port, to 8501 for example."),
    ({"serving_monitoring": "flase"}, "serving_monitoring is 'flase': use true or false"),
    ({"serving_gpu_memory_fraction": 1.5}, "serving_gpu_memory_fraction is 1.5: use a number above 0, up to 1."),
    ({"serving_parallelism": -1}, "serving_parallelism is -1: use a whole number from 0."),
    ({"serving_max_connection_age": "1m"}, "serving_max_connection_age is '1m': use a whole number from 0."),
    ({"serving_batching": {"max_batch_size": 0}}, "max_batch_size is a whole number from 1."),
    ({"serving_volume_labels": {"model": "a b"}}, "'-', '_' and '.', with a letter or digit at both ends."),
    ({"volume_driver": "nfss"}, "volume_driver is 'nfss': use one of csi, flexvolume, nfs."),
    ({"volume_server": "nas:/serving"}, "volume_server is 'nas:/serving': give the NAS's address alone"),
    ({"volume_path": "/../x"}, "volume_path is '/../x': use an absolute path, without '..'."),
    ({"volume_nfs_version": "5"}, "volume_nfs_version is '5': use 3, 4.0 or 4.1."),
    ({"volume_name": "Pv"}, "volume_name is 'Pv': use at most 253 lower case letters"),
    ({"scaling_replicas": "two"}, "scaling_replicas is 'two': use a whole number from 0, or none to leave the count to"),
    ({"model_nas_server": "nas:/x"}, "model_nas_server is 'nas:/x': give the server's name or address alone"),
    ({"model_version": 0}, "model_version is 0: use a whole number from 1 to 9223372036854775807."),
    ({"model_rollback_to": 0}, "model_rollback_to is 0: use a whole number from 1"),
    ({"model_checksum": "md5:1"}, "model_checksum is 'md5:1': use sha256:HEX with 64 hex digits"),
    ({"model_warmup": 1001}, "model_warmup is 1001: use a whole number from 0 to 1000."),
    ({"model_warmup": 5, "check_dataset": ""}, "model_warmup is 5: the samples come from check_dataset, which is not set."),
    ({"model_base_path": "/other/mnist", "model_nas_export": "/serving"},
     "model_base_path is /other/mnist, which does not lie in model_nas_export /serving"),
    ({"model_archive": "ftp://h/x.tar.gz"}, "ftp:// is not supported"),
    ({"check_expected_version": 0}, "check_expected_version is 0: use a whole number from 1"),
    ({"check_tests": 0}, "check_tests is 0: use a whole number from 1."),
    ({"check_max_error_rate": 101}, "check_max_error_rate is 101: use a percentage from 0 to 100, such as 15."),
    ({"check_min_rate": 0}, "check_min_rate is 0: use a number above 0."),
    ({"check_max_latency_ms": {"p95": 1}}, "use a mapping of p50, p90, p99 and max to milliseconds, such as {p99: 50}."),
    ({"check_report": "/srv/report"}, "check_report is '/srv/report': use FILE.html, or a folder that ends in /"),
    ({"check_batch_size": 64, "serving_batching": {"max_batch_size": 32}},
     "check_batch_size is 64, and serving_batching.max_batch_size is 32: servers refuse larger requests."),
    ({"check_tls_ca_cert": "/ca.pem"}, "check_tls_ca_cert is '/ca.pem': check_tls is false: set check_tls to true"),
    ({"check_tls_server_name": "a"}, "check_tls_server_name is 'a': check_tls is false: set check_tls to true"),
    ({"check_tls": True, "check_tls_client_cert": "/a"}, "check_tls_client_cert is '/a': check_tls_client_key is not set, and a"),
    ({"check_tls": True, "check_tls_client_key": "/a"}, "check_tls_client_key is '/a': check_tls_client_cert is not set, and a"),
    ({"serving_tls_client_verify": True}, "serving_tls_client_verify is True: without TLS nobody shows a certificate"),
    ({"serving_tls_client_secret": "me"}, "serving_tls_client_secret is 'me': without TLS nobody shows a certificate"),
    ({"serving_tls_secret": "s", "serving_version": "2.15", "serving_tls_client_verify": True},
     "serving_tls_client_verify is True: the playbooks ask every replica, and would not be let in"),
    ({"serving_tls_secret": "s", "serving_version": "2.15", "serving_args": "--ssl_config_file=/x"},
     "serving_args is ['--ssl_config_file=/x']: with serving_tls_secret --ssl_config_file is the chart's"),
    ({"serving_tls_secret": "s", "serving_version": "2.15", "serving_command": []}, "serving_command is []: with serving_tls_secret"),
    ({"serving_tls_secret": "Secret a"}, "serving_tls_secret is 'Secret a': use at most 253 lower case letters"),
    ({"check_record": "yes"}, "check_record is True: check_golden does not say where: set it to the path of a file"),
])
def test_what_is_wrong_is_named_with_value_and_way_out(given, says):
    found = problems(**given)
    assert len(found) == 1
    (name, message), = found.items()
    assert says in message and name in given
    # Said once, whatever follows from it, and where it is asked for.
    assert problems(name.replace("gpu", "serving_gpu", name == "gpu").split("_")[0], **given) == found


def test_all_problems_at_once_and_what_follows_from_one_is_not_said_again():
    found = problems(
        serving_release="Blue", serving_namespace="a_b", model_name="a/b", gpu="flase", check_tests=0, serving_version_policy="x",
    )
    assert sorted(found) == ["check_tests", "gpu", "model_name", "serving_namespace", "serving_release", "serving_version_policy"]
    with pytest.raises(Wrong) as error:
        settle("mnist", {"check_tests": 0, "check_timeout": 0}, ["check"])
    assert error.value.message.splitlines() == [
        "2 variables are wrong:",
        "- check_tests is 0: use a whole number from 1.",
        "- check_timeout is 0: use a number above 0.",
    ]


def test_only_what_is_asked_for_is_looked_at():
    assert settle("mnist", {"check_tests": 0}, ["serving"])["serving"]["release"] == "mnist-deploy"


def test_a_default_that_cannot_be_says_what_it_follows_from():
    with pytest.raises(Wrong) as error:
        settle("team/mnist", {})
    assert list(error.value.problems) == ["model_name"]
    assert error.value.message.startswith("model_name is 'team/mnist': use at most 200 bytes")
    assert error.value.message.endswith(" It is the host's name in the inventory: set model_name for this host, or rename it.")


@pytest.mark.parametrize("name", [
    "fraud_detection", "Resnet50", "bert.v2", "3d-net", "-x-", "欺诈检测", "a b", "it's \"x\" \\ $(HOME) $$", "x" * 200,
    "mnist-canary",
])
def test_a_models_name_stays_as_written_wherever_it_is_a_name(name):
    found = settle(name, SMALLEST)
    assert {found["model"]["name"], found["serving"]["model_name"]} == {name}
    assert {found["check"]["model_name"], found["check"]["served_name"]} == {name}
    assert found == settle("another", {**SMALLEST, "model_name": name})
    assert settle(name, {"check_candidate": True}, ["check"])["check"]["served_name"] == name + "-canary"
    assert {found["model"]["base_path"], found["volume"]["path"], found["serving"]["mount_path"]} == {"/serving/model/" + name}
    assert found["volume"]["model"] == found["serving"]["volume_labels"]["model"]
    assert found["volume"]["claim"] == found["serving"]["names"]["claim"] == found["serving"]["release"] + "-acs-tensorflow-serving"


@pytest.mark.parametrize("value", [
    ["a"], [{}], [[]], {}, {"a": 1}, {"a": [1]}, "x", 5, -1, 1.5, True, "/", "..", "\x00", "a\nb", "[", "{", "\ud800",
], ids=repr)
def test_whatever_somebody_writes_is_answered_in_a_sentence(value):
    required = needed_by(["model", "volume", "serving", "scaling", "check"])
    for name in VARIABLES:
        try:
            settle("mnist", {**SMALLEST, name: value}, required=required, hosts=["nas-node"])
        except Wrong as wrong:
            assert name in wrong.message


@pytest.mark.parametrize(("missing", "says"), [
    ("model_archive", "model_archive is not set. Name the archive with the model: an http(s):// URL, file:///PATH on model_node"),
    ("model_node", "model_node is not set. Set it to the inventory name of a host that may mount the NAS"),
    ("check_dataset", "check_dataset is not set. Name the test data"),
    ("model_nas_server", "model_nas_server is not set. Set it to the mount target of the NAS"),
])
@pytest.mark.parametrize("blank", [None, " "])
def test_what_is_needed(missing, says, blank):
    required = needed_by(["model", "volume", "serving", "scaling", "check"])
    found = problems(required=required, **{missing: blank})
    assert list(found) == [missing] and found[missing].startswith(says)


def test_what_is_needed_by_some_roles():
    assert needed_by(["model"]) == ["model_archive", "model_nas_server", "model_node"]
    assert needed_by(["volume", "serving", "scaling"]) == ["volume_server"]
    assert needed_by(["check"]) == ["check_dataset"]
    found = problems("volume", required=["volume_server"], model_nas_server="")
    assert found["volume_server"].startswith("volume_server is not set. Set it, or model_nas_server, to the NAS's address")


def test_a_node_has_to_be_in_the_inventory_where_it_is_needed():
    found = problems("model", required=["model_node"], hosts=["other"])
    assert found["model_node"].startswith("model_node is 'nas-node', which is not in the inventory. Set it to the inventory name")
    assert "model_node_variables: {ansible_host: ADDRESS}" in found["model_node"]
    assert settle("mnist", SMALLEST, ["model"], hosts=["other"])["model"]["node"] == "nas-node"


def test_or_the_model_says_how_to_reach_it():
    reached = {**SMALLEST, "model_node_variables": {"ansible_host": "10.0.0.3"}}
    assert settle("mnist", reached, ["model"], ["model_node"], hosts=["other"])["model"]["node_variables"] == {"ansible_host": "10.0.0.3"}


@pytest.mark.parametrize(("name", "nearest"), [
    ("model_archve", "model_archive"), ("check_max_error_rte", "check_max_error_rate"), ("serving_replica", "scaling_replicas"),
    ("check_namspace", "check_namespace"), ("volume_namspace", "volume_namespace"), ("serving_host", None),
    ("model_owner", None), ("scaling_replica", "scaling_replicas"), ("volume_sizes", "volume_size"), ("my_model_archive", None),
])
def test_a_variable_that_is_nearly_one_of_ours(name, nearest):
    found = misspelt([name])
    assert list(found) == ([name] if nearest else [])
    if nearest:
        assert found[name].startswith("%s is no variable of this collection. Is it %s?" % (name, nearest))


def test_all_of_ours_and_what_roles_hand_on_are_known():
    assert misspelt([*VARIABLES, *HANDED_ON]) == {}


@pytest.mark.parametrize("given", [
    {"gpu": True, "serving_rest_port": 8501},  # the GPU image's release has no REST
    {"serving_timeout": 10}, {"model_warmup": 5, "check_dataset": ""}, {"check_tls_ca_cert": "/ca.pem"},
])
def test_to_see_or_remove_what_is_there_variables_need_not_suit_each_other(given):
    assert problems(**given)
    assert settle("mnist", {**SMALLEST, **given}, together=False)["serving"]["release"] == "mnist-deploy"
    with pytest.raises(Wrong, match="scaling_replicas"):
        settle("mnist", {**given, "scaling_replicas": "two"}, together=False)


def test_who_asks_over_tls_says_it_once():
    tls = {"serving_tls_secret": "s", "serving_version": "2.15", "serving_tls_client_verify": True}
    for ours in ({"serving_tls_client_secret": "me"}, {"check_tls_client_cert": "/c", "check_tls_client_key": "/k"}):
        found = settle("mnist", {**tls, **ours, "check_tls_server_name": "a"}, ["serving", "check"])
        for section in found.values():
            names = ("tls_ca_cert", "tls_client_cert", "tls_client_key", "tls_server_name", "tls_client_secret")
            assert {name: section[name] for name in names} == {
                "tls_ca_cert": "", "tls_server_name": "a", "tls_client_cert": ours.get("check_tls_client_cert", ""),
                "tls_client_key": ours.get("check_tls_client_key", ""), "tls_client_secret": ours.get("serving_tls_client_secret", "")}
        assert found["check"]["tls"] is True
    # Something else in front of the pods speaks for itself, and a file is theirs.
    assert settle("mnist", {**tls, **ours, "check_tls": False, "check_tls_ca_cert": "/ca"}, ["check"])["check"]["tls"] is False
