"""A namespace that several models of one run may make at once."""
from __future__ import annotations

import pytest
from documented import both

from ansible_collections.mlops.tf_serving.plugins.action import release_namespace

PATH = "/api/v1/namespaces/models"


@pytest.fixture
def namespace(api):
    return lambda **more: api.run("release_namespace", name="models", **more)


def test_its_options_are_documented():
    spec, told = both(release_namespace)
    assert spec == told


def test_it_is_made_where_it_is_missing(api, namespace):
    assert namespace(check_mode=True)["changed"] and PATH not in api.objects
    answer = namespace()
    assert answer["changed"] and answer["diff"]["before"] == {} and PATH in api.objects
    assert not namespace()["changed"]


def test_another_model_makes_it_in_between(api, namespace):
    """A warning of a conflict is nothing that anybody could act on."""
    def other(method, path):
        if method == "POST":
            api.add(PATH)
    api.on = other
    answer = namespace()
    assert not answer["changed"] and "warnings" not in answer and "failed" not in answer


def test_one_that_is_there_is_not_changed(api, namespace):
    api.add(PATH, metadata={"labels": {"team": "blue"}})
    api.forbidden = {("PATCH", "namespaces"), ("POST", "namespaces")}
    assert not namespace()["changed"] and api.writes == []


def test_one_that_may_not_be_made(api, namespace):
    api.forbidden = {("POST", "namespaces")}
    answer = namespace()
    assert answer["failure"]["code"] == "forbidden" and "Could not create the Namespace models: " in answer["msg"]


def test_one_that_is_being_deleted(api, namespace):
    api.add(PATH, metadata={"deletionTimestamp": "2026-11-25T12:00:00Z"})
    answer = namespace()
    assert answer["failure"]["code"] == "namespace_leaving" and "serving_namespace" in answer["msg"] and api.writes == []
