"""Stand-ins for an NFS client in the kernel, run by kubelet: each "mount" is a bind of the directory the NAS exports.

They prove what Kubernetes does with a volume (claim, options, events, mount and unmount), not what an NFS client does.
Run as `python3 -m tf_lab.drivers nfs SERVER:PATH DIR -o OPTIONS` or `... flexvolume init|mount|unmount ...`.
"""
from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

from .settings import EXPORT, NAS_IP

NFS_PORT = 2049


class MountError(Exception):
    """What the real mount.nfs would say."""


def mount(server, path, target, read_only=False, create=False, mode=None):
    """Make target show the NAS's path. Mounting what is mounted is no error (kubelet asks again after a restart)."""
    spec = "%s:%s" % (server, path)
    if server != NAS_IP:
        raise MountError("mount.nfs: mounting %s failed: Connection timed out (the lab's only NAS is %s)" % (spec, NAS_IP))
    try:
        socket.create_connection((NAS_IP, NFS_PORT), timeout=3).close()
    except OSError as e:
        raise MountError("mount.nfs: mounting %s failed: %s" % (spec, e.strerror or "Connection timed out")) from e
    source = os.path.realpath(EXPORT / path.lstrip("/"))
    if source != str(EXPORT) and not source.startswith("%s/" % EXPORT):
        raise MountError("mount.nfs: mounting %s failed: it leads out of the export" % spec)
    if create:
        os.makedirs(source, exist_ok=True)
    if not os.path.isdir(source):
        raise MountError("mount.nfs: mounting %s failed, reason given by server: No such file or directory" % spec)
    if mode:
        os.chmod(source, int(mode, 8))
    if is_mounted(target):
        return
    os.makedirs(target, exist_ok=True)
    subprocess.run(["mount", "--bind", source, target], check=True)
    if read_only:
        subprocess.run(["mount", "-o", "remount,bind,ro", target], check=True)


def unmount(target):
    if is_mounted(target):
        subprocess.run(["umount", target], check=True)


def is_mounted(target):
    """os.path.ismount() does not see a bind of the same file system."""
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        return any(line.split()[4] == os.path.realpath(target) for line in table)


def nfs(source, target, *arguments):
    """As mount(8) calls mount.nfs."""
    server, dummy, path = source.partition(":")
    options = ",".join(value for flag, value in zip(arguments, arguments[1:]) if flag == "-o").split(",")
    mount(server, path, target, read_only="ro" in options)


def flexvolume(operation, *arguments):
    """As kubelet calls a flexVolume driver: arguments in, JSON out."""
    answer = {"status": "Success"}
    if operation == "init":
        answer["capabilities"] = {"attach": False}
    elif operation == "mount":
        target, options = arguments[0], json.loads(arguments[1])
        mount(options.get("server", ""), options.get("path", "/"), target,
              read_only=options.get("kubernetes.io/readwrite") == "ro", mode=options.get("mode"))
    elif operation == "unmount":
        unmount(arguments[0])
    else:
        answer["status"] = "Not supported"
    print(json.dumps(answer))


def main(kind, *arguments):
    try:
        {"nfs": nfs, "flexvolume": flexvolume}[kind](*arguments)
    except (MountError, OSError, ValueError, subprocess.CalledProcessError) as e:
        if kind == "flexvolume":  # kubelet reads standard error too, as part of the JSON
            print(json.dumps({"status": "Failure", "message": str(e)}))
        else:
            print(e, file=sys.stderr)
        return 32  # mount(8)'s "mount failure"
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
