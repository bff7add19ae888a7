"""What one push would send, as values, and what is remembered of an item once monday.com has answered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET

from models import RowId
from reconcile.base import ItemBase
from reconcile.columns import Value
from reconcile.conflicts import Conflict, ConflictPlace
from reconcile.database_state import ItemKey
from reconcile.fields import FieldValue
from reconcile.identity import Links
from reconcile.layout import ItemState, Layout
from reconcile.plan_pull import Update
from reconcile.tables import TABLES


class CellEdit(msgspec.Struct, frozen=True):
    """One cell to be written: what it shows, what it will show, and the form in which that is sent."""

    before: Value
    after: Value
    form: Any


def input_of(value: Any) -> str:
    """A hash of a value that was refused: while it stays, nobody tries again."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


class Rejection(msgspec.Struct, frozen=True):
    """A cell that monday would not take; `input` is `input_of` its value, "" where another try is worth its price."""

    board: str
    item_id: int
    column_id: str
    reason: str
    input: str


AMBIGUOUS = "ambiguous"
"""The input of a new row that may be an item that is there: another try would be no better."""


@dataclass(slots=True)
class ItemPush:
    """One item that has to show something else."""

    board: str
    id: int
    state: ItemState
    """What it shows now."""
    base: ItemBase
    """What is remembered of it, with everything settled that needs no write."""
    cells: dict[str, CellEdit] = field(default_factory=dict)
    """What is written, by column id."""
    targets: dict[int, FieldValue] = field(default_factory=dict)
    """Number of the field → the row's value that its cells tell."""
    causes: dict[int, RowId] = field(default_factory=dict)
    """The row behind each."""
    moved: dict[str, RowId | None] = field(default_factory=dict)
    """Role → the other row that the slot shows from then on."""
    left: dict[str, RowId | None] = field(default_factory=dict)
    """Role → the row that it showed before."""
    conflicts: list[Conflict] = field(default_factory=list)
    awaits_pull: bool = False
    """Something of it waits for the other direction."""
    open: bool = False
    """A person has to decide about something of it."""
    settles: bool = False
    """Its base moves, whether or not something is written."""

    @property
    def values(self) -> dict[str, Any]:
        """`column_values` of the write."""
        return {column_id: cell.form for column_id, cell in self.cells.items()}

    def drop(self, column_id: str, layout: Layout) -> None:
        """Leave out the fields that this column shows: they go on waiting. A slot that was to show another row, or
        none, waits as a whole.
        """
        for number in [n for n in self.targets if column_id in layout.fields[n].cells]:
            place = layout.fields[number].slot
            slot = layout.slots[place]
            self.forget(number, layout)
            if slot.role in self.moved:
                del self.moved[slot.role]
                self.base.links[place] = self.left.pop(slot.role)
                for other in slot.fields:
                    self.forget(other, layout)

    def forget(self, number: int, layout: Layout) -> None:
        """Leave out one field."""
        if self.targets.pop(number, UNSET) is not UNSET:
            for column_id in layout.fields[number].cells:
                self.cells.pop(column_id, None)
        self.causes.pop(number, None)
        self.conflicts = [lost for lost in self.conflicts if lost.field != layout.fields[number].id]


@dataclass(slots=True)
class ItemCreate:
    """One row that becomes an item. `uncarried` are fields of which the cell could not be sent along."""

    board: str
    row: RowId
    name: str
    links: Links
    cells: dict[str, CellEdit] = field(default_factory=dict)
    targets: dict[int, FieldValue] = field(default_factory=dict)
    uncarried: set[int] = field(default_factory=set)
    rejected: list[Rejection] = field(default_factory=list)

    @property
    def values(self) -> dict[str, Any]:
        return {column_id: cell.form for column_id, cell in self.cells.items()}

    def leave_out(self, column_id: str, layout: Layout) -> None:
        """The fields that this column shows do not go with the new item: they are told later."""
        numbers = [n for n, shape in enumerate(layout.fields) if column_id in shape.cells]
        self.uncarried |= set(numbers)
        for number in numbers:
            for column in layout.fields[number].cells:
                self.cells.pop(column, None)


@dataclass(slots=True)
class Push:
    """Everything that one push would send, sorted."""

    items: list[ItemPush] = field(default_factory=list)
    """Items whose cells change."""
    candidates: dict[ItemKey, set[RowId]] = field(default_factory=dict)
    """Items that have something to say, before monday was looked at, with the rows it comes from."""
    creates: list[ItemCreate] = field(default_factory=list)
    """Rows that become items."""
    archives: list[ItemKey] = field(default_factory=list)
    """Items that go, since a person deleted their row."""
    settled: list[ItemBase] = field(default_factory=list)
    """Bases that move without a write."""
    completed: dict[str, list[Update]] = field(default_factory=lambda: {table: [] for table in TABLES})
    """Changes of rows, by table, that follow from an edit of one of their parts."""
    rejected: list[Rejection] = field(default_factory=list)
    """Values that no cell takes, met in this run."""
    still_rejected: set[tuple[str, int, str]] = field(default_factory=set)
    """(board, item, column) of cells that were rejected before and hold the same value."""
    conflicts: list[Conflict] = field(default_factory=list)
    """Conflicts that a person has to settle."""
    agreed: dict[ConflictPlace, FieldValue] = field(default_factory=dict)
    """What both sides say where that is the same."""
    pending_rows: set[RowId] = field(default_factory=set)
    """Rows that still have something to tell afterwards, beside those of the writes themselves."""
    set_aside: set[RowId] = field(default_factory=set)
    """Those among them of which a person is told why."""
    awaiting_pull: int = 0
    """How many items wait for the other direction."""
    over_fan_out: dict[RowId, int] = field(default_factory=dict)
    """Rows that too many items show → how many."""
    deleted: list[ItemKey] = field(default_factory=list)
    """Items whose row a person deleted."""
    edited_since: int = 0
    """How many of them are kept, since they were edited."""
    duplicate_people: list[tuple[str, RowId, RowId]] = field(default_factory=list)
    """(board, new person, the known one with the same e-mail)."""
    deferred: int = 0
    """How many items only a run without a limit gets to."""
    suppressed: int = 0
    """How many rows become items only without `--max-create 0`."""
    kept_back: list[ItemCreate] = field(default_factory=list)
    """New items that the board's own rules forbid."""
    linked: dict[tuple[str, RowId], int] = field(default_factory=dict)
    """(board, row) → the item that was made of it once, as its marker says."""

    @property
    def writes(self) -> int:
        """Items that would be written."""
        return len(self.items) + len(self.creates) + len(self.archives)

    def digest(self) -> str:
        """A short hash of what would be sent: equal plans have equal digests."""
        encode = msgspec.json.Encoder(order="deterministic").encode
        digest = hashlib.sha256()
        for item in self.items:
            digest.update(encode((item.board, item.id, item.values)))
        for create in self.creates:
            digest.update(encode((create.board, create.row, create.name, create.values)))
        digest.update(encode(self.archives))
        if self.linked:
            digest.update(encode(sorted((*place, item_id) for place, item_id in self.linked.items())))
        return digest.hexdigest()[:12]
