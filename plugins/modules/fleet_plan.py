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
  looks:
    description:
      - What M(mlops.tf_serving.model_publish_plan) answered on each node, the results of a loop over
        P(mlops.tf_serving.publish_requests#lookup). Of a model that no node was asked about the plan has nothing to say about the NAS.
    type: list
    elements: dict
  file:
    description: Where to write the plan as JSON, with RV(models), RV(unmanaged) and RV(summary). By default it is not written.
    type: path
  first:
    description: How many of the models that go through the roles go first, a whole number from 1. By default all go at once.
    type: raw
  max_failures:
    description: How many models may fail before those that have not begun are left as they are, from 0. By default any number.
    type: raw
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
      C(changes) (in words, or what is wrong), C(sick) (in words, empty where all is well), C(due) (whether its check is to be asked
      though nothing changes), C(release) and C(namespace).
  returned: success
  type: dict
  sample:
    mnist: {action: change, changes: [replicas 1 -> 2], sick: "", due: false, release: mnist-deploy, namespace: default}
known:
  description:
    - For each model whose C(action) is V(none), by its name, what the roles would hand on as far as it can be seen from the cluster and
      the NAS, C(model_published), C(volume_result), C(serving_status) and C(scaling_result).
  returned: success
  type: dict
differing:
  description: The models whose C(action) is not V(none).
  returned: success
  type: list
  elements: str
to_run:
  description:
    - The models that go through the roles, those that differ and those that C(--limit) names, one by one. With C(--tags) that name one of
      the steps that change something, all models.
  returned: success
  type: list
  elements: str
to_check:
  description: The other models that have something to say, RV(due) and RV(shown).
  returned: success
  type: list
  elements: str
due:
  description: Of the models that do not go through the roles those whose check is to be asked, by check_max_age or by C(--tags).
  returned: success
  type: list
  elements: str
shown:
  description: The model whose results are printed though it does not differ, where the run is about a single one.
  returned: success
  type: list
  elements: str
serial:
  description: O(first) as a play's C(serial).
  returned: success
  type: list
  elements: raw
  sample: [1, 100%]
max_failures:
  description: O(max_failures), or the number of models.
  returned: success
  type: int
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
