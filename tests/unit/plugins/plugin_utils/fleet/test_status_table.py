"""The table of a fleet's status."""
from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.status import Row
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.status_table import BY_CHECK, WIDTH, summary, table

NOW = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)


def check(at="2026-11-25T09:00:00Z", error_rate=10.14, agreement=None, passed=True):
    return {"version": 3, "at": at, "passed": passed, "message": "", "error_rate": error_rate, "agreement": agreement}


def well(model, **more):
    return Row(model, "r", "default", **{
        "policy": "pinned", "version": 3, "version_by": "model_config", "wanted": 2, "ready": 2, "check": check(),
        "address": "10.0.0.1:9090", "reached_at": "10.0.0.1:9090", "since": "2026-11-24T10:11:12Z", **more})


def test_a_fleet():
    rows = [
        well("mnist", report="/srv/r/index.html"), well("beta", candidate=4, report="/srv/r/index.html"),
        well("cifar", version_by="last_check", address="", reached_at="10.1.0.1:9090, from inside the cluster only"),
        Row("zeta", sick=["not deployed"]), well("yolo", ready=1, sick=["1 of 2 ready", "Image\nPullBackOff"]),
    ]
    assert table(rows, NOW) == [
        "  MODEL  VERSION  CANDIDATE  READY  LAST CHECK   AGE  ADDRESS        SINCE",
        "! yolo   3        -          1/2    10.1% wrong  3h   10.0.0.1:9090  2026-11-24 10:11",
        "    1 of 2 ready; Image PullBackOff",
        "! zeta   ?        -          0/0    -            -    -              -",
        "    not deployed",
        "  beta   3        4          2/2    10.1% wrong  3h   10.0.0.1:9090  2026-11-24 10:11",
        "  cifar  3*       -          2/2    10.1% wrong  3h   10.1.0.1:9090  2026-11-24 10:11",
        "  mnist  3        -          2/2    10.1% wrong  3h   10.0.0.1:9090  2026-11-24 10:11",
        BY_CHECK,
        "report  /srv/r/index.html",
        "5 models: 2 sick, 1 with a candidate",
    ]


def test_nothing_but_what_there_is_to_say():
    assert table([well("mnist")], NOW)[2:] == ["1 model: 0 sick"] and summary([]) == "0 models: 0 sick"


@pytest.mark.parametrize(("found", "shown"), [
    (check(error_rate=None, agreement=99.25), "99.2% same"), (check(error_rate=None), "passed"),
    (check(error_rate=None, passed=False), "failed"), (check(error_rate=0.0), "0.0% wrong"), (None, "-"),
])
def test_what_the_check_says(found, shown):
    assert table([well("m", check=found)], NOW)[1].split("2/2")[1].strip().startswith(shown + " ")


@pytest.mark.parametrize(("at", "age"), [
    ("2026-11-25T11:59:18Z", "42s"), ("2026-11-25T11:00:01Z", "59m"), ("2026-11-24T12:00:01Z", "23h"), ("2026-11-01T12:00:00Z", "24d"),
    ("2026-11-25T12:00:09Z", "0s"), ("yesterday", "-"),
])
def test_its_age(at, age):
    assert table([well("m", check=check(at))], NOW)[1].split()[6] == age


@pytest.mark.parametrize(("model", "address"), [
    ("m" * 200, "10.0.0.1:9090"), ("m", "a" * 200 + ":9090"), ("m" * 200, "a" * 200), ("m" * 60, "a" * 60),
])
def test_it_fits_a_screen(model, address):
    lines = table([well(model, address=address, candidate=4, sick=["x" * 300])], NOW)
    assert max(map(len, lines[:2])) <= WIDTH == len(lines[2]) and lines[2].endswith("...")
    assert lines[1].endswith("2026-11-24 10:11") and lines[1].startswith("! m")


def test_a_long_name_keeps_its_end():
    lines = table([well("m" * 200 + "-a"), well("m" * 200 + "-b")], NOW)
    assert [line.split()[0][-2:] for line in lines[1:3]] == ["-a", "-b"]
