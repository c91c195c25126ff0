# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller's side of model_publish: what only the controller has goes to the node, but only if the node lacks it.

That is an archive on the controller, and samples of the dataset for warm-up records.
"""
from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import warmup
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import PUBLISH, PUBLISH_RULES, Request, readable
from ansible_collections.mlops.tf_serving.plugins.module_utils.urls import public_all
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import dataset, signatures
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import Answer, Options, require
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.node_action import NodeAction, archive_sha256


class ActionModule(NodeAction):
    MODULE = "mlops.tf_serving.model_publish"
    SPEC, RULES = PUBLISH, PUBLISH_RULES

    def act(self, options: Options, request: Request) -> Answer:
        path = None
        if request.archive and request.archive.kind == "controller" and options.get("state") != "absent":
            path, digest = self._archive(options["archive"], request.checksum)
            options = {**options, "archive": path, "checksum": "sha256:" + digest}
        options, url = readable(options)
        options = {**options, "archive_url": url} if url else options
        answer: Answer = self.on_node(options)
        needs = answer.get("needs") or []
        if "warmup" in needs:
            options = {**options, "warmup_samples": self._samples(request)}
        if "archive" in needs:
            answer = self._with_copy(path, options)
        elif "warmup" in needs:
            answer = self.on_node(options)
        return self._concluded(answer) if "verified" in answer else answer

    def _concluded(self, answer: Answer) -> Answer:
        """With what a person should know, and whether the NAS holds just what is asked for: then there is nothing to do."""
        remarks = [answer["message"]] if answer["message"] else []
        if not remarks and not answer["verified"] and not (self._task.check_mode and answer["changed"]):
            remarks = [
                "unverified: the archive is known by the headers of the web server only; set model_checksum: %s"
                % answer["checksum"]
            ]
        remarks += signatures.cannot_be_checked(answer.get("signatures") or {})
        if answer["changed"] and answer["left_out"]:
            remarks.append("left out of the archive, for the model needs none of it: %s" % ", ".join(answer["left_out"][:5]))
        return {**answer, "remarks": remarks, "up_to_date": not (answer["changed"] or answer.get("needs"))}

    def _archive(self, wanted: str, checksum: str | None) -> tuple[str, str]:
        """(path on the controller, sha256)"""
        try:
            path = self._find_needle("files", os.path.expanduser(wanted))
        except AnsibleError:
            raise Error(
                "model_archive %r is not on the controller. Use an absolute path or one relative to the playbook, a URL,"
                " or file:///PATH for a file on model_node." % wanted, "archive_not_found",
            ) from None
        if os.path.isdir(path):
            raise Error(
                "model_archive %s is a folder. Pack it (tar -czf mnist.tar.gz mnist/1) and name the archive." % path,
                "archive_is_folder",
            )
        return path, archive_sha256(path, checksum)

    def _samples(self, request: Request) -> dict[str, Any]:
        require(("numpy",))
        try:
            checksums = self._task.args.get("warmup_dataset_checksum") or None
            data = dataset.load(request.warmup_dataset, request.warmup, checksums)
        except Error as error:
            if error.code != "dataset_too_small":
                raise
            raise Error(
                "model_warmup is %d, and the dataset %s has %d images: lower it."
                % (request.warmup, public_all(request.warmup_dataset), error.details["have"]), error.code,
            ) from None
        pictures = sorted(data.pictures)
        if "images" not in data.columns and len(pictures) != 1:
            raise Error(
                "No warm-up records can be made of the dataset %s: it has no column images, and %s (its columns: %s). Change"
                " check_dataset, or set model_warmup: 0." % (
                    data.location, "more than one of pictures" if pictures else "none of pictures",
                    ", ".join(sorted(data.columns)),
                ), "warmup_impossible",
            )
        name = "images" if "images" in data.columns else pictures[0]
        images = data.columns[name]
        if images.dtype.kind not in "biuf":
            raise Error(
                "No warm-up records can be made of the dataset %s: its column %s does not hold numbers. Change check_dataset, or"
                " set model_warmup: 0." % (data.location, name), "warmup_impossible",
            )
        return warmup.packed(images / (255 if name in pictures else 1))

    def _with_copy(self, path: str | None, options: Options) -> Answer:
        # In the folder of this task, which goes when the task ends: another one would take its place, and it would stay.
        folder = self._connection._shell.tmpdir or self._make_tmp_path()
        copy = self._connection._shell.join_path(folder, "archive")
        self._transfer_file(path, copy)
        self._fixup_perms2((folder, copy))
        answer: Answer = self.on_node({**options, "archive_copy": copy})
        return answer
