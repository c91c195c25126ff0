#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: model_config
short_description: Which version of a model is stable, and which one a candidate, on every replica
version_added: "0.1.0"
description:
  - Keeps the model config file of TensorFlow Serving in a ConfigMap, and every ready replica of a release in the state that
    it says. The ConfigMap makes a restarted pod come up right; ReloadConfig tells the running ones.
  - The stable version has the model's name and the label C(stable). A candidate is served beside it under the name
    C(MODEL-canary), because under the model's own name an unlabelled request goes to the highest version that is loaded.
  - Another stable version is reached in steps, each seen on every replica before the next. Both versions are loaded, the
    label is moved, the old version and the candidate's name are dropped. There is no moment without a serving version.
  - Where a step fails before the label has moved, everything is put back, and the replica and its reason are named. A run
    that was killed is finished by the next one.
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
  - Of the release it writes the ConfigMap C(RELEASE-model-config). The account needs get, create, patch and delete on configmaps,
    get on deployments, list and patch on pods, get on pods/log, and get and create on pods/portforward.
  - Without patch on pods a warning says that a server which starts anew in its pod within the next two minutes may read
    the file as it was.
attributes:
  check_mode:
    description: Reports the steps that would be walked, and changes nothing.
    support: full
  diff_mode:
    description: Shows the file before and after.
    support: full
  idempotent:
    description: Nothing is written or pushed where the ConfigMap and every replica are as wanted.
    support: full
options:
  base_path:
    description: Folder of the versions, as the container sees it.
    type: str
    required: true
  state:
    description: V(absent) deletes the ConfigMap, once the release has gone, and asks no replica.
    type: str
    choices: [present, absent]
    default: present
  stable:
    description: Version to serve under the model's name. Left out, it stays the one that it is.
    type: int
  canary:
    description: Version of the candidate. Left out, or the same as the stable one, there is none.
    type: int
  only_if_absent:
    description: Only makes the ConfigMap where there is none, and asks no replica. An existing one is never changed.
    type: bool
    default: false
  checks:
    description: With O(state=absent), whether to forget the kept results of M(mlops.tf_serving.inference_check) too.
    type: bool
    default: false
  timeout:
    description:
      - Seconds for each step, on all replicas. The load of a version has to fit in, and the minute for which NFS may
        remember the folder as it was.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Before the first pod there is
  mlops.tf_serving.model_config:
    release: mnist-deploy
    model_name: mnist
    base_path: /serving/model/mnist
    stable: 1
    only_if_absent: true

- name: Version 2 as a candidate, under the name mnist-canary
  mlops.tf_serving.model_config:
    release: mnist-deploy
    model_name: mnist
    base_path: /serving/model/mnist
    canary: 2

- name: Promote it
  mlops.tf_serving.model_config:
    release: mnist-deploy
    model_name: mnist
    base_path: /serving/model/mnist
    stable: 2
"""

RETURN = r"""
stable:
  description: Version with the label.
  returned: success, unless O(state=absent)
  type: int
  sample: 2
canary:
  description: Version of the candidate, null where there is none.
  returned: success, unless O(state=absent)
  type: int
  sample: 3
versions:
  description: Versions under the model's name.
  returned: success, unless O(state=absent)
  type: list
  elements: int
  sample: [2]
steps:
  description: What was walked through, a sentence for each step; empty where nothing had to be done.
  returned: success, unless O(state=absent)
  type: list
  elements: str
  sample:
    - mnist serves 1 and 2, stable is 1; mnist-canary serves 2
    - mnist serves 1 and 2, stable is 2; mnist-canary serves 2
    - mnist serves 2, stable is 2
replicas:
  description: Names of the pods that were ready when it began.
  returned: success, unless O(state=absent)
  type: list
  elements: str
failure:
  description:
    - The same as RV(ignore:msg) for programs, with a code such as C(version_not_available), C(unavailable) or C(conflict).
    - Its C(details) have C(put_back), true where everything is as before, and C(pods).
  returned: on failure
  type: dict
"""
