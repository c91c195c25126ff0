from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest

from tf_lab import oci


def members(path):
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def test_every_digest_is_true_and_every_name_leads_to_its_config(tmp_path):
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "pause").write_text("x")
    tar = oci.make(root, ["localhost/a:1", "localhost/b:2"], tmp_path / "image.tar", {"Entrypoint": ["/bin/pause"]})
    files = members(tar)
    for name, data in files.items():
        if name.startswith("blobs/"):
            assert name == "blobs/sha256/" + hashlib.sha256(data).hexdigest()

    def blob(described):
        data = files["blobs/" + described["digest"].replace(":", "/")]
        assert len(data) == described["size"]
        return data

    index = json.loads(files["index.json"])["manifests"]
    assert [m["annotations"]["io.containerd.image.name"] for m in index] == ["localhost/a:1", "localhost/b:2"]
    manifest = json.loads(blob(index[1]))
    config = json.loads(blob(manifest["config"]))
    assert config["config"] == {"Entrypoint": ["/bin/pause"]}
    layer = blob(manifest["layers"][0])
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest()]
    with tarfile.open(fileobj=io.BytesIO(layer)) as content:
        assert content.getnames() == ["bin", "bin/pause"]


def test_the_same_folder_gives_the_same_image(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "file").write_text("x")
    one = oci.make(tmp_path / "root", "localhost/a:1", tmp_path / "1.tar")
    two = oci.make(tmp_path / "root", "localhost/a:1", tmp_path / "2.tar")
    assert members(one) == members(two)


@pytest.mark.parametrize("name", ["pause", "pause:1", "localhost/pause"])
def test_a_name_that_the_runtime_would_look_up_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="localhost/NAME:TAG"):
        oci.make(tmp_path, name, tmp_path / "image.tar")


def test_layers_are_shared_and_each_name_may_have_its_own_config(tmp_path):
    for layer in ("low", "high"):
        (tmp_path / layer).mkdir()
        (tmp_path / layer / layer).write_text(layer)
    configs = {"localhost/a:1": {"Env": ["R=1"]}, "localhost/a:1-gpu": {"Env": ["R=1"]}, "localhost/a:2": {"Env": ["R=2"]}}
    files = members(oci.make([tmp_path / "low", tmp_path / "high"], configs, tmp_path / "image.tar"))

    def blob(described):
        return json.loads(files["blobs/" + described["digest"].replace(":", "/")])
    manifests = {m["annotations"]["io.containerd.image.name"]: m for m in json.loads(files["index.json"])["manifests"]}
    assert {name: blob(blob(m)["config"])["config"] for name, m in manifests.items()} == configs
    layers = [layer["digest"] for layer in blob(manifests["localhost/a:1"])["layers"]]
    assert len(set(layers)) == 2
    assert all([layer["digest"] for layer in blob(m)["layers"]] == layers for m in manifests.values())
    assert all(blob(blob(m)["config"])["rootfs"]["diff_ids"] == layers for m in manifests.values())
