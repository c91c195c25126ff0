#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
module: serving_preflight
version_added: "0.1.0"
short_description: What would keep a model's Helm release from being installed
description:
  - Checks that Helm is there, that the cluster answers, that the names are free or the release's own, that a claim that exists
    need not change, and that a node has the GPU that is asked for.
  - Reads whether Helm has anything to do (a new release, other values, another chart, something that an interrupted run left
    behind), and which pods are there.
  - Where the values have C(tls), that the Secret has a certificate and its key, which belong together and count now; a certificate that
    ends within 14 days is a warning.
  - Changes nothing.
author: The mlops.tf_serving developers (@mlops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mlops.tf_serving.controller
  - mlops.tf_serving.controller.looks
  - mlops.tf_serving.release
  - mlops.tf_serving.release.model_name
requirements:
  - python >= 3.10
  - kubernetes >= 24.2
  - protobuf >= 4.25
  - PyYAML
options:
  values:
    description: The chart's values for this release, complete and checked.
    type: dict
    required: true
  chart:
    description: Folder of the chart that would be installed. It is compared with the one that the release was made of.
    type: path
    required: true
  gpu_preflight:
    description: Whether V(fail) or V(warn) where a GPU is asked for (C(gpuCount)) and no node has that many.
    type: str
    choices: [fail, warn]
    default: fail
  binary_path:
    description: Path of the Helm binary. By default C(helm) is looked for in C(PATH).
    type: path
  tls_client_secret:
    description: Secret with the client certificate that the tasks show which ask the servers. It is looked at where the values have C(tls).
    type: str
"""

EXAMPLES = """
- name: Look before anything acts
  mlops.tf_serving.serving_preflight:
    release: mnist-deploy
    model_name: mnist
    chart: /srv/charts/acs-tensorflow-serving
    values:
      gpuCount: 0
      mountPath: /serving/model/mnist
      persistence: {pvc: {storage: 5Gi, matchLabels: {model: mnist}}}
"""

RETURN = """
upgrade:
  description: Whether Helm has to run.
  returned: success
  type: bool
upgrade_because:
  description:
    - Why, as words. V(no_release), V(not_deployed) (by its record), V(objects_missing), V(values), V(chart_name),
      V(chart_version), V(chart_templates), V(chart_values), V(chart_schema), V(edited).
  returned: success
  type: list
  elements: str
  sample: [values, chart_templates]
edited:
  description:
    - Places in the chart's objects that somebody changed by hand, such as
      C(Deployment.spec.template.spec.containers.serving.image).
  returned: success
  type: list
  elements: str
chart_values:
  description: O(values), with the checksum of the certificate in C(tls.checksum) where they have C(tls). To install with.
  returned: success
  type: dict
values_diff:
  description: Lines of a unified diff between the values that the release has and RV(chart_values).
  returned: success
  type: list
  elements: str
release:
  description: The newest revision in Helm's record (name, revision, status, chart, updated), null if there is none.
  returned: success
  type: dict
unlock:
  description:
    - Whether M(mlops.tf_serving.release_unlock) is needed, because the newest revision is pending, failed or half uninstalled, or
      because kubernetes.core.helm would compare values once more before an upgrade that is due.
  returned: success
  type: bool
pods:
  description: Names of the release's pods that are there now. A pod that is not among them later is this run's.
  returned: success
  type: list
  elements: str
policy:
  description: C(latest) or C(pinned), by the Deployment that is there now. Null if there is none.
  returned: success
  type: str
model_config:
  description:
    - What the ConfigMap of M(mlops.tf_serving.model_config) says, with C(stable), C(canary), C(versions) and C(problem). Null
      where there is none.
  returned: success
  type: dict
namespace_exists:
  description: Whether the namespace is there, or may not be asked for.
  returned: success
  type: bool
gpus:
  description: How many GPUs a pod asks for.
  returned: success
  type: int
gpu_nodes:
  description: How many nodes have that many. Null where none is asked for, or where this account may not list nodes.
  returned: success
  type: int
helm:
  description: Path and version of the Helm binary.
  returned: success
  type: dict
failure:
  description: What went wrong, for programs.
  returned: failure
  type: dict
  contains:
    message:
      description: The same as RV(ignore:msg).
      type: str
    code:
      description: A stable word such as V(gpu_unavailable).
      type: str
    details:
      description: What was found.
      type: dict
"""
