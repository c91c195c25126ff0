# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The models of a fleet by their cluster: each is connected to once, and one that does not answer is its own models' trouble."""
from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import of_model
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import connect
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.wanted import Fleet

Cluster = tuple[tuple[str, str], ...]  # options of the API that lead there; none: what the environment says


class Found(NamedTuple):
    """models: those on it. api_client: None where there is no way to it, for which error says why."""

    cluster: Cluster
    models: list[str]
    api_client: Any
    error: Error | None


def reached(fleet: Fleet, models: Iterable[str], given: Mapping[str, Any]) -> list[Found]:
    """given: the options of the API that the task has. An Error where there is a way to none of them."""
    found = [_reached(cluster, on_it, given) for cluster, on_it in by_cluster(fleet, models).items()]
    if found and found[0].error and all(each.error for each in found):
        raise found[0].error
    return found


def _reached(cluster: Cluster, models: list[str], given: Mapping[str, Any]) -> Found:
    try:
        ways = of_model.options({}, {of_model.VARIABLES[option]: text for option, text in cluster}.get, os.environ)
        return Found(cluster, models, connect({**given, **ways}), None)
    except Error as error:
        return Found(cluster, models, None, error)


def by_cluster(fleet: Fleet, models: Iterable[str]) -> dict[Cluster, list[str]]:
    """Of a model whose variables do not say it, what they say of the rest counts: it is told of that anyhow."""
    found: dict[Cluster, list[str]] = {}
    for model in models:
        found.setdefault(of(fleet, model), []).append(model)
    return found


def of(fleet: Fleet, model: str) -> Cluster:
    try:
        values = fleet.named(model, tuple(of_model.VARIABLES.values()))
    except Error:
        return ()
    return tuple((option, values[variable]) for option, variable in of_model.VARIABLES.items() if values[variable])
