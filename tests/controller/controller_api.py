"""A stand-in of AWX's REST API: it keeps objects, and refuses what AWX 24.6.1's published fields do not take.

AWX ignores a field that it does not know; this says 400 to it. It runs no job and syncs no project. awx_schema.yml has the fields;
what is checked beyond them stands in _RULES.
"""
from __future__ import annotations

import http.server
import itertools
import json
import re
import threading
import urllib.parse
from pathlib import Path

import offered
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = yaml.safe_load((Path(__file__).parent / "awx_schema.yml").read_text())
TOKEN = "a-token"
HIDDEN = "$encrypted$"
UNIFIED = ("job_templates", "workflow_job_templates", "projects", "inventory_sources", "workflow_approval_templates")
ROLES = {
    "job_templates": ("admin", "execute", "read"), "workflow_job_templates": ("admin", "execute", "read", "approval"),
    "teams": ("admin", "member", "read"), "organizations": ("admin", "member", "read", "execute"),
}
# Sub-lists that objects can be put into, by the kind of what they hold.
ASSOCIATIONS = {
    "organizations": {"galaxy_credentials": "credentials", "instance_groups": "instance_groups"},
    "job_templates": {"credentials": "credentials", "labels": "labels", "instance_groups": "instance_groups"},
    "workflow_job_template_nodes": {
        "success_nodes": "workflow_job_template_nodes", "failure_nodes": "workflow_job_template_nodes",
        "always_nodes": "workflow_job_template_nodes", "credentials": "credentials"},
}
NOTIFYING = ("organizations", "job_templates", "workflow_job_templates", "projects", "inventory_sources")
for _kind in NOTIFYING:
    ASSOCIATIONS.setdefault(_kind, {}).update(
        {"notification_templates_%s" % event: "notification_templates" for event in ("started", "success", "error")})
for _kind in ("organizations", "workflow_job_templates"):
    ASSOCIATIONS[_kind]["notification_templates_approvals"] = "notification_templates"
# What goes when another thing goes: (kind, field that names it).
CASCADES = {
    "job_templates": [("schedules", "unified_job_template")],
    "workflow_job_templates": [("schedules", "unified_job_template"), ("workflow_job_template_nodes", "workflow_job_template")],
    "inventories": [("inventory_sources", "inventory")],
}
UNIQUE = {
    "schedules": ("name", "unified_job_template"), "workflow_job_template_nodes": ("identifier", "workflow_job_template"),
    "organizations": ("name",), "execution_environments": ("name",), "credentials": ("name", "organization", "credential_type"),
    "inventory_sources": ("name", "inventory"),
}
INPUTS = {
    "OpenShift or Kubernetes API Bearer Token": {"host": str, "bearer_token": str, "verify_ssl": bool, "ssl_ca_cert": str},
    "Machine": dict.fromkeys(
        ("username", "password", "ssh_key_data", "ssh_key_unlock", "become_method", "become_username", "become_password"), str),
}
REQUIRED_INPUTS = {"OpenShift or Kubernetes API Bearer Token": {"host", "bearer_token"}, "Machine": set()}
SECRETS = {"bearer_token", "ssl_ca_cert", "password", "ssh_key_data", "ssh_key_unlock", "become_password", "token"}
# What AWX puts in beside what was given, and refuses to be without.
NOTIFICATIONS = {
    "slack": ({"hex_color": ""}, {"token", "channels"}),
    "webhook": ({"username": "", "password": "", "http_method": "POST", "disable_ssl_verification": False, "headers": {}}, {"url"}),
}
QUESTIONS = {
    "text": str, "textarea": str, "password": str, "multiplechoice": str, "multiselect": (str, list), "integer": int, "float": float,
}
# DTSTART in UTC, FREQ but not SECONDLY, and INTERVAL.
RRULE = re.compile(r"DTSTART:\d{8}T\d{6}Z RRULE:FREQ=(MINUTELY|HOURLY|DAILY|WEEKLY|MONTHLY|YEARLY);\S*INTERVAL=\d+\S*")


class Refused(Exception):
    """Answered with 400."""


class ControllerApi:
    def __init__(self):
        self.objects = {kind: {} for kind in (*SCHEMA, "credential_types", "labels", "instance_groups", "project_updates", "users")}
        self.members = {}  # (path of a sub-list) -> ids, in order
        self.role_teams = {}  # role id -> ids of teams
        self.roles = {}  # role id -> (kind, id, role)
        self.refused = []  # everything that AWX would not have taken
        self.writes = []  # (method, path)
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        for name in INPUTS:
            self._store("credential_types", {"name": name})
        self.offered = offered.playbooks(ROOT)
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_args):
                pass

            def _serve(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}") if length else {}
                with api._lock:
                    code, answer = api.answer(self.command, self.path, body, self.headers.get("Authorization"))
                data = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("X-API-Product-Name", "AWX")
                self.send_header("X-API-Product-Version", "24.6.1")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = _serve

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    # --- what tests look at ---

    def names(self, kind):
        return sorted(thing["name"] for thing in self.objects[kind].values())

    def named(self, kind, name):
        (thing,) = [thing for thing in self.objects[kind].values() if thing["name"] == name]
        return thing

    def of(self, kind, thing, sub):
        """The names, or identifiers, of what is in a sub-list."""
        target = ASSOCIATIONS[kind][sub]
        held = [self.objects[target][number] for number in self.members.get((kind, thing["id"], sub), [])]
        return [one.get("name") or one["identifier"] for one in held]

    def add(self, kind, **fields):
        """What somebody else has made."""
        return self._store(kind, {"description": "", **fields})

    # --- requests ---

    def answer(self, method, target, body, authorization):
        url = urllib.parse.urlsplit(target)
        if authorization != "Bearer " + TOKEN:
            return 401, {"detail": "Authentication credentials were not provided."}
        parts = [part for part in url.path.split("/") if part]
        if parts[:2] != ["api", "v2"] or not url.path.endswith("/"):
            return 404, {"detail": "Not found."}
        if method != "GET":
            self.writes.append((method, url.path))
        try:
            return self._dispatch(method, parts[2:], dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True)), body)
        except Refused as refused:
            self.refused.append("%s %s: %s" % (method, url.path, refused))
            return 400, {"detail": str(refused), "error": str(refused)}
        except KeyError as missing:
            self.refused.append("%s %s: nothing there (%s)" % (method, url.path, missing))
            return 404, {"detail": "Not found."}

    def _dispatch(self, method, parts, query, body):
        if parts[0] == "unified_job_templates" and len(parts) == 1:
            return self._list(parts[0], [thing for kind in UNIFIED for thing in self.objects[kind].values()], query)
        if parts[0] == "roles":
            return self._role(method, int(parts[1]), body)
        kind = parts[0]
        if len(parts) == 1:
            return self._list(kind, list(self.objects[kind].values()), query) if method == "GET" else (201, self._make(kind, body))
        thing = self.objects[kind][int(parts[1])]
        if len(parts) == 2:
            return self._one(method, kind, thing, body)
        return self._sub(method, kind, thing, parts[2], query, body)

    def _one(self, method, kind, thing, body):
        if method == "PATCH":
            self._check(kind, {**{key: thing[key] for key in SCHEMA[kind] if key in thing}, **self._unhidden(kind, thing, body)}, thing)
            thing.update(self._unhidden(kind, thing, body))
        if method == "DELETE":
            self._remove(kind, thing)
            return (202 if kind == "inventories" else 204), None
        return 200, self._shown(kind, thing)

    def _sub(self, method, kind, thing, sub, query, body):
        if sub == "survey_spec" and kind in ("job_templates", "workflow_job_templates"):
            if method == "POST":
                _look_at_survey(body)
                thing["survey"] = body
            elif method == "DELETE":
                thing["survey"] = {}
            return 200, thing.get("survey", {})
        if sub == "create_approval_template" and kind == "workflow_job_template_nodes" and method == "POST":
            made = self._make("workflow_approval_templates", body)
            thing["unified_job_template"] = made["id"]
            return 201, made
        target = ASSOCIATIONS.get(kind, {})[sub]
        held = self.members.setdefault((kind, thing["id"], sub), [])
        if method == "GET":
            return self._list(target, [self.objects[target][number] for number in held], query)
        if set(body) - {"id", "disassociate"} or not isinstance(body.get("id"), int):
            raise Refused("takes id and disassociate")
        if body["id"] not in self.objects[target]:
            raise Refused("%s %s does not exist" % (target, body["id"]))
        if body.get("disassociate"):
            held.remove(body["id"])
        elif sub == "credentials" and kind == "job_templates" and self._same_type(held, body["id"]):
            raise Refused("Cannot assign multiple %s credentials." % self._same_type(held, body["id"]))
        elif body["id"] not in held:
            held.append(body["id"])
        return 204, None

    def _same_type(self, held, number):
        """The type that a template would have two credentials of."""
        kinds = {self.objects["credentials"][one]["credential_type"] for one in held}
        mine = self.objects["credentials"][number]["credential_type"]
        return self.objects["credential_types"][mine]["name"] if mine in kinds else None

    def _role(self, method, number, body):
        teams = self.role_teams.setdefault(number, [])
        if method == "GET":
            return self._list("teams", [self.objects["teams"][team] for team in teams], {})
        if body["id"] not in self.objects["teams"] or number not in self.roles:
            raise Refused("no such team or role")
        teams.remove(body["id"]) if body.get("disassociate") else teams.append(body["id"])
        return 204, None

    # --- lists ---

    def _list(self, kind, things, query):
        query = dict(query)
        size, page = min(200, int(query.pop("page_size", 25))), int(query.pop("page", 1))
        either = {key[4:]: query.pop(key) for key in list(query) if key.startswith("or__")}
        found = [thing for thing in things if all(self._has(kind, thing, key, value) for key, value in query.items())
                 and (not either or any(self._has(kind, thing, key, value) for key, value in either.items()))]
        more = len(found) > page * size
        following = urllib.parse.urlencode({**query, "page": page + 1, "page_size": size})
        return 200, {
            "count": len(found), "previous": None, "next": "/api/v2/%s/?%s" % (kind, following) if more else None,
            "results": [self._shown(thing["kind"], thing) for thing in found[(page - 1) * size:page * size]],
        }

    def _has(self, kind, thing, key, value):
        if key == "organization__name":
            organization = self.objects["organizations"].get(thing.get("organization"))
            return organization is not None and organization["name"] == value
        if key == "type":
            return thing["kind"].rstrip("s") in value.split(",")
        if key not in ("id", "name") and key not in SCHEMA.get(kind, {}) and kind != "unified_job_templates":
            raise Refused("%s has no field named %s" % (kind, key))
        if value == "None":
            return True  # a search that the module makes for nothing in particular
        return str(thing.get(key)) == value

    # --- objects ---

    def _store(self, kind, fields):
        number = next(self._ids)
        thing = {"id": number, "kind": kind, **fields}
        self.objects[kind][number] = thing
        thing["roles"] = {}
        for role in ROLES.get(kind, ()):
            role_id = next(self._ids)
            self.roles[role_id] = (kind, number, role)
            thing["roles"][role + "_role"] = role_id
        return thing

    def _make(self, kind, body):
        if kind not in SCHEMA:
            raise Refused("nothing can be made there")
        self._check(kind, body)
        defaults = {"string": "", "boolean": False, "integer": 0, "object": {}, "json": ""}
        fields = {field: defaults.get(rule.split()[0].rstrip("!")) for field, rule in SCHEMA[kind].items()}
        thing = self._store(kind, _renamed({**fields, **body}))
        if kind == "projects":
            update = self._store("project_updates", {"name": thing["name"], "status": "successful", "failed": False, "finished": "now"})
            thing["update"], thing["scm_revision"] = update["id"], "0" * 40
        if kind == "notification_templates":
            defaults, _needed = NOTIFICATIONS[thing["notification_type"]]
            thing["notification_configuration"] = {**defaults, **thing["notification_configuration"]}
        return self._shown(kind, thing)

    def _unhidden(self, kind, thing, body):
        """A body in which what AWX hides stands as it is."""
        for field in ("inputs", "notification_configuration"):
            if field in body and isinstance(body[field], dict):
                defaults = NOTIFICATIONS[thing["notification_type"]][0] if field != "inputs" else {}
                body = {**body, field: {**defaults, **{
                    key: thing[field].get(key) if value == HIDDEN else value for key, value in body[field].items()}}}
        return _renamed(body)

    def _shown(self, kind, thing):
        url = "/api/v2/%s/%d/" % (kind, thing["id"])
        shown = {key.rstrip("_"): value for key, value in thing.items() if key not in ("kind", "roles", "survey", "update", "type")}
        for field in ("inputs", "notification_configuration"):
            if field in shown:
                shown[field] = {key: HIDDEN if key in SECRETS and value else value for key, value in shown[field].items()}
        related = {"survey_spec": url + "survey_spec/", "update": url + "update/"}
        if kind == "workflow_job_template_nodes" and thing["unified_job_template"]:
            target = next(kind for kind in UNIFIED if thing["unified_job_template"] in self.objects[kind])
            related["unified_job_template"] = "/api/v2/%s/%d/" % (target, thing["unified_job_template"])
        summary = {"object_roles": {role: {"id": number} for role, number in thing["roles"].items()}}
        if "update" in thing:
            summary["current_update"] = {"id": thing["update"]}
        return {**shown, "type": kind.rstrip("s"), "url": url, "related": related, "summary_fields": summary}

    def _remove(self, kind, thing):
        for other, field in CASCADES.get(kind, []):
            for one in [one for one in self.objects[other].values() if one[field] == thing["id"]]:
                self._remove(other, one)
        if kind == "workflow_job_template_nodes":
            self.objects["workflow_approval_templates"].pop(thing["unified_job_template"], None)
        del self.objects[kind][thing["id"]]
        for key, held in self.members.items():
            self.members[key] = [number for number in held if not (number == thing["id"] and ASSOCIATIONS[key[0]][key[2]] == kind)]

    # --- what AWX refuses ---

    def _check(self, kind, body, there=None):
        rules = SCHEMA[kind]
        unknown = set(body) - set(rules)
        if unknown:
            raise Refused("unknown field %s" % ", ".join(sorted(unknown)))
        for field, rule in rules.items():
            word = rule.split()[0]
            if word.endswith("!") and body.get(field) in (None, ""):
                raise Refused("%s: This field is required." % field)
            if field in body:
                self._look_at(field, body[field], rule)
        for one in self.objects[kind].values():
            same = UNIQUE.get(kind, ("name", "organization"))
            if one is not there and all(field in rules and one.get(field) == body.get(field) for field in same):
                raise Refused("%s with this %s already exists." % (kind, " and ".join(same)))
        rule = _RULES.get(kind)
        if rule:
            rule(self, body)

    def _look_at(self, field, value, rule):
        word, *rest = rule.split()
        kind, nullable = word.rstrip("!?"), word.endswith("?")
        if value is None and (nullable or kind in ("string", "choice")):  # AWX keeps null text as ''
            return
        if kind == "id":
            (target,) = rest
            known = set().union(*(self.objects[one] for one in UNIFIED)) if target == "unified_job_templates" else self.objects[target]
            if isinstance(value, bool) or not isinstance(value, int) or value not in known:
                raise Refused("%s: Invalid pk %r of %s - object does not exist." % (field, value, target))
        elif kind == "choice":
            if str(value) not in [choice.strip("'") for choice in rest]:
                raise Refused("%s: %r is not a valid choice." % (field, value))
        elif kind == "json":
            if not isinstance(value, str) or not isinstance(yaml.safe_load(value or "{}"), dict):
                raise Refused("%s: not a mapping in JSON or YAML" % field)
        elif isinstance(value, bool) != (kind == "boolean") or not isinstance(
                value, {"string": str, "boolean": bool, "integer": int, "object": dict}[kind]):
            raise Refused("%s: %r is no %s" % (field, value, kind))

    # --- beyond the fields ---

    def _job_template(self, body):
        if not body.get("project"):
            raise Refused("project: Job Template must have a project.")
        if body["playbook"] not in self.offered:
            raise Refused("playbook: Playbook not found for project: %s" % body["playbook"])
        if not body.get("job_slice_count", 1) >= 1:
            raise Refused("job_slice_count: at least 1")

    def _inventory_source(self, body):
        if body.get("source") == "scm" and not body.get("source_project"):
            raise Refused("source_project: Project required for scm type sources.")
        if not (ROOT / body.get("source_path", "")).exists():
            raise Refused("source_path: not in the project: %s" % body.get("source_path"))

    def _credential(self, body):
        name = self.objects["credential_types"][body["credential_type"]]["name"]
        inputs = body.get("inputs", {})
        for key, value in inputs.items():
            if key not in INPUTS[name] or not isinstance(value, INPUTS[name][key]):
                raise Refused("inputs: %s takes no %s of type %s" % (name, key, type(value).__name__))
        if REQUIRED_INPUTS[name] - set(inputs):
            raise Refused("inputs: required for %s: %s" % (name, ", ".join(REQUIRED_INPUTS[name] - set(inputs))))

    def _notification(self, body):
        _defaults, needed = NOTIFICATIONS[body["notification_type"]]
        if needed - set(body["notification_configuration"]):
            raise Refused("Missing required fields for Notification Configuration: notification_configuration")

    def _schedule(self, body):
        if not RRULE.fullmatch(body["rrule"]):
            raise Refused("rrule: DTSTART in UTC, FREQ and INTERVAL are required")
        template = self.objects["job_templates"].get(body["unified_job_template"], {})
        asked = {question["variable"] for question in template.get("survey", {}).get("spec", [])}
        strange = set(body.get("extra_data") or {}) - asked
        if strange and not template.get("ask_variables_on_launch"):
            raise Refused("extra_data: Variables %s are not allowed on launch." % ", ".join(sorted(strange)))


_RULES = {
    "job_templates": ControllerApi._job_template, "inventory_sources": ControllerApi._inventory_source,
    "credentials": ControllerApi._credential, "notification_templates": ControllerApi._notification,
    "schedules": ControllerApi._schedule,
}


def _renamed(body):
    """An inventory has a field called kind, which the objects here keep for themselves."""
    return {"kind_" if key == "kind" else key: value or "" if key == "kind" else value for key, value in body.items()}


def _look_at_survey(spec):
    for field, kind in (("name", str), ("description", str), ("spec", list)):
        if not isinstance(spec.get(field), kind):
            raise Refused("Field '%s' is missing from survey spec." % field)
    if not spec["spec"]:
        raise Refused("'spec' doesn't contain any items.")
    seen = set()
    for question in spec["spec"]:
        strange = set(question) - {
            "question_name", "question_description", "variable", "type", "required", "default", "choices", "min", "max"}
        missing = {"question_name", "variable", "type", "required"} - set(question)
        if strange or missing:
            raise Refused("survey question: unknown %s, missing %s" % (sorted(strange), sorted(missing)))
        if question["type"] not in QUESTIONS or question["variable"] in seen or " " in question["variable"]:
            raise Refused("survey question %s: type or variable" % question["variable"])
        seen.add(question["variable"])
        if "default" in question and not isinstance(question["default"], QUESTIONS[question["type"]]):
            raise Refused("Default value %r in survey question %s" % (question["default"], question["variable"]))
        if question["type"].startswith("multi"):
            choices = question.get("choices")
            if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
                raise Refused("Multiple Choice in survey question %s must specify choices." % question["variable"])
            if "default" in question and question["default"] not in choices:
                raise Refused("Default choice must be answered from the choices listed.")
