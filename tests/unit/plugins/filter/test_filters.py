"""Each filter is the function that decides, under its name. What they decide: the tests of those."""
from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml
from listed_versions import entry, pinned

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.failures import brief

HOME = Path(__file__).resolve().parents[4] / "plugins" / "filter"
NAMES = sorted(path.stem for path in HOME.glob("*.py"))


def module(name):
    return importlib.import_module("ansible_collections.mlops.tf_serving.plugins.filter." + name)


def the(name):
    return module(name).FilterModule().filters()[name]


@pytest.mark.parametrize("name", NAMES)
def test_one_file_a_filter_with_documentation_and_example(name):
    filters = module(name)
    assert list(filters.FilterModule().filters()) == [name]
    documentation = yaml.safe_load(filters.DOCUMENTATION)
    assert documentation["name"] == name and "_input" in documentation["options"]
    assert documentation["description"] and documentation["short_description"] and documentation["author"]
    positional = documentation["positional"].split(", ")
    assert positional == list(documentation["options"])
    assert "mlops.tf_serving." + name in filters.EXAMPLES
    assert yaml.safe_load(filters.EXAMPLES) and "_value" in yaml.safe_load(filters.RETURN)


def test_rollback_plan():
    versions = [{"version": 1, "state": "live"}, {"version": 2, "state": "live"}]
    assert the("rollback_plan")(versions) == {"withdraw": [2], "serves": 1, "message": "", "problem": ""}
    assert the("rollback_plan")(versions, to=2, stable=2)["message"] == "Version 2 is the newest live one: nothing to withdraw."
    assert the("rollback_plan")(versions, None, None, False)["problem"].startswith("This model is not deployed here")
    found = the("rollback_plan")(versions, to=7)
    assert found.pop("problem").startswith("model_rollback_to is 7")
    assert found == {"withdraw": [], "serves": None, "message": ""}


def test_version_trial():
    found = the("version_trial")({"policy": "pinned", "stable": 1}, {"versions": [1, 2]}, 2)
    assert the("version_trial")({"policy": "pinned", "stable": 1}, {"versions": [1, 2]}, "2") == found
    assert found == {"own_name": True, "before": 1}


def test_failed_trial():
    live = {"state": "live", "checked": None, "published": "yes", "servable": True, "problem": ""}
    found = [{"version": version, **live} for version in (1, 2)]
    arguments = ({"policy": "latest"}, {"versions": found, "problem": ""})
    wrong = {"msg": "89.3%", "failure": {"code": "error_rate_exceeded"}}
    assert the("failed_trial")(*arguments, 2, wrong) == the("failed_trial")(*arguments, "2", wrong)
    assert the("failed_trial")(*arguments, 2, wrong)["goes_back"] is True
    assert the("failed_trial")(*arguments, 2, wrong, True)["goes_back"] is False
    assert the("failed_trial")(*arguments, "", wrong) == the("failed_trial")(*arguments, None, wrong)
    assert the("failed_trial")(*arguments, None, wrong)["goes_back"] is False
    # What is not printed of a failure counts.
    silent = {"msg": "no", "failure": {"code": "version_not_available", "details": {"replicas": [{"problem": "gone", "models": {}}]}}}
    assert the("failed_trial")(*arguments, 2, brief(silent))["goes_back"] is False


def test_load_failed():
    failed = {"msg": "no", "failure": {"code": "model_not_loadable", "details": {"version": 2, "final": True}}}
    assert the("load_failed")(brief(failed)) == 2
    assert the("load_failed")({"msg": "no"}) is None


def test_versions_beside():
    serving, never = pinned(1, 2), entry(2, None)
    published = {"version": 2, "listed": [entry(1), never]}
    assert "never passed" in the("versions_beside")(serving, published)[0]
    assert "never passed" in the("versions_beside")(serving, published, {"skipped": True})[0]
    assert "and passed" in the("versions_beside")(serving, published, {"versions": [entry(1), entry(2)]})[0]


def test_first_stable():
    published = {"version": 2, "versions": [1, 2]}
    assert the("first_stable")(published) == 2
    assert the("first_stable")(published, {"available": [1]}) == 2
    assert the("first_stable")(published, {"available": [1]}, lost=True) == 1
    assert the("first_stable")(published, None, lost=True) == 2
    assert the("first_stable")(published, {"failed": True}, True) == 2


def test_pruning_due():
    assert the("pruning_due")({"versions": [1, 2], "aside": []}, [], 1) is True
    assert the("pruning_due")({"versions": [1, 2], "aside": []}, [], 2) is False


def test_versions_found():
    assert the("versions_found")({"versions": []}) == {"versions": [], "problem": ""}


def test_serving_status():
    status = {"policy": None, "pods": [], "warnings": []}
    assert the("serving_status")(status, {"skipped": True}, "mnist", "latest") == {
        **status, "model_name": "mnist", "stable": None, "canary": None, "in_use": [], "all_asked": True,
    }


def test_outcome():
    assert the("outcome")({"check_result": {"version": 3, "error_rate": 1.5}}) == {
        "changed": [], "version": 3, "error_rate": 1.5, "address": None}


def test_the_controllers():
    assert the("controller_plan")({"problems": {"a": "wrong."}}, {}) == {"problems": ["wrong."]}
    assert the("controller_removal")({})["kept"] == ""
