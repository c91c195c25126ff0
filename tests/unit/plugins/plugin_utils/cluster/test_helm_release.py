"""Helm's record: what its statuses mean, and how a release that was left behind is given up, by the API server's clock."""
from __future__ import annotations

import datetime
import email.utils

import pytest
from cluster_objects import RECORD, record

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import helm_release


def secret(version, status, values=None, **metadata):
    made = record(version, status, values, {"metadata": {"name": "acs-tensorflow-serving", "version": "1.0.0"}}, **metadata)
    made["metadata"]["name"] = "sh.helm.release.v1.mnist-deploy.v%d" % version
    return made


def test_the_newest_revision_is_by_number_not_by_name():
    newest = helm_release.latest([secret(9, "superseded"), secret(10, "deployed"), secret(2, "superseded")])
    assert helm_release.summary(newest)["revision"] == 10
    assert helm_release.latest([]) is None
    assert helm_release.summary(None) is None


def test_summary():
    assert helm_release.summary(secret(3, "deployed", {"port": 9090})) == {
        "name": "mnist-deploy", "revision": 3, "status": "deployed", "chart": "acs-tensorflow-serving-1.0.0",
        "updated": "2026-11-25T11:00:00Z", "values": {"port": 9090},
    }


def test_a_record_that_is_not_helms():
    with pytest.raises(Error, match="cannot be read"):
        helm_release.decode("bm9wZQ==")


def test_superseded_changes_label_and_body_and_nothing_else():
    before = secret(3, "pending-upgrade", {"port": 9090})
    after = helm_release.superseded(before)
    assert after["metadata"]["labels"] == {"owner": "helm", "name": "mnist-deploy", "status": "superseded", "version": "3"}
    assert helm_release.summary(after) == {**helm_release.summary(before), "status": "superseded"}
    assert before["metadata"]["labels"]["status"] == "pending-upgrade"
    assert helm_release.decode(after["data"]["release"])["info"] == {
        "status": "superseded", "last_deployed": "2026-11-25T11:00:00Z",
        "description": "Given up: interrupted or incomplete (was pending-upgrade)",
    }


def test_a_chart_is_what_it_was_made_of():
    assert helm_release.chart(secret(1, "deployed")) == {"metadata": {"name": "acs-tensorflow-serving", "version": "1.0.0"}}
    assert helm_release.chart({"data": {"release": helm_release.encode({})}}) == {}


@pytest.mark.parametrize(("by_helm", "updated"), [
    ("2026-11-25T23:52:01.123456789+01:00", "2026-11-25T22:52:01Z"), ("2026-11-25T11:00:00.5Z", "2026-11-25T11:00:00Z"),
    ("2026-11-25T22:30:00-03:30", "2026-11-26T02:00:00Z"), ("some day", "some day"), (None, ""),
])
def test_when_it_was_updated_is_said_in_utc(by_helm, updated):
    """Helm writes the zone of whoever ran it."""
    body = {"info": {"last_deployed": by_helm}}
    assert helm_release.summary({"data": {"release": helm_release.encode(body)}})["updated"] == updated


def test_what_an_uninstall_deletes():
    manifest = "---\n# Source: chart/service.yaml\nkind: Service\nmetadata:\n  name: mnist\n---\n# Source: chart/off.yaml\n---\n" \
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: mnist-serving\n"
    assert helm_release.objects({"data": {"release": helm_release.encode({"manifest": manifest})}}) == [
        "Service mnist", "Deployment mnist-serving"]


@pytest.mark.parametrize(("status", "under_way", "settled"), [
    (None, False, True), ("deployed", False, True), ("superseded", False, True), ("uninstalled", False, True),
    ("failed", False, False), ("unknown", False, False), ("pending-install", True, False), ("pending-upgrade", True, False),
    ("pending-rollback", True, False), ("uninstalling", True, False),
])
def test_what_a_status_means(status, under_way, settled):
    assert helm_release.under_way(status) is under_way and helm_release.settled(status) is settled


@pytest.mark.parametrize(("metadata", "date", "age"), [
    ({}, "Sun, 22 Nov 2026 16:01:05 GMT", 65),
    ({"managedFields": [{"time": "2026-11-22T16:01:00Z"}, {"time": "2026-11-22T16:00:30Z"}, {"manager": "x"}]},
     "Sun, 22 Nov 2026 16:01:05 GMT", 5),
    ({"managedFields": [{"time": "2026-11-22T15:00:00Z"}]}, "Sun, 22 Nov 2026 16:01:05 GMT", 65),
])
def test_age_is_that_of_the_last_write_by_the_servers_clock(metadata, date, age):
    assert helm_release._age({"creationTimestamp": "2026-11-22T16:00:00Z", **metadata}, date) == age


def test_a_server_that_does_not_say_the_time():
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=100)
    assert 99 <= helm_release._age({"creationTimestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ")}, None) < 110


NEWEST = "/api/v1/namespaces/default/secrets/sh.helm.release.v1.mnist-deploy.v10"
CREATED = 1795604400  # 2026-11-25T11:00:00Z


class Clock:
    """Jumps with every pause, and with it the server's."""

    def __init__(self, api, age):
        self.api, self.pauses, self.events = api, [], []
        self.set(age)

    def set(self, age):
        self.age = age
        self.api.date = email.utils.formatdate(CREATED + age, usegmt=True)

    def sleep(self, seconds):
        self.pauses.append(seconds)
        if self.events:
            self.events.pop(0)()
        self.set(self.age + seconds)


@pytest.fixture
def unlock(api, monkeypatch):
    """unlock(status, age): what it does to a release whose newest revision is the tenth."""
    def call(status="deployed", age=3600, events=(), metadata=None, **options):
        api.add(RECORD, **record(9, "superseded"))
        api.add(NEWEST, **record(10, status, **(metadata or {})))
        api.add(RECORD.replace("mnist-deploy", "other"), metadata={"labels": {"owner": "helm", "name": "other", "version": "99"}})
        api.clock = Clock(api, age)
        api.clock.events = list(events)
        monkeypatch.setattr(helm_release, "time", api.clock)
        return api.run("release_unlock", release="mnist-deploy", **options)
    return call


def status(api):
    body = helm_release.decode(api.objects[NEWEST]["data"]["release"])
    assert body["info"]["status"] == api.objects[NEWEST]["metadata"]["labels"]["status"]
    return body["info"]["status"]


@pytest.mark.parametrize("there", ["deployed", "superseded", "uninstalled"])
def test_a_settled_release_is_left_alone(api, unlock, there):
    answer = unlock(there, age=1)
    assert answer == {"changed": False, "release": {
        "name": "mnist-deploy", "revision": 10, "status": there, "chart": "acs-tensorflow-serving-1.2.0",
        "updated": "2026-11-25T11:00:00Z", "objects": [],
    }}
    assert not api.writes and not api.clock.pauses


def test_no_release(api):
    assert api.run("release_unlock", release="mnist-deploy") == {"changed": False, "release": None}


@pytest.mark.parametrize("there", ["pending-install", "pending-upgrade", "pending-rollback", "failed", "uninstalling", "unknown"])
def test_what_was_left_behind_is_given_up(api, unlock, there):
    shown = unlock(there, check_mode=True)
    assert shown["changed"] and not api.writes and status(api) == there
    answer = unlock(there)
    assert answer["changed"] and answer["release"]["status"] == status(api) == "superseded"
    assert answer["diff"] == shown["diff"] == {
        "before": "mnist-deploy revision 10: %s\n" % there, "after": "mnist-deploy revision 10: superseded\n"}
    assert api.writes == [("PUT", NEWEST)] and not api.clock.pauses
    assert not api.run("release_unlock", release="mnist-deploy")["changed"]


@pytest.mark.parametrize("there", ["pending-install", "uninstalling"])
def test_a_helm_that_may_still_run_is_waited_for(api, unlock, there):
    answer = unlock(there, age=55)
    assert answer["changed"] and api.clock.pauses == [2, 2, 1]


def test_another_age(api, unlock):
    assert unlock("pending-upgrade", age=55, pending_age=10)["changed"] and not api.clock.pauses
    assert unlock("pending-upgrade", age=59.95)["changed"] and api.clock.pauses


def test_an_uninstall_is_as_old_as_its_last_write(api, unlock):
    """It writes into the Secret of the revision that was deployed long ago."""
    written = [{"manager": "helm", "time": "2026-11-25T11:59:58Z"}]
    assert unlock("uninstalling", age=3600, metadata={"managedFields": written})["changed"]
    assert sum(api.clock.pauses) == 58


def test_a_run_that_ends_meanwhile(api, unlock):
    def end():
        api.objects[NEWEST] = {**api.add(NEWEST, **record(10, "deployed"))}
    answer = unlock("pending-upgrade", age=5, events=[lambda: None, end])
    assert not answer["changed"] and answer["release"]["status"] == "deployed" and not api.writes
    assert api.clock.pauses == [2, 2]


def test_an_uninstall_that_ends_meanwhile(api, unlock):
    def end():
        del api.objects[NEWEST], api.objects[RECORD]
    assert unlock("uninstalling", age=5, events=[end]) == {"changed": False, "release": None}


def test_somebody_else_writes_it_first(api, unlock):
    def on(method, path):
        if method == "PUT":
            api.on = lambda method, path: None
            api.add(NEWEST, **record(10, "deployed"))
    api.on = on
    assert not unlock("failed")["changed"] and status(api) == "deployed"


def test_somebody_else_removes_it_first(api, unlock):
    def on(method, path):
        if method == "PUT":
            api.on = lambda method, path: None
            del api.objects[NEWEST]
    api.on = on
    assert unlock("failed")["release"]["revision"] == 9


def test_again_gives_a_deployed_release_up(api, unlock):
    assert not unlock("deployed")["changed"]
    assert unlock("deployed", again=True)["changed"] and status(api) == "superseded"
    assert not unlock("uninstalled", again=True)["changed"]


def test_without_the_right(api, unlock):
    api.forbidden = {("PUT", "secrets")}
    answer = unlock("failed")
    assert answer["failed"] and answer["failure"]["code"] == "forbidden"
    assert answer["msg"] == "Could not give up revision sh.helm.release.v1.mnist-deploy.v10: secrets is forbidden"
    api.forbidden = {("GET", "secrets")}
    assert "Could not read the Helm release mnist-deploy (Secrets in namespace default): " in unlock("failed")["msg"]


def test_another_namespace(api):
    api.run("release_unlock", release="mnist-deploy", namespace="models")
    assert api.requests[-1].path == "/api/v1/namespaces/models/secrets"


def test_those_who_wait_are_told_for_whom(unlock, monkeypatch):
    told = []
    monkeypatch.setattr(helm_release, "waits_for", told.append)
    unlock("pending-upgrade", age=30)
    assert set(told) == {"another Helm that works on release mnist-deploy, pending-upgrade"}
