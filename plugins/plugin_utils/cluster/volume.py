# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A PersistentVolume on a NAS: what it should be, what differs, and what Kubernetes would refuse later.

Everything above `ensure` is pure: manifests in, manifests or an Error out.
"""
from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.sync import Item, leaves, leaving, sync
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.quantity import quantity
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.waiting import waits_for

Options = dict[str, Any]  # of the module model_volume

MANAGED_BY = {"app.kubernetes.io/managed-by": "mlops.tf_serving"}
USUAL_MOUNT_OPTIONS = ["nolock", "tcp", "noresvport"]
POLL = 1  # seconds

_DRIVERS = ("csi", "flexvolume", "nfs")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_SUBDOMAIN = r"(?=.{1,253}\Z)%s(\.%s)*" % (_LABEL, _LABEL)
_LABEL_VALUE = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"

# What a PersistentVolume's spec holds beside its source.
_BESIDE_THE_SOURCE = {
    "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
    "storageClassName", "volumeAttributesClassName", "volumeMode",
}


# What it should be

def check_options(options: Options) -> None:
    """Raise what is wrong with the options alone: needs no cluster."""
    if options["state"] == "present":
        manifest(options)


def manifest(options: Options) -> Object:
    """The fields of the PersistentVolume for the module's options; an Error for a value that could not work."""
    _check_values(options)
    source, mount_options = _source_and_mount_options(options)
    return {
        "metadata": {"labels": {"model": options["model"], **MANAGED_BY}},
        "spec": {
            "capacity": {"storage": options["size"]},
            "accessModes": ["ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "mountOptions": mount_options,
            # Reserved: without it any claim whose selector fits may take it, also one of another namespace.
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "namespace": options["claim_namespace"], "name": options["claim"],
            },
            **source,
        },
    }


def _check_values(options: Options) -> None:
    name, driver, size, server = options["name"], options["driver"], options["size"], options["server"]
    path, version, mode = options["path"], options["nfs_version"], options["mode"]
    _require("name", name, re.fullmatch(_SUBDOMAIN, name), "use lower-case letters, digits, - and . (DNS-1123)")
    _require("driver", driver, driver in _DRIVERS,
             "use csi, flexvolume (the tutorial's; not on ACK 1.20 and later) or nfs")
    _require("model", options["model"], re.fullmatch(_LABEL_VALUE, options["model"]),
             "it becomes a label: use at most 63 letters, digits, -, _ and .")
    _require("size", size, (quantity(size) or 0) > 0, "use a quantity such as 5Gi")
    _require("server", server, server and not re.search(r"[\s/]", server),
             "give the NAS's address alone, such as xxx.cn-hangzhou.nas.aliyuncs.com; the folder belongs into path")
    _require("path", path, path.startswith("/") and ".." not in path.split("/"),
             "give the model's folder on the NAS from its root, such as /serving/model/mnist")
    _require("nfs_version", version, re.fullmatch(r"[34](\.[0-2])?", version), "use 3, 4.0 or 4.1")
    _require("mode", mode, re.fullmatch(r"[0-7]{3,4}", mode), 'use an octal mode in quotes, such as "755"')
    _require("claim_namespace", options["claim_namespace"], re.fullmatch(_LABEL, options["claim_namespace"]),
             "use the name of a namespace", "role variable volume_namespace")
    _require("claim", options["claim"], re.fullmatch(_SUBDOMAIN, options["claim"]),
             "use lower-case letters, digits and -", "it follows from the role variable volume_release")


def _require(option: str, value: Any, good: object, way_out: str, origin: str = "") -> None:
    if not good:
        raise Error(
            "%s (%s) is %r: %s." % (option, origin or "role variable volume_" + option, value, way_out),
            "volume_option_invalid", option=option, value=value,
        )


def _source_and_mount_options(options: Options) -> tuple[Object, list[str]]:
    server, path, version = options["server"], options["path"], options["nfs_version"]
    extra = [option for option in options["mount_options"] or [] if option]
    mount_options = list(extra or USUAL_MOUNT_OPTIONS)
    if not any(option.startswith(("vers=", "nfsvers=")) for option in ",".join(mount_options).split(",")):
        mount_options.append("vers=" + version)
    if options["driver"] == "csi":
        # The driver tells volumes apart by their handle. mountOptions replace its defaults and attributes.
        attributes = {"server": server, "path": path}
        return {"csi": {
            "driver": "nasplugin.csi.alibabacloud.com", "volumeHandle": options["name"], "volumeAttributes": attributes,
        }}, mount_options
    if options["driver"] == "flexvolume":
        values = {"server": server, "path": path, "vers": version, "mode": options["mode"]}
        if extra:
            values["options"] = ",".join(extra)
        return {"flexVolume": {"driver": "alicloud/nas", "options": values}}, []  # kubelet refuses mountOptions on it
    return {"nfs": {"server": server, "path": path}}, mount_options


# What is there

def claimed_by(volume: Object | None) -> tuple[str | None, str | None, str | None]:
    """(namespace, name, uid) that the volume is bound to, without uid: reserved for; all None: anybody's."""
    claim = (volume and volume["spec"].get("claimRef")) or {}
    return claim.get("namespace"), claim.get("name"), claim.get("uid")


def holds(claim: Object | None, name: str, volume: Object | None) -> bool:
    """Is this claim bound to the volume of that name, or just about to be?"""
    return claim is not None and (
        claim["spec"].get("volumeName") == name or claim["metadata"]["uid"] == claimed_by(volume)[2]
    )


def managed(volume: Object) -> bool:
    return MANAGED_BY.items() <= (volume["metadata"].get("labels") or {}).items()


def source(spec: Object) -> dict[str, Any]:
    """The source as {dotted path: value}. Empty values are those that the API server left out."""
    beside = {key: value for key, value in sorted(spec.items()) if key not in _BESIDE_THE_SOURCE}
    return {path: value for path, value in leaves(beside) if value not in (None, "", False, {})}


# What differs

def refuse(name: str, wanted: Object, volume: Object | None, claim: Object | None) -> None:
    """Raise what stands between the cluster and the wanted volume, and what Kubernetes would refuse only later."""
    reserved = wanted["spec"]["claimRef"]
    ours = "%(namespace)s/%(name)s" % reserved
    elsewhere = claim and claim["spec"].get("volumeName")
    if elsewhere and elsewhere != name:
        raise Error(
            "The claim %s is bound to PersistentVolume %s for as long as it lives, so %s would never be used. Set name"
            " (role variable volume_name) to %s, or remove release and volume first (playbook teardown; the data on the"
            " NAS stays)." % (ours, elsewhere, name, elsewhere),
            "claim_bound_elsewhere", claim=ours, volume=elsewhere,
        )
    if volume is None:
        return
    namespace, holder, _uid = claimed_by(volume)
    if holder and (namespace, holder) != (reserved["namespace"], reserved["name"]):
        raise Error(
            "PersistentVolume %s belongs to the claim %s/%s (%s), not to %s. PersistentVolumes are cluster-wide:"
            " choose another name (role variable volume_name), or delete that claim and volume if nobody needs them."
            % (name, namespace, holder, _phase(volume), ours),
            "volume_claimed_by_another", claim="%s/%s" % (namespace, holder),
        )
    if not leaving(volume):
        _refuse_another_source(name, wanted, volume)
        _refuse_another_size(name, wanted, volume, claim)
    elif holds(claim, name, volume):
        raise Error(
            "PersistentVolume %s is being deleted and goes as soon as its claim %s does. Remove the release as"
            " well (playbook teardown; the data on the NAS stays), then run again." % (name, ours), "volume_leaving",
        )


def _refuse_another_source(name: str, wanted: Object, volume: Object) -> None:
    there, want = source(volume["spec"]), source(wanted["spec"])
    if there == want:
        return
    differences = {
        key: {"is": there.get(key), "wanted": want.get(key)}
        for key in sorted(there.keys() | want.keys()) if there.get(key) != want.get(key)
    }
    kind_there, kind_wanted = ({key.split(".")[0] for key in leaves} for leaves in (there, want))
    listed = ", ".join("%s is %s, wanted %s" % (key, d["is"], d["wanted"]) for key, d in differences.items())
    if kind_there != kind_wanted:
        listed = "it is %s, wanted %s" % (", ".join(kind_there) or "none", ", ".join(kind_wanted))
    if not managed(volume):
        raise Error(
            "PersistentVolume %s exists, is not this collection's and has another source (%s). Choose another"
            " name (role variable volume_name)." % (name, listed), "volume_foreign", differences=differences,
        )
    raise Error(
        "PersistentVolume %s cannot change its source (%s): Kubernetes never allows that. Put the volume_*"
        " variables back, or remove release and volume (playbook teardown; the data on the NAS stays) and run site"
        " again." % (name, listed), "volume_source_immutable", differences=differences,
    )


def _refuse_another_size(name: str, wanted: Object, volume: Object, claim: Object | None) -> None:
    size, now = wanted["spec"]["capacity"]["storage"], volume["spec"]["capacity"]["storage"]
    if claim is None or not holds(claim, name, volume) or quantity(size) == quantity(now):
        return
    asked = claim["spec"].get("resources", {}).get("requests", {}).get("storage")
    # The claim may have the wanted size already, if somebody edited the volume.
    if quantity(size) != quantity(asked):
        raise Error(
            "PersistentVolume %s is bound with %s, and Kubernetes resizes no claim without a StorageClass. Put"
            " size (role variable volume_size, now %s) back to %s: a NAS does not enforce it. Or remove release and"
            " volume (playbook teardown; the data stays) and run site again." % (name, now, size, asked),
            "volume_size_fixed", size=size, bound=now,
        )


def compare(name: str, wanted: Object, volume: Object | None, claim: Object | None) -> tuple[Object, Object]:
    """(before, after) of the fields that we set, and of no other. Equal quantities read equal."""
    labels, spec = wanted["metadata"]["labels"], dict(wanted["spec"])
    if claim is not None and holds(claim, name, volume):
        # Its bond. A claim that lost its volume gets it back only by this.
        spec["claimRef"] = {**spec["claimRef"], "uid": claim["metadata"]["uid"]}
    after = {"metadata": {"labels": labels}, "spec": spec}
    if volume is None:
        return {}, after
    # The API server leaves empty ones out.
    there = {"mountOptions": [], "storageClassName": "", **volume["spec"]}
    there_labels = volume["metadata"].get("labels") or {}
    if quantity(there["capacity"]["storage"]) == quantity(spec["capacity"]["storage"]):
        there["capacity"] = spec["capacity"]
    if "claimRef" in there:
        there["claimRef"] = _bond(there["claimRef"], spec["claimRef"])
    return {
        "metadata": {"labels": {key: there_labels[key] for key in labels if key in there_labels}},
        # The source cannot differ: `refuse` has seen to that.
        "spec": {key: there[key] if key in _BESIDE_THE_SOURCE else spec[key] for key in spec if key in there},
    }, after


def _bond(there: Object, wanted: Object) -> Object:
    """What counts of a claimRef. What a deleted claim left behind has to go, or the volume stays Released for ever."""
    left_behind = () if "uid" in wanted else ("resourceVersion",)
    return {key: there[key] for key in ("apiVersion", "kind", "namespace", "name", "uid", *left_behind) if there.get(key)}


# The way there

class _Passing(Exception):
    """Something is being deleted that has to go first."""


def ensure(api_client: Any, options: Options, check_mode: bool, warn: Callable[[str], None]) -> dict[str, Any]:
    """Have the volume be what the options say."""
    volume = Item(api_client, "v1", "PersistentVolume", options["name"])
    if options["state"] == "absent":
        return _absent(volume, options, check_mode, warn)
    return _present(volume, options, check_mode)


def _claim(volume: Item, namespace: str | None, name: str | None) -> Item:
    return Item(volume.api_client, "v1", "PersistentVolumeClaim", str(name), namespace)


def _present(volume: Item, options: Options, check_mode: bool) -> dict[str, Any]:
    wanted, end = manifest(options), time.monotonic() + options["wait_timeout"]

    def decide(there: Object | None) -> tuple[Object, Object]:
        claim = _claim(volume, options["claim_namespace"], options["claim"]).read()
        live = None if leaving(claim) else claim
        refuse(volume.name, wanted, there, live)
        passing = [thing for thing in (claim, there) if leaving(thing)]
        if passing and not check_mode:
            raise _Passing(passing[0])
        return compare(volume.name, wanted, None if leaving(there) else there, live)

    while True:
        try:
            outcome = sync(volume, decide, check_mode)
        except _Passing as passing:
            # The rest of a teardown: a new release would meet the old claim.
            _wait(passing.args[0], end, options["wait_timeout"])
            continue
        return {"changed": outcome.changed, "diff": outcome.diff, "volume": outcome.there and _summary(outcome.there)}


def _absent(volume: Item, options: Options, check_mode: bool, warn: Callable[[str], None]) -> dict[str, Any]:
    end = time.monotonic() + options["wait_timeout"]

    def decide(there: Object | None) -> tuple[Object, Object]:
        if there is None:
            return {}, {}
        _refuse_to_remove(there, options)
        claim = _holder(volume, there)
        if claim is not None and not leaving(claim):
            name = "%(namespace)s/%(name)s" % claim["metadata"]
            if not check_mode:
                raise Error(
                    "PersistentVolume %s is in use by the claim %s: remove its release first (playbook teardown removes"
                    " both in order)." % (volume.name, name), "volume_in_use", claim=name,
                )
            if not options["claim"]:  # who names the claim has its release go first
                warn("PersistentVolume %s can go only after the release of its claim %s." % (volume.name, name))
        if leaving(there):
            return {}, {}
        return {"metadata": {"labels": there["metadata"]["labels"]}, "spec": there["spec"]}, {}

    outcome = sync(volume, decide, check_mode)
    while not check_mode:
        there = volume.read()
        if there is None or not leaving(there):
            break
        claim = _holder(volume, there)
        _wait(claim if claim is not None and leaving(claim) else there, end, options["wait_timeout"])
    return {"changed": outcome.changed, "diff": outcome.diff, "volume": None}


def _holder(volume: Item, there: Object) -> Object | None:
    """The claim that is bound to it."""
    namespace, name, uid = claimed_by(there)
    claim = _claim(volume, namespace, name).read() if uid else None
    return claim if holds(claim, volume.name, there) else None


def _refuse_to_remove(there: Object, options: Options) -> None:
    name = there["metadata"]["name"]
    if not managed(there):
        raise Error(
            "PersistentVolume %s is not this collection's (it lacks the label %s): if it is to go, run kubectl delete"
            " pv %s." % (name, ", ".join("=".join(label) for label in MANAGED_BY.items()), name), "volume_foreign",
        )
    namespace, holder, _uid = claimed_by(there)
    ours = (options["claim_namespace"], options["claim"])
    if holder and options["claim"] and (namespace, holder) != ours:
        theirs = "%s/%s" % (namespace, holder)
        raise Error(
            "PersistentVolume %s belongs to the claim %s, not to %s: check name (role variable volume_name)."
            % (name, theirs, "%s/%s" % ours), "volume_claimed_by_another", claim=theirs,
        )


def _wait(thing: Object, end: float, whole: float) -> None:
    """A moment; an Error that says what keeps the thing alive once the end has come."""
    if time.monotonic() < end:
        waits_for("%s to go" % thing["metadata"]["name"])
        time.sleep(POLL)
        return
    metadata = thing["metadata"]
    held = "finalizers %s" % ", ".join(metadata.get("finalizers") or ["none"])
    if metadata.get("namespace"):
        raise Error(
            "The claim %s/%s is being deleted and still there after %d s: some pod still uses it (kubectl -n %s get"
            " pods) or something else holds it (%s)."
            % (metadata["namespace"], metadata["name"], whole, metadata["namespace"], held), "volume_leaving",
        )
    raise Error(
        "PersistentVolume %s is being deleted and still there after %d s (%s)." % (metadata["name"], whole, held),
        "volume_leaving",
    )


def _phase(volume: Object) -> str:
    return str(volume.get("status", {}).get("phase", "Pending"))


def _summary(volume: Object) -> Object:
    return {
        "name": volume["metadata"]["name"],
        "phase": _phase(volume),
        "claim": "%s/%s" % claimed_by(volume)[:2],
        "size": volume["spec"]["capacity"]["storage"],
        "source": {key: value for key, value in volume["spec"].items() if key not in _BESIDE_THE_SOURCE},
    }
