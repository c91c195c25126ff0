"""The lab's four commands."""
from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

from . import (
    addresses,
    binaries,
    cluster,
    image,
    init,
    models,
    nas,
    network,
    node,
    packages,
    preconditions,
    progress,
    volumes,
    web,
)
from .settings import BIN, CACHE, KUBECONFIG, RANGE, SOURCE, STATE
from .shell import LabError, init_pid, wait_for

# In the order in which they start. A part is a module with PART (its title), build() (fills CACHE), start(), status()
# ("up ..." or what is wrong). All but `binaries` also build in this order; `binaries`, the longest, beside them.
PARTS = {module.__name__.rsplit(".", 1)[1]: module for module in (
    packages, binaries, network, cluster, volumes, addresses, nas, models, image, web, node)}
CLONE = SOURCE.parent.parent


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="lab", description="A real Kubernetes, NAS, node and model server on this "
                                     "machine, in namespaces of their own, reachable from it under %s." % RANGE)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="build what is missing, start what does not run")
    down = commands.add_parser("down", help="stop everything, leave nothing")
    down.add_argument("--cache", action="store_true", help="remove also what was built and downloaded (%s)" % CACHE)
    commands.add_parser("status", help="a table of the parts; exit code 1 unless all are up")
    commands.add_parser("env", help='what a shell needs: eval "$(lab env)"')
    options = parser.parse_args(arguments)
    os.environ.setdefault("HOME", "/root")
    os.environ["PATH"] = ":".join([str(BIN), os.environ.get("PATH", ""), "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"])
    try:
        if options.command == "env":
            return env()
        preconditions.root()
        if options.command == "status":
            return status()
        with alone():
            return up() if options.command == "up" else bring_down(options.cache)
    except LabError as e:
        print("lab: %s" % e, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130


def up():
    report = progress.Report(PARTS)
    if init_pid() is None:
        preconditions.check()
        stop()  # what a reboot or a killed init has left
    build(report)
    for name, part in PARTS.items():
        with report.part(name, part.PART):
            part.start()
    print("lab: up after %s. In your shell: eval \"$(%s env)\"" % (report.elapsed(), SOURCE / "lab"))
    return 0


def build(report):
    """Two lanes at once: the Go compile in this thread, the downloads and the rest in another."""
    failure = []

    def lane(names):
        try:
            for name in names:
                with report.building(name):
                    if not failure:
                        PARTS[name].build()
        except BaseException as e:  # to the other lane, which stops at its next part
            failure.append(e)

    other = threading.Thread(target=lane, args=([name for name in PARTS if name != "binaries"],), daemon=True)
    other.start()
    lane(["binaries"])
    other.join()
    if failure:
        raise failure[0]


def bring_down(cache):
    stop()
    network.remove_guard()
    if cache:
        shutil.rmtree(CACHE, ignore_errors=True)
    print("lab: down" + ("" if cache else "; what was built stays in %s (lab down --cache removes it)" % CACHE))
    return 0


def stop():
    """Everything but the unreachable route, whatever state it is in."""
    pid = init_pid()
    if pid is not None:
        os.kill(pid, signal.SIGKILL)  # PID 1 of its namespace: every process in it dies too
        wait_for("The end of the lab's processes", lambda: init_pid() is None, 30)
    network.remove()
    cluster.remove_cgroups()
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith((str(STATE), str(CACHE)))), reverse=True):
        subprocess.run(["umount", mount], check=True)  # before anything below is deleted
    if STATE.exists():
        shutil.rmtree(STATE)
    for folder in init.PRIVATE:
        try:
            os.rmdir(folder)  # succeeds only where the lab had made it
        except OSError:
            pass


def status():
    states = {}
    for name, part in PARTS.items():
        try:
            states[name] = (part.PART, part.status())
        except (LabError, OSError) as e:
            states[name] = (part.PART, "down: %s" % str(e).splitlines()[0])
    width = max(len(part.PART) for part in PARTS.values())
    for name, (title, state) in states.items():
        print("%-10s %-*s  %s" % (name, width, title, state))
    return 0 if init_pid() and all(state.startswith("up") for dummy, state in states.values()) else 1


def env():
    print("export KUBECONFIG=%s" % shlex.quote(str(KUBECONFIG)))
    print("export PATH=%s:%s:\"$PATH\"" % (shlex.quote(str(BIN)), shlex.quote(str(CLONE / ".venv" / "bin"))))
    return 0


class alone:
    """One lab command at a time on this machine; the lock goes with the process that holds it, however it ends."""

    def __enter__(self):
        CACHE.mkdir(parents=True, exist_ok=True)
        self.folder = os.open(CACHE, os.O_RDONLY)
        try:
            fcntl.flock(self.folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("lab: waiting for another lab command to end")
            fcntl.flock(self.folder, fcntl.LOCK_EX)

    def __exit__(self, *exception):
        os.close(self.folder)
