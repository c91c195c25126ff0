# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: promotion_plan
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: Which version is promoted, or why none is
description:
  - Only a candidate that passed its check is.
positional: _input, listed
options:
  _input:
    description: What serves, as P(mlops.tf_serving.serving_status#filter) gives it.
    type: dict
    required: true
  listed:
    description: What is on the NAS, as P(mlops.tf_serving.versions_found#filter) gives it.
    type: dict
    required: true
"""

EXAMPLES = """
- name: Which version would become the stable one?
  ansible.builtin.debug:
    msg: "{{ (serving_status | mlops.tf_serving.promotion_plan(model_versions)).version }}"
"""

RETURN = """
_value:
  description:
    - C(version) or null; C(message), why there is nothing to do, else empty; C(problem), why it is refused, else empty.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.decisions import promotion


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"promotion_plan": promotion}
