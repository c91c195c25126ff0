"""The inference check against real TensorFlow: the zoo's signatures and MNIST, asked through the action plugin.

What is right is computed without our code: by TensorFlow when the lab made MNIST's models, by numpy for the zoo. Needs
what `tests/lab/lab up` has built, not the cluster.
"""
from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import model_zoo
import numpy
import pytest
from stand_in import NEW, Server, certificates, config, entry, free_port, ssl_config, tfrecord, unpack, until

from tf_lab import models

# isort: split
from tensorflow.core.example import example_pb2

ROOT = Path(__file__).resolve().parents[2]
# What makes the collection importable for the unit tests; another conftest than the one beside this file.
spec = importlib.util.spec_from_file_location("unit_conftest", ROOT / "tests/unit/conftest.py")
spec.loader.exec_module(importlib.util.module_from_spec(spec))
sys.path.insert(0, str(ROOT / "tests/unit"))

from run_action import run_action  # noqa: E402

from ansible_collections.mlops.tf_serving.plugins.action import inference_check  # noqa: E402

TESTS, WRONG = 200, 20  # rows of the datasets below, and how many of their labels are made wrong
SHAKEN = numpy.arange(TESTS) % (TESTS // WRONG) == 0


class Served:
    """A server with the zoo's version 1 as `zoo`, its version 2 as `retrained`, and `mnist`."""

    def __init__(self, folder, *arguments, **options):
        (folder / "mnist").mkdir()
        unpack(models.ARCHIVES[0], folder / "mnist")
        zoo = model_zoo.folder()
        (folder / "models").write_text(config(
            entry(zoo, 1, name="zoo"), entry(zoo, 2, name="retrained"), entry(folder / "mnist", name="mnist")))
        (folder / "monitoring").write_text('prometheus_config { enable: true, path: "/metrics" }')
        self.rest_port = free_port()
        self.server = Server(
            None, folder / "log", NEW, "--model_config_file=%s" % (folder / "models"), "--rest_api_port=%d" % self.rest_port,
            "--monitoring_config_file=%s" % (folder / "monitoring"), *arguments, **options).wait()
        self.address = "127.0.0.1:%d" % self.server.port
        until(lambda: "Exporting HTTP/REST API" in self.server.log)  # after the gRPC port

    def requests(self):
        """How many it has been asked: Predict, Classify and Regress, answered or not."""
        with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % self.rest_port, timeout=20) as page:
            return sum(float(count) for count in re.findall(
                r"^:tensorflow:serving:request_count\{.*\} (.*)$", page.read().decode(), re.MULTILINE))

    def check(self, model_name="zoo", **options):
        return module(address=self.address, model_name=model_name, **options)


def module(**options):
    """What the task answers."""
    return run_action(inference_check, **options)


def passed(result):
    assert not result.get("failed"), result["msg"]
    return result


def failed(result, code, *words):
    assert result.get("failed"), result
    assert result["failure"]["code"] == code, result["failure"]
    missing = [word for word in words if word not in result["msg"]]
    assert not missing, (missing, result["msg"])
    return result


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    served = Served(tmp_path_factory.mktemp("served"))
    yield served
    served.server.kill()


# The data. Labels are the zoo's own answers, except in the rows that are SHAKEN.

RANDOM = numpy.random.RandomState(20171108)
FEATURES = RANDOM.randint(-24, 25, (TESTS, 3)).astype("f4") / 8
COUNT = RANDOM.randint(0, 5, TESTS)
COLOUR = numpy.array([b"red", b"green", b"blue"])[RANDOM.randint(0, 3, TESTS)]
FLAG = RANDOM.randint(0, 2, TESTS).astype(bool)
VALUE = model_zoo.truth(1, FEATURES, COUNT, COLOUR, FLAG)
OF_EXAMPLES = model_zoo.truth(1, FEATURES, colour=COLOUR)
INPUTS = {"features": FEATURES, "count": COUNT, "colour": COLOUR, "flag": FLAG}


def classes(value, shaken=True):
    return numpy.where(shaken & SHAKEN, value <= 0, value > 0).astype("i8")


def names(value):
    return numpy.array(model_zoo.CLASSES)[classes(value)]


def example(**features):
    message = example_pb2.Example()
    for name, value in features.items():
        feature, value = message.features.feature[name], numpy.atleast_1d(value)
        kind = {"f": feature.float_list, "S": feature.bytes_list}.get(value.dtype.kind, feature.int64_list)
        kind.value.extend((value + 0 if value.dtype == bool else value).tolist())
    return message.SerializeToString()


def rows(**columns):
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def write_idx(path, array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(bytes((0, 0, 8, array.ndim)) + sizes + array.astype("u1").tobytes())


def of_npz(folder, columns):
    numpy.savez(folder / "data.npz", **columns)
    return str(folder / "data.npz"), {}


def of_npy(folder, columns):
    for name, column in columns.items():
        numpy.save(folder / (name + ".npy"), column)
    return {name: str(folder / (name + ".npy")) for name in columns}, {}


def of_csv(folder, columns):
    flat = {**{"f%d" % at: columns["features"][:, at] for at in range(3)}, **{
        name: column.astype(int) if column.dtype == bool else numpy.char.decode(column) if column.dtype.kind == "S" else column
        for name, column in columns.items() if name != "features"}}
    lines = [",".join(flat), *(",".join(map(str, row.values())) for row in rows(**flat))]
    (folder / "data.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return str(folder / "data.csv.gz"), {"features": ["f0", "f1", "f2"]}


def of_jsonl(folder, columns):
    (folder / "data.jsonl").write_text("\n".join(json.dumps({name: value.decode() if isinstance(value, bytes) else value.tolist()
                                                             for name, value in row.items()}) for row in rows(**columns)))
    return str(folder / "data.jsonl"), {}


def of_tfrecord(folder, columns):
    (folder / "data.tfrecord").write_bytes(tfrecord(*(example(**row) for row in rows(**columns))))
    return str(folder / "data.tfrecord"), {}


@pytest.fixture
def npz(tmp_path):
    def npz(**columns):
        return of_npz(tmp_path, columns)[0]
    return npz


MIXED = {"signature": "mixed", "output": "classes"}


@pytest.mark.parametrize("made", [of_npz, of_npy, of_csv, of_jsonl, of_tfrecord])
def test_every_format_of_dataset_gives_the_same_rate(served, tmp_path, made):
    dataset, inputs = made(tmp_path, {**INPUTS, "labels": classes(VALUE)})
    result = passed(served.check(dataset=dataset, inputs=inputs, **MIXED))
    assert (result["wrong"], result["error_rate"], result["tests"], result["version"]) == (WRONG, 10.0, TESTS, 1)
    assert result["message"] == "Inference error rate: 10.0%"
    low, high = result["interval"]
    assert 6 < low < 10 < high < 15


def test_idx_files_as_the_tutorial_has_them(served):
    """As a folder, and as one file a column."""
    rate = models.archives()[models.ARCHIVES[0]]["error_rate"]
    result = passed(served.check("mnist", dataset=str(models.MODELS)))
    assert (result["error_rate"], result["tests"]) == (rate, 1000)
    files = {"images": str(models.MODELS / models.TEST_IMAGES), "labels": str(models.MODELS / models.TEST_LABELS)}
    assert passed(served.check("mnist", dataset=files))["error_rate"] == rate


def test_colour_pictures_go_as_the_bytes_they_are_in_requests_over_4_mib(served, tmp_path):
    colours = RANDOM.randint(0, 3, 64)
    pictures = RANDOM.randint(0, 100, (64, 224, 224, 3), "u1")
    pictures[numpy.arange(64), :, :, colours] += 100
    write_idx(tmp_path / "image-idx4-ubyte", pictures)
    write_idx(tmp_path / "y-idx1-ubyte", colours)
    result = passed(served.check(signature="image", batch_size=32, dataset={
        "image": str(tmp_path / "image-idx4-ubyte"), "y": str(tmp_path / "y-idx1-ubyte")}))
    assert (result["wrong"], result["tests"]) == (0, 64)


def test_columns_are_mapped_to_inputs_by_name(served, npz):
    dataset = npz(a=FEATURES, b=COUNT, colour=COLOUR, flag=FLAG, answer=classes(VALUE))
    mapped = {"inputs": {"features": "a", "count": "b"}, "labels": "answer"}
    assert passed(served.check(dataset=dataset, **mapped, **MIXED))["wrong"] == WRONG
    before = served.requests()
    failed(served.check(dataset=dataset, labels="answer", **MIXED), "option_invalid", "check_inputs", "count", "features")
    failed(served.check(dataset=dataset, labels="answer", inputs={"features": "nope", "count": "b"}, **MIXED),
           "option_invalid", "check_inputs", "nope")
    failed(served.check(dataset=dataset, labels="nope", **MIXED), "dataset_invalid", "check_labels", "nope")
    assert served.requests() == before


# What an answer can be.

@pytest.mark.parametrize("output, labels, options", [
    ("classes", classes(VALUE), {}),
    ("names", names(VALUE), {}),
    ("pairs", classes(VALUE), {}),  # the highest of the two
    ("values", VALUE + SHAKEN, {"tolerance": 0.01}),
    ("pairs", numpy.stack([-VALUE, VALUE + SHAKEN], 1), {"tolerance": 0.01}),
])
def test_labels_are_classes_strings_or_values(served, npz, output, labels, options):
    result = passed(served.check(signature="mixed", output=output, dataset=npz(**INPUTS, labels=labels), **options))
    assert result["wrong"] == WRONG


def test_a_tolerance_is_relative_above_one(served, npz):
    def wrong(tolerance):
        return served.check(
            signature="mixed", output="values", tolerance=tolerance, dataset=npz(**INPUTS, labels=labels))["wrong"]

    off = {}
    labels = VALUE + numpy.float32(0.0625)  # exact, as the zoo's numbers are
    for tolerance in (0, 0.02, 0.05, 0.0625):
        off[tolerance] = int((tolerance * numpy.maximum(1, abs(labels.astype("f8"))) < 0.0625).sum())
        assert wrong(tolerance) == off[tolerance]
    assert off[0] == TESTS > off[0.02] > off[0.05] > off[0.0625] == 0, "a table that tells all of them apart"


def test_values_without_a_tolerance_are_no_classes(served, npz):
    failed(served.check(signature="mixed", output="values", dataset=npz(**INPUTS, labels=VALUE)),
           "dataset_invalid", "check_tolerance")


def test_answers_that_are_no_numbers_are_wrong_and_counted(served, npz):
    features = FEATURES.copy()
    features[:5, 0] = numpy.nan
    features[5:7, 0] = numpy.inf
    dataset = npz(**{**INPUTS, "features": features, "labels": VALUE})
    result = passed(served.check(signature="mixed", output="values", tolerance=0.01, dataset=dataset))
    assert (result["wrong"], result["address"]["not_finite"]) == (7, 7)


@pytest.mark.parametrize("made", [of_npz, of_tfrecord])
@pytest.mark.parametrize("signature, labels, options", [
    ("classify", names(OF_EXAMPLES), {}),
    ("scores_only", classes(OF_EXAMPLES), {}),
    ("regress", OF_EXAMPLES + SHAKEN, {"tolerance": 0.01}),
])
def test_classify_and_regress(served, tmp_path, made, signature, labels, options):
    """tf.Examples are built of columns, or sent as they are in a TFRecord, with the labels among their features."""
    name = "features" if made is of_tfrecord else "three"
    dataset, dummy = made(tmp_path, {name: FEATURES, "colour": COLOUR, "labels": labels})
    if made is of_npz:
        options = {**options, "inputs": {"features": "three", "colour": "colour"}}
    assert passed(served.check(signature=signature, dataset=dataset, **options))["wrong"] == WRONG


def test_a_predict_signature_that_takes_tf_examples(served, tmp_path):
    dataset, dummy = of_tfrecord(tmp_path, {"features": FEATURES, "colour": COLOUR, "label": classes(OF_EXAMPLES)})
    assert passed(served.check(signature="examples", dataset=dataset))["wrong"] == WRONG


def test_a_feature_that_the_model_misses_is_its_own_sentence(served, npz):
    result = failed(served.check(signature="regress", tolerance=1, dataset=npz(nope=FEATURES, labels=OF_EXAMPLES)),
                    "requests_failed", "INVALID_ARGUMENT", "features")
    assert result["unanswered"] == TESTS and set(result["address"]["errors"]) == {"INVALID_ARGUMENT"}


# A golden file.

@pytest.mark.parametrize("output, options", [("classes", {}), ("names", {}), ("values", {"tolerance": 0.001})])
def test_golden_answers_of_version_1_tell_version_2_apart(served, npz, tmp_path, output, options):
    dataset = npz(**INPUTS)  # no labels at all
    golden = str(tmp_path / "golden.npz")
    asked = {"signature": "mixed", "output": output, "dataset": dataset, **options}
    first = passed(served.check(record=golden, **asked))
    assert first["changed"] and first["golden"] == golden and os.path.exists(golden)
    assert not passed(served.check(record=golden, **asked))["changed"], "the same answers again"
    same = passed(served.check(golden=golden, **asked))
    assert (same["agreement"], same["error_rate"]) == (100.0, None)
    new = model_zoo.truth(2, FEATURES, COUNT, COLOUR, FLAG)
    agree = (abs(new - VALUE) <= 0.001 * numpy.maximum(1, abs(VALUE))) if options else classes(new) == classes(VALUE)
    assert 0 < agree.mean() < 0.99
    result = failed(served.check("retrained", golden=golden, **asked), "agreement_too_low", "check_min_agreement", "99")
    assert result["agreement"] == pytest.approx(100 * agree.mean(), abs=0.06)
    passed(served.check("retrained", golden=golden, min_agreement=50 if not options else 0, **asked))


def test_golden_and_labels_are_both_judged(served, npz, tmp_path):
    dataset, golden = npz(**INPUTS, labels=classes(VALUE)), str(tmp_path / "golden.npz")
    passed(served.check(record=golden, dataset=dataset, **MIXED))
    result = passed(served.check(golden=golden, dataset=dataset, **MIXED))
    assert (result["error_rate"], result["agreement"]) == (10.0, 100.0)


def test_a_golden_file_belongs_to_its_dataset_and_signature(served, npz, tmp_path):
    golden = str(tmp_path / "golden.npz")
    passed(served.check(record=golden, dataset=npz(**INPUTS), **MIXED))
    before = served.requests()
    failed(served.check(golden=golden, dataset=npz(**INPUTS), signature="mixed", output="names"), "golden_invalid", "check_golden")
    failed(served.check(golden=golden, dataset=npz(**{**INPUTS, "flag": ~FLAG}), **MIXED), "golden_invalid", "check_golden")
    assert served.requests() == before


def test_without_labels_and_golden_there_is_nothing_to_compare(served, npz):
    failed(served.check(dataset=npz(**INPUTS), **MIXED), "labels_missing", "check_labels", "check_golden")


# Thresholds.

@pytest.mark.parametrize("option, kept, crossed, code", [
    ("max_error_rate", 10.0, 9.9, "error_rate_exceeded"),
    ("max_latency_ms", {"p50": 60000, "max": 60000}, {"p50": 0.001}, "too_slow"),
    ("min_rate", 0.001, 1e9, "rate_too_low"),
])
def test_thresholds(served, npz, option, kept, crossed, code):
    dataset = npz(**INPUTS, labels=classes(VALUE))
    passed(served.check(dataset=dataset, **{option: kept}, **MIXED))
    result = failed(served.check(dataset=dataset, **{option: crossed}, **MIXED), code, "check_" + option)
    entries = [entry for entry in result["thresholds"] if not entry["passed"]]
    assert len(entries) == 1 and result["wrong"] == WRONG


def test_a_crossing_within_noise_is_said_to_be_so(served, npz):
    dataset = npz(**INPUTS, labels=classes(VALUE))
    for limit, near in ((9, True), (1, False)):
        result = failed(served.check(dataset=dataset, max_error_rate=limit, **MIXED), "error_rate_exceeded", "10.0%")
        assert ("check_tests" in result["msg"]) == near, result["msg"]


# What is cast, what is not, and that it is explained before a request is sent.

def numbers(**changed):
    columns = {"float16": FEATURES[:, :2].astype("f2"), "float64": FEATURES[:, :2].astype("f8"),
               "bfloat16": FEATURES[:, :2], "uint8": abs(FEATURES[:, :2] * 8).astype("u1")}
    columns.update(changed)
    return {**columns, "labels": sum(column.astype("f8").sum(axis=1) for column in columns.values())}


@pytest.mark.parametrize("changed", [
    {}, {"float16": FEATURES[:, :2].astype("f8")}, {"float64": COUNT[:, None].repeat(2, 1)}, {"bfloat16": FLAG[:, None].repeat(2, 1)},
    {"uint8": numpy.full((TESTS, 2), 255.0)}, {"uint8": numpy.full((TESTS, 1, 2), 7, "i8")},
])
def test_types_are_cast_where_that_is_exact(served, npz, changed):
    columns = numbers(**{name: column.reshape(TESTS, -1) for name, column in changed.items()})
    dataset = npz(**{**columns, **changed})
    assert passed(served.check(signature="numbers", tolerance=1e-6, dataset=dataset))["wrong"] == 0


def test_decimals_are_rounded_as_every_client_does(served, npz):
    tenth = numpy.full((TESTS, 2), 0.1)
    dataset = npz(**numbers(float16=tenth, bfloat16=tenth))
    assert passed(served.check(signature="numbers", tolerance=0.001, dataset=dataset))["wrong"] == 0


@pytest.mark.parametrize("name, column, words", [
    ("uint8", numpy.full((TESTS, 2), 256), "256"),
    ("uint8", numpy.full((TESTS, 2), -1), "-1"),
    ("uint8", numpy.full((TESTS, 2), 0.5), "0.5"),
    ("uint8", numpy.full((TESTS, 2), numpy.nan), "nan"),
    ("uint8", COLOUR, "string"),
    ("float16", numpy.full((TESTS, 2), 1e6), "1000000"),
    ("float64", numpy.full((TESTS, 3), 1.0), "[200, 3]"),
    ("bfloat16", numpy.full((TESTS, 2, 2), 1.0), "[200, 2, 2]"),
])
def test_what_does_not_fit_is_explained_before_a_request_is_sent(served, npz, name, column, words):
    before = served.requests()
    columns = {**numbers(), name: column, "labels": numpy.zeros(TESTS)}
    result = served.check(signature="numbers", tolerance=1, dataset=npz(**columns))
    failed(result, "dataset_mismatch", "input %s" % name, "the dataset has", "the model wants " + name, words)
    assert served.requests() == before


def test_an_input_of_unknown_rank_takes_the_shape_that_is_there(served, npz):
    cube = RANDOM.randint(0, 9, (TESTS, 2, 3)).astype("f4")
    dataset = npz(x=cube, labels=cube.sum(axis=(1, 2)) + SHAKEN)
    assert passed(served.check(signature="any_rank", tolerance=0.01, dataset=dataset))["wrong"] == WRONG


def test_a_fixed_batch(served, npz):
    weights = numpy.array(model_zoo.WEIGHTS[1], "f4")
    dataset = npz(x=FEATURES, labels=classes(FEATURES @ weights))
    result = passed(served.check(signature="fixed", dataset=dataset))
    assert (result["wrong"], result["unanswered"]) == (WRONG, 0)
    before = served.requests()
    failed(served.check(signature="fixed", dataset=dataset, tests=199), "option_invalid", "fixed", "check_tests", "199")
    assert served.requests() == before


@pytest.mark.parametrize("options, code, words", [
    ({"model_name": "nope"}, "not_found", ("check_model_name", "'nope'")),
    ({"signature": "nope"}, "option_invalid", ("check_signature", "'nope'", "mixed", "regress")),
    ({"signature": ""}, "option_invalid", ("check_signature", "mixed", "regress")),
    ({"output": "nope"}, "option_invalid", ("check_output", "'nope'", "classes, names, pairs, values")),
    ({"output": ""}, "option_invalid", ("check_output", "classes, names, pairs, values")),
    ({"expected_version": 7, "version_timeout": 1}, "wrong_version", ("version 1 answered", "check_expected_version")),
])
def test_a_wrong_model_signature_output_or_version(served, npz, options, code, words):
    before = served.requests()
    failed(served.check(**{"dataset": npz(**INPUTS, labels=classes(VALUE)), **MIXED, **options}), code, *words)
    assert served.requests() == before


# Requests that fail.

X = numpy.arange(16, dtype="f4")


def test_a_slow_model_meets_the_deadline(served, npz):
    begun = time.monotonic()
    result = failed(served.check(signature="slow", timeout=0.1, batch_size=1, tolerance=1, dataset=npz(x=X, labels=X)),
                    "requests_failed", "DEADLINE_EXCEEDED", "check_timeout", "0.1 s")
    assert set(result["address"]["errors"]) == {"DEADLINE_EXCEEDED"} and result["unanswered"] == len(X)
    assert time.monotonic() - begun < 10, "it gives up after some"
    until(lambda: served.check(signature="any_rank", tolerance=1, dataset=npz(x=X, labels=X)).get("failed") is None)


def test_a_model_without_memory(served, npz):
    result = failed(served.check(signature="hungry", tolerance=1, dataset=npz(x=X, labels=X)),
                    "requests_failed", "RESOURCE_EXHAUSTED", "OOM when allocating tensor")
    assert result["unanswered"] == len(X)


def test_replies_over_4_mib(served, npz):
    x = numpy.arange(32, dtype="f4")
    labels = x[:, None].repeat(model_zoo.WIDE, 1)
    labels[3, -1] += 1
    result = passed(served.check(signature="large", batch_size=32, tolerance=0.01, dataset=npz(x=x, labels=labels)))
    assert (result["wrong"], result["unanswered"]) == (1, 0)


def test_nobody_listens(npz):
    failed(module(address="127.0.0.1:%d" % free_port(), model_name="zoo", dataset=npz(x=X, y=X), tolerance=1),
           "unavailable", "127.0.0.1", "refused")


def test_a_server_that_dies_midway(npz, tmp_path):
    served = Served(tmp_path)

    def kill():
        until(lambda: served.requests() >= 3)
        served.server.process.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        result = served.check(signature="slow", batch_size=1, concurrency=2, tolerance=1, dataset=npz(x=X, labels=X))
        killer.join()
    finally:
        served.server.kill()
    failed(result, "requests_failed", "UNAVAILABLE")
    assert 0 < result["unanswered"] < len(X) and set(result["address"]["errors"]) == {"UNAVAILABLE"}
    assert "%d of %d tests got no answer" % (result["unanswered"], len(X)) in result["msg"]


# TLS, a full queue and strings in tensor_content: one server that has all three.

@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "ssl").write_text(ssl_config(certificates(folder)))
    (folder / "batching").write_text(
        "max_batch_size { value: 1 } max_enqueued_batches { value: 1 } num_batch_threads { value: 1 }")
    served = Served(folder, "--ssl_config_file=%s" % (folder / "ssl"), "--enable_batching=true",
                    "--batching_parameters_file=%s" % (folder / "batching"), "--enable_serialization_as_tensor_content=true")
    served.ca = str(folder / "ca.crt")
    yield served
    served.server.kill()


def test_tls_to_a_server_whose_authority_is_given(guarded, npz):
    """And strings come back in tensor_content."""
    result = passed(guarded.check(tls=True, tls_ca_cert=guarded.ca, signature="mixed", output="names", concurrency=1, batch_size=1,
                                  dataset=npz(**INPUTS, labels=names(VALUE))))
    assert result["wrong"] == WRONG


def test_tls_to_an_authority_that_is_not_trusted(guarded, npz, tmp_path):
    dataset = npz(**INPUTS, labels=names(VALUE))
    failed(guarded.check(tls=True, dataset=dataset, **MIXED), "tls_failed", "check_tls_ca_cert")
    certificates(tmp_path)  # another authority of the same name
    failed(guarded.check(tls=True, tls_ca_cert=str(tmp_path / "ca.crt"), dataset=dataset, **MIXED), "tls_failed")


def test_one_side_speaks_tls_and_the_other_does_not(served, guarded, npz):
    dataset = npz(**INPUTS, labels=names(VALUE))
    failed(served.check(tls=True, tls_ca_cert=guarded.ca, dataset=dataset, **MIXED), "tls_failed", "check_tls")
    result = guarded.check(dataset=dataset, timeout=3, **MIXED)
    assert result["failed"] and result["failure"]["code"] in ("tls_failed", "unavailable"), result["msg"]


def test_a_full_queue_is_told_in_the_servers_words(guarded, npz):
    x = numpy.zeros(32, "f4")
    result = failed(guarded.check(
        tls=True, tls_ca_cert=guarded.ca, signature="slow", batch_size=1, concurrency=8, tolerance=1, dataset=npz(x=x, labels=x)),
        "requests_failed", "UNAVAILABLE", "The batch scheduling queue to which this task was submitted is full")
    assert set(result["address"]["errors"]) == {"UNAVAILABLE"}
    assert "cannot be reached" not in result["msg"]


# As Ansible runs it.

def test_from_ansible(served, npz, tmp_path):
    (tmp_path / "ansible_collections/mlops").mkdir(parents=True)
    (tmp_path / "ansible_collections/mlops/tf_serving").symlink_to(ROOT)
    options = {"address": served.address, "model_name": "zoo", "dataset": npz(**INPUTS, labels=classes(VALUE)), "max_error_rate": 5}
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible", "localhost", "-m", "mlops.tf_serving.inference_check",
         "-a", json.dumps({**options, **MIXED})], check=False, text=True, stdout=subprocess.PIPE, cwd=tmp_path, env={
            **os.environ, "ANSIBLE_COLLECTIONS_PATH": str(tmp_path), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "False"})
    assert done.returncode == 2 and "localhost | FAILED!" in done.stdout, done.stdout
    for words in ('"code": "error_rate_exceeded"', "Inference error rate: 10.0%", "check_max_error_rate (5%)"):
        assert words in done.stdout, done.stdout
    assert "Traceback" not in done.stdout
