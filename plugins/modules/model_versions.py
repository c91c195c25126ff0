#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

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
extends_documentation_fragment: mlops.tf_serving.nas
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
  target:
    description:
      - Version that the model goes back to. Refused where it is not live or no server could load it, as after another run has
        pruned it.
      - It is noted in its record, and not pruned, whatever O(in_use) says, for that was read from the servers before; not until
        the model goes back to another one, or one that was published later has passed its check.
    type: int
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
      description:
        - V(live), V(withdrawn) or V(pruned).
        - V(ignored) for a folder 0, which servers take for a version. Here versions start at 1, and it is left alone.
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
    chosen:
      description: When people went back to it (UTC), or null.
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
    servable:
      description: Whether it is live, and a server could load it, as far as its files tell.
      type: bool
    unfinished:
      description: Whether its withdrawal was begun and not finished. It is live until the next run finishes that.
      type: bool
  sample:
    - {version: 1, state: live, size: 51712, published: "2026-11-22T16:18:00Z", checked: null, checksum: "sha256:2c26b46b...",
       source: "https://example.com/mnist-export.tar.gz", reason: null, at: null, problem: "", servable: true, unfinished: false}
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
left:
  description: What lies where only this collection's own is expected, as sentences. Others put it there, and it is left alone.
  returned: success
  type: list
  elements: str
failure:
  description: What went wrong, for programs. C(message), C(code) and C(details).
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import lifecycle
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import VERSIONS
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.run import run


def main():
    module = AnsibleModule(argument_spec=VERSIONS, supports_check_mode=True)
    run(module, lifecycle.versions, only_looks=lambda request: not request.acts)


if __name__ == "__main__":
    main()
