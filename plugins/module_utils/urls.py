# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""URLs as people type them: as a server wants them, and as everybody may read them."""

import re
from typing import Any, Iterator, Match
from urllib.parse import SplitResult, unquote, unquote_plus

URL = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*)://")
HIDDEN = "..."  # stands for what of a query nobody is to read

# What names a file and opens no door. All else may be a signature, or a part of one.
HARMLESS = frozenset((
    "alt", "at", "branch", "dl", "download", "export", "file", "filename", "format", "generation", "inline", "name", "path", "raw",
    "ref", "ref_type", "rev", "revision", "tag", "version", "versionid",
))


def ascii_netloc(parts: SplitResult) -> str:
    """User, host and port, a host in another script as IDNA. A UnicodeError where that is no name of a host."""
    user, at, host = parts.netloc.rpartition("@")
    if all(letter <= "\x7f" for letter in host):
        return parts.netloc
    return user + at + str(parts.hostname).encode("idna").decode() + (":%d" % parts.port if parts.port else "")


def public(text: str) -> str:
    """A URL as it is shown and recorded: without user and password, with "..." for what of its query is no name of a file. The same
    each time that it is signed. What is no URL is left as it is, and so is file://, whose ? is a letter of a file's name."""
    scheme = URL.match(text)
    return text if scheme is None or scheme.group(1).lower() == "file" else _public(scheme)


def _public(scheme: Match[str]) -> str:
    rest = scheme.string[scheme.end():].strip()
    server = re.split("[/?#]", rest)[0]
    if re.search(r":(?!\d*$)[^\]]*$", server.rpartition("@")[2]):  # no port: a password with one of these letters in it
        rest = rest.rpartition("@")[2]
    place, dummy, query = rest.partition("#")[0].partition("?")
    server, slash, path = place.partition("/")
    parts = [part for part in re.split("[&;]", query) if part]
    shown = list(filter(_is_harmless, parts))
    shown += [HIDDEN] if len(shown) < len(parts) else []
    return "%s://%s%s%s%s" % (
        scheme.group(1).lower(), server.rpartition("@")[2], slash, path, "?" + "&".join(shown) if shown else "")


def _is_harmless(part: str) -> bool:
    """Of a query. A value that is a URL itself may be signed as well."""
    name, dummy, value = part.partition("=")
    return unquote_plus(name).lower() in HARMLESS and not re.search("[?@=&;:]", unquote(value))


def public_all(value: Any) -> Any:
    """Plain data, each URL in it as everybody may read it."""
    if isinstance(value, str):
        return public(value)
    if isinstance(value, dict):
        return {key: public_all(entry) for key, entry in value.items()}
    return [public_all(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def without_secrets(said: object) -> str:
    """What a server or a library says, with the URLs and paths in it as everybody may read them."""
    return re.sub(r"(?:[A-Za-z][A-Za-z0-9+.-]*:/)?/[^\s'\"<>]*", lambda found: _said(found.group()), str(said))


def _said(place: str) -> str:
    scheme = URL.match(place)
    if scheme:
        return _public(scheme)
    path, mark, dummy = place.partition("?")
    return path + (mark and mark + HIDDEN)


def secrets(value: Any) -> Iterator[str]:
    """All that nobody is to read, of the URLs in plain data. Long texts only, for each is looked for in all that is answered."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for entry in value:
            yield from secrets(entry)
    elif isinstance(value, str) and public(value) != value.strip():
        yield value.strip()
        login = re.match(r"\s*[^:/]+://([^/?#]*@)", value)
        query = value.strip().partition("?")[2]
        if login:
            yield login.group(1)
        if query and public(value).endswith(HIDDEN):
            yield query
