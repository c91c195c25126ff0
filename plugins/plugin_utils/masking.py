# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What nobody may read, taken out of an answer. Pure."""
from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

MASK = "********"


def masked(value: Any, secrets: Collection[str]) -> Any:
    """The value without the secrets, wherever they stand in it, those first that hold others."""
    ordered = sorted((secret for secret in secrets if secret), key=len, reverse=True)
    return _masked(value, ordered) if ordered else value


def _masked(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        return value
    if isinstance(value, Mapping):
        return {_masked(key, secrets): _masked(entry, secrets) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(entry, secrets) for entry in value]
    return value
