#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

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
  - A version that was withdrawn or pruned (M(mlops.tf_serving.model_versions)) is not published again, unless O(reinstate)
    says so.
  - Runs on one model exclude one another by a lock on the export.
extends_documentation_fragment: mlops.tf_serving.nas
attributes:
  check_mode:
    support: full
    description:
      - Mounts read-only, asks the web server for the archive's headers, and predicts.
      - Where nothing would change, the answer is that of a real run, which can be left out if RV(up_to_date).
  diff_mode:
    support: full
    description: Shows the versions below the base path before and after.
options:
  state:
    description:
      - V(present) publishes O(archive).
      - V(absent) deletes the versions that were published with this module and that nobody has changed since, and what is empty
        then. What else lies in the base path is left, see RV(left).
    type: str
    choices: [present, absent]
    default: present
  archive:
    description:
      - C(http://) or C(https://) URL, C(file:///PATH) on the target, or a path on the controller. A URL may have C(USER:PASSWORD@)
        in it, or be signed. What opens doors is shown and recorded nowhere, and C(...) stands for it in the query. Without it, it
        is the same archive.
      - C(.tar), packed with gzip, bzip2, xz, zstd (Python 3.14, or the module C(zstandard)) or not at all, or C(.zip); its content
        says which. It holds one version in a folder with an integer name, such as C(mnist/1/saved_model.pb), or, with O(version),
        in any folder or none.
      - A link to a file of the same archive becomes a copy of it. Links outside the version's folder are RV(left_out).
      - Required if O(state=present).
    type: str
  archive_url:
    description: The whole of O(archive), where the action plugin has taken a password or signature out of it. Not for playbooks.
    type: str
  archive_copy:
    description: Where the action plugin has put an archive of the controller. Not for playbooks.
    type: path
  checksum:
    description:
      - C(sha256:HEX) of the archive. Each archive has one of its own. That of a version from another URL is refused, unless it is
        also that of what O(archive) holds.
      - With it, an unchanged run asks nobody, but for the size of what a signed URL holds. Without it, one HEAD request is
        compared with what the server said when the version was published, and the result is not RV(verified).
    type: str
  version:
    description: Number from 1 to publish under, instead of the name of the archive's folder.
    type: int
  reinstate:
    description: Whether to bring a version back that was withdrawn or pruned, if it is the one that the archive holds.
    type: bool
    default: false
  newest:
    description:
      - Whether to refuse a version that is lower than the highest live one. Servers that take the highest would never load it.
    type: bool
    default: false
  server_release:
    description:
      - Release of TensorFlow Serving that shall load the version, such as V(2.15.1). Before 2.4 a server answers only to
        signatures whose method is one of its own. Empty where that is not known.
    type: str
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
    description: The images, as the action plugin sends them. Not for playbooks.
    type: dict
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

- name: Publish what only a signed URL leads to
  mlops.tf_serving.model_publish:
    archive: https://bucket.example.com/mnist-export.tar.gz?X-Amz-Expires=900&X-Amz-Signature=...
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
listed:
  description: All versions that are live, withdrawn or pruned, as RV(mlops.tf_serving.model_versions#module:versions).
  returned: with state present
  type: list
  elements: dict
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
  description: Number of warm-up requests in the version. Null in check mode if only the archive knows it.
  returned: with state present
  type: int
left_out:
  description: Members of the archive that were not unpacked, links outside the version's folder for one.
  returned: with state present
  type: list
  elements: str
tree:
  description: The base path as lines to show.
  returned: success
  type: list
  elements: str
source:
  description: Where the version came from, without password or signature.
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
  description: Bytes of the version. Null in check mode if only the archive knows it.
  returned: with state present
  type: int
archive_size:
  description: Bytes of the archive. Null in check mode if only the archive knows it.
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
left:
  description: What lies where only this collection's own is expected, as sentences. Others put it there, and it is left alone.
  returned: success
  type: list
  elements: str
published:
  description: When the version was published (UTC). Null in check mode if only the archive knows it.
  returned: with state present
  type: str
  sample: "2026-11-22T16:18:00Z"
duration:
  description: Seconds on the node, without mounting.
  returned: with state present
  type: float
needs:
  description: V(tidying), if another run works on the model or has left something behind that a real run tidies up.
  returned: in check mode, if there is such
  type: list
  elements: str
up_to_date:
  description: Whether a real run would find nothing to do, not even to tidy up.
  returned: with state present
  type: bool
remarks:
  description: Lines for people. RV(message), or else what an archive that is not RV(verified) lacks.
  returned: with state present
  type: list
  elements: str
failure:
  description: What went wrong, for programs. C(message), C(code) and C(details).
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import publish
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import PUBLISH, PUBLISH_RULES
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.run import run


def main():
    module = AnsibleModule(argument_spec=PUBLISH, supports_check_mode=True, **PUBLISH_RULES)
    run(module, publish.absent if module.params["state"] == "absent" else publish.publish)


if __name__ == "__main__":
    main()
