# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller's side of model_publish_plan: an archive on the controller is known by its checksum, which is taken here, and what a
URL has of a signature or password goes to the node by itself."""
from __future__ import annotations

import os

from ansible.errors import AnsibleError

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.looks import PLAN, failed
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Archive, checksum, readable
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, Options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.wanted import Fleet
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.node_action import NodeAction, archive_sha256


class ActionModule(NodeAction):
    MODULE = "mlops.tf_serving.model_publish_plan"
    SPEC = PLAN

    def request(self, options: Options) -> Options:
        return options

    def act(self, options: Options, request: Options) -> Answer:
        models, urls, wrong = [], {}, {}
        for model in request["models"]:
            try:
                shown, url = readable(self._with_checksum({**model, "archive": self._whole(model)}))
            except Error as error:
                wrong[model["name"]] = failed(error)
                continue
            models.append(shown)
            urls.update({model["name"]: url} if url else {})
        answer = self.on_node({"models": models, "archive_urls": urls})
        return {**answer, "models": {**answer["models"], **wrong}} if "models" in answer else answer

    def _whole(self, model: Options) -> str:
        """The archive, signature and all."""
        archive, name, hosts = model.get("archive"), model["name"], self.task_vars.get("hostvars", {})
        if not archive and name in hosts:
            archive = Fleet([name], hosts, self._loader).variables[name].settle(["model"])["model"]["archive"]
        if not archive:
            raise Error("model_archive of %s is not set." % name, "variable_missing", variable="model_archive")
        return str(archive)

    def _with_checksum(self, model: Options) -> Options:
        if Archive(model["archive"]).kind != "controller":
            return model
        try:
            path = self._find_needle("files", os.path.expanduser(model["archive"]))
        except AnsibleError as error:
            raise Error("model_archive %r cannot be read on the controller." % model["archive"], "archive_unreadable") from error
        wanted = checksum(model["checksum"]) if model.get("checksum") else None
        return {**model, "archive": path, "checksum": "sha256:" + archive_sha256(path, wanted)}
