# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which versions every replica has, in which state, and which one it gives to whom: asked of the servers themselves."""
from __future__ import annotations

import concurrent.futures
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.trust import Trust
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.channel import Channel
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.model_status import Version, model_versions
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import GET_MODEL_METADATA, RELOAD_CONFIG, messages
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import pods, port_forward
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.workload import allowed
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.interruption import raised_signals
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import model_config
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.release import LAST_LINES, read_log
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.waiting import waits_for

Options = dict[str, Any]  # of the module serving_versions
Answer = dict[str, Any]  # documented there
Report = dict[str, Any]  # of one replica, documented there
T = TypeVar("T")

POLL = 0.5
CALL = 10  # seconds for a request that only asks
AT_ONCE = 8
# What a server says to a version or label that it does not have.
NOT_THERE = ("not_found", "invalid_argument", "failed_precondition")


class Replica:
    """One model server."""

    def __init__(self, pod: str, channel: Any) -> None:
        self.pod, self.channel = pod, channel

    def status(self, name: str) -> list[Version] | None:
        """The versions ascending, [] where the name is not served; None where a server is too old to tell."""
        versions: list[Version] | None = model_versions(self.channel, name, CALL)
        return versions

    def answers(self, name: str, version: int | None = None, label: str | None = None) -> int | None:
        """The version that answers to this name (and version, or label); None where none does."""
        request = messages().GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = name
        if version is not None:
            request.model_spec.version.value = version
        if label is not None:
            request.model_spec.version_label = label
        try:
            spec = self.channel.ask(GET_MODEL_METADATA, request, "GetModelMetadataResponse", CALL).model_spec
        except Error as error:
            if error.code in NOT_THERE:
                return None
            raise
        return int(spec.version.value) if spec.HasField("version") else version

    def reload(self, config: Any, timeout: float) -> None:
        """Replace the server's models. It answers when a model of a new name is loaded, or never."""
        request = messages().ReloadConfigRequest()
        request.config.CopyFrom(config)
        said = self.channel.ask(RELOAD_CONFIG, request, "ReloadConfigResponse", timeout).status
        if said.error_code:
            raise Error("the server refuses: " + said.error_message, "reload_refused", status=said.error_code)

    def model(self, name: str, candidates: Iterable[int] = (), labels: Iterable[str] = ()) -> dict[str, Any]:
        """What the module returns of one name."""
        versions = self.status(name)
        serves = None if versions == [] else self.answers(name)
        if versions is None:  # 1.4: what answers is there
            known = sorted({*candidates, *([serves] if serves else [])})
            there = [version for version in known if self.answers(name, version) == version]
            versions = [Version(version=version, state="AVAILABLE", error="") for version in there]
            labels = ()  # it would pass over a label and answer with the highest
        found = {label: self.answers(name, label=label) for label in labels} if versions else {}
        return {
            "versions": versions, "serves": serves,
            "labels": {label: version for label, version in found.items() if version is not None},
        }


class Replicas:
    """Context manager; the ready replicas of a release as they are at each look, and one channel to each."""

    def __init__(self, api_client: Any, options: Options) -> None:
        """options: namespace, release, port, and those of trust.Trust."""
        self.api_client, self.namespace, self.release = api_client, options["namespace"], options["release"]
        self.port, self._trust = options["port"], Trust(api_client, options["namespace"], options)
        self._known: dict[str, Replica] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Replicas:
        self._stack.enter_context(raised_signals())
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def look(self) -> pods.Seen | None:
        """pods.Seen with Replica in `ready`; None where the Deployment does not exist."""
        seen = pods.look(self.api_client, self.namespace, self.release)
        return seen and seen._replace(ready=[self._replica(pod, seen.pods[pod]) for pod in seen.ready])

    def _replica(self, pod: str, there: Object) -> Replica:
        if pod not in self._known:
            forward = self._stack.enter_context(port_forward.to_pod(self.api_client, self.namespace, pod, self.port))
            channel = self._stack.enter_context(contextlib.closing(Channel(forward.target, forward, tls=self._trust.of_pod(there))))
            self._known[pod] = Replica(pod, channel)
        return self._known[pod]

    def log(self, pod: str, version: int) -> str:
        """The last line in which the server complains of that version, '' if there is none or it may not be read."""
        text = ""
        with allowed("cluster_unreachable"):
            text = read_log(self.api_client, self.namespace, pod, tailLines=LAST_LINES) or ""
        telling = [
            line for line in text.splitlines()
            if "version: %d}" % version in line and any(word in line for word in ("fail", "cannot", "rror"))
        ]
        return telling[-1].partition("] ")[2] or telling[-1] if telling else ""


def each(function: Callable[[Replica], T], replicas: Sequence[Replica]) -> dict[str, T | Error]:
    """{pod: what function(replica) gives, or its Error}, several replicas at once."""
    def call(replica: Replica) -> T | Error:
        try:
            return function(replica)
        except Error as error:
            return error

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip([replica.pod for replica in replicas], pool.map(call, replicas)))


def why_not(name: str, version: int, versions: Sequence[Version], log_line: str = "") -> str:
    """Why that version is not AVAILABLE, and the way out."""
    entry = next((entry for entry in versions if entry["version"] == version), None)
    said = (entry and entry["error"]) or log_line
    because = ": " + said.rstrip(".") if said else ""
    if entry is None:
        higher = [entry["version"] for entry in versions if entry["state"] == "AVAILABLE" and entry["version"] > version]
        if higher:
            return "it does not know version %d of %s, and serves %d: servers that take the highest version load no lower one" % (
                version, name, max(higher),
            )
        return (
            "it does not know version %d of %s%s: it may see the folder late (NFS remembers one for up to 60 s), may not read it"
            " (file modes, the server's user), or the folder is not in its base path" % (version, name, because)
        )
    if entry["state"] != "END":
        return "version %d of %s is still %s%s" % (version, name, entry["state"], because)
    if said:
        return "version %d of %s is END%s. The server does not try it again: publish what is right under a new number" % (
            version, name, because,
        )
    return "version %d of %s is END: it was unloaded, because a higher one serves or its folder left the base path" % (
        version, name,
    )


def failed(entry: Version) -> bool:
    return entry["state"] == "END" and bool(entry["error"])


def look(options: Options, replicas: Replicas) -> Answer:
    """What every ready replica says now."""
    names = [options["model_name"]]
    if options["canary"]:
        names.append(model_config.canary_name(options["model_name"]))
    candidates = {*options["versions"], *([] if options["expected"] is None else [options["expected"]])}
    seen = replicas.look()
    ready, others = (seen.ready, seen.others) if seen else ([], [])

    def ask(replica: Replica) -> dict[str, Any]:
        models = {name: replica.model(name, candidates, options["labels"]) for name in names}
        return {name: model for name, model in models.items() if model["versions"] or name == names[0]}

    reports = [_report(pod, answer) for pod, answer in each(ask, ready).items()]
    there = [_available(report, names[0]) for report in reports]
    return {
        "deployed": seen is not None,
        "replicas": reports,
        "available": sorted(set.intersection(*there)) if there else [],
        "in_use": sorted(set().union(*(_in_use(report) for report in reports))),
        "problems": ["pod %s: %s" % (r["pod"], r["problem"]) for r in reports if r["problem"]] + ["pod " + o for o in others],
    }


def _report(pod: str, answer: dict[str, Any] | Error) -> Report:
    if isinstance(answer, Error):
        return {"pod": pod, "models": {}, "problem": answer.message}
    return {"pod": pod, "models": answer, "problem": None}


def _known(report: Report, name: str) -> list[Version]:
    versions: list[Version] = report["models"].get(name, {"versions": []})["versions"]
    return versions


def _available(report: Report, name: str) -> set[int]:
    return {entry["version"] for entry in _known(report, name) if entry["state"] == "AVAILABLE"}


def _in_use(report: Report) -> set[int]:
    """What a pruner has to leave alone."""
    used: set[int] = set()
    for name, model in report["models"].items():
        used |= {entry["version"] for entry in _known(report, name) if entry["state"] != "END"}
        used |= set(model["labels"].values())
    return used


def wait(options: Options, replicas: Replicas) -> Answer:
    """look(), once, or until every ready replica has the expected version AVAILABLE; Error with the reason otherwise."""
    end = time.monotonic() + options["timeout"]
    stale = None  # what had failed before we came may be tried again, when its folder has come back
    while True:
        result = look(options, replicas)
        if options["expected"] is None or (result["replicas"] and options["expected"] in result["available"]):
            return result
        failures = _failures(result, options)
        stale = failures if stale is None else stale & failures
        if failures - stale:
            raise _missing(result, options, replicas, "")
        if time.monotonic() >= end:
            raise _missing(result, options, replicas, " after %d s" % options["timeout"])
        waits_for("version %d of %s on every replica" % (options["expected"], options["model_name"]))
        time.sleep(POLL)


def _failures(result: Answer, options: Options) -> set[str]:
    return {
        report["pod"] for report in result["replicas"] for entry in _known(report, options["model_name"])
        if entry["version"] == options["expected"] and failed(entry)
    }


def _missing(result: Answer, options: Options, replicas: Replicas, late: str) -> Error:
    """The Error that says for each replica without the expected version why."""
    version, name = options["expected"], options["model_name"]
    sentences = []
    for report in result["replicas"]:
        if version not in _available(report, name):
            sentences.append("pod %s: %s" % (
                report["pod"],
                report["problem"] or why_not(name, version, _known(report, name), replicas.log(report["pod"], version)),
            ))
    if not result["replicas"]:
        sentences = ["no replica of release %s in namespace %s is ready: %s" % (
            options["release"], options["namespace"],
            pods.several(result["problems"]) or ("it has no pod" if result["deployed"] else "it has no Deployment"),
        )]
    return Error(
        "Version %d of %s is not available on every replica%s: %s." % (version, name, late, pods.several(sentences)),
        "version_not_available", version=version, replicas=result["replicas"],
    )
