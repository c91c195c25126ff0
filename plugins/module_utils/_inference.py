# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inference check: ask model servers for test images whose answers are known, and count.

Three things are kept apart: a server that cannot be asked (Error with the reason), a request that failed (counted as
unanswered tests, by gRPC status code, never tried again), and a wrong answer (counted in the error rate).
"""
from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import re
import socket
import time
import traceback

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.mlops.tf_serving.plugins.module_utils import (
    _dataset,
    _grpc,
    _port_forward,
    _replicas,
    _serving_protos,
    _serving_versions,
)
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._grpc import parsed
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_protos import messages
from ansible_collections.mlops.tf_serving.plugins.module_utils._tensors import DATA_TYPES, decode, encode, type_name

IMPORT_ERROR = _grpc.IMPORT_ERROR
try:
    import numpy
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

SINGLE_REQUESTS = 50  # one after the other, for the latency: what many at once take says more of the queue
GIVE_UP_AFTER = 10  # failed requests of one server: what follows would tell nothing new, and may take a timeout each
SERVERS_AT_ONCE = 8
CONNECT_PATIENCE = 3  # seconds; kube-proxy needs about one to serve a new address
NO_ANSWER = ("unavailable", "deadline_exceeded")


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
    _look_at(options)
    if check_mode:  # a version that would have been published by now is not there: what answers will do
        options = dict(options, expected_version=None)
    with contextlib.ExitStack() as stack:
        servers = []
        if options["release"]:
            api_client = connect()
            replicas = _replicas.ready_replicas(api_client, options["namespace"], options["release"])
            if replicas is None:
                return _no_deployment(options, check_mode)
            ready, others = replicas
            for sentence in others:
                warn("%s; it is not asked." % sentence)
            for pod in ready:
                forward = stack.enter_context(
                    _port_forward.to_pod(api_client, options["namespace"], pod, options["port"])
                )
                servers.append(Server("pod " + pod, options, forward.target, pod=pod, forward=forward))
        dataset = _dataset.load(
            options["dataset"], options["tests"], options["dataset_checksum"], options["dataset_timeout"]
        )
        if options["address"]:
            servers.append(Server("address " + options["address"], options, _dialled(options)))
        for server in servers:
            stack.enter_context(contextlib.closing(server))
        return verdict(options, ask_all(servers, dataset), warn)


def _look_at(options):
    for name in ("tests", "batch_size", "concurrency"):
        if options[name] < 1:
            raise Error("check_%s is %d: use 1 or more." % (name, options[name]), "option_invalid")
    if not 0 <= options["max_error_rate"] <= 100:
        raise Error(
            "check_max_error_rate is %g: use a percentage from 0 to 100." % options["max_error_rate"], "option_invalid"
        )
    if not (options["release"] or options["address"]):
        raise Error("Neither a release nor an address is given: there is nobody to ask.", "option_invalid")


def _no_deployment(options, check_mode):
    message = "The release %s has no Deployment in namespace %s" % (options["release"], options["namespace"])
    if check_mode:
        return {"skipped": True, "msg": message + " yet: nothing to ask."}
    raise Error(message + ": deploy it first, or correct check_release and check_namespace.", "deployment_missing")


def _dialled(options):
    """host:port out of the option address, whose port may be left out."""
    address = options["address"]
    if re.fullmatch(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*", address):  # an IPv6 address as it is
        address = "[%s]" % address
    match = re.fullmatch(r"(\[[^\]]+\]|[^:\[\]/]+)(?::(\d+))?", address)
    if not match:
        raise Error("check_address is %r: use HOST or HOST:PORT." % options["address"], "address_invalid")
    return "%s:%s" % (match.group(1), match.group(2) or options["port"])


def ask_all(servers, dataset):
    """Have every server asked all of the dataset, several servers at once."""
    with concurrent.futures.ThreadPoolExecutor(SERVERS_AT_ONCE) as pool:
        list(pool.map(lambda server: server.meet(dataset), servers))
        # Serialised once, for servers that want the same (as a rule all of them).
        plans = {server.plan for server in servers if server.plan}
        requests = {plan: serialised(plan, dataset) for plan in plans}
        asked = [server for server in servers if server.plan]
        list(pool.map(lambda server: server.answer(requests[server.plan]), asked))
        # Only now, and one server after the other, for this controller's own work counts in.
        singles = {plan: serialised(plan._replace(batch=plan.least), dataset, SINGLE_REQUESTS) for plan in plans}
        for server in asked:
            server.time(singles[server.plan])
        list(pool.map(lambda server: server.look(), servers))
    return servers


# What a server is to be sent: which model, signature and tensors, as its metadata wants them. least: its smallest batch.
Plan = collections.namedtuple("Plan", "model signature input type shape output batch least")
# One request on the wire, and what the answers should be.
Request = collections.namedtuple("Request", "wire output labels")


def serialised(plan, dataset, most=None):
    """The dataset as Requests, at most so many. Pixels become numbers from 0 to 1, as in the tutorial's client."""
    images = dataset.images if most is None else dataset.images[:most * plan.batch]
    pixels = (images / numpy.float32(255)).astype(numpy.float32)
    requests = []
    for start in range(0, len(pixels), plan.batch):
        batch = pixels[start:start + plan.batch]
        request = messages().PredictRequest(output_filter=[plan.output])
        request.model_spec.name, request.model_spec.signature_name = plan.model, plan.signature
        request.inputs[plan.input].CopyFrom(encode(batch.reshape((len(batch),) + plan.shape), plan.type))
        requests.append(Request(request.SerializeToString(), plan.output, dataset.labels[start:start + plan.batch]))
    return requests


def planned(options, signatures, images):
    """The Plan for a dataset and a server's signatures; Error where the two do not fit."""
    signature = signatures.get(options["signature"])
    if signature is None:
        raise Error(
            "the model has no signature %r (check_signature), it has: %s"
            % (options["signature"], ", ".join(sorted(name for name in signatures if signatures[name].method_name))),
            "signature_missing",
        )
    input_name = _chosen("input", options["input"], sorted(signature.inputs))
    output_name = _chosen("output", options["output"], sorted(signature.outputs), usual="scores")
    info = signature.inputs[input_name]
    if type_name(info.dtype) not in ("float32", "float64"):
        raise Error(
            "input %s of signature %s: the dataset has float32 %s, the model wants %s"
            % (input_name, options["signature"], list(images.shape), type_name(info.dtype)),
            "signature_mismatch",
        )
    output_type = signature.outputs[output_name].dtype
    if output_type not in DATA_TYPES:
        raise Error(
            "output %s of signature %s is %s: the check needs numbers, a score for each class"
            % (output_name, options["signature"], type_name(output_type)),
            "signature_mismatch",
        )
    shape, fixed_batch = _fitted(info.tensor_shape, images.shape, input_name)
    if fixed_batch and len(images) % fixed_batch:
        raise Error(
            "input %s takes batches of exactly %d images, which do not add up to check_tests (%d)"
            % (input_name, fixed_batch, len(images)),
            "signature_mismatch",
        )
    return Plan(
        options["model_name"], options["signature"], input_name, info.dtype, shape, output_name,
        fixed_batch or options["batch_size"], fixed_batch or 1,
    )


def _chosen(kind, wanted, names, usual=None):
    """The input or output asked for, else the usual one, else the only one."""
    if wanted or usual in names:
        wanted = wanted or usual
    elif len(names) == 1:
        wanted = names[0]
    if wanted not in names:
        raise Error(
            "the signature has the %ss %s: say which with check_%s%s"
            % (kind, ", ".join(names) or "(none)", kind, " (now %r)" % wanted if wanted else ""),
            "signature_mismatch",
        )
    return wanted


def _fitted(wanted, images_shape, input_name):
    """(shape of one image as the model wants it, the batch size if it is fixed). Only reshapes, never pads or cuts."""
    height, width = images_shape[1:]
    shapes = ((height * width,), (height, width), (height, width, 1), (1, height, width))
    if wanted.unknown_rank:
        return shapes[0], None
    sizes = [dim.size for dim in wanted.dim]
    for shape in shapes:
        if len(shape) == len(sizes) - 1 and all(want in (-1, have) for want, have in zip(sizes[1:], shape)):
            return shape, sizes[0] if sizes[0] > 0 else None
    raise Error(
        "input %s: the dataset has images %s, the model wants %s" % (input_name, [-1, height, width], sizes),
        "signature_mismatch",
    )


# What came of one request: images asked, wrong answers, answers with NaN or infinity, version that answered, seconds;
# or an Error. An unsent request has neither seconds nor Error.
Outcome = collections.namedtuple(
    "Outcome", "images wrong not_finite version seconds error", defaults=(0, 0, None, None, None)
)


class Server:
    """One model server, asked over one channel. What becomes of it ends in `problem`, `versions` and the outcomes."""

    def __init__(self, title, options, target, pod=None, forward=None):
        self.title = title
        self.options = options
        self.target = target
        self.pod = pod
        self.channel = _grpc.Channel(target, forward, _words(options))
        self.plan: Plan | None = None
        self.problem = None
        self.versions = set()
        self.outcomes = []  # of the requests that are counted
        self.singles = []  # of those that are timed
        self.state = None
        self.failures = 0

    def close(self):
        self.channel.close()

    def meet(self, dataset):
        """Find out which version answers and how it wants to be asked."""
        try:
            if self.pod is None:
                probe(self.target)
            self.plan = planned(self.options, self._signatures(), dataset.images)
        except Error as error:
            self.problem = error

    def answer(self, requests):
        """Have all requests answered, `concurrency` of them at a time."""
        with concurrent.futures.ThreadPoolExecutor(self.options["concurrency"]) as pool:
            self.outcomes = list(pool.map(self._predict, requests))

    def time(self, requests):
        """Have these answered one after the other; then it is known which versions answered all the time."""
        self.singles = [self._predict(request) for request in requests]
        said = {outcome.version for outcome in self.outcomes + self.singles if outcome.seconds is not None}
        self.versions |= said - {None}
        if None in said:  # 1.4 does not say it with the answers; its metadata do, so: the same before and after
            with contextlib.suppress(Error):
                self.versions |= {self._metadata()[0]} - {None}
        others = self.versions - {self.options["expected_version"]}
        if self.options["expected_version"] is not None and others and not self.problem:
            self.problem = self._other_version(max(others))

    def look(self):
        """What the server says of the version that is expected, else of the one that answered. 1.4 says nothing."""
        version = max(self.versions, default=None) if self.options["expected_version"] is None else self.options["expected_version"]
        if version is None or (self.problem and self.problem.code in _serving_versions.UNREACHABLE):
            return
        with contextlib.suppress(Error):
            known = _serving_versions.Replica(self.pod, self.channel).status(self.options["model_name"]) or []
            self.state = next((entry["state"] for entry in known if entry["version"] == version), None)

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
        return version_of(reply), parsed("SignatureDefMap", reply.metadata["signature_def"].value).signature_def

    def _predict(self, request):
        images = len(request.labels)
        if self.failures >= GIVE_UP_AFTER:
            return Outcome(images)
        start = time.perf_counter()
        try:
            wire = self.channel.call(_serving_protos.PREDICT, request.wire, self.options["timeout"])
            seconds = time.perf_counter() - start
            reply = parsed("PredictResponse", wire)
            wrong, not_finite = score(reply, request)
            return Outcome(images, wrong, not_finite, version_of(reply), seconds)
        except Error as error:
            self.failures += 1
            return Outcome(images, error=error)

    def report(self):
        """What the module returns of this server."""
        answered = [outcome for outcome in self.outcomes if outcome.seconds is not None]
        answers = sum(outcome.images for outcome in answered)
        wrong = sum(outcome.wrong for outcome in answered)
        errors = collections.Counter(
            error.details.get("status", error.code.upper()) for error in self.errors()
        )
        single = [outcome.seconds for outcome in self.singles if outcome.seconds is not None]
        return {
            "pod" if self.pod else "address": self.pod or self.options["address"],
            "version": max(self.versions) if self.versions else None,
            "state": self.state,
            "error_rate": round(100 * wrong / answers, 1) if answers else None,
            "wrong": wrong,
            "not_finite": sum(outcome.not_finite for outcome in answered),
            "unanswered": self.options["tests"] - answers,
            "requests": len(answered) + len(single) + sum(errors.values()),
            "errors": dict(errors),
            "latency_ms": _latency(single),
            "problem": self.problem.message if self.problem else None,
        }

    def errors(self):
        """Of all requests, those that are timed with them."""
        return [outcome.error for outcome in self.outcomes + self.singles if outcome.error]


def _words(options):
    """Errors that name the role's variables."""
    return {
        "DEADLINE_EXCEEDED": _grpc.WORDS["DEADLINE_EXCEEDED"] + " (check_timeout)",
        "NOT_FOUND": "the server does not serve the model %r (check_model_name): %%(said)s" % options["model_name"].replace("%", "%%"),
    }


def _latency(seconds):
    if not seconds:
        return None
    figures = zip(("p50", "p99", "max"), numpy.percentile(seconds, (50, 99, 100)))
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


def version_of(reply):
    return reply.model_spec.version.value if reply.model_spec.HasField("version") else None


def score(reply, request):
    """(wrong answers, answers with NaN or infinity) of a PredictResponse: the class with the highest score counts."""
    output, labels = request.output, request.labels
    if output not in reply.outputs:
        raise Error("a reply lacks the output %s" % output, "malformed_reply")
    try:
        answers = decode(reply.outputs[output])
    except Error as error:
        raise Error("output %s: %s" % (output, error.message), "malformed_reply") from error
    if answers.shape == labels.shape and answers.dtype.kind in "iu":
        return int(numpy.count_nonzero(answers != labels)), 0
    if answers.ndim != 2 or len(answers) != len(labels) or not answers.size:
        raise Error(
            "output %s has the shape %s for %d images, expected [%d, classes]"
            % (output, list(answers.shape), len(labels), len(labels)),
            "malformed_reply",
        )
    finite = numpy.isfinite(answers).all(axis=1)
    right = finite & (answers.argmax(axis=1) == labels)
    return len(labels) - int(numpy.count_nonzero(right)), len(labels) - int(numpy.count_nonzero(finite))


def verdict(options, servers, warn):
    """The module's result, or CheckFailed with it."""
    replicas = [server for server in servers if server.pod]
    counted = []
    for server in servers:
        if server.problem and not server.pod and replicas and server.problem.code in NO_ANSWER and not server.outcomes:
            warn(
                "The Service's address is not checked, this controller cannot reach it: %s: %s."
                % (server.title, server.problem.message)
            )
        else:
            counted.append(server)
        if len(server.versions) > 1:
            warn(
                "%s: versions %s answered during the check."
                % (server.title, " and ".join(str(version) for version in sorted(server.versions)))
            )
        if options["expected_version"] is not None and server.plan and not server.versions:
            warn("%s does not say which version answers." % server.title)
    reports = {server: server.report() for server in servers}
    worst = max((reports[server] for server in counted), key=_badness)
    versions = {reports[server]["version"] for server in counted}
    message = "Inference error rate: %s" % _percent(worst["error_rate"])
    result = {
        "message": message,
        "summary": [message] + [_line(server, reports[server]) for server in servers],
        "error_rate": worst["error_rate"],
        "tests": options["tests"],
        "wrong": worst["wrong"],
        "unanswered": worst["unanswered"],
        "version": versions.pop() if len(versions) == 1 else None,
        "replicas": [reports[server] for server in replicas],
        "address": next((reports[server] for server in servers if not server.pod), None),
    }
    _judge(options, counted, reports, result)
    return result


def _line(server, report):
    if server.problem:
        return "%s: %s" % (server.title, server.problem.message)
    text = "%s, %s%s: %s, %d of %d tests wrong, %d unanswered" % (
        server.title, _version(report), " " + report["state"] if report["state"] else "", _percent(report["error_rate"]),
        report["wrong"], server.options["tests"], report["unanswered"],
    )
    if report["latency_ms"]:
        text += "; one request at a time took %(p50)s ms (p50), %(p99)s ms (p99)" % report["latency_ms"]
    return text


def _badness(report):
    return report["error_rate"] is None, report["error_rate"], report["unanswered"]


def _version(report):
    return "unknown version" if report["version"] is None else "version %d" % report["version"]


def _percent(rate):
    return "unknown, no test was answered" if rate is None else "%.1f%%" % rate


def _judge(options, servers, reports, result):
    """Raise CheckFailed for the first of: servers that could not be asked, failed requests, too many wrong answers."""
    problems = {server: server.problem.message for server in servers if server.problem}
    if problems:
        raise CheckFailed(
            "The inference check failed: %s." % _told(problems), next(iter(problems)).problem.code, result
        )
    failed = {server: _failed_requests(server, reports[server]) for server in servers if reports[server]["errors"]}
    if failed:
        raise CheckFailed("The inference check failed: %s." % _told(failed), "requests_failed", result)
    limit = options["max_error_rate"]
    over = {server: _wrong_answers(reports[server]) for server in servers if reports[server]["error_rate"] > limit}
    if over:
        raise CheckFailed(
            "Inference error rate: %s is over check_max_error_rate (%g%%) on %s."
            % (_percent(result["error_rate"]), limit, _told(over)),
            "error_rate_exceeded", result,
        )


def _told(sentences):
    """Sentences about servers, each once with the servers that it is true of."""
    servers = collections.defaultdict(list)
    for server, sentence in sentences.items():
        servers[sentence].append(server.title)
    return _replicas.several([
        "%s: %s" % (_replicas.several(titles, ", "), sentence) for sentence, titles in servers.items()
    ])


def _failed_requests(server, report):
    first = server.errors()[0]
    codes = ", ".join("%d %s" % (number, code) for code, number in sorted(report["errors"].items()))
    return "%d of %d tests got no answer (of %d requests failed: %s; the first: %s)" % (
        report["unanswered"], server.options["tests"], report["requests"], codes, first.message
    )


def _wrong_answers(report):
    text = "%s, %s" % (_percent(report["error_rate"]), _version(report))
    if report["not_finite"]:
        text += " (%d answers hold NaN or infinity)" % report["not_finite"]
    return text
