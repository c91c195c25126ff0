"""A small SavedModel with many kinds of signatures, in two versions: `model_zoo.py FOLDER` makes it with the lab's TensorFlow.

Tests call folder(), which makes it once and keeps it in the lab's cache. What it computes is so simple that truth() says
it again in numpy; its numbers are sums of eighths, so that float32 has them exactly.
"""
from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy

# The weights of `features`, per version: 2 is "retrained", and answers otherwise here and there.
WEIGHTS = {1: (1.0, -0.5, 0.25), 2: (1.0, -0.25, 0.5)}
COLOURS = {b"red": 1.0, b"green": -1.0}  # every other one counts 0
CLASSES = (b"low", b"high")
WIDE = 1 << 16  # floats in one answer of the signature `large`: 256 KiB
SLEEP = 0.3  # seconds that the signature `slow` takes, one request after the other
# A table of all types that a tensor of a request can have, for the signature `echo`.
TYPES = ("float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
         "bool", "string", "complex64", "complex128")


def truth(version, features, count=0, colour=None, flag=False):
    """What the zoo computes of each row, as float32: the signatures `mixed` and, with features and colour, those of tf.Example."""
    total = numpy.asarray(features, numpy.float32) @ numpy.array(WEIGHTS[version], numpy.float32)
    total = total + numpy.float32(0.5) * numpy.asarray(count, numpy.float32) + numpy.where(flag, 1, 0)
    if colour is not None:
        total = total + numpy.array([COLOURS.get(one, 0.0) for one in colour])
    return total.astype(numpy.float32)


def folder():
    """The base path of the zoo: version 1 and 2."""
    from tf_lab import models, settings

    base = settings.CACHE / ("zoo-" + hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12])
    if not base.exists():
        for old in [*settings.CACHE.glob("zoo-*"), *settings.CACHE.glob("zoo.new*")]:
            shutil.rmtree(old)
        new = settings.CACHE / "zoo.new"
        subprocess.run([models.PYTHON, __file__, new], check=True, cwd="/", env={
            "PATH": os.defpath, "PYTHONPATH": str(models.TENSORFLOW), "PYTHONDONTWRITEBYTECODE": "1",
            "TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1"})
        new.rename(base)
    return base


def export(path, version):
    import tensorflow
    from tensorflow.python.data.experimental.ops.testing import sleep

    tf = tensorflow.compat.v1

    def row(dtype, *shape):
        return tf.placeholder(dtype, [None, *shape])

    def total(features, colour):
        table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(
            tf.constant(list(COLOURS)), tf.constant(list(COLOURS.values()))), 0.0)
        table.resource_handle.op._set_attr("shared_name", tf.AttrValue(s=b"colours"))
        return tf.linalg.matvec(features, weights) + table.lookup(colour)

    def two(value):
        return tf.stack([-value, value], axis=1)

    def name(value):
        return tf.where(value > 0, tf.fill(tf.shape(value), CLASSES[1]), tf.fill(tf.shape(value), CLASSES[0]))

    signatures = {}

    def signature(name, inputs, outputs, method="predict"):
        info = tf.saved_model.build_tensor_info
        signatures[name] = tf.saved_model.build_signature_def(
            {alias: info(tensor) for alias, tensor in inputs.items()},
            {alias: info(tensor) for alias, tensor in outputs.items()}, "tensorflow/serving/" + method)

    with tf.Graph().as_default(), tf.Session() as session:
        weights = tf.Variable(WEIGHTS[version], use_resource=True, name="weights")

        features, count, colour, flag = row("float32", 3), row("int64"), row("string"), row("bool")
        value = total(features, colour) + 0.5 * tf.cast(count, "float32") + tf.cast(flag, "float32")
        signature("mixed", {"features": features, "count": count, "colour": colour, "flag": flag}, {
            "classes": tf.cast(value > 0, "int64"), "names": name(value), "values": value, "pairs": two(value)})

        numbers = {kind: row(kind, 2) for kind in ("float16", "float64", "bfloat16", "uint8")}
        signature("numbers", numbers, {
            "sums": tf.add_n([tf.reduce_sum(tf.cast(one, "float32"), axis=1) for one in numbers.values()])})

        echo = {kind: tf.placeholder(kind) for kind in TYPES}
        signature("echo", echo, {kind: tf.identity(tensor) for kind, tensor in echo.items()})

        anything = tf.placeholder("float32")  # of unknown rank
        signature("any_rank", {"x": anything}, {"sums": tf.reduce_sum(
            tf.reshape(anything, [tf.shape(anything)[0], -1]), axis=1)})

        four = tf.placeholder("float32", [4, 3])
        signature("fixed", {"x": four}, {"scores": two(tf.linalg.matvec(four, weights))})

        examples = row("string")
        parsed = tf.parse_example(examples, {
            "features": tf.FixedLenFeature([3], "float32"), "colour": tf.FixedLenFeature([], "string", b"")})
        value = total(parsed["features"], parsed["colour"])
        best = tf.cast(value > 0, "int32")  # the likelier class first, as a top_k has it
        signature("classify", {"inputs": examples}, {
            "classes": tf.gather(tf.constant(CLASSES), tf.stack([best, 1 - best], axis=1)),
            "scores": tf.stack([tf.abs(value), -tf.abs(value)], axis=1)}, "classify")
        signature("scores_only", {"inputs": examples}, {"scores": two(value)}, "classify")
        signature("regress", {"inputs": examples}, {"outputs": value[:, None]}, "regress")
        signature("regress_two", {"inputs": examples}, {"outputs": two(value)}, "regress")
        signature("examples", {"examples": examples}, {"scores": two(value)})

        image = row("uint8", 224, 224, 3)
        signature("image", {"image": image}, {"scores": tf.reduce_mean(tf.cast(image, "float32"), axis=[1, 2])})

        x = row("float32")
        signature("large", {"x": x}, {"values": tf.tile(x[:, None], [1, WIDE])})
        dataset = tf.data.Dataset.from_tensors(0.0).repeat().apply(sleep(int(SLEEP * 1e6)))
        signature("slow", {"x": x}, {"values": x + tf.data.make_one_shot_iterator(dataset).get_next()})
        # Each x wants 4 TiB: TensorFlow's own RESOURCE_EXHAUSTED.
        signature("hungry", {"x": x}, {"values": x + tf.reduce_sum(tf.fill([tf.size(x, out_type="int64") * 2**40], x[0]))})

        session.run(tf.global_variables_initializer())
        builder = tf.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session, ["serve"], signatures, main_op=tf.tables_initializer(), saver=tf.train.Saver())
        builder.save()


if __name__ == "__main__":
    for number in WEIGHTS:
        export(Path(sys.argv[1]) / str(number), number)
