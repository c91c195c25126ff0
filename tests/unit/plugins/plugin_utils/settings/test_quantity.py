from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.quantity import quantity


@pytest.mark.parametrize(("text", "number"), [
    ("5Gi", 5 * 1024 ** 3), ("5120Mi", 5 * 1024 ** 3), ("5242880Ki", 5 * 1024 ** 3), ("0.5Ki", 512), ("1Ti", 1024 ** 4),
    ("1Pi", 1024 ** 5), ("1Ei", 1024 ** 6), ("1k", 10 ** 3), ("1M", 10 ** 6), ("1G", 10 ** 9), ("1T", 10 ** 12),
    ("1P", 10 ** 15), ("2E", 2 * 10 ** 18), ("1500m", 1.5), ("2000000u", 2), ("3000000000n", 3),
    ("1e3", 1000), ("1E3", 1000), ("1e+3", 1000), ("25e-1", 2.5), ("1e100", 10 ** 100),
    ("5", 5), (5, 5), (2.5, 2.5), (".5", 0.5), ("5.", 5), ("+5Gi", 5 * 1024 ** 3), ("-1", -1),
])
def test_a_quantity(text, number):
    assert quantity(text) == number


@pytest.mark.parametrize("text", [
    "5GB", "", "five", "5 Gi", " 5Gi", "5Gi\n", "5gi", "5ki", "5mi", "K", "1e", "1e3Gi", "\u0665Gi", "5KI", "1.2.3", "0x5", None, True,
])
def test_no_quantity(text):
    assert quantity(text) is None
