# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with a model's variables, before anything is touched."""
from __future__ import annotations

DOCUMENTATION = """
name: model
short_description: Problems in a model's variables
description:
  - C(mlops.tf_serving.model_problem) takes the options of M(mlops.tf_serving.model_publish) as a dictionary. It gives the
    sentence with which that module would refuse them, or an empty string.
options: {}
"""

from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._model_request import Request


def model_problem(options):
    try:
        Request(options)
    except Error as error:
        return error.message
    return ""


class FilterModule:
    def filters(self):
        return {"model_problem": model_problem}
