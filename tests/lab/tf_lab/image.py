"""The container image of the stand-in model server: Debian's python3, the part of TensorFlow it uses, the server.

Two layers: the lower one (TensorFlow, 0.9 GB) is made once, the upper one holds only model_server and is made anew when
the server changes. All tags share both and differ in the release that TF_SERVING_RELEASE has them imitate, and in how late
they see a change on the NAS.
"""
from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import cluster, models, oci, settings
from .progress import note
from .shell import LabError, init_pid, inside, run

PART = "Container image of the model server"
SOURCE = settings.SOURCE / "model_server"
CACHE = settings.CACHE / "image"
TAR = CACHE / "model-server.tar"

PACKAGES = "python3-minimal,libpython3-stdlib,libstdc++6,busybox-static"
SITE = "usr/lib/python3/dist-packages"  # Debian's python3 looks here without being told
MODULES = ("absl", "certifi", "google", "grpc", "ml_dtypes", "numpy", "numpy.libs", "tensorflow", "tensorflow_serving",
           "typing_extensions.py", "wrapt")
# What a session does not need of TensorFlow's 1.3 GB; the compiler's and profiler's plugins are libraries of their own.
LEFT_OUT = ("tensorflow/_api", "tensorflow/include", "tensorflow/lite", "tensorflow/xla_aot_runtime_src",
            "tensorflow/compiler/mlir", "tensorflow/compiler/tf2xla/ops/_xla_ops.so", "tensorflow/python/keras",
            "tensorflow/THIRD_PARTY_NOTICES.txt", "tensorflow/python/profiler/internal/_pywrap_profiler_plugin.so")
LEFT_OUT_NAMES = ("*.pyi", "__pycache__", "tests", "testdata", "*.h", "*.a")
STRIPPED = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")  # never numpy.libs: stripping breaks those
COMMAND = ["/usr/bin/tensorflow_model_server"]


def build():
    """CACHE/image/model-server.tar, made of what has changed."""
    CACHE.mkdir(parents=True, exist_ok=True)
    base = CACHE / ("base-" + _digest([Path(__file__)], PACKAGES, *models.BARE, *models.NEEDED))
    server = CACHE / ("server-" + _digest(_sources()))
    stamp = CACHE / "stamp"
    wanted = " ".join((base.name, server.name, *sorted(settings.IMAGES)))
    if TAR.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    for old in CACHE.iterdir():
        if old.is_dir() and old not in (base, server):
            run("rm", "-rf", "--one-file-system", old)
    for layer, make in ((base, _make_base), (server, _make_server)):
        if not layer.exists():
            with tempfile.TemporaryDirectory(prefix="build-", dir=CACHE) as folder:
                root = Path(folder) / "root"
                root.mkdir(mode=0o755)
                make(root)
                root.rename(layer)
    note("packing the image")
    oci.make([base, server], {name: _config(name) for name in settings.IMAGES}, TAR)
    stamp.write_text(wanted)


def start():
    cluster.import_image(TAR)


def status():
    if init_pid() is None:
        return "down"
    have = run(*inside("ctr", "--namespace", "k8s.io", "images", "list", "--quiet")).split()
    missing = [name for name in settings.IMAGES if name not in have]
    return "down: %s missing" % ", ".join(missing) if missing else "up, %d tags, %d MB" % (
        len(settings.IMAGES), TAR.stat().st_size // 10**6)


def _config(name):
    release = re.match(r"[0-9.]+", name.rsplit(":", 1)[1]).group()
    environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TF_SERVING_RELEASE=" + release]
    if name.endswith(settings.SLOW_NAS):
        environment.append("MODEL_SERVER_DIRECTORY_DELAY=%d" % settings.DIRECTORY_DELAY)
    return {"Env": environment, "Entrypoint": COMMAND}


def _sources():
    return sorted(path for path in SOURCE.iterdir() if path.suffix == ".py" or path.name == "tensorflow_model_server")


def _digest(files, *words):
    digest = hashlib.sha256(" ".join(words).encode())
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _make_base(root):
    note("a small Debian for the model server's image")
    _debian(root)
    note("TensorFlow for the model server's image")
    site = root / SITE
    for name in MODULES:
        source = models.TENSORFLOW / name
        if source.is_dir():
            shutil.copytree(source, site / name, symlinks=True, ignore=_left_out)
        else:
            shutil.copy2(source, site / name)
    for name in STRIPPED:
        run("strip", "--strip-unneeded", site / "tensorflow" / name)
    _compile(root)


def _debian(root):
    """PACKAGES and what they need, unpacked but not configured, from the sources (and proxies) this machine's apt uses."""
    sources = run("apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
                  "Created-By: Packages", "Origin: Debian", "Architecture: amd64").splitlines()
    if not sources:
        raise LabError("apt knows no Debian packages: run apt-get update (and look at /etc/apt/sources.list*).")
    access = [line for line in run("apt-config", "dump", "Acquire").splitlines()
              if line.lower().startswith(("acquire::http", "acquire::check-", "acquire::retries"))]
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as options:
        options.write("\n".join(access) + "\n")
        options.flush()
        run("mmdebstrap", "--variant=extract", "--include=" + PACKAGES, "--aptopt=" + options.name,
            "--keyring=/usr/share/keyrings/debian-archive-keyring.gpg",
            *("--dpkgopt=path-exclude=/usr/share/%s/*" % name for name in ("doc", "man", "locale", "info")),
            "bookworm", root, *sources)
    for folder in ("proc", "sys", "dev", "tmp", "etc", "root", SITE):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for folder in ("var/cache", "var/lib", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(root / folder, ignore_errors=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nserving:x:1000:1000::/tmp:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nserving:x:1000:\n")
    # A shell and the small commands (sleep for a preStop hook, ls, cat ...) for people and probes.
    for applet in run(root / "bin/busybox", "--list").split():
        if not any(os.path.lexists(root / folder / applet) for folder in ("bin", "usr/bin")):
            (root / "bin" / applet).symlink_to("busybox")


def _left_out(folder, names):
    inside_site = os.path.relpath(folder, models.TENSORFLOW)
    by_name = shutil.ignore_patterns(*LEFT_OUT_NAMES)(folder, names)
    return by_name | {name for name in names if os.path.join(inside_site, name) in LEFT_OUT}


def _make_server(root):
    package = root / SITE / "model_server"
    package.mkdir(parents=True)
    for source in _sources():
        if source.suffix == ".py":
            shutil.copy(source, package / source.name)
    launcher = root / COMMAND[0].lstrip("/")
    launcher.parent.mkdir(parents=True)
    shutil.copy(SOURCE / launcher.name, launcher)
    launcher.chmod(0o755)
    _compile(root)


def _compile(root):
    """Compiled Python that is never compared with the source's time: the root file system is read-only."""
    # Exit code 1 only says that some file (a template, an old test) is no Python.
    subprocess.run([models.PYTHON, "-m", "compileall", "-q", "-j2", "--invalidation-mode", "unchecked-hash",
                    "-s", str(root), "-p", "/", str(root / "usr/lib")], stdout=subprocess.DEVNULL, check=False)
