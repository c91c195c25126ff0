"""A cluster that was listed once answers as one that is asked for every object."""
from __future__ import annotations

import pytest
from cluster_objects import APPS, CORE, DEPLOYMENT, RECORD, SERVICE, install, record

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import api as cluster_api
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.helm_release import Store
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import snapshot
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.release import Release


@pytest.fixture
def seen(api):
    install(api)
    found = snapshot.remember(api.client)
    api.requests.clear()
    return found


def test_each_kind_is_listed_once(api, seen):
    for name in ("mnist-deploy", "other-deploy", "mnist-deploy"):
        release = Release(api.client, "default", name)
        found = [bool(thing) for thing in (release.deployment(), release.service(), release.claim(), release.all_pods())]
        assert found == [name == "mnist-deploy"] * 4
    assert [one.path for one in api.requests] == [
        APPS + "deployments", CORE + "services", CORE + "persistentvolumeclaims", CORE + "pods"]


def test_it_says_what_the_api_server_says(api, seen):
    there = cluster_api.get(api.client, DEPLOYMENT)
    assert there == api.objects[DEPLOYMENT] and list(seen.seen("deployments")) == [there]
    assert cluster_api.named(api.client, "api/v1", "services", "default", "none") is None
    with pytest.raises(Error) as error, cluster_api.explained("read it"):
        cluster_api.get(api.client, SERVICE + "-2")
    assert error.value.code == "not_found"


def test_page_after_page(api, seen, monkeypatch):
    monkeypatch.setattr(snapshot, "PAGE", 2)
    for number in range(5):
        api.add(CORE + "pods/more-%d" % number, metadata={"labels": {"a": str(number)}})
    pods = cluster_api.get(api.client, CORE + "pods")["items"]
    assert sorted(pod["metadata"]["name"] for pod in pods) == ["more-%d" % number for number in range(5)] + ["pod-1"]
    assert [one.query.get("continue") for one in api.requests] == [None, "2", "4"]
    assert [pod["metadata"]["name"] for pod in cluster_api.get(api.client, CORE + "pods", labelSelector="a=3")["items"]] == ["more-3"]


def test_of_two_labels_both_count(api, seen):
    for number, labels in enumerate(({"a": "1", "b": "1"}, {"a": "1", "b": "2"}, {"a": "2", "b": "1"}, {"a": "2"})):
        api.add(CORE + "pods/more-%d" % number, metadata={"labels": labels})
    for selector, names in (("a=1,b=1", ["more-0"]), ("b=1,a=2", ["more-2"]), ("a=1,c=1", []), ("a=2", ["more-2", "more-3"])):
        found = cluster_api.get(api.client, CORE + "pods", labelSelector=selector)["items"]
        assert [pod["metadata"]["name"] for pod in found] == names


def test_the_newest_revision_of_a_release(api, seen):
    assert Store(api.client, "default", "mnist-deploy").read()[0] == api.objects[RECORD]
    assert Store(api.client, "default", "other").read() == (None, 0)
    assert [one.query["labelSelector"] for one in api.requests] == ["owner=helm,status!=superseded", "owner=helm,status=superseded"]


def test_one_that_was_given_up_is_asked_for(api, seen):
    """The list leaves its body out, as of all that others have replaced; an older one says deployed."""
    api.add(RECORD[:-1] + "2", **record(2, "superseded"))
    assert Store(api.client, "default", "mnist-deploy").read()[0] == api.objects[RECORD[:-1] + "2"]


def test_an_old_one_that_another_replaced(api, seen):
    api.objects.clear()
    api.add(RECORD, **record(1, "superseded"))
    api.add(RECORD[:-1] + "2", **record(2))
    assert Store(api.client, "default", "mnist-deploy").read()[0] == api.objects[RECORD[:-1] + "2"]
    assert len(api.requests) == 2


def test_the_age_is_by_the_servers_clock(api, seen):
    assert Store(api.client, "default", "mnist-deploy").read()[1] == 3600.0


def test_what_may_not_be_listed_is_read_one_by_one(api, seen):
    api.on = lambda method, path: (403, {"message": "no"}) if path.endswith("/deployments") else None
    assert cluster_api.get(api.client, DEPLOYMENT) == api.objects[DEPLOYMENT]
    assert [one.path for one in api.requests] == [APPS + "deployments", DEPLOYMENT]


@pytest.mark.parametrize("query", [{"fieldSelector": "metadata.name=pod-1"}, {"labelSelector": "a in (b)"}, {"labelSelector": "a!=b"}])
def test_a_question_that_the_list_does_not_answer_is_handed_on(api, seen, query):
    api.on = lambda method, path: (200, {"items": []})
    cluster_api.get(api.client, CORE + "pods", **query)
    assert api.requests[-1].query == query


def test_all_else_is_asked_once(api, seen):
    api.add("/api/v1/nodes/node-1")
    for _again in range(2):
        assert len(cluster_api.get(api.client, "/api/v1/nodes", labelSelector="")["items"]) == 1
        assert cluster_api.get(api.client, "/api/v1/namespaces/default")["metadata"]["name"] == "default"
    assert [one.path for one in api.requests] == ["/api/v1/nodes", "/api/v1/namespaces/default"]


def test_what_changes_something_goes_to_the_api_server(api, seen):
    cluster_api.get(api.client, DEPLOYMENT)
    cluster_api.send(api.client, "PATCH", DEPLOYMENT, {"metadata": {"labels": {"a": "b"}}}, dryRun="All")
    assert (api.requests[-1].method, api.requests[-1].query) == ("PATCH", {"dryRun": "All"})
