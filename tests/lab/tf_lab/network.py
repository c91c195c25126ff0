"""Network namespace, addresses and routes. Nothing of this machine's own firewall or routes is touched."""
from __future__ import annotations

import ipaddress
import json
import subprocess
from pathlib import Path

from . import init, settings
from .settings import CLUSTER_IP, HOST_IP, LINK, RANGE, VETH_HOST, VETH_LAB
from .shell import LabError, init_pid, inside, run

PART = "Network %s" % RANGE
METRIC = 4_000_000_000  # any other route to the same place wins
ADDRESSES = (CLUSTER_IP, settings.NAS_IP, settings.WEB_IP, settings.SILENT_IP)
ROUTED = (settings.PODS, settings.SERVICES, settings.LOAD_BALANCERS, settings.NAS_NODE_IP)


def build():
    """Nothing to build."""


def start():
    # First of all: an address of ours that is not routed would otherwise leave by the default gateway.
    run("ip", "route", "replace", "unreachable", RANGE, "metric", METRIC)
    init.start()
    if not _link().exists():
        run("ip", "link", "add", VETH_HOST, "type", "veth", "peer", "name", VETH_LAB, "netns", init_pid())
    _ip(inside("ip"), [
        "link set lo up",
        "route replace unreachable %s metric %d" % (RANGE, METRIC),
        *("address replace %s/%d dev %s" % (address, LINK.prefixlen, VETH_LAB) for address in ADDRESSES),
        "link set %s up" % VETH_LAB,
    ])
    _ip(["ip"], [
        "address replace %s/%d dev %s" % (HOST_IP, LINK.prefixlen, VETH_HOST),
        "link set %s up" % VETH_HOST,
        *("route replace %s via %s dev %s src %s" % (target, CLUSTER_IP, VETH_HOST, HOST_IP) for target in ROUTED),
    ])
    run(*inside("sysctl", "-qw", "net.ipv4.ip_forward=1"))
    drop = ("INPUT", "-d", settings.SILENT_IP, "-j", "DROP")
    try:
        run(*inside("iptables", "-w", "-C", *drop))
    except LabError:
        run(*inside("iptables", "-w", "-I", *drop))


def _ip(ip, lines):
    run(*ip, "-batch", "-", input="\n".join(lines) + "\n")


def _link():
    return Path("/sys/class/net", VETH_HOST)


def status():
    return "up, %s on %s" % (HOST_IP, VETH_HOST) if _link().exists() else "down"


def clash():
    """Somebody else's routes into the lab's range, as text; empty if there are none."""
    found = []
    for route in json.loads(run("ip", "-json", "-4", "route", "show", "table", "all") or "[]"):
        if route["dst"] == "default" or route.get("dev") == VETH_HOST:
            continue
        target = ipaddress.ip_network(route["dst"], strict=False)
        ours = route.get("type") == "unreachable" and route.get("metric") == METRIC
        if target.prefixlen > 1 and target.overlaps(RANGE) and not ours:  # 0/1 and 128/1: a default route in halves
            found.append("%s %s %s" % (target, "via", route.get("gateway") or route.get("dev", "?")))
    return ", ".join(found)


def remove():
    """The link and the routes over it; the unreachable route stays (see remove_guard)."""
    if _link().exists():  # it also goes by itself, soon after the init has died
        subprocess.run(["ip", "link", "delete", VETH_HOST], capture_output=True, check=False)


def remove_guard():
    """The last thing that `lab down` removes."""
    if run("ip", "route", "show", "type", "unreachable", "exact", RANGE).strip():
        run("ip", "route", "delete", "unreachable", RANGE, "metric", METRIC)
