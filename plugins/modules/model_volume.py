#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
module: model_volume
version_added: "0.1.0"
short_description: The PersistentVolume of a model on a NAS
description:
  - Creates, changes or removes a PersistentVolume (C(storageClassName "") C(ReadWriteMany), C(Retain)) whose source is
    a folder on an NFS server, reserved by C(claimRef) for the one claim that may have it.
  - Refuses up front what Kubernetes would refuse later or leave hanging without a word, such as another source for an
    existing volume, another size for a bound one, a name that belongs to somebody else's claim, or a claim that is
    bound to another volume.
  - A volume that a deleted claim of the same namespace and name left behind (phase C(Released)) is made available
    again, and a claim that lost its volume gets it back.
  - A volume of that name that was made by other means is taken over if its source is the same and no other claim has
    it.
  - Never touches the data on the NAS.
author: The mlops.tf_serving developers (@mlops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mlops.tf_serving.controller
requirements:
  - python >= 3.10
  - kubernetes >= 24.2
options:
  state:
    description:
      - With V(absent) the PersistentVolume object goes, once the claim that it is bound to has gone.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: Name of the PersistentVolume. PersistentVolumes have no namespace.
    type: str
    required: true
  claim_namespace:
    description: Namespace of the claim that the volume is reserved for. Required with O(state=present).
    type: str
  claim:
    description: Name of the claim that the volume is reserved for. Required with O(state=present).
    type: str
  model:
    description: Value of the label C(model). Required with O(state=present).
    type: str
  server:
    description: Address of the NFS server. Required with O(state=present).
    type: str
  path:
    description: Absolute path of the model's folder on that server. Required with O(state=present).
    type: str
  driver:
    description:
      - V(csi) is C(nasplugin.csi.alibabacloud.com), V(flexvolume) is C(alicloud/nas), which ACK no longer has since
        1.20, V(nfs) is Kubernetes' own.
      - Any other value is an error that says so.
    type: str
    default: csi
  size:
    description: Capacity as a Kubernetes quantity. A NAS does not enforce it. Fixed while the volume is bound.
    type: str
    default: 5Gi
  nfs_version:
    description: NFS version that the node mounts with.
    type: str
    default: "4.0"
  mode:
    description: Octal mode that the O(driver=flexvolume) driver gives the folder. The other drivers ignore it.
    type: str
    default: "755"
  mount_options:
    description:
      - Mount options instead of V(nolock), V(tcp) and V(noresvport). C(vers=) is added unless it is among them.
      - With O(driver=flexvolume) they become the driver's option C(options).
      - A change reaches pods that start later.
    type: list
    elements: str
    default: []
  wait_timeout:
    description: Seconds to wait for an old claim or volume that is just being deleted.
    type: int
    default: 120
attributes:
  check_mode:
    description: Reports what would change. The API server is asked by a dry run, so that rights are checked as well.
    support: full
  diff_mode:
    description: Shows the fields that the module sets, before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = """
- name: Reserve the model's folder for its release
  mlops.tf_serving.model_volume:
    name: default-mnist-deploy
    claim_namespace: default
    claim: mnist-deploy-acs-tensorflow-serving
    model: mnist
    server: 0fc844b526-rqx39.cn-hangzhou.nas.aliyuncs.com
    path: /serving/model/mnist

- name: Forget the volume, keep the data
  mlops.tf_serving.model_volume:
    name: default-mnist-deploy
    state: absent
"""

RETURN = """
volume:
  description: The volume as the API server has it; null when it is absent.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the PersistentVolume.
      type: str
      sample: default-mnist-deploy
    phase:
      description: Phase at the moment of the answer.
      type: str
      sample: Bound
    claim:
      description: Claim that it is bound to or reserved for.
      type: str
      sample: default/mnist-deploy-acs-tensorflow-serving
    size:
      description: Capacity.
      type: str
      sample: 5Gi
    source:
      description: Source, as in the PersistentVolume's spec.
      type: dict
      sample: {nfs: {server: 10.0.0.4, path: /serving/model/mnist}}
failure:
  description: What went wrong, for programs.
  returned: failure
  type: dict
  contains:
    message:
      description: The same as RV(ignore:msg).
      type: str
    code:
      description: A stable word such as V(volume_source_immutable).
      type: str
    details:
      description: What was found.
      type: dict
"""
