"""Which files of a project AWX offers as playbooks, by its own rule: a line that begins a play or imports one."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAY = re.compile(r"^\s*?-?\s*?(?:hosts|(ansible\.builtin\.)?include|(ansible\.builtin\.)?import_playbook):\s*?.*?$")
SKIPPED = {"roles", "tasks", "group_vars", "host_vars"}


def could_be_playbook(root, name):
    parts = name.split("/")[:-1]
    if SKIPPED & set(parts) or any(part.startswith(".") for part in parts) or not name.endswith((".yml", ".yaml")):
        return False
    lines = (root / name).read_text(errors="ignore").splitlines()
    return any(PLAY.match(line) for line in lines) or (lines[:1] and lines[0].startswith("$ANSIBLE_VAULT;"))


def files(root):
    """What a project's sync brings: all that git knows or will know."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=root, capture_output=True, text=True, check=True)
    return sorted({name for name in listed.stdout.splitlines() if (root / name).is_file()})


def playbooks(root):
    return [name for name in files(root) if could_be_playbook(root, name)]
