#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
module: fleet_plan
version_added: "0.1.0"
short_description: What a run of playbooks/site.yml would change, for all models of the play
description:
  - Reads the variables of all models of the play, and the cluster with one list call for each kind of object and namespace, however
    many models there are. It compares what is there with what should be there, as the roles do for one model.
  - Somebody's edit of what the chart owns (image, arguments, ports, resources) is found as well.
  - Whether the replicas are ready and whether the last check passed is reported, and is no change.
  - One task does it for all models, so it wants C(run_once).
  - Changes nothing.
author: The mlops.tf_serving developers (@mlops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mlops.tf_serving.controller
  - mlops.tf_serving.controller.looks
requirements:
  - python >= 3.10
  - kubernetes >= 24.2
  - protobuf >= 4.25
  - PyYAML
options:
  chart:
    description: Folder of the chart that would be installed.
    type: path
    required: true
  published:
    description:
      - What M(mlops.tf_serving.model_publish_plan) answered, by model. Of a model that is left out the plan has nothing to say about
        the NAS.
    type: dict
  file:
    description: Where to write the plan as JSON, with RV(models), RV(unmanaged) and RV(summary). By default it is not written.
    type: path
attributes:
  check_mode:
    description: Changes nothing in any mode. O(file) is written in each.
    support: full
seealso:
  - module: mlops.tf_serving.model_publish_plan
"""

EXAMPLES = """
- name: What would change
  mlops.tf_serving.fleet_plan:
    chart: roles/serving/files/acs-tensorflow-serving
    file: /tmp/plan.json
  run_once: true
"""

RETURN = """
models:
  description:
    - For each model, by its name in the inventory, C(action) (V(create), V(change), V(none), or V(wrong) where a run would fail),
      C(changes) (in words, or what is wrong), C(sick) (in words, empty where all is well), C(release) and C(namespace).
  returned: success
  type: dict
  sample:
    mnist: {action: change, changes: [replicas 1 -> 2], sick: "", release: mnist-deploy, namespace: default}
differing:
  description: The models whose C(action) is not V(none).
  returned: success
  type: list
  elements: str
unmanaged:
  description: Releases of the chart, as NAMESPACE/RELEASE, in the namespaces of the models, that belong to no model of the inventory.
  returned: success
  type: list
  elements: str
table:
  description: The plan for people, at most 120 characters wide, the worst first.
  returned: success
  type: list
  elements: str
  sample: ["~ mnist  change: replicas 1 -> 2", "1 model: 1 to change, 0 unchanged"]
summary:
  description: Its last line.
  returned: success
  type: str
failure:
  description: What went wrong, for programs. C(message), C(code) and C(details).
  returned: failure
  type: dict
"""
