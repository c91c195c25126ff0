"""What travels to the node that mounts the NAS: the standard library and ansible.module_utils.basic, on Python 3.6 and later."""
from __future__ import annotations

import ast
import glob
import os
import shutil
import subprocess
import sys

import pytest
from fake_mount import may_mount

import conftest

UTILS = sorted((conftest.ROOT / "plugins/module_utils").rglob("*.py"))
MODULES = [conftest.ROOT / "plugins/modules" / name for name in ("model_publish.py", "model_publish_plan.py", "model_versions.py")]
ALLOWED = ("ansible_collections.mlops.tf_serving.plugins.module_utils", "ansible.module_utils.basic")
PYTHONS = ["3.%d" % minor for minor in range(6, 14)]


def imported(tree):
    """The modules that a file imports; of one that is relative, nothing that would be allowed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


@pytest.mark.parametrize("path", UTILS + MODULES, ids=lambda path: path.name)
def test_standard_library_and_syntax_of_python_3_6(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 6))
    names = [name for name in imported(tree) if not name.startswith(ALLOWED)]
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)
    assert "__future__" not in names, "annotations as a future are of Python 3.7"


def imported_at_once(path):
    """Our own files that are compiled and imported with this one: those that stand at the top of it, and of these."""
    files, left = set(), [path]
    while left:
        here = left.pop()
        files.add(here)
        for node in ast.parse(here.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module.startswith(ALLOWED[0]):
                folder = conftest.ROOT.joinpath("plugins", *node.module.split(".plugins.")[1].split("."))
                found = {folder.with_suffix(".py"), *(folder / (name.name + ".py") for name in node.names)}
                left += [file for file in found - files if file.exists()]
    return {file.name for file in files}


def test_a_look_compiles_nothing_that_only_a_change_needs():
    at_once = imported_at_once(MODULES[0])
    assert {"publish.py", "look.py", "versions.py", "mount.py", "errors.py"} <= at_once
    assert not at_once & {
        "bringing.py", "lifecycle.py", "download.py", "archive.py", "savedmodel.py", "warmup.py", "wire.py", "tfrecord.py"}


def test_all_of_it_is_looked_at():
    names = {path.name for path in UTILS}
    assert {"errors.py", "wire.py", "tfrecord.py", "mount.py", "publish.py", "versions.py", "run.py"} <= names


def interpreter(version):
    """A Python of this version, of the system or of pyenv, whose shims exit 127; None if there is none."""
    found = glob.glob(os.path.expanduser("%s/versions/%s.*/bin/python" % (os.environ.get("PYENV_ROOT", "~/.pyenv"), version)))
    for path in [*found, shutil.which("python" + version)]:
        if path and subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0:
            return path
    return None


@pytest.mark.parametrize("version", [PYTHONS[0], PYTHONS[-1]])
def test_it_runs(version):
    python = interpreter(version)
    if python is None:
        pytest.skip("there is no Python %s on this machine" % version)
    script = [python, "-I", str(conftest.ROOT / "tests/unit/on_old_python.py"), *(["mount"] if may_mount() else [])]
    done = subprocess.run(script, check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == (version + "\n", "", 0)
