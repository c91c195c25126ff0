"""What an action plugin takes is what its module's documentation says."""
from __future__ import annotations

import importlib

import pytest
import yaml
from documented import OURS, both

import conftest

ACTIONS = sorted(
    path.stem for path in (conftest.ROOT / "plugins" / "action").glob("*.py") if "ControllerAction)" in path.read_text()
)


@pytest.mark.parametrize("name", ACTIONS)
def test_the_spec_is_what_is_documented(name):
    spec, told = both(importlib.import_module("%s.action.%s" % (OURS, name)))
    assert spec == told


@pytest.mark.parametrize("name", ACTIONS)
def test_the_module_is_documentation_only(name):
    module = importlib.import_module("%s.modules.%s" % (OURS, name))
    assert {key for key in vars(module) if not key.startswith("__")} == {"DOCUMENTATION", "EXAMPLES", "RETURN", "annotations"}
    assert all(yaml.safe_load(getattr(module, part)) for part in ("DOCUMENTATION", "EXAMPLES", "RETURN"))
