"""What the journal keeps of a request until its outcome is known, by names that a later program still understands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from models import RowId
from reconcile.decide import edited_on_monday, same
from reconcile.layout import Layout
from reconcile.push_plan import ItemCreate, ItemPush
from reconcile.types import FORCE, Conflict, Field, ItemBase, ItemState, Links, Pair


class ChangeOp(msgspec.Struct):
    """Cells of one item on their way."""

    expected: dict[str, Any]
    """Field id → what the item showed."""
    target: dict[str, Any]
    """Field id → what the row held, which is sent."""
    links: dict[str, RowId | None] = {}
    """Role → the other row that the slot shows from then on."""
    conflicts: list[Conflict] = []
    rows: dict[str, RowId | None] = {}
    """Role → the row whose values are sent, of slots that show the row that they did."""


class CreateOp(msgspec.Struct):
    """A row on its way to becoming an item."""

    name: str
    target: dict[str, Any]
    """Field id → what the row held when the item was made."""
    links: dict[str, RowId | None]
    """Role → the row of the slot."""
    uncarried: list[str] = []
    """Fields, by id, of which the cell was not sent along."""


Content = ChangeOp | CreateOp | None
"""What will be remembered of an op's item; nothing for one that is archived."""


@dataclass(frozen=True, slots=True)
class JournalOp:
    """One item of a batch, at its place there. `item_id` is None while a new item has none that we know of."""

    place: int
    item_id: int | None
    row: RowId | None
    content: Content


class Sender(NamedTuple):
    """monday's own time before a request was sent, and its user's id; None where monday had not told."""

    at: datetime | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A request whose outcome is not remembered yet. `age_s` by the database's clock; `sender` says when it was written
    down by monday's own, and for whom."""

    number: int
    board_id: int
    kind: str
    key: str
    body: str
    job_id: str | None
    age_s: float
    sender: Sender
    ops: list[JournalOp]

    @property
    def unmade(self) -> list[JournalOp]:
        """Ops that name no item: new ones that may or may not be there."""
        return [op for op in self.ops if op.item_id is None]


class Seen(Enum):
    """What an item says about a write whose answer was lost."""

    DONE = auto()
    NOT_DONE = auto()
    EDITED = auto()


def change_op(item_push: ItemPush, layout: Layout) -> ChangeOp:
    shown = {layout.record, *map(layout.slot_of, item_push.targets)}
    return ChangeOp(
        expected={field.id: _plain(item_push.state[field]) for field in item_push.targets},
        target={field.id: _plain(target) for field, target in item_push.targets.items()},
        links=item_push.moved,
        conflicts=item_push.conflicts,
        rows={slot.role: item_push.base.links[slot] for slot in sorted(shown) if slot.role not in item_push.moved},
    )


def create_op(create: ItemCreate, layout: Layout) -> CreateOp:
    return CreateOp(
        create.name,
        target={field.id: _plain(target) for field, target in create.targets.items()},
        links={slot.role: row for slot, row in zip(layout.slots, create.links, strict=True) if row is not None},
        uncarried=[field.id for field in sorted(create.uncarried)],
    )


def seen(op: ChangeOp, state: ItemState, layout: Layout) -> Seen:
    """Whether an item shows what was sent, what it showed before, or something else."""
    sent = [field for field in layout.fields if field.id in op.target]
    if all(_shows(state, field, op.target) for field in sent):
        return Seen.DONE
    if all(_shows(state, field, op.expected) for field in sent):
        return Seen.NOT_DONE
    return Seen.EDITED


def _shows(state: ItemState, field: Field, values: dict[str, Any]) -> bool:
    return state[field] is not UNSET and same(field, state[field], field.load(values[field.id]))


def changed_base(op: ChangeOp, before: ItemBase, state: ItemState, layout: Layout, *, waits: bool = False) -> ItemBase:
    """The base after a write that is known to be done: what monday shows now beside what the row held.

    `before` is what was remembered until then. What else changed on monday meanwhile is an edit of somebody's: it
    stands against what was remembered, and the item is looked at again, as it is when something of it `waits`.
    """
    base = before.copy()
    for field in layout.fields:
        shown, remembered = state[field], base.monday[field]
        if field.id in op.target:
            sent = field.load(op.target[field.id])
            base[field] = Pair(shown if shown is not UNSET else sent, sent)
        elif shown is not UNSET and (remembered is UNSET or edited_on_monday(field, shown, remembered)):
            waits = True
    for slot in layout.slots:
        if slot.role in op.links:
            base.links[slot] = op.links[slot.role]
            base.tolerated_links.pop(slot.role, None)
    return _as_of(base, state, layout, waits=waits)


def created_base(op: CreateOp, state: ItemState, layout: Layout, *, late: bool) -> ItemBase:
    """The base of a new item: what monday shows of it beside what the rows held when it was made.

    Right after it was made, what differs is monday's own way of writing it. `late`, somebody may have edited it: what
    differs from what was sent stands as an edit against that.
    """
    links = Links(op.links.get(slot.role) for slot in layout.slots)
    base = ItemBase(state.board, state.id, state.updated_at, links, state.values, state.values)
    edited = False
    for field in layout.fields:
        shown = state[field]
        if field.id in op.uncarried:
            base[field] = Pair(shown or None, FORCE)  # a new item's cell that was not even read is empty for all that
        elif field.id in op.target:
            sent = field.load(op.target[field.id])
            by_somebody = late and field.two_way and shown is not UNSET and not same(field, shown, sent)
            base[field] = Pair(sent if by_somebody else shown, sent)
            edited |= by_somebody
    return _as_of(base, state, layout, waits=edited)


def _as_of(base: ItemBase, state: ItemState, layout: Layout, *, waits: bool) -> ItemBase:
    """A base that was settled when the item was as in `state`."""
    base.state, base.missing_count, base.updated_at = "active", 0, state.updated_at
    base.content_hash = None if waits else state.content_hash or ""
    base.count_tolerated(layout.fields)
    return base


def _plain(value: Any) -> Any:
    """A value in the form that `Field.load` takes."""
    return msgspec.to_builtins(None if value is UNSET else value, builtin_types=())
