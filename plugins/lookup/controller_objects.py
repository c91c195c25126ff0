# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: controller_objects
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: What AWX is to have
description:
  - Reads the variables C(controller_*) and says which objects C(playbooks/awx.yml) makes on AWX or Automation Platform, for each
    cluster and each team. What the variables mean is in C(docs/awx.md).
options: {}
"""

EXAMPLES = """
- name: What is to be there
  ansible.builtin.debug:
    msg: "{{ lookup('mlops.tf_serving.controller_objects').job_templates | map(attribute='name') }}"
"""

RETURN = """
_raw:
  description: The objects by kind, such as C(job_templates), and what is wrong in the variables, C(problems) by name.
  type: list
  elements: dict
"""

from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.awx.objects import Objects
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.host_variables import plain


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        given = {name: plain(self._templar.template(variables[name])) for name in variables if name.startswith("controller_")}
        return [Objects(given).as_dict()]
