"""What somebody changed of the chart's objects by hand."""
from __future__ import annotations

import copy

import pytest
import yaml
from fake_api import merged

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.edits import edited

MADE = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "mnist-deploy-serving", "labels": {"app": "a"}},
    "spec": {"replicas": 1, "template": {"spec": {
        "nodeSelector": {}, "terminationGracePeriodSeconds": 30,
        "containers": [{
            "name": "serving", "image": "tf:1", "args": ["--port=9090", "--model_name=mnist"], "ports": [{"containerPort": 9090}],
            "resources": {"limits": {"cpu": "1000m", "memory": "1Gi"}}, "env": None,
        }],
    }}},
}
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mnist-deploy-serving"}, "spec": {"type": "LoadBalancer"}}
MANIFEST = "---\n# Source: x\n%s---\n---\n%s" % (yaml.safe_dump(MADE), yaml.safe_dump(SERVICE))
HELM = {"manager": "helm", "operation": "Update", "fieldsV1": {"f:metadata": {}, "f:spec": {"f:template": {}}}}
SCALER = {"manager": "x", "operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
EDITOR = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {}}}}}


def there(*managed, kind="Deployment", **spec):
    """As the API server has it, with what it adds."""
    thing = copy.deepcopy(MADE if kind == "Deployment" else SERVICE)
    if kind == "Deployment":
        pod = thing["spec"]["template"]["spec"]
        pod.pop("nodeSelector")
        pod["restartPolicy"] = "Always"
        pod["containers"][0].pop("env")
        pod["containers"][0]["resources"]["limits"]["cpu"] = "1"
        pod["containers"][0]["terminationMessagePath"] = "/dev/termination-log"
        thing["spec"]["progressDeadlineSeconds"] = 600
        thing["spec"]["replicas"] = 5
    thing["spec"] = merged(thing["spec"], spec)
    if managed:
        thing["metadata"]["managedFields"] = list(managed)
    return thing


def container(**changes):
    return {"template": {"spec": {"containers": [merged(there()["spec"]["template"]["spec"]["containers"][0], changes)]}}}


def test_what_the_api_server_adds_is_nobodys_edit():
    assert edited(MANIFEST, [there(), there(kind="Service")]) == []


@pytest.mark.parametrize(("spec", "place"), [
    (container(image="busybox"), "serving.image"), (container(args=["--port=9090"]), "serving.args"),
    (container(args=["--port=9091", "--model_name=mnist"]), "serving.args.0"),
    (container(ports=[{"containerPort": 1}]), "serving.ports.0.containerPort"),
    (container(resources={"limits": {"cpu": "2"}}), "serving.resources.limits.cpu"),
    (container(resources=None), "serving.resources"),
])
def test_what_is_the_charts(spec, place):
    found = edited(MANIFEST, [there(HELM, EDITOR, SCALER, **spec)])
    assert found == ["Deployment.spec.template.spec.containers." + place]


def test_two_things_and_another_object_of_the_same_name():
    found = edited(MANIFEST, [
        there(HELM, EDITOR, template={"spec": {"terminationGracePeriodSeconds": 1}}), there(kind="Service", type="ClusterIP"),
    ])
    assert found == ["Deployment.spec.template.spec.terminationGracePeriodSeconds", "Service.spec.type"]


def test_a_container_of_ones_own():
    spec = there()["spec"]["template"]["spec"]
    found = edited(MANIFEST, [there(template={"spec": {"containers": [*spec["containers"], {"name": "debug"}]}})])
    assert found == ["Deployment.spec.template.spec.containers"]


@pytest.mark.parametrize("managed", [(HELM,), (HELM, SCALER), (HELM, {**SCALER, "subresource": ""})])
def test_the_account_of_the_api_server_spares_a_comparison(managed):
    assert edited("no: manifest", [there(*managed, **container(image="busybox"))]) == []


def test_an_object_that_the_release_does_not_have():
    assert edited(MANIFEST, [{**there(), "metadata": {"name": "other"}}]) == []
