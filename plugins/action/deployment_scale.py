# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import connect
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.scale import ensure, replica_count
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.release import ModelServers


class ActionModule(ControllerAction):
    SPEC = {
        **specs.API,
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "default": "default"},
        "replicas": {"type": "raw", "required": True},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 300},
        "pending_timeout": {"type": "int", "default": 30},
    }
    NEEDS = ("kubernetes",)

    def act(self, options: Options) -> Answer:
        replica_count(options["replicas"])
        return ensure(ModelServers(connect(options), options["namespace"], options["name"]), options, self.check_mode)
