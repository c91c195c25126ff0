"""The looks of many models with one mount of each export."""
from __future__ import annotations

import json
import os

import pytest
from fake_mount import needs_mounts
from nas_folder import ONE, look, sha
from run_module import run_module

from ansible_collections.mlops.tf_serving.plugins.modules import model_publish, model_publish_plan

NAS = {"nas_server": "nas", "nas_export": "/serving"}


@pytest.fixture
def source(node):
    (node.files / "archive").write_bytes(ONE)
    (node.root / "serving").mkdir()
    return "file://%s" % (node.files / "archive")


def plan(node, **models):
    return run_module(model_publish_plan, node.files / "tmp", models=[{"name": name, **options} for name, options in models.items()])


def of(source, name, **more):
    return {**NAS, "archive": source, "base_path": "/serving/model/" + name, **more}


@needs_mounts
def test_what_is_there_and_what_is_not(node, source):
    node.run(model_publish, archive=source)
    node.nas.log.unlink()
    before = look(node.root)
    answer = plan(node, mnist=of(source, "mnist"), other=of(source, "other"), damaged=of(source, "mnist", checksum="sha256:" + "0" * 64))
    assert not answer["changed"] and set(answer["models"]) == {"mnist", "other", "damaged"}
    mnist, other, damaged = (answer["models"][name] for name in ("mnist", "other", "damaged"))
    assert (mnist["changed"], mnist["version"], mnist["versions"], mnist["verified"]) == (False, 1, [1], True)
    assert "tree" not in mnist and other["changed"]
    assert damaged["failed"] and damaged["failure"]["code"] == "checksum_mismatch" and sha(ONE)[:8] in damaged["msg"]
    assert [",ro " in line for line in node.nas.mounts()] == [True], "one mount, which cannot write"
    assert look(node.root) == before and os.listdir(str(node.files / "tmp")) == []


@needs_mounts
def test_an_export_that_cannot_be_mounted_beside_one_that_can(node, source):
    answer = plan(node, good=of(source, "good"), bad={**of(source, "bad"), "nas_export": "/breaks", "base_path": "/breaks/bad"},
                  wrong={**of(source, "wrong"), "base_path": "relative"})
    assert answer["models"]["good"]["changed"]
    assert answer["models"]["bad"]["failure"]["code"] == "mount_failed"
    assert answer["models"]["wrong"]["failure"]["code"] == "path_invalid"


@needs_mounts
def test_many_at_once(node, source):
    answer = plan(node, **{"m%d" % number: of(source, "m%d" % number) for number in range(100)})
    assert all(one["changed"] for one in answer["models"].values()) and len(answer["models"]) == 100
    assert len(node.nas.mounts()) == 1


def test_not_root(node, source, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert plan(node, mnist=of(source, "mnist"))["failure"]["code"] == "node_not_root"


@needs_mounts
def test_a_signed_url_travels_by_itself(node, source):
    answer = run_module(
        model_publish_plan, node.files / "tmp", models=[{"name": "mnist", **of("http://127.0.0.1:9/x?...", "mnist")}],
        archive_urls={"mnist": source})
    assert answer["models"]["mnist"]["changed"]
    assert source not in json.dumps(answer)


@needs_mounts
def test_no_output_of_the_module_has_the_whole_url(node):
    url = "http://127.0.0.1:9/x?sig=open-sesame"
    answer = node.run(model_publish, archive="http://127.0.0.1:9/x?...", archive_url=url)
    assert answer["failed"] and "http://127.0.0.1:9/x?...: " in answer["msg"] and "open-sesame" not in json.dumps(answer)
