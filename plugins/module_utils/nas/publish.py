# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make one version of a model live in a folder: validated, complete, by a single rename, and never changed after.

What is live, withdrawn and pruned, and where it lies: versions.py. What was taken away is not published again, unless the
request says `reinstate`.
"""

import contextlib
import os
from typing import List

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import nofollow
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.look import Look
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Request
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.staging import is_tidy
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.versions import (
    PROVENANCE,
    WITHDRAWN,
    Model,
    Result,
    described,
    left_alone,
)


def publish(export: str, request: Request, check_mode: bool = False) -> Result:
    """Bring the version that `request` asks for to life below the folder `export`. Returns the module's result.

    In check mode: the same answer where nothing would change. `needs` are what the action plugin has to send along, or
    "tidying", where another run works or has left something behind, so that this one cannot be left out.
    """
    if request.archive is None:
        raise Error("model_archive is not set.", "variable_missing", variable="model_archive")
    before = os.umask(0o022)  # whatever uid the server runs as, it can read what is made here
    try:
        if check_mode:  # as most runs are
            return Look(export, request, request.archive).run()
        from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.bringing import Bringing

        return Bringing(export, request, request.archive).run()
    finally:
        os.umask(before)


def absent(export: str, request: Request, check_mode: bool = False) -> Result:
    """Delete the versions that this collection published, and what it keeps of them. The rest is left, and said."""
    model = Model(export, request)
    plan = _Deletion(model)
    before = described(request.base_path, model.entries())
    if not check_mode and (plan.anything() or not is_tidy(model.staging)):
        with model.locked(request.lock_timeout, "deleting the model") as (trash, dummy):
            _Deletion(model).carry_out(trash)
    stays = plan.stays if check_mode else _Deletion(model).stays
    rest = [entry for entry in model.entries() if str(entry["version"]) in stays]
    return {
        "changed": plan.anything(), "path": request.base_path, "tree": [],
        "versions": [entry["version"] for entry in rest if entry["version"]],
        "left": model.left_alone() + ([left_alone(request.base_path, stays)] if stays else []),
        "diff": {
            "before": request.base_path + "\n" + before if plan.anything() else "",
            "after": request.base_path + "\n" + described(request.base_path, rest) if plan.anything() and stays else "",
        },
    }


class _Deletion:
    """What goes when the model is deleted: what a record names, the record, and the folders that are empty then."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.data = [
            (version, parent, name)
            for parent, names in ((model.base, model.versions()), (model.withdrawn, model.aside()))
            for version, name in names.items() if model.is_ours(version, os.path.join(parent, name))
        ]
        going = {os.path.join(parent, name) for dummy, parent, name in self.data}
        self.records = [
            version for version in model.recorded()
            if model.stored(version) and (model.folder(version) is None or model.folder(version) in going)
        ]
        going |= {model.record_path(version) for version in self.records}
        self.folders: List[str] = []
        self.stays: List[str] = []  # relative to the base path
        for folder in (model.withdrawn, model.provenance, model.base):
            names = [name for name in nofollow.listing(folder) if os.path.join(folder, name) not in going]
            rest = [os.path.relpath(os.path.join(folder, name), model.base) for name in names if not _is_passing(name)]
            if not rest and nofollow.is_folder(folder) and not (folder == model.base and model.is_export):
                self.folders.append(folder)
                going.add(folder)
            self.stays += sorted(name for name in rest if name not in (PROVENANCE, WITHDRAWN))

    def anything(self) -> bool:
        return bool(self.data or self.records or self.folders)

    def carry_out(self, trash: str) -> None:
        model = self.model
        for version, parent, name in self.data:
            model.discard(version, parent, name, trash)
        for version in self.records:
            if model.folder(version) is None:
                model.forget(version, trash)
        for folder in self.folders:
            with contextlib.suppress(OSError):  # where others have put something meanwhile
                nofollow.rmdir(folder)
        model.known.clear()


def _is_passing(name: str) -> bool:
    """Of a run that works here, or of NFS itself."""
    return name.startswith((".staging-", ".nfs"))
