"""The tutorial's six steps on the lab, with the inventory as shipped: each test goes on where the one before stopped."""
from __future__ import annotations

import json
import re

import pytest

from conftest import SHIPPED as LANE
from conftest import World, eventually
from tf_lab import models, settings

ARCHIVES = models.archives()
CHECKS = "ConfigMap default/mnist-deploy-check"  # each check is a new measurement


@pytest.fixture(scope="module", autouse=True)
def clean_slate(controller, api):
    run = controller.run("playbooks/teardown.yml", model_delete_data=True)
    assert run.rc == 0
    yield
    controller.run("playbooks/teardown.yml", model_delete_data=True)


def test_check_on_an_empty_cluster_changes_nothing(controller, api):
    world = World(api)
    run = controller.run(cmdline="--check --diff -e gpu=false")
    assert run.rc == 0, run.failures
    assert run.changed > 0, "check mode has to announce what would be made"
    assert re.search(r"^ *[-+ ]*\+.*nasplugin.csi.alibabacloud.com", run.stdout, re.M), "the diff shows the volume"
    assert world.differences() == []


def test_install(controller, api):
    run = controller.run(cmdline="-e gpu=false")  # -e hands over the string "false"
    assert run.rc == 0, run.failures
    # 1. the tree on the NAS
    assert (LANE.base / "mnist" / "1" / "saved_model.pb").is_file()
    assert (LANE.base / "mnist" / "1" / "variables" / "variables.index").is_file()
    assert "saved_model.pb" in run.stdout
    # 2. the volume, bound to its own claim
    volume = api.get("v1", "PersistentVolume", "default-mnist-deploy")
    assert volume.status.phase == "Bound"
    assert volume.metadata.labels["model"] == "mnist"
    assert volume.spec.claimRef.name == "mnist-deploy-acs-tensorflow-serving"
    # 3. the release, without a GPU
    deployment = api.get("apps/v1", "Deployment", "mnist-deploy-serving", "default")
    container = deployment.spec.template.spec.containers[0]
    assert container.image == "localhost/tensorflow-serving:1.4.0-devel"
    assert "nvidia.com/gpu" not in json.dumps(container.to_dict())
    # 4. the address
    service = api.get("v1", "Service", "mnist-deploy-acs-tensorflow-serving", "default")
    address = service.status.loadBalancer.ingress[0].ip
    assert address in run.stdout
    assert "Successfully loaded servable version {name: mnist version: 1}" in run.stdout
    # 5. the error rate is the model's own: what TensorFlow itself got on the same 1000 images
    expected = "Inference error rate: %.1f%%" % ARCHIVES["mnist-export.tar.gz"]["error_rate"]
    assert expected in run.stdout
    # 6. two replicas
    assert deployment.spec.replicas == 2
    assert deployment.status.readyReplicas == 2


def test_second_run_changes_nothing(controller, api):
    pods = {pod.metadata.uid for pod in api.pods("mnist-deploy")}
    world = World(api)
    run = controller.run(cmdline="-e gpu=false")
    assert run.rc == 0, run.failures
    assert run.changes() == []
    assert {pod.metadata.uid for pod in api.pods("mnist-deploy")} == pods
    assert world.differences(but=[CHECKS]) == []


def test_check_keeps_its_result_and_writes_a_report(controller, api, tmp_path):
    golden, reports = tmp_path / "golden" / "mnist.npz", tmp_path / "reports"
    run = controller.run("playbooks/record.yml", check_golden=str(golden))
    assert run.rc == 0 and run.changed == 1 and golden.is_file(), run.failures
    run = controller.run("playbooks/check.yml", check_golden=str(golden), check_report="%s/" % reports)
    assert run.rc == 0, run.failures
    rate = ARCHIVES["mnist-export.tar.gz"]["error_rate"]
    said = " ".join(run.stdout.split())  # long lines are folded
    for words in ("Inference error rate: %.1f%%" % rate, "agreement with golden: 100.0%", str(reports / "mnist.html")):
        assert words in said, said
    assert "%.1f%%" % rate in (reports / "mnist.html").read_text() and (reports / "index.html").is_file()
    # The result is kept in the cluster, for the next check to compare itself with: this was the second, after the install's.
    kept = json.loads(api.get("v1", "ConfigMap", "mnist-deploy-check", "default").data["results.json"])
    assert [(result["version"], result["error_rate"], result["tests"], result["passed"], result["agreement"]) for result in kept] == [
        (1, rate, 1000, True, 100.0)]


def test_check_on_a_deployed_cluster_finds_nothing(controller, api):
    world = World(api)
    run = controller.run(cmdline="--check --diff -e gpu=false")
    assert run.rc == 0, run.failures
    assert run.changes() == []
    assert world.differences() == [], "the results of the check are written by a real one only"


@pytest.mark.long  # tests/cores has the same without a cluster
@pytest.mark.parametrize("playbook, extra", [
    ("rollback", {}), ("teardown", {"model_delete_data": True}), ("promote", {}), ("record", {"check_golden": "/tmp/never.npz"}),
    ("scale", {"scaling_replicas": 3}),
])
def test_check_mode_of_every_playbook_that_acts(controller, api, playbook, extra):
    """There is one version, so a rollback has no way back; all else says what it would do."""
    world = World(api)
    run = controller.run("playbooks/%s.yml" % playbook, cmdline="--check --diff", **extra)
    if playbook == "rollback":
        assert run.rc == 2 and "the only live version" in run.failures, run.failures
    else:
        assert run.rc == 0, run.failures
        assert bool(run.changes()) == (playbook != "promote"), run.changes()
    assert world.differences() == []


def test_check_shows_what_a_change_would_do(controller, api):
    world = World(api)
    run = controller.run(cmdline="--check --diff -e gpu=false", scaling_replicas=3)
    assert run.rc == 0, run.failures
    assert len(run.changes()) == 1, run.changes()
    assert re.search(r"-.*replicas.*2[\s\S]*\+.*replicas.*3", run.stdout)
    assert world.differences() == []


def test_status_tells_what_serves(controller, api):
    run = controller.run("playbooks/status.yml")
    assert run.rc == 0, run.failures
    for pod in api.pods("mnist-deploy"):
        assert pod.metadata.name in run.stdout
    assert "Inference error rate: %.1f%%, passed" % ARCHIVES["mnist-export.tar.gz"]["error_rate"] in " ".join(run.stdout.split())
    assert "deployed" in run.stdout and run.changed == 0


def test_scale_is_temporary(controller, api):
    def replicas():
        return api.get("apps/v1", "Deployment", "mnist-deploy-serving", "default").spec.replicas

    run = controller.run("playbooks/scale.yml", cmdline="-e scaling_replicas=3")
    assert run.rc == 0, run.failures
    assert replicas() == 3 and run.changed == 1
    # null: the number is an autoscaler's or a human's; '' is an unanswered survey question, so the same
    run = controller.run(hosts={"mnist": {"scaling_replicas": None}}, gpu="false")
    assert run.rc == 0 and run.changes() == [], run.failures
    assert replicas() == 3
    # the next site run restores the inventory's number
    run = controller.run(gpu=False)
    assert run.rc == 0, run.failures
    assert replicas() == 2


def test_check_fails_without_a_server(controller):
    assert controller.run("playbooks/scale.yml", scaling_replicas=0).rc == 0
    run = controller.run("playbooks/check.yml")
    assert run.rc == 2
    assert "error rate" not in run.failures.lower()
    assert re.search(r"no ready|not ready|no replica", run.failures, re.I), run.failures
    assert controller.run("playbooks/scale.yml", scaling_replicas=2).rc == 0


@pytest.mark.long
def test_one_name_in_two_namespaces_and_a_wrecked_model(controller, api):
    """Another team's model of the same name and release: other data, other volume, and zeroed weights."""
    other = {
        "model_name": "mnist", "model_base_path": "/serving/other/mnist", "serving_namespace": "other-team",
        "serving_release": "mnist-deploy", "model_archive": "http://%s/mnist-wrecked.tar.gz" % settings.WEB_IP,
        "scaling_replicas": 1,
    }
    run = controller.run(hosts={"mnist": {}, "theirs": other}, cmdline="-e gpu=false --limit theirs")
    assert run.rc == 2
    rate = "%.1f%%" % ARCHIVES["mnist-wrecked.tar.gz"]["error_rate"]
    assert rate in run.failures and "15" in run.failures, run.failures
    volume = api.get("v1", "PersistentVolume", "other-team-mnist-deploy")
    assert volume.spec.claimRef.namespace == "other-team" and volume.status.phase == "Bound"
    # ours still is what it was
    run = controller.run(cmdline="-e gpu=false")
    assert run.rc == 0 and run.changes() == [], run.failures
    run = controller.run("playbooks/teardown.yml", hosts={"theirs": other}, model_delete_data=True)
    assert run.rc == 0, run.failures
    assert api.get("v1", "PersistentVolume", "other-team-mnist-deploy") is None
    assert not (settings.EXPORT / "serving" / "other" / "mnist").exists()
    assert api.get("v1", "PersistentVolume", "default-mnist-deploy").status.phase == "Bound"


def test_gpu_asked_for_where_no_node_has_one(controller, api, no_gpus):
    world = World(api)
    run = controller.run(cmdline="-e gpu=true")
    assert run.rc == 2 and "gpu to false" in run.failures, run.failures
    assert world.differences() == []


def test_a_gpu_that_an_autoscaler_is_to_add_is_a_warning(controller, api, no_gpus):
    run = controller.run(cmdline="--check -e gpu=true -e serving_gpu_preflight=warn")
    assert run.rc == 0, run.failures
    assert "nvidia.com/gpu" in run.warnings, run.warnings


def test_gpu_scheduled_but_not_started(controller, api, no_gpus):
    """The node says it has one GPU, so the pod is scheduled; the lab's server has none to start, and says so."""
    assert controller.run("playbooks/teardown.yml").rc == 0
    api.gpus(1)
    eventually(lambda: (api.core.list_node().items[0].status.allocatable or {}).get("nvidia.com/gpu") == "1")
    run = controller.run(hosts={"mnist": {"scaling_replicas": 1}})  # gpu undefined: true, the tutorial's default
    assert run.rc == 2
    assert "no GPU device was created" in run.failures, run.failures
    container = api.get("apps/v1", "Deployment", "mnist-deploy-serving", "default").spec.template.spec.containers[0]
    assert container.image.endswith("-gpu")
    assert container.resources.limits["nvidia.com/gpu"] == "1"
    assert {pod.status.phase for pod in api.pods("mnist-deploy")} == {"Running"}


def test_teardown_keeps_the_data(controller, api):
    run = controller.run("playbooks/teardown.yml")
    assert run.rc == 0, run.failures
    assert run.changed > 0
    assert api.get("apps/v1", "Deployment", "mnist-deploy-serving", "default") is None
    assert api.get("v1", "PersistentVolume", "default-mnist-deploy") is None
    assert api.get("v1", "ConfigMap", "mnist-deploy-check", "default") is None
    assert (LANE.base / "mnist" / "1" / "saved_model.pb").is_file()
    again = controller.run("playbooks/teardown.yml")
    assert again.rc == 0 and again.changes() == [], again.failures


def test_install_again_after_teardown(controller, api):
    run = controller.run(cmdline="-e gpu=false")
    assert run.rc == 0, run.failures
    assert not any("ublish" in task for task in run.changes()), "the data was kept: nothing to publish"
    assert len(api.pods("mnist-deploy")) == 2
