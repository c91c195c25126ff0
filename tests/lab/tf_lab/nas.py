"""The NAS: nfs-ganesha serves a plain directory of this machine over NFSv4.0, from user space."""
from __future__ import annotations

import socket

from . import settings, shell
from .shell import LabError

PART = "NAS (NFSv4.0, nfs-ganesha, %s)" % settings.NAS_IP
PORT = 2049
START_TIMEOUT = 20

STATE = settings.STATE / "ganesha"

# Attr_Expiration_Time and Dir_Chunk: nothing is cached, so what pods and tests do to the directory itself is seen at
# once (with the defaults a write after a delete on this side would be lost).
# Only_Numeric_Owners: owners are numbers, as NFSv4.0 clients with AUTH_SYS expect; no user of this machine shows.
# The rest leaves out what NFSv4.0 does not need (portmapper, locks and quotas of v3, a grace period after a start).
CONFIG = """
NFS_CORE_PARAM {{
    Protocols = 4;
    Bind_addr = {address};
    NFS_Port = {port};
    Enable_NLM = false;
    Enable_RQUOTA = false;
    Enable_UDP = false;
}}
NFSv4 {{
    minor_versions = 0;
    Graceless = true;
    UseGetpwnam = true;
    Only_Numeric_Owners = true;
    RecoveryBackend = fs;
    RecoveryRoot = "{state}";
}}
MDCACHE {{ Dir_Chunk = 0; }}
EXPORT {{
    Export_Id = 1;
    Path = "{export}";
    Pseudo = "/";
    Protocols = 4;
    Transports = TCP;
    SecType = sys;
    Access_Type = RW;
    Squash = No_Root_Squash;
    Attr_Expiration_Time = 0;
    FSAL {{ Name = VFS; }}
}}
"""


def build():
    """Nothing: Debian's packages nfs-ganesha and nfs-ganesha-vfs are all it takes."""


def start():
    """Serve settings.EXPORT unless it is served; return when the port answers."""
    if not shell.running("nas"):
        settings.EXPORT.mkdir(parents=True, exist_ok=True)
        STATE.mkdir(parents=True, exist_ok=True)
        config = shell.write(STATE / "ganesha.conf", CONFIG.format(
            address=settings.NAS_IP, port=PORT, state=STATE, export=settings.EXPORT))
        # Its log is standard output like everybody's; -p: the default would be a file outside the lab's state.
        shell.daemon("nas", "ganesha.nfsd", "-F", "-L", "STDOUT", "-f", config, "-p", STATE / "ganesha.pid")
    try:
        shell.wait_for("The NAS at %s:%d" % (settings.NAS_IP, PORT), _answers, START_TIMEOUT, log="nas")
    except LabError:
        shell.stop("nas")  # or the next `lab up` would wait for it again
        raise


def status():
    if not shell.running("nas"):
        return "down"
    try:
        _answers()
    except OSError as e:
        return "down: runs, but port %d does not answer: %s" % (PORT, e)
    return "up, exports %s as /" % settings.EXPORT


def _answers():
    socket.create_connection((settings.NAS_IP, PORT), timeout=1).close()
    return True
