# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: failed_trial
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: What becomes of a version of a model whose trial failed
description:
  - It goes back where the version never passed its check, the failure tells of the version, and there is an older one.
  - A version that once passed its check is not taken away by a later one that fails, for that may have other causes.
positional: _input, listed, version, failed, check_mode
options:
  _input:
    description: What serves, as P(mlops.tf_serving.serving_status#filter) gives it.
    type: dict
    required: true
  listed:
    description: What is on the NAS, as P(mlops.tf_serving.versions_found#filter) gives it.
    type: dict
    required: true
  version:
    description: The version that was tried, null where that is not known.
    type: int
    required: true
  failed:
    description: Result of the task that failed.
    type: dict
    required: true
  check_mode:
    description: Whether nothing may be changed.
    type: bool
    default: false
"""

EXAMPLES = """
- name: Does this version stay?
  ansible.builtin.debug:
    msg: "{{ (serving_status | mlops.tf_serving.failed_trial(model_versions, 2, ansible_failed_result)).message }}"
"""

RETURN = """
_value:
  description:
    - C(goes_back); C(withdraw), a list of versions, and C(serves), the version to go back to; C(hangs), whether a server hangs in
      loading it, so that it is to be withdrawn before servers are told anything; C(reason), what was measured; C(message), which
      says first what became of the version; and C(unfinished), what to say before the reason where going back fails as well.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.failures import whole
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.decisions import after_failure


def failed_trial(
    status: dict[str, Any], listed: dict[str, Any], version: Any, failed: dict[str, Any], check_mode: bool = False,
) -> dict[str, Any]:
    # Before core 2.19 a variable that is a number arrives as text, and none as an empty one.
    return after_failure(status, listed, int(version) if version else None, whole(failed), check_mode)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"failed_trial": failed_trial}
