"""A controller from nothing, told in order: what is made, that a second run finds nothing to do, and what is taken away."""
from __future__ import annotations

import pytest

from conftest import cluster

JOBS = ["check", "plan", "promote", "publish", "rollback", "scale", "site", "status"]
KINDS = ("organizations", "execution_environments", "projects", "inventories", "inventory_sources", "credentials", "teams",
         "notification_templates", "job_templates", "workflow_job_templates", "workflow_job_template_nodes", "schedules")


@pytest.fixture
def unwritten(controller):
    """Nothing is written on the controller."""
    before = len(controller.api.writes)
    yield
    assert controller.api.writes[before:] == []


@pytest.fixture(autouse=True)
def nothing_refused(controller):
    """AWX would have taken every request."""
    yield
    assert controller.api.refused == []


def test_what_is_missing_is_said_before_anything_is_made(controller, unwritten):
    code, _changes, output = controller.run(controller_project_url="", controller_clusters=[{"name": "east", "inventory": "x"}])
    assert code == 2 and "controller_project_url is not set" in output
    assert "controller_clusters, entry east: give either kubernetes" in output


def test_check_mode_says_what_would_be_made(controller, unwritten):
    code, changes, output = controller.run("--check")
    assert code == 0 and "job template TF Serving east site" in output and "organization TF Serving" in output
    assert changes == ["Say what would be made"]


def test_everything_is_made(controller):
    code, _changes, output = controller.run()
    api = controller.api
    assert code == 0, output
    assert api.names("job_templates") == sorted("TF Serving east " + job for job in JOBS)
    assert api.names("workflow_job_templates") == ["TF Serving east reviewed site"]
    assert api.names("schedules") == ["TF Serving east drift repair", "TF Serving east nightly check"]
    assert api.names("credentials") == ["TF Serving east kubernetes", "TF Serving east machine"]
    assert api.of("organizations", api.named("organizations", "TF Serving"), "galaxy_credentials") == []
    assert "a-secret" not in output


def test_a_template_has_all_that_a_job_needs(controller):
    api = controller.api
    publish = api.named("job_templates", "TF Serving east publish")
    assert api.of("job_templates", publish, "credentials") == ["TF Serving east kubernetes", "TF Serving east machine"]
    assert publish["playbook"] == "playbooks/publish.yml" and publish["ask_limit_on_launch"] and publish["survey_enabled"]
    assert api.objects["inventories"][publish["inventory"]]["name"] == "TF Serving east"
    assert api.objects["execution_environments"][publish["execution_environment"]]["image"] == "registry.example.com/tf-serving-ee:1"


def test_no_question_hides_what_the_inventory_has(controller):
    """An answer that may be left out has no default, and a boolean is a choice."""
    questions = [question for template in controller.api.objects["job_templates"].values()
                 for question in template.get("survey", {}).get("spec", [])]
    assert len(questions) >= 8
    for question in questions:
        assert question.get("default") != "" and (question["required"] or "default" not in question), question
        assert question["required"] or question["type"] == "text", question


def test_the_workflow_waits_for_a_person(controller):
    api = controller.api
    nodes = {node["identifier"]: node for node in api.objects["workflow_job_template_nodes"].values()}
    follows = {name: api.of("workflow_job_template_nodes", node, "success_nodes") for name, node in nodes.items()}
    assert follows == {"plan": ["approval"], "approval": ["site"], "site": ["check"], "check": []}
    assert nodes["approval"]["unified_job_template"] in api.objects["workflow_approval_templates"]
    site = api.named("job_templates", "TF Serving east site")
    assert nodes["site"]["unified_job_template"] == site["id"]


def test_a_second_run_would_change_nothing(controller, unwritten):
    """In check mode a module says changed for whatever it would send."""
    code, changes, output = controller.run("--check")
    assert code == 0 and changes == [], output


def test_what_was_changed_by_hand_is_put_right(controller):
    """And nothing else is changed."""
    controller.api.named("job_templates", "TF Serving east site")["limit"] = "somebody"
    code, changes, output = controller.run()
    assert code == 0 and changes == ["The job templates"], output
    assert controller.api.named("job_templates", "TF Serving east site")["limit"] == ""


def test_what_somebody_else_has_made_stays(controller):
    """And with it the organization that has it."""
    organization = controller.api.named("organizations", "TF Serving")
    controller.api.add("inventories", name="theirs", organization=organization["id"])
    code, _changes, output = controller.run(controller_state="absent")
    assert code == 0 and "The organization TF Serving stays" in output and "inventory theirs" in output
    assert {kind: controller.api.names(kind) for kind in KINDS if controller.api.objects[kind]} == {
        "organizations": ["TF Serving"], "inventories": ["theirs"]}


def test_the_organization_goes_last(controller):
    controller.api.objects["inventories"].clear()
    code, changes, output = controller.run(controller_state="absent")
    assert code == 0 and changes == ["The organization"], output
    assert not any(controller.api.objects[kind] for kind in KINDS)


def test_there_is_nothing_left_to_take_away(controller, unwritten):
    code, changes, output = controller.run(controller_state="absent")
    assert code == 0 and changes == [], output


def test_an_organization_that_was_there_is_used_as_it_is(controller):
    api = controller.api
    theirs = api.add("organizations", name="Theirs", description="ours since 2019")
    template = api.add("job_templates", name="TF Serving east site", organization=theirs["id"])
    code, _changes, output = controller.run(controller_organization="Theirs")
    assert code == 2 and "The job template TF Serving east site is there already" in output
    del api.objects["job_templates"][template["id"]]
    code, _changes, output = controller.run(controller_organization="Theirs", controller_jobs=FEW, controller_schedules=[])
    assert code == 0 and theirs["description"] == "ours since 2019", output
    code, _changes, output = controller.run(controller_organization="Theirs", controller_state="absent")
    assert code == 0 and api.names("organizations") == ["Theirs"], output


AGE = {"question_name": "Oldest check", "variable": "check_max_age", "type": "text", "required": False}  # which a schedule answers
FEW = [{"name": name, "playbook": "playbooks/%s.yml" % name, "asks": ["limit"], "sliced": True, "survey": [AGE]}
       for name in ("plan", "site", "check")]


@pytest.fixture(scope="module")
def fleet():
    return {
        "controller_clusters": [cluster("east"), cluster("west", inventory="inventories/acs/hosts.yml", slices=3)],
        "controller_model_teams": [{"name": "fraud", "limit": "fraud"}, {"name": "search", "limit": "search", "clusters": ["west"]}],
        "controller_notification": {"type": "slack", "configuration": {"token": "another-secret", "channels": ["#models"]}},
        "controller_jobs": FEW, "controller_galaxy_credentials": ["Ansible Galaxy"],
    }


def test_two_clusters_and_two_teams(controller, fleet):
    controller.api.add("credentials", name="Ansible Galaxy", organization=None, credential_type=1, inputs={})
    code, _changes, output = controller.run(**fleet)
    api = controller.api
    assert code == 0 and "another-secret" not in output, output
    places = ["east fraud", "west fraud", "west search"]
    assert api.names("job_templates") == sorted("TF Serving %s %s" % (place, job["name"]) for place in places for job in FEW)
    assert api.names("schedules") == sorted("TF Serving %s %s" % (place, name) for place in places for name in (
        "drift repair", "nightly check"))
    assert api.named("job_templates", "TF Serving west search site")["limit"] == "search"
    assert api.named("job_templates", "TF Serving west search site")["job_slice_count"] == 3
    assert api.named("job_templates", "TF Serving east fraud site")["job_slice_count"] == 1
    assert api.of("organizations", api.named("organizations", "TF Serving"), "galaxy_credentials") == ["Ansible Galaxy"]
    site = api.named("job_templates", "TF Serving west fraud site")
    assert api.of("job_templates", site, "credentials") == ["TF Serving west kubernetes", "TF Serving west machine"]
    assert api.of("job_templates", site, "notification_templates_error") == ["TF Serving"]
    workflow = api.named("workflow_job_templates", "TF Serving west fraud reviewed site")
    assert api.of("workflow_job_templates", workflow, "notification_templates_approvals") == ["TF Serving"]


def test_a_team_may_run_what_is_its_own(controller):
    api = controller.api
    may = {}
    for number, teams in api.role_teams.items():
        kind, thing, role = api.roles[number]
        for team in teams:
            may.setdefault(api.objects["teams"][team]["name"], set()).add((api.objects[kind][thing]["name"], role))
    assert may["search"] == {
        *(("TF Serving west search %s" % job["name"], "execute") for job in FEW), ("TF Serving west search reviewed site", "execute"),
        ("TF Serving west search reviewed site", "approval")}
    assert {name.split()[3] for name, _role in may["fraud"]} == {"fraud"}


def test_for_them_a_second_run_changes_nothing_as_well(controller, fleet, unwritten):
    code, changes, output = controller.run(**fleet)
    assert code == 0 and changes == [], output


def test_all_of_it_goes(controller, fleet):
    code, _changes, output = controller.run(**fleet, controller_state="absent")
    assert code == 0, output
    assert {kind: controller.api.names(kind) for kind in KINDS if controller.api.objects[kind]} == {
        "organizations": ["Theirs"], "credentials": ["Ansible Galaxy"]}
