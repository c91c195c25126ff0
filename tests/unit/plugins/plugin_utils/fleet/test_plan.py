"""What a run would change, of one model: what the roles' looks find, in words."""
from __future__ import annotations

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
UP_TO_DATE = {"changed": False, "version": 1}


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
    assert row(deployed) == plan.Row("mnist", "mnist-deploy", "default")


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


@pytest.mark.parametrize(("published", "changes"), [
    ({"changed": True, "version": 2}, ["publish version 2"]), ({"changed": True, "version": None}, ["publish mnist.tar.gz"]),
    ({"changed": False, "version": 1, "needs": ["tidying"]}, ["publish version 1"]), (None, []),
])
def test_the_nas(deployed, published, changes):
    assert row(deployed, published).changes == changes


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


@pytest.mark.parametrize(("passed", "sick"), [(True, ""), (False, "the last check failed (2026-11-25T12:00:00Z): Too wrong.")])
def test_the_last_check(deployed, passed, sick, monkeypatch):
    result = {
        "version": 1, "at": "2026-11-25T12:00:00Z", "passed": passed, "message": "Too wrong.", "error_rate": 90.0, "interval": None,
        "agreement": None, "of": "error_rate", "wrong": 9, "answered": 10, "tests": 10, "dataset": "d", "signature": "s", "golden": None,
        "latency_ms": None, "rate": None, "bits": None,
    }
    deployed.add(CHECKS, data={history.KEY: json.dumps([result])})
    assert row(deployed).sick == sick


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


def test_no_service_of_its_own_is_missing(deployed):
    deployed.objects.pop(CORE + "services/mnist-deploy-acs-tensorflow-serving")
    assert row(deployed).changes == ["objects of the release are missing"]
    deployed.add(CORE + "services/mnist-deploy-acs-tensorflow-serving", **service())
    assert row(deployed).changes == []
