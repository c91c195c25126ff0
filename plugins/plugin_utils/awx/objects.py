# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What playbooks/awx.yml makes on a controller: the objects by kind, each with what the module of its kind takes. Pure.

Whatever is made says so in its description, and only that is ever changed or removed.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Given = Mapping[str, Any]
Object = dict[str, Any]

MARK = "Made by playbooks/awx.yml of mlops.tf_serving."
STATES = ("present", "absent")
DEFAULTS: dict[str, Any] = {
    "controller_state": "present",
    "controller_organization": "TF Serving",
    "controller_galaxy_credentials": [],
    "controller_project_branch": "",
    "controller_project_credential": "",
    "controller_execution_environment": "TF Serving",
    "controller_execution_environment_image": "",
    "controller_execution_environment_credential": "",
    "controller_notification": {},
    "controller_model_teams": [],
    "controller_jobs": [],
    "controller_workflow": {},
    "controller_schedules": [],
}
REQUIRED = {
    "controller_project_url": "Set it to the git URL of the project that has the inventory and this collection's playbooks.",
    "controller_clusters": "Give a list with one entry a cluster, each with name, inventory, and credentials: docs/awx.md shows one.",
}
KUBERNETES, MACHINE = "OpenShift or Kubernetes API Bearer Token", "Machine"
# How people write an entry's credential, by the input of the controller's credential type.
KUBERNETES_INPUTS = {"host", "bearer_token", "verify_ssl", "ssl_ca_cert"}
MACHINE_INPUTS = {"username", "password", "ssh_key_data", "ssh_key_unlock", "become_method", "become_username", "become_password"}
CREDENTIALS = {"kubernetes": (KUBERNETES, KUBERNETES_INPUTS, {"host", "bearer_token"}), "machine": (MACHINE, MACHINE_INPUTS, set())}
CLUSTER = {"name", "inventory", "slices", "kubernetes", "kubernetes_credential", "machine", "machine_credential"}
TEAM = {"name", "limit", "clusters"}
JOB = {"name", "playbook", "description", "asks", "survey", "sliced", "simultaneous"}
WORKFLOW = {"name", "description", "steps", "approval_description", "approval_timeout"}
SCHEDULE = {"name", "job", "rrule", "description", "enabled", "variables"}
APPROVAL = "approval"  # a step of a workflow
# What the modules call the questions of a template.
ASKS = {
    "limit": "ask_limit_on_launch", "job_type": "ask_job_type_on_launch", "tags": "ask_tags_on_launch",
    "skip_tags": "ask_skip_tags_on_launch", "verbosity": "ask_verbosity_on_launch",
}
PROJECT = "TF Serving"
NOTIFICATION = "TF Serving"


class Objects:
    """problems: what is wrong in the variables, by name. Everything else is what is to be made, in the order in which it can be."""

    def __init__(self, given: Given):
        self.given: dict[str, Any] = {**DEFAULTS, **{name: value for name, value in given.items() if value not in (None, "")}}
        self.problems: dict[str, str] = {}
        self.organization: str = self.given["controller_organization"]
        self.state: str = self.given["controller_state"]
        if self.state not in STATES:
            self.problems["controller_state"] = "controller_state is %r: use %s." % (self.state, " or ".join(STATES))
        elif self.state == "present":
            self._look()

    def _look(self) -> None:
        """At all that is needed to make something. To remove it the organization's name will do."""
        for name, way_out in REQUIRED.items():
            if not self.given.get(name):
                self.problems[name] = "%s is not set. %s" % (name, way_out)
        self.clusters = self._entries("controller_clusters", CLUSTER, {"name", "inventory"})
        self.teams = self._entries("controller_model_teams", TEAM, {"name", "limit"})
        self._entries("controller_jobs", JOB, {"name", "playbook"})
        self._entries("controller_schedules", SCHEDULE, {"name", "job", "rrule"})
        self._look_at_clusters()
        self._look_at_jobs()
        self._look_at_teams()
        self._look_at_notification()
        if not self.given["controller_execution_environment_image"] and self.environment == DEFAULTS["controller_execution_environment"]:
            self.problems["controller_execution_environment_image"] = (
                "controller_execution_environment_image is not set. Set it to the image that execution-environment.yml builds, or"
                " controller_execution_environment to the name of an execution environment that is there.")

    def as_dict(self) -> dict[str, Any]:
        """By kind, as the filter hands it to the playbook."""
        known = {"problems": self.problems, "organization": self.organization, "environment": self.environment, "state": self.state}
        if self.problems or self.state == "absent":
            return known
        kinds = ("organizations", "execution_environments", "notification_templates", "credentials", "projects", "inventories",
                 "inventory_sources", "teams", "job_templates", "workflow_job_templates", "nodes", "links", "schedules", "grants")
        return {**known, **{kind: getattr(self, "_" + kind)() for kind in kinds}}

    # --- what is wrong ---

    def _entries(self, variable: str, known: set[str], needed: set[str]) -> list[Object]:
        entries = self.given.get(variable) or []
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            self.problems[variable] = "%s is %s: give a list of mappings, as docs/awx.md shows." % (variable, type(entries).__name__)
            return []
        for number, entry in enumerate(entries, 1):
            where = "%s, entry %d (%s)" % (variable, number, entry.get("name", "without a name"))
            unknown, missing = sorted(set(entry) - known), sorted(name for name in needed if not entry.get(name))
            if unknown:
                self.problems.setdefault(variable, "%s has %s: it takes %s." % (where, ", ".join(unknown), ", ".join(sorted(known))))
            if missing:
                self.problems.setdefault(variable, "%s lacks %s." % (where, " and ".join(missing)))
            if str(entry.get("name", "")).isdigit() or "++" in str(entry.get("name", "")):
                self.problems.setdefault(
                    variable, "%s: a controller takes a name of digits for an id, and one with ++ for a URL: use another." % where)
        names = [entry.get("name") for entry in entries]
        twice = sorted({str(name) for name in names if names.count(name) > 1})
        if twice:
            self.problems.setdefault(variable, "%s has %s twice: give each entry a name of its own." % (variable, ", ".join(twice)))
        return [{**entry, "name": str(entry.get("name"))} for entry in entries]

    def _look_at_clusters(self) -> None:
        for cluster in self.clusters:
            where = "controller_clusters, entry %s: " % cluster.get("name")
            for kind, (_type, inputs, needed) in CREDENTIALS.items():
                own, named = cluster.get(kind), cluster.get(kind + "_credential")
                if bool(own) == bool(named):
                    problem = "give either %s, the inputs of a credential that is made, or %s_credential, the name of one that is there" % (
                        kind, kind)
                elif named:
                    continue
                elif not isinstance(own, Mapping):
                    problem = "%s is %s: give a mapping of %s" % (kind, type(own).__name__, ", ".join(sorted(inputs)))
                elif set(own) - inputs:
                    problem = "%s has %s: it takes %s" % (kind, ", ".join(sorted(set(own) - inputs)), ", ".join(sorted(inputs)))
                elif needed - set(own):
                    problem = "%s lacks %s" % (kind, " and ".join(sorted(needed - set(own))))
                else:
                    continue
                self.problems.setdefault("controller_clusters", "%s%s." % (where, problem))
            if not str(cluster.get("slices", 1)).isdigit() or int(cluster.get("slices", 1)) < 1:
                self.problems.setdefault("controller_clusters", "%sslices is %r: give a number from 1 on." % (where, cluster["slices"]))

    def _look_at_teams(self) -> None:
        names = [cluster.get("name") for cluster in self.clusters]
        for team in self.teams:
            strange = [name for name in team.get("clusters", []) if name not in names]
            if strange:
                self.problems.setdefault(
                    "controller_model_teams", "controller_model_teams, entry %s: there is no cluster %s in controller_clusters, which has"
                    " %s." % (team.get("name"), ", ".join(strange), ", ".join(map(str, names))))

    def _look_at_jobs(self) -> None:
        """Whether the workflow and the schedules run what there is."""
        if {"controller_jobs", "controller_schedules"} & set(self.problems):
            return
        names, workflow = list(self._jobs()), self.given["controller_workflow"]
        known = "controller_jobs has %s" % ", ".join(names)
        for job in self._jobs().values():
            strange = sorted(set(job.get("asks", [])) - set(ASKS))
            if strange:
                self.problems["controller_jobs"] = "controller_jobs, entry %s: asks has %s: it takes %s." % (
                    job["name"], ", ".join(strange), ", ".join(ASKS))
        if not isinstance(workflow, Mapping) or set(workflow) - WORKFLOW or (workflow and not {"name", "steps"} <= set(workflow)):
            self.problems["controller_workflow"] = "controller_workflow takes name, steps, and %s; {} makes none." % ", ".join(
                sorted(WORKFLOW - {"name", "steps"}))
        elif set(workflow.get("steps", [])) - {APPROVAL, *names}:
            self.problems["controller_workflow"] = "controller_workflow: there is no step %s: %s, and %s is a person's yes." % (
                ", ".join(sorted(set(workflow["steps"]) - {APPROVAL, *names})), known, APPROVAL)
        for schedule in self.given["controller_schedules"]:
            if schedule["job"] not in names:
                self.problems["controller_schedules"] = "controller_schedules, entry %s: there is no job %s: %s." % (
                    schedule["name"], schedule["job"], known)
                continue
            asked = {question["variable"] for question in self._jobs()[schedule["job"]].get("survey", [])}
            unasked = sorted(set(schedule.get("variables", {})) - asked)
            if unasked:  # the controller would refuse the schedule
                self.problems["controller_schedules"] = (
                    "controller_schedules, entry %s: its variables give %s, for which the survey of job %s in controller_jobs has no"
                    " question. Add the question, or take the variable out." % (
                        schedule["name"], ", ".join(unasked), schedule["job"]))

    def _look_at_notification(self) -> None:
        notification = self.given["controller_notification"]
        if notification and not (isinstance(notification, Mapping) and {"type", "configuration"} <= set(notification)):
            self.problems["controller_notification"] = \
                "controller_notification takes type, such as slack, and configuration, the fields of that type."

    # --- what is to be made ---

    def _organizations(self) -> list[Object]:
        return [{"name": self.organization, "galaxy_credentials": self.given["controller_galaxy_credentials"], **said("")}]

    def _execution_environments(self) -> list[Object]:
        """None where its name is that of one that is there already, which needs no image."""
        image = self.given["controller_execution_environment_image"]
        if not image:
            return []
        return [{
            "name": self.environment, "image": image, "organization": self.organization, **said(""),
            "credential": self.given["controller_execution_environment_credential"],
        }]

    @property
    def environment(self) -> str:
        name: str = self.given["controller_execution_environment"]
        return name

    def _notification_templates(self) -> list[Object]:
        notification = self.given["controller_notification"]
        if not notification:
            return []
        return [{
            "name": NOTIFICATION, "organization": self.organization, "notification_type": notification["type"],
            "notification_configuration": notification["configuration"], **said(""),
        }]

    def _alarms(self) -> list[str]:
        return [template["name"] for template in self._notification_templates()]

    def _credentials(self) -> list[Object]:
        return [
            {"name": credential_name(cluster, kind), "credential_type": CREDENTIALS[kind][0], "inputs": cluster[kind],
             "organization": self.organization, **said("")}
            for cluster in self.clusters for kind in CREDENTIALS if cluster.get(kind)]

    def _projects(self) -> list[Object]:
        return [{
            "name": PROJECT, "organization": self.organization, "scm_type": "git", "scm_url": self.given["controller_project_url"],
            "scm_branch": self.given["controller_project_branch"], "default_environment": self.environment, **said(""),
            "credential": self.given["controller_project_credential"],
        }]

    def _inventories(self) -> list[Object]:
        return [{"name": inventory_name(cluster), "organization": self.organization, **said("")} for cluster in self.clusters]

    def _inventory_sources(self) -> list[Object]:
        return [
            {"name": inventory_name(cluster), "inventory": inventory_name(cluster), "source_project": PROJECT,
             "source_path": cluster["inventory"], "organization": self.organization, "execution_environment": self.environment, **said("")}
            for cluster in self.clusters]

    def _teams(self) -> list[Object]:
        return [{"name": team["name"], "organization": self.organization, **said("")} for team in self.teams]

    def _places(self) -> list[tuple[Object, Object | None]]:
        """(cluster, team), of which each gets templates of its own. Without teams one set a cluster."""
        if not self.teams:
            return [(cluster, None) for cluster in self.clusters]
        return [
            (cluster, team) for cluster in self.clusters for team in self.teams
            if cluster["name"] in (team.get("clusters") or [cluster["name"]])]

    def _jobs(self) -> dict[str, Object]:
        return {job["name"]: job for job in self.given["controller_jobs"]}

    def _job_templates(self) -> list[Object]:
        return [self._job_template(job, cluster, team) for cluster, team in self._places() for job in self._jobs().values()]

    def _job_template(self, job: Object, cluster: Object, team: Object | None) -> Object:
        questions = job.get("survey", [])
        return {
            "name": template_name(job["name"], cluster, team), "organization": self.organization, "project": PROJECT,
            "playbook": job["playbook"], "inventory": inventory_name(cluster), "limit": team["limit"] if team else "",
            "credentials": [
                cluster.get(kind + "_credential") or credential_name(cluster, kind) for kind in CREDENTIALS],
            "execution_environment": self.environment, "job_slice_count": int(cluster.get("slices", 1)) if job.get("sliced") else 1,
            "allow_simultaneous": bool(job.get("simultaneous")), "survey_enabled": bool(questions),
            "survey_spec": {"name": "", "description": "", "spec": [_question(question) for question in questions]} if questions else {},
            "asks": {option: word in job.get("asks", []) for word, option in ASKS.items()},
            "alarms": self._alarms(), **said(job.get("description", "")),
        }

    def _workflow(self, cluster: Object, team: Object | None) -> str:
        return template_name(self.given["controller_workflow"]["name"], cluster, team)

    def _workflow_job_templates(self) -> list[Object]:
        return [
            {"name": self._workflow(cluster, team), "organization": self.organization, "alarms": self._alarms(),
             **said(self.given["controller_workflow"].get("description", ""))}
            for cluster, team in self._places() if self.given["controller_workflow"]]

    def _steps(self) -> list[str]:
        return list(self.given["controller_workflow"].get("steps", []))

    def _nodes(self) -> list[Object]:
        """Of the workflows, without their links: a link wants both ends to be there."""
        workflow = self.given["controller_workflow"]
        return [
            {"identifier": step, "workflow": self._workflow(cluster, team), "organization": self.organization,
             "template": None if step == APPROVAL else template_name(step, cluster, team),
             "approval": None if step != APPROVAL else {
                 "name": template_name(step, cluster, team), "description": workflow.get("approval_description", ""),
                 "timeout": workflow.get("approval_timeout", 0)}}
            for cluster, team in self._places() for step in self._steps()]

    def _links(self) -> list[Object]:
        steps = self._steps()
        return [
            {"identifier": step, "workflow": self._workflow(cluster, team), "organization": self.organization, "next": after}
            for cluster, team in self._places() for step, after in zip(steps, steps[1:])]

    def _schedules(self) -> list[Object]:
        return [
            {"name": template_name(schedule["name"], cluster, team), "template": template_name(schedule["job"], cluster, team),
             "rrule": schedule["rrule"], "enabled": schedule.get("enabled", True), "organization": self.organization,
             "extra_data": schedule.get("variables", {}), **said(schedule.get("description", ""))}
            for cluster, team in self._places() for schedule in self.given["controller_schedules"]]

    def _grants(self) -> list[Object]:
        """What each team may do: run its templates and its workflows, and say yes in them."""
        grants = []
        for team in self.teams:
            places = [(cluster, owner) for cluster, owner in self._places() if owner == team]
            templates = [template_name(name, cluster, team) for cluster, _owner in places for name in self._jobs()]
            workflows = [self._workflow(cluster, team) for cluster, _owner in places if self._steps()]
            grants += [
                {"team": team["name"], "role": "execute", "job_templates": templates, "workflows": workflows},
                {"team": team["name"], "role": "approval", "job_templates": [], "workflows": workflows},
            ]
        return [{**grant, "organization": self.organization} for grant in grants]


def said(description: str) -> dict[str, str]:
    return {"description": ("%s %s" % (description, MARK)).strip()}


def _question(question: Object) -> Object:
    """As the controller keeps it, so that a second run finds the same."""
    return {"question_description": "", **question}


def inventory_name(cluster: Object) -> str:
    return "TF Serving %s" % cluster["name"]


def credential_name(cluster: Object, kind: str) -> str:
    return "TF Serving %s %s" % (cluster["name"], kind)


def template_name(word: str, cluster: Object, team: Object | None) -> str:
    return " ".join(["TF Serving", cluster["name"], *([team["name"]] if team else []), word])
