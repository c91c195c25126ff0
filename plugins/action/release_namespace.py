# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import connect
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.namespace import ensure
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options


class ActionModule(ControllerAction):
    SPEC = {**specs.API, "name": {"type": "str", "required": True}}
    NEEDS = ("kubernetes",)

    def act(self, options: Options) -> Answer:
        return ensure(connect(options), options["name"], self.check_mode)
