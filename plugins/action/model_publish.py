# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller's side of model_publish: what only the controller has goes to the node, but only if the node lacks it.

That is an archive on the controller, and samples of the dataset for warm-up records.
"""
from __future__ import annotations

import hashlib
import os

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.mlops.tf_serving.plugins.module_utils import _dataset, _warmup
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._model_request import Request, checksum_mismatch

MODULE = "mlops.tf_serving.model_publish"


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        options = dict(self._task.args)
        try:
            request = Request({**options, "archive_copy": None, "warmup_samples": None})
            path = None
            if request.archive is not None and request.kind == "controller" and options.get("state") != "absent":
                path, digest = self._archive(request)
                options.update(archive=path, checksum="sha256:" + digest)
            result = self._module(options, task_vars)
            needs = result.get("needs") or []
            if "warmup" in needs:
                options["warmup_samples"] = self._samples(request)
            if "archive" in needs:
                result = self._with_copy(path, options, task_vars)
            elif needs:
                result = self._module(options, task_vars)
        except Error as error:
            return {"failed": True, "msg": error.message, "failure": error.as_dict()}
        return result

    def _module(self, options, task_vars):
        return self._execute_module(module_name=MODULE, module_args=options, task_vars=task_vars)

    def _archive(self, request):
        """(path on the controller, sha256)"""
        try:
            path = self._find_needle("files", os.path.expanduser(request.archive))
        except AnsibleError:
            raise Error(
                "model_archive %r is not on the controller. Use an absolute path or one relative to the playbook, a URL, or"
                " file:///PATH for a file on model_node." % request.archive, "archive_not_found",
            ) from None
        if os.path.isdir(path):
            raise Error(
                "model_archive %s is a folder. Pack it (tar -czf mnist.tar.gz mnist/1) and name the archive." % path,
                "archive_is_folder",
            )
        digest = hashlib.sha256()
        try:
            with open(path, "rb") as file:
                for chunk in iter(lambda: file.read(1 << 20), b""):
                    digest.update(chunk)
        except OSError as error:
            raise Error(
                "model_archive %s cannot be read on the controller: %s." % (path, error.strerror), "archive_unreadable"
            ) from error
        if request.checksum not in (None, digest.hexdigest()):
            raise checksum_mismatch(path, request.checksum, digest.hexdigest())
        return path, digest.hexdigest()

    def _samples(self, request):
        if _dataset.IMPORT_ERROR:
            raise Error("model_warmup needs numpy in the controller's Python (pip install numpy).", "library_missing")
        try:
            dataset = _dataset.load(request.warmup_dataset, request.warmup, self._task.args.get("warmup_dataset_checksum") or None)
        except Error as error:
            if error.code != "dataset_too_small":
                raise
            raise Error(
                "model_warmup is %d, and the dataset %s has %d images: lower it."
                % (request.warmup, request.warmup_dataset, error.details["have"]), error.code,
            ) from None
        pictures = sorted(dataset.pictures)
        if "images" not in dataset.columns and len(pictures) != 1:
            raise Error(
                "No warm-up records can be made of the dataset %s: it has no column images, and %s (its columns: %s). Change"
                " check_dataset, or set model_warmup: 0." % (
                    dataset.location, "more than one of pictures" if pictures else "none of pictures",
                    ", ".join(sorted(dataset.columns)),
                ), "warmup_impossible",
            )
        name = "images" if "images" in dataset.columns else pictures[0]
        images = dataset.columns[name]
        if images.dtype.kind not in "biuf":
            raise Error(
                "No warm-up records can be made of the dataset %s: its column %s does not hold numbers. Change check_dataset, or"
                " set model_warmup: 0." % (dataset.location, name), "warmup_impossible",
            )
        return _warmup.packed(images.astype("float32") / (255 if name in pictures else 1))

    def _with_copy(self, path, options, task_vars):
        folder = self._make_tmp_path()
        try:
            copy = self._connection._shell.join_path(folder, "archive")
            self._transfer_file(path, copy)
            self._fixup_perms2((folder, copy))
            return self._module({**options, "archive_copy": copy}, task_vars)
        finally:
            self._remove_tmp_path(folder)
