"""docs/states.md says what the code decides: each row of its tables is built, and the functions are asked."""
from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from listed_versions import status
from nas_folder import Nas
from saved_models import model_files, tar, under

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import status as serving
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.rollback import rollback_plan
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.version_states import beside, table
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings import decisions

PAGE = Path(__file__).resolve().parents[2] / "docs" / "states.md"
WRONG = {"msg": "89.3% is over 15%.", "failure": {"code": "error_rate_exceeded"}}
VERSION = 2  # of which the tables tell


def tables():
    """{heading: [{column: cell}]} of each table of the page."""
    found = {}
    for heading, text in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("|")]
        if rows:
            found[heading] = [dict(zip(rows[0], row)) for row in rows[2:]]
    return found


TABLES = tables()
STATES = {row["version 2 is"]: row for row in TABLES["How a version comes into a state"]}
DONE = {row["version 2 is"]: row for row in TABLES["What is done about it"]}


def archive(version):
    return tar(under("mnist/%d" % version, model_files()))


def make(nas, what):
    """The versions of a cell such as "1 checked, 2 unchecked"; what they become, they become in this order."""
    versions = [(int(number), state) for number, state in re.findall(r"(\d+) ([a-z -]+)", what)]
    for version, state in versions:
        if state in ("half-copied", "by hand"):
            files = model_files()
            nas.write(str(version), files if state == "by hand" else {
                path: data for path, data in files.items() if path != "saved_model.pb"})
        else:
            nas.publish(archive(version))
    for version, state in versions:
        if state == "checked":
            nas.versions(checked=[version])
        elif state == "withdrawn":
            nas.versions(withdraw=[version], reason="swapped")
        elif state == "pruned":
            nas.versions(keep=1, in_use=[other for other, _state in versions if other != version])
        elif state == "lost":
            shutil.rmtree(nas.root / nas.base / str(version))
        elif state == "changed":
            (nas.root / nas.base / str(version) / "variables" / "variables.index").unlink()
        elif state == "unfinished":
            path = nas.root / nas.base / ".provenance" / ("%d.json" % version)
            path.write_text(json.dumps({**json.loads(path.read_text()), "withdrawn": {"at": "then", "reason": "swapped"}}))


def serves(what):
    """serving_status of a cell such as "pinned: 1, candidate 2"."""
    policy, numbers = what.split(": ")
    version, *candidate = map(int, re.findall(r"\d+", numbers))
    if policy == "latest":
        return status(version, version)
    given = None if numbers.endswith("by none") else version
    return status(given, given, policy="pinned", stable=version, canary=candidate[0] if candidate else None)


@pytest.fixture
def nas(monkeypatch):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Nas(Path(folder), monkeypatch)


def listed(nas):
    return {"versions": nas.versions()["versions"], "problem": ""}


def plan_of(function, *arguments):
    """(plan, problem) of a rollback."""
    try:
        return function(*arguments), ""
    except Error as error:
        return {}, error.message


def says(cell, text):
    """A cell quotes what is said after its colon."""
    quoted = cell.partition(": ")[2]
    assert quoted and quoted in text, (cell, text)


@pytest.fixture
def world(nas, row):
    make(nas, STATES[row]["on the NAS"])
    return serves(STATES[row]["serves"]), nas


def test_both_tables_tell_of_the_same_states():
    assert list(STATES) == list(DONE) and len(STATES) >= 15


@pytest.mark.parametrize("row", STATES)
class TestRow:
    def test_its_check_fails(self, world, row):
        what, nas = world
        cell, outcome = DONE[row]["where its check fails"], decisions.after_failure(what, listed(nas), VERSION, WRONG)
        assert outcome["goes_back"] == cell.startswith("back to"), outcome
        if outcome["goes_back"]:
            assert cell == "back to %d" % outcome["serves"] and outcome["withdraw"] == [VERSION]
        else:
            says(cell, outcome["message"])

    def test_publish(self, world, row):
        what, nas = world
        cell = DONE[row]["publish.yml with its archive"]
        try:
            answer = nas.publish(archive(VERSION), newest=what["policy"] == "latest")
        except Error as error:
            assert cell.startswith("refused: "), error.message
            says(cell, error.message)
            return
        if answer["message"]:
            assert cell.startswith("refused: ")
            says(cell, answer["message"])
        else:
            assert cell == ("put there and tried" if answer["changed"] else "tried"), answer

    def test_promote(self, world, row):
        what, nas = world
        cell, plan = DONE[row]["promote.yml"], decisions.promotion(what, listed(nas))
        if plan["version"]:
            assert cell == "promotes it" and plan["version"] == VERSION
        else:
            assert cell.startswith("refused: " if plan["problem"] else "nothing")
            if plan["problem"]:
                says(cell, plan["problem"])

    def test_rollback(self, world, row):
        what, nas = world
        cell = DONE[row]["rollback.yml"]
        plan, problem = plan_of(rollback_plan, listed(nas)["versions"], None, what["stable"])
        if problem:
            assert cell.startswith("refused: ")
            says(cell, problem)
        elif plan["message"]:
            says(cell, plan["message"])
        else:
            assert cell == "withdraws %s, %d serves" % (", ".join(map(str, plan["withdraw"])), plan["serves"])

    def test_status(self, world, row):
        what, nas = world
        cell = DONE[row]["status.yml says"]
        shown = table(what, listed(nas), "title")
        line = next((line.split() for line in shown[2:] if line.startswith("%d " % VERSION)), None)
        words = ["no row"] if line is None else [line[1], {"never": "never checked", "-": ""}.get(line[2], "checked")]
        assert cell.split(": ")[0] == ", ".join(word for word in words if word)
        of_it = [one for one in beside(what, listed(nas)) if "Version %d" % VERSION in one]
        assert (": " in cell) == bool(of_it), of_it
        if of_it:
            says(cell, " ".join(of_it))


def test_every_state_of_the_nas_has_a_row():
    made = {state for row in STATES.values() for _number, state in re.findall(r"(\d+) ([a-z -]+)", row["on the NAS"])}
    assert made == {"checked", "unchecked", "withdrawn", "pruned", "half-copied", "by hand", "lost", "changed", "unfinished"}
    assert {row["serves"].split(":")[0] for row in STATES.values()} == {"latest", "pinned"}


# --- what a failure says of a version ---

def codes(row):
    return set(re.findall(r"`([A-Za-z_]+)`", row["codes"]))


def test_which_failures_tell_of_the_version():
    rows = {row["says something of the version"]: codes(row) for row in TABLES["What counts as a failure of the version"]}
    assert rows["yes"] == decisions.TELLING
    assert rows["yes, if the server said so"] == {"version_not_available", "model_not_loadable", "requests_failed"}
    for code in rows["no"]:
        assert not decisions.tells_of_version({"failure": {"code": code}}, VERSION), code
    assert {"unavailable", "port_forward_failed", "cluster_unreachable", "no_ready_replica", "dataset_missing"} <= rows["no"]
    assert rows["no, whatever the request"] == decisions.UNANSWERED


# --- one replica ---

REPLICAS = {
    "AVAILABLE": ([{"version": 1, "state": "AVAILABLE", "error": ""}], 1, None),
    "LOADING": ([{"version": 1, "state": "AVAILABLE", "error": ""}, {"version": 2, "state": "LOADING", "error": ""}], 1, None),
    "END, with an error": ([
        {"version": 1, "state": "AVAILABLE", "error": ""}, {"version": 2, "state": "END", "error": "Out of memory"}], 1, None),
    "END, without one": ([{"version": 1, "state": "AVAILABLE", "error": ""}, {"version": 2, "state": "END", "error": ""}], 1, None),
    "none": ([], None, None),
    "not known": ([], None, "port-forward failed"),
}


@pytest.mark.parametrize("row", TABLES["One replica"], ids=lambda row: row["state of a version in a server"])
def test_a_replica(row):
    versions, gives, problem = REPLICAS[row["state of a version in a server"]]
    facts = {"policy": "latest", "warnings": [], "deployment": {}, "pods": [{"name": "a", "terminating": False}]}
    models = {} if problem else {"mnist": {"versions": versions, "serves": gives, "labels": {}}}
    answers = {
        "replicas": [{"pod": "a", "models": models, "problem": problem}], "problems": ["pod a: " + problem] if problem else [],
        "in_use": [], "config": None}
    found = serving.serving_status(facts, answers, "mnist")
    (pod,) = found["pods"]
    shown = ",".join(map(str, pod["versions"])) if pod["asked"] else "?"
    assert row["VERSIONS"] == (shown or "-")
    if row["warning"] == "none":
        assert found["warnings"] == []
    else:
        assert row["warning"] in " ".join(found["warnings"])


def test_every_state_of_a_replica_has_a_row():
    assert [row["state of a version in a server"] for row in TABLES["One replica"]] == list(REPLICAS)


# --- the release ---

def release(what):
    """(serving_status, first stable version with versions 1 and 2 on the NAS) of a row."""
    pods = [{"serves": 1, "versions": [1], "terminating": False}]
    return {
        "absent": {"policy": None, "deployment": None, "stable": None, "canary": None, "pods": []},
        "deployed, latest": {"policy": "latest", "deployment": {}, "stable": None, "canary": None, "pods": pods},
        "deployed, pinned": {"policy": "pinned", "deployment": {}, "stable": 1, "canary": None, "pods": pods},
        "deployed, pinned, with a candidate": {"policy": "pinned", "deployment": {}, "stable": 1, "canary": 2, "pods": pods},
        "deployed, pinned, its model config lost": {
            "policy": "pinned", "deployment": {}, "stable": None, "canary": None, "pods": pods},
    }[what]


@pytest.mark.parametrize("row", TABLES["The release"], ids=lambda row: row["the release is"])
def test_the_release(nas, row):
    make(nas, "1 checked, 2 checked")
    found = release(row["the release is"])
    published = {"version": 2, "versions": [1, 2]}
    expected = decisions.expected_version(found, published)
    if not found["stable"] and row["the release is"].startswith("deployed, pinned"):
        expected = decisions.first_stable(published, [1], config_lost=True)
    assert row["site.yml checks, of 1 and 2"] == str(expected)
    plan = decisions.promotion(found, listed(nas))
    assert row["promote.yml"] == ("promotes 2" if plan["version"] == 2 else "refused" if plan["problem"] else "nothing to do")
    back, problem = plan_of(rollback_plan, listed(nas)["versions"], None, found["stable"], found["deployment"] is not None)
    assert row["rollback.yml"] == (
        "refused" if problem else "withdraws %s, %d serves" % (", ".join(map(str, back["withdraw"])), back["serves"]))
