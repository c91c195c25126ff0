# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make one version of a model live in a folder: validated, complete, by a single rename, and never changed after.

What is live, withdrawn and pruned, and where it lies: versions.py. What was taken away is not published again, unless the
request says `reinstate`.
"""

import contextlib
import os
import re

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.look import Look
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Request
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.staging import staging
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.versions import PROVENANCE, WITHDRAWN, Model, Result, described


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
    """Delete every version of the model, and what this collection keeps beside them."""
    model = Model(export, request)
    names = os.listdir(model.base) if os.path.isdir(model.base) else []
    strange = sorted(name for name in names if not _is_ours(name))
    if strange:
        raise Error(
            "%s holds %s, which is not a version of the model. Nothing was deleted: check model_base_path, or delete the folder"
            " by hand." % (request.base_path, ", ".join(strange[:5])), "not_a_model_folder", strange=strange,
        )
    gone = not names and (model.is_export or not os.path.isdir(model.base))
    diff = {"before": "" if gone else request.base_path + "\n" + described(request.base_path, model.entries()), "after": ""}
    result = {"path": request.base_path, "versions": [], "tree": [], "diff": diff}
    if gone and not os.path.isdir(model.staging):
        return dict(result, changed=False)
    if not check_mode:
        with staging(model.staging, request.lock_timeout, "deleting the model") as (trash, dummy):
            for name in model.listing():
                if os.path.join(model.base, name) != model.staging and not name.startswith(".nfs"):
                    os.rename(os.path.join(model.base, name), os.path.join(trash, name))
            if not model.is_export:
                with contextlib.suppress(FileNotFoundError):
                    os.rmdir(model.base)
    return dict(result, changed=not gone)


def _is_ours(name: str) -> bool:
    return name in (PROVENANCE, WITHDRAWN) or bool(re.match(r"\.staging-|\.nfs|0*[1-9][0-9]*\Z", name))
