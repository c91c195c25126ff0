"""What AWX offers as playbooks of this project."""
from __future__ import annotations

import offered
import pytest


def test_only_what_people_run():
    found = offered.playbooks(offered.ROOT)
    assert set(found) == {"site.yml", *("playbooks/%s" % path.name for path in (offered.ROOT / "playbooks").glob("*.yml"))}


@pytest.mark.parametrize(("name", "text", "is_one"), [
    ("site.yml", "- hosts: all\n", True), ("site.yml", "- name: x\n  hosts: all\n", True), ("site.yml", '- "hosts": all\n', False),
    ("site.yaml", "- import_playbook: x.yml\n", True), ("site.yml", "- ansible.builtin.import_playbook: x.yml\n", True),
    ("site.txt", "- hosts: all\n", False), ("roles/x.yml", "- hosts: all\n", False), ("a/.b/x.yml", "- hosts: all\n", False),
    ("vars/x.yml", "a: 1\n", False), ("x.yml", "$ANSIBLE_VAULT;1.1\n", True), ("inventories/hosts.yml", "all:\n  hosts:\n", True),
])
def test_its_own_rule(tmp_path, name, text, is_one):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert bool(offered.could_be_playbook(tmp_path, name)) is is_one
