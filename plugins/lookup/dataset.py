# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: dataset
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: A look at the test images of an inference check
description:
  - Reads a dataset as the module M(mlops.tf_serving.inference_check) does, on the controller, and returns what it holds.
  - Fails where the check would fail for it, which makes it a preflight that costs no task.
options:
  _terms:
    description: Absolute path of a folder on the controller, or an http(s) URL.
    required: true
  tests:
    description: Number of images that have to be there.
    type: int
    default: 1000
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
"""

RETURN = """
_raw:
  description: For each term C(images), the shape of the images that the check would use.
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
        try:
            return [
                {"images": list(_dataset.load(
                    term, self.get_option("tests"), self.get_option("checksum"), self.get_option("timeout")
                ).images.shape)}
                for term in terms
            ]
        except Error as error:
            raise AnsibleError(error.message) from None  # or Ansible prints every cause again
