# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: dataset
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: A look at the test data of an inference check
description:
  - Reads a dataset as the module M(mlops.tf_serving.inference_check) does, on the controller, and returns what it holds.
  - Fails where the check would fail for it, which makes it a preflight that costs no task.
options:
  _terms:
    description:
      - Absolute path of a folder or file on the controller, an http(s) URL, or a dictionary with a file for each column, as in
        O(mlops.tf_serving.inference_check#module:dataset).
    required: true
  tests:
    description: Number of tests that have to be there. Empty means 1000, or all where the dataset has fewer.
    type: raw
  checksum:
    description: Checksums as C(sha256:HEX) by file name.
    type: dict
    default: {}
  timeout:
    description: Seconds for the download of each file.
    type: int
    default: 60
"""

EXAMPLES = """
- name: There are 1000 test images
  ansible.builtin.debug:
    msg: "{{ lookup('mlops.tf_serving.dataset', 'https://storage.googleapis.com/cvdf-datasets/mnist', tests=1000) }}"

- name: The columns of a table
  ansible.builtin.debug:
    msg: "{{ lookup('mlops.tf_serving.dataset', '/data/wine.csv').columns.keys() }}"
"""

RETURN = """
_raw:
  description:
    - For each term C(tests), their number, and C(columns), for each the C(type) (as C(uint8), C(float32) or C(string)) and the
      C(shape), the number of tests first. C(left_out) has what is no column, with the reason, and C(remarks) what was decided about
      the files.
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import dataset
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.options import validate
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.preflight import described
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import require
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.values import blank


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        tests = self.get_option("tests")
        try:
            require(("numpy",))
            validate({"tests": tests})
            number = None if blank(tests) else int(tests)
            return [
                described(dataset.load(term, number, self.get_option("checksum"), self.get_option("timeout"))) for term in terms
            ]
        except Error as error:
            raise AnsibleError(error.message) from None  # or Ansible prints every cause again
