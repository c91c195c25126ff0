# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A namespace that is made where it is missing, and left as it is where somebody else has made it: another model of this run."""
from __future__ import annotations

from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.sync import Item, leaving, sync


def ensure(api_client: Any, name: str, check_mode: bool) -> dict[str, Any]:
    wanted: Object = {"metadata": {"name": name}}

    def decide(there: Object | None) -> tuple[Object, Object]:
        if leaving(there):
            raise Error(
                "The namespace %s is being deleted, with all that is in it: run again when it is gone (kubectl get namespace %s),"
                " or set serving_namespace to another one." % (name, name), "namespace_leaving",
            )
        return wanted if there else {}, wanted

    outcome = sync(Item(api_client, "v1", "Namespace", name), decide, check_mode)
    return {"changed": outcome.changed, "diff": outcome.diff}
