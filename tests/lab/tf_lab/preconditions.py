"""What the lab needs of this machine, looked at before the long build."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from . import binaries, network
from .settings import CACHE, RANGE
from .shell import LabError, run


def root():
    if sys.platform != "linux":
        raise LabError("This is %s: the lab needs Linux (namespaces, cgroups). A Debian 12 virtual machine will do."
                       % sys.platform)
    if os.geteuid() != 0:
        raise LabError("This is user %d: the lab needs root for namespaces and mounts. Run it as: sudo -E %s"
                       % (os.geteuid(), " ".join(["tests/lab/lab", *sys.argv[1:]])))


def check():
    problems = [problem for problem in (_go(), _namespaces(), _disk(), _addresses(), _apt()) if problem]
    if problems:
        raise LabError("This machine lacks what the lab needs; nothing was changed:\n- " + "\n- ".join(problems))


def _go():
    if binaries.missing() == []:
        return None
    need = max((binaries.go_version(module) for module in binaries.MODULES), key=_numbers)
    if not shutil.which("go"):
        return "Go is not in PATH: install Go %s or newer (Kubernetes and Helm are compiled)." % need
    have = run("go", "env", "GOVERSION").strip().removeprefix("go")
    if _numbers(have) < _numbers(need):
        return "Go is %s at %s: %s or newer is needed (Kubernetes and Helm are compiled)." % (
            have, shutil.which("go"), need)
    return None


def _numbers(version):
    return [int(number) for number in re.findall(r"\d+", version + ".0.0")[:3]]


def _namespaces():
    done = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "mount", "-t", "proc", "proc", "/proc"],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        return ("Namespaces cannot be made here (unshare: %s): a container without the right to is no place for the lab;"
                " take a virtual machine, or a privileged container." % done.stderr.strip())
    return None


def _disk():
    need = 2 if binaries.missing() == [] else 15
    free = shutil.disk_usage(CACHE).free / 1e9
    return "%s has %.0f GB free: %d GB are needed." % (CACHE, free, need) if free < need else None


def _addresses():
    clash = network.clash()
    return ("The lab's addresses %s are routed already (%s): take that route away, or change RANGE and what lies in it in "
            "tests/lab/tf_lab/settings.py." % (RANGE, clash)) if clash else None


def _apt():
    if not shutil.which("apt-get"):
        return "apt-get is not in PATH: the lab installs containerd, runc and others from Debian 12 (or newer) packages."
    return None
