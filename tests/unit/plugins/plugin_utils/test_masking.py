from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.masking import masked


@pytest.mark.parametrize(("value", "shown"), [
    ("of sig=open", "of ********"),
    ({"open": ["sig=open", ("x-open-x", 3, None, True)]}, {"********": ["********", ["x-********-x", 3, None, True]]}),
    ("closed", "closed"),
])
def test_wherever_it_stands(value, shown):
    assert masked(value, {"open", "sig=open", ""}) == shown


def test_without_secrets_it_is_as_it_was():
    answer = {"a": ("b",)}
    assert masked(answer, set()) is answer
