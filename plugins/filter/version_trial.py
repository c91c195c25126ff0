# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: version_trial
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: How a new version of a model is tried
description:
  - What becomes of it when it fails says P(mlops.tf_serving.failed_trial#filter).
positional: _input, published, version
options:
  _input:
    description: What serves, as P(mlops.tf_serving.serving_status#filter) gives it.
    type: dict
    required: true
  published:
    description: Answer of M(mlops.tf_serving.model_publish). It may be empty.
    type: dict
    required: true
  version:
    description: The version.
    type: int
    required: true
"""

EXAMPLES = """
- name: Which version serves until this one has passed
  ansible.builtin.debug:
    msg: "{{ (serving_status | mlops.tf_serving.version_trial(model_published, model_published.version)).before }}"
"""

RETURN = """
_value:
  description:
    - C(own_name), whether it is loaded under a name of its own that no client asks for; C(before), the version that serves where
      this one does not, or null.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.settings.decisions import trial


def version_trial(status: dict[str, Any], published: dict[str, Any], version: Any) -> dict[str, Any]:
    return trial(status, published, int(version))  # before core 2.19 a variable that is a number arrives as text


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"version_trial": version_trial}
