# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What numpy's arrays are called here, and how they hold strings."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing

try:
    import numpy
except ImportError:
    pass  # the task has said so: it is one of its NEEDS

Array: TypeAlias = "numpy.typing.NDArray[Any]"


def strings(values: Sequence[bytes], shape: tuple[int, ...] | None = None) -> Array:
    """An array of bytes objects. Left alone, numpy makes fixed lengths of them and cuts zeros off their ends."""
    array = numpy.empty(len(values), object)
    array[:] = list(values)
    return array if shape is None else array.reshape(shape)
