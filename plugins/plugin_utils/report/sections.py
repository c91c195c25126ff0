# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the sections of the report say, in words and numbers."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.comparison import agreement
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.statistics import percent as share
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report.words import figures, interval, percent, version

Facts = dict[str, Any]
LATENCIES = ("p50", "p90", "p99", "max")


def counting(measured: Facts) -> list[Facts]:
    """The servers that the verdict is about."""
    return [server for server in measured["servers"] if server["counts"]]


def versions(measured: Facts) -> str:
    """All that answered."""
    numbers = sorted({number for server in counting(measured) for number in server["versions"]})
    return "versions " + " and ".join(map(str, numbers)) if len(numbers) > 1 else version(numbers[0] if numbers else None)


def error_rate(server: Facts) -> float | None:
    return None if server["right"] is None else share(server["wrong"], server["answered"])


def tiles(measured: Facts, findings: Facts, golden_only: bool) -> list[tuple[str, Any, str | None]]:
    """(name, value, and what there is to add)"""
    servers = counting(measured)
    several = len(servers) > 1
    made: list[tuple[str, Any, str | None]] = []
    if not golden_only:
        bounds = findings["interval"]
        made.append(("Error rate", percent(findings["error_rate"]), "95% interval " + interval(bounds) if bounds else None))
    if findings["agreement"] is not None:
        made.append(("Agreement with golden", percent(findings["agreement"]), None))
    wrong = "" if golden_only else "%s wrong, " % (findings["wrong"] or 0)
    made.append(("Tests", measured["tests"], "%s%d unanswered" % (wrong, findings["unanswered"])))
    timed = [server["latency_ms"] for server in servers if server["latency_ms"]]
    if timed:
        slowest = max(timed, key=lambda times: times["p99"])
        made.append(("Latency, p50", figures(slowest["p50"]) + " ms", "p99 %s ms%s" % (
            figures(slowest["p99"]), ", the slowest server" if several else "",
        )))
    speeds = [server["tests_per_second"] for server in servers if server["tests_per_second"]]
    if speeds:
        made.append(("Throughput", "%.0f tests/s" % min(speeds), "the slowest server" if several else None))
    return [*made, ("Servers", len(servers), versions(measured))]


def rate_text(measured: Facts, findings: Facts, worst: Facts | None, golden_only: bool) -> str | None:
    """The paragraph on the error rate, or on the agreement where there are no labels."""
    if worst is None:
        return None
    among = len(counting(measured))
    whose = worst["title"] + (" (the worst of %d servers)" % among if among > 1 else "")
    if golden_only:
        return "%s of %s answers of %s are the recorded ones." % (worst["agreed"], worst["answered"], whose)
    if findings["error_rate"] is None:
        return "Unknown: %s." % ("no test was answered" if not worst["answered"] else "the dataset has no labels")
    sentences = ["%d of %d answers of %s are wrong." % (worst["wrong"], worst["answered"], whose)]
    if worst["not_finite"]:
        sentences.append("%d of them hold NaN or infinity." % worst["not_finite"])
    if worst["unanswered"]:
        sentences.append("%d tests got no answer and do not count here." % worst["unanswered"])
    if findings["interval"]:
        sentences.append("%d answers leave the model's true error rate between %s (95%% interval)." % (
            worst["answered"], interval(findings["interval"]).replace(" to ", " and "),
        ))
    return " ".join(sentences)


def rate_caption(findings: Facts, golden_only: bool) -> str:
    limits = {threshold["key"] for threshold in findings["thresholds"]}
    limited = ("min_agreement" if golden_only else "max_error_rate") in limits
    return "The dot is what was measured%s%s." % (
        ", the bar its 95% interval" if findings["interval"] else "", ", the dashed line the limit" if limited else "",
    )


def row(measured: Facts, server: Facts) -> Facts:
    """A server's row in the table."""
    times = server["latency_ms"] or {}
    numbers = [percent(error_rate(server))]
    if measured["golden"]:
        numbers.append(percent(agreement(server)))
    numbers += [
        "%s of %s" % (server["answered"], measured["tests"]), "-" if server["wrong"] is None else server["wrong"],
        *(figures(times.get(name)) for name in LATENCIES),
        "%.0f" % server["tests_per_second"] if server["tests_per_second"] else "-",
    ]
    known = server["versions"] if len(server["versions"]) > 1 else [server["version"]]
    names = " and ".join("-" if number is None else str(number) for number in known)
    return {
        "title": server["title"], "counts": server["counts"], "version": " ".join(filter(None, [names, server["state"]])),
        "numbers": numbers, "notes": "; ".join(_notes(server)),
    }


def _notes(server: Facts) -> list[str]:
    """What went wrong with it."""
    notes = [server["problem"]["message"]] if server["problem"] else []
    if server["errors"]:
        notes.append("failed requests: " + ", ".join("%d %s" % (count, code) for code, count in sorted(server["errors"].items())))
    if server["first_error"]:
        notes.append("the first: " + server["first_error"])
    return notes


def others(findings: Facts) -> list[Facts]:
    """The last result and the stable version's, as the verdict compared them with this one."""
    made = [
        _other(findings[key], title) for key, title in (("comparison", "The last result"), ("difference", "The stable version"))
        if findings[key]
    ]
    if len(made) == 2 and made[0]["name"] == made[1]["name"]:
        made[0]["name"] += ", last"
        made[1]["name"] += ", stable"
    return made


def _other(other: Facts, title: str) -> Facts:
    facts = [
        ("Measured", other["at"]),
        ("Error rate then", percent(other["error_rate"])),
        ("Agreement then", percent(other["agreement"])),
        ("Now", _points(other)),
        ("Newly wrong", other["newly_wrong"]),
        ("Newly right", other["newly_right"]),
        ("p-value", _chance(other["p_value"])),
    ]
    return {
        **other, "title": "%s, %s" % (title, version(other["version"])),
        "name": title.lower() if other["version"] is None else version(other["version"]),
        "facts": [(name, value) for name, value in facts if value not in (None, "-")],
    }


def _points(other: Facts) -> str | None:
    if other["points"] is None:
        return None
    text = "%.1f points %s" % (abs(other["points"]), "worse" if other["points"] > 0 else "better") if other["points"] else "the same"
    if other["points_interval"]:
        text += ", 95%% interval of the difference %+.1f to %+.1f" % tuple(other["points_interval"])
    return text + (", within noise" if other["within_noise"] else "")


def _chance(p_value: float | None) -> str | None:
    if p_value is None:
        return None
    return "%s (exact McNemar test)" % ("below 0.001" if p_value < 0.001 else "%.2g" % p_value)


def environment(measured: Facts) -> list[tuple[str, Any]]:
    """With what was measured."""
    golden, method = measured["golden"], measured["method"]
    facts: Sequence[tuple[str, Any]] = (
        ("Model", measured["model"]),
        ("Signature", measured["signature"] + (" (%s)" % method if method else "")),
        ("Release", "%s in namespace %s" % (measured["release"], measured["namespace"]) if measured["release"] else None),
        ("Date", measured["at"]),
        ("Dataset", measured["dataset"]["location"]),
        ("Its digest", measured["dataset"]["digest"]),
        ("Golden answers", "%s, of version %s, recorded %s" % (
            golden["location"], golden["version"], golden["recorded"],
        ) if golden else None),
        ("Tests", measured["tests"]),
        ("Tests in a request", measured["batch_size"]),
        ("Requests at one time", measured["concurrency"]),
        ("Libraries", ", ".join("%s %s" % pair for pair in sorted(measured["environment"].items()) if pair[1])),
    )
    return [(name, value) for name, value in facts if value is not None]
