# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster import helm_binary
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import connect
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.preflight import preflight


class ActionModule(ControllerAction):
    SPEC = {
        **specs.API,
        **specs.RELEASE,
        **specs.MODEL_NAME,
        "values": {"type": "dict", "required": True},
        "chart": {"type": "path", "required": True},
        "gpu_preflight": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
        "binary_path": {"type": "path"},
        "tls_client_secret": {"type": "str"},
    }
    NEEDS = ("kubernetes", "google.protobuf", "yaml")

    def act(self, options: Options) -> Answer:
        helm = helm_binary.find(options["binary_path"])
        return {**preflight(connect(options), options, self.warn), "helm": helm}
