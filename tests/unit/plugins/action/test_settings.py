"""One task that looks at all variables."""
from __future__ import annotations

import types

from run_action import run_action

from ansible_collections.mlops.tf_serving.plugins.action import settings

COMPLETE = {
    "model_archive": "http://h/mnist.tar.gz", "model_node": "nas-node", "model_nas_server": "nas", "check_dataset": "http://h/mnist/",
}


def run(sections=None, required=None, hosts=None, records=None, **given):
    hosts = {"nas-node": {}, "mnist": {}, "cifar": {}, **(hosts or {})}
    return run_action(
        settings, task_vars={"hostvars": hosts, "ansible_play_hosts_all": ["mnist", "cifar"], **given}, sections=sections,
        required=required, records=records,
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


def test_what_is_written_into_a_jobs_container_is_gone_after_it(monkeypatch):
    given = {**COMPLETE, "check_report": "/nowhere/reports/", "check_golden": "/nowhere/mnist.npz"}
    assert "warnings" not in run(**given)
    monkeypatch.setenv("JOB_ID", "12")
    (warning,) = run(**given)["warnings"]
    assert warning.startswith("check_report is /nowhere/reports/, which is in this job's container and gone when the job ends: name a")
    assert ["check_golden is /nowhere/mnist.npz" in text for text in run(**given, check_record=True)["warnings"]] == [False, True]
    assert "check_golden" in run(sections=["check"], records=True, check_dataset="/d", check_golden="/nowhere/mnist.npz")["warnings"][0]
    assert "warnings" not in run(sections=["model"], **given)


def test_one_report_for_several_models():
    def report(path, other):
        hosts = {"mnist": {"check_report": path}, "cifar": {"check_report": other}}
        return run(hosts=hosts, **COMPLETE, check_report=path)

    assert report("/srv/r.html", "/srv/r.html")["msg"].startswith("check_report is /srv/r.html for mnist, cifar: each would write over")
    assert "settings" in report("/srv/r.html", "/srv/other.html")
    assert "settings" in report("/srv/r/", "/srv/r/")
    assert "settings" in run(sections=["model"], **COMPLETE, check_report="/srv/r.html")


def test_one_golden_file_for_several_models():
    def record(own, other, **more):
        return run(sections=["check"], hosts={"cifar": {"check_golden": other}}, **COMPLETE, check_golden=own, **more)

    found = record("/srv/g.npz", "/srv/g.npz ", records=True)
    assert found["msg"].startswith("check_golden is /srv/g.npz for mnist, cifar:")
    assert "settings" in record("/srv/g.npz", "/srv/c.npz", records=True)
    assert "settings" in record("/srv/g.npz", "/srv/g.npz")


class Launched(dict):
    """The hosts, with what was answered at launch."""

    def __init__(self, **answers):
        super().__init__({"nas-node": {}, "mnist": {}, "cifar": answers})
        self._variable_manager = types.SimpleNamespace(_extra_vars=answers)


def test_one_archive_for_several_models():
    answers = {**COMPLETE, "model_archive": "http://h/2.tar.gz"}

    def launched(required=None):
        return run_action(settings, task_vars={
            "hostvars": Launched(**answers), "ansible_play_hosts_all": ["mnist", "cifar"], **answers}, required=required)

    assert launched()["msg"].startswith("model_archive is http://h/2.tar.gz for mnist, cifar: it was given at launch")
    assert "settings" in launched(required=[]), "a rollback or a teardown asks for no archive"
    assert "settings" in run(hosts={"cifar": COMPLETE}, **COMPLETE), "the inventory's own"


def test_two_models_that_would_be_one():
    found = run(hosts={"cifar": {**COMPLETE, "model_name": "digits"}}, **COMPLETE, model_name="digits")
    assert [problem["variable"] for problem in found["failure"]["details"]["problems"]] == ["serving_release", "model_base_path"]
    assert "serving_release is digits-deploy for mnist, cifar: in namespace default they would be one release" in found["msg"]
    found = run(hosts={"cifar": {"serving_namespace": "a", "serving_release": "b-c"}}, **COMPLETE,
                serving_namespace="a-b", serving_release="c")
    assert found["msg"].startswith("volume_name is a-b-c for mnist, cifar: a PersistentVolume has no namespace")
    assert "settings" in run(hosts={"cifar": {"model_name": "digits"}}, required=[], **COMPLETE, model_name="digits")
    elsewhere = {"cifar": {"model_nas_server": "other", "model_base_path": "/m"}}
    assert "settings" in run(hosts=elsewhere, **COMPLETE, model_base_path="/m")


def test_names_that_follow_are_shown():
    found = run(**COMPLETE, model_name="Fraud_detection")["settings"]
    release = found["serving"]["release"]
    assert release.startswith("fraud-detection-deploy-")
    assert found["serving"]["names"]["service"] == release + "-acs-tensorflow-serving"
    assert found["volume"]["name"] == "default-" + release
    assert found["model"]["name"] == found["serving"]["model_name"] == found["check"]["served_name"] == "Fraud_detection"
    assert found["model"]["base_path"] == found["serving"]["mount_path"] == "/serving/model/Fraud_detection"


def test_what_signs_a_url_is_not_shown():
    urls = {"model_archive": "https://h/x.tar.gz?sig=secret", "check_dataset": {"x": "https://me:secret@h/x.csv"}}
    found = run(**{**COMPLETE, **urls})["settings"]
    assert (found["model"]["archive"], found["check"]["dataset"]) == ("https://h/x.tar.gz?...", {"x": "https://h/x.csv"})
    found = run(**{**COMPLETE, **urls, "model_keep": "https://h?sig=secret"})
    assert found["msg"].startswith("model_keep is 'https://h?...': ")
