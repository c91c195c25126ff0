# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Jinja's way to what is wrong with a model's or a check's variables, and to what a rollback takes away."""
from __future__ import annotations

DOCUMENTATION = """
name: model
short_description: Problems in a model's variables, and the way back to an older version
description:
  - C(mlops.tf_serving.model_problem) takes the options of M(mlops.tf_serving.model_publish) as a dictionary. It gives the
    sentence with which that module would refuse them, or an empty string.
  - C(mlops.tf_serving.check_problem) does the same for M(mlops.tf_serving.inference_check), and looks whether the files that
    it reads and writes can be.
  - C(mlops.tf_serving.rollback_plan) takes the RV(mlops.tf_serving.model_versions#module:versions) of a model, and the keywords C(to) (the
    version to go back to; without it the newest is undone) and C(stable) (the version that pinned servers serve). It gives
    C(withdraw), C(serves), in C(message) why there is nothing to do, and in C(problem) why it cannot be done.
options: {}
"""

from ansible_collections.mlops.tf_serving.plugins.module_utils import _check_options, _rollback
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._model_request import Request


def model_problem(options):
    try:
        Request(options)
    except Error as error:
        return error.message
    return ""


def rollback_plan(versions, to=None, stable=None):
    try:
        return {**_rollback.rollback_plan(versions, to, stable), "problem": ""}
    except Error as error:
        return {"withdraw": [], "serves": None, "message": "", "problem": error.message}


class FilterModule:
    def filters(self):
        return {
            "check_problem": _check_options.problem, "model_problem": model_problem, "rollback_plan": rollback_plan,
        }
