"""Mappings and lists as people write them where only text can be given: -e, a survey's text area, an extra variable in a form."""
from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.record import variables
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import settle

# What one would give for each.
MEANT = {
    "model_node_variables": {"ansible_host": "10.0.0.1", "ansible_user": "root"},
    "model_withdraw": [1, 2],
    "model_passed": [3],
    "model_in_use": [7, 12],
    "volume_mount_options": ["vers=4.0", "noresvport"],
    "serving_image_pull_secrets": [{"name": "registry"}],
    "serving_service_annotations": {"service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type": "intranet"},
    "serving_batching": {"max_batch_size": 32, "batch_timeout_micros": 1000},
    "serving_command": ["/usr/bin/tensorflow_model_server", "--a b"],
    "serving_args": ["--flush_filesystem_caches=true", "--x=a b"],
    "serving_volume_labels": {"model": "mnist"},
    "serving_resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
    "serving_network_policy": [{"podSelector": {"matchLabels": {"app": "shop"}}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}],
    "serving_node_selector": {"pool": "gpu", "kubernetes.io/os": "linux"},
    "serving_tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "serving_affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
    "serving_pod_annotations": {"example.com/scrape": "true", "example.com/port": "8501"},
    "serving_pod_security_context": {"fsGroup": 1000},
    "serving_security_context": {"capabilities": {"drop": ["ALL"]}},
    "check_dataset": {"images": "/data/x.npy", "labels": "/data/y.npy"},
    "check_dataset_checksum": {"x.npy": "sha256:" + "0" * 64},
    "check_inputs": {"images": "pixels", "meta": ["a", "b"]},
    "check_max_latency_ms": {"p50": 10.0, "p99": 50.0},
}
LISTS_AND_MAPPINGS = [
    name for name, variable in variables().items()
    if variable.kind.type in ("list", "dict") or "Mapping" in type(variable.kind).__name__
]
FORMS = {
    "JSON": json.dumps,
    "JSON in lines": lambda value: json.dumps(value, indent=2),
    "flow YAML": lambda value: yaml.safe_dump(value, default_flow_style=True, width=10000),
    "block YAML": lambda value: yaml.safe_dump(value, default_flow_style=False),
    "with blanks around": lambda value: "\n  %s \r\n" % json.dumps(value),
    "with tabs": lambda value: json.dumps(value, indent="\t"),
    "lines of Windows": lambda value: json.dumps(value, indent=2).replace("\n", "\r\n"),
    "block YAML of Windows": lambda value: yaml.safe_dump(value, default_flow_style=False).replace("\n", "\r\n"),
    "a document": lambda value: "---\n" + yaml.safe_dump(value, default_flow_style=False),
    "as Python prints it": repr,
    "no-break blanks of a web page": lambda value: json.dumps(value).replace(": ", ":\u00a0"),
}


def test_the_table_has_all_of_them():
    assert sorted(MEANT) == sorted(LISTS_AND_MAPPINGS)


def settled(name, value):
    section, field = name.split("_", 1)
    return settle("mnist", {name: value}, [section], together=False)[section][field]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", MEANT)
def test_text_is_what_it_says(name, form):
    text = FORMS[form](MEANT[name])
    assert isinstance(text, str)
    assert settled(name, text) == settled(name, MEANT[name]) == MEANT[name]


@pytest.mark.parametrize("name", MEANT)
@pytest.mark.parametrize("empty", ["", " ", "\n", None])
def test_an_empty_answer_is_none(name, empty):
    section, field = name.split("_", 1)
    assert settled(name, empty) == settle("mnist", {}, [section], together=False)[section][field]


@pytest.mark.parametrize("name", [name for name in MEANT if variables()[name].kind.type in ("list", "dict")])
def test_none_at_all_is_said_by_brackets(name):
    kind = variables()[name].kind.type
    assert settled(name, "{}" if kind == "dict" else "[]") == ({} if kind == "dict" else [])


@pytest.mark.parametrize("path", ["/data/a: b.csv", "http://h/x: y", "data.csv", "s3://b/x"])
def test_a_path_stays_one(path):
    assert settled("check_dataset", path) == path
