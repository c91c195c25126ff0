# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: serving_status
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: What the cluster says of a release and what its model servers say of themselves, put together
description:
  - It is what the role P(mlops.tf_serving.serving#role) hands on as C(serving_status).
positional: _input, answers, model_name, policy
options:
  _input:
    description: The RV(mlops.tf_serving.serving_info#module:status) of a release.
    type: dict
    required: true
  answers:
    description: Result of M(mlops.tf_serving.serving_versions), failed or skipped if need be.
    type: dict
    required: true
  model_name:
    description: Name of the model, as clients ask for it.
    type: str
    required: true
  policy:
    description: The version policy that is wanted, V(latest) or V(pinned). Another one in the cluster is a warning.
    type: str
"""

EXAMPLES = """
- name: Which version does each replica serve?
  ansible.builtin.debug:
    msg: "{{ (info.status | mlops.tf_serving.serving_status(versions, 'mnist')).pods | map(attribute='serves') }}"
"""

RETURN = """
_value:
  description:
    - The status, with C(model_name), C(stable), C(canary) (versions of policy pinned, or null), C(in_use) (versions that a replica
      has or a label names), for each of C(pods) C(asked), C(versions), C(serves), C(labels) and C(canary), and more C(warnings).
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.status import serving_status


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"serving_status": serving_status}
