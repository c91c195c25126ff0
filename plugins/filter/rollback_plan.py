# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: rollback_plan
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: Which versions a rollback takes away, and which one serves then
description:
  - Without a number it undoes the newest version, and only that, so that a job that is repeated does not go back further.
positional: _input, to, stable, deployed
options:
  _input:
    description: The RV(mlops.tf_serving.model_versions#module:versions) of a model.
    type: list
    elements: dict
    required: true
  to:
    description: Version to go back to. Without it, the one before the newest.
    type: int
  stable:
    description: Version that is stable where servers are pinned to one, else null.
    type: int
  deployed:
    description: Whether there are servers. Without any there is nothing to go back from.
    type: bool
    default: true
"""

EXAMPLES = """
- name: What would go
  ansible.builtin.debug:
    msg: "{{ (listed.versions | mlops.tf_serving.rollback_plan(to=1)).withdraw }}"
"""

RETURN = """
_value:
  description:
    - C(withdraw), a list of versions; C(serves), the version that serves then; C(message), why there is nothing to do, else empty;
      C(problem), why it cannot be done, else empty.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving import rollback


def rollback_plan(
    versions: list[dict[str, Any]], to: int | None = None, stable: int | None = None, deployed: bool = True,
) -> dict[str, Any]:
    try:
        return {**rollback.rollback_plan(versions, to, stable, deployed), "problem": ""}
    except Error as error:
        return {"withdraw": [], "serves": None, "message": "", "problem": error.message}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"rollback_plan": rollback_plan}
