"""The ConfigMap of last results: what is kept, and that nothing about it ever fails a check."""
from __future__ import annotations

import json
import types

import pytest
from measurements import measured, server, unreachable

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import history
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.names import object_names

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
            return self.answer(403, {"kind": "Status", "message": "configmaps is forbidden"})
        if method == "GET":
            return self.answer(200, self.found) if self.found else self.answer(404, {"kind": "Status"})
        if (method == "POST" and self.found) or (method == "PATCH" and body["metadata"]["resourceVersion"] != "7"):
            return self.answer(409, {"kind": "Status", "message": "the object has been modified"})
        self.found = self.made(body["data"])
        return self.answer(200, self.found)

    def answer(self, status, body):
        return types.SimpleNamespace(status=status, data=json.dumps(body).encode(), reason="", headers={})


def opened(api):
    warnings = []
    return history.read(api, "default", "mnist-deploy", warnings.append), warnings


def check(api, version=1, wrong=10, code=None, one=None, tests=1000):
    """One check of that version; its warnings."""
    known, warnings = opened(api)
    one = one or server(wrong, tests, version=version)
    known.add(measured(one, tests=tests), {"worst": one["title"], "code": code, "passed": code is None, "message": "m"})
    return warnings


def versions(api):
    return [result["version"] for result in opened(api)[0].results]


def test_the_first_result():
    api = Api()
    known, warnings = opened(api)
    assert known.before(measured(server())) is None and known.of(1, measured(server())) is None and not warnings
    assert check(api) == []
    method, url, body = api.asked[-1]
    assert len(json.loads(body["data"]["results.json"])) == 1
    assert (method, url, body["metadata"]) == ("POST", PATH, {"name": "mnist-deploy-check", "labels": {
        "app.kubernetes.io/name": "acs-tensorflow-serving", "app.kubernetes.io/instance": "mnist-deploy"}})
    known, warnings = opened(api)
    assert known.of(1, measured(server()))["error_rate"] == 1.0
    assert known.of(2, measured(server())) is known.of(None, measured(server())) is None
    assert not warnings


def test_one_result_a_version_the_newest_first():
    api = Api()
    for number in (1, 2, 1):
        assert check(api, number) == []
    assert versions(api) == [1, 2] and api.asked[-2][:2] == ("PATCH", PATH + "/mnist-deploy-check")
    assert api.asked[-2][2]["metadata"] == {"name": "mnist-deploy-check", "resourceVersion": "7"}
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
    assert opened(api)[0].of(1, measured(server()))["passed"] is False
    for code in ("requests_failed", "unavailable", "wrong_version"):
        check(api, 2, code=code, one=unreachable())
    assert versions(api) == [1]
    for number, code in enumerate(("agreement_too_low", "too_slow", "rate_too_low", "worse_than_stable"), 2):
        check(api, number, code=code)
    assert versions(api) == [5, 4, 3, 2, 1]


def test_the_result_is_that_of_the_server_which_decided():
    api = Api()
    opened(api)[0].add(measured(server(1, title="pod a"), server(9, title="pod b")), {
        "worst": "pod b", "code": None, "passed": True, "message": "as it was said"})
    result = opened(api)[0].of(1, measured(server()))
    assert (result["wrong"], result["message"], result["passed"]) == (9, "as it was said", True)


def test_what_a_check_is_compared_with():
    api = Api()
    check(api, 1)
    check(api, 2)
    check(api, 3, 200, "error_rate_exceeded")
    known = opened(api)[0]
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
    assert [result["number"] for result in json.loads(history.to_text(results))] == [0, 1, 2]


def test_how_large_it_may_be(monkeypatch):
    results = [{"number": number} for number in range(5)]
    whole = json.dumps(results, indent=1, sort_keys=True)
    monkeypatch.setattr(history, "MOST_BYTES", len(whole))
    assert history.to_text(results) == whole and len(results) == 5
    monkeypatch.setattr(history, "MOST_BYTES", len(whole) - 1)
    assert json.loads(history.to_text(results)) == results[:4] and len(results) == 5
    assert history.to_text(results).startswith('[\n {\n  "number": 0'), "for people too"


def test_what_is_written_is_read_again_up_to_the_last_byte(monkeypatch):
    text = json.dumps([RESULT])
    monkeypatch.setattr(history, "MOST_BYTES", len(text))
    assert history.parsed(text) == [RESULT]
    monkeypatch.setattr(history, "MOST_BYTES", len(text) - 1)
    with pytest.raises(ValueError, match=r"results\.json of at most"):
        history.parsed(text)


@pytest.mark.parametrize(("change", "says"), [
    ({"tests": "1000"}, "the tests of a result is '1000'"), ({"passed": 1}, "the passed of a result is 1"),
    ({"interval": [1.0]}, "the interval of a result"), ({"interval": [1, 2]}, "the interval of a result"),
    ({"wrong": -1}, "do not add up"), ({"wrong": 1001}, "do not add up"), ({"answered": 1001}, "do not add up"),
    ({"answered": 9}, "do not add up"), ({"bits": "AAAA"}, "does not hold|Error -3"),
    ({"more": 1}, "lacks fields, or has others"),
])
def test_results_that_are_none(change, says):
    with pytest.raises(ValueError, match=says):
        history.parsed(json.dumps([{**RESULT, **change}]))


@pytest.mark.parametrize("field", [
    "version", "at", "passed", "message", "error_rate", "interval", "agreement", "of", "wrong", "answered", "tests", "dataset",
    "signature", "golden", "latency_ms", "rate", "bits",
])
def test_every_field_is_looked_at(field):
    with pytest.raises(ValueError, match="the %s of a result is" % field):
        history.parsed(json.dumps([{**RESULT, field: {"a": 1} if field not in ("golden", "latency_ms") else 1}]))
    with pytest.raises(ValueError, match="lacks fields"):
        history.parsed(json.dumps([{name: value for name, value in RESULT.items() if name != field}]))


def test_fields_that_may_be_empty():
    empty = dict.fromkeys(("version", "error_rate", "interval", "agreement", "golden", "latency_ms", "rate", "bits"))
    for result in ({**RESULT, **empty}, {**RESULT, "error_rate": 1, "agreement": 1.0, "rate": 2}, {**RESULT, "wrong": 0}):
        assert history.parsed(json.dumps([result])) == [result]
    same = {**RESULT, "wrong": 1000, "answered": 1000, "tests": 1000}
    assert history.parsed(json.dumps([same])) == [same]


GOOD = Api()
check(GOOD)
RESULT = json.loads(GOOD.found["data"]["results.json"])[0]


@pytest.mark.parametrize("text", [
    "", "{", "{}", "[1]", "[{}]", json.dumps([{**RESULT, "version": "one"}]), json.dumps([{**RESULT, "bits": "AAAA"}]),
    json.dumps([{**RESULT, "wrong": 2000}]), json.dumps([{**RESULT, "interval": ["a", "b"]}]),
    json.dumps([{**RESULT, "more": 1}]),
    "[" * 60000, "x" * 200000,
])
def test_what_somebody_edited_is_a_fresh_start(text):
    api = Api(text)
    known, warnings = opened(api)
    assert known.results == [] and len(warnings) == 1
    assert "ConfigMap mnist-deploy-check in namespace default is not what this collection writes" in warnings[0]
    assert len(check(api)) == 1 and versions(api) == [1] and opened(api)[1] == []


def test_a_config_map_without_data():
    api = Api("")
    del api.found["data"]
    assert opened(api)[0].results == []


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
    known, warnings = opened(api)
    known.version = "6"
    known.add(measured(server(1)), {"worst": "pod a", "code": None, "passed": True, "message": "m"})
    assert len(warnings) == 1 and "the object has been modified" in warnings[0]


def test_the_results_for_the_status():
    api = Api()
    check(api, 1)
    check(api, 2, 200, "error_rate_exceeded")
    assert history.last_results(api, "default", "mnist-deploy", pytest.fail) == [
        {"version": 2, "at": "2026-11-22T23:40:00Z", "passed": False, "message": "m", "error_rate": 20.0, "agreement": None},
        {"version": 1, "at": "2026-11-22T23:40:00Z", "passed": True, "message": "m", "error_rate": 1.0, "agreement": None},
    ]


def test_a_short_check_is_the_last_result_and_not_the_base():
    """As a schedule that asks fewer tests, and more often, than a person does."""
    api = Api()
    check(api, wrong=10)
    check(api, wrong=3, tests=100)
    check(api, wrong=1, tests=50)
    known, _warnings = opened(api)
    assert [result["tests"] for result in known.results] == [50, 1000]
    assert known.before(measured(server(9), tests=1000))["tests"] == 1000
    assert known.of(1, measured(server(9), tests=1000))["tests"] == 1000
    assert known.before(measured(server(1, 50), tests=50))["tests"] == 50
    assert known.before(measured(server(1, 70), tests=70))["tests"] == 50
    assert [result["error_rate"] for result in history.last_results(api, "default", "mnist-deploy", print)] == [2.0]
    check(api, wrong=10)
    assert [result["tests"] for result in opened(api)[0].results] == [1000]


def test_of_other_test_data_no_base_is_kept():
    api = Api()
    check(api)
    known, _warnings = opened(api)
    one = measured(server(1, 50), tests=50)
    one["dataset"] = {**one["dataset"], "digest": "sha256:" + "00" * 32}
    known.add(one, {"worst": one["servers"][0]["title"], "code": None, "passed": True, "message": "m"})
    assert [result["tests"] for result in opened(api)[0].results] == [50]


def test_five_versions_are_kept_whatever_each_of_them_has():
    api = Api()
    for version in range(1, 8):
        check(api, version)
        check(api, version, tests=100, wrong=1)
    assert versions(api) == [7, 7, 6, 6, 5, 5, 4, 4, 3, 3]


def test_its_name():
    assert object_names("mnist-deploy")["check"] == "mnist-deploy-check"
