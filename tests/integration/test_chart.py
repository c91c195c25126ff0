"""The chart, rendered by the real Helm. Needs the helm binary only, no cluster."""
from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tf_lab import settings

CHART = Path(__file__).resolve().parents[2] / "roles" / "serving" / "files" / "acs-tensorflow-serving"
HELM = shutil.which("helm", path="%s:%s" % (settings.BIN, os.environ["PATH"]))

pytestmark = pytest.mark.skipif(HELM is None, reason="no helm in PATH and none built by the lab")


def helm(*arguments):
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False, timeout=60)


def render(tmp_path, kubernetes="1.34.4", **values):
    (tmp_path / "values.json").write_text(json.dumps(values))
    done = helm(
        "template", "mnist-deploy", str(CHART), "--namespace", "models", "--kube-version", kubernetes,
        "--values", str(tmp_path / "values.json"),
    )
    assert done.returncode == 0, done.stderr
    return {thing["kind"]: thing for thing in yaml.safe_load_all(done.stdout) if thing}


def container(objects):
    return objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]


def test_lint():
    done = helm("lint", "--strict", "--quiet", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tutorials_names_and_defaults(tmp_path):
    objects = render(tmp_path)
    assert set(objects) == {"Deployment", "Service", "PersistentVolumeClaim", "PodDisruptionBudget"}
    assert objects["Deployment"]["metadata"]["name"] == "mnist-deploy-serving"
    assert objects["Service"]["metadata"]["name"] == "mnist-deploy-acs-tensorflow-serving"
    assert objects["PersistentVolumeClaim"]["metadata"]["name"] == "mnist-deploy-acs-tensorflow-serving"
    assert container(objects)["resources"] == {"limits": {"nvidia.com/gpu": 1}}
    assert objects["Service"]["spec"]["type"] == "LoadBalancer"
    assert objects["Service"]["spec"]["ports"] == [{"name": "grpc", "port": 9090, "targetPort": "grpc"}]
    assert objects["PersistentVolumeClaim"]["spec"]["storageClassName"] == ""


def test_selectors_agree(tmp_path):
    objects = render(tmp_path)
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert objects["Service"]["spec"]["selector"] == labels
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels


def test_a_release_has_its_own_pods(tmp_path):
    """Another release of the chart in the same namespace differs by the instance alone."""
    objects = render(tmp_path)
    spec = objects["Deployment"]["spec"]["template"]["spec"]
    own = {"app.kubernetes.io/name": "acs-tensorflow-serving", "app.kubernetes.io/instance": "mnist-deploy"}
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"] == own
    assert spec["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"] == own
    for thing in objects.values():
        assert own.items() <= thing["metadata"]["labels"].items()


def test_a_drained_node_takes_one_replica_at_a_time(tmp_path):
    assert render(tmp_path)["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize(("values", "policy"), [({}, "IfNotPresent"), ({"imagePullPolicy": "Always"}, "Always")])
def test_pull_policy(tmp_path, values, policy):
    assert container(render(tmp_path, **values))["imagePullPolicy"] == policy


def test_nobody_writes_to_the_model(tmp_path):
    (mount,) = container(render(tmp_path))["volumeMounts"]
    assert mount == {"name": "model", "mountPath": "/serving/model/mnist", "readOnly": True}


@pytest.mark.parametrize(("values", "replicas"), [({}, None), ({"replicas": 0}, 0), ({"replicas": 3}, 3)])
def test_replicas_only_if_set(tmp_path, values, replicas):
    assert render(tmp_path, **values)["Deployment"]["spec"].get("replicas") == replicas


def test_without_gpu_there_is_no_limit(tmp_path):
    assert "resources" not in container(render(tmp_path, gpuCount=0))


def test_gpu_stands_beside_other_limits(tmp_path):
    resources = container(render(tmp_path, gpuCount=2, resources={
        "requests": {"cpu": "500m"}, "limits": {"memory": "1Gi"}}))["resources"]
    assert resources == {"requests": {"cpu": "500m"}, "limits": {"memory": "1Gi", "nvidia.com/gpu": 2}}


def test_probes_and_update(tmp_path):
    objects = render(tmp_path, startTimeoutSeconds=900, maxUnavailable=1)
    probed = container(objects)
    assert "livenessProbe" not in probed
    assert probed["startupProbe"] == {"tcpSocket": {"port": "grpc"}, "periodSeconds": 1, "failureThreshold": 900}
    assert probed["readinessProbe"] == {"tcpSocket": {"port": "grpc"}, "periodSeconds": 1}
    assert objects["Deployment"]["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 1}
    assert objects["Deployment"]["spec"]["progressDeadlineSeconds"] > 900


@pytest.mark.parametrize(("kubernetes", "action"), [
    ("1.34.4", {"sleep": {"seconds": 7}}),
    ("1.30.1-aliyun.1", {"sleep": {"seconds": 7}}),
    ("1.29.9", {"exec": {"command": ["sleep", "7"]}}),
])
def test_drain(tmp_path, kubernetes, action):
    objects = render(tmp_path, kubernetes, drainSeconds=7)
    assert container(objects)["lifecycle"] == {"preStop": action}
    assert objects["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > 7


@pytest.mark.parametrize(("age", "drain"), [(0, 5), (30, 40), (31, 42), (300, 337)])
def test_the_drain_outlives_every_connection(tmp_path, age, drain):
    """gRPC spreads the age by a tenth, and the last requests get 5 s: with 2 s to spare."""
    objects = render(tmp_path, maxConnectionAgeSeconds=age)
    assert container(objects)["lifecycle"] == {"preStop": {"sleep": {"seconds": drain}}}
    assert objects["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == drain + 3
    assert container(render(tmp_path, maxConnectionAgeSeconds=age, drainSeconds=9))["lifecycle"]["preStop"]["sleep"] == {
        "seconds": 9}


def test_no_drain(tmp_path):
    assert "lifecycle" not in container(render(tmp_path, drainSeconds=0))


def test_restricted_pod_security(tmp_path):
    objects = render(tmp_path, podSecurityContext={"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000})
    spec = objects["Deployment"]["spec"]["template"]["spec"]
    assert spec["securityContext"] == {
        "runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(objects)["securityContext"] == {
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False


def test_a_root_file_system_that_is_read_only_leaves_a_place_for_temporary_files(tmp_path):
    objects = render(tmp_path, securityContext={"readOnlyRootFilesystem": True})
    assert {"name": "tmp", "mountPath": "/tmp"} in container(objects)["volumeMounts"]
    assert {"name": "tmp", "emptyDir": {}} in objects["Deployment"]["spec"]["template"]["spec"]["volumes"]
    assert container(objects)["env"] == [{"name": "HOME", "value": "/tmp"}]
    assert "env" not in container(render(tmp_path))


def test_who_may_ask(tmp_path):
    peers = [{"namespaceSelector": {"matchLabels": {"team": "shop"}}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}]
    policy = render(tmp_path, networkPolicy=peers)["NetworkPolicy"]
    assert policy["spec"] == {
        "podSelector": {"matchLabels": {
            "app.kubernetes.io/name": "acs-tensorflow-serving", "app.kubernetes.io/instance": "mnist-deploy"}},
        "policyTypes": ["Ingress"], "ingress": [{"from": peers, "ports": [{"port": "grpc"}]}],
    }
    policy = render(tmp_path, networkPolicy=peers, restPort=8501)["NetworkPolicy"]
    assert policy["spec"]["ingress"][0]["ports"] == [{"port": "grpc"}, {"port": "http"}]


PEM = "-----BEGIN %s-----\nMIIC+/=\nabc\n-----END %s-----\n"
FILES = {
    # Windows' line ends, what stands around a certificate, several of them, and no line end at the end: as people have them.
    "tls.key": PEM % ("PRIVATE KEY", "PRIVATE KEY"), "tls.crt": 'subject "a\\b"\n' + 2 * PEM % (4 * ("CERTIFICATE",)),
    "ca.crt": (PEM % ("CERTIFICATE", "CERTIFICATE")).replace("\n", "\r\n").rstrip(),
}


def config_of(text):
    """{field: value} of a text in protobuf's text format, where strings side by side are one."""
    found = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":") if not line.startswith('"') else ("", "", line)
        if colon:
            last = name
        found[last] = found.get(last, "") + (ast.literal_eval(value) if value.startswith('"') else value.strip())
    return found


def started(tmp_path, files, **tls):
    """(the container, the file that its command has written, what it has become) where it is run with these files of a Secret."""
    one = container(render(tmp_path, tls={"secret": "mine", **tls}))
    secret, made = tmp_path / "secret", tmp_path / "made"
    for folder in (secret, made):
        folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (secret / name).write_text(text, newline="")
    assert one["command"][-1] == "/usr/bin/tensorflow_model_server"
    command = [part.replace("/etc/tf-serving-tls", str(secret)).replace("/run/tf-serving", str(made)) for part in one["command"]]
    done = subprocess.run([*command[:-1], "echo", *one["args"]], capture_output=True, text=True, check=True)
    assert (made / "ssl.config").stat().st_mode & 0o077 == 0
    return one, made / "ssl.config", done.stdout.split()


def test_tls_from_the_secret_of_a_server(tmp_path):
    one, config, became = started(tmp_path, FILES)
    assert config_of(config.read_text()) == {"server_key": FILES["tls.key"], "server_cert": FILES["tls.crt"].partition("\n")[2]}
    assert became == one["args"] and "--ssl_config_file=/run/tf-serving/ssl.config" in one["args"]
    assert {"name": "tls", "mountPath": "/etc/tf-serving-tls", "readOnly": True} in one["volumeMounts"]


def test_a_server_that_wants_certificates_of_its_clients(tmp_path):
    config = config_of(started(tmp_path, FILES, clientVerify=True)[1].read_text())
    assert config["custom_ca"] == FILES["ca.crt"].replace("\r", "") + "\n" and config["client_verify"] == "true"


def test_the_key_stays_in_memory(tmp_path):
    volumes = render(tmp_path, tls={"secret": "mine"})["Deployment"]["spec"]["template"]["spec"]["volumes"]
    assert {"name": "tls", "secret": {"secretName": "mine"}} in volumes
    assert {"name": "tls-config", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}} in volumes


def test_another_certificate_makes_other_pods(tmp_path):
    annotations = [
        render(tmp_path, tls={"secret": "mine", "checksum": one})["Deployment"]["spec"]["template"]["metadata"]["annotations"]
        for one in ("a", "b")]
    assert [one["checksum/tls"] for one in annotations] == ["a", "b"]


def test_without_tls_nothing_is_said_of_it(tmp_path):
    assert container(render(tmp_path))["command"] == ["/usr/bin/tensorflow_model_server"]
    assert "tls" not in json.dumps(render(tmp_path)) and "NetworkPolicy" not in render(tmp_path)


def test_what_is_handed_through(tmp_path):
    objects = render(
        tmp_path, imagePullSecrets=[{"name": "mine"}], nodeSelector={"gpu": "true"}, podAnnotations={"a": "1"},
        tolerations=[{"key": "gpu", "operator": "Exists"}], affinity={"nodeAffinity": {}},
        serviceAnnotations={"service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type": "intranet"},
        persistence={"pvc": {"matchLabels": {"model": "mnist"}, "volumeName": "pv-nas"}},
    )
    spec = objects["Deployment"]["spec"]["template"]["spec"]
    assert spec["imagePullSecrets"] == [{"name": "mine"}]
    assert spec["nodeSelector"] == {"gpu": "true"}
    assert spec["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert spec["affinity"] == {"nodeAffinity": {}}
    assert objects["Deployment"]["spec"]["template"]["metadata"]["annotations"] == {"a": "1"}
    assert list(objects["Service"]["metadata"]["annotations"].values()) == ["intranet"]
    assert objects["PersistentVolumeClaim"]["spec"]["selector"] == {"matchLabels": {"model": "mnist"}}
    assert objects["PersistentVolumeClaim"]["spec"]["volumeName"] == "pv-nas"


def test_values_become_flags_and_args_come_last(tmp_path):
    arguments = container(render(
        tmp_path, restPort=8501, monitoring=True, batching={"max_batch_size": 32}, gpuMemoryFraction=0.25, parallelism=2,
        maxConnectionAgeSeconds=60, modelConfig={"configMap": "mine"}, args=["--port=9090", "--rest_api_port=1"],
    ))["args"]
    assert arguments == [
        "--model_config_file=/etc/tf-serving/models.config", "--allow_version_labels_for_unavailable_models=true",
        "--load_retry_interval_micros=2000000", "--rest_api_port=8501",
        "--enable_batching=true", "--batching_parameters_file=/etc/tf-serving/batching.config",
        "--monitoring_config_file=/etc/tf-serving/monitoring.config",
        "--per_process_gpu_memory_fraction=0.25", "--tensorflow_session_parallelism=2",
        "--grpc_channel_arguments=grpc.max_connection_age_ms=60000",
        "--port=9090", "--rest_api_port=1",
    ]


def test_no_value_no_flag(tmp_path):
    assert container(render(tmp_path))["args"] == [
        "--port=9090", "--model_name=mnist", "--model_base_path=/serving/model/mnist"]


def test_rest_port(tmp_path):
    objects = render(tmp_path, restPort=8501)
    assert {"name": "http", "containerPort": 8501} in container(objects)["ports"]
    assert {"name": "http", "port": 8501, "targetPort": "http"} in objects["Service"]["spec"]["ports"]
    assert objects["Service"]["spec"]["ports"][0]["name"] == "grpc"


def test_parameter_files(tmp_path):
    """Big numbers stay what they are (Helm's are floating point), and other numbers make other pods."""
    batching = {"max_batch_size": 128, "batch_timeout_micros": 1000000000, "max_enqueued_batches": 100, "num_batch_threads": 4}
    objects = render(tmp_path, restPort=8501, monitoring=True, batching=batching, podAnnotations={"a": "1"})
    files = objects["ConfigMap"]["data"]
    assert sorted(files["batching.config"].splitlines()) == sorted("%s { value: %d }" % item for item in batching.items())
    assert files["monitoring.config"] == 'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }\n'
    assert objects["ConfigMap"]["metadata"]["name"] == "mnist-deploy-serving"
    assert sources(objects) == ["mnist-deploy-serving"]

    annotations = objects["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["a"] == "1"
    others = [
        render(tmp_path, restPort=8501, monitoring=True, batching=other)["Deployment"]["spec"]["template"]["metadata"]["annotations"]
        for other in (batching, dict(batching, num_batch_threads=8))
    ]
    assert [other["checksum/parameters"] == annotations["checksum/parameters"] for other in others] == [True, False]


def sources(objects):
    """ConfigMaps that appear as one folder of files in the container, None without it."""
    spec = objects["Deployment"]["spec"]["template"]["spec"]
    mount = next((mount for mount in container(objects)["volumeMounts"] if mount["mountPath"] == "/etc/tf-serving"), None)
    if mount is None:
        assert [volume["name"] for volume in spec["volumes"]] == ["model"]
        return None
    assert "subPath" not in mount and mount["readOnly"]
    volume = next(volume for volume in spec["volumes"] if volume["name"] == mount["name"])
    return [source["configMap"]["name"] for source in volume["projected"]["sources"]]


def test_the_model_config_is_not_the_charts(tmp_path):
    objects = render(tmp_path, modelConfig={"configMap": "mine"})
    assert "ConfigMap" not in objects
    assert sources(objects) == ["mine"]
    assert sources(render(tmp_path)) is None
    assert sources(render(tmp_path, modelConfig={"configMap": "mine"}, batching={"max_batch_size": 8})) == [
        "mine", "mnist-deploy-serving"]


@pytest.mark.parametrize(("values", "says"), [
    ({"monitoring": True}, "restPort"),
    ({"batching": {"max_batchsize": 8}}, "max_batchsize"),
    ({"gpuMemoryFraction": 2}, "gpuMemoryFraction"),
    ({"gpuCount": True}, "gpuCount"),
    ({"port": "9090"}, "port"),
    ({"port": 99999}, "port"),
    ({"serviceType": "Loadbalancer"}, "serviceType"),
    ({"persistence": {"mountPath": "/x", "pvc": {"storage": "5Gi"}}}, "mountPath"),  # some samples put it there
    ({"replica": 2}, "replica"),
    ({"tls": {"clientVerify": True}}, "secret"),
    ({"tls": {"secrets": "mine"}}, "secrets"),
    ({"tls": {"secret": "mine"}, "command": []}, "needs command"),
    ({"networkPolicy": [{}]}, "networkPolicy"),
    ({"networkPolicy": [{"podSelectors": {}}]}, "podSelectors"),
])
def test_a_wrong_value_fails_early(tmp_path, values, says):
    assert says in refused(tmp_path, values)


def refused(tmp_path, values):
    """What Helm says where it refuses the values."""
    (tmp_path / "values.json").write_text(json.dumps(values))
    done = helm("template", "x", str(CHART), "--kube-version", "1.34.4", "--values", str(tmp_path / "values.json"))
    return done.stderr if done.returncode else ""


# The least of each number, and the most where there is one.
LEAST = {
    "port": 1, "restPort": 0, "replicas": 0, "gpuCount": 0, "gpuMemoryFraction": 0, "parallelism": 0, "maxConnectionAgeSeconds": 0,
    "startTimeoutSeconds": 1, "maxUnavailable": 0, "drainSeconds": 0,
    "batching": {"max_batch_size": 1, "batch_timeout_micros": 0, "max_enqueued_batches": 1, "num_batch_threads": 1},
}
MOST = {"port": 65535, "restPort": 65535, "gpuMemoryFraction": 1}


def test_the_least_and_the_most_will_do(tmp_path):
    assert refused(tmp_path, LEAST) == refused(tmp_path, MOST) == ""


@pytest.mark.parametrize(("name", "value"), [
    *[(name, least - 1) for name, least in LEAST.items() if name != "batching"], *[(name, most + 1) for name, most in MOST.items()],
    *[("batching", {name: least - 1}) for name, least in LEAST["batching"].items()], ("mountPath", "serving"), ("image", ""),
])
def test_one_less_or_one_more_will_not(tmp_path, name, value):
    assert (next(iter(value)) if name == "batching" else name) in refused(tmp_path, {name: value})
