# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of a model: kind and default of each, one section a role. What each means: the roles' argument_specs.yml.

A variable's name is its section and its field: Model.base_path is model_base_path. A default may follow from other variables;
`of` reads those. settle.py fills the record in.
"""
# ruff: noqa: RUF009 - variable() makes a field
from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, cast

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings import names
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.decisions import expected_version, spared
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.values import (
    Choice,
    Columns,
    Duration,
    Items,
    Kind,
    Limits,
    Mapping,
    Number,
    NumberMapping,
    Numbers,
    OctalMode,
    Peers,
    ServerRelease,
    Text,
    TextMapping,
    TextOrMapping,
    Whole,
    WholeOrNone,
    Words,
    YesNo,
)

T = TypeVar("T")
Of = Callable[[str], Any]  # the settled value of another variable

MAX_VERSION = 2 ** 63 - 1  # servers parse folder names as int64

_DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"

# What folders, URLs of the REST API and gRPC can carry.
MODEL = Text(
    r"(?![.])[^/:\x00-\x1f\x7f-\x9f\ud800-\udfff]+",
    "use at most 200 bytes, without '/', ':' and control characters, and not beginning with '.': folders on the NAS and URLs of the"
    " server are named after it", 200,
)
RELEASE = Text(
    names.RELEASE,
    "use at most %d lower case letters, digits and '-', beginning with a letter and not ending in '-': the Service <release>-%s is"
    " named after it"
    % (names.RELEASE_LENGTH, names.CHART), names.RELEASE_LENGTH,
)
NAMESPACE = Text(_DNS_LABEL, "use at most 63 lower case letters, digits and '-', with a letter or digit at both ends", 63)
LABEL_WAY_OUT = "use at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"
LABEL = Text(names.LABEL, LABEL_WAY_OUT)
FOLDER = Text(r"/(?!(.*/)?\.\.(/|$))[^\x00-\x1f]*", "use an absolute path, without '..'")
QUANTITY = Text(r"[0-9]+(\.[0-9]+)?(k|[MGTPE]|[KMGTPE]i|[eE][0-9]+)?", "use a Kubernetes quantity such as 5Gi")
OBJECT = Text(
    r"%s(\.%s)*" % (_DNS_LABEL, _DNS_LABEL),
    "use at most 253 lower case letters, digits, '-' and '.', with a letter or digit at both ends", 253,
)
IMAGE = Text(r"\S+", "an image reference has no spaces")
PORT = Whole(1, 65535)
FIRST_FREE_PORT = 1024  # for who is not root
VERSION = Whole(1, MAX_VERSION)
SECONDS = Whole(1)
PERCENT = Number(0, 100, way_out="use a percentage from 0 to 100, such as 15")
ABOVE_ZERO = Number(0, above=True)


@dataclasses.dataclass(frozen=True)
class Variable:
    """What is known of a variable beside its name."""

    kind: Kind[Any]
    default: Any  # a value, or a function of the other variables
    required: str  # what to do where it is missing; empty where it may be


def variable(kind: Kind[T], default: Any = None, required: str = "") -> T:
    """default: a value of the kind, or a function of the other variables (type Of) that gives one."""
    return cast(T, dataclasses.field(  # pylint: disable=invalid-field-call
        metadata={"variable": Variable(kind, default, required)}))


def _batch_that_servers_take(batching: dict[str, int]) -> int | None:
    """What servers compute at once, if they were told less than the 64 tests that the check would send at most."""
    most = batching.get("max_batch_size")
    return most if most and most < 64 else None


def _pod_security(of: Of) -> str:
    """What is asked for elsewhere may need root: then nobody has to say it twice."""
    low_ports = [port for port in (of("serving_port"), of("serving_rest_port")) if port and port < FIRST_FREE_PORT]
    return "baseline" if of("serving_run_as_user") == 0 or low_ports else "restricted"


@dataclasses.dataclass(frozen=True)
class Model:
    """Step 1: the archive goes onto the NAS."""

    name: str = variable(MODEL, lambda of: of("inventory_hostname"))
    archive: str = variable(
        Text(), "", "Name the archive with the model: an http(s):// URL, file:///PATH on model_node, or a path on the controller.")
    checksum: str = variable(
        Text(r"(?i)(sha256:)?[0-9a-f]{64}", "use sha256:HEX with 64 hex digits (sha256sum FILE prints them), or leave it empty"), "")
    version: int | None = variable(VERSION)
    base_path: str = variable(FOLDER, lambda of: "/serving/model/" + of("model_name"))
    nas_server: str = variable(
        Text(r"[^\s/]+", "give the server's name or address alone; the path goes to model_nas_export and model_base_path"), "",
        "Set it to the mount target of the NAS, such as 0fc844b526-rqx39.cn-hangzhou.nas.aliyuncs.com.")
    nas_export: str = variable(FOLDER, "/")
    nas_options: str = variable(Text(), "vers=4.0")
    node: str = variable(Text(), "", "Set it to the inventory name of a host that may mount the NAS, a node of the cluster for one.")
    node_variables: dict[str, Any] = variable(Mapping(), lambda of: {})
    mount_timeout: int = variable(SECONDS, 30)
    lock_timeout: int = variable(SECONDS, 300)
    timeout: int = variable(SECONDS, 1800)
    max_size: int = variable(Whole(1), 20 << 30)
    reinstate: bool = variable(YesNo(), False)
    keep: int = variable(Whole(0), 3)
    warmup: int = variable(Whole(0, 1000), 0)
    rollback_to: int | None = variable(VERSION)
    rollback_reason: str = variable(Text(), "rolled back by hand")
    delete_data: bool = variable(YesNo(), False)
    # Of one entry point each, handed over by playbooks.
    newest: bool = variable(YesNo(), False)
    withdraw: list[int] = variable(Numbers(), lambda of: [])
    withdraw_reason: str = variable(Text(), "")
    withdraw_target: int | None = variable(VERSION)
    passed: list[int] = variable(Numbers(), lambda of: [])
    in_use: list[int] = variable(Numbers(), lambda of: spared(of("serving_status"), of("model_published")))


@dataclasses.dataclass(frozen=True)
class Volume:
    """Step 2: the PersistentVolume."""

    driver: str = variable(Choice("csi", "flexvolume", "nfs"), "csi")
    size: str = variable(QUANTITY, "5Gi")
    server: str = variable(
        Text(r"[^\s/]+", "give the NAS's address alone, such as xxx.cn-hangzhou.nas.aliyuncs.com; the folder belongs into volume_path"),
        lambda of: of("model_nas_server"), "Set it, or model_nas_server, to the NAS's address as the cluster's nodes see it.")
    path: str = variable(FOLDER, lambda of: of("model_base_path"))
    nfs_version: str = variable(Text(r"[34](\.[0-2])?", "use 3, 4.0 or 4.1"), "4.0")
    mode: str = variable(OctalMode(), "755")
    mount_options: list[str] = variable(Words(), lambda of: [])
    name: str = variable(OBJECT, lambda of: "%s-%s" % (of("volume_namespace"), of("volume_release")))
    model: str = variable(LABEL, lambda of: names.label_value(of("model_name")))
    namespace: str = variable(NAMESPACE, lambda of: of("serving_namespace"))
    release: str = variable(RELEASE, lambda of: of("serving_release"))


@dataclasses.dataclass(frozen=True)
class Serving:
    """Steps 3 and 4: the release, and what it serves."""

    namespace: str = variable(NAMESPACE, "default")
    kubeconfig: str = variable(Text(), "")
    context: str = variable(Text(), "")
    model_name: str = variable(MODEL, lambda of: of("model_name"))
    release: str = variable(RELEASE, lambda of: names.release_name(of("model_name")))
    gpu: bool = variable(YesNo(), lambda of: of("gpu"))
    gpu_count: int = variable(Whole(1), 1)
    gpu_preflight: str = variable(Choice("fail", "warn"), "fail")
    image: str = variable(IMAGE, "registry.cn-hangzhou.aliyuncs.com/tensorflow-samples/tensorflow-serving:1.4.0-devel")
    gpu_image: str = variable(IMAGE, "registry.cn-hangzhou.aliyuncs.com/tensorflow-samples/tensorflow-serving:1.4.0-devel-gpu")
    image_pull_policy: str = variable(Choice("Always", "IfNotPresent", "Never"), "IfNotPresent")
    image_pull_secrets: list[Any] = variable(Items(named="name"), lambda of: [])
    version: str | None = variable(ServerRelease())
    version_policy: str = variable(Choice("latest", "pinned"), "latest")
    tls_secret: str = variable(OBJECT, "")
    tls_client_verify: bool = variable(YesNo(), False)
    tls_client_secret: str = variable(OBJECT, "")
    port: int = variable(PORT, 9090)
    rest_port: int | None = variable(PORT)
    service_type: str = variable(Choice("ClusterIP", "NodePort", "LoadBalancer"), "LoadBalancer")
    service_annotations: dict[str, Any] = variable(TextMapping(), lambda of: {})
    batching: dict[str, Any] = variable(
        NumberMapping(max_batch_size=1, batch_timeout_micros=0, max_enqueued_batches=1, num_batch_threads=1), lambda of: {})
    monitoring: bool = variable(YesNo(), False)
    gpu_memory_fraction: float | None = variable(Number(0, 1, above=True, way_out="use a number above 0, up to 1"))
    parallelism: int | None = variable(Whole(0))
    max_connection_age: int | None = variable(Whole(0))
    command: list[str] = variable(Words(), lambda of: ["/usr/bin/tensorflow_model_server"])
    args: list[str] = variable(Words(), lambda of: [])
    mount_path: str = variable(FOLDER, lambda of: of("model_base_path"))
    storage: str = variable(QUANTITY, lambda of: of("volume_size"))
    volume_labels: dict[str, Any] = variable(
        TextMapping(names.LABEL, LABEL_WAY_OUT), lambda of: {"model": of("volume_model")})
    start_timeout: int = variable(SECONDS, 300)
    timeout: int = variable(SECONDS, 600)
    pending_timeout: int = variable(Whole(0), 30)
    address_timeout: int = variable(Whole(0), 180)
    max_unavailable: int = variable(Whole(0), 0)
    drain: int | None = variable(Whole(0))
    resources: dict[str, Any] = variable(Mapping(), lambda of: {})
    node_selector: dict[str, Any] = variable(TextMapping(), lambda of: {})
    tolerations: list[Any] = variable(Items(), lambda of: [])
    affinity: dict[str, Any] = variable(Mapping(), lambda of: {})
    pod_annotations: dict[str, Any] = variable(TextMapping(), lambda of: {})
    network_policy: list[Any] = variable(Peers(), lambda of: [])
    pod_security: str = variable(Choice("restricted", "baseline"), _pod_security)
    run_as_user: int | None = variable(Whole(0))
    pod_security_context: dict[str, Any] = variable(Mapping(), lambda of: {})
    security_context: dict[str, Any] = variable(Mapping(), lambda of: {})
    helm_binary: str = variable(Text(), "")
    # Of one entry point each, handed over by playbooks.
    candidate: int | None = variable(VERSION)
    promoted: int | None = variable(VERSION)


@dataclasses.dataclass(frozen=True)
class Scaling:
    """Step 6: the replica count. None leaves it to an autoscaler or a human."""

    replicas: int | None = variable(WholeOrNone(), 1)
    timeout: int = variable(SECONDS, 300)
    pending_timeout: int = variable(Whole(0), 30)
    namespace: str = variable(NAMESPACE, lambda of: of("serving_namespace"))
    release: str = variable(RELEASE, lambda of: of("serving_release"))


@dataclasses.dataclass(frozen=True)
class Check:
    """Step 5: the inference check."""

    dataset: str | dict[str, str] = variable(
        TextOrMapping(), "",
        "Name the test data: a folder or a file on the controller, an http(s) URL, or a mapping of columns to files.")
    dataset_checksum: dict[str, Any] = variable(TextMapping(), lambda of: {})
    dataset_timeout: int = variable(SECONDS, 60)
    tests: int | None = variable(Whole(1))
    max_age: int = variable(Duration(), 0)
    inputs: dict[str, Any] = variable(Columns(), lambda of: {})
    labels: str = variable(Text(), "")
    tolerance: float | None = variable(Number(0))
    divisor: float | None = variable(ABOVE_ZERO)
    golden: str = variable(Text(), "")
    record: bool = variable(YesNo(), False)
    max_error_rate: float = variable(PERCENT, 15.0)
    min_agreement: float = variable(PERCENT, 99.0)
    max_latency_ms: dict[str, Any] = variable(
        Limits("p50", "p90", "p99", "max", way_out="use a mapping of p50, p90, p99 and max to milliseconds, such as {p99: 50}"),
        lambda of: {})
    max_failed_requests: int = variable(Whole(0), 0)
    min_rate: float | None = variable(ABOVE_ZERO)
    max_difference: float | None = variable(PERCENT)
    report: str = variable(
        Text(r".+(\.html|/)", "use FILE.html, or a folder that ends in / (it gets one page a model, and an index)"), "")
    release: str = variable(RELEASE, lambda of: of("serving_release"))
    namespace: str = variable(NAMESPACE, lambda of: of("serving_namespace"))
    port: int = variable(PORT, lambda of: of("serving_port"))
    address: str = variable(Text(), lambda of: of("serving_status").get("address") or "")
    tls: bool = variable(YesNo(), lambda of: bool(of("serving_tls_secret")))
    tls_ca_cert: str = variable(Text(), "")
    tls_client_cert: str = variable(Text(), "")
    tls_client_key: str = variable(Text(), "")
    tls_server_name: str = variable(Text(r"[^\s/:]+", "give the name alone, as it stands in the certificate"), "")
    model_name: str = variable(MODEL, lambda of: of("serving_model_name"))
    signature: str = variable(Text(), "")
    output: str = variable(Text(), "")
    expected_version: int | None = variable(VERSION, lambda of: expected_version(of("serving_status"), of("model_published")))
    stable_version: int | None = variable(VERSION, lambda of: of("serving_status").get("stable"))
    # As long as publish.yml waits for it: what only loads slowly is no failure.
    version_timeout: int = variable(Whole(0), lambda of: max(120, of("serving_start_timeout") + 60))
    batch_size: int | None = variable(Whole(1), lambda of: _batch_that_servers_take(of("serving_batching")))
    concurrency: int = variable(Whole(1), 4)
    timeout: float = variable(ABOVE_ZERO, 10.0)
    candidate: bool = variable(YesNo(), False)  # handed over by playbooks


SECTIONS: dict[str, type] = {"model": Model, "volume": Volume, "serving": Serving, "scaling": Scaling, "check": Check}

# The one variable without a prefix: -e gpu=false.
GPU = Variable(YesNo("; empty means true"), True, "")


def variables() -> dict[str, Variable]:
    """All of them by name."""
    return {
        "gpu": GPU,
        **{
            "%s_%s" % (section, field.name): field.metadata["variable"]
            for section, record in SECTIONS.items() for field in dataclasses.fields(record)
        },
    }
