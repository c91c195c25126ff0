# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report of an inference check: one HTML file that needs nothing else, or a folder of them with an index.

The index is made of what each report says of itself in its <meta name="inference-check">, so whoever writes last,
of several processes or of runs on different days, makes the same index.
"""
from __future__ import annotations

import base64
import fcntl
import hashlib
import html.parser
import io
import json
import os
import re
import secrets
import urllib.parse

from ansible_collections.mlops.tf_serving.plugins.module_utils import _report_page
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

try:
    import numpy
except ImportError:
    pass  # _inference.require_libraries() has said so

LISTED = 120  # wrong answers shown
PICTURE_BYTES = 900_000  # of all pictures together, as they stand in the page
PICTURE_SIDE = 96  # pixels; larger pictures are scaled down
TABLE_CLASSES = 20  # more classes than these make a plot instead of a table
PLOTTED_CLASSES = 1000
PLOTTED_SERVERS = 50
SUMMARY = "inference-check"
SUMMARY_BYTES = 1 << 16  # the summary stands near the start of a report


def write(path, measured, findings):
    """Write the report to FILE.html, or to FOLDER/ together with an index. Returns the path of the report."""
    in_folder = path.endswith("/")
    content = page(measured, findings, in_folder)
    path = os.path.abspath(os.path.expanduser(path))
    try:
        if not in_folder:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _replace(path, content)
            return path
        os.makedirs(path, exist_ok=True)
        # Checks of several models run at once: one after the other chooses its name and renews the index.
        with open(os.path.join(path, ".lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            summaries = _summaries(path)
            own = summary(measured, findings)
            name = _name(own, summaries, os.listdir(path))
            _replace(os.path.join(path, name), content)
            summaries[name] = own
            _replace(os.path.join(path, "index.html"), index(summaries))
        return os.path.join(path, name)
    except IsADirectoryError as error:
        raise Error(
            "check_report is %s, and that is a folder: end it in / to have a report of each model and an index in it." % path,
            "report_not_written",
        ) from error
    except OSError as error:
        raise Error(
            "check_report cannot be written to %s: %s. Use a path that the controller's account may write to."
            % (error.filename or path, error.strerror or error),
            "report_not_written",
        ) from error


def _replace(path, content):
    """All of it or nothing: whoever has the old file open goes on reading that."""
    temporary = os.path.join(os.path.dirname(path), ".%s.%s" % (os.path.basename(path)[:100], secrets.token_hex(6)))
    try:
        with open(temporary, "x", encoding="utf-8", errors="replace") as file:  # its mode is what the umask leaves
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def page(measured, findings, index=False):
    """The report as text. index: say where the index is."""
    jinja, plots = _libraries()
    worst = _server(measured, findings["worst"])
    limits = {threshold["key"]: threshold["bound"] for threshold in findings["thresholds"]}
    wrong = _wrong(measured, worst)
    others = _others(findings)
    compared = [server for server in measured["servers"] if server["latency_ms"] or server["answered"]]
    names = _short([server["title"] for server in compared])
    timed = [(name, server) for name, server in zip(names, compared) if server["singles"] or server["timeline"]]
    matrix = findings["confusion"] or _matrix(measured, worst)
    golden_only = measured["expected"] is None and measured["golden"] is not None
    key, name = ("agreement", "min_agreement") if golden_only else ("error_rate", "max_error_rate")
    rate, limit = findings[key], limits.get(name)
    rows = [("this check", rate, findings["interval"])]
    earlier = [(other["name"], other[key], other["interval"]) for other in others if other[key] is not None]
    rate_caption = "The dot is what was measured%s%s." % (
        ", the bar its 95% interval" if findings["interval"] else "", ", the dashed line the limit" if limit is not None else "",
    )
    drawings = {
        "rate": rate is not None and (plots.intervals, rows, limit, golden_only),
        "confusion": len(matrix["labels"]) > TABLE_CLASSES and (plots.confusion, matrix["counts"]),
        "scatter": measured["kind"] == "values" and worst and (plots.values,) + _pairs(measured, worst),
        "latency": timed and (plots.histogram, [(name, server["singles"]) for name, server in timed]),
        "time": timed and (plots.over_time, [(name, server["timeline"]) for name, server in timed]),
        "servers": len(compared) > 1 and (
            plots.side_by_side,
            [(name, _rate(server), server["latency_ms"]) for name, server in zip(names, compared)][:PLOTTED_SERVERS],
            limits.get("max_error_rate"),
        ),
        "others": earlier and rate is not None and (plots.intervals, rows + earlier, limit, golden_only),
    }
    return _rendered(
        jinja, _report_page.REPORT,
        title="%s: %s, %s" % (measured["model"], "passed" if findings["passed"] else "failed", findings["message"]),
        summary=json.dumps(summary(measured, findings), sort_keys=True),
        index=index, measured=measured, findings=findings, version=_versions(measured), at=_when(measured["at"]),
        tiles=_tiles(measured, findings, golden_only), golden_only=golden_only,
        rate_text=_rate_text(measured, findings, worst, golden_only),
        rate_caption=rate_caption,
        confusion=_table(matrix) if 0 < len(matrix["labels"]) <= TABLE_CLASSES else None,
        unanswered=worst is not None and worst["unanswered"] > 0,
        mistakes=wrong, servers=[_row(measured, server) for server in measured["servers"]], others=others,
        environment=_environment(measured),
        plots={name: drawing and _markup(jinja, plots.drawn(name, *drawing)) for name, drawing in drawings.items()},
    )


def _libraries():
    """jinja2 and the plots, which a check without a report does without."""
    try:
        import jinja2

        from ansible_collections.mlops.tf_serving.plugins.module_utils import _report_plots

        if _report_plots.IMPORT_ERROR:
            raise _report_plots.IMPORT_ERROR
    except ImportError as error:
        raise Error(
            "check_report needs matplotlib and jinja2 in the controller's Python (%s):"
            " install them (pip install matplotlib jinja2), or leave check_report empty." % error,
            "library_missing",
        ) from error
    return jinja2, _report_plots


def _rendered(jinja, template, **values):
    environment = jinja.Environment(autoescape=True, undefined=jinja.StrictUndefined, trim_blocks=True)
    environment.filters["shown"] = shown
    return environment.from_string(template).render(style=_markup(jinja, _report_page.STYLE), **values)


def _markup(jinja, text):
    """Text that needs no escaping: it was made by us or, escaped, by matplotlib."""
    return text and jinja.utils.markupsafe.Markup(text)


# What the report says ------------------------------------------------------------------------------------------


def shown(value):
    """A class or a value for a person: short, on one line."""
    if value is None:
        return "no answer"
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return ", ".join(shown(part) for part in value[:6]) + (", ... (%d)" % len(value) if len(value) > 6 else "")
    if isinstance(value, float):
        return "%.6g" % value
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _percent(value):
    return "-" if value is None else "%.1f%%" % value


def _version(version):
    return "unknown version" if version is None else "version %s" % version


def _versions(measured):
    """All that answered."""
    versions = sorted({version for server in measured["servers"] if server["counts"] for version in server["versions"]})
    return "versions " + " and ".join(map(str, versions)) if len(versions) > 1 else _version(versions[0] if versions else None)


def _when(at):
    return at.replace("T", " ").replace("Z", " UTC")


def _server(measured, title):
    """The server that decides, else the first."""
    servers = measured["servers"]
    return next((server for server in servers if server["title"] == title), servers[0] if servers else None)


def _short(titles):
    """Names for the axes of plots: the end is what tells pods apart."""
    names = [title.split(" ", 1)[-1] for title in titles]
    return [name if len(name) <= 24 else "…" + name[-12:] for name in names]


def _rate(server):
    if not server["answered"] or server["right"] is None:
        return None
    return 100.0 * server["wrong"] / server["answered"]


def _agreement(server):
    if not server["answered"] or server["agreed"] is None:
        return None
    return 100.0 * server["agreed"] / server["answered"]


def _tiles(measured, findings, golden_only):
    interval = findings["interval"]
    counting = [server for server in measured["servers"] if server["counts"]]
    slowest = max((server for server in counting if server["latency_ms"]), key=lambda server: server["latency_ms"]["p99"], default=None)
    speeds = [server["tests_per_second"] for server in counting if server["tests_per_second"]]
    tiles = []
    if not golden_only:
        more = "95% interval " + _interval(interval) if interval else None
        tiles.append(("Error rate", _percent(findings["error_rate"]), more))
    if findings["agreement"] is not None:
        tiles.append(("Agreement with golden", _percent(findings["agreement"]), None))
    wrong = "" if golden_only else "%s wrong, " % (findings["wrong"] or 0)
    tiles.append(("Tests", measured["tests"], "%s%d unanswered" % (wrong, findings["unanswered"])))
    if slowest:
        times = slowest["latency_ms"]
        tiles.append(("Latency, p50", "%.3g ms" % times["p50"], "p99 %.3g ms%s" % (
            times["p99"], ", the slowest server" if len(counting) > 1 else "",
        )))
    if speeds:
        tiles.append(("Throughput", "%.0f tests/s" % min(speeds), "the slowest server" if len(counting) > 1 else None))
    tiles.append(("Servers", len(counting), _versions(measured)))
    return tiles


def _interval(interval):
    return "%.1f to %.1f%%" % tuple(interval)


def _rate_text(measured, findings, worst, golden_only):
    if worst is None:
        return None
    among = len([server for server in measured["servers"] if server["counts"]])
    whose = worst["title"] + (" (the worst of %d servers)" % among if among > 1 else "")
    if golden_only:
        return "%s of %s answers of %s are the recorded ones." % (worst["agreed"], worst["answered"], whose)
    if findings["error_rate"] is None:
        return "Unknown: %s." % ("no test was answered" if not worst["answered"] else "the dataset has no labels")
    text = "%d of %d answers of %s are wrong." % (worst["wrong"], worst["answered"], whose)
    if worst["not_finite"]:
        text += " %d of them hold NaN or infinity." % worst["not_finite"]
    if worst["unanswered"]:
        text += " %d tests got no answer and do not count here." % worst["unanswered"]
    if findings["interval"]:
        text += " %d answers leave the model's true error rate between %s (95%% interval)." % (
            worst["answered"], _interval(findings["interval"]).replace(" to ", " and "),
        )
    return text


def _matrix(measured, server):
    """The confusion matrix of more classes than the verdict counts; empty where answers are no classes."""
    if measured["kind"] != "classes" or measured["expected"] is None or server is None or not server["given"]:
        return {"labels": [], "counts": []}
    pairs = [(shown(wanted), shown(given)) for wanted, given in zip(measured["expected"], server["given"]) if given is not None]
    labels = sorted({label for pair in pairs for label in pair}, key=lambda label: (len(label), label))[:PLOTTED_CLASSES]
    place = {label: number for number, label in enumerate(labels)}
    counts = numpy.zeros((len(labels), len(labels)), int)
    for wanted, given in pairs:
        if wanted in place and given in place:
            counts[place[wanted], place[given]] += 1
    return {"labels": labels, "counts": counts}


def _table(matrix):
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


def _wrong(measured, worst):
    """The wrong answers of one server, the surest first; those unlike golden where the dataset has no labels."""
    if worst is None or worst["given"] is None:
        return None
    against, wanted = worst["right"], measured["expected"]
    if against is None:
        against, wanted = worst["agrees"], (measured["golden"] or {}).get("answers")
    if against is None:
        return None
    indexes = numpy.flatnonzero(numpy.asarray(against) == 0)
    if not indexes.size:
        return None
    unlike_golden = worst["right"] is None
    order = _sureness(measured, worst, indexes)
    if order is not None:
        indexes = indexes[numpy.argsort(-order, kind="stable")]
    score = worst["score"]
    entries: list = []
    space = PICTURE_BYTES
    for index in (int(index) for index in indexes[:LISTED]):
        entry = {
            "index": index, "expected": "" if wanted is None else shown(wanted[index]), "given": shown(worst["given"][index]),
            "score": "" if score is None or not numpy.isfinite(score[index]) else "%.3g" % score[index],
        }
        if measured["pictures"] is not None:
            entry.update(picture(measured["pictures"][index]))
            space -= len(entry["picture"])
            if space < 0:
                break
        entries.append(entry)
    left = len(indexes) - len(entries)
    return {
        "title": "Answers unlike the golden ones" if unlike_golden else "Wrong answers",
        "wanted": "recorded" if unlike_golden else "expected",
        "text": "Of %s%s.%s" % (
            worst["title"],
            "" if order is None else ", the farthest off first" if measured["kind"] == "values" else ", those it was surest of first",
            " %d more are left out." % left if left else "",
        ),
        "pictures": measured["pictures"] is not None, "scored": score is not None,
        "entries": entries,
    }


def _sureness(measured, worst, indexes):
    """How sure, or for values how far off, each of these answers is; None where nobody knows."""
    if measured["kind"] == "values" and measured["expected"] is not None:
        far = [
            numpy.max(abs(numpy.asarray(worst["given"][index], float) - numpy.asarray(measured["expected"][index], float)))
            for index in indexes
        ]
    elif worst["score"] is not None:
        far = [worst["score"][index] for index in indexes]
    else:
        return None
    return numpy.nan_to_num(numpy.array(far, float), nan=numpy.inf)


def picture(pixels):
    """An array (H, W) or (H, W, channels) as the page shows it: a data URI and a size."""
    from PIL import Image  # comes with matplotlib

    pixels = numpy.asarray(pixels)
    if pixels.ndim == 3 and pixels.shape[2] not in (3, 4):
        pixels = pixels[..., 0]
    if pixels.dtype != numpy.uint8:
        pixels = numpy.nan_to_num(pixels.astype(float), posinf=0, neginf=0)
        low, high = min(pixels.min(), 0), pixels.max()
        pixels = ((pixels - low) * (255 / (high - low) if high > low else 1)).round().astype(numpy.uint8)
    image = Image.fromarray(numpy.ascontiguousarray(pixels))
    photo = max(image.size) > 64  # where JPEG is the smaller one
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    file = io.BytesIO()
    if photo:
        image.convert("RGB" if pixels.ndim == 3 else "L").save(file, "JPEG", quality=80)
    else:
        image.save(file, "PNG", optimize=True)
    uri = "data:image/%s;base64,%s" % ("jpeg" if photo else "png", base64.b64encode(file.getvalue()).decode())
    return {"picture": uri, "width": image.width, "height": image.height, "photo": photo}


def _pairs(measured, server):
    """Expected and given values of the answered tests, and whether they are right: three arrays for the plot."""
    expected, given, right = [], [], []
    if measured["expected"] is not None and server["right"] is not None:
        for wanted, value, verdict in zip(measured["expected"], server["given"], server["right"]):
            if verdict >= 0 and value is not None:
                wanted, value = numpy.ravel(wanted).astype(float), numpy.ravel(value).astype(float)
                if wanted.shape == value.shape:
                    both = numpy.isfinite(wanted) & numpy.isfinite(value)
                    expected.extend(wanted[both])
                    given.extend(value[both])
                    right.extend([verdict == 1] * int(both.sum()))
    return numpy.array(expected), numpy.array(given), numpy.array(right, bool)


def _row(measured, server):
    times = server["latency_ms"] or {}
    notes = [server["problem"]["message"]] if server["problem"] else []
    if server["errors"]:
        notes.append("failed requests: " + ", ".join("%d %s" % (count, code) for code, count in sorted(server["errors"].items())))
    if server["first_error"]:
        notes.append("the first: " + server["first_error"])
    versions = server["versions"] if len(server["versions"]) > 1 else [server["version"]]
    return {
        "title": server["title"], "counts": server["counts"],
        "version": " and ".join("-" if version is None else str(version) for version in versions)
        + (" " + server["state"] if server["state"] else ""),
        "numbers": [_percent(_rate(server))] + ([_percent(_agreement(server))] if measured["golden"] else []) + [
            "%s of %s" % (server["answered"], measured["tests"]), "-" if server["wrong"] is None else server["wrong"],
        ] + ["%.3g" % times[key] if key in times else "-" for key in ("p50", "p90", "p99", "max")] + [
            "%.0f" % server["tests_per_second"] if server["tests_per_second"] else "-",
        ],
        "notes": "; ".join(notes),
    }


def _others(findings):
    """The last result and the stable version's, as the verdict compared them with this one."""
    others = []
    for key, title in (("comparison", "The last result"), ("difference", "The stable version")):
        other = findings[key]
        if not other:
            continue
        facts = [
            ("Measured", _when(other["at"])),
            ("Error rate then", _percent(other["error_rate"])),
            ("Agreement then", _percent(other["agreement"])),
            ("Now", _points(other)),
            ("Newly wrong", other["newly_wrong"]),
            ("Newly right", other["newly_right"]),
            ("p-value", _chance(other["p_value"])),
        ]
        others.append({
            **other, "title": "%s, %s" % (title, _version(other["version"])),
            "name": _version(other["version"]) if other["version"] is not None else title.lower(),
            "facts": [(name, value) for name, value in facts if value not in (None, "-")],
        })
    if len(others) == 2 and others[0]["name"] == others[1]["name"]:
        others[0]["name"] += ", last"
        others[1]["name"] += ", stable"
    return others


def _points(other):
    if other["points"] is None:
        return None
    text = "the same" if not other["points"] else "%.1f points %s" % (abs(other["points"]), "worse" if other["points"] > 0 else "better")
    if other["points_interval"]:
        text += ", 95%% interval of the difference %+.1f to %+.1f" % tuple(other["points_interval"])
    return text + (", within noise" if other["within_noise"] else "")


def _chance(p_value):
    if p_value is None:
        return None
    return "%s (exact McNemar test)" % ("below 0.001" if p_value < 0.001 else "%.2g" % p_value)


def _environment(measured):
    golden = measured["golden"]
    libraries = ("%s %s" % pair for pair in sorted(measured["environment"].items()) if pair[1])
    return [(name, value) for name, value in (
        ("Model", measured["model"]),
        ("Signature", measured["signature"] + (" (%s)" % measured["method"] if measured["method"] else "")),
        ("Release", "%s in namespace %s" % (measured["release"], measured["namespace"]) if measured["release"] else None),
        ("Date", _when(measured["at"])),
        ("Dataset", measured["dataset"]["location"]),
        ("Its digest", measured["dataset"]["digest"]),
        ("Golden answers", "%s, of version %s, recorded %s" % (
            golden["location"], golden["version"], _when(str(golden["recorded"])),
        ) if golden else None),
        ("Tests", measured["tests"]),
        ("Tests in a request", measured["batch_size"]),
        ("Requests at one time", measured["concurrency"]),
        ("Libraries", ", ".join(libraries)),
    ) if value is not None]


# A folder of reports -------------------------------------------------------------------------------------------


def summary(measured, findings):
    """What the index needs to know of one report; it stands in the report itself."""
    counting = [server for server in measured["servers"] if server["counts"]]
    times = [server["latency_ms"] for server in counting if server["latency_ms"]]
    return {
        "model": measured["model"], "release": measured["release"],
        # Without a release the servers' addresses say whose report it is.
        "namespace": measured["namespace"] if measured["release"] else None,
        "address": None if measured["release"] else ", ".join(server["title"] for server in measured["servers"])[:200],
        "passed": bool(findings["passed"]), "failure": (findings["failure"] or "")[:500], "version": findings["version"],
        "error_rate": findings["error_rate"], "interval": list(findings["interval"] or ()),
        "agreement": findings["agreement"], "at": measured["at"],
        "p50": max((time["p50"] for time in times), default=None), "p99": max((time["p99"] for time in times), default=None),
    }


def _owner(own):
    return own["model"], own["release"], own["namespace"], own["address"]


def _name(own, summaries, files):
    """The file's name: the model's, and as much more as tells it from other releases' reports in this folder."""
    owner = [part for part in _owner(own) if part]
    names = [_sanitised("-".join(owner[:length])) + ".html" for length in range(1, len(owner) + 1)]
    names.append("%s-%s.html" % (_sanitised(own["model"]), hashlib.sha256(repr(_owner(own)).encode()).hexdigest()[:12]))
    names = [name for name in names if name != "index.html"]
    mine = [name for name in names if name in summaries and _owner(summaries[name]) == _owner(own)]
    free = [name for name in names if name not in files]
    return (mine or free or names[-1:])[0]


def _sanitised(text):
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip(".")[:100] or "model"


class _Meta(html.parser.HTMLParser):
    content = None

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "meta" and values.get("name") == SUMMARY and self.content is None:
            self.content = values.get("content")


def _summaries(folder):
    """{file name: summary} of the reports in a folder. Other files are none of our business."""
    summaries = {}
    for name in os.listdir(folder):
        if name.endswith(".html") and name != "index.html":
            try:
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    meta = _Meta()
                    meta.feed(file.read(SUMMARY_BYTES))
                found = json.loads(meta.content or "null")
                if found and {"passed", "at"} < found.keys() and all(_owner(found)[:1]):
                    summaries[name] = found
            except (OSError, ValueError, KeyError, AttributeError):
                continue
    return summaries


def index(summaries):
    """The page over all reports of a folder."""
    owners = [found["model"] for found in summaries.values()]
    rows = []
    for name, found in sorted(summaries.items(), key=lambda item: (item[1]["passed"], item[1]["model"], item[0])):
        where = "%s in %s" % (found["release"], found["namespace"]) if found["release"] else found["address"]
        rows.append({
            "link": urllib.parse.quote(name), "model": found["model"], "where": where if owners.count(found["model"]) > 1 else None,
            "passed": found["passed"], "failure": found["failure"], "version": "-" if found["version"] is None else found["version"],
            "error_rate": _percent(found["error_rate"]), "interval": _interval(found["interval"]) if found["interval"] else "-",
            "agreement": _percent(found["agreement"]), "at": found["at"], "when": _when(found["at"]),
            "p50": "-" if found["p50"] is None else "%.3g" % found["p50"], "p99": "-" if found["p99"] is None else "%.3g" % found["p99"],
        })
    failed = sum(not row["passed"] for row in rows)
    models = "%d model%s" % (len(rows), "" if len(rows) == 1 else "s")
    title = "%d of %s failed" % (failed, models) if failed else "%s passed" % (models if len(rows) == 1 else "All " + models)
    return _rendered(_libraries()[0], _report_page.INDEX, title=title, summary=None, rows=rows, failed=failed)
