# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each input of a signature takes: which column or which value, in which type and shape.

Columns are cast and reshaped where that keeps what they say, and never padded, cut or turned.
"""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.dataset import Dataset
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.signatures import tensor, unsendable
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import tensors
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import Array, strings
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tensors import BOOL, STRING, type_name

try:
    import numpy
except ImportError:
    pass  # the task has said so: it is one of its NEEDS

EXAMPLES = "examples"  # the column of a TFRecord that holds its tf.Examples as they are
FLOATS = ("float16", "bfloat16", "float32", "float64")

FEATURE = 0  # no type of a tensor
Options = dict[str, Any]
Sizes = list[int] | None  # of a tensor as a signature has it: -1 is any, None stands for any rank
Taken: TypeAlias = "tuple[str, ...] | Array"  # what an input takes: columns, which are stacked, or a value that is given


class Input(NamedTuple):
    """What one input is made of."""

    name: str
    columns: tuple[str, ...]  # several are stacked to a vector; none where a value is given
    type: int  # DataType number; FEATURE for one of a tf.Example, which is sent as the kind of its values wants it
    shape: tuple[int, ...]  # of one test, or of a value for a whole request
    divisor: float
    given: tuple[Any, ...] = ()  # the elements of a value that is no test's own
    whole: bool = False  # it is sent once in each request, and not once for each test


def of_tensors(
    options: Options, signature_name: str, signature: Any, dataset: Dataset, columns: Sequence[str]
) -> tuple[list[Input], int | None]:
    """([Input], the batch size if it is fixed) of a predict signature."""
    inputs: list[Input] = []
    batches: dict[str, int] = {}
    why = unsendable(signature_name, {name: tensor(info) for name, info in signature.inputs.items()})
    if why:
        raise Error(why, "signature_mismatch")
    for name, taken in _mapped(options, signature_name, signature, dataset, columns).items():
        info = signature.inputs[name]
        sizes = tensor(info).sizes
        if isinstance(taken, tuple):
            inputs.append(_fitted(options, signature_name, name, info.dtype, sizes, taken, dataset))
        else:
            inputs.append(_given(signature_name, name, info.dtype, sizes, taken))
        if sizes and sizes[0] > 0 and not inputs[-1].whole:
            batches[name] = sizes[0]
    if options["divisor"] and not any(type_name(item.type) in FLOATS for item in inputs if item.columns):
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


def of_examples(options: Options, dataset: Dataset, columns: Sequence[str]) -> list[Input]:
    """The features of the tf.Examples for a classify or regress signature, of which its metadata say nothing."""
    wanted = {name: _taken(name, taken) for name, taken in (options["inputs"] or {}).items()}
    if not wanted:
        wanted = {EXAMPLES: (EXAMPLES,)} if EXAMPLES in columns else {name: (name,) for name in columns}
    _look_for(wanted, dataset)
    return [
        Input(name, taken, FEATURE, dataset.columns[taken[0]].shape[1:], _divisor(options, dataset, taken))
        if isinstance(taken, tuple) else Input(name, (), FEATURE, taken.shape, 1, tuple(taken.ravel().tolist()))
        for name, taken in sorted(wanted.items())
    ]


def values(item: Input, dataset: Dataset, signature: str, rows: int | None = None) -> Array:
    """What one input gets: a row for each test, or one value for a whole request, in the type and shape that the model wants."""
    if not item.columns:
        given = _array(item.given).reshape(item.shape)
        tests = dataset.tests if rows is None else min(rows, dataset.tests)
        value = given if item.whole else numpy.broadcast_to(given, (tests, *item.shape))
        return value if item.type == FEATURE else _of_type(value, item, signature)
    parts = [_column(dataset, name, item.type)[:rows] for name in item.columns]
    array = parts[0] if len(parts) == 1 else numpy.stack(parts, axis=1)
    if item.divisor != 1:
        array = array.astype("f8" if type_name(item.type) == "float64" else "f4")
        array /= array.dtype.type(item.divisor)
    return array if item.type == FEATURE else _of_type(array, item, signature).reshape((len(array),) + item.shape)


def _column(dataset: Dataset, name: str, number: int) -> Array:
    """A column as a model that wants this type takes it: codes are text for one that wants text, and numbers for others."""
    if number == FEATURE:
        return dataset.columns[name]
    array = dataset.as_text(name) if number == STRING else dataset.as_numbers(name)
    if number != STRING and array.dtype.kind == "O" and name in dataset.odd:
        raise Error(
            "the model wants numbers, and the column %s holds something else: %s. Mend that line, or send another column"
            " (check_inputs)" % (name, dataset.odd[name]), "dataset_mismatch",
        )
    return array


def known_columns(dataset: Dataset) -> str:
    """The columns, and what of a TFRecord could not become one."""
    left_out = "; no column is made of %s" % ", ".join("%s: %s" % item for item in sorted(dataset.left_out.items()))
    return ", ".join(sorted(dataset.columns)) + (left_out if dataset.left_out else "")


def _of_type(array: Array, item: Input, signature: str) -> Array:
    cast = _cast(array, item.type)
    if cast is None:
        raise _mismatch(
            item.name, signature, array, type_name(item.type), [-1, *item.shape],
            "not every value can be one: %s" % _first_odd(array, item.type),
        )
    return cast


def _mapped(
    options: Options, signature_name: str, signature: Any, dataset: Dataset, columns: Sequence[str]
) -> dict[str, Taken]:
    """What each input takes."""
    wanted = {name: _taken(name, taken) for name, taken in (options["inputs"] or {}).items()}
    names = sorted(signature.inputs)
    strange = sorted(set(wanted) - set(names))
    if strange:
        raise Error(
            "check_inputs names %s, and the signature has the inputs %s" % (", ".join(strange), ", ".join(names)), "option_invalid",
        )
    wanted = {**{name: (name,) for name in names if name in columns and tensor(signature.inputs[name]).sizes != []}, **wanted}
    # What the model itself says where nothing is sent. It is sent all the same, for servers before 2.12 want every input.
    defaults = {name: value for name, value in signature.defaults.items() if name in names and name not in wanted}
    wanted.update({name: _default(name, value) for name, value in defaults.items()})
    missing = [name for name in names if name not in wanted]
    for_a_request = {name: signature.inputs[name].dtype for name in missing if tensor(signature.inputs[name]).sizes == []}
    if for_a_request:
        raise Error(
            "signature %s wants one value for a whole request of %s: give it with check_inputs, such as {%s}"
            % (signature_name, ", ".join("%s (%s)" % (name, type_name(kind)) for name, kind in for_a_request.items()),
               ", ".join("%s: %s" % (name, _example(kind)) for name, kind in for_a_request.items())),
            "option_invalid",
        )
    if len(missing) == 1 and not any(isinstance(taken, tuple) for taken in wanted.values()):
        wanted[missing[0]] = _all_of(signature.inputs[missing[0]], dataset, columns)
    elif missing:
        raise Error(
            "the signature has the inputs %s, the dataset the columns %s: say with check_inputs which column %s takes, or the one"
            " value that it gets with every test (%s: {value: 1.0})"
            % (", ".join(names), ", ".join(columns) or "(none)", ", ".join(missing), missing[-1]),
            "option_invalid",
        )
    _look_for(wanted, dataset)
    return {name: wanted[name] for name in names}


def _taken(name: str, taken: Any) -> Taken:
    """What check_inputs says of one input: a column, several, or a value: a number, true or false, or anything as {value: ...}."""
    if isinstance(taken, str):
        return (taken,)
    if isinstance(taken, (list, tuple)) and all(isinstance(column, str) for column in taken):
        return tuple(taken)
    try:
        return _array(taken["value"] if isinstance(taken, dict) else taken)
    except (KeyError, ValueError, OverflowError) as error:
        raise Error(
            "check_inputs gives the input %s %r, which is neither a column nor a value: use the name of a column, a list of them, a"
            " number, true or false, or {value: ...}" % (name, taken), "option_invalid",
        ) from error


def _array(value: Any) -> Array:
    """Numbers, booleans or text, as columns have them. ValueError for anything else."""
    array = numpy.array(value)
    if array.dtype.kind in "US":
        return strings([one.encode() if isinstance(one, str) else one for one in array.astype(object).ravel()], array.shape)
    if array.dtype.kind == "O" and array.size and all(isinstance(one, bytes) for one in array.ravel()):
        return array
    if array.dtype.kind not in "biufc":
        raise ValueError(value)
    return array


def _default(name: str, proto: Any) -> Array:
    try:
        return tensors.decode(proto)
    except Error as error:
        raise Error(
            "the model's default for the input %s: %s. Give it a value with check_inputs" % (name, error.message), "option_invalid",
        ) from error


def _example(kind: int) -> str:
    """Of a value, as people write it."""
    return {STRING: "{value: text}", BOOL: "false"}.get(kind, "1.0" if type_name(kind) in FLOATS else "1")


def _given(signature_name: str, name: str, number: int, sizes: Sizes, value: Array) -> Input:
    """The Input for a value: one row for each test where it is one, else the whole of what the model wants."""
    shape = value.shape
    for_each = sizes is not None and len(shape) == len(sizes) - 1 and _agree(sizes[1:], shape)
    fits = (number == STRING) == (value.dtype.kind == "O")
    if not fits or not (for_each or sizes is None or (len(shape) == len(sizes) and _agree(sizes, shape))) \
            or _cast(value, number) is None:
        raise Error(
            "input %s of signature %s: check_inputs gives %s %s, the model wants %s %s" % (
                name, signature_name, "string" if value.dtype.kind == "O" else value.dtype.name, list(shape), type_name(number),
                "of any shape" if sizes is None else sizes,
            ), "option_invalid",
        )
    return Input(name, (), number, shape, 1, tuple(value.ravel().tolist()), not for_each)


def _agree(wanted: Sequence[int], have: Sequence[int]) -> bool:
    return all(want in (-1, size) for want, size in zip(wanted, have))


def _all_of(info: Any, dataset: Dataset, columns: Sequence[str]) -> tuple[str, ...]:
    """What the only input takes: the only column; a TFRecord's examples as they are; the numbers of a table, stacked."""
    if info.dtype == STRING and EXAMPLES in columns:
        return (EXAMPLES,)
    usable = [name for name in columns if name != EXAMPLES]
    no_numbers = [name for name in usable if dataset.as_numbers(name).dtype.kind == "O"]
    if no_numbers and set(no_numbers) <= dataset.odd.keys() and info.dtype != STRING:
        _column(dataset, no_numbers[0], info.dtype)
    if len(usable) > 1 and (no_numbers or any(dataset.columns[name].ndim != 1 for name in usable)):
        raise Error(
            "the dataset has the columns %s: say with check_inputs which one the model's input takes" % ", ".join(usable),
            "option_invalid",
        )
    if not usable:
        raise Error("the dataset has no column but the labels: there is nothing to send", "dataset_invalid")
    return tuple(usable)


def _look_for(wanted: Mapping[str, Taken], dataset: Dataset) -> None:
    """Error where the dataset lacks a column that is wanted."""
    columns = {name: taken for name, taken in wanted.items() if isinstance(taken, tuple)}
    if not columns:
        raise Error("check_inputs gives every input a value, so nothing of the dataset would be sent", "option_invalid")
    for name, taken in columns.items():
        for column in taken:
            if column not in dataset.columns:
                raise Error(
                    "check_inputs gives the input %s the column %r, and the dataset has the columns %s"
                    % (name, column, known_columns(dataset)),
                    "option_invalid",
                )


def _divisor(options: Options, dataset: Dataset, taken: Sequence[str]) -> float:
    """255 for the pictures of an IDX file, as in the tutorial's client."""
    if dataset.as_numbers(taken[0]).dtype.kind == "O":
        return 1
    return options["divisor"] or (255 if set(taken) <= dataset.pictures else 1)


def _fitted(
    options: Options, signature_name: str, name: str, number: int, sizes: Sizes, taken: tuple[str, ...], dataset: Dataset
) -> Input:
    """The Input for these columns, which are cast and reshaped, but never padded, cut or turned."""
    have = _column(dataset, taken[0], number)
    if len(taken) > 1:
        shapes = {_column(dataset, column, number).shape for column in taken}
        if len(shapes) > 1 or have.ndim != 1:
            raise Error(
                "check_inputs stacks the columns %s, which are not all one number a test" % ", ".join(taken), "option_invalid"
            )
        have = numpy.broadcast_to(have[:, None], (len(have), len(taken)))
    wants = "%s %s" % (type_name(number), "of any shape" if sizes is None else sizes)
    if (number == STRING) != (have.dtype.kind == "O"):
        raise _mismatch(name, signature_name, have, type_name(number), sizes)
    if sizes is not None and not sizes:
        raise Error(
            "input %s of signature %s wants %s, one value for a whole request; the dataset has one for each test: give it with"
            " check_inputs, such as {%s: %s}" % (name, signature_name, wants, name, _example(number)), "option_invalid",
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


def _mismatch(name: str, signature_name: str, have: Array, kind: str, sizes: Sizes, why: str | None = None) -> Error:
    return Error(
        "input %s of signature %s: the dataset has %s %s, the model wants %s %s%s" % (
            name, signature_name, "string" if have.dtype.kind == "O" else have.dtype.name, list(have.shape),
            kind, "of any shape" if sizes is None else sizes, "; " + why if why else "",
        ),
        "dataset_mismatch",
    )
