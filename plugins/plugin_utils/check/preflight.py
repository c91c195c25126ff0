# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A look at what a check will need, before anything is touched. It fails as the check would."""
from __future__ import annotations

from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import dataset, request_plan, signatures
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.options import Options, look_around, settled, validate
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.questions import Questions

# Which model is asked, and how many tests at a time, is nothing that could not fit.
OF_THE_CHECK = {"model_name": "", "batch_size": None}


def preflight(options: Options) -> dict[str, Any]:
    """What the task answers. options: those of the module check_preflight."""
    options = settled(options)
    validate(options)
    look_around(options)
    tests = dataset.load(options["dataset"], options["tests"], options["dataset_checksum"], options["dataset_timeout"])
    questions = Questions(options, tests)  # that there is something to compare answers with
    if options["signatures"]:
        _fit(questions, options)
    return {**described(tests), "remarks": questions.remarks, "compares": questions.expected is not None}


def _fit(questions: Questions, options: Options) -> None:
    """Error where the test data are not what a model of these signatures wants."""
    try:
        known = signatures.of_saved_model(options["signatures"])
        questions.fit(request_plan.plan({**options, **OF_THE_CHECK}, known, questions.dataset))
    except Error as error:
        raise Error("The test data do not fit the model: %s." % error.message, error.code, **error.details) from error


def described(tests: dataset.Dataset) -> dict[str, Any]:
    """What a person may know of a dataset."""
    return {
        "tests": tests.tests,
        "columns": {
            name: {"type": "string" if column.dtype.kind == "O" else column.dtype.name, "shape": list(column.shape)}
            for name, column in tests.columns.items()
        },
        "left_out": dict(tests.left_out), "remarks": list(tests.remarks),
    }
