"""One task that tells of all models of a play."""
from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleError
from cluster_objects import install
from documented import both

from ansible_collections.mlops.tf_serving.plugins.action import fleet_status
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import wanted
from plugins.action.test_fleet_plan import COMPLETE, Hostvars


@pytest.fixture
def status(api, tmp_path):
    install(api)

    def run(**models):
        hosts = Hostvars({"nas-node": {}, **models})
        return api.run("fleet_status", file=str(tmp_path / "status.json"), task_vars={
            "hostvars": hosts, "ansible_play_hosts_all": sorted(models), "groups": {"models": sorted(models)}})
    return run


def test_what_it_takes():
    spec, told = both(fleet_status)
    assert spec == told


def test_two_models(status, api, tmp_path):
    answer = status(mnist=COMPLETE, other={**COMPLETE, "serving_namespace": "models"})
    assert not answer["changed"] and not api.writes and answer["sick"] == ["mnist", "other"]
    assert answer["models"]["mnist"]["ready"] == 1 and answer["models"]["other"]["sick"] == ["not deployed"]
    assert answer["summary"] == answer["table"][-1] == "2 models: 2 sick"
    assert json.loads((tmp_path / "status.json").read_text()) == {key: answer[key] for key in ("models", "sick", "summary")}


def test_of_what_is_not_complete_and_does_not_suit(status):
    """What serves can be seen whatever a run would lack."""
    answer = status(mnist={"serving_rest_port": "9090", "serving_port": "9090"})
    assert answer["models"]["mnist"]["sick"] == ["never checked"]


def test_wrong_variables_of_one(status):
    answer = status(mnist={}, other={"model_name": "a/b"})
    assert "model_name is 'a/b'" in answer["models"]["other"]["sick"][0] and answer["models"]["mnist"]["ready"] == 1


def test_a_template_of_one(status, monkeypatch):
    def template(self, value):
        raise AnsibleError("'nobody_knows' is undefined")

    monkeypatch.setattr(wanted._Templates, "template", template)
    answer = status(mnist={}, broken={"serving_release": "{{ nobody_knows }}"})
    assert "serving_release" in answer["models"]["broken"]["sick"][0] and answer["models"]["mnist"]["ready"] == 1


def test_how_often_the_cluster_is_asked(status, api):
    counts = []
    for many in (2, 12):
        api.requests.clear()
        status(**{"m%d" % number: {} for number in range(many)})
        counts.append(sum(one.method == "GET" for one in api.requests))
    assert counts[0] == counts[1] <= 8


def test_the_age_is_by_the_servers_clock(api, status):
    api.date = "Wed, 25 Nov 2026 13:00:00 GMT"
    assert fleet_status._now(type("Seen", (), {"date": {"Date": api.date}})).hour == 13
    assert fleet_status._now(type("Seen", (), {"date": {}})).tzinfo is not None


def test_a_file_that_cannot_be_written(status, tmp_path):
    (tmp_path / "status.json").mkdir()
    answer = status(mnist={})
    assert answer["failure"]["code"] == "status_not_written" and "status_file is " in answer["msg"]
