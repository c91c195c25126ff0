# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One model server, asked over one channel.

Three things are kept apart: a server that cannot be asked (its `problem`), a request that failed (one of its `errors`,
counted as unanswered tests and never sent again), and a wrong answer (its `marks`).
"""
from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import answers, request_plan
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.address import probe
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.marks import Answered, Marks, Recording
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.questions import Options, Questions
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import channel, protos, requests
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.model_status import UNREACHABLE, model_versions
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tls import Tls

METHODS = {
    "predict": (protos.PREDICT, requests.predict_reply),
    "classify": (protos.CLASSIFY, requests.classify_reply),
    "regress": (protos.REGRESS, requests.regress_reply),
}
SINGLE_REQUESTS = 50  # one after the other, for the latency: what many at once take says more of the queue
SINGLE_LEAST, SINGLE_SECONDS = 10, 2  # fewer where a model is slow, for every replica gets them in its turn
GIVE_UP_AFTER = 10  # failed requests of one server: what follows would tell nothing new, and may take a timeout each
READ_AT_ONCE, READ_BYTES = 64, 8 << 20  # replies that are read together
POLL = 1  # seconds between two looks for the expected version

Answer = tuple[Any, Any]  # a request, and the Reply to it


class Sent(NamedTuple):
    """A request that is behind us."""

    start: float  # by time.perf_counter()
    seconds: float
    tests: int
    ok: bool


class Server:
    def __init__(
        self, title: str, options: Options, target: str, pod: str | None = None, forward: Any = None, tls: Tls | None = None,
    ) -> None:
        self.title, self.options, self.target, self.pod = title, options, target, pod
        self.channel = channel.Channel(target, forward, _words(options), tls)
        self.plan: Any = None  # a request_plan.Plan, once it is known that and how it can be asked
        self.problem: Error | None = None
        self.versions: set[int] = set()  # that answered
        self.silent = False  # some answers did not say which version gave them
        self.state: str | None = None
        self.marks: Marks | None = None
        self.records = False  # whether what it answers is kept as a golden file
        self.recording: Recording | None = None
        self.errors: list[Error] = []
        self.requests = 0  # that were sent
        self.done = self.answered = 0  # tests
        self.sent: list[Sent] = []
        self.singles: list[float] = []  # seconds

    def close(self) -> None:
        self.channel.close()

    def meet(self, questions: Questions) -> None:
        """Find out which version answers and how it wants to be asked; make the requests. Nothing is sent yet."""
        try:
            if self.pod is None:
                probe(self.target)
            plan = request_plan.plan(self.options, self._signatures(), questions.dataset)
            questions.fit(plan)
            questions.requests(plan, plan.batch)
            self.plan = plan
        except Error as error:
            self.problem = error

    def answer(self, questions: Questions) -> None:
        """Have all requests answered, `concurrency` of them at a time."""
        self.marks = Marks(questions.expected, questions.tests) if questions.expected else None
        self.recording = Recording(questions.tests, self.plan.batch) if self.records else None
        waiting: list[Answer] = []
        size = 0
        replies = self._replies(questions.requests(self.plan, self.plan.batch), self.options["concurrency"])
        with contextlib.closing(replies):
            for request, reply in replies:
                self.done += request.stop - request.start
                waiting.append((request, reply))
                size += len(reply.wire or b"")
                # The first ones tell whether to go on at all.
                if len(waiting) >= READ_AT_ONCE or size > READ_BYTES or reply.error or len(self.sent) < GIVE_UP_AFTER:
                    self._take(waiting)
                    waiting, size = [], 0
                    if self._is_given_up:
                        break
        self._take(waiting)
        self.sent.sort()

    @property
    def _is_given_up(self) -> bool:
        enough: int = max(GIVE_UP_AFTER, self.options["max_failed_requests"] + 1)
        return len(self.errors) >= enough

    def _replies(self, wanted: Sequence[Any], at_once: int) -> Generator[Answer, None, None]:
        """In the order in which they come."""
        method = METHODS[self.plan.method][0]
        replies = self.channel.each(method, [request.wire for request in wanted], at_once, self.options["timeout"])
        with contextlib.closing(replies):
            for reply in replies:
                self.requests += 1
                yield wanted[reply.index], reply

    def _take(self, replies: Sequence[Answer]) -> None:
        """Note what came of these requests."""
        errors: dict[int, Error] = {number: reply.error for number, (dummy, reply) in enumerate(replies) if reply.error}
        arrays: dict[int, Any] = {}
        for number, (request, reply) in enumerate(replies):
            if number not in errors:
                try:
                    arrays[number] = self._array(request, reply)
                except Error as error:
                    errors[number] = error
        errors.update(self._mark({number: (replies[number][0], array) for number, array in arrays.items()}))
        for number, (request, reply) in enumerate(replies):
            tests = request.stop - request.start
            self.sent.append(Sent(reply.start, reply.seconds, tests, number not in errors))
            if number not in errors:
                self.answered += tests
        self.errors += [errors[number] for number in sorted(errors)]

    def _mark(self, arrays: dict[int, tuple[Any, Any]]) -> dict[int, Error]:
        """The errors of those answers that are none."""
        if not arrays:
            return {}
        try:
            self._note(arrays.values())
        except (Error, ValueError):  # each for itself, to find the one
            errors = {}
            for number, one in arrays.items():
                try:
                    self._note([one])
                except Error as error:
                    errors[number] = self._malformed(error)
            return errors
        return {}

    def _note(self, answered: Answered) -> None:
        if self.recording:  # which may be told the same twice
            self.recording.note(answered)
        if self.marks:
            self.marks.note(answered)

    def _array(self, request: Any, reply: Any) -> Any:
        """The answers in a reply; the version that it names is noted."""
        outputs, version = METHODS[self.plan.method][1](reply.wire)
        if version is None:
            self.silent = True
        else:
            self.versions.add(version)
        try:
            array, tests = answers.of(self.plan.method, self.plan.output, outputs), request.stop - request.start
            if array.ndim == 0 or len(array) != tests:
                raise Error("has the shape %s for %d tests" % (list(array.shape), tests), "malformed_reply")
        except Error as error:
            raise self._malformed(error) from error
        return array

    def _malformed(self, error: Error) -> Error:
        return Error("output %s: %s" % (self.plan.output, error.message), error.code)

    def time(self, questions: Questions) -> None:
        """Have some answered one after the other; then it is known which versions answered all the time."""
        if not self._is_given_up:
            self._time_singles(questions.requests(self.plan, self.plan.least, SINGLE_REQUESTS))
        expected = self.options["expected_version"]
        if self.silent:  # 1.4 does not say it with the answers; its metadata do, so: the same before and after
            with contextlib.suppress(Error):
                self.versions |= {self._metadata()[0]} - {None}
        others = self.versions - {expected}
        if expected is not None and others and not self.problem:
            self.problem = self._other_version(max(others))

    def _time_singles(self, wanted: Sequence[Any]) -> None:
        start = time.monotonic()
        for request, reply in self._replies(wanted, 1):
            if len(self.singles) >= SINGLE_LEAST and time.monotonic() - start > SINGLE_SECONDS:
                return
            try:
                if reply.error:
                    raise reply.error
                self._array(request, reply)
                self.singles.append(reply.seconds)
            except Error as error:
                self.errors.append(error)
                if self._is_given_up:
                    return

    def look(self) -> None:
        """What the server says of the version that is expected, else of the one that answered. 1.4 says nothing."""
        expected = self.options["expected_version"]
        version = max(self.versions, default=None) if expected is None else expected
        if version is None or (self.problem and self.problem.code in UNREACHABLE):
            return
        with contextlib.suppress(Error):
            known = model_versions(self.channel, self.options["model_name"], self.options["timeout"]) or []
            self.state = next((entry["state"] for entry in known if entry["version"] == version), None)

    def _signatures(self) -> Any:
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
            time.sleep(POLL)

    def _other_version(self, version: int) -> Error:
        expected = self.options["expected_version"]
        return Error(
            "version %d answered, check_expected_version is %d" % (version, expected), "wrong_version",
            version=version, expected=expected,
        )

    def _metadata(self) -> tuple[Any, Any]:
        """(version, signatures) of what answers a request that names no version."""
        request = protos.messages().GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = self.options["model_name"]
        reply = self.channel.ask(protos.GET_MODEL_METADATA, request, "GetModelMetadataResponse", self.options["timeout"])
        signatures = channel.parsed("SignatureDefMap", reply.metadata["signature_def"].value).signature_def
        return requests.version_of(reply), signatures


def _words(options: Options) -> dict[str, str]:
    """Errors that name the role's variables."""
    return {
        "DEADLINE_EXCEEDED": channel.WORDS["DEADLINE_EXCEEDED"] + " (check_timeout)",
        "NOT_FOUND": "the server does not serve the model %r (check_model_name): %%(said)s"
        % options["model_name"].replace("%", "%%"),
    }
