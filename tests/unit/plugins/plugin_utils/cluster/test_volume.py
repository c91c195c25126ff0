"""The PersistentVolume: manifests, what is refused, what is compared, and the way there against an API server."""
from __future__ import annotations

import copy
import time
import types

import pytest
from fake_api import merged

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import volume as persistent_volume

OPTIONS = {
    "state": "present", "name": "pv-nas", "claim_namespace": "default", "claim": "mnist-deploy-acs-tensorflow-serving",
    "model": "mnist", "server": "10.0.0.4", "path": "/serving/model/mnist", "driver": "csi", "size": "5Gi",
    "nfs_version": "4.0", "mode": "755", "mount_options": [], "wait_timeout": 0,
}
CLAIM = {"metadata": {"namespace": "default", "name": OPTIONS["claim"], "uid": "claim-1"},
         "spec": {"volumeName": "pv-nas", "resources": {"requests": {"storage": "5Gi"}}}}
LEAVING = {"deletionTimestamp": "2026-11-22T12:00:00Z", "finalizers": ["kubernetes.io/pvc-protection"]}


def pauses_by(monkeypatch, sleep):
    """Of this module alone: time.sleep is also the API server's, in a thread beside the test."""
    monkeypatch.setattr(persistent_volume, "time", types.SimpleNamespace(monotonic=time.monotonic, sleep=sleep))


def options(**changes):
    return {**OPTIONS, **changes}


VOLUME = "/api/v1/persistentvolumes/pv-nas"
CLAIM_PATH = "/api/v1/namespaces/default/persistentvolumeclaims/" + OPTIONS["claim"]


@pytest.fixture
def cluster(api):
    """Call it to put a volume and a claim there."""
    def put(volume=None, claim=None):
        if volume:
            api.add(VOLUME, **volume)
        if claim:
            api.add(CLAIM_PATH, **claim)
        return api
    api.put = put
    return put


def existing(phase="Available", labels=None, **spec):
    volume = copy.deepcopy(persistent_volume.manifest(options()))
    volume["metadata"]["labels"].update(labels or {})
    volume["spec"] = merged(volume["spec"], spec)
    return {**volume, "status": {"phase": phase}}


def bound(**spec):
    return existing("Bound", claimRef={"uid": "claim-1", "resourceVersion": "77"}, **spec)


def run(api, check_mode=False, **changes):
    api.warnings = []
    return persistent_volume.ensure(api.client, options(**changes), check_mode, api.warnings.append)


def refused(code, api, **changes):
    before = copy.deepcopy(api.objects)
    with pytest.raises(Error) as caught:
        run(api, **changes)
    assert caught.value.code == code
    assert not api.writes and api.objects == before
    return caught.value.message


def methods(api):
    return [method for method, _path in api.writes]


def gone(api, path):
    """The next pause is long enough for something that is being deleted."""
    return lambda _seconds: api.objects.pop(path, None)


class TestManifest:
    def test_csi(self):
        volume = persistent_volume.manifest(options())
        assert volume["metadata"] == {"labels": {"model": "mnist", "app.kubernetes.io/managed-by": "mlops.tf_serving"}}
        assert volume["spec"] == {
            "capacity": {"storage": "5Gi"},
            "accessModes": ["ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "mountOptions": ["nolock", "tcp", "noresvport", "vers=4.0"],
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "namespace": "default", "name": "mnist-deploy-acs-tensorflow-serving",
            },
            "csi": {
                "driver": "nasplugin.csi.alibabacloud.com", "volumeHandle": "pv-nas",
                "volumeAttributes": {"server": "10.0.0.4", "path": "/serving/model/mnist"},
            },
        }

    def test_the_tutorials_flexvolume(self):
        spec = persistent_volume.manifest(options(driver="flexvolume"))["spec"]
        assert spec["flexVolume"] == {
            "driver": "alicloud/nas",
            "options": {"server": "10.0.0.4", "path": "/serving/model/mnist", "vers": "4.0", "mode": "755"},
        }
        assert spec["mountOptions"] == [] and "csi" not in spec

    def test_flexvolume_takes_mount_options_as_its_own_option(self):
        spec = persistent_volume.manifest(options(driver="flexvolume", mount_options=["nolock", "soft"]))["spec"]
        assert spec["flexVolume"]["options"]["options"] == "nolock,soft"

    def test_nfs(self):
        spec = persistent_volume.manifest(options(driver="nfs", nfs_version="3"))["spec"]
        assert spec["nfs"] == {"server": "10.0.0.4", "path": "/serving/model/mnist"}
        assert spec["mountOptions"][-1] == "vers=3"

    @pytest.mark.parametrize("given, result", [
        (["soft"], ["soft", "vers=4.0"]),
        (["nolock,tcp", "vers=3"], ["nolock,tcp", "vers=3"]),
        (["tcp,nfsvers=3"], ["tcp,nfsvers=3"]),
        ([""], ["nolock", "tcp", "noresvport", "vers=4.0"]),
        (None, ["nolock", "tcp", "noresvport", "vers=4.0"]),
    ])
    def test_mount_options_replace_the_usual_ones(self, given, result):
        assert persistent_volume.manifest(options(mount_options=given))["spec"]["mountOptions"] == result

    @pytest.mark.parametrize("option, value, variable", [
        ("driver", "smb", "volume_driver"),
        ("driver", "CSI", "volume_driver"),
        ("size", "5GB", "volume_size"),
        ("size", "0", "volume_size"),
        ("size", "", "volume_size"),
        ("server", "", "volume_server"),
        ("server", "10.0.0.4:/serving", "volume_server"),
        ("path", "serving/model", "volume_path"),
        ("path", "/serving/../etc", "volume_path"),
        ("path", "", "volume_path"),
        ("nfs_version", "5", "volume_nfs_version"),
        ("mode", "493", "volume_mode"),  # what YAML makes of 0755
        ("name", "PV_NAS", "volume_name"),
        ("name", "a" * 254, "volume_name"),
        ("model", "a b", "volume_model"),
        ("model", "m" * 64, "volume_model"),
        ("claim", "Mnist-acs", "volume_release"),
        ("claim_namespace", "my.namespace", "volume_namespace"),
    ])
    def test_a_bad_value_is_named_with_its_role_variable(self, option, value, variable):
        with pytest.raises(Error) as caught:
            persistent_volume.check_options(options(**{option: value}))
        assert caught.value.code == "volume_option_invalid" and caught.value.details == {"option": option, "value": value}
        assert caught.value.message.startswith("%s (" % option)
        assert "role variable %s) is %r: " % (variable, value) in caught.value.message

    def test_absent_needs_only_a_name(self):
        persistent_volume.check_options({"state": "absent", "name": "pv-nas"})


class TestPresent:
    def test_created_as_it_should_be(self, cluster):
        api = cluster()
        answer = run(api)
        assert answer["changed"] and methods(api) == ["POST"]
        assert answer["diff"]["before"] == {} and answer["diff"]["after"]["spec"]["capacity"] == {"storage": "5Gi"}
        assert answer["volume"] == {
            "name": "pv-nas", "phase": "Available", "claim": "default/mnist-deploy-acs-tensorflow-serving", "size": "5Gi",
            "source": {"csi": persistent_volume.manifest(options())["spec"]["csi"]},
        }

    def test_check_mode_predicts_and_writes_nothing(self, cluster):
        api = cluster()
        predicted, made = run(api, check_mode=True), run(api)
        assert predicted["diff"] == made["diff"] and predicted["changed"]
        assert methods(api) == ["POST"]

    @pytest.mark.parametrize("empty", ["", None, False])
    def test_what_the_api_server_adds_to_a_source_is_no_difference(self, cluster, empty):
        assert not run(cluster(existing(csi={"readOnly": empty, "fsType": empty})))["changed"]
        assert "csi.readOnly is True, wanted None" in refused(
            "volume_source_immutable", cluster(existing(csi={"readOnly": True})))

    @pytest.mark.parametrize("driver", ["csi", "flexvolume", "nfs"])
    def test_a_second_run_changes_nothing(self, cluster, driver):
        api = cluster()
        run(api, driver=driver)
        answer = run(api, driver=driver)
        assert not answer["changed"] and answer["diff"]["before"] == answer["diff"]["after"]
        assert methods(api) == ["POST"]

    def test_nothing_to_do_on_a_bound_volume(self, cluster):
        assert not run(cluster(bound(), CLAIM))["changed"]

    def test_equal_quantities_are_equal(self, cluster):
        assert not run(cluster(bound(), CLAIM), size="5120Mi")["changed"]

    def test_labels_of_others_stay(self, cluster):
        api = cluster(existing(labels={"team": "vision", "model": "old"}))
        answer = run(api)
        assert api.objects[VOLUME]["metadata"]["labels"] == {
            "team": "vision", "model": "mnist", "app.kubernetes.io/managed-by": "mlops.tf_serving",
        }
        assert answer["diff"]["before"]["metadata"]["labels"]["model"] == "old"
        assert "team" not in answer["diff"]["after"]["metadata"]["labels"]

    def test_mount_options_may_change(self, cluster):
        api = cluster(bound(), CLAIM)
        assert run(api, mount_options=["soft"])["changed"]
        assert api.objects[VOLUME]["spec"]["mountOptions"] == ["soft", "vers=4.0"]
        assert api.objects[VOLUME]["spec"]["claimRef"]["uid"] == "claim-1"

    def test_a_free_volume_may_change_its_size(self, cluster):
        api = cluster(existing())
        assert run(api, size="1Gi")["changed"]
        assert api.objects[VOLUME]["spec"]["capacity"] == {"storage": "1Gi"}

    def test_reclaim_policy_is_put_back(self, cluster):
        api = cluster(bound(persistentVolumeReclaimPolicy="Delete"), CLAIM)
        assert run(api)["diff"]["before"]["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
        assert api.objects[VOLUME]["spec"]["persistentVolumeReclaimPolicy"] == "Retain"

    def test_somebody_changes_it_between_look_and_patch(self, cluster):
        api, strikes = cluster(existing(labels={"model": "old"})), [1]
        api.on = lambda method, path: (
            api.change(VOLUME, metadata={"labels": {"team": "vision"}}) if method == "PATCH" and strikes and strikes.pop() else None
        )
        assert run(api)["changed"] and methods(api) == ["PATCH", "PATCH"]
        assert api.objects[VOLUME]["metadata"]["labels"]["team"] == "vision"


class TestRefused:
    @pytest.mark.parametrize("changes, path", [
        ({"server": "10.0.0.5"}, "csi.volumeAttributes.server is 10.0.0.4, wanted 10.0.0.5"),
        ({"path": "/other"}, "csi.volumeAttributes.path"),
        ({"driver": "nfs"}, "it is csi, wanted nfs"),
    ])
    def test_another_source(self, cluster, changes, path):
        message = refused("volume_source_immutable", cluster(bound(), CLAIM), **changes)
        assert path in message and "teardown" in message

    def test_another_mode_of_a_flexvolume_is_another_source(self, cluster):
        api = cluster()
        run(api, driver="flexvolume")
        with pytest.raises(Error, match=r"flexVolume.options.mode is 755, wanted 777"):
            run(api, driver="flexvolume", mode="777")

    def test_a_source_of_a_kind_that_we_never_make(self, cluster):
        volume = existing(csi=None, hostPath={"path": "/data"})
        assert "it is hostPath, wanted csi" in refused("volume_source_immutable", cluster(volume))

    def test_a_foreign_volume_with_another_source(self, cluster):
        volume = existing(nfs={"server": "x", "path": "/"}, csi=None)
        volume["metadata"]["labels"] = {"model": "mnist"}
        message = refused("volume_foreign", cluster(volume))
        assert "volume_name" in message

    def test_another_claim(self, cluster):
        volume = existing("Bound", claimRef={"namespace": "team-b", "uid": "x"})
        message = refused("volume_claimed_by_another", cluster(volume))
        assert "team-b/mnist-deploy-acs-tensorflow-serving (Bound)" in message and "volume_name" in message

    def test_released_by_another_claim(self, cluster):
        volume = existing("Released", claimRef={"name": "other", "uid": "gone"})
        assert "(Released)" in refused("volume_claimed_by_another", cluster(volume))

    def test_the_claim_is_bound_to_another_volume(self, cluster):
        claim = merged(CLAIM, {"spec": {"volumeName": "pv-old"}})
        message = refused("claim_bound_elsewhere", cluster(None, claim))
        assert "volume_name" in message and "pv-old" in message

    @pytest.mark.parametrize("size", ["10Gi", "1Gi"])
    def test_another_size_while_bound(self, cluster, size):
        message = refused("volume_size_fixed", cluster(bound(), CLAIM), size=size)
        assert "5Gi" in message and "volume_size, now %s" % size in message

    def test_a_size_that_somebody_else_changed_is_put_back(self, cluster):
        api = cluster(bound(capacity={"storage": "10Gi"}), CLAIM)
        assert run(api)["changed"]

    def test_a_volume_that_goes_with_its_living_claim(self, cluster):
        volume = bound()
        volume["metadata"].update(LEAVING)
        assert "being deleted" in refused("volume_leaving", cluster(volume, CLAIM), wait_timeout=60)


class TestAgain:
    """Teardown and site again, also where a run was killed in between."""

    @pytest.mark.parametrize("phase", ["Released", "Bound"])  # the controller may be late
    def test_the_claim_has_gone(self, cluster, phase):
        api = cluster({**bound(), "status": {"phase": phase}})
        answer = run(api)
        assert answer["diff"]["before"]["spec"]["claimRef"]["uid"] == "claim-1"
        assert "uid" not in answer["diff"]["after"]["spec"]["claimRef"]
        ref = api.objects[VOLUME]["spec"]["claimRef"]
        assert "uid" not in ref and "resourceVersion" not in ref
        assert not run(api)["changed"]

    def test_a_new_claim_waits_already(self, cluster):
        waiting = {"metadata": {**CLAIM["metadata"], "uid": "claim-2"}, "spec": {}}
        api = cluster(bound(), waiting)
        assert run(api)["changed"]
        assert "uid" not in api.objects[VOLUME]["spec"]["claimRef"]

    def test_the_controller_has_bound_only_one_side_yet(self, cluster):
        claim = {"metadata": CLAIM["metadata"], "spec": {}}
        assert not run(cluster(bound(), claim))["changed"]

    def test_a_claim_that_lost_its_volume_gets_it_back(self, cluster):
        api = cluster(None, CLAIM)
        assert run(api)["changed"]
        assert api.objects[VOLUME]["spec"]["claimRef"]["uid"] == "claim-1"
        assert not run(api)["changed"]

    def test_waits_for_the_old_claim(self, cluster, monkeypatch):
        api = cluster(bound(), merged(CLAIM, {"metadata": LEAVING}))
        pauses_by(monkeypatch, gone(api, CLAIM_PATH))
        assert run(api, wait_timeout=60)["changed"]
        assert "uid" not in api.objects[VOLUME]["spec"]["claimRef"]

    def test_those_who_wait_are_told(self, cluster, monkeypatch):
        told = []
        monkeypatch.setattr(persistent_volume, "waits_for", told.append)
        api = cluster(bound(), merged(CLAIM, {"metadata": LEAVING}))
        pauses_by(monkeypatch, gone(api, CLAIM_PATH))
        run(api, wait_timeout=60)
        assert set(told) == {"%s to go" % OPTIONS["claim"]}

    def test_the_old_claim_may_be_bound_elsewhere(self, cluster, monkeypatch):
        claim = merged(CLAIM, {"metadata": LEAVING, "spec": {"volumeName": "pv-old"}})
        api = cluster(None, claim)
        pauses_by(monkeypatch, gone(api, CLAIM_PATH))
        assert run(api, wait_timeout=60)["changed"]

    def test_says_what_it_waited_for(self, cluster):
        api = cluster(bound(), merged(CLAIM, {"metadata": LEAVING}))
        message = refused("volume_leaving", api)
        assert "default/mnist-deploy-acs-tensorflow-serving" in message and "pvc-protection" in message

    def test_waits_for_the_old_volume_even_with_another_source(self, cluster, monkeypatch):
        volume = bound()
        volume["metadata"].update(LEAVING)
        api = cluster(volume)
        pauses_by(monkeypatch, gone(api, VOLUME))
        assert run(api, server="10.0.0.5", wait_timeout=60)["changed"]

    def test_check_mode_does_not_wait(self, cluster):
        volume = bound()
        volume["metadata"].update(LEAVING)
        api = cluster(volume, merged(CLAIM, {"metadata": LEAVING}))
        answer = run(api, check_mode=True)
        assert answer["changed"] and answer["diff"]["before"] == {}

    def test_taken_over(self, cluster):
        volume = existing()
        volume["metadata"]["labels"] = {"model": "mnist"}  # as kubectl apply of the tutorial leaves it
        del volume["spec"]["claimRef"]
        api = cluster(volume)
        answer = run(api)
        assert answer["changed"] and "claimRef" not in answer["diff"]["before"]["spec"]
        assert not run(api)["changed"]


class TestAbsent:
    def test_nothing_there(self, cluster):
        assert run(cluster(), state="absent") == {"changed": False, "diff": {"before": {}, "after": {}}, "volume": None}

    @pytest.mark.parametrize("volume", [existing(), {**bound(), "status": {"phase": "Released"}}])
    def test_removed(self, cluster, volume):
        api = cluster(volume)
        answer = run(api, state="absent")
        assert answer["changed"] and answer["diff"]["before"]["spec"]["capacity"] and answer["diff"]["after"] == {}
        assert methods(api) == ["DELETE"] and VOLUME not in api.objects
        assert not run(api, state="absent")["changed"]

    def test_check_mode(self, cluster):
        api = cluster(existing())
        assert run(api, state="absent", check_mode=True)["changed"]
        assert not api.writes

    def test_in_use(self, cluster):
        assert "teardown" in refused("volume_in_use", cluster(bound(), CLAIM), state="absent")

    @pytest.mark.parametrize(("claim", "warnings"), [
        (OPTIONS["claim"], []),
        (None, ["PersistentVolume pv-nas can go only after the release of its claim default/%s." % OPTIONS["claim"]]),
    ], ids=["which is named, as a teardown does", "which is not named"])
    def test_check_mode_meets_the_living_release_of_its_claim(self, cluster, claim, warnings):
        api = cluster(bound(), CLAIM)
        answer = run(api, state="absent", check_mode=True, claim=claim)
        assert answer["changed"] and not api.writes
        assert api.warnings == warnings

    def test_not_ours(self, cluster):
        volume = existing()
        volume["metadata"]["labels"] = {}
        assert "kubectl delete pv" in refused("volume_foreign", cluster(volume), state="absent")

    def test_another_claims(self, cluster):
        volume = existing("Released", claimRef={"name": "other", "uid": "gone"})
        assert "default/other" in refused("volume_claimed_by_another", cluster(volume), state="absent")

    def test_without_naming_a_claim(self, cluster):
        api = cluster(existing())
        assert run(api, state="absent", claim=None, claim_namespace=None)["changed"]

    def test_one_that_others_label_with_nothing(self, cluster):
        volume = existing()
        volume["metadata"]["labels"] = None
        assert "kubectl delete pv" in refused("volume_foreign", cluster(volume), state="absent")

    def test_goes_with_its_leaving_claim(self, cluster, monkeypatch):
        volume = bound()
        volume["metadata"]["finalizers"] = ["kubernetes.io/pv-protection"]
        api, pauses = cluster(volume, merged(CLAIM, {"metadata": LEAVING})), []

        def pause(seconds):
            pauses.append(seconds)
            if len(pauses) == 3:
                api.objects.clear()
        pauses_by(monkeypatch, pause)
        assert run(api, state="absent", wait_timeout=60)["changed"] and pauses == [1, 1, 1]

    def test_one_that_goes_already_is_waited_for(self, cluster, monkeypatch):
        volume = existing()
        volume["metadata"].update(LEAVING)
        api = cluster(volume)
        assert not run(api, check_mode=True, state="absent", wait_timeout=60)["changed"]
        pauses_by(monkeypatch, gone(api, VOLUME))
        assert not run(api, state="absent", wait_timeout=60)["changed"] and VOLUME not in api.objects and not api.writes

    def test_another_one_of_that_name_is_not_waited_for(self, cluster, monkeypatch):
        volume = existing()
        volume["metadata"].update(LEAVING)
        api = cluster(volume)
        pauses_by(monkeypatch, lambda _seconds: api.add(VOLUME, **existing()))
        assert not run(api, state="absent", wait_timeout=60)["changed"] and VOLUME in api.objects

    def test_says_what_keeps_it(self, cluster):
        volume = bound()
        volume["metadata"]["finalizers"] = ["kubernetes.io/pv-protection"]
        api = cluster(volume, merged(CLAIM, {"metadata": LEAVING}))
        with pytest.raises(Error, match=r"default/mnist-deploy.* some pod still uses it .*pvc-protection") as caught:
            run(api, state="absent")
        assert caught.value.code == "volume_leaving"
        del api.objects[CLAIM_PATH]
        with pytest.raises(Error, match=r"pv-nas is being deleted and still there after 0 s \(finalizers kubernetes.io/pv-p"):
            run(api, state="absent")
