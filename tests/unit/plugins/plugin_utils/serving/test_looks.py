"""What the looks before a run have found, in one line."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.looks import ready

SAME = {"before": {"spec": {}}, "after": {"spec": {}}}


def found(published=None, serving=None, volume=None, scale=None, tests=1000):
    return {
        "model_publish": {"version": 1, "versions": [1], "message": "", **(published or {})},
        "serving_preflight": {"helm": {"version": "v3.19.5"}, "gpus": 1, "gpu_nodes": 1, "upgrade": False, "upgrade_because": [],
                              **(serving or {})},
        "model_volume": {"diff": volume or SAME},
        "deployment_scale": {"before": 2, "replicas": 2} if scale is None else scale,
        "check_preflight": {"tests": tests},
    }


def test_all_is_as_it_should_be():
    assert ready(found()) == (
        "Ready: Helm 3.19.5, 1 GPU node, the archive is version 1, 1000 tests. playbooks/site.yml would change nothing.")


@pytest.mark.parametrize(("facts", "words"), [
    (found(serving={"gpu_nodes": 2}), "2 GPU nodes,"), (found(serving={"gpu_nodes": 0}), "0 GPU nodes,"),
    (found(serving={"gpu_nodes": None}), "GPU nodes not known,"),
    (found(serving={"gpus": 0, "gpu_nodes": None}), "no GPU asked for,"),
    (found({"version": None}), "the archive's version is known when it is unpacked,"),
    (found({"message": "Version 1 was withdrawn on ...", "versions": []}), "the archive is version 1, which was taken away,"),
    (found(tests=1), "1 test."),
])
def test_what_was_found(facts, words):
    assert words in ready(facts)


@pytest.mark.parametrize(("facts", "changes"), [
    (found({"version": 2}), "publish version 2"), (found({"version": None, "versions": []}), "publish the version"),
    (found({"message": "Version 2 was withdrawn", "version": 2}), "change nothing"),
    (found(volume={"before": {}, "after": {"spec": {}}}), "make the volume"),
    (found(volume={"before": {"spec": {}}, "after": {"spec": {"x": 1}}}), "change the volume"),
    (found(serving={"upgrade": True, "upgrade_because": ["no_release"]}), "install the release"),
    (found(serving={"upgrade": True, "upgrade_because": ["values", "chart_templates", "chart_version"]}),
     "upgrade the release (other values and another chart)"),
    (found(serving={"upgrade": True, "upgrade_because": ["not_deployed"]}), "upgrade the release (it is not deployed)"),
    (found(serving={"upgrade": True, "upgrade_because": ["objects_missing"]}), "upgrade the release (objects of it are missing)"),
    (found(scale={"before": 1, "replicas": 4}), "scale 1 -> 4"), (found(scale={"before": None, "replicas": 2}), "set 2 replicas"),
    (found(scale={"skipped": True}), "change nothing"),
    (found({"version": 2}, {"upgrade": True, "upgrade_because": ["values"]}, scale={"before": 1, "replicas": 2}),
     "publish version 2, upgrade the release (other values), scale 1 -> 2"),
])
def test_what_a_run_would_change(facts, changes):
    assert ready(facts).endswith(". playbooks/site.yml would %s." % changes)
