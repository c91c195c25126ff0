#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: model_versions
short_description: List, withdraw and prune the versions of a model on an NFS export
version_added: "0.1.0"
author:
  - The mlops.tf_serving developers (@mlops)
description:
  - Lists the versions that M(mlops.tf_serving.model_publish) has published, and what else lies in the base path.
  - To withdraw a version takes it out of the base path by one rename. Its data is kept aside in C(.withdrawn), which no
    server looks at.
  - To prune deletes the oldest versions. Their records stay.
  - Neither is published again by M(mlops.tf_serving.model_publish), unless
    O(mlops.tf_serving.model_publish#module:reinstate) says so.
  - Mounts and locks as M(mlops.tf_serving.model_publish) does. A mere list takes no lock and mounts read-only.
attributes:
  check_mode:
    support: full
    description: Mounts read-only, and predicts.
  diff_mode:
    support: full
    description: Shows each version and its state, before and after.
options:
  withdraw:
    description:
      - Versions to take out of the base path. Those that were withdrawn before are no change.
      - Refused if no version that a server could load would be left, for then every server would unload the model.
    type: list
    elements: int
    default: []
  reason:
    description: Why they are withdrawn, for people.
    type: str
    default: withdrawn by hand
  keep:
    description:
      - Number of live versions to keep, the highest ones; of the data of withdrawn versions as many. 0 keeps all.
      - Only what M(mlops.tf_serving.model_publish) has published and nobody has changed since is counted or deleted.
    type: int
    default: 0
  in_use:
    description: Versions that are not deleted, however old.
    type: list
    elements: int
    default: []
  checked:
    description: Live versions to note as having passed their check.
    type: list
    elements: int
    default: []
  base_path:
    description: Folder of the model's versions, as a path inside the NAS. It has to lie in O(nas_export).
    type: str
    required: true
  nas_server:
    description: Name or address of the NFS server.
    type: str
    required: true
  nas_export:
    description: Export to mount.
    type: str
    default: /
  nas_options:
    description: Mount options, as in M(mlops.tf_serving.model_publish).
    type: str
    default: vers=4.0
  mount_timeout:
    description: Seconds for one mount.
    type: int
    default: 30
  lock_timeout:
    description: Seconds to wait for another run on the same model.
    type: int
    default: 300
  timeout:
    description: Seconds for everything together.
    type: int
    default: 1800
"""

EXAMPLES = r"""
- name: Which versions are there?
  mlops.tf_serving.model_versions:
    base_path: /serving/model/mnist
    nas_server: nas.example.com
  register: on_the_nas

- name: Take version 2 back
  mlops.tf_serving.model_versions:
    withdraw: [2]
    reason: error rate 89.3 %
    base_path: /serving/model/mnist
    nas_server: nas.example.com

- name: Keep the three newest, and version 1, which is served
  mlops.tf_serving.model_versions:
    keep: 3
    in_use: [1]
    base_path: /serving/model/mnist
    nas_server: nas.example.com
"""

RETURN = r"""
versions:
  description: All versions that are live, withdrawn or pruned, ascending.
  returned: success
  type: list
  elements: dict
  contains:
    version:
      description: Its number.
      type: int
    state:
      description: V(live), V(withdrawn) or V(pruned).
      type: str
    size:
      description: Bytes on the NAS. 0 if the data was deleted.
      type: int
    published:
      description: When it was published (UTC), null if that is not known.
      type: str
    checked:
      description: When it was noted as having passed its check (UTC), or null.
      type: str
    checksum:
      description: Checksum of its archive, or null.
      type: str
    source:
      description: Where its archive came from, or null.
      type: str
    reason:
      description: Why it was withdrawn, or null.
      type: str
    at:
      description: When it was withdrawn or pruned (UTC), or null.
      type: str
    problem:
      description: What is wrong with it and the way out, in words; else empty.
      type: str
  sample:
    - {version: 1, state: live, size: 51712, published: "2026-11-22T16:18:00Z", checked: null, checksum: "sha256:2c26b46b...",
       source: "https://example.com/mnist-export.tar.gz", reason: null, at: null, problem: ""}
withdrawn:
  description: Versions that were withdrawn now.
  returned: success
  type: list
  elements: int
pruned:
  description: Versions whose data was deleted now.
  returned: success
  type: list
  elements: int
path:
  description: The base path.
  returned: success
  type: str
failure:
  description: What went wrong, for programs. C(message), C(code) and C(details).
  returned: failure
  type: dict
"""

import functools

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.tf_serving.plugins.module_utils import _model_versions, _nas_mount
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._model_request import Request


def main():
    module = AnsibleModule(
        argument_spec={
            "withdraw": {"type": "list", "elements": "int", "default": []},
            "reason": {"default": "withdrawn by hand"},
            "keep": {"type": "int", "default": 0},
            "in_use": {"type": "list", "elements": "int", "default": []},
            "checked": {"type": "list", "elements": "int", "default": []},
            "base_path": {"required": True},
            "nas_server": {"required": True},
            "nas_export": {"default": "/"},
            "nas_options": {"default": "vers=4.0"},
            "mount_timeout": {"type": "int", "default": 30},
            "lock_timeout": {"type": "int", "default": 300},
            "timeout": {"type": "int", "default": 1800},
        },
        supports_check_mode=True,
    )
    try:
        request = Request(module.params)
        export = _nas_mount.Export(request.server, request.export, request.options, request.mount_timeout)
        work = functools.partial(_model_versions.versions, request=request, check_mode=module.check_mode)
        read_only = module.check_mode or not request.acts
        result = _nas_mount.within(export, work, request.timeout, read_only=read_only, scratch=module.tmpdir)
    except Error as error:
        module.fail_json(msg=error.message, failure=error.as_dict())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
