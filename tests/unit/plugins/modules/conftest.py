from __future__ import annotations

import functools
import types

import pytest
from fake_mount import fake_nas
from run_module import run_module


@pytest.fixture()
def node(tmp_path, monkeypatch):
    """A machine with a fake NAS: run(module, ...), and what it has mounted and written."""
    (tmp_path / "tmp").mkdir()
    nas = fake_nas(tmp_path, monkeypatch)
    options = {"nas_server": "nas", "nas_export": "/serving", "base_path": "/serving/model/mnist"}
    run = functools.partial(run_module, tmpdir=tmp_path / "tmp", **options)
    return types.SimpleNamespace(nas=nas, root=nas.root, run=run, files=tmp_path)
