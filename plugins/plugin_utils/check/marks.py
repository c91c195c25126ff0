# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one server's answers are worth, test by test; or the answers as they are, where they are recorded."""
from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.answers import GOLDEN_BYTES, Expected

try:
    import numpy
except ImportError:
    pass  # the task has said so: it is one of its NEEDS

Answered = Collection[tuple[Any, Any]]  # (request, the array that came)


class Marks:
    """right, agrees: for each test 1 or 0, -1 before it was answered; None where there are no labels, no golden answers."""

    def __init__(self, expected: Expected, tests: int):
        self._expected = expected
        self._numbers = numpy.arange(tests)
        self.right = None if expected.labels is None else numpy.full(tests, -1, "i1")
        self.agrees = None if expected.golden is None else numpy.full(tests, -1, "i1")
        self.given = numpy.full(tests, None, object)
        self.score: Any = None
        self.not_finite = 0

    def note(self, answered: Answered) -> None:
        """Many requests at once take a fifth of the time of one after the other."""
        here = numpy.concatenate([self._numbers[request.start:request.stop] for request, dummy in answered])
        answers = self._expected.read(numpy.concatenate([array for dummy, array in answered]), len(here))
        verdicts = [
            (kept, judge(answers, here))
            for kept, judge in ((self.right, self._expected.right), (self.agrees, self._expected.agrees)) if kept is not None
        ]
        for kept, same in verdicts:  # all or none of them: what is not read as a whole is read one by one
            kept[here] = same
        self.not_finite += len(here) - int(numpy.count_nonzero(answers.finite))
        given = row_of(answers.given)
        if given.ndim == 1:
            self.given[here] = given
        else:
            for number, row in zip(here, given):
                self.given[number] = row.tolist()
        if answers.score is not None:
            if self.score is None:
                self.score = numpy.full(len(self._numbers), numpy.nan)
            self.score[here] = answers.score


class Recording:
    """For a golden file: the answers in the order of the tests."""

    def __init__(self, tests: int, batch: int):
        self._batch = batch
        self._parts: list[Any] = [None] * -(-tests // batch)

    def note(self, answered: Answered) -> None:
        for request, array in answered:
            if array.nbytes * len(self._parts) > GOLDEN_BYTES:
                raise Error("the answers take more than 1 GiB: record fewer (check_tests)", "golden_too_large")
            self._parts[request.start // self._batch] = array

    def whole(self) -> Any:
        return numpy.concatenate(self._parts)


def row_of(array: Any) -> Any:
    """Rows of one value each as a row of values."""
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
