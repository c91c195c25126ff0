# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Cells of a text as numbers, where they are some."""
from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import Array, strings

try:
    import numpy
except ImportError:
    pass  # an action's NEEDS say so in words

CODE = re.compile(r"^ *[+-]?0[0-9]", re.MULTILINE)  # of a post code or an article: as a number it would lose its zeros
GROUPS = ".' \u00a0\u202f"  # what stands between thousands where decimals have a comma
COMMA = re.compile(r" *[+-]?([0-9]{1,3}([%s][0-9]{3})+|[0-9]+)?,[0-9]+([eE][+-]?[0-9]+)? *" % GROUPS)
WHOLE = re.compile(r" *[+-]?[0-9]+ *")
IN_THOUSANDS = re.compile(r" *[+-]?[1-9][0-9]{0,2}[.,][0-9]{3} *")  # 1,234 may be more than a thousand, or a little more than one
TRUTH = {"true": True, "false": False}
MISSING = {"", "?", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", "."}
UNGROUPED = str.maketrans({**dict.fromkeys(GROUPS), ",": "."})


class Column(NamedTuple):
    array: Array  # numbers, bools, or bytes objects
    texts: Array | None = None  # of numbers and bools
    odd: str = ""  # the cell that keeps text from being numbers


def numbers(cells: Sequence[str], commas: bool = False) -> Array | None:
    """Cells as int64, uint64 or float64, the narrowest that holds all of them. commas: 1,234 is a little more than one."""
    if not cells or "_" in "".join(cells):  # which Python allows within numbers
        return None
    for kind, number in (("i8", int), ("u8", int), ("f8", float)):
        try:
            return numpy.array(list(map(number, cells)), kind)
        except (ValueError, OverflowError):
            pass
    return _with_commas(cells, commas)


def _with_commas(cells: Sequence[str], sure: bool) -> Array | None:
    """Numbers as 1.234,5, where each of them is one, and they cannot be thousands."""
    with_comma = [cell for cell in cells if COMMA.fullmatch(cell)]
    if not with_comma or not all(COMMA.fullmatch(cell) or WHOLE.fullmatch(cell) for cell in cells):
        return None
    if not sure and all(IN_THOUSANDS.fullmatch(cell) for cell in with_comma):
        return None
    return numpy.array([float(cell.translate(UNGROUPED)) for cell in cells])


def column(cells: Sequence[str], numbered: Sequence[int], commas: bool = False) -> Column:
    """numbered: the lines that the cells stand in."""
    texts = strings([cell.encode("utf-8", "surrogateescape") for cell in cells])
    found = numbers(cells, commas)
    if found is not None:
        return Column(texts) if CODE.search("\n".join(cells)) else Column(found, texts)
    words = {cell.strip().lower() for cell in cells}
    if words and words <= TRUTH.keys():
        return Column(numpy.array([TRUTH[cell.strip().lower()] for cell in cells]), texts)
    return Column(texts, odd=_odd(cells, numbered, commas))


def _odd(cells: Sequence[str], numbered: Sequence[int], commas: bool) -> str:
    """What keeps cells, most of which are numbers, from being numbers."""
    filled = [place for place, cell in enumerate(cells) if cell.strip().lower() not in MISSING]
    no_numbers = [place for place in filled if numbers([cells[place]], commas) is None]
    if not filled or len(no_numbers) * 2 > len(filled):
        thousands = [place for place in no_numbers if IN_THOUSANDS.fullmatch(cells[place])]
        return "line %d has %r, which may be a thousand times as much" % (numbered[thousands[0]], cells[thousands[0]]) \
            if thousands and len(thousands) == len(no_numbers) else ""
    place = min(set(range(len(cells))) - set(filled) | set(no_numbers), default=None)
    if place is None:
        return ""
    text = cells[place].strip()
    return "line %d has %s" % (numbered[place], "%r, which is no number" % text[:40] if text else "no value")
