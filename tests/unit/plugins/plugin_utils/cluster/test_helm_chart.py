"""Is the chart in a folder the one that a release was made of?"""
from __future__ import annotations

import base64
import shutil

import pytest
from cluster_objects import CHART, chart_in_record

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import helm_chart


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(CHART, tmp_path / "chart")


def differences(folder, recorded=None):
    return helm_chart.differences(helm_chart.read(folder), recorded or chart_in_record())


def test_the_roles_own_chart():
    chart = helm_chart.read(CHART)
    assert chart["name"] == "acs-tensorflow-serving" and chart["values"]["gpuCount"] == 1
    assert "templates/deployment.tpl" in chart["templates"] and chart["schema"].startswith(b"{")
    assert differences(CHART) == []


@pytest.mark.parametrize(("file", "before", "after", "words"), [
    ("Chart.yaml", "version: ", "version: 9", ["chart_version"]),
    ("Chart.yaml", "name: ", "name: other-", ["chart_name"]),
    ("Chart.yaml", "type: application", "type: application\nappVersion: '1'", []),
    ("values.yaml", "gpuCount: 1", "gpuCount: 2", ["chart_values"]),
    ("values.yaml", "gpuCount: 1", "# A comment.\ngpuCount: 1", []),
    ("values.schema.json", "{", "{ ", ["chart_schema"]),
    ("templates/service.tpl", "kind: Service", "kind: Service ", ["chart_templates"]),
])
def test_another_content(folder, file, before, after, words):
    text = (folder / file).read_text()
    assert before in text
    (folder / file).write_text(text.replace(before, after, 1))
    assert differences(folder) == words


def test_another_file(folder):
    (folder / "templates" / "tests").mkdir()
    (folder / "templates" / "tests" / "one.yaml").write_text("x")
    assert differences(folder) == ["chart_templates"]
    assert helm_chart.read(folder)["templates"]["templates/tests/one.yaml"] == b"x"
    shutil.rmtree(folder / "templates" / "tests")
    (folder / "templates" / "service.tpl").unlink()
    assert differences(folder) == ["chart_templates"]


@pytest.mark.parametrize("name", [".hidden", ".service.tpl.swp", "service.tpl.swp", ".DS_Store", "service.tpl.orig"])
def test_what_helm_leaves_out(folder, name):
    (folder / "templates" / name).write_text("x")
    assert differences(folder) == []


def test_helmignore(folder):
    (folder / ".helmignore").write_text("# *.tpl\n\n  *.bak  \n!kept.txt\n")
    (folder / "templates" / "x.bak").write_text("x")
    assert differences(folder) == []
    (folder / "templates" / "kept.txt").write_text("x")
    assert differences(folder) == ["chart_templates"]


def test_a_chart_with_nothing_beside_its_name(folder):
    for path in ("values.yaml", "values.schema.json", ".helmignore"):
        (folder / path).unlink()
    shutil.rmtree(folder / "templates")
    assert helm_chart.read(folder) == {
        "name": "acs-tensorflow-serving", "version": "1.2.0", "templates": {}, "values": {}, "schema": b""}
    (folder / "values.yaml").write_text("# nothing\n")
    assert helm_chart.read(folder)["values"] == {}
    recorded = {"metadata": {"name": "acs-tensorflow-serving", "version": "1.2.0"}, "templates": None, "values": None}
    assert differences(folder, recorded) == []


def test_a_record_without_a_chart():
    assert helm_chart.of_record({}) == {"name": None, "version": None, "templates": {}, "values": {}, "schema": b""}
    empty = {"templates": [{"name": "templates/empty", "data": None}], "schema": base64.b64encode(b"{}").decode()}
    assert helm_chart.of_record(empty)["templates"] == {"templates/empty": b""} and helm_chart.of_record(empty)["schema"] == b"{}"


@pytest.mark.parametrize(("file", "text"), [
    ("Chart.yaml", None), ("Chart.yaml", "{"), ("Chart.yaml", "[1]"), ("values.yaml", "\x00"),
])
def test_what_is_no_chart(folder, file, text):
    (folder / file).unlink()
    if text is not None:
        (folder / file).write_text(text)
    with pytest.raises(Error, match="%s cannot be read as a Helm chart: " % folder) as caught:
        helm_chart.read(folder)
    assert caught.value.code == "chart_unreadable"


def test_values_over_values():
    defaults = {"a": 1, "b": {"c": 1, "d": {"e": 1}}, "l": [1], "m": {"x": 1}}
    assert helm_chart.merged(defaults, {"b": {"d": {"f": 2}}, "l": [2], "m": 5, "n": {"y": 1}}) == {
        "a": 1, "b": {"c": 1, "d": {"e": 1, "f": 2}}, "l": [2], "m": 5, "n": {"y": 1}}
    assert defaults["b"]["d"] == {"e": 1}
