"""What the journal keeps of a request until its outcome is known, by names that a later program still understands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from models import RowId
from reconcile.base import FORCE, ItemBase
from reconcile.conflicts import Conflict
from reconcile.decide import edited_on_monday, same
from reconcile.fields import FieldValue
from reconcile.layout import ItemState, Layout
from reconcile.push_plan import ItemCreate, ItemPush


class ChangeOp(msgspec.Struct):
    """Cells of one item on their way. `expected` and `target` by field id: what the item showed, what the row held;
    `links` by role: slots that show another row from then on. `rows` by role: whose values are told, where the slot
    shows the row that it did."""

    expected: dict[str, Any]
    target: dict[str, Any]
    links: dict[str, RowId | None] = {}
    conflicts: list[Conflict] = []
    rows: dict[str, RowId | None] = {}


class CreateOp(msgspec.Struct):
    """A row on its way to becoming an item: what its cells tell, by field id, and the row of each slot, by role."""

    name: str
    target: dict[str, Any]
    links: dict[str, RowId | None]
    uncarried: list[str] = []


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


def change_op(item: ItemPush, layout: Layout) -> ChangeOp:
    told = {layout.record, *(layout.fields[n].slot for n in item.targets)}
    roles = {layout.slots[place].role: item.base.links[place] for place in sorted(told)}
    return ChangeOp(
        {layout.fields[n].id: _plain(item.state.values[n]) for n in item.targets},
        {layout.fields[n].id: _plain(target) for n, target in item.targets.items()},
        item.moved,
        item.conflicts,
        {role: row for role, row in roles.items() if role not in item.moved},
    )


def create_op(create: ItemCreate, layout: Layout) -> CreateOp:
    return CreateOp(
        create.name,
        {layout.fields[n].id: _plain(target) for n, target in create.targets.items()},
        {slot.role: row for slot, row in zip(layout.slots, create.links, strict=True) if row is not None},
        [layout.fields[n].id for n in sorted(create.uncarried)],
    )


def seen(op: ChangeOp, state: ItemState, layout: Layout) -> Seen:
    """Whether an item shows what was sent, what it showed before, or something else."""
    sent = [n for n, field in enumerate(layout.fields) if field.id in op.target]
    if all(_shows(layout, n, state.values[n], op.target) for n in sent):
        return Seen.DONE
    if all(_shows(layout, n, state.values[n], op.expected) for n in sent):
        return Seen.NOT_DONE
    return Seen.EDITED


def changed_base(op: ChangeOp, before: ItemBase, state: ItemState, layout: Layout, *, waits: bool = False) -> ItemBase:
    """The base after a write that is known to be done: what monday shows now beside what the row held.

    `before` is what was remembered until then. What else changed on monday meanwhile is an edit of somebody's: it
    stands against what was remembered, and the item is looked at again, as it is when something of it `waits`.
    """
    base = before.copy()
    for number, field in enumerate(layout.fields):
        now = state.values[number]
        if field.id in op.target:
            sent = field.load(op.target[field.id])
            base.set_pair(number, now if now is not UNSET else sent, sent)
        elif now is not UNSET and (base.monday[number] is UNSET or edited_on_monday(field, now, base.monday[number])):
            waits = True
    for place, slot in enumerate(layout.slots):
        if slot.role in op.links:
            base.links[place] = op.links[slot.role]
            base.tolerated_links.pop(place, None)
    return _as_of(base, state, layout, waits=waits)


def created_base(op: CreateOp, state: ItemState, layout: Layout, *, late: bool) -> ItemBase:
    """The base of a new item: what monday shows of it beside what the rows held when it was made.

    Right after it was made, what differs is monday's own way of writing it. `late`, somebody may have edited it: what
    differs from what was sent stands as an edit against that.
    """
    links = [op.links.get(slot.role) for slot in layout.slots]
    base = ItemBase(state.board, state.id, state.updated_at, links, state.values, state.values)
    edited = False
    for number, field in enumerate(layout.fields):
        shown = base.monday[number]
        if field.id in op.uncarried:
            base.set_pair(number, shown or None, FORCE)  # not even read, it is empty for all that
        elif field.id in op.target:
            sent = field.load(op.target[field.id])
            by_somebody = late and field.two_way and shown is not UNSET and not same(field, shown, sent)
            base.set_pair(number, sent if by_somebody else shown, sent)
            edited |= by_somebody
    return _as_of(base, state, layout, waits=edited)


def _as_of(base: ItemBase, state: ItemState, layout: Layout, *, waits: bool) -> ItemBase:
    """A base that was settled when the item was as in `state`."""
    base.state, base.missing_count, base.updated_at = "active", 0, state.updated_at
    base.content_hash = None if waits else state.content_hash or ""
    base.count_tolerated(layout)
    return base


def _shows(layout: Layout, number: int, now: FieldValue, values: dict[str, Any]) -> bool:
    field = layout.fields[number]
    return now is not UNSET and same(field, now, field.load(values[field.id]))


def _plain(value: Any) -> Any:
    """A value in the form that `Field.load` takes."""
    return msgspec.to_builtins(None if value is UNSET else value, builtin_types=())
