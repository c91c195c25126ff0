"""The modules of the NAS through ansible-playbook: what travels, and what is said of nodes that cannot. The NAS is a folder."""
from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fake_mount import Nas, needs_mounts
from nas_folder import ONE, sha

import conftest
from ansible_collections.mlops.tf_serving.plugins.module_utils import tfrecord
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import mount

numpy = pytest.importorskip("numpy")

PLAY = """
- hosts: mnist
  gather_facts: false
  module_defaults:
    mlops.tf_serving.model_publish: &nas {nas_server: nas, nas_export: /serving, base_path: /serving/model/mnist}
    mlops.tf_serving.model_versions: *nas
  environment: {PATH: "%(tools)s:{{ lookup('env', 'PATH') }}"}
  tasks:
    - name: An archive of the controller, with samples of a dataset of the controller
      mlops.tf_serving.model_publish: &publish
        {archive: %(archive)s, warmup: 2, warmup_dataset: %(dataset)s, version: "{{ none }}"}
      delegate_to: node
      register: published
    - name: The look
      mlops.tf_serving.model_publish: *publish
      delegate_to: node
      check_mode: true
      register: look
    - name: A run with nothing to do
      mlops.tf_serving.model_publish: *publish
      delegate_to: node
      register: again
    - name: A file of the node
      mlops.tf_serving.model_publish: {archive: "file://%(archive)s", version: "{{ 7 }}"}
      delegate_to: node
      register: of_the_node
    - mlops.tf_serving.model_publish_plan:
        models:
          - {name: mnist, archive: %(archive)s, nas_server: nas, nas_export: /serving, base_path: /serving/model/mnist}
          - {name: shouted, archive: %(archive)s, checksum: "SHA256:%(sum)s", nas_server: nas, nas_export: /serving,
             base_path: /serving/model/mnist}
          - {name: gone, archive: /no/such, nas_server: nas, base_path: /gone}
          - {name: changed, archive: %(archive)s, checksum: "sha256:{{ '0' * 64 }}", nas_server: nas, base_path: /changed}
      delegate_to: node
      register: plan
    - mlops.tf_serving.model_versions: {keep: "{{ '' }}"}
      delegate_to: node
      register: versions
    - {mlops.tf_serving.model_versions: , delegate_to: discovered, register: discovered}
    - {mlops.tf_serving.model_versions: , delegate_to: without_python, ignore_errors: true, register: without_python}
    - {mlops.tf_serving.model_versions: , delegate_to: with_an_old_python, ignore_errors: true, register: with_an_old_python}
    - {mlops.tf_serving.model_versions: , delegate_to: gone, ignore_errors: true, register: gone}
    - {mlops.tf_serving.model_versions: , delegate_to: nowhere, ignore_errors: true, register: nowhere}
    - name: After a host that could not be reached the play goes on
      ansible.builtin.debug:
        msg: "answers={{ dict(published=published, look=look, again=again, of_the_node=of_the_node, plan=plan, versions=versions,
          discovered=discovered, without_python=without_python, with_an_old_python=with_an_old_python, gone=gone, nowhere=nowhere)
          | to_json | b64encode }}."
"""
INVENTORY = """
mnist ansible_host=model.invalid ansible_ssh_executable=%(no_ssh)s
node ansible_connection=local ansible_python_interpreter=%(python)s
discovered ansible_connection=local ansible_interpreter_python_fallback="['%(python)s']"
without_python ansible_connection=local ansible_python_interpreter=/no/such/python
with_an_old_python ansible_connection=local ansible_python_interpreter=%(old_python)s
gone ansible_host=gone.invalid ansible_ssh_executable=%(no_ssh)s
"""


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("play")
    nas = Nas(folder)
    (folder / "archive.tar.gz").write_bytes(ONE)
    numpy.savez(folder / "data.npz", images=numpy.arange(3 * 784).reshape(3, 28, 28) / 4096)
    paths = {
        "tools": nas.tools, "archive": folder / "archive.tar.gz", "dataset": folder / "data.npz", "python": sys.executable,
        "sum": sha(ONE).upper(), "no_ssh": script(folder / "no-ssh", "echo Connection refused >&2; exit 255"),
        "old_python": script(folder / "old-python", '[ "$1" = -c ] && echo Python 3.3 && exit; echo SyntaxError >&2; exit 1'),
    }
    (folder / "play.yml").write_text(PLAY % paths)
    (folder / "ansible.cfg").write_text("")
    (folder / "hosts").write_text(INVENTORY % paths)
    (folder / "ansible_collections/mlops").mkdir(parents=True)
    (folder / "ansible_collections/mlops/tf_serving").symlink_to(conftest.ROOT)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts", "play.yml"], cwd=str(folder), check=False,
        capture_output=True, text=True, env={
            **inherited, "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(folder), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_REMOTE_TMP": str(folder / "remote"),
            "ANSIBLE_LOCAL_TEMP": str(folder / "local"), "ANSIBLE_SSH_RETRIES": "0",
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(base64.b64decode(re.search(r"answers=([\w+/=]+)\.", done.stdout).group(1)))
    return {**found, "root": nas.root, "mounts": nas.mounts(), "remote": folder / "remote", "output": done.stdout + done.stderr}


pytestmark = [
    needs_mounts,
    pytest.mark.skipif(not any(map(os.path.exists, mount.CLIENTS)), reason="there is no NFS client on this machine"),
]


def test_what_only_the_controller_has_reaches_the_node(answers):
    published = answers["published"]
    assert (published["changed"], published["version"], published["warmup"], published["verified"]) == (True, 1, 2, True)
    with open(answers["root"] / "serving/model/mnist/1/assets.extra/tf_serving_warmup_requests", "rb") as file:
        assert len(list(tfrecord.records(file, 1 << 20))) == 2
    assert [path for path in answers["remote"].glob("**/*") if path.is_file()] == [], "nothing is left on the node"


def test_the_look_is_the_answer_of_a_run_with_nothing_to_do(answers):
    look, again = answers["look"], answers["again"]
    for answer in (look, again):
        del answer["duration"]
        answer.pop("invocation", None)
    assert again["changed"] is False
    assert look == again
    # The first task runs twice, for the node answers with what it needs; each time the export is not there, and then its root is.
    assert [",ro " in line for line in answers["mounts"]] == [False] * 4 + [True] + [False] * 2 + [True] * 3


def test_a_plan_knows_the_archives_of_the_controller(answers):
    plan = answers["plan"]["models"]
    assert (plan["mnist"]["changed"], plan["mnist"]["version"], plan["mnist"]["verified"]) == (False, 1, True)
    assert plan["shouted"] == plan["mnist"], "a checksum may be written in capitals"
    assert {name: plan[name]["failure"]["code"] for name in ("gone", "changed")} == {
        "gone": "archive_unreadable", "changed": "checksum_mismatch"}


def test_a_node_whose_python_is_discovered(answers):
    assert answers["discovered"]["versions"] == answers["versions"]["versions"]
    assert "[WARNING]" not in answers["output"]


def test_a_file_of_the_node(answers):
    assert (answers["of_the_node"]["version"], answers["of_the_node"]["source"].startswith("file:///")) == (7, True)
    assert [entry["version"] for entry in answers["versions"]["versions"]] == [1, 7]


@pytest.mark.parametrize(("node", "code", "words"), [
    ("without_python", "node_python_missing", r"has no Python where ansible_python_interpreter \(/no/such/python\) looks"),
    ("with_an_old_python", "node_python_old", r"has Python 3\.3, and this ansible-core needs 3\.\d+ or later"),
    ("gone", "node_unreachable", r"cannot be reached: .*Connection refused\. Check its ansible_host"),
    ("nowhere", "node_not_in_inventory", "which is not in the inventory"),
])
def test_nodes_that_cannot(answers, node, code, words):
    refused = answers[node]
    assert (refused["failed"], refused.get("unreachable", False), refused["failure"]["code"]) == (True, False, code)
    assert re.match("(Task failed: )?model_node (is )?'?%s'?,? %s" % (node, words), refused["msg"])
