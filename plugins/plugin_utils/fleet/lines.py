# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lines for people that fit a screen. Pure."""
from __future__ import annotations

WIDTH = 120


def fitted(line: str) -> str:
    return line if len(line) <= WIDTH else line[:WIDTH - 3] + "..."
