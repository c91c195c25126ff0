# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: first_stable
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: The version that policy pinned begins with
description:
  - It is the highest on the NAS, which serves now where servers take that. Where the model config was lost, it is what every
    replica still serves.
positional: _input, answers, lost
options:
  _input:
    description: Answer of M(mlops.tf_serving.model_publish). It may be empty.
    type: dict
    required: true
  answers:
    description: Answer of M(mlops.tf_serving.serving_versions). It may be empty.
    type: dict
    default: {}
  lost:
    description: Whether the servers are pinned already, and only the model config was lost.
    type: bool
    default: false
"""

EXAMPLES = """
- name: The first stable version
  ansible.builtin.debug:
    msg: "{{ model_published | mlops.tf_serving.first_stable }}"
"""

RETURN = """
_value:
  description: The version, or null where none is known.
  type: int
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.decisions import first_stable


def _first_stable(published: dict[str, Any], answers: dict[str, Any] | None = None, lost: bool = False) -> int | None:
    return first_stable(published, (answers or {}).get("available") or [], lost)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"first_stable": _first_stable}
