# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask a web server about a file, and fetch it, with errors that a person can act on."""
import contextlib
import http.client
import socket
import ssl
import urllib.error
import urllib.request
from typing import Any, Callable, Dict, Iterator, Optional, Tuple, TypeVar

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.source import CHUNK

STALL = 60  # seconds without a single byte
HEADERS = {"User-Agent": "mlops.tf_serving", "Accept-Encoding": "identity"}

State = Dict[str, Any]  # "etag", "last_modified", "size": what a server says of a file, None where it says nothing
T = TypeVar("T")


def head(url: str) -> Optional[State]:
    """What the server says to a HEAD request, or None where it does not answer such."""
    try:
        with _open(urllib.request.Request(url, headers=HEADERS, method="HEAD"), url) as response:
            return _state(response)
    except Error as error:
        # A URL signed for GET answers HEAD with 403; some servers know no HEAD.
        if error.details.get("status") in (400, 401, 403, 405, 501):
            return None
        raise


@contextlib.contextmanager
def opened(url: str, max_size: int) -> Iterator[Tuple[State, Callable[[], bytes]]]:
    """(what head() returns, what gives the next bytes of the file, b"" at the end)"""
    with _open(urllib.request.Request(url, headers=HEADERS), url) as response:
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
    return {
        "etag": response.headers.get("ETag"),
        "last_modified": response.headers.get("Last-Modified"),
        "size": int(length) if length.isdigit() else None,
    }


def _open(request: urllib.request.Request, url: str) -> Any:
    # The opener takes http_proxy and the like from the environment of the node.
    return _explained(url, lambda: urllib.request.build_opener().open(request, timeout=STALL))


def _explained(url: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except urllib.error.HTTPError as error:
        error.close()
        raise Error(
            "%s answers %d %s. Check model_archive: the URL, and that model_node may read it."
            % (_bare(url), error.code, error.reason), "archive_not_found" if error.code in (404, 410) else "archive_refused",
            status=error.code,
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
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _failed(url: str, reason: str, code: str = "download_failed") -> Error:
    return Error(
        "model_node could not read %s: %s. Check model_archive and the way from model_node to that server (http_proxy?),"
        " then run again." % (_bare(url), reason), code,
    )


def _too_large(url: str, size: int, max_size: int) -> Error:
    return Error(
        "%s has %d bytes or more, over the %d that model_max_size allows. Raise model_max_size if the model is that"
        " large." % (_bare(url), size, max_size), "archive_too_large",
    )


def _bare(url: str) -> str:
    return url.split("?")[0]
