from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.filter.model import FilterModule

VERSIONS = [{"version": 1, "state": "live"}, {"version": 2, "state": "live"}]


def test_the_way_back():
    plan = FilterModule().filters()["rollback_plan"]
    assert plan(VERSIONS, to="", stable=None) == {"withdraw": [2], "serves": 1, "message": "", "problem": ""}


def test_no_way_back_is_a_sentence():
    plan = FilterModule().filters()["rollback_plan"]
    assert "model_rollback_to is 7" in plan(VERSIONS, to=7)["problem"]
