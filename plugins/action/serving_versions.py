# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.options import TLS, absolute
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import connect
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.config_map import ConfigMap
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.serving.replica_versions import Replicas, wait


class ActionModule(ControllerAction):
    SPEC = {
        **specs.API,
        **specs.RELEASE,
        **specs.PORT,
        **specs.MODEL_NAME,
        **TLS,
        "canary": {"type": "bool", "default": False},
        "labels": {"type": "list", "elements": "str", "default": ["stable"]},
        "versions": {"type": "list", "elements": "int", "default": []},
        "expected": {"type": "int"},
        "timeout": {"type": "int", "default": 120},
    }
    NEEDS = ("kubernetes", "grpc", "google.protobuf")

    def act(self, options: Options) -> Answer:
        for version in (*options["versions"], options["expected"]):
            specs.require_version("expected" if version == options["expected"] else "versions", version)
        if self.check_mode:  # what would have been published by now is not there
            options = {**options, "expected": None}
        api_client, release = connect(options), (options["namespace"], options["release"])
        config = ConfigMap(api_client, *release).pinned(options["model_name"])
        with Replicas(api_client, absolute(options, self._loader.get_basedir())) as replicas:
            return {"config": config, **wait(options, replicas)}
