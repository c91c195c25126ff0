"""Which versions are loaded when: the rules of the real server's manager and availability policy."""
from __future__ import annotations

import threading
import time

import pytest
from model_server_fakes import Load, serving, states, until

from model_server.errors import Failure
from model_server.versions import AVAILABLE, END, LOADING, START, UNLOADING, Manager


@pytest.fixture
def load():
    return Load()


@pytest.fixture
def make(load):
    def make(*numbers, **options):
        manager = Manager(load, **options)
        aspire(manager, *numbers)
        manager.start()
        return manager
    return make


def aspire(manager, *numbers, model="mnist"):
    manager.aspire(model, {number: "/models/%s/%d" % (model, number) for number in numbers})


def test_it_logs_what_the_real_one_logs(make, capsys):
    manager = make(1)
    until(lambda: serving(manager) == 1)
    log = capsys.readouterr().err
    for line in ("Successfully reserved resources to load servable {name: mnist version: 1}",
                 "loader_harness.cc:86] Successfully loaded servable version {name: mnist version: 1}"):
        assert line in log


def test_a_request_without_a_version_gets_the_highest_loaded_one(make):
    manager = make(1, 2)
    until(lambda: states(manager) == {2: AVAILABLE, 1: AVAILABLE})
    assert (serving(manager), serving(manager, 1), serving(manager, 3)) == (2, 1, None)


def test_the_old_version_serves_until_the_new_one_is_ready(make, load):
    manager = make(1)
    until(lambda: serving(manager) == 1)
    load.gate.clear()
    aspire(manager, 2)
    until(lambda: 2 in load.loads)
    assert states(manager) == {2: LOADING, 1: AVAILABLE}
    assert serving(manager) == 1
    load.gate.set()
    until(lambda: states(manager) == {2: AVAILABLE, 1: END})
    assert serving(manager) == 2
    assert load.closed == [1]


def test_of_several_old_versions_only_the_highest_is_kept_meanwhile(make, load):
    manager = make(1, 2)
    until(lambda: states(manager) == {2: AVAILABLE, 1: AVAILABLE})
    load.gate.clear()
    aspire(manager, 3)
    until(lambda: states(manager) == {3: LOADING, 2: AVAILABLE, 1: END})
    load.gate.set()
    until(lambda: states(manager) == {3: AVAILABLE, 2: END, 1: END})


def test_a_request_under_way_keeps_its_version_loaded(make, load):
    manager = make(1)
    until(lambda: serving(manager) == 1)
    with manager.serving("mnist") as version:
        aspire(manager, 2)
        until(lambda: serving(manager) == 2)
        until(lambda: version.state == UNLOADING)
        assert load.closed == []
    until(lambda: states(manager) == {2: AVAILABLE, 1: END})
    assert load.closed == [1]


def test_going_back_to_the_version_before(make, load):
    manager = make(2)
    until(lambda: serving(manager) == 2)
    load.gate.clear()
    aspire(manager, 1)
    until(lambda: 1 in load.loads)
    assert serving(manager) == 2, "availability first: 2 stays until 1 is ready"
    load.gate.set()
    until(lambda: states(manager) == {2: END, 1: AVAILABLE})


def test_a_failed_load_leaves_the_old_version_serving_and_is_not_tried_for_ever(make, load, capsys):
    load.broken = {2}
    manager = make(1, max_retries=2, retry_seconds=0.01)
    until(lambda: serving(manager) == 1)
    aspire(manager, 2)
    until(lambda: states(manager).get(2) == END)
    assert load.loads == [1, 2, 2, 2]
    assert (manager.states("mnist")[0].code, manager.states("mnist")[0].message) == (5, "no saved_model.pb in 2")
    for dummy in range(3):
        aspire(manager, 2)
    time.sleep(0.05)
    assert load.loads == [1, 2, 2, 2], "END stays END while it is aspired"
    assert serving(manager) == 1
    log = capsys.readouterr().err
    assert "Servable: {name: mnist version: 2} load failure: Not found: no saved_model.pb in 2" in log
    assert "Retrying load on servable version: {name: mnist version: 2} retry: 2" in log


def test_a_failed_version_that_nothing_serves_beside_is_loaded_anew_after_it_was_away(make, load):
    load.broken = {2}
    manager = make(2, max_retries=0)
    until(lambda: states(manager).get(2) == END)
    load.broken = set()
    aspire(manager, 1)
    until(lambda: serving(manager) == 1)
    aspire(manager, 2)
    until(lambda: serving(manager) == 2)


def test_a_failed_version_beside_the_one_that_serves_does_not_come_back(make, load):
    """Going back to 1 waits until 1 is gone, and it is not: nothing changes, and 2 stays END. Only a third number helps."""
    load.broken = {2}
    manager = make(1, max_retries=0)
    until(lambda: serving(manager) == 1)
    aspire(manager, 2)
    until(lambda: states(manager).get(2) == END)
    load.broken = set()
    aspire(manager, 1)
    aspire(manager, 2)
    time.sleep(0.05)
    assert (states(manager), load.loads) == ({2: END, 1: AVAILABLE}, [1, 2])
    aspire(manager, 3)
    until(lambda: states(manager) == {3: AVAILABLE, 2: END, 1: END})


def test_going_back_while_the_new_version_loads_waits_for_it(make, load):
    manager = make(1)
    until(lambda: serving(manager) == 1)
    load.gate.clear()
    aspire(manager, 2)
    until(lambda: 2 in load.loads)
    aspire(manager, 1)
    load.gate.set()
    until(lambda: load.loads == [1, 2, 1] and states(manager) == {2: END, 1: AVAILABLE})


def test_a_version_that_is_no_longer_aspired_is_not_retried(make, load):
    load.broken = {2}
    manager = make(2, max_retries=5, retry_seconds=60)
    until(lambda: load.loads == [2])
    aspire(manager, 3)
    until(lambda: serving(manager) == 3)
    until(lambda: states(manager)[2] == END)


def test_after_the_first_load_a_load_that_is_retried_keeps_all_others_waiting(make, load):
    load.broken = {2}
    manager = make(1, max_retries=5, retry_seconds=0.05)
    until(lambda: serving(manager) == 1)
    manager.end_first_load()
    aspire(manager, 2)
    until(lambda: load.loads == [1, 2])
    aspire(manager, 7, model="other")
    until(lambda: serving(manager, model="other") == 7)
    assert load.loads == [1, 2, 2, 2, 2, 2, 2, 7]


def test_load_threads_let_others_pass(make, load):
    load.broken = {2}
    manager = make(1, max_retries=5, retry_seconds=60, load_threads=1)
    until(lambda: serving(manager) == 1)
    manager.end_first_load()
    aspire(manager, 2)
    aspire(manager, 7, model="other")
    until(lambda: serving(manager, model="other") == 7)
    until(lambda: sorted(load.loads) == [1, 2, 7])


def test_nothing_aspired_unloads_everything(make, load):
    manager = make(1, 2)
    until(lambda: len(load.loads) == 2 and serving(manager) == 2)
    aspire(manager)
    until(lambda: states(manager) == {2: END, 1: END})
    assert serving(manager) is None
    aspire(manager, 1)
    until(lambda: serving(manager) == 1)


def test_what_is_not_served(make):
    manager = make(2)
    until(lambda: serving(manager) == 2)
    for model, number, text in (("mnist", 1, r"Specific\(mnist, 1\)"), ("other", None, r"Latest\(other\)")):
        with pytest.raises(Failure, match="Servable not found for request: " + text), manager.serving(model, number):
            pass


def test_states_are_listed_newest_first(make):
    manager = make(1)
    until(lambda: serving(manager) == 1)
    aspire(manager, 2)
    until(lambda: states(manager) == {2: AVAILABLE, 1: END})
    assert [version.number for version in manager.states("mnist")] == [2, 1]


def test_waiting_for_a_model_until_it_is_loaded_or_has_failed(make, load):
    load.broken = {5}
    manager = make(max_retries=0)
    failed = []
    waiting = threading.Thread(
        target=lambda: failed.extend(manager.wait_until_reached(["mnist", "other"], manager.history)), daemon=True)
    waiting.start()
    aspire(manager, 1)
    waiting.join(0.1)
    assert waiting.is_alive(), "for ever, while one has no version"
    aspire(manager, 5, model="other")
    waiting.join(5)
    assert [str(version) for version in failed] == ["{name: other version: 5}"]


def test_a_watch_sees_only_what_happens_from_now_on(make):
    manager = make(1)
    until(lambda: serving(manager) == 1)
    with manager.watch() as since:
        assert since == {}
        aspire(manager, 2)
        until(lambda: states(manager) == {2: AVAILABLE, 1: END})
        assert {number: version.state for number, version in since["mnist"].items()} == {2: AVAILABLE, 1: END}
    aspire(manager, 1)
    until(lambda: states(manager) == {2: END, 1: AVAILABLE})  # although the watch saw all that the history holds


def test_a_version_given_up_before_its_load_began_is_forgotten(make, load):
    load.gate.clear()
    manager = make(1)
    manager.parallel = False
    until(lambda: load.loads == [1])
    aspire(manager, 1, 2)
    aspire(manager, 1)
    load.gate.set()
    until(lambda: serving(manager) == 1)
    time.sleep(0.05)
    assert load.loads == [1]
    assert states(manager).get(2) in (None, START)
