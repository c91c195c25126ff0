"""Makes this tree importable as ansible_collections.mlops.tf_serving, wherever the clone lies."""
from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _package(name, *paths):
    package = types.ModuleType(name)
    package.__path__ = list(paths)
    sys.modules[name] = package
    return package


_SITE = Path(importlib.util.find_spec("ansible").origin).parents[1] / "ansible_collections"
_package("ansible_collections", str(_SITE))
_package("ansible_collections.mlops")
_package("ansible_collections.mlops.tf_serving", str(ROOT))
