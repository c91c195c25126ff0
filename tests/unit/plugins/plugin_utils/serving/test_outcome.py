"""What a run came to for one model."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.outcome import outcome

STATUS = {"pods": [{"asked": True, "terminating": False, "serves": 2, "versions": [2]}], "service": {"address": "10.0.0.1", "port": 9090}}


def test_of_a_publish():
    found = {
        "model_published": {"changed": True, "version": 2}, "check_result": {"version": 2, "error_rate": 10.1}, "serving_status": STATUS}
    assert outcome(found) == {"changed": ["version 2 published"], "version": 2, "error_rate": 10.1, "address": "10.0.0.1:9090"}


@pytest.mark.parametrize(("name", "fact", "words"), [
    ("model_withdrawn", {"changed": True}, ["versions withdrawn"]),
    ("volume_result", {"changed": True}, ["volume"]),
    ("scaling_result", {"changed": True, "replicas": 4}, ["replicas 4"]),
    ("scaling_result", {"changed": False, "replicas": 4}, []),
    ("model_published", None, []),
])
def test_what_was_changed(name, fact, words):
    assert outcome({name: fact})["changed"] == words


def test_of_what_is_not_known():
    assert outcome({}) == {"changed": [], "version": None, "error_rate": None, "address": None}


def test_a_service_without_an_address_yet():
    assert outcome({"serving_status": {**STATUS, "service": {"address": None, "port": 9090}}})["address"] is None
    assert outcome({"serving_status": {**STATUS, "service": None}})["address"] is None


def test_what_serves_where_nothing_was_asked():
    assert outcome({"serving_status": STATUS, "check_result": {"skipped": True}})["version"] == 2
