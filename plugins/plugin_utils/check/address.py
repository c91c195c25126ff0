# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The address of a Service: what is dialled, and whether anything accepts there."""
from __future__ import annotations

import re
import socket
import time

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error

CONNECT_PATIENCE = 3.0  # seconds; kube-proxy needs about one to serve a new address
PAUSE = 0.2
HIGHEST_PORT = 65535


def dialled(address: str, port: int) -> str:
    """host:port out of the option address, whose port may be left out."""
    host = "[%s]" % address if re.fullmatch(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*", address) else address  # IPv6
    match = re.fullmatch(r"(\[[^\]]+\]|[^:\[\]/]+)(?::(\d+))?", host)
    if not match or not 1 <= int(match.group(2) or port) <= HIGHEST_PORT:
        raise Error("check_address is %r: use HOST or HOST:PORT." % address, "address_invalid")
    return "%s:%s" % (match.group(1), match.group(2) or port)


def probe(target: str) -> None:
    """Return once target accepts a TCP connection; Error after CONNECT_PATIENCE.

    Short fresh connects, for a gRPC channel whose first SYN is lost waits 20 seconds. That something accepts does not
    prove that it is the server: only an answer does.
    """
    host, _colon, port = target.rpartition(":")
    deadline = time.monotonic() + CONNECT_PATIENCE
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise Error("the server cannot be reached: %s" % (error.strerror or error), "unavailable") from error
            time.sleep(PAUSE)
