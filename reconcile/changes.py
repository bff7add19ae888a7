"""What a run writes, change by change: where, what was there before, what is there after, and why. One type for both
directions, which is printed, saved, compared and recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET

from models import RowId
from reconcile.columns import ColumnMap
from reconcile.database_state import ItemKey
from reconcile.tables import SPECS, TABLES

if TYPE_CHECKING:
    from reconcile.base import ItemBase
    from reconcile.journal_ops import ChangeOp
    from reconcile.layout import Field, Layout
    from reconcile.plan_pull import Plan, Update
    from reconcile.push_plan import ItemPush, Push

Side = Literal["monday", "postgres"]
Action = Literal["insert", "create", "update", "archive", "restore"]

EDITED_ON_MONDAY: Final = "edited on monday"
EDITED_IN_POSTGRES: Final = "edited in PostgreSQL"
FIRST_CONTACT: Final = "first contact"
MONDAY_WON: Final = "conflict, monday won"
POSTGRES_WON: Final = "conflict, PostgreSQL won"
DERIVED: Final = "derived"


class Address(msgspec.Struct, frozen=True, gc=False):
    """Where something is written. None stands for what there is not."""

    wrote: Side
    """The side that is written."""
    board: str | None
    item: int | None
    """The item that caused it, or that is written; None for a new one that has no id yet."""
    table: str | None
    row: RowId | None
    field: str | None = None
    """`table.column`; None for a whole row or item."""
    column: str | None = None
    """monday's column: the one that is written, or that the value comes from."""


class Change(msgspec.Struct, frozen=True):
    """One value that changes, or one row or item as a whole, of which `before` and `after` are None.

    They are the values of a row's column where PostgreSQL is written, and where monday is, the values of a cell. A
    foreign key that an item is to show anew is one too: its cells, of the other row, stand beside it. `reason` is for
    people: nothing is decided by it.
    """

    address: Address
    action: Action
    before: Any
    after: Any
    reason: str

    @property
    def is_cell(self) -> bool:
        """Whether it is a cell of monday's that is given a value."""
        return self.address.wrote == "monday" and self.address.column is not None


class Cause(NamedTuple):
    """Why a field of a row changes: the item that says so, and the first of the cells that do."""

    item: ItemKey | None
    reason: str
    column: str | None = None


# Of a pull ------------------------------------------------------------------------------------------------------------


def pull_changes(
    plan: Plan,
    layouts: Mapping[str, Layout],
    updates: Mapping[str, Sequence[Update]] | None = None,
    absent: Collection[RowId] = (),
) -> Iterator[Change]:
    """Columns that change, then new rows, each by table and row. `updates` and `absent` say what became of a plan that
    was carried out: the changes as they landed, and the new rows that did not."""
    for table in TABLES:
        yield from _row_changes(plan, layouts, table, plan.updates[table] if updates is None else updates[table])
    for table in TABLES:
        rows = plan.inserts[table]
        shown = _shown_by(plan, layouts, table) if rows else {}
        for row in rows:
            if row.id in absent:
                continue
            item = shown.get(row.id)
            reason = EDITED_ON_MONDAY if item in plan.known_items else FIRST_CONTACT
            yield Change(_row(item, table, row.id), "insert", None, None, reason)


def count_pull_changes(plan: Plan) -> int:
    """How many `pull_changes` gives."""
    updates = (update for of_table in plan.updates.values() for update in of_table)
    return sum(len(update.changes) for update in updates) + sum(map(len, plan.inserts.values()))


def _row_changes(plan: Plan, layouts: Mapping[str, Layout], table: str, updates: Sequence[Update]) -> Iterator[Change]:
    shown: Mapping[RowId, ItemKey] | None = None
    whole = SPECS[table].joint
    joint = whole.columns if whole is not None else ()
    for update in updates:
        for column, (before, after) in update.changes.items():
            cause = plan.causes.get((update.id, joint[0] if column in joint else column))
            if cause is None:
                shown = _shown_by(plan, layouts, table) if shown is None else shown
                cause = Cause(shown.get(update.id), DERIVED)
            address = _row(cause.item, table, update.id, f"{table}.{column}", cause.column)
            yield Change(address, _action(column, after), before, after, cause.reason)


def _row(item: ItemKey | None, table: str, row: RowId, field: str | None = None, column: str | None = None) -> Address:
    board, item_id = (None, None) if item is None else item
    return Address("postgres", board, item_id, table, row, field, column)


def _action(column: str, after: Any) -> Action:
    if column != "archived_at":
        return "update"
    return "restore" if after is None else "archive"


def _shown_by(plan: Plan, layouts: Mapping[str, Layout], table: str) -> dict[RowId, ItemKey]:
    """The first item that shows a row, for each row of a table that one of the plan's items shows."""
    places = {
        board: [place for place, slot in enumerate(layout.slots) if slot.table == table]
        for board, layout in layouts.items()
    }
    return {
        row: item.key
        for item in reversed(plan.items)
        for place in places.get(item.board, ())
        if (row := item.links[place]) is not None
    }


# Of a push ------------------------------------------------------------------------------------------------------------


def push_changes(push: Push, layouts: Mapping[str, Layout]) -> Iterator[Change]:
    """What is written to PostgreSQL first: columns that follow from an edit of another one, and ids of items that were
    there. Then what monday is given, by item and column, new items, and items that go."""
    shown_by = {
        row: (item.board, item.id) for item in reversed(push.items) for row in item.base.links if row is not None
    }
    yield from derived_changes(push.completed, shown_by)
    for (board, row), item_id in sorted(push.linked.items()):
        yield linked_change(layouts[board], row, item_id)
    for item in push.items:
        yield from item_changes(item, layouts[item.board])
    for create in push.creates:
        yield created_change(layouts[create.board], create.row)
    for board, item_id in push.archives:
        yield archived_change(layouts[board], item_id)


def derived_changes(updates: Mapping[str, Sequence[Update]], items: Mapping[RowId, ItemKey]) -> Iterator[Change]:
    """Columns of rows, by table, that follow from an edit elsewhere. `items` has an item that shows a row."""
    for table, of_table in updates.items():
        for update in of_table:
            for column, (before, after) in update.changes.items():
                address = _row(items.get(update.id), table, update.id, f"{table}.{column}")
                yield Change(address, "update", before, after, DERIVED)


def linked_change(layout: Layout, row: RowId, item_id: int) -> Change:
    """A row gets the id of an item that was made of it before."""
    table = _record_table(layout)
    address = _row((layout.board, item_id), table, row, f"{table}.monday_item_id")
    return Change(address, "update", None, item_id, DERIVED)


def created_change(layout: Layout, row: RowId, item_id: int | None = None) -> Change:
    """A row becomes an item."""
    address = Address("monday", layout.board, item_id, _record_table(layout), row)
    return Change(address, "create", None, None, EDITED_IN_POSTGRES)


def archived_change(layout: Layout, item_id: int) -> Change:
    """An item goes, since its row was deleted."""
    address = Address("monday", layout.board, item_id, _record_table(layout), None)
    return Change(address, "archive", None, None, EDITED_IN_POSTGRES)


def item_changes(item: ItemPush, layout: Layout) -> Iterator[Change]:
    """What an item is given: slots that show another row from then on, then cells by column."""
    shows = {number: item.state.values[number] for number in item.targets}
    lost = {conflict.field for conflict in item.conflicts}
    moved = {role: (item.left[role], row) for role, row in item.moved.items()}
    return _item_changes(layout, item.id, shows, item.targets, item.base.links, moved, lost)


def op_changes(op: ChangeOp, before: ItemBase, layout: Layout) -> Iterator[Change]:
    """The same of an item that the journal kept; `before` is what is remembered of it."""
    numbers = {field.id: number for number, field in enumerate(layout.fields)}
    shows, targets = (
        {numbers[name]: layout.fields[numbers[name]].load(raw) for name, raw in values.items() if name in numbers}
        for values in (op.expected, op.target)
    )
    told = op.rows | op.links
    links = [told.get(slot.role, link) for slot, link in zip(layout.slots, before.links, strict=True)]
    was = {slot.role: link for slot, link in zip(layout.slots, before.links, strict=True)}
    moved = {role: (was[role], row) for role, row in op.links.items() if role in was}
    return _item_changes(layout, before.id, shows, targets, links, moved, {lost.field for lost in op.conflicts})


def _item_changes(
    layout: Layout,
    item_id: int,
    shows: Mapping[int, Any],
    targets: Mapping[int, Any],
    links: Sequence[RowId | None],
    moved: Mapping[str, tuple[RowId | None, RowId | None]],
    lost: Collection[str],
) -> Iterator[Change]:
    """`shows` and `targets` by number of the field: what its cells say, and what they are given. `moved`: the row of a
    slot before and after; `lost`: ids of fields that were edited on monday too."""
    record = layout.slots[layout.record]
    for slot in layout.slots:
        if slot.role in moved:
            before, after = moved[slot.role]
            place = Address(
                "monday", layout.board, item_id, record.table, links[layout.record], f"{record.table}.{slot.link}"
            )
            won = any(layout.fields[number].id in lost for number in slot.fields)
            yield Change(place, "update", before, after, _pushed(won))
    cells: list[tuple[str, int, Any, Any]] = []
    for number, target in targets.items():
        field = layout.fields[number]
        edits = zip(field.cells, _cells(field, shows[number]), _cells(field, target), strict=True)
        cells += [
            (column, number, before, after)
            for column, before, after in edits
            if field.codec.compare_key(before) != field.codec.compare_key(after)
        ]
    for column, number, before, after in sorted(cells, key=lambda cell: cell[:2]):
        field = layout.fields[number]
        table = layout.slots[field.slot].table
        place = Address(
            "monday", layout.board, item_id, table, links[field.slot], f"{table}.{field.columns[0]}", column
        )
        yield Change(place, "update", before, after, _pushed(field.id in lost))


def _cells(field: Field, value: Any) -> tuple[Any, ...]:
    return field.to_cells(None if value is UNSET else value)


def _pushed(won: bool) -> str:
    return POSTGRES_WON if won else EDITED_IN_POSTGRES


def _record_table(layout: Layout) -> str:
    return layout.slots[layout.record].table


# As it is kept --------------------------------------------------------------------------------------------------------

_TYPES: Final = {
    f"{table}.{column.name}": column.type for table, model in TABLES.items() for column in msgspec.structs.fields(model)
}


def to_json(value: Any) -> str | None:
    """A value of a change as JSON text; None for an empty one. An amount is a string, like a day or an instant.

    >>> to_json("Ann"), to_json(["Estimator"]), to_json(None)
    ('"Ann"', '["Estimator"]', None)
    """
    return None if value is None else msgspec.json.encode(value).decode()


def from_json(address: Address, text: str | None, columns: ColumnMap) -> Any:
    """The value of a change as it was, by where it stood. `columns` is the mapping of its board."""
    if text is None or address.field is None:
        return None
    raw = msgspec.json.decode(text)
    if address.wrote == "postgres":
        return msgspec.convert(raw, _TYPES[address.field])
    column = columns.get(address.column) if address.column is not None else None
    return raw if column is None else column.codec.load(raw)
