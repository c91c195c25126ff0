# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked of model_publish and model_versions: their options, and these in one form. Used before the node and on it.

The messages name the role's variables, which are the options with the prefix model_.
"""

import posixpath
import re
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.urls import HIDDEN, ascii_netloc, public, public_all

Spec = Dict[str, Dict[str, Any]]
Options = Dict[str, Any]

MAX_VERSION = 2 ** 63 - 1  # servers parse folder names as int64
MAX_WARMUP = 1000  # records that a server takes

# Documented one to one by the fragment of this name.
NAS: Spec = {
    "base_path": {"type": "str", "required": True},
    "nas_server": {"type": "str", "required": True},
    "nas_export": {"type": "str", "default": "/"},
    "nas_options": {"type": "str", "default": "vers=4.0"},
    "mount_timeout": {"type": "int", "default": 30},
    "lock_timeout": {"type": "int", "default": 300},
    "timeout": {"type": "int", "default": 1800},
    "saved_model_tags": {"type": "list", "elements": "str", "default": ["serve"]},
}
PUBLISH: Spec = dict(NAS, **{
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "archive": {"type": "str"},
    "archive_url": {"type": "str", "no_log": True},
    "archive_copy": {"type": "path"},
    "checksum": {"type": "str"},
    "version": {"type": "int"},
    "reinstate": {"type": "bool", "default": False},
    "newest": {"type": "bool", "default": False},
    "server_release": {"type": "str"},
    "warmup": {"type": "int", "default": 0},
    "warmup_dataset": {"type": "raw"},
    "warmup_dataset_checksum": {"type": "dict"},
    "warmup_signature": {"type": "str", "default": "predict_images"},
    "warmup_samples": {"type": "dict"},
    "max_size": {"type": "int", "default": 20 << 30},
})
PUBLISH_RULES = {"required_if": [("state", "present", ["archive"])]}
VERSIONS: Spec = dict(NAS, **{
    "withdraw": {"type": "list", "elements": "int", "default": []},
    "reason": {"type": "str", "default": "withdrawn by hand"},
    "target": {"type": "int"},
    "keep": {"type": "int", "default": 0},
    "in_use": {"type": "list", "elements": "int", "default": []},
    "checked": {"type": "list", "elements": "int", "default": []},
})

_DEFAULTS = {name: option.get("default") for spec in (PUBLISH, VERSIONS) for name, option in spec.items()}


class Archive:
    """Where an archive comes from. kind: url, node or controller.

    url: to download it from. path: of a file on the node; of the controller's archive that is None until the action plugin has
    put it there. name: for people and for the record beside the model. file: the end of that. signed: is some of the URL not
    in the name, which may change each time?
    """

    def __init__(self, text: str, copy: Optional[str] = None) -> None:
        scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", text)
        kinds = {"": "controller", "http": "url", "https": "url", "file": "node"}
        self.kind = kinds.get(scheme.group(1).lower() if scheme else "", "")
        if not self.kind:
            raise Error(
                "model_archive is %r: %s:// is not supported. Use http:// or https://, file:///PATH for a file on"
                " model_node, or a path on the controller." % (public(text), text.partition("://")[0]), "archive_invalid",
            )
        self.name = public(text)
        self.file = posixpath.basename(self.name.partition("?")[0] if self.kind == "url" else self.name)
        self.signed = self.kind == "url" and self.name.endswith(HIDDEN)
        self.url: Optional[str] = None
        self.path = copy  # its checksum is its identity: the path differs from controller to controller
        if self.kind != "controller":
            self._read_url(text)

    def _read_url(self, text: str) -> None:
        try:
            parts = urlsplit(text)
            parts.port  # noqa: B018 - raises where it is not a number
        except ValueError as error:
            # Python's words may have a part of a password in them.
            why = "this is not a URL. In a user's name or password, / is written as %2F, and so are ? # [ ]" if "@" in text else error
            raise Error("model_archive is %r: %s." % (self.name, why), "archive_invalid") from None
        if self.kind == "node":
            path = re.sub(r"(?i)\Afile://(localhost(?=/))?", "", text)  # all of it: # and ? are letters of a file's name
            if not path.startswith("/"):
                raise Error(
                    "model_archive is %r: a file on model_node has three slashes, file:///PATH." % text, "archive_invalid"
                )
            self.path = path
            return
        if not parts.hostname or re.search(r"[\x00-\x1f\x7f]", text):
            raise Error("model_archive is %r: this is not a URL." % self.name, "archive_invalid")
        self.url = _quoted(parts)


def _quoted(parts: SplitResult) -> str:
    """As a browser asks for it: any script, blanks. A % stays, for what follows is quoted already or means itself."""
    letters = "%/:?&=[]@!$'()*+,;~"
    try:
        netloc = ascii_netloc(parts)
    except UnicodeError as error:
        raise Error("model_archive names the host %r: %s." % (parts.hostname, error), "archive_invalid") from None
    return urlunsplit((parts.scheme, netloc, quote(parts.path, letters), quote(parts.query, letters), ""))


class Request:
    """Validated options of model_publish or model_versions."""

    def __init__(self, options: Options) -> None:
        options = dict(_DEFAULTS, **given(options))
        self.server: str = _required(options, "nas_server")
        self.export = _folder(options, "nas_export")
        self.options: str = options["nas_options"]
        self.base_path = _folder(options, "base_path")
        self.folder = posixpath.relpath(self.base_path, self.export)
        self.timeout = _whole(options, "timeout")
        self.mount_timeout = _whole(options, "mount_timeout")
        self.lock_timeout = _whole(options, "lock_timeout")
        self.tags: List[str] = options["saved_model_tags"]
        self._check_place()
        self._read_publication(options)
        self._read_changes(options)

    def _check_place(self) -> None:
        if re.search(r"\s|/", self.server):
            raise Error(
                "model_nas_server is %r: give the server's name or address alone; the path goes to model_nas_export and"
                " model_base_path." % self.server, "nas_server_invalid",
            )
        if self.folder.split("/")[0] == "..":
            raise Error(
                "model_base_path is %s, which does not lie in model_nas_export %s, the part of the NAS that is mounted."
                " Change one of the two." % (self.base_path, self.export), "base_path_outside_export",
            )

    def _read_publication(self, options: Options) -> None:
        """What model_publish takes."""
        archive = options["archive_url"] or options["archive"]
        self.archive = None if archive is None else Archive(archive, options["archive_copy"])
        self.version = None if options["version"] is None else version_number(options["version"], "model_version")
        self.checksum = None if options["checksum"] is None else checksum(options["checksum"])
        self.max_size = _whole(options, "max_size")
        self.reinstate: bool = options["reinstate"]
        self.newest: bool = options["newest"]
        self.release = None if options["server_release"] is None else _release(options["server_release"])
        self.warmup = _whole(options, "warmup", least=0)
        self.warmup_signature = options["warmup_signature"]
        self.warmup_dataset = options["warmup_dataset"]
        self.warmup_samples = options["warmup_samples"]
        if self.warmup > MAX_WARMUP:
            raise Error("model_warmup is %d: a server takes %d records at most." % (self.warmup, MAX_WARMUP), "number_invalid")
        if self.warmup and self.warmup_dataset is None:
            raise Error(
                "model_warmup is %d, and check_dataset, which the samples come from, is not set. Set it, or model_warmup: 0."
                % self.warmup, "variable_missing", variable="check_dataset",
            )

    def _read_changes(self, options: Options) -> None:
        """What model_versions takes."""
        self.withdraw = _versions(options, "withdraw")
        self.in_use = _versions(options, "in_use")
        self.checked = _versions(options, "checked")
        self.keep = _whole(options, "keep", least=0)
        self.reason = " ".join(options["reason"].split())
        self.target = None if options["target"] is None else version_number(options["target"], "target of model_versions")
        self.acts = bool(self.withdraw or self.keep or self.checked or self.target)  # or does it only look?


def readable(options: Options) -> Tuple[Options, Optional[str]]:
    """(options of model_publish as everybody may read them, the whole URL of the archive if that is not among them). The node needs
    no more of the dataset, which the controller reads."""
    url = options.get("archive") or ""
    shown = {name: public_all(value) if name in ("archive", "warmup_dataset") else value for name, value in options.items()}
    return shown, None if public(url) == url else url


def given(options: Options) -> Options:
    """The options without those that are empty. A null in a template arrives as an empty string before ansible-core 2.19."""
    stripped = {name: value.strip() if isinstance(value, str) else value for name, value in options.items()}
    return {name: value for name, value in stripped.items() if value is not None and value != ""}


def _required(options: Options, name: str) -> Any:
    if options[name] is None:
        raise Error("model_%s is not set." % name, "variable_missing", variable="model_" + name)
    return options[name]


def _whole(options: Options, name: str, least: int = 1) -> int:
    value = options[name]
    if isinstance(value, bool) or not re.match(r"[0-9]{1,18}$", str(value)) or int(value) < least:
        raise Error("model_%s is %r: use a whole number from %d up." % (name, value, least), "number_invalid")
    return int(value)


def _release(value: str) -> Tuple[int, int]:
    """(major, minor)"""
    match = re.match(r"([0-9]{1,9})\.([0-9]{1,9})(\.|$)", value)
    if not match:
        raise Error("model_publish's server_release is %r: use the server's release, such as 2.15.1." % value, "option_invalid")
    return int(match.group(1)), int(match.group(2))


def _versions(options: Options, name: str) -> List[int]:
    value = options[name]
    return [version_number(number, "%s of model_versions" % name) for number in (value if isinstance(value, list) else [value])]


def _folder(options: Options, name: str) -> str:
    value: str = _required(options, name)
    parts = value.split("/")
    if not value.startswith("/") or ".." in parts or re.search(r"[\x00-\x1f]", value):
        raise Error("model_%s is %r: use an absolute path inside the NAS, without '..'." % (name, value), "path_invalid")
    return "/" + "/".join(part for part in parts if part not in ("", "."))


def version_number(value: Any, what: str) -> int:
    """The version as an int. `what` is named in the error."""
    if isinstance(value, bool) or not re.match(r"[0-9]{1,19}$", str(value)) or not 1 <= int(value) <= MAX_VERSION:
        raise Error(
            "%s is %r, and a version is a whole number from 1 to %d: servers load folders with such names only."
            % (what, value, MAX_VERSION), "version_invalid",
        )
    return int(value)


def checksum(value: str) -> str:
    """The 64 hex digits in lower case."""
    match = re.match(r"(?:sha256:)?([0-9a-f]{64})$", value.lower())
    if not match:
        raise Error(
            "model_checksum is %r: use sha256:HEX with 64 hex digits (sha256sum FILE prints them), or leave it empty."
            % value, "checksum_invalid",
        )
    return match.group(1)


def checksum_mismatch(source: str, wanted: Optional[str], found: str) -> Error:
    return Error(
        "%s has the checksum sha256:%s, but model_checksum is sha256:%s. Nothing was published. If the new archive is"
        " right, change model_checksum; if not, find out who changed the archive." % (source, found, wanted),
        "checksum_mismatch", wanted=wanted, found=found,
    )
