"""Text that fits a terminal: wrapped prose, and tables that grow narrower before they grow too wide."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence

from terminal.signs import one_line

WIDEST, NARROWEST = 100, 40
_GAP = 2
_NAME = 10
"""Signs that the first column of a table keeps, however narrow the page."""


def page_width() -> int:
    """Columns of the terminal (or of COLUMNS), at most 100, which is also what a file or a pipe gets."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns))


def wrapped(text: str, width: int, first: str = "  ", rest: str = "    ") -> list[str]:
    """Lines of at most `width` columns; a word that is longer stays whole. No name in it can end a line of its own."""
    wrapper = textwrap.TextWrapper(width, first, rest, break_long_words=False, break_on_hyphens=False)
    return wrapper.wrap(one_line(text))


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], width: int, left: int = 1) -> Iterator[str]:
    """A table of which the first `left` columns stand to the left, numbers to the right.

    Where it would be too wide its headers take several lines, then the first column is cut.

    >>> print(*table(["board", "items read"], [["MASTER", "2,000"]], 60), sep="\\n")
      board   items read
      MASTER       2,000
    >>> print(*table(["board", "items read"], [["MASTER", "2,000"]], 18), sep="\\n")
              items
      board    read
      MASTER  2,000
    """
    rows = [[one_line(cell) for cell in row] for row in rows]
    heads = [[header] for header in headers]
    sizes = _sizes(heads, rows)
    if _total(sizes) > width:
        heads = [header.split() for header in headers]
        sizes = _sizes(heads, rows)
    if (over := _total(sizes) - width) > 0:
        sizes[0] = max(min(sizes[0], _NAME), sizes[0] - over)
    tall = max(map(len, heads))
    for line in range(tall):
        yield _line([([""] * (tall - len(head)) + head)[line] for head in heads], sizes, left)
    for row in rows:
        yield _line(row, sizes, left)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """One line a row, each cell but the last as wide as the widest of its column.

    >>> aligned([("item 7", "Stage", "a → b"), ("new item", "Name", "c")])
    ['item 7    Stage  a → b', 'new item  Name   c']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    gap = " " * _GAP
    return [
        gap.join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]


def shortened(text: str, size: int) -> str:
    """Cut after a word, where there is one to cut after.

    >>> shortened("MASTER PROJECT BOARD", 16), shortened("MASTERPIECE", 8)
    ('MASTER PROJECT…', 'MASTERP…')
    """
    kept = text[: size - 1]
    return (kept if text[size - 1] == " " else kept.rpartition(" ")[0] or kept) + "…"


def _sizes(heads: Sequence[Sequence[str]], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(text) for text in [*head, *(row[place] for row in rows)]) for place, head in enumerate(heads)]


def _total(sizes: Sequence[int]) -> int:
    return sum(sizes) + _GAP * len(sizes)


def _line(texts: Sequence[str], sizes: Sequence[int], left: int) -> str:
    first = texts[0] if len(texts[0]) <= sizes[0] else shortened(texts[0], sizes[0])
    cells = [
        f"{text:<{size}}" if place < left else f"{text:>{size}}"
        for place, (text, size) in enumerate(zip([first, *texts[1:]], sizes, strict=True))
    ]
    return (" " * _GAP + (" " * _GAP).join(cells)).rstrip()
