# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values as a person reads them in the report."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LONGEST, MOST_PARTS = 60, 6


def shown(value: Any) -> str:
    """A class or a value: short, on one line."""
    if value is None:
        return "no answer"
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        more = ", ... (%d)" % len(value) if len(value) > MOST_PARTS else ""
        return ", ".join(shown(part) for part in value[:MOST_PARTS]) + more
    if isinstance(value, float):
        return "%.6g" % value
    text = str(value)
    return text if len(text) <= LONGEST else text[:LONGEST - 1] + "…"


def percent(value: float | None) -> str:
    return "-" if value is None else "%.1f%%" % value


def interval(bounds: Sequence[float]) -> str:
    return "%.1f to %.1f%%" % tuple(bounds)


def figures(value: float | None) -> str:
    """Three of them: of a time in milliseconds."""
    return "-" if value is None else "%.3g" % value


def version(number: int | None) -> str:
    return "unknown version" if number is None else "version %s" % number
