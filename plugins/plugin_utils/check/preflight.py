# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A look at what a check will need, before anything is touched. It fails as the check would."""
from __future__ import annotations

from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import dataset
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.options import Options, look_around, validate
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.questions import Questions


def preflight(options: Options) -> dict[str, Any]:
    """What the task answers. options: those of the module check_preflight."""
    validate(options)
    look_around(options)
    tests = dataset.load(options["dataset"], options["tests"], options["dataset_checksum"], options["dataset_timeout"])
    Questions(options, tests)  # that there is something to compare answers with
    return described(tests)


def described(tests: dataset.Dataset) -> dict[str, Any]:
    """What a person may know of a dataset."""
    return {
        "tests": tests.tests,
        "columns": {
            name: {"type": "string" if column.dtype.kind == "O" else column.dtype.name, "shape": list(column.shape)}
            for name, column in tests.columns.items()
        },
    }
