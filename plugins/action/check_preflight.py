# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.options import FILES, TLS_FILES, absolute
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.preflight import preflight
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options


class ActionModule(ControllerAction):
    SPEC = {
        **FILES,
        **TLS_FILES,
        "signature": {"type": "str", "default": ""},
        "inputs": {"type": "dict", "default": {}},
        "output": {"type": "str", "default": ""},
        "labels": {"type": "str", "default": ""},
        "tolerance": {"type": "float"},
        "divisor": {"type": "float"},
        "signatures": {"type": "dict", "default": {}},
    }
    RULES = {"mutually_exclusive": [("golden", "record")]}
    NEEDS = ("grpc", "google.protobuf", "numpy")  # of the check

    def act(self, options: Options) -> Answer:
        return preflight(absolute(options, self._loader.get_basedir()))
