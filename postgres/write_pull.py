"""Carries out a plan in one transaction: new rows by COPY, changed columns by one UPDATE a set, then the sync's state.

Nothing is touched when nothing differs. What the database refuses (a constraint or trigger of the user's own) is left
out alone, a value or a row, and reported; the rest lands. What is remembered is what the rows really hold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import psycopg2
from msgspec import UNSET
from psycopg2 import sql

from models import REFERENCES, TABLES, UNREADABLE, Row, RowId
from postgres.bases import places, rows_by_id, write_items
from postgres.changes import add_changes
from postgres.conflicts import OpenConflict, Winner, add_conflicts, open_conflicts, settle
from postgres.copy import CopyText
from postgres.errors import is_rows_fault
from postgres.ids import IS_CLAIM, forget_rows, list_left_behind
from postgres.row_writer import EVERYTHING, RowRejection, RowWriter, look_at_deferred, pointers
from postgres.rules import Rules, read_rules
from postgres.state import LOOKALIKE, NAMESAKE, row_hash
from postgres.told import NEWS_AGAIN
from postgres.transaction import Transaction
from reconcile.base import AGAIN, AGAIN_LATER, content_of, digest_of
from reconcile.changes import pull_changes
from reconcile.columns import MARKER
from reconcile.database_state import DatabaseState
from reconcile.decide import edited_on_monday, same
from reconcile.fields import FieldValue
from reconcile.foreign_keys import foreign_key
from reconcile.identity import WouldMerge
from reconcile.layout import Layout, together
from reconcile.plan_pull import NOW, Plan, Update, is_natural
from reconcile.tables import row_keys
from reconcile.types import FORCE, ConflictPlace, Field, ItemBase, Pair, PerField, Slot

_AGAIN_AT_ONCE = 100
"""Items of which something was refused that the next run tries again: one request. The others wait for the next whole
read, or until somebody edits them."""
_FORGET = f"""
DELETE FROM monday_sync.sync_key WHERE NOT placeholder;
DELETE FROM monday_sync.sync_row;
DELETE FROM monday_sync.sync_dead d WHERE d.kind <> 'op' AND ({NAMESAKE} OR NOT {LOOKALIKE});
UPDATE monday_sync.sync_conflict SET state = 'settled', winner = 'nobody', settled_at = now(), told_by = ''
WHERE state = 'open';
UPDATE monday_sync.sync_board SET tolerated = 0
"""  # noqa: S608  constants alone
_CORRECTED = f"""
DELETE FROM monday_sync.sync_dead d USING unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id)
WHERE d.board_id = w.board_id AND d.item_id = w.item_id AND d.kind <> 'op' AND NOT {LOOKALIKE} AND NOT {NAMESAKE}
AND NOT {IS_CLAIM}
AND NOT (d.kind, d.board_id, d.item_id, d.place)
    IN (SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[]))
"""  # noqa: S608  constants alone
_GONE = f"""
DELETE FROM monday_sync.sync_dead d USING unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id)
WHERE d.board_id = w.board_id AND d.item_id = w.item_id AND d.kind <> 'op' AND NOT {NAMESAKE}
"""  # noqa: S608  constants alone


@dataclass(slots=True)
class Applied:
    """Rows really written, by table; and what was refused, which waits for a person."""

    inserted: dict[str, int] = dataclasses.field(default_factory=lambda: dict.fromkeys(TABLES, 0))
    updated: dict[str, int] = dataclasses.field(default_factory=lambda: dict.fromkeys(TABLES, 0))
    refused: list[RowRejection] = dataclasses.field(default_factory=list)


class _Rewritten(NamedTuple):
    """One row as it was planned, and as it is."""

    planned: Row
    held: Row


class Applier:
    """Writes one plan. Tables go in the order of `models.TABLES` and rows by id: every writer locks alike."""

    def __init__(self, tx: Transaction, layouts: Mapping[str, Layout], database: DatabaseState, run_id: str) -> None:
        self._tx = tx
        self._layouts = layouts
        self._database = database
        self._run_id = run_id
        self._applied = Applied()
        self._rules = Rules()
        self._writer = RowWriter(tx, self._rules)
        self._absent: set[RowId] = set()
        """New rows that are not there."""
        self._adrift: dict[RowId, set[str]] = {}
        """Foreign keys that could not be set, by row."""
        self._lost: dict[RowId, set[str]] = {}
        """Columns that were refused, by row."""
        self._rewritten: dict[RowId, _Rewritten] = {}
        """Rows that hold something else than was planned."""
        self._refused: set[RowId] = set()
        self._idle: set[RowId] = set()
        """Rows of which nothing was written, since all of it was refused."""
        self._opened = 0
        self._refused_cells: list[tuple[ItemBase, Field, RowId]] = []

    def apply(self, plan: Plan, *, forget: bool = False) -> Applied:
        """Rows first, then what is remembered of them; `forget` drops first what earlier runs remembered of rows, and
        of the items of the plan.

        Raises psycopg2.Error for anything but a row's own fault; the transaction is then lost as a whole.
        """
        if forget:
            self._tx.execute(_FORGET)
        if plan.writes:
            self._rules = read_rules(self._tx)
            self._writer.rules = self._rules
            self._write_tables(plan)
        self._applied.inserted.update(self._writer.inserted)
        self._applied.updated.update(self._writer.updated)
        if self._rules.rewriting or self._writer.refused or self._writer.dropped:
            self._take_stock(plan)
        if plan.writes:
            self._write_changes(plan)
        places = self._item_places(plan.items)  # before their links are taken away
        self._write_items(plan, forget=forget)
        self._write_departed(plan)
        self._write_keys(plan)
        self._write_row_hashes(plan)
        self._write_dead(plan, places)
        self._write_conflicts(plan)
        self._write_ids(plan)
        return self._applied

    # The nine tables

    def _write_tables(self, plan: Plan) -> None:
        """All rows at first as if nobody objected. Constraints that are deferred are looked at once all rows are there;
        where one objects, all is done again, and they are looked at with each statement."""
        if not self._rules.deferred:
            self._write_rows(plan)
            return
        try:
            with self._tx.savepoint():
                self._write_rows(plan)
                look_at_deferred(self._tx, self._rules)
        except psycopg2.Error as error:
            if not is_rows_fault(error):
                raise
            self._absent, self._adrift = set(), {}
            self._writer = RowWriter(self._tx, self._rules, at_once=True)
            self._write_rows(plan)

    def _write_rows(self, plan: Plan) -> None:
        for table in TABLES:
            rows: Sequence[Row] = plan.inserts[table]
            updates: Sequence[Update] = plan.updates[table]
            if not rows and not updates:
                continue
            if self._absent:
                rows = [self._without_absent(table, row) for row in rows]
                updates = [self._update_without_absent(table, update) for update in updates]
            self._writer.write(table, rows, updates)
            if self._writer.refused:
                new = {row.id for row in rows}
                self._absent |= {refused.row for refused in self._writer.refused if not refused.columns} & new

    def _without_absent(self, table: str, row: Row) -> Row:
        """A new row whose pointers to rows that were refused are empty for now."""
        lost = [column for column in pointers(table) if getattr(row, column) in self._absent]
        if not lost:
            return row
        self._adrift.setdefault(row.id, set()).update(lost)
        return msgspec.structs.replace(row, **dict.fromkeys(lost))

    def _update_without_absent(self, table: str, update: Update) -> Update:
        """A change whose pointers to rows that were refused stay as they are for now."""
        lost = {c for c in pointers(table) if c in update.changes and update.changes[c][1] in self._absent}
        if not lost:
            return update
        self._adrift.setdefault(update.id, set()).update(lost)
        return Update(update.id, {column: change for column, change in update.changes.items() if column not in lost})

    def _take_stock(self, plan: Plan) -> None:
        """What became of the rows: refused ones, columns that were left out, and rows that hold something else than was
        written, by a trigger, a rule or a default of theirs."""
        self._applied.refused += self._writer.refused
        self._refused = {refused.row for refused in self._writer.refused if not refused.columns}
        self._idle = self._writer.idle - self._refused
        for refused in self._writer.refused:
            if refused.columns:
                self._lost.setdefault(refused.row, set()).update(refused.columns)
                self._adrift.setdefault(refused.row, set()).update(refused.columns & REFERENCES.keys())
        for table in TABLES:
            planned = self._planned(table, plan)
            if not planned:
                continue
            for row in rows_by_id(self._tx, table, EVERYTHING, planned):
                if planned[row.id] != row:
                    self._rewritten[row.id] = _Rewritten(planned[row.id], row)

    def _planned(self, table: str, plan: Plan) -> dict[RowId, Row]:
        """The rows of which it is not certain that they hold what was planned, as they were planned: those of which a
        column was left out, and all where something of the owner's may write too."""
        everything, dropped = self._rules.rewriting, self._writer.dropped.keys() | self._adrift.keys()
        if not everything and not dropped:
            return {}
        known = self._database.rows[table]
        found = {row.id: row for row in plan.inserts[table] if everything or row.id in dropped}
        for update in plan.updates[table]:
            if everything or update.id in dropped:
                found[update.id] = update.applied_to(known[update.id])
        if everything:  # rows that were met or edited are in step from now on, as they are
            linked = {row for base in plan.items for row in base.links if row is not None}
            remembered = linked & self._database.unknown | plan.clean
            found |= {row: known[row] for row in (remembered & known.keys()) - found.keys()}
        return {row_id: row for row_id, row in found.items() if row_id not in self._refused}

    def _write_changes(self, plan: Plan) -> None:
        """What the rows were, and what they are now: of a plan, that which landed, as it did."""
        landed = {
            table: [done for update in updates if (done := self._as_landed(table, update)).changes]
            for table, updates in plan.updates.items()
        }
        changes = pull_changes(plan, self._layouts, landed, self._refused | self._idle)
        add_changes(self._tx, self._layouts, self._run_id, changes)

    def _as_landed(self, table: str, update: Update) -> Update:
        if update.id in self._refused or update.id in self._idle:
            return Update(update.id, {})
        if update.id in self._rewritten:
            found = self._database.rows[table][update.id].changes_to(self._rewritten[update.id].held)
            return Update(update.id, {column: pair for column, pair in found.items() if UNREADABLE not in pair})
        lost = self._lost.get(update.id, set()) | self._adrift.get(update.id, set())
        return Update(
            update.id,
            {
                column: (before, self._tx.now if (column, after) == ("archived_at", NOW) else after)
                for column, (before, after) in update.changes.items()
                if column not in lost
            },
        )

    # What is remembered

    def _write_items(self, plan: Plan, *, forget: bool) -> None:
        if not plan.items:
            return
        known = {base.item for base in plan.items}
        if not forget:
            known &= self._database.bases.keys() | self._database.anew.keys()
        write_items(self._tx, self._layouts, self._whole(plan), known)

    def _whole(self, plan: Plan) -> Iterator[ItemBase]:
        """The items as they are remembered: what of them did not land is tried again by the next run."""
        touched = self._refused | self._adrift.keys() | self._rewritten.keys()
        tried_again = self._tried_again(plan.items) if self._lost else {}
        for base in plan.items:
            if touched and not touched.isdisjoint(base.links):
                layout, counted = self._layouts[base.board], base.tolerated
                unsettled = self._unsettled(base, layout)
                self._set_right(base, layout, unsettled, tried_again)
                if unsettled:
                    self._forget(base, unsettled)
                plan.tolerated[base.board] += base.tolerated - counted
            yield base

    def _leave_open(self, base: ItemBase) -> None:
        """Its hash stays beside the mark, by which the next run tells that nobody has edited it since."""
        if base.content_hash is not None:
            self._opened += 1
            mark = AGAIN if self._opened <= _AGAIN_AT_ONCE else AGAIN_LATER
            base.content_hash = mark + content_of(base.content_hash)

    def _unsettled(self, base: ItemBase, layout: Layout) -> set[Slot]:
        """The slots that stand as they did before this run: those of refused rows, and those of which the row is not
        pointed at as it was to be."""
        before = self._database.bases.get(base.item)
        unsettled: set[Slot] = set()
        for slot, row in zip(layout.slots, base.links, strict=True):
            if row is None:
                continue
            adrift = self._adrift.get(row, set())
            if row in self._refused:
                unsettled.add(slot)
                adrift = set(pointers(slot.table)) if row in self._database.rows[slot.table] else set()
            for target in layout.slots if adrift else ():
                moved = base.links[target] != (before.links[target] if before is not None else None)
                if target.link in adrift and moved:
                    unsettled.add(target)
        return unsettled

    def _forget(self, base: ItemBase, unsettled: Collection[Slot]) -> None:
        """Some slots of an item are remembered as they stood before this run, and the next one tries again."""
        before = self._database.bases.get(base.item)
        tolerated_links = dict(base.tolerated_links)
        for slot in unsettled:
            row = base.links[slot]
            link = before.links[slot] if before is not None else None
            if link is None and row in self._refused and row in self._database.rows[slot.table]:
                link = row  # it is there, only its change was refused
            base.links[slot] = link
            tolerated_links.pop(slot.role, None)
            if before is not None and slot.role in before.tolerated_links:
                tolerated_links[slot.role] = before.tolerated_links[slot.role]
            for field in slot.fields:
                base[field] = Pair(UNSET, UNSET) if before is None or link is None else before[field]
        base.tolerated_links = tolerated_links
        self._leave_open(base)

    def _tried_again(self, bases: Sequence[ItemBase]) -> dict[tuple[RowId, str], ConflictPlace]:
        """(row, first column) of a value that was refused → the item and field that stand for it: of those that show it
        one that shows it anew, and the staff board's before others. That one is tried again; the others are left
        different."""
        found: dict[tuple[RowId, str], tuple[bool, ConflictPlace]] = {}
        for base in bases:
            before = self._database.bases.get(base.item)
            for slot, row in zip(self._layouts[base.board].slots, base.links, strict=True):
                if row is None or row not in self._lost or row not in self._rewritten:
                    continue
                planned = self._rewritten[row].planned
                for field in slot.fields:
                    monday = base.monday[field]
                    if self._lost[row].isdisjoint(field.columns) or monday is UNSET:
                        continue
                    if not same(field, monday, planned[field]):
                        continue
                    shown = before.monday[field] if before is not None and before.links[slot] == row else UNSET
                    anew = shown is UNSET or edited_on_monday(field, monday, shown)
                    if anew >= found.get((row, field.column), (False,))[0]:
                        found[row, field.column] = (anew, (base.item, field.id))
        return {place: stands for place, (_anew, stands) in found.items()}

    def _set_right(
        self,
        base: ItemBase,
        layout: Layout,
        unsettled: Collection[Slot],
        tried_again: Mapping[tuple[RowId, str], ConflictPlace],
    ) -> None:
        """The base is of what the rows really hold. A value that was refused stands as an edit that is still to
        come."""
        for slot, row in zip(layout.slots, base.links, strict=True):
            if row is None or row not in self._rewritten or slot in unsettled:
                continue
            planned, held = self._rewritten[row]
            if slot == layout.record:
                self._point_right(base, layout, unsettled, planned, held)
            for field in slot.fields:
                pair = base[field]
                if pair.monday is UNSET or pair.postgres is FORCE or planned[field] == held[field]:
                    continue
                if not same(field, pair.postgres, planned[field]):
                    continue  # an edit waits there, and waits on
                if tried_again.get((row, field.column)) == (base.item, field.id):
                    self._hold_back(base, slot, row, field, held[field])
                else:
                    base[field] = Pair(pair.monday, held[field])
                    base.tolerated += same(field, pair.monday, planned[field]) - same(field, pair.monday, held[field])

    def _point_right(
        self, base: ItemBase, layout: Layout, unsettled: Collection[Slot], planned: Row, held: Row
    ) -> None:
        """A foreign key that the record does not have as it was to be is no edit either."""
        for slot in layout.referenced:
            wanted, points = foreign_key(planned, slot), foreign_key(held, slot)
            known = base.tolerated_links.get(slot.role, base.links[slot])
            if wanted != points and slot not in unsettled and known == wanted:
                base.tolerated_links.pop(slot.role, None)
                if points != base.links[slot]:
                    base.tolerated_links[slot.role] = points

    def _hold_back(self, base: ItemBase, slot: Slot, row: RowId, field: Field, held: Any) -> None:
        """As it was remembered before the cell showed what was refused; a new item had shown nothing."""
        before = self._database.bases.get(base.item)
        linked = before is not None and before.links[slot] == row and before.monday[field] is not UNSET
        pair = before[field] if before is not None and linked else Pair(None, held)
        self._refused_cells.append((base, field, row))
        base[field] = pair
        base.tolerated += pair.postgres is not FORCE and not same(field, pair.monday, pair.postgres)
        self._leave_open(base)

    def _write_departed(self, plan: Plan) -> None:
        if not plan.departed:
            return
        self._tx.execute(
            "UPDATE monday_sync.sync_item i SET state = w.state,"
            " missing_count = CASE WHEN w.state = 'missing' THEN i.missing_count + 1 ELSE 0 END"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS w (board_id, item_id, state)"
            " WHERE i.board_id = w.board_id AND i.item_id = w.item_id",
            (
                [self._layouts[item.board].board_id for item in plan.departed],
                [item.item_id for item in plan.departed],
                ["missing" if item.state == "silent" else item.state for item in plan.departed],
            ),
        )
        archived = [item for item in plan.departed if item.archive]
        self._tx.execute(  # nobody can correct a cell of an item that is gone
            _GONE,
            ([self._layouts[item.board].board_id for item in archived], [item.item_id for item in archived]),
        )

    def _write_keys(self, plan: Plan) -> None:
        kept = self._tx.encoding.kept
        claimed = [
            (table, key, row)
            for table, keys in plan.claimed.items()
            if table != "projects"  # the item id is in the table itself
            for key, row in sorted(keys.items())
            if row not in self._refused and self._has(table, row, key)
        ]
        gone = [
            (table, key)
            for table, keys in plan.released.items()
            for key in sorted(keys)
            if not self._keeps(table, self._database.keys[table].get(key), key)
        ]
        gone += [("customers", key) for key in plan.placeholders]
        if self._database.remembers or any(
            self._database.counts.values()
        ):  # the key of a deleted row may still be there
            gone += [(table, key) for table, key, _row in claimed]
        if gone:
            self._tx.execute(
                "DELETE FROM monday_sync.sync_key k USING unnest(%s::text[], %s::text[]) AS w (table_name, key)"
                " WHERE k.table_name = w.table_name AND k.key = w.key",
                ([table for table, _ in gone], [kept(key) for _, key in gone]),
            )
        rows: list[tuple[Any, ...]] = [(table, kept(key), row, "f") for table, key, row in claimed]
        rows = [*rows, *(("customers", kept(key), None, "t") for key in sorted(plan.placeholders))]
        if rows:
            self._tx.copy_in(
                "COPY monday_sync.sync_key (table_name, key, row_id, placeholder) FROM STDIN", CopyText(rows)
            )

    def _has(self, table: str, row: RowId, key: str) -> bool:
        """Whether a row has a key that it was to have; not if the value behind it was refused, and it keeps another."""
        changed = row in self._lost or row in self._adrift
        if not changed or row not in self._database.rows[table] or not is_natural(key):
            return True
        return key in self._keys_of(table, row)

    def _keeps(self, table: str, row: RowId | None, key: str) -> bool:
        """Whether a row still has a key that it was to give up."""
        if row is None or row in self._refused:
            return row is not None
        return (row in self._lost or row in self._adrift) and key in self._keys_of(table, row)

    def _keys_of(self, table: str, row: RowId) -> Collection[str]:
        held = self._rewritten[row].held if row in self._rewritten else self._database.rows[table][row]
        return set(row_keys(table, held))

    def _write_row_hashes(self, plan: Plan) -> None:
        """In step: the hash of the row as it is now. Dirty: no hash, until monday was told. A row with an edit of a
        person's that waits keeps its old hash, or the edit would be forgotten."""
        linked = (
            {row for base in plan.items for row in base.links if row is not None} if self._database.unknown else set()
        )
        left = self._refused | self._idle
        for table in TABLES:
            new = {row.id for row in plan.inserts[table]} - left
            met = {row for row in self._database.unknown & linked if row in self._database.rows[table]} - left
            clean = {update.id for update in plan.updates[table]} - self._database.pending - left
            dirty = {row for row in plan.dirty if row in new or row in self._database.rows[table]} - left
            edited = {row for row in plan.clean if row in self._database.rows[table]} - left
            current = (new | met | clean | edited) - dirty
            if current:
                everything = (
                    not self._database.counts.get(table) and not dirty
                )  # a first load: every row is one of these
                statement = sql.SQL(
                    "INSERT INTO monday_sync.sync_row (table_name, row_id, p_hash)"
                    " SELECT {name}, t.id, {hash} FROM {table} t {which}"
                    " ON CONFLICT (table_name, row_id) DO UPDATE SET p_hash = EXCLUDED.p_hash"
                ).format(
                    name=sql.Literal(table),
                    hash=row_hash(table),
                    table=self._tx.table(table),
                    which=sql.SQL("" if everything else "WHERE t.id = ANY(%s::uuid[])"),
                )
                self._tx.execute(statement, None if everything else (sorted(current),))
            if dirty:
                self._tx.execute(
                    "INSERT INTO monday_sync.sync_row (table_name, row_id) SELECT %s, unnest(%s::uuid[])"
                    " ON CONFLICT (table_name, row_id) DO UPDATE SET p_hash = NULL",
                    (table, sorted(dirty)),
                )

    def _write_dead(self, plan: Plan, places: Mapping[RowId, tuple[int, int]]) -> None:
        seen, kept = plan.items if self._database.bases else (), self._tx.encoding.kept
        dead = [
            ("cell", self._layouts[cell.board].board_id, cell.item_id, cell.column_id, kept(cell.reason), "")
            for cell in plan.quarantined
        ]
        rivals = {found.item for found in plan.would_merge if found.rival is not None}
        shown = {base.item: base.monday for base in plan.items if base.item in rivals}
        dead += [
            (
                "would-merge",
                self._layouts[found.item[0]].board_id,
                found.item[1],
                found.role,
                kept(alike(found)),
                kept(_told(found, shown.get(found.item))),
            )
            for found in plan.would_merge
        ]
        dead += [(*letter[:4], kept(letter[4]), "") for letter in self._refusals(places)]
        if seen:
            self._tx.execute(
                _CORRECTED,
                (
                    [self._layouts[item.board].board_id for item in seen],
                    [item.id for item in seen],
                    *([entry[number] for entry in dead] for number in range(4)),
                ),
            )
        if dead:
            self._tx.execute(
                "INSERT INTO monday_sync.sync_dead (kind, board_id, item_id, place, reason, input, run_id)"  # noqa: S608  constants alone
                " SELECT DISTINCT ON (1, 2, 3, 4) *, %s FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[],"
                " %s::text[], %s::text[]) ON CONFLICT (kind, board_id, item_id, place)"
                f" DO UPDATE SET reason = EXCLUDED.reason, input = EXCLUDED.input, {NEWS_AGAIN}",
                (self._run_id, *([entry[number] for entry in dead] for number in range(6))),
            )

    def _refusals(self, places: Mapping[RowId, tuple[int, int]]) -> Iterator[tuple[str, int, int, str, str]]:
        """A refused value by the cell that shows it; one that no cell shows, and a refused row, by the row."""
        by_row = {refused.row: refused for refused in self._applied.refused if refused.columns}
        for base, field, row in self._refused_cells:
            refused = by_row[row]
            columns = ", ".join(column for column in field.columns if column in refused.columns)
            reason = f"the database refused it for {refused.table}.{columns} of row {row}: {refused.reason}"
            yield "cell", self._layouts[base.board].board_id, base.id, field.cells[0], reason
        told = {
            (row, column)
            for _base, field, row in self._refused_cells
            for refused_column in field.columns
            for column in together(by_row[row].table, refused_column)
        }
        for refused in self._applied.refused:
            columns = ",".join(sorted(column for column in refused.columns if (refused.row, column) not in told))
            if columns or not refused.columns:
                place = ".".join(filter(None, (refused.table, refused.row, columns)))
                yield "row", *places.get(refused.row, (0, 0)), place, refused.reason

    def _item_places(self, bases: Sequence[ItemBase]) -> dict[RowId, tuple[int, int]]:
        """Where the refused rows come from: row → (board id, item id)."""
        return {
            row: (self._layouts[base.board].board_id, base.id)
            for base in (bases if self._applied.refused else ())
            for row in base.links
            if row is not None and (row in self._refused or row in self._lost)
        }

    def _write_conflicts(self, plan: Plan) -> None:
        gone = [(item.board, item.item_id) for item in plan.departed if item.archive]
        decided = [base.item for base in plan.items] if self._database.bases else []
        standing = open_conflicts(self._tx, self._layouts, {*decided, *gone})
        refused = [entry.place for entry in standing if self._was_refused(entry.row, entry.place[1])]
        conflicts = [lost for lost in plan.conflicts if lost.open or not self._was_refused(lost.row, lost.field)]
        add_conflicts(self._tx, self._layouts, self._run_id, conflicts, standing)
        going_on = {*plan.undecided, *refused, *(lost.place for lost in conflicts)}
        bases = {base.item: base for base in plan.items}
        settle(
            self._tx,
            self._run_id,
            {
                entry.id: self._ending(plan, entry, bases.get(entry.place[0]))
                for entry in standing
                if entry.place not in going_on
            },
        )

    def _ending(self, plan: Plan, entry: OpenConflict, base: ItemBase | None) -> tuple[Winner, Any]:
        """Who stands where an open conflict is none any more, and with which value: no edit lost in this run."""
        (board, _item), field_id = entry.place
        layout = self._layouts[board]
        field = layout.field(field_id)
        if base is None or field is None:
            return "nobody", None
        row_id = base.links[layout.slot_of(field)]
        before = self._database.rows[field.table].get(row_id) if row_id is not None else None
        if row_id != entry.row or before is None:
            return "nobody", None
        update = next((update for update in plan.updates[field.table] if update.id == row_id), Update(before.id, {}))
        written = not update.changes.keys().isdisjoint(field.columns)
        row = self._rewritten[before.id].held if before.id in self._rewritten else update.applied_to(before)
        monday, postgres = base.monday[field], row[field]
        if monday is UNSET or postgres is UNREADABLE:
            return "nobody", None
        if same(field, monday, postgres):
            return ("monday" if written else "both"), monday
        remembered = base.postgres[field]
        if remembered is not FORCE and same(field, remembered, postgres):
            return "nobody", None  # the edit in PostgreSQL was taken back
        return "postgres", postgres

    def _write_ids(self, plan: Plan) -> None:
        """What followed from the item ids in rows. An item that nothing could be landed of is looked at again."""
        list_left_behind(self._tx, self._layouts, self._run_id, plan.left_behind)
        forget_rows(self._tx, plan.lost)
        if plan.unsure:
            self._tx.execute(
                "UPDATE monday_sync.sync_item i SET m_hash = NULL FROM unnest(%s::bigint[], %s::bigint[])"
                " AS w (board_id, item_id) WHERE i.board_id = w.board_id AND i.item_id = w.item_id",
                places(self._layouts, plan.unsure),
            )

    def _was_refused(self, row: RowId | None, field_id: str) -> bool:
        """Whether the value that was to win was refused, so that nothing lost, and nothing was settled."""
        column = field_id.partition("/")[0].rpartition(".")[2]
        return row is not None and (row in self._refused or column in self._lost.get(row, ()))


def _told(found: WouldMerge, shown: PerField[FieldValue] | None) -> str:
    """What tells later whether a pair of rows is as it was, by what its item has `shown`: see `NAMESAKE` and
    `standing_query`."""
    if found.names is not None:
        return "\n".join((found.other, *found.names))
    if found.rival is not None:
        claims = (f"{row} {key}" for key, row in found.contested)
        return "\n".join((str(found.rival), digest_of(shown if shown is not None else PerField(())), *claims))
    return ""


def alike(found: WouldMerge) -> str:
    """Why two rows are reported: a person decides whether they are one."""
    if found.role == MARKER:
        return (
            f"the item carries the Sync ID of {found.table} {found.other}, and has the row {found.row}: if it is a "
            "copy of another item, clear its Sync ID; if the two rows are one, merge them"
        )
    if found.table == "projects":
        return (
            "a row without monday_item_id looks like the item, which has a row of its own: if they are one job, delete "
            "that one and write the item's id into the other; if not, delete this line of monday_sync.sync_dead, which "
            "keeps the row from becoming an item"
        )
    if found.names is not None:
        one, other = found.names
        return (
            f'"{one}" and "{other}" look alike and stay two rows of {found.table}, {found.row} and {found.other}: if '
            "they are one, correct the cells; if not, delete this line of monday_sync.sync_dead"
        )
    if found.rival is not None:
        return (
            f"item {found.rival} of the staff board has the same e-mail or name, and stays users {found.other}; this "
            f"one is users {found.row}: correct the cells, or archive one of the two items if they are one person"
        )
    return f"{found.table} {found.row} and {found.other} look like one: correct the cells, or merge the rows"
