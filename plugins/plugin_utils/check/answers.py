# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a model answered, and whether it is right: against labels, and against answers recorded from a trusted version.

Answers are classes (the highest score, a whole number, a text) or, with a tolerance, values.
"""
from __future__ import annotations

import json
import os
import tempfile
from typing import Any, NamedTuple, cast

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import dataset
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats import reading
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.request_plan import Plan
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import Array

try:
    import numpy
except ImportError:
    pass  # the task has said so: it is one of its NEEDS

GOLDEN_BYTES = 1 << 30
Meta = dict[str, Any]  # of a golden file: which model, version, signature, output and dataset; when it was recorded


class Answers(NamedTuple):
    """Answers to some tests."""

    given: Array  # a class each (int64, or object: text), or a row of values each (float64)
    score: Array | None  # how sure the model was (the highest score)
    finite: Array  # False where an answer holds NaN or infinity


class Golden(NamedTuple):
    """Answers recorded before, as the model gave them."""

    raw: Array
    meta: Meta
    location: str


def of(method: str, output: str, outputs: dict[str, Array]) -> Array:
    """The array that is compared, out of a reply's outputs."""
    if method == "classify":
        return _classified(outputs["classes"], outputs["scores"])
    if output not in outputs:
        raise _malformed("a reply lacks the output %s" % output)
    return outputs[output]


def _classified(names: Array, scores: Array) -> Array:
    """The name with the highest score; all scores where the model has no names: those are empty on the wire."""
    named = (names != "").any()
    if not scores.size and not named:
        raise _malformed("a classification has neither classes nor scores")
    if not named:
        return scores  # the place in the list is the class
    best = scores.argmax(axis=1) if scores.size else 0
    found: Array = names[numpy.arange(len(names)), best]
    return found


def classes(array: Array, tests: int) -> Answers:
    """Answers that are classes."""
    if array.dtype.kind == "O" and array.size == tests:
        text = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in array.reshape(-1)]
        return Answers(numpy.array(text, dtype=object), None, numpy.ones(tests, bool))
    if array.dtype.kind in "biu" and array.size == tests:
        return Answers(array.reshape(-1).astype("i8"), None, numpy.ones(tests, bool))
    if array.dtype.kind != "f" or array.ndim not in (1, 2) or len(array) != tests or not array.size:
        raise _malformed("has the shape %s for %d tests, expected [%d, classes]" % (list(array.shape), tests, tests))
    scores = array.reshape(tests, -1)
    finite = _finite(scores)
    if scores.shape[1] == 1:  # a sigmoid: the score of class 1
        column = scores[:, 0]
        if ((column < 0) | (column > 1))[finite].any():
            raise _malformed(
                "has one score for each test, and not all are from 0 to 1: with check_tolerance they are compared as values"
            )
        return Answers((column > 0.5).astype("i8"), numpy.maximum(column, 1 - column), finite)
    return Answers(scores.argmax(axis=1), scores.max(axis=1), finite)


def values(array: Array, tests: int) -> Answers:
    """Answers that are numbers, a row of them for each test."""
    if array.dtype.kind not in "biuf" or array.ndim == 0 or len(array) != tests:
        raise _malformed("has the shape %s for %d tests, expected [%d, ...]" % (list(array.shape), tests, tests))
    rows = array.reshape(tests, -1).astype("f8")
    return Answers(rows, None, _finite(rows))


def _finite(rows: Array) -> Array:
    finite: Array = numpy.logical_and.reduce(numpy.isfinite(rows), axis=1)
    return finite


class Expected:
    """What is right: labels, golden answers, or both. tolerance: None compares classes. spelled: labels as the dataset has them."""

    def __init__(
        self, labels: Array | None, golden: Golden | None, tolerance: float | None, spelled: Array | None = None
    ) -> None:
        self.read = classes if tolerance is None else values
        self.tolerance = tolerance
        self.labels = None if labels is None else self._normal(labels)
        self._spelled = None if spelled is None else classes(spelled, len(spelled)).given if spelled.dtype.kind == "O" else None
        self._golden = None if golden is None else self.read(golden.raw, len(golden.raw))
        self.golden: Array | None = self._golden and self._golden.given

    def _normal(self, labels: Array) -> Array:
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
            hot: Array = labels.argmax(axis=1)
            return hot
        flat = labels.reshape(-1)
        odd = flat.dtype.kind == "f" and not (numpy.isfinite(flat) & (flat == numpy.floor(flat))).all()
        if len(flat) != len(labels) or odd:
            raise Error(
                "The labels are no class numbers (%s %s): set check_tolerance, and they are compared as values."
                % (labels.dtype.name, list(labels.shape)), "dataset_invalid",
            )
        return flat.astype("i8")

    def fit(self, plan: Plan) -> None:
        """Error where a label is no class that the model can answer: it would count as its mistake, with every version."""
        labels = self.labels
        if labels is None or self.tolerance is not None or plan.classes is None:
            return
        output = "output %s of signature %s" % (plan.output, plan.signature)
        if labels.dtype.kind == "O":
            raise _unfit("the labels are text, and %s gives class numbers" % output)
        odd = int(((labels < 0) | (labels >= plan.classes)).sum())
        if odd:
            from_one = labels.min() == 1 and labels.max() == plan.classes
            raise _unfit(
                "the labels are %d to %d (%d different ones), and %s has the classes 0 to %d: %d of %d tests can never be answered"
                " right%s" % (labels.min(), labels.max(), len(numpy.unique(labels)), output, plan.classes - 1, odd, len(labels),
                              "; they count from 1 and the model from 0, so take 1 from each label" if from_one else ""))

    def right(self, answers: Answers, here: Array) -> Array:
        """For each test whether the answer is the label. What is not finite never is. here: which tests these are."""
        labels = cast(Array, self.labels)[here]
        matches = self._matches(answers.given, labels)
        if self._spelled is not None and answers.given.dtype.kind == "O":  # a model that names its classes 007
            matches = matches | (answers.given == self._spelled[here])
        right: Array = answers.finite & matches
        return right

    def agrees(self, answers: Answers, here: Array) -> Array:
        """For each test whether the answer is the golden one. NaN is NaN, where the trusted version gave it too."""
        golden = cast(Answers, self._golden)
        same: Array = (answers.finite == golden.finite[here]) & self._matches(answers.given, golden.given[here])
        return same

    def _matches(self, given: Array, wanted: Array) -> Any:
        if self.tolerance is None:
            if given.dtype.kind == "O" and wanted.dtype.kind != "O":
                wanted = numpy.array([str(value) for value in wanted], dtype=object)  # a model that names its classes 0 to 9
            return given == wanted
        if given.shape != wanted.shape:
            raise _malformed("has %d values for each test, expected are %d" % (given.shape[1], wanted.shape[1]))
        with numpy.errstate(invalid="ignore"):
            near = abs(given - wanted) <= self.tolerance * numpy.maximum(1, abs(wanted))
        same = near & numpy.isfinite(wanted) | (given == wanted) | numpy.isnan(given) & numpy.isnan(wanted)
        return numpy.logical_and.reduce(same, axis=1)


def one_hot_columns(columns: dict[str, Array]) -> list[str]:
    """Names such as kind_cat and kind_dog, of which each row has a 1 in just one, as pandas.get_dummies() writes them."""
    groups: dict[str, list[str]] = {}
    for name, column in columns.items():
        stem, joint, dummy = name.rpartition("_")
        if joint and column.ndim == 1 and column.dtype.kind in "biuf" and numpy.isin(column, (0, 1)).all():
            groups.setdefault(stem, []).append(name)
    return next((
        names for names in groups.values()
        if len(names) > 1 and (numpy.add.reduce([columns[name].astype("i8") for name in names]) == 1).all()), [])


def _malformed(text: str) -> Error:
    return Error(text, "malformed_reply")


def _unfit(text: str) -> Error:
    return Error(
        text + ". Correct the labels, name another column (check_labels) or output (check_output), or set check_tolerance if the"
        " answers are values", "dataset_mismatch",
    )


def read_golden(options: dict[str, Any], tests: dataset.Dataset) -> Golden | None:
    """The Golden of the option, fit for these tests; None where none is wanted."""
    location = options["golden"]
    if not location:
        return None
    path, content = dataset.read(location, options["dataset_timeout"], "check_golden")
    try:
        raw, meta = _kept(content, path)
    except (Error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Error(
            "check_golden %s is no file of recorded answers (%s): make one with playbooks/record.yml." % (path, error),
            "golden_invalid",
        ) from error
    other = None
    if meta.get("dataset") != tests.digest:
        other = "another dataset than %s" % tests.location
    elif len(raw) < tests.tests:
        other = "%d tests, fewer than check_tests (%d)" % (len(raw), tests.tests)
    if other:
        raise Error(
            "check_golden %s was recorded with %s: record it again with playbooks/record.yml." % (path, other), "golden_invalid"
        )
    return Golden(raw[:tests.tests], meta, path)


def fits(golden: Golden | None, plan: Plan) -> None:
    """Golden answers are those of one signature and output."""
    if golden is None:
        return
    for key, now in (("signature", plan.signature), ("output", plan.output)):
        if golden.meta.get(key) != now:
            raise Error(
                "check_golden was recorded from the %s %r, and %r is asked now: record it again, or set check_%s"
                % (key, golden.meta.get(key), now, key), "golden_invalid",
            )


def _kept(content: bytes, path: str) -> tuple[Array, Meta]:
    """(answers, meta) in the bytes of a golden file."""
    arrays = reading.arrays(content, path)
    raw, meta = arrays["answers"], json.loads(arrays["meta"].item())
    if raw.dtype.kind == "O":
        raw = numpy.array([value.decode("utf-8", "replace") for value in raw.reshape(-1)], dtype=object).reshape(raw.shape)
    if raw.ndim == 0 or not isinstance(meta, dict):
        raise ValueError("it holds something else")
    return raw, meta


def same_golden(path: str, raw: Array, meta: Meta) -> bool:
    """Whether the file at path holds just these answers. When they were recorded does not count."""
    try:
        with open(path, "rb") as file:
            old, old_meta = _kept(file.read(GOLDEN_BYTES), path)
    except (Error, ValueError, KeyError, TypeError, AttributeError, OSError):
        return False
    same = old.dtype == raw.dtype and numpy.array_equal(old, _text(raw), equal_nan=raw.dtype.kind in "fc")
    return same and {**old_meta, "recorded": None} == {**meta, "recorded": None}


def write_golden(path: str, raw: Array, meta: Meta, new: bool = False) -> None:
    """Whole or not at all: the file is renamed into its place. new: an Error where something is there by now."""
    folder = os.path.dirname(os.path.abspath(path))
    temporary = None
    try:
        os.makedirs(folder, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".golden-")
        with os.fdopen(handle, "wb") as file:
            numpy.savez_compressed(file, answers=_storable(raw), meta=numpy.array(json.dumps(meta, sort_keys=True)))
        os.chmod(temporary, 0o644)
        if new:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))  # one of several that try at a time
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            os.unlink(temporary)
        if isinstance(error, FileExistsError) and new:
            raise Error(
                "check_golden %s was not there when the check began, and is now: it was left as it is. Each model needs a file of"
                " its own; where this is this model's, run again." % path, "golden_not_written",
            ) from error
        raise Error("check_golden %s cannot be written: %s." % (path, error.strerror or error), "golden_not_written") from error


def _text(raw: Array) -> Array:
    """Text as str, everything else as it is."""
    if raw.dtype.kind != "O":
        return raw
    values = [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in raw.reshape(-1)]
    return numpy.array(values, dtype=object).reshape(raw.shape)


def _storable(raw: Array) -> Array:
    """No object arrays, which only pickle could keep."""
    return _text(raw).astype("U") if raw.dtype.kind == "O" else raw
