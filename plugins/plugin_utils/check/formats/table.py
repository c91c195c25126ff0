# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a file of a dataset holds."""
from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import Array

Shape = tuple[int, ...]
Found = dict[str, tuple[Array, Shape]]  # name: its first rows, and the shape of all of them


class Table(NamedTuple):
    """columns: the first rows; totals: how many the file has of each, as far as was looked."""

    columns: dict[str, Array]
    totals: dict[str, int]
    pictures: frozenset[str] = frozenset()  # names of columns
    left_out: Mapping[str, str] = {}  # name: why it is no column
    texts: Mapping[str, Array] = {}  # name of a column of numbers: what its cells say, for a model that wants text
    odd: Mapping[str, str] = {}  # name of a column of text: the cell that keeps it from being numbers
    remarks: tuple[str, ...] = ()  # what was decided about the file, for people


def of_arrays(found: Found, left_out: Mapping[str, str]) -> Table:
    """Arrays with a row for each test; a single value is left out, for it may be anything."""
    single = {name: "it is a single value, not one for each test" for name, (dummy, shape) in found.items() if not shape}
    rows = {name: pair for name, pair in found.items() if name not in single}
    reasons = {**left_out, **single}
    if not rows:
        raise Malformed("; ".join("%s: %s" % item for item in sorted(reasons.items())) or "this holds no arrays")
    return Table(
        {name: array for name, (array, dummy) in rows.items()}, {name: shape[0] for name, (dummy, shape) in rows.items()},
        left_out=reasons,
    )
