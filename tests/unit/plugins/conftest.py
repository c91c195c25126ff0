from __future__ import annotations

import importlib

import fake_api
import pytest
from run_action import run_action

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import api as cluster_api


@pytest.fixture
def api():
    """An API server: `api.client` leads to it, `api.run(module, **options)` runs a module against it."""
    api = fake_api.Api()
    with fake_api.serving(api) as options:
        def run(module, /, **more):
            plugin = importlib.import_module("ansible_collections.mlops.tf_serving.plugins.action." + module)
            return run_action(plugin, **{**options, **more})
        api.run, api.options = run, options
        api.client = cluster_api.connect({**dict.fromkeys(cluster_api.AUTH_ARG_SPEC), **options})
        api.requests.clear()
        yield api
