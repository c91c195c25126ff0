"""Values as a person reads them."""
from __future__ import annotations

import numpy
import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import words


@pytest.mark.parametrize(("value", "text"), [
    (None, "no answer"), (b"caf\xc3\xa9", "café"), (b"\xff", "�"), (7, "7"), (1234567.0, "1.23457e+06"), (0.5, "0.5"),
    (numpy.float32(0.25), "0.25"), (numpy.int64(3), "3"), (numpy.array([1, 2]), "1, 2"), ((1.5, None), "1.5, no answer"),
    ([1, 2, 3, 4, 5, 6], "1, 2, 3, 4, 5, 6"), ([1, 2, 3, 4, 5, 6, 7], "1, 2, 3, 4, 5, 6, ... (7)"),
    (60 * "a", 60 * "a"), (61 * "a", 59 * "a" + "…"),
])
def test_anything_is_one_short_line(value, text):
    assert words.shown(value) == text


def test_numbers():
    assert words.percent(None) == "-" and words.percent(10.44) == "10.4%"
    assert words.interval([1.0, 2.25]) == "1.0 to 2.2%"
    assert words.figures(None) == "-" and words.figures(12.345) == "12.3"
    assert words.version(None) == "unknown version" and words.version(3) == "version 3"
