"""TensorFlow Serving's published test models, rebuilt with TensorFlow: published, served and checked.

The node's code publishes them into a folder, the stand-in server loads them from there, and the check asks it. Needs what
`tests/lab/lab up` has built, not the cluster.
"""
from __future__ import annotations

import importlib.util
import io
import sys
import tarfile
from pathlib import Path

import numpy
import published_models
import pytest
from stand_in import NEW, OLD, Server, config, entry, tfrecord

# isort: split
from tensorflow.core.example import example_pb2

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("unit_conftest", ROOT / "tests/unit/conftest.py")
spec.loader.exec_module(importlib.util.module_from_spec(spec))
sys.path.insert(0, str(ROOT / "tests/unit"))

from run_action import run_action  # noqa: E402

from ansible_collections.mlops.tf_serving.plugins.action import inference_check  # noqa: E402
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error  # noqa: E402
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import publish  # noqa: E402
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Request  # noqa: E402
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.signatures import cannot_be_checked  # noqa: E402

X = numpy.arange(40, dtype="f4") / 4
NAMES = ("half_plus_two", "half_plus_three", "counter", "words", "parse_example", "beside_the_batch", "two_graphs", "own_method",
         "no_method", "several")
GIVEN = {"keep_prob": 1.0, "is_training": False}


class Nas:
    """A folder in place of an export, and the models to publish there."""

    def __init__(self, folder):
        self.models = published_models.made(folder / "models")
        self.export = folder / "export"
        self.export.mkdir()

    def publish(self, name, **options):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            archive.add(self.models / name, name)
        path = self.models / (name + ".tar.gz")
        path.write_bytes(packed.getvalue())
        return publish.publish(str(self.export), Request({
            "nas_server": "nas", "nas_export": "/serving", "base_path": "/serving/" + name, "archive": "file://%s" % path, **options}))


@pytest.fixture(scope="module")
def nas(tmp_path_factory):
    return Nas(tmp_path_factory.mktemp("nas"))


@pytest.fixture(scope="module")
def answers(nas):
    """What publishing says, by model."""
    return {name: nas.publish(name) for name in NAMES}


@pytest.fixture(scope="module")
def address(nas, answers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    (folder / "models").write_text(config(*(entry(nas.export / name, name=name) for name in answers)))
    server = Server(None, folder / "log", NEW, "--model_config_file=%s" % (folder / "models")).wait()
    yield "127.0.0.1:%d" % server.port
    server.kill()


@pytest.fixture()
def check(address, tmp_path):
    def ask(name, columns, **options):
        numpy.savez(tmp_path / "tests.npz", **columns)
        return run_action(inference_check, address=address, model_name=name, **{
            "dataset": str(tmp_path / "tests.npz"), "tolerance": 1e-5, "max_error_rate": 0, **options})
    return ask


def right(result, tests=40):
    assert not result.get("failed"), result["msg"]
    assert (result["error_rate"], result["tests"]) == (0, tests), result
    return result


def wrong(result, code, *words):
    assert result.get("failed") and result["failure"]["code"] == code, result
    missing = [word for word in words if word not in result["msg"]]
    assert not missing, (missing, result["msg"])


def test_half_plus_three_says_nothing_of_shapes(check):
    right(check("half_plus_three", {"x": numpy.array([1, 2, 5], "f4"), "y": [3.5, 4, 5.5]}), 3)


@pytest.mark.parametrize(("signature", "columns"), [
    ("serving_default", {"x": X[:, None], "y": X[:, None] / 2 + 2}),
    ("regress_x_to_y", {"x": X, "y": X / 2 + 2}),
    ("regress_x_to_y2", {"x": X, "y": X / 2 + 3}),
    ("regress_x2_to_y3", {"inputs": X[:, None], "y": X[:, None] / 2 + 3}),
    ("classify_x_to_y", {"x": X, "y": X[:, None] / 2 + 2}),
    ("classify_x2_to_y3", {"inputs": X[:, None], "y": X[:, None] / 2 + 3}),
])
def test_half_plus_two_with_all_its_signatures(check, signature, columns):
    right(check("half_plus_two", columns, signature=signature))


def test_a_signature_of_several(check):
    right(check("several", {"x": X, "y": X / 2 + 3}, signature="plus_three"))


@pytest.mark.parametrize(("given", "more"), [({}, 2), ({"more": 7}, 7)])
def test_a_default_of_the_model(check, given, more):
    right(check("several", {"x": X, "y": X / 2 + more}, inputs=given))


def test_text_and_a_vocabulary_among_the_assets(check):
    colours = numpy.array(["blue", "red", "green", "other"] * 10)
    right(check("words", {"colour": colours, "labels": [2, 0, 1, 3] * 10}, tolerance=None))


def test_examples_that_the_model_parses(check, tmp_path):
    with open(tmp_path / "tests.tfrecord", "wb") as file:
        for value in X:
            example = example_pb2.Example()
            example.features.feature["x"].float_list.value.append(value)
            example.features.feature["name"].bytes_list.value.append(b"more" if value > 5 else b"less")
            example.features.feature["y"].float_list.value.append(value / 2 + 2 + (value > 5))
            file.write(tfrecord(example.SerializeToString()))
    right(check("parse_example", {"x": X}, dataset=str(tmp_path / "tests.tfrecord")))


@pytest.mark.parametrize("name", ["beside_the_batch", "two_graphs", "own_method", "no_method"])
def test_values_beside_the_batch(check, name):
    columns = {"x": X[:, None], "y": X[:, None] / 2 + 2}
    right(check(name, columns, inputs=GIVEN))
    wrong(check(name, columns, inputs={**GIVEN, "is_training": True}), "error_rate_exceeded", "100.0%")
    wrong(check(name, columns), "option_invalid", "wants one value for a whole request of is_training (bool)")


def test_the_graph_of_the_right_tags(nas, answers):
    assert list(answers["two_graphs"]["signatures"]) == ["of_serve"]
    tpu = nas.publish("two_graphs", base_path="/serving/tpu", saved_model_tags=["serve", "tpu"])
    assert list(tpu["signatures"]) == ["of_serve_tpu"]


@pytest.mark.parametrize("release", [OLD, NEW])
def test_servers_agree_about_tags_and_methods(nas, answers, tmp_path, release):
    """What is refused for a server is what it does not answer."""
    tags = ["serve", "tpu"]
    nas.publish("two_graphs", base_path="/serving/tpu", saved_model_tags=tags)
    server = Server(nas.export / "tpu", tmp_path / "log", release, "--saved_model_tags=serve,tpu").wait()
    server.kill()
    server = Server(nas.export / "own_method", tmp_path / "log2", release).wait()
    numpy.savez(tmp_path / "tests.npz", x=X[:, None], y=X[:, None] / 2 + 2)
    result = run_action(
        inference_check, address="127.0.0.1:%d" % server.port, model_name="mnist", dataset=str(tmp_path / "tests.npz"),
        inputs=GIVEN, tolerance=1e-5)
    server.kill()
    if release == NEW:
        right(result)
        nas.publish("own_method", base_path="/serving/own_new", server_release=release)
    else:
        assert "Expected prediction signature method_name" in result["msg"]
        with pytest.raises(Error, match=r"TensorFlow Serving 1\.4 answers only to signatures whose method_name is"):
            nas.publish("own_method", base_path="/serving/own_old", server_release=release)


def test_what_cannot_be_checked_is_said_at_publish_and_by_the_check(check, answers):
    said = cannot_be_checked(answers["counter"]["signatures"])
    assert said == [
        "signature get_counter cannot be checked: it has no inputs",
        "signature incr_counter_by cannot be checked: none of its inputs has a dimension for tests (delta: float32 []): export it"
        " with one, [None, ...]"]
    for sentence in said:
        wrong(check("counter", {"x": X, "y": X}, signature=sentence.split()[1]), "signature_mismatch", sentence)
    assert not any(cannot_be_checked(answer["signatures"]) for name, answer in answers.items() if name != "counter")


def test_a_model_that_nobody_can_ask(nas):
    with pytest.raises(Error, match=r"has no signature, so no client can ask it anything\. Export it with one"):
        nas.publish("no_signature")
