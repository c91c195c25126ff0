#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
module: fleet_orphans
version_added: "0.1.0"
short_description: Which releases belong to no model of the inventory
description:
  - Looks in the namespaces of the play's models for Helm releases of this collection's chart, by list calls, and names those that no
    model of the inventory has, whether it is in the play or not.
  - What is in doubt is somebody's. Where the release of any model of the inventory cannot be told, it fails. Clusters are told apart
    by the uid of their namespace C(kube-system), and where that may not be read, a release belongs to whichever model has one of that
    name, on any cluster.
  - An inventory that has a part of the models only, such as that of one team in a namespace that teams share, makes orphans of the
    others. Of a slice of an AWX job it is refused.
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
  wanted:
    description:
      - Whether to look at all. What is neither true nor false is refused, for C(playbooks/teardown.yml) removes the models themselves
        where this is false.
    type: bool
    required: true
seealso:
  - module: mlops.tf_serving.fleet_plan
"""

EXAMPLES = """
- name: What belongs to no model
  mlops.tf_serving.fleet_orphans:
    wanted: true
  run_once: true
"""

RETURN = """
wanted:
  description: What was asked.
  returned: success
  type: bool
orphans:
  description:
    - For each release C(name) (NAMESPACE/RELEASE), C(namespace), C(release), C(model_name), C(claim), C(volume) (our
      PersistentVolume of that claim, empty where none is known), C(status) and C(updated) (of Helm's record), and C(host), a model
      of the play that is on the same cluster.
  returned: success
  type: list
  elements: dict
hosts:
  description: The C(host) of each, once.
  returned: success
  type: list
  elements: str
lines:
  description: The orphans for people, and how many they are.
  returned: success
  type: list
  elements: str
failure:
  description: What went wrong, for programs. C(message), C(code) and C(details).
  returned: failure
  type: dict
"""
