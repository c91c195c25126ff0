"""What travels to the node, and when."""
from __future__ import annotations

import hashlib
import types

import idx_files
import numpy
import pytest
from ansible.errors import AnsibleError

from ansible_collections.mlops.tf_serving.plugins.action.model_publish import ActionModule
from ansible_collections.mlops.tf_serving.plugins.filter.model import model_problem
from ansible_collections.mlops.tf_serving.plugins.module_utils import _warmup

NAS = {"nas_server": "nas", "base_path": "/serving/model/mnist"}
SHA = hashlib.sha256(b"archive").hexdigest()


class Action(ActionModule):
    """The plugin, with the node and its connection replaced by a list of what was asked of them."""

    def __init__(self, arguments, *answers):
        self._task = types.SimpleNamespace(args=arguments, async_val=0, check_mode=False, diff=False, delegate_to=None)
        self._connection = types.SimpleNamespace(_shell=types.SimpleNamespace(join_path="/".join, tmpdir=None))
        self._connection._shell.join_path = lambda *parts: "/".join(parts)
        self.asked, self.answers = [], list(answers)

    def run(self, tmp=None, task_vars=None):
        return super().run(tmp, task_vars or {})

    def _find_needle(self, dirname, needle):
        if "missing" in needle:
            raise AnsibleError("not found")
        return needle

    def _execute_module(self, module_name=None, module_args=None, task_vars=None):
        self.asked.append(module_args)
        return self.answers.pop(0)

    def _make_tmp_path(self):
        return "/remote"

    def _transfer_file(self, local_path, remote_path):
        self.asked.append((local_path, remote_path))

    def _fixup_perms2(self, paths):
        pass

    def _remove_tmp_path(self, path):
        self.asked.append("removed " + path)


@pytest.fixture()
def archive(tmp_path):
    path = tmp_path / "mnist.tar.gz"
    path.write_bytes(b"archive")
    return str(path)


@pytest.mark.parametrize("source", ["http://host/x.tar.gz", "file:///x.tar.gz"])
def test_what_the_node_reads_itself(source):
    action = Action({**NAS, "archive": source}, {"changed": True})
    assert action.run() == {"changed": True}
    assert action.asked == [{**NAS, "archive": source}]


def test_an_archive_that_the_node_has_already(archive):
    action = Action({**NAS, "archive": archive}, {"changed": False})
    assert action.run() == {"changed": False}
    assert action.asked == [{**NAS, "archive": archive, "checksum": "sha256:" + SHA}]


def test_an_archive_that_the_node_lacks(archive):
    action = Action({**NAS, "archive": archive}, {"needs": ["archive"]}, {"changed": True})
    assert action.run() == {"changed": True}
    assert action.asked[1:] == [
        (archive, "/remote/archive"),
        {**NAS, "archive": archive, "checksum": "sha256:" + SHA, "archive_copy": "/remote/archive"},
        "removed /remote",
    ]


IMAGES = (numpy.arange(5 * 784) % 256).reshape(5, 28, 28).astype("uint8")


@pytest.fixture()
def dataset(tmp_path):
    idx_files.write(tmp_path, IMAGES, numpy.zeros(5))
    return {"warmup": 3, "warmup_dataset": str(tmp_path)}


def test_samples_travel_only_if_the_node_asks_for_them(dataset):
    options = {**NAS, "archive": "http://host/x", **dataset}
    action = Action(options, {"changed": False})
    assert action.run() == {"changed": False}
    assert action.asked == [options]
    action = Action(options, {"needs": ["warmup"]}, {"changed": True})
    assert action.run() == {"changed": True}
    shape, rows = _warmup.unpacked(action.asked[1]["warmup_samples"])
    assert (shape, len(rows)) == ([28, 28], 3)
    assert list(rows[1]) == list((IMAGES[1] / numpy.float32(255)).ravel())


def test_archive_and_samples_travel_together(archive, dataset):
    action = Action({**NAS, "archive": archive, **dataset}, {"needs": ["archive", "warmup"]}, {"changed": True})
    assert action.run() == {"changed": True}
    assert {"warmup_samples", "archive_copy"} <= action.asked[2].keys()


def samples(tmp_path, **columns):
    """What becomes of a dataset of these columns: warm-up samples, or the message of a failure."""
    numpy.savez(tmp_path / "x.npz", **columns)
    action = Action({**NAS, "archive": "http://host/x", "warmup": 2, "warmup_dataset": str(tmp_path / "x.npz")}, {"needs": ["warmup"]}, {})
    result = action.run()
    return result["msg"] if "msg" in result else _warmup.unpacked(action.asked[1]["warmup_samples"])


def test_samples_of_any_dataset_with_images(tmp_path):
    shape, rows = samples(tmp_path, images=numpy.arange(24).reshape(2, 2, 2, 3) / 32, labels=numpy.arange(2))
    assert shape == [2, 2, 3] and list(rows[1]) == [value / 32 for value in range(12, 24)]


def test_samples_of_a_dict_of_files_whose_pictures_have_another_name(tmp_path):
    idx_files.write(tmp_path, IMAGES)
    numpy.save(tmp_path / "y.npy", numpy.arange(5))
    files = {"digits": str(tmp_path / idx_files.IMAGES), "y": str(tmp_path / "y.npy")}
    action = Action({**NAS, "archive": "http://host/x", "warmup": 2, "warmup_dataset": files}, {"needs": ["warmup"]}, {})
    action.run()
    assert list(_warmup.unpacked(action.asked[1]["warmup_samples"])[1][1]) == list((IMAGES[1] / numpy.float32(255)).ravel())


@pytest.mark.parametrize(("columns", "words"), [
    ({"x": numpy.arange(3), "y": numpy.arange(3)}, "has no column images, and none of pictures (its columns: x, y)"),
    ({"images": numpy.array(["a", "b"])}, "its column images does not hold numbers"),
])
def test_datasets_that_give_no_samples(tmp_path, columns, words):
    assert words in samples(tmp_path, **columns)


@pytest.mark.parametrize(("options", "words"), [
    ({"warmup": 6}, "model_warmup is 6"), ({"warmup_dataset": "/no/such"}, "/no/such"),
    ({"warmup_dataset_checksum": {"t10k-images-idx3-ubyte.gz": "sha256:" + "0" * 64}}, "checksum"),
])
def test_samples_that_cannot_be_had(dataset, options, words):
    action = Action({**NAS, "archive": "http://host/x", **dataset, **options}, {"needs": ["warmup"]})
    result = action.run()
    assert result["failed"]
    assert words in result["msg"]


@pytest.mark.parametrize(("options", "code"), [
    ({"archive": "missing.tar.gz"}, "archive_not_found"),
    ({"archive": "/"}, "archive_is_folder"),
    ({"archive": "ftp://x/y"}, "archive_invalid"),
    ({"archive": "x", "version": "v2"}, "version_invalid"),
    ({"checksum": "0" * 64}, "checksum_mismatch"),
])
def test_the_node_is_not_asked_about_bad_input(archive, options, code):
    action = Action({**NAS, "archive": archive, **options})
    assert action.run()["failure"]["code"] == code
    assert action.asked == []


def test_absent():
    action = Action({**NAS, "state": "absent"}, {"changed": True})
    assert action.run() == {"changed": True}


def test_the_filter_says_the_same_sentence():
    assert model_problem({**NAS, "archive": "http://host/x"}) == ""
    assert "model_version" in model_problem({**NAS, "archive": "http://host/x", "version": "v2"})
