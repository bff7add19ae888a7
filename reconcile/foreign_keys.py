"""What rows say of each other: foreign keys, the roles of a person, whose policy it is, and whether an item is active.

A foreign key is a field whose monday side is a link. It moves when the link moved; one that a person changed in
PostgreSQL is an edit that waits for the other direction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from models import UNREADABLE, RowId
from reconcile.base import ItemBase
from reconcile.changes import DERIVED, EDITED_ON_MONDAY, FIRST_CONTACT, MONDAY_WON
from reconcile.conflicts import Conflict
from reconcile.database_state import DatabaseState, ItemKey
from reconcile.identity import Links
from reconcile.layout import STAFF_ROLE, ItemState, Layout
from reconcile.tables import SPECS
from reconcile.working_rows import POSITION, Causes, ItemRows, WorkingRows


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
    causes: Causes,
) -> list[Conflict]:
    """Set the foreign keys of the rows of every view, newest view first, and note why; returns what lost."""
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
                        if causes.wanted:
                            causes.note(row[0], pointer.column, item, FIRST_CONTACT)
                continue
            for pointer in targets:
                wanted, was, held = now[pointer.target], stored.links[pointer.target], row[pointer.place]
                if wanted in (held, was) or (row[0], pointer.column) in settled:
                    continue  # where only the row differs, a person moved it there: that waits for the other direction
                if wanted is not None and there[pointer.target] is None:
                    continue  # a person deleted the row; the link dangles until the item says something new
                differed = stored.tolerated_links if anchor == layouts[view.board].record else {}
                lost = held != was or pointer.target in differed
                if lost:  # which a person made equal since: an edit, too
                    slot = layouts[view.board].slots[anchor]
                    place = (item, slot.role, pointer.column, slot.table, row[0])
                    met = UNSET if pointer.target in differed else was
                    told = Conflict(
                        *place, "monday", wanted, "postgres", held, monday=wanted, postgres=held, agreed=met
                    )
                    conflicts.append(told)
                row[pointer.place] = wanted
                causes.note(row[0], pointer.column, item, MONDAY_WON if lost else EDITED_ON_MONDAY)
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
    number = {slot.role: place for place, slot in enumerate(layout.slots)}
    found = []
    for anchor, slot in enumerate(layout.slots):
        roles: Iterable[str] = ()
        if slot.table == "projects":
            roles = [other.role for other in layout.slots if other.link in POSITION["projects"]]
        elif slot.table != "users" or slot.role == STAFF_ROLE:
            roles = [role for role in SPECS[slot.table].points_at if role in number]
        targets = [
            _Pointer(str(other.link), POSITION[slot.table][str(other.link)], number[other.role])
            for other in (layout.slots[number[role]] for role in roles)
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
    roles = {slot.role: place for place, slot in enumerate(layouts["master"].slots)} if "master" in layouts else {}
    if "policy" not in roles or "customer" not in roles:
        return
    column = POSITION["policies"]["customer_id"]
    first: dict[RowId, ItemState] = {}
    for view in views:
        policy = links[view.board, view.id][roles["policy"]] if view.board == "master" else None
        if policy is not None and (policy not in first or view.id < first[policy].id):
            first[policy] = view
    for policy, view in first.items():
        row = hub.row("policies", policy)
        elsewhere = world.elsewhere.get(policy, {})
        if row is None or any(other.first_item < view.id for other in elsewhere.values()):
            continue
        item = (view.board, view.id)
        customer, stored = links[item][roles["customer"]], world.bases.get(item)
        unmoved = (
            stored is not None
            and stored.links[roles["policy"]] == policy
            and stored.links[roles["customer"]] == customer
        )
        if not unmoved and hub.row("customers", customer) is not None:
            row[column] = customer
            hub.causes.note(policy, "customer_id", item, DERIVED)


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
        board: [(place, slot.person) for place, slot in enumerate(layout.slots) if slot.person]
        for board, layout in layouts.items()
    }
    holds: dict[RowId, set[str]] = defaultdict(set)
    moved: dict[RowId, ItemKey] = {}
    for view in views:
        item = (view.board, view.id)
        linked, stored = links[item], world.bases.get(item)
        for place, person in people[view.board]:
            row = linked[place]
            was = stored.links[place] if stored is not None else None
            if row is not None:
                holds[row].add(person)
                if row != was:
                    moved[row] = item
            if was is not None and row != was:
                moved[was] = item
    column, item_at = POSITION["users"]["roles"], POSITION["users"]["monday_item_id"]
    staff = STAFF_ROLE.partition(":")[2]
    for row_id, item in moved.items():
        user = hub.row("users", row_id)
        if user is None or user[column] is UNREADABLE:
            continue
        others = {role.partition(":")[2] for role in world.elsewhere.get(row_id, {})}
        waits = {staff} if user[item_at] is None else set()  # a person who is to become an item of the staff board
        user[column] = sorted((set(user[column] or ()) - (ours - waits)) | holds[row_id] | others) or None
        hub.causes.note(row_id, "roles", item, DERIVED)


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
        item_at, archived_at = POSITION[table]["monday_item_id"], POSITION[table]["archived_at"]
        item = (view.board, view.id)
        stored, note = world.bases.get(item), hub.causes.note
        row = hub.row(table, links[item][place])
        was = hub.row(table, stored.links[place]) if stored is not None else None
        if was is not None and was is not row and was[item_at] == view.id:
            was[item_at] = other_item_of(view.board, layouts[view.board], was[0], world, links)
            note(was[0], "monday_item_id", item, DERIVED)
        if row is None:
            continue
        if row[item_at] is None:
            row[item_at] = view.id
            note(row[0], "monday_item_id", item, FIRST_CONTACT)
        elif row[archived_at] is UNREADABLE:
            continue
        elif row[archived_at] is not None:  # its item is gone, and this one may have come in its stead
            row[item_at] = other_item_of(view.board, layouts[view.board], row[0], world, links) or row[item_at]
            note(row[0], "monday_item_id", item, DERIVED)
        if row[item_at] == view.id and row[archived_at] is not UNREADABLE:
            row[archived_at] = None
            note(row[0], "archived_at", item, EDITED_ON_MONDAY)


def other_item_of(
    board: str, layout: Layout, row: RowId, world: DatabaseState, links: Mapping[ItemKey, Links]
) -> int | None:
    """Of two staff items of one person the other one, when the item that the row stood for is gone; None for projects,
    which no two items share.
    """
    slot = layout.slots[layout.record]
    if slot.role != STAFF_ROLE:
        return None
    items = [item_id for (name, item_id), linked in links.items() if name == board and linked[layout.record] == row]
    if elsewhere := world.elsewhere.get(row, {}).get(slot.role):
        items.append(elsewhere.first_item)
    return min(items, default=None)
