"""The lines that site.yml ends with: the first says what serves, whatever the inventory has."""
from __future__ import annotations

import pytest
from listed_versions import entry, pinned, status

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.six_results import six_results


def found(what, *entries, **published):
    serving = {
        **what, "model_name": "mnist", "reached_at": "10.0.0.1:9090", "deployment": {"image": "x:1", "desired": 3},
        "release": {"name": "mnist-deploy", "revision": 4, "status": "deployed"}}
    return {
        "serving_status": serving, "model_pruned": {}, "check_result": {"message": "Inference error rate: 10.1%"},
        "model_published": {
            "listed": list(entries), "version": 1, "path": "/m/mnist/0001", "verified": True, "message": "", **published},
        "volume_result": {"volume": {"name": "pv", "size": "5Gi", "claim": "pvc"}}, "scaling_result": {"replicas": 2},
        "model": {"nas_server": "nas", "base_path": "/m/mnist/"}, "volume": {"driver": "csi"},
    }


def test_the_six():
    assert six_results(found(status(1, 1), entry(1))) == [
        "1 model    /m/mnist/0001 on nas",
        "2 volume   pv 5Gi csi, bound to pvc",
        "3 release  mnist-deploy revision 4 deployed, x:1",
        "4 address  10.0.0.1:9090",
        "5 check    Inference error rate: 10.1%",
        "6 replicas 2",
    ]


@pytest.mark.parametrize(("facts", "line"), [
    (found(status(1), entry(1), verified=False), "/m/mnist/0001 on nas (unverified: no model_checksum)"),
    # Another one serves than the inventory's archive holds.
    (found(status(2), entry(1), entry(2)), "/m/mnist/2 on nas (from https://x/2.tgz)"),
    (found(status(2), entry(1), entry(2, None, published=None, source=None)),
     "/m/mnist/2 on nas (not published by this collection)"),
    (found(pinned(2), entry(1)), "/m/mnist/2 on nas (not published by this collection)"),
    (found(status(1), entry(1), entry(2, None, "withdrawn"), version=2, path="/m/mnist/.withdrawn/2", message="M."),
     "/m/mnist/1 on nas (from https://x/1.tgz)"),
    (found(status(1), entry(1, None, "withdrawn"), path="/m/mnist/.withdrawn/1", message="M."), "/m/mnist/1 on nas"),
    (found(status(2, 1), entry(1), entry(2)),
     "/m/mnist/0001 and /m/mnist/2 on nas, not the same on every replica (from https://x/2.tgz)"),
    (found(status(None)), "no replica serves a version of mnist"),
    (found({**status(None), "all_asked": False}), "not known, no pod has said what it serves"),
])
def test_the_first_line_says_what_serves(facts, line):
    assert six_results(facts)[0] == "1 model    " + line


def test_what_lies_beside_has_lines_of_its_own():
    lines = six_results(found(pinned(1, 2), entry(1), entry(2, None), version=2))
    assert lines[6:] == ["  beside   Version 2 is the candidate, and never passed its check: playbooks/publish.yml checks it."]


def test_what_was_noted_last_counts():
    facts = found(status(1), entry(1, None))
    assert "never passed" in six_results(facts)[6]
    assert len(six_results({**facts, "model_pruned": {"versions": [entry(1)]}})) == 6
    assert "never passed" in six_results({**facts, "model_pruned": {"skipped": True}})[6]


@pytest.mark.parametrize(("run", "skip", "lines"), [
    (["all"], [], ["pv", "Inference", "2"]), (["check"], [], ["left out", "Inference", "3"]),
    (["all"], ["check"], ["pv", "not checked", "2"]),
    (["volume"], [], ["pv", "not checked", "3"]), (["model", "scaling"], [], ["left out", "not checked", "2"]),
])
def test_steps_that_were_left_out(run, skip, lines):
    shown = six_results(found(status(1), entry(1)), run, skip)
    assert [shown[number].split(None, 2)[2].startswith(line) for number, line in zip((1, 4, 5), lines)] == [True] * 3


def test_nothing_is_there():
    facts = found(status(None))
    facts["serving_status"].update(release=None, deployment=None, reached_at="none")
    shown = six_results({**facts, "volume_result": {}, "check_result": {}, "scaling_result": {"skipped": True}})
    assert [line.split(None, 2)[2] for line in shown[1:]] == ["left out", "none", "none", "not checked", "none"]
