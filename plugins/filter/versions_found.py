# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: versions_found
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: The versions on the NAS, or why they are not known
description:
  - That the node or the NAS does not answer is a finding here and no failure, for servers serve on.
positional: _input
options:
  _input:
    description: Result of M(mlops.tf_serving.model_versions), failed or skipped if need be.
    type: dict
    required: true
"""

EXAMPLES = """
- name: What is on the NAS
  ansible.builtin.debug:
    msg: "{{ (listed | mlops.tf_serving.versions_found).problem }}"
"""

RETURN = """
_value:
  description: C(versions), as the module gives them, and C(problem), which is empty where they are known.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.decisions import versions_found


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"versions_found": versions_found}
