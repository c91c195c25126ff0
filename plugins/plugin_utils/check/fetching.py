# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One file from a path or from under a URL, its bytes as `curl -O` would have them."""
from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any
from urllib.error import HTTPError

from ansible.module_utils.urls import open_url

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.urls import ascii_netloc
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats.source import CHUNK, MAX_BYTES
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.proxy import bypassed

URL = re.compile("https?://", re.IGNORECASE)


def place(location: Any, variable: str) -> str:
    """An http(s) URL as it is, or an absolute path."""
    text = str(location).strip()
    if URL.match(text):
        return text
    path = os.path.expanduser(text)
    if text.lower().startswith("file://"):
        path = text[len("file://"):]
        if not os.path.lexists(path):  # a URL as a browser shows it
            path = urllib.parse.unquote(path)
    if not os.path.isabs(path):
        raise Error("%s is %r: use an absolute path or an http(s) URL." % (variable, location), _code(variable, "invalid"))
    return path


def without_secrets(place: str) -> str:
    """For people, and for reports that are kept: without the password or signature that a URL may have in it."""
    return re.sub(r"^(https?://)(?:[^/?#]*@)?([^?#]*).*", r"\1\2", place, flags=re.DOTALL | re.IGNORECASE)


def name(place: str) -> str:
    return without_secrets(place).rstrip("/").rsplit("/", 1)[-1]


@contextlib.contextmanager
def opened(place: str, timeout: float, variable: str) -> Iterator[tuple[IO[bytes], str]]:
    """(the file, its sha256)"""
    with contextlib.ExitStack() as stack:
        file: IO[bytes]
        if URL.match(place):
            file = stack.enter_context(tempfile.TemporaryFile())
            digest = _download(place, file, timeout, variable)
        else:
            try:
                if os.path.exists(place) and not os.path.isfile(place):  # a pipe might never end
                    raise Error("%s %s is not a file." % (variable, place), _code(variable, "missing"))
                file = stack.enter_context(open(place, "rb"))
                digest = _read_through(file.read, place, variable)
            except (OSError, ValueError) as error:  # a ValueError for a NUL byte in the path
                why = "%s %s cannot be read: %s." % (variable, place, getattr(error, "strerror", error))
                raise Error(why, _code(variable, "missing")) from error
        file.seek(0)
        yield file, digest


def _download(url: str, file: IO[bytes], timeout: float, variable: str) -> str:
    """Fetch into a file; the sha256."""
    shown = without_secrets(url)
    deadline = time.monotonic() + timeout
    try:
        # decompress: a server may say that the gzip of a file that is one is only for the way.
        with open_url(sendable(url), timeout=timeout, decompress=False, use_proxy=not direct(url, os.environ)) as reply:
            # read1: what has come, for read() waits for a whole chunk, and a socket's own timeout starts anew with every byte.
            return _read_through(reply.read1, shown, variable, deadline, file.write)
    except HTTPError as error:
        reason = _without_query(error.reason)
        raise Error(
            "%s %s answers %s %s." % (variable, shown, error.code, reason), _code(variable, "missing"), status=error.code
        ) from None
    except Error:
        raise
    except Exception as error:  # open_url raises errors of urllib, http.client, ssl and its own
        raise Error(
            "%s %s cannot be downloaded: %s." % (variable, shown, _without_query(error)), _code(variable, "missing")) from None


def _without_query(said: object) -> str:
    """A line of what urllib says; of a redirection that it does not follow it shows the whole URL, signature and all."""
    return re.sub(r"\?\S*", "?...", str(said).partition("\n")[0])


def sendable(url: str) -> str:
    """A URL as a browser sends what is typed: letters outside of ASCII and blanks as %XX, such a host as IDNA, no fragment."""
    parts = urllib.parse.urlsplit(url)
    texts = (re.sub("%(?![0-9A-Fa-f]{2})", "%25", text) for text in (parts.path, parts.query))
    path, query = (urllib.parse.quote(text, safe="%/?:@!$&'()*+,;=~[]|") for text in texts)
    return urllib.parse.urlunsplit((parts.scheme, ascii_netloc(parts), path, query, ""))


def direct(url: str, environment: Mapping[str, str]) -> bool:
    """Whether no_proxy keeps a host from the proxy."""
    return bypassed(url, environment.get("no_proxy") or environment.get("NO_PROXY") or "")


def _read_through(
    read_some: Callable[[int], bytes], shown: str, variable: str, deadline: float | None = None,
    write: Callable[[bytes], Any] | None = None,
) -> str:
    """The sha256 of all there is, unless it is too much or too slow."""
    digest, size = hashlib.sha256(), 0
    while True:
        chunk = read_some(CHUNK)
        if not chunk:
            return digest.hexdigest()
        size += len(chunk)
        digest.update(chunk)
        if write:
            write(chunk)
        if size > MAX_BYTES:
            raise Error("%s %s is larger than 1 GiB." % (variable, shown), _code(variable, "invalid"))
        if deadline is not None and time.monotonic() > deadline:
            raise Error(
                "%s %s did not arrive in time: %d bytes so far. Raise check_dataset_timeout, or use a local copy."
                % (variable, shown, size),
                _code(variable, "missing"),
            )


def _code(variable: str, what: str) -> str:
    return "%s_%s" % (variable[len("check_"):], what)
