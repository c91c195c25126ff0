#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: serving_versions
short_description: Which versions of a model every replica has, and which one it gives to whom
version_added: "0.1.0"
description:
  - Asks TensorFlow Serving itself, on every ready replica of a release, through the Kubernetes API server. What it says is
    what clients get, unlike what a log or a file says.
  - With O(expected) it waits until that version is AVAILABLE on every replica, and otherwise says for each replica why not.
  - Servers before 1.6 do not tell. Of these the version that answers, O(versions) and O(expected) are tried one by one.
author:
  - The mlops.tf_serving developers (@mlops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mlops.tf_serving.controller
  - mlops.tf_serving.release
  - mlops.tf_serving.release.port
  - mlops.tf_serving.release.model_name
  - mlops.tf_serving.tls
  - mlops.tf_serving.tls.servers
requirements:
  - python >= 3.10
  - kubernetes >= 24.2
  - grpcio >= 1.60
  - protobuf >= 4.25
notes:
  - The account needs get on deployments and configmaps, list on pods, get on pods/log, and get and create on
    pods/portforward.
attributes:
  check_mode:
    description: Asks as well, because it changes nothing. Does not wait.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
options:
  canary:
    description: Whether to ask for the candidate's name too, C(MODEL-canary). A replica that has none says nothing of it.
    type: bool
    default: false
  labels:
    description: Version labels to look up.
    type: list
    elements: str
    default: [stable]
  versions:
    description: Versions that may be there, for servers that do not tell.
    type: list
    elements: int
    default: []
  expected:
    description: Version to wait for under the name O(model_name).
    type: int
  timeout:
    description:
      - Seconds to wait for O(expected). A server looks for versions every second, but the node under it may remember an
        NFS folder for a minute, and the version has to be loaded.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: What serves
  mlops.tf_serving.serving_versions:
    release: mnist-deploy
    model_name: mnist
    canary: true

- name: Wait until every replica has version 2
  mlops.tf_serving.serving_versions:
    release: mnist-deploy
    model_name: mnist
    expected: 2
"""

RETURN = r"""
replicas:
  description: What every ready replica says.
  returned: success
  type: list
  elements: dict
  contains:
    pod: {description: Name of the pod., type: str, returned: always}
    models:
      description:
        - By name, C(versions) (a list of C(version), C(state) and C(error), ascending; servers keep what they have unloaded
          as END), C(serves) (the version that a request without version and label gets) and C(labels) (version by label).
      type: dict
      returned: always
    problem: {description: Why it could not be asked; null where it could., type: str, returned: always}
  sample:
    - pod: mnist-deploy-serving-5d4b9cf6c8-2xkqp
      models:
        mnist:
          versions: [{version: 1, state: AVAILABLE, error: ""}]
          serves: 1
          labels: {stable: 1}
        mnist-canary:
          versions: [{version: 2, state: AVAILABLE, error: ""}]
          serves: 2
          labels: {}
      problem: null
available:
  description: Versions that are AVAILABLE under O(model_name) on every ready replica.
  returned: success
  type: list
  elements: int
  sample: [1]
in_use:
  description: Versions that any replica has under any of the names, or that a label names. A pruner leaves them alone.
  returned: success
  type: list
  elements: int
  sample: [1, 2]
problems:
  description: A sentence for every replica that could not be asked or is not ready. While there is one, others may be in use.
  returned: success
  type: list
  elements: str
deployed:
  description: Whether the release has a Deployment.
  returned: success
  type: bool
config:
  description:
    - What the ConfigMap of M(mlops.tf_serving.model_config) says, with C(stable), C(canary), C(versions) and C(problem). Null
      where there is none.
  returned: success
  type: dict
  sample: {stable: 1, canary: 2, versions: [1], problem: null}
failure:
  description: The same as RV(ignore:msg) for programs. Its C(details) have C(replicas).
  returned: on failure
  type: dict
"""
