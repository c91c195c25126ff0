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
      C(shape), the number of tests first.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ansible_collections.mlops.tf_serving.plugins.module_utils import _dataset
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        if _dataset.IMPORT_ERROR:
            raise AnsibleError("The inference check needs numpy in the controller's Python (pip install numpy).")
        tests = str(self.get_option("tests") or "")
        if not tests.isdecimal() and tests:
            raise AnsibleError("check_tests is %r: use a whole number from 1." % tests)
        try:
            return [
                _seen(_dataset.load(
                    term, int(tests) if tests else None, self.get_option("checksum"), self.get_option("timeout")
                ))
                for term in terms
            ]
        except Error as error:
            raise AnsibleError(error.message) from None  # or Ansible prints every cause again


def _seen(dataset):
    return {
        "tests": dataset.tests,
        "columns": {
            name: {"type": "string" if column.dtype.kind == "O" else column.dtype.name, "shape": list(column.shape)}
            for name, column in dataset.columns.items()
        },
    }
