"""docs/rights.yml holds each right that the playbooks use in a model's life, and none that nothing uses. Told in order.

What the playbooks ask for is seen by the stand-in for the API server. What the real Helm asks for is known: it is said here, by the
kinds of the chart's templates.
"""
from __future__ import annotations

import re

import pytest
import yaml
from test_latest import good

from conftest import ROOT

CHART = ROOT / "roles" / "serving" / "files" / "acs-tensorflow-serving"
GROUPS = {"v1": "", "apps/v1": "apps", "policy/v1": "policy", "networking.k8s.io/v1": "networking.k8s.io"}
PINNED = {"serving_version_policy": "pinned"}
# Helm's own: its records; each object of the chart; and for Helm 4 the watch that waits until all is gone.
OF_RECORDS = ("get", "list", "create", "update", "delete")
OF_OBJECTS = ("get", "list", "watch", "create", "patch", "delete")
# Of the API server for a websocket, from Kubernetes 1.35 on. The stand-in is older.
NEWER = {("create", "", "pods/portforward")}


def documented(name):
    """{(verb, group, resource)} of a ClusterRole."""
    items = yaml.safe_load((ROOT / "docs" / "rights.yml").read_text())["items"]
    (role,) = [item for item in items if (item["kind"], item["metadata"]["name"]) == ("ClusterRole", name)]
    return {
        (verb, group, resource) for rule in role["rules"] for group in rule["apiGroups"]
        for resource in rule["resources"] for verb in rule["verbs"]}


def of_helm():
    rights = {(verb, "", "secrets") for verb in OF_RECORDS}
    for template in (CHART / "templates").glob("[!_]*.tpl"):
        text = template.read_text()
        version, kind = (re.search("^%s: (.*)$" % word, text, re.MULTILINE)[1] for word in ("apiVersion", "kind"))
        plural = kind.lower()[:-1] + "ies" if kind.endswith("y") else kind.lower() + "s"
        rights |= {(verb, GROUPS[version], plural) for verb in OF_OBJECTS}
    return rights


@pytest.fixture(scope="module")
def lived(world):
    """What the playbooks asked for: {(verb, group, resource)} in the namespace, and the same of what has none."""
    play = world.run
    assert "has 1 allocatable nvidia.com/gpu" in play("preflight", gpu=True).failures
    good(play("site", serving_namespace="models", scaling_replicas=1))
    good(play("teardown", serving_namespace="models", model_delete_data=True))
    world.cluster.starting = 2
    good(play("site"))
    assert world.cluster.starting == 0
    good(play("plan", scaling_replicas=3))
    good(play("status"))
    good(play("check"))
    good(play("record", check_golden=str(world.folder / "golden.npz")))
    good(play("publish", model_archive=world.archive(2)))
    good(play("rollback"))
    good(play("scale", scaling_replicas=3))
    good(play("site", volume_mount_options=["hard"], **PINNED))
    good(play("publish", model_archive=world.archive(3), **PINNED))
    good(play("promote", **PINNED))
    good(play("teardown", **PINNED))
    return world.cluster.asked_in_namespaces, world.cluster.asked_beside


def test_nothing_is_missing_and_nothing_is_needless(lived):
    in_namespaces, beside = lived
    assert in_namespaces | of_helm() | NEWER == documented("tf-serving-controller")
    assert beside == documented("tf-serving-controller-cluster")


def test_what_is_for_one_namespace_is_bound_in_one():
    items = yaml.safe_load((ROOT / "docs" / "rights.yml").read_text())["items"]
    bound = {item["roleRef"]["name"]: item["kind"] for item in items if "roleRef" in item}
    assert bound == {"tf-serving-controller": "RoleBinding", "tf-serving-controller-cluster": "ClusterRoleBinding"}
