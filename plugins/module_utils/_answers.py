# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a model answered, and whether it is right: against labels, and against answers recorded from a trusted version.

Answers are classes (the highest score, a whole number, a text) or, with a tolerance, values.
"""
from __future__ import annotations

import collections
import json
import os
import tempfile

from ansible_collections.mlops.tf_serving.plugins.module_utils import _dataset, _dataset_formats
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

try:
    import numpy
except ImportError:
    pass  # _inference.require_libraries() has said so

# Answers to some tests. given: a class each (int64, or object: text), or a row of values each (float64).
# score: how sure the model was (the highest score), or None. finite: False where it holds NaN or infinity.
Answers = collections.namedtuple("Answers", "given score finite")
# Answers recorded before. raw: as the model gave them; meta: of which model, version, signature, output and dataset.
Golden = collections.namedtuple("Golden", "raw meta location")

GOLDEN_BYTES = 1 << 30


def of(method, output, outputs):
    """The array that is compared, out of a reply's outputs."""
    if method == "classify":
        classes, scores = outputs["classes"], outputs["scores"]
        if not (classes != "").any():
            classes = classes[:0]  # a model that gives scores only: its labels are empty on the wire
        if classes.size and not scores.size:
            return classes[:, 0]
        if not scores.size:
            raise _malformed("a classification has neither classes nor scores")
        # Without names, the place in the list is the class.
        return classes[numpy.arange(len(classes)), scores.argmax(axis=1)] if classes.size else scores
    if output not in outputs:
        raise _malformed("a reply lacks the output %s" % output)
    return outputs[output]


def classes(array, tests):
    """Answers that are classes."""
    if array.dtype.kind == "O" and array.size == tests:
        text = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in array.reshape(-1)]
        return Answers(numpy.array(text, dtype=object), None, numpy.ones(tests, bool))
    if array.dtype.kind in "biu" and array.size == tests:
        return Answers(array.reshape(-1).astype("i8"), None, numpy.ones(tests, bool))
    if array.dtype.kind != "f" or array.ndim not in (1, 2) or len(array) != tests or not array.size:
        raise _malformed("has the shape %s for %d tests, expected [%d, classes]" % (list(array.shape), tests, tests))
    scores = array.reshape(tests, -1)
    finite = numpy.isfinite(scores).all(axis=1)
    if scores.shape[1] == 1:  # a sigmoid: the score of class 1
        column = scores[:, 0]
        if ((column < 0) | (column > 1))[finite].any():
            raise _malformed(
                "has one score for each test, and not all are from 0 to 1: with check_tolerance they are compared as values"
            )
        return Answers((column > 0.5).astype("i8"), numpy.maximum(column, 1 - column), finite)
    return Answers(scores.argmax(axis=1), scores.max(axis=1), finite)


def values(array, tests):
    """Answers that are numbers, a row of them for each test."""
    if array.dtype.kind not in "biuf" or array.ndim == 0 or len(array) != tests:
        raise _malformed("has the shape %s for %d tests, expected [%d, ...]" % (list(array.shape), tests, tests))
    rows = array.reshape(tests, -1).astype("f8")
    return Answers(rows, None, numpy.isfinite(rows).all(axis=1))


class Expected:
    """What is right: labels, golden answers, or both. tolerance: None compares classes."""

    def __init__(self, labels, golden, tolerance):
        self.read = classes if tolerance is None else values
        self.tolerance = tolerance
        self.labels = None if labels is None else self._normal(labels)
        self.golden = None if golden is None else self.read(golden.raw, len(golden.raw)).given

    def _normal(self, labels):
        """Labels as Answers.given has them."""
        if self.tolerance is not None:
            return labels.reshape(len(labels), -1).astype("f8")
        if labels.dtype.kind == "O":
            return classes(labels, len(labels)).given
        if labels.ndim == 2 and labels.shape[1] > 1:  # one-hot
            if ((labels != 0).sum(axis=1) != 1).any():
                raise Error(
                    "The labels have the shape %s and are not one-hot: use one class for each test." % list(labels.shape),
                    "dataset_invalid",
                )
            return labels.argmax(axis=1)
        flat = labels.reshape(-1)
        if len(flat) != len(labels) or (flat.dtype.kind == "f" and (flat != numpy.floor(flat)).any()):
            raise Error(
                "The labels are no class numbers (%s %s): set check_tolerance, and they are compared as values."
                % (labels.dtype.name, list(labels.shape)), "dataset_invalid",
            )
        return flat.astype("i8")

    def same(self, answers, wanted):
        """For each test whether the answer is the wanted one. What is not finite never is."""
        given = answers.given
        if self.tolerance is None:
            if given.dtype.kind == "O" and wanted.dtype.kind != "O":
                wanted = numpy.array([str(value) for value in wanted], dtype=object)  # a model that names its classes 0 to 9
            return answers.finite & (given == wanted)
        if given.shape != wanted.shape:
            raise _malformed("has %d values for each test, expected are %d" % (given.shape[1], wanted.shape[1]))
        with numpy.errstate(invalid="ignore"):
            return answers.finite & (abs(given - wanted) <= self.tolerance * numpy.maximum(1, abs(wanted))).all(axis=1)


def _malformed(text):
    return Error(text, "malformed_reply")


def read_golden(options, dataset):
    """The Golden of the option, fit for this dataset; None where none is wanted."""
    location = options["golden"]
    if not location:
        return None
    path, content = _dataset.read(location, options["dataset_timeout"], "check_golden")
    try:
        raw, meta = _kept(content, path)
    except (Error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Error(
            "check_golden %s is no file of recorded answers (%s): make one with playbooks/record.yml." % (path, error), "golden_invalid"
        ) from error
    golden, tests = Golden(raw, meta, path), dataset.tests
    other = golden.meta.get("dataset") != dataset.digest
    if other or len(golden.raw) < tests:
        made_of = "%d tests, fewer than check_tests (%d)" % (len(golden.raw), tests)
        raise Error(
            "check_golden %s was recorded with %s: record it again with playbooks/record.yml."
            % (path, "another dataset than %s" % dataset.location if other else made_of), "golden_invalid",
        )
    return golden._replace(raw=golden.raw[:tests])


def fits(golden, plan):
    """Golden answers are those of one signature and output."""
    for key, now in (("signature", plan.signature), ("output", plan.output)):
        if golden is not None and golden.meta.get(key) != now:
            raise Error(
                "check_golden was recorded from the %s %r, and %r is asked now: record it again, or set check_%s"
                % (key, golden.meta.get(key), now, key), "golden_invalid",
            )


def _kept(content, path):
    """(answers, meta) in the bytes of a golden file."""
    arrays = _dataset_formats.arrays(content, path)
    raw, meta = arrays["answers"], json.loads(arrays["meta"].item())
    if raw.dtype.kind == "O":
        raw = numpy.array([value.decode("utf-8", "replace") for value in raw.reshape(-1)], dtype=object).reshape(raw.shape)
    if raw.ndim == 0 or not isinstance(meta, dict):
        raise ValueError("it holds something else")
    return raw, meta


def same_golden(path, raw, meta):
    """Whether the file at path holds just these answers. When they were recorded does not count."""
    try:
        with open(path, "rb") as file:
            old, old_meta = _kept(file.read(GOLDEN_BYTES), path)
    except (Error, ValueError, KeyError, TypeError, AttributeError, OSError):
        return False
    same = old.dtype == raw.dtype and old.shape == raw.shape and (old == _text(raw)).all()
    return bool(same) and {**old_meta, "recorded": None} == {**meta, "recorded": None}


def write_golden(path, raw, meta):
    """Whole or not at all: the file is renamed into its place."""
    folder = os.path.dirname(os.path.abspath(path))
    temporary = None
    try:
        os.makedirs(folder, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".golden-")
        with os.fdopen(handle, "wb") as file:
            numpy.savez_compressed(file, answers=_storable(raw), meta=numpy.array(json.dumps(meta, sort_keys=True)))
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            os.unlink(temporary)
        raise Error("check_golden %s cannot be written: %s." % (path, error.strerror or error), "golden_not_written") from error


def _text(raw):
    """Text as str, everything else as it is."""
    if raw.dtype.kind != "O":
        return raw
    values = [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in raw.reshape(-1)]
    return numpy.array(values, dtype=object).reshape(raw.shape)


def _storable(raw):
    """No object arrays, which only pickle could keep."""
    return _text(raw).astype("U") if raw.dtype.kind == "O" else raw
