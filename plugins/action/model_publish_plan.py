# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller's side of model_publish_plan: an archive on the controller is known by its checksum, which is taken here."""
from __future__ import annotations

import os

from ansible.errors import AnsibleError

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.look import file_sha256
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Archive, checksum_mismatch
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, Options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.node_action import NodeAction


class ActionModule(NodeAction):
    MODULE = "mlops.tf_serving.model_publish_plan"
    SPEC = {"models": {"type": "list", "elements": "dict", "required": True}}

    def request(self, options: Options) -> Options:
        return options

    def act(self, options: Options, request: Options) -> Answer:
        models, failed = [], {}
        for model in request["models"]:
            try:
                models.append(self._with_checksum(model))
            except Error as error:
                failed[model["name"]] = {"failed": True, "msg": error.message, "failure": error.as_dict()}
        answer = self.on_node({"models": models})
        return {**answer, "models": {**answer["models"], **failed}} if "models" in answer else answer

    def _with_checksum(self, model: Options) -> Options:
        if Archive(model["archive"]).kind != "controller":
            return model
        try:
            path = self._find_needle("files", os.path.expanduser(model["archive"]))
            digest = file_sha256(path)
        except (AnsibleError, OSError) as error:
            raise Error("model_archive %r cannot be read on the controller." % model["archive"], "archive_unreadable") from error
        wanted = (model.get("checksum") or "").rpartition(":")[2] or None
        if wanted not in (None, digest):
            raise checksum_mismatch(path, wanted, digest)
        return {**model, "archive": path, "checksum": "sha256:" + digest}
