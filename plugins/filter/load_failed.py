# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: load_failed
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: The version that a failed rollout tells of
description:
  - Pods that cannot load a version, and never will, have tried it. What becomes of it says P(mlops.tf_serving.failed_trial#filter).
positional: _input
options:
  _input:
    description: Result of the task that failed, such as M(mlops.tf_serving.serving_info).
    type: dict
    required: true
"""

EXAMPLES = """
- name: Which version no pod can load
  ansible.builtin.debug:
    msg: "{{ ansible_failed_result | mlops.tf_serving.load_failed }}"
"""

RETURN = """
_value:
  description: The number, null where the failure tells of none.
  type: int
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.failures import whole
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.decisions import load_failed


def of_result(failed: dict[str, Any]) -> int | None:
    return load_failed(whole(failed))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"load_failed": of_result}
