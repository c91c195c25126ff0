"""Which Helm there is, by programs that say what Helms say."""
from __future__ import annotations

import json
import subprocess

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import helm_binary


@pytest.fixture
def helm(tmp_path, monkeypatch):
    """helm(script) puts a program of that name in PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def make(script, name="helm"):
        path = tmp_path / name
        path.write_text("#!/bin/sh\n%s\n" % script)
        path.chmod(0o755)
        return str(path)
    return make


def refused(code, path=None):
    with pytest.raises(Error) as caught:
        helm_binary.find(path)
    assert caught.value.code == code and "serving_helm_binary" in caught.value.message
    return caught.value.message


def test_in_path(helm):
    path = helm('[ "$*" = "version --short" ] && echo v3.19.5+gabc')
    assert helm_binary.find(None) == {"path": path, "version": "v3.19.5"}


def test_by_its_path(helm):
    helm("echo v3.1.0+g1")
    path = helm("echo v3.2.0+g2", "other")
    assert helm_binary.find(path) == {"path": path, "version": "v3.2.0"}


@pytest.mark.parametrize(("says", "version"), [
    ("v3.19.5", "v3.19.5"), ("v4.0.0-rc.1+gabc", "v4.0.0-rc.1"), ("\nv3.1.0\n", "v3.1.0"),
])
def test_what_it_says(monkeypatch, says, version):
    assert helm_binary.version(says, "helm", (6, 6)) == version


def test_what_it_warns_of_is_not_what_it_says(helm):
    """As of a kubeconfig that others may read, or of a plugin."""
    helm("echo 'WARNING: v1.2.3 of a plugin \377' >&2; echo v3.19.5")
    assert helm_binary.find(None)["version"] == "v3.19.5"


@pytest.mark.parametrize("talk", ["WARNING: plugin v1.2.3 is old", "Using helm from asdf", "v\\377"])
def test_one_that_talks_before_it_answers(helm, talk):
    """A wrapper: the last step would fail at its words."""
    helm("printf '%s\\n'; echo v3.19.5" % talk)
    message = refused("helm_version")
    assert "says something else before its version ('%s" % talk[0] in message and "to standard error" in message


def test_one_that_is_a_folder_or_may_not_be_run(tmp_path):
    (tmp_path / "file").write_text("#!/bin/sh\n")
    for path in (tmp_path, tmp_path / "file"):
        assert "%s is not an executable file" % path in refused("helm_missing", str(path))


def test_there_is_none(helm, tmp_path):
    assert "helm is not in PATH: install Helm 3" in refused("helm_missing")
    assert "/nowhere/helm is not an executable file" in refused("helm_missing", "/nowhere/helm")


def test_an_old_one(helm):
    helm("echo 'Client: v2.17.0+ga690bad'")
    assert "is not Helm 3 or later (it says 'Client: v2.17.0+ga690bad')" in refused("helm_version")


def test_one_that_fails(helm):
    helm("echo 'Error: no home' >&2; exit 1")
    assert "(it says 'Error: no home')" in refused("helm_version")


def test_one_that_cannot_be_run(helm, tmp_path):
    (tmp_path / "helm").write_bytes(b"\x7fELF of another machine")
    (tmp_path / "helm").chmod(0o755)
    with pytest.raises(Error, match="helm cannot be run: ") as caught:
        helm_binary.find(None)
    assert caught.value.code == "helm_version"


def test_one_that_says_nothing(helm, monkeypatch):
    def hang(command, timeout, **_more):
        assert timeout == 30
        raise subprocess.TimeoutExpired(command, timeout)
    helm("")
    monkeypatch.setattr(helm_binary.subprocess, "run", hang)
    with pytest.raises(Error, match=r"helm cannot be run: .*timed out after 30 seconds"):
        helm_binary.find(None)


@pytest.mark.parametrize(("core", "fits"), [((6, 3), False), ((5, 9), False), ((6, 4), True), ((7, 0), True), (None, True)])
def test_helm_4_and_kubernetes_core(helm, monkeypatch, core, fits):
    helm("echo v4.0.1+g1")
    monkeypatch.setattr(helm_binary, "core_version", lambda: core)
    if fits:
        assert helm_binary.find(None)["version"] == "v4.0.1"
    else:
        message = refused("helm_version")
        assert "is Helm v4.0.1" in message and "kubernetes.core %d.%d works with Helm 3 only" % core in message
        assert "6.4 or later" in message
    helm("echo v3.19.5")
    assert helm_binary.find(None)["version"] == "v3.19.5"


class TestTheVersionOfKubernetesCore:
    def test_as_installed(self):
        major, minor = helm_binary.core_version()
        assert major >= 5 and minor >= 0

    @pytest.mark.parametrize("text", ["6.4.0", "10.11.12-beta"])
    def test_its_manifest(self, monkeypatch, tmp_path, text):
        (tmp_path / "MANIFEST.json").write_text(json.dumps({"collection_info": {"version": text}}))
        self.at(monkeypatch, [tmp_path])
        assert helm_binary.core_version() == tuple(int(number) for number in text.split(".")[:2])

    @pytest.mark.parametrize("line", ["version: 6.4.0", "version: '6.4.0'", 'version:   "6.4.0-dev"'])
    def test_a_clone(self, monkeypatch, tmp_path, line):
        (tmp_path / "galaxy.yml").write_text("namespace: kubernetes\nbuild_version: 1.0.0\n%s\n" % line)
        self.at(monkeypatch, [tmp_path])
        assert helm_binary.core_version() == (6, 4)

    def test_a_copy_that_does_not_say(self, monkeypatch, tmp_path):
        self.at(monkeypatch, [tmp_path])
        assert helm_binary.core_version() is None
        monkeypatch.setattr(helm_binary.importlib.util, "find_spec", lambda name: None)
        assert helm_binary.core_version() is None

    @staticmethod
    def at(monkeypatch, folders):
        spec = type("Spec", (), {"submodule_search_locations": [str(folder) for folder in folders]})
        monkeypatch.setattr(helm_binary.importlib.util, "find_spec", lambda name: spec)
