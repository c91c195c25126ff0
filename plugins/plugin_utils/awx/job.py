# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of a controller's job is gone when the job ends: all that its container has, but for folders that are mounted into it."""
from __future__ import annotations

import os
from collections.abc import Callable, Mapping

HOME = "/runner"  # of a job, in its container: mounted as well, and deleted after it


def dies_with_the_job(
    path: str, environment: Mapping[str, str] | None = None, is_mount: Callable[[str], bool] = os.path.ismount,
) -> bool:
    """Whether this run is a controller's job, and what is written there is gone after it."""
    if not (os.environ if environment is None else environment).get("JOB_ID"):
        return False
    place = os.path.abspath(path)
    while not is_mount(place):  # the root is one
        place = os.path.dirname(place)
    return place == "/" or place == HOME or place.startswith(HOME + "/")


def warning(variable: str, path: str) -> str:
    return (
        "%s is %s, which is in this job's container and gone when the job ends: name a folder that the controller mounts into it"
        " (Settings, Jobs, Paths to expose to isolated jobs)." % (variable, path))
