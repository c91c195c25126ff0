"""The ConfigMap of last results: what is kept, and that nothing about it ever fails a check."""
from __future__ import annotations

import json
import types

import pytest
from measurements import measured, server, unreachable

from ansible_collections.mlops.tf_serving.plugins.module_utils import _check_history
from ansible_collections.mlops.tf_serving.plugins.module_utils._names import object_names

PATH = "/api/v1/namespaces/default/configmaps"


class Api:
    """As much of an ApiClient as _cluster asks for, with a ConfigMap behind it."""

    def __init__(self, text=None):
        self.found = None if text is None else self.made({"results.json": text})
        self.forbidden, self.asked = (), []
        self.configuration = types.SimpleNamespace(host="", auth_settings=dict)
        self.default_headers = {}
        self.rest_client = types.SimpleNamespace(pool_manager=self)

    def made(self, data):
        return {"metadata": {"name": "mnist-deploy-check", "resourceVersion": "7"}, "data": data}

    def request(self, method, url, body=None, **_options):
        body = json.loads(body) if body else None
        self.asked.append((method, url, body))
        if method in self.forbidden:
            return self.answer(403, {"message": "configmaps is forbidden"})
        if method == "GET":
            return self.answer(200, self.found) if self.found else self.answer(404, {})
        if (method == "POST" and self.found) or (method == "PATCH" and body["metadata"]["resourceVersion"] != "7"):
            return self.answer(409, {"message": "the object has been modified"})
        self.found = self.made(body["data"])
        return self.answer(200, self.found)

    def answer(self, status, body):
        return types.SimpleNamespace(status=status, data=json.dumps(body).encode(), reason="", headers={})


def history(api):
    warnings = []
    return _check_history.read(api, "default", "mnist-deploy", warnings.append), warnings


def check(api, version=1, wrong=10, code=None, one=None, tests=1000):
    """One check of that version; its warnings."""
    known, warnings = history(api)
    one = one or server(wrong, tests, version=version)
    known.add(measured(one, tests=tests), {"worst": one["title"], "code": code, "passed": code is None, "message": "m"})
    return warnings


def versions(api):
    return [result["version"] for result in history(api)[0].results]


def test_the_first_result():
    api = Api()
    known, warnings = history(api)
    assert known.before(measured(server())) is None and known.of(1) is None and not warnings
    assert check(api) == []
    method, url, body = api.asked[-1]
    assert (method, url, body["metadata"]) == ("POST", PATH, {"name": "mnist-deploy-check", "labels": {
        "app.kubernetes.io/name": "acs-tensorflow-serving", "app.kubernetes.io/instance": "mnist-deploy"}})
    known, warnings = history(api)
    assert known.of(1)["error_rate"] == 1.0 and known.of(2) is known.of(None) is None
    assert not warnings


def test_one_result_a_version_the_newest_first():
    api = Api()
    for number in (1, 2, 1):
        assert check(api, number) == []
    assert versions(api) == [1, 2] and api.asked[-2][0] == "PATCH"
    for number in range(3, 9):
        check(api, number)
    assert versions(api) == [8, 7, 6, 5, 4]


def test_what_passed_is_kept_longer():
    api = Api()
    check(api, 1)
    for number in range(2, 9):
        check(api, number, 200, "error_rate_exceeded")
    assert versions(api) == [8, 7, 6, 5, 1]


def test_a_failed_verdict_is_a_result_but_a_failed_request_is_none():
    api = Api()
    check(api, 1, 200, "error_rate_exceeded")
    assert history(api)[0].of(1)["passed"] is False
    for code in ("requests_failed", "unavailable", "wrong_version"):
        check(api, 2, code=code, one=unreachable())
    assert versions(api) == [1]


def test_what_a_check_is_compared_with():
    api = Api()
    check(api, 1)
    check(api, 2)
    check(api, 3, 200, "error_rate_exceeded")
    known = history(api)[0]
    for version, other in ((1, 1), (3, 3), (4, 2), (None, 2)):
        assert known.before(measured(server(version=version), unreachable("address h", counts=False)))["version"] == other
    known.results = known.results[:1]
    assert known.before(measured(server(version=4)))["version"] == 3, "a bad one is better than none"


def test_it_is_small():
    api = Api()
    for number in range(8):
        check(api, number, wrong=10000, tests=20000)
    assert len(api.found["data"]["results.json"]) < 50000


def test_the_oldest_go_where_they_are_too_many():
    results = [{"bits": "x" * 30000, "number": number} for number in range(5)]
    assert [result["number"] for result in json.loads(_check_history.to_text(results))] == [0, 1, 2]


GOOD = Api()
check(GOOD)
RESULT = json.loads(GOOD.found["data"]["results.json"])[0]


@pytest.mark.parametrize("text", [
    "", "{", "{}", "[1]", "[{}]", json.dumps([{**RESULT, "version": "one"}]), json.dumps([{**RESULT, "bits": "AAAA"}]),
    json.dumps([{**RESULT, "wrong": 2000}]), json.dumps([{**RESULT, "interval": ["a", "b"]}]), json.dumps([{**RESULT, "more": 1}]),
    "[" * 60000, "x" * 200000,
])
def test_what_somebody_edited_is_a_fresh_start(text):
    api = Api(text)
    known, warnings = history(api)
    assert known.results == [] and len(warnings) == 1
    assert "ConfigMap mnist-deploy-check in namespace default is not what this collection writes" in warnings[0]
    assert len(check(api)) == 1 and versions(api) == [1] and history(api)[1] == []


def test_a_config_map_without_data():
    api = Api("")
    del api.found["data"]
    assert history(api)[0].results == []


def test_an_account_that_may_not_read():
    api = Api()
    api.forbidden = ("GET",)
    warnings = check(api)
    assert len(warnings) == 1 and "configmaps is forbidden" in warnings[0] and "not known" in warnings[0]
    assert [method for method, _url, _body in api.asked] == ["GET"], "what could not be read is not written over"


def test_an_account_that_may_not_write():
    api = Api()
    api.forbidden = ("POST",)
    warnings = check(api)
    assert len(warnings) == 1 and "is not kept" in warnings[0] and "configmaps is forbidden" in warnings[0]


def test_somebody_else_wrote_meanwhile():
    api = Api()
    check(api)
    known, warnings = history(api)
    known.version = "6"
    known.add(measured(server(1)), {"worst": "pod a", "code": None, "passed": True, "message": "m"})
    assert len(warnings) == 1 and "the object has been modified" in warnings[0]


def test_the_results_for_the_status():
    api = Api()
    check(api, 1)
    check(api, 2, 200, "error_rate_exceeded")
    assert _check_history.last_results(api, "default", "mnist-deploy", pytest.fail) == [
        {"version": 2, "at": "2026-11-22T23:40:00Z", "passed": False, "message": "m", "error_rate": 20.0, "agreement": None},
        {"version": 1, "at": "2026-11-22T23:40:00Z", "passed": True, "message": "m", "error_rate": 1.0, "agreement": None},
    ]


def test_its_name():
    assert object_names("mnist-deploy")["check"] == "mnist-deploy-check"
