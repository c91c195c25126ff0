"""Requests as bytes and replies as arrays. tests/integration holds both against the official package."""
from __future__ import annotations

import numpy
import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import requests
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tensors import DATA_TYPES, decode, encode

FLOAT, STRING, INT4 = 1, 7, 29


def read(sent):
    """The parsed requests, in which nothing is unknown."""
    for request in sent:
        message = messages().PredictRequest.FromString(request.wire)
        assert message.ByteSize() == len(request.wire)
        yield message


def test_several_inputs_in_batches_of_which_the_last_is_smaller():
    images = numpy.arange(7 * 6, dtype="f4").reshape(7, 2, 3)
    names = numpy.array([b"a\0" * number for number in range(7)], object)
    signs = numpy.arange(-7, 0).astype("i1")
    sent = requests.predict(
        "mnist", "predict", {"images": (FLOAT, images), "names": (STRING, names), "signs": (INT4, signs)}, ["scores", "x"], 3
    )
    assert [(request.start, request.stop) for request in sent] == [(0, 3), (3, 6), (6, 7)]
    for request, message in zip(sent, read(sent)):
        rows = slice(request.start, request.stop)
        assert (message.model_spec.name, message.model_spec.signature_name) == ("mnist", "predict")
        assert list(message.output_filter) == ["scores", "x"] and len(message.inputs) == 3
        for name, array in (("images", images), ("names", names), ("signs", signs)):
            assert numpy.array_equal(decode(message.inputs[name]), array[rows]), name


@pytest.mark.parametrize("number", DATA_TYPES)
@pytest.mark.parametrize("shape", [(3,), (3, 0), (3, 2, 1)])
def test_every_type_is_what_encode_makes_of_it(number, shape):
    values = (numpy.arange(numpy.prod(shape)) % 2).reshape(shape)
    values = numpy.vectorize(lambda value: b"v" * value, otypes="O")(values) if number == STRING else values.astype(
        DATA_TYPES[number].numpy_type
    )
    for message, rows in zip(read(requests.predict("m", "s", {"x": (number, values)}, [], 2)), (values[:2], values[2:])):
        assert message.inputs["x"] == encode(rows, number)


def test_arrays_that_do_not_lie_in_one_piece():
    values = numpy.arange(12, dtype=">f8").reshape(3, 4).T
    message, = read(requests.predict("m", "s", {"x": (FLOAT, values)}, [], 4))
    assert numpy.array_equal(decode(message.inputs["x"]), values)


def test_examples():
    examples = [messages().Example(), messages().Example()]
    examples[1].features.feature["x"].float_list.value.append(0.5)
    sent = requests.of_examples("m", "s", [example.SerializeToString() for example in examples] * 2, 3)
    assert [(request.start, request.stop) for request in sent] == [(0, 3), (3, 4)]
    for kind in (messages().ClassificationRequest, messages().RegressionRequest):
        message = kind.FromString(sent[0].wire)
        assert list(message.input.example_list.examples) == [*examples, examples[0]]
        assert list(kind.FromString(sent[1].wire).input.example_list.examples) == [examples[1]]
        assert (message.model_spec.name, message.model_spec.signature_name) == ("m", "s")


def test_predict_reply():
    reply = messages().PredictResponse()
    reply.outputs["scores"].CopyFrom(encode(numpy.eye(2), FLOAT))
    reply.outputs["names"].CopyFrom(encode(numpy.array([b"a"], object), STRING))
    outputs, version = requests.predict_reply(reply.SerializeToString())
    assert version is None and outputs["scores"].tolist() == [[1, 0], [0, 1]] and outputs["names"].tolist() == [b"a"]
    reply.model_spec.version.value = 0
    assert requests.predict_reply(reply.SerializeToString())[1] == 0


def test_classify_reply():
    reply = messages().ClassificationResponse()
    reply.model_spec.version.value = 3
    for row in ((("cat", 0.75), ("dog", 0.25)), (("", 0), ("ä", 1))):
        classes = reply.result.classifications.add().classes
        for label, score in row:
            classes.add(label=label, score=score)
    outputs, version = requests.classify_reply(reply.SerializeToString())
    assert version == 3 and outputs["classes"].tolist() == [["cat", "dog"], ["", "ä"]]
    assert outputs["scores"].dtype == "f4" and outputs["scores"].tolist() == [[0.75, 0.25], [0, 1]]
    del reply.result.classifications[1].classes[1]
    with pytest.raises(Error, match="from 1 to 2 classes a test"):
        requests.classify_reply(reply.SerializeToString())


def test_classify_reply_of_nothing():
    outputs = requests.classify_reply(b"")[0]
    assert outputs["classes"].shape == outputs["scores"].shape == (0, 0)


def test_regress_reply():
    reply = messages().RegressionResponse()
    for value in (0.5, 0, -1):
        reply.result.regressions.add(value=value)
    outputs, version = requests.regress_reply(reply.SerializeToString())
    assert version is None and outputs["outputs"].dtype == "f4" and outputs["outputs"].tolist() == [0.5, 0, -1]


@pytest.mark.parametrize("read_reply", [requests.predict_reply, requests.classify_reply, requests.regress_reply])
def test_replies_that_are_none(read_reply):
    with pytest.raises(Error) as caught:
        read_reply(b"\xff\xff")
    assert caught.value.code == "malformed_reply"


def test_outputs_that_do_not_add_up():
    reply = messages().PredictResponse()
    reply.outputs["scores"].dtype = FLOAT
    reply.outputs["scores"].tensor_shape.dim.add(size=-1)
    with pytest.raises(Error) as caught:
        requests.predict_reply(reply.SerializeToString())
    assert caught.value.code == "malformed_reply" and caught.value.message.startswith("output scores: ")
