"""The look before anything is touched, as a task."""
from __future__ import annotations

import idx_files
import pytest
from ansible.parsing.dataloader import DataLoader
from documented import both
from run_action import run_action

from ansible_collections.mlops.tf_serving.plugins.action import check_preflight, inference_check
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import options


@pytest.fixture
def look(tmp_path, monkeypatch):
    monkeypatch.setattr(DataLoader, "get_basedir", lambda loader: str(tmp_path / "playbooks"))
    dataset = idx_files.write(tmp_path)
    return lambda **options: run_action(check_preflight, **{"dataset": dataset, **options})


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_the_test_data_are(look, tmp_path, check_mode, monkeypatch):
    monkeypatch.setattr(options, "DRAWN_WITH", ())  # matplotlib is not in the rows of `make matrix`
    answer = look(tests="10", check_mode=check_mode, report="reports/", record="")
    assert answer == {"changed": False, "tests": 10, "columns": {
        "images": {"type": "uint8", "shape": [10, 28, 28]}, "labels": {"type": "uint8", "shape": [10]},
    }, "left_out": {}, "remarks": [], "compares": True}
    assert not (tmp_path / "playbooks").exists()


def test_failures_are_the_checks(look, tmp_path):
    answer = look(tests=101)
    assert answer["failed"] is True and answer["failure"]["code"] == "dataset_too_small"
    assert "fewer than check_tests" in answer["msg"]
    (tmp_path / "playbooks").write_text("no folder")
    answer = look(record="golden.npz")
    assert "the folder %s/playbooks cannot be written" % tmp_path in answer["msg"]
    assert look(record="a.npz", golden="b.npz")["failure"]["code"] == "option_invalid"


def test_it_takes_what_the_check_takes():
    spec, told = both(check_preflight)
    assert spec == told
    theirs = inference_check.ActionModule.SPEC
    own = {"signatures": {"type": "dict", "default": {}}}  # those of a server are asked for
    assert {name: theirs[name] for name in spec.keys() - own} | own == check_preflight.ActionModule.SPEC
    assert check_preflight.ActionModule.NEEDS == inference_check.ActionModule.NEEDS
