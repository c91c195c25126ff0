"""What all servers share: the requests, and what is right."""
from __future__ import annotations

import re
import threading
import time

import numpy
import pytest
from ask_server import OPTIONS

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import answers, request_plan
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import questions as _questions
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.dataset import Dataset


def dataset(**columns):
    return Dataset({name: numpy.array(column) for name, column in columns.items()}, frozenset(), "/data", "sha256:1")


def questions(data, **options):
    return _questions.Questions({**OPTIONS, **options}, data)


def test_labels_are_what_is_expected():
    made = questions(dataset(x=[1, 2, 3], y=[0, 1, 1]))
    assert made.tests == 3 and made.golden is None and made.expected.labels.tolist() == [0, 1, 1]
    assert made.expected.tolerance is None and questions(dataset(x=[1], y=[0.5]), tolerance=0.1).expected.tolerance == 0.1
    assert questions(dataset(x=[1, 2], price=[3, 4]), labels="price").expected.labels.tolist() == [3, 4]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made.at)


def test_without_labels_there_have_to_be_golden_answers(tmp_path):
    data = dataset(b=[1], a=[2])
    with pytest.raises(Error) as caught:
        questions(data)
    assert caught.value.code == "labels_missing" and "The dataset /data has no labels (columns: a, b)" in caught.value.message
    path = str(tmp_path / "golden.npz")
    answers.write_golden(path, numpy.array([[0.1, 0.9]]), {"dataset": "sha256:1", "version": 3})
    made = questions(data, golden=path)
    assert made.expected.labels is None and made.expected.golden.tolist() == [1] and made.golden.meta["version"] == 3


def test_to_record_takes_no_labels_and_judges_nothing():
    assert questions(dataset(a=[1]), record="/golden.npz").expected is None
    assert questions(dataset(a=[1], y=[1]), record="/golden.npz").expected is None


def test_requests_are_made_once_for_the_same_plan(monkeypatch):
    made, made_at_once = [], []

    def requests(plan, data, batch, most):
        made_at_once.append(plan)
        time.sleep(0.05)
        made.append((plan, batch, most))
        assert made_at_once.pop() is plan and not made_at_once
        return [len(made)]

    monkeypatch.setattr(request_plan, "requests", requests)
    asked = questions(dataset(x=[1], y=[0]))
    threads = [threading.Thread(target=asked.requests, args=("plan", 10)) for dummy in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked.requests("plan", 10) == [1] and asked.requests("plan", 1, 50) == [2] and asked.requests("other", 10) == [3]
    assert made == [("plan", 10, None), ("plan", 1, 50), ("other", 10, None)]
