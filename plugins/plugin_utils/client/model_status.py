# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a model server says of the versions of a model."""
from __future__ import annotations

from typing import TypedDict

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.channel import Channel
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import (
    GET_MODEL_STATUS,
    MODEL_VERSION_STATES,
    messages,
)

# Codes of errors after which a server is not worth another question.
UNREACHABLE = ("unavailable", "deadline_exceeded", "port_forward_failed", "tls_failed")


class Version(TypedDict):
    version: int
    state: str  # such as AVAILABLE or END
    error: str  # why it did not load


def model_versions(channel: Channel, name: str, timeout: float) -> list[Version] | None:
    """The versions ascending, [] where the name is not served; None where a server is too old to tell (1.4)."""
    request = messages().GetModelStatusRequest()
    request.model_spec.name = name
    try:
        answer = channel.ask(GET_MODEL_STATUS, request, "GetModelStatusResponse", timeout)
    except Error as error:
        if error.code == "unimplemented":
            return None
        if error.code == "not_found":
            return []
        raise
    versions = [
        Version(
            version=entry.version,
            state=MODEL_VERSION_STATES.get(entry.state, str(entry.state)),
            error=entry.status.error_message,
        )
        for entry in answer.model_version_status
    ]
    return sorted(versions, key=lambda entry: entry["version"])
