from __future__ import annotations

import os

from fake_mount import needs_mounts
from nas_folder import ONE, look, sha

from ansible_collections.mlops.tf_serving.plugins.modules import model_publish


def archive(node, data=ONE):
    (node.files / "archive").write_bytes(data)
    return "file://%s" % (node.files / "archive")


def read_only(node):
    """Of each mount since the last call of this: was it read-only?"""
    lines = node.nas.mounts()
    node.nas.log.unlink()
    return [",ro " in line for line in lines]


@needs_mounts
def test_a_look_and_then_a_run(node):
    (node.root / "serving").mkdir()
    source = archive(node)
    look_ = node.run(model_publish, check_mode=True, archive=source)
    assert (look_["changed"], look(node.root), read_only(node)) == (True, {"serving": None}, [True])
    run = node.run(model_publish, archive=source)
    assert (run["changed"], run["versions"], read_only(node)) == (True, [1], [False])
    assert (node.root / "serving/model/mnist/1/saved_model.pb").exists()
    before = look(node.root)
    look_, run = node.run(model_publish, check_mode=True, archive=source), node.run(model_publish, archive=source)
    assert look(node.root) == before
    for answer in (look_, run):
        del answer["duration"]
        answer.pop("invocation", None)  # before 2.21
    assert look_ == run
    assert run["changed"] is False
    assert os.listdir(str(node.files / "tmp")) == [], "the mount point goes with the mount"


@needs_mounts
def test_absent(node):
    node.run(model_publish, archive=archive(node))
    read_only(node)
    answers = [node.run(model_publish, state="absent", check_mode=check_mode)["changed"] for check_mode in (True, False, False)]
    assert (answers, read_only(node)) == ([True, True, False], [True, False, False])
    assert not (node.root / "serving/model/mnist").exists()


@needs_mounts
def test_all_options(node):
    answer = node.run(
        model_publish, archive="/on/the/controller", archive_copy=archive(node)[7:], checksum="sha256:" + sha(ONE), version=7,
        newest=True, reinstate=True, max_size=100000, timeout=60, mount_timeout=9, nas_options="nolock",
    )
    assert (answer["version"], answer["source"], answer["verified"]) == (7, "/on/the/controller", True)
    assert "nolock,retry=0,soft,timeo=90," in node.nas.mounts()[0]


@needs_mounts
def test_a_failure_is_for_people_and_for_programs(node):
    answer = node.run(model_publish, archive=archive(node, b"<html>404</html>"))
    assert (answer["failed"], answer["failure"]["code"]) == (True, "not_an_archive")
    assert answer["msg"] == answer["failure"]["message"]
    assert look(node.root) == {}


def test_options_are_checked_before_anything_is_mounted(node):
    assert node.run(model_publish, archive="ftp://x")["failure"]["code"] == "archive_invalid"
    assert "archive" in node.run(model_publish)["msg"], "state present needs one"
    assert "version" in node.run(model_publish, archive="/x", version="two")["msg"]
    assert node.nas.mounts() == []


def test_a_node_that_cannot_mount(node, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert node.run(model_publish, archive="/x")["failure"] == {
        "message": "On model_node this is user id 1000, and only root may mount the NAS. Set ansible_become: true (or"
                   " ansible_user: root) for that host.", "code": "node_not_root", "details": {"user": 1000},
    }
    assert node.nas.mounts() == []
