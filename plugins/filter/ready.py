# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: ready
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: What the looks before a run have found, in one line
description:
  - Says what was found, and what C(playbooks/site.yml) would change.
positional: _input
options:
  _input:
    description:
      - The answers by the names of the modules, M(mlops.tf_serving.serving_preflight), M(mlops.tf_serving.check_preflight), and in
        check mode M(mlops.tf_serving.model_publish), M(mlops.tf_serving.model_volume) and M(mlops.tf_serving.deployment_scale).
    type: dict
    required: true
"""

EXAMPLES = """
- name: What was found
  ansible.builtin.debug:
    msg: "{{ found | mlops.tf_serving.ready }}"
"""

RETURN = """
_value:
  description: The line.
  type: str
  sample: "Ready: Helm 3.19.5, 1 GPU node, the archive is version 1, 1000 tests. playbooks/site.yml would change nothing."
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.looks import ready


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"ready": ready}
