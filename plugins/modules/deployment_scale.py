#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
module: deployment_scale
version_added: "0.1.0"
short_description: The replica count of a Deployment
description:
  - Sets the replica count through the scale subresource, which needs the rights C(get) on deployments and C(patch) on
    deployments/scale, and waits until exactly that many pods are ready.
  - Gives up with what the cluster says (an unschedulable pod, a full quota, an image that cannot be pulled) or, where it may read
    pods/log, what a model server says of the version that it cannot load; and before the time is up where that does not heal by itself.
  - Refuses a Deployment whose count a HorizontalPodAutoscaler owns, where it may list those.
  - Waits also when the count is right already, so that a run after a killed one ends in the same state.
author: The mlops.tf_serving developers (@mlops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mlops.tf_serving.controller
requirements:
  - python >= 3.10
  - kubernetes >= 24.2
options:
  name:
    description: Name of the Deployment.
    type: str
    required: true
  namespace:
    description: Namespace of the Deployment.
    type: str
    default: default
  replicas:
    description: A whole number from 0.
    type: raw
    required: true
  wait:
    description: Wait until that many pods are ready and no other exists, save those that only drain.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait.
    type: int
    default: 300
  pending_timeout:
    description: Seconds that a pod may be unschedulable before that ends the wait, unless an autoscaler adds a node.
    type: int
    default: 30
attributes:
  check_mode:
    description:
      - Reports what would change; a dry run asks the API server whether it is allowed. A Deployment that does not exist
        yet is no error then.
    support: full
  diff_mode:
    description: Shows the replica count before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = """
- name: Two replicas
  mlops.tf_serving.deployment_scale:
    name: mnist-deploy-serving
    replicas: 2
"""

RETURN = """
replicas:
  description: The count that the Deployment has now.
  returned: success
  type: int
  sample: 2
ready:
  description: How many of them were ready at the moment of the answer.
  returned: success
  type: int
  sample: 2
before:
  description: The count that it had before; null where the Deployment did not exist (check mode).
  returned: success
  type: int
  sample: 1
message:
  description: The same in words.
  returned: success
  type: str
  sample: 1 -> 2 replicas, 2 ready
failure:
  description: What went wrong, for programs.
  returned: failure
  type: dict
  contains:
    message:
      description: The same as RV(ignore:msg).
      type: str
    code:
      description: A stable word such as V(replicas_not_ready).
      type: str
    details:
      description: What was found.
      type: dict
"""
