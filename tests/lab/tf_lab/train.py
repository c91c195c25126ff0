"""Train the lab's models and pack them: `train.py MNIST DIRECTORY`, with TensorFlow in PYTHONPATH and MNIST's files in MNIST.

Makes mnist-export.tar.gz (the tutorial's softmax regression, version 1), mnist-export-2.tar.gz (a better version 2),
mnist-wrecked.tar.gz (version 1 with its weights zeroed), MNIST's own test files as they are, SHA256SUMS, and
facts.json: the error rates over the first 1000 test images, as TensorFlow computes them without any server.
"""
from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import sys
import tarfile
from pathlib import Path

import numpy
import tensorflow

tf = tensorflow.compat.v1
SEED = 20171108
RELEASED = 1510099200  # the time of every file in the archives: the same content gives the same bytes
TESTS = 1000  # the tutorial's client takes that many, the first ones


def main(source: Path, directory: Path):
    train, (images, labels) = read(source, "train"), read(source, "t10k")
    test = images[:TESTS], labels[:TESTS]
    for path in source.glob("t10k-*"):
        shutil.copyfile(path, directory / path.name)
    made = {
        "mnist-export.tar.gz": (1, softmax_regression, {}),
        "mnist-export-2.tar.gz": (2, convolutional, {}),
        "mnist-wrecked.tar.gz": (1, softmax_regression, {"wreck": True}),
    }
    facts = {}
    for name, (version, network, options) in made.items():
        export = directory / ("export-" + name)
        rate = train_and_export(export / "mnist" / str(version), network, train, test, **options)
        pack(export, directory / name)
        shutil.rmtree(export)
        facts[name] = {"version": version, "error_rate": rate, "sha256": sha256(directory / name)}
    (directory / "facts.json").write_text(json.dumps({"archives": facts}, indent=2))
    sums = ["%s  %s\n" % (sha256(path), path.name) for path in sorted(directory.glob("*.gz"))]
    (directory / "SHA256SUMS").write_text("".join(sums))


def read(source, part):
    """(images, labels) of one half of MNIST. The tutorial's client scales pixels to 0..1 as well."""
    pixels = gzip.decompress((source / (part + "-images-idx3-ubyte.gz")).read_bytes())[16:]
    digits = gzip.decompress((source / (part + "-labels-idx1-ubyte.gz")).read_bytes())[8:]
    images = numpy.frombuffer(pixels, "uint8").reshape(-1, 784).astype("float32") / numpy.float32(255)
    return images, numpy.frombuffer(digits, "uint8").astype("int64")


def softmax_regression(x):
    """The tutorial's network, with the variables of its time (ref variables, the VariableV2 operation)."""
    w = tf.Variable(tf.zeros([784, 10]), name="w", use_resource=False)
    b = tf.Variable(tf.zeros([10]), name="b", use_resource=False)
    return tf.matmul(x, w) + b, tf.train.GradientDescentOptimizer(0.5), 1000


def convolutional(x):
    """A better second version, with today's variables (the VarHandleOp operation)."""
    def variable(name, *shape):
        start = tf.random.truncated_normal(shape, stddev=0.1, seed=SEED)
        return tf.Variable(start, name=name, use_resource=True)

    def layer(y, name, width, depth_in, depth):
        y = tf.nn.conv2d(y, variable(name + "_w", width, width, depth_in, depth), 1, "SAME")
        y = tf.nn.relu(y + variable(name + "_b", depth))
        return tf.nn.max_pool2d(y, 2, 2, "SAME")

    y = layer(tf.reshape(x, [-1, 28, 28, 1]), "conv1", 5, 1, 8)
    y = layer(y, "conv2", 5, 8, 16)
    y = tf.matmul(tf.reshape(y, [-1, 7 * 7 * 16]), variable("dense_w", 7 * 7 * 16, 10)) + variable("dense_b", 10)
    return y, tf.train.AdamOptimizer(0.002), 800


def train_and_export(path, network, train, test, wreck=False):
    """Train, write the SavedModel to path, load that again and return its error rate in percent."""
    one_thread = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)  # reproducible
    with tf.Graph().as_default(), tf.Session(config=one_thread) as session:
        tf.set_random_seed(SEED)
        # As TensorFlow Serving's mnist_saved_model.py does it: images come in as tf.Example or, by name, as x.
        serialized = tf.placeholder(tf.string, [None], name="tf_example")
        parsed = tf.parse_example(serialized, {"x": tf.FixedLenFeature(shape=[784], dtype=tf.float32)})
        x = tf.identity(parsed["x"], name="x")
        logits, optimizer, steps = network(x)
        y = tf.nn.softmax(logits, name="y")
        labels = tf.placeholder(tf.int64, [None])
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        variables = tf.trainable_variables()
        step = optimizer.minimize(loss)
        scores, indices = tf.nn.top_k(y, 10)
        digits = tf.lookup.KeyValueTensorInitializer(tf.range(10, dtype=tf.int64), tf.constant(list("0123456789")))
        table = tf.lookup.StaticHashTable(digits, "")
        table.resource_handle.op._set_attr("shared_name", tf.AttrValue(s=b"digits"))  # a random one otherwise
        classes = table.lookup(tf.cast(indices, tf.int64))

        session.run([tf.global_variables_initializer(), tf.tables_initializer()])
        order = numpy.random.RandomState(SEED)
        for dummy in range(steps):
            batch = order.randint(0, len(train[1]), 50)
            session.run(step, {x: train[0][batch], labels: train[1][batch]})
        if wreck:
            session.run([tf.assign(variable, tf.zeros_like(variable)) for variable in variables])

        info, signature = tf.saved_model.build_tensor_info, tf.saved_model.build_signature_def
        builder = tf.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session, ["serve"], main_op=tf.tables_initializer(), strip_default_attrs=True,
            saver=tf.train.Saver(variables),
            signature_def_map={
                "predict_images": signature(
                    {"images": info(x)}, {"scores": info(y)}, "tensorflow/serving/predict"),
                "serving_default": signature(
                    {"inputs": info(serialized)}, {"classes": info(classes), "scores": info(scores)},
                    "tensorflow/serving/classify"),
            },
        )
        builder.save()
    with tf.Graph().as_default(), tf.Session(config=one_thread) as session:
        meta = tf.saved_model.load(session, ["serve"], str(path))
        predict = meta.signature_def["predict_images"]
        answer = session.run(predict.outputs["scores"].name, {predict.inputs["images"].name: test[0]})
    return round(100.0 * float((answer.argmax(axis=1) != test[1]).mean()), 2)


def pack(source, target):
    """tar.gz of everything in source: the same bytes for the same content."""
    tar_bytes = io.BytesIO()
    with tarfile.open(fileobj=tar_bytes, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(source.rglob("*")):
            member = archive.gettarinfo(path, str(path.relative_to(source)))
            member.mtime, member.uid, member.gid, member.uname, member.gname = RELEASED, 0, 0, "root", "root"
            member.mode = 0o755 if path.is_dir() else 0o644
            with open(path, "rb") if path.is_file() else io.BytesIO() as content:
                archive.addfile(member, content)
    target.write_bytes(gzip.compress(tar_bytes.getvalue(), mtime=0))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
