"""What one run has changed, taken back: each value as it was before, where nobody has changed it since.

Everything goes by way of the rows: what they get back is an edit in PostgreSQL, and the next push tells monday.com.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from models import TABLES, UNREADABLE, RowId
from reconcile.changes import Address, Change
from reconcile.layout import Layout
from reconcile.plan_pull import Update
from reconcile.types import Field

FOLLOWS: Final = frozenset(
    {"projects.status", "users.roles", "policies.customer_id", "projects.monday_item_id", "users.monday_item_id"}
)
"""What follows from other columns or from the boards by itself: giving it back would be undone by the next run."""

GONE: Final = "the row is not there any more"
MADE: Final = "what the run made stays: delete it where it is wrong"
ARCHIVED: Final = "whether an item is active is decided on the board: restore or archive it there"
EDITED: Final = "edited since"
UNREAD: Final = "the row holds something that cannot be read"
UNMAPPED: Final = "the column is not mapped any more"

RowContent = Mapping[str, Any]
"""Column → value."""


@dataclass(frozen=True, slots=True)
class Left:
    """A change that is not taken back, and why; `now` is what the row says instead."""

    change: Change
    why: str
    now: Any = None


@dataclass(frozen=True, slots=True)
class Undo:
    """What is given back, row by row and value by value, and what is left."""

    updates: dict[str, list[Update]] = field(default_factory=lambda: {table: [] for table in TABLES})
    changes: list[Change] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)

    @property
    def writes(self) -> int:
        return sum(map(len, self.updates.values()))


def plan_undo(
    run_id: str, changes: Sequence[Change], rows: Mapping[RowId, RowContent], layouts: Mapping[str, Layout]
) -> Undo:
    """Decide for each change of a run, in the order in which they were made. `rows` are those that they name, as they
    are now. Of a value that the run changed several times, the first state before counts and the last after."""
    undo = Undo()
    back: dict[RowId, dict[str, tuple[Any, Any]]] = defaultdict(dict)
    tables: dict[RowId, str] = {}
    causes: dict[RowId, Change] = {}
    working: dict[RowId, dict[str, Any]] = {}
    moved = _moved_slots(changes)
    for of_one in _by_place(changes):
        first, last = of_one[0], of_one[-1]
        at = last.address
        if (why := _stays(last)) is not None:
            if why:
                undo.left.append(Left(last, why))
            continue
        assert at.row is not None
        assert at.table is not None
        if (row := rows.get(at.row)) is None:
            undo.left.append(Left(last, GONE))
            continue
        held = working.setdefault(at.row, dict(row))
        found = _given_back(first, last, held, layouts, moved=moved)
        if isinstance(found, Left):
            undo.left.append(found)
            continue
        for column, before in found.items():
            held[column] = before
            if row[column] != before:
                back[at.row][column] = (row[column], before)
        tables[at.row], causes[at.row] = at.table, last
    for row_id, columns in sorted(back.items()):
        table, cause = tables[row_id], causes[row_id].address
        undo.updates[table].append(Update(row_id, columns))
        for column, (now, before) in columns.items():
            address = Address("postgres", cause.board, cause.item, table, row_id, f"{table}.{column}")
            undo.changes.append(Change(address, "update", now, before, f"undo of {run_id}"))
    return undo


def _by_place(changes: Sequence[Change]) -> Iterator[list[Change]]:
    found: dict[Address, list[Change]] = defaultdict(list)
    for change in changes:
        found[change.address].append(change)
    return iter(found.values())


def _stays(change: Change) -> str | None:
    """Why a change is not looked at: a reason, or nothing where it follows from another one. None where it is."""
    if change.action in ("insert", "create"):
        return MADE
    if change.action in ("archive", "restore") or change.address.row is None:
        return ARCHIVED
    return "" if change.address.field in FOLLOWS else None


def _moved_slots(changes: Sequence[Change]) -> frozenset[tuple[str | None, int | None, str | None]]:
    """(board, item, foreign key) of slots that showed another row from the run on: the cells beside it were the other
    row's."""
    return frozenset(
        (change.address.board, change.address.item, change.address.field)
        for change in changes
        if change.address.wrote == "monday" and change.address.column is None and change.action == "update"
    )


def _given_back(
    first: Change,
    last: Change,
    row: RowContent,
    layouts: Mapping[str, Layout],
    *,
    moved: frozenset[tuple[str | None, int | None, str | None]],
) -> Mapping[str, Any] | Left:
    """Column → what it gets back; nothing where it has it, or where another change gives it back."""
    at = last.address
    column = (at.field or "").partition(".")[2]
    if column not in row:
        return Left(last, UNMAPPED)
    if row[column] is UNREADABLE:
        return Left(last, UNREAD)
    if not at.column or at.wrote == "postgres":
        return {column: first.before} if row[column] in (last.after, first.before) else Left(last, EDITED, row[column])
    shown = _field_of(last, layouts)
    if shown is None:
        return Left(last, UNMAPPED)
    link = _link_of(last, shown, layouts)
    if link is not None and (at.board, at.item, link) in moved:
        return {}
    return _field_back(first, last, row, shown)


def _field_back(first: Change, last: Change, row: RowContent, shown: Field) -> Mapping[str, Any] | Left:
    """A cell is a part of a field: the field is made anew of what its cells say now and what this one said before."""
    held = tuple(row[name] for name in shown.columns)
    value = held if len(shown.columns) > 1 else held[0]
    cells = list(shown.to_cells(value))
    at = shown.cells.index(last.address.column or "")
    says = [shown.codec.compare_key(one) for one in (cells[at], last.after, first.before)]
    if says[0] == says[2]:
        return {}
    if says[0] != says[1]:
        return Left(last, EDITED, cells[at])
    cells[at] = first.before
    before = shown.from_cells(cells, "") if shown.from_cells is not None and any(cells) else cells[0]
    if len(shown.columns) == 1:
        return {shown.columns[0]: before}
    parts = before if isinstance(before, tuple) else (None,) * len(shown.columns)
    return dict(zip(shown.columns, parts, strict=True))


def _field_of(change: Change, layouts: Mapping[str, Layout]) -> Field | None:
    layout, at = layouts.get(change.address.board or ""), change.address
    fields = layout.fields if layout is not None else ()
    return next((shown for shown in fields if at.column in shown.cells and shown.target == at.field), None)


def _link_of(change: Change, shown: Field, layouts: Mapping[str, Layout]) -> str | None:
    layout = layouts[change.address.board or ""]
    slot = layout.slot_of(shown)
    return f"{layout.record.table}.{slot.link}" if slot.link else None
