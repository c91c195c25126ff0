"""What models have in common, and must not: who is asked for, and what is said."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.across_hosts import in_common

GOLDEN = {"check": {"golden": "/srv/golden/all.npz", "report": ""}}
ARCHIVE = {"model": {"archive": "https://host/x.tar.gz?Signature=secret", "base_path": "/m"}}


def common(settled, *models, launched=(), records=False, together=False):
    """(what is said, the variables that were compared)"""
    asked = []

    def alike(*variables):
        asked.append(" ".join(variables))
        return list(models)

    return in_common(settled, alike, launched, records, together), asked


def test_one_report():
    said = {"check_report": (
        "check_report is /srv/r.html for mnist, cifar: each would write over the other. Use a folder, whose name ends in /, and"
        " each gets a page of its own in it.")}
    assert common({"check": {"report": "/srv/r.html"}}, "mnist", "cifar") == (said, ["check_report"])
    assert common({"check": {"report": "/srv/r.html"}}, "mnist") == ({}, ["check_report"])
    assert common({"check": {"report": "/srv/r/"}}, "mnist", "cifar") == ({}, [])


@pytest.mark.parametrize("writes", [{"records": True}, {}], ids=["a playbook that records", "check_record"])
def test_one_golden_file(writes):
    settled = GOLDEN if writes else {"check": {**GOLDEN["check"], "record": True}}
    found, dummy = common(settled, "mnist", "cifar", **writes)
    assert found == {"check_golden": (
        "check_golden is /srv/golden/all.npz for mnist, cifar: each would write over the other. Give each a file of its own,"
        " such as check_golden: /srv/golden/{{ inventory_hostname }}.npz")}
    assert common(settled, "mnist", **writes)[0] == {}


def test_a_golden_file_that_is_only_read_may_be_everybodys():
    assert common({"check": {**GOLDEN["check"], "record": False}}, "mnist", "cifar", launched=["check_golden"]) == ({}, [])


def launched(*models, together=True):
    """What is said of the archive."""
    return common(ARCHIVE, *models, launched=["model_archive"], together=together)[0].get("model_archive")


def test_one_archive_from_the_command_line():
    assert launched("mnist", "cifar") == (
        "model_archive is https://host/x.tar.gz?... for mnist, cifar: it was given at launch, and each would get it. Say which one it"
        " is for, such as --limit mnist")
    assert launched("mnist") is None
    assert launched("mnist", "cifar", together=False) is None, "a rollback asks for no archive"
    assert "model_archive" not in common(ARCHIVE, "mnist", "cifar", together=True)[0], "an inventory may say so"


OWN = {
    "serving": {"release": "blue", "namespace": "team-a"}, "volume": {"name": "team-a-blue"},
    "model": {"base_path": "/m", "archive": ""},
}


@pytest.mark.parametrize(("section", "compared", "says"), [
    ("serving", "serving_release serving_namespace serving_kubeconfig serving_context",
     "serving_release is blue for mnist, cifar: in namespace team-a they would be one release, and each would put its model in the"
     " other's place. Give each a model_name, serving_release or serving_namespace of its own."),
    ("volume", "volume_name serving_kubeconfig serving_context",
     "volume_name is team-a-blue for mnist, cifar: a PersistentVolume has no namespace, and each would take the other's. Give each"
     " a volume_name of its own."),
    ("model", "model_base_path model_nas_server",
     "model_base_path is /m for mnist, cifar: the versions of each would lie among the other's. Give each a model_base_path of its"
     " own."),
])
def test_one_thing_of_two_models(section, compared, says):
    settled = {section: OWN[section]}
    assert common(settled, "mnist", "cifar", together=True) == ({compared.split()[0]: says}, [compared])
    assert common(settled, "mnist", together=True) == ({}, [compared])
    assert common(settled, "mnist", "cifar") == ({}, []), "to see or remove it"


@pytest.mark.parametrize(("section", "says"), [
    ("volume", "the volume of each would be for the same claim"), ("scaling", "each would scale the same Deployment"),
    ("check", "the results of each would be kept in the same ConfigMap"),
])
def test_one_section_that_is_of_another_release(section, says):
    settled = {"serving": OWN["serving"], section: {"release": "green", "namespace": "team-a", "name": "v", "golden": "", "report": ""}}
    found, asked = common(settled, "mnist", "cifar", together=True)
    assert says in found[section + "_release"]
    assert "%s_release %s_namespace serving_kubeconfig serving_context" % (section, section) in asked
    assert common(settled, "mnist", together=True)[0] == {}
    settled[section].update(OWN["serving"])
    assert section + "_release" not in common(settled, "mnist", "cifar", together=True)[0], "said of the release"
    del settled["serving"]
    assert section + "_release" not in common(settled, "mnist", "cifar", together=True)[0], "a role that is run alone"


def test_a_volume_that_is_the_releases_is_not_said_again():
    assert list(common(OWN, "mnist", "cifar", together=True)[0]) == ["serving_release", "model_base_path"]


def test_nothing_is_asked_where_nothing_is_set():
    for settled in ({}, {"check": {"golden": "", "report": ""}, "model": {"archive": ""}}):
        assert common(settled, "mnist", "cifar", launched=["model_archive"], records=True) == ({}, [])


def test_a_hundred_models_are_not_listed():
    names = ["m%d" % number for number in range(100)]
    assert "for m0, m1, m2, m3, m4 and 95 more: " in launched(*names)
    assert "for m0, m1, m2, m3, m4: " in launched(*names[:5])
