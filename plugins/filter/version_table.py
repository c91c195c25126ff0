# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: version_table
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: The versions of a model on the NAS and where they are served, as lines
description:
  - One row a version, the newest first, and then what a person should know.
positional: _input, listed, title
options:
  _input:
    description: What serves, as P(mlops.tf_serving.serving_status#filter) gives it.
    type: dict
    required: true
  listed:
    description: What is on the NAS, as P(mlops.tf_serving.versions_found#filter) gives it.
    type: dict
    required: true
  title:
    description: The first line.
    type: str
    required: true
"""

EXAMPLES = """
- name: Versions on the NAS
  ansible.builtin.debug:
    msg: "{{ serving_status | mlops.tf_serving.version_table(model_versions, 'mnist') }}"
"""

RETURN = """
_value:
  description: The lines.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.version_states import table


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"version_table": table}
