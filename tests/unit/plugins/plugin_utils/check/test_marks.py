"""Which answers are right, test by test, in whatever order they come."""
from __future__ import annotations

import types

import numpy
import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import marks as _marks
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.answers import Expected, Golden
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.marks import Marks, Recording, row_of


def request(start, stop):
    return types.SimpleNamespace(start=start, stop=stop)


def scores(*classes):
    made = numpy.full((len(classes), 3), 0.1)
    made[numpy.arange(len(classes)), classes] = 0.8
    return made


LABELS = numpy.array([0, 1, 2, 0, 1])


def test_classes_in_any_order():
    marks = Marks(Expected(LABELS, None, None), 5)
    assert marks.right.tolist() == [-1] * 5 and marks.agrees is None
    assert marks.score is None and marks.given.tolist() == [None] * 5
    marks.note([(request(3, 5), scores(0, 2)), (request(0, 1), scores(0))])
    assert marks.right.tolist() == [1, -1, -1, 1, 0] and marks.given.tolist() == [0, None, None, 0, 2]
    assert marks.score[[0, 3, 4]].tolist() == [0.8] * 3 and numpy.isnan(marks.score[1:3]).all()
    marks.note([(request(1, 3), scores(1, 1))])
    assert marks.right.tolist() == [1, 1, 0, 1, 0] and marks.score.tolist() == [0.8] * 5 and marks.not_finite == 0


def test_golden_answers_are_judged_apart():
    marks = Marks(Expected(LABELS, Golden(scores(0, 1, 2, 2, 2), {}, ""), None), 5)
    marks.note([(request(0, 5), scores(0, 0, 2, 2, 1))])
    assert marks.right.tolist() == [1, 0, 1, 0, 1] and marks.agrees.tolist() == [1, 0, 1, 1, 0]
    assert Marks(Expected(None, Golden(scores(0), {}, ""), None), 1).right is None


def test_values_of_one_number_and_of_several():
    marks = Marks(Expected(numpy.array([1.0, 2.0]), None, 0.1), 2)
    marks.note([(request(0, 2), numpy.array([[1.05], [3.0]]))])
    assert marks.right.tolist() == [1, 0] and marks.given.tolist() == [1.05, 3.0] and marks.score is None
    marks = Marks(Expected(numpy.array([[1.0, 2.0], [3.0, 4.0]]), None, 0.1), 2)
    marks.note([(request(1, 2), numpy.array([[3.0, 4.0]]))])
    assert marks.right.tolist() == [-1, 1] and marks.given.tolist() == [None, [3.0, 4.0]]


def test_answers_that_are_no_numbers_are_counted():
    marks = Marks(Expected(LABELS, None, None), 5)
    answers = scores(0, 1, 2)
    answers[0, 0], answers[2, 1] = numpy.nan, numpy.inf
    marks.note([(request(0, 3), answers)])
    marks.note([(request(3, 4), scores(0) * numpy.nan)])
    assert marks.not_finite == 3 and marks.right.tolist() == [0, 1, 0, 0, -1]


def test_an_answer_that_is_none_leaves_no_mark():
    """The golden answers fit, the labels do not: one value each is expected there."""
    marks = Marks(Expected(numpy.array([1.0]), Golden(numpy.array([[1.0, 2.0]]), {}, ""), 0.1), 1)
    with pytest.raises(Error, match="has 2 values for each test, expected are 1"):
        marks.note([(request(0, 1), numpy.array([[1.0, 2.0]]))])
    assert marks.agrees.tolist() == [-1] and marks.given.tolist() == [None]


def test_a_recording_has_the_order_of_the_tests():
    recording = Recording(5, 2)
    recording.note([(request(4, 5), numpy.array([[5]])), (request(0, 2), numpy.array([[1], [2]]))])
    recording.note([(request(2, 4), numpy.array([[3], [4]]))])
    assert recording.whole().tolist() == [[1], [2], [3], [4], [5]]


@pytest.mark.parametrize(("size", "fits"), [(3 * 16, True), (3 * 16 - 1, False)])
def test_a_recording_has_its_limit(monkeypatch, size, fits):
    """It is the first answer that tells how much there will be: three requests of two tests each, 16 bytes."""
    monkeypatch.setattr(_marks, "GOLDEN_BYTES", size)
    recording, answered = Recording(6, 2), [(request(0, 2), numpy.array([[1], [2]], "i8"))]
    if fits:
        recording.note(answered)
    else:
        with pytest.raises(Error, match=r"more than 1 GiB: record fewer \(check_tests\)") as caught:
            recording.note(answered)
        assert caught.value.code == "golden_too_large"


def test_rows_of_one_value_are_a_row():
    assert row_of(numpy.array([[1], [2]])).tolist() == [1, 2]
    for array in (numpy.array([[1, 2]]), numpy.array([1, 2]), numpy.zeros((2, 1, 1))):
        assert row_of(array).shape == array.shape
