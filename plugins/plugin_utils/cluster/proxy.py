# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Through which proxy does the way to the API lead? Decided once, for requests and for port-forwards. Pure.

The official client's requests and its websockets each read proxies in ways of their own, which differ by release: before 33 or so
the requests know nothing of HTTPS_PROXY. Here they are read as kubectl and Helm do, with what curl takes as well.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ansible_collections.mlops.tf_serving.plugins.module_utils.no_proxy import PORTS, address, bypassed, name_and_port

FOR_THE_CLUSTER = "the option proxy, K8S_AUTH_PROXY or proxy-url in the kubeconfig"


class Proxy(NamedTuple):
    url: str  # without user and password
    login: str  # USER:PASSWORD, or empty


def decide(host: str, named: str | None, exempt: str | None, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy for a host (its URL), None for the direct way.

    named, exempt: proxy and no_proxy that were set for the cluster alone. A ValueError is a sentence: it cannot be used.
    """
    if named:
        return None if bypassed(host, exempt or "") else _read(named, FOR_THE_CLUSTER)
    variable = urlsplit(host).scheme + "_proxy"
    for name in (variable, variable.upper()):
        if environment.get(name, "").strip():
            left_out = exempt or environment.get("no_proxy") or environment.get("NO_PROXY") or ""
            return None if _of_this_machine(host) or bypassed(host, left_out) else _read(environment[name], name)
    return None


def _of_this_machine(host: str) -> bool:
    """Such as the end of a tunnel: no proxy leads there."""
    name, _port = name_and_port(host)
    known = address(name)
    return name == "localhost" or (known is not None and known.is_loopback)


def _read(text: str, source: str) -> Proxy:
    text = text.strip()
    try:
        parts = urlsplit(text if "://" in text else "http://" + text)
        usual, name = PORTS[parts.scheme], parts.hostname or ""
        port = parts.port or usual
    except (KeyError, ValueError):
        name = ""
    if not re.fullmatch(r"[^\s/]+", name):
        raise ValueError("the proxy (%s) is none: write it as http://NAME:PORT" % source)
    login = "%s:%s" % (unquote(parts.username), unquote(parts.password or "")) if parts.username else ""
    return Proxy("%s://%s:%d" % (parts.scheme, "[%s]" % name if ":" in name else name, port), login)
