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
from collections.abc import Callable, Iterator
from http.client import HTTPException
from typing import IO, Any
from urllib.error import HTTPError

from ansible_collections.mlops.tf_serving.plugins.module_utils import web
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.urls import ascii_netloc, public, public_all, without_secrets
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats.source import CHUNK, MAX_BYTES

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
        raise Error("%s is %r: use an absolute path or an http(s) URL." % (variable, public_all(location)), _code(variable, "invalid"))
    return path


def name(place: str) -> str:
    """The end of a path, also of a URL's."""
    path = public(place).partition("?")[0] if URL.match(place) else place
    return path.rstrip("/").rsplit("/", 1)[-1]


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
    shown = public(url)
    deadline = time.monotonic() + timeout
    try:
        with web.opened(sendable(url), timeout) as reply:
            # read1: what has come, for read() waits for a whole chunk, and a socket's own timeout starts anew with every byte.
            return _read_through(reply.read1, shown, variable, deadline, file.write)
    except HTTPError as error:
        reason = _line(error.reason)
        raise Error(
            "%s %s answers %s %s." % (variable, shown, error.code, reason), _code(variable, "missing"), status=error.code
        ) from None
    except Error:
        raise
    except (OSError, HTTPException, ValueError) as error:
        raise Error(
            "%s %s cannot be downloaded: %s." % (variable, shown, _line(getattr(error, "reason", error))), _code(variable, "missing"),
        ) from None


def _line(said: object) -> str:
    """The first of what urllib says; of a redirection that it does not follow it shows the whole URL, signature and all."""
    return without_secrets(str(said).partition("\n")[0])


def sendable(url: str) -> str:
    """A URL as a browser sends what is typed: letters outside of ASCII and blanks as %XX, such a host as IDNA, no fragment."""
    parts = urllib.parse.urlsplit(url)
    texts = (re.sub("%(?![0-9A-Fa-f]{2})", "%25", text) for text in (parts.path, parts.query))
    path, query = (urllib.parse.quote(text, safe="%/?:@!$&'()*+,;=~[]|") for text in texts)
    return urllib.parse.urlunsplit((parts.scheme, ascii_netloc(parts), path, query, ""))


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
