"""The changes of a run as people and programs are shown them: the lines of a report, and the entries of `--json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from monday_api import BOARDS
from reconcile.changes import Change
from reconcile.types import ItemKey
from run.conflicts import Names
from run.report import CHANGES, counted
from terminal.contrast import contrasted, shortened
from terminal.page import aligned

SAMPLES = 10
"""Changes that are shown without -v."""
Line = tuple[str, str, str]
"""Where, what of it, and from what to what."""


def entries(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """The first changes as `--json` lists them."""
    return [_entry(change) for change in islice(changes, CHANGES)]


def _entry(change: Change) -> dict[str, Any]:
    at = change.address
    return {
        "action": change.action,
        "board": at.board,
        "item": at.item,
        "table": at.table,
        "row": at.row,
        "field": at.field,
        "column": at.column,
        "before": change.before,
        "after": change.after,
        "reason": change.reason,
    }


def line(change: Change, items: Mapping[ItemKey, str], rows: Names) -> Line:
    """A value that changes. `items` are the names of items, `rows` those of rows that a foreign key points at."""
    at = change.address
    where = f"row {at.row[:8]}" if at.row is not None else ""
    if at.board is not None and at.item is not None:
        where = item_text(at.item, items.get((at.board, at.item)))
    before, after = (
        rows.get(value, value) if isinstance(value, str) else value for value in (change.before, change.after)
    )
    told = " → ".join(contrasted(before, after))
    if at.wrote == "monday" and at.board is not None and at.column is not None:
        return where, BOARDS[at.board][at.column].title, told
    return at.field or "", where, told


def item_text(item_id: int, name: str | None) -> str:
    """An item by its id and, where it has one, its name."""
    return f"item {item_id}" + (f' "{shortened(name)}"' if name else "")


def samples(
    lines: Sequence[Line], whole: Sequence[str], verbosity: int, *, cells: Sequence[Line] = (), others: int = 0
) -> Iterator[str]:
    """The first values that change, and the first rows or items as a whole; with -v all of them, and the `cells` of new
    items. `others` says how many values there are beside these."""
    told = aligned([*lines, *cells])
    if verbosity > 0:
        yield from [*told, *whole]
        return
    told = told[: len(lines)]
    yield from [*told[:SAMPLES], *whole[:SAMPLES]]
    if left := others + max(0, len(told) - SAMPLES) + max(0, len(whole) - SAMPLES):
        yield f"… and {counted(left, 'more change')}: -v lists them all"
