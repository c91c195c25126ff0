"""The task as a worker of ansible-playbook runs it: pods and an address that answer, the cluster's API, files."""
from __future__ import annotations

import contextlib
import json
import os
import signal
import tempfile
import threading
import time

import fake_cluster
import idx_files
import numpy
import pytest
from ansible import constants
from ansible.parsing.dataloader import DataLoader
from ansible.utils.display import Display
from documented import both
from fake_model_server import ModelServer, brightest, one_hot, serving
from run_action import run_action

from ansible_collections.mlops.tf_serving.plugins.action import inference_check
from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import address, at_once, quiet, run
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import options as _options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import files


def wrong_for(number):
    """A model that is wrong for the first `number` tens of every 100 test images."""
    return lambda images, call, context: one_hot((brightest(images) + (brightest(images) < number)) % 10)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The playbook lies in tmp_path/playbooks, and somebody runs it from elsewhere."""
    for folder in ("playbooks", "elsewhere"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(DataLoader, "get_basedir", lambda loader: str(tmp_path / "playbooks"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(address, "CONNECT_PATIENCE", 0.2)


@pytest.fixture
def ask(tmp_path):
    """ask(server or address, options) -> what the task answers."""
    dataset = idx_files.write(tmp_path)

    def call(server=None, **options):
        with contextlib.ExitStack() as stack:
            if isinstance(server, ModelServer):
                server = stack.enter_context(serving(server))
            if server is not None:
                options["address"] = server
            return run_action(inference_check, **{
                "model_name": "mnist", "dataset": dataset, "tests": 100, "batch_size": 10, **options})
    return call


@pytest.fixture
def cluster(monkeypatch):
    with fake_cluster.running(monkeypatch) as cluster:
        yield cluster


@pytest.fixture
def of_release(ask, cluster):
    """ask() of the release in the cluster."""
    return lambda server=None, **options: ask(server, release="mnist-deploy", **{**cluster.options, **options})


RESULTS = fake_cluster.CORE + "configmaps/mnist-deploy-check"


def kept(cluster):
    """The results in the cluster, newest first."""
    return json.loads(cluster.objects[RESULTS]["data"]["results.json"])


def plain(value):
    """Whether a value is of JSON's own types: what goes from a worker to ansible-playbook has to be."""
    kind = value.__class__  # numpy's float is a float
    if kind is dict:
        return all(key.__class__ is str and plain(entry) for key, entry in value.items())
    return all(map(plain, value)) if kind is list else kind in (str, int, float, bool, type(None))


# --- what it answers ---

def test_every_replica_and_the_address(of_release, cluster):
    for pod in "ab":
        cluster.add_pod(pod, ModelServer())
    answer = of_release(ModelServer(), expected_version=1)
    assert answer["changed"] is False and not {"failed", "warnings", "skipped"} & set(answer)
    assert answer["message"] == "Inference error rate: 0.0%" and answer["version"] == 1
    assert [replica["pod"] for replica in answer["replicas"]] == ["a", "b"] and answer["address"]["state"] == "AVAILABLE"
    assert plain(answer)


def test_a_failed_check_says_all_that_was_measured(ask):
    answer = ask(ModelServer(wrong_for(2)), max_latency_ms={"p99": "5000"})
    assert answer["failed"] is True and answer["msg"].startswith("Inference error rate: 20.0% is over check_max_error_rate (15%)")
    assert answer["failure"]["code"] == "error_rate_exceeded" and answer["failure"]["message"] == answer["msg"]
    assert answer["summary"][0].startswith("Failed: error rate 20.0%") and answer["wrong"] == 20 and answer["confused"]
    assert answer["address"]["latency_ms"] and plain(answer)


def test_classes_of_text_and_golden_answers_are_plain_data_too(ask, tmp_path):
    answer = ask(ModelServer(), record=str(tmp_path / "golden.npz"))
    assert plain(answer) and plain(ask(ModelServer(wrong_for(2)), golden=str(tmp_path / "golden.npz")))


@pytest.mark.parametrize(("options", "says"), [
    ({}, "one of the following is required: release, address"),
    ({"address": "", "release": ""}, "one of the following is required"),
    ({"address": "h", "golden": "/a.npz", "record": "/b.npz"}, "mutually exclusive: golden|record"),
    ({"address": "h", "tests": "many"}, "tests"), ({"address": "h", "tests": 0}, "check_tests is 0: use a whole number from 1"),
    ({"address": "h", "expected_version": 0}, "check_expected_version is 0: use a whole number from 1"),
    ({"address": "h", "stable_version": 0}, "check_stable_version is 0: use a whole number from 1"),
    ({"address": "h", "tls": False, "tls_ca_cert": "/ca.pem"}, "check_tls is false"),
    ({"address": "h", "golden": "/no.npz"}, "with check_record: true, the first check makes it"),
])
def test_wrong_options(ask, options, says):
    answer = ask(**options)
    assert answer["failed"] is True and says in answer["msg"]
    assert answer["failure"]["code"] in ("option_invalid", "golden_missing")


def test_options_are_what_is_documented():
    spec, told = both(inference_check)
    assert spec == told


def test_async_is_refused(ask):
    assert ask("127.0.0.1:1", async_val=60)["failure"]["code"] == "async_unsupported"


def test_the_client_of_kubernetes_is_needed_for_a_release_only(ask, monkeypatch):
    def missing(names):
        raise Error("cannot import " + ", ".join(names), "library_missing")

    monkeypatch.setattr(inference_check, "require", missing)
    assert ask(ModelServer())["error_rate"] == 0.0
    assert ask(release="mnist-deploy")["msg"] == "cannot import kubernetes"
    assert inference_check.ActionModule.NEEDS == ("grpc", "google.protobuf", "numpy")


def test_what_leads_to_the_cluster_are_the_tasks_options(of_release, cluster):
    cluster.add_pod("a", ModelServer())
    assert of_release(api_key="another")["failure"]["code"] == "cluster_unauthorized"
    assert of_release(namespace="other")["failure"]["code"] == "deployment_missing"


# --- pods ---

def test_warnings(of_release, cluster):
    cluster.add_pod("a", ModelServer())
    cluster.add_pod("b", ModelServer(), ready=False)
    answer = of_release("127.0.0.1:1")
    assert answer["warnings"][0] == "b is not ready: loading; it is not asked." and "cannot reach it" in answer["warnings"][1]
    assert len(answer["replicas"]) == 1 and not answer.get("failed")


def test_no_deployment(of_release, cluster):
    del cluster.objects[fake_cluster.DEPLOYMENT]
    assert of_release(check_mode=True) == {
        "changed": False, "skipped": True,
        "msg": "The release mnist-deploy has no Deployment in namespace default yet: nothing to ask.",
    }
    answer = of_release()
    assert answer["failure"]["code"] == "deployment_missing" and "correct check_release and check_namespace" in answer["msg"]


def test_no_replica_that_is_ready(of_release, cluster):
    cluster.add_pod("a", ModelServer(), ready=False)
    assert of_release()["failure"]["code"] == "no_ready_replica"


# --- results of earlier checks ---

def test_the_result_is_kept_and_the_next_one_compared_with_it(of_release, cluster):
    cluster.add_pod("a", ModelServer(wrong_for(1)))
    first = of_release()
    assert first["comparison"] is None and cluster.writes == [("POST", RESULTS.rpartition("/")[0])]
    assert [(result["version"], result["error_rate"]) for result in kept(cluster)] == [(1, 10.0)]
    cluster.servers["a"].scores = wrong_for(0)
    second = of_release()
    assert second["comparison"]["points"] == -10.0 and second["comparison"]["newly_right"] == 10 and plain(second)
    assert cluster.writes[1:] == [("PATCH", RESULTS)] and kept(cluster)[0]["error_rate"] == 0.0


def test_a_failed_check_is_kept_too(of_release, cluster):
    cluster.add_pod("a", ModelServer(wrong_for(5)))
    assert of_release()["failed"] and kept(cluster)[0]["passed"] is False


def test_a_version_is_judged_against_the_stable_one(of_release, cluster):
    cluster.add_pod("a", ModelServer())
    of_release()
    cluster.remove_pod("a")
    cluster.add_pod("b", ModelServer(wrong_for(1), versions=[2]))
    options = {"stable_version": 1, "max_difference": 5}
    answer = of_release(**options)
    assert answer["failure"]["code"] == "worse_than_stable" and answer["difference"]["points"] == 10.0 and plain(answer)
    assert "warnings" not in of_release(**{**options, "max_difference": 15})
    assert "no result is kept of version 7" in of_release(**{**options, "stable_version": 7})["warnings"][0]


def test_results_that_may_not_be_read_are_a_warning(of_release, cluster):
    cluster.add_pod("a", ModelServer())
    cluster.forbidden = {("GET", "configmaps")}
    answer = of_release()
    assert answer["error_rate"] == 0.0 and "configmaps is forbidden" in answer["warnings"][0]


def test_check_mode_asks_and_leaves_nothing_behind(of_release, cluster, drawn, tmp_path):
    cluster.add_pod("a", ModelServer(wrong_for(1)))
    answer = of_release(check_mode=True, expected_version=9, version_timeout=60, report=str(tmp_path / "r.html"))
    assert answer["error_rate"] == 10.0 and answer["report"] is None and answer["version"] == 1
    assert cluster.writes == [] and not (tmp_path / "r.html").exists()
    of_release()
    assert of_release(check_mode=True)["comparison"]["points"] == 0.0, "what is kept is compared with"
    assert len(cluster.writes) == 1


# --- files ---

@pytest.fixture
def drawn(monkeypatch):
    """Reports that need no matplotlib, which the rows of `make matrix` do without."""
    monkeypatch.setattr(_options, "DRAWN_WITH", ())
    monkeypatch.setattr(files, "page", lambda measured, findings, in_folder: findings["message"])


def test_a_report_begins_at_the_playbooks_folder(ask, drawn, tmp_path):
    answer = ask(ModelServer(), report="new/r.html")
    assert answer["report"] == str(tmp_path / "playbooks/new/r.html") and (tmp_path / "playbooks/new/r.html").exists()
    assert answer["summary"][-1] == "Report: " + answer["report"]
    assert ask(ModelServer(), report="all/")["report"] == str(tmp_path / "playbooks/all/mnist.html")
    assert ask(ModelServer(), report="~/home.html")["report"] == str(tmp_path / "home.html")
    assert not os.listdir(tmp_path / "elsewhere")


def test_a_failed_check_has_its_report(ask, drawn, tmp_path):
    answer = ask(ModelServer(wrong_for(5)), report=str(tmp_path / "r.html"))
    assert answer["failed"] and "50.0%" in (tmp_path / "r.html").read_text() and answer["report"] == str(tmp_path / "r.html")


def test_checks_of_the_same_run_know_of_each_other(ask, tmp_path, monkeypatch):
    """Its workers share the folder of temporary files."""
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    monkeypatch.setattr(quiet, "PATIENCE", -1.0)
    with quiet.Quiet(str(tmp_path)).asking():
        answer = ask(ModelServer(), max_latency_ms={"p50": 0.000001})
    assert len(answer["warnings"]) == 1 and "check_max_latency_ms is not judged" in answer["warnings"][0]


def test_answers_are_recorded_and_compared_with(ask, of_release, cluster, tmp_path):
    cluster.add_pod("a", ModelServer())
    cluster.add_pod("b", ModelServer(wrong_for(5)))
    path = tmp_path / "playbooks/new/golden.npz"
    planned = of_release("127.0.0.1:1", record="new/golden.npz", check_mode=True)
    assert planned["changed"] is True and not path.exists()
    answer = of_release("127.0.0.1:1", record="new/golden.npz")
    assert answer == planned and plain(answer), "one replica is asked, and the address is not"
    text = "100 answers of mnist version 1, output scores [10]"
    assert answer == {
        "changed": True, "message": text, "golden": str(path), "version": 1, "tests": 100,
        "diff": {"before": "", "after": text + "\n", "before_header": str(path), "after_header": str(path)},
    }
    assert cluster.writes == [] and len(cluster.servers["a"].requests) == 20 and not cluster.servers["b"].requests
    again = of_release(record=str(path))
    assert again["changed"] is False and again["diff"]["before"] == again["diff"]["after"] == text + "\n"
    other = ask(ModelServer(wrong_for(1)), record="new/golden.npz", check_mode=True)
    assert other["changed"] is True and other["diff"]["before"] == "other answers\n"
    with numpy.load(path) as kept:
        assert kept["answers"].shape == (100, 10) and json.loads(kept["meta"].item())["signature"] == "predict_images"
    judged = ask(ModelServer(wrong_for(1)), golden="new/golden.npz")
    assert judged["failure"]["code"] == "agreement_too_low" and judged["agreement"] == 90.0


def test_a_server_that_does_not_answer_all_is_not_recorded(ask, tmp_path):
    def scores(images, call, context):
        if call == 3:
            raise ValueError("no")
        return one_hot(brightest(images))

    answer = ask(ModelServer(scores), record=str(tmp_path / "golden.npz"))
    assert answer["failure"]["code"] == "requests_failed"
    assert "left 10 of 100 tests without an answer (the first:" in answer["msg"]
    answer = ask("127.0.0.1:1", record=str(tmp_path / "golden.npz"))
    assert answer["failure"]["code"] == "unavailable" and answer["msg"].startswith("Nothing was recorded: address 127.0.0.1:1: ")
    assert not (tmp_path / "golden.npz").exists()


# --- those who wait ---

@pytest.fixture
def shown(monkeypatch):
    lines = []
    monkeypatch.setattr(Display, "display", lambda display, line, *arguments, **options: lines.append(line))
    return lines


def test_a_long_check_shows_how_far_it_is(ask, shown, monkeypatch):
    monkeypatch.setattr(at_once, "EVERY", 0.02)

    def scores(images, call, context):
        time.sleep(0.05)
        return one_hot(brightest(images))

    ask(ModelServer(scores), concurrency=1, task_vars={"inventory_hostname": "digits"})
    counted = [line for line in shown if " of 100 tests, " in line]
    assert len(counted) > 3 and all(line.startswith("digits: ") for line in shown)
    assert [int(line.split()[1]) for line in counted] == sorted(int(line.split()[1]) for line in counted)
    assert counted[-1].split(" of ")[0] in ("digits: %d" % number for number in (80, 90, 100))
    assert shown[-1] == "digits: timing one request after the other"


def test_a_short_check_shows_nothing(ask, shown):
    ask(ModelServer())
    assert shown == [] and at_once.EVERY == 4


@pytest.fixture
def short_folder():
    """For sockets, whose paths must not be long."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        yield folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_and_nothing_stays(of_release, cluster, monkeypatch, short_folder, number):
    """Although a server answers after 30 s only, as long as its deadline."""
    monkeypatch.setattr(tempfile, "tempdir", short_folder)
    asked, over, there = threading.Event(), threading.Event(), []

    def scores(images, call, context):
        asked.set()
        over.wait(30)
        return one_hot(brightest(images))

    def interrupt():
        asked.wait(20)
        there.extend(os.listdir(short_folder))  # the port-forward's
        os.kill(os.getpid(), number)

    cluster.add_pod("a", ModelServer(scores))
    before = signal.getsignal(number)
    start = time.monotonic()
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        of_release(timeout=30)
    assert asked.is_set() and time.monotonic() - start < 30  # the server has not answered yet
    over.set()
    assert there and os.listdir(short_folder) == [] and signal.getsignal(number) is before
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("Thread-") and "work" in thread.name)


def test_channels_and_forwards_are_closed(of_release, cluster, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    closed = []
    monkeypatch.setattr(run.Server, "close", lambda server: closed.append(server.title) or server.channel.close())
    cluster.add_pod("a", ModelServer())
    of_release(ModelServer())
    assert os.listdir(tmp_path / "elsewhere") == [] and closed[0].startswith("address ") and closed[1] == "pod a"
