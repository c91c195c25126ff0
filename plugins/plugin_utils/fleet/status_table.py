# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The status of a fleet as a table for people. Pure."""
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.history import moment
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.lines import WIDTH, fitted
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.status import LAST_CHECK, Row

TITLES = ("MODEL", "VERSION", "CANDIDATE", "READY", "LAST CHECK", "AGE", "ADDRESS", "SINCE")
ELASTIC = (0, 6)  # columns that give way where a line would be too long
GAP = "  "
UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
BY_CHECK = "* as its last check found it. Servers may have loaded another since: status.yml --limit MODEL asks them."


def table(rows: Sequence[Row], now: datetime) -> list[str]:
    """Sick ones first, each with what is wrong in a line of its own."""
    ordered = sorted(rows, key=lambda row: (not row.sick, row.model))
    cells = [TITLES, *(_cells(row, now) for row in ordered)]
    widths = _widths(cells)
    lines = ["  " + _line(TITLES, widths)]
    for row, texts in zip(ordered, cells[1:]):
        lines.append(("! " if row.sick else "  ") + _line(texts, widths))
        if row.sick:
            lines.append(fitted("    " + " ".join("; ".join(row.sick).split())))
    if any(row.version_by == LAST_CHECK for row in rows):
        lines.append(BY_CHECK)
    lines += ["report  " + report for report in sorted({row.report for row in rows if row.report})]
    return [*lines, summary(rows)]


def summary(rows: Sequence[Row]) -> str:
    sick, candidates = sum(bool(row.sick) for row in rows), sum(row.candidate is not None for row in rows)
    return "%d model%s: %d sick%s" % (
        len(rows), "" if len(rows) == 1 else "s", sick, ", %d with a candidate" % candidates if candidates else "")


def _cells(row: Row, now: datetime) -> tuple[str, ...]:
    return (
        row.model, "?" if row.version is None else "%d%s" % (row.version, "*" if row.version_by == LAST_CHECK else ""),
        "-" if row.candidate is None else str(row.candidate), "%d/%d" % (row.ready, row.wanted), _check(row), _age(row, now),
        row.address or row.reached_at.partition(",")[0] or "-", (row.since or "-").replace("T", " ")[:16],
    )


def _check(row: Row) -> str:
    if row.check is None:
        return "-"
    if row.check["error_rate"] is not None:
        return "%.1f%% wrong" % row.check["error_rate"]
    if row.check["agreement"] is not None:
        return "%.1f%% same" % row.check["agreement"]
    return "passed" if row.check["passed"] else "failed"


def _age(row: Row, now: datetime) -> str:
    """5m, 3h, 12d."""
    then = moment(row.check) if row.check else None
    if then is None:
        return "-"
    seconds = max(0, int((now - then).total_seconds()))
    unit, length = next((one for one in UNITS if seconds >= one[1]), UNITS[-1])
    return "%d%s" % (seconds // length, unit)


def _widths(cells: Sequence[Sequence[str]]) -> list[int]:
    """As wide as their texts. Of those that give way the widest first."""
    widths = [max(map(len, column)) for column in zip(*cells)]
    while sum(widths) + len(GAP) * len(widths) > WIDTH:
        widths[max(ELASTIC, key=lambda column: widths[column])] -= 1
    return widths


def _line(texts: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(_shortened(text, width).ljust(width) for text, width in zip(texts, widths)).rstrip()


def _shortened(text: str, width: int) -> str:
    """Its beginning and its end, for names differ in either."""
    if len(text) <= width:
        return text
    half = (width - 3) // 2
    return "%s...%s" % (text[:width - 3 - half], text[len(text) - half:])
