"""The set of models and the labels: reload as the real server's core does it."""
from __future__ import annotations

import re
import threading

import pytest
from model_server_fakes import Load, serving, states, until

from model_server.core import Core, Entry
from model_server.errors import Failure
from model_server.source import Source
from model_server.versions import AVAILABLE, END, Manager


@pytest.fixture
def base(tmp_path):
    for number in (1, 2):
        (tmp_path / "mnist" / str(number)).mkdir(parents=True)
    return tmp_path / "mnist"


@pytest.fixture
def load():
    return Load()


@pytest.fixture
def entry(base):
    def entry(*versions, name="mnist", **labels):
        return Entry(name, str(base), policy=("specific", set(versions)), labels=labels)
    return entry


@pytest.fixture
def make(load):
    def make(*entries, **options):
        manager = Manager(load, max_retries=0)
        core = Core(manager, Source(manager.aspire, poll_seconds=0.02), **options)
        core.reload(list(entries))
        return core
    return make


def refused(core, entries, text):
    with pytest.raises(Failure, match=re.escape(text)) as caught:
        core.reload(entries)
    return caught.value.code


def test_a_reload_adds_a_model_waits_for_it_and_unloads_what_it_leaves_out(make, entry):
    core = make(entry(1))
    core.reload([entry(1), entry(2, name="mnist-canary")])
    assert (serving(core.manager), serving(core.manager, model="mnist-canary")) == (1, 2)
    core.reload([entry(1)])
    until(lambda: states(core.manager, "mnist-canary") == {2: END})
    assert serving(core.manager) == 1
    core.reload([entry(1), entry(2, name="mnist-canary")])
    assert serving(core.manager, model="mnist-canary") == 2, "END from before is not taken for the new one"


def test_a_reload_does_not_wait_for_a_version_added_to_a_known_model(make, entry, load):
    core = make(entry(1))
    load.gate.clear()
    core.reload([entry(1, 2)])
    until(lambda: 2 in load.loads)
    assert serving(core.manager) == 1
    load.gate.set()
    until(lambda: states(core.manager) == {2: AVAILABLE, 1: AVAILABLE})


def test_a_reload_tells_of_an_added_model_that_cannot_be_loaded(make, entry, load):
    core = make(entry(1))
    load.broken = {2}
    code = refused(core, [entry(1), entry(2, name="mnist-canary")], "1 model(s) did not become available: {{{name: "
                   "mnist-canary version: 2} due to error: Not found: no saved_model.pb in 2}, }")
    assert (code, serving(core.manager)) == (2, 1)


def test_a_reload_that_waits_for_ever_keeps_every_other_one_waiting(make, entry, base):
    core = make(entry(1))
    threads = [threading.Thread(target=core.reload, args=(entries,), daemon=True)
               for entries in ([entry(1), entry(3, name="late")], [entry(1)])]
    for thread in threads:
        thread.start()
        thread.join(0.2)
    assert all(thread.is_alive() for thread in threads)
    (base / "3").mkdir()
    for thread in threads:
        thread.join(5)
    until(lambda: states(core.manager, "late") == {3: END})  # the second one came after the first


def test_a_first_load_that_fails_is_told_as_one_of_servables(make, entry, load):
    load.broken = {1}
    with pytest.raises(Failure, match=re.escape("1 servable(s) did not become available: {{{name: mnist version: 1} due to")):
        make(entry(1))


@pytest.mark.parametrize("allow", [False, True])
def test_a_label_on_a_version_that_is_not_loaded(make, entry, allow):
    core = make(entry(1), allow_labels_for_unavailable=allow)
    if allow:
        core.reload([entry(1, new=9)])
        assert core.labels == {"mnist": {"new": 9}}
        core.reload([entry(1, new=9)])  # said again: still no other version
        core.reload([entry(1, new=1)])
        code = refused(core, [entry(1, new=9)], "assign label to version 9 of model mnist, which is not currently available")
        assert (code, core.labels) == (9, {"mnist": {"new": 1}})
        core.reload([entry(1)])
        core.reload([entry(1, new=9)])  # gone in between, so new
    else:
        assert refused(core, [entry(1, new=9)], "assign label to version 9 of model mnist") == 9
        core.reload([entry(1, new=1)])
        assert core.labels == {"mnist": {"new": 1}}


def test_at_start_no_version_is_available_for_a_label(make, entry):
    with pytest.raises(Failure, match="assign label to version 1"):
        make(entry(1, stable=1))
    assert make(entry(1, stable=1), allow_labels_for_unavailable=True).labels == {"mnist": {"stable": 1}}


def test_a_refused_label_leaves_the_models_as_they_were(make, entry):
    core = make(entry(1))
    refused(core, [entry(2, stable=2)], "assign label to version 2")
    core.source.poll()
    assert states(core.manager) == {1: AVAILABLE}


@pytest.mark.parametrize("entries, code, text", [
    ([Entry("a", "/a"), Entry("a", "/b")], 3, "Illegal to list model a multiple times in config list"),
    ([Entry("a", "a")], 3, "Expected model a to have an absolute path or URI; got base_path()=a"),
    ([Entry("a", "/a", platform="")], 3, "Illegal setting neither ModelServerConfig::model_type"),
    ([Entry("a", "/a", platform="caffe")], 3, "Model a requests unsupported platform caffe"),
    (None, 9, "Cannot transition to requested config"),
])
def test_configs_that_are_refused(make, entry, entries, code, text):
    core = make(entry(1))
    assert refused(core, entries, text) == code
    assert serving(core.manager) == 1


def test_no_models_at_first(make, entry):
    core = make()
    core.reload([entry(1)])
    assert serving(core.manager) == 1
