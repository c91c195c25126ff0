"""An OCI image as a tarball that `ctr image import` reads, from a directory: no registry, no builder."""
from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"  # not compressed: it is imported on the machine that made it


def make(layers, names, tar_path, config=None):
    """Pack directories (one, or several from the lowest up) as the image `names`, each with its registry: localhost/x:1.

    names: one name, several, or {name: its config}. config: the image's own settings, as {"Entrypoint": ["/pause"]}.
    Owners, modes and times are kept (a new time would make compiled Python stale). Replaces tar_path in one rename.
    """
    layers = list(layers) if isinstance(layers, (list, tuple)) else [layers]
    if not isinstance(names, dict):
        names = dict.fromkeys([names] if isinstance(names, str) else names, config or {})
    for name in names:
        if "/" not in name or ":" not in name.rsplit("/", 1)[1]:
            raise ValueError("image name %r: the runtime wants it whole, as in localhost/NAME:TAG" % name)
    tar_path = Path(tar_path)
    tar_path.parent.mkdir(parents=True, exist_ok=True)
    half = tar_path.with_name(tar_path.name + ".half")
    with tarfile.open(half, "w") as image:
        layer_blobs = [_add_layer(image, rootdir, tar_path.parent) for rootdir in layers]
        manifests = {}
        for one in names.values():
            if json.dumps(one) not in manifests:
                manifests[json.dumps(one)] = _add_manifest(image, layer_blobs, one)
        _add_json(image, "index.json", {"schemaVersion": 2, "manifests": [
            {**manifests[json.dumps(one)], "annotations": {"io.containerd.image.name": name}}
            for name, one in names.items()
        ]})
        _add_json(image, "oci-layout", {"imageLayoutVersion": "1.0.0"})
    half.replace(tar_path)
    return tar_path


def _add_layer(image, rootdir, scratch):
    with tempfile.TemporaryFile(dir=scratch) as layer:
        with tarfile.open(fileobj=layer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for entry in sorted(os.listdir(rootdir)):
                archive.add(os.path.join(rootdir, entry), arcname=entry, filter=_nameless)
        layer.seek(0)
        digest = "sha256:" + hashlib.file_digest(layer, "sha256").hexdigest()
        size = layer.tell()
        layer.seek(0)
        _add(image, _blob_path(digest), layer, size)
    return {"mediaType": LAYER, "digest": digest, "size": size}


def _add_manifest(image, layer_blobs, config):
    config_blob = _add_blob(image, CONFIG, {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
        "os": "linux", "config": config, "rootfs": {
            "type": "layers", "diff_ids": [blob["digest"] for blob in layer_blobs]},
    })
    return _add_blob(image, MANIFEST, {
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config_blob, "layers": layer_blobs,
    })


def _nameless(member):
    member.uname = member.gname = ""  # numbers only: this machine's user names mean nothing inside
    return member


def _blob_path(digest):
    return "blobs/" + digest.replace(":", "/")


def _add(image, path, stream, size):
    member = tarfile.TarInfo(path)
    member.size = size
    image.addfile(member, stream)


def _add_json(image, path, value):
    data = json.dumps(value, sort_keys=True).encode()
    _add(image, path, io.BytesIO(data), len(data))


def _add_blob(image, media_type, value):
    data = json.dumps(value, sort_keys=True).encode()
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    _add(image, _blob_path(digest), io.BytesIO(data), len(data))
    return {"mediaType": media_type, "digest": digest, "size": len(data)}
