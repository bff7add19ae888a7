"""What rows say of each other: foreign keys, the roles of a person, whose policy it is, and whether an item is active.

A foreign key is a field whose monday side is a link. It moves when the link moved; one that a person changed in
PostgreSQL is an edit that waits for the other direction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from models import UNREADABLE, RowId
from reconcile.base import ItemBase
from reconcile.conflicts import Conflict
from reconcile.database_state import DatabaseState, ItemKey
from reconcile.derived import FOLLOWING, ROLES_COLUMN, Showing, followed, following_slots, has_roles, roles_of
from reconcile.identity import Links
from reconcile.layout import ItemState, Layout
from reconcile.tables import ARCHIVED_AT, HOMES, ITEM_ID, SPECS
from reconcile.working_rows import POSITION, ItemRows, WorkingRows


@dataclass(frozen=True, slots=True)
class _Pointer:
    """A foreign key column of a slot's row, and the slot of the same item that it points at."""

    column: str
    place: int
    target: int


def set_foreign_keys(
    views: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    world: DatabaseState,
    links: Mapping[ItemKey, Links],
    rows: Mapping[ItemKey, ItemRows],
) -> list[Conflict]:
    """Set the foreign keys of the rows of every view, newest view first; returns what lost."""
    conflicts: list[Conflict] = []
    settled: set[tuple[RowId, str]] = set()
    pointers = {board: _pointers(layout) for board, layout in layouts.items()}
    for view in views:
        item = (view.board, view.id)
        now, stored, there = links[item], world.bases.get(item), rows[item]
        for anchor, targets in pointers[view.board]:
            row = there[anchor]
            if row is None:
                continue
            if stored is None or stored.links[anchor] != now[anchor]:  # first contact fills, and changes nothing
                for pointer in targets:
                    if row[pointer.place] is not None or there[pointer.target] is None:  # a person deleted the row
                        continue
                    if not settled or (row[0], pointer.column) not in settled:
                        row[pointer.place] = now[pointer.target]
                continue
            for pointer in targets:
                wanted, was, held = now[pointer.target], stored.links[pointer.target], row[pointer.place]
                if wanted in (held, was) or (row[0], pointer.column) in settled:
                    continue  # where only the row differs, a person moved it there: that waits for the other direction
                if wanted is not None and there[pointer.target] is None:
                    continue  # a person deleted the row; the link dangles until the item says something new
                differed = stored.tolerated_links if anchor == layouts[view.board].record else {}
                if held != was or pointer.target in differed:  # which a person made equal since: an edit, too
                    slot = layouts[view.board].slots[anchor]
                    place = (item, slot.role, pointer.column, slot.table, row[0])
                    met = UNSET if pointer.target in differed else was
                    told = Conflict(
                        *place, "monday", wanted, "postgres", held, monday=wanted, postgres=held, agreed=met
                    )
                    conflicts.append(told)
                row[pointer.place] = wanted
                settled.add((row[0], pointer.column))
    return conflicts


def next_tolerated_links(
    layout: Layout, stored: ItemBase | None, links: Links, row: Sequence[Any] | None
) -> dict[int, RowId | None]:
    """`ItemBase.tolerated_links` after the plan, for the record's row as it becomes.

    What differs at first contact is no edit; a foreign key that moved since stands against what it was.
    """
    if row is None:
        return stored.tolerated_links if stored is not None else {}
    met = stored if stored is not None and stored.links[layout.record] == links[layout.record] else None
    held: dict[int, RowId | None] = {}
    for place, at in layout.pointers:
        points, link = row[at], links[place]
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
        record[at] not in (links[place], held.get(place, links[place]))
        and (record[at] is not None or rows[place] is not None)  # a person deleted the row
        for place, at in layout.pointers
    )


def edited_in_postgres(
    views: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    links: Mapping[ItemKey, Links],
    rows: Mapping[ItemKey, ItemRows],
) -> set[RowId]:
    """Rows of which a foreign key points elsewhere than the item says: that waits for the other direction."""
    pointers = {board: _pointers(layout) for board, layout in layouts.items()}
    found: set[RowId] = set()
    for view in views:
        item = (view.board, view.id)
        for anchor, targets in pointers[view.board]:
            row = rows[item][anchor]
            if row is not None and any(row[pointer.place] != links[item][pointer.target] for pointer in targets):
                found.add(row[0])
    return found


def _pointers(layout: Layout) -> list[tuple[int, list[_Pointer]]]:
    """(slot that holds foreign keys, what they point at), for each such slot of an item."""
    found = []
    for anchor, slot in enumerate(layout.slots):
        spec = SPECS[slot.table]
        if slot.table in HOMES and not slot.is_home:
            continue  # it is only chosen here: what it points at is for its own board to say
        targets = [
            _Pointer(other.link, POSITION[slot.table][other.link], target)
            for target, other in enumerate(layout.slots)
            if other.link is not None and other.link in spec.foreign_keys and other.link not in spec.derived
        ]
        if targets:
            found.append((anchor, targets))
    return found


def assign_policy_customers(
    views: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    world: DatabaseState,
    links: Mapping[ItemKey, Links],
    hub: WorkingRows,
) -> None:
    """`policies.customer_id` is the customer of the linked project with the smallest item id."""
    for table, column in FOLLOWING:
        at, target = POSITION[table][column], SPECS[table].foreign_keys[column]
        for row_id, (place, beside, view) in _first_items(table, column, views, layouts, links).items():
            row, elsewhere = hub.row(table, row_id), world.elsewhere.get(row_id, {})
            if row is None or any(other.first_item < view.id for other in elsewhere.values()):
                continue
            item = (view.board, view.id)
            points_at, stored = links[item][beside], world.bases.get(item)
            if hub.row(target, points_at) is None:  # a person deleted it; the link dangles until the item says so
                continue
            moved = stored is None or (stored.links[place], stored.links[beside]) != (row_id, points_at)
            row[at] = followed(row[at], Showing(points_at, moved))


def _first_items(
    table: str,
    column: str,
    views: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    links: Mapping[ItemKey, Links],
) -> dict[RowId, tuple[int, int, ItemState]]:
    """Row → (the slot that shows it, the slot that its foreign key means, the first item that has it there)."""
    places = {board: following_slots(table, column, layout) for board, layout in layouts.items()}
    first: dict[RowId, tuple[int, int, ItemState]] = {}
    for view in views:
        if (found := places[view.board]) is not None:
            place, beside = found
            row = links[view.board, view.id][place]
            if row is not None and (row not in first or view.id < first[row][2].id):
                first[row] = (place, beside, view)
    return first


def recompute_roles(
    views: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    world: DatabaseState,
    links: Mapping[ItemKey, Links],
    hub: WorkingRows,
) -> None:
    """`users.roles` of everybody who gained or lost a slot: sorted, distinct; words that are not ours are kept."""
    ours = {slot.person for layout in layouts.values() for slot in layout.slots if slot.person}
    people = {
        board: [(place, slot.table, str(slot.person)) for place, slot in enumerate(layout.slots) if has_roles(slot)]
        for board, layout in layouts.items()
    }
    holds: dict[RowId, set[str]] = defaultdict(set)
    moved: set[tuple[str, RowId]] = set()
    for view in views:
        item = (view.board, view.id)
        linked, stored = links[item], world.bases.get(item)
        for place, table, person in people[view.board]:
            row = linked[place]
            was = stored.links[place] if stored is not None else None
            if row is not None:
                holds[row].add(person)
                if row != was:
                    moved.add((table, row))
            if was is not None and row != was:
                moved.add((table, was))
    for table, row_id in moved:
        user = hub.row(table, row_id)
        column, item_at = POSITION[table][ROLES_COLUMN], POSITION[table][ITEM_ID]
        if user is None or user[column] is UNREADABLE:
            continue
        others = {role.partition(":")[2] for role in world.elsewhere.get(row_id, {})}
        user[column] = roles_of(user[column], holds[row_id] | others, ours, has_item=user[item_at] is not None)


def set_item_ids(
    views: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    world: DatabaseState,
    links: Mapping[ItemKey, Links],
    hub: WorkingRows,
) -> None:
    """`monday_item_id` of projects and staff, and `archived_at` cleared: an item that is on its board is active."""
    records = {board: (layout.record, layout.slots[layout.record].table) for board, layout in layouts.items()}
    for view in sorted(views, key=lambda view: view.id):
        place, table = records[view.board]
        item_at, archived_at = POSITION[table][ITEM_ID], POSITION[table][ARCHIVED_AT]
        stored = world.bases.get((view.board, view.id))
        row = hub.row(table, links[view.board, view.id][place])
        was = hub.row(table, stored.links[place]) if stored is not None else None
        if was is not None and was is not row and was[item_at] == view.id:
            was[item_at] = other_item_of(view.board, layouts[view.board], was[0], world, links)
        if row is None:
            continue
        if row[item_at] is None:
            row[item_at] = view.id
        elif row[archived_at] is UNREADABLE:
            continue
        elif row[archived_at] is not None:  # its item is gone, and this one may have come in its stead
            row[item_at] = other_item_of(view.board, layouts[view.board], row[0], world, links) or row[item_at]
        if row[item_at] == view.id and row[archived_at] is not UNREADABLE:
            row[archived_at] = None


def other_item_of(
    board: str, layout: Layout, row: RowId, world: DatabaseState, links: Mapping[ItemKey, Links]
) -> int | None:
    """Of two staff items of one person the other one, when the item that the row stood for is gone; None for projects,
    which no two items share.
    """
    slot = layout.slots[layout.record]
    if not slot.is_home:
        return None
    items = [item_id for (name, item_id), linked in links.items() if name == board and linked[layout.record] == row]
    if elsewhere := world.elsewhere.get(row, {}).get(slot.role):
        items.append(elsewhere.first_item)
    return min(items, default=None)
