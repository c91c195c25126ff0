from __future__ import annotations

import pytest
from test_release import secret

from ansible_collections.mlops.tf_serving.plugins.module_utils import _serving, _serving_preflight
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

OURS = {
    "metadata": {
        "name": "x", "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-namespace": "default", "meta.helm.sh/release-name": "mnist-deploy"},
    },
    "spec": {"template": {"spec": {}}, "resources": {"requests": {"storage": "5Gi"}}},
}
PVC = {"pvc": {"storage": "5Gi", "matchLabels": {}}}


class Cluster(_serving.Cluster):
    """A release that is deployed; its parameters' ConfigMap is as the test says."""

    def __init__(self, parameters=None, stored=None):
        super().__init__(None, "default", "mnist-deploy")
        self.store.read = lambda: (secret(1, "deployed", stored or {}), 0)
        self.parameters = lambda: parameters
        self.deployment = self.service = self.claim = lambda: OURS
        self.pods = list


@pytest.mark.parametrize(("stored", "parameters", "unlock"), [
    ({}, None, False),  # about to be made
    ({"monitoring": True}, OURS, False),
    ({"monitoring": True}, None, True),  # somebody removed it
])
def test_the_parameters_of_the_server_are_missed(stored, parameters, unlock):
    seen = _serving_preflight._look(Cluster(parameters, stored), {"persistence": PVC, "batching": {"max_batch_size": 8}})
    assert seen["unlock"] is unlock
    assert seen["policy"] == "latest"


def test_somebody_elses_config_map_is_not_overwritten():
    theirs = {"metadata": {"name": "mnist-deploy-serving"}}
    with pytest.raises(Error, match="ConfigMap mnist-deploy-serving in namespace default is not release mnist-deploy's"):
        _serving_preflight._look(Cluster(theirs), {"persistence": PVC, "batching": {"max_batch_size": 8}})
    assert not _serving_preflight._look(Cluster(theirs), {"persistence": PVC})["unlock"]  # nor needed


@pytest.mark.parametrize(("one", "other"), [("5Gi", "5120Mi"), ("1k", "1000"), ("1e3", "1000"), ("0.5Gi", "512Mi")])
def test_quantities_that_are_equal(one, other):
    assert _serving_preflight.quantity(one) == _serving_preflight.quantity(other)


def test_quantities_that_differ():
    assert _serving_preflight.quantity("5Gi") != _serving_preflight.quantity("5G")


def test_helm_3_is_needed():
    assert _serving_preflight.helm_version("v3.19.5+gabc", "/x/helm") == "v3.19.5"
    with pytest.raises(Error, match="serving_helm_binary"):
        _serving_preflight.helm_version("Client: v2.17.0", "/x/helm")
