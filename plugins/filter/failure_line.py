# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: failure_line
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: What failed, in one line
description:
  - For the list of what failed at the end of a run over many models. The task that failed has said the rest.
positional: _input
options:
  _input:
    description: The result of the task that failed.
    type: dict
    required: true
"""

EXAMPLES = """
- name: Keep what failed
  ansible.builtin.set_fact:
    failed: "{{ ansible_failed_result | mlops.tf_serving.failure_line }}"
"""

RETURN = """
_value:
  description: The line.
  type: str
  sample: "Version 2 failed and was withdrawn, and version 1 serves on every replica. Inference error rate: 89.3% is over ..."
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.table import failure_line


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"failure_line": failure_line}
