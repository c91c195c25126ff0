# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: six_results
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: The results of the six steps of a run, as lines
description:
  - The first line says which version the replicas serve. What lies beside it, such as a candidate or a version that never passed
    its check, has lines of its own behind the six.
positional: _input, run_tags, skip_tags
options:
  _input:
    description:
      - The facts C(model_published), C(model_pruned), C(volume_result), C(serving_status), C(check_result) and C(scaling_result),
        empty where a role has not handed one on, and C(model) and C(volume), the settings.
    type: dict
    required: true
  run_tags:
    description: Tags that were asked for.
    type: list
    elements: str
    default: [all]
  skip_tags:
    description: Tags that were left out.
    type: list
    elements: str
    default: []
"""

EXAMPLES = """
- name: The six results
  ansible.builtin.debug:
    msg: "{{ found | mlops.tf_serving.six_results(ansible_run_tags, ansible_skip_tags) }}"
"""

RETURN = """
_value:
  description: The lines.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.six_results import six_results


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"six_results": six_results}
