# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: outcome
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: What a run came to for one model
description:
  - Puts together what the next job of a workflow can use, small enough for an artifact.
positional: _input
options:
  _input:
    description: The facts that roles have handed on, by their names, such as C(serving_status) and C(check_result).
    type: dict
    required: true
"""

EXAMPLES = """
- name: What came of it
  ansible.builtin.debug:
    msg: "{{ {'serving_status': serving_status} | mlops.tf_serving.outcome }}"
"""

RETURN = """
_value:
  description: C(changed), a list of what was changed; C(version) and C(address) that serve; C(error_rate) where it was measured.
  type: dict
  sample: {"changed": ["version 2 published"], "version": 2, "error_rate": 10.1, "address": "10.213.3.1:9090"}
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.outcome import outcome


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"outcome": outcome}
