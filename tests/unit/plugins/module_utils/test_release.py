"""Helm's record: reading, giving a revision up, waiting for a young one."""
from __future__ import annotations

import base64
import gzip
import json

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils import _release
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error


def secret(version, status, values=None):
    body = {
        "name": "mnist-deploy", "version": version, "namespace": "default",
        "info": {"status": status, "last_deployed": "2026-11-22T16:00:00Z"},
        "chart": {"metadata": {"name": "acs-tensorflow-serving", "version": "1.0.0"}},
        "config": values,
    }
    data = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(body).encode()))).decode()
    return {
        "metadata": {
            "name": "sh.helm.release.v1.mnist-deploy.v%d" % version,
            "labels": {"owner": "helm", "status": status, "version": str(version)},
        },
        "data": {"release": data},
    }


class Store:
    """The newest revision at each look."""

    def __init__(self, *looks):
        self.looks, self.given_up = list(looks), []

    def read(self):
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def give_up(self, found):
        self.given_up.append(found["metadata"]["name"])
        return True


def test_the_newest_revision_is_by_number_not_by_name():
    newest = _release.latest([secret(9, "superseded"), secret(10, "deployed"), secret(2, "superseded")])
    assert _release.summary(newest)["revision"] == 10
    assert _release.latest([]) is None
    assert _release.summary(None) is None


def test_summary():
    assert _release.summary(secret(3, "deployed", {"port": 9090})) == {
        "name": "mnist-deploy", "revision": 3, "status": "deployed", "chart": "acs-tensorflow-serving-1.0.0",
        "updated": "2026-11-22T16:00:00Z", "values": {"port": 9090},
    }


def test_a_record_that_is_not_helms():
    with pytest.raises(Error, match="cannot be read"):
        _release.decode("bm9wZQ==")


def test_superseded_changes_label_and_body_and_nothing_else():
    before = secret(3, "pending-upgrade", {"port": 9090})
    after = _release.superseded(before)
    assert after["metadata"]["labels"] == {"owner": "helm", "status": "superseded", "version": "3"}
    assert _release.summary(after) == {**_release.summary(before), "status": "superseded"}
    assert before["metadata"]["labels"]["status"] == "pending-upgrade"


@pytest.mark.parametrize("status", ["deployed", "superseded", "uninstalled"])
def test_a_settled_release_is_left_alone(status):
    store = Store((secret(1, status), 9999))
    assert not _release.unlock(store, False, 60)["changed"]
    assert store.given_up == []


def test_no_release():
    assert _release.unlock(Store((None, 0)), False, 60) == {"changed": False, "release": None}


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "pending-rollback", "failed", "uninstalling"])
def test_what_was_left_behind_is_given_up(status):
    store = Store((secret(1, status), 61))
    result = _release.unlock(store, False, 60)
    assert result["changed"]
    assert result["release"]["status"] == "superseded"
    assert store.given_up == ["sh.helm.release.v1.mnist-deploy.v1"]


def test_check_mode_gives_nothing_up():
    store = Store((secret(1, "pending-install"), 61))
    assert _release.unlock(store, False, 60, check_mode=True)["changed"]
    assert store.given_up == []


def test_a_young_pending_release_is_waited_for(monkeypatch):
    monkeypatch.setattr(_release.time, "sleep", lambda seconds: None)
    store = Store((secret(1, "pending-install"), 5), (secret(1, "pending-install"), 7), (secret(1, "deployed"), 9))
    assert not _release.unlock(store, False, 60)["changed"]
    assert store.given_up == []


def test_again_gives_a_deployed_release_up():
    store = Store((secret(4, "deployed"), 9999))
    assert _release.unlock(store, True, 60)["changed"]


def test_age_is_by_the_servers_clock():
    assert _release._age("2026-11-22T16:00:00Z", "Sun, 22 Nov 2026 16:01:05 GMT") == 65
