# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what was measured to what a person reads: which thresholds were crossed, by whom, and what that is worth. Pure.

The server that did worst decides. A number counts as it is printed. Where the limit lies within what so many tests can
tell, that is said; it does not change the verdict.
"""
from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.comparison import (
    Measured,
    Result,
    agreement,
    compare,
    disagreeing,
    result_of,
    shifted,
)
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.statistics import Interval, percent, wilson
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.pods import several

LATENCIES = ("p50", "p90", "p99", "max")
MOST_CLASSES = 50  # in a table that a person can read
MOST_CONFUSED = 10
MOST_SERVERS = 4  # in the summary

Options = dict[str, Any]
Findings = dict[str, Any]
Changes = dict[str, Any]  # from one result to another, as compare() has them
Entry = dict[str, Any]
Servers = Sequence[Measured]
Share = tuple[Measured, int, float]  # a server, how many of its answers, which are so many percent


class Judged(NamedTuple):
    """One limit and what came of it."""

    entry: Entry  # for the result
    code: str
    sentence: str | None  # why it fails the check, None where it is kept


class Words(NamedTuple):
    """For a limit of a share."""

    key: str
    name: str
    title: str
    bound: str
    beyond: str
    code: str


ADDRESS_DIFFERS = "address_differs"
ERROR_RATE = Words("max_error_rate", "error rate", "Inference error rate", "at most", "over", "error_rate_exceeded")
AGREEMENT = Words("min_agreement", "agreement", "Agreement with golden", "at least", "under", "agreement_too_low")


def judge(options: Options, measured: Measured, previous: Result | None = None, stable: Result | None = None) -> Findings:
    """The findings. options: those of the module. previous, stable: earlier results that history keeps, or None."""
    counted = [server for server in measured["servers"] if server["counts"]]
    answered = [server for server in counted if server["answered"]]
    worst = max(counted, key=_badness)
    message = _message(measured, worst)
    now = result_of(measured, worst, message, False)
    difference, unjudged = _against_stable(options, now, stable)
    judged = [_failed_requests(options, measured, counted)]
    if answered:
        judged += _limits(options, measured, answered)
    if options["max_difference"] is not None and difference and difference["points"] is not None:
        judged.append(_difference(options["max_difference"], difference))
    noisy = [] if measured["alone"] else [one for one in judged if one.code == "too_slow" and one.sentence]
    judged = [one for one in judged if one not in noisy]
    crossed = [*_problems(counted), *((one.code, one.sentence) for one in judged if one.sentence)]
    versions = {server["version"] for server in counted}
    pods = [server for server in counted if server["pod"]]
    # What all pods keep and the address does not may be another server's.
    if crossed and pods and len(pods) < len(counted) and judge(options, {**measured, "servers": pods}, previous, stable)["passed"]:
        crossed[0] = (ADDRESS_DIFFERS, crossed[0][1])
    findings = {
        "passed": not crossed, "code": crossed[0][0] if crossed else None, "message": message,
        "failure": ". ".join(sentence for _code, sentence in crossed) + "." if crossed else None,
        "warnings": [*_remarks(options, measured), *unjudged, *map(_noisy, noisy)],
        "error_rate": now["error_rate"], "interval": now["interval"],
        "wrong": worst["wrong"], "unanswered": worst["unanswered"], "worst": worst["title"],
        "version": versions.pop() if len(versions) == 1 else None,
        "agreement": min((agreement(server) or 0.0 for server in answered), default=None) if measured["golden"] else None,
        "thresholds": [one.entry for one in judged],
        "confusion": _confusion(measured, worst), "confused": _confused(measured, worst),
        "comparison": compare(now, previous) if previous else None, "difference": difference,
    }
    return {**findings, "sentence": _sentence(findings, counted, judged)}


def _error_rate_of(server: Measured) -> float | None:
    return None if server["wrong"] is None else percent(server["wrong"], server["answered"])


def _badness(server: Measured) -> tuple[bool, float, float, int]:
    return (
        not server["answered"], _error_rate_of(server) or 0, percent(disagreeing(server), server["answered"]) or 0,
        server["unanswered"],
    )


def _message(measured: Measured, server: Measured) -> str:
    unknown = "unknown, no test was answered"
    if measured["expected"] is not None:
        return "Inference error rate: %s" % (_percent(_error_rate_of(server)) if server["answered"] else unknown)
    return "Agreement with golden: %s" % (_percent(agreement(server)) if server["answered"] else unknown)


def _percent(rate: float | None) -> str:
    return "unknown" if rate is None else "%.1f%%" % rate


def _version(server: Measured) -> str:
    return "unknown version" if server["version"] is None else "version %d" % server["version"]


# --- what fails a check; in the order of their severity ---

def _problems(servers: Servers) -> list[tuple[str, str]]:
    """[(code, sentence)] of the servers that could not be asked, or were not what they should be."""
    problems = [(server, server["problem"]["message"]) for server in servers if server["problem"]]
    if not problems:
        return []
    return [(problems[0][0]["problem"]["code"], "The inference check failed: " + _by_server(problems))]


def _by_server(sentences: Iterable[tuple[Measured, str]]) -> str:
    """Sentences about servers, each once with the servers that it is true of."""
    titles = collections.defaultdict(list)
    for server, sentence in sentences:
        titles[sentence].append(server["title"])
    return several(["%s: %s" % (several(names, ", "), sentence) for sentence, names in titles.items()])


def _failed_requests(options: Options, measured: Measured, servers: Servers) -> Judged:
    limit = options["max_failed_requests"]
    failed = [(server, sum(server["errors"].values())) for server in servers]
    # A server is given up after some failures: what was not sent to it has failed too.
    over = [
        server for server, number in failed
        if number > limit or server["unanswered"] > number * measured["batch_size"]
        or (number and not server["answered"])
    ]
    # Where nothing could be sent, the problem says so.
    over = [server for server in over if server["errors"] or not server["problem"]]
    most = max(number for _server, number in failed)
    return Judged(
        _entry("max_failed_requests", "failed requests", "at most %d" % limit, "%d" % most, most, limit, not over),
        "requests_failed",
        "The inference check failed: " + _by_server([(server, _failures(server, measured)) for server in over]) if over else None,
    )


def _failures(server: Measured, measured: Measured) -> str:
    codes = ", ".join("%d %s" % (number, code) for code, number in sorted(server["errors"].items()))
    return "%d of %d tests got no answer (of %d requests failed: %s; the first: %s)" % (
        server["unanswered"], measured["tests"], server["requests"], codes or "none", server["first_error"],
    )


def _limits(options: Options, measured: Measured, servers: Servers) -> Iterator[Judged]:
    """What is judged of servers that answered."""
    if measured["expected"] is not None:
        limit = options["max_error_rate"]
        shares = [(server, server["wrong"], _error_rate_of(server) or 0.0) for server in servers]
        yield _share(ERROR_RATE, limit, max(shares, key=_percents), [one for one in shares if one[2] > limit])
    if measured["golden"]:
        limit = options["min_agreement"]
        shares = [(server, server["agreed"], agreement(server) or 0.0) for server in servers]
        yield _share(AGREEMENT, limit, min(shares, key=_percents), [one for one in shares if one[2] < limit])
    for name in LATENCIES:
        if name in options["max_latency_ms"]:
            yield _latency(name, float(options["max_latency_ms"][name]), servers)  # as it was written, in a mapping
    if options["min_rate"] is not None:
        yield _rate(options["min_rate"], servers)


def _percents(share: Share) -> float:
    return share[2]


def _share(words: Words, limit: float, worst: Share, crossed: Sequence[Share]) -> Judged:
    """A percentage of the answers and its limit. worst: of all servers; crossed: what lies beyond the limit."""
    server, count, rate = worst
    noise = _noise(limit, wilson(count, server["answered"]), "%d tests" % server["answered"], "%.1f%% to %.1f%%")
    sentence = None
    if crossed:
        rates = [(one, "%s, %s%s" % (_percent(value), _version(one), _not_finite(one))) for one, _count, value in crossed]
        sentence = "%s: %s is %s check_%s (%g%%) on %s%s" % (
            words.title, _percent(rate), words.beyond, words.key, limit, _by_server(rates),
            "; %s the limit, but %s" % (words.beyond, noise) if noise else "",
        )
    text = "%s %g%%" % (words.bound, limit)
    return Judged(_entry(words.key, words.name, text, _percent(rate), rate, limit, not crossed, noise), words.code, sentence)


def _noise(limit: float, interval: Interval | None, tests: str, form: str) -> str:
    """What is to be said where a limit lies within an interval, else nothing."""
    if interval is None or not interval[0] < limit < interval[1]:
        return ""
    return "within what %s can tell (%s): more tests (check_tests) would tell" % (tests, form % tuple(interval))


def _not_finite(server: Measured) -> str:
    return " (%d answers hold NaN or infinity)" % server["not_finite"] if server["not_finite"] else ""


def _latency(name: str, limit: float, servers: Servers) -> Judged:
    figures = [(server, (server["latency_ms"] or {}).get(name)) for server in servers]
    over = [(server, _milliseconds(value)) for server, value in figures if value is None or value > limit]
    slowest = max((value for _server, value in figures if value is not None), default=None)
    return Judged(
        _entry("max_latency_ms." + name, name, "at most %g ms" % limit, _milliseconds(slowest), slowest, limit, not over),
        "too_slow",
        "Latency: %s %s is over check_max_latency_ms (%s: %g) on %s" % (
            name, _milliseconds(slowest), name, limit, _by_server(over)) if over else None,
    )


def _noisy(judged: Judged) -> str:
    """Of a latency over its limit. One that is kept is kept, whoever else asks."""
    return (
        "check_max_latency_ms is not judged (%s, %s): other checks of this run asked at the same time, and went on. Check this"
        " model alone (--limit), or fewer at a time (--forks)." % (judged.entry["measured"], judged.entry["limit"])
    )


def _milliseconds(value: float | None) -> str:
    return "was not measured" if value is None else "%g ms" % value


def _rate(limit: float, servers: Servers) -> Judged:
    rates = [(server, round(server["rate"], 1)) for server in servers]
    slowest = min(rate for _server, rate in rates)
    under = [(server, "%.1f, %s" % (rate, _version(server))) for server, rate in rates if rate < limit]
    return Judged(
        _entry("min_rate", "rate", "at least %g per second" % limit, "%.1f per second" % slowest, slowest, limit, not under),
        "rate_too_low",
        "Rate: %.1f requests per second is under check_min_rate (%g) on %s" % (
            slowest, limit, _by_server(under)) if under else None,
    )


def _against_stable(options: Options, now: Result, stable: Result | None) -> tuple[Changes | None, list[str]]:
    """(comparison with the result of the version now stable, or None; what is to be said where there is none)"""
    version = options["stable_version"]
    if version is None or version == now["version"]:
        return None, []
    difference = compare(now, stable) if stable else None
    if options["max_difference"] is None or (difference and not difference["differs"]):
        return difference, []
    return difference, [
        "check_max_difference is not judged: %s. playbooks/check.yml with the same check_* variables makes such a result"
        " while version %d serves." % (
            "the result that is kept of version %d, which is stable, is not comparable (%s)"
            % (version, ", ".join(difference["differs"]))
            if difference else "no result is kept of version %d, which is stable" % version, version,
        )
    ]


def _difference(limit: float, difference: Changes) -> Judged:
    points = difference["points"]
    noise = _noise(limit, difference["points_interval"], "these tests", "%+.1f to %+.1f points")
    sentence = None
    if points > limit:
        sentence = "Difference from version %d, which is stable: %+.1f percentage points is over check_max_difference (%g)%s" % (
            difference["version"], points, limit, "; over the limit, but " + noise if noise else "",
        )
    entry = _entry(
        "max_difference", "difference", "at most %+g points" % limit, "%+.1f points" % points, points, limit, not sentence, noise,
    )
    return Judged(entry, "worse_than_stable", sentence)


def _entry(
    key: str, name: str, limit: str, measured: str, value: float | None, bound: float, passed: bool, noise: str = ""
) -> Entry:
    """noise: what is to be said where the limit lies within it."""
    return {
        "key": key, "name": name, "limit": limit, "measured": measured, "value": value, "bound": bound, "passed": passed,
        "within_noise": bool(noise), "noise": noise,
    }


def _remarks(options: Options, measured: Measured) -> Iterator[str]:
    """What is no failure, but should be known."""
    for server in measured["servers"]:
        if not server["counts"]:
            yield "The Service's address is not checked, this controller cannot reach it: %s: %s." % (
                server["title"], server["problem"]["message"] if server["problem"] else "it did not answer",
            )
        if len(server["versions"]) > 1:
            yield "%s: versions %s answered during the check." % (
                server["title"], " and ".join(str(version) for version in sorted(server["versions"])),
            )
        if options["expected_version"] is not None and server["requests"] and not server["versions"]:
            yield "%s does not say which version answers." % server["title"]
        if measured["kind"] == "classes" and shifted(measured["expected"], server["given"]):
            yield "%s: most answers are the label %+d: labels and model seem to count classes from different numbers." % (
                server["title"], shifted(measured["expected"], server["given"]))


def _sentence(findings: Findings, counted: Servers, judged: Sequence[Judged]) -> str:
    """The verdict in one sentence."""
    shown = [one.entry for one in judged if one.entry["key"] != "max_failed_requests" or not one.entry["passed"]]
    if not findings["passed"]:
        problems = [(server, server["problem"]["message"]) for server in counted if server["problem"]]
        why = [_by_server(problems)] if problems else []
        return "Failed: %s." % ", ".join(why + [_limited(entry) for entry in shown if not entry["passed"]])
    close = next(("; the %s keeps its limit, but %s" % (entry["name"], entry["noise"]) for entry in shown if entry["noise"]), "")
    return "Passed: %s%s." % (", ".join(_limited(entry) for entry in shown), close)


def _limited(entry: Entry) -> str:
    return "%s %s (%s)" % (entry["name"], entry["measured"], entry["limit"])


# --- which answers are taken for which ---

def pairs(measured: Measured, server: Measured) -> collections.Counter[tuple[Any, Any]]:
    """Counter of (expected, given) where answers are classes."""
    if measured["kind"] != "classes" or measured["expected"] is None:
        return collections.Counter()
    raw = collections.Counter(zip(measured["expected"], server["given"] or ()))
    counts: collections.Counter[tuple[Any, Any]] = collections.Counter()  # each pair made plain once: tests are many, pairs few
    for (expected, given), count in raw.items():
        if given is not None:
            counts[_plain(expected), _plain(given)] += count
    return counts


def _plain(name: Any) -> str | int:
    """A class as JSON has it: numpy's numbers and bytes are none of its types."""
    if isinstance(name, bytes):
        return name.decode(errors="replace")
    return name if isinstance(name, str) else int(name)


def _confusion(measured: Measured, server: Measured) -> dict[str, Any] | None:
    counts = pairs(measured, server)
    labels = sorted({name for pair in counts for name in pair}, key=lambda name: (isinstance(name, str), name))
    if not labels or len(labels) > MOST_CLASSES:
        return None
    return {"labels": labels, "counts": [[counts[expected, given] for given in labels] for expected in labels]}


def _confused(measured: Measured, server: Measured) -> list[dict[str, Any]]:
    wrong = {pair: count for pair, count in pairs(measured, server).items() if pair[0] != pair[1]}
    most = sorted(wrong, key=lambda pair: (-wrong[pair], str(pair)))[:MOST_CONFUSED]
    return [{"expected": expected, "given": given, "count": wrong[expected, given]} for expected, given in most]


# --- for people and programs ---

def summary(measured: Measured, findings: Findings) -> list[str]:
    """At most ten lines, the verdict first."""
    return list(_lines(measured, findings))


def _lines(measured: Measured, findings: Findings) -> Iterator[str]:
    yield findings["sentence"]
    yield findings["message"] + _certainty(measured, findings)
    servers = sorted(measured["servers"], key=lambda server: (bool(server["problem"]), _badness(server)), reverse=True)
    more = len(servers) - MOST_SERVERS
    for number, server in enumerate(servers[:MOST_SERVERS], 1):
        yield _line(server, measured) + ("; and %d more" % more if number == MOST_SERVERS and more > 0 else "")
    timed = [server for server in servers if server["latency_ms"]]
    if timed:
        slowest = max(timed, key=lambda server: server["latency_ms"]["p50"])
        yield "One request at a time took %s; %d at once, %d tests each: %.0f requests per second (%.0f tests)" % (
            ", ".join("%g ms (%s)" % (slowest["latency_ms"][name], name) for name in LATENCIES),
            measured["concurrency"], measured["batch_size"], slowest["rate"], slowest["tests_per_second"],
        )
    if findings["confused"]:
        yield "Most frequent confusions: " + ", ".join(
            "%s taken for %s (%d)" % (_short(pair["expected"]), _short(pair["given"]), pair["count"])
            for pair in findings["confused"][:5]
        )
    compared = findings["difference"] or findings["comparison"]
    if compared:
        yield compared["text"]
    if findings.get("report"):
        yield "Report: " + findings["report"]


def _certainty(measured: Measured, findings: Findings) -> str:
    """Behind the message: what the number is worth, what it may be, and the other number."""
    parts = []
    if findings["interval"]:
        parts.append("%.1f%% to %.1f%% with 95%% confidence" % tuple(findings["interval"]))
    limits = {entry["key"]: entry for entry in findings["thresholds"]}
    labelled = measured["expected"] is not None
    own = limits.get("max_error_rate" if labelled else "min_agreement")
    if own:
        parts.append("limit " + own["limit"])
    text = " (%s)" % ", ".join(parts) if parts else ""
    if labelled and "min_agreement" in limits:
        text += "; agreement with golden: %s (limit %s)" % (
            limits["min_agreement"]["measured"], limits["min_agreement"]["limit"],
        )
    return text


def _line(server: Measured, measured: Measured) -> str:
    if server["problem"]:
        return "%s: %s" % (server["title"], server["problem"]["message"])
    if measured["expected"] is not None:
        counts = "%s, %d of %d tests wrong" % (_percent(_error_rate_of(server)), server["wrong"], measured["tests"])
    else:
        counts = "%s, %d of %d tests disagree" % (_percent(agreement(server)), disagreeing(server), measured["tests"])
    return "%s, %s%s: %s, %d unanswered" % (
        server["title"], _version(server), " " + server["state"] if server["state"] else "", counts, server["unanswered"],
    )


def _short(name: str | int) -> str:
    text = str(name)
    return text if len(text) <= 20 else text[:17] + "..."


def result(measured: Measured, findings: Findings) -> dict[str, Any]:
    """What the module returns, plain data."""
    reports = [(server, _report(server)) for server in measured["servers"]]
    rates = [server["rate"] for server in measured["servers"] if server["counts"] and server["rate"] is not None]
    return {
        **{
            key: findings[key] for key in (
                "message", "error_rate", "interval", "agreement", "wrong", "unanswered", "version", "thresholds", "confused",
                "comparison", "difference",
            )
        },
        "summary": summary(measured, findings), "tests": measured["tests"],
        "rate": round(min(rates), 1) if rates else None, "report": findings.get("report"),
        "replicas": [report for server, report in reports if server["pod"]],
        "address": next((report for server, report in reports if not server["pod"]), None),
    }


def _report(server: Measured) -> dict[str, Any]:
    """What is returned of one server."""
    same = ("version", "state", "wrong", "not_finite", "unanswered", "requests", "errors", "latency_ms")
    return {
        "pod" if server["pod"] else "address": server["pod"] or server["address"],
        **{key: server[key] for key in same},
        "error_rate": _error_rate_of(server), "agreement": agreement(server),
        "rate": None if server["rate"] is None else round(server["rate"], 1),
        "problem": server["problem"]["message"] if server["problem"] else None,
    }
