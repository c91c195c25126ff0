# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: publish_requests
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: What each node is to look for on the NAS
description:
  - Reads the variables of all models of the play and says what M(mlops.tf_serving.model_publish_plan) is to be asked on which node.
  - A model whose variables are wrong is left out. M(mlops.tf_serving.fleet_plan) says what is wrong with it.
options: {}
"""

EXAMPLES = """
- name: Look at the NAS
  mlops.tf_serving.model_publish_plan:
    models: "{{ item.models }}"
  loop: "{{ query('mlops.tf_serving.publish_requests') }}"
  loop_control:
    label: "{{ item.node }}"
  delegate_to: "{{ item.node }}"
  run_once: true
"""

RETURN = """
_raw:
  description:
    - For each node a dictionary of its name, C(node), of the C(variables) with which it is reached where the inventory has not got it,
      and of C(models), the options of the module.
  type: list
  elements: dict
"""

from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.nas import by_node
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.wanted import Fleet


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        fleet = Fleet(variables["ansible_play_hosts_all"], variables["hostvars"], self._loader)
        return by_node(fleet.records()[0])
