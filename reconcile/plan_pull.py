"""The plan: everything that one run would write, as a value. The same one is printed by a dry run and carried out."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET

from models import UNREADABLE, Row, RowId
from reconcile.base import ItemBase, is_as_refused
from reconcile.changes import DERIVED, EDITED_ON_MONDAY, Cause
from reconcile.columns import Policy
from reconcile.conflicts import Conflict, ConflictPlace
from reconcile.database_state import DatabaseState, ItemKey
from reconcile.decide import edited_on_monday, same
from reconcile.derived import DEFAULT_STATUS, STAGES, STATUS_COLUMN, key_moves, status_of
from reconcile.fields import ADDRESS
from reconcile.foreign_keys import (
    assign_policy_customers,
    edited_in_postgres,
    next_tolerated_links,
    other_item_of,
    recompute_roles,
    set_foreign_keys,
    set_item_ids,
    waits_for_push,
)
from reconcile.identity import Links, Resolution, WouldMerge
from reconcile.ids import LeftBehind
from reconcile.layout import ItemState, Layout
from reconcile.lookalikes import lookalikes
from reconcile.losses import Loss, how_lost, is_empty
from reconcile.merge import Adopt, Merged, merge_fields, newest_first, next_base
from reconcile.namesakes import namesakes
from reconcile.parting import take_back
from reconcile.tables import SPECS, TABLES, row_keys
from reconcile.working_rows import ItemRows, WorkingRows

NOW: Final = "now"
"""PostgreSQL's own word for the time of the transaction: a plan holds no clock."""

Gone = Literal["archived", "deleted", "moved", "silent"]
SILENT_READS = 2


class Update(msgspec.Struct, frozen=True):
    """One row that changes: column → (before, after)."""

    id: RowId
    changes: dict[str, tuple[Any, Any]]

    def applied_to(self, row: Row) -> Row:
        """The row as it is after the change."""
        return msgspec.structs.replace(row, **{column: after for column, (_before, after) in self.changes.items()})


class Quarantined(msgspec.Struct, frozen=True):
    """One cell that could not be decoded or stored: it keeps its last good value."""

    board: str
    item_id: int
    column_id: str
    reason: str


class Departed(msgspec.Struct, frozen=True):
    """An item that is no longer active on its board. `archive` when its row is marked in this run."""

    board: str
    item_id: int
    state: Gone
    archive: bool


@dataclass(slots=True)
class Plan:
    """Everything that one pull would write, sorted."""

    inserts: dict[str, list[Row]] = field(default_factory=lambda: {table: [] for table in TABLES})
    """New rows, by table."""
    updates: dict[str, list[Update]] = field(default_factory=lambda: {table: [] for table in TABLES})
    """Rows that change, by table."""
    items: list[ItemBase] = field(default_factory=list)
    """What is remembered of items from then on."""
    departed: list[Departed] = field(default_factory=list)
    """Items that are no longer active on their board."""
    claimed: dict[str, dict[str, RowId]] = field(default_factory=dict)
    """Natural keys that rows take, by table: key → row."""
    released: dict[str, set[str]] = field(default_factory=dict)
    """Natural keys that nobody owns any more, by table."""
    placeholders: set[str] = field(default_factory=set)
    """E-mail addresses that so many customers share that they name nobody."""
    dirty: set[RowId] = field(default_factory=set)
    """Rows that have something to tell monday afterwards."""
    clean: set[RowId] = field(default_factory=set)
    """Rows that people edited, and that have nothing to tell any more."""
    conflicts: list[Conflict] = field(default_factory=list)
    undecided: set[ConflictPlace] = field(default_factory=set)
    """Fields that both sides edited, and that this run leaves to a person or to the other direction."""
    quarantined: list[Quarantined] = field(default_factory=list)
    would_merge: list[WouldMerge] = field(default_factory=list)
    """Rows that may be one: a person is told."""
    lookalikes: list[WouldMerge] = field(default_factory=list)
    """New rows of projects, each with a row without item id that may be the same job."""
    unknown_stages: Counter[str] = field(default_factory=Counter)
    unparsed_addresses: int = 0
    edited_items: int = 0
    """Items that lost a value on monday since they were last seen."""
    again: set[RowId] = field(default_factory=set)
    """Rows of items of which something was refused and that nobody has edited since: what is tried again is no news."""
    edited_fields: Counter[Loss] = field(default_factory=Counter)
    """What they lost: (field, how) → how often."""
    adopted_fields: int = 0
    """Fields that were filled on both sides at first contact."""
    adopted_differences: Counter[str] = field(default_factory=Counter)
    """Those of them that differ, by table.column."""
    tolerated: Counter[str] = field(default_factory=Counter)
    """How each board's number of tolerated cells moves."""
    known_rows: dict[str, int] = field(default_factory=dict)
    duplicate_keys: Counter[str] = field(default_factory=Counter)
    """See `DatabaseState`."""
    parted: Counter[str] = field(default_factory=Counter)
    """Rows, by table, that stood for several things by an older rule of keys."""
    new_rows: frozenset[RowId] = frozenset()
    """The rows that those things got instead."""
    moved: set[ItemKey] = field(default_factory=set)
    """See `DatabaseState`."""
    unsure: set[ItemKey] = field(default_factory=set)
    """See `DatabaseState`."""
    left_behind: list[LeftBehind] = field(default_factory=list)
    """Rows that lost their item to another one."""
    lost: set[RowId] = field(default_factory=set)
    """Rows of items that are there no more."""
    marked: int = 0
    """How many items were linked to the row whose id they carry."""
    causes: Mapping[tuple[RowId, str], Cause] = field(default_factory=dict)
    """(row, column; of a joint field the first) → why it changes, for people. None of new rows."""
    known_items: Collection[ItemKey] = ()
    """Items that were synced before."""

    @property
    def writes(self) -> int:
        """Rows of the nine tables that would be inserted or updated."""
        return sum(map(len, self.inserts.values())) + sum(map(len, self.updates.values()))

    def digest(self) -> str:
        """A short hash of what the plan does to the nine tables: equal plans have equal digests."""
        encode = msgspec.json.Encoder(order="deterministic").encode
        digest = hashlib.sha256()
        for table in TABLES:
            for row in self.inserts[table]:
                digest.update(encode(msgspec.structs.astuple(row)))
            for update in self.updates[table]:
                digest.update(encode(update))
        return digest.hexdigest()[:12]


def plan_pull(
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    database: DatabaseState,
    resolution: Resolution,
    *,
    gone: Mapping[ItemKey, Gone],
    stage_status: Mapping[str, str],
    policy: Policy | None = None,
    adopt: Adopt | None = None,
) -> Plan:
    """Decide everything: pure, over sets, whatever order the states stand in.

    `resolution` is `identity.resolve` of the same states, which hold their last good values (`last_good`). `gone` are
    known items that are not active any more; `stage_status` maps a casefolded stage to a status; `policy` overrides the
    mapping's for this run, `adopt` settles tolerated differences.
    """
    links, working = resolution.links, WorkingRows(database, resolution.new_rows)
    rows = {item: working.rows_of(layouts[item[0]].slots, linked) for item, linked in links.items()}
    take_back(database, layouts, working)
    ranked = newest_first(states, layouts)
    merged = merge_fields(ranked, layouts, database, links, rows, policy, adopt, working.causes)
    merged.conflicts += set_foreign_keys(ranked, layouts, database, links, rows, working.causes)
    assign_policy_customers(ranked, layouts, database, links, working)
    recompute_roles(ranked, layouts, database, links, working)
    set_item_ids([state for state in ranked if (state.board, state.id) not in gone], layouts, database, links, working)
    plan = Plan(
        claimed=resolution.claimed,
        released=resolution.released,
        placeholders=resolution.placeholders,
        conflicts=sorted(merged.conflicts, key=lambda lost: (lost.item, lost.field)),
        undecided={(item, layouts[item[0]].fields[number].id) for item, number in merged.deferred},
        would_merge=resolution.would_merge,
        lookalikes=lookalikes(states, layouts, database, resolution),
        known_rows=dict(database.counts),
        duplicate_keys=database.duplicate_keys,
        moved=set(database.moved),
        unsure=set(database.unsure),
        marked=len(database.marked),
        causes=working.causes.found,
        known_items=frozenset(database.bases),
    )
    if database.unknown:
        _count_adopted(states, layouts, database, links, plan)
    _derive_status(working, database, stage_status, plan)
    _depart(gone, layouts, database, links, working, plan)
    _collect_items(
        sorted(states, key=lambda state: (state.board, state.id)), layouts, database, links, rows, merged, plan
    )
    if database.pending:
        held = {links[item][layouts[item[0]].fields[number].slot] for item, number in merged.deferred}
        unreadable = {
            row_id
            for rows in database.rows.values()
            for row_id in rows.keys() & database.pending
            if UNREADABLE in msgspec.structs.astuple(rows[row_id])
        }
        waits = (
            plan.dirty
            | held
            | unreadable
            | edited_in_postgres(states, layouts, links, rows)
            | database.elsewhere.keys()
        )
        plan.clean = {row for linked in links.values() for row in linked if row in database.pending} - waits
        _keep_keys(database, links, working, plan)
    _rekey(database, resolution, plan)
    plan.would_merge = [*plan.would_merge, *namesakes(plan.claimed, plan.released, database, links, working)]
    rows.clear()  # the working rows are let go as they are collected
    _collect_rows(working, plan)
    plan.dirty |= {row_id for row_id in _shown_changes(plan, layouts) if database.elsewhere.get(row_id)}
    return plan


def last_good(states: Sequence[ItemState], database: DatabaseState) -> None:
    """A quarantined cell, and a column that was not answered, keep their last value: states are completed in place."""
    for state in states:
        base = database.bases.get((state.board, state.id))
        if base is not None and UNSET in state.values:
            state.values = tuple(
                was if now is UNSET else now for now, was in zip(state.values, base.monday, strict=True)
            )


def _keep_keys(database: DatabaseState, links: Mapping[ItemKey, Links], working: WorkingRows, plan: Plan) -> None:
    """Write down the keys of rows that are pending no more: until now their content told them in each run. A row that
    people edited gives up those that its content has no longer.
    """
    known = database.unknown & {row for linked in links.values() for row in linked if row is not None}
    for table, keys in database.keys.items():
        released, claimed = plan.released.setdefault(table, set()), plan.claimed.setdefault(table, {})
        unrecorded, owned = database.unrecorded_keys[table], defaultdict[RowId, set[str]](set)
        for key, row in keys.items():
            if row in known or row in plan.clean:
                owned[row].add(key)
        for row, its_keys in owned.items():
            content = working.row(table, row)
            said = row_keys(table, content) if content is not None else ()
            moves = key_moves(said, its_keys, its_keys - unrecorded)
            for key in sorted(moves.claimed - released):
                claimed.setdefault(key, row)
            if row in plan.clean:
                released |= moves.released


def _rekey(database: DatabaseState, resolution: Resolution, plan: Plan) -> None:
    """Write down anew what an older rule called otherwise, and count what was parted."""
    for table, now in database.rekeyed.items():
        before = database.outdated.get(table, {})
        released, claimed = plan.released.get(table, set()), plan.claimed.get(table, {})
        carried = {key: row for key, row in now.items() if before.get(key) != row and key not in released}
        plan.claimed[table] = carried | claimed
        plan.released[table] = released | (before.keys() - now.keys() - claimed.keys())
    if database.strangers:
        plan.new_rows = frozenset(resolution.new_rows)
        parted = {(item, number, database.bases[item].links[number]) for item, number in database.strangers}
        tables = {row: table for table in TABLES for row in database.rows[table]}
        plan.parted = Counter(tables[row] for row in {row for _item, _number, row in parted} if row in tables)


def _derive_status(working: WorkingRows, database: DatabaseState, stage_status: Mapping[str, str], plan: Plan) -> None:
    """`projects.status` follows `current_stage`; an unknown stage gives `pending` and is reported once."""
    for table, column in STAGES.items():
        for row in working.touched(table):
            before, stage = database.rows[table].get(row.id), getattr(row, column)
            if before is not None and getattr(before, column) == stage:
                continue
            status = status_of(stage, stage_status)
            if status is None:
                plan.unknown_stages[stage] += 1
            setattr(row, STATUS_COLUMN, status or DEFAULT_STATUS)
            if before is not None:
                cause = working.causes.found.get((row.id, column))
                working.causes.note(row.id, STATUS_COLUMN, cause.item if cause is not None else None, DERIVED)


def _depart(
    gone: Mapping[ItemKey, Gone],
    layouts: Mapping[str, Layout],
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    working: WorkingRows,
    plan: Plan,
) -> None:
    """Archived and deleted items mark their row in this run; silent ones at the second complete read in a row. One that
    is on another board now keeps its row."""
    for (board, item_id), how in sorted(gone.items()):
        base = database.bases[board, item_id]
        archive = is_archived(how, base)
        plan.departed.append(Departed(board, item_id, how, archive))
        if not archive and how != "moved":
            continue
        record = layouts[board].record
        slot = layouts[board].slots[record]
        row = working.record(slot.table, base.links[record])
        if row is None or row.monday_item_id not in (item_id, None):
            continue
        if not archive:  # it lives, and its row is no new one, although a person emptied its id
            row.monday_item_id = item_id
            continue
        if other := other_item_of(board, layouts[board], row.id, database, links):
            row.monday_item_id = other
            working.causes.note(row.id, "monday_item_id", (board, item_id), DERIVED)
        elif row.archived_at is None:
            row.archived_at = NOW
            working.causes.note(row.id, "archived_at", (board, item_id), EDITED_ON_MONDAY)


def is_archived(how: Gone, base: ItemBase) -> bool:
    """Whether an item that is not active is marked as gone in this run."""
    return how in ("archived", "deleted") or (how == "silent" and base.missing_count + 1 >= SILENT_READS)


def _count_adopted(
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    plan: Plan,
) -> None:
    """Rows that were there before the sync: how many fields are filled on both sides, and how many of them differ."""
    for state in states:
        layout = layouts[state.board]
        for slot, row_id in zip(layout.slots, links[state.board, state.id], strict=True):
            if row_id not in database.unknown or row_id not in database.rows[slot.table]:
                continue
            if (state.board, state.id) in database.moved and slot is layout.slots[layout.record]:
                continue  # the item is compared with what it was remembered with
            row = database.rows[slot.table][row_id]
            for number in slot.fields:
                field = layout.fields[number]
                says, holds = state.values[number], row[field]
                if says not in (None, UNSET) and holds is not UNREADABLE and not is_empty(holds):
                    plan.adopted_fields += 1
                    if not same(field, says, holds):
                        plan.adopted_differences[f"{slot.table}.{field.columns[0]}"] += 1


def _collect_rows(working: WorkingRows, plan: Plan) -> None:
    for table in TABLES:
        for before, after in working.changed(table):
            if before is None:
                plan.inserts[table].append(after)
            else:
                plan.updates[table].append(Update(after.id, before.changes_to(after)))


def _collect_items(
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    rows: Mapping[ItemKey, ItemRows],
    merged: Merged,
    plan: Plan,
) -> None:
    waits = {item for item, _number in merged.deferred}
    rivals, told = {pair.item for pair in plan.would_merge if pair.rival is not None}, set[ItemKey]()
    for state in states:
        item = (state.board, state.id)
        layout, base = layouts[state.board], database.bases.get(item)
        after = next_base(state, layout, base, links[item], rows[item], merged)
        plan.dirty.update(after.awaiting_push)
        held = next_tolerated_links(layout, base, links[item], rows[item][layout.record])
        if waits_for_push(layout, links[item], rows[item], held):
            plan.dirty.update(row for row in (links[item][layout.record],) if row is not None)
        after.base.tolerated_links = held
        as_it_was = base is not None and _as_it_was(base, after.base)
        if not state.seen and as_it_was and item not in plan.moved:
            continue
        content_hash = None if item in waits or after.incomplete else state.content_hash
        if base is not None and as_it_was and item in rivals - plan.moved and _is_known(base, state, content_hash):
            told.add(item)  # it was looked at because it is listed, as it goes on to be
            continue
        if base is not None and state.seen and is_as_refused(base.content_hash, state.content_hash):
            plan.again.update(row for row in links[item] if row is not None)
        elif base is not None and state.seen and (lost := _lost_on_monday(state, layout, base)):
            plan.edited_items += 1
            plan.edited_fields.update(lost)
        counted = base.tolerated if base is not None else database.anew.get(item, 0)
        plan.tolerated[state.board] += after.base.tolerated - counted
        after.base.content_hash = content_hash
        plan.items.append(after.base)
        plan.quarantined += [Quarantined(state.board, state.id, column, reason) for column, reason in state.bad]
        _count_unparsed(state, layout, plan)
    plan.would_merge = [pair for pair in plan.would_merge if pair.rival is None or pair.item not in told]


def _is_known(base: ItemBase, state: ItemState, content_hash: str | None) -> bool:
    """Whether an item that was read anew is the one that is remembered, with nothing open."""
    return not state.bad and None not in (base.content_hash, content_hash) and base.updated_at == state.updated_at


def _shown_changes(plan: Plan, layouts: Mapping[str, Layout]) -> set[RowId]:
    """Rows that change in something which monday shows."""
    shown = {
        (layout.slots[field.slot].table, column)
        for layout in layouts.values()
        for field in layout.fields
        if field.two_way
        for column in field.columns
    }
    return {
        update.id
        for table, updates in plan.updates.items()
        for update in updates
        if any((table, column) in shown for column in update.changes)
    }


def _lost_on_monday(state: ItemState, layout: Layout, base: ItemBase) -> list[Loss]:
    """The fields that were filled on monday and say something else now, or nothing."""
    return [
        (f"{layout.slots[field.slot].table}.{field.columns[0]}", how_lost(was, now))
        for field, now, was in zip(layout.fields, state.values, base.monday, strict=True)
        if was is not None and now != was and edited_on_monday(field, now, was)
    ]


def _as_it_was(before: ItemBase, base: ItemBase) -> bool:
    return (
        before.links == base.links
        and before.tolerated_links == base.tolerated_links
        and [*before.monday] == [*base.monday]
        and [*before.postgres] == [*base.postgres]
    )


def _count_unparsed(state: ItemState, layout: Layout, plan: Plan) -> None:
    for slot in layout.slots:
        if (joint := SPECS[slot.table].joint) is ADDRESS:
            address = state.values[slot.at[joint.columns[0]]]
            if isinstance(address, tuple) and not any(address[1:]):
                plan.unparsed_addresses += 1
