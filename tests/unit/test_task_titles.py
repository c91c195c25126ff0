"""Titles of tasks and plays are those of all hosts: what a title takes from a variable, Ansible shows of the first host."""
from __future__ import annotations

import pytest
import yaml

import conftest

FILES = sorted(path for place in ("roles/*/tasks", "playbooks", "playbooks/tasks") for path in conftest.ROOT.glob(place + "/*.yml"))


def titles(thing):
    if isinstance(thing, list):
        for one in thing:
            yield from titles(one)
    elif isinstance(thing, dict):
        if isinstance(thing.get("name"), str):
            yield thing["name"]
        for part in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            yield from titles(thing.get(part))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(conftest.ROOT)))
def test_no_title_is_of_one_host(path):
    found = list(titles(yaml.safe_load(path.read_text())))
    assert found and [title for title in found if "{{" in title] == []
