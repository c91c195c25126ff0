"""Warm-up records that are written into a version, and those that an archive brings along."""
from __future__ import annotations

import struct

import numpy
import pytest
from nas_folder import ONE, Nas, look
from saved_models import field, model_files, tar, under, zipped

from ansible_collections.mlops.tf_serving.plugins.module_utils import tfrecord
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import savedmodel, warmup
from ansible_collections.mlops.tf_serving.plugins.module_utils.tfrecord import crc32c, masked, record
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tensors import decode

IMAGES = (numpy.arange(3 * 784).reshape(3, 28, 28) % 256 / 255).astype("float32")
SAMPLES = warmup.packed(IMAGES)
FILE = "assets.extra/tf_serving_warmup_requests"
ASKED = {"warmup": 3, "warmup_dataset": "/data", "warmup_samples": SAMPLES}


@pytest.fixture()
def nas(tmp_path, monkeypatch):
    return Nas(tmp_path, monkeypatch)


def signatures(*inputs, method="tensorflow/serving/predict"):
    return {"predict_images": {"method": method, "inputs": dict(inputs), "outputs": {}}}


def written(folder, *inputs):
    """The records, as the official messages read them."""
    count = warmup.write(str(folder), SAMPLES, "predict_images", signatures(*inputs), "mnist")
    with open(str(folder / FILE), "rb") as file:
        requests = [predict_request(data) for data in tfrecord.records(file, 1 << 20)]
    assert (count, len(requests)) == (3, 3)
    return requests


def predict_request(log):
    """The PredictRequest in a PredictionLog."""
    for number in (6, 1):
        assert log[0] == number << 3 | 2
        length, at = varint(log, 1)
        assert at + length == len(log)
        log = log[at:]
    return messages().PredictRequest.FromString(log)


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def log(name="predict_images", kind=6):
    return field(kind, field(1, field(1, field(1, "mnist") + field(3, name))))


def test_samples_on_a_machine_of_the_other_byte_order(monkeypatch):
    shape, rows = warmup.unpacked(SAMPLES)
    assert (shape, [list(row) for row in rows]) == ([28, 28], [list(image.ravel()) for image in IMAGES])
    monkeypatch.setattr(warmup.sys, "byteorder", "big")
    swapped = warmup.unpacked(SAMPLES)[1][1]
    assert swapped.tobytes() == IMAGES[1].astype(">f4").tobytes()


def test_the_sum_is_that_of_tensorflow():
    """CRC-32C of "123456789" is e3069283; then rotated by 15 and moved on by a constant."""
    assert masked(crc32c(b"123456789")) == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked(crc32c(bytes(32))) == ((0x8A9136AA >> 15 | 0x8A9136AA << 17) + 0xA282EAD8) & 0xFFFFFFFF


@pytest.mark.parametrize(("tensor_text", "shape", "kind"), [
    ("float32[-1,784]", (1, 784), "float32"), ("float64[-1,28,28,1]", (1, 28, 28, 1), "float64"),
    ("float32[?]", (1, 784), "float32"), ("float32[-1,-1,-1]", (1, 28, 28), "float32"), ("float32[4,784]", (4, 784), "float32"),
])
def test_what_is_written(tmp_path, tensor_text, shape, kind):
    for image, request in zip(IMAGES, written(tmp_path, ("images", tensor_text))):
        assert (request.model_spec.name, request.model_spec.signature_name) == ("mnist", "predict_images")
        array = decode(request.inputs["images"])
        assert (array.shape, array.dtype.name) == (shape, kind)
        for sample in array:
            numpy.testing.assert_array_equal(sample.ravel(), image.ravel().astype(kind))


@pytest.mark.parametrize(("wanted", "shape"), [
    ("float32[-1,4,4,3]", (1, 4, 4, 3)), ("float32[-1,48]", (1, 48)), ("float32[-1,-1,-1,-1,1]", (1, 4, 4, 3, 1)),
    ("float32[?]", (1, 48)),
])
def test_images_in_colour(tmp_path, wanted, shape):
    images = numpy.arange(96, dtype="f4").reshape(2, 4, 4, 3)
    known = {"s": signatures(("x", wanted))["predict_images"]}
    assert warmup.write(str(tmp_path), warmup.packed(images), "s", known, "mnist") == 2
    with open(str(tmp_path / FILE), "rb") as file:
        arrays = [decode(predict_request(data).inputs["x"]) for data in tfrecord.records(file, 1 << 20)]
    assert [array.shape for array in arrays] == [shape, shape] and numpy.array_equal(arrays[1].ravel(), images[1].ravel())


@pytest.mark.parametrize(("known", "words"), [
    ({}, "no such signature"), (signatures(("images", "string[-1]")), "images string"),
    (signatures(("a", "float32[-1,784]"), ("b", "float32[-1,784]")), "one input"),
    (signatures(("images", "float32[-1,100]")), "28 x 28"), (signatures(("images", "float32[]")), "28 x 28"),
    (signatures(("images", "float32[-1,784]"), method="tensorflow/serving/classify"), "classify"),
])
def test_what_cannot_be_written(tmp_path, known, words):
    with pytest.raises(Error) as caught:
        warmup.write(str(tmp_path), SAMPLES, "predict_images", known, "mnist")
    assert caught.value.code == "warmup_impossible"
    assert caught.value.message.startswith("No warm-up records can be made for the signature predict_images: ")
    assert words in caught.value.message
    assert not list(tmp_path.iterdir())


GOOD = record(log()) + record(log("", kind=2)) + record(field(4, field(1, field(1, field(1, field(1, "mnist"))))))


@pytest.mark.parametrize(("content", "words"), [
    (b"no TFRecord at all", "record 1: its length"), (GOOD[:-1], "record 3: the file is cut off"),
    (GOOD + b"x", "record 4: the file is cut off"),
    (GOOD[:20] + b"\xff" + GOOD[21:], "record 1: its content has a wrong check sum"),
    (record(log("other")), "the signature other"), (record(b""), "not one request"), (record(field(5, b"")), "not one request"),
    (record(field(6, field(1, b""))), "no model_spec"), (record(b"\xff\xff"), "record 1"),
    (record(log()) * 1001, "1000"),
    (struct.pack("<Q", 1 << 60) + struct.pack("<I", masked(crc32c(struct.pack("<Q", 1 << 60)))), "cut off"),
])
def test_a_bad_record_is_refused(tmp_path, content, words):
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(Error) as caught:
        warmup.inspect(str(tmp_path), {"predict_images": {}, "serving_default": {}})
    assert caught.value.code == "warmup_invalid"
    assert words in caught.value.message


def test_good_records_are_counted(tmp_path):
    known = {"predict_images": {}, "serving_default": {}}
    assert warmup.inspect(str(tmp_path), known) == 0
    (tmp_path / "assets.extra").mkdir()
    for content, count in ((b"", 0), (GOOD, 3), (record(log()) * 1000, 1000)):
        (tmp_path / FILE).write_bytes(content)
        assert warmup.inspect(str(tmp_path), known) == count


# --- published -----------------------------------------------------------------------------------------------------

def test_a_new_version_gets_them(nas):
    options = {key: value for key, value in ASKED.items() if key != "warmup_samples"}
    with nas.unchanged():
        assert nas.publish(ONE, **options) == {"changed": False, "needs": ["warmup"]}
        assert nas.publish(ONE, check_mode=True, **options)["changed"]
    result = nas.publish(ONE, **ASKED)
    assert (result["changed"], result["warmup"]) == (True, 3)
    folder = nas.root / "model/mnist/1"
    assert warmup.inspect(str(folder), savedmodel.inspect(str(folder))["signatures"]) == 3
    assert (folder / FILE).stat().st_mode & 0o777 == 0o644
    with nas.unchanged():
        again = nas.publish(ONE, **options)
        assert (again["changed"], again["warmup"]) == (False, 3)
        assert nas.publish(ONE)["changed"] is False
    other = zipped(under("mnist/1", model_files()))
    result = nas.publish(other)
    assert (result["changed"], result["warmup"]) == (False, 3), "the same content, without warm-up records in the archive"
    assert nas.publish(other)["warmup"] == 3
    assert nas.versions()["versions"][0]["problem"] == ""


def test_they_are_on_disk_before_they_are_seen(nas, monkeypatch):
    events = nas.recorded(monkeypatch)
    nas.publish(ONE, **ASKED)
    folder = "sync staging/unpacked/mnist/1/assets.extra"
    assert events.index(folder + "/tf_serving_warmup_requests") < events.index(folder) < events.index(
        "rename staging/unpacked/mnist/1 1")


def test_a_version_without_them_stays_as_it_is(nas):
    nas.publish(ONE)
    with nas.unchanged():
        assert nas.publish(ONE, **ASKED)["warmup"] == 0


def test_withdrawn_and_fetched_again_with_them(nas):
    nas.publish(ONE, version=9)
    nas.publish(ONE, **ASKED)
    nas.versions(withdraw=[1])
    assert nas.publish(ONE)["withdrawn"]
    assert nas.publish(ONE, reinstate=True)["warmup"] == 3
    nas.versions(withdraw=[1])
    (nas.root / "model/mnist/.withdrawn/1/saved_model.pb").unlink()
    assert nas.publish(ONE, reinstate=True, warmup=3, warmup_dataset="/data")["needs"] == ["warmup"]
    assert nas.publish(ONE, reinstate=True)["warmup"] == 0


def test_those_of_the_archive_are_kept_and_checked(nas):
    files = dict(model_files(), **{FILE: record(log())})
    assert nas.publish(tar(under("mnist/1", files)), **ASKED)["warmup"] == 1
    assert look(nas.root / "model/mnist/1")[FILE] == files[FILE]
    files[FILE] = record(log("other"))
    error = nas.refused(tar(under("mnist/2", files)))
    assert error.code == "warmup_invalid"
    assert "model_archive" in error.message


def test_a_signature_that_the_model_lacks(nas):
    error = nas.refused(ONE, warmup_signature="classify", **ASKED)
    assert error.code == "warmup_impossible"
    assert "predict_images" in error.message
