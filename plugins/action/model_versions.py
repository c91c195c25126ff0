# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import VERSIONS
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.node_action import NodeAction


class ActionModule(NodeAction):
    MODULE = "mlops.tf_serving.model_versions"
    SPEC = VERSIONS
