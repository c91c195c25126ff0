"""What a controller is to have, and what is wrong in the variables. That AWX takes it: tests/controller."""
from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.awx.objects import MARK, Objects

ROOT = Path(__file__).resolve().parents[5]
DATA = yaml.safe_load((ROOT / "playbooks" / "vars" / "controller.yml").read_text())
EAST = {"name": "east", "inventory": "hosts.yml", "kubernetes_credential": "theirs", "machine_credential": "key"}
GIVEN = {
    **DATA, "controller_project_url": "https://x/y.git", "controller_execution_environment_image": "ee:1", "controller_clusters": [EAST]}


def objects(**given):
    return Objects({**GIVEN, **given}).as_dict()


def problem(**given):
    (problem,) = objects(**given)["problems"].values()
    return problem


@pytest.mark.parametrize(("given", "words"), [
    ({"controller_project_url": ""}, "controller_project_url is not set. Set it to the git URL"),
    ({"controller_clusters": None}, "controller_clusters is not set. Give a list"),
    ({"controller_clusters": {"name": "east"}}, "controller_clusters is dict: give a list of mappings"),
    ({"controller_clusters": ["east"]}, "controller_clusters is list: give a list of mappings"),
    ({"controller_clusters": [{**EAST, "invetory": "x"}]}, "controller_clusters, entry 1 (east) has invetory: it takes inventory, "),
    ({"controller_clusters": [{**EAST, "inventory": ""}]}, "controller_clusters, entry 1 (east) lacks inventory."),
    ({"controller_clusters": [EAST, EAST]}, "controller_clusters has east twice"),
    ({"controller_clusters": [{**EAST, "slices": 0}]}, "entry east: slices is 0: give a number from 1 on."),
    ({"controller_clusters": [{**EAST, "kubernetes": {"host": "x"}}]}, "entry east: give either kubernetes, the inputs"),
    ({"controller_clusters": [{**EAST, "machine_credential": ""}]}, "entry east: give either machine, the inputs"),
    ({"controller_clusters": [{**EAST, "machine_credential": "", "machine": "root"}]}, "entry east: machine is str: give a mapping"),
    ({"controller_clusters": [{**EAST, "machine_credential": "", "machine": {"user": "root"}}]}, "machine has user: it takes become"),
    ({"controller_clusters": [{**EAST, "kubernetes_credential": "", "kubernetes": {"host": "x"}}]}, "kubernetes lacks bearer_token."),
    ({"controller_model_teams": [{"name": "fraud"}]}, "controller_model_teams, entry 1 (fraud) lacks limit."),
    ({"controller_model_teams": [{"name": 12, "limit": "x"}]}, "takes a name of digits for an id"),
    ({"controller_model_teams": [{"name": "a++b", "limit": "x"}]}, "and one with ++ for a URL"),
    ({"controller_model_teams": [{"name": "a", "limit": "x", "clusters": ["west"]}]}, "there is no cluster west in controller_clusters"),
    ({"controller_notification": {"type": "slack"}}, "controller_notification takes type, such as slack, and configuration"),
    ({"controller_execution_environment_image": ""}, "controller_execution_environment_image is not set. Set it to the image"),
    ({"controller_jobs": [{"name": "site"}]}, "controller_jobs, entry 1 (site) lacks playbook."),
    ({"controller_jobs": [{**job, "asks": ["limits"]} for job in DATA["controller_jobs"]]}, "asks has limits: it takes limit, job_type"),
    ({"controller_workflow": {"name": "flow", "steps": ["plan", "aproval"]}}, "there is no step aproval: controller_jobs has plan, site"),
    ({"controller_workflow": {"steps": ["plan"]}}, "controller_workflow takes name, steps, and approval_description"),
    ({"controller_workflow": ["plan"]}, "controller_workflow takes name, steps, and approval_description"),
    ({"controller_schedules": [{"name": "n", "job": "chek", "rrule": "x"}]}, "entry n: there is no job chek: controller_jobs has plan"),
    ({"controller_schedules": [{"name": "n", "job": "check", "rrule": "x", "variables": {"check_max_age": "1h", "a": 1}}]},
     "entry n: its variables give a, check_max_age, for which the survey of job check in controller_jobs has no question"),
    ({"controller_schedules": [{"name": "n", "job": "check"}]}, "controller_schedules, entry 1 (n) lacks rrule."),
    ({"controller_state": "gone"}, "controller_state is 'gone': use present or absent."),
])
def test_what_is_wrong_is_named(given, words):
    assert words in problem(**given)


def test_all_that_is_wrong_is_said_at_once():
    assert set(objects(controller_project_url="", controller_clusters=[])["problems"]) == {
        "controller_project_url", "controller_clusters"}


def test_to_take_away_only_the_organization_counts():
    assert Objects({"controller_state": "absent"}).as_dict() == {
        "problems": {}, "organization": "TF Serving", "environment": "TF Serving", "state": "absent"}


def test_credentials_that_are_there_are_used_and_not_made():
    found = objects()
    assert found["credentials"] == []
    assert found["job_templates"][0]["credentials"] == ["theirs", "key"]


def test_an_execution_environment_that_is_there_is_used_and_not_made():
    found = objects(controller_execution_environment="Ours", controller_execution_environment_image="")
    assert found["problems"] == {} and found["execution_environments"] == []
    assert {template["execution_environment"] for template in found["job_templates"]} == {"Ours"}


def test_everything_that_can_says_who_made_it():
    found = objects(controller_model_teams=[{"name": "fraud", "limit": "fraud"}], controller_notification={
        "type": "webhook", "configuration": {"url": "https://x"}})
    for kind in ("organizations", "execution_environments", "projects", "inventories", "inventory_sources", "teams", "job_templates",
                 "notification_templates", "workflow_job_templates", "schedules"):
        assert found[kind] and all(entry["description"].endswith(MARK) for entry in found[kind]), kind


def test_what_is_empty_is_not_given():
    assert objects(controller_organization="", controller_model_teams=None)["organization"] == "TF Serving"


def test_another_list_of_jobs():
    found = objects(controller_jobs=[{"name": "site", "playbook": "mine.yml"}], controller_schedules=[],
                    controller_workflow={"name": "flow", "steps": ["site", "approval"]})
    (template,) = found["job_templates"]
    assert template["playbook"] == "mine.yml" and template["survey_spec"] == {} and template["survey_enabled"] is False
    assert [node["template"] for node in found["nodes"]] == ["TF Serving east site", None]
    assert [link["next"] for link in found["links"]] == ["approval"] and found["schedules"] == []


def test_no_workflow():
    found = objects(controller_workflow={}, controller_model_teams=[{"name": "fraud", "limit": "fraud"}])
    assert found["workflow_job_templates"] == found["nodes"] == found["links"] == []
    assert all(grant["workflows"] == [] for grant in found["grants"])


def test_every_playbook_of_the_list_is_there():
    for job in DATA["controller_jobs"]:
        assert (ROOT / job["playbook"]).is_file(), job
