from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils import _serving_preflight
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error


@pytest.mark.parametrize(("one", "other"), [("5Gi", "5120Mi"), ("1k", "1000"), ("1e3", "1000"), ("0.5Gi", "512Mi")])
def test_quantities_that_are_equal(one, other):
    assert _serving_preflight.quantity(one) == _serving_preflight.quantity(other)


def test_quantities_that_differ():
    assert _serving_preflight.quantity("5Gi") != _serving_preflight.quantity("5G")


def test_helm_3_is_needed():
    assert _serving_preflight.helm_version("v3.19.5+gabc", "/x/helm") == "v3.19.5"
    with pytest.raises(Error, match="serving_helm_binary"):
        _serving_preflight.helm_version("Client: v2.17.0", "/x/helm")
