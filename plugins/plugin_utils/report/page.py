# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report of an inference check: one HTML page that needs nothing else."""
from __future__ import annotations

import json
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import plots, sections
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report.drawings import TABLE_CLASSES, confusion, drawings
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report.mistakes import mistakes
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report.render import markup, render
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report.words import shown

Facts = dict[str, Any]

FAILURE_LENGTH, ADDRESS_LENGTH = 500, 200  # of what the index needs to know


def page(measured: Facts, findings: Facts, index: bool = False) -> str:
    """The report as text. index: say where the index is."""
    if plots.IMPORT_ERROR:
        raise Error(
            "check_report needs matplotlib and jinja2 in the controller's Python (%s):"
            " install them (pip install matplotlib jinja2), or leave check_report empty." % plots.IMPORT_ERROR,
            "library_missing",
        )
    worst = _server(measured, findings["worst"])
    golden_only = measured["expected"] is None and measured["golden"] is not None
    others = sections.others(findings)
    matrix = confusion(measured, findings, worst)
    text: str = render(
        "report",
        title="%s: %s, %s" % (measured["model"], "passed" if findings["passed"] else "failed", findings["message"]),
        summary=json.dumps(summary(measured, findings), sort_keys=True),
        index=index, measured=measured, findings=findings, version=sections.versions(measured), at=measured["at"],
        tiles=sections.tiles(measured, findings, golden_only), golden_only=golden_only,
        rate_text=sections.rate_text(measured, findings, worst, golden_only),
        rate_caption=sections.rate_caption(findings, golden_only),
        confusion=_table(matrix) if 0 < len(matrix["labels"]) <= TABLE_CLASSES else None,
        unanswered=worst is not None and worst["unanswered"] > 0,
        mistakes=mistakes(measured, worst), servers=[sections.row(measured, server) for server in measured["servers"]],
        others=others, environment=sections.environment(measured),
        plots=_drawn(drawings(measured, findings, worst, matrix, others, golden_only)),
    )
    return text


def _server(measured: Facts, title: str) -> Facts | None:
    """The server that decides, else the first."""
    servers: list[Facts] = measured["servers"]
    return next((server for server in servers if server["title"] == title), servers[0] if servers else None)


def _drawn(wanted: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
    """Each of PLOTS as SVG, None where there is none."""
    made: dict[str, Any] = dict.fromkeys(plots.NAMES)
    for name, drawing in wanted.items():
        svg = plots.drawn(name, *drawing)
        made[name] = svg and markup(svg)
    return made


def _table(matrix: Facts) -> Facts:
    """The confusion matrix as rows of cells. Mistakes are shaded apart, or the many right answers would hide them."""
    labels, counts = [shown(label) for label in matrix["labels"]], matrix["counts"]
    size = range(len(labels))
    most = {
        True: max((counts[row][row] for row in size), default=0) or 1,
        False: max((counts[row][column] for row in size for column in size if row != column), default=0) or 1,
    }
    rows = []
    for row in size:
        cells = []
        for column in size:
            count, same = counts[row][column], row == column
            share = "%.2f" % (0.12 + 0.43 * count / most[same]) if count else ""
            cells.append({"count": count, "class": "same" if same and count else "" if count else "none", "share": share})
        rows.append((labels[row], cells))
    return {"labels": labels, "rows": rows}


def summary(measured: Facts, findings: Facts) -> Facts:
    """What the index of a folder needs to know of one report; it stands in the report itself."""
    times = [server["latency_ms"] for server in sections.counting(measured) if server["latency_ms"]]
    return {
        "model": measured["model"], "release": measured["release"],
        # Without a release the servers' addresses say whose report it is.
        "namespace": measured["namespace"] if measured["release"] else None,
        "address": None if measured["release"] else ", ".join(server["title"] for server in measured["servers"])[:ADDRESS_LENGTH],
        "passed": bool(findings["passed"]), "failure": (findings["failure"] or "")[:FAILURE_LENGTH],
        "version": findings["version"], "error_rate": findings["error_rate"], "interval": list(findings["interval"] or ()),
        "agreement": findings["agreement"], "at": measured["at"],
        "p50": max((time["p50"] for time in times), default=None), "p99": max((time["p99"] for time in times), default=None),
    }
