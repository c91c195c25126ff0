# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: controller_removal
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: Which objects of a controller C(playbooks/awx.yml) has made
description:
  - Says what is to be removed. What somebody else has made stays, and with it the organization that has it.
positional: _input
options:
  _input:
    description: What is there, lists by kind, each entry as the controller's API has it.
    type: dict
    required: true
"""

EXAMPLES = """
- name: What would be removed
  ansible.builtin.debug:
    msg: "{{ found | mlops.tf_serving.controller_removal }}"
"""

RETURN = """
_value:
  description: The objects by kind, and C(kept), a sentence where the organization stays.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.awx.plan import to_remove


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"controller_removal": to_remove}
