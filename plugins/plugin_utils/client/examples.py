# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""tf.Example from and to columns: what TFRecord files hold, and what classify and regress signatures take."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import Array
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.protos import messages

try:
    import numpy
    from google import protobuf
    from google.protobuf.message import DecodeError
except ImportError:
    protobuf = None

Row = tuple[str, list[Any]]  # (kind, values) of a feature in one Example; ("", []) where it has no value

# The kinds of a feature, and what numpy calls their values.
KINDS = {"bytes_list": "O", "float_list": "f4", "int64_list": "i8"}


def parse(serialised: Sequence[bytes]) -> tuple[dict[str, Array], dict[str, str]]:
    """(columns, left out) of serialised tf.Examples.

    columns: {feature: one row for each Example}; a feature of one value gives one number a row, not a vector of one.
    left out: {feature: why it is no column}, for features that are not in every Example, or not of one length. Those are
    common, and a server that parses the Examples itself has no trouble with them.
    Malformed where something is no Example.
    """
    if protobuf is None:
        raise Error("tf.Examples need protobuf in the controller's Python (pip install protobuf).", "library_missing")
    found: dict[str, list[Row]] = {}  # feature: its rows, as far as no Example lacked it
    for number, data in enumerate(serialised, 1):
        for name, feature in _features(data, number).items():
            rows = found.setdefault(name, [])
            if len(rows) == number - 1:
                rows.append(_row(feature))
    left_out = {name: why for name, rows in found.items() for why in [_unfit(rows, len(serialised))] if why}
    return {name: _column(rows) for name, rows in found.items() if name not in left_out}, left_out


def _features(data: bytes, number: int) -> Any:
    try:
        features = messages().Example.FromString(data).features.feature
    except DecodeError as error:
        raise Malformed("record %d is no tf.Example" % number) from error
    if not features:
        raise Malformed("record %d is no tf.Example, or one without features" % number)
    return features


def _row(feature: Any) -> Row:
    for kind in KINDS:
        if feature.HasField(kind):
            return kind, getattr(feature, kind).value[:]
    return "", []


def _unfit(rows: Sequence[Row], examples: int) -> str | None:
    """Why these rows are no column."""
    if len(rows) < examples:
        return "record %d lacks it" % (len(rows) + 1)
    first = _form(rows[0])
    for number, row in enumerate(rows, 1):
        if _form(row) != first:
            return "record %d has %s, record 1 has %s" % (number, _form(row), first)
    return None if rows[0][0] else "record 1 has %s" % first


def _form(row: Row) -> str:
    kind, values = row
    return "%s of length %d" % (kind, len(values)) if kind else "no value"


def _column(rows: Sequence[Row]) -> Array:
    kind, first = rows[0]
    column = numpy.empty((len(rows), len(first)), KINDS[kind])
    for number, (dummy, values) in enumerate(rows):
        column[number] = values
    return column[:, 0] if len(first) == 1 else column


def build(columns: Mapping[str, Array]) -> list[bytes]:
    """A serialised tf.Example for each row of {feature: array}: strings, whole numbers, or numbers, which become 32 bits."""
    examples = [messages().Example() for dummy in next(iter(columns.values()))]
    for name, column in columns.items():
        kind = _kind(name, column)
        rows = column.reshape(len(column), -1)
        if kind == "int64_list":  # of True and False too
            rows = rows.astype("i8")
        for example, row in zip(examples, rows.tolist()):
            # SetInParent: an empty list is a value too.
            values = getattr(example.features.feature[name], kind)
            values.SetInParent()
            values.value.extend(row)
    return [example.SerializeToString(deterministic=True) for example in examples]


def _kind(name: str, column: Array) -> str:
    """The kind of list that holds the values of this column."""
    if column.dtype.kind not in "Obiuf":
        raise Error(
            "The feature %s is %s: a tf.Example holds strings, int64 and float32." % (name, column.dtype), "dataset_invalid"
        )
    if column.dtype.kind == "u" and column.size and int(column.max()) >= 1 << 63:
        raise Error("The feature %s has a number above int64, %d." % (name, column.max()), "dataset_invalid")
    return {"O": "bytes_list", "f": "float_list"}.get(column.dtype.kind, "int64_list")
