# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report as a file, or in a folder of them with an index.

The index is made of what each report says of itself in its <meta name="inference-check">, so whoever writes last,
of several processes or of runs on different days, makes the same index.
"""
from __future__ import annotations

import fcntl
import hashlib
import html.parser
import json
import os
import re
import secrets
import urllib.parse
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report.page import page, summary
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report.render import render
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report.words import figures, interval, percent

SUMMARY = "inference-check"
SUMMARY_BYTES = 1 << 16  # the summary stands near the start of a report
NAME_LENGTH = 100

Facts = dict[str, Any]


def write(path: str, measured: Facts, findings: Facts) -> str:
    """Write the report to FILE.html, or to FOLDER/ together with an index. Returns the path of the report."""
    in_folder = path.endswith("/")
    content = page(measured, findings, in_folder)
    path = os.path.abspath(os.path.expanduser(path))
    try:
        if in_folder:
            return _write_into(path, content, summary(measured, findings))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _replace(path, content)
        return path
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


def _write_into(folder: str, content: str, own: Facts) -> str:
    """Checks of several models run at once: one after the other chooses its name and renews the index."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        summaries = _summaries(folder)
        name = _name(own, summaries, os.listdir(folder))
        _replace(os.path.join(folder, name), content)
        summaries[name] = own
        _replace(os.path.join(folder, "index.html"), index(summaries))
    return os.path.join(folder, name)


def _replace(path: str, content: str) -> None:
    """All of it or nothing: whoever has the old file open goes on reading that."""
    temporary = os.path.join(os.path.dirname(path), ".%s.%s" % (os.path.basename(path)[:NAME_LENGTH], secrets.token_hex(6)))
    try:
        with open(temporary, "x", encoding="utf-8", errors="replace") as file:  # its mode is what the umask leaves
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def _owner(own: Facts) -> tuple[Any, ...]:
    return own["model"], own["release"], own["namespace"], own["address"]


def _name(own: Facts, summaries: dict[str, Facts], files: list[str]) -> str:
    """The file's name: the model's, and as much more as tells it from other releases' reports in this folder."""
    owner = [part for part in _owner(own) if part]
    names = [_sanitised("-".join(owner[:length])) + ".html" for length in range(1, len(owner) + 1)]
    names.append("%s-%s.html" % (_sanitised(own["model"]), hashlib.sha256(repr(_owner(own)).encode()).hexdigest()[:12]))
    names = [name for name in names if name != "index.html"]
    mine = [name for name in names if name in summaries and _owner(summaries[name]) == _owner(own)]
    free = [name for name in names if name not in files]
    return (mine or free or names[-1:])[0]


def _sanitised(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip(".")[:NAME_LENGTH] or "model"


class _Meta(html.parser.HTMLParser):
    content: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "meta" and values.get("name") == SUMMARY and self.content is None:
            self.content = values.get("content")


def _summaries(folder: str) -> dict[str, Facts]:
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


def index(summaries: dict[str, Facts]) -> str:
    """The page over all reports of a folder."""
    models = [found["model"] for found in summaries.values()]
    rows = [
        _row(name, found, alone=models.count(found["model"]) == 1)
        for name, found in sorted(summaries.items(), key=lambda item: (item[1]["passed"], item[1]["model"], item[0]))
    ]
    failed = sum(not row["passed"] for row in rows)
    several = "%d model%s" % (len(rows), "" if len(rows) == 1 else "s")
    title = "%d of %s failed" % (failed, several) if failed else "%s passed" % (several if len(rows) == 1 else "All " + several)
    text: str = render("index", title=title, summary=None, rows=rows, failed=failed)
    return text


def _row(name: str, found: Facts, alone: bool) -> Facts:
    """alone: no other report is of a model of this name."""
    where = "%s in %s" % (found["release"], found["namespace"]) if found["release"] else found["address"]
    return {
        "link": urllib.parse.quote(name), "model": found["model"], "where": None if alone else where,
        "passed": found["passed"], "failure": found["failure"], "version": "-" if found["version"] is None else found["version"],
        "error_rate": percent(found["error_rate"]), "interval": interval(found["interval"]) if found["interval"] else "-",
        "agreement": percent(found["agreement"]), "at": found["at"],
        "p50": figures(found["p50"]), "p99": figures(found["p99"]),
    }
