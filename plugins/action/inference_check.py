# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible import constants

from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.measurement import Measured
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.options import FILES, TLS, absolute
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.run import check
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import connect
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, ControllerAction, Options, require
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.interruption import raised_signals


class ActionModule(ControllerAction):
    SPEC = {
        **specs.API,
        **specs.PORT,
        **specs.MODEL_NAME,
        **TLS,
        **FILES,
        "release": {"type": "str"},
        "namespace": {"type": "str", "default": "default"},
        "address": {"type": "str"},
        "tls": {"type": "bool", "default": False},
        "signature": {"type": "str", "default": ""},
        "inputs": {"type": "dict", "default": {}},
        "output": {"type": "str", "default": ""},
        "labels": {"type": "str", "default": ""},
        "tolerance": {"type": "float"},
        "divisor": {"type": "float"},
        "expected_version": {"type": "int"},
        "version_timeout": {"type": "int", "default": 120},
        "max_error_rate": {"type": "float", "default": 15},
        "min_agreement": {"type": "float", "default": 99},
        "max_latency_ms": {"type": "dict", "default": {}},
        "max_failed_requests": {"type": "int", "default": 0},
        "min_rate": {"type": "float"},
        "max_difference": {"type": "float"},
        "stable_version": {"type": "int"},
        "batch_size": {"type": "int"},
        "concurrency": {"type": "int", "default": 4},
        "timeout": {"type": "float", "default": 10},
    }
    RULES = {"required_one_of": [("release", "address")], "mutually_exclusive": [("golden", "record")]}
    NEEDS = ("grpc", "google.protobuf", "numpy")
    SHOWS_PROGRESS = True

    def act(self, options: Options) -> Answer:
        if options["release"]:
            require(("kubernetes",))
        options = absolute(options, self._loader.get_basedir())
        with raised_signals():
            return check(
                options, lambda: connect(options), self.warn, write_report, self.check_mode, self.show, constants.DEFAULT_LOCAL_TMP)


def write_report(path: str, result: Measured, findings: Answer) -> str:
    from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import files  # and matplotlib with it

    written: str = files.write(path, result, findings)
    return written
