# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Signatures: what each method is, what the check cannot send, and those of a model before a server has it, out of what
model_publish returns and in the form in which servers tell them.
"""
from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tensors import STRING, can_encode, type_name, type_number

OF_EXAMPLES = {"tensorflow/serving/classify": "classify", "tensorflow/serving/regress": "regress"}
OWN = "__saved_model_"  # what TensorFlow calls its own, which nobody can ask
ENCODINGS = {"sparse": "coo_sparse", "composite": "composite_tensor"}  # of what is no single dense tensor
NO_DENSE_TENSOR = {"sparse": "a sparse tensor", "composite": "a composite tensor, as ragged ones are"}

_TENSOR = re.compile(r"(?:(sparse|composite) )?(\w+)\[(\?|(?:-?\d+(?:,-?\d+)*)?)\]")  # as a SavedModel's node describes it


class Tensor(NamedTuple):
    """What a signature says of an input or output."""

    encoding: str | None  # None for a dense tensor
    type: int  # DataType number
    sizes: list[int] | None  # -1 is any; None for a tensor of any rank


def method(signature: Any) -> str:
    """Servers take whatever names no other for predict, and only that can send what is no tf.Example."""
    return _method(signature.method_name, [info.dtype for info in signature.inputs.values()])


def _method(name: str, types: Iterable[int]) -> str:
    return OF_EXAMPLES.get(name, "predict") if all(number == STRING for number in types) else "predict"


def tensor(info: Any) -> Tensor:
    """What a TensorInfo says. Hand-built exports say nothing of a shape, and servers then take any."""
    encoding = next((name for name, field in ENCODINGS.items() if info.HasField(field)), None)
    shape = info.tensor_shape
    known = info.HasField("tensor_shape") and not shape.unknown_rank
    return Tensor(encoding, info.dtype, [dim.size for dim in shape.dim] if known else None)


def unsendable(name: str, inputs: Mapping[str, Tensor]) -> str:
    """Why the check cannot ask a signature, as a sentence; "" where it can. inputs: those of a predict signature."""
    why = "it has no inputs" if not inputs else ""
    if inputs and all(one.sizes == [] for one in inputs.values()):
        why = "none of its inputs has a dimension for tests (%s): export it with one, [None, ...]" % ", ".join(
            "%s: %s []" % (key, type_name(one.type)) for key, one in sorted(inputs.items()))
    for key, one in sorted(inputs.items()):
        if one.encoding or not can_encode(one.type):
            why = "its input %s is %s, and the check sends dense tensors of numbers, text or booleans" % (
                key, NO_DENSE_TENSOR[one.encoding] if one.encoding else "of type " + type_name(one.type))
    return why and "signature %s cannot be checked: %s" % (name, why)


def cannot_be_checked(described: Mapping[str, Any]) -> list[str]:
    """A sentence for each signature, as model_publish returns them, that the check could not ask."""
    found = []
    with _as_returned():
        for name, signature in described.items():
            inputs = {key: _read(text) for key, text in signature["inputs"].items()}
            if _method(signature["method"], [one.type for one in inputs.values()]) == "predict":
                found.append(unsendable(name, inputs))
    return [sentence for sentence in found if sentence]


def of_saved_model(described: Mapping[str, Any]) -> Mapping[str, Any]:
    """{name: SignatureDef} of {name: {method, inputs, outputs}}, whose tensors are texts such as float32[-1,784]."""
    made = messages().SignatureDefMap()
    with _as_returned():
        for name, signature in described.items():
            target = made.signature_def[name]
            target.method_name = signature["method"]
            for part in ("inputs", "outputs"):
                for key, text in signature[part].items():
                    _describe(getattr(target, part)[key], text)
            for key in signature.get("optional", ()):
                # Which value it has is not known here. Any of the right type and shape shows as well that nothing is missing.
                info, default = target.inputs[key], target.defaults[key]
                default.dtype = info.dtype
                default.tensor_shape.CopyFrom(info.tensor_shape)
    found: Mapping[str, Any] = made.signature_def
    return found


@contextlib.contextmanager
def _as_returned() -> Iterator[None]:
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Error(
            "signatures are not as model_publish returns them: {NAME: {method: ..., inputs: {NAME: float32[-1,784]}, outputs:"
            " {NAME: float32[-1,10]}}} (%r)" % error, "option_invalid",
        ) from error


def _read(text: str) -> Tensor:
    match = _TENSOR.fullmatch(text)
    if not match:
        raise ValueError(text)
    sizes = None if match[3] == "?" else [int(size) for size in re.findall(r"-?\d+", match[3])]
    return Tensor(match[1], type_number(match[2]), sizes)


def _describe(info: Any, text: str) -> None:
    """Fill a TensorInfo."""
    encoding, info.dtype, sizes = _read(text)
    if encoding:
        getattr(info, ENCODINGS[encoding]).SetInParent()
    info.tensor_shape.unknown_rank = sizes is None
    for size in sizes or ():
        info.tensor_shape.dim.add(size=size)
    info.tensor_shape.SetInParent()
