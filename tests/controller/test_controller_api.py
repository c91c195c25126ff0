"""The stand-in refuses what AWX would refuse, and what it would silently leave out."""
from __future__ import annotations

import pytest
from controller_api import TOKEN, ControllerApi


@pytest.fixture(scope="module")
def api():
    made = ControllerApi()
    for name in ("org", "other"):
        made.answer("POST", "/api/v2/organizations/", {"name": name}, "Bearer " + TOKEN)
    yield made
    made.close()


@pytest.fixture
def send(api):
    return lambda method, path, body=None: api.answer(method, "/api/v2/" + path, body or {}, "Bearer " + TOKEN)


@pytest.fixture(scope="module")
def ids(api):
    organization = api.named("organizations", "org")["id"]

    def make(kind, **fields):
        code, made = api.answer("POST", "/api/v2/%s/" % kind, fields, "Bearer " + TOKEN)
        assert code == 201, made
        return made["id"]

    ids = {"organization": organization, "kubernetes": api.named("credential_types", "OpenShift or Kubernetes API Bearer Token")["id"]}
    ids["project"] = make("projects", name="p", organization=organization)
    ids["inventory"] = make("inventories", name="i", organization=organization)
    ids["template"] = make("job_templates", name="t", project=ids["project"], playbook="playbooks/site.yml")
    return ids


@pytest.mark.parametrize(("path", "body", "words"), [
    ("organizations/", {"name": "org"}, "already exists"),
    ("organizations/", {}, "name: This field is required"),
    ("organizations/", {"name": "x", "descripton": ""}, "unknown field descripton"),
    ("organizations/", {"name": "x", "max_hosts": "3"}, "is no integer"),
    ("projects/", {"name": "x", "scm_clean": "yes"}, "is no boolean"),
    ("projects/", {"name": "x", "organization": 999}, "Invalid pk 999"),
    ("projects/", {"name": "x", "scm_type": "hg"}, "is not a valid choice"),
    ("inventories/", {"name": "x"}, "organization: This field is required"),
    ("job_templates/", {"name": "x", "playbook": "playbooks/site.yml"}, "must have a project"),
    ("job_templates/", {"name": "x", "project": "project", "playbook": "nowhere.yml"}, "Playbook not found"),
    ("job_templates/", {"name": "x", "project": "project", "playbook": "playbooks/site.yml", "extra_vars": {}}, "not a mapping in JSON"),
    ("inventory_sources/", {"name": "x", "inventory": "inventory", "source": "scm"}, "Project required"),
    ("inventory_sources/", {"name": "x", "inventory": "inventory", "source": "scm", "source_project": "project",
                            "source_path": "nowhere.yml"}, "not in the project"),
    ("credentials/", {"name": "x", "credential_type": "kubernetes", "inputs": {"host": "h"}}, "required for"),
    ("credentials/", {"name": "x", "credential_type": "kubernetes", "inputs": {"host": "h", "bearer_token": "t", "verify_ssl": "no"}},
     "takes no verify_ssl of type str"),
    ("notification_templates/", {"name": "x", "organization": "organization", "notification_type": "slack",
                                 "notification_configuration": {}}, "Missing required fields"),
    ("schedules/", {"name": "x", "unified_job_template": "template", "rrule": "FREQ=DAILY"}, "DTSTART in UTC"),
    ("schedules/", {"name": "x", "unified_job_template": "template", "rrule": "DTSTART:20260101T000000Z RRULE:FREQ=DAILY;INTERVAL=1",
                    "extra_data": {"model_keep": 1}}, "model_keep are not allowed on launch"),
])
def test_what_cannot_be_made(send, ids, path, body, words):
    code, answer = send("POST", path, {key: ids.get(value, value) if isinstance(value, str) else value for key, value in body.items()})
    assert code == 400 and words in answer["detail"]


QUESTION = {"question_name": "Q", "variable": "q", "type": "text", "required": False}


@pytest.mark.parametrize(("spec", "words"), [
    ({"name": "", "description": ""}, "Field 'spec' is missing"),
    ({"name": "", "description": "", "spec": []}, "doesn't contain any items"),
    ({"name": "", "description": "", "spec": [{"variable": "q"}]}, "missing ['question_name', 'required', 'type']"),
    ({"name": "", "description": "", "spec": [{**QUESTION, "type": "boolean"}]}, "type or variable"),
    ({"name": "", "description": "", "spec": [QUESTION, QUESTION]}, "type or variable"),
    ({"name": "", "description": "", "spec": [{**QUESTION, "type": "integer", "default": ""}]}, "Default value ''"),
    ({"name": "", "description": "", "spec": [{**QUESTION, "type": "multiplechoice"}]}, "must specify choices"),
    ({"name": "", "description": "", "spec": [{**QUESTION, "type": "multiplechoice", "choices": ["a"], "default": "b"}]}, "Default choice"),
])
def test_what_is_no_survey(send, ids, spec, words):
    code, answer = send("POST", "job_templates/%d/survey_spec/" % ids["template"], spec)
    assert code == 400 and words in answer["error"]


def test_what_is_not_there_and_who_is_not_known(send, api, ids):
    assert send("GET", "organizations/999/")[0] == 404
    assert send("GET", "job_templates/%d/success_nodes/" % ids["template"])[0] == 404
    assert send("GET", "organizations/?colour=red")[0] == 400
    assert api.answer("GET", "/api/v2/organizations/", {}, None)[0] == 401


def test_secrets_cannot_be_read_back(send, ids):
    code, made = send("POST", "credentials/", {
        "name": "c", "credential_type": ids["kubernetes"], "inputs": {"host": "h", "bearer_token": "t"}})
    assert code == 201 and made["inputs"] == {"host": "h", "bearer_token": "$encrypted$"}
    code, patched = send("PATCH", "credentials/%d/" % made["id"], {"description": "d", "inputs": made["inputs"]})
    assert code == 200 and patched == {**made, "description": "d"}


def test_a_list_has_pages(send):
    code, page = send("GET", "organizations/?page_size=1")
    assert code == 200 and page["count"] == 2 and len(page["results"]) == 1
    assert send("GET", page["next"].replace("/api/v2/", ""))[1]["next"] is None
