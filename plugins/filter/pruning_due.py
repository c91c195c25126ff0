# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: pruning_due
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: Whether there is anything to note or to delete on the NAS after a run
description:
  - A version that passed its check is noted once, and old versions are deleted where there are more than are to stay.
positional: _input, passed, keep
options:
  _input:
    description: Answer of M(mlops.tf_serving.model_publish).
    type: dict
    required: true
  passed:
    description: Versions that passed their check in this run.
    type: list
    elements: int
    required: true
  keep:
    description: Number of versions that stay, 0 for all.
    type: int
    required: true
"""

EXAMPLES = """
- name: Is there something to delete?
  ansible.builtin.debug:
    msg: "{{ model_published | mlops.tf_serving.pruning_due([], 3) }}"
"""

RETURN = """
_value:
  description: Whether there is.
  type: bool
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.decisions import pruning_due


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pruning_due": pruning_due}
