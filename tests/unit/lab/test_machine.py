"""What the lab looks at before it touches the machine, and the versions it pins."""
from __future__ import annotations

import json
import re

import pytest

from tf_lab import binaries, network, preconditions, settings


def routes(monkeypatch, *found):
    monkeypatch.setattr(network, "run", lambda *command: json.dumps(found))
    return network.clash()


@pytest.mark.parametrize("route", [
    {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0"},
    {"dst": "0.0.0.0/1", "dev": "tun0"},  # half a default route, as a VPN sets it
    {"dst": "192.168.0.0/16", "dev": "eth0"},
    {"dst": "10.212.0.0/16", "dev": "eth0"},
    {"dst": "10.213.1.0/24", "gateway": "10.213.0.2", "dev": settings.VETH_HOST},
    {"type": "unreachable", "dst": "10.213.0.0/16", "dev": "lo", "metric": network.METRIC},
])
def test_routes_that_do_not_disturb(monkeypatch, route):
    assert routes(monkeypatch, route) == ""


@pytest.mark.parametrize("route", [
    {"dst": "10.213.0.0/16", "gateway": "192.0.2.9", "dev": "eth0"},
    {"dst": "10.0.0.0/8", "dev": "tun0"},
    {"type": "local", "dst": "10.213.7.7", "dev": "eth0"},
])
def test_somebody_elses_routes_into_the_range(monkeypatch, route):
    assert route["dst"] in routes(monkeypatch, route)


def test_versions_are_those_of_go_mod():
    for module, package, version in (("kubernetes", "k8s.io/kubernetes", settings.KUBERNETES),
                                     ("helm", "helm.sh/helm/v3", settings.HELM)):
        text = (settings.SOURCE / "go" / module / "go.mod").read_text()
        assert re.search(r"\s%s v(\S+)" % re.escape(package), text).group(1) == version


def test_a_changed_go_sum_or_version_compiles_again(monkeypatch, tmp_path):
    monkeypatch.setattr(binaries, "BIN", tmp_path)
    command = "helm.sh/helm/v3/cmd/helm"
    (tmp_path / "helm").touch()
    assert "helm" in binaries.missing()
    binaries.write(tmp_path / ".stamps" / "helm", binaries._key(command))
    assert "helm" not in binaries.missing()
    monkeypatch.setitem(binaries.COMMANDS, command, ("helm", "-X other.version=v4"))
    assert "helm" in binaries.missing()


@pytest.mark.parametrize(("have", "need", "enough"), [
    ("1.26.8", "1.24.0", True), ("1.24", "1.24.0", True), ("1.9.7", "1.24.0", False), ("1.23.12", "1.24.0", False)])
def test_go_versions_compare_as_numbers(monkeypatch, have, need, enough):
    monkeypatch.setattr(binaries, "missing", lambda: ["kubelet"])
    monkeypatch.setattr(binaries, "go_version", lambda module: need)
    monkeypatch.setattr(preconditions.shutil, "which", lambda name: "/usr/bin/" + name)
    monkeypatch.setattr(preconditions, "run", lambda *command: "go%s\n" % have)
    assert (preconditions._go() is None) is enough
