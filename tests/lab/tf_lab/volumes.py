"""The three ways to the NAS that kubelet knows: CSI, flexVolume, in-tree nfs. drivers.py and csi.py do the mounting."""
from __future__ import annotations

import shlex
import shutil
import sys

from . import api
from .cluster import KUBELET, VOLUME_PLUGINS
from .progress import note
from .settings import CACHE, NODE_NAME, SOURCE, STATE
from .shell import daemon, inside, run, running, wait_for, write

CSI_DRIVER = "nasplugin.csi.alibabacloud.com"
PART = "Volume drivers: CSI, flexVolume, nfs"
PYTHON = CACHE / "python"
PYTHON_PACKAGES = ("grpcio==1.85.1", "protobuf==7.36.2")


def build():
    """A Python with grpc for the CSI plugin; the lab's own needs nothing but its standard library."""
    stamp = PYTHON / "packages.txt"
    if stamp.exists() and stamp.read_text() == "\n".join(PYTHON_PACKAGES):
        return
    note("pip install %s" % " ".join(PYTHON_PACKAGES))
    shutil.rmtree(PYTHON, ignore_errors=True)
    run(sys.executable, "-m", "venv", PYTHON)
    run(PYTHON / "bin" / "python3", "-m", "pip", "install", "--quiet", *PYTHON_PACKAGES)
    write(stamp, "\n".join(PYTHON_PACKAGES))


def start():
    _flexvolume()
    _nfs()
    _csi()


def status():
    return "up, %s" % CSI_DRIVER if running("csi") and _csi_is_registered() else "down"


def _launcher(kind):
    return "#!/bin/sh\nPYTHONPATH=%s exec %s -m tf_lab.drivers %s \"$@\"\n" % (
        shlex.quote(str(SOURCE)), shlex.quote(sys.executable), kind)


def _flexvolume():
    """kubelet finds it at VOLUME_PLUGINS/vendor~driver/driver, while it runs; so it must appear whole."""
    target = VOLUME_PLUGINS / "alicloud~nas"
    if not target.exists():
        half = STATE / "flexvolume.half"
        write(half / "nas", _launcher("flexvolume"), 0o755)
        half.rename(target)


def _nfs():
    """In the lab's mount namespace only, mount.nfs is ours: kubelet runs `mount -t nfs`."""
    helper = write(STATE / "mount.nfs", _launcher("nfs"), 0o755)
    run(*inside("sh", "-c", 'cmp -s "$1" /sbin/mount.nfs || mount --bind "$1" /sbin/mount.nfs', "sh", helper))


def _csi():
    endpoint = KUBELET / "plugins" / CSI_DRIVER / "csi.sock"
    registration = KUBELET / "plugins_registry" / (CSI_DRIVER + "-reg.sock")
    daemon("csi", PYTHON / "bin" / "python3", "-m", "tf_lab.csi", CSI_DRIVER, endpoint, registration,
           env={"PYTHONPATH": str(SOURCE)})
    api.apply("/apis/storage.k8s.io/v1/csidrivers/" + CSI_DRIVER, {
        "apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": CSI_DRIVER},
        "spec": {"attachRequired": False, "podInfoOnMount": True, "volumeLifecycleModes": ["Persistent"]},
    })
    wait_for("The CSI plugin %s" % CSI_DRIVER, _csi_is_registered, 60, log="csi")


def _csi_is_registered():
    node = api.call("GET", "/apis/storage.k8s.io/v1/csinodes/" + NODE_NAME)
    return any(driver["name"] == CSI_DRIVER for driver in node["spec"].get("drivers") or ())
