from __future__ import annotations

import pytest
from fake_mount import needs_mounts
from nas_folder import ONE, TWO, look

from ansible_collections.mlops.tf_serving.plugins.modules import model_publish, model_versions


@pytest.fixture()
def two(node):
    for name, data in (("one", ONE), ("two", TWO)):
        (node.files / name).write_bytes(data)
        assert node.run(model_publish, archive="file://%s" % (node.files / name))["changed"]
    node.nas.log.unlink()
    return node


def states(answer):
    return {entry["version"]: entry["state"] for entry in answer["versions"]}


@needs_mounts
@pytest.mark.parametrize(("options", "check_mode"), [
    ({}, False), ({"in_use": [1]}, False), ({"withdraw": [2], "reason": "bad"}, True), ({"keep": 1}, True),
    ({"checked": [1]}, True),
])
def test_who_only_looks_mounts_read_only(two, options, check_mode):
    before = look(two.root)
    answer = two.run(model_versions, check_mode=check_mode, **options)
    assert answer["changed"] is check_mode
    assert look(two.root) == before
    assert [",ro " in line for line in two.nas.mounts()] == [True]


@needs_mounts
@pytest.mark.parametrize(("options", "after"), [
    ({"withdraw": [2], "reason": "bad"}, {1: "live", 2: "withdrawn"}), ({"keep": 1}, {1: "pruned", 2: "live"}),
    ({"keep": 1, "in_use": [1]}, {1: "live", 2: "live"}), ({"checked": [1]}, {1: "live", 2: "live"}),
])
def test_what_was_predicted_is_done(two, options, after):
    predicted, done = (two.run(model_versions, check_mode=check_mode, **options) for check_mode in (True, False))
    assert states(predicted) == states(done) == after
    assert predicted["diff"] == done["diff"]
    assert (predicted["withdrawn"], predicted["pruned"]) == (done["withdrawn"], done["pruned"])
    assert [",ro " in line for line in two.nas.mounts()] == [True, False]
    assert two.run(model_versions, **options)["changed"] is False


@needs_mounts
def test_a_failure(two):
    answer = two.run(model_versions, withdraw=[1, 2])
    assert (answer["failed"], answer["failure"]["code"]) == (True, "only_version")


def test_options(node):
    assert node.run(model_versions, withdraw=[0])["failure"]["code"] == "version_invalid"
    assert "keep" in node.run(model_versions, keep="all")["msg"]
    assert node.nas.mounts() == []
