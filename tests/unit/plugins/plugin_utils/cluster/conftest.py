from __future__ import annotations

import pytest
from who_answers import World


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Nothing of this machine's says where the API is, or how it is reached."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    world = World(tmp_path)
    yield world
    world.close()
