"""What a person reads of the cluster: that all is well, what was scaled, where clients find it, and no warning without a use.

Told in order.
"""
from __future__ import annotations

import re

import pytest
from test_latest import good, unchanged

NO_DEPRECATIONS = {"ANSIBLE_DEPRECATION_WARNINGS": "False"}  # a core's own, of what a later one will not have


@pytest.mark.usefixtures("unseen")
def test_looks_at_an_empty_cluster(play):
    run = unchanged(play("preflight"))
    assert "Ready: Helm 3.19.5, no GPU asked for, the archive's version is known when it is unpacked, 100 tests." in run.text
    assert "playbooks/site.yml would publish the version, make the volume, install the release, set 2 replicas." in run.text


def test_where_clients_find_it(world, play):
    run = good(play("site"))
    address = "127.0.0.1:%d, from inside the cluster only" % world.cluster.service_port
    assert "4 address %s" % address in run.text
    assert "address %s (ClusterIP mnist-deploy-acs-tensorflow-serving)" % address in run.text


@pytest.mark.usefixtures("unseen")
def test_looks_where_all_is_as_it_should_be(play):
    run = unchanged(play("preflight"))
    assert (
        "Ready: Helm 3.19.5, no GPU asked for, the archive is version 1, 100 tests. playbooks/site.yml would change nothing."
    ) in run.text


@pytest.mark.usefixtures("unseen")
def test_looks_at_what_would_change(world, play):
    run = unchanged(play("preflight", serving_resources={"limits": {"memory": "2Gi"}}, scaling_replicas=3))
    assert "would upgrade the release (other values), scale 2 -> 3." in run.text


def test_an_upgrade_warns_of_nothing(play):
    run = good(play("site", serving_resources={"limits": {"memory": "2Gi"}}, environment=NO_DEPRECATIONS))
    assert "Install or upgrade the release" in " ".join(run.changes) and "WARNING" not in run.text
    assert "revision 2" in run.text


def test_scale_says_from_what_to_what(play):
    assert "2 -> 3 replicas, 3 ready" in good(play("scale", scaling_replicas=3)).text
    assert "3 replicas, 3 ready" in unchanged(play("scale", scaling_replicas=3)).text
    left_alone = unchanged(play("scale", scaling_replicas="null"))
    assert "scaling_replicas is null: the number of replicas is left as it is." in left_alone.text


def test_times_are_in_utc(play):
    (moment,) = re.findall(r"release mnist-deploy revision 2, deployed (\S+), chart", unchanged(play("status")).text)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment)


def test_two_models_that_make_the_same_namespace_at_once(world, play):
    run = good(play("site", hosts={"red": {}, "blue": {}}, serving_namespace="colours", environment=NO_DEPRECATIONS))
    assert world.cluster.get("v1", "namespaces", "colours", "") and "WARNING" not in run.text
    made = [event for event in run.events if event["task"].endswith("Create the namespace") and event["said"]["changed"]]
    assert len(made) == 1, "whichever came first"
    titles = set(re.findall(r"^TASK \[(.+?)\] ", run.stdout, re.MULTILINE))
    assert len(titles) > 20 and [title for title in titles if re.search(r"\bred\b", title)] == [], "Ansible shows the first host's"
