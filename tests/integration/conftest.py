"""Runs the playbooks as a controller would: ansible-runner, a project without .git, K8S_AUTH_* and no kubeconfig.

The lab has to be up (`make lab`). What the playbooks did is seen with other eyes: the `openshift` package's
dynamic client, and the directory that the lab's NAS exports.

Files run beside each other (`make integration`: two workers), so each has a Lane of its own: a namespace, and a folder on the NAS.
"""
from __future__ import annotations

import base64
import contextlib
import copy
import dataclasses
import fcntl
import functools
import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import ansible_runner
import pytest
import yaml
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config
from openshift.dynamic import DynamicClient
from openshift.dynamic.exceptions import NotFoundError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

from tf_lab import settings  # noqa: E402

WEB = "http://%s/" % settings.WEB_IP
V1, V2 = WEB + "mnist-export.tar.gz", WEB + "mnist-export-2.tar.gz"
# A server of today, whose pods go quickly and which gives up soon; everything else as shipped.
HOST = {
    "serving_image": "localhost/tensorflow-serving:2.15.1", "serving_drain": 1, "serving_service_type": "ClusterIP",
    "serving_args": ["--load_retry_interval_micros=1000000", "--max_num_load_retries=1"],
}
PINNED = {**HOST, "serving_version_policy": "pinned"}
WRECKED = {"model_archive": WEB + "mnist-wrecked.tar.gz", "model_version": 3}
CONTROLLER = "tf-serving-controller"  # the ServiceAccount whose token the playbooks get
LANES = settings.EXPORT / "lanes"


class Lane:
    """Where the tests of one file are alone: `namespace`, and the base paths below `base`. SHIPPED is what the inventory says."""

    def __init__(self, name):
        self.namespace = "lane-" + name if name else "default"
        self.base = LANES / name if name else settings.EXPORT / "serving" / "model"  # as this machine sees it
        self.export = "/lanes/" + name if name else "/serving"  # as the node mounts it

    @property
    def variables(self):
        """Of the group `models`, beside those of the inventory."""
        if self is SHIPPED:
            return {}
        return {
            "serving_namespace": self.namespace, "model_nas_export": self.export,
            "model_base_path": self.export + "/{{ model_name | default(inventory_hostname) }}",
        }

    def volume(self, release):
        """Name of the release's PersistentVolume."""
        return "%s-%s" % (self.namespace, release)

    def has(self, item):
        """Is this object (plain data) in the lane? In the shipped one is what is in no other."""
        meta = item["metadata"]
        claim = (item.get("spec") or {}).get("claimRef") or {}
        namespace = meta["name"] if item["kind"] == "Namespace" else meta.get("namespace") or claim.get("namespace") or ""
        return namespace == self.namespace or (self is SHIPPED and not namespace.startswith("lane-"))

    def files(self):
        """What lies on the NAS in this lane."""
        if self is not SHIPPED:
            return self.base.rglob("*")
        return (path for path in settings.EXPORT.rglob("*") if path != LANES and LANES not in path.parents)


SHIPPED = Lane("")


@contextlib.contextmanager
def alone(what):
    """One process at a time is in here with this."""
    with open(settings.STATE / ("test-%s.lock" % what), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclasses.dataclass
class Run:
    """One finished playbook run."""

    rc: int
    stdout: str
    stats: dict
    events: list
    differences: list = dataclasses.field(default_factory=list)  # what World found, for the test to keep

    @property
    def changed(self):
        return sum(self.stats.get("changed", {}).values())

    @property
    def failures(self):
        """What the failed tasks said, task name included."""
        return self.failures_of(None)

    def failures_of(self, host):
        return "\n".join(
            "%s: %s" % (event["event_data"].get("task"), event["event_data"]["res"].get("msg"))
            for event in self.events
            if event["event"] in ("runner_on_failed", "runner_on_unreachable")
            and not event["event_data"].get("ignore_errors")
            and host in (None, event["event_data"]["host"])
        )

    def failures_by(self, host):
        """The failures themselves, {code, message, details}, of the tasks that were not rescued later."""
        results = (
            event["event_data"]["res"] for event in self.events
            if event["event"] == "runner_on_failed" and not event["event_data"].get("ignore_errors")
            and event["event_data"]["host"] == host
        )
        return [
            (result.get("invocation") or {}).get("measured", {}).get("failure") or result.get("failure", {"code": None})
            for result in results]

    @property
    def warnings(self):
        return "\n".join(
            str(warning) for event in self.events if event["event"].startswith("runner_on_")
            for warning in event["event_data"].get("res", {}).get("warnings") or ())

    def changes(self):
        return [
            event["event_data"]["task"]
            for event in self.events
            if event["event"] == "runner_on_ok" and event["event_data"]["res"].get("changed")
        ]


class Controller:
    """A project folder, collections and credentials, laid out as AWX does. Runs playbooks on models in its `lane`."""

    lane = SHIPPED

    def __init__(self, folder, api):
        self.folder = folder
        self.project = folder / "project"
        files = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout.split("\0")
        for name in filter(None, files):
            if (ROOT / name).is_file():
                (self.project / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.project / name)
        self.collections = folder / "requirements_collections"
        subprocess.run(
            [_tool("ansible-galaxy"), "collection", "install", "-r", "collections/requirements.yml", "--offline",
             "-p", str(self.collections)],
            cwd=self.project, check=True, capture_output=True,
        )
        self.environment = {**_credential(api, folder), **{
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            "ANSIBLE_UNSAFE_WRITES": "1",
            "ANSIBLE_NOCOLOR": "1",
            "PATH": "%s:%s:%s" % (settings.BIN, Path(sys.executable).parent, os.environ["PATH"]),
            "HOME": str(folder),
        }}
        self.numbers = itertools.count(1)

    def on(self, lane):
        """The same in another lane."""
        other = copy.copy(self)
        other.lane = lane
        return other

    @functools.cached_property
    def exported(self):
        """The lab's inventory. Once for all runs: it takes more than a second."""
        return json.loads(subprocess.run(
            [_tool("ansible-inventory"), "-i", "inventories/lab", "--list", "--export"],
            cwd=self.project, check=True, capture_output=True, text=True,
        ).stdout)

    def inventory(self, hosts):
        """The lab's inventory with other hosts in `models`, exported the way a controller stores it."""
        exported = copy.deepcopy(self.exported)
        exported["models"]["hosts"] = sorted(hosts)
        exported["models"].setdefault("vars", {}).update(self.lane.variables)
        exported["_meta"]["hostvars"].pop("mnist", None)
        exported["_meta"]["hostvars"].update(hosts)
        return exported

    def prepare(self, hosts, extra):
        private = self.folder / ("run%d" % next(self.numbers))
        (private / "inventory").mkdir(parents=True)
        (private / "env").mkdir()
        script = private / "inventory" / "hosts"
        script.write_text("#!%s\nprint(%r)\n" % (sys.executable, json.dumps(self.inventory(hosts))))
        script.chmod(0o700)
        (private / "env" / "extravars").write_text(json.dumps(extra))
        return private

    def run(self, playbook="site.yml", hosts=None, cmdline="", **extra):
        private = self.prepare({"mnist": {}} if hosts is None else hosts, extra)
        runner = ansible_runner.run(
            private_data_dir=str(private), project_dir=str(self.project), playbook=playbook, cmdline=cmdline or None,
            envvars=self.environment, quiet=True, settings={"suppress_env_files": True, "idle_timeout": 600},
        )
        run = Run(runner.rc, runner.stdout.read(), runner.stats or {}, list(runner.events))
        print(run.stdout)
        return run

    @contextlib.contextmanager
    def doomed(self, playbook="site.yml", hosts=None, cmdline="", **extra):
        """Start a run; kill all of it (a PID namespace of its own) with SIGKILL at the end of the block."""
        private = self.prepare({"mnist": {}} if hosts is None else hosts, extra)
        command = [
            "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", _tool("ansible-playbook"),
            "-i", str(private / "inventory" / "hosts"), "-e", "@%s" % (private / "env" / "extravars"), playbook,
        ] + cmdline.split()
        with open(private / "stdout", "wb") as output:
            process = subprocess.Popen(
                command, cwd=self.project, env={**os.environ, **self.environment}, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )
        try:
            yield process
        finally:
            assert process.poll() is None, "it ended before the kill:\n" + (private / "stdout").read_text()
            process.kill()
            process.wait()


def _tool(name):
    return str(Path(sys.executable).parent / name)


def _credential(api, folder):
    """AWX's "OpenShift or Kubernetes API Bearer Token" for a ServiceAccount with just the documented rights."""
    for document in yaml.safe_load((ROOT / "docs" / "rights.yml").read_text())["items"]:
        resource = api.dynamic.resources.get(api_version=document["apiVersion"], kind=document["kind"])
        document["metadata"].setdefault("namespace", "default")
        if document["kind"] == "RoleBinding":  # lanes are made by the playbooks, so that it has to count in all of them
            document["kind"] = "ClusterRoleBinding"
            resource = api.dynamic.resources.get(api_version=document["apiVersion"], kind=document["kind"])
        api.dynamic.apply(resource, body=document, namespace=document["metadata"]["namespace"])
    token = api.core.create_namespaced_service_account_token(
        CONTROLLER, "default",
        kubernetes_client.AuthenticationV1TokenRequest(
            spec=kubernetes_client.V1TokenRequestSpec(expiration_seconds=4 * 3600, audiences=[])
        ),
    ).status.token
    cluster = yaml.safe_load(settings.KUBECONFIG.read_text())["clusters"][0]["cluster"]
    authority = folder / "ca.crt"
    if "certificate-authority-data" in cluster:
        authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    else:
        shutil.copy(cluster["certificate-authority"], authority)
    return {
        "K8S_AUTH_HOST": cluster["server"], "K8S_AUTH_API_KEY": token, "K8S_AUTH_VERIFY_SSL": "True",
        "K8S_AUTH_SSL_CA_CERT": str(authority),
    }


class Api:
    """Another eye on the cluster: the lab's own admin, through the `openshift` package. Where no namespace is said, `lane` counts."""

    lane = SHIPPED

    KINDS = (
        ("v1", "PersistentVolume"), ("v1", "PersistentVolumeClaim"), ("v1", "Service"), ("v1", "ConfigMap"),
        ("v1", "Secret"), ("apps/v1", "Deployment"), ("policy/v1", "PodDisruptionBudget"), ("v1", "Namespace"),
    )

    def __init__(self):
        configuration = kubernetes_client.Configuration()
        kubernetes_config.load_kube_config(str(settings.KUBECONFIG), client_configuration=configuration)
        connection = kubernetes_client.ApiClient(configuration)
        self.dynamic = DynamicClient(connection)
        self.core = kubernetes_client.CoreV1Api(connection)
        self.apps = kubernetes_client.AppsV1Api(connection)

    def on(self, lane):
        other = copy.copy(self)
        other.lane = lane
        return other

    def snapshot(self):
        """Every object of the lane that a playbook could touch: what was asked of it, not its status."""
        objects = {}
        for version, kind in self.KINDS:
            for item in self.dynamic.resources.get(api_version=version, kind=kind).get().items:
                plain = item.to_dict()
                meta = plain["metadata"]
                if self.lane.has({"kind": kind, **plain}):
                    objects["%s %s/%s" % (kind, meta.get("namespace", ""), meta["name"])] = json.dumps(
                        [meta["uid"], meta.get("deletionTimestamp"), meta.get("labels"),
                         {k: v for k, v in plain.items() if k not in ("metadata", "status")}],
                        sort_keys=True, default=str,
                    )
        return objects

    def get(self, version, kind, name, namespace=None):
        try:
            return self.dynamic.resources.get(api_version=version, kind=kind).get(name=name, namespace=namespace)
        except NotFoundError:
            return None

    def object(self, version, kind, name):
        """In the lane's namespace."""
        return self.get(version, kind, name, self.lane.namespace)

    def deployment(self, name="mnist-deploy-serving"):
        return self.object("apps/v1", "Deployment", name)

    def config_map(self, name):
        return self.object("v1", "ConfigMap", name)

    def pods(self, release, namespace=None):
        return self.core.list_namespaced_pod(
            namespace or self.lane.namespace, label_selector="app.kubernetes.io/instance=" + release).items

    def gpus(self, count):
        """Let the lab's node say that it has GPUs, as a device plugin would."""
        value = str(count) if count else None
        self.core.patch_node_status(settings.NODE_NAME, {
            "status": {"capacity": {"nvidia.com/gpu": value}, "allocatable": {"nvidia.com/gpu": value}}})


def nas_tree(lane):
    """Every file of the lane on the NAS, with its content's digest."""
    return {
        str(path.relative_to(settings.EXPORT)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        for path in sorted(lane.files())
    }


class World:
    """What could be touched in a lane: every object in the cluster and every file on the NAS, as they are now."""

    def __init__(self, api):
        self.api = api
        self.before = self.now()

    def now(self):
        return {**self.api.snapshot(), **nas_tree(self.api.lane)}

    def differences(self, but=()):
        """Names of what has come, gone or changed since; but: not these."""
        now = self.now()
        return sorted(name for name in {*now, *self.before} - set(but) if now.get(name, "-") != self.before.get(name, "-"))


def eventually(condition, seconds=60, pause=0.05):
    """The first true value of condition(), polled; AssertionError when the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(pause)
    raise AssertionError("not within %s s: %s" % (seconds, condition))


def unchanged(run):
    assert run.rc == 0, run.failures
    assert run.changes() == []
    return run


class Watch(threading.Thread):
    """Calls look() all the time and keeps what it says, until the end of the block; an error in it is the block's error."""

    def __init__(self, look, pause):
        super().__init__(daemon=True)
        self.look, self.pause = look, pause
        self.found, self.looks, self.error, self.over = [], 0, None, threading.Event()

    def run(self):
        try:
            while not self.over.wait(self.pause):
                self.found += self.look()
                self.looks += 1
        except BaseException as error:
            self.error = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.over.set()
        self.join()
        if self.error:
            raise self.error
        assert self.looks > 20, "it looked %d times only" % self.looks


@pytest.fixture(scope="session")
def cluster():
    return Api()


@pytest.fixture(scope="session")
def project(tmp_path_factory, cluster):
    with alone("rights"):
        return Controller(tmp_path_factory.mktemp("controller"), cluster)


@pytest.fixture(scope="module")
def api(request, cluster):
    return cluster.on(request.module.LANE)


@pytest.fixture(scope="module")
def controller(request, project):
    return project.on(request.module.LANE)


@pytest.fixture
def play(controller):
    def run(playbook, host, cmdline="", **extra):
        return controller.run(
            "playbooks/%s.yml" % playbook, hosts={"mnist": {**host, **extra}}, cmdline="-e gpu=false " + cmdline)
    return run


@pytest.fixture
def status_tells(play, api):
    import served  # needs what the lab has built

    def tell(host, *words):
        """Status says these words, and of every pod what that pod says itself when it is asked directly."""
        run = play("status", host)
        assert run.rc == 0 and run.changed == 0, run.failures
        said = " ".join(run.stdout.split())  # long lines are folded
        missing = [word for word in words if word not in said]
        assert not missing, missing
        told = {}
        for line in run.stdout.splitlines():
            columns = re.split(r"  +", re.sub(r"^[ '-]+", "", line).rstrip("'"))
            if len(columns) == 9 and columns[0].startswith("mnist-deploy-serving-"):
                told[columns[0]] = (columns[6], columns[7].partition(",")[0])
        pods = served.ready(api)  # one that is going may have a row as well
        assert {pod.metadata.name: told.get(pod.metadata.name) for pod in pods} == {pod.metadata.name: (
            ",".join(map(str, sorted({*served.loaded(pod), *served.loaded(pod, "mnist-canary")}))) or "-",
            str(served.serves(pod) or "nothing"),
        ) for pod in pods}
        return run
    return tell


@pytest.fixture
def no_gpus(api):
    """For a test that counts on there being none, or that makes one: GPUs are the node's, so every lane's."""
    with alone("gpus"):
        api.gpus(0)
        yield
        api.gpus(0)


def pytest_collection_modifyitems(items):
    """The longest files first, so that no worker is left with one of them at the end."""
    first = ["test_life_latest", "test_site", "test_life_pinned", "test_kill", "test_version_kills"]
    items.sort(key=lambda item: first.index(item.path.stem) if item.path.stem in first else len(first))
