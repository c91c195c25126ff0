# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with the options of the inference check, said before anything is done.

They come typed from the module, and as a person wrote them from the role: text, '' for the default.
"""
from __future__ import annotations

import importlib.util
import math
import os
import sys
import tempfile

from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._names import yes_or_no

LATENCIES = ("p50", "p90", "p99", "max")
URL = ("http://", "https://")

WHOLE = {  # the least of each
    "tests": 1, "port": 1, "batch_size": 1, "concurrency": 1, "dataset_timeout": 1, "version_timeout": 0,
    "expected_version": 0, "stable_version": 0, "max_failed_requests": 0,
}
PERCENT = ("max_error_rate", "min_agreement", "max_difference")
NUMBERS = {"timeout": "above 0", "divisor": "above 0", "min_rate": "above 0", "tolerance": "from 0"}


def problem(options):
    """The sentence with which validate() or look_around() refuses them, '' where they are right. For the role's preflight."""
    try:
        validate(options)
        look_around(options)
    except Error as error:
        return error.message
    return ""


def validate(options):
    """Error where a value is none of its kind. Options that are not there are not looked at."""
    for name, least in WHOLE.items():
        number = _number(options, name)
        if number is not None and (number < least or number != int(number)):
            raise _invalid(name, options[name], "a whole number from %d (empty means the default)" % least)
    for name in PERCENT:
        number = _number(options, name)
        if number is not None and not 0 <= number <= 100:
            raise _invalid(name, options[name], "a percentage from 0 to 100, such as 15 (empty means the default)")
    for name, which in NUMBERS.items():
        number = _number(options, name)
        if number is not None and (number < 0 or (number == 0 and which == "above 0")):
            raise _invalid(name, options[name], "a number %s (empty means the default)" % which)
    _batch(options)
    _latencies(options.get("max_latency_ms"))
    _inputs(options.get("inputs"))
    tls = _given(options, "tls")
    if tls is not None and yes_or_no(tls) is None:
        raise _invalid("tls", tls, "true or false (yes/no, on/off, 1/0; empty means false)")
    if options.get("tls_ca_cert") and not (tls is not None and yes_or_no(tls)):
        raise Error(
            "check_tls_ca_cert is %r, and check_tls is false: set check_tls to true, or leave check_tls_ca_cert empty."
            % options["tls_ca_cert"], "option_invalid",
        )


def _batch(options):
    """max_batch_size is what the servers were told, if the role knows it: they refuse larger requests."""
    batch, most = _number(options, "batch_size"), _as_number(_given(options, "max_batch_size"))
    if batch and most and batch > most:
        raise Error(
            "check_batch_size is %d, and serving_batching.max_batch_size is %d: servers refuse larger requests. Lower"
            " check_batch_size, or leave it empty." % (batch, most), "option_invalid",
        )


def _given(options, name):
    """The value, None for the default."""
    value = options.get(name)
    return None if value is None or (isinstance(value, str) and not value.strip()) else value


def _number(options, name):
    value = _given(options, name)
    if value is None:
        return None
    number = _as_number(value)
    if number is None:
        kind = "a whole number from %d" % WHOLE[name] if name in WHOLE else "a number"
        raise _invalid(name, value, kind + " (empty means the default)")
    return number


def _as_number(value):
    """None for what is none, true and nan among that."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _invalid(name, value, wanted):
    return Error("check_%s is %s: use %s." % (name, value, wanted), "option_invalid")


def _latencies(limits):
    if limits in (None, "", {}):
        return
    wanted = "a mapping of p50, p90, p99 and max to milliseconds, such as {p99: 50}"
    if not isinstance(limits, dict):
        raise _invalid("max_latency_ms", limits, wanted)
    for name, value in limits.items():
        number = _as_number(value)
        if name not in LATENCIES or number is None or number <= 0:
            raise Error("check_max_latency_ms has %s: %s. Use %s." % (name, value, wanted), "option_invalid")


def _inputs(inputs):
    if inputs in (None, "", {}):
        return
    wanted = "a mapping of the model's inputs to columns of the dataset, such as {images: images}"
    if not isinstance(inputs, dict) or not all(
        isinstance(column, (str, list)) and column for column in inputs.values()
    ):
        raise _invalid("inputs", inputs, wanted)


def look_around(options):
    """Error where a file that is to be read or written cannot be, or what the report is drawn with is missing."""
    for name in ("golden", "tls_ca_cert"):
        path = _given(options, name)
        if path and not str(path).startswith(URL) and not os.access(path, os.R_OK):
            raise Error(
                "check_%s is %s, which is not there or cannot be read on this controller%s." % (
                    name, path, ": playbooks/record.yml makes it" if name == "golden" else "",
                ), "golden_missing" if name == "golden" else "option_invalid",
            )
    record = _given(options, "record")
    if record:
        if str(record).startswith(URL) or not str(record).endswith(".npz"):
            raise Error(
                "check_golden is %s: to record, use the path of a file on this controller that ends in .npz." % record,
                "option_invalid",
            )
        _writable("golden", str(record))
    report = _given(options, "report")
    if report:
        report = str(report)
        if not report.endswith(("/", ".html")):
            raise Error(
                "check_report is %s: use FILE.html, or a folder that ends in / (it gets one page a model, and an index)."
                % report, "option_invalid",
            )
        _writable("report", report)
        missing = [name for name in ("matplotlib", "jinja2") if not importlib.util.find_spec(name)]
        if missing:
            raise Error(
                "check_report needs %s in the controller's Python (%s): pip install %s, or leave check_report empty."
                % (" and ".join(missing), sys.executable, " ".join(missing)), "library_missing",
            )


def _writable(name, path):
    """Error unless the file (or, with a / at its end, files in that folder) can be made; folders on the way may be missing."""
    folder = os.path.dirname(os.path.abspath(path) + ("/" if path.endswith("/") else ""))
    way_out = "choose a path on this controller that can be written"
    if os.path.isdir(path) and not path.endswith("/"):
        raise Error("check_%s is %s, which is a folder: %s." % (name, path, way_out), "option_invalid")
    if os.path.isfile(path) and not os.access(path, os.W_OK):
        raise Error("check_%s is %s, which cannot be written: %s." % (name, path, way_out), "option_invalid")
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    try:
        tempfile.TemporaryFile(dir=folder).close()  # to be sure; it is gone at once
    except OSError as error:
        raise Error(
            "check_%s is %s, and the folder %s cannot be written (%s): %s." % (name, path, folder, error.strerror, way_out),
            "option_invalid",
        ) from error
