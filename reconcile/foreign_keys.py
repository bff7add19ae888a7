"""What rows say of each other: foreign keys, the roles of a person, whose policy it is, and whether an item is active.

A foreign key is a field whose monday side is a link. It moves when the link moved; one that a person changed in
PostgreSQL is an edit that waits for the other direction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from models import UNREADABLE, Row, RowId
from reconcile.base import ItemBase
from reconcile.changes import DERIVED, EDITED_ON_MONDAY, FIRST_CONTACT, MONDAY_WON
from reconcile.conflicts import Conflict
from reconcile.database_state import DatabaseState, ItemKey
from reconcile.derived import FOLLOWING, ROLES_COLUMN, Showing, followed, following_slots, has_roles, roles_of
from reconcile.identity import Links
from reconcile.layout import ItemState, Layout
from reconcile.tables import HOMES, SPECS
from reconcile.working_rows import Causes, ItemRows, WorkingRows


@dataclass(frozen=True, slots=True)
class _Pointer:
    """A foreign key column of a slot's row, and the slot of the same item that it points at."""

    column: str
    target: int


def set_foreign_keys(
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    rows: Mapping[ItemKey, ItemRows],
    causes: Causes,
) -> list[Conflict]:
    """Set the foreign keys of the rows of every state, newest state first, and note why; returns what lost."""
    conflicts: list[Conflict] = []
    settled: set[tuple[RowId, str]] = set()
    pointers = {board: _pointers(layout) for board, layout in layouts.items()}
    for state in states:
        item = (state.board, state.id)
        now, base, there = links[item], database.bases.get(item), rows[item]
        for anchor, targets in pointers[state.board]:
            row = there[anchor]
            if row is None:
                continue
            if base is None or base.links[anchor] != now[anchor]:  # first contact fills, and changes nothing
                for pointer in targets:
                    if getattr(row, pointer.column) is not None or there[pointer.target] is None:
                        continue  # it is filled, or a person deleted the row
                    if not settled or (row.id, pointer.column) not in settled:
                        setattr(row, pointer.column, now[pointer.target])
                        if causes.wanted:
                            causes.note(row.id, pointer.column, item, FIRST_CONTACT)
                continue
            for pointer in targets:
                wanted, was, held = now[pointer.target], base.links[pointer.target], getattr(row, pointer.column)
                if wanted in (held, was) or (row.id, pointer.column) in settled:
                    continue  # where only the row differs, a person moved it there: that waits for the other direction
                if wanted is not None and there[pointer.target] is None:
                    continue  # a person deleted the row; the link dangles until the item says something new
                differed = base.tolerated_links if anchor == layouts[state.board].record else {}
                lost = held != was or pointer.target in differed
                if lost:  # which a person made equal since: an edit, too
                    slot = layouts[state.board].slots[anchor]
                    place = (item, slot.role, pointer.column, slot.table, row.id)
                    met = UNSET if pointer.target in differed else was
                    told = Conflict(
                        *place, "monday", wanted, "postgres", held, monday=wanted, postgres=held, agreed=met
                    )
                    conflicts.append(told)
                setattr(row, pointer.column, wanted)
                causes.note(row.id, pointer.column, item, MONDAY_WON if lost else EDITED_ON_MONDAY)
                settled.add((row.id, pointer.column))
    return conflicts


def next_tolerated_links(
    layout: Layout, base: ItemBase | None, links: Links, row: Row | None
) -> dict[int, RowId | None]:
    """`ItemBase.tolerated_links` after the plan, for the record's row as it becomes.

    What differs at first contact is no edit; a foreign key that moved since stands against what it was.
    """
    if row is None:
        return base.tolerated_links if base is not None else {}
    met = base if base is not None and base.links[layout.record] == links[layout.record] else None
    held: dict[int, RowId | None] = {}
    for place, column in layout.pointers:
        points, link = getattr(row, column), links[place]
        if points == link:
            continue
        was = points if met is None else met.tolerated_links.get(place, met.links[place])
        if was != link:
            held[place] = was
    return held


def waits_for_push(layout: Layout, links: Links, rows: ItemRows, held: Mapping[int, RowId | None]) -> bool:
    """Whether a foreign key of the record is an edit that the item does not show yet: a row that was edited while its
    item was away is in step with nobody once the item is back. `held` are its tolerated links as they will be."""
    record = rows[layout.record]
    if record is None:
        return False
    return any(
        points not in (links[place], held.get(place, links[place]))
        and (points is not None or rows[place] is not None)  # a person deleted the row
        for place, column in layout.pointers
        for points in (getattr(record, column),)
    )


def edited_in_postgres(
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    links: Mapping[ItemKey, Links],
    rows: Mapping[ItemKey, ItemRows],
) -> set[RowId]:
    """Rows of which a foreign key points elsewhere than the item says: that waits for the other direction."""
    pointers = {board: _pointers(layout) for board, layout in layouts.items()}
    found: set[RowId] = set()
    for state in states:
        item = (state.board, state.id)
        for anchor, targets in pointers[state.board]:
            row = rows[item][anchor]
            if row is not None and any(
                getattr(row, pointer.column) != links[item][pointer.target] for pointer in targets
            ):
                found.add(row.id)
    return found


def _pointers(layout: Layout) -> list[tuple[int, list[_Pointer]]]:
    """(slot that holds foreign keys, what they point at), for each such slot of an item."""
    found = []
    for anchor, slot in enumerate(layout.slots):
        spec = SPECS[slot.table]
        if slot.table in HOMES and not slot.is_home:
            continue  # it is only chosen here: what it points at is for its own board to say
        targets = [
            _Pointer(other.link, target)
            for target, other in enumerate(layout.slots)
            if other.link is not None and other.link in spec.foreign_keys and other.link not in spec.derived
        ]
        if targets:
            found.append((anchor, targets))
    return found


def assign_policy_customers(
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    working: WorkingRows,
) -> None:
    """`policies.customer_id` is the customer of the linked project with the smallest item id."""
    for table, column in FOLLOWING:
        target = SPECS[table].foreign_keys[column]
        for row_id, (place, beside, state) in _first_items(table, column, states, layouts, links).items():
            row, elsewhere = working.row(table, row_id), database.elsewhere.get(row_id, {})
            if row is None or any(other.first_item < state.id for other in elsewhere.values()):
                continue
            item = (state.board, state.id)
            points_at, base = links[item][beside], database.bases.get(item)
            if working.row(target, points_at) is None:  # a person deleted it; the link dangles until the item says so
                continue
            moved = base is None or (base.links[place], base.links[beside]) != (row_id, points_at)
            setattr(row, column, followed(getattr(row, column), Showing(points_at, moved)))
            if moved:
                working.causes.note(row_id, column, item, DERIVED)


def _first_items(
    table: str,
    column: str,
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    links: Mapping[ItemKey, Links],
) -> dict[RowId, tuple[int, int, ItemState]]:
    """Row → (the slot that shows it, the slot that its foreign key means, the first item that has it there)."""
    places = {board: following_slots(table, column, layout) for board, layout in layouts.items()}
    first: dict[RowId, tuple[int, int, ItemState]] = {}
    for state in states:
        if (found := places[state.board]) is not None:
            place, beside = found
            row = links[state.board, state.id][place]
            if row is not None and (row not in first or state.id < first[row][2].id):
                first[row] = (place, beside, state)
    return first


def recompute_roles(
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    working: WorkingRows,
) -> None:
    """`users.roles` of everybody who gained or lost a slot: sorted, distinct; words that are not ours are kept."""
    ours = {slot.person for layout in layouts.values() for slot in layout.slots if slot.person}
    people = {
        board: [(place, slot.table, str(slot.person)) for place, slot in enumerate(layout.slots) if has_roles(slot)]
        for board, layout in layouts.items()
    }
    holds: dict[RowId, set[str]] = defaultdict(set)
    moved: dict[tuple[str, RowId], ItemKey] = {}
    for state in states:
        item = (state.board, state.id)
        linked, base = links[item], database.bases.get(item)
        for place, table, person in people[state.board]:
            row = linked[place]
            was = base.links[place] if base is not None else None
            if row is not None:
                holds[row].add(person)
                if row != was:
                    moved[table, row] = item
            if was is not None and row != was:
                moved[table, was] = item
    for (table, row_id), item in moved.items():
        record = working.record(table, row_id)
        if record is None or (held := getattr(record, ROLES_COLUMN)) is UNREADABLE:
            continue
        others = {role.partition(":")[2] for role in database.elsewhere.get(row_id, {})}
        roles = roles_of(held, holds[row_id] | others, ours, has_item=record.monday_item_id is not None)
        setattr(record, ROLES_COLUMN, roles)
        working.causes.note(row_id, ROLES_COLUMN, item, DERIVED)


def set_item_ids(
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    working: WorkingRows,
) -> None:
    """`monday_item_id` of projects and staff, and `archived_at` cleared: an item that is on its board is active."""
    records = {board: (layout.record, layout.slots[layout.record].table) for board, layout in layouts.items()}
    for state in sorted(states, key=lambda state: state.id):
        place, table = records[state.board]
        item = (state.board, state.id)
        base, note = database.bases.get(item), working.causes.note
        row = working.record(table, links[item][place])
        was = working.record(table, base.links[place]) if base is not None else None
        if was is not None and was is not row and was.monday_item_id == state.id:
            was.monday_item_id = other_item_of(state.board, layouts[state.board], was.id, database, links)
            note(was.id, "monday_item_id", item, DERIVED)
        if row is None:
            continue
        if row.monday_item_id is None:
            row.monday_item_id = state.id
            note(row.id, "monday_item_id", item, FIRST_CONTACT)
        elif row.archived_at is UNREADABLE:
            continue
        elif row.archived_at is not None:  # its item is gone, and this one may have come in its stead
            other = other_item_of(state.board, layouts[state.board], row.id, database, links)
            row.monday_item_id = other or row.monday_item_id
            note(row.id, "monday_item_id", item, DERIVED)
        if row.monday_item_id == state.id and row.archived_at is not UNREADABLE:
            row.archived_at = None
            note(row.id, "archived_at", item, EDITED_ON_MONDAY)


def other_item_of(
    board: str, layout: Layout, row: RowId, database: DatabaseState, links: Mapping[ItemKey, Links]
) -> int | None:
    """Of two staff items of one person the other one, when the item that the row stood for is gone; None for projects,
    which no two items share.
    """
    slot = layout.slots[layout.record]
    if not slot.is_home:
        return None
    items = [item_id for (name, item_id), linked in links.items() if name == board and linked[layout.record] == row]
    if elsewhere := database.elsewhere.get(row, {}).get(slot.role):
        items.append(elsewhere.first_item)
    return min(items, default=None)
