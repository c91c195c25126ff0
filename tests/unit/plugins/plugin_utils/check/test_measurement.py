"""What was measured of servers, as plain data."""
from __future__ import annotations

import platform

import numpy
import pytest
from ask_server import OPTIONS

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import answers, inputs, marks, measurement, request_plan
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.dataset import Dataset
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.questions import Questions
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.server import Sent, Server

OPTIONS = {**OPTIONS, "address": "h:1", "batch_size": None}
PLAN = request_plan.Plan(
    "mnist", "sig", "predict", (inputs.Input("x", ("x",), 1, (), 1),), "scores", 2, 1, None)


def dataset(**columns):
    columns = columns or {"x": numpy.zeros((4, 3)), "y": numpy.array([0, 1, 1, 0])}
    return Dataset(columns, frozenset(), "/data", "sha256:1")


def questions(data=None, **options):
    return Questions({**OPTIONS, **options}, data or dataset())


def server(title="address h:1", pod=None, **fields):
    made = Server(title, OPTIONS, "127.0.0.1:1", pod=pod)
    vars(made).update(fields)
    return made


def measured(*servers, asked=None, **options):
    return measurement.measured(asked or questions(**options), servers)


def test_the_check_itself():
    found = measured(server(plan=PLAN), release="r", namespace="n", concurrency=7)
    pictures = found.pop("pictures")
    assert pictures is None and len(found.pop("servers")) == 1 and found.pop("at").endswith("Z")
    environment = found.pop("environment")
    assert environment["python"] == platform.python_version() and set(environment) == {"python", "numpy", "grpcio", "protobuf"}
    assert found == {
        "model": "mnist", "release": "r", "namespace": "n", "signature": "sig", "method": "predict", "tests": 4,
        "dataset": {"location": "/data", "digest": "sha256:1"}, "golden": None, "kind": "classes", "expected": [0, 1, 1, 0],
        "batch_size": 2, "concurrency": 7, "alone": True,
    }


def test_where_no_server_could_be_asked():
    found = measured(server(), server("pod a", pod="a"), signature="wanted", batch_size=3, tolerance=0.1)
    assert (found["signature"], found["method"], found["batch_size"], found["kind"]) == ("wanted", None, 3, "values")
    assert measured(server())["batch_size"] == 0
    assert measured(server(), server(plan=PLAN))["signature"] == "sig", "the first that could"


def test_the_golden_file(tmp_path):
    path = str(tmp_path / "golden.npz")
    answers.write_golden(path, numpy.array([[1.5], [2.5]]), {"dataset": "sha256:1", "version": 3, "recorded": "then"})
    found = measured(server(), asked=questions(dataset(x=numpy.zeros(2)), golden=path, tolerance=0.1))
    assert found["golden"] == {"location": path, "version": 3, "recorded": "then", "answers": [1.5, 2.5]}
    assert found["expected"] is None
    values = dataset(x=numpy.zeros(1), y=numpy.array([[1.0, 2.0]]))
    assert measured(server(), asked=questions(values, tolerance=0.1))["expected"] == [[1.0, 2.0]]


def test_a_server_that_was_asked():
    asked = questions()
    kept = marks.Marks(asked.expected, 4)
    kept.right[:] = [1, 0, -1, -1]
    kept.given[:2] = [0, 0]
    kept.not_finite, kept.score = 1, numpy.array([0.5, 0.6, 0, 0])
    one = server(
        pod="a", title="pod a", plan=PLAN, marks=kept, versions={2, 10}, state="AVAILABLE", requests=9, answered=2,
        sent=[Sent(10.0, 0.5, 2, True), Sent(10.25, 1.75, 2, False)], singles=[0.001 * number for number in range(1, 102)],
        errors=[Error("late", "deadline_exceeded", status="DEADLINE_EXCEEDED"), Error("odd", "malformed_reply")],
    )
    found = measured(one, asked=asked)["servers"][0]
    assert found["errors"].__class__ is dict
    assert found.pop("right") is kept.right and found.pop("score") is kept.score and found.pop("singles") == one.singles
    assert found == {
        "title": "pod a", "pod": "a", "address": None, "counts": True, "version": 10, "versions": [2, 10], "state": "AVAILABLE",
        "problem": None, "answered": 2, "unanswered": 2, "wrong": 1, "agreed": None, "not_finite": 1,
        "errors": {"DEADLINE_EXCEEDED": 1, "MALFORMED_REPLY": 1}, "first_error": "late", "requests": 9,
        "agrees": None, "given": [0, 0, None, None], "timeline": [(0.0, 0.5, 2, True), (0.25, 1.75, 2, False)],
        "latency_ms": {"p50": 51.0, "p90": 91.0, "p99": 100.0, "max": 101.0}, "rate": 0.5, "tests_per_second": 1.0,
    }


def test_a_server_that_was_not():
    found = measured(server(problem=Error("cannot be reached", "unavailable")))["servers"][0]
    assert found == {
        "title": "address h:1", "pod": None, "address": "h:1", "counts": True, "version": None, "versions": [], "state": None,
        "problem": {"message": "cannot be reached", "code": "unavailable"}, "answered": 0, "unanswered": 4, "wrong": None,
        "agreed": None, "not_finite": 0, "errors": {}, "first_error": None, "requests": 0, "right": None, "agrees": None,
        "given": None, "score": None, "timeline": [], "singles": [], "latency_ms": None, "rate": None, "tests_per_second": None,
    }


def test_answers_that_agree_are_counted(tmp_path):
    path = str(tmp_path / "golden.npz")
    answers.write_golden(path, numpy.eye(2)[[0, 1, 1, 0]], {"dataset": "sha256:1"})
    asked = questions(golden=path)
    kept = marks.Marks(asked.expected, 4)
    kept.agrees[:] = [1, 1, 0, -1]
    found = measured(server(marks=kept), asked=asked)["servers"][0]
    assert found["agreed"] == 2 and found["agrees"] is kept.agrees


def test_all_requests_failed_at_once():
    found = measured(server(sent=[Sent(5.0, 0.5, 2, False)]))["servers"][0]
    assert found["rate"] is None and found["tests_per_second"] is None
    assert measured(server(sent=[Sent(5.0, 0.0, 2, True)]))["servers"][0]["rate"] is None, "a clock that stood still"


@pytest.mark.parametrize(("problem", "requests", "pods", "counts"), [
    ("unavailable", 0, True, False), ("deadline_exceeded", 0, True, False), ("unavailable", 0, False, True),
    ("unavailable", 1, True, True), ("not_found", 0, True, True), (None, 0, True, True),
])
def test_an_address_out_of_reach_does_not_count_beside_replicas(problem, requests, pods, counts):
    address = server(problem=problem and Error("no", problem), requests=requests)
    others = [server("pod a", pod="a", problem=Error("no", "unavailable"))] if pods else []
    found = measured(*others, address)["servers"]
    assert found[-1]["counts"] is counts and all(other["counts"] for other in found[:-1])


@pytest.mark.parametrize(("array", "shown"), [
    (numpy.zeros((4, 28, 28), "u1"), True), (numpy.zeros((4, 4, 4)), True), (numpy.zeros((4, 3, 28)), False),
    (numpy.zeros((4, 28, 3)), False), (numpy.zeros((4, 8, 8, 1), "i2"), True), (numpy.zeros((4, 8, 8, 3)), True),
    (numpy.zeros((4, 8, 8, 2)), False), (numpy.zeros((4, 28)), False), (numpy.zeros((4, 8, 8, 3, 1)), False),
    (numpy.zeros((4, 8, 8), bool), False), (numpy.full((4, 8, 8), b"", object), False),
])
def test_pictures_are_shown(array, shown):
    asked = questions(dataset(x=array, y=numpy.zeros(4)))
    assert (measured(server(plan=PLAN), asked=asked)["pictures"] is array) is shown


def test_what_is_not_the_only_input_is_no_picture():
    asked = questions(dataset(x=numpy.zeros((4, 8, 8)), y=numpy.zeros(4)))
    two = PLAN._replace(inputs=PLAN.inputs * 2)
    assert measured(server(plan=two), asked=asked)["pictures"] is None and measured(server(), asked=asked)["pictures"] is None
