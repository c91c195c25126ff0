# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is there a Helm, and one that the installed kubernetes.core works with?"""
from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

from ansible.module_utils.common.process import get_bin_path

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error

TIMEOUT = 30  # seconds
HELM_4_SINCE = (6, 4)  # of kubernetes.core


def find(binary_path: str | None) -> dict[str, str]:
    """{path, version}; by default of the `helm` in PATH."""
    try:
        path = str(get_bin_path(binary_path or "helm"))
    except ValueError:
        raise Error(
            "%s: install Helm 3 (https://helm.sh), or name it in serving_helm_binary." % (
                "%s is not an executable file" % binary_path if binary_path else "helm is not in PATH"
            ), "helm_missing",
        ) from None
    try:
        done = subprocess.run(
            [path, "version", "--short"], check=False, capture_output=True, text=True, errors="replace", timeout=TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Error("%s cannot be run: %s." % (path, error), "helm_version") from error
    return {"path": path, "version": version(done.stderr if done.returncode else done.stdout, path, core_version())}


def version(text: str, path: str, core: tuple[int, int] | None) -> str:
    """The version in the output of `helm version --short`; an Error if kubernetes.core (of that version) cannot use it."""
    match = re.search(r"^(v(\d+)\.\d+\.\d+\S*)", text.strip(), re.MULTILINE)
    if not match or int(match[2]) < 3:
        raise Error(
            "%s is not Helm 3 or later (it says %r): install one, or name it in serving_helm_binary." % (path, text.strip()[:200]),
            "helm_version",
        )
    if match.start():
        raise Error(
            "%s says something else before its version (%r), and kubernetes.core takes all that it prints for its answer: have that"
            " printed to standard error, or name the helm itself in serving_helm_binary."
            % (path, text.strip()[:match.start()].strip()[:200]), "helm_version",
        )
    if int(match[2]) > 3 and core is not None and core < HELM_4_SINCE:
        raise Error(
            "%s is Helm %s, and the installed collection kubernetes.core %d.%d works with Helm 3 only: install kubernetes.core"
            " %d.%d or later, or name a Helm 3 in serving_helm_binary." % (path, match[1].partition("+")[0], *core, *HELM_4_SINCE),
            "helm_version",
        )
    return match[1].partition("+")[0]


def core_version() -> tuple[int, int] | None:
    """(major, minor) of kubernetes.core, as it was installed or cloned; None where it does not say."""
    spec = importlib.util.find_spec("ansible_collections.kubernetes.core")
    for folder in (spec and spec.submodule_search_locations) or ():
        for name, version_in in (("MANIFEST.json", r'"version": *"(\d+)\.(\d+)'), ("galaxy.yml", r"^version: *[\"']?(\d+)\.(\d+)")):
            file = Path(folder) / name
            found = re.search(version_in, file.read_text(), re.MULTILINE) if file.is_file() else None
            if found:
                return int(found[1]), int(found[2])
    return None
