# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kubernetes quantities: 5Gi, 5120Mi and 5242880Ki are the same. Who compares two compares their numbers."""
from __future__ import annotations

import re
from decimal import Decimal

_GRAMMAR = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([KMGTPE])i|([numkMGTPE])|[eE]([+-]?\d{1,3}))?", re.ASCII)
_BINARY = {prefix: Decimal(1024) ** power for power, prefix in enumerate("KMGTPE", 1)}
_DECIMAL = dict(zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18)))


def quantity(text: object) -> Decimal | None:
    """The number that it stands for, None if it is no quantity."""
    match = _GRAMMAR.fullmatch(str(text))
    if not match:
        return None
    digits, binary, decimal, exponent = match.groups()
    number = Decimal(digits)
    if binary:
        return number * _BINARY[binary]
    return number.scaleb(_DECIMAL[decimal] if decimal else int(exponent or 0))
