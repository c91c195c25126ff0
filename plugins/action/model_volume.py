# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import connect
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.volume import check_options, ensure
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options


class ActionModule(ControllerAction):
    SPEC = {
        **specs.API,
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "name": {"type": "str", "required": True},
        "claim_namespace": {"type": "str"},
        "claim": {"type": "str"},
        "model": {"type": "str"},
        "server": {"type": "str"},
        "path": {"type": "str"},
        "driver": {"type": "str", "default": "csi"},
        "size": {"type": "str", "default": "5Gi"},
        "nfs_version": {"type": "str", "default": "4.0"},
        "mode": {"type": "str", "default": "755"},
        "mount_options": {"type": "list", "elements": "str", "default": []},
        "wait_timeout": {"type": "int", "default": 120},
    }
    RULES = {
        "required_if": [("state", "present", ("claim_namespace", "claim", "model", "server", "path"))],
        "required_together": [("claim_namespace", "claim")],
    }
    NEEDS = ("kubernetes",)

    def act(self, options: Options) -> Answer:
        check_options(options)
        return ensure(connect(options), options, self.check_mode, self.warn)
