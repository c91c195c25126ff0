"""IDX files as MNIST has them, made by a test."""
from __future__ import annotations

import gzip
import struct

import numpy

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.places import IMAGES, LABELS


def idx(array, kind=8):
    return bytes((0, 0, kind, array.ndim)) + struct.pack(">%dI" % array.ndim, *array.shape) + array.astype("u1").tobytes()


def digits(number=100):
    """Images whose brightest pixel tells the label, which is what model_server.brightest() reads."""
    labels = numpy.arange(number) % 10
    images = numpy.zeros((number, 28, 28), "u1")
    images[numpy.arange(number), 0, labels] = 255
    return images, labels


def write(folder, images=None, labels=None):
    """A folder with a dataset; images and labels: arrays, or bytes to be written as they are."""
    made = digits()
    for name, content in ((IMAGES, made[0] if images is None else images), (LABELS, made[1] if labels is None else labels)):
        (folder / name).write_bytes(content if isinstance(content, bytes) else gzip.compress(idx(content)))
    return str(folder)
