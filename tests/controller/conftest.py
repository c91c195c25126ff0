"""playbooks/awx.yml with the real modules of awx.awx, against a stand-in of the controller's API (controller_api.py).

What that proves, and what it does not: tests/README.md.
"""
from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]
# What makes the collection importable for the unit tests; another conftest than this one.
_spec = importlib.util.spec_from_file_location("unit_conftest", ROOT / "tests/unit/conftest.py")
_spec.loader.exec_module(importlib.util.module_from_spec(_spec))

from controller_api import TOKEN, ControllerApi  # noqa: E402

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nnot a key\n-----END OPENSSH PRIVATE KEY-----\n"


def cluster(name, inventory="inventories/lab/hosts.yml", **more):
    return {
        "name": name, "inventory": inventory,
        "kubernetes": {"host": "https://%s.example.com:6443" % name, "bearer_token": "a-secret", "verify_ssl": True, "ssl_ca_cert": "PEM"},
        "machine": {"username": "root", "ssh_key_data": KEY}, **more}


class Controller:
    """A controller, and somebody who configures it."""

    def __init__(self, folder):
        self.folder, self.api, self.runs = folder, ControllerApi(), 0
        (folder / "ansible_collections" / "mlops").mkdir(parents=True)
        (folder / "ansible_collections" / "mlops" / "tf_serving").symlink_to(ROOT)
        self.variables = {
            "controller_project_url": "https://git.example.com/tf_serving.git",
            "controller_execution_environment_image": "registry.example.com/tf-serving-ee:1",
            "controller_clusters": [cluster("east")],
        }

    def run(self, *arguments, environment=None, **extra):
        """(exit code, {task: what changed there}, output)"""
        self.runs += 1
        folder = self.folder / ("run-%d" % self.runs)
        folder.mkdir()
        (folder / "events").touch()
        (folder / "extra.json").write_text(json.dumps({**self.variables, **extra}))
        python = Path(sys.executable).parent
        done = subprocess.run(
            [str(python / "ansible-playbook"), "-i", "localhost,", "-e", "@%s" % (folder / "extra.json"), *arguments,
             str(ROOT / "playbooks" / "awx.yml")],
            cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600, env={
                **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "CONTROLLER_", "TOWER_"))},
                "PATH": "%s:%s" % (python, os.environ["PATH"]), "HOME": str(self.folder), "EVENTS": str(folder / "events"),
                "CONTROLLER_HOST": self.api.url, "CONTROLLER_OAUTH_TOKEN": TOKEN, "ANSIBLE_PIPELINING": "True",
                "ANSIBLE_COLLECTIONS_PATH": str(self.folder), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "False",
                "ANSIBLE_PYTHON_INTERPRETER": sys.executable, "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests" / "cores" / "callbacks"),
                "ANSIBLE_CALLBACKS_ENABLED": "events", **(environment or {})})
        events = [json.loads(line) for line in (folder / "events").read_text().splitlines()]
        print(done.stdout, done.stderr)
        changes = [event["task"] for event in events if event["kind"] == "ok" and event["said"].get("changed")]
        return done.returncode, changes, " ".join((done.stdout + done.stderr).split())


@pytest.fixture(scope="module")
def controller(tmp_path_factory):
    made = Controller(tmp_path_factory.mktemp("controller"))
    yield made
    made.api.close()
