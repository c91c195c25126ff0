# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    """One to one with plugin_utils/specs.py."""

    DOCUMENTATION = """
options:
  release:
    description: Name of the Helm release of chart acs-tensorflow-serving.
    type: str
    required: true
  namespace:
    description: Namespace of the release.
    type: str
    default: default
"""

    PORT = """
options:
  port:
    description: gRPC port of the container.
    type: int
    default: 9090
"""

    MODEL_NAME = """
options:
  model_name:
    description: Name under which the model is served.
    type: str
    required: true
"""
