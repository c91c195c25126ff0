# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What no_proxy leaves out, as curl and kubectl read it, on the controller and on the node. Pure."""

import ipaddress
import re
from typing import Optional, Tuple, Union
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


def bypassed(host: str, no_proxy: str) -> bool:
    """Is it one of the names, domains, addresses and networks of no_proxy, between commas or blanks? A port may follow each."""
    name, port = name_and_port(host)
    return any(_matches(entry, name, port) for entry in re.split(r"[\s,]+", no_proxy.lower()) if entry)


def _matches(entry: str, name: str, port: int) -> bool:
    if entry == "*":
        return True
    known = address(name)
    with_port = re.match(r"(\[.*\]|[^:]*):(\d+)\Z", entry)
    if with_port:
        if int(with_port.group(2)) != port:
            return False
        entry = with_port.group(1)
    entry = entry.strip("[]")
    if known:
        try:
            return known in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    domain = entry.lstrip("*").strip(".")
    return bool(domain) and (name == domain or name.endswith("." + domain))


def name_and_port(host: str) -> Tuple[str, int]:
    """Of a URL."""
    parts = urlsplit(host)
    return (parts.hostname or "").rstrip("."), parts.port or PORTS[parts.scheme]


def address(name: str) -> Optional[Address]:
    """What a name says that is an address."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
