# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan as a table for people."""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.lines import fitted
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.plan import CHANGE, CREATE, NONE, WRONG, Row

SIGNS = {CREATE: "+", CHANGE: "~", NONE: "-", WRONG: "x"}
WORDS = {CREATE: "to create", CHANGE: "to change", NONE: "unchanged", WRONG: "wrong"}


def table(rows: Sequence[Row], unmanaged: Sequence[str], with_unchanged: bool = True) -> list[str]:
    """The worst first. with_unchanged: also a line for each model of which there is nothing to say."""
    width = max((len(row.model) for row in rows), default=0)
    order = {WRONG: 0, CREATE: 1, CHANGE: 2, NONE: 4}
    lines = []
    for row in sorted(rows, key=lambda row: (order[row.action] if row.action != NONE or not row.sick else 3, row.model)):
        words = list(row.changes) if row.action == WRONG else ["%s: %s" % (row.action, ", ".join(row.changes))] if row.changes else []
        if row.changes or (with_unchanged and not row.sick):
            lines += _lines(SIGNS[row.action], row.model, width, words or ["none"])
        if row.sick:
            lines += _lines("!", row.model, width, ["sick: " + row.sick])
    lines += ["? %s  unmanaged: no model of this inventory" % name for name in unmanaged]
    return [*lines, summary(rows, unmanaged)]


def _lines(sign: str, model: str, width: int, words: Sequence[str]) -> list[str]:
    return [fitted("%s %s  %s" % (sign, model.ljust(width), " ".join("; ".join(words).split())))]


def summary(rows: Sequence[Row], unmanaged: Sequence[str] = ()) -> str:
    counts = Counter(row.action for row in rows)
    parts = ["%d %s" % (counts[action], WORDS[action]) for action in (CREATE, CHANGE, WRONG) if counts[action]]
    parts.append("%d unchanged" % counts[NONE])
    sick, due = sum(bool(row.sick) for row in rows), sum(row.due for row in rows)
    return "%d model%s: %s" % (len(rows), "" if len(rows) == 1 else "s", ", ".join([
        *parts, *(["%d to check" % due] if due else []), *(["%d sick" % sick] if sick else []),
        *(["%d unmanaged" % len(unmanaged)] if unmanaged else [])]))


def failure_line(failed: Mapping[str, Any]) -> str:
    """What a task that failed said, in one line."""
    return fitted(" ".join(str(failed.get("msg") or "no reason is known.").split()))
