"""Which cluster a model is on: its variables, the task's own options, and what would hide them."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.of_model import options

BOTH = {"serving_kubeconfig": "/k", "serving_context": "eu"}


@pytest.mark.parametrize(("given", "variables", "added"), [
    ({}, {}, {}), ({}, {"serving_context": "", "serving_kubeconfig": None}, {}), ({}, BOTH, {"kubeconfig": "/k", "context": "eu"}),
    ({}, {"serving_context": "eu"}, {"context": "eu"}), ({"context": "mine"}, BOTH, {"kubeconfig": "/k"}),
    ({"host": "https://h"}, BOTH, {}), ({"kubeconfig": "/mine", "context": "mine"}, BOTH, {}),
])
def test_what_is_added(given, variables, added):
    environment = {"K8S_AUTH_KUBECONFIG": "/all", "K8S_AUTH_HOST": ""}
    assert options(given, variables.get, environment) == added


@pytest.mark.parametrize("environment", [
    {"K8S_AUTH_HOST": "https://h"}, {"K8S_AUTH_API_KEY": "t"}, {"K8S_AUTH_HOST": "https://h", "K8S_AUTH_API_KEY": "t"}])
def test_what_would_hide_it(environment):
    with pytest.raises(Error) as error:
        options({}, {"serving_context": "eu"}.get, environment)
    assert error.value.code == "cluster_ambiguous"
    assert error.value.message.startswith("serving_context is eu, but %s in the environment leads" % " and ".join(environment))
    assert options({}, {}.get, environment) == {} == options({"context": "a"}, {"serving_context": "eu"}.get, environment)
