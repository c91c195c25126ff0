"""A failed task prints its sentence and keeps the rest."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.failures import brief, more, whole

FAILURE = {"message": "No.", "code": "no", "details": {"pods": ["a", "b"]}}


def test_the_rest_is_kept_where_nothing_prints_it():
    answer = {
        "failed": True, "changed": False, "msg": "No.", "failure": FAILURE, "replicas": [1, 2], "report": None, "_ansible_x": 1}
    assert brief(answer) == {
        "failed": True, "changed": False, "msg": "No.", "failure": {"code": "no"}, "_ansible_x": 1,
        "invocation": {"measured": {"failure": FAILURE, "replicas": [1, 2], "report": None}}}
    seen = whole(brief(answer))
    assert {key: seen[key] for key in answer} == answer and more(brief(answer)).keys() == {"failure", "replicas", "report"}


def test_how_a_module_was_called_is_kept_as_well():
    answer = brief({"failed": True, "msg": "No.", "failure": FAILURE, "invocation": {"module_args": {"a": 1}}})
    assert answer["invocation"] == {"module_args": {"a": 1}, "measured": {"failure": FAILURE}}


@pytest.mark.parametrize("answer", [
    {"changed": True, "rate": 5}, {"failed": True, "msg": "MODULE FAILURE", "rc": 1, "invocation": None}])
def test_what_is_no_failure_of_ours_is_left_as_it_is(answer):
    assert brief(answer) == answer == whole(answer) and more(answer) == {}
