"""Unit tests and playbooks without a cluster on every ansible-core that galaxy.yml's readers may have: make matrix.

    tests/cores.py [--only-core] [ROW...]      rows by name; `ends` is the oldest and the newest that this machine can run
    tests/cores.py --python ROW                prints that row's Python, for those who run something else with it

Each row is a virtual environment in .venv-matrix/ with a core, a kubernetes.core and the libraries of its time, on the first
of its Pythons that is on this machine. A row without one is named as not run. --only-core leaves out what no core can change.
"""
from __future__ import annotations

import argparse
import dataclasses
import datetime
import glob
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".venv-matrix"
UV = ROOT / ".venv" / "bin" / "uv"
TOOLS = ["pytest", "pytest-xdist", "hypothesis"]
# What a core can change: all that imports it, and the whole way of both policies. `make cores` has the other playbook tests on its own.
OF_THE_CORE = ["tests/unit/plugins/action", "tests/unit/plugins/filter", "tests/unit/plugins/lookup", "tests/unit/plugins/modules",
               "tests/unit/plugins/plugin_utils/settings",
               *sorted(set(glob.glob("tests/unit/test_*.py", root_dir=ROOT)) - {
                   "tests/unit/test_%s.py" % name for name in ("mutants", "hostile_nas", "model_corpus")}),
               "tests/cores/test_latest.py", "tests/cores/test_pinned.py"]


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    pythons: str  # that this core supports on a controller, the one to prefer first
    core: str
    collections: str  # the PyPI package `ansible` that brings the row's kubernetes.core along; "" for the newest
    libraries: str

    @property
    def folder(self):
        return ENVIRONMENTS / self.name

    @property
    def python(self):
        return self.folder / "bin" / "python"

    @property
    def interpreter(self):
        """The Python to make it of, or None."""
        found = (interpreter(version) for version in self.pythons.split())
        return next(filter(None, found), None)

    @property
    def stamp(self):
        """Of an environment that needs no renewal. Once a week, for what is newest changes."""
        return "%s %s %s" % (self, self.interpreter, datetime.date.today().strftime("%G-%V"))


OLDEST = "kubernetes==24.2.0 protobuf~=4.25.0 grpcio>=1.60,<1.61 numpy~=1.24.0"
MIDDLE = "kubernetes~=31.0 protobuf~=5.29.0 grpcio==1.70.0 numpy<2.2"
NEWEST = "kubernetes protobuf grpcio numpy"
ROWS = [
    Row("2.16", "3.10 3.11", "ansible-core~=2.16.0", "11.0.0", OLDEST),
    Row("2.17", "3.10 3.11", "ansible-core~=2.17.0", "11.0.0", OLDEST),
    Row("2.18", "3.12 3.11", "ansible-core~=2.18.0", "11.0.0", MIDDLE),
    Row("2.19", "3.11 3.12 3.13", "ansible-core~=2.19.0", "12.3.0", MIDDLE),
    Row("2.20", "3.12 3.13 3.14", "ansible-core~=2.20.0", "12.3.0", NEWEST),
    Row("2.21", "3.13 3.12 3.14", "ansible-core~=2.21.0", "", NEWEST),
    Row("next", "3.14 3.13", "ansible-core>=2.22.0b1", "", NEWEST),  # the newest, pre-releases included
]


def interpreter(version):
    """A Python of this version that runs: pyenv's shims of versions that are not selected do not."""
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    for path in [shutil.which("python" + version), *sorted(glob.glob("%s/versions/%s.*/bin/python" % (pyenv, version)))]:
        if path and subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0:
            return path
    return None


def prepare(row):
    stamp = row.folder / ".stamp"
    if stamp.exists() and stamp.read_text() == row.stamp:
        return
    uv("venv", "--clear", "--python", row.interpreter, row.folder)
    uv("pip", "install", "--only-binary=:all:", "--python", row.python, row.core, *row.libraries.split(), *TOOLS)
    (site,) = row.folder.glob("lib/python3*/site-packages")
    (site / "ansible_collections").mkdir()
    (site / "ansible_collections" / "kubernetes").symlink_to(kubernetes_core(row.collections))
    stamp.write_text(row.stamp)


def uv(*arguments):
    subprocess.run([UV, "--quiet", *arguments], check=True)


def kubernetes_core(version):
    """The folder of the namespace `kubernetes`, taken out of the package's wheel: all the rest of that is not needed."""
    folder = ENVIRONMENTS / "kubernetes.core" / (version or datetime.date.today().strftime("newest-%G-%V"))
    if not folder.exists():
        download = ENVIRONMENTS / "download"
        subprocess.run(
            [ROOT / ".venv" / "bin" / "python", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
             "--python-version", "3.13", "--dest", download, "ansible" + ("==" + version if version else "")], check=True)
        (wheel,) = download.glob("ansible-*.whl")
        with zipfile.ZipFile(wheel) as opened:
            wanted = "ansible_collections/kubernetes/"
            opened.extractall(folder, [name for name in opened.namelist() if name.startswith(wanted)])
        shutil.rmtree(download)
    return folder / "ansible_collections" / "kubernetes"


def versions(row):
    wanted = ("ansible-core", "kubernetes", "protobuf", "grpcio", "numpy")
    listed = subprocess.run(
        [UV, "--quiet", "pip", "list", "--python", row.python], check=True, capture_output=True, text=True).stdout
    found = dict(line.split()[:2] for line in listed.splitlines() if line.startswith(wanted))
    python = subprocess.run([row.python, "-V"], check=True, capture_output=True, text=True).stdout.split()[1]
    return ", ".join(["Python " + python, *("%s %s" % (name, found[name]) for name in wanted)])


def passes(row, only_core):
    def pytest(*paths, **environment):
        there = [path for path in paths if (ROOT / path).exists()]
        command = [row.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile", *there]
        return subprocess.run(command, cwd=ROOT, check=False, env={**os.environ, **environment}).returncode == 0

    good = pytest(*(OF_THE_CORE if only_core else ["tests/unit", "tests/cores"]))
    if row is ROWS[0] and not only_core:
        print("== %s, protobuf in pure Python" % row.name, flush=True)
        good &= pytest("tests/unit/plugins/plugin_utils/client", PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION="python")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only-core", action="store_true")
    parser.add_argument("--python", metavar="ROW")
    parser.add_argument("rows", nargs="*", metavar="ROW")
    arguments = parser.parse_args()
    runnable = [row for row in ROWS if row.interpreter]
    if len(runnable) < 2:
        sys.exit("There is no Python here for two of the cores: %s" % ", ".join("%s wants %s" % (row.name, row.pythons) for row in ROWS))
    names = {"ends": [runnable[0], runnable[-1]], "oldest": [runnable[0]], "newest": [runnable[-1]]}
    names.update((row.name, [row]) for row in ROWS)
    asked = [arguments.python] if arguments.python else arguments.rows
    for name in asked:
        if name not in names:
            sys.exit("%s is none of %s" % (name, ", ".join(names)))
    rows = list(dict.fromkeys(row for name in asked for row in names[name])) or ROWS
    ENVIRONMENTS.mkdir(exist_ok=True)
    if arguments.python:
        prepare(rows[0])
        print(rows[0].python)
        return
    said = {}
    for row in rows:
        if row not in runnable:
            said[row.name] = "not run: no Python %s here" % " or ".join(row.pythons.split())
            continue
        prepare(row)
        print("== %s: %s" % (row.name, versions(row)), flush=True)
        begun = time.monotonic()
        good = passes(row, arguments.only_core)
        said[row.name] = "%s in %.0f s: %s" % ("passed" if good else "FAILED", time.monotonic() - begun, versions(row))
    print("\n".join(["", *("%-6s %s" % item for item in said.items())]))
    sys.exit(any(text.startswith("FAILED") for text in said.values()))


if __name__ == "__main__":
    main()
