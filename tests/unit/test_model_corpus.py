"""What people bring in place of a good model, and good models of every kind: each is published, or refused with the way out.

Made anew each time, from a seed. Nothing may be left behind by what is refused, and none may take two seconds of a processor.
"""
from __future__ import annotations

import json
import os
import pickle
import random
import struct
import time

import pytest
from nas_folder import Nas, look
from saved_models import (
    INDEX,
    INIT,
    PREDICT_IMAGES,
    block,
    field,
    index,
    meta_graph,
    saved_model,
    signature,
    table,
    tar,
    tensor,
    under,
    unshaped,
    zipped,
)

from ansible_collections.mlops.tf_serving.plugins.module_utils import tfrecord
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.signatures import cannot_be_checked

CHANCE = random.Random(20261126)
SECONDS = 2
PB, INDEX_FILE, DATA = "saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064x\nsize 31400\n" % CHANCE.getrandbits(256)
WEIGHTS = {"dense/kernel": CHANCE.randbytes(31360), "dense/bias": CHANCE.randbytes(40)}
GRAPH = {"ops": ["Placeholder", "Const"]}  # without variables
FLOAT, STRING, RESOURCE, VARIANT, FLOAT_REF = 1, 7, 20, 21, 101
Y = {"y": tensor(FLOAT, -1)}


def trained(tensors=None, **files):
    """A whole model. files: what stands in another's place (pb, index or data), None for what is missing."""
    tensors = WEIGHTS if tensors is None else tensors
    made = {PB: saved_model(), INDEX_FILE: index(tensors), DATA: b"".join(tensors.values())}
    made.update({{"pb": PB, "index": INDEX_FILE, "data": DATA}[name]: content for name, content in files.items()})
    return {path: content for path, content in made.items() if content is not None}


def constant(**options):
    return {PB: saved_model(**{**GRAPH, **options})}


def signed(**signatures):
    return constant(signatures=signatures)


def asked(inputs, outputs=None, **options):
    return signed(serving_default=signature(inputs, outputs or Y, **options))


def encoded(number):
    """A TensorInfo of a sparse (4) or composite (5) tensor."""
    return field(number, field(1, "x:0")) + field(2, FLOAT) + field(3, field(2, field(1, 9)))


def two_graphs(*tag_sets):
    return {PB: field(1, 1) + b"".join(
        meta_graph(**GRAPH, tags=tags, signatures={"of_" + "_".join(tags): PREDICT_IMAGES}) for tags in tag_sets)}


def sliced():
    whole = field(1, 1) + field(2, field(2, field(1, 8))) + field(7, b"")
    return table([(b"", field(1, 1)), (b"\0w\0slice", field(1, 1) + field(5, 8)), (b"w", whole)])


def snappy():
    pairs = [(b"", field(1, 1))]
    packed = bytearray(table(pairs))
    packed[len(block(pairs)) - 5] = 1
    return bytes(packed)


def flipped(content, at):
    changed = bytearray(content)
    changed[at] ^= 1
    return bytes(changed)


def warmed(name):
    request = field(1, field(1, "mnist") + field(3, name))
    return {"assets.extra/tf_serving_warmup_requests": tfrecord.record(field(6, field(1, request)))}


HALF_PLUS_TWO = {
    "serving_default": signature({"x": tensor(FLOAT, -1, 1)}, {"y": tensor(FLOAT, -1, 1)}),
    "regress_x_to_y": signature({"inputs": tensor(STRING)}, {"outputs": tensor(FLOAT, -1, 1)}, "tensorflow/serving/regress"),
    "classify_x_to_y": signature({"inputs": tensor(STRING)}, {"scores": tensor(FLOAT, -1, 1)}, "tensorflow/serving/classify"),
}

# {name: (files, how it is published)}; all are.
GOOD = {
    "trained": (trained(), {}),
    "of constants alone": (constant(), {}),
    "half_plus_three, which says nothing of shapes": (asked({"x": unshaped(FLOAT)}, {"y": unshaped(FLOAT)}), {}),
    "half_plus_two with all its methods": (signed(**HALF_PLUS_TWO), {}),
    "any rank": (asked({"x": field(2, FLOAT) + field(3, field(3, 1))}), {}),
    "scalars beside the batch": (asked({"x": tensor(FLOAT, -1, 9), "keep_prob": tensor(FLOAT), "training": tensor(10)}), {}),
    "a default for an input": (asked({"x": tensor(FLOAT, -1), "k": tensor(FLOAT)}, optional=["k"]), {}),
    "text": (asked({"text": tensor(STRING, -1)}), {}),
    "names in Chinese": (signed(**{"预测": signature({"图像": tensor(FLOAT, -1)}, Y)}), {}),
    "an empty method": (asked({"x": tensor(FLOAT, -1)}, method=""), {}),
    "a method of one's own": (asked({"x": tensor(FLOAT, -1)}, method="my/own"), {"server_release": "2.15"}),
    "an own method beside predict, for an old server": (
        signed(own=signature({"x": tensor(FLOAT, -1)}, Y, "my/own"), fine=PREDICT_IMAGES), {"server_release": "1.4"}),
    "predict for an old server": (trained(), {"server_release": "1.4"}),
    "{serve, tpu} first and {serve} second": (two_graphs(["serve", "tpu"], ["serve"]), {}),
    "{serve} beside {train}": (two_graphs(["train"], ["serve"]), {}),
    "a tag twice": (two_graphs(["serve", "serve"]), {}),
    "{serve, gpu}, as servers are told": (two_graphs(["serve", "gpu"]), {"saved_model_tags": ["gpu", "serve"]}),
    "variables that the graph sets itself": ({PB: saved_model(saver=False)}, {}),
    "a checkpoint of objects alone": ({**constant(), INDEX_FILE: index({"_OBJECT_GRAPH": b"abc"}, dtype=7), DATA: b"abc"}, {}),
    "three shards": ({
        PB: saved_model(), INDEX_FILE: index({"a": b"1", "b": b"22", "c": b"333"}, shards=3),
        **{"variables/variables.data-%05d-of-00003" % at: b"123"[at:at + 1] * (at + 1) for at in range(3)}}, {}),
    "a shard that holds nothing, and is not there": ({
        PB: saved_model(), INDEX_FILE: index({"a": b"1"}, shards=2), "variables/variables.data-00000-of-00002": b"1"}, {}),
    "a variable in slices": (trained({"w": b"12345678"}, index=sliced()), {}),
    "an index of 2000 tensors": (trained({"layer_%d/kernel" % at: b"%d" % (at % 10) for at in range(2000)}), {}),
    "tensors without elements": (trained({"a": b"", "b": b""}), {}),
    "weights of other types": (trained({"a": b"12"}, index=index({"a": b"12"}, dtype=14)), {}),
    "more in the shard than is needed": (trained(data=b"".join(WEIGHTS.values()) + b"more"), {}),
    "an index that is compressed": (trained(index=snappy()), {}),
    "an asset": ({**constant(assets=["words.txt"]), "assets/words.txt": b"a"}, {}),
    "an asset in a folder": ({**constant(assets=["en/words.txt"]), "assets/en/words.txt": b"a"}, {}),
    "an asset as old exporters name it": ({**constant(old_assets=["words.txt"]), "assets/words.txt": b"a"}, {}),
    "an asset that tells of Git LFS": ({**constant(assets=["a"]), "assets/a": LFS + b"and how to get rid of it. " * 99}, {}),
    "fields of a newer TensorFlow": ({PB: saved_model(extra=field(99, b"new") + field(98, 7), **GRAPH)}, {}),
    "files of a newer TensorFlow": ({**constant(), "fingerprint.pb": b"\1", "keras_metadata.pb": b"\2"}, {}),
    "a graph of four MB": (constant(ops=["Const"] * (1 << 18)), {}),
    "text form beside the binary one": ({**constant(), "saved_model.pbtxt": b"saved_model_schema_version: 1"}, {}),
    "warm-up requests": ({**trained(), **warmed("predict_images")}, {}),
    "checkpoints of the training beside it": ({**trained(), "checkpoint": b"model_checkpoint_path: \"x\""}, {}),
}

DENSE = "and the check sends dense tensors of numbers, text or booleans"
# {name: (files, what is said at publish)}
UNCHECKED = {
    "sparse": (asked({"x": encoded(4)}), "its input x is a sparse tensor, " + DENSE),
    "composite": (asked({"x": encoded(5)}), "its input x is a composite tensor, as ragged ones are, " + DENSE),
    "resource": (asked({"x": tensor(RESOURCE)}), "its input x is of type resource, " + DENSE),
    "variant": (asked({"x": tensor(VARIANT, -1)}), "its input x is of type variant, " + DENSE),
    "reference": (asked({"x": tensor(FLOAT_REF, -1)}), "its input x is of type a reference to float32, " + DENSE),
    "a type of the future": (asked({"x": tensor(77, -1)}), "its input x is of type a type unknown here (77), " + DENSE),
    "no type": (asked({"x": field(1, "x:0")}), "its input x is of type no type, " + DENSE),
    "one test at a time": (
        asked({"image": tensor(STRING)}),
        "none of its inputs has a dimension for tests (image: string []): export it with one, [None, ...]"),
    "nothing": (asked({}), "it has no inputs"),
}

GRAPH_DEF = field(1, field(1, "x") + field(2, "Placeholder")) + field(1, field(1, "y") + field(2, "Identity"))
ONNX = field(1, 8) + field(2, "pytorch") + field(7, field(1, b"node")) + field(8, field(2, 17))
HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(64)
TF_LITE = b"\x1c\0\0\0TFL3" + bytes(64)


KERAS = zipped({"config.json": b"{}", "metadata.json": b"{}", "model.weights.h5": HDF5})
PYTORCH = zipped({"archive/data.pkl": pickle.dumps({}), "archive/version": b"3"})
SAFETENSORS = struct.pack("<Q", len(b'{"a": {}}')) + b'{"a": {}}'
TF_JS = json.dumps({"format": "layers-model", "modelTopology": {}, "weightsManifest": []}).encode()

LEFT_OUT = "Pack the whole version folder."
CUT = "it is cut off, or the index is another model's"
# {name: (files, words of the refusal, how it is published)}
BAD = {
    # Git LFS, and weights that are not those of the graph's index
    **{"a Git LFS pointer as " + path: ({**trained(), path: LFS}, path + " is a Git LFS pointer and not the file itself: git lfs pull")
       for path in (PB, DATA, INDEX_FILE, "assets/words.txt")},
    "Git LFS pointers as everything": (trained(pb=LFS, data=LFS, index=LFS), PB + " is a Git LFS pointer and not the file itself (and 2"),
    **{"weights cut to %d bytes" % size: (trained(data=b"".join(WEIGHTS.values())[:size]), CUT) for size in (0, 1000, 31399)},
    "an index of a larger model": (trained({"a": b"1"}, index=index(WEIGHTS)), CUT),
    "weights of another training": (
        trained(data=CHANCE.randbytes(31400)), "dense/bias has a wrong check sum): it is damaged, or the index is another model's"),
    "no index": (trained(index=None), "variables.index is missing: a server would load it and then fail every request. " + LEFT_OUT),
    "no shard": (trained(data=None), "variables.data-00000-of-00001 is missing. " + LEFT_OUT),
    "no variables": (trained(index=None, data=None), "its folder variables/ is missing"),
    "a shard less": ({
        PB: saved_model(), INDEX_FILE: index({"a": b"1", "b": b"2"}, shards=2), "variables/variables.data-00000-of-00002": b"1"},
        "variables.data-00001-of-00002 is missing. " + LEFT_OUT),
    "an empty index": (trained(index=b""), "variables.index is damaged or cut off (it is empty)"),
    "an index cut off": (trained(index=index(WEIGHTS)[:-9]), "variables.index is damaged or cut off"),
    "an index of nothing": (trained(index=CHANCE.randbytes(300)), "variables.index is damaged or cut off"),
    "an index with a bit turned": (trained(index=flipped(index(WEIGHTS), 12)), "variables.index is damaged or cut off"),
    # saved_model.pb
    "an empty file": (trained(pb=b""), "it is empty"),
    "a web page": (trained(pb=b"<!DOCTYPE html><html>404</html>"), "is not a SavedModel that TensorFlow Serving can load"),
    "zeros": (trained(pb=bytes(4096)), "is not a SavedModel that TensorFlow Serving can load"),
    **{"a graph cut to %d bytes" % size: (trained(pb=saved_model()[:size]), "is not a SavedModel that TensorFlow Serving can load")
       for size in sorted(CHANCE.sample(range(3, len(saved_model())), 5))},
    **{"noise %d" % number: (trained(pb=b"\0" + CHANCE.randbytes(300)), "is not a SavedModel that TensorFlow Serving can load")
       for number in range(3)},
    "a frozen graph of that name": (trained(pb=GRAPH_DEF), "saved_model.pb is a frozen graph (GraphDef). Make a SavedModel of it"),
    "an ONNX model of that name": (trained(pb=ONNX), "onnx2tf -i FILE"),
    "an HDF5 file of that name": (trained(pb=HDF5), "load_model(FILE).export("),
    # tags
    "{serve, gpu}": (two_graphs(["serve", "gpu"]), "is what servers load (in it: {gpu, serve}). Export it with these tags, or add"
                     " --saved_model_tags=gpu,serve to serving_args"),
    "{serve, tpu}": (two_graphs(["serve", "tpu"]), "--saved_model_tags=serve,tpu to serving_args"),
    "{train} alone": (two_graphs(["train"]), "whose set of tags is {serve}"),
    "no tags": (two_graphs([]), "(in it: {}). Export it with these tags."),
    "{serve}, where servers are told {serve, gpu}": (
        constant(), "whose set of tags is {gpu, serve}", {"saved_model_tags": ["serve", "gpu"]}),
    "a module of TF1 Hub": ({**two_graphs([]), "tfhub_module.pb": b"\x08\3"}, "tfhub_module.pb marks a module of TF1 Hub"),
    "no graph": ({PB: field(1, 1)}, "there is no graph in it"),
    # signatures
    "no signature": (signed(), "has no signature, so no client can ask it anything. Export it with one: tf.saved_model.save("),
    "TensorFlow's own signatures alone": (signed(__saved_model_train_op=INIT), "has no signature, so no client can ask it anything"),
    "an own method for an old server": (
        asked({"x": tensor(FLOAT, -1)}, method="my/own"), "TensorFlow Serving 1.4 answers only to signatures whose method_name is",
        {"server_release": "1.4"}),
    "an empty method for an old server": (
        asked({"x": tensor(FLOAT, -1)}, method=""), "the model has serving_default (''). Export it with the method_name"
        " tensorflow/serving/predict, or serve it with TensorFlow Serving 2.4 or later", {"server_release": "2.3.1"}),
    # assets and warm-up
    "an asset less": (constant(assets=["words.txt"]), "names the file assets/words.txt, which is missing"),
    "an old asset less": (constant(old_assets=["words.txt"]), "names the file assets/words.txt, which is missing"),
    "a folder as asset": ({**constant(assets=["words"]), "assets/words/x": b""}, "names the file assets/words, which is missing"),
    "warm-up for another model": ({**trained(), **warmed("other")}, "it asks for the signature other"),
    # what is packed in place of a SavedModel
    "Keras's HDF5": ({"model.h5": HDF5}, "model.h5 is a Keras file. Make a SavedModel of it: tf.keras.models.load_model(FILE).export"),
    "Keras 3": ({"model.keras": KERAS}, "model.keras is a Keras file"),
    "a frozen graph": ({"frozen_inference_graph.pb": GRAPH_DEF}, "simple_save(session, 'NAME/1', {'x': INPUT}, {'y': OUTPUT})"),
    "a SavedModel as text": ({"saved_model.pbtxt": b"saved_model_schema_version: 1\nmeta_graphs {\n}\n"}, "Make saved_model.pb of it"),
    "a SavedModel in chunks": ({"saved_model.cpb": b"\1"}, "experimental_image_format=True"),
    "TF Lite": ({"model.tflite": TF_LITE}, "model.tflite is a TF Lite model, and there is no way back from it"),
    "TensorFlow.js": ({"web/model.json": TF_JS, "web/group1-shard1of1.bin": b"12"}, "tensorflowjs_converter"),
    "a checkpoint": ({"model.ckpt-9.index": INDEX, "model.ckpt-9.data-00000-of-00001": b"", "model.ckpt-9.meta": b""},
                     "model.ckpt-9.index is of a training checkpoint"),
    "a checkpoint's text": ({"checkpoint": b'model_checkpoint_path: "model.ckpt-9"\n'}, "checkpoint is of a training checkpoint"),
    "ONNX": ({"model.onnx": ONNX}, "model.onnx is an ONNX model. Make a SavedModel of it: onnx2tf -i FILE -o NAME/1 -osd"),
    "PyTorch": ({"pytorch_model.bin": PYTORCH, "config.json": b"{}"}, "pytorch_model.bin is PyTorch's. TensorFlow Serving cannot"),
    "old PyTorch": ({"model.pth": b"\x80\2\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."}, "model.pth is PyTorch's"),
    "safetensors": ({"model.safetensors": SAFETENSORS}, "from_pretrained(FOLDER, from_pt=True).save_pretrained('NAME', saved_model=True)"),
    "a pickle": ({"model.joblib": pickle.dumps([1])}, "model.joblib is a Python pickle"),
    "a clone without git-lfs": ({"model.h5": LFS}, "model.h5 is a Git LFS pointer"),
    "the sources": ({"train.py": b"import tensorflow", "README.md": b"# Model"}, "Pack the version folder that the export wrote"),
}

# {name: (file, words of the refusal)} of what is given as model_archive without being packed.
UNPACKED = {
    "model.h5": (HDF5, "model.h5 is a Keras file"),
    "model.keras": (KERAS, "model.weights.h5 is a Keras file"),
    "model.pt": (PYTORCH, "archive/data.pkl is PyTorch's"),
    "model.tflite": (TF_LITE, "model.tflite is a TF Lite model"),
    "graph.pb": (GRAPH_DEF, "graph.pb is a frozen graph"),
    "model.onnx": (ONNX, "model.onnx is an ONNX model"),
    "model.json": (TF_JS, "model.json is a TensorFlow.js model"),
    "saved_model.pbtxt": (b"meta_graphs {\n}", "saved_model.pbtxt is a SavedModel as text"),
    "archive.tar.gz": (LFS, "archive.tar.gz is a Git LFS pointer"),
    "saved_model.pb": (saved_model(), "Wanted: .tar.gz"),
}


@pytest.fixture()
def nas(tmp_path, monkeypatch):
    made = Nas(tmp_path, monkeypatch)
    before = time.process_time()
    yield made
    assert time.process_time() - before < SECONDS
    assert not (made.root / "model/.staging-mnist").exists()


def packed(files):
    return tar(under("mnist/1", files))


@pytest.mark.parametrize("name", GOOD)
def test_good(nas, name):
    files, options = GOOD[name]
    result = nas.publish(packed(files), **options)
    assert result["versions"] == [1] and result["signatures"]
    assert not cannot_be_checked(result["signatures"])
    live = {path: content for path, content in look(nas.root / "model/mnist/1").items() if content is not None}
    assert live == files


@pytest.mark.parametrize("name", UNCHECKED)
def test_what_cannot_be_checked_is_published_and_said(nas, name):
    files, why = UNCHECKED[name]
    result = nas.publish(packed(files))
    assert result["versions"] == [1]
    assert cannot_be_checked(result["signatures"]) == ["signature serving_default cannot be checked: " + why]


@pytest.mark.parametrize("name", BAD)
def test_bad(nas, name):
    files, words, *options = BAD[name]
    error = nas.refused(packed(files), **(options[0] if options else {}))
    assert isinstance(error, Error) and words in error.message, error.message
    assert error.message.startswith("model_archive file://") and os.listdir(nas.root) == []


@pytest.mark.parametrize("name", UNPACKED)
def test_files_that_are_no_archive(nas, name):
    content, words = UNPACKED[name]
    (nas.files / name).write_bytes(content)
    error = nas.refused("file://%s" % (nas.files / name))
    assert words in error.message, error.message


def test_the_corpus_is_large():
    assert len(GOOD) + len(UNCHECKED) + len(BAD) + len(UNPACKED) > 100
