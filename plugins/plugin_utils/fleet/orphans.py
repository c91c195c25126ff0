# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Releases that no model of the inventory has. They are going to be removed, so what is in doubt is somebody's."""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import of_model
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import explained, get
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import clusters, releases
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.wanted import Fleet
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.names import object_names

Orphan = dict[str, Any]  # documented in module fleet_orphans
NAMES = ("serving_namespace", "serving_release", *of_model.VARIABLES.values())


def find(fleet: Fleet, looked_for: Collection[str], given: Mapping[str, Any], warn: Callable[[str], None]) -> list[Orphan]:
    """fleet: all models of the inventory. looked_for: those in whose namespaces to look. warn() takes a sentence."""
    owned = {model: _of_model(fleet, model) for model in fleet.hosts}
    found = clusters.reached(fleet, looked_for, given)
    which = {each.cluster: _identity(each.api_client) for each in found if each.api_client}
    known = {(which.get(clusters.of(fleet, model)), *owned[model]) for model in fleet.hosts}
    orphans: dict[tuple[Any, ...], Orphan] = {}
    for each in found:
        if each.error:
            warn("What belongs to no model is not looked for where %s is: %s" % (each.models[0], each.error.message))
            continue
        identity = which[each.cluster]
        for release in releases.read(each.api_client, {owned[model][0] for model in each.models}, warn):
            place = release.namespace, release.release
            if not any((one, *place) in known for one in ({identity, None} if identity else set(which.values()) | {None})):
                orphans.setdefault((identity, *place), _orphan(release, each.models[0]))
    return list(orphans.values())


def _of_model(fleet: Fleet, model: str) -> tuple[str, str]:
    """(namespace, release)"""
    try:
        values = fleet.named(model, NAMES)
    except Error as error:
        raise Error(
            "Which release is %s's cannot be told, so it would be taken for nobody's, and nothing is removed. %s" % (model, error.message),
            "orphans_uncertain", model=model) from error
    return values["serving_namespace"], values["serving_release"]


def _identity(api_client: Any) -> str | None:
    """Two contexts may lead to one cluster. None where it may not be known: it counts as any of them."""
    try:
        with explained("read namespace kube-system"):
            return str(get(api_client, "/api/v1/namespaces/kube-system")["metadata"]["uid"])
    except Error:
        return None


def _orphan(found: releases.Deployed, host: str) -> Orphan:
    names = object_names(found.release)
    return {
        "name": "%s/%s" % (found.namespace, found.release), "namespace": found.namespace, "release": found.release,
        "model_name": found.model_name or found.label or found.release, "claim": names["claim"],
        "volume": found.volume["metadata"]["name"] if found.volume else "",
        "status": found.record["status"], "updated": found.record["updated"], "host": host,
    }


def lines(orphans: Collection[Orphan]) -> Iterator[str]:
    """For people."""
    for orphan in orphans:
        volume = orphan["volume"] or "none that is known"
        yield "- %s  %s since %s, model %s, volume %s" % (orphan["name"], orphan["status"], orphan["updated"], orphan["model_name"], volume)
    yield "%d release%s of no model of this inventory. The data on the NAS stay." % (len(orphans), "" if len(orphans) == 1 else "s")
