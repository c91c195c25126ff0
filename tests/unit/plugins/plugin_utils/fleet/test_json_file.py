"""What was found of a fleet, as a file."""
from __future__ import annotations

import json

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import json_file


def test_of_a_job_that_takes_it_along(tmp_path, monkeypatch):
    """A plan as well as a status."""
    warnings = []
    monkeypatch.setattr(json_file, "dies_with_the_job", lambda path: path.startswith(str(tmp_path)))
    for what in ("plan", "status"):
        json_file.write(str(tmp_path / what), what, {"models": {}}, warnings.append)
        assert json.loads((tmp_path / what).read_text()) == {"models": {}}
    assert [text.partition(" is ")[0] for text in warnings] == ["plan_file", "status_file"]


def test_elsewhere_there_is_nothing_to_say(tmp_path, monkeypatch):
    monkeypatch.delenv("JOB_ID", raising=False)
    json_file.write(str(tmp_path / "plan"), "plan", {}, lambda sentence: 1 / 0)
