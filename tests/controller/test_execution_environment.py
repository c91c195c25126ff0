"""execution-environment.yml renders with ansible-builder, with what a job needs and nothing of the tests.

No image is built: that takes a registry and a container engine. This collection's part is installed as the image's build would.
"""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text())
ARCHIVE = "%(namespace)s-%(name)s-%(version)s.tar.gz" % GALAXY
DEFINITION = "execution-environment.yml"
BIN = Path(sys.executable).parent


def run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300, env={
        **os.environ, "PATH": "%s:%s" % (BIN, os.environ["PATH"])})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder that the image would be built from."""
    folder = tmp_path_factory.mktemp("ee")
    run("ansible-galaxy", "collection", "build", "--output-path", str(folder), str(ROOT), cwd=folder)
    for name in (DEFINITION, "requirements.txt", "bindep.txt"):
        (folder / name).symlink_to(ROOT / name)
    run(sys.executable, "-m", "ansible_builder", "create", "--file", DEFINITION, "--context", "context",
        "--output-filename", "Containerfile", cwd=folder)
    return folder / "context"


def test_it_renders(built):
    text = (built / "Containerfile").read_text()
    assert "COPY _build /build\nWORKDIR /build" in text  # from where this collection's archive is found
    assert re.search(r"^COPY --from=docker.io/alpine/helm:\S+ /usr/bin/helm /usr/local/bin/helm$", text, re.MULTILINE)
    assert "openssh-clients [platform:rpm]" in (built / "_build" / "bindep.txt").read_text()


def test_it_has_this_collection_and_what_that_depends_on(built):
    collections = yaml.safe_load((built / "_build" / "requirements.yml").read_text())["collections"]
    assert {entry["name"] for entry in collections} == {"collections/" + ARCHIVE, *GALAXY["dependencies"]}
    assert {entry["name"]: entry.get("version") for entry in collections}["kubernetes.core"] == GALAXY["dependencies"]["kubernetes.core"]


def test_the_archive_is_installed_from_where_it_lies(built):
    (built / "_build" / "ours.yml").write_text(yaml.safe_dump({"collections": [{"name": "collections/" + ARCHIVE, "type": "file"}]}))
    run("ansible-galaxy", "collection", "install", "-r", "ours.yml", "--no-deps", "--offline", "--collections-path", str(built / "share"),
        cwd=built / "_build")
    installed = built / "share" / "ansible_collections" / "mlops" / "tf_serving"
    for name in ("playbooks/site.yml", "roles/serving/files/acs-tensorflow-serving/Chart.yaml", "plugins/action/inference_check.py"):
        assert (installed / name).is_file()


def test_it_has_what_runs_need_and_nothing_of_the_tests(built):
    def names(path):
        return {re.match(r"[A-Za-z0-9_-]+", line).group(0).lower() for line in path.read_text().splitlines() if re.match("[A-Za-z]", line)}

    wanted = names(built / "_build" / "requirements.txt")
    assert wanted == {"ansible-core", "kubernetes", "pyyaml", "grpcio", "protobuf", "numpy", "matplotlib"}
    assert not wanted & names(ROOT / "tests" / "requirements.txt")
