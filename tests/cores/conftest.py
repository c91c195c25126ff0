"""Playbooks on whatever ansible-core this Python has, against stand-ins: a cluster over HTTP, Helm, and a folder as the NAS.

What is real: ansible-playbook, the roles, the modules, gRPC, the mount namespace in which a version is published, and the Python
of the node ($NODE_PYTHON). Needs root for that namespace, and neither network nor lab.
"""
from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(ROOT / "tests" / "unit")]
# What makes the collection importable for the unit tests; another conftest than this one.
_spec = importlib.util.spec_from_file_location("unit_conftest", ROOT / "tests/unit/conftest.py")
_spec.loader.exec_module(importlib.util.module_from_spec(_spec))

import idx_files  # noqa: E402
import saved_models  # noqa: E402
from api_server import BAD, BROKEN, GOOD, ApiServer  # noqa: E402

EXPORT = "/serving"


@dataclasses.dataclass
class Run:
    """One finished playbook."""

    rc: int
    stdout: str
    events: list

    @property
    def failures(self):
        return self.failures_of(None)

    def failures_of(self, host):
        """What the failed tasks said, task name included. Those that were rescued are among them, the list at the end is not."""
        return "\n".join(
            "%s: %s" % (event["task"], event["said"].get("msg")) for event in self.events
            if event["kind"] in ("failed", "unreachable") and event["task"] != "What failed" and not event["ignored"]
            and host in (None, event["host"]))

    @property
    def changes(self):
        return [event["task"] for event in self.events if event["kind"] == "ok" and event["said"].get("changed")]

    @property
    def done(self):
        """What was done, by name. What was skipped is not among it."""
        return [event["task"].rpartition(" : ")[2] for event in self.events if event["kind"] != "skipped"]

    @property
    def results(self):
        """The six results of site.yml, and what lies beside."""
        (lines,) = [event["said"]["msg"] for event in self.events if event["task"] == "The six results"]
        return lines

    @property
    def artifacts(self):
        """What a controller keeps of it, as far as playbooks hand it on for each model."""
        found = [event["said"]["ansible_stats"]["data"] for event in self.events if event["said"].get("ansible_stats")]
        return {model: one for data in found for model, one in data.get("outcomes", {}).items()}

    @property
    def text(self):
        """Of standard output, in one line, for long lines are folded."""
        return " ".join(self.stdout.split())


class World:
    """A cluster, a NAS and a controller."""

    def __init__(self, folder):
        self.folder = folder
        self.nas = folder / "nas"
        (self.nas / EXPORT.lstrip("/")).mkdir(parents=True)
        self.base = self.nas / "serving" / "model" / "mnist"
        self.cluster = ApiServer(self.nas)
        (folder / "dataset").mkdir()
        (folder / "ansible_collections" / "mlops").mkdir(parents=True)
        self.collection = folder / "ansible_collections" / "mlops" / "tf_serving"
        self.collection.symlink_to(ROOT)
        self.models = {
            "model_node": "nas-node", "model_nas_server": "nas.example.com", "model_nas_export": EXPORT,
            "model_archive": self.archive(1), "check_dataset": idx_files.write(folder / "dataset"),
            "serving_image": "localhost/tensorflow-serving:2.15.1", "serving_gpu_image": "localhost/tensorflow-serving:2.15.1-gpu",
            "serving_port": self.cluster.service_port, "serving_service_type": "ClusterIP", "scaling_replicas": 2, "gpu": False,
        }
        self.node = {
            "ansible_connection": "local", "ansible_python_interpreter": os.environ.get("NODE_PYTHON", sys.executable),
        }
        self.runs = 0

    def archive(self, version, content=GOOD):
        """Path of an archive with this version."""
        path = self.folder / ("mnist-%d-%s.tar.gz" % (version, content.decode()))
        if not path.exists():
            path.write_bytes(saved_models.tar(saved_models.under("mnist/%d" % version, saved_models.model_files(content))))
        return str(path)

    def bad_archive(self, version):
        """Of a version that answers nothing right."""
        return self.archive(version, BAD)

    def broken_archive(self, version):
        """Of a version that no server loads."""
        return self.archive(version, BROKEN)

    def run(self, playbook, *arguments, hosts=None, node=None, sliced=False, environment=None, **extra):
        """Run it. extra: the variables of a launch, in a file as AWX has them. sliced: the node is in another slice of the job."""
        self.runs += 1
        folder = self.folder / ("run-%d" % self.runs)
        folder.mkdir()
        (folder / "events").touch()
        (folder / "extra.json").write_text(json.dumps(extra))
        (folder / "inventory.json").write_text(json.dumps({"all": {"children": {
            "models": {"hosts": hosts or {"mnist": {}}, "vars": self.models},
            "nas_nodes": {"hosts": {} if sliced else {"nas-node": {**self.node, **(node or {})}}},
        }}}))
        python = Path(sys.executable).parent
        # The node's preflight looks for mount.nfs where distributions have it: these folders are this run's own.
        command = [
            "unshare", "--mount", "sh", "-c", '/bin/mount --bind "$1" /usr/local/sbin && shift && exec "$@"', "sh", str(self.sbin),
            str(python / "ansible-playbook"), "-i", str(folder / "inventory.json"), "-e", "@%s" % (folder / "extra.json"),
            *arguments, playbook if "." in playbook else str(self.collection / "playbooks" / (playbook + ".yml")),
        ]
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300, env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "K8S_AUTH_", "KUBE"))},
            "PATH": "%s:%s:%s" % (HERE / "bin", python, os.environ["PATH"]), "HOME": str(self.folder), "EVENTS": str(folder / "events"),
            "STAND_IN_NAS": str(self.nas), "K8S_AUTH_HOST": self.cluster.url, "K8S_AUTH_API_KEY": "token",
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder), "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "events", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            "ANSIBLE_LOCALHOST_WARNING": "False", **(environment or {}),
        })
        events = [json.loads(line) for line in (folder / "events").read_text().splitlines()]
        print(done.stdout, done.stderr)
        return Run(done.returncode, done.stdout + done.stderr, events)

    @property
    def sbin(self):
        folder = self.folder / "sbin"
        if not folder.exists():
            folder.mkdir()
            shutil.copy("/bin/true", folder / "mount.nfs")
        return folder

    def seen(self):
        """All that a playbook could change."""
        objects = {key: json.dumps(value, sort_keys=True) for key, value in self.cluster.objects.items()}
        files = {str(path): path.read_bytes() if path.is_file() else None for path in sorted(self.nas.rglob("*"))}
        return {**objects, **files}

    def versions(self):
        return sorted(int(path.name) for path in self.base.iterdir() if path.name.isdigit()) if self.base.is_dir() else []

    def record(self, version):
        """What stands on the NAS of a version."""
        return json.loads(self._record(version).read_text())

    def forget_the_check(self, version):
        """As if it had never been asked."""
        record = self.record(version)
        del record["checked"]
        self._record(version).write_text(json.dumps(record))

    def _record(self, version):
        return self.base / ".provenance" / ("%d.json" % version)

    def serving(self, model="mnist"):
        """[the highest version that each pod has of the model]"""
        for server in self.cluster.servers.values():
            server.follow()
        return [max(server.available(model), default=None) for server in self.cluster.servers.values()]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.cluster.close()


@pytest.fixture
def play(world):
    return world.run


@pytest.fixture
def unseen(world):
    """The world is as it was before."""
    before = world.seen()
    yield
    assert world.seen() == before
