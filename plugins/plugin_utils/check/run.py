# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inference check: ask model servers for tests whose answers are known, measure, judge.

Every ready replica of a release is asked, and the address of its Service. What the numbers mean is said in verdict.
"""
from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import dataset, history, verdict
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.address import dialled
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.at_once import Progress, each
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.measurement import Measured, measured
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.options import look_around, settled, validate
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.questions import Options, Questions
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.quiet import Quiet
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.recording import record
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.server import Server
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.trust import Trust, secret_of
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import pods, port_forward

SERVERS_AT_ONCE = 8

Sentence = Callable[[str], None]
Writer = Callable[[str, Measured, "dict[str, Any]"], str]


class CheckFailed(Error):
    """The check came to a verdict, and it is no. `result` is all that was measured."""

    def __init__(self, message: str, code: str, result: dict[str, Any]):
        super().__init__(message, code)
        self.result = result


def check(
    options: Options, connect: Callable[[], Any], warn: Sentence, write: Writer, check_mode: bool = False,
    show: Sentence = lambda line: None, folder: str | None = None,
) -> dict[str, Any]:
    """Ask every ready replica of a release and its Service's address. options: those of the module inference_check.

    connect() gives the Kubernetes ApiClient; it is called only where a release is given.
    warn() takes a sentence, show() a line for those who wait. write() writes the report where one is wanted, and gives its path.
    folder: of temporary files that all checks of this run have in common, None where there are no others.
    """
    options = settled(options)
    validate(options)
    look_around(options)
    if check_mode:  # a version that would have been published by now is not there: what answers will do
        options = dict(options, expected_version=None)
    tests = dataset.load(options["dataset"], options["tests"], options["dataset_checksum"], options["dataset_timeout"])
    questions = Questions(options, tests)
    api_client = connect() if options["release"] else None
    with contextlib.ExitStack() as stack:
        servers, secret = [], None
        trust = Trust(api_client, options["namespace"], options)
        if options["release"]:
            seen = pods.ready_replicas(api_client, options["namespace"], options["release"])
            if seen is None:
                return _no_deployment(options, check_mode)
            servers += _replicas(api_client, seen, trust, options, stack, warn)
            secret = secret_of(seen.pods[seen.ready[0]])
        for remark in questions.remarks:
            show(remark)
        if options["address"] and (questions.expected or not servers):
            target = dialled(options["address"], options["port"])
            host = target.rpartition(":")[0]
            tls = trust.of_address(host, secret) if options["tls"] else None
            servers.append(Server("address " + options["address"], options, target, tls=tls))
        if not questions.expected:  # one trusted server is enough
            servers = servers[:1]
        servers[0].records = bool(options["record"])
        for server in servers:
            stack.enter_context(contextlib.closing(server))
        alone = _ask(servers, questions, show, folder)
        if not questions.expected:
            return record(questions, servers[0], check_mode)
        answer = _judged(options, measured(questions, servers, alone), api_client, warn, check_mode, write)
        return {**answer, **_recorded_too(questions, servers[0], answer, warn, check_mode)} if options["record"] else answer


def _recorded_too(
    questions: Questions, server: Server, answer: dict[str, Any], warn: Sentence, check_mode: bool
) -> dict[str, Any]:
    """What is to be added where the answers, which labels have judged, are recorded for later checks."""
    try:
        recorded = record(questions, server, check_mode)
    except Error as error:  # the verdict stands, as below
        warn(error.message)
        return {}
    return {**recorded, "message": answer["message"], "summary": answer["summary"] + recorded["summary"]}


def _replicas(
    api_client: Any, seen: pods.Seen, trust: Trust, options: Options, stack: contextlib.ExitStack, warn: Sentence,
) -> list[Server]:
    """A Server for each ready pod of the release."""
    for sentence in seen.others:
        warn("%s; it is not asked." % sentence)
    servers = []
    for pod in seen.ready:
        forward = stack.enter_context(port_forward.to_pod(api_client, options["namespace"], pod, options["port"]))
        tls = trust.of_pod(seen.pods[pod])
        servers.append(Server("pod " + pod, options, forward.target, pod=pod, forward=forward, tls=tls))
    return servers


def _no_deployment(options: Options, check_mode: bool) -> dict[str, Any]:
    message = "The release %s has no Deployment in namespace %s" % (options["release"], options["namespace"])
    if check_mode:
        return {"skipped": True, "msg": message + " yet: nothing to ask."}
    raise Error(message + ": deploy it first, or correct check_release and check_namespace.", "deployment_missing")


def _ask(servers: Sequence[Server], questions: Questions, show: Sentence, folder: str | None) -> bool:
    """Have every server asked all of the dataset, several servers at once. Whether no other check asked while they were timed."""
    expected = questions.options["expected_version"]
    progress = Progress(show, lambda: "waiting for %s" % ("an answer" if expected is None else "version %d" % expected))
    each(lambda server: server.meet(questions), servers, SERVERS_AT_ONCE, progress)
    asked = [server for server in servers if server.plan]
    quiet = Quiet(folder, progress.look)
    progress.text = lambda: "waiting for another check, which measures the latency"
    with quiet.asking():
        progress.text = _counter(asked, questions.tests)
        each(lambda server: server.answer(questions), asked, SERVERS_AT_ONCE, progress)
    if not questions.expected:
        return True
    # Only now, and one server after the other, for this controller's own work counts in.
    progress.text = lambda: "timing one request after the other"
    with quiet.alone() if questions.options["max_latency_ms"] else quiet.asking() as alone:
        each(lambda server: server.time(questions), asked, 1, progress)
    each(lambda server: server.look(), servers, SERVERS_AT_ONCE, progress)
    return alone


def _counter(servers: Sequence[Server], tests: int) -> Callable[[], str]:
    """A function that says how far they are."""
    start = time.monotonic()

    def text() -> str:
        done = sum(server.done for server in servers)
        return "%d of %d tests, %.0f per second" % (done, tests * len(servers), done / (time.monotonic() - start))

    return text


def _judged(
    options: Options, result: Measured, api_client: Any, warn: Sentence, check_mode: bool, write: Writer
) -> dict[str, Any]:
    """What the task answers, or CheckFailed with it. The result is kept and the report written either way."""
    previous = stable = kept = None
    if options["release"]:
        kept = history.read(api_client, options["namespace"], options["release"], warn)
        previous, stable = kept.before(result), kept.of(options["stable_version"], result)
    findings = verdict.judge(options, result, previous, stable)
    for sentence in findings["warnings"]:
        warn(sentence)
    if kept and not check_mode:
        kept.add(result, findings)
    if options["report"] and not check_mode:
        findings["report"] = _reported(options["report"], result, findings, warn, write)
    answer = verdict.result(result, findings)
    if not findings["passed"]:
        raise CheckFailed(findings["failure"], findings["code"], answer)
    return answer


def _reported(path: str, result: Measured, findings: dict[str, Any], warn: Sentence, write: Writer) -> str | None:
    """The path of the report, None where it could not be written."""
    try:
        return write(path, result, findings)
    except Error as error:  # the verdict stands: no version is taken back for a full disk
        warn(error.message)
        return None
