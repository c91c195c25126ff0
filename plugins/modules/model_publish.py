#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: model_publish
short_description: Publish a SavedModel from an archive to an NFS export
version_added: "0.1.0"
author:
  - The mlops.tf_serving developers (@mlops)
description:
  - Mounts an NFS export for itself alone, downloads, verifies, unpacks and checks an archive with one version of a
    SavedModel, and makes it live below the base path with one rename.
  - The mount lives in a private mount namespace. Nothing stays mounted after success, failure or a killed run.
  - A live version is never changed. The same content again is no change, other content under the same number is an error.
  - Beside the versions, C(.provenance/VERSION.json) says where each came from. It decides whether to download again.
  - A version that was withdrawn or pruned (M(mlops.tf_serving.model_versions)) is not published again, unless O(reinstate) says so.
  - Runs on one model exclude one another by a lock on the export.
  - Needs nothing but Python, root and an NFS client on the target.
attributes:
  check_mode:
    support: full
    description: Mounts read-only, asks the web server for the archive's headers, and predicts.
  diff_mode:
    support: full
    description: Shows the versions below the base path before and after.
options:
  state:
    description:
      - V(present) publishes O(archive).
      - V(absent) deletes every version of the model and the base path, unless something else than versions lies in it.
    type: str
    choices: [present, absent]
    default: present
  archive:
    description:
      - C(http://) or C(https://) URL, C(file:///PATH) on the target, or a path on the controller.
      - C(.tar.gz), C(.tgz), C(.tar) or C(.zip); its content says which. It holds one version in a folder with an integer
        name, such as C(mnist/1/saved_model.pb), or, with O(version), in any folder or none.
      - Required if O(state=present).
    type: str
  archive_copy:
    description: Where the action plugin has put an archive of the controller. Not for playbooks.
    type: path
  checksum:
    description:
      - C(sha256:HEX) of the archive.
      - With it, an unchanged run asks nobody. Without it, one HEAD request is compared with what the server said when the
        version was published, and the result is not RV(verified).
    type: str
  version:
    description: Number to publish under, instead of the name of the archive's folder.
    type: str
  reinstate:
    description: Whether to bring a version back that was withdrawn or pruned, if it is the one that the archive holds.
    type: bool
    default: false
  newest:
    description:
      - Whether to refuse a version that is lower than the highest live one. Servers that take the highest would never load it.
    type: bool
    default: false
  warmup:
    description:
      - Number of images of O(warmup_dataset) that are written into a new version as warm-up requests, at most 1000. 0 for none.
      - An archive with C(assets.extra/tf_serving_warmup_requests) keeps its own. They are checked, for a bad one would keep
        servers from loading the version.
    type: int
    default: 0
  warmup_dataset:
    description:
      - Dataset on the controller or under a URL, as in O(mlops.tf_serving.inference_check#module:dataset).
      - Its column C(images) is used, or else the only one with pictures of an IDX file.
    type: raw
  warmup_dataset_checksum:
    description: Checksums of the dataset's files, C(sha256:HEX) by file name.
    type: dict
  warmup_signature:
    description: Signature that the warm-up requests call. It takes one input of type float32 or float64.
    type: str
    default: predict_images
  warmup_samples:
    description: Where the action plugin has put the images. Not for playbooks.
    type: dict
  base_path:
    description: Folder of the model's versions, as a path inside the NAS. It has to lie in O(nas_export).
    type: str
    required: true
  nas_server:
    description: Name or address of the NFS server.
    type: str
    required: true
  nas_export:
    description: Export to mount. If it does not exist and the server's root can be mounted, it is created there.
    type: str
    default: /
  nas_options:
    description:
      - Mount options. Locks need NFSv4, or NFSv3 with a lock manager or with V(nolock).
      - Unless V(hard) or V(softerr) is among them, V(soft) is added for this mount alone, with O(mount_timeout) as its
        time-out. Every file is synced and checked, so no write is lost unnoticed.
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
  max_size:
    description: Bytes that the archive may have, packed and unpacked.
    type: int
    default: 21474836480
seealso:
  - module: mlops.tf_serving.model_versions
  - name: SavedModel
    description: The format that TensorFlow Serving loads.
    link: https://www.tensorflow.org/guide/saved_model
"""

EXAMPLES = r"""
- name: Publish the version that the archive holds
  mlops.tf_serving.model_publish:
    archive: http://tensorflow-samples.oss-cn-shenzhen.aliyuncs.com/exports/mnist-export.tar.gz
    base_path: /serving/model/mnist
    nas_server: nas.example.com
    nas_export: /serving

- name: Publish an export of this controller as version 7
  mlops.tf_serving.model_publish:
    archive: /home/me/exports/mnist.zip
    version: 7
    base_path: /serving/model/mnist
    nas_server: nas.example.com
  become: true

- name: Delete the model
  mlops.tf_serving.model_publish:
    state: absent
    base_path: /serving/model/mnist
    nas_server: nas.example.com
"""

RETURN = r"""
version:
  description:
    - Number of the version that the archive holds, and that is live now unless RV(withdrawn) or RV(pruned) says otherwise.
    - Null in check mode if only the archive knows it.
  returned: with state present
  type: int
  sample: 1
path:
  description: Path of that version inside the NAS.
  returned: success
  type: str
  sample: /serving/model/mnist/1
versions:
  description: All versions below the base path.
  returned: success
  type: list
  elements: int
  sample: [1, 2]
aside:
  description: Versions that were withdrawn and whose data is still there.
  returned: with state present
  type: list
  elements: int
withdrawn:
  description: C(version), C(at) and C(reason), if the archive's version was withdrawn and therefore not published; else empty.
  returned: with state present
  type: dict
pruned:
  description: C(version) and C(at), if the archive's version was pruned and therefore not published; else empty.
  returned: with state present
  type: dict
message:
  description: What RV(withdrawn) or RV(pruned) means, in words; else empty.
  returned: with state present
  type: str
checked:
  description: When the version was noted as having passed its check (UTC), null if it was not.
  returned: with state present
  type: str
warmup:
  description: Number of warm-up requests in the version.
  returned: with state present
  type: int
tree:
  description: The base path as lines to show.
  returned: success
  type: list
  elements: str
source:
  description: Where the version came from, without the query of a URL.
  returned: with state present
  type: str
checksum:
  description: Checksum of the archive.
  returned: with state present
  type: str
  sample: sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
verified:
  description:
    - Whether the archive is known by its checksum (given, or computed from a file). False means that only the headers of
      the web server were compared.
  returned: with state present
  type: bool
size:
  description: Bytes of the version.
  returned: with state present
  type: int
archive_size:
  description: Bytes of the archive.
  returned: with state present
  type: int
signatures:
  description: Signatures of the model with their inputs and outputs.
  returned: with state present
  type: dict
  sample:
    predict_images:
      method: tensorflow/serving/predict
      inputs: {images: "float32[-1,784]"}
      outputs: {scores: "float32[-1,10]"}
published:
  description: When the version was published (UTC).
  returned: with state present
  type: str
  sample: "2026-11-22T16:18:00Z"
duration:
  description: Seconds on the node, without mounting.
  returned: with state present
  type: float
failure:
  description: What went wrong, for programs. C(message), C(code) and C(details).
  returned: failure
  type: dict
"""

import functools

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.tf_serving.plugins.module_utils import _nas_mount, _publish
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._model_request import Request


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"choices": ["present", "absent"], "default": "present"},
            "archive": {},
            "archive_copy": {"type": "path"},
            "checksum": {},
            "version": {},
            "reinstate": {"type": "bool", "default": False},
            "newest": {"type": "bool", "default": False},
            "warmup": {"type": "int", "default": 0},
            "warmup_dataset": {"type": "raw"},
            "warmup_dataset_checksum": {"type": "dict"},
            "warmup_signature": {"default": "predict_images"},
            "warmup_samples": {"type": "dict"},
            "base_path": {"required": True},
            "nas_server": {"required": True},
            "nas_export": {"default": "/"},
            "nas_options": {"default": "vers=4.0"},
            "mount_timeout": {"type": "int", "default": 30},
            "lock_timeout": {"type": "int", "default": 300},
            "timeout": {"type": "int", "default": 1800},
            "max_size": {"type": "int", "default": 20 << 30},
        },
        required_if=[("state", "present", ["archive"])],
        supports_check_mode=True,
    )
    try:
        request = Request(module.params)
        export = _nas_mount.Export(request.server, request.export, request.options, request.mount_timeout)
        work = functools.partial(
            _publish.absent if module.params["state"] == "absent" else _publish.publish,
            request=request, check_mode=module.check_mode,
        )
        result = _nas_mount.within(export, work, request.timeout, read_only=module.check_mode, scratch=module.tmpdir)
    except Error as error:
        module.fail_json(msg=error.message, failure=error.as_dict())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
