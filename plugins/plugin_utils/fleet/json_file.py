# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was found of a fleet, as a file for programs."""
from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.awx.job import dies_with_the_job, warning


def write(path: str, what: str, content: Mapping[str, Any], warn: Callable[[str], None]) -> None:
    """what: its name in the variable WHAT_file. warn() takes a sentence."""
    if dies_with_the_job(path):
        warn(warning(what + "_file", path))
    try:
        Path(path).write_text(json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise Error(
            "%s_file is %s, which cannot be written: %s. Use a path that the controller's account may write to."
            % (what, path, error.strerror), what + "_not_written",
        ) from error
