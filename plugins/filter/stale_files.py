# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: stale_files
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: Files in which a clone differs from the installed collection
description:
  - If the folder lies in a clone of this collection, these are the files under C(roles/), C(plugins/) and C(playbooks/) that the
    installed copy, whose roles run, lacks, has in excess or has with other content. In any other folder there are none.
positional: _input
options:
  _input:
    description: Folder of the running playbook.
    type: path
    required: true
"""

EXAMPLES = """
- name: Is the installed collection this clone's?
  ansible.builtin.debug:
    msg: "{{ playbook_dir | mlops.tf_serving.stale_files }}"
"""

RETURN = """
_value:
  description: Paths, relative to the collection's root.
  type: list
  elements: str
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

INSTALLED = Path(__file__).resolve().parents[2]
ROOMS = ("roles", "plugins", "playbooks")


def _contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for room in ROOMS
        for path in (root / room).rglob("*")
        if path.is_file() and path.suffix != ".pyc" and _counts(path)
    }


def _counts(path: Path) -> bool:
    """Other hidden files are drafts: of an editor, or of a check that was ended while it wrote its report or golden file here."""
    return not path.name.startswith(".") or path.name == ".helmignore"


def stale_files(playbook_dir: str, installed: Path = INSTALLED) -> list[str]:
    here = Path(playbook_dir).resolve()
    clone = next((folder for folder in (here, here.parent) if (folder / "galaxy.yml").is_file()), None)
    if clone is None or clone == installed or "name: tf_serving" not in (clone / "galaxy.yml").read_text():
        return []
    ours, theirs = _contents(clone), _contents(installed)
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"stale_files": stale_files}
