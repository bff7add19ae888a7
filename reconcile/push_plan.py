"""What one push would send, as values, and what is remembered of an item once monday.com has answered."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET

from models import TABLES, Row, RowId
from reconcile.columns import Value
from reconcile.fields import FieldValue
from reconcile.layout import Layout
from reconcile.plan_pull import Update
from reconcile.tables import row_keys
from reconcile.types import Conflict, ConflictPlace, Field, ItemBase, ItemKey, ItemState, Links


class CellEdit(msgspec.Struct, frozen=True):
    """One cell to be written: what it shows, what it will show, and the form in which that is sent."""

    before: Value
    after: Value
    form: Any


def input_of(value: Any) -> str:
    """A hash of a value that was refused: while it stays, nobody tries again."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


class Rejection(msgspec.Struct, frozen=True):
    """A cell that monday would not take."""

    board: str
    item_id: int
    """0 for an item that is not made."""
    column_id: str
    """`table.row` where a new item is refused as a whole."""
    reason: str
    """In words, without the value; "" where it was listed before."""
    input: str
    """`input_of` its value: while that stays, it is not tried again; "" where each run tries again."""


AMBIGUOUS = "ambiguous"
"""The input of a new row that may be an item that is there: another try would be no better."""


@dataclass(slots=True)
class ItemPush:
    """`item_push`: one item that has to show something else."""

    board: str
    id: int
    state: ItemState
    """What it shows now."""
    base: ItemBase
    """What is remembered of it, with everything settled that needs no write."""
    cells: dict[str, CellEdit] = dataclasses.field(default_factory=dict)
    """What is written, by column id."""
    targets: dict[Field, FieldValue] = dataclasses.field(default_factory=dict)
    """The row's value that the cells of a field are to show."""
    causes: dict[Field, RowId] = dataclasses.field(default_factory=dict)
    """The row behind each."""
    moved: dict[str, RowId | None] = dataclasses.field(default_factory=dict)
    """Role → the other row that the slot shows from then on."""
    left: dict[str, RowId | None] = dataclasses.field(default_factory=dict)
    """Role → the row that it showed before."""
    conflicts: list[Conflict] = dataclasses.field(default_factory=list)
    awaits_pull: bool = False
    """Something of it waits for the other direction."""
    open: bool = False
    """A person has to decide about something of it."""
    settles: bool = False
    """Its base moves, whether or not something is written."""

    @property
    def item(self) -> ItemKey:
        return self.board, self.id

    @property
    def values(self) -> dict[str, Any]:
        """`column_values` of the write."""
        return {column_id: cell.form for column_id, cell in self.cells.items()}

    def drop(self, column_id: str, layout: Layout) -> None:
        """Leave out the fields that this column shows: they go on waiting. A slot that was to show another row, or
        none, waits as a whole.
        """
        for field in [field for field in self.targets if column_id in field.cells]:
            self.forget(field)
            if field.role in self.moved:
                slot = layout.slot_of(field)
                del self.moved[slot.role]
                self.base.links[slot] = self.left.pop(slot.role)
                for other in slot.fields:
                    self.forget(other)

    def forget(self, field: Field) -> None:
        """Leave out one field."""
        if self.targets.pop(field, UNSET) is not UNSET:
            for column_id in field.cells:
                self.cells.pop(column_id, None)
        self.causes.pop(field, None)
        self.conflicts = [conflict for conflict in self.conflicts if conflict.field != field.id]


@dataclass(slots=True)
class ItemCreate:
    """`create`: one row that becomes an item."""

    board: str
    row: RowId
    name: str
    """The name of the new item."""
    links: Links
    """The row of each of its slots."""
    cells: dict[str, CellEdit] = dataclasses.field(default_factory=dict)
    """What is sent with it, by column id."""
    targets: dict[Field, FieldValue] = dataclasses.field(default_factory=dict)
    """What the rows hold of each field."""
    uncarried: set[Field] = dataclasses.field(default_factory=set)
    """Fields of which the cell could not be sent along."""
    rejected: list[Rejection] = dataclasses.field(default_factory=list)

    @property
    def values(self) -> dict[str, Any]:
        """`column_values` of the new item."""
        return {column_id: cell.form for column_id, cell in self.cells.items()}

    def leave_out(self, column_id: str, layout: Layout) -> None:
        """The fields that this column shows do not go with the new item: they are sent later."""
        for field in layout.fields:
            if column_id in field.cells:
                self.uncarried.add(field)
                for column in field.cells:
                    self.cells.pop(column, None)


@dataclass(slots=True)
class Push:
    """Everything that one push would send, sorted."""

    items: list[ItemPush] = dataclasses.field(default_factory=list)
    """Items whose cells change."""
    candidates: dict[ItemKey, set[RowId]] = dataclasses.field(default_factory=dict)
    """Items of which something is to be sent, before they were looked at → the rows that it comes from."""
    creates: list[ItemCreate] = dataclasses.field(default_factory=list)
    """Rows that become items."""
    archives: list[ItemKey] = dataclasses.field(default_factory=list)
    """Items that go, since a person deleted their row."""
    settled: list[ItemBase] = dataclasses.field(default_factory=list)
    """Bases that move without a write."""
    completed: dict[str, list[Update]] = dataclasses.field(default_factory=lambda: {table: [] for table in TABLES})
    """Changes of rows, by table, that follow from an edit of one of their parts."""
    rejected: list[Rejection] = dataclasses.field(default_factory=list)
    """Values that no cell takes, found in this run."""
    still_rejected: set[tuple[str, int, str]] = dataclasses.field(default_factory=set)
    """(board, item, column) of cells that were rejected before and hold the same value."""
    conflicts: list[Conflict] = dataclasses.field(default_factory=list)
    """Conflicts that a person has to settle."""
    agreed: dict[ConflictPlace, FieldValue] = dataclasses.field(default_factory=dict)
    """Fields of which both sides hold the same → that value."""
    pending_rows: set[RowId] = dataclasses.field(default_factory=set)
    """Rows of which monday.com does not show everything afterwards, beside those that a failed write leaves so."""
    set_aside: set[RowId] = dataclasses.field(default_factory=set)
    """Those among them for which a reason is listed."""
    awaiting_pull: int = 0
    """How many items wait for the other direction."""
    over_fan_out: dict[RowId, int] = dataclasses.field(default_factory=dict)
    """Rows that too many items show → how many."""
    deleted: list[ItemKey] = dataclasses.field(default_factory=list)
    """Items whose row a person deleted."""
    edited_since: int = 0
    """How many of them are kept, since they were edited."""
    duplicate_people: list[tuple[RowId, RowId]] = dataclasses.field(default_factory=list)
    """(new person, the known one with the same e-mail)."""
    deferred: int = 0
    """How many items only a run without a limit gets to."""
    suppressed: int = 0
    """How many rows become items only without `--max-create 0`."""
    kept_back: list[ItemCreate] = dataclasses.field(default_factory=list)
    """New items that the board's own rules forbid."""
    linked: dict[tuple[str, RowId], int] = dataclasses.field(default_factory=dict)
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


# Keys of rows that monday shows now ----------------------------------------------------------------------------------


def key_changes(
    changed: Mapping[RowId, str],
    rows: Mapping[str, Mapping[RowId, Row]],
    owners: Mapping[str, Mapping[str, RowId]],
) -> Iterator[tuple[str, RowId, set[str]]]:
    """(table, row, the natural keys that its content owns now) of rows of which monday shows everything."""
    for row_id, table in sorted(changed.items()):
        row = rows[table].get(row_id)
        if row is not None and table != "projects":
            keys = set(row_keys(table, row))
            yield table, row_id, {key for key in keys if owners[table].get(key, row_id) == row_id}
