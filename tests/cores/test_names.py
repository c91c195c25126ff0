"""Models of other people's names, from the inventory to the model server. Told in order: each is taken down before the next."""
from __future__ import annotations

import pytest
from test_latest import good, unchanged


def objects(world):
    others = ("namespaces", "nodes", "pods", "secrets")
    return {name for (_group, kind, _namespace, name) in world.cluster.objects if kind not in others}


def test_models_that_would_be_one_are_refused_by_name(play, unseen):
    run = play("preflight", hosts={
        "mnist": {"model_name": "digits"}, "digits": {}, "iris": {"volume_name": "default-digits-deploy"}, "wine": {}})
    assert run.rc == 2
    for host in ("mnist", "digits"):
        assert "serving_release is digits-deploy for mnist, digits: " in run.failures_of(host)
        assert "model_base_path is /serving/model/digits for mnist, digits: " in run.failures_of(host)
    assert "volume_name is default-digits-deploy for mnist, digits, iris: " in run.failures_of("iris")
    assert not run.failures_of("wine")


def test_a_name_that_somebody_chose_is_refused_by_its_variable(play, unseen):
    run = play("site", serving_release="Bad_Name")
    assert run.rc == 2 and "serving_release is 'Bad_Name': use at most 40 lower case letters" in run.failures


# What it is called in Kubernetes, by hand: sha256sum gives the hashes.
ODD = "Bert \"v2\" it's 欺诈 \\ " + 150 * "x"
MODELS = [
    ("fraud_detection", {}, "fraud-detection-deploy-83089932c4", "latest"),
    ("odd", {"model_name": ODD, "serving_version_policy": "pinned"}, "bert--v2--it-s", "pinned"),
]


@pytest.mark.parametrize(("host", "variables", "release", "policy"), MODELS, ids=[model[0] for model in MODELS], scope="class")
class TestModel:
    def test_site(self, world, play, host, variables, release, policy):
        name = variables.get("model_name", host)
        world.base = world.nas / "serving" / "model" / name
        good(play("site", hosts={host: variables}))
        assert (world.versions(), world.serving(name)) == ([1], [1, 1])
        (service,) = [name for name in objects(world) if name.endswith("-acs-tensorflow-serving")]
        assert service.startswith(release) and len(service) <= 63
        assert {name.removeprefix("default-").startswith(release) for name in objects(world)} == {True}

    def test_again_and_what_it_is_called_is_said(self, world, play, host, variables, release, policy):
        run = unchanged(play("site", hosts={host: variables}))
        assert "release %s" % release in run.text and "volume default-%s" % release in run.text

    def test_another_version_under_the_same_name(self, world, play, host, variables, release, policy):
        name = variables.get("model_name", host)
        good(play("publish", hosts={host: variables}, model_archive=world.archive(2)))
        if policy == "pinned":
            assert (world.serving(name), world.serving(name + "-canary")) == ([1, 1], [2, 2])
            good(play("promote", hosts={host: variables}))
        assert world.serving(name) == [2, 2] and world.record(2)["checked"]

    def test_teardown(self, world, play, host, variables, release, policy):
        good(play("teardown", hosts={host: variables}, model_delete_data=True))
        assert objects(world) == set() and not world.base.exists()
