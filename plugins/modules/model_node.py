#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
module: model_node
version_added: "0.1.0"
short_description: Make a host known that this run's inventory does not have
description:
  - AWX hands each slice of a job some of the hosts. The host that mounts the NAS may be in another slice; with this it can be
    delegated to all the same.
  - Runs for each host of the play, so that each can have another node. A host that is in the inventory keeps its variables.
author: The mlops.tf_serving developers (@mlops)
extends_documentation_fragment: mlops.tf_serving.controller
options:
  name:
    description: Name of the host.
    type: str
    required: true
  variables:
    description: Its variables, such as C(ansible_host).
    type: dict
    default: {}
attributes:
  check_mode:
    description: Makes it known as well, for looks are delegated too.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: A host that is known is left as it is.
    support: full
"""

EXAMPLES = """
- name: Make the node known
  mlops.tf_serving.model_node:
    name: nas-node
    variables:
      ansible_host: 198.51.100.10
"""

RETURN = """
add_host:
  description: What is added to the inventory for the rest of the run.
  returned: when it was not known
  type: dict
"""
