#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
module: settings
version_added: "0.1.0"
short_description: What is settled of a model, and all that is wrong with its variables
description:
  - Reads the variables of the roles of this collection, as inventories, C(-e), surveys and AWX write them, and gives what they
    mean, with every default and every name that follows from them.
  - An answer that is empty or null is not given, and hides nothing that the inventory has. Text that is JSON or YAML of a mapping
    or a list counts as such. Words are trimmed. Numbers and C(true) or C(false) may be text.
  - Fails with all that is wrong at once, each with variable, value and way out. A variable that is nearly one of ours is named too.
  - A model has the name that its clients ask for. Names of its release, volume and labels follow from that, lower case, with C(-)
    for what Kubernetes does not take and, where anything had to be changed or cut, with a hash of the name at their end.
author: The mlops.tf_serving developers (@mlops)
extends_documentation_fragment:
  - mlops.tf_serving.controller
  - mlops.tf_serving.controller.looks
options:
  sections:
    description: Whose variables to look at, by role. All, if it is not given.
    type: list
    elements: str
    choices: [model, volume, serving, scaling, check]
    default: [model, volume, serving, scaling, check]
  required:
    description:
      - Names of variables that have to be set.
      - If it is not given, these are all that the roles of the O(sections) cannot do without, and the variables have to suit each other
        as well, such as a feature and the server's release. To see or remove what is there, they need not.
      - Models of one play that would be the same release, PersistentVolume or folder on the NAS are then refused too.
    type: list
    elements: str
  records:
    description:
      - Whether the playbook writes V(check_golden), which has to be another file for each model of the play then. The same goes
        for V(check_report) in any case, unless it is a folder.
      - A V(model_archive) that was given at launch is refused for more than one model where O(required) is not given.
    type: bool
    default: false
seealso:
  - plugin: mlops.tf_serving.settings
    plugin_type: lookup
    description: The same in an expression.
"""

EXAMPLES = """
- name: Look at all variables
  mlops.tf_serving.settings:
  register: settled

- name: What the chart gets
  ansible.builtin.debug:
    msg: "{{ settled.settings.serving.chart_values }}"
"""

RETURN = """
settings:
  description:
    - For each section a dictionary of its variables without their prefix, and of what follows from them.
    - URLs are without passwords, and C(...) stands for what signs them. P(mlops.tf_serving.settings#lookup) has the whole.
  returned: success
  type: dict
  sample:
    scaling: {replicas: 2, timeout: 300, pending_timeout: 30, namespace: default, release: mnist-deploy, deployment: mnist-deploy-serving}
failure:
  description: What went wrong, for programs.
  returned: failure
  type: dict
  contains:
    message:
      description: The same as RV(ignore:msg).
      type: str
    code:
      description: V(settings_invalid).
      type: str
    details:
      description: With C(problems), for each variable a dictionary of C(variable) and C(message).
      type: dict
"""
