# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with the options of the inference check, said before anything is done."""
from __future__ import annotations

import dataclasses
import importlib.util
import os
import sys
import tempfile
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.urls import public
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.record import Check
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.values import Kind, Mapping, Number, Unfit, Whole, blank

Options = dict[str, Any]

# Numbers and mappings have the limits of the role's variables. Texts are free: this module is of use without our names.
KINDS: dict[str, Kind[Any]] = {
    field.name: field.metadata["variable"].kind for field in dataclasses.fields(Check)
    if isinstance(field.metadata["variable"].kind, (Whole, Number, Mapping))
}
# Of both modules, documented in the fragment check_files.
FILES: Options = {
    "dataset": {"type": "raw", "required": True},
    "dataset_checksum": {"type": "dict", "default": {}},
    "dataset_timeout": {"type": "int", "default": 60},
    "tests": {"type": "int"},
    "golden": {"type": "str"},
    "record": {"type": "path"},
    "record_missing": {"type": "bool", "default": False},
    "report": {"type": "str"},
}
# Of who asks servers over TLS, on this controller; documented in the fragment tls.
TLS_FILES: Options = {"tls_ca_cert": {"type": "path"}, "tls_client_cert": {"type": "path"}, "tls_client_key": {"type": "path"}}
TLS: Options = {**TLS_FILES, "tls_server_name": {"type": "str"}, "tls_client_secret": {"type": "str"}}
PATHS = (*TLS_FILES, "golden", "record", "report")
URL, FILE = ("http://", "https://"), "file://"
DRAWN_WITH = ("matplotlib", "jinja2")


def absolute(options: Options, folder: str) -> Options:
    """The options with absolute paths. Relative ones begin at the playbook's folder, as those of a module on localhost do."""
    given = {name: options[name] for name in PATHS if options.get(name) and not options[name].startswith((*URL, FILE))}
    # A / at the end has a meaning, and stays.
    return {**options, **{
        name: os.path.join(os.path.abspath(folder), os.path.expanduser(path)) for name, path in given.items()
    }}


def validate(options: Options) -> None:
    """Error where a value is none of its kind. Options that are not there, or are empty, are not looked at."""
    for name, kind in KINDS.items():
        value = options.get(name)
        if not blank(value):
            try:
                kind.read(value)
            except Unfit as error:
                raise _invalid(name, value, error) from error
    if options.get("tls_ca_cert") and not options.get("tls", True) and not options.get("release"):  # whose pods may speak it
        raise _invalid(
            "tls_ca_cert", options["tls_ca_cert"],
            "check_tls is false: set check_tls to true, or leave check_tls_ca_cert empty",
        )


def _invalid(name: str, value: Any, way_out: object) -> Error:
    return Error("check_%s is %r: %s." % (name, value, way_out), "option_invalid")


def settled(options: Options) -> Options:
    """The options with the golden file either to read or, where it is missing and record_missing says so, to record."""
    golden = options.get("golden")
    if not (golden and options["record_missing"]) or (not golden.startswith(URL) and os.path.lexists(_path(golden))):
        return {**options, "record_missing": False}
    return {**options, "golden": None, "record": _path(golden)}


def look_around(options: Options) -> None:
    """Error where a file that is to be read or written cannot be, or what the report is drawn with is missing."""
    golden = options.get("golden")
    if golden and not golden.startswith(URL) and not os.access(_path(golden), os.R_OK):
        raise Error(
            "check_golden is %s, which is not there or cannot be read on this controller: with check_record: true, the first check"
            " makes it; so does playbooks/record.yml, where the model serves already." % golden, "golden_missing",
        )
    for name in TLS_FILES:
        path = options.get(name)
        if path and not os.access(path, os.R_OK):
            raise Error("check_%s is %s, which is not there or cannot be read on this controller." % (name, path), "option_invalid")
    if options.get("record"):
        _look_at_record(options["record"])
    if options.get("report"):
        _look_at_report(options["report"])


def _path(location: str) -> str:
    return os.path.expanduser(location.removeprefix(FILE))


def _look_at_record(path: str) -> None:
    if path.startswith(URL) or not path.endswith(".npz"):
        raise Error(
            "check_golden is %s: to record, use the path of a file on this controller that ends in .npz." % public(path),
            "option_invalid")
    _look_whether_writable("golden", path)


def _look_at_report(path: str) -> None:
    if not path.endswith(("/", ".html")):
        raise Error(
            "check_report is %s: use FILE.html, or a folder that ends in / (it gets one page a model, and an index)."
            % public(path),
            "option_invalid",
        )
    _look_whether_writable("report", path)
    missing = [name for name in DRAWN_WITH if not importlib.util.find_spec(name)]
    if missing:
        raise Error(
            "check_report needs %s in the controller's Python (%s): pip install %s, or leave check_report empty."
            % (" and ".join(missing), sys.executable, " ".join(missing)), "library_missing",
        )


def _look_whether_writable(name: str, path: str) -> None:
    """Error unless the file (or, with a / at its end, files in that folder) can be made; folders on the way may be missing."""
    way_out = "choose a path on this controller that can be written"
    if os.path.isdir(path) and not path.endswith("/"):
        raise Error("check_%s is %s, which is a folder: %s." % (name, path, way_out), "option_invalid")
    if os.path.isfile(path) and not os.access(path, os.W_OK):
        raise Error("check_%s is %s, which cannot be written: %s." % (name, path, way_out), "option_invalid")
    folder = os.path.abspath(path if path.endswith("/") else os.path.dirname(path))
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    try:
        tempfile.TemporaryFile(dir=folder).close()  # to be sure; it is gone at once
    except OSError as error:
        raise Error(
            "check_%s is %s, and the folder %s cannot be written (%s): %s." % (name, path, folder, error.strerror, way_out),
            "option_invalid",
        ) from error
