#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
module: fleet_status
version_added: "0.1.0"
short_description: What serves, of all models of the play in one table
description:
  - Reads the variables of all models of the play, and the cluster with one list call for each kind of object and namespace, however
    many models there are.
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
  file:
    description: Where to write the status as JSON, with RV(models), RV(sick) and RV(summary). By default it is not written.
    type: path
attributes:
  check_mode:
    description: Changes nothing in any mode. O(file) is written in each.
    support: full
notes:
  - No model server is asked, for that takes a connection to each replica. The version is what the objects of the cluster say. Where
    C(serving_version_policy) is V(pinned), that is the stable version of the model config, and a replica that has not loaded it yet is
    not noticed as long as it is ready. Where it is V(latest), it is the version that the last check found, and a version
    that came to the NAS since is not known here. M(mlops.tf_serving.serving_versions) asks the servers.
  - Which version was checked and when is what the last five results say that the checks of this collection keep in the cluster.
seealso:
  - module: mlops.tf_serving.serving_info
  - module: mlops.tf_serving.serving_versions
  - module: mlops.tf_serving.fleet_plan
"""

EXAMPLES = """
- name: What serves
  mlops.tf_serving.fleet_status:
    file: /tmp/status.json
  run_once: true
"""

RETURN = """
models:
  description:
    - For each model, by its name in the inventory, C(release) and C(namespace); C(policy) (V(latest), V(pinned), or null without
      a Deployment); C(version), null where it is not known, and who says so in C(version_by) (V(model_config) or V(last_check));
      C(candidate), the version of the candidate or null; C(wanted) and C(ready) (replicas); C(address), HOST:PORT of a load balancer,
      empty without one, and C(reached_at), the same in words for every type of Service; C(since), when one of its pods last
      became ready or stopped being so; C(sick), sentences, none where all is well; and C(report), the page of C(check_report), empty
      without one.
    - C(check) is the last result of the version that serves, or the last one at all, with C(version), C(at), C(passed), C(message),
      C(error_rate) and C(agreement) (percent or null); null where there is none.
  returned: success
  type: dict
  sample:
    mnist:
      release: mnist-deploy
      namespace: default
      policy: latest
      version: 3
      version_by: last_check
      candidate: null
      wanted: 2
      ready: 2
      check:
        {version: 3, at: "2026-11-25T12:00:00Z", passed: true, message: "Passed: error rate 10.1% (at most 15%).", error_rate: 10.1,
         agreement: null}
      address: 10.213.3.1:9090
      reached_at: 10.213.3.1:9090
      since: "2026-11-25T11:58:00Z"
      sick: []
      report: /srv/reports/index.html
sick:
  description: The models that have something in C(sick).
  returned: success
  type: list
  elements: str
table:
  description: The status for people, at most 120 characters wide, sick models first.
  returned: success
  type: list
  elements: str
summary:
  description: Its last line.
  returned: success
  type: str
  sample: "12 models: 1 sick"
failure:
  description: What went wrong, for programs. C(message), C(code) and C(details).
  returned: failure
  type: dict
"""
