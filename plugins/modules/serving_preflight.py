#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
module: serving_preflight
version_added: "0.1.0"
short_description: What would keep a model's Helm release from being installed
description:
  - Checks the variables of role C(mlops.tf_serving.serving), that Helm is there, that the cluster answers, that the names
    are free or the release's own, that a claim that exists need not change, and that a node has the GPU that is asked for.
  - Reads whether an interrupted run left the release pending or incomplete, and which pods are there.
  - Changes nothing.
author: The mlops.tf_serving developers (@mlops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
options:
  settings:
    description:
      - The variables of role C(mlops.tf_serving.serving) without their prefix C(serving_); see its argument specification.
      - An empty string means the default.
    type: dict
    required: true
  binary_path:
    description: Path of the Helm binary. By default C(helm) is looked for in C(PATH).
    type: path
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

EXAMPLES = """
- name: Look before anything acts
  mlops.tf_serving.serving_preflight:
    settings:
      release: mnist-deploy
      namespace: default
      model_name: mnist
      mount_path: /serving/model/mnist
      storage: 5Gi
      volume_labels: {model: mnist}
      gpu: false
"""

RETURN = """
values:
  description: The values of the chart that follow from O(settings), checked and typed.
  returned: success
  type: dict
values_diff:
  description: Lines of a unified diff between the values that the release has and RV(values).
  returned: success
  type: list
  elements: str
release:
  description: The newest revision in Helm's record (name, revision, status, chart, updated), null if there is none.
  returned: success
  type: dict
unlock:
  description:
    - Whether M(mlops.tf_serving.release_unlock) is needed, because the newest revision is pending, failed or half
      uninstalled, or because objects of a deployed release are missing.
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

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.tf_serving.plugins.module_utils import _grpc, _serving_preflight
from ansible_collections.mlops.tf_serving.plugins.module_utils._cluster import AUTH_ARG_SPEC, connect
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error


def find_helm(module):
    path = module.get_bin_path(module.params["binary_path"] or "helm")
    if not path:
        raise Error(
            "%s: install Helm 3 (https://helm.sh), or name it in serving_helm_binary." % (
                "%s is not an executable file" % module.params["binary_path"] if module.params["binary_path"]
                else "helm is not in PATH"
            ), "helm_missing",
        )
    rc, out, err = module.run_command([path, "version", "--short"])
    return path, _serving_preflight.helm_version(out if rc == 0 else err, path)


def main():
    module = AnsibleModule(
        argument_spec={
            **AUTH_ARG_SPEC,
            "settings": {"type": "dict", "required": True},
            "binary_path": {"type": "path"},
        },
        supports_check_mode=True,
    )
    _grpc.require_library(module)
    try:
        result = _serving_preflight.preflight(connect(module), module.params["settings"], lambda: find_helm(module))
        for warning in result.pop("warnings"):
            module.warn(warning)
        module.exit_json(changed=False, **result)
    except Error as e:
        module.fail_json(msg=e.message, failure=e.as_dict())


if __name__ == "__main__":
    main()
