"""The module against an API server: created in check mode, created, again, changed, removed."""
from __future__ import annotations

import pytest
from documented import both

from ansible_collections.mlops.tf_serving.plugins.action import model_volume

VOLUME = "/api/v1/persistentvolumes/default-mnist-deploy"
OPTIONS = {
    "name": "default-mnist-deploy", "claim_namespace": "default", "claim": "mnist-deploy-acs-tensorflow-serving",
    "model": "mnist", "server": "10.0.0.4", "path": "/serving/model/mnist",
}


@pytest.fixture
def volume(api):
    def run(**more):
        return api.run("model_volume", **{**OPTIONS, **more})
    return run


def test_what_it_takes():
    spec, told = both(model_volume)
    assert spec == told


def test_a_volumes_life(api, volume):
    shown = volume(check_mode=True, diff=True)
    assert shown["changed"] and shown["diff"]["before"] == {} and not api.writes and VOLUME not in api.objects
    (asked,) = api.asked("POST", "/persistentvolumes")
    assert asked.query == {"dryRun": "All"}

    made = volume()
    assert made["changed"] and made["diff"] == shown["diff"] and api.writes == [("POST", "/api/v1/persistentvolumes")]
    sent = api.asked("POST", "/persistentvolumes")[-1].body
    assert (sent["apiVersion"], sent["kind"], sent["metadata"]["name"]) == ("v1", "PersistentVolume", "default-mnist-deploy")
    assert made["volume"] == {
        "name": "default-mnist-deploy", "phase": "Available", "claim": "default/mnist-deploy-acs-tensorflow-serving", "size": "5Gi",
        "source": {"csi": {
            "driver": "nasplugin.csi.alibabacloud.com", "volumeHandle": "default-mnist-deploy",
            "volumeAttributes": {"server": "10.0.0.4", "path": "/serving/model/mnist"},
        }},
    }

    again = volume()
    assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"] == made["diff"]["after"]
    assert not volume(size="5242880Ki")["changed"] and len(api.writes) == 1

    changed = volume(mount_options=["soft"])
    assert changed["changed"] and changed["diff"]["before"]["spec"]["mountOptions"] == ["nolock", "tcp", "noresvport", "vers=4.0"]
    assert api.objects[VOLUME]["spec"]["mountOptions"] == ["soft", "vers=4.0"]
    assert api.asked("PATCH", VOLUME)[0].body == {
        "metadata": {"resourceVersion": "1"}, "spec": {"mountOptions": ["soft", "vers=4.0"]},
    }

    gone = volume(state="absent", check_mode=True)
    assert gone["changed"] and gone["diff"]["after"] == {} and VOLUME in api.objects
    gone = volume(state="absent")
    assert gone["changed"] and gone["volume"] is None and VOLUME not in api.objects
    assert api.asked("DELETE", VOLUME)[-1].body["preconditions"] == {"uid": "uid-1", "resourceVersion": "2"}
    assert not volume(state="absent")["changed"]


def test_a_bad_option_is_refused_without_asking(api, volume):
    answer = volume(driver="smb")
    assert answer["failed"] and answer["failure"]["code"] == "volume_option_invalid" and not api.requests
    assert answer["msg"] == answer["failure"]["message"]


@pytest.mark.parametrize("left_out", ["claim_namespace", "claim", "model", "server", "path"])
def test_what_a_volume_needs(api, volume, left_out):
    answer = volume(**{left_out: None})
    assert answer["failed"] and left_out in answer["msg"] and not api.requests


def test_claim_and_its_namespace_go_together(volume):
    answer = volume(state="absent", claim=None)
    assert answer["failed"] and "claim" in answer["msg"]


def test_without_rights(api, volume):
    api.forbidden = {("POST", "persistentvolumes")}
    answer = volume(check_mode=True)
    assert answer["failed"] and answer["failure"]["code"] == "forbidden"
    assert answer["msg"] == "Could not create the PersistentVolume default-mnist-deploy: persistentvolumes is forbidden"


def test_check_mode_of_a_teardown_meets_the_living_release(api, volume):
    volume()
    api.add(
        "/api/v1/namespaces/default/persistentvolumeclaims/mnist-deploy-acs-tensorflow-serving",
        spec={"volumeName": "default-mnist-deploy"}, metadata={"uid": "claim-1"},
    )
    api.change(VOLUME, spec={"claimRef": {"uid": "claim-1"}})
    answer = volume(state="absent", check_mode=True)
    assert answer["changed"] and "warnings" not in answer, "the release goes first, in a real run"
    answer = volume(state="absent", check_mode=True, claim=None, claim_namespace=None)
    assert answer["changed"] and "only after the release of its claim default/mnist-deploy-acs-tens" in answer["warnings"][0]
    answer = volume(state="absent")
    assert answer["failed"] and answer["failure"]["code"] == "volume_in_use"
