# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask a web server about a file, and fetch it, with errors that a person can act on."""
import contextlib
import http.client
import socket
import ssl
import urllib.error
from typing import Any, Callable, Dict, Iterator, Optional, Tuple, TypeVar

from ansible_collections.mlops.tf_serving.plugins.module_utils import web
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.source import CHUNK
from ansible_collections.mlops.tf_serving.plugins.module_utils.urls import public, without_secrets

STALL = 60  # seconds without a single byte
BEGINNING = {"Range": "bytes=0-0"}  # who does not know that sends all, and is hung up on

State = Dict[str, Any]  # "etag", "last_modified", "size": what a server says of a file, None where it says nothing
T = TypeVar("T")


def head(url: str) -> State:
    """What the server says to a HEAD request; to the beginning of a download, where it has no good answer to that."""
    return _explained(url, lambda: _head(url)) or begun(url)


def _head(url: str) -> Optional[State]:
    try:
        with web.opened(url, STALL, "HEAD") as response:
            return _state(response)
    except urllib.error.HTTPError as error:
        # A URL signed for GET answers HEAD with 403; some servers know no HEAD, and say so in many ways.
        error.close()
    except (http.client.HTTPException, ConnectionError):
        pass
    return None


def begun(url: str) -> State:
    """What the server says where the download begins."""
    with _open(url, BEGINNING) as response:
        return _state(response)


@contextlib.contextmanager
def opened(url: str, max_size: int) -> Iterator[Tuple[State, Callable[[], bytes]]]:
    """(what head() returns, what gives the next bytes of the file, b"" at the end)"""
    with _open(url) as response:
        state, came = _state(response), 0
        promised = state["size"]
        if promised is not None and promised > max_size:
            raise _too_large(url, promised, max_size)

        def read_chunk() -> bytes:
            nonlocal came
            chunk: bytes = _explained(url, lambda: response.read(CHUNK))
            came += len(chunk)
            if came > max_size:
                raise _too_large(url, came, max_size)
            if not chunk and promised is not None and came != promised:
                raise _failed(url, "the connection ended after %d of %d bytes" % (came, promised), "download_cut_off")
            return chunk

        yield state, read_chunk


def _state(response: Any) -> State:
    length = response.headers.get("Content-Length") or ""
    if response.status == 206:
        length = (response.headers.get("Content-Range") or "").rpartition("/")[2]
    return {
        "etag": response.headers.get("ETag"),
        "last_modified": response.headers.get("Last-Modified"),
        "size": int(length) if length.isdigit() else None,
    }


def _open(url: str, headers: Optional[Dict[str, str]] = None) -> Any:
    return _explained(url, lambda: web.opened(url, STALL, headers=headers))


def _explained(url: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except urllib.error.HTTPError as error:
        error.close()
        raise Error(
            "%s answers %d %s. Check model_archive: the URL, and that model_node may read it."
            % (public(url), error.code, without_secrets(error.reason)),
            "archive_not_found" if error.code in (404, 410) else "archive_refused", status=error.code,
        ) from None
    except urllib.error.URLError as error:
        raise _failed(url, _reason(error.reason)) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failed(url, _reason(error)) from None


def _reason(error: Any) -> str:
    if isinstance(error, socket.timeout):
        return "no byte came for %d s" % STALL
    if isinstance(error, socket.gaierror):
        return "the host name is not known (%s)" % error.strerror
    if isinstance(error, ssl.SSLError) and error.reason == "CERTIFICATE_VERIFY_FAILED":
        detail = getattr(error, "verify_message", "not verified")  # Python 3.6 does not say more
        return "its certificate is not trusted (%s): add its CA to model_node" % detail
    return getattr(error, "strerror", None) or without_secrets(error) or type(error).__name__


def _failed(url: str, reason: str, code: str = "download_failed") -> Error:
    return Error(
        "model_node could not read %s: %s. Check model_archive and the way from model_node to that server (http_proxy?),"
        " then run again." % (public(url), reason), code,
    )


def _too_large(url: str, size: int, max_size: int) -> Error:
    return Error(
        "%s has %d bytes or more, over the %d that model_max_size allows. Raise model_max_size if the model is that"
        " large." % (public(url), size, max_size), "archive_too_large",
    )
