"""A `mount` command that binds a folder in place of an NFS server's export, for this process and its children."""
from __future__ import annotations

import subprocess
import sys

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import mount


def may_mount():
    return sys.platform == "linux" and subprocess.run(
        ["unshare", "-m", "sh", "-c", "mount --bind /tmp /tmp"], check=False, capture_output=True
    ).returncode == 0


needs_mounts = pytest.mark.skipif(not may_mount(), reason="only root may mount")


class Nas:
    """root: the folder that SERVER:/ stands for. tools: what has to come first in PATH."""

    def __init__(self, tmp_path):
        self.root, self.tools, self.log = tmp_path / "nas", tmp_path / "bin", tmp_path / "mount.log"
        self.root.mkdir()
        self.tools.mkdir()
        (self.tools / "mount").write_text("""#!/bin/sh
printf '%%s\\n' "$*" >> %(log)s
while [ $# -gt 2 ]; do shift; done
path=${1#nas:}
[ "$path" = /hangs ] && exec sleep 61.7
[ "$path" = /breaks ] && exit 32
[ -d "%(root)s$path" ] || {
  echo "mount.nfs: mounting $1 failed, reason given by server: No such file or directory" >&2
  exit 32
}
exec /bin/mount --bind "%(root)s$path" "$2"
""" % {"root": self.root, "log": self.log})
        (self.tools / "mount").chmod(0o755)

    def mounts(self):
        """How mount was called, one line each."""
        return self.log.read_text().splitlines() if self.log.exists() else []


def fake_nas(tmp_path, monkeypatch):
    nas = Nas(tmp_path)
    monkeypatch.setenv("PATH", str(nas.tools), prepend=":")
    monkeypatch.setattr(mount, "CLIENTS", (str(nas.tools / "mount"),))
    return nas
