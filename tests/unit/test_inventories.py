"""The shipped inventories set only variables that a role declares: a misspelled one would be ignored without a word."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("inventory", ["acs", "lab"])
def test_every_variable_is_declared(inventory):
    declared = {"gpu"}
    for specs in ROOT.glob("roles/*/meta/argument_specs.yml"):
        declared |= set(yaml.safe_load(specs.read_text())["argument_specs"]["main"]["options"])
    listed = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(ROOT / "inventories" / inventory), "--host", "mnist"],
        check=True, capture_output=True, text=True,
    )
    given = {name for name in json.loads(listed.stdout) if not name.startswith("ansible_")}
    assert given and given <= declared, given - declared
