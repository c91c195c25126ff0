# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inference check: ask model servers for tests whose answers are known, and measure.

Three things are kept apart: a server that cannot be asked (Error with the reason), a request that failed (counted as
unanswered tests, by gRPC status code, never tried again), and a wrong answer. What the numbers mean is said in _verdict.
"""
from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import datetime
import os
import platform
import re
import socket
import threading
import time
import traceback
import typing

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.mlops.tf_serving.plugins.module_utils import (
    _answers,
    _check_history,
    _check_options,
    _dataset,
    _grpc,
    _plan,
    _port_forward,
    _replicas,
    _requests,
    _serving_protos,
    _verdict,
)
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._grpc import parsed
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_protos import messages

IMPORT_ERROR = _grpc.IMPORT_ERROR
try:
    import numpy
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

METHODS = {
    "predict": (_serving_protos.PREDICT, _requests.predict_reply),
    "classify": (_serving_protos.CLASSIFY, _requests.classify_reply),
    "regress": (_serving_protos.REGRESS, _requests.regress_reply),
}
SINGLE_REQUESTS = 50  # one after the other, for the latency: what many at once take says more of the queue
SINGLE_LEAST, SINGLE_SECONDS = 10, 2  # fewer where a model is slow, for every replica gets them in its turn
GIVE_UP_AFTER = 10  # failed requests of one server: what follows would tell nothing new, and may take a timeout each
SERVERS_AT_ONCE = 8
CONNECT_PATIENCE = 3  # seconds; kube-proxy needs about one to serve a new address
PROGRESS_EVERY = 4  # seconds
NO_ANSWER = ("unavailable", "deadline_exceeded")
READ_AT_ONCE, READ_BYTES = 64, 8 << 20  # replies that are read together


class CheckFailed(Error):
    """The check came to a verdict, and it is no. `result` is all that was measured."""

    def __init__(self, message, code, result):
        super().__init__(message, code)
        self.result = result


def require_libraries(module):
    if IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("grpcio, protobuf and numpy"), exception=IMPORT_ERROR)


def check(options, connect, warn, check_mode=False):
    """Ask every ready replica of a release and its Service's address. options: those of the module inference_check.

    connect() gives the Kubernetes ApiClient; it is called only where a release is given.
    warn() takes a sentence.
    """
    _check_options.validate(options)
    _check_options.look_around(options)
    if not (options["release"] or options["address"]):
        raise Error("Neither a release nor an address is given: there is nobody to ask.", "option_invalid")
    if check_mode:  # a version that would have been published by now is not there: what answers will do
        options = dict(options, expected_version=None)
    api_client = connect() if options["release"] else None
    with contextlib.ExitStack() as stack:
        servers = []
        if options["release"]:
            servers = _replicas_of(api_client, options, stack, warn)
            if servers is None:
                return _no_deployment(options, check_mode)
        dataset = _dataset.load(
            options["dataset"], options["tests"], options["dataset_checksum"], options["dataset_timeout"]
        )
        if options["address"] and not (options["record"] and servers):
            servers.append(Server("address " + options["address"], options, _dialled(options)))
        if options["record"]:  # one trusted server is enough
            servers = servers[:1]
        for server in servers:
            stack.enter_context(contextlib.closing(server))
        run = Run(options, dataset)
        with _progress(options, run, len(servers)):
            run.ask(servers)
        if options["record"]:
            return run.recorded(servers[0], check_mode)
        return _judged(options, run.measured(servers), api_client, warn, check_mode)


def _judged(options, measured, api_client, warn, check_mode):
    """The module's result, or CheckFailed with it. The result is kept and the report written either way."""
    previous = stable = history = None
    if options["release"]:
        history = _check_history.read(api_client, options["namespace"], options["release"], warn)
        previous, stable = history.before(measured), history.of(options["stable_version"])
    findings = _verdict.judge(options, measured, previous, stable)
    for sentence in findings["warnings"]:
        warn(sentence)
    if not check_mode:
        if history:
            history.add(measured, findings)
        if options["report"]:
            from ansible_collections.mlops.tf_serving.plugins.module_utils import _report

            try:
                findings["report"] = _report.write(options["report"], measured, findings)
            except Error as error:  # the verdict stands: no version is taken back for a full disk
                warn(error.message)
    result = _verdict.result(measured, findings)
    if not findings["passed"]:
        raise CheckFailed(findings["failure"], findings["code"], result)
    return result


def _no_deployment(options, check_mode):
    message = "The release %s has no Deployment in namespace %s" % (options["release"], options["namespace"])
    if check_mode:
        return {"skipped": True, "msg": message + " yet: nothing to ask."}
    raise Error(message + ": deploy it first, or correct check_release and check_namespace.", "deployment_missing")


def _replicas_of(api_client, options, stack, warn):
    """A Server for each ready pod of the release, None where there is no Deployment."""
    replicas = _replicas.ready_replicas(api_client, options["namespace"], options["release"])
    if replicas is None:
        return None
    ready, others = replicas
    for sentence in others:
        warn("%s; it is not asked." % sentence)
    servers = []
    for pod in ready:
        forward = stack.enter_context(_port_forward.to_pod(api_client, options["namespace"], pod, options["port"]))
        servers.append(Server("pod " + pod, options, forward.target, pod=pod, forward=forward))
    return servers


def _dialled(options):
    """host:port out of the option address, whose port may be left out."""
    address = options["address"]
    if re.fullmatch(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*", address):  # an IPv6 address as it is
        address = "[%s]" % address
    match = re.fullmatch(r"(\[[^\]]+\]|[^:\[\]/]+)(?::(\d+))?", address)
    if not match or int(match.group(2) or 1) not in range(1, 65536):
        raise Error("check_address is %r: use HOST or HOST:PORT." % options["address"], "address_invalid")
    return "%s:%s" % (match.group(1), match.group(2) or options["port"])


@contextlib.contextmanager
def _progress(options, run, servers):
    """While this runs, a line every few seconds in the file of the option progress, for those who wait."""
    if not options["progress"]:
        yield
        return
    over = threading.Event()
    total = run.tests * servers

    def tell():
        start = time.monotonic()
        while not over.wait(PROGRESS_EVERY):
            with contextlib.suppress(OSError), open(options["progress"], "a", encoding="utf-8") as file:
                file.write("%d of %d tests, %.0f per second\n" % (run.done, total, run.done / (time.monotonic() - start)))

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Run:
    """One dataset, put to several servers; what all of them share."""

    def __init__(self, options, dataset):
        self.options = options
        self.dataset = dataset
        self.tests = dataset.tests
        self.labels = _plan.labels_column(options, dataset)
        self.golden: typing.Any = _answers.read_golden(options, dataset)
        if self.labels is None and self.golden is None and not options["record"]:
            raise Error(
                "The dataset %s has no labels (columns: %s), so there is nothing to compare with: name a column with"
                " check_labels, or record the answers of a trusted version with playbooks/record.yml and set check_golden."
                % (dataset.location, ", ".join(sorted(dataset.columns))), "labels_missing",
            )
        self.expected: typing.Any = None if options["record"] else _answers.Expected(
            None if self.labels is None else dataset.columns[self.labels], self.golden, options["tolerance"]
        )
        self.at = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.numbers = numpy.arange(dataset.tests)
        self.done = 0  # tests that have been answered, or failed
        self._requests = {}
        self._lock = threading.Lock()

    def requests(self, plan, batch, most=None):
        """Serialised once, for servers that want the same (as a rule all of them)."""
        with self._lock:
            if (plan, batch, most) not in self._requests:
                self._requests[plan, batch, most] = _plan.requests(plan, self.dataset, batch, most)
            return self._requests[plan, batch, most]

    def ask(self, servers):
        """Have every server asked all of the dataset, several servers at once."""
        with concurrent.futures.ThreadPoolExecutor(SERVERS_AT_ONCE) as pool:
            list(pool.map(lambda server: server.meet(self), servers))
            asked = [server for server in servers if server.plan]
            list(pool.map(lambda server: server.answer(self), asked))
            if self.options["record"]:
                return
            # Only now, and one server after the other, for this controller's own work counts in.
            for server in asked:
                server.time(self)
            list(pool.map(lambda server: server.look(), servers))

    def recorded(self, server, check_mode):
        """Keep a server's answers as the golden file."""
        if server.problem:
            raise Error("Nothing was recorded: %s: %s." % (server.title, server.problem.message), server.problem.code)
        if server.unanswered:
            raise Error(
                "Nothing was recorded: %s left %d of %d tests without an answer (the first: %s)."
                % (server.title, server.unanswered, self.tests, server.errors[0].message), "requests_failed",
            )
        raw = numpy.concatenate(server.raw)
        version = max(server.versions, default=None)
        meta = {
            "model": self.options["model_name"], "version": version, "signature": server.plan.signature,
            "output": server.plan.output, "dataset": self.dataset.digest, "tests": self.tests, "recorded": self.at,
        }
        path = self.options["record"]
        changed = not _answers.same_golden(path, raw, meta)
        if changed and not check_mode:
            _answers.write_golden(path, raw, meta)
        after = "%d answers of %s version %s, output %s %s\n" % (
            self.tests, meta["model"], "unknown" if version is None else version, server.plan.output, list(raw.shape[1:]))
        before = after if not changed else "other answers\n" if os.path.exists(path) else ""
        return {
            "changed": changed, "message": after.rstrip(), "golden": path, "version": version, "tests": self.tests,
            "diff": {"before": before, "after": after, "before_header": path, "after_header": path},
        }

    def measured(self, servers):
        """All that was measured, as plain data: what _verdict, _check_history and _report get."""
        options, plan = self.options, next((server.plan for server in servers if server.plan), None)
        replicas = [server for server in servers if server.pod]
        for server in servers:
            server.counts = not (
                server.problem and not server.pod and replicas and server.problem.code in NO_ANSWER and not server.asked
            )
        return {
            "model": options["model_name"], "release": options["release"], "namespace": options["namespace"],
            "signature": plan.signature if plan else options["signature"], "method": plan.method if plan else None,
            "at": self.at, "tests": self.tests,
            "dataset": {"location": self.dataset.location, "digest": self.dataset.digest},
            "golden": None if self.golden is None else {
                "location": self.golden.location, "version": self.golden.meta.get("version"), "recorded": self.golden.meta.get("recorded"),
                "answers": _plain(self.expected.golden),
            },
            "kind": "classes" if options["tolerance"] is None else "values",
            "expected": None if self.expected.labels is None else _plain(self.expected.labels),
            "pictures": self._pictures(plan),
            "batch_size": plan.batch if plan else options["batch_size"] or 0, "concurrency": options["concurrency"],
            "environment": _grpc.versions() | {"python": platform.python_version(), "numpy": numpy.__version__},
            "servers": [server.measured() for server in servers],
        }

    def _pictures(self, plan):
        """What a person can look at: the column that is sent, if each test of it is a grey or coloured picture."""
        for column in plan.inputs[0].columns if plan and len(plan.inputs) == 1 else ():
            array = self.dataset.columns[column]
            if array.dtype.kind in "uif" and array.ndim in (3, 4) and min(array.shape[1:3]) > 3 and array.shape[3:] in ((), (1,), (3,)):
                return array
        return None


def _plain(array):
    """Classes as a list, values as a list of rows or, where each is one number, of numbers."""
    return _flat(array).tolist()


def _flat(array):
    """Rows of one value each as a row of values."""
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


class Server:
    """One model server, asked over one channel."""

    def __init__(self, title, options, target, pod=None, forward=None):
        self.title = title
        self.options = options
        self.pod = pod
        self.target = target
        tls = _grpc.Tls(options["tls_ca_cert"]) if options["tls"] and pod is None else None
        self.channel = _grpc.Channel(target, forward, _words(options), tls)
        self.plan: typing.Any = None  # a _plan.Plan
        self.problem = None
        self.counts = True
        self.versions = set()
        self.silent = False  # some answers did not say which version gave them
        self.state = None
        self.errors = []
        self.patience = max(GIVE_UP_AFTER, options["max_failed_requests"] + 1)
        self.asked = 0  # requests that were sent
        self.tests = 0
        self.timeline, self.singles, self.raw = [], [], []
        # For each test; None before it was asked, or where there is nothing to compare with.
        self.given: typing.Any = None
        self.score: typing.Any = None
        self.right: typing.Any = None
        self.agrees: typing.Any = None
        self.not_finite = 0
        self.answered = 0

    def close(self):
        self.channel.close()

    def meet(self, run):
        """Find out which version answers and how it wants to be asked; make the requests. Nothing is sent yet."""
        self.tests = run.tests
        try:
            if self.pod is None:
                probe(self.target)
            plan = _plan.plan(self.options, self._signatures(), run.dataset)
            _answers.fits(run.golden, plan)
            run.requests(plan, plan.batch)
            self.plan = plan
        except Error as error:
            self.problem = error

    def answer(self, run):
        """Have all requests answered, `concurrency` of them at a time."""
        if run.expected:
            self.right = None if run.expected.labels is None else numpy.full(run.tests, -1, "i1")
            self.agrees = None if run.expected.golden is None else numpy.full(run.tests, -1, "i1")
        self.given = numpy.full(run.tests, None, object)
        waiting, size = [], 0
        replies = self._replies(run.requests(self.plan, self.plan.batch), self.options["concurrency"])
        with contextlib.closing(replies):
            for request, reply in replies:
                run.done += request.stop - request.start
                waiting.append((request, reply))
                size += len(reply.wire or b"")
                # Many at once take a fifth of the time of one after each wait. The first ones tell whether to go on at all.
                if len(waiting) >= READ_AT_ONCE or size > READ_BYTES or reply.error or len(self.timeline) < GIVE_UP_AFTER:
                    self._take(run, waiting)
                    waiting, size = [], 0
                    if len(self.errors) >= self.patience:
                        break
        self._take(run, waiting)
        self.timeline.sort()

    def _replies(self, requests, at_once):
        """(request, reply) in the order in which they come."""
        method = METHODS[self.plan.method][0]
        replies = self.channel.each(method, [request.wire for request in requests], at_once, self.options["timeout"])
        with contextlib.closing(replies):
            for reply in replies:
                self.asked += 1
                yield requests[reply.index], reply

    def _take(self, run, replies):
        """Note what came of these requests."""
        errors = [reply.error for dummy, reply in replies]
        arrays = {}
        for number, (request, reply) in enumerate(replies):
            if errors[number] is None:
                try:
                    arrays[number] = self._array(request, reply)
                except Error as error:
                    errors[number] = error
        try:
            self._score(run, [(replies[number][0], array) for number, array in arrays.items()])
        except (Error, ValueError):  # each for itself, to find the one
            for number, array in arrays.items():
                try:
                    self._score(run, [(replies[number][0], array)])
                except Error as error:
                    errors[number] = self._malformed(error)
        for (request, reply), problem in zip(replies, errors):
            tests = request.stop - request.start
            self.timeline.append((reply.start, reply.seconds, tests, problem is None))
            if problem:
                self.errors.append(problem)
            else:
                self.answered += tests

    def _array(self, request, reply):
        """The answers in a reply; the version that it names is noted."""
        outputs, version = METHODS[self.plan.method][1](reply.wire)
        if version is None:
            self.silent = True
        else:
            self.versions.add(version)
        try:
            array, tests = _answers.of(self.plan.method, self.plan.output, outputs), request.stop - request.start
            if array.ndim == 0 or len(array) != tests:
                raise Error("has the shape %s for %d tests" % (list(array.shape), tests), "malformed_reply")
        except Error as error:
            raise self._malformed(error) from error
        return array

    def _malformed(self, error):
        return Error("output %s: %s" % (self.plan.output, error.message), error.code)

    def _score(self, run, answered):
        """Note which of these answers are right. answered: [(request, array)]"""
        if not answered:
            return
        if run.expected is None:
            for request, array in answered:
                self._keep(request, array)
            return
        here = numpy.concatenate([run.numbers[request.start:request.stop] for request, dummy in answered])
        answers = run.expected.read(numpy.concatenate([array for dummy, array in answered]), len(here))
        verdicts = [
            (kept, run.expected.same(answers, wanted[here]))
            for kept, wanted in ((self.right, run.expected.labels), (self.agrees, run.expected.golden)) if kept is not None
        ]
        for kept, same in verdicts:
            kept[here] = same
        self.not_finite += len(here) - int(numpy.count_nonzero(answers.finite))
        given = _flat(answers.given)
        if given.ndim == 1:
            self.given[here] = given
        else:
            for number, row in zip(here, given):
                self.given[number] = row.tolist()
        if answers.score is not None:
            if self.score is None:
                self.score = numpy.full(run.tests, numpy.nan)
            self.score[here] = answers.score

    def _keep(self, request, array):
        """For a golden file: the answers as they are, in the order of the tests."""
        if not self.raw:
            self.raw = [None] * (-(-self.tests // self.plan.batch))
        if array.nbytes * len(self.raw) > _answers.GOLDEN_BYTES:
            raise Error("the answers take more than 1 GiB: record fewer (check_tests)", "golden_too_large")
        self.raw[request.start // self.plan.batch] = array

    def time(self, run):
        """Have some answered one after the other; then it is known which versions answered all the time."""
        if len(self.errors) < self.patience:
            start = time.monotonic()
            for request, reply in self._replies(run.requests(self.plan, self.plan.least, SINGLE_REQUESTS), 1):
                if len(self.singles) >= SINGLE_LEAST and time.monotonic() - start > SINGLE_SECONDS:
                    break
                try:
                    if reply.error:
                        raise reply.error
                    self._array(request, reply)
                    self.singles.append(reply.seconds)
                except Error as error:
                    self.errors.append(error)
                    if len(self.errors) >= self.patience:
                        break
        if self.silent:  # 1.4 does not say it with the answers; its metadata do, so: the same before and after
            with contextlib.suppress(Error):
                self.versions |= {self._metadata()[0]} - {None}
        others = self.versions - {self.options["expected_version"]}
        if self.options["expected_version"] is not None and others and not self.problem:
            self.problem = self._other_version(max(others))

    def look(self):
        """What the server says of the version that is expected, else of the one that answered. 1.4 says nothing."""
        version = max(self.versions, default=None) if self.options["expected_version"] is None else self.options["expected_version"]
        if version is None or (self.problem and self.problem.code in UNREACHABLE):
            return
        request = messages().GetModelStatusRequest()
        request.model_spec.name = self.options["model_name"]
        with contextlib.suppress(Error):
            reply = self.channel.ask(_serving_protos.GET_MODEL_STATUS, request, "GetModelStatusResponse", self.options["timeout"])
            states = {entry.version: entry.state for entry in reply.model_version_status}
            self.state = _serving_protos.MODEL_VERSION_STATES.get(states.get(version))

    def _signatures(self):
        """The signatures of the version that answers, waiting for the expected one if it is yet to come.

        A server looks for new versions once in a while, and its NFS client remembers a folder for up to a minute.
        """
        expected = self.options["expected_version"]
        deadline = time.monotonic() + self.options["version_timeout"]
        while True:
            version, signatures = self._metadata()
            if expected is None or version in (None, expected):
                self.versions |= {version} - {None}
                return signatures
            if version > expected or time.monotonic() > deadline:
                raise self._other_version(version)
            time.sleep(1)

    def _other_version(self, version):
        return Error(
            "version %d answered, check_expected_version is %d" % (version, self.options["expected_version"]),
            "wrong_version",
            version=version,
            expected=self.options["expected_version"],
        )

    def _metadata(self):
        """(version, signatures) of what answers a request that names no version."""
        request = messages().GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = self.options["model_name"]
        reply = self.channel.ask(
            _serving_protos.GET_MODEL_METADATA, request, "GetModelMetadataResponse", self.options["timeout"]
        )
        return _requests.version_of(reply), parsed("SignatureDefMap", reply.metadata["signature_def"].value).signature_def

    @property
    def unanswered(self):
        return self.tests - self.answered

    def measured(self):
        """The same as plain data."""
        first = self.timeline[0][0] if self.timeline else 0
        lasted = max((start + seconds for start, seconds, dummy, dummy in self.timeline), default=0) - first
        good = [entry for entry in self.timeline if entry[3]]
        return {
            "title": self.title, "pod": self.pod, "address": None if self.pod else self.options["address"], "counts": self.counts,
            "version": max(self.versions, default=None), "versions": sorted(self.versions), "state": self.state,
            "problem": self.problem and {"message": self.problem.message, "code": self.problem.code},
            "answered": self.answered, "unanswered": self.unanswered,
            "wrong": None if self.right is None else int((self.right == 0).sum()),
            "agreed": None if self.agrees is None else int((self.agrees == 1).sum()),
            "not_finite": self.not_finite,
            "errors": dict(collections.Counter(error.details.get("status", error.code.upper()) for error in self.errors)),
            "first_error": self.errors[0].message if self.errors else None,
            "requests": self.asked,
            "right": self.right, "agrees": self.agrees, "given": None if self.given is None else self.given.tolist(), "score": self.score,
            "timeline": [(start - first, seconds, tests, ok) for start, seconds, tests, ok in self.timeline],
            "singles": self.singles, "latency_ms": _latency(self.singles),
            "rate": len(good) / lasted if good and lasted else None,
            "tests_per_second": self.answered / lasted if good and lasted else None,
        }


# What makes a server not worth another question.
UNREACHABLE = ("unavailable", "deadline_exceeded", "port_forward_failed", "tls_failed")


def _words(options):
    """Errors that name the role's variables."""
    return {
        "DEADLINE_EXCEEDED": _grpc.WORDS["DEADLINE_EXCEEDED"] + " (check_timeout)",
        "NOT_FOUND": "the server does not serve the model %r (check_model_name): %%(said)s" % options["model_name"].replace("%", "%%"),
    }


def _latency(seconds):
    if not seconds:
        return None
    # As numpy.percentile() has it, whose first call imports numpy.ma: 60 ms of CPU time.
    values = numpy.interp((0.5, 0.9, 0.99, 1), numpy.linspace(0, 1, len(seconds)), sorted(seconds))
    figures = zip(("p50", "p90", "p99", "max"), values)
    return {name: round(1000 * float(value), 1) for name, value in figures}


def probe(target):
    """Return once target accepts a TCP connection; Error after CONNECT_PATIENCE.

    Short fresh connects, for a gRPC channel whose first SYN is lost waits 20 seconds. That something accepts does not
    prove that it is the server: only an answer does.
    """
    host, _colon, port = target.rpartition(":")
    deadline = time.monotonic() + CONNECT_PATIENCE
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise Error("the server cannot be reached: %s" % (error.strerror or error), "unavailable") from error
            time.sleep(0.2)
