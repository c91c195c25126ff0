"""The module as a task. What it knows of Helm's record: plugin_utils/cluster/test_helm_release.py."""
from __future__ import annotations

import pytest
from cluster_objects import RECORD, record
from documented import both

from ansible_collections.mlops.tf_serving.plugins.action import release_unlock


@pytest.fixture
def unlock(api):
    return lambda **more: api.run("release_unlock", release="mnist-deploy", **more)


def test_what_it_takes():
    spec, told = both(release_unlock)
    assert spec == told


def test_its_life(api, unlock):
    assert unlock() == {"changed": False, "release": None}
    api.add(RECORD, **record(1, "pending-install"))
    shown = unlock(check_mode=True)
    assert shown["changed"] and shown["diff"]["before"] == "mnist-deploy revision 1: pending-install\n" and not api.writes
    done = unlock()
    assert done == shown and done["release"]["status"] == "superseded" and api.writes == [("PUT", RECORD)]
    assert not unlock()["changed"]


def test_again(api, unlock):
    api.add(RECORD, **record(1, "deployed"))
    assert not unlock()["changed"] and unlock(again=True, check_mode=True)["changed"]


def test_a_younger_one(api, unlock):
    """The record is an hour old by the server's clock."""
    api.add(RECORD, **record(1, "pending-upgrade"))
    api.on = lambda method, path: api.add(RECORD, **record(1, "deployed")) and None if len(api.asked("GET", "/secrets")) > 1 else None
    assert not unlock(pending_age=3602)["changed"]


def test_another_namespace(api, unlock):
    unlock(namespace="models")
    assert api.requests[-1].path == "/api/v1/namespaces/models/secrets"


def test_a_failure(api, unlock):
    api.forbidden = {("GET", "secrets")}
    answer = unlock()
    assert answer["failed"] and answer["failure"]["code"] == "forbidden"
