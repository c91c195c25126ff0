# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the models of one play must not have in common, though it is right for each of them alone. Pure."""
from __future__ import annotations

import posixpath
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.urls import public

SHOWN = 5  # models in a message

# What makes a thing of these names the model's own: the other variables that it is looked for by.
CLUSTER = ("serving_kubeconfig", "serving_context")
WITH = {
    "serving_release": ("serving_namespace", *CLUSTER), "volume_name": CLUSTER, "model_base_path": ("model_nas_server",),
    **{section + "_release": (section + "_namespace", *CLUSTER) for section in ("volume", "scaling", "check")},
}


def in_common(
    settled: Mapping[str, Mapping[str, Any]], alike: Callable[..., list[str]], launched: Container[str], records: bool,
    together: bool,
) -> dict[str, str]:
    """What is wrong, by variable.

    settled: the sections of this model. alike(*variables): the play's models for which they are all the same, this one among them.
    launched: the variables that were given at launch, which are every host's. records: whether the playbook writes check_golden.
    together: whether it makes things that are one model's own.
    """
    found: dict[str, str] = {}
    for variable in _of_one_model(settled, launched, records, together):
        # A volume has its release's name: said once.
        if variable != "volume_name" or "serving_release" not in found:
            models = alike(variable, *WITH.get(variable, ()))
            if len(models) > 1:
                found[variable] = _said(variable, settled, models)
    return found


def _of_one_model(
    settled: Mapping[str, Mapping[str, Any]], launched: Container[str], records: bool, together: bool,
) -> Iterator[str]:
    """The variables that this run takes for one model's own."""
    model, check = settled.get("model", {}), settled.get("check", {})
    if together:
        own = {"serving": "serving_release", "volume": "volume_name", "model": "model_base_path"}
        yield from (variable for section, variable in own.items() if section in settled)
        yield from (section + "_release" for section in ("volume", "scaling", "check") if _of_another_release(settled, section))
    if check.get("report") and not check["report"].endswith("/"):
        yield "check_report"
    if check.get("golden") and (records or check.get("record")):
        yield "check_golden"
    if together and model.get("archive") and "model_archive" in launched:
        yield "model_archive"


def _of_another_release(settled: Mapping[str, Mapping[str, Any]], section: str) -> bool:
    """Than the model's own, of which is said enough."""
    names = [[settled.get(one, {}).get(field) for field in ("release", "namespace")] for one in (section, "serving")]
    return None not in names[0] + names[1] and names[0] != names[1]


def _said(variable: str, settled: Mapping[str, Mapping[str, Any]], models: list[str]) -> str:
    section, _underscore, field = variable.partition("_")
    value = public(settled[section][field])
    way_out = {
        "serving_release": "in namespace %s they would be one release, and each would put its model in the other's place. Give each"
        " a model_name, serving_release or serving_namespace of its own." % settled.get("serving", {}).get("namespace"),
        "volume_name": "a PersistentVolume has no namespace, and each would take the other's. Give each a volume_name of its own.",
        "model_base_path": "the versions of each would lie among the other's. Give each a model_base_path of its own.",
        "volume_release": "the volume of each would be for the same claim. Leave it out, and it is serving_release.",
        "scaling_release": "each would scale the same Deployment. Leave it out, and it is serving_release.",
        "check_release": "the results of each would be kept in the same ConfigMap. Leave it out, and it is serving_release.",
        "check_report": "each would write over the other. Use a folder, whose name ends in /, and each gets a page of its own in"
        " it.",
        "check_golden": "each would write over the other. Give each a file of its own, such as check_golden: %s"
        % posixpath.join(posixpath.dirname(value), "{{ inventory_hostname }}.npz"),
        "model_archive": "it was given at launch, and each would get it. Say which one it is for, such as --limit %s" % models[0],
    }[variable]
    more = " and %d more" % (len(models) - SHOWN) if len(models) > SHOWN else ""
    return "%s is %s for %s%s: %s" % (variable, value, ", ".join(models[:SHOWN]), more, way_out)
