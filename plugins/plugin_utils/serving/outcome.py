# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run came to for one model, small: for the next job of a workflow. Pure."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.info import host_and_port
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.version_states import given

Facts = Mapping[str, Any]


def outcome(found: Facts) -> dict[str, Any]:
    """found: the facts that roles have handed on, by their names; those that there are."""
    status, check = found.get("serving_status") or {}, found.get("check_result") or {}
    versions, service = given(status), status.get("service")
    return {
        "changed": list(_changes(found)), "version": check.get("version") or (versions[-1] if versions else None),
        "error_rate": check.get("error_rate"), "address": host_and_port(service) if service and service["address"] else None,
    }


def _changes(found: Facts) -> Iterator[str]:
    """Steps that changed something."""
    published, withdrawn = found.get("model_published") or {}, found.get("model_withdrawn") or {}
    scaling = found.get("scaling_result") or {}
    if published.get("changed"):
        yield "version %s published" % published.get("version")
    if withdrawn.get("changed"):
        yield "versions withdrawn"
    if (found.get("volume_result") or {}).get("changed"):
        yield "volume"
    if scaling.get("changed"):
        yield "replicas %s" % scaling.get("replicas")
