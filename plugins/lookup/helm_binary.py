# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: helm_binary
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: The Helm of a task, which finds address and token of the Kubernetes API as they are meant
description:
  - Returns the path of a Helm that the installed collection kubernetes.core works with, and fails where there is none.
  - A token that was read from a file ends in a line break, and one that was copied with its header begins with C(Bearer). Helm
    refuses the first and sends the second twice.
  - Has the process of this one task see E(K8S_AUTH_HOST) and E(K8S_AUTH_API_KEY) without that. As an
    option of the task, or in its C(environment), a token would stand in what C(-vvv) prints.
options:
  _terms:
    description: Path of the Helm, or an empty text for the one in C(PATH).
    required: true
"""

EXAMPLES = """
- name: Install a release with a token that was copied
  kubernetes.core.helm:
    release_name: mnist-deploy
    release_namespace: default
    chart_ref: /srv/charts/mnist
    binary_path: "{{ lookup('mlops.tf_serving.helm_binary', '') }}"
"""

RETURN = """
_raw:
  description: For each term the path of the program.
  type: list
  elements: str
"""

import os
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import helm_binary
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.login import bare


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        os.environ.update(bare(os.environ))
        try:
            return [helm_binary.find(term)["path"] for term in terms]
        except Error as error:
            raise AnsibleError(error.message) from None  # or Ansible prints every cause again
