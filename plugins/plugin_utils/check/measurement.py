# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All that was measured, as plain data: what the verdict, the history and the report are made of."""
from __future__ import annotations

import collections
import platform
from collections.abc import Sequence
from typing import Any, cast

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.answers import Expected
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.marks import row_of
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.questions import Questions
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.server import Server
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import channel

try:
    import numpy
except ImportError:
    pass  # the task has said so: it is one of its NEEDS

NO_ANSWER = ("unavailable", "deadline_exceeded")
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
PICTURE_LEAST = 4  # pixels a side

Measured = dict[str, Any]


def measured(questions: Questions, servers: Sequence[Server], alone: bool = True) -> Measured:
    """alone: whether no other check of this run asked while the latency was measured."""
    options, golden = questions.options, questions.golden
    expected = cast(Expected, questions.expected)  # None only where answers are recorded
    plan = next((server.plan for server in servers if server.plan), None)
    return {
        "model": options["model_name"], "release": options["release"], "namespace": options["namespace"],
        "signature": plan.signature if plan else options["signature"], "method": plan.method if plan else None,
        "at": questions.at, "tests": questions.tests,
        "dataset": {"location": questions.dataset.location, "digest": questions.dataset.digest},
        "golden": None if golden is None else {
            "location": golden.location, "version": golden.meta.get("version"), "recorded": golden.meta.get("recorded"),
            "answers": _plain(expected.golden),
        },
        "kind": "classes" if options["tolerance"] is None else "values",
        "expected": _plain(expected.labels),
        "pictures": _pictures(questions, plan),
        "batch_size": plan.batch if plan else options["batch_size"] or 0, "concurrency": options["concurrency"],
        "environment": {**channel.versions(), "python": platform.python_version(), "numpy": numpy.__version__},
        "alone": alone,
        "servers": [_of(server, questions, counts=_counts(server, servers)) for server in servers],
    }


def _plain(array: Any) -> list[Any] | None:
    return None if array is None else row_of(array).tolist()


def _counts(server: Server, servers: Sequence[Server]) -> bool:
    """Not the Service's address that this controller cannot reach, where there are replicas, which it can."""
    out_of_reach = server.problem is not None and server.problem.code in NO_ANSWER and not server.requests
    return not (server.pod is None and out_of_reach and any(other.pod for other in servers))


def _pictures(questions: Questions, plan: Any) -> Any:
    """What a person can look at: the column that is sent, if each test of it is a grey or coloured picture."""
    for column in plan.inputs[0].columns if plan and len(plan.inputs) == 1 else ():
        array = questions.dataset.columns[column]
        is_flat = array.ndim == 3 or (array.ndim == 4 and array.shape[3] in (1, 3))
        if array.dtype.kind in "uif" and is_flat and min(array.shape[1:3]) >= PICTURE_LEAST:
            return array
    return None


def _of(server: Server, questions: Questions, counts: bool) -> Measured:
    """One server's part."""
    marks = server.marks
    right, agrees = (marks.right, marks.agrees) if marks else (None, None)
    first = server.sent[0].start if server.sent else 0
    requests = sum(one.ok for one in server.sent)
    lasted = max(one.start + one.seconds for one in server.sent) - first if requests else 0
    return {
        "title": server.title, "pod": server.pod, "address": None if server.pod else server.options["address"], "counts": counts,
        "version": max(server.versions, default=None), "versions": sorted(server.versions), "state": server.state,
        "problem": server.problem and {"message": _clause(server.problem), "code": server.problem.code},
        "answered": server.answered, "unanswered": questions.tests - server.answered,
        "wrong": None if right is None else int((right == 0).sum()),
        "agreed": None if agrees is None else int((agrees == 1).sum()),
        "not_finite": marks.not_finite if marks else 0,
        "errors": dict(collections.Counter(error.details.get("status", error.code.upper()) for error in server.errors)),
        "first_error": _clause(server.errors[0]) if server.errors else None,
        "requests": server.requests,
        "right": right, "agrees": agrees,
        "given": marks.given.tolist() if marks else None, "score": marks.score if marks else None,
        "timeline": [(one.start - first, one.seconds, one.tests, one.ok) for one in server.sent],
        "singles": server.singles, "latency_ms": _latency(server.singles),
        "rate": requests / lasted if lasted else None, "tests_per_second": server.answered / lasted if lasted else None,
    }


def _clause(error: Error) -> str:
    """To stand within a sentence. What servers say ends with a full stop, or not."""
    return error.message.rstrip(".")


def _latency(seconds: Sequence[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    # As numpy.percentile() has it, whose first call imports numpy.ma: 60 ms of CPU time.
    values = numpy.interp(list(PERCENTILES.values()), numpy.linspace(0, 1, len(seconds)), sorted(seconds))
    return {name: round(1000 * float(value), 1) for name, value in zip(PERCENTILES, values)}
