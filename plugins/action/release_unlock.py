# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import connect
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.helm_release import Store, unlock
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options


class ActionModule(ControllerAction):
    SPEC = {
        **specs.API,
        **specs.RELEASE,
        "pending_age": {"type": "int", "default": 60},
        "again": {"type": "bool", "default": False},
    }
    NEEDS = ("kubernetes",)

    def act(self, options: Options) -> Answer:
        store = Store(connect(options), options["namespace"], options["release"])
        return unlock(store, options["again"], options["pending_age"], self.check_mode)
