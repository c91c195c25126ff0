"""What a run would change, of one model: what the roles' looks find, in words."""
from __future__ import annotations

import datetime
import json

import pytest
import yaml
from cluster_objects import CHART, CHECKS, CLAIM, CORE, DEPLOYMENT, MODEL_CONFIG, RECORD, claim, deployment, install, record, service
from fake_api import LATER

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import history
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import helm_chart, volume
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import plan, snapshot, table
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.model_config import Model, resting, to_text
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.settle import settle

GIVEN = {
    "model_archive": "http://h/mnist.tar.gz", "model_node": "nas-node", "model_nas_server": "nas", "check_dataset": "http://h/mnist/",
    "gpu": False,
}
VOLUME = "/api/v1/persistentvolumes/default-mnist-deploy"
UP_TO_DATE = {"changed": False, "version": 1, "versions": [1], "listed": []}


def entry(version, **other):
    return {
        "version": version, "state": "live", "size": 9, "published": "t", "checked": "t", "problem": "", "chosen": None, **other}


def published(*listed):
    return {**UP_TO_DATE, "versions": [one["version"] for one in listed if one["state"] == "live"], "listed": list(listed)}


def wanted(**given):
    return settle("mnist", {**GIVEN, **given}, hosts=["nas-node"])


@pytest.fixture
def deployed(api):
    """Just what is wanted."""
    install(api)
    settings = wanted()
    api.objects.pop(RECORD)
    api.add(RECORD, **record(values=settings["serving"]["chart_values"]))
    bound = volume.manifest({**settings["volume"], "claim_namespace": "default", "state": "present"})
    bound["spec"]["claimRef"]["uid"] = api.objects[CLAIM]["metadata"]["uid"]
    api.add(VOLUME, **bound, status={"phase": "Bound"})
    return api


def row(api, *published, **given):
    """published: what was answered of the NAS, by default that there is nothing to do."""
    snapshot.remember(api.client)
    found = plan.row(api.client, "mnist", wanted(**given), helm_chart.read(CHART), *(published or [UP_TO_DATE]))
    assert not api.writes
    return found


def test_nothing_to_do(deployed):
    found = row(deployed)
    assert (found.release, found.namespace, found.action, found.changes, found.sick) == ("mnist-deploy", "default", "none", [], "")
    assert found.due and found.known["model_published"] == UP_TO_DATE
    assert found.known["serving_status"] == {"stable": None, "canary": None, "address": ""}
    assert found.known["scaling_result"]["replicas"] == 1
    assert found.known["volume_result"]["volume"]["name"] == "default-mnist-deploy"


def test_where_it_is_asked(deployed):
    deployed.objects.pop(CORE + "services/mnist-deploy-acs-tensorflow-serving")
    deployed.add(CORE + "services/mnist-deploy-acs-tensorflow-serving", **service("LoadBalancer", {"ip": "203.0.113.10"}))
    assert row(deployed).known["serving_status"]["address"] == "203.0.113.10:9090"


def test_what_changes_is_not_asked_beforehand(deployed):
    found = row(deployed, scaling_replicas=3)
    assert (found.due, found.known) == (False, {})


def test_a_version_that_never_passed(deployed):
    assert row(deployed, published(entry(1), entry(2, checked=None))).changes == ["version 2 never passed its check"]
    assert row(deployed, published(entry(1, checked=None), entry(2))).changes == []  # it does not serve
    assert row(deployed, published(entry(1), entry(2, checked=None, published=None))).changes == []  # where none could be noted


def test_versions_that_go(deployed):
    many = published(*(entry(version) for version in range(1, 6)))
    assert row(deployed, many).changes == ["delete version 1 and 2 (model_keep is 3)"]
    assert row(deployed, many, model_keep=0).changes == row(deployed, many, model_keep=5).changes == []


def test_versions_that_are_in_use_stay(deployed):
    deployed.add(MODEL_CONFIG, data={"models.config": to_text(resting(1), Model("mnist", "/serving/model/mnist"))})
    changes = row(deployed, published(entry(1), entry(2)), model_keep=1, serving_version_policy="pinned", serving_version="2.15").changes
    assert not [change for change in changes if change.startswith("delete")]


def test_it_is_not_there_yet(api):
    found = row(api, {"changed": True, "version": 3})
    assert (found.action, found.changes) == (plan.CREATE, ["publish version 3", "volume default-mnist-deploy", "release"])


@pytest.mark.parametrize(("given", "changes"), [
    ({"scaling_replicas": 3}, ["replicas 1 -> 3"]), ({"scaling_replicas": None}, []),
    ({"serving_image": "tf:2.15"}, ["image registry.cn-hangzhou...-serving:1.4.0-devel -> tf:2.15", "maxConnectionAgeSeconds none -> 30"]),
    ({"volume_mount_options": ["hard"]}, ["volume mountOptions ['nolock', 'tcp', 'n...svport', 'vers=4.0'] -> ['hard', 'vers=4.0']"]),
])
def test_other_variables(deployed, given, changes):
    found = row(deployed, **given)
    assert (found.action, found.changes) == (plan.CHANGE if changes else plan.NONE, changes)


def test_many_values(deployed):
    found = row(deployed, serving_service_annotations={"a%d" % number: "b" for number in range(6)})
    assert len(found.changes) == 5 and found.changes[-1] == "2 more values" and found.changes[0] == "serviceAnnotations.a0 none -> b"


@pytest.mark.parametrize(("answer", "changes"), [
    ({"changed": True, "version": 2}, ["publish version 2"]), ({"changed": True, "version": None}, ["publish mnist.tar.gz"]),
    ({**UP_TO_DATE, "needs": ["tidying"]}, ["publish version 1"]), (None, []),
])
def test_the_nas(deployed, answer, changes):
    assert row(deployed, answer).changes == changes


def test_a_nas_that_does_not_answer(deployed):
    found = row(deployed, {"failed": True, "msg": "No answer.", "failure": {"code": "nas_unreachable"}})
    assert (found.action, found.changes) == (plan.WRONG, ["No answer."])


def test_a_label_of_the_volume(deployed):
    deployed.change(VOLUME, metadata={"labels": {"model": "other"}})
    assert row(deployed).changes == ["volume labels.model other -> mnist"]


def test_a_hand_edit(deployed):
    made = deployment()["spec"]
    manifest = yaml.safe_dump({"kind": "Deployment", "metadata": {"name": "mnist-deploy-serving"}, "spec": made})
    packed = record(values=wanted()["serving"]["chart_values"], manifest=manifest)
    deployed.objects.pop(RECORD)
    deployed.add(RECORD, **packed)
    assert row(deployed).action == plan.NONE
    container = {**made["template"]["spec"]["containers"][0], "image": "busybox"}
    deployed.change(DEPLOYMENT, spec={"template": {"spec": {"containers": [container]}}})
    assert row(deployed).changes == ["edited by hand: image"]


def test_what_helm_would_do(deployed):
    deployed.objects.pop(RECORD)
    deployed.add(RECORD, **record(status="pending-upgrade"))
    assert row(deployed).changes == ["release was interrupted"]


def test_every_reason_of_helm_has_words():
    from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import preflight

    chart = helm_chart.read(CHART)
    assert {"chart_" + part for part in chart} | {"not_deployed", "objects_missing"} == set(plan.BECAUSE)
    assert preflight.NOTHING["upgrade_because"] == ["no_release"]


def test_the_policy(deployed):
    assert "which version is pinned" in row(deployed, serving_version_policy="pinned", serving_version="2.15").changes
    deployed.add(MODEL_CONFIG, data={"models.config": to_text(resting(1), Model("mnist", "/serving/model/mnist"))})
    assert row(deployed).changes == ["no version is pinned any more"]


def test_what_would_fail(deployed):
    deployed.objects.pop(CLAIM)
    deployed.add(CLAIM, **claim("9Gi"))
    found = row(deployed)
    assert found.action == plan.WRONG and "PersistentVolumeClaim cannot be changed" in found.changes[0]


@pytest.mark.parametrize(("ready", "sick"), [(2, ""), (1, "1 of 2 ready")])
def test_readiness_is_no_change(deployed, ready, sick):
    deployed.objects.pop(DEPLOYMENT)
    deployed.add(DEPLOYMENT, **deployment(replicas=2, ready=ready))
    found = row(deployed, scaling_replicas=2)
    assert (found.action, found.sick) == (plan.NONE, sick)


def last_result(deployed, **other):
    result = {
        "version": 1, "at": "2026-11-25T12:00:00Z", "passed": True, "message": "Too wrong.", "error_rate": 90.0, "interval": None,
        "agreement": None, "of": "error_rate", "wrong": 9, "answered": 10, "tests": 10, "dataset": "d", "signature": "s", "golden": None,
        "latency_ms": None, "rate": None, "bits": None, **other,
    }
    deployed.add(CHECKS, data={history.KEY: json.dumps([result])})


@pytest.mark.parametrize(("passed", "sick"), [(True, ""), (False, "the last check failed (2026-11-25T12:00:00Z): Too wrong.")])
def test_the_last_check(deployed, passed, sick):
    last_result(deployed, passed=passed)
    assert row(deployed).sick == sick


def ago(**time):
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(("result", "due"), [
    ({"at": ago(hours=23)}, False), ({"at": ago(hours=25)}, True), ({"at": ago(hours=1), "passed": False}, True),
    ({"at": ago(hours=1), "version": 2}, True), ({"at": ago(hours=-1)}, True), ({"at": "yesterday"}, True), (None, True),
])
def test_when_a_check_is_due(deployed, result, due):
    if result:
        last_result(deployed, **result)
    assert row(deployed, check_max_age="24h").due is due
    assert row(deployed).due and row(deployed, check_max_age="0").due


NONE, CHANGE, WRONG = plan.Row("none"), plan.Row("change", action=plan.CHANGE), plan.Row("wrong", action=plan.WRONG)
DUE = plan.Row("due", due=True)


@pytest.mark.parametrize(("limit", "tags", "run", "ask"), [
    ("", ["all"], ["change", "wrong"], ["due"]),
    ("none", ["all"], ["none", "change", "wrong"], ["due"]),
    ("models:!due,none", ["all"], ["none", "change", "wrong"], ["due"]),
    ("n*", ["all"], ["change", "wrong"], ["due"]),
    ("", ["check"], ["change", "wrong"], ["none", "due"]),
    ("", ["serving", "check"], ["none", "change", "wrong", "due"], []),
])
def test_who_goes_through_the_roles(limit, tags, run, ask):
    assert plan.chosen([NONE, CHANGE, WRONG, DUE], limit, tags) == (run, ask)


def test_what_is_being_removed(deployed):
    deployed.change(VOLUME, metadata=LATER)
    assert row(deployed).action == plan.WRONG


def test_unmanaged():
    def made(namespace, release, chart="acs-tensorflow-serving"):
        labels = {"app.kubernetes.io/name": chart, "app.kubernetes.io/instance": release}
        return {"metadata": {"namespace": namespace, "labels": labels}}

    rows = [plan.Row("mnist", "mnist-deploy", "default")]
    found = [made("default", "mnist-deploy"), made("models", "mnist-deploy"), made("default", "old"), made("default", "x", "nginx"),
             made("default", "of-another"), {"metadata": {"namespace": "default"}}]
    assert plan.unmanaged(found, rows, {("default", "of-another")}) == ["default/old", "models/mnist-deploy"]


def test_a_table_of_all():
    rows = [
        plan.Row("b", action=plan.NONE), plan.Row("sick", sick="1 of 2 ready"), plan.Row("new", action=plan.CREATE, changes=["release"]),
        plan.Row("c", action=plan.CHANGE, changes=["image a -> b", "replicas 1 -> 2"], sick="1 of 2 ready"),
        plan.Row("bad", action=plan.WRONG, changes=["2 variables are wrong:\n- " + "x" * 200]),
    ]
    lines = table.table(rows, ["default/old"])
    assert lines == [
        "x bad   2 variables are wrong: - " + "x" * (120 - 33 - 3) + "...",
        "+ new   create: release",
        "~ c     change: image a -> b, replicas 1 -> 2",
        "! c     sick: 1 of 2 ready",
        "! sick  sick: 1 of 2 ready",
        "- b     none",
        "? default/old  unmanaged: no model of this inventory",
        "5 models: 1 to create, 1 to change, 1 wrong, 2 unchanged, 2 sick, 1 unmanaged",
    ]
    assert table.table([plan.Row("mnist")], []) == ["- mnist  none", "1 model: 1 unchanged"]
    assert table.table(rows, [], with_unchanged=False) == [*lines[:5], "5 models: 1 to create, 1 to change, 1 wrong, 2 unchanged, 2 sick"]
    assert table.table([plan.Row("mnist", due=True)], [], with_unchanged=False) == ["1 model: 1 unchanged, 1 to check"]


def test_no_service_of_its_own_is_missing(deployed):
    deployed.objects.pop(CORE + "services/mnist-deploy-acs-tensorflow-serving")
    assert row(deployed).changes == ["objects of the release are missing"]
    deployed.add(CORE + "services/mnist-deploy-acs-tensorflow-serving", **service())
    assert row(deployed).changes == []
