"""A Linux host over SSH that really mounts the NAS: user-mode Linux with a Debian root file system."""
from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import tempfile
from pathlib import Path

from . import settings, shell
from .shell import LabError

PART = "NAS node (user-mode Linux, %s)" % settings.NAS_NODE_IP
PACKAGES = "openssh-server,nfs-common,python3,iproute2,kmod,procps,curl,ca-certificates"
MEMORY_MB = 256
DISK = "2G"  # sparse: what is written on it goes to a file that ends with the lab
TAP = "tflab2"
MAC = "02:00:0a:d5:00:03"
BOOT_TIMEOUT = 60

SOURCE = settings.SOURCE / "node"
CACHE = settings.CACHE / "node"
XSTATE = CACHE / "xstate.so"
STATE = settings.STATE / "node"
SEED = STATE / "seed"  # all that the guest sees of this machine's files
KNOWN_HOSTS = settings.STATE / "node_known_hosts"


def build():
    """The root file system (about a minute, from the package sources this machine's apt uses) and the ptrace shim."""
    CACHE.mkdir(parents=True, exist_ok=True)
    source = SOURCE / "xstate.c"
    if not XSTATE.exists() or XSTATE.stat().st_mtime < source.stat().st_mtime:
        half = XSTATE.with_suffix(".half")
        shell.run("gcc", "-O2", "-Wall", "-shared", "-fPIC", "-o", half, source)
        half.replace(XSTATE)
    image = _image()
    if image.exists():
        return
    for old in CACHE.glob("build-*"):  # of a build that was killed
        shell.run("rm", "-rf", "--one-file-system", old)
    with tempfile.TemporaryDirectory(prefix="build-", dir=CACHE) as folder:
        root, half = Path(folder) / "rootfs", Path(folder) / "rootfs.ext4"
        _debian(root, Path(folder))
        # No journal: the image is never written, and what is written over it is thrown away.
        shell.run("mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", "-d", root, half, DISK)
        half.replace(image)
    for old in set(CACHE.glob("rootfs-*.ext4")) - {image}:
        old.unlink()


def start():
    """Boot it unless it runs; return when it lets us in over SSH."""
    if not shell.running("node"):
        STATE.mkdir(parents=True, exist_ok=True)
        _keys()
        _network()
        _boot()
    _wait()


def status():
    if not shell.running("node"):
        return "down"
    try:
        return "up, Linux %s, %s" % tuple(shell.run(*ssh("uname -r; python3 --version")).splitlines())
    except LabError as e:
        return "down: runs, but SSH fails: %s" % str(e).splitlines()[-1]


def ssh(command):
    """The command line that runs a shell command on the node."""
    return ["ssh", "-i", str(settings.NODE_KEY), "-o", "UserKnownHostsFile=%s" % KNOWN_HOSTS, "-o", "BatchMode=yes",
            "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=5", "-F", "none",
            "root@" + settings.NAS_NODE_IP, command]


# --- build ---

def _modules():
    """The folder of user-mode Linux's kernel modules, which is named after its kernel."""
    found = sorted(Path("/usr/lib/uml/modules").glob("*/modules.dep"))
    if not found:
        raise LabError("User-mode Linux is not installed: apt-get install user-mode-linux.")
    return found[-1].parent


def _image():
    """The image's path; its name changes with all that it is made of."""
    digest = hashlib.sha256((PACKAGES + DISK + str(_modules())).encode())
    for name in ("lab-init", "rootfs-hook", "sshd_config"):
        digest.update((SOURCE / name).read_bytes())
    return CACHE / ("rootfs-%s.ext4" % digest.hexdigest()[:12])


def _debian(root, folder):
    """A Debian with PACKAGES in root, of this machine's release and from the sources (and proxies) its apt uses."""
    sources = shell.run("apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
                        "Created-By: Packages", "Origin: Debian", "Architecture: amd64").splitlines()
    if not sources:
        raise LabError("apt knows no Debian packages: run apt-get update (and look at /etc/apt/sources.list*).")
    access = [line for line in shell.run("apt-config", "dump", "Acquire").splitlines()
              if line.lower().startswith(("acquire::http", "acquire::check-", "acquire::retries"))]
    options = shell.write(folder / "apt.conf", "\n".join(access) + "\n")
    os_release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    shell.run(
        "mmdebstrap", "--variant=minbase", "--include=" + PACKAGES, "--aptopt=%s" % options,
        "--keyring=/usr/share/keyrings/debian-archive-keyring.gpg",
        *("--dpkgopt=path-exclude=/usr/share/%s/*" % name for name in ("doc", "man", "locale", "info")),
        "--customize-hook=%s" % (SOURCE / "rootfs-hook"),
        os_release["VERSION_CODENAME"].strip('"'), root, *sources,
        env={**os.environ, "SOURCE": str(SOURCE), "MODULES": str(_modules())},
    )


# --- start ---

def _keys():
    """Keys of this start: one to log in with, and the node's own, so that it is known before it is first seen."""
    SEED.mkdir(mode=0o700, exist_ok=True)
    host_key = SEED / "ssh_host_ed25519_key"
    for key in (settings.NODE_KEY, host_key):
        if not key.exists():
            shell.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tf-serving-lab", "-f", key)
    shell.write(SEED / "authorized_keys", _public(settings.NODE_KEY), 0o600)
    shell.write(KNOWN_HOSTS, "%s %s" % (settings.NAS_NODE_IP, _public(host_key)))


def _public(key):
    return key.with_name(key.name + ".pub").read_text()


def _network():
    """A tap in the lab's network namespace, which forwards between it and the link to this machine."""
    ip = shell.inside("ip")
    if subprocess.run([*ip, "link", "show", TAP], capture_output=True, check=False).returncode:
        shell.run(*ip, "tuntap", "add", "dev", TAP, "mode", "tap")
    shell.run(*ip, "link", "set", TAP, "up")
    shell.run(*ip, "route", "replace", settings.NAS_NODE_IP, "dev", TAP, "src", settings.CLUSTER_IP)


def _boot():
    cow = STATE / "disk.cow"
    cow.unlink(missing_ok=True)
    shell.daemon(
        "node", "linux.uml", "uml_dir=%s" % (STATE / "uml"), "umid=node", "mem=%dM" % MEMORY_MB,
        "ubd0=%s,%s" % (cow, _image()), "root=/dev/ubda", "rw", "init=/sbin/lab-init", "quiet",
        "vec0:transport=tap,ifname=%s,depth=64,gro=1,mac=%s" % (TAP, MAC),
        "con=null", "con0=null,fd:1", "ssl=null", "hostfs=%s" % SEED,
        "lab_address=" + settings.NAS_NODE_IP, "lab_gateway=" + settings.CLUSTER_IP, "lab_range=%s" % settings.RANGE,
        # TMPDIR: where the guest's memory lies, as a file without a name.
        env={"LD_PRELOAD": str(XSTATE), "TMPDIR": "/dev/shm"},
    )


def _wait():
    """Until it lets us in; else end it and say the way out."""
    try:
        what = "The NAS node (user-mode Linux) at %s" % settings.NAS_NODE_IP
        shell.wait_for(what, _answers, BOOT_TIMEOUT, log="node")
    except LabError as e:
        shell.stop("node")  # or the next `lab up` would wait for it again
        console = (settings.LOGS / "node.log").read_text(errors="replace").splitlines()
        panic = [line for line in console if "Kernel panic" in line][-1:]
        raise LabError("\n".join([str(e), *panic, (
            "Run `tests/lab/lab up` again. If it always ends like this, user-mode Linux does not run on this machine: "
            "tests/lab/README.md says what to do then.")])) from e


def _answers():
    with socket.create_connection((settings.NAS_NODE_IP, 22), timeout=1) as connection:
        if connection.recv(4) != b"SSH-":
            return False
    shell.run(*ssh("true"))
    return True
