# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: versions_beside
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: What lies beside the version that serves, in words
description:
  - A candidate, a version that never passed its check, one that was withdrawn or pruned, an archive that is not what serves.
positional: _input, published, pruned
options:
  _input:
    description: What serves, as P(mlops.tf_serving.serving_status#filter) gives it.
    type: dict
    required: true
  published:
    description: Answer of M(mlops.tf_serving.model_publish).
    type: dict
    required: true
  pruned:
    description: Answer of M(mlops.tf_serving.model_versions) where that came later. It may be empty.
    type: dict
    default: {}
"""

EXAMPLES = """
- name: What should be known?
  ansible.builtin.debug:
    msg: "{{ serving_status | mlops.tf_serving.versions_beside(model_published) }}"
"""

RETURN = """
_value:
  description: A sentence for each.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.version_states import after_run, beside


def versions_beside(status: dict[str, Any], published: dict[str, Any], pruned: dict[str, Any] | None = None) -> list[str]:
    return beside(status, after_run(published, pruned or {}), published)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"versions_beside": versions_beside}
