#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: model_publish_plan
short_description: What publishing would do, for many models
version_added: "0.1.0"
author: The mlops.tf_serving developers (@mlops)
description:
  - For each of many models, what M(mlops.tf_serving.model_publish) would answer in check mode. It changes nothing.
  - Each NFS export is mounted once, and all web servers are asked side by side, so that the look at a hundred models takes little more
    time than the look at one.
  - It runs on a host that may mount the exports, as root.
attributes:
  check_mode:
    support: full
    description: It only looks.
  diff_mode:
    support: none
    description: There is nothing to show.
options:
  models:
    description:
      - The models. Each is a dictionary of the options of M(mlops.tf_serving.model_publish), with C(name) for the answer.
      - Without C(archive) it is that of the inventory host of this name, for what a loop hands over is printed.
    type: list
    elements: dict
    required: true
  archive_urls:
    description: By name the whole URLs of what the action plugin has taken a password or signature out of. Not for playbooks.
    type: dict
    default: {}
seealso:
  - module: mlops.tf_serving.model_publish
"""

EXAMPLES = r"""
- name: What would be published
  mlops.tf_serving.model_publish_plan:
    models:
      - name: mnist
        archive: http://tensorflow-samples.oss-cn-shenzhen.aliyuncs.com/exports/mnist-export.tar.gz
        base_path: /serving/model/mnist
        nas_server: nas.example.com
  become: true
  delegate_to: nas-node
"""

RETURN = r"""
models:
  description:
    - For each model, by name, C(changed), C(version), C(path), C(versions), C(aside), C(listed), C(up_to_date), C(needs),
      C(withdrawn), C(pruned), C(message), C(checked) and C(verified) of M(mlops.tf_serving.model_publish).
    - Of a model that cannot be published, C(failed), C(msg) and C(failure) instead.
  returned: always
  type: dict
  sample: {mnist: {changed: false, up_to_date: true, version: 1, versions: [1]}}
failure:
  description: What went wrong with all of them, for programs. C(message), C(code) and C(details).
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import mount
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.looks import PLAN, looks


def main():
    module = AnsibleModule(argument_spec=PLAN, supports_check_mode=True)
    try:
        mount.require_root_and_client()
    except Error as error:
        module.fail_json(msg=error.message, failure=error.as_dict())
    module.exit_json(changed=False, models=looks(module.params["models"], module.params["archive_urls"], module.tmpdir))


if __name__ == "__main__":
    main()
