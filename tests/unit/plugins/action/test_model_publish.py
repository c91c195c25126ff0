"""What travels to the node, and when."""
from __future__ import annotations

import hashlib
import sys

import idx_files
import numpy
import pytest
from fake_node import fake_node

from ansible_collections.mlops.tf_serving.plugins.action import model_publish
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import look, warmup

NAS = {"nas_server": "nas", "base_path": "/serving/model/mnist"}
SHA = hashlib.sha256(b"archive").hexdigest()


def Action(arguments, *answers, **task):
    return fake_node(model_publish, arguments, *answers, **task)


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


@pytest.mark.parametrize(("url", "shown"), [
    ("https://h/x.tar.gz?file=y&sig=secret", "https://h/x.tar.gz?file=y&..."), ("https://me:secret@h/x.tar.gz", "https://h/x.tar.gz"),
])
def test_what_signs_a_url_travels_by_itself(url, shown):
    """For Ansible shows the options of a module, but for those that it is told not to."""
    dataset = {"warmup": 3, "warmup_dataset": {"x": "https://h/x.csv?sig=secret", "y": "/y"}}
    action = Action({**NAS, "archive": url, **dataset}, {"changed": True})
    action.run()
    assert action.asked == [{
        **NAS, "archive": shown, "archive_url": url, "warmup": 3, "warmup_dataset": {"x": "https://h/x.csv?...", "y": "/y"}}]
    assert [name for name, option in model_publish.PUBLISH.items() if option.get("no_log")] == ["archive_url"]


def test_an_archive_that_the_node_has_already(archive):
    action = Action({**NAS, "archive": archive}, {"changed": False})
    assert action.run() == {"changed": False}
    assert action.asked == [{**NAS, "archive": archive, "checksum": "sha256:" + SHA}]


def test_an_archive_that_the_node_lacks(archive):
    action = Action({**NAS, "archive": archive}, {"needs": ["archive"]}, {"changed": True})
    assert action.run() == {"changed": True}
    assert action.asked[1:] == [
        (archive, "/remote/archive"),
        ("readable", "/remote", "/remote/archive"),
        {**NAS, "archive": archive, "checksum": "sha256:" + SHA, "archive_copy": "/remote/archive"},
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
    shape, rows = warmup.unpacked(action.asked[1]["warmup_samples"])
    assert (shape, len(rows)) == ([28, 28], 3)
    assert list(rows[1]) == list((IMAGES[1] / numpy.float32(255)).ravel())


def test_archive_and_samples_travel_together(archive, dataset):
    action = Action({**NAS, "archive": archive, **dataset}, {"needs": ["archive", "warmup"]}, {"changed": True})
    assert action.run() == {"changed": True}
    assert {"warmup_samples", "archive_copy"} <= action.asked[3].keys()


def test_a_look_sends_nothing_along(archive, dataset):
    for needs in ([], ["tidying"]):
        action = Action({**NAS, "archive": archive, **dataset}, {"changed": False, "needs": needs}, check_mode=True)
        assert action.run() == {"changed": False, "needs": needs}
        assert len(action.asked) == 1


def answered(**answer):
    return {"changed": False, "verified": True, "message": "", "checksum": "sha256:ab", "left_out": [], **answer}


@pytest.mark.parametrize(("answer", "check_mode", "remarks", "up_to_date"), [
    (answered(), True, [], True), (answered(changed=True), False, [], False), (answered(needs=["tidying"]), True, [], False),
    (answered(message="Version 2 was withdrawn"), False, ["Version 2 was withdrawn"], True),
    (answered(message="Version 2 was withdrawn", verified=False), False, ["Version 2 was withdrawn"], True),
    (answered(verified=False), True, ["unverified"], True),
    (answered(verified=False, changed=True), False, ["unverified"], False),
    (answered(verified=False, changed=True, checksum=None), True, [], False), (answered(left_out=["latest"]), False, [], True),
    (answered(left_out=["latest"], changed=True), False, ["left out of the archive, for the model needs none of it"], False),
])
def test_what_is_made_of_the_answer(answer, check_mode, remarks, up_to_date):
    result = Action({**NAS, "archive": "http://host/x"}, dict(answer), check_mode=check_mode).run()
    assert ([remark.partition(":")[0] for remark in result.pop("remarks")], result.pop("up_to_date")) == (remarks, up_to_date)
    assert result == answer
    unverified = Action({**NAS, "archive": "http://host/x"}, answered(verified=False)).run()["remarks"][0]
    assert unverified.endswith("set model_checksum: sha256:ab")


def test_what_cannot_be_checked_is_said_at_publish():
    signatures = {
        "fine": {"method": "", "inputs": {"x": "float32[-1]", "y": "string[?]"}, "outputs": {}},
        "of_examples": {"method": "tensorflow/serving/classify", "inputs": {"inputs": "string[]"}, "outputs": {}},
        "sparse": {"method": "", "inputs": {"x": "float32[-1]", "y": "sparse float32[-1,9]"}, "outputs": {}},
        "ragged": {"method": "", "inputs": {"x": "composite invalid[?]"}, "outputs": {}},
        "table": {"method": "my/own", "inputs": {"x": "resource[]"}, "outputs": {}},
        "old": {"method": "my/own", "inputs": {"x": "dtype101[-1]"}, "outputs": {}},
        "one_by_one": {"method": "", "inputs": {"x": "string[]"}, "outputs": {}},
        "empty": {"method": "", "inputs": {}, "outputs": {}},
    }
    remarks = Action({**NAS, "archive": "http://host/x"}, answered(signatures=signatures)).run()["remarks"]
    assert remarks == ["signature %s cannot be checked: %s" % item for item in {
        "sparse": "its input y is a sparse tensor, and the check sends dense tensors of numbers, text or booleans",
        "ragged": "its input x is a composite tensor, as ragged ones are, and the check sends dense tensors of numbers, text or"
                  " booleans",
        "table": "its input x is of type resource, and the check sends dense tensors of numbers, text or booleans",
        "old": "its input x is of type a reference to float32, and the check sends dense tensors of numbers, text or booleans",
        "one_by_one": "none of its inputs has a dimension for tests (x: string []): export it with one, [None, ...]",
        "empty": "it has no inputs",
    }.items()]


def test_signatures_that_nobody_wrote_are_no_traceback():
    for signatures in ({"s": 3}, {"s": {"method": "", "inputs": {"x": "floaty"}}}):
        answer = Action({**NAS, "archive": "http://host/x"}, answered(signatures=signatures)).run()
        assert answer["failed"] and answer["failure"]["code"] == "option_invalid"


def test_empty_options_are_left_out():
    empty = {"checksum": "", "version": None, "warmup_dataset": "", "archive": " http://host/x\n", "reinstate": False}
    action = Action({**NAS, **empty}, {"changed": False})
    action.run()
    assert action.asked == [{**NAS, "archive": "http://host/x", "reinstate": False}]


def samples(tmp_path, **columns):
    """What becomes of a dataset of these columns: warm-up samples, or the message of a failure."""
    numpy.savez(tmp_path / "x.npz", **columns)
    options = {"archive": "http://host/x", "warmup": 2, "warmup_dataset": str(tmp_path / "x.npz")}
    action = Action({**NAS, **options}, {"needs": ["warmup"]}, {})
    result = action.run()
    assert "failure" not in result or result["failure"]["code"] == "warmup_impossible"
    return result["msg"] if "msg" in result else warmup.unpacked(action.asked[1]["warmup_samples"])


def test_samples_of_any_dataset_with_images(tmp_path):
    shape, rows = samples(tmp_path, images=numpy.arange(24).reshape(2, 2, 2, 3) / 32, labels=numpy.arange(2))
    assert shape == [2, 2, 3] and list(rows[1]) == [value / 32 for value in range(12, 24)]


def test_samples_of_a_dict_of_files_whose_pictures_have_another_name(tmp_path):
    idx_files.write(tmp_path, IMAGES)
    numpy.save(tmp_path / "y.npy", numpy.arange(5))
    files = {"digits": str(tmp_path / idx_files.IMAGES), "y": str(tmp_path / "y.npy")}
    action = Action({**NAS, "archive": "http://host/x", "warmup": 2, "warmup_dataset": files}, {"needs": ["warmup"]}, {})
    action.run()
    assert list(warmup.unpacked(action.asked[1]["warmup_samples"])[1][1]) == list((IMAGES[1] / numpy.float32(255)).ravel())


@pytest.mark.parametrize(("columns", "words"), [
    ({"y": numpy.arange(3), "x": numpy.arange(3)}, "has no column images, and none of pictures (its columns: x, y)"),
    ({"images": numpy.array(["a", "b"])}, "its column images does not hold numbers"),
])
def test_datasets_that_give_no_samples(tmp_path, columns, words):
    assert words in samples(tmp_path, **columns)


@pytest.mark.parametrize(("options", "words"), [
    ({"warmup": 6}, "model_warmup is 6, and the dataset"), ({"warmup": 6}, "has 5 images: lower it."),
    ({"warmup_dataset": "/no/such"}, "/no/such"),
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
    ({"archive": "x", "version": "v2"}, "option_invalid"),
    ({"archive": "x", "version": 0}, "version_invalid"),
    ({"archive": "x", "reinstate": "flase"}, "option_invalid"),
    ({"archive": "x", "chekcsum": "y"}, "option_invalid"),
    ({"archive": ""}, "option_invalid"),
    ({"archive": "x", "state": "gone"}, "option_invalid"),
    ({"checksum": "0" * 64}, "checksum_mismatch"),
])
def test_the_node_is_not_asked_about_bad_input(archive, options, code):
    action = Action({**NAS, "archive": archive, **options})
    assert action.run()["failure"]["code"] == code
    assert action.asked == []


def test_both_sums_are_named(archive):
    failure = Action({**NAS, "archive": archive, "checksum": "0" * 64}).run()["failure"]
    assert failure["details"] == {"wanted": "0" * 64, "found": SHA}
    assert failure["message"].startswith("%s has the checksum sha256:%s, but model_checksum is sha256:000" % (archive, SHA))


def test_an_archive_that_cannot_be_read(archive, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(look, "open", refuse, raising=False)
    result = Action({**NAS, "archive": archive}).run()
    assert (result["failure"]["code"], "on the controller: Permission denied" in result["msg"]) == ("archive_unreadable", True)


def test_a_right_checksum(archive):
    action = Action({**NAS, "archive": archive, "checksum": SHA.upper()}, {"changed": False})
    assert action.run() == {"changed": False}


def test_a_path_below_the_home_folder(archive, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    action = Action({**NAS, "archive": "~/mnist.tar.gz"}, {"changed": False})
    assert action.run() == {"changed": False}
    assert action.asked[0]["archive"] == archive


@pytest.mark.parametrize("archive", ["", "missing.tar.gz"])
def test_absent(archive):
    action = Action({**NAS, "state": "absent", "archive": archive}, {"changed": True})
    assert action.run() == {"changed": True}


def test_numpy_is_needed_for_samples_only(dataset, monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert Action({**NAS, "archive": "http://host/x", **dataset}, {"changed": False}).run() == {"changed": False}
    action = Action({**NAS, "archive": "http://host/x", **dataset}, {"needs": ["warmup"]})
    assert action.run()["failure"]["code"] == "library_missing"
