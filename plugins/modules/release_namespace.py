#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
module: release_namespace
version_added: "0.1.0"
short_description: The namespace of a release, made where it is missing
description:
  - Several models of one run may ask for the same namespace at once. One of them makes it, the others find it.
  - Changes nothing of a namespace that is there, so that no other right than C(get) and C(create) is needed.
author: The mlops.tf_serving developers (@mlops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mlops.tf_serving.controller
requirements:
  - python >= 3.10
  - kubernetes >= 24.2
options:
  name:
    description: Name of the namespace.
    type: str
    required: true
attributes:
  check_mode:
    description: Reports what would change; a dry run asks the API server whether it is allowed.
    support: full
  diff_mode:
    description: Shows the namespace that is made.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = """
- name: The namespace of the models
  mlops.tf_serving.release_namespace:
    name: models
"""

RETURN = """
failure:
  description: What went wrong, for programs.
  returned: failure
  type: dict
  contains:
    message:
      description: The same as RV(ignore:msg).
      type: str
    code:
      description: A stable word such as V(forbidden) or V(namespace_leaving).
      type: str
    details:
      description: What was found.
      type: dict
"""
