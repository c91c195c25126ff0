# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: controller_plan
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: Which objects a controller lacks
description:
  - Compares what AWX is to have with what it has. What somebody else has made there is never changed.
positional: _input, found
options:
  _input:
    description: What the lookup P(mlops.tf_serving.controller_objects#lookup) gives.
    type: dict
    required: true
  found:
    description: What is there, lists by kind, each entry as the controller's API has it.
    type: dict
    required: true
"""

EXAMPLES = """
- name: What is missing
  ansible.builtin.debug:
    msg: "{{ (lookup('mlops.tf_serving.controller_objects') | mlops.tf_serving.controller_plan(found)).missing }}"
"""

RETURN = """
_value:
  description: The objects by kind as they are to be made, the titles of those that are C(missing), and C(problems), sentences.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.awx.plan import to_make


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"controller_plan": to_make}
