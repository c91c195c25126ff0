# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work in an NFS export that nobody else sees mounted, and that cannot stay mounted.

The work runs in a child process with a mount namespace of its own. The kernel takes the mount away with the last
process in that namespace: after success, after failure, and after SIGKILL of the child or of its parent.
"""

import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import stat
import subprocess
import tempfile
import time
import traceback
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import nofollow

CLONE_NEWNS = 0x00020000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
GRACE = 10  # seconds that the child has to tidy up once its time is over
REAP = 5  # seconds that a killed child has to die
CLIENTS = tuple(folder + "/mount.nfs" for folder in ("/sbin", "/usr/sbin", "/usr/bin", "/usr/local/sbin"))

Work = Callable[[str], Any]  # takes the folder that the export is mounted at


class Export:
    """What to mount: SERVER:PATH with `options`; mount_timeout in seconds."""

    def __init__(self, server: str, path: str, options: str, mount_timeout: int) -> None:
        self.server, self.path, self.options, self.mount_timeout = server, path, options, mount_timeout

    def __str__(self) -> str:
        return source(self.server, self.path)


def source(server: str, path: str) -> str:
    return "%s:%s" % ("[%s]" % server if ":" in server and not server.startswith("[") else server, path)


def require_root_and_client() -> None:
    """Refuse a node that cannot mount, before anything is tried."""
    user = os.geteuid()
    if user != 0:
        raise Error(
            "On model_node this is user id %d, and only root may mount the NAS. Set ansible_become: true (or ansible_user:"
            " root) for that host." % user, "node_not_root", user=user,
        )
    if not any(os.path.exists(path) for path in CLIENTS):
        raise Error(
            "model_node has no NFS client. Install nfs-common (Debian, Ubuntu) or nfs-utils (RHEL, CentOS).", "nfs_client_missing"
        )


def within(export: Export, work: Work, timeout: int, read_only: bool = False, scratch: Optional[str] = None) -> Any:
    """Return work(folder), with the export mounted at that folder for this call only.

    Where the export does not exist yet, SERVER:/ is mounted in its place and `folder` is a missing folder in it, for
    work to create. (The tutorial creates it with a mount of its own and mounts again. This way it is created only by a
    run that succeeds.) What work returns must be fit for JSON.
    """
    mountpoint = tempfile.mkdtemp(prefix="nas-", dir=_trusted(os.path.realpath(scratch or tempfile.gettempdir())))

    def mounted() -> Any:
        inside, missing = _mount(export, mountpoint, read_only)
        with nofollow.pin(mountpoint) as root:
            try:
                return work(root + inside)
            except OSError as error:
                if missing and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
                    raise missing from None  # a NAS that gives nobody its root: the export has to be made by hand
                path = nofollow.shown(error.filename) if isinstance(error.filename, str) else mountpoint + inside
                below = path[len(mountpoint + inside):] if path.startswith(mountpoint + inside) else None
                error.filename = path if below is None else str(export) if not below else str(export).rstrip("/") + below
                raise

    try:
        return _in_child(mounted, timeout)
    finally:
        os.rmdir(mountpoint)  # never rmtree: it is empty, for what was mounted was not mounted here


def _trusted(folder: str) -> str:
    """The folder, if nobody but its owners can put a link in the place of what is made in it: /tmp has its sticky bit for that."""
    path = folder
    while path != "/":
        mode = os.lstat(path).st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise Error(
                "On model_node everybody may replace folders in %s, where the NAS would be mounted. Take the right away (chmod o-w,"
                " or chmod +t as /tmp has it), or set ansible_remote_tmp of that host." % path, "tmp_unsafe", folder=path,
            )
        path = os.path.dirname(path)
    return folder


def _in_child(function: Callable[[], Any], timeout: int) -> Any:
    reader, writer = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            answer = _answer(function, parent, timeout)
            with os.fdopen(writer, "wb") as pipe:  # names on the NAS may be any bytes, and Ansible refuses an answer with such
                pipe.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"))
        finally:
            os._exit(0)  # nothing of the parent's (buffers, atexit, the caller's stack) is this process's business
    os.close(writer)
    try:
        text = _read(reader, time.monotonic() + timeout + GRACE)
    finally:
        os.close(reader)
        _end(child)
    return _result(text, timeout)


def _result(text: Optional[str], timeout: int) -> Any:
    """What the child's answer says, if it gave one."""
    if text is None:
        raise Error(
            "The NAS did not answer for so long that the work was given up after %d s (model_timeout). The next run"
            " tidies up what this one left." % timeout, "timeout",
        )
    if not text:
        raise Error(
            "The process that worked on the NAS was killed, by hand or for want of memory on model_node. Nothing half done is"
            " visible: run again, and the next run tidies up.", "killed",
        )
    answer = json.loads(text)
    if "error" in answer:
        raise Error(answer["error"]["message"], answer["error"]["code"], **answer["error"]["details"])
    if "crash" in answer:
        raise RuntimeError(answer["crash"])
    return answer["result"]


def _read(reader: int, deadline: float) -> Optional[str]:
    """All that comes through the pipe; None if the deadline passes first."""
    chunks: List[bytes] = []
    while True:
        ready = select.select([reader], [], [], max(0, deadline - time.monotonic()))[0]
        if not ready:
            return None
        chunk = os.read(reader, 1 << 16)
        if not chunk:
            return b"".join(chunks).decode()
        chunks.append(chunk)


def _end(child: int) -> None:
    """End the child and every mount helper that it left hanging."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            kill(child, signal.SIGKILL)
    # A dying process gives its lock back first, and a NAS that is silent keeps it from that. Its mount is as private as
    # before and goes when the NAS answers or the mount's own timeout has passed; nobody need wait here.
    deadline = time.monotonic() + REAP
    while os.waitpid(child, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)


def _answer(function: Callable[[], Any], parent: int, timeout: int) -> Dict[str, Any]:
    def out_of_time(number: int, frame: Any) -> None:
        raise Error(
            "Not finished within %d s (model_timeout). Nothing was published; raise model_timeout for a large model or"
            " a slow download." % timeout, "timeout",
        )

    try:
        os.setsid()
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        _private_mounts(libc)
        signal.signal(signal.SIGALRM, out_of_time)
        signal.alarm(timeout)
        try:
            return {"result": function()}
        finally:
            signal.alarm(0)
    except Error as error:
        return {"error": error.as_dict()}
    except OSError as error:
        return {"error": io_error(error).as_dict()}
    except Exception:
        return {"crash": traceback.format_exc()}


def _private_mounts(libc: Any) -> None:
    # systemd makes / shared: in a new namespace alone, mounts would still show on the whole node.
    done = libc.unshare(CLONE_NEWNS)
    if done == 0:
        done = libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
    if done != 0:
        raise Error(
            "model_node refuses a private mount namespace: %s. Way out: in a container, give it the capability CAP_SYS_ADMIN, or"
            " name another model_node." % os.strerror(ctypes.get_errno()), "no_mount_namespace",
        )


WRONG_KIND = "something else lies there than a folder or file of ours, such as a link: find out who put it there, and remove it"


def io_error(error: OSError) -> Error:
    hints = {
        errno.EIO: "check the NAS and the network between it and model_node, then run again",
        errno.ETIMEDOUT: "check the NAS and the network between it and model_node, then run again",
        errno.ENOTDIR: WRONG_KIND, errno.ELOOP: WRONG_KIND,
        errno.ENOSPC: "free or add space on the NAS",
        errno.EDQUOT: "raise the quota of the NAS folder",
        errno.EROFS: "take ro out of model_nas_options and allow writing in the NAS's access rule",
        errno.EACCES: "allow root of model_node to write in the NAS's access rule (no root squash)",
        errno.EPERM: "allow root of model_node to write in the NAS's access rule (no root squash)",
    }
    way_out = hints.get(error.errno or 0, "look at the NAS, then run again")
    return Error(
        "%s: %s. Way out: %s." % (error.filename or "model_node", error.strerror or error, way_out), "nas_io"
    )


def _mount(export: Export, mountpoint: str, read_only: bool) -> Tuple[str, Optional[Error]]:
    """("", None), or where the export is missing (its path below the mount point, to be created; the error that said so)."""
    try:
        _mount_path(export, export.path, mountpoint, read_only)
        return "", None
    except Error as error:
        if error.code != "export_missing" or export.path == "/":
            raise
        missing = error
    try:
        _mount_path(export, "/", mountpoint, read_only)
    except Error:
        raise missing from None
    return export.path, missing


def _mount_path(export: Export, path: str, folder: str, read_only: bool) -> None:
    options = [option for option in export.options.split(",") if option]
    if not any(option.startswith("retry=") for option in options):
        options.append("retry=0")  # a refused connection is an answer, not a reason to ask for two more minutes
    if not {"hard", "soft", "softerr"} & set(options):
        # A NAS that falls silent later ends in an error after three times mount_timeout, instead of hanging for ever. What
        # makes soft mounts unsafe, writes that are lost unnoticed, cannot happen here: every file is synced and checked.
        options += ["soft", "timeo=%d" % (10 * export.mount_timeout), "retrans=2"]
    # Opening a device that somebody planted can do harm (a watchdog, a tape). Last, so that they win.
    options += ["nosuid", "nodev", "noexec"]
    if read_only:
        options.append("ro")
    _run(["mount", "-n", "-t", "nfs", "-o", ",".join(options), source(export.server, path), folder], export)


def _run(command: List[str], export: Export) -> None:
    try:
        # Not killed by name or group here: what hangs is in this process's group, which the parent ends.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=dict(os.environ, LC_ALL="C", PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"),
        )
        output = process.communicate(timeout=export.mount_timeout)[0].decode("utf-8", "replace").strip()
    except FileNotFoundError:
        raise Error("model_node has no command %s: install util-linux." % command[0], "no_mount_command") from None
    except subprocess.TimeoutExpired:
        raise _mount_error(
            export, "no answer within %d s (model_mount_timeout)" % export.mount_timeout, "nas_unreachable"
        ) from None
    if process.returncode:
        raise _mount_error(export, output or "exit status %d" % process.returncode)


# What mount.nfs says, and what it means for the one who reads it.
_REASONS = (
    ("nas_unreachable", ("refused", "no route", "timed out", "unreachable", "not responding", "is down")),
    ("nas_unknown", ("resolve", "name or service", "not known")),
    ("nfs_client_missing", (
        "helper program", "unknown filesystem", "wrong fs type", "no such device", "not configured in kernel",
    )),
    ("export_missing", ("no such file", "does not exist")),
    ("nas_denied", ("access denied", "permission denied", "operation not permitted")),
    ("nas_options", ("protocol", "option", "invalid argument", "bad nfs")),
)
_WAYS_OUT = {
    "nas_unreachable": "check model_nas_server, and that model_node may reach its TCP port 2049",
    "nas_unknown": "check the name in model_nas_server, and the DNS of model_node",
    "nfs_client_missing": "install the NFS client on model_node (Debian, Ubuntu: nfs-common; RHEL, CentOS: nfs-utils)",
    "export_missing": "check model_nas_export, or create that folder on the NAS",
    "nas_denied": "allow model_node in the NAS's access rule (and root, without squash)",
    "nas_options": "check model_nas_options against what the NAS speaks",
    "mount_failed": "try the same mount by hand on model_node",
}


def _mount_error(export: Export, reason: str, code: Optional[str] = None) -> Error:
    reason = " ".join(reason.split())
    text = reason.lower()
    if code is None:
        code = next((code for code, words in _REASONS if any(word in text for word in words)), "mount_failed")
    return Error(
        "model_node could not mount %s (options %s): %s. Way out: %s."
        % (export, export.options or "none", reason, _WAYS_OUT[code]), code,
    )
