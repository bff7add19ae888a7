"""The plan: everything that one run would write, as a value. The same one is printed by a dry run and carried out."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET

from models import TABLES, UNREADABLE, Project, Row, RowId
from reconcile.base import is_as_refused
from reconcile.changes import DERIVED, EDITED_ON_MONDAY, Cause
from reconcile.columns import Policy
from reconcile.database_state import DatabaseState
from reconcile.decide import edited_on_monday, same
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
from reconcile.identity import Resolution, WouldMerge
from reconcile.ids import LeftBehind
from reconcile.layout import Layout
from reconcile.lookalikes import lookalikes
from reconcile.losses import Loss, how_lost, is_empty
from reconcile.merge import Adopt, Merged, PlannedItem, merge_fields, newest_first, next_base
from reconcile.namesakes import namesakes
from reconcile.parting import take_back
from reconcile.tables import row_keys
from reconcile.types import Conflict, ConflictPlace, ItemBase, ItemKey, ItemState, Links, PerField
from reconcile.working_rows import WorkingRows

NOW: Final = "now"
"""PostgreSQL's own word for the time of the transaction: a plan holds no clock."""

Gone = Literal["archived", "deleted", "moved", "silent"]
DEFAULT_STATUS = "pending"
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

    inserts: dict[str, list[Row]] = dataclasses.field(default_factory=lambda: {table: [] for table in TABLES})
    """New rows, by table."""
    updates: dict[str, list[Update]] = dataclasses.field(default_factory=lambda: {table: [] for table in TABLES})
    """Rows that change, by table."""
    items: list[ItemBase] = dataclasses.field(default_factory=list)
    """What is remembered of items from then on."""
    departed: list[Departed] = dataclasses.field(default_factory=list)
    """Items that are no longer active on their board."""
    claimed: dict[str, dict[str, RowId]] = dataclasses.field(default_factory=dict)
    """Natural keys that rows take, by table: key → row."""
    released: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    """Natural keys that nobody owns any more, by table."""
    placeholders: set[str] = dataclasses.field(default_factory=set)
    """E-mail addresses that so many customers share that they name nobody."""
    dirty: set[RowId] = dataclasses.field(default_factory=set)
    """Rows that have something to tell monday afterwards."""
    clean: set[RowId] = dataclasses.field(default_factory=set)
    """Rows that people edited, and that have nothing to tell any more."""
    conflicts: list[Conflict] = dataclasses.field(default_factory=list)
    undecided: set[ConflictPlace] = dataclasses.field(default_factory=set)
    """Fields that both sides edited, and that this run leaves to a person or to the other direction."""
    quarantined: list[Quarantined] = dataclasses.field(default_factory=list)
    would_merge: list[WouldMerge] = dataclasses.field(default_factory=list)
    """Rows that may be one: a person is told."""
    lookalikes: list[WouldMerge] = dataclasses.field(default_factory=list)
    """New rows of projects, each with a row without item id that may be the same job."""
    unknown_stages: Counter[str] = dataclasses.field(default_factory=Counter)
    unparsed_addresses: int = 0
    edited_items: int = 0
    """Items that lost a value on monday since they were last seen."""
    again: set[RowId] = dataclasses.field(default_factory=set)
    """Rows of items of which something was refused and that nobody has edited since: no guard counts a second try."""
    edited_fields: Counter[Loss] = dataclasses.field(default_factory=Counter)
    """What they lost: (field, how) → how often."""
    adopted_fields: int = 0
    """Fields that were filled on both sides at first contact."""
    adopted_differences: Counter[str] = dataclasses.field(default_factory=Counter)
    """Those of them that differ, by table.column."""
    tolerated: Counter[str] = dataclasses.field(default_factory=Counter)
    """How each board's number of tolerated cells moves."""
    known_rows: dict[str, int] = dataclasses.field(default_factory=dict)
    duplicate_keys: Counter[str] = dataclasses.field(default_factory=Counter)
    """See `DatabaseState`."""
    parted: Counter[str] = dataclasses.field(default_factory=Counter)
    """Rows, by table, that stood for several things by an older rule of keys."""
    new_rows: frozenset[RowId] = frozenset()
    """The rows that those things got instead."""
    moved: set[ItemKey] = dataclasses.field(default_factory=set)
    """See `DatabaseState`."""
    unsure: set[ItemKey] = dataclasses.field(default_factory=set)
    """See `DatabaseState`."""
    left_behind: list[LeftBehind] = dataclasses.field(default_factory=list)
    """Rows that lost their item to another one."""
    lost: set[RowId] = dataclasses.field(default_factory=set)
    """Rows of items that are there no more."""
    marked: int = 0
    """How many items were linked to the row whose id they carry."""
    causes: Mapping[tuple[RowId, str], Cause] = dataclasses.field(default_factory=dict)
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
    items = [
        PlannedItem(state, layouts[state.board], database.bases.get(state.item), links[state.item], rows[state.item])
        for state in ranked
    ]
    merged = merge_fields(items, database, policy, adopt, working.causes)
    merged.conflicts += set_foreign_keys(ranked, layouts, database, links, rows, working.causes)
    assign_policy_customers(ranked, layouts, database, links, working)
    recompute_roles(ranked, layouts, database, links, working)
    set_item_ids([state for state in ranked if state.item not in gone], layouts, database, links, working)
    plan = Plan(
        claimed=resolution.claimed,
        released=resolution.released,
        placeholders=resolution.placeholders,
        conflicts=sorted(merged.conflicts, key=lambda conflict: conflict.place),
        undecided=set(merged.deferred),
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
        _count_adopted(items, database, plan)
    _derive_status(working, database, stage_status, plan)
    _depart(gone, layouts, database, links, working, plan)
    _collect_items(sorted(items, key=lambda item: item.state.item), database, merged, plan)
    if database.pending:
        unreadable = {
            row_id
            for rows in database.rows.values()
            for row_id in rows.keys() & database.pending
            if UNREADABLE in msgspec.structs.astuple(rows[row_id])
        }
        waits = (
            plan.dirty
            | set(merged.deferred.values())
            | unreadable
            | edited_in_postgres(states, layouts, links, rows)
            | database.elsewhere.keys()
        )
        plan.clean = {row for linked in links.values() for row in linked if row in database.pending} - waits
        _keep_keys(database, links, working, plan)
    _rekey(database, resolution, plan)
    plan.would_merge = [*plan.would_merge, *namesakes(plan.claimed, plan.released, database, links, working)]
    items.clear()
    rows.clear()  # the working rows are let go as they are collected
    _collect_rows(working, plan)
    plan.dirty |= {row_id for row_id in _shown_changes(plan, layouts) if database.elsewhere.get(row_id)}
    return plan


def last_good(states: Sequence[ItemState], database: DatabaseState) -> None:
    """A quarantined cell, and a column that was not answered, keep their last value: states are completed in place."""
    for state in states:
        base = database.bases.get(state.item)
        if base is not None and UNSET in state.values:
            state.values = PerField(
                last if shown is UNSET else shown for shown, last in zip(state.values, base.monday, strict=True)
            )


def _keep_keys(database: DatabaseState, links: Mapping[ItemKey, Links], working: WorkingRows, plan: Plan) -> None:
    """Write down the keys of rows that are pending no more: until now each run read them off the rows' content. A row
    that people edited gives up those that its content has no longer.
    """
    known = database.unknown & {row for linked in links.values() for row in linked if row is not None}
    for table, keys in database.keys.items():
        released, claimed = plan.released.setdefault(table, set()), plan.claimed.setdefault(table, {})
        for key, row in keys.items():
            if row not in known and row not in plan.clean:
                continue
            content = working.row(table, row)
            has_it = content is not None and key in row_keys(table, content)
            if key in database.unrecorded_keys[table]:
                if has_it and key not in released:
                    claimed.setdefault(key, row)
            elif row in plan.clean and is_natural(key) and not has_it:
                released.add(key)


def _rekey(database: DatabaseState, resolution: Resolution, plan: Plan) -> None:
    """Write the keys of an older rule down as they are by the rule of today, and count the rows that are parted."""
    for table, now in database.rekeyed.items():
        before = database.outdated.get(table, {})
        released, claimed = plan.released.get(table, set()), plan.claimed.get(table, {})
        carried = {key: row for key, row in now.items() if before.get(key) != row and key not in released}
        plan.claimed[table] = carried | claimed
        plan.released[table] = released | (before.keys() - now.keys() - claimed.keys())
    if database.strangers:
        plan.new_rows = frozenset(resolution.new_rows)
        parted = {database.bases[item].links[slot] for item, slot in database.strangers}
        tables = {row: table for table in TABLES for row in database.rows[table]}
        plan.parted = Counter(tables[row] for row in parted if row in tables)


def is_natural(key: str) -> bool:
    """Whether a key is made of the row's content, and not of the item that shows it."""
    return not key.startswith(("slot:", "item:"))


def _derive_status(working: WorkingRows, database: DatabaseState, stage_status: Mapping[str, str], plan: Plan) -> None:
    """`projects.status` follows `current_stage`; an unknown stage gives `pending` and is reported once."""
    for row in working.touched(Project):
        before, stage = database.table(Project).get(row.id), row.current_stage
        if before is not None and before.current_stage == stage:
            continue
        status = stage_status.get(stage.casefold()) if stage else DEFAULT_STATUS
        if stage and status is None:
            plan.unknown_stages[stage] += 1
        row.status = status or DEFAULT_STATUS
        if before is not None:
            cause = working.causes.found.get((row.id, "current_stage"))
            working.causes.note(row.id, "status", cause.item if cause is not None else None, DERIVED)


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
        row = working.record(record.table, base.links[record])
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


def _count_adopted(items: Sequence[PlannedItem], database: DatabaseState, plan: Plan) -> None:
    """Rows that were there before the sync: how many fields are filled on both sides, and how many of them differ."""
    for item in items:
        state, record = item.state, item.layout.record
        for slot, row_id in zip(item.layout.slots, item.links, strict=True):
            if row_id not in database.unknown or row_id not in database.rows[slot.table]:
                continue
            if slot == record and state.item in database.moved:
                continue  # the item is compared with what it was remembered with
            row = database.rows[slot.table][row_id]
            for field in slot.fields:
                monday, postgres = state[field], row[field]
                if monday not in (None, UNSET) and postgres is not UNREADABLE and not is_empty(postgres):
                    plan.adopted_fields += 1
                    if not same(field, monday, postgres):
                        plan.adopted_differences[field.target] += 1


def _collect_rows(working: WorkingRows, plan: Plan) -> None:
    for table in TABLES:
        for before, after in working.changed(table):
            if before is None:
                plan.inserts[table].append(after)
            else:
                plan.updates[table].append(Update(after.id, before.changes_to(after)))


def _collect_items(items: Sequence[PlannedItem], database: DatabaseState, merged: Merged, plan: Plan) -> None:
    """What is remembered of each item from then on, where that changes."""
    deferred = {item for item, _field in merged.deferred}
    rivals, listed = {pair.item for pair in plan.would_merge if pair.rival is not None}, set[ItemKey]()
    for planned in items:
        state, layout, base, links, rows = planned
        item = state.item
        after = next_base(planned, merged)
        plan.dirty.update(after.awaiting_push)
        tolerated_links = next_tolerated_links(layout, base, links, rows[layout.record])
        if waits_for_push(layout, links, rows, tolerated_links):
            plan.dirty.update(row for row in (links[layout.record],) if row is not None)
        after.base.tolerated_links = tolerated_links
        unchanged = base is not None and _is_as_before(base, after.base)
        if not state.seen and unchanged and item not in plan.moved:
            continue
        content_hash = None if item in deferred or after.incomplete else state.content_hash
        if base is not None and unchanged and item in rivals - plan.moved and _is_known(base, state, content_hash):
            listed.add(item)  # it was looked at because it is listed, as it goes on to be
            continue
        if base is not None and state.seen and is_as_refused(base.content_hash, state.content_hash):
            plan.again.update(row for row in links if row is not None)
        elif base is not None and state.seen and (lost := _lost_on_monday(state, layout, base)):
            plan.edited_items += 1
            plan.edited_fields.update(lost)
        counted = base.tolerated if base is not None else database.anew.get(item, 0)
        plan.tolerated[state.board] += after.base.tolerated - counted
        after.base.content_hash = content_hash
        plan.items.append(after.base)
        plan.quarantined += [Quarantined(state.board, state.id, column, reason) for column, reason in state.bad]
        _count_unparsed(state, layout, plan)
    plan.would_merge = [pair for pair in plan.would_merge if pair.rival is None or pair.item not in listed]


def _is_known(base: ItemBase, state: ItemState, content_hash: str | None) -> bool:
    """Whether an item that was read anew is the one that is remembered, with nothing open."""
    return not state.bad and None not in (base.content_hash, content_hash) and base.updated_at == state.updated_at


def _shown_changes(plan: Plan, layouts: Mapping[str, Layout]) -> set[RowId]:
    """Rows that change in something which monday shows."""
    shown = {
        (field.table, column)
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
    """The fields that were filled on monday and show something else now, or nothing."""
    return [
        (field.target, how_lost(before, now))
        for field, now, before in zip(layout.fields, state.values, base.monday, strict=True)
        if before is not None and now != before and edited_on_monday(field, now, before)
    ]


def _is_as_before(before: ItemBase, after: ItemBase) -> bool:
    return (before.links, before.tolerated_links, before.monday, before.postgres) == (
        after.links,
        after.tolerated_links,
        after.monday,
        after.postgres,
    )


def _count_unparsed(state: ItemState, layout: Layout, plan: Plan) -> None:
    for slot in layout.slots:
        if slot.table == "properties":
            address = state[slot.by_column["address"]]
            if isinstance(address, tuple) and not any(address[1:]):
                plan.unparsed_addresses += 1
