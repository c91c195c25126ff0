#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
module: serving_info
version_added: "0.1.0"
short_description: What serves under a release, and the wait until it does
description:
  - Reads the Helm release, Deployment, Service and pods of a release of chart acs-tensorflow-serving, and from the pods'
    logs which model versions are loaded and whether a GPU device was created.
  - With O(wait) it waits until the release is rolled out. It gives up with the reason found in the cluster (condition,
    event, the container's log) as soon as that reason does not go away by itself, and not later than O(wait_timeout).
  - With O(wait) the pods that are not in O(known_pods) have to say in their log that a model version is loaded and, if they
    ask for a GPU, that a GPU device was created; an unknown argument is a failure. The log of an older pod may have been
    rotated, so that nothing is concluded from what it lacks unless it reaches back to the start.
  - Changes nothing, but for one case. A pod that the scheduler found before its claim was bound would be looked at again after
    five minutes; with O(wait) an annotation of the claim is changed, which has the scheduler look again at once.
author: The mlops.tf_serving developers (@mlops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mlops.tf_serving.controller
  - mlops.tf_serving.controller.looks
  - mlops.tf_serving.release
requirements:
  - python >= 3.10
  - kubernetes >= 24.2
options:
  wait:
    description: Wait for the rollout and judge it. In check mode nothing is waited for.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait for the rollout.
    type: int
    default: 600
  pending_timeout:
    description: Seconds that a pod may be unschedulable before that is a failure.
    type: int
    default: 30
  address_timeout:
    description: Seconds to wait, after the rollout, for the address of a Service of type LoadBalancer.
    type: int
    default: 180
  known_pods:
    description: Names of the pods that were there before this run. If not given, all count as older.
    type: list
    elements: str
"""

EXAMPLES = """
- name: What serves
  mlops.tf_serving.serving_info:
    release: mnist-deploy

- name: Wait until it serves
  mlops.tf_serving.serving_info:
    release: mnist-deploy
    wait: true
    known_pods: []
"""

RETURN = """
status:
  description: What serves.
  returned: success
  type: dict
  contains:
    release:
      description: Helm's record, with name, revision, status, chart and updated (in UTC). Null if there is none.
      type: dict
    policy:
      description: C(latest) or C(pinned), which version the Deployment serves. Null if there is none.
      type: str
    deployment:
      description: Name, counts (desired, updated, ready, available), image and gpus (per pod). Null if there is none.
      type: dict
    service:
      description:
        - Name, type, address (load balancer IP or host name, or cluster IP), port, node_port, and reachable (whether the
          load balancer's address answered this controller; null if that was not tried). Null if there is none.
      type: dict
    address:
      description: HOST:PORT of the load balancer, empty where there is none.
      type: str
    reached_at:
      description: Where clients find it, in words.
      type: str
      sample: 10.1.0.1:9090, from inside the cluster only
    pods:
      description:
        - For each pod name, node, phase, ready, restarts, started, ip, terminating, new (not in O(known_pods)), model_loaded
          (versions that are loaded by its log), gpu_device (name of the GPU by its log, or null), unknown_arguments, and log
          (readable, telling, from_start, gpu_reason, and lines, the log lines that say it).
      type: list
      elements: dict
    checks:
      description:
        - The last results of M(mlops.tf_serving.inference_check) that are kept, one for each version of the model, the newest
          first, with C(version), C(at), C(passed), C(message), C(error_rate) and C(agreement).
      type: list
      elements: dict
    warnings:
      description: What is not as it should be but no failure.
      type: list
      elements: str
failure:
  description: What went wrong, for programs.
  returned: failure
  type: dict
  contains:
    message:
      description: The same as RV(ignore:msg).
      type: str
    code:
      description: A stable word such as V(crash_loop), V(model_not_loadable), V(image), V(gpu_taken) or V(gpu_missing).
      type: str
    details:
      description: What was found.
      type: dict
"""
