# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a model wants to be asked: which signature with which inputs, which output is compared, how many tests in a request.

Everything that does not fit is said here, before a request is sent. The code of the Error says what is to be mended: option_invalid
and dataset_invalid are none of the model's, and no version is taken back for them. Of a dataset_mismatch, either may be wrong.
"""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import inputs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.dataset import Dataset
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.inputs import EXAMPLES, FEATURE, FLOATS, Input, Options
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.signatures import OWN, method
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import examples, tensors
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.requests import Request, of_examples, predict
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tensors import STRING, type_name

USUAL_SIGNATURES = ("predict_images", "serving_default")
USUAL_LABELS = ("labels", "label", "y", "y_test", "test_labels")

BATCH_BYTES, BATCH_MOST, REQUESTS_LEAST = 1 << 19, 64, 8  # a batch that is chosen: large enough to be fast, small enough to tell


class Plan(NamedTuple):
    """What a server is sent."""

    model: str
    signature: str
    method: str
    inputs: tuple[Input, ...]
    output: str
    batch: int  # tests in a request of those that are counted
    least: int  # tests in the smallest request that it takes
    classes: int | None  # that its scores tell apart, by their place; None where its signature does not say


def labels_column(options: Options, dataset: Dataset) -> str | None:
    """The name of the column with the expected answers, None where there is none."""
    wanted: str | None = options["labels"]
    if wanted and wanted not in dataset.columns:
        raise Error(
            "check_labels is %r, and the dataset has the columns %s." % (wanted, inputs.known_columns(dataset)),
            "dataset_invalid",
        )
    return wanted or next((name for name in USUAL_LABELS if name in dataset.columns), None)


def _inputs_beside(labels: str | None, dataset: Dataset) -> list[str]:
    """The columns that are not the labels; beside those of a test, as Keras' datasets have them, not what was trained with."""
    others = [column for column in dataset.columns if column != labels]
    if labels is None or "test" not in labels.split("_"):
        return others
    return [column for column in others if "train" not in column.split("_")]


def plan(options: Options, signatures: Mapping[str, Any], dataset: Dataset) -> Plan:
    """The Plan for a dataset and a server's signatures; Error where the two do not fit."""
    name, method = _signature(options, signatures)
    signature = signatures[name]
    labels = labels_column(options, dataset)
    columns = _inputs_beside(labels, dataset)
    fixed_batch: int | None = None
    if method == "predict":
        taken, fixed_batch = inputs.of_tensors(options, name, signature, dataset, columns)
        output = _output(options, name, signature, dataset, labels)
    else:
        taken = inputs.of_examples(options, dataset, columns)
        output = "scores" if method == "classify" else "outputs"
    # A classification that names its classes may list the best few of many.
    classes = None if method == "classify" and "classes" in signature.outputs else _class_count(signature.outputs.get(output))
    tests = dataset.tests
    if fixed_batch and tests % fixed_batch:
        raise Error(
            "the signature %s takes batches of exactly %d tests, which do not add up to check_tests (%d)"
            % (name, fixed_batch, tests),
            "option_invalid",
        )
    batch = fixed_batch or options["batch_size"] or _batch(taken, tests)
    return Plan(options["model_name"], name, method, tuple(taken), output, batch, fixed_batch or 1, classes)


def requests(plan: Plan, dataset: Dataset, batch: int, most: int | None = None) -> list[Request]:
    """The dataset as serialised requests of so many tests each, at most so many requests."""
    rows = None if most is None else most * batch
    if plan.method == "predict":
        arrays = [(item, (item.type, inputs.values(item, dataset, plan.signature, rows))) for item in plan.inputs]
        return predict(
            plan.model, plan.signature, {item.name: array for item, array in arrays if not item.whole}, (plan.output,), batch,
            {item.name: array for item, array in arrays if item.whole})
    if [item.columns for item in plan.inputs] == [(EXAMPLES,)]:
        serialised = [*dataset.columns[EXAMPLES][:rows]]
    else:
        serialised = examples.build({item.name: inputs.values(item, dataset, plan.signature, rows) for item in plan.inputs})
    return of_examples(plan.model, plan.signature, serialised, batch)


def _signature(options: Options, signatures: Mapping[str, Any]) -> tuple[str, str]:
    """(name, method) of the signature asked for, else the usual one, else the only one."""
    usable = sorted(name for name in signatures if not name.startswith(OWN))
    if not usable:
        raise Error("the model has no signature, so nothing can be asked: export it with one", "signature_missing")
    wanted = options["signature"] or next(
        (name for name in USUAL_SIGNATURES if name in usable), usable[0] if len(usable) == 1 else None
    )
    if wanted is None:
        raise Error("the model has the signatures %s: say which with check_signature" % ", ".join(usable), "option_invalid")
    if wanted not in usable:
        raise Error(
            "the model has no signature %r (check_signature), it has: %s" % (wanted, ", ".join(usable)), "option_invalid",
        )
    return wanted, method(signatures[wanted])


def _output(options: Options, signature_name: str, signature: Any, dataset: Dataset, labels: str | None) -> str:
    """The output that is compared: the one asked for, else scores, else the only one."""
    names = sorted(signature.outputs)
    wanted: str = options["output"] or ("scores" if "scores" in names else names[0] if len(names) == 1 else "")
    if not names:
        raise Error("the signature has no outputs: nothing can be compared", "signature_mismatch")
    if wanted not in names:
        raise Error(
            "the signature has the outputs %s: say which with check_output%s"
            % (", ".join(names), " (now %r)" % wanted if wanted else ""), "option_invalid",
        )
    _refuse_incomparable(options, signature.outputs[wanted].dtype, "output %s" % wanted, signature_name, dataset, labels)
    return wanted


def _refuse_incomparable(
    options: Options, kind: int, output: str, signature_name: str, dataset: Dataset, labels: str | None
) -> None:
    """Error where answers of this kind cannot be compared with the labels, or with a tolerance."""
    if not tensors.can_encode(kind) or type_name(kind).startswith("complex"):
        raise Error(
            "%s of signature %s is %s: the check needs numbers or text" % (output, signature_name, type_name(kind)),
            "signature_mismatch",
        )
    text = labels is not None and dataset.as_numbers(labels).dtype.kind == "O"
    if options["tolerance"] is not None and (kind == STRING or text):
        raise Error(
            "check_tolerance is %g, and %s is text: leave it empty to compare classes"
            % (options["tolerance"], output if kind == STRING else "the column %s" % labels), "option_invalid",
        )
    if text and kind != STRING:
        raise Error(
            "%s of signature %s is %s, and the column %s (check_labels) is text (%s): the labels have to be class numbers"
            % (output, signature_name, type_name(kind), labels, _words(dataset, cast(str, labels))), "dataset_mismatch",
        )


def _words(dataset: Dataset, column: str) -> str:
    """A few of a column of text, or the one that keeps it from being numbers."""
    found = sorted({value.decode("utf-8", "replace")[:30] for value in dataset.columns[column].reshape(-1).tolist()})
    return dataset.odd.get(column) or ", ".join(found[:4]) + (", ..." if len(found) > 4 else "")


def _class_count(info: Any) -> int | None:
    """The number of classes that a row of scores tells apart, as answers.classes() reads it; None where that is not known."""
    if info is None or type_name(info.dtype) not in FLOATS or info.tensor_shape.unknown_rank:
        return None
    sizes = [dim.size for dim in info.tensor_shape.dim][1:]
    if sizes == [1] or (not sizes and info.tensor_shape.dim):
        return 2  # a sigmoid: the score of class 1
    return sizes[0] if len(sizes) == 1 and sizes[0] > 0 else None


def _batch(taken: Sequence[Input], tests: int) -> int:
    size = sum(
        math.prod(item.shape) * (4 if item.type == FEATURE else tensors.size_of(item.type)) for item in taken if not item.whole
    )
    return max(1, min(BATCH_MOST, BATCH_BYTES // max(1, size), math.ceil(tests / REQUESTS_LEAST)))
