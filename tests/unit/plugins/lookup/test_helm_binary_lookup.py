"""Helm's own steps find address and token as they are meant, as real Helms have to have them."""
from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleError

from ansible_collections.mlops.tf_serving.plugins.lookup.helm_binary import LookupModule
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import helm_binary

ROLES = Path(__file__).resolve().parents[4] / "roles"
NAMES = ("K8S_AUTH_HOST", "K8S_AUTH_API_KEY")


@pytest.fixture
def helm(tmp_path, monkeypatch):
    """Its path, which is in PATH."""
    path = tmp_path / "helm"
    path.write_text("#!/bin/sh\necho v4.0.1\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", "%s:%s" % (tmp_path, os.environ["PATH"]))
    monkeypatch.setattr(helm_binary, "core_version", lambda: (6, 4))
    return str(path)


def test_the_one_in_path(helm):
    assert LookupModule().run([""]) == [helm]


def test_a_pair_that_does_not_work_is_named(helm, monkeypatch):
    """Also where nothing was looked at before, as by a teardown."""
    monkeypatch.setattr(helm_binary, "core_version", lambda: (6, 3))
    with pytest.raises(AnsibleError, match=r"is Helm v4.*kubernetes.core 6.3 works with Helm 3 only"):
        LookupModule().run([helm])


@pytest.mark.parametrize(("host", "token", "found"), [
    (None, None, [None, None]),
    ("https://10.0.0.1:6443", "t0k3n", ["https://10.0.0.1:6443", "t0k3n"]),
    ("https://10.0.0.1:6443\n", "t0k3n\n", ["https://10.0.0.1:6443", "t0k3n"]),
    (" https://10.0.0.1:6443", "Bearer t0k3n", ["https://10.0.0.1:6443", "t0k3n"]),
    (None, " bearer t0k3n\r\n", [None, "t0k3n"]),
    ("\ufeffhttps://10.0.0.1:6443/", None, ["https://10.0.0.1:6443/", None]),
])
def test_what_helm_could_not_read(monkeypatch, helm, host, token, found):
    for name, value in zip(NAMES, (host, token)):
        monkeypatch.setenv(name, value or "")
        if value is None:
            monkeypatch.delenv(name)
    before = {name: value for name, value in os.environ.items() if name not in NAMES}
    assert LookupModule().run([helm]) == [helm]
    assert [os.environ.get(name) for name in NAMES] == found
    assert {name: value for name, value in os.environ.items() if name not in NAMES} == before


def test_every_step_of_helm_asks_for_it():
    steps = [
        task["kubernetes.core.helm"] for path in ROLES.glob("*/tasks/*.yml") for task in yaml.safe_load(path.read_text())
        if "kubernetes.core.helm" in task]
    assert len(steps) == 2
    assert {step["binary_path"] for step in steps} == {
        "{{ lookup('mlops.tf_serving.helm_binary', __serving_settings.helm_binary) }}"}
