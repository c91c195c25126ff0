# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A PersistentVolume on a NAS: what it should be, what differs, and what Kubernetes would refuse later.

Everything above `converge` is pure: manifests in, manifests or an Error out.
"""
from __future__ import annotations

import re
import time
from decimal import Decimal

from ansible_collections.mlops.tf_serving.plugins.module_utils._cluster import (
    explained,
    found,
    get,
    send,
)
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

MANAGED_BY = {"app.kubernetes.io/managed-by": "mlops.tf_serving"}
USUAL_MOUNT_OPTIONS = ["nolock", "tcp", "noresvport"]

_DRIVERS = ("csi", "flexvolume", "nfs")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_SUBDOMAIN = r"(?=.{1,253}\Z)%s(\.%s)*" % (_LABEL, _LABEL)
_LABEL_VALUE = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_QUANTITY = re.compile(r"(\d+\.?\d*|\.\d+)(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?\d{1,2}))?")
_POWERS = dict(zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18)))

# What a PersistentVolume's spec holds beside its source.
_NO_SOURCE = {
    "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
    "storageClassName", "volumeAttributesClassName", "volumeMode",
}


# What it should be

def quantity(text):
    """The number that a Kubernetes quantity stands for, None if it is none: "5Gi" and "5120Mi" are the same."""
    match = _QUANTITY.fullmatch(str(text).strip())
    if not match:
        return None
    number, binary, decimal, exponent = match.groups()
    if binary:
        return Decimal(number) * 1024 ** ("KMGTPE".index(binary[0]) + 1)
    return Decimal(number).scaleb(_POWERS[decimal] if decimal else int(exponent or 0))


def check_options(options):
    """Raise what is wrong with the options alone: needs no cluster."""
    if options["state"] == "present":
        manifest(options)


def _require(option, value, good, way_out):
    if not good:
        raise Error(
            "%s (role variable volume_%s) is %r: %s." % (option, option, value, way_out),
            "volume_option_invalid", option=option, value=value,
        )


def manifest(options):
    """The PersistentVolume for the module's options; an Error for a value that could not work."""
    name, driver, size = options["name"], options["driver"], options["size"]
    server, path, version, mode = options["server"], options["path"], options["nfs_version"], options["mode"]
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
    _require_claim(options["claim_namespace"], options["claim"])

    extra = [option for option in options["mount_options"] or [] if option]
    mount_options = list(extra or USUAL_MOUNT_OPTIONS)
    if not any(option.startswith(("vers=", "nfsvers=")) for option in ",".join(mount_options).split(",")):
        mount_options.append("vers=" + version)
    if driver == "csi":
        # The driver tells volumes apart by their handle. mountOptions replace its defaults and attributes.
        attributes = {"server": server, "path": path}
        source = {"csi": {
            "driver": "nasplugin.csi.alibabacloud.com", "volumeHandle": name, "volumeAttributes": attributes,
        }}
    elif driver == "flexvolume":
        values = {"server": server, "path": path, "vers": version, "mode": mode}
        if extra:
            values["options"] = ",".join(extra)
        source = {"flexVolume": {"driver": "alicloud/nas", "options": values}}
        mount_options = []  # kubelet refuses them on a flexVolume
    else:
        source = {"nfs": {"server": server, "path": path}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": {"model": options["model"], **MANAGED_BY}},
        "spec": {
            "capacity": {"storage": size},
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


def _require_claim(namespace, claim):
    if not re.fullmatch(_LABEL, namespace):
        raise Error(
            "claim_namespace (role variable volume_namespace) is %r: use the name of a namespace." % namespace,
            "volume_option_invalid", option="claim_namespace", value=namespace,
        )
    if not re.fullmatch(_SUBDOMAIN, claim):
        raise Error(
            "claim (it follows from the role variable volume_release) is %r: use lower-case letters, digits and -."
            % claim, "volume_option_invalid", option="claim", value=claim,
        )


# What is there

def leaving(thing):
    """Is it being deleted?"""
    return bool(thing and thing["metadata"].get("deletionTimestamp"))


def claimed_by(volume):
    """(namespace, name, uid) that the volume is bound to, without uid: reserved for; all None: anybody's."""
    claim = (volume and volume["spec"].get("claimRef")) or {}
    return claim.get("namespace"), claim.get("name"), claim.get("uid")


def holds(claim, name, volume):
    """Is this claim bound to the volume of that name, or just about to be?"""
    return bool(claim) and (
        claim["spec"].get("volumeName") == name or claim["metadata"]["uid"] == claimed_by(volume)[2]
    )


def managed(volume):
    return MANAGED_BY.items() <= (volume["metadata"].get("labels") or {}).items()


def _source(spec):
    """The source as {dotted path: value}. Empty values are those that the API server left out."""
    def leaves(path, value):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from leaves(path + [key], inner)
        elif value not in (None, "", False):
            yield ".".join(path), value

    return dict(leaf for key in sorted(spec.keys() - _NO_SOURCE) for leaf in leaves([key], spec[key]))


# What differs

def refuse(wanted, volume, claim):
    """Raise what stands between the cluster and the wanted volume, and what Kubernetes would refuse only later."""
    name = wanted["metadata"]["name"]
    reserved = wanted["spec"]["claimRef"]
    ours = "%(namespace)s/%(name)s" % reserved
    elsewhere = claim and claim["spec"].get("volumeName")
    if elsewhere and elsewhere != name:
        raise Error(
            "The claim %s is bound to PersistentVolume %s for as long as it lives, so %s would never be used. Set name "
            "(role variable volume_name) to %s, or remove release and volume first (playbook teardown; the data on the "
            "NAS stays)." % (ours, elsewhere, name, elsewhere),
            "claim_bound_elsewhere", claim=ours, volume=elsewhere,
        )
    if volume is None:
        return
    namespace, holder, _uid = claimed_by(volume)
    if holder and (namespace, holder) != (reserved["namespace"], reserved["name"]):
        raise Error(
            "PersistentVolume %s belongs to the claim %s/%s (%s), not to %s. PersistentVolumes are cluster-wide: "
            "choose another name (role variable volume_name), or delete that claim and volume if nobody needs them."
            % (name, namespace, holder, _phase(volume), ours),
            "volume_claimed_by_another", claim="%s/%s" % (namespace, holder),
        )
    if leaving(volume):
        if holds(claim, name, volume):
            raise Error(
                "PersistentVolume %s is being deleted and goes as soon as its claim %s does. Remove the release as "
                "well (playbook teardown; the data on the NAS stays), then run again." % (name, ours), "volume_leaving",
            )
        return
    there, want = _source(volume["spec"]), _source(wanted["spec"])
    if there != want:
        differences = {
            key: {"is": there.get(key), "wanted": want.get(key)}
            for key in sorted(there.keys() | want.keys()) if there.get(key) != want.get(key)
        }
        kind_there, kind_wanted = ({key.split(".")[0] for key in source} for source in (there, want))
        listed = ", ".join("%s is %s, wanted %s" % (key, d["is"], d["wanted"]) for key, d in differences.items())
        if kind_there != kind_wanted:
            listed = "it is %s, wanted %s" % (", ".join(kind_there) or "none", ", ".join(kind_wanted))
        if not managed(volume):
            raise Error(
                "PersistentVolume %s exists, is not this collection's and has another source (%s). Choose another "
                "name (role variable volume_name)." % (name, listed), "volume_foreign", differences=differences,
            )
        raise Error(
            "PersistentVolume %s cannot change its source (%s): Kubernetes never allows that. Put the volume_* "
            "variables back, or remove release and volume (playbook teardown; the data on the NAS stays) and run site "
            "again." % (name, listed), "volume_source_immutable", differences=differences,
        )
    size, now = wanted["spec"]["capacity"]["storage"], volume["spec"]["capacity"]["storage"]
    if holds(claim, name, volume) and quantity(size) != quantity(now):
        asked = claim["spec"].get("resources", {}).get("requests", {}).get("storage")
        # The claim may have the wanted size already, if somebody edited the volume.
        if quantity(size) != quantity(asked):
            raise Error(
                "PersistentVolume %s is bound with %s, and Kubernetes resizes no claim without a StorageClass. Put "
                "size (role variable volume_size, now %s) back to %s: a NAS does not enforce it. Or remove release and "
                "volume (playbook teardown; the data stays) and run site again." % (name, now, size, asked),
                "volume_size_fixed", size=size, bound=now,
            )


def compare(wanted, volume, claim):
    """(before, after) of the fields that we set, and of no other. Equal quantities read equal."""
    labels, spec = wanted["metadata"]["labels"], dict(wanted["spec"])
    if holds(claim, wanted["metadata"]["name"], volume):
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
        there["claimRef"] = {key: there["claimRef"].get(key) for key in (*wanted["spec"]["claimRef"], "uid")}
        there["claimRef"] = {key: value for key, value in there["claimRef"].items() if value}
    return {
        "metadata": {"labels": {key: there_labels[key] for key in labels if key in there_labels}},
        # The source cannot differ: `refuse` has seen to that.
        "spec": {key: there[key] if key in _NO_SOURCE else spec[key] for key in spec if key in there},
    }, after


def patch(before, after):
    """What leads from one to the other."""
    spec = {key: value for key, value in after["spec"].items() if before["spec"].get(key) != value}
    if "claimRef" in spec and "uid" not in spec["claimRef"]:
        # What a deleted claim left behind: while it stands, the volume stays Released and no claim gets it.
        spec["claimRef"] = {**spec["claimRef"], "uid": None, "resourceVersion": None}
    return {"metadata": after["metadata"], "spec": spec}


# The way there

class Volumes:
    """The five calls to the API."""

    PATH = "/api/v1/persistentvolumes"

    def __init__(self, client):
        self.client = client

    def volume(self, name):
        with explained("read PersistentVolume %s" % name):
            return found(get, self.client, "%s/%s" % (self.PATH, name))

    def claim(self, namespace, name):
        with explained("read the claim %s/%s" % (namespace, name)):
            return found(get, self.client, "/api/v1/namespaces/%s/persistentvolumeclaims/%s" % (namespace, name))

    def create(self, body, **dry_run):
        with explained("create PersistentVolume %s" % body["metadata"]["name"]):
            return send(self.client, "POST", self.PATH, body, **dry_run)

    def patch(self, name, body, **dry_run):
        with explained("change PersistentVolume %s" % name):
            return send(self.client, "PATCH", "%s/%s" % (self.PATH, name), body, **dry_run)

    def delete(self, name, **dry_run):
        with explained("delete PersistentVolume %s" % name):
            found(send, self.client, "DELETE", "%s/%s" % (self.PATH, name), **dry_run)


def converge(volumes, options, check_mode):
    """Make the volume what the options say. Returns changed, diff, volume and, if any, warnings."""
    step = _present if options["state"] == "present" else _absent
    for last in (False, False, False, True):
        try:
            return step(volumes, options, {"dryRun": "All"} if check_mode else {})
        except Error as error:
            # Somebody changed it between our look and our patch: look again.
            if error.code != "conflict" or last:
                raise


def _present(volumes, options, dry_run):
    wanted = manifest(options)
    end = time.monotonic() + options["wait_timeout"]
    while True:
        claim = volumes.claim(options["claim_namespace"], options["claim"])
        volume = volumes.volume(options["name"])
        passing = [thing for thing in (claim, volume) if leaving(thing)]
        live = None if leaving(claim) else claim
        refuse(wanted, volume, live)
        if not passing or dry_run:
            break
        # The rest of a teardown: a new release would meet the old claim.
        _wait(passing[0], end, options)
    before, after = compare(wanted, None if leaving(volume) else volume, live)
    if before == after:
        return _result(False, before, after, volume)
    # A dry run asks the API server as well: what it would refuse, it refuses before anything has changed.
    if leaving(volume):
        made = None  # but it cannot be asked about what is still in the way
    elif volume is None:
        made = volumes.create({**wanted, "spec": after["spec"]}, **dry_run)
    else:
        # Only if it is still what we looked at.
        body = patch(before, after)
        body["metadata"] = {**body["metadata"], "resourceVersion": volume["metadata"]["resourceVersion"]}
        made = volumes.patch(options["name"], body, **dry_run)
    return _result(True, before, after, made)


def _absent(volumes, options, dry_run):
    name = options["name"]
    volume = volumes.volume(name)
    if volume is None:
        return _result(False, {}, {}, None)
    namespace, holder, uid = claimed_by(volume)
    theirs = "%s/%s" % (namespace, holder)
    ours = "%s/%s" % (options["claim_namespace"], options["claim"])
    if not managed(volume):
        raise Error(
            "PersistentVolume %s is not this collection's (it lacks the label %s): if it is to go, run kubectl delete "
            "pv %s." % (name, ", ".join("=".join(label) for label in MANAGED_BY.items()), name), "volume_foreign",
        )
    if holder and options["claim"] and theirs != ours:
        raise Error(
            "PersistentVolume %s belongs to the claim %s, not to %s: check name (role variable volume_name)."
            % (name, theirs, ours), "volume_claimed_by_another", claim=theirs,
        )
    result = _result(True, {"metadata": {"labels": volume["metadata"]["labels"]}, "spec": volume["spec"]}, {}, None)
    claim = volumes.claim(namespace, holder) if uid else None
    if holds(claim, name, volume) and not leaving(claim):
        if not dry_run:
            raise Error(
                "PersistentVolume %s is in use by the claim %s: remove its release first (playbook teardown removes "
                "both in order)." % (name, theirs), "volume_in_use", claim=theirs,
            )
        result["warnings"] = ["PersistentVolume %s can go only after the release of its claim %s." % (name, theirs)]
    if not leaving(volume):
        volumes.delete(name, **dry_run)
    end = time.monotonic() + options["wait_timeout"]
    while not dry_run:
        now = volumes.volume(name)
        if now is None or now["metadata"]["uid"] != volume["metadata"]["uid"]:
            break
        _wait(claim if leaving(claim) else now, end, options)
    return result


def _wait(thing, end, options):
    """One second; an Error that says what keeps the thing alive once the end has come."""
    if time.monotonic() < end:
        time.sleep(1)
        return
    metadata = thing["metadata"]
    held = "finalizers %s" % ", ".join(metadata.get("finalizers") or ["none"])
    if metadata.get("namespace"):
        raise Error(
            "The claim %s/%s is being deleted and still there after %d s: some pod still uses it (kubectl -n %s get "
            "pods) or something else holds it (%s)."
            % (metadata["namespace"], metadata["name"], options["wait_timeout"], metadata["namespace"], held),
            "volume_leaving",
        )
    raise Error(
        "PersistentVolume %s is being deleted and still there after %d s (%s)."
        % (metadata["name"], options["wait_timeout"], held), "volume_leaving",
    )


def _phase(volume):
    return volume.get("status", {}).get("phase", "Pending")


def _result(changed, before, after, volume):
    return {
        "changed": changed,
        "diff": {"before": before, "after": after},
        "volume": volume and {
            "name": volume["metadata"]["name"],
            "phase": _phase(volume),
            "claim": "%s/%s" % claimed_by(volume)[:2],
            "size": volume["spec"]["capacity"]["storage"],
            "source": {key: value for key, value in volume["spec"].items() if key not in _NO_SOURCE},
        },
    }
