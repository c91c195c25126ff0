"""Every archive of the corpus, on its whole way: its files are live, or it is refused in so many words and nothing is left."""
from __future__ import annotations

import json

import pytest
from archive_corpus import CASES
from nas_folder import Nas, look

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error

MOST = 2 << 20  # bytes that an archive may unpack to: what is no bomb stays below


@pytest.fixture()
def nas(tmp_path, monkeypatch):
    return Nas(tmp_path, monkeypatch)


def test_there_are_enough():
    assert len(CASES) >= 120 and len({kind for kind, *dummy in CASES}) == len(CASES)


@pytest.mark.parametrize(("data", "outcome"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_becomes_of_it(nas, data, outcome):
    if isinstance(outcome, tuple):
        error = nas.refused(data, max_size=MOST)
        assert (error.code, outcome[1] in error.message) == (outcome[0], True), error.message
        json.dumps(error.as_dict()).encode("ascii")
        error.message.encode("utf-8")
        return
    try:
        answer = nas.publish(data, max_size=MOST)
    except Error:
        assert outcome is None
        assert look(nas.root) == {}
        return
    assert nas.names() == [".provenance", "1"]
    found = {path: content for path, content in look(nas.root / "model/mnist/1").items() if content is not None}
    if outcome is not None:
        assert found == outcome
    assert all(path.stat().st_mode & 0o7777 == (0o755 if path.is_dir() else 0o644) for path in (nas.root / "model/mnist/1").rglob("*"))
    assert not any(path.is_symlink() or ".staging" in path.name for path in nas.root.rglob("*"))
    json.dumps(answer, ensure_ascii=False).encode("utf-8")
    with nas.unchanged():
        assert nas.publish(data, max_size=MOST)["changed"] is False
