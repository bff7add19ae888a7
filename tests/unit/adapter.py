"""The one file through which the scripts call the program: what a rename of its functions and types has to touch.

It hands the planners what the loaders of `postgres/` would hand them, from dictionaries, and carries out what a plan
says, record by record. Nothing is decided here. What a push leaves to SQL (a person's roles, a policy's customer) is
not carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from models import RowId
from monday_api import BOARDS, STAGE_STATUS
from reconcile.base import FORCE, ItemBase, pairs_from_json
from reconcile.change_filter import ChangeFilter, hash_key, hash_of
from reconcile.columns import Policy
from reconcile.database_state import DatabaseState, Elsewhere, ItemKey
from reconcile.derived import keys_after_push
from reconcile.edits import Edits
from reconcile.guards import Thresholds, guard_plan, guard_push
from reconcile.identity import adopted_links, resolve
from reconcile.ids import Astray, IdPlace, follow
from reconcile.items import decode_item, raw_item
from reconcile.journal_ops import ChangeOp, CreateOp, change_op, changed_base, create_op, created_base
from reconcile.keys import email_key, item_key
from reconcile.layout import ItemState, folded_row
from reconcile.merge import Adopt
from reconcile.namesakes import NAMES
from reconcile.plan_pull import NOW, Gone, Plan, is_archived, last_good, plan_pull
from reconcile.plan_push import CurrentItem, PushOptions, items_to_read, plan_push
from reconcile.push_plan import Push, input_of
from reconcile.tables import SPECS, TABLES, row_keys
from reconcile.working_rows import POSITION
from tests.support.kit import LAYOUTS, REFERENCES, STAFF_ROLE

KEY = hash_key({})
FIELDS = {
    (board, column_id): column.target for board, columns in BOARDS.items() for column_id, column in columns.items()
}
UNTRACKED = frozenset({"id", "status", "roles", "monday_item_id", "archived_at"}) | {
    "measurements", "one_click_codes", "identification_files", "onboarding_files"
}  # fmt: skip
"""Columns in which no edit is looked for."""
AN_INSTANT = datetime(2026, 7, 1, tzinfo=UTC)
"""What PostgreSQL's `now` is in a script."""


class Known(NamedTuple):
    """What is known of an item before it is read."""

    content_hash: str | None
    updated_at: int
    state: str


@dataclass(slots=True)
class State:
    """The database: rows by table, what is remembered of items, keys, the content with which rows were last in step
    (None: still to be told), and cells that were refused."""

    rows: dict[str, dict[RowId, tuple[Any, ...]]] = field(default_factory=lambda: {table: {} for table in TABLES})
    items: dict[ItemKey, ItemBase] = field(default_factory=dict)
    keys: dict[str, dict[str, RowId]] = field(default_factory=lambda: {table: {} for table in TABLES})
    placeholders: frozenset[str] = frozenset()
    in_step: dict[RowId, str | None] = field(default_factory=dict)
    refused: dict[tuple[str, int, str], str] = field(default_factory=dict)
    listed: set[RowId] = field(default_factory=set)
    """Rows that a person was told of as what may be an item's: they become none."""

    def content(self, table: str, row: RowId) -> str:
        held = zip(TABLES[table].__struct_fields__, self.rows[table][row], strict=True)
        return repr([value for column, value in held if column not in UNTRACKED])

    def edited(self) -> dict[RowId, str]:
        """Rows that are not what they were when last in step, or never were in step, with their table."""
        return {
            row: table
            for table, rows in self.rows.items()
            for row in rows
            if row not in self.in_step or self.in_step[row] != self.content(table, row)
        }

    def active(self) -> dict[ItemKey, ItemBase]:
        return {key: stored for key, stored in self.items.items() if stored.state == "active"}

    def known_items(self) -> dict[str, int]:
        return {board: sum(key[0] == board for key in self.active()) for board in LAYOUTS}

    def pair(self, item: ItemKey, target: str) -> tuple[Any, Any]:
        """What both sides said of a field when they last met: monday, PostgreSQL."""
        fields, stored = LAYOUTS[item[0]].fields, self.items[item]
        number = next(n for n, one in enumerate(fields) if one.id.startswith(f"{target}/"))
        return stored.monday[number], stored.postgres[number]

    def differing(self, item: ItemKey) -> list[str]:
        """The slots of which the record's foreign key differed when they last met."""
        return [LAYOUTS[item[0]].slots[place].role for place in self.items[item].tolerated_links]

    def link(self, item: ItemKey, role: str) -> RowId | None:
        """The row that a slot of an item is linked to; `role` may leave out that it is a person's."""
        roles = [slot.role for slot in LAYOUTS[item[0]].slots]
        place = roles.index(role if role in roles else f"user:{role}")
        return self.items[item].links[place]


# Monday → PostgreSQL --------------------------------------------------------------------------------------------------


def read(state: State, board: str, items: Sequence[bytes]) -> list[ItemState]:
    """The items of one board that differ from what is remembered of them."""
    known = {
        key[1]: Known(stored.content_hash, int(stored.updated_at.timestamp()), stored.state)
        for key, stored in state.items.items()
        if key[0] == board
    }
    intake = ChangeFilter(LAYOUTS[board], KEY, known)
    intake.take(raw_item(raw) for raw in items)
    return list(intake.views.values())


def pull(
    state: State,
    views: Sequence[ItemState],
    gone: Mapping[ItemKey, Gone],
    *,
    policy: Policy | None = None,
    adopt: Adopt | None = None,
    thresholds: Thresholds | None = None,
) -> tuple[Plan, DatabaseState]:
    """The plan of a pull, and the world that it was made in. Raises UnsafePlan where guards are asked for."""
    everyone, world = _load(state, views, gone)
    resolution = resolve(everyone, LAYOUTS, world)
    plan = plan_pull(
        everyone, LAYOUTS, world, resolution, gone=gone, stage_status=STAGE_STATUS, policy=policy, adopt=adopt
    )
    if thresholds is not None:
        guard_plan(plan, state.known_items(), thresholds)
    return plan, world


def _load(
    state: State, views: Sequence[ItemState], gone: Mapping[ItemKey, Gone]
) -> tuple[list[ItemState], DatabaseState]:
    everyone, world = list(views), DatabaseState()
    world.staff_emails, world.remembers = _staff_emails(state, views), bool(state.items)
    if not any(state.rows.values()) and not world.remembers:
        return everyone, world
    world.rows = {table: dict(rows) for table, rows in state.rows.items()}
    world.counts = {table: len(rows) for table, rows in state.rows.items()}
    world.placeholders = state.placeholders
    _load_pending(state, world)
    for item in [*((view.board, view.id) for view in views), *gone]:
        if item in state.items:
            world.bases[item] = state.items[item].copy()
    for item, astray in _astray(state).items():
        if item in world.bases:
            _follow(world, astray, {(view.board, view.id) for view in views})
    everyone = [view for view in everyone if (view.board, view.id) not in world.unsure]
    for item in world.anew.keys() - gone.keys():
        del world.bases[item]
    world.gone = frozenset(key for key, how in gone.items() if is_archived(how, state.items[key]))
    for view in everyone:
        _adopt(state, world, view)
    for table, keys in state.keys.items():
        for key, row in keys.items():
            if row in world.rows[table]:
                pending = world.keys[table].get(key, row)
                if pending != row:
                    world.contested_keys[table].setdefault(key, pending)
                world.keys[table][key] = row
                world.unrecorded_keys[table].discard(key)
    everyone += _siblings(state, world, everyone)
    last_good(everyone, world)
    held = {row for stored in state.items.values() for row in stored.links if row is not None}
    world.taken = held - {row for rows in state.rows.values() for row in rows}
    here = {(view.board, view.id) for view in everyone} | world.bases.keys()
    for item, stored in sorted(state.active().items()):
        for slot, link in zip(LAYOUTS[item[0]].slots, stored.links, strict=True):
            if link is not None and item not in here:
                was = world.elsewhere.setdefault(link, {}).get(slot.role, Elsewhere(0, item[1]))
                world.elsewhere[link][slot.role] = Elsewhere(was.count + 1, min(was.first_item, item[1]))
    for table, column in NAMES.items():
        for key, row in state.keys[table].items():
            if key.startswith("name:") and row in state.rows[table]:
                world.names[table][key] = (row, state.rows[table][row][POSITION[table][column]] or "")
    _load_emptied(state, world, everyone)
    return everyone, world


def _staff_emails(state: State, views: Sequence[ItemState]) -> frozenset[str]:
    at = POSITION["users"]
    staff = [row for row in state.rows["users"].values() if row[at["monday_item_id"]] is not None]
    said = [row[at[name]] for row in staff for name in ("email", "rm_email")]
    for view in views:
        for slot in LAYOUTS[view.board].slots:
            if slot.role == STAFF_ROLE:
                said += [view.values[slot.at[name]] for name in ("email", "rm_email")]
    return frozenset(key for value in said if isinstance(value, str) and (key := email_key(value)))


def _load_pending(state: State, world: DatabaseState) -> None:
    for row, table in sorted(state.edited().items(), key=lambda entry: entry[0] not in state.in_step):
        world.pending.add(row)
        if row not in state.in_step:
            world.unknown.add(row)
        for key in row_keys(table, state.rows[table][row]):
            if world.keys[table].setdefault(key, row) != row:
                world.contested_keys[table].setdefault(key, row)
            world.unrecorded_keys[table].add(key)


def _astray(state: State) -> dict[ItemKey, Astray]:
    """Active items whose remembered row does not hold their id, with the row that does."""
    found = {}
    for (board, item_id), stored in state.active().items():
        layout = LAYOUTS[board]
        table, link = layout.slots[layout.record].table, stored.links[layout.record]
        at, rows = POSITION[table]["monday_item_id"], state.rows[table]
        held = rows[link][at] if link in rows else None
        holder = next((row for row, values in sorted(rows.items()) if values[at] == item_id), None)
        if held == item_id or (holder is None and link not in rows):
            continue
        others = any(key == (board, held) for key in state.active())
        waits = link in rows and held is None and rows[link][POSITION[table]["archived_at"]] is None
        found[board, item_id] = Astray(
            (board, item_id), link, link in rows, held, others, waits, holder, holder in state.listed
        )
    return found


def _follow(world: DatabaseState, astray: Astray, known: Collection[ItemKey]) -> None:
    place, item = astray.place(known), astray.item
    layout = LAYOUTS[item[0]]
    if place is IdPlace.UNSURE:
        world.unsure |= {item} & set(known)
        return
    if place is IdPlace.ANEW:
        world.anew[item] = world.bases[item].tolerated
        return
    follow(world.bases[item], astray, place, layout)
    if place is not IdPlace.EMPTIED:
        world.moved.add(item)
        row, table = world.bases[item].links[layout.record], layout.slots[layout.record].table
        if row in world.rows[table]:
            world.keys[table][item_key(*item)] = row


def _adopt(state: State, world: DatabaseState, view: ItemState) -> None:
    """A row with an item's id that is not remembered is the item's."""
    layout = LAYOUTS[view.board]
    table = layout.slots[layout.record].table
    if (view.board, view.id) in world.bases:
        return
    for row, values in sorted(state.rows[table].items()):
        if values[POSITION[table]["monday_item_id"]] == view.id:
            world.adopted[view.board, view.id] = adopted_links(view, layout, state.rows, row)
            world.keys[table].setdefault(item_key(view.board, view.id), row)
            return


def _siblings(state: State, world: DatabaseState, everyone: Sequence[ItemState]) -> list[ItemState]:
    """Items that share an owned row with these, and with those in turn: they speak through what is remembered."""
    present, found = {(view.board, view.id) for view in everyone}, list[ItemState]()
    shared = {table for table, spec in SPECS.items() if spec.owned and spec.key is not None}
    while True:
        linked = {
            row
            for board, links in [(key[0], stored.links) for key, stored in world.bases.items()]
            + [(key[0], links) for key, links in world.adopted.items()]
            for slot, row in zip(LAYOUTS[board].slots, links, strict=True)
            if row is not None and slot.table in shared
        }
        said = {world.keys[t].get(k) for v in everyone for t in shared for k in _said(v, t)}
        new = [
            stored
            for key, stored in state.active().items()
            if key not in present and not (linked | said).isdisjoint(stored.links)
        ]
        if not new:
            return found
        for stored in new:
            key = (stored.board, stored.id)
            world.bases[key] = stored.copy()
            present.add(key)
            found.append(ItemState(*key, stored.updated_at, tuple(stored.monday), (), stored.content_hash, seen=False))


def _said(view: ItemState, table: str) -> list[str]:
    """The keys without a parent that an item says."""
    slots = [slot for slot in LAYOUTS[view.board].slots if slot.table == table == "customers"]
    emails = [view.values[slot.at["email"]] for slot in slots]
    return [key for email in emails if isinstance(email, str) and (key := email_key(email))]


def _load_emptied(state: State, world: DatabaseState, everyone: Sequence[ItemState]) -> None:
    """Fields that a person emptied in rows that an item is new to, or only selects."""
    edited = world.pending - world.unknown
    links = resolve(everyone, LAYOUTS, world).links if edited else {}
    asked: set[RowId | None] = set()
    for item, linked in links.items():
        stored = world.bases.get(item)
        for place, slot in enumerate(LAYOUTS[item[0]].slots):
            if stored is None or slot.table == "users" or linked[place] != stored.links[place]:
                asked |= edited & {linked[place]}
    for key, stored in state.active().items():
        for slot, link in zip(LAYOUTS[key[0]].slots, stored.links, strict=True):
            if link is not None and link in asked:
                held = folded_row(slot.table, state.rows[slot.table][link])
                met = stored.postgres[slot.first : slot.last]
                world.cleared_fields |= {
                    (link, at)
                    for at, was in zip(slot.row_at, met, strict=True)
                    if held[at] is None and was not in (None, UNSET, FORCE)
                }


def apply_pull(state: State, plan: Plan, world: DatabaseState) -> None:
    """Rows, then keys, items and what is in step: as the plan's records say."""
    for table in TABLES:
        for new in plan.inserts[table]:
            assert new[0] not in state.rows[table], f"{table}: a new row has the id of one that is there"
            state.rows[table][new[0]] = new
        _update(state, table, plan.updates[table])
        for key in plan.released.get(table, ()):
            state.keys[table].pop(key, None)
        state.keys[table].update(plan.claimed.get(table, {}))
    state.placeholders |= plan.placeholders
    for item in plan.items:
        remember(state, item)
    for left in plan.departed:
        stored = state.items[left.board, left.item_id]
        stored.state = "missing" if left.state == "silent" else left.state
        stored.missing_count = stored.missing_count + 1 if left.state == "silent" else 0
    state.listed |= {pair.other for pair in plan.lookalikes}
    linked = {row for item in plan.items for row in item.links} if world.unknown else set()
    for table, rows in state.rows.items():
        made = {new[0] for new in plan.inserts[table]}
        clean = {update.id for update in plan.updates[table]} - world.pending
        for row in rows:
            if row in plan.dirty:
                state.in_step[row] = None
            elif row in made | clean | plan.clean | (world.unknown & linked):
                state.in_step[row] = state.content(table, row)


def _update(state: State, table: str, updates: Sequence[Any]) -> None:
    for update in updates:
        held = list(state.rows[table][update.id])
        for column, (was, now) in update.changes.items():
            at = POSITION[table][column]
            assert held[at] == was, f"{table}.{column}: what the plan saw before is not what the row holds"
            held[at] = AN_INSTANT if column == "archived_at" and now == NOW else now
        state.rows[table][update.id] = tuple(held)


def remember(state: State, item: ItemBase) -> None:
    """Keep what is remembered of an item, through its stored form."""
    layout = LAYOUTS[item.board]
    monday, postgres, links = pairs_from_json(item.to_json(), list(layout.field_ids), layout)
    state.items[item.key] = msgspec.structs.replace(
        item, links=list(item.links), monday=monday, postgres=postgres, tolerated_links=links
    )


# PostgreSQL → monday --------------------------------------------------------------------------------------------------


def push(
    state: State,
    show: Callable[[ItemKey], bytes],
    options: Mapping[str, Any],
    thresholds: Thresholds | None = None,
    not_looked_at: Collection[ItemKey] = (),
) -> tuple[Push, Edits]:
    """The plan of a push, and the edits that it was made of. `show` gives an item as monday has it now.

    Raises UnsafePlan where guards are asked for.
    """
    edits = edits_of(state)
    planned = plan_of(edits, show, options, not_looked_at)
    if thresholds is not None:
        guard_push(planned, state.known_items(), thresholds, FIELDS)
    return planned, edits


def plan_of(
    edits: Edits,
    show: Callable[[ItemKey], bytes],
    options: Mapping[str, Any],
    not_looked_at: Collection[ItemKey] = (),
) -> Push:
    """The two passes of a plan: which items to look at, and what is sent on what they show."""
    chosen = PushOptions(BOARDS, stage_status=STAGE_STATUS, **options)
    wanted, first = items_to_read(edits, LAYOUTS, chosen)
    shown = {
        key: CurrentItem(_view(key[0], raw), raw) for key in wanted if key not in not_looked_at for raw in (show(key),)
    }
    return plan_push(edits, LAYOUTS, shown, first, chosen, not_looked_at=not_looked_at)


def _view(board: str, raw: bytes) -> ItemState:
    return LAYOUTS[board].decode(decode_item(raw), hash_of(KEY, raw_item(raw)))


def edits_of(state: State) -> Edits:
    """What people changed in PostgreSQL."""
    edits, edited = Edits(items=state.known_items()), state.edited()
    edits.changed = {row: table for row, table in edited.items() if row in state.in_step}
    edits.hashes = {row: state.content(table, row) for row, table in edits.changed.items()}
    edits.rejected, edits.letters = dict(state.refused), set(state.refused)
    deleted = state.in_step.keys() - {row for rows in state.rows.values() for row in rows}
    astray = _astray(state)
    for key, stored in state.active().items():
        if not (edits.changed.keys() | deleted).isdisjoint(stored.links) or key in astray or _was_refused(state, key):
            edits.bases[key] = stored.copy()
    for key, lost in astray.items():
        place = lost.place()
        if place is IdPlace.EMPTIED:
            continue
        left = follow(edits.bases[key], lost, place, LAYOUTS[key[0]])
        edits.left_behind += [left] if left is not None else []
        if place is not IdPlace.MOVED or lost.holder is None:
            edits.in_flight.add(key)
            continue
        edits.moved.add(key)
        table = LAYOUTS[key[0]].slots[LAYOUTS[key[0]].record].table
        edits.changed[lost.holder], edits.hashes[lost.holder] = table, state.content(table, lost.holder)
    _load_fresh(state, edits)
    for table, rows in state.rows.items():
        edits.rows[table] = dict(rows)
    pointed = {
        (REFERENCES[column], row[at])
        for table in ("projects", "users")
        for row in state.rows[table].values()
        for column, at in POSITION[table].items()
        if column in REFERENCES and row[at] is not None and row[at] not in state.in_step
    }
    edits.hashes |= {row: state.content(table, row) for table, row in pointed}
    for table, keys in state.keys.items():
        for said, owner in keys.items():
            if owner in state.rows[table] and said in row_keys(table, state.rows[table][owner]):
                edits.owners[table][said] = owner
            else:
                edits.outdated.add((table, said, owner))
    return edits


def _was_refused(state: State, key: ItemKey) -> bool:
    return any((board, item_id) == key for board, item_id, _place in state.refused)


def _load_fresh(state: State, edits: Edits) -> None:
    """Rows that are to become items: projects without an item, and people with the role of the staff board."""
    linked = {
        stored.links[LAYOUTS[key[0]].record]
        for key, stored in state.items.items()
        if stored.state in ("active", "missing")
    }
    left = state.listed | {gone.row for gone in edits.left_behind}
    for board, layout in LAYOUTS.items():
        table = layout.slots[layout.record].table
        at = POSITION[table]
        for row, values in state.rows[table].items():
            staff = table != "users" or "Sales Staff" in (values[at["roles"]] or ())
            waits = values[at["monday_item_id"]] is None and values[at["archived_at"]] is None
            if staff and waits and row not in linked | left:
                edits.new_rows.append((board, row))
                edits.hashes[row] = state.content(table, row)
    at = POSITION["users"]
    for _board, row in edits.new_rows:
        for key in row_keys("users", state.rows["users"][row]) if row in state.rows["users"] else ():
            for other, values in sorted(state.rows["users"].items()):
                if values[at["monday_item_id"]] is not None and key in row_keys("users", values):
                    edits.known_records.setdefault(("users", key), other)


@dataclass(slots=True)
class Monday:
    """What the boards do with a write."""

    show: Callable[[ItemKey], bytes]
    write: Callable[[ItemKey, Mapping[str, Any]], None]
    create: Callable[[str, str, Mapping[str, Any]], int]
    archive: Callable[[ItemKey], None]


def apply_push(
    state: State, planned: Push, edits: Edits, monday: Monday, refuses: Collection[tuple[int, str]] = ()
) -> None:
    """Rows made whole, items written, made and archived, and what is remembered of all that.

    `refuses` are (item, column id) of cells that monday does not take although the plan sends them.
    """
    undelivered, refused, delivered, hashes = set[RowId](), list(planned.rejected), [], dict(edits.hashes)
    for table in TABLES:
        _update(state, table, planned.completed[table])
        hashes |= {update.id: state.content(table, update.id) for update in planned.completed[table]}
    for item in planned.items:
        layout = LAYOUTS[item.board]
        for column_id in [name for name in item.cells if (item.id, name) in refuses]:
            undelivered |= set(item.causes.values())
            state.refused[item.board, item.id, column_id] = input_of(item.cells[column_id].after)
            item.drop(column_id, layout)
        if item.cells:
            monday.write((item.board, item.id), item.values)
            op = msgspec.json.decode(msgspec.json.encode(change_op(item, layout)), type=ChangeOp)
            view = _view(item.board, monday.show((item.board, item.id)))
            remember(state, changed_base(op, item.base, view, layout, waits=item.awaits_pull or item.open))
            delivered.append(item)
    for create in planned.creates:
        layout = LAYOUTS[create.board]
        item_id = monday.create(create.board, create.name, create.values)
        op_made = msgspec.json.decode(msgspec.json.encode(create_op(create, layout)), type=CreateOp)
        view = _view(create.board, monday.show((create.board, item_id)))
        remember(state, created_base(op_made, view, layout, late=False))
        for row in create.links:
            if row is not None:
                state.in_step.setdefault(row, None)  # known from now on
        refused += [msgspec.structs.replace(cell, item_id=item_id) for cell in create.rejected]
        uncarried = (create.links[layout.fields[n].slot] for n in create.uncarried)
        undelivered |= {row for row in uncarried if row is not None}
        table = layout.slots[layout.record].table
        held = list(state.rows[table][create.row])
        held[POSITION[table]["monday_item_id"]] = item_id
        state.rows[table][create.row] = tuple(held)
    for key in planned.archives:
        monday.archive(key)
        state.items[key].state = "archived"
    for base in planned.settled:
        remember(state, base)
    state.listed |= {left.row for left in edits.left_behind}
    standing = planned.still_rejected | {(cell.board, cell.item_id, cell.column_id) for cell in refused}
    for letter in edits.letters - standing:
        state.refused.pop(letter, None)
    state.refused |= {(cell.board, cell.item_id, cell.column_id): cell.input for cell in refused}
    _mark_told(state, planned, edits, hashes, undelivered, delivered)


def _mark_told(
    state: State,
    planned: Push,
    edits: Edits,
    hashes: Mapping[RowId, str],
    undelivered: Collection[RowId],
    delivered: Sequence[Any],
) -> None:
    created = {create.row for create in planned.creates}
    shown = {row for item in delivered for row in item.moved.values()}
    shown |= {row for create in planned.creates for row in create.links}
    fresh = {row for _board, row in edits.new_rows}
    tables = {row: table for table, rows in state.rows.items() for row in rows}
    waits = planned.pending_rows | set(undelivered)
    told = {
        row: tables[row]
        for row in hashes
        if row in tables and row not in waits
        if row in edits.changed or row in created or (row in shown and row not in fresh)
    }
    state.in_step |= {row: hashes[row] for row in told}
    moves = keys_after_push(told, state.rows, edits.owners, edits.outdated)
    for table, key, row in moves.released:
        assert state.keys[table].pop(key) == row
    for table, key, row in sorted(moves.claimed):
        state.keys[table].setdefault(key, row)
