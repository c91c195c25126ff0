"""Everything that would keep a release from being installed, against an API server and a program that says that it is Helm."""
from __future__ import annotations

import shutil

import pytest
from cluster_objects import (
    CHART,
    CLAIM,
    CORE,
    DEPLOYMENT,
    HELMS,
    MODEL_CONFIG,
    PARAMETERS,
    RECORD,
    SERVICE,
    VALUES,
    chart_in_record,
    claim,
    deployment,
    install,
    pod,
    record,
)
from made_certificates import authority, secret

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.model_config import Model, resting, to_text

TEXT = to_text(resting(1, 2), Model("mnist", "/serving/model/mnist"))


@pytest.fixture
def look(api, tmp_path):
    helm = tmp_path / "helm"
    helm.write_text("#!/bin/sh\necho v3.19.5+gabc\n")
    helm.chmod(0o755)

    def run(values=None, **options):
        return api.run("serving_preflight", **{
            "release": "mnist-deploy", "model_name": "mnist", "values": {**VALUES, **(values or {})}, "chart": str(CHART),
            "binary_path": str(helm), **options,
        })
    return run


@pytest.fixture
def installed(api, look):
    install(api)
    return look


def replace(api, path, thing):
    api.objects.pop(path, None)
    return api.add(path, **thing)


def refused(answer, code):
    assert answer["failed"] and answer["failure"]["code"] == code
    return answer["msg"]


class TestBeforeTheFirstInstall:
    def test_in_a_new_namespace(self, api, look, tmp_path):
        answer = look()
        assert {key: value for key, value in answer.items() if key != "values_diff"} == {
            "changed": False, "release": None, "unlock": False, "upgrade": True, "upgrade_because": ["no_release"], "edited": [],
            "pods": [], "policy": None, "model_config": None, "namespace_exists": False, "gpus": 0, "gpu_nodes": None,
            "chart_values": VALUES,
            "helm": {"path": str(tmp_path / "helm"), "version": "v3.19.5"},
        }
        assert answer["values_diff"][:3] == ["--- values in the release", "+++ values wanted", "@@ -0,0 +1,12 @@"]
        assert '+  "gpuCount": 0,' in answer["values_diff"]
        assert [one.path for one in api.requests] == ["/version", "/api/v1/namespaces/default"]

    def test_in_one_that_is_there(self, api, look):
        api.add("/api/v1/namespaces/default")
        answer = look()
        assert answer["namespace_exists"] and answer["upgrade_because"] == ["no_release"] and not answer["unlock"]

    def test_in_another_namespace(self, api, look):
        api.add("/api/v1/namespaces/models")
        assert look(namespace="models")["namespace_exists"]
        assert all("/namespaces/models" in one.path for one in api.requests[1:])

    def test_an_account_of_one_namespace(self, api, look):
        api.forbidden = {("GET", "namespaces")}
        assert look()["namespace_exists"] is True

    def test_credentials_that_do_not_count(self, api, look):
        assert "401" in refused(look(api_key="other"), "cluster_unauthorized")

    def test_an_api_server_in_trouble(self, api, look):
        api.on = lambda method, path: (500, {"message": "etcd"}) if path.endswith("/namespaces/default") else None
        assert refused(look(), "api_error") == "Could not read namespace default: etcd"


class TestHelm:
    def test_there_is_none(self, api, look):
        assert "/nowhere/helm is not an executable file" in refused(look(binary_path="/nowhere/helm"), "helm_missing")
        assert not api.requests

    def test_not_in_path_either(self, look, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path / "empty"))
        assert "helm is not in PATH" in refused(look(binary_path=None), "helm_missing")

    def test_an_old_one(self, look, tmp_path):
        (tmp_path / "helm").write_text("#!/bin/sh\necho v2.17.0\n")
        refused(look(), "helm_version")

    def test_a_folder_that_is_no_chart(self, look, tmp_path):
        assert "cannot be read as a Helm chart" in refused(look(chart=str(tmp_path)), "chart_unreadable")


class TestUnchanged:
    def test_helm_has_nothing_to_do(self, api, installed):
        answer = installed()
        assert answer["upgrade"] is False and answer["upgrade_because"] == [] and answer["unlock"] is False
        assert answer["values_diff"] == [] and answer["pods"] == ["pod-1"] and answer["policy"] == "latest"
        assert answer["release"] == {
            "name": "mnist-deploy", "revision": 1, "status": "deployed", "chart": "acs-tensorflow-serving-1.2.0",
            "updated": "2026-11-25T11:00:00Z",
        }
        assert not api.writes

    def test_nor_in_check_mode(self, installed):
        assert installed(check_mode=True)["upgrade"] is False

    def test_quantities_that_are_equal(self, api, installed):
        replace(api, CLAIM, claim("5242880Ki"))
        assert installed()["upgrade"] is False

    def test_pods_the_oldest_first(self, api, installed):
        api.add(CORE + "pods/a", **pod(created="2026-11-25T11:30:00Z"))
        assert installed()["pods"] == ["pod-1", "a"]


class TestUpgrade:
    def test_other_values(self, installed):
        answer = installed({"port": 9091})
        assert answer["upgrade"] and answer["upgrade_because"] == ["values"] and answer["unlock"]
        assert answer["values_diff"][:2] == ["--- values in the release", "+++ values wanted"]
        assert [line for line in answer["values_diff"][2:] if line[0] in "-+"] == ["-  }", "+  },", '+  "port": 9091']

    @pytest.mark.parametrize(("change", "words"), [
        ({"metadata": {"name": "acs-tensorflow-serving", "version": "1.0.0"}}, ["chart_version"]),
        ({"metadata": {"name": "other", "version": "1.2.0"}}, ["chart_name"]),
        ({"templates": []}, ["chart_templates"]), ({"values": {}}, ["chart_values"]), ({"schema": ""}, ["chart_schema"]),
        ({"templates": [], "values": {}, "schema": ""}, ["chart_templates", "chart_values", "chart_schema"]),
        ({"templates": [], "metadata": {"name": "acs-tensorflow-serving", "version": "9"}}, ["chart_version", "chart_templates"]),
    ])
    def test_another_chart(self, api, installed, change, words):
        replace(api, RECORD, record(chart={**chart_in_record(), **change}))
        answer = installed()
        assert (answer["upgrade"], answer["upgrade_because"], answer["unlock"]) == (True, words, True)

    def test_another_chart_and_other_values(self, api, installed):
        replace(api, RECORD, record(chart={**chart_in_record(), "templates": []}))
        answer = installed({"port": 9091})
        assert answer["upgrade_because"] == ["values", "chart_templates"] and answer["unlock"]

    def test_a_chart_that_is_worked_on(self, installed, tmp_path):
        folder = shutil.copytree(CHART, tmp_path / "chart")
        assert installed(chart=str(folder))["upgrade"] is False
        (folder / "templates" / "service.tpl").write_text("{}")
        assert installed(chart=str(folder))["upgrade_because"] == ["chart_templates"]

    @pytest.mark.parametrize(("status", "unlock"), [
        ("failed", True), ("pending-install", True), ("uninstalling", True), ("superseded", False), ("uninstalled", False),
    ])
    def test_a_record_that_is_not_deployed(self, api, installed, status, unlock):
        replace(api, RECORD, record(status=status))
        answer = installed()
        assert (answer["upgrade"], answer["upgrade_because"], answer["unlock"]) == (True, ["not_deployed"], unlock)

    @pytest.mark.parametrize("path", [DEPLOYMENT, SERVICE, CLAIM])
    @pytest.mark.parametrize("leaving", [True, False])
    def test_an_object_that_somebody_removed(self, api, installed, path, leaving):
        """Helm compares values with its record only."""
        if leaving:
            api.change(path, metadata={"deletionTimestamp": "2026-11-25T12:00:00Z"})
        else:
            del api.objects[path]
        answer = installed({"port": 9091})
        assert answer["upgrade_because"] == ["objects_missing", "values"] and answer["unlock"]
        assert answer["policy"] == (None if path == DEPLOYMENT else "latest")

    @pytest.mark.parametrize("parameters", [{"monitoring": True}, {"batching": {"max_batch_size": 8}}])
    def test_the_servers_parameters(self, api, installed, parameters):
        answer = installed(parameters)
        assert answer["upgrade_because"] == ["values"] and answer["unlock"], "about to be made"
        replace(api, RECORD, record(values={**VALUES, **parameters}))
        answer = installed(parameters)
        assert answer["upgrade_because"] == ["objects_missing"] and answer["unlock"], "somebody removed it"
        api.add(PARAMETERS, metadata=HELMS)
        assert installed(parameters)["upgrade"] is False
        assert installed()["upgrade_because"] == ["values"], "no more needed"


class TestNames:
    @pytest.mark.parametrize(("kind", "path"), [
        ("Deployment", DEPLOYMENT), ("Service", SERVICE), ("PersistentVolumeClaim", CLAIM), ("ConfigMap", PARAMETERS),
    ])
    @pytest.mark.parametrize(("metadata", "words"), [
        ({"labels": None, "annotations": None}, "Helm did not make it"),
        ({"annotations": {"meta.helm.sh/release-name": "other"}}, "it belongs to release default/other"),
        ({"annotations": {"meta.helm.sh/release-namespace": "models"}}, "it belongs to release models/mnist-deploy"),
        ({"labels": {"app.kubernetes.io/managed-by": "kustomize"}}, "it belongs to release default/mnist-deploy"),
    ])
    def test_taken(self, api, installed, kind, path, metadata, words):
        api.add(PARAMETERS, metadata=HELMS)
        api.change(path, metadata=metadata)
        message = refused(installed({"monitoring": True}), "object_taken")
        name = path.rpartition("/")[2]
        assert "%s %s in namespace default is not release mnist-deploy's (%s): set serving_release" % (kind, name, words) in message

    def test_a_config_map_that_is_not_needed(self, api, installed):
        api.add(PARAMETERS)
        assert "failed" not in installed()
        assert "ConfigMap mnist-deploy-serving" in refused(installed({"batching": {"max_batch_size": 8}}), "object_taken")


class TestClaim:
    def test_another_size(self, api, installed):
        replace(api, CLAIM, claim("6Gi"))
        message = refused(installed(), "claim_immutable")
        assert message.startswith("serving_storage is '5Gi', but the claim mnist-deploy-acs-tensorflow-serving asks for 6Gi: ")
        assert "playbooks/teardown.yml first" in message

    def test_labels_that_it_does_not_select(self, api, installed):
        replace(api, CLAIM, claim(labels={"model": "digits"}))
        message = refused(installed(), "claim_immutable")
        assert "serving_volume_labels is {'model': 'mnist'}, but the claim mnist-deploy-acs-tensorflow-serving selects" in message
        assert "{'model': 'digits'}" in message

    def test_labels_that_are_not_all(self, api, installed):
        replace(api, CLAIM, claim(labels={"model": "mnist", "zone": "a"}))
        refused(installed(), "claim_immutable")

    def test_what_the_chart_says_counts(self, api, installed):
        """Values that are not given are those of the chart."""
        replace(api, CLAIM, claim("6Gi"))
        answer = installed({"persistence": {"pvc": {"matchLabels": {"model": "mnist"}}}})
        assert "serving_storage is '5Gi'" in refused(answer, "claim_immutable")

    def test_one_that_is_being_deleted_counts_no_more(self, api, installed):
        replace(api, CLAIM, claim("6Gi"))
        api.change(CLAIM, metadata={"deletionTimestamp": "2026-11-25T12:00:00Z"})
        assert installed()["upgrade_because"] == ["objects_missing"]


class TestGpu:
    def nodes(self, api, *gpus, **labels):
        for number, count in enumerate(gpus):
            allocatable = {} if count is None else {"nvidia.com/gpu": str(count)}
            api.add("/api/v1/nodes/%d" % number, status={"allocatable": allocatable}, metadata={"labels": labels})

    @pytest.mark.parametrize(("gpus", "count", "words"), [
        ((0, None), 1, "(the most is 0 of 2 nodes)"), ((1, 2, 1), 3, "(the most is 2 of 3 nodes)"),
        ((1,), 2, "(the most is 1 of 1 node)"), ((), 1, "(the most is 0 of 0 nodes)"),
    ])
    def test_no_node_has_so_many(self, api, look, gpus, count, words):
        self.nodes(api, *gpus)
        answer = look({"gpuCount": count})
        message = refused(answer, "gpu_unavailable")
        assert "gpu is true, but no node has %d allocatable nvidia.com/gpu %s: set gpu to false" % (count, words) in message
        assert answer["failure"]["details"] == {"nodes": len(gpus), "most": max([0, *[one or 0 for one in gpus]])}
        answer = look({"gpuCount": count}, gpu_preflight="warn")
        assert "failed" not in answer and answer["warnings"][0].endswith("for the CPU image, unless an autoscaler adds such a node.")
        assert answer["gpu_nodes"] == 0

    def test_one_has(self, api, look):
        self.nodes(api, 0, 2)
        assert "warnings" not in look({"gpuCount": 2}) and "failed" not in look({"gpuCount": 2})
        assert (look({"gpuCount": 2})["gpus"], look({"gpuCount": 2})["gpu_nodes"]) == (2, 1)

    def test_only_nodes_that_the_selector_chooses(self, api, look):
        self.nodes(api, 4, zone="b", kind="gpu")
        assert "failed" not in look({"gpuCount": 1, "nodeSelector": {"zone": "b", "kind": "gpu"}})
        assert api.asked("GET", "/nodes")[0].query == {"labelSelector": "kind=gpu,zone=b"}
        assert "no node with serving_node_selector has" in refused(
            look({"gpuCount": 1, "nodeSelector": {"zone": "a"}}), "gpu_unavailable")

    def test_without_the_right_to_look(self, api, look):
        api.forbidden = {("GET", "nodes")}
        answer = look({"gpuCount": 1})
        assert "this account may not list nodes" in answer["warnings"][0] and "failed" not in answer
        assert (answer["gpus"], answer["gpu_nodes"]) == (1, None)

    def test_nodes_that_cannot_be_read(self, api, look):
        api.on = lambda method, path: (500, {"message": "etcd"}) if path.endswith("/nodes") else None
        assert refused(look({"gpuCount": 1}), "api_error") == "Could not list the nodes: etcd"

    def test_who_wants_none_is_not_asked(self, api, look):
        api.forbidden = {("GET", "nodes")}
        assert "warnings" not in look({"gpuCount": 0})

    def test_by_default_the_chart_wants_one(self, api, look, tmp_path):
        values = {key: value for key, value in VALUES.items() if key != "gpuCount"}
        refused(api.run(
            "serving_preflight", release="mnist-deploy", model_name="mnist", values=values, chart=str(CHART),
            binary_path=str(tmp_path / "helm")), "gpu_unavailable")


class TestModelConfig:
    def test_what_is_pinned(self, api, installed):
        api.add(MODEL_CONFIG, data={"models.config": TEXT})
        assert installed()["model_config"] == {"stable": 1, "canary": 2, "versions": [1], "problem": None}

    def test_one_that_is_not_ours(self, api, installed):
        api.add(MODEL_CONFIG, data={"models.config": "rubbish"})
        answer = installed()
        assert "failed" not in answer and "not what this collection writes" in answer["model_config"]["problem"], "it is not in use"
        message = refused(installed({"modelConfig": {"configMap": "mnist-deploy-model-config"}}), "model_config_foreign")
        assert message == answer["model_config"]["problem"]

    def test_of_another_model(self, api, installed):
        api.add(MODEL_CONFIG, data={"models.config": TEXT})
        assert "'mnist', and serving_model_name is 'digits'" in installed(model_name="digits")["model_config"]["problem"]

    def test_the_policy(self, api, installed):
        made = deployment()
        made["spec"]["template"]["spec"]["volumes"] = [
            {"projected": {"sources": [{"configMap": {"name": "mnist-deploy-model-config"}}]}}]
        replace(api, DEPLOYMENT, made)
        assert installed()["policy"] == "pinned"


# --- TLS ---

def test_another_certificate_is_an_upgrade(api, installed):
    """It is rotated in place, and a server reads it only when it starts."""
    first, wanted = authority().pair("a"), {"tls": {"secret": "mnist-tls"}}
    api.add(CORE + "secrets/mnist-tls", data=secret(first, authority().certificate))
    answer = installed(wanted)
    assert answer["upgrade_because"] == ["values"] and any('"checksum"' in line for line in answer["values_diff"])
    replace(api, RECORD, record(values=answer["chart_values"]))
    assert installed(wanted)["upgrade_because"] == []
    api.change(CORE + "secrets/mnist-tls", data=secret(authority().pair("a", ends=80), authority().certificate))
    again = installed(wanted)
    assert again["upgrade_because"] == ["values"] and again["chart_values"] != answer["chart_values"]


def test_without_tls_the_values_are_as_they_were(installed):
    assert installed()["chart_values"] == VALUES


def test_a_certificate_is_looked_at_before_anything_is_installed(api, look):
    wanted = {"tls": {"secret": "mnist-tls"}}
    assert "Secret mnist-tls in namespace default" in refused(look(wanted), "tls_secret_missing")
    api.add(CORE + "secrets/mnist-tls", data=secret(authority().pair("a", begins=-9, ends=-1)))
    refused(look(wanted), "certificate_out_of_time")
    api.change(CORE + "secrets/mnist-tls", data=secret(authority().pair("a", ends=5)))
    assert "in 4 days" in look(wanted)["warnings"][0]
    assert "serving_tls_client_secret" in refused(look(wanted, tls_client_secret="me"), "tls_secret_missing")
