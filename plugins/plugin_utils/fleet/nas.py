# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each node is asked about the models that it brings to their NAS."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import readable
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet.wanted import Settings

# Options of model_publish that are variables of the model; of the check those that warm-up samples come from.
OF_THE_MODEL = (
    "archive", "checksum", "version", "reinstate", "newest", "warmup", "base_path", "nas_server", "nas_export", "nas_options",
    "mount_timeout", "lock_timeout", "timeout", "saved_model_tags", "server_release", "max_size",
)
OF_THE_CHECK = {"warmup_dataset": "dataset", "warmup_dataset_checksum": "dataset_checksum", "warmup_signature": "signature"}


def request(model: str, settings: Settings) -> dict[str, Any]:
    """The options of model_publish for a model, as role model hands them over, with its name. The archive is left out where not
    everybody may read its URL: the action plugin knows it from the model."""
    options = {
        "name": model, **{name: settings["model"][name] for name in OF_THE_MODEL},
        **{name: settings["check"][field] for name, field in OF_THE_CHECK.items()},
    }
    given = {name: value for name, value in options.items() if value not in (None, "", {}, [])}
    shown, url = readable(given)  # for a loop's items are printed
    if url:
        del shown["archive"]
    return shown


def by_node(wanted: Mapping[str, Settings]) -> list[dict[str, Any]]:
    """[{node, variables, models}]: with what variables the node is reached where the inventory has not got it."""
    nodes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    variables: dict[str, Mapping[str, Any]] = defaultdict(dict)
    for model, settings in wanted.items():
        node = settings["model"]["node"]
        nodes[node].append(request(model, settings))
        variables[node] = variables[node] or settings["model"]["node_variables"]
    return [{"node": node, "variables": variables[node], "models": models} for node, models in sorted(nodes.items())]


def answers(looks: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """What model_publish_plan answered, by model. looks: the results of the loop over by_node()."""
    found: dict[str, Mapping[str, Any]] = {}
    for look in looks:
        models = look.get("models")
        if models is None:  # the node was not reached, or the task did not come to its end
            sentence = "model_node %s does not say what is on the NAS: %s" % (
                look["item"]["node"], str(look.get("msg") or "no reason is known.").strip())
            failure = {"code": "node_unanswered", "message": sentence, "details": {}}
            models = {model["name"]: {"failed": True, "msg": sentence, "failure": failure} for model in look["item"]["models"]}
        found.update(models)
    return found
