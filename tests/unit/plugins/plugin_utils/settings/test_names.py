"""Names of Kubernetes objects are the tutorial's."""
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.names import CHART, object_names


def test_the_tutorials_names():
    assert object_names("mnist-deploy") == {
        "deployment": "mnist-deploy-serving",
        "service": "mnist-deploy-acs-tensorflow-serving",
        "claim": "mnist-deploy-acs-tensorflow-serving",
        "parameters": "mnist-deploy-serving",
        "model_config": "mnist-deploy-model-config",
        "check": "mnist-deploy-check",
        "selector": "app.kubernetes.io/name=acs-tensorflow-serving,app.kubernetes.io/instance=mnist-deploy",
    }
    assert CHART == "acs-tensorflow-serving"
