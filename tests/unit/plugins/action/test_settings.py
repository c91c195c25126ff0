"""One task that looks at all variables."""
from __future__ import annotations

from run_action import run_action

from ansible_collections.mlops.tf_serving.plugins.action import settings

COMPLETE = {
    "model_archive": "http://h/mnist.tar.gz", "model_node": "nas-node", "model_nas_server": "nas", "check_dataset": "http://h/mnist/",
}


def run(sections=None, required=None, hosts=None, **given):
    hosts = {"nas-node": {}, "mnist": {}, **(hosts or {})}
    return run_action(
        settings, task_vars={"hostvars": hosts, "ansible_play_hosts": ["mnist", "cifar"], **given}, sections=sections, required=required,
    )


def test_all_sections():
    found = run(**COMPLETE)
    assert list(found["settings"]) == ["model", "volume", "serving", "scaling", "check"] and found["changed"] is False
    assert found["settings"]["volume"]["server"] == "nas"


def test_some_sections():
    found = run(sections=["scaling"], scaling_replicas="2", check_tests=0)
    assert list(found["settings"]) == ["scaling"] and found["settings"]["scaling"]["replicas"] == 2


def test_what_the_sections_need_has_to_be_there_or_what_is_named():
    found = run(sections=["check"])
    assert found["failed"] and found["msg"].startswith("check_dataset is not set.")
    assert found["failure"]["code"] == "settings_invalid"
    found = run(sections=["model"], required=["model_node"], model_node="gone")
    assert [problem["variable"] for problem in found["failure"]["details"]["problems"]] == ["model_node"]
    assert "settings" in run(sections=["model"], required=["model_node"], model_node="nas-node")
    assert "settings" in run(sections=["model"], required=["model_nas_server"], model_nas_server="nas")


def test_what_has_to_suit_each_other_only_where_all_is_looked_at():
    assert run(**COMPLETE, serving_timeout=10)["msg"].startswith("serving_timeout is 10: a pod alone may take")
    assert "settings" in run(required=[], **COMPLETE, serving_timeout=10)


def test_what_is_misspelt_is_said_with_all_else():
    found = run(**COMPLETE, serving_port="x", check_max_error_rte=3)
    assert found["msg"].splitlines()[0] == "2 variables are wrong:"
    assert [problem["variable"] for problem in found["failure"]["details"]["problems"]] == ["serving_port", "check_max_error_rte"]
    assert run(**COMPLETE, check_max_error_rte=3)["msg"].startswith("check_max_error_rte is no variable of this collection.")


def test_one_report_for_several_models():
    def report(path, other):
        hosts = {"mnist": {"check_report": path}, "cifar": {"check_report": other}}
        return run(hosts=hosts, **COMPLETE, check_report=path)

    found = report("/srv/r.html", "/srv/r.html")
    assert found["msg"] == (
        "check_report is /srv/r.html for mnist, cifar: each would write over the other. Use a folder, whose name ends in /, and each"
        " gets a page of its own in it."
    )
    assert "settings" in report("/srv/r.html", "/srv/other.html")
    assert "settings" in report("/srv/r/", "/srv/r/")
    assert "settings" in run(sections=["model"], **COMPLETE, check_report="/srv/r.html")
