# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    # What runs in ansible-playbook's own process (plugin_utils/controller_action.py).
    DOCUMENTATION = """
options: {}
notes:
  - The task runs in C(ansible-playbook)'s own process on the controller, whatever host it is for. C(become), C(delegate_to) and
    the connection mean nothing to it and do no harm. C(environment) counts, such as C(K8S_AUTH_HOST) or C(KUBECONFIG).
  - Where a task that takes the options of the Kubernetes API names no C(host), C(kubeconfig) or C(context), the variables
    C(serving_kubeconfig) and C(serving_context) of its host count before the environment. So one inventory has models on many clusters.
  - A task that fails prints its sentence and the code in C(failure). All else that it returns stands in C(invocation.measured) of the
    registered result, which Ansible does not print, and is shown with C(-v).
  - C(async) is refused, for there is no other process that could go on.
  - Libraries are looked for in the Python that C(ansible-playbook) runs in, whatever C(ansible_python_interpreter) says.
"""

    # What changes nothing.
    LOOKS = """
options: {}
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""
