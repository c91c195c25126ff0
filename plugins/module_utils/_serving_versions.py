# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which versions every replica has, in which state, and which one it gives to whom: asked of the servers themselves."""
from __future__ import annotations

import concurrent.futures
import contextlib
import time

from ansible_collections.mlops.tf_serving.plugins.module_utils import _grpc, _model_config, _port_forward, _replicas
from ansible_collections.mlops.tf_serving.plugins.module_utils._cluster import named, reply
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._names import object_names
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_protos import (
    GET_MODEL_METADATA,
    GET_MODEL_STATUS,
    MODEL_VERSION_STATES,
    RELOAD_CONFIG,
    messages,
)

POLL = 0.5
CALL = 10  # seconds for a request that only asks
AT_ONCE = 8
CONTAINER = "serving"
LOG_LINES = 400
UNREACHABLE = ("unavailable", "deadline_exceeded", "port_forward_failed")
# What a server says to a version or label that it does not have.
NOT_THERE = ("not_found", "invalid_argument", "failed_precondition")


class Replica:
    """One model server."""

    def __init__(self, pod, channel):
        self.pod, self.channel = pod, channel

    def status(self, name):
        """[{version, state, error}] ascending, [] where the name is not served; None where a server is too old to tell."""
        request = messages().GetModelStatusRequest()
        request.model_spec.name = name
        try:
            answer = self.channel.ask(GET_MODEL_STATUS, request, "GetModelStatusResponse", CALL)
        except Error as error:
            if error.code == "unimplemented":
                return None
            if error.code == "not_found":
                return []
            raise
        found = [
            {
                "version": entry.version,
                "state": MODEL_VERSION_STATES.get(entry.state, str(entry.state)),
                "error": entry.status.error_message,
            }
            for entry in answer.model_version_status
        ]
        return sorted(found, key=lambda entry: entry["version"])

    def answers(self, name, version=None, label=None):
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
        return spec.version.value if spec.HasField("version") else version

    def reload(self, config, timeout):
        """Replace the server's models. It answers when a model of a new name is loaded, or never."""
        request = messages().ReloadConfigRequest()
        request.config.CopyFrom(config)
        said = self.channel.ask(RELOAD_CONFIG, request, "ReloadConfigResponse", timeout).status
        if said.error_code:
            raise Error("the server refuses: " + said.error_message, "reload_refused", status=said.error_code)

    def model(self, name, candidates=(), labels=()):
        """What the module returns of one name."""
        versions, serves = self.status(name), None
        if versions != []:
            serves = self.answers(name)
        if versions is None:  # 1.4: what answers is there
            known = sorted({*candidates, *([serves] if serves else [])})
            there = [version for version in known if self.answers(name, version) == version]
            versions = [{"version": version, "state": "AVAILABLE", "error": ""} for version in there]
            labels = ()  # it would pass over a label and answer with the highest
        found = {label: self.answers(name, label=label) for label in labels} if versions else {}
        return {
            "versions": versions, "serves": serves,
            "labels": {label: version for label, version in found.items() if version is not None},
        }


class Replicas:
    """Context manager; the ready replicas of a release as they are at each look, and one channel to each."""

    def __init__(self, api_client, namespace, release, port):
        self.api_client, self.namespace, self.release, self.port = api_client, namespace, release, port
        self._known = {}

    def __enter__(self):
        self._stack = contextlib.ExitStack().__enter__()
        return self

    def __exit__(self, *exception):
        self._stack.close()

    def look(self):
        """_replicas.Seen with Replica in `ready`; None where the Deployment does not exist."""
        seen = _replicas.look(self.api_client, self.namespace, self.release)
        return seen and seen._replace(ready=[self._replica(pod) for pod in seen.ready])

    def _replica(self, pod):
        if pod not in self._known:
            forward = self._stack.enter_context(_port_forward.to_pod(self.api_client, self.namespace, pod, self.port))
            channel = self._stack.enter_context(contextlib.closing(_grpc.Channel(forward.target, forward)))
            self._known[pod] = Replica(pod, channel)
        return self._known[pod]

    def log(self, pod, version):
        """The last line in which the server complains of that version, '' if there is none or it may not be read."""
        path = "/api/v1/namespaces/%s/pods/%s/log" % (self.namespace, pod)
        try:
            text = reply(self.api_client, path, container=CONTAINER, tailLines=LOG_LINES).data.decode(errors="replace")
        except Exception:  # of the client, its TLS or its network: it only helps to explain
            return ""
        telling = [
            line for line in text.splitlines()
            if "version: %d}" % version in line and any(word in line for word in ("fail", "cannot", "rror"))
        ]
        return telling[-1].partition("] ")[2] or telling[-1] if telling else ""


def each(function, replicas):
    """{pod: what function(replica) gives, or its Error}, several replicas at once."""
    def call(replica):
        try:
            return function(replica)
        except Error as error:
            return error

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip([replica.pod for replica in replicas], pool.map(call, replicas)))


def why_not(name, version, versions, log_line=""):
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
    if entry["state"] == "END" and said:
        return "version %d of %s is END%s. The server does not try it again: publish what is right under a new number" % (
            version, name, because,
        )
    if entry["state"] == "END":
        return "version %d of %s is END: it was unloaded, because a higher one serves or its folder left the base path" % (
            version, name,
        )
    return "version %d of %s is still %s%s" % (version, name, entry["state"], because)


def failed(entry):
    return entry["state"] == "END" and bool(entry["error"])


def look(options, replicas):
    """What every ready replica says now."""
    names = [options["model_name"]]
    if options["canary"]:
        names.append(_model_config.canary_name(options["model_name"]))
    candidates = {*options["versions"], *([] if options["expected"] is None else [options["expected"]])}
    seen = replicas.look()
    ready, others = (seen.ready, seen.others) if seen else ([], [])

    def ask(replica):
        models = {name: replica.model(name, candidates, options["labels"]) for name in names}
        return {name: model for name, model in models.items() if model["versions"] or name == names[0]}

    answers = each(ask, ready)
    reports = [
        {"pod": pod, "models": {}, "problem": answer.message} if isinstance(answer, Error)
        else {"pod": pod, "models": answer, "problem": None}
        for pod, answer in answers.items()
    ]
    there = [_available(report, names[0]) for report in reports]
    return {
        "deployed": seen is not None,
        "replicas": reports,
        "available": sorted(set.intersection(*there)) if there else [],
        "in_use": sorted(set().union(*(_in_use(report) for report in reports))),
        "problems": ["pod %s: %s" % (r["pod"], r["problem"]) for r in reports if r["problem"]] + ["pod " + o for o in others],
    }


def _available(report, name):
    model = report["models"].get(name, {"versions": ()})
    return {entry["version"] for entry in model["versions"] if entry["state"] == "AVAILABLE"}


def _in_use(report):
    """What a pruner has to leave alone."""
    return {
        version
        for model in report["models"].values()
        for version in [entry["version"] for entry in model["versions"] if entry["state"] != "END"] + list(model["labels"].values())
    }


def wait(options, replicas):
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
        time.sleep(POLL)


def _failures(result, options):
    return {
        report["pod"] for report in result["replicas"]
        for entry in report["models"].get(options["model_name"], {"versions": ()})["versions"]
        if entry["version"] == options["expected"] and failed(entry)
    }


def _missing(result, options, replicas, late):
    """The Error that says for each replica without the expected version why."""
    version, name = options["expected"], options["model_name"]
    sentences = []
    for report in result["replicas"]:
        if version not in _available(report, name):
            known = report["models"].get(name, {"versions": ()})["versions"]
            sentences.append("pod %s: %s" % (
                report["pod"], report["problem"] or why_not(name, version, known, replicas.log(report["pod"], version))
            ))
    if not result["replicas"]:
        sentences = [
            "no replica of release %s in namespace %s is ready: %s" % (
                options["release"], options["namespace"],
                _replicas.several(result["problems"]) or ("it has no pod" if result["deployed"] else "it has no Deployment"),
            )
        ]
    return Error(
        "Version %d of %s is not available on every replica%s: %s."
        % (version, name, late, _replicas.several(sentences)),
        "version_not_available", version=version, replicas=result["replicas"],
    )


def stored(api_client, namespace, release):
    """The ConfigMap with the model config (plain data), None where there is none."""
    return named(api_client, "api/v1", "configmaps", namespace, object_names(release)["model_config"])


def pinned(api_client, namespace, release, model_name):
    """{stable, canary, versions, problem} of the ConfigMap; None where there is none: servers take the highest version."""
    found = stored(api_client, namespace, release)
    if found is None:
        return None
    try:
        config = _model_config.from_text(_model_config.text_of(found), _model_config.Model(model_name, None))
    except Error as error:
        return {"stable": None, "canary": None, "versions": [], "problem": error.message}
    return {"stable": config.stable, "canary": config.canary, "versions": list(config.versions), "problem": None}
