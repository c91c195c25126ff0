"""The PersistentVolume: manifests, what is refused, what is compared, and the way there against a small fake API."""
from __future__ import annotations

import copy

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils import _volume
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

OPTIONS = {
    "state": "present", "name": "pv-nas", "claim_namespace": "default", "claim": "mnist-deploy-acs-tensorflow-serving",
    "model": "mnist", "server": "10.0.0.4", "path": "/serving/model/mnist", "driver": "csi", "size": "5Gi",
    "nfs_version": "4.0", "mode": "755", "mount_options": [], "wait_timeout": 0,
}
CLAIM = {"metadata": {"namespace": "default", "name": OPTIONS["claim"], "uid": "claim-1"},
         "spec": {"volumeName": "pv-nas", "resources": {"requests": {"storage": "5Gi"}}}}
LEAVING = {"deletionTimestamp": "2026-11-22T12:00:00Z", "finalizers": ["kubernetes.io/pvc-protection"]}


def options(**changes):
    return {**OPTIONS, **changes}


def merged(base, change):
    if not isinstance(change, dict) or not isinstance(base, dict):
        return change
    both = {**base, **{key: merged(base.get(key), value) for key, value in change.items()}}
    return {key: value for key, value in both.items() if value is not None}


class Cluster:
    """PersistentVolumes and claims as an API server keeps them: it adds what it adds, and counts versions."""

    def __init__(self, volume=None, claim=None):
        self.volumes = {}
        self.claims = {claim["metadata"]["name"]: claim} if claim else {}
        self.writes = []
        if volume:
            self._keep(volume)

    def _keep(self, volume):
        volume = copy.deepcopy(volume)
        volume["metadata"] = {"uid": "volume-1", **volume["metadata"], "resourceVersion": str(len(self.writes) + 1)}
        volume["spec"].setdefault("volumeMode", "Filesystem")
        if not volume["spec"].get("mountOptions"):
            volume["spec"].pop("mountOptions", None)
        if not volume["spec"].get("storageClassName"):
            volume["spec"].pop("storageClassName", None)
        volume.setdefault("status", {"phase": "Available"})
        self.volumes[volume["metadata"]["name"]] = volume
        return volume

    def volume(self, name):
        return copy.deepcopy(self.volumes.get(name))

    def claim(self, namespace, name):
        assert namespace == "default"
        return copy.deepcopy(self.claims.get(name))

    def create(self, body, dryRun=None):
        if body["metadata"]["name"] in self.volumes:
            raise Error("exists", "conflict")
        return body if dryRun else self._write("create", body)

    def patch(self, name, body, dryRun=None):
        there = self.volumes[name]
        if body["metadata"]["resourceVersion"] != there["metadata"]["resourceVersion"]:
            raise Error("changed", "conflict")
        after = merged(there, body)
        assert _volume._source(after["spec"]) == _volume._source(there["spec"]), "the API would refuse that"
        return after if dryRun else self._write("patch", after)

    def delete(self, name, dryRun=None):
        if not dryRun:
            self.writes.append("delete")
            del self.volumes[name]

    def _write(self, verb, body):
        self.writes.append(verb)
        return self._keep(body)


def existing(phase="Available", labels=None, **spec):
    volume = _volume.manifest(options())
    volume["metadata"]["labels"].update(labels or {})
    volume["spec"] = merged(volume["spec"], spec)
    return {**volume, "status": {"phase": phase}}


def bound(**spec):
    return existing("Bound", claimRef={"uid": "claim-1", "resourceVersion": "77"}, **spec)


def run(cluster, check_mode=False, **changes):
    return _volume.converge(cluster, options(**changes), check_mode)


def refused(code, cluster, **changes):
    before = copy.deepcopy(cluster.volumes)
    with pytest.raises(Error) as caught:
        run(cluster, **changes)
    assert caught.value.code == code
    assert not cluster.writes and cluster.volumes == before
    return caught.value.message


@pytest.mark.parametrize("text, number", [
    ("5Gi", 5 * 1024 ** 3), ("5120Mi", 5 * 1024 ** 3), ("0.5Ki", 512), ("1e3", 1000), ("1k", 1000), ("1500m", 1.5),
    ("5", 5), (".5", 0.5), ("5.", 5), ("2E", 2 * 10 ** 18), ("1E3", 1000),
    ("5GB", None), ("", None), ("five", None), ("-1Gi", None), ("5 Gi", None), ("5gi", None), (None, None),
])
def test_quantity(text, number):
    assert _volume.quantity(text) == number


class TestManifest:
    def test_csi(self):
        volume = _volume.manifest(options())
        assert volume["metadata"] == {
            "name": "pv-nas", "labels": {"model": "mnist", "app.kubernetes.io/managed-by": "mlops.tf_serving"},
        }
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
        spec = _volume.manifest(options(driver="flexvolume"))["spec"]
        assert spec["flexVolume"] == {
            "driver": "alicloud/nas",
            "options": {"server": "10.0.0.4", "path": "/serving/model/mnist", "vers": "4.0", "mode": "755"},
        }
        assert spec["mountOptions"] == [] and "csi" not in spec

    def test_flexvolume_takes_mount_options_as_its_own_option(self):
        spec = _volume.manifest(options(driver="flexvolume", mount_options=["nolock", "soft"]))["spec"]
        assert spec["flexVolume"]["options"]["options"] == "nolock,soft"

    def test_nfs(self):
        spec = _volume.manifest(options(driver="nfs", nfs_version="3"))["spec"]
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
        assert _volume.manifest(options(mount_options=given))["spec"]["mountOptions"] == result

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
            _volume.check_options(options(**{option: value}))
        assert caught.value.code == "volume_option_invalid"
        assert variable in caught.value.message and repr(value) in caught.value.message

    def test_absent_needs_only_a_name(self):
        _volume.check_options({"state": "absent", "name": "pv-nas"})


class TestPresent:
    def test_created_as_it_should_be(self):
        cluster = Cluster()
        answer = run(cluster)
        assert answer["changed"] and cluster.writes == ["create"]
        assert answer["diff"]["before"] == {} and answer["diff"]["after"]["spec"]["capacity"] == {"storage": "5Gi"}
        assert answer["volume"]["phase"] == "Available"
        assert answer["volume"]["claim"] == "default/mnist-deploy-acs-tensorflow-serving"

    def test_check_mode_predicts_and_writes_nothing(self):
        cluster = Cluster()
        predicted, made = run(cluster, check_mode=True), run(cluster)
        assert predicted["diff"] == made["diff"] and predicted["changed"]
        assert cluster.writes == ["create"]

    @pytest.mark.parametrize("driver", ["csi", "flexvolume", "nfs"])
    def test_a_second_run_changes_nothing(self, driver):
        cluster = Cluster()
        run(cluster, driver=driver)
        answer = run(cluster, driver=driver)
        assert not answer["changed"] and answer["diff"]["before"] == answer["diff"]["after"]
        assert cluster.writes == ["create"]

    def test_nothing_to_do_on_a_bound_volume(self):
        assert not run(Cluster(bound(), CLAIM))["changed"]

    def test_equal_quantities_are_equal(self):
        assert not run(Cluster(bound(), CLAIM), size="5120Mi")["changed"]

    def test_labels_of_others_stay(self):
        cluster = Cluster(existing(labels={"team": "vision", "model": "old"}))
        answer = run(cluster)
        assert cluster.volume("pv-nas")["metadata"]["labels"] == {
            "team": "vision", "model": "mnist", "app.kubernetes.io/managed-by": "mlops.tf_serving",
        }
        assert answer["diff"]["before"]["metadata"]["labels"]["model"] == "old"
        assert "team" not in answer["diff"]["after"]["metadata"]["labels"]

    def test_mount_options_may_change(self):
        cluster = Cluster(bound(), CLAIM)
        assert run(cluster, mount_options=["soft"])["changed"]
        assert cluster.volume("pv-nas")["spec"]["mountOptions"] == ["soft", "vers=4.0"]
        assert cluster.volume("pv-nas")["spec"]["claimRef"]["uid"] == "claim-1"

    def test_a_free_volume_may_change_its_size(self):
        cluster = Cluster(existing())
        assert run(cluster, size="1Gi")["changed"]
        assert cluster.volume("pv-nas")["spec"]["capacity"] == {"storage": "1Gi"}

    def test_reclaim_policy_is_put_back(self):
        cluster = Cluster(bound(persistentVolumeReclaimPolicy="Delete"), CLAIM)
        assert run(cluster)["diff"]["before"]["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
        assert cluster.volume("pv-nas")["spec"]["persistentVolumeReclaimPolicy"] == "Retain"

    def test_somebody_changes_it_between_look_and_patch(self):
        cluster = Cluster(existing(labels={"model": "old"}))
        real, calls = cluster.patch, []

        def first_too_late(*args, **kwargs):
            calls.append(args)
            if len(calls) == 1:
                raise Error("the object has been modified", "conflict")
            return real(*args, **kwargs)

        cluster.patch = first_too_late
        assert run(cluster)["changed"] and len(calls) == 2

    def test_another_error_is_not_repeated(self):
        cluster, calls = Cluster(), []

        def forbidden(*args, **kwargs):
            calls.append(args)
            raise Error("no", "forbidden")

        cluster.create = forbidden
        with pytest.raises(Error):
            run(cluster)
        assert len(calls) == 1


class TestRefused:
    @pytest.mark.parametrize("changes, path", [
        ({"server": "10.0.0.5"}, "csi.volumeAttributes.server is 10.0.0.4, wanted 10.0.0.5"),
        ({"path": "/other"}, "csi.volumeAttributes.path"),
        ({"driver": "nfs"}, "it is csi, wanted nfs"),
    ])
    def test_another_source(self, changes, path):
        message = refused("volume_source_immutable", Cluster(bound(), CLAIM), **changes)
        assert path in message and "teardown" in message

    def test_another_mode_of_a_flexvolume_is_another_source(self):
        cluster = Cluster()
        run(cluster, driver="flexvolume")
        with pytest.raises(Error, match=r"flexVolume.options.mode is 755, wanted 777"):
            run(cluster, driver="flexvolume", mode="777")

    def test_a_source_of_a_kind_that_we_never_make(self):
        volume = existing(csi=None, hostPath={"path": "/data"})
        assert "it is hostPath, wanted csi" in refused("volume_source_immutable", Cluster(volume))

    def test_a_foreign_volume_with_another_source(self):
        volume = existing(nfs={"server": "x", "path": "/"}, csi=None)
        volume["metadata"]["labels"] = {"model": "mnist"}
        message = refused("volume_foreign", Cluster(volume))
        assert "volume_name" in message

    def test_another_claim(self):
        volume = existing("Bound", claimRef={"namespace": "team-b", "uid": "x"})
        message = refused("volume_claimed_by_another", Cluster(volume))
        assert "team-b/mnist-deploy-acs-tensorflow-serving (Bound)" in message and "volume_name" in message

    def test_released_by_another_claim(self):
        volume = existing("Released", claimRef={"name": "other", "uid": "gone"})
        assert "(Released)" in refused("volume_claimed_by_another", Cluster(volume))

    def test_the_claim_is_bound_to_another_volume(self):
        claim = merged(CLAIM, {"spec": {"volumeName": "pv-old"}})
        message = refused("claim_bound_elsewhere", Cluster(None, claim))
        assert "volume_name" in message and "pv-old" in message

    @pytest.mark.parametrize("size", ["10Gi", "1Gi"])
    def test_another_size_while_bound(self, size):
        message = refused("volume_size_fixed", Cluster(bound(), CLAIM), size=size)
        assert "5Gi" in message and "volume_size, now %s" % size in message

    def test_a_size_that_somebody_else_changed_is_put_back(self):
        cluster = Cluster(bound(capacity={"storage": "10Gi"}), CLAIM)
        assert run(cluster)["changed"]

    def test_a_volume_that_goes_with_its_living_claim(self):
        volume = bound()
        volume["metadata"].update(LEAVING)
        assert "being deleted" in refused("volume_leaving", Cluster(volume, CLAIM), wait_timeout=60)


class TestAgain:
    """Teardown and site again, also where a run was killed in between."""

    @pytest.mark.parametrize("phase", ["Released", "Bound"])  # the controller may be late
    def test_the_claim_has_gone(self, phase):
        cluster = Cluster({**bound(), "status": {"phase": phase}})
        answer = run(cluster)
        assert answer["diff"]["before"]["spec"]["claimRef"]["uid"] == "claim-1"
        assert "uid" not in answer["diff"]["after"]["spec"]["claimRef"]
        ref = cluster.volume("pv-nas")["spec"]["claimRef"]
        assert "uid" not in ref and "resourceVersion" not in ref
        assert not run(cluster)["changed"]

    def test_a_new_claim_waits_already(self):
        waiting = {"metadata": {**CLAIM["metadata"], "uid": "claim-2"}, "spec": {}}
        cluster = Cluster(bound(), waiting)
        assert run(cluster)["changed"]
        assert "uid" not in cluster.volume("pv-nas")["spec"]["claimRef"]

    def test_the_controller_has_bound_only_one_side_yet(self):
        claim = {"metadata": CLAIM["metadata"], "spec": {}}
        assert not run(Cluster(bound(), claim))["changed"]

    def test_a_claim_that_lost_its_volume_gets_it_back(self):
        cluster = Cluster(None, CLAIM)
        assert run(cluster)["changed"]
        assert cluster.volume("pv-nas")["spec"]["claimRef"]["uid"] == "claim-1"
        assert not run(cluster)["changed"]

    def test_waits_for_the_old_claim(self, monkeypatch):
        cluster = Cluster(bound(), merged(CLAIM, {"metadata": LEAVING}))
        monkeypatch.setattr(_volume.time, "sleep", lambda _seconds: cluster.claims.clear())
        assert run(cluster, wait_timeout=60)["changed"]
        assert "uid" not in cluster.volume("pv-nas")["spec"]["claimRef"]

    def test_the_old_claim_may_be_bound_elsewhere(self, monkeypatch):
        claim = merged(CLAIM, {"metadata": LEAVING, "spec": {"volumeName": "pv-old"}})
        cluster = Cluster(None, claim)
        monkeypatch.setattr(_volume.time, "sleep", lambda _seconds: cluster.claims.clear())
        assert run(cluster, wait_timeout=60)["changed"]

    def test_says_what_it_waited_for(self):
        cluster = Cluster(bound(), merged(CLAIM, {"metadata": LEAVING}))
        message = refused("volume_leaving", cluster)
        assert "default/mnist-deploy-acs-tensorflow-serving" in message and "pvc-protection" in message

    def test_waits_for_the_old_volume_even_with_another_source(self, monkeypatch):
        volume = bound()
        volume["metadata"].update(LEAVING)
        cluster = Cluster(volume)
        monkeypatch.setattr(_volume.time, "sleep", lambda _seconds: cluster.volumes.clear())
        assert run(cluster, server="10.0.0.5", wait_timeout=60)["changed"]

    def test_check_mode_does_not_wait(self):
        volume = bound()
        volume["metadata"].update(LEAVING)
        cluster = Cluster(volume, merged(CLAIM, {"metadata": LEAVING}))
        answer = run(cluster, check_mode=True)
        assert answer["changed"] and answer["diff"]["before"] == {}

    def test_taken_over(self):
        volume = existing()
        volume["metadata"]["labels"] = {"model": "mnist"}  # as kubectl apply of the tutorial leaves it
        del volume["spec"]["claimRef"]
        cluster = Cluster(volume)
        answer = run(cluster)
        assert answer["changed"] and "claimRef" not in answer["diff"]["before"]["spec"]
        assert not run(cluster)["changed"]


class TestAbsent:
    def test_nothing_there(self):
        assert run(Cluster(), state="absent") == {"changed": False, "diff": {"before": {}, "after": {}}, "volume": None}

    @pytest.mark.parametrize("volume", [existing(), {**bound(), "status": {"phase": "Released"}}])
    def test_removed(self, volume):
        cluster = Cluster(volume)
        answer = run(cluster, state="absent")
        assert answer["changed"] and answer["diff"]["before"]["spec"]["capacity"] and answer["diff"]["after"] == {}
        assert cluster.writes == ["delete"] and not cluster.volumes
        assert not run(cluster, state="absent")["changed"]

    def test_check_mode(self):
        cluster = Cluster(existing())
        assert run(cluster, state="absent", check_mode=True)["changed"]
        assert not cluster.writes

    def test_in_use(self):
        assert "teardown" in refused("volume_in_use", Cluster(bound(), CLAIM), state="absent")

    def test_check_mode_of_a_teardown_meets_the_living_release(self):
        answer = run(Cluster(bound(), CLAIM), state="absent", check_mode=True)
        assert answer["changed"] and "only after the release" in answer["warnings"][0]

    def test_not_ours(self):
        volume = existing()
        volume["metadata"]["labels"] = {}
        assert "kubectl delete pv" in refused("volume_foreign", Cluster(volume), state="absent")

    def test_another_claims(self):
        volume = existing("Released", claimRef={"name": "other", "uid": "gone"})
        assert "default/other" in refused("volume_claimed_by_another", Cluster(volume), state="absent")

    def test_without_naming_a_claim(self):
        cluster = Cluster(existing())
        assert run(cluster, state="absent", claim=None, claim_namespace=None)["changed"]

    def test_goes_with_its_leaving_claim(self, monkeypatch):
        cluster = Cluster(bound(), merged(CLAIM, {"metadata": LEAVING}))
        cluster.delete = lambda name: cluster.volumes[name]["metadata"].update(LEAVING)
        monkeypatch.setattr(_volume.time, "sleep", lambda _seconds: cluster.volumes.clear())
        assert run(cluster, state="absent", wait_timeout=60)["changed"]

    def test_says_what_keeps_it(self):
        cluster = Cluster(bound(), merged(CLAIM, {"metadata": LEAVING}))
        cluster.delete = lambda name: None
        assert "some pod still uses it" in refused("volume_leaving", cluster, state="absent")
