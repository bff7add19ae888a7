"""The one file through which the scripts call the program: what a rename of its functions and types has to touch.

It hands the planners what the loaders of `postgres/` would hand them, from dictionaries, and carries out what a plan
says, record by record. Nothing is decided here. What a push leaves to SQL (a person's roles, a policy's customer) is
not carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import msgspec
from msgspec import UNSET

from models import Record, Row, RowId, User
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
from reconcile.layout import ItemState
from reconcile.merge import Adopt
from reconcile.namesakes import NAMES
from reconcile.plan_pull import NOW, Gone, Plan, is_archived, last_good, plan_pull
from reconcile.plan_push import CurrentItem, PushOptions, items_to_read, plan_push
from reconcile.push_plan import Push, input_of
from reconcile.tables import SPECS, TABLES, row_keys
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
class Memory:
    """The database: rows by table, what is remembered of items, keys, the content with which rows were last in step
    (None: still to be told), and cells that were refused."""

    rows: dict[str, dict[RowId, Row]] = field(default_factory=lambda: {table: {} for table in TABLES})
    items: dict[ItemKey, ItemBase] = field(default_factory=dict)
    keys: dict[str, dict[str, RowId]] = field(default_factory=lambda: {table: {} for table in TABLES})
    placeholders: frozenset[str] = frozenset()
    in_step: dict[RowId, str | None] = field(default_factory=dict)
    refused: dict[tuple[str, int, str], str] = field(default_factory=dict)
    listed: set[RowId] = field(default_factory=set)
    """Rows that a person was told of as what may be an item's: they become none."""

    def content(self, table: str, row: RowId) -> str:
        held = msgspec.structs.asdict(self.rows[table][row])
        return repr([value for column, value in held.items() if column not in UNTRACKED])

    def edited(self) -> dict[RowId, str]:
        """Rows that are not what they were when last in step, or never were in step, with their table."""
        return {
            row: table
            for table, rows in self.rows.items()
            for row in rows
            if row not in self.in_step or self.in_step[row] != self.content(table, row)
        }

    def active(self) -> dict[ItemKey, ItemBase]:
        return {key: base for key, base in self.items.items() if base.state == "active"}

    def known_items(self) -> dict[str, int]:
        return {board: sum(key[0] == board for key in self.active()) for board in LAYOUTS}

    def pair(self, item: ItemKey, target: str) -> tuple[Any, Any]:
        """What both sides said of a field when they last met: monday, PostgreSQL."""
        fields, base = LAYOUTS[item[0]].fields, self.items[item]
        number = next(n for n, one in enumerate(fields) if one.id.startswith(f"{target}/"))
        return base.monday[number], base.postgres[number]

    def differing(self, item: ItemKey) -> list[str]:
        """The slots of which the record's foreign key differed when they last met."""
        return [LAYOUTS[item[0]].slots[place].role for place in self.items[item].tolerated_links]

    def link(self, item: ItemKey, role: str) -> RowId | None:
        """The row that a slot of an item is linked to; `role` may leave out that it is a person's."""
        roles = [slot.role for slot in LAYOUTS[item[0]].slots]
        place = roles.index(role if role in roles else f"user:{role}")
        return self.items[item].links[place]


def users(memory: Memory) -> dict[RowId, User]:
    return cast(dict[RowId, User], memory.rows["users"])


def records(memory: Memory, table: str) -> dict[RowId, Record]:
    return cast(dict[RowId, Record], memory.rows[table])


# Monday → PostgreSQL --------------------------------------------------------------------------------------------------


def read(memory: Memory, board: str, items: Sequence[bytes]) -> list[ItemState]:
    """The items of one board that differ from what is remembered of them."""
    known = {
        key[1]: Known(base.content_hash, int(base.updated_at.timestamp()), base.state)
        for key, base in memory.items.items()
        if key[0] == board
    }
    change_filter = ChangeFilter(LAYOUTS[board], KEY, known)
    change_filter.take(raw_item(raw) for raw in items)
    return list(change_filter.states.values())


def pull(
    memory: Memory,
    states: Sequence[ItemState],
    gone: Mapping[ItemKey, Gone],
    *,
    policy: Policy | None = None,
    adopt: Adopt | None = None,
    thresholds: Thresholds | None = None,
) -> tuple[Plan, DatabaseState]:
    """The plan of a pull, and the database that it was made in. Raises UnsafePlan where guards are asked for."""
    everyone, database = _load(memory, states, gone)
    resolution = resolve(everyone, LAYOUTS, database)
    plan = plan_pull(
        everyone, LAYOUTS, database, resolution, gone=gone, stage_status=STAGE_STATUS, policy=policy, adopt=adopt
    )
    if thresholds is not None:
        guard_plan(plan, memory.known_items(), thresholds)
    return plan, database


def _load(
    memory: Memory, states: Sequence[ItemState], gone: Mapping[ItemKey, Gone]
) -> tuple[list[ItemState], DatabaseState]:
    everyone, database = list(states), DatabaseState()
    database.staff_emails, database.remembers = _staff_emails(memory, states), bool(memory.items)
    if not any(memory.rows.values()) and not database.remembers:
        return everyone, database
    database.rows = {table: dict(rows) for table, rows in memory.rows.items()}
    database.counts = {table: len(rows) for table, rows in memory.rows.items()}
    database.placeholders = memory.placeholders
    _load_pending(memory, database)
    for item in [*((state.board, state.id) for state in states), *gone]:
        if item in memory.items:
            database.bases[item] = memory.items[item].copy()
    for item, astray in _astray(memory).items():
        if item in database.bases:
            _follow(database, astray, {(state.board, state.id) for state in states})
    everyone = [state for state in everyone if (state.board, state.id) not in database.unsure]
    for item in database.anew.keys() - gone.keys():
        del database.bases[item]
    database.gone = frozenset(key for key, how in gone.items() if is_archived(how, memory.items[key]))
    for state in everyone:
        _adopt(memory, database, state)
    for table, keys in memory.keys.items():
        for key, row in keys.items():
            if row in database.rows[table]:
                pending = database.keys[table].get(key, row)
                if pending != row:
                    database.contested_keys[table].setdefault(key, pending)
                database.keys[table][key] = row
                database.unrecorded_keys[table].discard(key)
    everyone += _siblings(memory, database, everyone)
    last_good(everyone, database)
    held = {row for base in memory.items.values() for row in base.links if row is not None}
    database.taken = held - {row for rows in memory.rows.values() for row in rows}
    here = {(state.board, state.id) for state in everyone} | database.bases.keys()
    for item, base in sorted(memory.active().items()):
        for slot, link in zip(LAYOUTS[item[0]].slots, base.links, strict=True):
            if link is not None and item not in here:
                was = database.elsewhere.setdefault(link, {}).get(slot.role, Elsewhere(0, item[1]))
                database.elsewhere[link][slot.role] = Elsewhere(was.count + 1, min(was.first_item, item[1]))
    for table, column in NAMES.items():
        for key, row in memory.keys[table].items():
            if key.startswith("name:") and row in memory.rows[table]:
                database.names[table][key] = (row, getattr(memory.rows[table][row], column) or "")
    _load_emptied(memory, database, everyone)
    return everyone, database


def _staff_emails(memory: Memory, states: Sequence[ItemState]) -> frozenset[str]:
    staff = [user for user in users(memory).values() if user.monday_item_id is not None]
    said: list[Any] = [email for user in staff for email in (user.email, user.rm_email)]
    for state in states:
        for slot in LAYOUTS[state.board].slots:
            if slot.role == STAFF_ROLE:
                said += [state.values[slot.at[name]] for name in ("email", "rm_email")]
    return frozenset(key for value in said if isinstance(value, str) and (key := email_key(value)))


def _load_pending(memory: Memory, database: DatabaseState) -> None:
    for row, table in sorted(memory.edited().items(), key=lambda entry: entry[0] not in memory.in_step):
        database.pending.add(row)
        if row not in memory.in_step:
            database.unknown.add(row)
        for key in row_keys(table, memory.rows[table][row]):
            if database.keys[table].setdefault(key, row) != row:
                database.contested_keys[table].setdefault(key, row)
            database.unrecorded_keys[table].add(key)


def _astray(memory: Memory) -> dict[ItemKey, Astray]:
    """Active items whose remembered row does not hold their id, with the row that does."""
    found = {}
    for (board, item_id), base in memory.active().items():
        layout = LAYOUTS[board]
        table, link = layout.slots[layout.record].table, base.links[layout.record]
        rows = records(memory, table)
        held = rows[link].monday_item_id if link in rows else None
        holder = next((row for row, record in sorted(rows.items()) if record.monday_item_id == item_id), None)
        if held == item_id or (holder is None and link not in rows):
            continue
        others = any(key == (board, held) for key in memory.active())
        waits = link in rows and held is None and rows[link].archived_at is None
        found[board, item_id] = Astray(
            (board, item_id), link, link in rows, held, others, waits, holder, holder in memory.listed
        )
    return found


def _follow(database: DatabaseState, astray: Astray, known: Collection[ItemKey]) -> None:
    place, item = astray.place(known), astray.item
    layout = LAYOUTS[item[0]]
    if place is IdPlace.UNSURE:
        database.unsure |= {item} & set(known)
        return
    if place is IdPlace.ANEW:
        database.anew[item] = database.bases[item].tolerated
        return
    follow(database.bases[item], astray, place, layout)
    if place is not IdPlace.EMPTIED:
        database.moved.add(item)
        row, table = database.bases[item].links[layout.record], layout.slots[layout.record].table
        if row in database.rows[table]:
            database.keys[table][item_key(*item)] = row


def _adopt(memory: Memory, database: DatabaseState, state: ItemState) -> None:
    """A row with an item's id that is not remembered is the item's."""
    layout = LAYOUTS[state.board]
    table = layout.slots[layout.record].table
    if (state.board, state.id) in database.bases:
        return
    for row, record in sorted(records(memory, table).items()):
        if record.monday_item_id == state.id:
            database.adopted[state.board, state.id] = adopted_links(state, layout, memory.rows, row)
            database.keys[table].setdefault(item_key(state.board, state.id), row)
            return


def _siblings(memory: Memory, database: DatabaseState, everyone: Sequence[ItemState]) -> list[ItemState]:
    """Items that share an owned row with these, and with those in turn: they speak through what is remembered."""
    present, found = {(state.board, state.id) for state in everyone}, list[ItemState]()
    shared = {table for table, spec in SPECS.items() if spec.owned and spec.key is not None}
    while True:
        linked = {
            row
            for board, links in [(key[0], base.links) for key, base in database.bases.items()]
            + [(key[0], links) for key, links in database.adopted.items()]
            for slot, row in zip(LAYOUTS[board].slots, links, strict=True)
            if row is not None and slot.table in shared
        }
        said = {database.keys[t].get(k) for v in everyone for t in shared for k in _said(v, t)}
        new = [
            base
            for key, base in memory.active().items()
            if key not in present and not (linked | said).isdisjoint(base.links)
        ]
        if not new:
            return found
        for base in new:
            key = (base.board, base.id)
            database.bases[key] = base.copy()
            present.add(key)
            found.append(ItemState(*key, base.updated_at, tuple(base.monday), (), base.content_hash, seen=False))


def _said(state: ItemState, table: str) -> list[str]:
    """The keys without a parent that an item says."""
    slots = [slot for slot in LAYOUTS[state.board].slots if slot.table == table == "customers"]
    emails = [state.values[slot.at["email"]] for slot in slots]
    return [key for email in emails if isinstance(email, str) and (key := email_key(email))]


def _load_emptied(memory: Memory, database: DatabaseState, everyone: Sequence[ItemState]) -> None:
    """Fields that a person emptied in rows that an item is new to, or only selects."""
    edited = database.pending - database.unknown
    links = resolve(everyone, LAYOUTS, database).links if edited else {}
    asked: set[RowId | None] = set()
    for item, linked in links.items():
        base = database.bases.get(item)
        for place, slot in enumerate(LAYOUTS[item[0]].slots):
            if base is None or slot.table == "users" or linked[place] != base.links[place]:
                asked |= edited & {linked[place]}
    for key, base in memory.active().items():
        for slot, link in zip(LAYOUTS[key[0]].slots, base.links, strict=True):
            if link is not None and link in asked:
                held, fields = memory.rows[slot.table][link], LAYOUTS[key[0]].fields
                database.cleared_fields |= {
                    (link, fields[number].columns[0])
                    for number in slot.fields
                    if held[fields[number]] is None and base.postgres[number] not in (None, UNSET, FORCE)
                }


def apply_pull(memory: Memory, plan: Plan, database: DatabaseState) -> None:
    """Rows, then keys, items and what is in step: as the plan's records say."""
    for table in TABLES:
        for new in plan.inserts[table]:
            assert new.id not in memory.rows[table], f"{table}: a new row has the id of one that is there"
            memory.rows[table][new.id] = new
        _update(memory, table, plan.updates[table])
        for key in plan.released.get(table, ()):
            memory.keys[table].pop(key, None)
        memory.keys[table].update(plan.claimed.get(table, {}))
    memory.placeholders |= plan.placeholders
    for item in plan.items:
        remember(memory, item)
    for left in plan.departed:
        base = memory.items[left.board, left.item_id]
        base.state = "missing" if left.state == "silent" else left.state
        base.missing_count = base.missing_count + 1 if left.state == "silent" else 0
    memory.listed |= {pair.other for pair in plan.lookalikes}
    linked = {row for item in plan.items for row in item.links} if database.unknown else set()
    for table, rows in memory.rows.items():
        made = {new.id for new in plan.inserts[table]}
        clean = {update.id for update in plan.updates[table]} - database.pending
        for row in rows:
            if row in plan.dirty:
                memory.in_step[row] = None
            elif row in made | clean | plan.clean | (database.unknown & linked):
                memory.in_step[row] = memory.content(table, row)


def _update(memory: Memory, table: str, updates: Sequence[Any]) -> None:
    for update in updates:
        row = memory.rows[table][update.id]
        for column, (was, _now) in update.changes.items():
            seen = getattr(row, column)
            assert seen == was, f"{table}.{column}: what the plan saw before is not what the row holds"
        memory.rows[table][update.id] = update.applied_to(row)
        if update.changes.get("archived_at", ("", ""))[1] == NOW:
            records(memory, table)[update.id].archived_at = AN_INSTANT


def remember(memory: Memory, item: ItemBase) -> None:
    """Keep what is remembered of an item, through its stored form."""
    layout = LAYOUTS[item.board]
    monday, postgres, links = pairs_from_json(item.to_json(), list(layout.field_ids), layout)
    memory.items[item.key] = msgspec.structs.replace(
        item, links=list(item.links), monday=monday, postgres=postgres, tolerated_links=links
    )


# PostgreSQL → monday --------------------------------------------------------------------------------------------------


def push(
    memory: Memory,
    show: Callable[[ItemKey], bytes],
    options: Mapping[str, Any],
    thresholds: Thresholds | None = None,
    not_looked_at: Collection[ItemKey] = (),
) -> tuple[Push, Edits]:
    """The plan of a push, and the edits that it was made of. `show` gives an item as monday has it now.

    Raises UnsafePlan where guards are asked for.
    """
    edits = edits_of(memory)
    planned = plan_of(edits, show, options, not_looked_at)
    if thresholds is not None:
        guard_push(planned, memory.known_items(), thresholds, FIELDS)
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


def edits_of(memory: Memory) -> Edits:
    """What people changed in PostgreSQL."""
    edits, edited = Edits(items=memory.known_items()), memory.edited()
    edits.changed = {row: table for row, table in edited.items() if row in memory.in_step}
    edits.hashes = {row: memory.content(table, row) for row, table in edits.changed.items()}
    edits.rejected, edits.letters = dict(memory.refused), set(memory.refused)
    deleted = memory.in_step.keys() - {row for rows in memory.rows.values() for row in rows}
    astray = _astray(memory)
    for key, base in memory.active().items():
        if not (edits.changed.keys() | deleted).isdisjoint(base.links) or key in astray or _was_refused(memory, key):
            edits.bases[key] = base.copy()
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
        edits.changed[lost.holder], edits.hashes[lost.holder] = table, memory.content(table, lost.holder)
    _load_fresh(memory, edits)
    for table, rows in memory.rows.items():
        edits.rows[table] = dict(rows)
    pointed = {
        (REFERENCES[column], points)
        for table in ("projects", "users")
        for row in memory.rows[table].values()
        for column in REFERENCES.keys() & set(row.__struct_fields__)
        if (points := getattr(row, column)) is not None and points not in memory.in_step
    }
    edits.hashes |= {row: memory.content(table, row) for table, row in pointed}
    for table, keys in memory.keys.items():
        for said, owner in keys.items():
            if owner in memory.rows[table] and said in row_keys(table, memory.rows[table][owner]):
                edits.owners[table][said] = owner
            else:
                edits.outdated.add((table, said, owner))
    return edits


def _was_refused(memory: Memory, key: ItemKey) -> bool:
    return any((board, item_id) == key for board, item_id, _place in memory.refused)


def _load_fresh(memory: Memory, edits: Edits) -> None:
    """Rows that are to become items: projects without an item, and people with the role of the staff board."""
    linked = {
        base.links[LAYOUTS[key[0]].record] for key, base in memory.items.items() if base.state in ("active", "missing")
    }
    left = memory.listed | {gone.row for gone in edits.left_behind}
    for board, layout in LAYOUTS.items():
        table = layout.slots[layout.record].table
        for row, record in records(memory, table).items():
            staff = table != "users" or "Sales Staff" in (users(memory)[row].roles or ())
            waits = record.monday_item_id is None and record.archived_at is None
            if staff and waits and row not in linked | left:
                edits.new_rows.append((board, row))
                edits.hashes[row] = memory.content(table, row)
    for _board, row in edits.new_rows:
        for key in row_keys("users", memory.rows["users"][row]) if row in memory.rows["users"] else ():
            for other, user in sorted(users(memory).items()):
                if user.monday_item_id is not None and key in row_keys("users", user):
                    edits.known_records.setdefault(("users", key), other)


@dataclass(slots=True)
class Monday:
    """What the boards do with a write."""

    show: Callable[[ItemKey], bytes]
    write: Callable[[ItemKey, Mapping[str, Any]], None]
    create: Callable[[str, str, Mapping[str, Any]], int]
    archive: Callable[[ItemKey], None]


def apply_push(
    memory: Memory, planned: Push, edits: Edits, monday: Monday, refuses: Collection[tuple[int, str]] = ()
) -> None:
    """Rows made whole, items written, made and archived, and what is remembered of all that.

    `refuses` are (item, column id) of cells that monday does not take although the plan sends them.
    """
    undelivered, refused, delivered, hashes = set[RowId](), list(planned.rejected), [], dict(edits.hashes)
    for table in TABLES:
        _update(memory, table, planned.completed[table])
        hashes |= {update.id: memory.content(table, update.id) for update in planned.completed[table]}
    for item in planned.items:
        layout = LAYOUTS[item.board]
        for column_id in [name for name in item.cells if (item.id, name) in refuses]:
            undelivered |= set(item.causes.values())
            memory.refused[item.board, item.id, column_id] = input_of(item.cells[column_id].after)
            item.drop(column_id, layout)
        if item.cells:
            monday.write((item.board, item.id), item.values)
            op = msgspec.json.decode(msgspec.json.encode(change_op(item, layout)), type=ChangeOp)
            state = _view(item.board, monday.show((item.board, item.id)))
            remember(memory, changed_base(op, item.base, state, layout, waits=item.awaits_pull or item.open))
            delivered.append(item)
    for create in planned.creates:
        layout = LAYOUTS[create.board]
        item_id = monday.create(create.board, create.name, create.values)
        op_made = msgspec.json.decode(msgspec.json.encode(create_op(create, layout)), type=CreateOp)
        state = _view(create.board, monday.show((create.board, item_id)))
        remember(memory, created_base(op_made, state, layout, late=False))
        for row in create.links:
            if row is not None:
                memory.in_step.setdefault(row, None)  # known from now on
        refused += [msgspec.structs.replace(cell, item_id=item_id) for cell in create.rejected]
        uncarried = (create.links[layout.fields[n].slot] for n in create.uncarried)
        undelivered |= {row for row in uncarried if row is not None}
        table = layout.slots[layout.record].table
        memory.rows[table][create.row] = msgspec.structs.replace(memory.rows[table][create.row], monday_item_id=item_id)
    for key in planned.archives:
        monday.archive(key)
        memory.items[key].state = "archived"
    for base in planned.settled:
        remember(memory, base)
    memory.listed |= {left.row for left in edits.left_behind}
    standing = planned.still_rejected | {(cell.board, cell.item_id, cell.column_id) for cell in refused}
    for letter in edits.letters - standing:
        memory.refused.pop(letter, None)
    memory.refused |= {(cell.board, cell.item_id, cell.column_id): cell.input for cell in refused}
    _mark_told(memory, planned, edits, hashes, undelivered, delivered)


def _mark_told(
    memory: Memory,
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
    tables = {row: table for table, rows in memory.rows.items() for row in rows}
    waits = planned.pending_rows | set(undelivered)
    told = {
        row: tables[row]
        for row in hashes
        if row in tables and row not in waits
        if row in edits.changed or row in created or (row in shown and row not in fresh)
    }
    memory.in_step |= {row: hashes[row] for row in told}
    moves = keys_after_push(told, memory.rows, edits.owners, edits.outdated)
    for table, key, row in moves.released:
        assert memory.keys[table].pop(key) == row
    for table, key, row in sorted(moves.claimed):
        memory.keys[table].setdefault(key, row)
