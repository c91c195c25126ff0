# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A model's signatures before a server has it: out of what model_publish returns, in the form in which servers tell them."""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tensors import type_number


def of_saved_model(described: Mapping[str, Any]) -> Mapping[str, Any]:
    """{name: SignatureDef} of {name: {method, inputs, outputs}}, whose tensors are texts such as float32[-1,784]."""
    made = messages().SignatureDefMap()
    try:
        for name, signature in described.items():
            target = made.signature_def[name]
            target.method_name = signature["method"]
            for part in ("inputs", "outputs"):
                for key, text in signature[part].items():
                    _describe(getattr(target, part)[key], text)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Error(
            "signatures are not as model_publish returns them: {NAME: {method: ..., inputs: {NAME: float32[-1,784]}, outputs:"
            " {NAME: float32[-1,10]}}} (%r)" % error, "option_invalid",
        ) from error
    found: Mapping[str, Any] = made.signature_def
    return found


def _describe(info: Any, text: str) -> None:
    """Fill a TensorInfo."""
    match = re.fullmatch(r"(\w+)\[(\?|(?:-?\d+(?:,-?\d+)*)?)\]", text)
    if not match:
        raise ValueError(text)
    info.dtype = type_number(match.group(1))
    if match.group(2) == "?":
        info.tensor_shape.unknown_rank = True
    for size in re.findall(r"-?\d+", match.group(2)):
        info.tensor_shape.dim.add(size=int(size))
