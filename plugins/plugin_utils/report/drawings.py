# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the plots of the report show: which of them there are, and the numbers for each."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import verdict
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import plots
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report.sections import error_rate

try:
    import numpy
except ImportError:
    pass  # the task has said so: it is one of its NEEDS

TABLE_CLASSES = 20  # more classes than these make a plot instead of a table
PLOTTED_CLASSES = 1000
PLOTTED_SERVERS = 50
LONGEST_NAME, NAME_END = 24, 12

Facts = dict[str, Any]
Drawings = dict[str, tuple[Any, ...]]  # by the plot's name: the function that draws it, and its arguments


def drawings(
    measured: Facts, findings: Facts, worst: Facts | None, matrix: Facts, others: Sequence[Facts], golden_only: bool
) -> Drawings:
    """others: the other results, as sections gives them. matrix: the confusion matrix."""
    limits = {threshold["key"]: threshold["bound"] for threshold in findings["thresholds"]}
    made: Drawings = {**_rates(findings, limits, others, golden_only), **_servers(measured, limits.get("max_error_rate"))}
    if len(matrix["labels"]) > TABLE_CLASSES:
        made["confusion"] = (plots.confusion, matrix["counts"])
    if measured["kind"] == "values" and worst:
        made["scatter"] = (plots.values, *_pairs(measured, worst))
    return made


def _rates(findings: Facts, limits: dict[str, float], others: Sequence[Facts], golden_only: bool) -> Drawings:
    """This check against its limit, and beside other results."""
    key, name = ("agreement", "min_agreement") if golden_only else ("error_rate", "max_error_rate")
    if findings[key] is None:
        return {}
    rows = [("this check", findings[key], findings["interval"])]
    earlier = [(other["name"], other[key], other["interval"]) for other in others if other[key] is not None]
    made: Drawings = {"rate": (plots.intervals, rows, limits.get(name), golden_only)}
    if earlier:
        made["others"] = (plots.intervals, rows + earlier, limits.get(name), golden_only)
    return made


def _servers(measured: Facts, limit: float | None) -> Drawings:
    """Latencies, and servers side by side."""
    compared = [server for server in measured["servers"] if server["latency_ms"] or server["answered"]]
    named = list(zip(_short([server["title"] for server in compared]), compared))
    timed = [(name, server) for name, server in named if server["singles"] or server["timeline"]]
    made: Drawings = {}
    if timed:
        made["latency"] = (plots.histogram, [(name, server["singles"]) for name, server in timed])
        made["time"] = (plots.over_time, [(name, server["timeline"]) for name, server in timed])
    if len(named) > 1:
        rows = [(name, error_rate(server), server["latency_ms"]) for name, server in named]
        made["servers"] = (plots.side_by_side, rows[:PLOTTED_SERVERS], limit)
    return made


def _short(titles: Sequence[str]) -> list[str]:
    """Names for the axes of plots: the end is what tells pods apart."""
    names = [title.split(" ", 1)[-1] for title in titles]
    return [name if len(name) <= LONGEST_NAME else "…" + name[-NAME_END:] for name in names]


def confusion(measured: Facts, findings: Facts, worst: Facts | None) -> Facts:
    """{labels, counts}, also of more classes than the verdict has in its table; empty where answers are no classes."""
    if findings["confusion"]:
        return dict(findings["confusion"])
    pairs = verdict.pairs(measured, worst) if worst else {}
    labels = sorted({label for pair in pairs for label in pair}, key=lambda label: (isinstance(label, str), label))
    place = {label: number for number, label in enumerate(labels[:PLOTTED_CLASSES])}
    counts = numpy.zeros((len(place), len(place)), int)
    for (wanted, given), count in pairs.items():
        if wanted in place and given in place:
            counts[place[wanted], place[given]] = count
    return {"labels": list(place), "counts": counts}


def _pairs(measured: Facts, server: Facts) -> tuple[Any, Any, Any]:
    """Expected and given values of the answered tests, and whether they are right: three arrays for the plot."""
    expected: list[float] = []
    given: list[float] = []
    right: list[bool] = []
    if measured["expected"] is not None and server["right"] is not None:
        for wanted, value, is_right in zip(measured["expected"], server["given"], server["right"]):
            if is_right >= 0 and value is not None:
                wanted, value = numpy.ravel(wanted).astype(float), numpy.ravel(value).astype(float)
                if wanted.shape == value.shape:
                    both = numpy.isfinite(wanted) & numpy.isfinite(value)
                    expected.extend(wanted[both])
                    given.extend(value[both])
                    right.extend([is_right == 1] * int(both.sum()))
    return numpy.array(expected), numpy.array(given), numpy.array(right, bool)
