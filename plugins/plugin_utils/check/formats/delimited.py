# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables as text: CSV as spreadsheets, pandas, R and the UCI repository write it.

The rows themselves tell what separates their cells and whether the first one names the columns.
"""
from __future__ import annotations

import collections
import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, cast

from ansible_collections.mlops.tf_serving.plugins.module_utils.wire import Malformed
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats import cells as typed
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats import source as limits
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats.source import decoded, foreign, undecoded
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check.formats.table import Table
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.arrays import Array

SAMPLE = 100  # lines that tell the dialect
SHOWN = 120  # characters of a row in a message
NOTHING = " \t\r\n\x1a"
YEARS = range(1900, 2101)
Row = tuple[int, list[str]]  # number of its line, cells


class Dialect(NamedTuple):
    delimiter: str  # a blank stands for any number of blanks and tabs
    skip_blanks: bool = False  # behind the delimiter
    backslash: bool = False  # stands before a quote within quotes, as Spark writes it; else the quote stands twice


def read(lines: Iterator[str], rows: int | None) -> Table:
    """The first line names the columns, or holds values as the others do. Cells become numbers, bools or text."""
    sample = list(itertools.islice(lines, SAMPLE))
    given = re.fullmatch(r"sep=(.)\s*", sample[0], re.IGNORECASE) if sample else None  # Excel's own first line
    sample = [""] * bool(given) + sample[1 if given else 0:]  # "": its line counts
    dialect = _with_backslash(Dialect(given.group(1)) if given else _dialect(_without_comments(sample)), sample)
    text = itertools.chain(_without_comments(sample), lines)
    table = _wide(_rows(text, dialect, None if rows is None else rows + 1))
    if not table:
        raise Malformed("this is empty: there is no line with anything in it")
    named = _names_columns([cells for dummy, cells in table])
    names = _names(table[0][1]) if named else ["column_%d" % (place + 1) for place in range(len(table[0][1]))]
    body = table[1:] if named else table[:rows]
    remarks = () if named else (
        "line %d names no columns, it holds values (%s): they are called %s to %s" % (
            table[0][0], shown(table[0][1]), names[0], names[-1]),)
    return _typed(names, body, dialect, remarks)


def _without_comments(sample: Sequence[str]) -> list[str]:
    """Lines that begin with # before all others are comments; the last of them may have the names, as numpy writes them."""
    comments = len(list(itertools.takewhile(lambda line: line.startswith("#") or not line.strip(), sample)))
    if comments < len(sample):
        last, then = sample[comments - 1] if comments else "", sample[comments]
        names = any(last.count(delimiter) == then.count(delimiter) > 0 for delimiter in ",;\t|")
        return ["\n"] * (comments - names) + [*sample[comments - names:]]
    return [*sample]


def shown(cells: Sequence[str]) -> str:
    """A row in a message."""
    text = " ".join(",".join(cells).encode("utf-8", "replace").decode().split())
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


# --- what separates cells ---

def _dialect(sample: Sequence[str]) -> Dialect:
    """What splits all lines into the same number of cells; of several the one with more numbers, then the one with more cells."""
    scores = {}
    for delimiter in ",;\t| ":
        dialect = Dialect(delimiter, _blanks_follow(sample, delimiter))
        try:
            table = [cells for dummy, cells in _rows(sample, dialect, SAMPLE, strict=False)]
        except Malformed:
            continue
        if table and _even(table):
            columns = list(zip(*(table[1:] or table)))
            share = sum(typed.numbers(column, delimiter == ";") is not None for column in columns) / len(columns)
            if delimiter != " " or (share >= 0.5 and len(table) > 1):  # a text has blanks too
                scores[dialect] = share, len(columns), ",;\t| "[::-1].index(delimiter)
    if scores:
        return max(scores, key=lambda dialect: scores[dialect])
    first = next((line for line in sample if line.strip()), "")
    most = max(",;\t|", key=first.count)
    return Dialect(most, _blanks_follow(sample, most))


def _with_backslash(dialect: Dialect, sample: Sequence[str]) -> Dialect:
    """The dialect as it is, unless only a backslash before quotes makes sense of the lines."""
    other = dialect._replace(backslash=True)
    if _parses(sample, dialect) or not any('\\"' in line for line in sample):
        return dialect
    return other if _parses(sample, other) else dialect


def _parses(sample: Sequence[str], dialect: Dialect) -> bool:
    try:
        return bool(_rows(sample, dialect, None))
    except Malformed:
        return False


def _even(table: Sequence[Sequence[str]]) -> bool:
    """Whether there are several columns, as many in every line; the first may lack the name of R's rows, or end in a delimiter."""
    first, widths = len(table[0]), {len(cells) for cells in table[1:]} or {len(table[0])}
    return first > 1 and len(widths) == 1 and abs(first - min(widths)) <= 1 and min(widths) > 1


def _blanks_follow(sample: Sequence[str], delimiter: str) -> bool:
    if delimiter == " ":
        return True
    lines = [line for line in sample if line.strip()]
    return any(delimiter in line for line in lines) and all(
        line.count(delimiter) == line.count(delimiter + " ") for line in lines[1:] or lines)


def _rows(lines: Iterable[str], dialect: Dialect, most: int | None, strict: bool = True) -> list[Row]:
    """The rows that have anything in them."""
    found: list[Row] = []
    if dialect.delimiter == " ":
        lines = (line.replace("\t", " ").strip() + "\n" for line in lines)
    reader = csv.reader(
        lines, delimiter=dialect.delimiter, skipinitialspace=dialect.skip_blanks, strict=strict,
        doublequote=not dialect.backslash, escapechar="\\" if dialect.backslash else None)
    before = csv.field_size_limit(limits.MAX_LINE)
    try:
        for cells in reader:
            # An empty text alone in its line is "" in quotes, and Ctrl-Z is what DOS ends a file with.
            if any(cell.strip(NOTHING) for cell in cells) or cells == [""]:
                found.append((reader.line_num, cells))
                if len(found) == most:
                    break
    except csv.Error as error:
        raise Malformed("line %d is no CSV (%s)" % (reader.line_num, error)) from error
    finally:
        csv.field_size_limit(before)
    return found


def _wide(table: list[Row]) -> list[Row]:
    """All rows as wide as the first, or Malformed."""
    if len(table) < 2:
        return table
    (number, first), rest = table[0], table[1:]
    widths = {len(cells) for dummy, cells in rest}
    if widths == {len(first) + 1}:
        if not any(cells[-1].strip() for dummy, cells in rest):  # a delimiter at the end of each line
            return [table[0], *((line, cells[:-1]) for line, cells in rest)]
        return [(number, ["", *first]), *rest]  # R's names of rows, over which it writes no name
    if widths == {len(first) - 1} and not first[-1].strip():
        return [(number, first[:-1]), *rest]
    for line, cells in rest:
        if len(cells) != len(first):
            raise Malformed(
                "line %d has %d values, and line %d names %d columns (%s)" % (line, len(cells), number, len(first), shown(first)))
    return table


# --- names ---

def _names_columns(table: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns. Malformed where that would be a guess."""
    first, columns = table[0], list(zip(*table[1:]))
    plain = [cell for cell in first if typed.numbers([cell]) is not None]
    if not columns:
        return not plain or len(plain) < len(first)
    if any(_is_word(cell) and typed.numbers(_filled(column)) is not None for cell, column in zip(first, columns)):
        return True  # a word over numbers
    if not first[0].strip() and typed.numbers(columns[0]) is not None:
        return True  # nothing over pandas' index
    if plain and _counts(plain):
        if len(plain) < 3 and int(plain[0]) not in YEARS:
            raise Malformed(
                "line 1 (%s) may name the columns or hold values: write a line with names in front of it, such as x,y,label"
                % shown(first))
        return True
    over_numbers = any(
        typed.numbers([cell]) is not None and typed.numbers(_filled(column)) is not None for cell, column in zip(first, columns))
    below = any(_is_word(cell) and cell in column for cell, column in zip(first, columns))
    return not (over_numbers or below)


def _is_word(cell: str) -> bool:
    return typed.numbers([cell]) is None and cell.strip().lower() not in typed.MISSING


def _filled(column: Iterable[str]) -> list[str]:
    return [cell for cell in column if cell.strip().lower() not in typed.MISSING]


def _counts(plain: Sequence[str]) -> bool:
    """Whether these are 0, 1, 2 and so on, as pandas names columns without names, or years."""
    whole = [int(cell) for cell in plain if typed.WHOLE.fullmatch(cell) and len(cell) < 10]
    return len(whole) == len(plain) and (whole[0] == 0 or whole[0] in YEARS) and (
        whole == list(range(whole[0], whole[0] + len(whole))))


def _names(cells: Sequence[str]) -> list[str]:
    """Without blanks, and without the # that numpy and Weka's friends write in front of the first one."""
    names = [re.sub(r'^"(.*)"$', r"\1", cell.strip()) for cell in cells]
    names[0] = names[0].lstrip("# ") or names[0]
    return names


# --- columns ---

def _typed(names: list[str], body: Sequence[Row], dialect: Dialect, remarks: tuple[str, ...]) -> Table:
    numbered = [line for line, dummy in body]
    columns = [[cells[place] for dummy, cells in body] for place in range(len(names))]
    names, columns, left_out, remark = _readable(names, columns)
    commas = dialect.delimiter == ";"
    times = collections.Counter(names)
    found: dict[str, typed.Column] = {}
    for place, (name, cells) in enumerate(zip(names, columns)):
        why = _no_column(name, times[name])
        if why:
            left_out[name or "(column %d)" % (place + 1)] = why
        elif name not in left_out:
            found[name] = typed.column(cells, numbered, commas)
    if any(column.texts is not None and any(b"," in text for text in column.texts) for column in found.values()):
        found = {name: _without_points(column, numbered) for name, column in found.items()}
    if not found:
        raise Malformed("no column is left: " + "; ".join("%s: %s" % item for item in left_out.items()))
    return Table(
        {name: column.array for name, column in found.items()}, {name: len(body) for name in found}, frozenset(), left_out,
        {name: column.texts for name, column in found.items() if column.texts is not None},
        {name: column.odd for name, column in found.items() if column.odd}, remarks + remark,
    )


def _no_column(name: str, times: int) -> str:
    """Why a column is none, "" where it is one."""
    if not name:
        return "line 1 gives it no name"
    if times > 1:
        return "line 1 has this name %d times" % times
    if re.fullmatch(r"Unnamed: \d+", name):
        return "it is pandas' index, or was nameless in another file"
    return ""


def _without_points(column: typed.Column, numbered: Sequence[int]) -> typed.Column:
    """The column of a table in which decimals have a comma; as text where all it holds is such as 1.234."""
    cells = [] if column.texts is None else [text.decode("utf-8", "replace") for text in column.texts.tolist()]
    if not cells or not all("." in cell and typed.IN_THOUSANDS.fullmatch(cell) for cell in cells):
        return column
    odd = "line %d has %r, which is a thousand times as much where decimals have a comma, as they have in others"
    return typed.Column(cast(Array, column.texts), odd=odd % (numbered[0], cells[0]))


def _readable(
    names: list[str], columns: list[list[str]]
) -> tuple[list[str], list[list[str]], dict[str, str], tuple[str, ...]]:
    """(names, columns, left out, remarks): bytes that are no UTF-8 in the encoding that they are of, as far as that is clear."""
    foreign_parts = [part for part in (names, *columns) if not "".join(part).isascii()]
    strange = [text for part in foreign_parts for text in part if not text.isascii()]
    if not any(undecoded(text) for text in strange):
        return names, columns, {}, ()
    encoding = foreign(strange)
    if encoding:
        return (
            [decoded(name, encoding) for name in names], [[decoded(cell, encoding) for cell in column] for column in columns], {},
            ("its text is no UTF-8, it was read as %s, such as %r: where that is wrong, iconv -f ENCODING -t UTF-8" % (
                {"cp1252": "Windows-1252"}.get(encoding, encoding.upper()), shown([decoded(strange[0], encoding)])),),
        )
    why = "its text is no UTF-8, and which encoding it is would be a guess: iconv -f ENCODING -t UTF-8"
    unclear = [any(undecoded(text) for text in (name, *column)) for name, column in zip(names, columns)]
    names = [decoded(name, "utf-8") for name in names]
    return names, columns, {name: why for name, unknown in zip(names, unclear) if unknown}, ()
