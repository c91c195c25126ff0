# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which cluster a model is on, where one inventory has models of several: its variables say what the environment says for all."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error

VARIABLES = {"kubeconfig": "serving_kubeconfig", "context": "serving_context"}  # by the API's options
# They would hide what a kubeconfig says, without a word.
HIDING = ("K8S_AUTH_HOST", "K8S_AUTH_API_KEY")


def options(given: Mapping[str, Any], value: Callable[[str], Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """What to add to the options of the API that a task gives. value(): of a variable."""
    if given.get("host"):
        return {}
    said = {option: value(variable) for option, variable in VARIABLES.items() if not given.get(option)}
    said = {option: text for option, text in said.items() if text}
    hiding = [name for name in HIDING if environment.get(name)]
    if said and hiding:
        option, text = next(iter(said.items()))
        raise Error(
            "%s is %s, but %s in the environment leads every model to one cluster: take that out (in AWX the credential of the job"
            " template; a kubeconfig for all clusters can come by K8S_AUTH_KUBECONFIG), or leave the variable empty."
            % (VARIABLES[option], text, " and ".join(hiding)), "cluster_ambiguous", variable=VARIABLES[option])
    return said
