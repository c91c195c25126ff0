"""The lab's init: PID 1 of its PID namespace. When it dies, every process, mount and interface dies with it.

start() runs on this machine and makes the namespaces; main() is what then runs inside them.
"""
from __future__ import annotations

import os
import signal
import subprocess
import sys

from . import settings
from .shell import INIT_PID, init_pid, run, wait_for, write

# Programs in the lab write here whatever their settings say. Inside, each is an empty file system of the lab's own.
PRIVATE = ("/run", "/dev/shm", "/var/log", "/var/lib/cni", "/var/lib/kubelet")

# kubelet sets these for the whole machine unless it finds them set. Inside the lab it finds them set.
KERNEL = {
    "vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}


def start():
    """Start the init in namespaces of its own, unless it runs."""
    if init_pid() is not None:
        return
    settings.LOGS.mkdir(parents=True, exist_ok=True)
    for folder in PRIVATE:
        os.makedirs(folder, exist_ok=True)
    with open(settings.LOGS / "init.log", "ab") as log:
        process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child", "--",
             sys.executable, "-m", "tf_lab.init"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
        )

    def alive():
        if process.poll() is not None:
            raise SystemExit("lab: the lab's init ended at once, see %s." % (settings.LOGS / "init.log"))
        return init_pid()

    wait_for("The lab's init", alive, 20)


def main():
    # /proc is still the machine's: so this is our pid as the machine sees it, not 1.
    pid = os.readlink("/proc/self")
    run("mount", "--make-rshared", "/")
    run("mount", "-t", "proc", "proc", "/proc")
    for folder in PRIVATE:
        run("mount", "-t", "tmpfs", "-o", "mode=%s" % ("1777" if folder == "/dev/shm" else "755"), "lab", folder)
    for name, value in KERNEL.items():
        if os.path.exists("/proc/sys/" + name):
            file = write(settings.STATE / "sysctl" / name, value + "\n")
            run("mount", "--bind", file, "/proc/sys/" + name)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    half = INIT_PID.with_suffix(".half")
    write(half, pid)
    half.rename(INIT_PID)  # from here on the lab counts as started
    while True:
        signal.sigwait({signal.SIGCHLD})
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


if __name__ == "__main__":
    main()
