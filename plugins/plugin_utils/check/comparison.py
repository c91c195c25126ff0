# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The small result of a check that is kept, and what another one differs in. Pure.

Both were asked the same tests, so it is known which of them changed: that tells far more than two error rates do.
"""
from __future__ import annotations

import base64
import binascii
import collections
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.statistics import (
    CHANCE,
    mcnemar,
    paired_interval,
    percent,
    unpaired_interval,
    wilson,
)

LEAST_SHIFTED = 20  # tests; of fewer, chance may have made the most of them
MOST_BITS = 20000  # tests; more would be too much for a ConfigMap

Result = dict[str, Any]  # what is kept of a check: plain data, as result_of() makes it
Measured = dict[str, Any]  # by the measurement; and the part of one server in it


def result_of(measured: Measured, server: Measured, message: str, passed: bool) -> Result:
    """That of the server which decided."""
    labelled = measured["expected"] is not None
    right, wrong = (server["right"], server["wrong"]) if labelled else (server["agrees"], disagreeing(server))
    return {
        "version": server["version"], "at": measured["at"], "passed": passed, "message": message,
        "error_rate": percent(server["wrong"], server["answered"]) if labelled else None,
        "interval": wilson(server["wrong"], server["answered"]) if labelled else None,
        "agreement": agreement(server), "of": "labels" if labelled else "golden",
        "wrong": wrong, "answered": server["answered"], "tests": measured["tests"],
        "dataset": measured["dataset"]["digest"], "signature": measured["signature"], "golden": _golden(measured),
        "latency_ms": server["latency_ms"], "rate": server["rate"],
        "bits": pack(right) if right is not None and not server["unanswered"] else None,
    }


def agreement(server: Measured) -> float | None:
    return None if server["agreed"] is None else percent(server["agreed"], server["answered"])


def disagreeing(server: Measured) -> int:
    return 0 if server["agreed"] is None else int(server["answered"] - server["agreed"])


def _golden(measured: Measured) -> dict[str, Any] | None:
    """What a golden file is known by: its path may be another one tomorrow."""
    golden = measured["golden"]
    return None if golden is None else {"version": golden["version"], "recorded": golden["recorded"]}


def shifted(expected: Sequence[Any] | None, given: Sequence[Any] | None) -> int:
    """1 or -1 where nearly every answer is just that beside its label, as where one of the two counts from 1; else 0."""
    pairs = [pair for pair in zip(expected or (), given or ()) if all(isinstance(one, int) for one in pair)]
    if len(pairs) < LEAST_SHIFTED or len({label for label, dummy in pairs}) < 3:
        return 0
    apart = collections.Counter(answer - label for label, answer in pairs)
    return next((step for step in (1, -1) if apart[step] > 0.8 * len(pairs)), 0)


def pack(right: Sequence[int]) -> str | None:
    """Which of the tests were right, as text; None for more than are kept."""
    if len(right) > MOST_BITS:
        return None
    return base64.b64encode(zlib.compress(bytes(int(one == 1) for one in right), 9)).decode()


def unpack(text: str, tests: int) -> bytes:
    """One 0 or 1 a test; ValueError for anything else."""
    try:
        unpacked = zlib.decompressobj()
        bits = unpacked.decompress(base64.b64decode(text, validate=True), MOST_BITS + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(str(error)) from error
    if not unpacked.eof or len(bits) != tests or bits.strip(b"\0\1"):
        raise ValueError("it does not hold %d tests" % tests)
    return bits


def compare(now: Result, before: Result) -> dict[str, Any]:
    """What changed from one result to the other; both as result_of() made them."""
    changes: dict[str, Any] = {
        "version": before["version"], "at": before["at"], "differs": list(_differs(now, before)),
        "error_rate": before["error_rate"], "interval": before["interval"], "agreement": before["agreement"],
        "points": None, "points_interval": None,
        "newly_wrong": None, "newly_right": None, "p_value": None, "within_noise": None,
    }
    if not changes["differs"]:
        changes["points"] = round(_wrong(now) - _wrong(before), 1) + 0.0  # no -0.0
        if now["bits"] and before["bits"]:
            changes.update(_paired(unpack(now["bits"], now["tests"]), unpack(before["bits"], before["tests"])))
        else:
            interval = unpaired_interval(now["wrong"], now["answered"], before["wrong"], before["answered"])
            changes.update(points_interval=interval, within_noise=interval[0] <= 0 <= interval[1])
    return {**changes, "text": _text(changes, now, before)}


def _wrong(result: Result) -> float:
    return percent(result["wrong"], result["answered"]) or 0.0


def _paired(now: bytes, before: bytes) -> dict[str, Any]:
    newly_wrong = sum(was > is_now for was, is_now in zip(before, now))
    newly_right = sum(was < is_now for was, is_now in zip(before, now))
    p_value = mcnemar(newly_wrong, newly_right)
    return {
        "newly_wrong": newly_wrong, "newly_right": newly_right, "p_value": round(p_value, 4),
        "within_noise": p_value >= CHANCE, "points_interval": paired_interval(newly_wrong, newly_right, len(now)),
    }


def _differs(now: Result, before: Result) -> Iterator[str]:
    """Why two results cannot be compared."""
    if now["dataset"] != before["dataset"]:
        yield "other test data"
    if now["golden"] != before["golden"] and now["of"] == "golden":
        yield "another golden file"
    for key, text in (
        ("signature", "signature %s instead of %s"), ("tests", "%d tests instead of %d"), ("of", "judged by %s instead of %s"),
    ):
        if now[key] != before[key]:
            yield text % (now[key], before[key])
    if not (now["answered"] and before["answered"]):
        yield "nothing was answered"


def _text(changes: dict[str, Any], now: Result, before: Result) -> str:
    text = "Against %s of %s: " % (
        "a version that was not told" if before["version"] is None else "version %d" % before["version"],
        before["at"],
    )
    if changes["differs"]:
        return text + "not comparable, " + ", ".join(changes["differs"])
    text += "%+.1f points (%.1f%% %s then)" % (
        changes["points"], _wrong(before), "wrong" if now["of"] == "labels" else "disagreed",
    )
    if (changes["newly_wrong"], changes["newly_right"]) == (0, 0):
        return text + ", the same tests as then"
    if changes["newly_wrong"] is not None:
        text += ", %d tests newly wrong, %d newly right" % (changes["newly_wrong"], changes["newly_right"])
    text += ": within noise" if changes["within_noise"] else ": more than chance"
    return text + ("" if changes["p_value"] is None else " (p %s)" % (
        "below 0.001" if changes["p_value"] < 0.001 else "%.2g" % changes["p_value"]))
