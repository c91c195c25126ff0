#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
module: check_preflight
version_added: "0.1.0"
short_description: What an inference check will need
description:
  - Looks at the files that M(mlops.tf_serving.inference_check) with the same options would read and write, and fails as that
    would. So a playbook knows before it publishes or deploys something.
  - Reads the dataset and the golden file, and looks whether O(record) and O(report) can be written, and whether the report's
    libraries are there. Asks no server and no cluster.
  - With O(signatures), looks as well whether the data are what the model wants, and the labels classes that it can answer.
  - Changes nothing.
  - Messages call the options by the variables of the role P(mlops.tf_serving.check#role), such as C(check_tests).
author:
  - The mlops.tf_serving developers (@mlops)
extends_documentation_fragment:
  - mlops.tf_serving.controller
  - mlops.tf_serving.controller.looks
  - mlops.tf_serving.check_files
  - mlops.tf_serving.tls
requirements:
  - python >= 3.10
  - grpcio >= 1.60
  - protobuf >= 4.25
  - numpy >= 1.24
  - matplotlib and jinja2, for O(report)
options:
  labels:
    description:
      - Column with the expected answers, as in the check.
      - The task fails where that, O(golden) and O(record_missing) leave nothing to compare answers with.
    type: str
    default: ""
  tolerance:
    description: As in the check; it says how labels are read.
    type: float
  signatures:
    description:
      - The model's signatures, as M(mlops.tf_serving.model_publish) returns them, once a version is on the NAS. Left out, only what
        the data say by themselves is looked at.
    type: dict
    default: {}
  signature:
    description: As in the check. It counts with O(signatures), as do the next three.
    type: str
    default: ""
  inputs:
    description: As in the check.
    type: dict
    default: {}
  output:
    description: As in the check.
    type: str
    default: ""
  divisor:
    description: As in the check.
    type: float
"""

EXAMPLES = """
- name: The test data are there, and the report can be written
  mlops.tf_serving.check_preflight:
    dataset: https://storage.googleapis.com/cvdf-datasets/mnist/
    tests: 1000
    report: /srv/reports/
  register: test_data

- name: What a test looks like
  ansible.builtin.debug:
    msg: "{{ test_data.columns.images.shape }}"

- name: The model that is on the NAS by now can be asked for them, before it is deployed
  mlops.tf_serving.check_preflight:
    dataset: https://storage.googleapis.com/cvdf-datasets/mnist/
    signatures: "{{ published.signatures }}"
"""

RETURN = """
tests:
  description: Number of tests that the check will put to every server.
  returned: success
  type: int
  sample: 1000
columns:
  description: Type (such as C(uint8), C(float32) or C(string)) and shape of each column, the number of tests first.
  returned: success
  type: dict
  sample:
    images: {type: uint8, shape: [1000, 28, 28]}
    labels: {type: uint8, shape: [1000]}
left_out:
  description: Columns of the files that cannot be sent, each with the reason.
  returned: success
  type: dict
  sample: {notes: line 3 has no value}
remarks:
  description: Sentences on what was decided about the files, such as which encoding a text is in, or that its first line names nothing.
  returned: success
  type: list
  elements: str
compares:
  description: Whether the check will compare answers with something. It will not where it only records O(golden) or O(record).
  returned: success
  type: bool
failure:
  description: The same as RV(ignore:msg) for programs, with a code such as C(dataset_too_small).
  returned: on failure
  type: dict
"""
