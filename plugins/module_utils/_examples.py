# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""tf.Example from and to columns: what TFRecord files hold, and what classify and regress signatures take."""
from __future__ import annotations

import traceback

from ansible_collections.mlops.tf_serving.plugins.module_utils import _serving_protos
from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._serving_protos import messages
from ansible_collections.mlops.tf_serving.plugins.module_utils._wire import Malformed

IMPORT_ERROR = _serving_protos.IMPORT_ERROR
try:
    import numpy
    from google.protobuf.message import DecodeError
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

# The kinds of a feature, and what numpy calls their values.
KINDS = {"bytes_list": "O", "float_list": "f4", "int64_list": "i8"}


def parse(serialised):
    """(columns, left out) of serialised tf.Examples.

    columns: {feature: one row for each Example}; a feature of one value gives one number a row, not a vector of one.
    left out: {feature: why it is no column}, for features that are not in every Example, or not of one length. Those are
    common, and a server that parses the Examples itself has no trouble with them.
    Malformed where something is no Example.
    """
    if IMPORT_ERROR:
        raise Error("tf.Examples need protobuf in the controller's Python (pip install protobuf).", "library_missing")
    found: dict = {}  # feature: [(kind, values) of each Example so far]
    left_out: dict = {}
    for number, data in enumerate(serialised, 1):
        try:
            features = messages().Example.FromString(data).features.feature
        except DecodeError as error:
            raise Malformed("record %d is no tf.Example" % number) from error
        if not features:
            raise Malformed("record %d is no tf.Example, or one without features" % number)
        for name, feature in features.items():
            rows = found.setdefault(name, [])
            if len(rows) < number - 1:
                left_out.setdefault(name, "record %d lacks it" % (len(rows) + 1))
            else:
                rows.append(_values(feature))
    for name, rows in found.items():
        if len(rows) < len(serialised):
            left_out.setdefault(name, "record %d lacks it" % (len(rows) + 1))
        else:
            odd = next((number for number, row in enumerate(rows, 1) if _form(row) != _form(rows[0])), None)
            if odd or not rows[0][0]:
                left_out[name] = "record %d has %s" % (odd or 1, _said(rows[odd - 1 if odd else 0])) + (
                    ", record 1 has %s" % _said(rows[0]) if odd else ""
                )
    return {name: _column(rows) for name, rows in found.items() if name not in left_out}, left_out


def _values(feature):
    """(kind, list) of one feature; (None, []) where it holds none of the three lists."""
    for kind in KINDS:
        if feature.HasField(kind):
            return kind, getattr(feature, kind).value[:]
    return None, []


def _form(row):
    return row[0], len(row[1])


def _said(row):
    return "%s of length %d" % (row[0], len(row[1])) if row[0] else "no value"


def _column(rows):
    kind, first = rows[0]
    column = numpy.empty((len(rows), len(first)), KINDS[kind])
    for number, row in enumerate(rows):
        column[number] = row[1]
    return column[:, 0] if len(first) == 1 else column


def build(columns):
    """A serialised tf.Example for each row of {feature: array}: strings, whole numbers, or numbers, which become 32 bits."""
    examples = [messages().Example() for dummy in range(len(next(iter(columns.values()))))]
    for name, column in columns.items():
        if column.dtype.kind not in "Obiuf":
            raise Error("The feature %s is %s: a tf.Example holds strings, int64 and float32." % (name, column.dtype), "signature_mismatch")
        kind = {"O": "bytes_list", "f": "float_list"}.get(column.dtype.kind, "int64_list")
        if column.dtype.kind == "u" and column.size and int(column.max()) >= 1 << 63:
            raise Error("The feature %s has a number above int64, %d." % (name, column.max()), "signature_mismatch")
        rows = column.reshape(len(column), -1)
        if kind == "int64_list":
            rows = rows.astype("i8")
        for example, row in zip(examples, rows.tolist()):
            # SetInParent: an empty list is a value too.
            values = getattr(example.features.feature[name], kind)
            values.SetInParent()
            values.value.extend(row)
    return [example.SerializeToString(deterministic=True) for example in examples]
