"""Figures that were computed elsewhere."""
from __future__ import annotations

import math

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.statistics import (
    mcnemar,
    paired_interval,
    percent,
    unpaired_interval,
    wilson,
)


@pytest.mark.parametrize(("count", "of", "interval"), [
    (104, 1000, [8.7, 12.4]),
    (0, 10, [0.0, 27.8]),
    (10, 10, [72.2, 100.0]),
    (81, 263, [25.5, 36.6]),  # Newcombe 1998, table I, method 3
    (1, 29, [0.6, 17.2]),
])
def test_wilson(count, of, interval):
    assert wilson(count, of) == interval


@pytest.mark.parametrize(("count", "of", "printed"), [
    (1, 3, 33.3), (2, 3, 66.7), (0, 7, 0.0), (1504, 10000, 15.0), (7, 7, 100.0),
])
def test_percent(count, of, printed):
    assert percent(count, of) == printed


def test_of_nothing():
    assert wilson(0, 0) is None and percent(0, 0) is None


@pytest.mark.parametrize(("worse", "better", "p_value"), [
    (0, 0, 1.0), (12, 9, 0.6636), (9, 12, 0.6636), (5, 5, 1.0), (0, 6, 0.03125), (15, 3, 0.0075),
])
def test_mcnemar(worse, better, p_value):
    assert mcnemar(worse, better) == pytest.approx(p_value, abs=1e-4)


def test_mcnemar_of_many():
    assert mcnemar(9000, 11000) < 1e-40 and mcnemar(10000, 9990) > 0.9
    assert mcnemar(3, 15) == pytest.approx(2 * sum(math.comb(18, k) for k in range(4)) / 2 ** 18)


def test_the_difference_of_paired_tests():
    low, high = paired_interval(12, 9, 1000)
    assert (low, high) == (-0.6, 1.2)
    assert paired_interval(9, 12, 1000) == [-1.2, 0.6]
    assert paired_interval(0, 0, 1000) == [-0.2, 0.2]
    assert paired_interval(50, 0, 1000) == [3.6, 6.4]


def test_the_difference_of_unpaired_tests():
    """Newcombe 1998, table II, method 10: 56/70 - 48/80 and 9/10 - 3/10."""
    assert unpaired_interval(56, 70, 48, 80) == [5.2, 33.4]
    assert unpaired_interval(9, 10, 3, 10) == [17.1, 80.9]
