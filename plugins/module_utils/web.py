# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way to a web server, the same on the controller and on the node: passwords, proxies and redirections as curl has them."""

import base64
import os
import urllib.request
from typing import Any, Dict, Optional
from urllib.parse import unquote, urlsplit, urlunsplit

from ansible_collections.mlops.tf_serving.plugins.module_utils.no_proxy import bypassed

HEADERS = {"User-Agent": "mlops.tf_serving", "Accept-Encoding": "identity"}
LOGIN = "Authorization"


def opened(url: str, timeout: float, method: str = "GET", headers: Optional[Dict[str, str]] = None) -> Any:
    """The answer, to be closed. Raises what urllib raises, whose texts may have the URL in them."""
    request = urllib.request.Request(_without_login(url), headers=dict(HEADERS, **(headers or {})), method=method)
    _log_in(request, _login(url))
    return urllib.request.build_opener(_Proxies, _Redirections).open(request, timeout=timeout)


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _login(url: str) -> Optional[str]:
    """What USER:PASSWORD@ of a URL is to a server."""
    login, at, dummy = urlsplit(url).netloc.rpartition("@")
    if not at:
        return None
    user, dummy, password = login.partition(":")
    return "Basic " + base64.b64encode(("%s:%s" % (unquote(user), unquote(password))).encode()).decode()


def _log_in(request: urllib.request.Request, login: Optional[str]) -> None:
    if login:
        request.add_unredirected_header(LOGIN, login)  # or it would go to whatever server a redirection names


class _Redirections(urllib.request.HTTPRedirectHandler):
    """308 is of Python 3.11, and HEAD remains HEAD only in later ones. The same server gets the password again, another does not."""

    http_error_308 = urllib.request.HTTPRedirectHandler.http_error_302

    def redirect_request(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        new = super().redirect_request(req, fp, 307 if code == 308 else code, msg, headers, _without_login(newurl))
        if new is not None:
            new.method = req.get_method()
            stays = urlsplit(req.full_url)[:2] == urlsplit(new.full_url)[:2]
            _log_in(new, _login(newurl) or (req.unredirected_hdrs.get(LOGIN) if stays else None))
        return new


class _Proxies(urllib.request.ProxyHandler):
    """Of http_proxy and https_proxy. urllib's own no_proxy knows neither blanks between its entries nor networks."""

    def proxy_open(self, req: urllib.request.Request, proxy: str, type: str) -> Any:  # noqa: A002 - its name there
        listed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        return None if bypassed("%s://%s" % (type, req.host), listed) else super().proxy_open(req, proxy, type)
