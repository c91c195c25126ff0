# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Test images and their labels from a folder or from under a URL: two IDX files, packed with gzip, as MNIST has them."""
from __future__ import annotations

import collections
import gzip
import hashlib
import io
import os
import re
import struct
import time
import traceback
import zlib
from urllib.error import HTTPError

from ansible.module_utils.urls import open_url

from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

IMPORT_ERROR = None
try:
    import numpy
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

IMAGES = "t10k-images-idx3-ubyte.gz"
LABELS = "t10k-labels-idx1-ubyte.gz"

MAX_BYTES = 1 << 30  # of one file, packed or not: a test set is smaller, a gzip bomb is not
CHUNK = 1 << 20

Dataset = collections.namedtuple("Dataset", "images labels")


def load(location, tests, checksums=None, timeout=60):
    """The first `tests` images and labels, both uint8 arrays."""
    checksums = _checked(checksums or {})
    images = _idx(location, IMAGES, 3, checksums, timeout)
    labels = _idx(location, LABELS, 1, checksums, timeout)
    if len(images) != len(labels):
        raise Error(
            "The dataset %s has %d images and %d labels: the two files do not belong together."
            % (location, len(images), len(labels)),
            "dataset_invalid",
        )
    if len(images) < tests:
        raise Error(
            "The dataset %s has %d images, fewer than check_tests (%d): lower that, or use a larger dataset."
            % (location, len(images), tests),
            "dataset_too_small",
            images=len(images),
            tests=tests,
        )
    return Dataset(images[:tests], labels[:tests])


def _checked(checksums):
    """{file name: hex digest}, or an Error that names the entry that is no such thing."""
    for name, value in checksums.items():
        if name not in (IMAGES, LABELS):
            raise Error(
                "check_dataset_checksum names %r: the files of a dataset are %s and %s." % (name, IMAGES, LABELS),
                "checksum_invalid",
            )
        if not re.match(r"sha256:[0-9a-fA-F]{64}$", str(value)):
            raise Error(
                "check_dataset_checksum of %s is %r: use sha256: and 64 hexadecimal digits." % (name, value),
                "checksum_invalid",
            )
    return {name: value.split(":")[1].lower() for name, value in checksums.items()}


def _idx(location, name, rank, checksums, timeout):
    """The array in one packed IDX file: 00 00, 08 (unsigned bytes), rank, the sizes in big-endian, the bytes."""
    path, packed = read(location, name, timeout)
    digest = hashlib.sha256(packed).hexdigest()
    if digest != checksums.get(name, digest):
        raise Error(
            "%s has the checksum sha256:%s, check_dataset_checksum says sha256:%s: it was changed or damaged on the way."
            % (path, digest, checksums[name]),
            "checksum_mismatch",
        )
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            header = file.read(4 + 4 * rank)
            if header[:4] != bytes((0, 0, 8, rank)) or len(header) < 4 + 4 * rank:
                raise Error(
                    "%s is no IDX file of unsigned bytes with %d dimensions." % (path, rank), "dataset_invalid"
                )
            shape = struct.unpack(">%dI" % rank, header[4:])
            size = 1
            for length in shape:
                size *= length
            if size > MAX_BYTES:
                raise Error("%s claims the shape %s, more than 1 GiB." % (path, list(shape)), "dataset_invalid")
            values = file.read(size + 1)
    except (EOFError, OSError, zlib.error) as error:  # gzip.BadGzipFile is an OSError
        raise Error("%s cannot be unpacked: %s." % (path, error), "dataset_invalid") from error
    if len(values) != size:
        raise Error(
            "%s should hold %d values (shape %s) and holds %s."
            % (path, size, list(shape), "more" if len(values) > size else "%d" % len(values)),
            "dataset_invalid",
        )
    return numpy.frombuffer(values, numpy.uint8).reshape(shape)


def read(location, name, timeout):
    """(path or URL, bytes) of one file of the dataset."""
    if re.match(r"https?://", location):
        url = location.rstrip("/") + "/" + name
        return url, _download(url, timeout)
    if location.startswith("file://"):
        location = location[len("file://"):]
    folder = os.path.expanduser(location)
    if not os.path.isabs(folder):
        raise Error(
            "check_dataset is %r: use an absolute path or an http(s) URL that holds %s and %s."
            % (location, IMAGES, LABELS),
            "dataset_invalid",
        )
    path = os.path.join(folder, name)
    try:
        with open(path, "rb") as file:
            return path, _read_all(file, path, None)
    except OSError as error:
        raise Error("The dataset's %s cannot be read: %s." % (path, error.strerror), "dataset_missing") from error


def _download(url, timeout):
    try:
        with open_url(url, timeout=timeout) as reply:
            return _read_all(reply, url, time.monotonic() + timeout)
    except HTTPError as error:
        raise Error("The dataset's %s answers %s %s." % (url, error.code, error.reason), "dataset_missing") from error
    except Error:
        raise
    except Exception as error:  # open_url raises errors of urllib, http.client, ssl and its own
        raise Error("The dataset's %s cannot be downloaded: %s." % (url, error), "dataset_missing") from error


def _read_all(file, path, deadline):
    """All bytes, unless they are too many or too slow. (A socket's own timeout starts anew with every byte.)"""
    chunks: list = []
    size = 0
    while True:
        chunk = file.read(CHUNK) if deadline is None else file.read1(CHUNK)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BYTES:
            raise Error("%s is larger than 1 GiB." % path, "dataset_invalid")
        if deadline is not None and time.monotonic() > deadline:
            raise Error(
                "%s did not arrive in time: %d bytes so far. Raise check_dataset_timeout, or use a local copy."
                % (path, size),
                "dataset_missing",
            )
