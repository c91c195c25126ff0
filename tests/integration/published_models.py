"""TensorFlow Serving's published test models, rebuilt: `published_models.py FOLDER` makes NAME/1 of each with the lab's TensorFlow.

What they compute is theirs (tensorflow/examples/saved_model, tensorflow_serving/servables/tensorflow/testdata): half_plus_two
with all its signatures and its asset, half_plus_three without shapes, the same as a TensorFlow 2 module, several signatures,
vocabularies as assets, text and tf.Examples; and what people's own exports add: values beside the batch, tags, methods of one's own.
"""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

WORDS = ("red", "green", "blue")


def made(folder):
    """The folder, with all of them in it."""
    from tf_lab import models

    subprocess.run([models.PYTHON, __file__, folder], check=True, cwd="/", env={
        "PATH": os.defpath, "PYTHONPATH": str(models.TENSORFLOW), "PYTHONDONTWRITEBYTECODE": "1", "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1"})
    return folder


def export(folder):
    import tensorflow
    from tensorflow.core.protobuf import saved_model_pb2

    tf = tensorflow.compat.v1

    def info(tensor):
        return tf.saved_model.build_tensor_info(tensor)

    def signature(inputs, outputs, method="tensorflow/serving/predict"):
        return tf.saved_model.build_signature_def(
            {name: info(tensor) for name, tensor in inputs.items()}, {name: info(tensor) for name, tensor in outputs.items()}, method)

    def save(name, session, signatures, *tag_sets, main_op=None):
        builder = tf.saved_model.Builder(str(folder / name / "1"))
        first, *others = tag_sets or [["serve"]]
        builder.add_meta_graph_and_variables(session, first, signatures(first), main_op=main_op)
        for tags in others:
            builder.add_meta_graph(tags, signatures(tags), main_op=main_op)
        builder.save()

    def half_plus_two():
        """y = x / 2 + 2, y2 = x / 2 + 3, y3 = x2 / 2 + 3; b comes from an asset."""
        a, b, c = (tf.Variable(value, name=name) for name, value in (("a", 0.5), ("b", 2.0), ("c", 3.0)))
        asset = folder / "foo.txt"
        asset.write_text("asset-file-contents")
        name = tf.constant(str(asset))
        tf.add_to_collection(tf.GraphKeys.ASSET_FILEPATHS, name)
        content = tf.Variable("", name="content", trainable=False, collections=[])
        examples = tf.placeholder("string", name="tf_example")
        parsed = tf.parse_example(examples, {
            "x": tf.FixedLenFeature([1], "float32"), "x2": tf.FixedLenFeature([1], "float32", [0.0])})
        x, x2 = tf.identity(parsed["x"], "x"), tf.identity(parsed["x2"], "x2")
        y, y2, y3 = a * x + b, a * x + c, a * x2 + c
        regress, classify = "tensorflow/serving/regress", "tensorflow/serving/classify"
        every = {
            "regress_x_to_y": signature({"inputs": examples}, {"outputs": y}, regress),
            "regress_x_to_y2": signature({"inputs": examples}, {"outputs": y2}, regress),
            "regress_x2_to_y3": signature({"inputs": x2}, {"outputs": y3}, regress),
            "classify_x_to_y": signature({"inputs": examples}, {"scores": y}, classify),
            "classify_x2_to_y3": signature({"inputs": x2}, {"scores": y3}, classify),
            "serving_default": signature({"x": x}, {"y": y}),
        }
        return every, tf.group(tf.assign(content, tf.io.read_file(name)), tf.tables_initializer())

    with tf.Graph().as_default(), tf.Session() as session:
        signatures, main_op = half_plus_two()
        session.run(tf.global_variables_initializer())
        save("half_plus_two", session, lambda tags: signatures, main_op=main_op)

    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder("float32", name="x")
        y = 0.5 * x + tf.Variable(3.0)
        session.run(tf.global_variables_initializer())
        save("half_plus_three", session, lambda tags: {"serving_default": signature({"x": x}, {"y": y})})
    file = folder / "half_plus_three/1/saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    by_hand = model.meta_graphs[0].signature_def["serving_default"]
    for tensor in (by_hand.inputs["x"], by_hand.outputs["y"]):
        tensor.ClearField("tensor_shape")
    file.write_bytes(model.SerializeToString())

    with tf.Graph().as_default(), tf.Session() as session:  # its signatures have no tests
        counter, by = tf.Variable(0.0), tf.placeholder("float32", [])
        session.run(tf.global_variables_initializer())
        save("counter", session, lambda tags: {
            "get_counter": signature({}, {"output": counter.read_value()}),
            "incr_counter_by": signature({"delta": by}, {"output": tf.assign_add(counter, by)})})

    with tf.Graph().as_default(), tf.Session() as session:
        colour = tf.placeholder("string", [None])
        vocabulary = folder / "words.txt"
        vocabulary.write_text("\n".join(WORDS))
        asset = tf.constant(str(vocabulary))
        tf.add_to_collection(tf.GraphKeys.ASSET_FILEPATHS, asset)
        words = tf.lookup.StaticVocabularyTable(tf.lookup.TextFileInitializer(
            asset, "string", tf.lookup.TextFileIndex.WHOLE_LINE, "int64", tf.lookup.TextFileIndex.LINE_NUMBER), 1)
        save("words", session, lambda tags: {"serving_default": signature({"colour": colour}, {"number": words.lookup(colour)})},
             main_op=tf.tables_initializer())

    with tf.Graph().as_default(), tf.Session() as session:
        examples = tf.placeholder("string", [None])
        parsed = tf.parse_example(examples, {"x": tf.FixedLenFeature([], "float32"), "name": tf.FixedLenFeature([], "string", "")})
        save("parse_example", session, lambda tags: {"serving_default": signature(
            {"examples": examples}, {"y": parsed["x"] / 2 + 2 + tf.cast(tf.equal(parsed["name"], "more"), "float32")})})

    with tf.Graph().as_default(), tf.Session() as session:
        x, keep, training = tf.placeholder("float32", [None, 1]), tf.placeholder("float32"), tf.placeholder("bool", [])
        y = keep * x / 2 + 2 + tf.cast(training, "float32")
        save("beside_the_batch", session, lambda tags: {
            "serving_default": signature({"x": x, "keep_prob": keep, "is_training": training}, {"y": y})})
        save("two_graphs", session, lambda tags: {
            "of_" + "_".join(tags): signature({"x": x, "keep_prob": keep, "is_training": training}, {"y": y})},
            ["serve", "tpu"], ["serve"])
        for name, method in (("own_method", "my/own"), ("no_method", "")):
            save(name, session, lambda tags, method=method: {
                "serving_default": signature({"x": x, "keep_prob": keep, "is_training": training}, {"y": y}, method)})

    class Several(tensorflow.Module):
        """A TensorFlow 2 module, with a default."""

        def __init__(self):
            self.half = tensorflow.Variable(0.5)

        @tensorflow.function(input_signature=[
            tensorflow.TensorSpec([None], tensorflow.float32, name="x"), tensorflow.TensorSpec([], tensorflow.float32, name="more")])
        def plus(self, x, more=tensorflow.constant(2.0)):  # noqa: B008 - an export keeps it as the default of its input
            return {"y": self.half * x + more}

        @tensorflow.function(input_signature=[tensorflow.TensorSpec([None], tensorflow.float32, name="x")])
        def plus_three(self, x):
            return {"y": self.half * x + 3}

    module = Several()
    tensorflow.saved_model.save(module, str(folder / "several/1"), signatures={
        "serving_default": module.plus, "plus_three": module.plus_three})
    tensorflow.saved_model.save(tensorflow.Module(), str(folder / "no_signature/1"))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    export(target)
