"""Running commands, and long-lived processes inside the lab's namespaces."""
from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from . import settings


class LabError(Exception):
    """What stops the lab, in one sentence that says the way out."""


def run(*command, **options):
    """Run to the end; return standard output; LabError with the last lines of output if it fails."""
    options.setdefault("timeout", 1800)
    command = [str(part) for part in command]
    try:
        done = subprocess.run(command, text=True, errors="replace", capture_output=True, check=False, **options)
    except FileNotFoundError as e:
        raise LabError("`%s` cannot be run: %s." % (" ".join(command), e)) from e
    except subprocess.TimeoutExpired as e:
        raise LabError("`%s` did not end within %s s." % (" ".join(command), e.timeout)) from e
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise LabError("`%s` failed (%s):\n%s" % (" ".join(command), done.returncode, tail))
    return done.stdout


def write(path: Path, text: str, mode: int = 0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


INIT_PID = settings.STATE / "init.pid"


def init_pid():
    """Pid (as this machine sees it) of the lab's init, None if the lab is down."""
    try:
        pid = int(INIT_PID.read_text())
        return pid if b"tf_lab.init" in Path("/proc/%d/cmdline" % pid).read_bytes() else None
    except (OSError, ValueError):
        return None


def inside(*command):
    """The command as it runs in the lab's mount, PID and network namespaces."""
    pid = init_pid()
    if pid is None:
        raise LabError("The lab is not running: start it with tests/lab/lab up.")
    return ["nsenter", "--target", str(pid), "--mount", "--pid", "--net", "--", *(str(part) for part in command)]


def daemon(name, *command, env=None):
    """Start a process inside the lab that outlives this one, unless it already runs. Output: STATE/log/NAME.log."""
    if running(name):
        return
    settings.LOGS.mkdir(parents=True, exist_ok=True)
    (settings.STATE / "run").mkdir(parents=True, exist_ok=True)
    with open(settings.LOGS / (name + ".log"), "ab") as log:
        # The process writes its pid itself, before it becomes nsenter: whoever kills us, no daemon is ever unknown.
        subprocess.Popen(
            ["/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"', str(_pid_file(name)), *inside(*command)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, **(env or {})}, cwd="/",
        )


def running(name):
    """Does the daemon of that name (its nsenter parent) still live?"""
    try:
        pid = int(_pid_file(name).read_text())
        return b"nsenter" in Path("/proc/%d/cmdline" % pid).read_bytes()
    except (OSError, ValueError):
        return False


def stop(name):
    """End the daemon and all that it started (its process group), so that the next daemon() starts it anew."""
    if running(name):
        os.killpg(int(_pid_file(name).read_text()), signal.SIGKILL)


def _pid_file(name):
    return settings.STATE / "run" / (name + ".pid")


def wait_for(what, probe, timeout, log=None):
    """Call probe() until it returns something true, and return that. An OSError of probe counts as "not yet".

    log: the daemon whose last lines explain a failure; when it has died there is no more waiting.
    """
    started, last = time.monotonic(), ""
    while True:
        try:
            value = probe()
            if value:
                return value
        except (OSError, LabError) as e:
            last = " Last answer: %s." % e
        waited = time.monotonic() - started
        dead = log is not None and waited > 1 and not running(log)
        if dead or waited > timeout:
            reason = "%s has ended" % log if dead else "no success within %d s" % timeout
            raise LabError("%s: %s.%s%s" % (what, reason, last, _last_lines(log)))
        time.sleep(0.1)


def _last_lines(log):
    if log is None:
        return ""
    path = settings.LOGS / (log + ".log")
    try:
        lines = path.read_text(errors="replace").splitlines()[-8:]
    except OSError:
        lines = []
    return "\n%s ends with:\n%s" % (path, "\n".join(lines))
