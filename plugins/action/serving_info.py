# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import connect
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.info import info
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.release import Release
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.rollout import wait


class ActionModule(ControllerAction):
    SPEC = {
        **specs.API,
        **specs.RELEASE,
        "wait": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 600},
        "pending_timeout": {"type": "int", "default": 30},
        "address_timeout": {"type": "int", "default": 180},
        "known_pods": {"type": "list", "elements": "str"},
    }
    NEEDS = ("kubernetes",)

    def act(self, options: Options) -> Answer:
        release = Release(connect(options), options["namespace"], options["release"])
        if options["wait"] and not self.check_mode:
            status = wait(
                release, options["wait_timeout"], options["known_pods"], options["pending_timeout"],
                options["address_timeout"],
            )
        else:
            status = info(release, options["known_pods"])
        for warning in status["warnings"]:
            self.warn(warning)
        return {"status": status}
