# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked for: the model's variables, checked and in one form. Used before the node is touched, and on it."""
from __future__ import annotations

import posixpath
import re
from urllib.parse import urlsplit, urlunsplit

from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error

MAX_VERSION = 2 ** 63 - 1  # the server parses folder names as int64
MAX_WARMUP = 1000  # records that a server takes


class Request:
    """Options of model_publish and model_versions; the role's variables are the same with the prefix model_."""

    def __init__(self, options):
        self.server = _required(options, "nas_server")
        self.export = _folder(options, "nas_export", "/")
        self.options = _given(options, "nas_options", "vers=4.0")
        self.base_path = _folder(options, "base_path")
        self.version = version_number(_given(options, "version", None), "model_version")
        self.checksum = checksum(_given(options, "checksum", None))
        self.max_size = _whole(options, "max_size", 20 << 30)
        self.timeout = _whole(options, "timeout", 1800)
        self.mount_timeout = _whole(options, "mount_timeout", 30)
        self.lock_timeout = _whole(options, "lock_timeout", 300)
        self.reinstate = _flag(options, "reinstate")
        self.newest = _flag(options, "newest")
        self.keep = _whole(options, "keep", 0, least=0)
        self.withdraw = _versions(options, "withdraw")
        self.in_use = _versions(options, "in_use")
        self.checked = _versions(options, "checked")
        self.acts = bool(self.withdraw or self.keep or self.checked)  # model_versions alone: or does it only look?
        self.reason = " ".join(_given(options, "reason", "withdrawn by hand").split())
        self.warmup = _whole(options, "warmup", 0, least=0)
        self.warmup_signature = _given(options, "warmup_signature", "predict_images")
        self.warmup_dataset = _given(options, "warmup_dataset", None)
        self.warmup_samples = _given(options, "warmup_samples", None)
        self.archive = _given(options, "archive", None)
        self.archive_copy = _given(options, "archive_copy", None)
        if re.search(r"\s|/", self.server):
            raise Error(
                "model_nas_server is %r: give the server's name or address alone; the path goes to model_nas_export and"
                " model_base_path." % self.server, "nas_server_invalid",
            )
        self.folder = posixpath.relpath(self.base_path, self.export)
        if self.folder.split("/")[0] == "..":
            raise Error(
                "model_base_path is %s, which does not lie in model_nas_export %s, the part of the NAS that is mounted."
                " Change one of the two." % (self.base_path, self.export), "base_path_outside_export",
            )
        if self.warmup > MAX_WARMUP:
            raise Error("model_warmup is %d: a server takes %d records at most." % (self.warmup, MAX_WARMUP), "number_invalid")
        if self.warmup and self.warmup_dataset is None:
            raise Error(
                "model_warmup is %d, and check_dataset, which the samples come from, is not set. Set it, or model_warmup: 0."
                % self.warmup, "variable_missing", variable="check_dataset",
            )
        if self.archive is not None:
            self._read_archive()

    def _read_archive(self):
        scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", self.archive)
        self.kind = {None: "controller", "http": "url", "https": "url", "file": "node"}.get(
            scheme and scheme.group(1).lower()
        )
        if self.kind is None:
            raise Error(
                "model_archive is %r: %s:// is not supported. Use http:// or https://, file:///PATH for a file on"
                " model_node, or a path on the controller." % (self.archive, self.archive.partition("://")[0]), "archive_invalid",
            )
        self.url = self.path = None
        if self.kind == "controller":
            # The action plugin puts it there; its sums are the identity, the path differs from controller to controller.
            self.source, self.path = self.archive, self.archive_copy
            return
        try:
            parts = urlsplit(self.archive)
            parts.port  # noqa: B018 - raises where it is no number
        except ValueError as error:
            raise Error("model_archive is %r: %s." % (self.archive, error), "archive_invalid") from None
        if self.kind == "node":
            if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
                raise Error(
                    "model_archive is %r: a file on model_node has three slashes, file:///PATH." % self.archive,
                    "archive_invalid",
                )
            self.source, self.path = self.archive, parts.path
            return
        if "@" in parts.netloc:
            raise Error(
                "model_archive has a password in it, which would end up in logs. Use a signed URL, or fetch the file"
                " yourself and give its path.", "archive_invalid",
            )
        if not parts.hostname or re.search(r"[\s\x00-\x1f]", self.archive):
            raise Error("model_archive is %r: this is no URL." % self.archive, "archive_invalid")
        self.url = self.archive
        # Without the query: signed URLs change it each time, and it must not be published beside the model.
        self.source = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


def _given(options, name, default):
    """The option; what a survey leaves empty is not given."""
    value = options.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        return default
    return value.strip() if isinstance(value, str) else value


def _required(options, name):
    value = _given(options, name, None)
    if value is None:
        raise Error("model_%s is not set." % name, "variable_missing", variable="model_" + name)
    return value


def _whole(options, name, default, least=1):
    value = _given(options, name, default)
    if isinstance(value, bool) or not re.match(r"[0-9]{1,18}$", str(value)) or int(value) < least:
        raise Error("model_%s is %r: use a whole number from %d up." % (name, value, least), "number_invalid")
    return int(value)


def _flag(options, name):
    """True or False, strictly: Jinja's `bool` would take a misspelt word for False."""
    value = str(_given(options, name, False)).lower()
    if value not in ("true", "yes", "on", "1", "false", "no", "off", "0"):
        raise Error("model_%s is %r: use true or false." % (name, value), "bool_invalid")
    return value in ("true", "yes", "on", "1")


def _versions(options, name):
    value = _given(options, name, None)
    if value is None:
        return []
    return [version_number(number, "%s of model_versions" % name) for number in (value if isinstance(value, list) else [value])]


def _folder(options, name, default=None):
    value = _required(options, name) if default is None else _given(options, name, default)
    parts = value.split("/")
    if not value.startswith("/") or ".." in parts or re.search(r"[\x00-\x1f]", value):
        raise Error("model_%s is %r: use an absolute path inside the NAS, without '..'." % (name, value), "path_invalid")
    return "/" + "/".join(part for part in parts if part not in ("", "."))


def version_number(value, what):
    """An int, or None for None. `what` is named in the error."""
    if value is None:
        return None
    if isinstance(value, bool) or not re.match(r"[0-9]{1,19}$", str(value)) or int(value) > MAX_VERSION:
        raise Error(
            "%s is %r, and a version is a whole number from 0 to %d: the server loads folders with such names only."
            % (what, value, MAX_VERSION), "version_invalid",
        )
    return int(value)


def checksum(value):
    """The 64 hex digits in lower case, or None."""
    if value is None:
        return None
    match = re.match(r"(?:sha256:)?([0-9a-f]{64})$", str(value).lower())
    if not match:
        raise Error(
            "model_checksum is %r: use sha256:HEX with 64 hex digits (sha256sum FILE prints them), or leave it empty."
            % (value,), "checksum_invalid",
        )
    return match.group(1)


def checksum_mismatch(source, wanted, found):
    return Error(
        "%s has the checksum sha256:%s, but model_checksum is sha256:%s. Nothing was published. If the new archive is"
        " right, change model_checksum; if not, find out who changed the archive." % (source, found, wanted),
        "checksum_mismatch", wanted=wanted, found=found,
    )
