# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Jinja's way to the pure functions of module_utils/_names.py, _serving_values.py and _status.py."""
from __future__ import annotations

DOCUMENTATION = """
name: derived
short_description: Names and values that follow from a model's variables
description:
  - C(mlops.tf_serving.object_names), C(mlops.tf_serving.gpu_wanted), C(mlops.tf_serving.serving_values) and
    C(mlops.tf_serving.serving_status), see there.
options: {}
"""

from ansible.errors import AnsibleFilterError

from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._names import gpu_wanted, object_names
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_values import chart_values
from ansible_collections.mlops.tf_serving.plugins.module_utils._status import serving_status


def _explained(function):
    def call(value):
        try:
            return function(value)
        except Error as error:
            raise AnsibleFilterError(error.message) from error
    return call


class FilterModule:
    def filters(self):
        return {
            "gpu_wanted": _explained(gpu_wanted),
            "object_names": _explained(object_names),
            "serving_values": _explained(chart_values),
            "serving_status": serving_status,
        }
