"""What one push would send, as values, and what is remembered of an item once monday.com has answered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET

from models import TABLES, RowId
from reconcile.base import FORCE, BaseValue, Stored
from reconcile.columns import Value
from reconcile.database_state import ItemKey, RowValues
from reconcile.fields import FieldValue
from reconcile.identity import Links
from reconcile.keys import row_keys
from reconcile.layout import ItemState, Layout
from reconcile.merge import Conflict, ConflictPlace
from reconcile.plan_pull import ItemBase, Update


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


@dataclass(slots=True)
class ItemPush:
    """One item that has to show something else. `targets`: number of the field → the row's value that its cells tell;
    `causes` the row behind each; `moved`: role → the other row that the slot shows from then on, `left` the one before.
    `m`, `p`, `links` and `held` are the base with everything settled that needs no write. `inbound`: something of it
    waits for the other direction; `open`: a person has to decide about something.
    """

    board: str
    id: int
    view: ItemState
    monday: list[FieldValue]
    postgres: list[BaseValue]
    links: Links
    tolerated_links: dict[int, RowId | None]
    cells: dict[str, CellEdit] = field(default_factory=dict)
    targets: dict[int, FieldValue] = field(default_factory=dict)
    causes: dict[int, RowId] = field(default_factory=dict)
    moved: dict[str, RowId | None] = field(default_factory=dict)
    left: dict[str, RowId | None] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    awaits_pull: bool = False
    open: bool = False
    settles: bool = False

    def remembered(self) -> Stored:
        """The base as it stands before the write."""
        return Stored(
            self.board,
            self.id,
            self.view.updated_at,
            self.links,
            self.monday,
            self.postgres,
            tolerated_links=self.tolerated_links,
        )

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
                self.links[place] = self.left.pop(slot.role)
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
    """Everything that one run would send, sorted. `candidates` are items that have something to say, with the rows it
    comes from, before monday was looked at. `settled` are bases that move without a write; `completed` changes of rows
    that follow from an edit of one of their parts; `waits` rows that still have something to tell afterwards, beside
    those of the writes themselves, `set_aside` those among them of which a person is told why; `agreed` what both sides
    say where that is the same. `refused_still`: (board, item,
    column) of cells that were refused before and hold the same value. `fanned`: rows that too many items show.
    `deleted`: items whose row a person deleted; `edited_since` of those are kept, since the item was edited. `alike`:
    new persons who are known already. `put_off` items go without a limit, `unmade` rows become items without
    `--max-create 0`, `kept_back` are new items that the board's own rules forbid. `linked`: (board, row) → the item
    that was made of it once, as its marker says.
    """

    items: list[ItemPush] = field(default_factory=list)
    candidates: dict[ItemKey, set[RowId]] = field(default_factory=dict)
    creates: list[ItemCreate] = field(default_factory=list)
    archives: list[ItemKey] = field(default_factory=list)
    settled: list[ItemBase] = field(default_factory=list)
    completed: dict[str, list[Update]] = field(default_factory=lambda: {table: [] for table in TABLES})
    rejected: list[Rejection] = field(default_factory=list)
    still_rejected: set[tuple[str, int, str]] = field(default_factory=set)
    conflicts: list[Conflict] = field(default_factory=list)
    agreed: dict[ConflictPlace, FieldValue] = field(default_factory=dict)
    pending_rows: set[RowId] = field(default_factory=set)
    set_aside: set[RowId] = field(default_factory=set)
    awaiting_pull: int = 0
    over_fan_out: dict[RowId, int] = field(default_factory=dict)
    deleted: list[ItemKey] = field(default_factory=list)
    edited_since: int = 0
    duplicate_people: list[tuple[RowId, RowId]] = field(default_factory=list)
    deferred: int = 0
    suppressed: int = 0
    kept_back: list[ItemCreate] = field(default_factory=list)
    linked: dict[tuple[str, RowId], int] = field(default_factory=dict)

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


# What is remembered afterwards ----------------------------------------------------------------------------------------


def base_of(item: ItemPush, layout: Layout, content_hash: str | None) -> ItemBase:
    """The base with everything settled that needs no write, as of the look that was taken."""
    return item_base(layout, item.view, item.monday, item.postgres, item.links, item.tolerated_links, content_hash)


def item_base(
    layout: Layout,
    view: ItemState,
    m: Sequence[FieldValue],
    p: Sequence[BaseValue],
    links: Links,
    held: dict[int, RowId | None],
    content_hash: str | None,
) -> ItemBase:
    """What is remembered of an item, from the pair of each field; it counts the fields that are left different."""
    differs = {number: now for number, (said, now) in enumerate(zip(m, p, strict=True)) if now is FORCE or now != said}
    tolerated = sum(
        now is not FORCE
        and m[number] is not UNSET
        and layout.fields[number].compare_key(m[number]) != layout.fields[number].compare_key(now)
        for number, now in differs.items()
    )
    return ItemBase(
        view.board, view.id, content_hash, view.updated_at, tolerated, list(m), differs, list(links), dict(held)
    )


def key_changes(
    changed: Mapping[RowId, str],
    rows: Mapping[str, Mapping[RowId, RowValues]],
    owners: Mapping[str, Mapping[str, RowId]],
) -> Iterator[tuple[str, RowId, set[str]]]:
    """(table, row, the natural keys that its content owns now) of rows that monday was told of."""
    for row_id, table in sorted(changed.items()):
        row = rows[table].get(row_id)
        if row is not None and table != "projects":
            keys = set(row_keys(table, row))
            yield table, row_id, {key for key in keys if owners[table].get(key, row_id) == row_id}
