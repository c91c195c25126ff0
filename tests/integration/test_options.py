"""What few people set, and all at once: other ways of an archive to the NAS, other volumes, REST, batching and monitoring.

Two models in one run. Both serve through kubelet's own mount of their kind of volume.
"""
from __future__ import annotations

import json
import subprocess
import urllib.request

import pytest
import served

from conftest import HOST, Lane, eventually, unchanged
from tf_lab import models, settings

LANE = Lane("options")
ARCHIVE = models.MODELS / models.ARCHIVES[0]
OF_THE_NODE = "/root/mnist.tar.gz"
SHA = models.archives()[ARCHIVE.name]["sha256"]
HOSTS = {
    # The archive from a path on the controller.
    "rest": {
        **HOST, "model_archive": str(ARCHIVE), "model_checksum": "sha256:" + SHA, "model_name": "mnist", "model_warmup": 20,
        "serving_release": "rest", "volume_driver": "nfs", "serving_service_type": "LoadBalancer", "serving_rest_port": 8501,
        "serving_monitoring": True, "serving_batching": {"max_batch_size": 4, "batch_timeout_micros": 1500}, "scaling_replicas": 1,
        "model_base_path": LANE.export + "/rest",
    },
    # And from one on the node.
    "flex": {
        **HOST, "model_archive": "file://" + OF_THE_NODE, "model_name": "mnist", "serving_release": "flex", "volume_driver": "flexvolume",
        "scaling_replicas": 1, "model_base_path": LANE.export + "/flex",
    },
}


def ssh(command, **options):
    return subprocess.run(
        ["ssh", "-i", settings.NODE_KEY, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
         "root@" + settings.NAS_NODE_IP, command], check=True, capture_output=True, timeout=60, **options)


@pytest.fixture(scope="module")
def installed(controller):
    assert controller.run("playbooks/teardown.yml", HOSTS, model_delete_data=True).rc == 0
    ssh("cat >" + OF_THE_NODE, input=ARCHIVE.read_bytes())
    try:
        run = controller.run(hosts=HOSTS, gpu="false")
        assert run.rc == 0, run.failures
        yield run
        assert controller.run("playbooks/teardown.yml", HOSTS, model_delete_data=True).rc == 0
    finally:
        ssh("rm -f " + OF_THE_NODE)


@pytest.fixture
def address(api, installed):
    return api.object("v1", "Service", "rest-acs-tensorflow-serving").status.loadBalancer.ingress[0].ip


def page(address, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen("http://%s:8501%s" % (address, path), data, timeout=30) as reply:
        return reply.read().decode()


@pytest.mark.parametrize("host", HOSTS)
def test_the_version_is_there_and_serves(api, installed, host):
    assert (LANE.base / host / "1" / "saved_model.pb").is_file()
    (pod,) = [pod for pod in api.pods(host) if not pod.metadata.deletion_timestamp]
    assert served.loaded(pod) == [1]


def test_the_volumes_are_of_their_kinds(api, installed):
    volumes = {host: api.get("v1", "PersistentVolume", LANE.volume(host)) for host in HOSTS}
    assert volumes["rest"].spec.nfs.to_dict() == {"server": settings.NAS_IP, "path": LANE.export + "/rest"}
    assert volumes["flex"].spec.flexVolume.driver == "alicloud/nas"
    assert {volume.status.phase for volume in volumes.values()} == {"Bound"}


def test_a_checksum_that_is_right_makes_the_model_verified(installed):
    said = {event["event_data"]["host"]: event["event_data"]["res"] for event in installed.events
            if event["event"] == "runner_on_ok" and "verified" in event["event_data"]["res"]}
    assert said["rest"]["verified"] and said["rest"]["checksum"] == "sha256:" + SHA


def test_rest_through_the_services_address(address):
    (scores,) = json.loads(page(
        address, "/v1/models/mnist:predict", {"signature_name": "predict_images", "instances": [[0.0] * 784]}))["predictions"]
    assert sum(scores) == pytest.approx(1, abs=0.01)


def test_monitoring(address):
    eventually(lambda: 'model_name="mnist"' in page(address, "/monitoring/prometheus/metrics"), 10)


def test_batching_and_warm_up_reach_the_server(api, installed):
    (pod,) = [pod for pod in api.pods("rest") if not pod.metadata.deletion_timestamp]
    log = api.core.read_namespaced_pod_log(pod.metadata.name, LANE.namespace)
    assert "max_batch_size { value: 4 }" in next(line for line in log.splitlines() if "Batching parameters that arrived" in line)
    assert "Number of warmup records read: 20." in log


def test_again(controller, installed):
    unchanged(controller.run(hosts=HOSTS, gpu="false"))
