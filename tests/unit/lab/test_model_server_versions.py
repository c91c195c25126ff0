"""Which version is served when: the rules of the real server's file system source and availability policy."""
from __future__ import annotations

import threading
import time

import pytest

from model_server import versions
from model_server.versions import AVAILABLE, END, LOADING, LoadError, Model, NotServed


class Fake:
    """A servable, and the loader that makes it: fails for versions in `broken`, waits for `gate`."""

    def __init__(self):
        self.broken, self.gate, self.loads, self.closed = set(), threading.Event(), [], []
        self.gate.set()

    def __call__(self, path):
        number = int(path.rsplit("/", 1)[1])
        self.loads.append(number)
        self.gate.wait(5)
        if number in self.broken:
            raise LoadError(5, "no saved_model.pb in %d" % number)
        return Servable(self, number)


class Servable:
    def __init__(self, fake, number):
        self.fake, self.number = fake, number

    def close(self):
        self.fake.closed.append(self.number)


@pytest.fixture
def load():
    return Fake()


@pytest.fixture
def make(tmp_path, load):
    def make(*numbers, **options):
        for number in numbers:
            (tmp_path / str(number)).mkdir()
        return Model("mnist", str(tmp_path), load, **options)
    return make


def until(condition):
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def settle(model, condition):
    """One poll, then actions until the condition holds."""
    model.poll()

    def step():
        model.act()
        return condition()
    until(step)


def serving(model, number=None):
    try:
        with model.serving(number) as version:
            return version.number
    except NotServed:
        return None


def states(model):
    return {version.number: version.state for version in model.states()}


@pytest.mark.parametrize("name, number", [
    ("1", 1), ("0001", 1), ("20171108", 20171108), (" 7 ", 7), ("-1", -1), ("9223372036854775807", 2**63 - 1),
    ("9223372036854775808", None), ("v2", None), ("0.1", None), (".staging-2", None), ("2.tmp", None), ("1_0", None),
    ("", None), ("\u0661", None), ("+1", None)])
def test_which_names_are_versions(name, number):
    assert versions.parse_version(name) == number


def test_a_file_with_a_number_for_its_name_is_a_version_too(tmp_path):
    (tmp_path / "3").write_text("")
    assert versions.scan(str(tmp_path)) == {3: "3"}


def test_of_two_names_for_one_number_the_later_one_is_loaded(tmp_path, capsys):
    (tmp_path / "01").mkdir()
    (tmp_path / "1").mkdir()
    assert versions.scan(str(tmp_path)) == {1: "1"}
    assert "Duplicate version directories detected" in capsys.readouterr().err


def test_the_highest_integer_is_served(make, load):
    model = make(2, 10, 9)
    settle(model, lambda: serving(model) == 10)
    assert load.loads == [10]
    assert states(model) == {10: AVAILABLE}


def test_it_logs_what_the_real_one_logs(make, capsys):
    model = make(1)
    settle(model, lambda: serving(model) == 1)
    log = capsys.readouterr().err
    for line in ("Successfully reserved resources to load servable {name: mnist version: 1}",
                 "loader_harness.cc:86] Successfully loaded servable version {name: mnist version: 1}"):
        assert line in log


def test_the_old_version_serves_until_the_new_one_is_ready(make, load, tmp_path):
    model = make(1)
    settle(model, lambda: serving(model) == 1)
    load.gate.clear()
    (tmp_path / "2").mkdir()
    settle(model, lambda: 2 in load.loads)
    assert states(model) == {2: LOADING, 1: AVAILABLE}
    assert serving(model) == 1
    load.gate.set()
    settle(model, lambda: states(model) == {2: AVAILABLE, 1: END})
    assert serving(model) == 2
    assert load.closed == [1]


def test_a_request_under_way_keeps_its_version_loaded(make, load, tmp_path):
    model = make(1)
    settle(model, lambda: serving(model) == 1)
    with model.serving() as version:
        (tmp_path / "2").mkdir()
        settle(model, lambda: serving(model) == 2)
        settle(model, lambda: version.state == versions.UNLOADING)
        assert load.closed == []
    until(lambda: states(model) == {2: AVAILABLE, 1: END})
    assert load.closed == [1]


def test_a_removed_version_goes_back_to_the_one_before(make, load, tmp_path):
    model = make(1, 2)
    settle(model, lambda: serving(model) == 2)
    load.gate.clear()
    (tmp_path / "2").rmdir()
    settle(model, lambda: 1 in load.loads)
    assert serving(model) == 2, "availability first: 2 stays until 1 is ready"
    load.gate.set()
    settle(model, lambda: states(model) == {2: END, 1: AVAILABLE})


def test_a_failed_load_leaves_the_old_version_serving_and_is_not_tried_for_ever(make, load, tmp_path, capsys):
    load.broken = {2}
    model = make(1, max_retries=2, retry_seconds=0.01)
    settle(model, lambda: serving(model) == 1)
    (tmp_path / "2").mkdir()
    settle(model, lambda: states(model).get(2) == END)
    assert load.loads == [1, 2, 2, 2]
    assert model.states()[0].code == 5
    for dummy in range(3):
        model.poll()
        model.act()
    assert load.loads == [1, 2, 2, 2], "END stays END while its folder stays"
    assert serving(model) == 1
    log = capsys.readouterr().err
    assert "Servable: {name: mnist version: 2} load failure: no saved_model.pb in 2" in log
    assert "Retrying load on servable version: {name: mnist version: 2} retry: 2" in log


def test_a_failed_version_is_loaded_anew_after_its_folder_was_away_for_a_poll(make, load, tmp_path):
    load.broken = {2}
    model = make(1, 2, max_retries=0)
    settle(model, lambda: states(model).get(2) == END)
    load.broken = set()
    (tmp_path / "2").rename(tmp_path / "away")
    settle(model, lambda: serving(model) == 1)
    (tmp_path / "away").rename(tmp_path / "2")
    settle(model, lambda: serving(model) == 2)


def test_a_version_that_is_no_longer_wanted_is_not_retried(make, load, tmp_path):
    load.broken = {2}
    model = make(2, max_retries=5, retry_seconds=60)
    settle(model, lambda: load.loads == [2])
    (tmp_path / "3").mkdir()
    settle(model, lambda: serving(model) == 3)
    until(lambda: states(model)[2] == END)


def test_an_empty_base_path_unloads_everything(make, load, tmp_path, capsys):
    model = make(1)
    settle(model, lambda: serving(model) == 1)
    (tmp_path / "1").rmdir()
    settle(model, lambda: states(model) == {1: END})
    assert serving(model) is None
    assert "No versions of servable mnist found under base path %s" % tmp_path in capsys.readouterr().err
    (tmp_path / "1").mkdir()
    settle(model, lambda: serving(model) == 1)


def test_a_base_path_that_is_gone_changes_nothing(make, tmp_path, capsys):
    model = make(1)
    settle(model, lambda: serving(model) == 1)
    tmp_path.rename(tmp_path.with_name("elsewhere"))
    model.poll()
    model.act()
    assert serving(model) == 1
    assert "Could not find base path %s for servable mnist" % tmp_path in capsys.readouterr().err


def test_a_version_by_number(make):
    model = make(1, 2)
    settle(model, lambda: serving(model) == 2)
    assert serving(model, 2) == 2
    with pytest.raises(NotServed, match=r"Servable not found for request: Specific\(mnist, 1\)"), model.serving(1):
        pass


def test_nothing_loaded(make):
    with pytest.raises(NotServed, match=r"Servable not found for request: Latest\(mnist\)"), make().serving():
        pass


def test_states_are_listed_newest_first(make, tmp_path):
    model = make(1)
    settle(model, lambda: serving(model) == 1)
    (tmp_path / "2").mkdir()
    settle(model, lambda: states(model) == {2: AVAILABLE, 1: END})
    assert [version.number for version in model.states()] == [2, 1]


def test_the_thread_waits_for_a_version_and_then_loads_it(make, tmp_path):
    model = make(poll_seconds=0.02)
    model.start()
    waiting = threading.Thread(target=model.wait_until_loaded, daemon=True)
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive(), "without a version it waits for ever"
    (tmp_path / "1").mkdir()
    waiting.join(5)
    assert serving(model) == 1


def test_the_thread_with_poll_0_looks_once(make, load, tmp_path):
    model = make(1, poll_seconds=0)
    model.start()
    assert model.wait_until_loaded().state == AVAILABLE
    (tmp_path / "2").mkdir()
    time.sleep(0.1)
    assert load.loads == [1]


def test_a_first_version_that_cannot_be_loaded_ends_the_wait(make, load):
    load.broken = {1}
    model = make(1, poll_seconds=0.02, max_retries=1, retry_seconds=0.01)
    model.start()
    assert model.wait_until_loaded().state == END
