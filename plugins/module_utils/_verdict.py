# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what was measured to what a person reads: which thresholds were crossed, by whom, and what that is worth. Pure.

The server that did worst decides. A number counts as it is printed. Where the limit lies within what so many tests can
tell, that is said; it does not change the verdict.
"""
from __future__ import annotations

import collections

from ansible_collections.mlops.tf_serving.plugins.module_utils._comparison import agreement, compare, disagreeing, result_of
from ansible_collections.mlops.tf_serving.plugins.module_utils._replicas import several
from ansible_collections.mlops.tf_serving.plugins.module_utils._statistics import percent, wilson

LATENCIES = ("p50", "p90", "p99", "max")
MOST_CLASSES = 50  # in a table that a person can read
MOST_CONFUSED = 10
MOST_SERVERS = 4  # in the summary
WIDTH = 160  # of a line in it

# One limit and what came of it. entry: for the result. sentence: why it fails the check, None where it is kept.
Judged = collections.namedtuple("Judged", "entry code sentence")


def judge(options, measured, previous=None, stable=None):
    """The findings. options: those of the module. previous, stable: earlier results that history keeps, or None."""
    counted = [server for server in measured["servers"] if server["counts"]]
    answered = [server for server in counted if server["answered"]]
    worst = max(counted, key=_badness)
    labelled = measured["expected"] is not None
    message = _message(measured, worst)
    now = result_of(measured, worst, message, False)
    difference, unjudged = _against_stable(options, now, stable)
    judged = [
        *_failed_requests(options, measured, counted),
        *(_error_rate(options, answered) if labelled and answered else ()),
        *(_agreement(options, answered) if measured["golden"] and answered else ()),
        *_latencies(options, answered),
        *(_rate(options, answered) if options["min_rate"] is not None and answered else ()),
        *(_difference(options, difference) if options["max_difference"] is not None and difference else ()),
    ]
    crossed = [*_problems(counted), *((one.code, one.sentence) for one in judged if one.sentence)]
    versions = {server["version"] for server in counted}
    findings = {
        "passed": not crossed, "code": crossed[0][0] if crossed else None, "message": message,
        "failure": ". ".join(sentence for _code, sentence in crossed) + "." if crossed else None,
        "warnings": [*_remarks(options, measured), *unjudged],
        "error_rate": now["error_rate"], "interval": now["interval"],
        "wrong": worst["wrong"], "unanswered": worst["unanswered"], "worst": worst["title"],
        "version": versions.pop() if len(versions) == 1 else None,
        "agreement": min((agreement(server) for server in answered), default=None) if measured["golden"] else None,
        "thresholds": [one.entry for one in judged],
        "confusion": _confusion(measured, worst), "confused": _confused(measured, worst),
        "comparison": compare(now, previous) if previous else None, "difference": difference,
    }
    return {**findings, "sentence": _sentence(findings, counted, judged)}


def _error_rate_of(server):
    return None if server["wrong"] is None else percent(server["wrong"], server["answered"])


def _badness(server):
    return (
        not server["answered"], _error_rate_of(server) or 0, percent(disagreeing(server), server["answered"]) or 0,
        server["unanswered"],
    )


def _message(measured, server):
    unknown = "unknown, no test was answered"
    if measured["expected"] is not None:
        return "Inference error rate: %s" % (_percent(_error_rate_of(server)) if server["answered"] else unknown)
    return "Agreement with golden: %s" % (_percent(agreement(server)) if server["answered"] else unknown)


def _percent(rate):
    return "unknown" if rate is None else "%.1f%%" % rate


def _version(server):
    return "unknown version" if server["version"] is None else "version %d" % server["version"]


# --- what fails a check; in the order of their severity ---

def _problems(servers):
    """[(code, sentence)] of the servers that could not be asked, or were not what they should be."""
    problems = [(server, server["problem"]["message"]) for server in servers if server["problem"]]
    if not problems:
        return []
    return [(problems[0][0]["problem"]["code"], "The inference check failed: " + _told(problems))]


def _told(sentences):
    """Sentences about servers, each once with the servers that it is true of."""
    titles = collections.defaultdict(list)
    for server, sentence in sentences:
        titles[sentence].append(server["title"])
    return several(["%s: %s" % (several(names, ", "), sentence) for sentence, names in titles.items()])


def _failed_requests(options, measured, servers):
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
    yield Judged(
        _entry("max_failed_requests", "failed requests", "at most %d" % limit, "%d" % most, most, limit, not over),
        "requests_failed",
        "The inference check failed: " + _told([(server, _failures(server, measured)) for server in over]) if over else None,
    )


def _failures(server, measured):
    codes = ", ".join("%d %s" % (number, code) for code, number in sorted(server["errors"].items()))
    return "%d of %d tests got no answer (of %d requests failed: %s; the first: %s)" % (
        server["unanswered"], measured["tests"], server["requests"], codes or "none", server["first_error"],
    )


def _error_rate(options, servers):
    limit = options["max_error_rate"]
    yield _share(
        "max_error_rate", "error rate", "Inference error rate", limit,
        [(server, server["wrong"], _error_rate_of(server)) for server in servers], least=False, code="error_rate_exceeded",
    )


def _agreement(options, servers):
    yield _share(
        "min_agreement", "agreement", "Agreement with golden", options["min_agreement"],
        [(server, server["agreed"], agreement(server)) for server in servers], least=True, code="agreement_too_low",
    )


def _share(key, name, title, limit, shares, least, code):
    """A percentage of the answers and its limit. shares: [(server, count, percent)]; least: the limit is the lowest."""
    server, count, rate = (min if least else max)(shares, key=lambda share: share[2])
    low, high = wilson(count, server["answered"])
    crossed = [
        (one, "%s, %s%s" % (_percent(value), _version(one), _not_finite(one)))
        for one, _count, value in shares if (value < limit if least else value > limit)
    ]
    noise = low < limit < high
    sentence = None
    if crossed:
        sentence = "%s: %s is %s check_%s (%g%%) on %s%s" % (
            title, _percent(rate), "under" if least else "over", key, limit, _told(crossed),
            "; %s the limit, but %s" % ("under" if least else "over", _noise(low, high, server)) if noise else "",
        )
    text = "%s %g%%" % ("at least" if least else "at most", limit)
    entry = _entry(key, name, text, _percent(rate), rate, limit, not crossed, noise)
    return Judged(dict(entry, noise=_noise(low, high, server) if noise else ""), code, sentence)


def _noise(low, high, server):
    return "within what %d tests can tell (%.1f%% to %.1f%%): more tests (check_tests) would tell" % (
        server["answered"], low, high,
    )


def _not_finite(server):
    return " (%d answers hold NaN or infinity)" % server["not_finite"] if server["not_finite"] else ""


def _latencies(options, servers):
    for name in LATENCIES:
        if name not in options["max_latency_ms"] or not servers:
            continue
        limit = float(options["max_latency_ms"][name])  # the values of a dict come as they were written
        figures = [(server, (server["latency_ms"] or {}).get(name)) for server in servers]
        over = [(server, _milliseconds(value)) for server, value in figures if value is None or value > limit]
        slowest = max((value for _server, value in figures if value is not None), default=None)
        yield Judged(
            _entry("max_latency_ms." + name, name, "at most %g ms" % limit, _milliseconds(slowest), slowest, limit, not over),
            "too_slow",
            "Latency: %s %s is over check_max_latency_ms (%s: %g) on %s" % (
                name, _milliseconds(slowest), name, limit, _told(over)) if over else None,
        )


def _milliseconds(value):
    return "was not measured" if value is None else "%g ms" % value


def _rate(options, servers):
    limit = options["min_rate"]
    rates = [(server, round(server["rate"], 1)) for server in servers]
    slowest = min(rate for _server, rate in rates)
    under = [(server, "%.1f, %s" % (rate, _version(server))) for server, rate in rates if rate < limit]
    yield Judged(
        _entry("min_rate", "rate", "at least %g per second" % limit, "%.1f per second" % slowest, slowest, limit, not under),
        "rate_too_low",
        "Rate: %.1f requests per second is under check_min_rate (%g) on %s" % (slowest, limit, _told(under)) if under else None,
    )


def _against_stable(options, now, stable):
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


def _difference(options, difference):
    limit, points = options["max_difference"], difference["points"]
    if points is None:
        return
    low, high = difference["points_interval"]
    noise = low < limit < high
    told = "within what these tests can tell (%+.1f to %+.1f points): more tests (check_tests) would tell" % (low, high)
    entry = _entry(
        "max_difference", "difference", "at most %+g points" % limit, "%+.1f points" % points, points, limit, points <= limit,
        noise,
    )
    yield Judged(
        dict(entry, noise=told if noise else ""), "worse_than_stable",
        "Difference from version %d, which is stable: %+.1f percentage points is over check_max_difference (%g)%s" % (
            difference["version"], points, limit, "; over the limit, but " + told if noise else "",
        ) if points > limit else None,
    )


def _entry(key, name, limit, measured, value, bound, passed, within_noise=False):
    return {
        "key": key, "name": name, "limit": limit, "measured": measured, "value": value, "bound": bound, "passed": passed,
        "within_noise": within_noise, "noise": "",
    }


def _remarks(options, measured):
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


def _sentence(findings, counted, judged):
    """The verdict in one sentence."""
    shown = [one.entry for one in judged if one.entry["key"] != "max_failed_requests" or not one.entry["passed"]]
    if not findings["passed"]:
        problems = [(server, server["problem"]["message"]) for server in counted if server["problem"]]
        why = [_told(problems)] if problems else []
        return "Failed: %s." % ", ".join(why + [_limited(entry) for entry in shown if not entry["passed"]])
    said = "Passed: %s" % ", ".join(_limited(entry) for entry in shown)
    close = [entry for entry in shown if entry["within_noise"]]
    if close:
        said += "; the %s keeps its limit, but %s" % (close[0]["name"], close[0]["noise"])
    return said + "."


def _limited(entry):
    return "%s %s (%s)" % (entry["name"], entry["measured"], entry["limit"])


# --- which answers are taken for which ---

def _pairs(measured, server):
    """Counter of (expected, given) where answers are classes."""
    if measured["kind"] != "classes" or measured["expected"] is None:
        return collections.Counter()
    counts = collections.Counter()  # counted as they are first, for tests are many and pairs are few
    for (expected, given), count in collections.Counter(zip(measured["expected"], server["given"] or ())).items():
        if given is not None:
            counts[_plain(expected), _plain(given)] += count
    return counts


def _plain(name):
    """A class as JSON has it: numpy's numbers and bytes are none of its types."""
    if isinstance(name, bytes):
        return name.decode(errors="replace")
    return name if isinstance(name, str) else int(name)


def _confusion(measured, server):
    pairs = _pairs(measured, server)
    labels = sorted({name for pair in pairs for name in pair}, key=lambda name: (isinstance(name, str), name))
    if not labels or len(labels) > MOST_CLASSES:
        return None
    return {"labels": labels, "counts": [[pairs[expected, given] for given in labels] for expected in labels]}


def _confused(measured, server):
    wrong = {pair: count for pair, count in _pairs(measured, server).items() if pair[0] != pair[1]}
    most = sorted(wrong, key=lambda pair: (-wrong[pair], str(pair)))[:MOST_CONFUSED]
    return [{"expected": expected, "given": given, "count": wrong[expected, given]} for expected, given in most]


# --- for people and programs ---

def summary(measured, findings):
    """At most ten lines, the verdict first."""
    return [line if len(line) <= WIDTH else line[:WIDTH - 3] + "..." for line in _lines(measured, findings)]


def _lines(measured, findings):
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


def _certainty(measured, findings):
    """Behind the message: what the number is worth, what it may be, and the other number."""
    said = []
    if findings["interval"]:
        said.append("%.1f%% to %.1f%% with 95%% confidence" % tuple(findings["interval"]))
    limits = {entry["key"]: entry for entry in findings["thresholds"]}
    labelled = measured["expected"] is not None
    own = limits.get("max_error_rate" if labelled else "min_agreement")
    if own:
        said.append("limit " + own["limit"])
    text = " (%s)" % ", ".join(said) if said else ""
    if labelled and "min_agreement" in limits:
        text += "; agreement with golden: %s (limit %s)" % (
            limits["min_agreement"]["measured"], limits["min_agreement"]["limit"],
        )
    return text


def _line(server, measured):
    if server["problem"]:
        return "%s: %s" % (server["title"], server["problem"]["message"])
    if measured["expected"] is not None:
        counts = "%s, %d of %d tests wrong" % (_percent(_error_rate_of(server)), server["wrong"], measured["tests"])
    else:
        counts = "%s, %d of %d tests disagree" % (_percent(agreement(server)), disagreeing(server), measured["tests"])
    return "%s, %s%s: %s, %d unanswered" % (
        server["title"], _version(server), " " + server["state"] if server["state"] else "", counts, server["unanswered"],
    )


def _short(name):
    text = str(name)
    return text if len(text) <= 20 else text[:17] + "..."


def result(measured, findings):
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


def _report(server):
    """What is returned of one server."""
    same = ("version", "state", "wrong", "not_finite", "unanswered", "requests", "errors", "latency_ms")
    return {
        "pod" if server["pod"] else "address": server["pod"] or server["address"],
        **{key: server[key] for key in same},
        "error_rate": _error_rate_of(server), "agreement": agreement(server),
        "rate": None if server["rate"] is None else round(server["rate"], 1),
        "problem": server["problem"]["message"] if server["problem"] else None,
    }
