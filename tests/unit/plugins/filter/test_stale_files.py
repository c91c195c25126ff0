from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.mlops.tf_serving.plugins.filter.stale_files import stale_files


@pytest.fixture
def clone(tmp_path):
    for root in (tmp_path / "clone", tmp_path / "installed"):
        (root / "roles").mkdir(parents=True)
        (root / "roles" / "main.yml").write_text("same")
        (root / "galaxy.yml").write_text("name: tf_serving\n")
    return tmp_path / "clone"


def test_equal(clone):
    assert stale_files(str(clone), clone.parent / "installed") == []


@pytest.mark.parametrize("folder", ["", "playbooks"])
def test_changed_added_and_removed_files_are_named(clone, folder):
    (clone / "playbooks").mkdir()
    (clone / "playbooks" / "new.yml").write_text("new")
    (clone / "roles" / "main.yml").write_text("changed")
    (clone.parent / "installed" / "roles" / "old.yml").write_text("old")
    assert stale_files(str(clone / folder), clone.parent / "installed") == [
        "playbooks/new.yml", "roles/main.yml", "roles/old.yml"]


@pytest.mark.parametrize("name", [".golden-4711", ".mnist.html.3f0a", ".main.yml.swp"])
def test_drafts_are_nobodys_difference(clone, name):
    (clone / "roles" / name).write_text("half")
    assert stale_files(str(clone), clone.parent / "installed") == []
    (clone / "roles" / ".helmignore").write_text("")
    assert stale_files(str(clone), clone.parent / "installed") == ["roles/.helmignore"]


def test_a_playbook_elsewhere_has_no_clone(clone):
    shutil.move(clone / "galaxy.yml", clone / "other.yml")
    assert stale_files(str(clone), Path("/nonexistent")) == []
