# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Through which proxy does the way to the API lead? Decided once, for requests and for port-forwards. Pure.

The official client's requests and its websockets each read proxies in ways of their own, which differ by release: before 33 or so
the requests know nothing of HTTPS_PROXY. Here they are read as kubectl and Helm do, with what curl takes as well.
"""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}
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


def bypassed(host: str, no_proxy: str) -> bool:
    """Is it one of the names, domains, addresses and networks of no_proxy, between commas or blanks? A port may follow each."""
    name, port = _name(host)
    return any(_matches(entry, name, port) for entry in re.split(r"[\s,]+", no_proxy.lower()) if entry)


def _matches(entry: str, name: str, port: int) -> bool:
    if entry == "*":
        return True
    address = _address(name)
    with_port = re.fullmatch(r"(\[.*\]|[^:]*):(\d+)", entry)
    if with_port:
        if int(with_port[2]) != port:
            return False
        entry = with_port[1]
    entry = entry.strip("[]")
    if address:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    domain = entry.lstrip("*").strip(".")
    return bool(domain) and (name == domain or name.endswith("." + domain))


def _of_this_machine(host: str) -> bool:
    """Such as the end of a tunnel: no proxy leads there."""
    name, _port = _name(host)
    address = _address(name)
    return name == "localhost" or (address is not None and address.is_loopback)


def _name(host: str) -> tuple[str, int]:
    parts = urlsplit(host)
    return (parts.hostname or "").rstrip("."), parts.port or PORTS[parts.scheme]


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


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
