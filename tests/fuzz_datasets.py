"""The targets of fuzz.py that read test data, one for each format.

A file is read whole, 20 rows of it, and what came of it is looked at: columns of as many rows, or one of our own errors.
"""
from __future__ import annotations

import gzip
import io
import zipfile

ROWS = 20


def _reader(name):
    from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats import reading

    def read(data):
        table = reading.read(io.BytesIO(data), name, "/data/" + name, ROWS)
        assert table.columns.keys() == table.totals.keys() and set(table.texts) | set(table.odd) <= set(table.columns)
        assert all(len(column) <= ROWS for column in table.columns.values())

    return read


def _idx(folder):
    import dataset_corpus
    import numpy

    return _reader("x-idx3-ubyte"), [dataset_corpus.idx(numpy.arange(8).reshape(2, 2, 2), kind) for kind in (8, 9, 11, 12, 13, 14)]


def _npy(folder):
    import dataset_corpus
    import numpy

    turned = numpy.asfortranarray([[1.0, 2], [3, 4]])
    arrays = [numpy.arange(6).reshape(3, 2), numpy.array(["a", "bc"]), turned, numpy.array([b"x"])]
    return _reader("x.npy"), [dataset_corpus.npy(array) for array in arrays]


def _npz(folder):
    import dataset_corpus
    import numpy

    zipfile.ZipExtFile._update_crc = lambda *arguments: None  # no change would come behind the sums
    table = dataset_corpus.zipped_files({"x.csv": b"x,y\n1,2\n"})
    return _reader("x.npz"), [dataset_corpus.npz(x=numpy.arange(3), y=numpy.array(["a", "b", "c"])), table]


def _csv(folder):
    import dataset_corpus

    kinds = (
        dataset_corpus.DELIMITERS, dataset_corpus.LINES, dataset_corpus.ENCODINGS, dataset_corpus.HEADERS, dataset_corpus.TYPES)
    cases = [case for kind in kinds for case in kind]
    return _reader("x.csv"), [case.content for case in cases if case.columns is not None and len(case.content) < 1000]


def _json(folder):
    import dataset_corpus

    return _reader("x.json"), [case.content for case in dataset_corpus.JSON if case.columns is not None]


def _tfrecord(folder):
    import dataset_corpus
    import numpy

    from ansible_collections.mlops.tf_serving.plugins.module_utils import tfrecord
    from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats import records

    tfrecord.crc32c = records.crc32c = lambda data: 0  # no change would come behind the sums
    columns = {"x": numpy.arange(4.0).reshape(2, 2), "label": numpy.array([1, 2]), "text": numpy.array([b"a", b"b"], object)}
    return _reader("x.tfrecord"), [dataset_corpus.records(**columns), dataset_corpus.records(x=numpy.arange(3))]


def _packed(folder):
    """Whatever it is, packed or not; and what is no dataset at all."""
    import dataset_corpus

    cases = [*dataset_corpus.GZIP, *dataset_corpus.ARRAYS, *dataset_corpus.RECORD_FILES]
    read = _reader("x")
    return read, [case.content for case in cases if case.columns is not None] + [gzip.compress(b"x,y\n1,2\n")]


TARGETS = {
    "idx": _idx, "npy": _npy, "npz": _npz, "csv": _csv, "json": _json, "tfrecord": _tfrecord, "packed": _packed,
}
