"""What rows say of each other: foreign keys, the roles of a person, whose policy it is, and whether an item is active.

A foreign key is a field whose monday side is a link. It moves when the link moved; one that a person changed in
PostgreSQL is an edit that waits for the other direction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import UNSET

from models import UNREADABLE, Policy, Project, Row, RowId, Unreadable, User
from reconcile.changes import DERIVED, EDITED_ON_MONDAY, FIRST_CONTACT, MONDAY_WON
from reconcile.database_state import DatabaseState
from reconcile.layout import STAFF_ROLE, Layout
from reconcile.tables import SPECS
from reconcile.types import Conflict, ItemBase, ItemKey, ItemState, Links, Slot
from reconcile.working_rows import Causes, ItemRows, WorkingRows


def set_foreign_keys(
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    rows: Mapping[ItemKey, ItemRows],
    causes: Causes,
) -> list[Conflict]:
    """Set the foreign keys of the rows of every item, newest state first, and note why; returns what lost."""
    conflicts: list[Conflict] = []
    settled: set[tuple[RowId, str]] = set()
    referencing = {board: _referencing(layout) for board, layout in layouts.items()}
    for state in states:
        item = state.item
        base, now, there = database.bases.get(item), links[item], rows[item]
        for slot, targets in referencing[state.board]:
            row = there[slot]
            if row is None:
                continue
            if base is None or base.links[slot] != now[slot]:  # first contact fills, and changes nothing
                for column, target in targets:
                    if getattr(row, column) is not None or there[target] is None:
                        continue  # it is filled, or a person deleted the row
                    if not settled or (row.id, column) not in settled:
                        setattr(row, column, now[target])
                        if causes.wanted:
                            causes.note(row.id, column, item, FIRST_CONTACT)
                continue
            tolerated = base.tolerated_links if slot == layouts[state.board].record else {}
            for column, target in targets:
                monday, before, postgres = now[target], base.links[target], getattr(row, column)
                if monday in (postgres, before) or (row.id, column) in settled:
                    continue  # where only the row differs, a person moved it there: that waits for the other direction
                if monday is not None and there[target] is None:
                    continue  # a person deleted the row; the link dangles until the item shows something new
                lost = postgres != before or target.role in tolerated
                if lost:  # which a person made equal since: an edit, too
                    conflicts.append(
                        Conflict(
                            item,
                            slot.role,
                            column,
                            slot.table,
                            row.id,
                            kept_from="monday",
                            kept=monday,
                            lost_from="postgres",
                            lost=postgres,
                            monday=monday,
                            postgres=postgres,
                            agreed=UNSET if target.role in tolerated else before,
                        )
                    )
                setattr(row, column, monday)
                causes.note(row.id, column, item, MONDAY_WON if lost else EDITED_ON_MONDAY)
                settled.add((row.id, column))
    return conflicts


def next_tolerated_links(
    layout: Layout, base: ItemBase | None, links: Links, record: Row | None
) -> dict[str, RowId | None]:
    """`ItemBase.tolerated_links` after the plan, for the record's row as it becomes.

    What differs at first contact is no edit; a foreign key that moved since stands against what it was.
    """
    if record is None:
        return base.tolerated_links if base is not None else {}
    before = base if base is not None and base.links[layout.record] == links[layout.record] else None
    tolerated: dict[str, RowId | None] = {}
    for slot, postgres, link in _moved(layout, links, record):
        known = postgres if before is None else before.tolerated_links.get(slot.role, before.links[slot])
        if known != link:
            tolerated[slot.role] = known
    return tolerated


def waits_for_push(layout: Layout, links: Links, rows: ItemRows, tolerated: Mapping[str, RowId | None]) -> bool:
    """Whether a foreign key of the record is an edit that the item does not show yet: where the row was edited while
    its item was away, nobody else notices once the item is back. `tolerated` are its tolerated links as they will be.
    """
    record = rows[layout.record]
    if record is None:
        return False
    return any(
        postgres != tolerated.get(slot.role, link)
        and (postgres is not None or rows[slot] is not None)  # a person deleted the row
        for slot, postgres, link in _moved(layout, links, record)
    )


def _moved(layout: Layout, links: Links, record: Row) -> list[tuple[Slot, RowId | None, RowId | None]]:
    """(slot, foreign key, link) where the record's foreign key does not point at the slot's row."""
    return [
        (slot, postgres, link)
        for slot in layout.referenced
        if (postgres := foreign_key(record, slot)) != (link := links[slot])
    ]


def edited_in_postgres(
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    links: Mapping[ItemKey, Links],
    rows: Mapping[ItemKey, ItemRows],
) -> set[RowId]:
    """Rows of which a foreign key points elsewhere than the item shows: that waits for the other direction."""
    referencing = {board: _referencing(layout) for board, layout in layouts.items()}
    found: set[RowId] = set()
    for state in states:
        for slot, targets in referencing[state.board]:
            row = rows[state.item][slot]
            if row is not None and any(getattr(row, column) != links[state.item][target] for column, target in targets):
                found.add(row.id)
    return found


def foreign_key(row: Row, slot: Slot) -> RowId | None:
    """What a row points at, in the column that is for the row of this slot of its item."""
    points: RowId | None = getattr(row, slot.link or "")
    return points


def _referencing(layout: Layout) -> list[tuple[Slot, list[tuple[str, Slot]]]]:
    """Each slot whose row has foreign keys to rows of its item: (column, the slot of the row that it points at)."""
    found = []
    for slot in layout.slots:
        targets: Iterable[Slot] = ()
        if slot.table == "projects":
            targets = [other for other in layout.slots if other.link in Project.__struct_fields__]
        elif slot.table != "users" or slot.role == STAFF_ROLE:
            targets = [layout.by_role[role] for role in SPECS[slot.table].points_at if role in layout.by_role]
        if keys := [(str(target.link), target) for target in targets]:
            found.append((slot, keys))
    return found


def assign_policy_customers(
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    working: WorkingRows,
) -> None:
    """`policies.customer_id` is the customer of the linked project with the smallest item id."""
    slots = layouts["master"].by_role if "master" in layouts else {}
    if "policy" not in slots or "customer" not in slots:
        return
    policy_slot, customer_slot = slots["policy"], slots["customer"]
    first: dict[RowId, ItemState] = {}
    for state in states:
        policy = links[state.item][policy_slot] if state.board == "master" else None
        if policy is not None and (policy not in first or state.id < first[policy].id):
            first[policy] = state
    for policy, state in first.items():
        row = working.row("policies", policy)
        elsewhere = database.elsewhere.get(policy, {})
        if not isinstance(row, Policy) or any(other.first_item < state.id for other in elsewhere.values()):
            continue
        customer, base = links[state.item][customer_slot], database.bases.get(state.item)
        unmoved = base is not None and (base.links[policy_slot], base.links[customer_slot]) == (policy, customer)
        if not unmoved and working.row("customers", customer) is not None:
            row.customer_id = customer
            working.causes.note(policy, "customer_id", state.item, DERIVED)


def recompute_roles(
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    working: WorkingRows,
) -> None:
    """`users.roles` of everybody who gained or lost a slot: sorted, distinct; words that are not ours are kept."""
    ours = {slot.person for layout in layouts.values() for slot in layout.slots if slot.person}
    people = {board: [(slot, slot.person) for slot in layout.slots if slot.person] for board, layout in layouts.items()}
    holds: dict[RowId, set[str]] = defaultdict(set)
    moved: dict[RowId, ItemKey] = {}
    for state in states:
        item = state.item
        linked, base = links[item], database.bases.get(item)
        for slot, person in people[state.board]:
            row = linked[slot]
            was = base.links[slot] if base is not None else None
            if row is not None:
                holds[row].add(person)
                if row != was:
                    moved[row] = item
            if was is not None and row != was:
                moved[was] = item
    staff = STAFF_ROLE.partition(":")[2]
    for row_id, item in moved.items():
        user = working.row("users", row_id)
        if not isinstance(user, User) or isinstance(user.roles, Unreadable):
            continue
        others = {role.partition(":")[2] for role in database.elsewhere.get(row_id, {})}
        waits = {staff} if user.monday_item_id is None else set()  # who is to become an item of the staff board
        user.roles = sorted((set(user.roles or ()) - (ours - waits)) | holds[row_id] | others) or None
        working.causes.note(row_id, "roles", item, DERIVED)


def set_item_ids(
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    working: WorkingRows,
) -> None:
    """`monday_item_id` of projects and staff, and `archived_at` cleared: an item that is on its board is active."""
    for state in sorted(states, key=lambda state: state.id):
        item, slot = state.item, layouts[state.board].record
        base, note = database.bases.get(item), working.causes.note
        row = working.record(slot.table, links[item][slot])
        was = working.record(slot.table, base.links[slot]) if base is not None else None
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
    if layout.record.role != STAFF_ROLE:
        return None
    items = [item_id for (name, item_id), linked in links.items() if name == board and linked[layout.record] == row]
    if elsewhere := database.elsewhere.get(row, {}).get(layout.record.role):
        items.append(elsewhere.first_item)
    return min(items, default=None)
