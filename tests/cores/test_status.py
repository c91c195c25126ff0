"""What serves: a table of several models from one task, the long form of one, and what goes to the next job. Told in order."""
from __future__ import annotations

import json

import pytest

BOTH = {"mnist": {}, "other": {"serving_service_type": "LoadBalancer", "check_report": "/srv/reports/"}}


def tasks(run):
    return [event["task"] for event in run.events if event["kind"] != "skipped"]


def test_before_anything_is_there(play, tmp_path, unseen):
    run = play("status", hosts=BOTH, status_file=str(tmp_path / "status.json"))
    assert run.rc == 0 and run.changes == [], run.failures
    assert {one["sick"][0] for one in json.loads((tmp_path / "status.json").read_text())["models"].values()} == {"not deployed"}
    assert "2 models: 2 sick" in run.text


def test_several_models(play, world):
    run = play("site")
    assert run.rc == 0, run.failures
    before = world.seen()
    run = play("status", hosts=BOTH)
    assert run.rc == 0 and run.changes == [] and world.seen() == before, run.failures
    assert tasks(run) == ["Look at all models together", "The models", "Hand it to the next job of a workflow"]
    assert len(run.events) == 3, "no line for each model, not even a skipped one"
    (table,) = [event["said"]["msg"] for event in run.events if event["task"] == "The models"]
    assert table[1].startswith("! other") and table[2] == "    not deployed"
    assert table[3].split()[:3] == ["mnist", "1*", "-"] and table[3].split()[3:6] == ["2/2", "0.0%", "wrong"]
    assert table[-2:] == ["report  /srv/reports/index.html", "2 models: 1 sick"]
    assert max(map(len, table)) <= 120


@pytest.mark.parametrize("extra", [{}, {"status_file": ""}])
def test_one_model(play, unseen, extra):
    run = play("status", "--limit", "mnist", hosts=BOTH, **extra)
    assert run.rc == 0 and "Look at all models together" not in tasks(run), run.failures
    assert "latest, the highest version is served" in run.text and "Versions on the NAS, and where they are served" in run.stdout


def test_one_model_as_json(play, unseen, tmp_path):
    run = play("status", "--limit", "mnist", hosts=BOTH, status_file=str(tmp_path / "status.json"))
    assert run.rc == 0 and "The models" not in tasks(run), run.failures
    written = json.loads((tmp_path / "status.json").read_text())
    assert written["models"]["mnist"]["version"] == 1 and list(written["models"]) == ["mnist"] and written["sick"] == []
