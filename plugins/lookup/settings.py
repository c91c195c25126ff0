# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: settings
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: What is settled of a model
description:
  - Reads the variables of the host, as inventories, C(-e), surveys and AWX write them, and gives what they mean, with every
    default and every name that follows from them. The roles and playbooks of this collection go by nothing else.
  - Fails with all values that are wrong in the sections that are asked for. Whether they suit each other says
    M(mlops.tf_serving.settings).
options:
  _terms:
    description: Sections, each the variables of one role, such as V(serving).
    required: true
    type: list
    elements: str
    choices: [model, volume, serving, scaling, check]
"""

EXAMPLES = """
- name: Where the versions of this model lie
  ansible.builtin.debug:
    msg: "{{ lookup('mlops.tf_serving.settings', 'model').base_path }}"
"""

RETURN = """
_raw:
  description:
    - For each section a dictionary of its variables without their prefix, typed. An answer that nobody gave is null or empty.
    - C(volume) has C(claim), C(scaling) has C(deployment), C(check) has C(served_name) besides, and C(serving) has C(names)
      (of the release's objects), C(chart_values), C(pinned), C(load_timeout) and C(unschedulable_timeout) (seconds).
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.host_variables import HostVariables
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.record import SECTIONS


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        unknown = [term for term in terms if term not in SECTIONS]
        if unknown or not terms:
            raise AnsibleError("mlops.tf_serving.settings has the sections %s." % ", ".join(SECTIONS))
        try:
            settled = HostVariables(variables, self._templar).settle(terms)
        except Error as error:
            raise AnsibleError(error.message) from None
        return [settled[term] for term in terms]
