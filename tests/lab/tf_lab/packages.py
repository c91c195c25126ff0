"""Debian packages: only what is missing, and no service of theirs is started or stays enabled on this machine."""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .progress import note
from .shell import run

PART = "Debian packages"
PACKAGES = (
    # the cluster
    "containerd", "runc", "containernetworking-plugins", "etcd-server", "iptables", "conntrack", "iproute2", "procps",
    "openssl", "mount", "util-linux", "gcc", "libc6-dev", "python3-venv", "ca-certificates",
    # NAS, and the node that mounts it
    "nfs-ganesha", "nfs-ganesha-vfs", "nfs-common", "user-mode-linux", "mmdebstrap", "e2fsprogs", "openssh-client",
    # images and web
    "busybox-static", "binutils", "tar", "gzip",
)
POLICY = Path("/usr/sbin/policy-rc.d")
OURS = "#!/bin/sh\n# Made by tests/lab/lab while it installs packages: they may not start services.\nexit 101\n"


def build():
    before = _installed()
    missing = [name for name in PACKAGES if name not in before]
    remove_policy()
    if not missing:
        return
    note("apt-get install %s" % " ".join(missing))
    apt = ("apt-get", "--quiet", "--yes", "-o", "DPkg::Lock::Timeout=600", "-o", "Acquire::Retries=3")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(*apt, "update", env=env)
    if not POLICY.exists():
        POLICY.write_text(OURS)
        POLICY.chmod(0o755)
    try:
        run(*apt, "install", "--no-install-recommends", *missing, env=env)
    finally:
        remove_policy()
        _disable_services(_installed() - before)


def start():
    """Nothing to start."""


def status():
    missing = sorted(set(PACKAGES) - _installed())
    return "down: missing %s" % " ".join(missing) if missing else "up, %d installed" % len(PACKAGES)


def remove_policy():
    """Also the one that a killed run has left: with it no service of this machine would start on installation."""
    if POLICY.is_file() and POLICY.read_text() == OURS:
        POLICY.unlink()


def _installed():
    lines = run("dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}${Package}\n").splitlines()
    return {line[3:] for line in lines if line.startswith("ii ")}


def _disable_services(packages):
    if not packages or not shutil.which("systemctl"):
        return
    files = subprocess.run(["dpkg-query", "--listfiles", *sorted(packages)], text=True, capture_output=True, check=False)
    kinds = (".service", ".socket", ".timer", ".path", ".target")
    units = sorted({os.path.basename(line) for line in files.stdout.splitlines()
                    if "/systemd/system/" in line and line.endswith(kinds) and "@" not in line})
    if units:
        subprocess.run(["systemctl", "--quiet", "disable", *units], capture_output=True, check=False)
