# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.options import TLS, absolute
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import connect
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.config_map import ConfigMap
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.promotion import ensure
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.replica_versions import Replicas


class ActionModule(ControllerAction):
    SPEC = {
        **specs.API,
        **specs.RELEASE,
        **specs.PORT,
        **specs.MODEL_NAME,
        **TLS,
        "base_path": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "stable": {"type": "int"},
        "canary": {"type": "int"},
        "only_if_absent": {"type": "bool", "default": False},
        "checks": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 300},
    }
    NEEDS = ("kubernetes", "grpc", "google.protobuf")

    def act(self, options: Options) -> Answer:
        for name in ("stable", "canary"):
            specs.require_version(name, options[name])
        api_client, release = connect(options), (options["namespace"], options["release"])
        config_map = ConfigMap(api_client, *release)
        if options["state"] == "absent":
            return config_map.forget(options["checks"], self.check_mode)
        with Replicas(api_client, absolute(options, self._loader.get_basedir())) as replicas:
            return ensure(config_map, replicas, options, self.warn, self.check_mode)
