"""Kubernetes and Helm, compiled from the Go module proxy at the versions of go/*/go.mod. Never twice."""
from __future__ import annotations

import hashlib
import os
import re

from .progress import note
from .settings import BIN, HELM, KUBERNETES, SOURCE
from .shell import LabError, run, write

PART = "Kubernetes %s, Helm %s, from source" % (KUBERNETES, HELM)
MODULES = ("kubernetes", "helm")
_VERSION = "k8s.io/component-base/version"
_MAJOR, _MINOR = KUBERNETES.split(".")[:2]
# Without a version the server calls itself v0.0.0, and Helm's kubeVersion checks fail.
_KUBERNETES_FLAGS = "-s -w -X %s.gitVersion=v%s -X %s.gitMajor=%s -X %s.gitMinor=%s" % (
    _VERSION, KUBERNETES, _VERSION, _MAJOR, _VERSION, _MINOR)
# kube-apiserver first: it compiles most of what the others share.
COMMANDS = {
    **{"k8s.io/kubernetes/cmd/" + name: ("kubernetes", _KUBERNETES_FLAGS) for name in (
        "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")},
    "helm.sh/helm/v3/cmd/helm": ("helm", "-s -w -X helm.sh/helm/v3/internal/version.version=v%s" % HELM),
}


def build():
    missing = set(missing_commands())
    for number, command in enumerate(COMMANDS, 1):
        if command in missing:
            _build(number, command)


def start():
    """Nothing to start."""


def status():
    return "down: not built: %s" % " ".join(missing()) if missing() else "up, %s" % BIN


def missing():
    """Names of the binaries that have to be compiled still."""
    return [command.rsplit("/", 1)[1] for command in missing_commands()]


def missing_commands():
    return [command for command in COMMANDS if not _is_built(command)]


def go_version(module):
    """The oldest Go that go.mod allows."""
    return re.search(r"^go (\S+)$", _go_mod(module).read_text(), re.MULTILINE).group(1)


def _build(number, command):
    module, flags = COMMANDS[command]
    name = command.rsplit("/", 1)[1]
    note("compiling %s (%d of %d)" % (name, number, len(COMMANDS)))
    half = BIN / (name + ".half")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -mod=readonly"}
    try:
        # A compile that outlives a killed `lab up` would write to the file of the next one.
        run("setpriv", "--pdeathsig", "KILL", "go", "build", "-trimpath", "-ldflags", flags, "-o", half, command,
            cwd=_go_mod(module).parent, env=environment, timeout=5400)
    except LabError as e:
        raise LabError("%s cannot be compiled (what is done stays done, the next `lab up` goes on here): %s"
                       % (name, e)) from e
    half.replace(BIN / name)
    write(_stamp(name), _key(command))


def _is_built(command):
    name = command.rsplit("/", 1)[1]
    try:
        return (BIN / name).exists() and _stamp(name).read_text() == _key(command)
    except OSError:
        return False


def _key(command):
    """What the binary was made of."""
    module, flags = COMMANDS[command]
    sums = hashlib.sha256(_go_mod(module).with_name("go.sum").read_bytes()).hexdigest()
    return "%s\n%s\n" % (sums, flags)


def _stamp(name):
    return BIN / ".stamps" / name


def _go_mod(module):
    return SOURCE / "go" / module / "go.mod"
