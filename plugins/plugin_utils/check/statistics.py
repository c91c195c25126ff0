# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What counted tests can tell: intervals at 95 %, in percent or percentage points with one decimal. Pure."""
from __future__ import annotations

import math

Interval = list[float]  # [low, high]

Z = 1.9599639845400536  # NormalDist().inv_cdf(0.975) of the standard library, whose import takes 7 ms
CHANCE = 0.05  # a p-value from here on is within noise


def percent(count: int, of: int) -> float | None:
    """As it is printed and judged; None of nothing."""
    return round(100 * count / of, 1) if of else None


def wilson(count: int, of: int) -> Interval | None:
    """[low, high] of a share by the Wilson score, which holds near 0 and 100 % too; None of nothing."""
    return [round(100 * bound, 1) for bound in _wilson(count, of)] if of else None


def _wilson(count: int, of: int) -> tuple[float, float]:
    share, z2 = count / of, Z * Z / of
    middle = (share + z2 / 2) / (1 + z2)
    half = Z * math.sqrt(share * (1 - share) / of + z2 / (4 * of)) / (1 + z2)
    return max(0.0, middle - half), min(1.0, middle + half)


def mcnemar(newly_wrong: int, newly_right: int) -> float:
    """The exact p-value of as lopsided a split, were each change as likely the one as the other."""
    changes = newly_wrong + newly_right
    term = total = 1
    for k in range(min(newly_wrong, newly_right)):
        term = term * (changes - k) // (k + 1)
        total += term
    return min(1.0, float(2 * total / 2 ** changes))


def paired_interval(newly_wrong: int, newly_right: int, tests: int) -> Interval:
    """[low, high] of the difference on the same tests (Agresti and Min: Wald's with half a test more in each cell)."""
    wrong, right, of = newly_wrong + 0.5, newly_right + 0.5, tests + 2
    middle = (wrong - right) / of
    half = Z * math.sqrt(wrong + right - (wrong - right) ** 2 / of) / of
    return _points(middle - half, middle + half)


def unpaired_interval(wrong: int, of: int, wrong_before: int, of_before: int) -> Interval:
    """[low, high] of the difference of two shares (Newcombe, out of Wilson's intervals)."""
    now, before = wrong / of, wrong_before / of_before
    (low, high), (low_before, high_before) = _wilson(wrong, of), _wilson(wrong_before, of_before)
    return _points(
        now - before - math.hypot(now - low, high_before - before),
        now - before + math.hypot(high - now, before - low_before),
    )


def _points(low: float, high: float) -> Interval:
    return [round(100 * low, 1) + 0.0, round(100 * high, 1) + 0.0]  # no -0.0
