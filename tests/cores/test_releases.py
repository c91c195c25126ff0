"""What is deployed, as an inventory: read by ansible-inventory, and compared with what it came from by the plan."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

FILE = {
    "plugin": "mlops.tf_serving.releases", "keyed_groups": [{"key": "serving_namespace", "prefix": "in"}],
    "compose": {"model_archive": "'/archives/' ~ model_name ~ '.tar.gz'"},
}


@pytest.fixture
def listed(world, tmp_path):
    """What ansible-inventory makes of the cluster."""
    def run(**more):
        (tmp_path / "releases.tf_serving.yml").write_text(yaml.safe_dump({**FILE, **more}))
        done = subprocess.run(
            [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(tmp_path / "releases.tf_serving.yml"), "--list"],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120, env={
                "PATH": os.environ["PATH"], "HOME": str(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(world.folder), "ANSIBLE_NOCOLOR": "1",
                "K8S_AUTH_HOST": world.cluster.url, "K8S_AUTH_API_KEY": "token", "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True"})
        print(done.stdout, done.stderr)
        return json.loads(done.stdout, object_hook=_trusted) if done.returncode == 0 else done.stderr
    return run


def _trusted(found):
    """Without the mark that text of an inventory plugin carries."""
    return found["__ansible_unsafe"] if set(found) == {"__ansible_unsafe"} else found


def test_an_empty_cluster(listed):
    assert listed()["_meta"]["hostvars"] == {}


def test_what_site_made(world, play, listed):
    assert play("site", "--skip-tags", "check").rc == 0
    before = world.seen()
    found = listed()
    assert found["models"]["hosts"] == found["in_default"]["hosts"] == ["mnist"] and world.seen() == before
    variables = found["_meta"]["hostvars"]["mnist"]
    expected = {key: value for key, value in world.models.items() if key in (
        "serving_image", "serving_port", "serving_service_type", "scaling_replicas", "gpu", "model_nas_server")}
    assert {key: variables[key] for key in expected} == expected
    assert variables["volume_name"] == "default-mnist-deploy" and variables["release_status"] == "deployed"
    assert variables["model_archive"] == "/archives/mnist.tar.gz"


def test_it_plans_no_change(world, play, listed, tmp_path):
    """As an inventory of its own, with what only the NAS and the inventory know."""
    variables = listed()["_meta"]["hostvars"]["mnist"]
    beside = {key: world.models[key] for key in ("model_archive", "model_node", "check_dataset")}
    run = play("plan", hosts={"mnist": {**variables, **beside}}, plan_file=str(tmp_path / "plan.json"))
    assert run.rc == 0, run.failures
    plan = json.loads((tmp_path / "plan.json").read_text())["models"]["mnist"]
    assert plan["changes"] == ["version 1 never passed its check"]


def test_it_says_why_it_cannot(world, listed):
    world.cluster.forbidden.add(("GET", "secrets"))
    assert "Name the namespaces that this account may look into, in namespaces." in " ".join(listed().split())
    world.cluster.forbidden.clear()
