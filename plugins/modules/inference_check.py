#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: inference_check
short_description: Assert the error rate of a served TensorFlow model
version_added: "0.1.0"
description:
  - Asks TensorFlow Serving over gRPC for test images whose labels are known, and fails when too many answers are wrong.
  - Every ready replica of a release is asked all of them through the Kubernetes API server (port-forward), and so is
    the address of its Service, where one is given. The worst of them decides.
  - Requests that fail are counted apart from wrong answers. They fail the check, and are never tried again.
  - After the counting, 50 requests with one image each, one after the other, give the latency. One of them that fails
    fails the check too.
  - Messages call the options by the variables of the role P(mlops.tf_serving.check#role), such as C(check_tests).
author:
  - The mlops.tf_serving developers (@mlops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
requirements:
  - python >= 3.9
  - kubernetes >= 24.2
  - grpcio >= 1.60
  - protobuf >= 4.25
  - numpy >= 1.24
attributes:
  check_mode:
    description: Asks as well, because it changes nothing. Skipped where the release has no Deployment yet.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
options:
  release:
    description:
      - Helm release whose replicas are asked. Its account needs get on deployments, list on pods, and get and create
        on pods/portforward.
      - Left out, only O(address) is asked, and no Kubernetes API is needed.
    type: str
  namespace:
    description: Namespace of the release.
    type: str
    default: default
  port:
    description: gRPC port of the container, and of O(address) if that names none.
    type: int
    default: 9090
  address:
    description:
      - HOST or HOST:PORT of the Service, as seen from the controller. Empty means none.
      - Together with O(release), an address that the controller cannot reach is a warning.
    type: str
  model_name:
    description: Name under which the model is served.
    type: str
    required: true
  signature:
    description: Signature to call. An empty one would mean C(serving_default), which classifies tf.Examples.
    type: str
    default: predict_images
  input:
    description: Input that takes the images. Empty means the signature's only one.
    type: str
    default: ""
  output:
    description: Output with a score for each class. Empty means C(scores), or else the signature's only one.
    type: str
    default: ""
  expected_version:
    description: Version that has to answer. Left out, any will do. Not enforced in check mode.
    type: int
  version_timeout:
    description:
      - Seconds to wait for O(expected_version) while an older one answers.
      - A model server looks for new versions from time to time, and NFS remembers a folder for up to a minute.
    type: int
    default: 120
  dataset:
    description:
      - Absolute path of a folder on this host, or an http(s) URL, with the files C(t10k-images-idx3-ubyte.gz) and
        C(t10k-labels-idx1-ubyte.gz).
    type: str
    required: true
  dataset_checksum:
    description: Checksums as C(sha256:HEX) by file name.
    type: dict
    default: {}
  dataset_timeout:
    description: Seconds for the download of each file.
    type: int
    default: 60
  tests:
    description: Number of images that every replica is asked, from the start of the dataset.
    type: int
    default: 1000
  max_error_rate:
    description: Highest error rate to pass, in percent, compared with the rate as it is printed (one decimal).
    type: float
    default: 15
  batch_size:
    description: Images in one request of those that are counted. A model whose batch size is fixed gets that, always.
    type: int
    default: 20
  concurrency:
    description: Requests under way at one time to one replica.
    type: int
    default: 4
  timeout:
    description: Seconds for one request.
    type: float
    default: 10
"""

EXAMPLES = r"""
- name: Every replica and the Service's address answer at most 15 % of the test images wrongly
  mlops.tf_serving.inference_check:
    release: mnist-deploy
    model_name: mnist
    address: 203.0.113.10:9090
    dataset: https://storage.googleapis.com/cvdf-datasets/mnist/
    max_error_rate: 15

- name: A server that this machine reaches by itself, version 3 of the model
  mlops.tf_serving.inference_check:
    address: model-server.example.com:8500
    model_name: mnist
    expected_version: 3
    dataset: /srv/datasets/mnist
    dataset_checksum:
      t10k-images-idx3-ubyte.gz: sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6
"""

RETURN = r"""
message:
  description: The tutorial's line. Of all that were asked, the worst decides.
  returned: when servers were asked
  type: str
  sample: "Inference error rate: 10.4%"
summary:
  description: RV(message), and a line for every replica and the address, for a person to read.
  returned: when servers were asked
  type: list
  elements: str
error_rate:
  description: Wrong answers in percent of the answers, one decimal; null where nothing was answered.
  returned: when servers were asked
  type: float
  sample: 10.4
tests:
  description: Number of tests for every replica.
  returned: when servers were asked
  type: int
  sample: 1000
wrong:
  description: Number of wrong answers, of the worst.
  returned: when servers were asked
  type: int
  sample: 104
unanswered:
  description: Number of tests whose request failed or was not sent any more, of the worst.
  returned: when servers were asked
  type: int
  sample: 0
version:
  description: Version of the model that answered, null where several did.
  returned: when servers were asked
  type: int
  sample: 1
replicas:
  description: What came of every replica.
  returned: when servers were asked
  type: list
  elements: dict
  contains:
    pod: {description: Name of the pod., type: str, returned: always}
    version: {description: Version that answered., type: int, returned: always}
    state:
      description:
        - What the server says of O(expected_version), or else of the version that answered, such as V(AVAILABLE) or V(END).
          Null where it says nothing, as before 1.6.
      type: str
      returned: always
    error_rate: {description: Its error rate in percent., type: float, returned: always}
    wrong: {description: Number of wrong answers., type: int, returned: always}
    not_finite: {description: Wrong answers that hold NaN or infinity., type: int, returned: always}
    unanswered: {description: Number of tests without an answer., type: int, returned: always}
    requests: {description: "Number of requests sent, those that were timed among them.", type: int, returned: always}
    errors: {description: "Number of failed requests by gRPC status code, or MALFORMED_REPLY.", type: dict, returned: always}
    latency_ms:
      description:
        - "Milliseconds of a request with one image while no other is under way: p50, p99 and max. Null where none was answered."
        - The way through the API server counts in.
      type: dict
      returned: always
    problem: {description: "Why it could not be asked, or was not what it should be.", type: str, returned: always}
address:
  description: The same of the Service's address, null where none was given.
  returned: when servers were asked
  type: dict
failure:
  description: The same as RV(ignore:msg) for programs, with a code such as C(error_rate_exceeded) or C(unavailable).
  returned: on failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.tf_serving.plugins.module_utils._cluster import AUTH_ARG_SPEC, connect, require_library
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._inference import check, require_libraries

ARGUMENT_SPEC = {
    **AUTH_ARG_SPEC,
    "release": {"type": "str"},
    "namespace": {"type": "str", "default": "default"},
    "port": {"type": "int", "default": 9090},
    "address": {"type": "str"},
    "model_name": {"type": "str", "required": True},
    "signature": {"type": "str", "default": "predict_images"},
    "input": {"type": "str", "default": ""},
    "output": {"type": "str", "default": ""},
    "expected_version": {"type": "int"},
    "version_timeout": {"type": "int", "default": 120},
    "dataset": {"type": "str", "required": True},
    "dataset_checksum": {"type": "dict", "default": {}},
    "dataset_timeout": {"type": "int", "default": 60},
    "tests": {"type": "int", "default": 1000},
    "max_error_rate": {"type": "float", "default": 15},
    "batch_size": {"type": "int", "default": 20},
    "concurrency": {"type": "int", "default": 4},
    "timeout": {"type": "float", "default": 10},
}


def main():
    module = AnsibleModule(ARGUMENT_SPEC, required_one_of=[("release", "address")], supports_check_mode=True)
    require_library(module)
    require_libraries(module)
    try:
        result = check(module.params, lambda: connect(module), module.warn, module.check_mode)
    except Error as error:
        module.fail_json(msg=error.message, failure=error.as_dict(), **getattr(error, "result", {}))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
