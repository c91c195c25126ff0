# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does the installed copy of this collection, whose roles run, still equal the clone whose playbook runs?"""
from __future__ import annotations

DOCUMENTATION = """
name: installed
short_description: Files in which a clone differs from the installed collection
description:
  - C(mlops.tf_serving.stale_files) takes the folder of the running playbook. If that lies in a clone of this
    collection, it lists the files under C(roles/), C(plugins/) and C(playbooks/) that the installed copy lacks,
    has in excess or has with other content. In any other folder the list is empty.
options: {}
"""

from pathlib import Path

INSTALLED = Path(__file__).resolve().parents[2]
ROOMS = ("roles", "plugins", "playbooks")


def _contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for room in ROOMS
        for path in (root / room).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def stale_files(playbook_dir, installed=INSTALLED):
    here = Path(playbook_dir).resolve()
    clone = next((folder for folder in (here, here.parent) if (folder / "galaxy.yml").is_file()), None)
    if clone is None or clone == installed or "name: tf_serving" not in (clone / "galaxy.yml").read_text():
        return []
    ours, theirs = _contents(clone), _contents(installed)
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


class FilterModule:
    def filters(self):
        return {"stale_files": stale_files}
