# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a model wants to be asked: which signature, which column for which input, in which type and shape.

Everything that does not fit is said here, before a request is sent. The code of the Error says what is to be mended: option_invalid
and dataset_invalid are none of the model's, and no version is taken back for them.
"""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.dataset import Dataset
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import examples, tensors
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import Array
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.requests import Request, of_examples, predict
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tensors import STRING, type_name

try:
    import numpy
except ImportError:
    pass  # the task has said so: it is one of its NEEDS

METHODS = {
    "tensorflow/serving/predict": "predict",
    "tensorflow/serving/classify": "classify",
    "tensorflow/serving/regress": "regress",
}
USUAL_SIGNATURES = ("predict_images", "serving_default")
USUAL_LABELS = ("labels", "label", "y")
EXAMPLES = "examples"  # the column of a TFRecord that holds its tf.Examples as they are
FLOATS = ("float16", "bfloat16", "float32", "float64")

BATCH_BYTES, BATCH_MOST, REQUESTS_LEAST = 1 << 19, 64, 8  # a batch that is chosen: large enough to be fast, small enough to tell

FEATURE = 0  # no type of a tensor
Options = dict[str, Any]
Sizes = list[int] | None  # of a tensor as a signature has it: -1 is any, None stands for any rank


class Input(NamedTuple):
    """What one input is made of."""

    name: str
    columns: tuple[str, ...]  # several are stacked to a vector
    type: int  # DataType number; FEATURE for one of a tf.Example, which is sent as the kind of its values wants it
    shape: tuple[int, ...]  # of one test
    divisor: float


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
            "check_labels is %r, and the dataset has the columns %s." % (wanted, _known(dataset)),
            "dataset_invalid",
        )
    return wanted or next((name for name in USUAL_LABELS if name in dataset.columns), None)


def _known(dataset: Dataset) -> str:
    """The columns, and what of a TFRecord could not become one."""
    left_out = "; no column is made of %s" % ", ".join("%s: %s" % item for item in sorted(dataset.left_out.items()))
    return ", ".join(sorted(dataset.columns)) + (left_out if dataset.left_out else "")


def plan(options: Options, signatures: Mapping[str, Any], dataset: Dataset) -> Plan:
    """The Plan for a dataset and a server's signatures; Error where the two do not fit."""
    name, method = _signature(options, signatures)
    signature = signatures[name]
    labels = labels_column(options, dataset)
    columns = [column for column in dataset.columns if column != labels]
    fixed_batch: int | None = None
    if method == "predict":
        inputs, fixed_batch = _tensor_inputs(options, name, signature, dataset, columns)
        output = _output(options, name, signature, dataset, labels)
    else:
        inputs = _features(options, dataset, columns)
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
    batch = fixed_batch or options["batch_size"] or _batch(inputs, tests)
    return Plan(options["model_name"], name, method, tuple(inputs), output, batch, fixed_batch or 1, classes)


def requests(plan: Plan, dataset: Dataset, batch: int, most: int | None = None) -> list[Request]:
    """The dataset as serialised requests of so many tests each, at most so many requests."""
    rows = None if most is None else most * batch
    if plan.method == "predict":
        arrays = {item.name: (item.type, values(item, dataset, plan.signature, rows)) for item in plan.inputs}
        return predict(plan.model, plan.signature, arrays, (plan.output,), batch)
    if [item.columns for item in plan.inputs] == [(EXAMPLES,)]:
        serialised = [*dataset.columns[EXAMPLES][:rows]]
    else:
        serialised = examples.build({item.name: values(item, dataset, plan.signature, rows) for item in plan.inputs})
    return of_examples(plan.model, plan.signature, serialised, batch)


def values(item: Input, dataset: Dataset, signature: str, rows: int | None = None) -> Array:
    """What one input gets: a row for each test, in the type and shape that the model wants."""
    parts = [dataset.columns[name][:rows] for name in item.columns]
    array = parts[0] if len(parts) == 1 else numpy.stack(parts, axis=1)
    if item.divisor != 1:
        array = array.astype("f8" if type_name(item.type) == "float64" else "f4")
        array /= array.dtype.type(item.divisor)
    if item.type == FEATURE:
        return array
    cast = _cast(array, item.type)
    if cast is None:
        raise _mismatch(
            item.name, signature, array, type_name(item.type), [-1, *item.shape],
            "not every value can be one: %s" % _first_odd(array, item.type),
        )
    return cast.reshape((len(cast),) + item.shape)


def _signature(options: Options, signatures: Mapping[str, Any]) -> tuple[str, str]:
    """(name, method) of the signature asked for, else the usual one, else the only one."""
    usable = sorted(name for name in signatures if signatures[name].method_name in METHODS)
    wanted = options["signature"] or next(
        (name for name in USUAL_SIGNATURES if name in usable), usable[0] if len(usable) == 1 else None
    )
    if not usable:
        raise Error("the model has no signature that can be asked (predict, classify or regress)", "signature_missing")
    if wanted is None:
        raise Error("the model has the signatures %s: say which with check_signature" % ", ".join(usable), "option_invalid")
    if wanted not in usable:
        raise Error(
            "the model has no signature %r (check_signature), it has: %s" % (wanted, ", ".join(usable)), "option_invalid",
        )
    return wanted, METHODS[signatures[wanted].method_name]


def _tensor_inputs(
    options: Options, signature_name: str, signature: Any, dataset: Dataset, columns: Sequence[str]
) -> tuple[list[Input], int | None]:
    """([Input], the batch size if it is fixed) of a predict signature."""
    inputs: list[Input] = []
    batches: dict[str, int] = {}
    for name, taken in _mapped(options, signature, dataset, columns).items():
        info = signature.inputs[name]
        sizes = None if info.tensor_shape.unknown_rank else [dim.size for dim in info.tensor_shape.dim]
        inputs.append(_fitted(options, signature_name, name, info.dtype, sizes, taken, dataset))
        if sizes and sizes[0] > 0:
            batches[name] = sizes[0]
    if options["divisor"] and not any(type_name(item.type) in FLOATS for item in inputs):
        raise Error(
            "check_divisor is %g, and no input of signature %s is a floating-point number: leave it empty"
            % (options["divisor"], signature_name), "option_invalid",
        )
    if len(set(batches.values())) > 1:
        raise Error(
            "the inputs of signature %s want batches of different sizes: %s"
            % (signature_name, ", ".join("%s %d" % item for item in sorted(batches.items()))),
            "signature_mismatch",
        )
    return inputs, next(iter(batches.values()), None)


def _mapped(options: Options, signature: Any, dataset: Dataset, columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """{input: (columns,)}"""
    wanted = {name: _several(taken) for name, taken in (options["inputs"] or {}).items()}
    names = sorted(signature.inputs)
    strange = sorted(set(wanted) - set(names))
    if not names:
        raise Error("the signature has no inputs: nothing can be asked", "signature_mismatch")
    if strange:
        raise Error(
            "check_inputs names %s, and the signature has the inputs %s" % (", ".join(strange), ", ".join(names)), "option_invalid",
        )
    wanted = {**{name: (name,) for name in names if name in columns}, **wanted}
    missing = [name for name in names if name not in wanted]
    if missing and len(names) == 1:
        return {names[0]: _all_of(signature.inputs[names[0]], dataset, columns)}
    if missing:
        raise Error(
            "the signature has the inputs %s, the dataset the columns %s: say with check_inputs which column %s takes"
            % (", ".join(names), ", ".join(columns) or "(none)", ", ".join(missing)),
            "option_invalid",
        )
    _look_for(wanted, dataset)
    return {name: wanted[name] for name in names}


def _all_of(info: Any, dataset: Dataset, columns: Sequence[str]) -> tuple[str, ...]:
    """What the only input takes: the only column; a TFRecord's examples as they are; the numbers of a table, stacked."""
    if info.dtype == STRING and EXAMPLES in columns:
        return (EXAMPLES,)
    usable = [name for name in columns if name != EXAMPLES]
    if len(usable) > 1 and any(dataset.columns[name].ndim != 1 or dataset.columns[name].dtype.kind == "O" for name in usable):
        raise Error(
            "the dataset has the columns %s: say with check_inputs which one the model's input takes" % ", ".join(usable),
            "option_invalid",
        )
    if not usable:
        raise Error("the dataset has no column but the labels: there is nothing to send", "dataset_invalid")
    return tuple(usable)


def _features(options: Options, dataset: Dataset, columns: Sequence[str]) -> list[Input]:
    """The features of the tf.Examples for a classify or regress signature, of which its metadata say nothing."""
    wanted = {name: _several(taken) for name, taken in (options["inputs"] or {}).items()}
    if not wanted:
        wanted = {EXAMPLES: (EXAMPLES,)} if EXAMPLES in columns else {name: (name,) for name in columns}
    _look_for(wanted, dataset)
    return [
        Input(name, taken, FEATURE, dataset.columns[taken[0]].shape[1:], _divisor(options, dataset, taken))
        for name, taken in sorted(wanted.items())
    ]


def _several(taken: Any) -> tuple[str, ...]:
    return tuple(taken) if isinstance(taken, (list, tuple)) else (taken,)


def _look_for(wanted: Mapping[str, Sequence[str]], dataset: Dataset) -> None:
    """Error where the dataset lacks a column that is wanted."""
    for name, taken in wanted.items():
        for column in taken:
            if column not in dataset.columns:
                raise Error(
                    "check_inputs gives the input %s the column %r, and the dataset has the columns %s"
                    % (name, column, _known(dataset)),
                    "option_invalid",
                )


def _divisor(options: Options, dataset: Dataset, taken: Sequence[str]) -> float:
    """255 for the pictures of an IDX file, as in the tutorial's client."""
    if dataset.columns[taken[0]].dtype.kind == "O":
        return 1
    return options["divisor"] or (255 if set(taken) <= dataset.pictures else 1)


def _fitted(
    options: Options, signature_name: str, name: str, number: int, sizes: Sizes, taken: tuple[str, ...], dataset: Dataset
) -> Input:
    """The Input for these columns, which are cast and reshaped, but never padded, cut or turned."""
    have = dataset.columns[taken[0]]
    if len(taken) > 1:
        shapes = {dataset.columns[column].shape for column in taken}
        if len(shapes) > 1 or have.ndim != 1:
            raise Error(
                "check_inputs stacks the columns %s, which are not all one number a test" % ", ".join(taken), "option_invalid"
            )
        have = numpy.broadcast_to(have[:, None], (len(have), len(taken)))
    wants = "%s %s" % (type_name(number), "of any shape" if sizes is None else sizes)
    if not tensors.can_encode(number):
        raise _mismatch(name, signature_name, have, type_name(number), sizes, code="signature_mismatch")
    if (number == STRING) != (have.dtype.kind == "O"):
        raise _mismatch(name, signature_name, have, type_name(number), sizes)
    if sizes is not None and not sizes:
        raise Error(
            "input %s of signature %s wants %s, one value for a whole request; the dataset has one for each test"
            % (name, signature_name, wants), "signature_mismatch",
        )
    shape = _reshaped(have.shape[1:], sizes, bool(set(taken) <= dataset.pictures))
    if shape is None:
        raise _mismatch(name, signature_name, have, type_name(number), sizes)
    # Whole numbers are sent as they are.
    divisor = _divisor(options, dataset, taken) if type_name(number) in FLOATS else 1
    return Input(name, taken, number, shape, divisor)


def _reshaped(have: tuple[int, ...], wanted: Sizes, picture: bool) -> tuple[int, ...] | None:
    """The shape of one test as the model wants it, None where only padding, cutting or turning would do."""
    if wanted is None:
        return (math.prod(have),) if picture else have  # a rank that is not known, as in the tutorial's model: a vector
    wanted = wanted[1:]
    core = tuple(size for size in have if size != 1)
    shapes = [have, (math.prod(have),), have + (1,), (1,) + have, core]
    if len(core) <= 1 and all(size > 0 for size in wanted) and math.prod(wanted) == math.prod(have):
        shapes.append(tuple(wanted))  # a flat row
    for shape in shapes:
        if len(shape) == len(wanted) and all(want in (-1, size) for want, size in zip(wanted, shape)):
            return shape
    return None


def _cast(array: Array, number: int) -> Array | None:
    """The array in this type; None where a value would change. Only between floating types is rounding allowed: files
    hold 64 bits and models take 32, and every client rounds."""
    if array.dtype == tensors.DATA_TYPES[number].numpy_type and number not in tensors.BY_TABLE:
        return array  # no copy of what may be gigabytes
    if array.dtype.kind == "f" and type_name(number) in FLOATS:
        rounded = tensors.rounded(array, number)
        return rounded if numpy.array_equal(numpy.isfinite(rounded), numpy.isfinite(array)) else None
    return tensors.exact(array, number)


def _first_odd(array: Array, number: int) -> str:
    flat = array.reshape(-1)
    parts = (flat[start:start + 1024] for start in range(0, len(flat), 1024))
    part = next(part for part in parts if _cast(part, number) is None)
    return next("%s" % value for value in part if _cast(numpy.asarray([value]), number) is None)


def _mismatch(
    name: str, signature_name: str, have: Array, kind: str, sizes: Sizes, why: str | None = None, code: str = "dataset_invalid",
) -> Error:
    return Error(
        "input %s of signature %s: the dataset has %s %s, the model wants %s %s%s" % (
            name, signature_name, "string" if have.dtype.kind == "O" else have.dtype.name, list(have.shape),
            kind, "of any shape" if sizes is None else sizes, "; " + why if why else "",
        ),
        code,
    )


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
    text = labels is not None and dataset.columns[labels].dtype.kind == "O"
    if options["tolerance"] is not None and (kind == STRING or text):
        raise Error(
            "check_tolerance is %g, and %s is text: leave it empty to compare classes"
            % (options["tolerance"], output if kind == STRING else "the column %s" % labels), "option_invalid",
        )
    if text and kind != STRING:
        raise Error(
            "%s of signature %s is %s, and the column %s (check_labels) is text: the labels have to be class numbers"
            % (output, signature_name, type_name(kind), labels), "dataset_invalid",
        )


def _class_count(info: Any) -> int | None:
    """The number of classes that a row of scores tells apart, as answers.classes() reads it; None where that is not known."""
    if info is None or type_name(info.dtype) not in FLOATS or info.tensor_shape.unknown_rank:
        return None
    sizes = [dim.size for dim in info.tensor_shape.dim][1:]
    if sizes == [1] or (not sizes and info.tensor_shape.dim):
        return 2  # a sigmoid: the score of class 1
    return sizes[0] if len(sizes) == 1 and sizes[0] > 0 else None


def _batch(inputs: Sequence[Input], tests: int) -> int:
    size = sum(math.prod(item.shape) * (4 if item.type == FEATURE else tensors.size_of(item.type)) for item in inputs)
    return max(1, min(BATCH_MOST, BATCH_BYTES // max(1, size), math.ceil(tests / REQUESTS_LEAST)))
