"""Every list of the window: the same rows as a table for a person, as JSON, or as CSV for a spreadsheet.

A list says how many rows there are beyond those that it shows, and how to see them. A table shortens long values; JSON
and CSV hold them whole.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import wraps
from io import StringIO
from typing import Any, Final, Literal, TypeVar

import click

from reconcile.errors import Exit
from status.window import common_options
from terminal.contrast import shortened
from terminal.page import NARROWEST, WIDEST, wrapped
from terminal.say import say, say_json
from terminal.signs import one_line, printable
from terminal.times import iso

Format = Literal["table", "json", "csv"]
T = TypeVar("T")

_GAP: Final = "  "
_CELL: Final = 60
"""Signs of one cell that a table shows at most."""
_WIDEST: Final = 200
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of something to compute (OWASP, "CSV Injection")."""


def cell_text(value: Any) -> str:
    """A value as a table shows it; nothing for none."""
    return "" if value is None else shortened(value, _CELL)


@dataclass(frozen=True, slots=True)
class ListColumn:
    """One column: `name` in JSON and CSV, `title` in a table, which does not show one without. `shown` makes its text
    there. A table that is too wide cuts it to no less than `least` signs; None: never."""

    name: str
    title: str = ""
    shown: Callable[[Any], str] = cell_text
    right: bool = False
    least: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Rows, each with one value a column, and of how many they are (`total`). `more` is the command that shows the
    others. `above` and `below` are lines that a table has over and under a row, by its number; `facts` are what JSON
    has beside the rows; `empty` is what a table says where there is no row."""

    columns: Sequence[ListColumn]
    rows: Sequence[Sequence[Any]]
    total: int
    more: str = ""
    empty: str = "none"
    facts: Mapping[str, Any] = field(default_factory=dict)
    above: Mapping[int, Sequence[str]] = field(default_factory=dict)
    below: Mapping[int, Sequence[str]] = field(default_factory=dict)

    @property
    def remainder(self) -> str:
        """How many rows are not shown, and how to see them; nothing where all are."""
        hidden = self.total - len(self.rows)
        return f"{hidden:,} more of {self.total:,}: {self.more}" if hidden > 0 else ""


def list_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that prints a list; its function takes `form`, `as_json` and `demo`."""

    @wraps(command)
    def given(*, form: Format | None, as_json: bool, **others: Any) -> Any:
        if as_json and form not in (None, "json"):
            raise click.UsageError(f"--json and --format {form} contradict each other: choose one.")
        chosen: Format = "json" if as_json else form or "table"
        return command(form=chosen, as_json=chosen == "json", **others)

    option = click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), help="Default: table.")
    return common_options(option(given))


def limited(rows: Sequence[T], limit: int | None, form: Format, usual: int) -> Sequence[T]:
    """The first rows: so many as a person asked for (0: all), and where none did, `usual` of them in a table."""
    most = rows_wanted(limit, form, usual)
    return rows if most is None else rows[:most]


def rows_wanted(limit: int | None, form: Format, usual: int) -> int | None:
    """How many rows to show, None for all of them."""
    wanted = (usual if form == "table" else 0) if limit is None else limit
    return wanted or None


def show_list(listing: Listing, form: Format, *, code: Exit = Exit.DONE) -> None:
    """Print it on stdout. What does not fit into CSV, that there are more rows, goes to stderr."""
    if form == "json":
        say_json(as_json(listing, code))
    elif form == "csv":
        say(*as_csv(listing).removesuffix("\n").split("\n"))
        say(*filter(None, (listing.remainder,)), error=True)
    else:
        say(*as_table(listing, _page()))


def as_json(listing: Listing, code: Exit = Exit.DONE) -> dict[str, Any]:
    """The object of `--format json`."""
    names = [column.name for column in listing.columns]
    return {
        "version": 1,
        "exit_code": int(code),
        **listing.facts,
        "total": listing.total,
        "shown": len(listing.rows),
        "more": listing.remainder or None,
        "rows": [dict(zip(names, map(plain, row), strict=True)) for row in listing.rows],
    }


def plain(value: Any) -> Any:
    """A value as JSON has it: an instant in this machine's zone, an amount as it is written."""
    if isinstance(value, datetime):
        return iso(value)
    return str(value) if isinstance(value, Decimal | date) else value


def as_csv(listing: Listing) -> str:
    """A header and the rows (RFC 4180, with line feeds). No cell of text is taken for a formula."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.name for column in listing.columns])
    writer.writerows([[defused(plain(value)) for value in row] for row in listing.rows])
    return out.getvalue()


def defused(value: Any) -> str:
    """The text of a CSV cell; before what a spreadsheet would compute stands an apostrophe.

    >>> defused("=1+1"), defused("-5 h"), defused(-5), defused(None), defused(["a"])
    ("'=1+1", "'-5 h", '-5', '', '["a"]')
    """
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return printable(f"'{text}" if text.startswith(_FORMULA) else text)


def as_table(listing: Listing, width: int) -> Iterator[str]:
    """Lines of at most `width` signs where that can be: columns grow narrower first, then each row gets lines of its
    own."""
    if not listing.rows:
        yield f"{_GAP}{listing.empty}"
    else:
        yield from _rows(listing, width)
    if listing.remainder:
        yield from wrapped(f"… {listing.remainder}", width)


def _rows(listing: Listing, width: int) -> Iterator[str]:
    numbers = [number for number, column in enumerate(listing.columns) if column.title]
    columns = [listing.columns[number] for number in numbers]
    texts = [[one_line(columns[n].shown(row[number])) for n, number in enumerate(numbers)] for row in listing.rows]
    used = [n for n in range(len(columns)) if any(row[n] for row in texts)]
    columns, texts = [columns[n] for n in used], [[row[n] for n in used] for row in texts]
    sizes = _fitted(columns, texts, width)
    if sizes is not None:
        yield _line([column.title for column in columns], columns, sizes)
    for number, row in enumerate(texts):
        yield from _around(listing.above.get(number, ()), width, _GAP)
        if sizes is None:
            yield from _block(columns, row, width)
        else:
            yield _line([_cut(text, size) for text, size in zip(row, sizes, strict=True)], columns, sizes)
        yield from _around(listing.below.get(number, ()), width, _GAP * 3)


def _around(lines: Sequence[str], width: int, indent: str) -> Iterator[str]:
    for line in lines:
        yield from wrapped(line, width, first=indent, rest=indent + _GAP) if line else ("",)


def _block(columns: Sequence[ListColumn], row: Sequence[str], width: int) -> Iterator[str]:
    for number, (column, text) in enumerate(zip(columns, row, strict=True)):
        if text:
            yield from wrapped(f"{column.title}: {text}", width, first=_GAP * (2 if number else 1), rest=_GAP * 3)


def _fitted(columns: Sequence[ListColumn], texts: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """The width of each column, None where they do not fit."""
    sizes = [max(len(column.title), *(len(row[n]) for row in texts)) for n, column in enumerate(columns)]
    over = sum(sizes) + len(_GAP) * len(sizes) - width
    while over > 0:
        room = [
            size - max(column.least or size, len(column.title)) for size, column in zip(sizes, columns, strict=True)
        ]
        widest = max(range(len(sizes)), key=lambda n: (room[n] > 0, sizes[n]))
        if room[widest] <= 0:
            return None
        sizes[widest] -= 1
        over -= 1
    return sizes


def _line(texts: Sequence[str], columns: Sequence[ListColumn], sizes: Sequence[int]) -> str:
    cells = [
        f"{text:>{size}}" if column.right else f"{text:<{size}}"
        for text, column, size in zip(texts, columns, sizes, strict=True)
    ]
    return (_GAP + _GAP.join(cells)).rstrip()


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: size - 1]}…"


def _page() -> int:
    """Columns of the terminal; a file or a pipe gets 100."""
    return max(NARROWEST, min(_WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns))
