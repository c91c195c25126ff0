"""What is to be made and removed, by what a controller has."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.awx.objects import MARK
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.awx.plan import KINDS, SHARED, to_make, to_remove

SLACK = {"name": "alarm", "description": MARK, "notification_type": "slack",
         "notification_configuration": {"token": "secret", "channels": ["#a"]}}


def wanted(**kinds):
    return {"problems": {}, **{kind: [] for kind in (*KINDS, *SHARED)}, **kinds}


def entry(name, description=MARK, **more):
    return {"name": name, "description": description, **more}


def test_what_is_wrong_is_handed_on():
    assert to_make({"problems": {"a": "one.", "b": "two."}}, {}) == {"problems": ["one.", "two."]}


def test_what_is_missing():
    plan = to_make(wanted(organizations=[entry("o")], inventories=[entry("i")]), {"organizations": [entry("o")]})
    assert plan["missing"] == ["inventory i"] and plan["problems"] == []


def test_what_somebody_else_has_made_is_no_name_for_ours():
    plan = to_make(wanted(job_templates=[entry("t")]), {"job_templates": [entry("t", "mine")]})
    assert plan["problems"] == [
        "The job template t is there already, and playbooks/awx.yml did not make it: rename it, or take another"
        " controller_organization."]


@pytest.mark.parametrize("kind", SHARED)
def test_what_is_shared_is_used_as_it_is(kind):
    plan = to_make(wanted(**{kind: [entry("x")]}), {kind: [entry("x", None)]})
    assert plan[kind] == [] and plan["problems"] == [] and plan["missing"] == []
    assert to_make(wanted(**{kind: [entry("x")]}), {kind: [entry("x")]})[kind] == [entry("x")]


@pytest.mark.parametrize(("there", "left_out"), [
    (SLACK, True),
    ({**SLACK, "notification_configuration": {"token": "$encrypted$", "channels": ["#a"], "hex_color": ""}}, True),
    ({**SLACK, "notification_configuration": {"token": "$encrypted$", "channels": ["#b"]}}, False),
    ({**SLACK, "notification_type": "webhook"}, False),
    ({**SLACK, "description": "x " + MARK}, False),
])
def test_a_notification_is_sent_again_only_where_it_differs(there, left_out):
    plan = to_make(wanted(notification_templates=[SLACK]), {"notification_templates": [there]})
    assert (plan["notification_templates"] == []) is left_out


def test_only_ours_is_removed():
    plan = to_remove({
        "credentials": [entry("c", credential_type=1), entry("d", "theirs", credential_type=1)], "organizations": [entry("o")]})
    assert plan["credentials"] == [{"name": "c", "credential_type": 1}] and plan["organizations"] == []
    assert plan["kept"] == "The organization o stays, for it has what was not made here: credential d."


def test_the_organization_goes_with_the_last_thing_in_it():
    plan = to_remove({"teams": [entry("t")], "organizations": [entry("o")]})
    assert plan["organizations"] == [{"name": "o"}] and plan["kept"] == ""


def test_an_organization_of_others_is_not_said_to_stay():
    assert to_remove({"teams": [entry("t", "theirs")], "organizations": [entry("o", "theirs")]}) == {
        **{kind: [] for kind in (*KINDS, *SHARED)}, "kept": ""}
