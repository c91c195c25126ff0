"""The one place that knows the lab's paths, addresses and versions."""
from __future__ import annotations

import ipaddress
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent  # tests/lab

# CACHE: what was built; survives `lab down`. STATE: what runs; `lab down` removes it.
CACHE = Path("/var/cache/tf-serving-lab")
STATE = Path("/var/lib/tf-serving-lab")
BIN = CACHE / "bin"
LOGS = STATE / "log"
EXPORT = STATE / "nas"  # the directory that the NAS exports
WWW = STATE / "www"  # what http://WEB_IP/ serves
KUBECONFIG = STATE / "kubeconfig"
NODE_KEY = STATE / "node_key"

KUBERNETES = "1.34.4"
HELM = "3.19.5"
VETH_HOST, VETH_LAB = "tflab0", "tflab1"

# Everything the lab ever dials lies in RANGE. Unreachable routes lie under it from before the first dial.
RANGE = ipaddress.ip_network("10.213.0.0/16")
LINK = ipaddress.ip_network("10.213.0.0/24")
HOST_IP = "10.213.0.1"  # this machine's end of the veth
CLUSTER_IP = "10.213.0.2"  # API server, kubelet
NAS_NODE_IP = "10.213.0.3"  # the Linux host over SSH that mounts the NAS (user-mode Linux)
NAS_IP = "10.213.0.4"  # NFSv4.0 server
WEB_IP = "10.213.0.5"  # archives and test images over HTTP
SILENT_IP = "10.213.0.9"  # drops every packet: a server that never answers
PODS = ipaddress.ip_network("10.213.1.0/24")
SERVICES = ipaddress.ip_network("10.213.2.0/24")
LOAD_BALANCERS = ipaddress.ip_network("10.213.3.0/24")

NODE_NAME = "lab-node"
IMAGES = tuple("localhost/tensorflow-serving:" + tag for tag in (
    "1.4.0-devel", "1.4.0-devel-gpu", "2.15.1", "2.15.1-slow-nas"))
SLOW_NAS = "-slow-nas"  # tags that end so see a change of a directory DIRECTORY_DELAY seconds late
DIRECTORY_DELAY = 60  # as an NFS client's attribute cache at its worst (acdirmax)
