# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that several controller-side modules share. plugins/doc_fragments documents each of them, one to one."""
from __future__ import annotations

from typing import Any

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error

Spec = dict[str, dict[str, Any]]

API: Spec = AUTH_ARG_SPEC  # kubernetes.core.k8s_auth_options
RELEASE: Spec = {"release": {"type": "str", "required": True}, "namespace": {"type": "str", "default": "default"}}
MODEL_NAME: Spec = {"model_name": {"type": "str", "required": True}}
PORT: Spec = {"port": {"type": "int", "default": 9090}}


def require_version(option: str, version: int | None) -> None:
    if version is not None and version < 1:
        raise Error("%s is %d: versions of a model are whole numbers from 1." % (option, version), "option_invalid")
