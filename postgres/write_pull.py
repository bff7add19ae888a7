"""Carries out a plan in one transaction: new rows by COPY, changed columns by one UPDATE a set, then the sync's state.

Nothing is touched when nothing differs. What the database refuses (a constraint or trigger of the user's own) is left
out alone, a value or a row, and reported; the rest lands. What is remembered is what the rows really hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import psycopg2
from msgspec import UNSET
from psycopg2 import sql

from models import UNREADABLE, Row, RowId
from postgres.bases import places, rows_by_id, write_items
from postgres.conflicts import OpenConflict, Winner, add_conflicts, open_conflicts, settle
from postgres.copy import CopyText
from postgres.errors import is_rows_fault
from postgres.ids import IS_CLAIM, forget_rows, list_left_behind
from postgres.row_writer import EVERYTHING, RowRejection, RowWriter, look_at_deferred, pointers
from postgres.rules import Rules, read_rules
from postgres.state import LOOKALIKE, NAMESAKE, row_hash
from postgres.told import NEWS_AGAIN
from postgres.transaction import Transaction
from reconcile.base import AGAIN, AGAIN_LATER, FORCE, ItemBase, content_of, digest_of
from reconcile.columns import MARKER
from reconcile.database_state import DatabaseState, ItemKey
from reconcile.decide import edited_on_monday, same
from reconcile.derived import is_natural
from reconcile.fields import FieldValue
from reconcile.identity import WouldMerge
from reconcile.layout import Field, Layout, together
from reconcile.plan_pull import Plan, Update
from reconcile.tables import SPECS, TABLES, row_keys

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

    inserted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))
    updated: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))
    refused: list[RowRejection] = field(default_factory=list)


class Applier:
    """Writes one plan. Tables go in the order of `TABLES` and rows by id: every writer locks alike."""

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
        self._stored: dict[RowId, tuple[Row, Row]] = {}
        """Rows that hold something else than was planned: as planned, and as they are."""
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
                self._adrift.setdefault(refused.row, set()).update(
                    refused.columns & SPECS[refused.table].foreign_keys.keys()
                )
        for table in TABLES:
            planned = self._planned(table, plan)
            if not planned:
                continue
            for row in rows_by_id(self._tx, table, EVERYTHING, planned):
                if planned[row.id] != row:
                    self._stored[row.id] = (planned[row.id], row)

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
            linked = {row for item in plan.items for row in item.links if row is not None}
            remembered = linked & self._database.unknown | plan.clean
            found |= {row: known[row] for row in (remembered & known.keys()) - found.keys()}
        return {row_id: row for row_id, row in found.items() if row_id not in self._refused}

    # What is remembered

    def _write_items(self, plan: Plan, *, forget: bool) -> None:
        items = plan.items
        if not items:
            return
        known = {(item.board, item.id) for item in items}
        if not forget:
            known &= self._database.bases.keys() | self._database.anew.keys()
        write_items(self._tx, self._layouts, self._whole(plan), known)

    def _whole(self, plan: Plan) -> Iterator[ItemBase]:
        """The items as they are remembered: what of them did not land is tried again by the next run."""
        touched = self._refused | self._adrift.keys() | self._stored.keys()
        tellers = self._tellers(plan.items) if self._lost else {}
        for item in plan.items:
            if touched and not touched.isdisjoint(item.links):
                layout, counted = self._layouts[item.board], item.tolerated
                unsettled = self._unsettled(item, layout)
                self._set_right(item, layout, unsettled, tellers)
                if unsettled:
                    self._forget(item, layout, unsettled)
                plan.tolerated[item.board] += item.tolerated - counted
            yield item

    def _leave_open(self, item: ItemBase) -> None:
        """Its hash stays beside the mark, by which the next run tells that nobody has edited it since."""
        if item.content_hash is not None:
            self._opened += 1
            mark = AGAIN if self._opened <= _AGAIN_AT_ONCE else AGAIN_LATER
            item.content_hash = mark + content_of(item.content_hash)

    def _unsettled(self, item: ItemBase, layout: Layout) -> set[int]:
        """The slots that stand as they did before this run: those of refused rows, and those of which the row is not
        pointed at as it was to be."""
        stored = self._database.bases.get((item.board, item.id))
        lost: set[int] = set()
        for place, row in enumerate(item.links):
            if row is None:
                continue
            table = layout.slots[place].table
            adrift = self._adrift.get(row, set())
            if row in self._refused:
                lost.add(place)
                adrift = set(pointers(table)) if row in self._database.rows[table] else set()
            for target, slot in enumerate(layout.slots):
                moved = item.links[target] != (stored.links[target] if stored is not None else None)
                if slot.link in adrift and moved:
                    lost.add(target)
        return lost

    def _forget(self, item: ItemBase, layout: Layout, places: Collection[int]) -> None:
        """Some slots of an item are remembered as they stood before this run, and the next one tries again."""
        stored = self._database.bases.get((item.board, item.id))
        tolerated_links = dict(item.tolerated_links)
        for place in places:
            slot, row = layout.slots[place], item.links[place]
            before = stored.links[place] if stored is not None else None
            if before is None and row in self._refused and row in self._database.rows[slot.table]:
                before = row  # it is there, only its change was refused
            item.links[place] = before
            tolerated_links.pop(place, None)
            if stored is not None and place in stored.tolerated_links:
                tolerated_links[place] = stored.tolerated_links[place]
            for number in slot.fields:
                if stored is None or before is None:
                    item.set_pair(number, UNSET, UNSET)
                else:
                    item.set_pair(number, stored.monday[number], stored.postgres[number])
        item.tolerated_links = tolerated_links
        self._leave_open(item)

    def _tellers(self, items: Sequence[ItemBase]) -> dict[tuple[RowId, str], tuple[ItemKey, int]]:
        """Which item's cell stands for a value that was refused, by row and place in it: of those that say it one that
        says it anew, and the staff board's before others. That one is tried again; the others are left different."""
        found: dict[tuple[RowId, str], tuple[bool, ItemKey, int]] = {}
        for item in items:
            layout, stored = self._layouts[item.board], self._database.bases.get((item.board, item.id))
            for place, row in enumerate(item.links):
                if row is None or row not in self._lost or row not in self._stored:
                    continue
                slot, planned = layout.slots[place], self._stored[row][0]
                for number in slot.fields:
                    shape, says = layout.fields[number], item.monday[number]
                    if self._lost[row].isdisjoint(shape.columns) or says is UNSET:
                        continue
                    if not same(shape, says, planned[shape]):
                        continue
                    was = stored.monday[number] if stored is not None and stored.links[place] == row else UNSET
                    anew = was is UNSET or edited_on_monday(shape, says, was)
                    if anew >= found.get((row, shape.columns[0]), (False,))[0]:
                        found[row, shape.columns[0]] = (anew, (item.board, item.id), number)
        return {place: (key, number) for place, (_anew, key, number) in found.items()}

    def _set_right(
        self,
        item: ItemBase,
        layout: Layout,
        unsettled: Collection[int],
        tellers: Mapping[tuple[RowId, str], tuple[ItemKey, int]],
    ) -> None:
        """The base is of what the rows really hold. A value that was refused stands as an edit that is still to
        come."""
        for place, row in enumerate(item.links):
            if row is None or row not in self._stored or place in unsettled:
                continue
            planned, holds = self._stored[row]
            if place == layout.record:
                self._point_right(item, layout, unsettled, planned, holds)
            for number in layout.slots[place].fields:
                shape, says = layout.fields[number], item.monday[number]
                was = item.postgres[number]
                if says is UNSET or was is FORCE or planned[shape] == holds[shape]:
                    continue
                if not same(shape, was, planned[shape]):
                    continue  # an edit waits there, and waits on
                if tellers.get((row, shape.columns[0])) == ((item.board, item.id), number):
                    self._hold_back(item, place, row, number, shape, holds[shape])
                else:
                    self._leave_different(item, number, shape, planned[shape], holds[shape])

    def _point_right(
        self, item: ItemBase, layout: Layout, unsettled: Collection[int], planned: Row, holds: Row
    ) -> None:
        """A foreign key that the record does not have as it was to be is no edit either."""
        for place, column in layout.pointers:
            met, is_now = item.tolerated_links.get(place, item.links[place]), getattr(holds, column)
            if getattr(planned, column) != is_now and place not in unsettled and met == getattr(planned, column):
                item.tolerated_links.pop(place, None)
                if is_now != item.links[place]:
                    item.tolerated_links[place] = is_now

    def _leave_different(self, item: ItemBase, number: int, shape: Field, planned: Any, holds: Any) -> None:
        says = item.monday[number]
        item.set_pair(number, says, holds)
        item.tolerated += same(shape, says, planned) - same(shape, says, holds)

    def _hold_back(self, item: ItemBase, place: int, row: RowId, number: int, shape: Field, holds: Any) -> None:
        """As it was remembered before the cell said what was refused; an item that is new to the row said nothing."""
        stored = self._database.bases.get((item.board, item.id))
        met = stored is not None and stored.links[place] == row and stored.monday[number] is not UNSET
        self._refused_cells.append((item, shape, row))
        monday, postgres = (
            (stored.monday[number], stored.postgres[number]) if stored is not None and met else (None, holds)
        )
        item.set_pair(number, monday, postgres)
        item.tolerated += postgres is not FORCE and not same(shape, monday, postgres)
        self._leave_open(item)

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
            if SPECS[table].key is not None  # else the item id is in the table itself
            for key, row in sorted(keys.items())
            if row not in self._refused and self._has(table, row, key)
        ]
        gone = [
            (table, key)
            for table, keys in plan.released.items()
            for key in sorted(keys)
            if not self._keeps(table, self._database.keys[table].get(key), key)
        ]
        guarded = [(table, key) for table, spec in SPECS.items() if spec.fan_in for key in sorted(plan.placeholders)]
        gone += guarded
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
        rows = [*rows, *((table, kept(key), None, "t") for table, key in guarded)]
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
        held = self._stored[row][1] if row in self._stored else self._database.rows[table][row]
        return set(row_keys(table, held))

    def _write_row_hashes(self, plan: Plan) -> None:
        """In step: the hash of the row as it is now. Dirty: no hash, until monday was told. A row with an edit of a
        person's that waits keeps its old hash, or the edit would be forgotten."""
        linked = (
            {row for item in plan.items for row in item.links if row is not None} if self._database.unknown else set()
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
        shown = {key: item.monday for item in plan.items if (key := (item.board, item.id)) in rivals}
        dead += [
            (
                "would-merge",
                self._layouts[found.item[0]].board_id,
                found.item[1],
                found.role,
                kept(alike(found)),
                kept(_told(found, shown.get(found.item, ()))),
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
        """A refused value by the cell that says it; one that no cell says, and a refused row, by the row."""
        by_row = {refused.row: refused for refused in self._applied.refused if refused.columns}
        for item, shape, row in self._refused_cells:
            refused = by_row[row]
            columns = ", ".join(column for column in shape.columns if column in refused.columns)
            reason = f"the database refused it for {refused.table}.{columns} of row {row}: {refused.reason}"
            yield "cell", self._layouts[item.board].board_id, item.id, shape.cells[0], reason
        told = {
            (row, column)
            for _item, shape, row in self._refused_cells
            for one in shape.columns
            for column in together(by_row[row].table, one)
        }
        for refused in self._applied.refused:
            columns = ",".join(sorted(column for column in refused.columns if (refused.row, column) not in told))
            if columns or not refused.columns:
                place = ".".join(filter(None, (refused.table, refused.row, columns)))
                yield "row", *places.get(refused.row, (0, 0)), place, refused.reason

    def _item_places(self, items: Sequence[ItemBase]) -> dict[RowId, tuple[int, int]]:
        """Where the refused rows come from: row → (board id, item id)."""
        return {
            row: (self._layouts[item.board].board_id, item.id)
            for item in (items if self._applied.refused else ())
            for row in item.links
            if row is not None and (row in self._refused or row in self._lost)
        }

    def _write_conflicts(self, plan: Plan) -> None:
        gone = [(item.board, item.item_id) for item in plan.departed if item.archive]
        decided = [(item.board, item.id) for item in plan.items] if self._database.bases else []
        standing = open_conflicts(self._tx, self._layouts, {*decided, *gone})
        refused = [entry.place for entry in standing if self._was_refused(entry.row, entry.place[1])]
        conflicts = [lost for lost in plan.conflicts if lost.open or not self._was_refused(lost.row, lost.field)]
        add_conflicts(self._tx, self._layouts, self._run_id, conflicts, standing)
        going_on = {*plan.undecided, *refused, *(lost.place for lost in conflicts)}
        bases = {(item.board, item.id): item for item in plan.items}
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
        number = next((n for n, known in enumerate(layout.field_ids) if known == field_id), None)
        if base is None or number is None:
            return "nobody", None
        field = layout.fields[number]
        table, row_id = layout.slots[field.slot].table, base.links[field.slot]
        before = self._database.rows[table].get(row_id) if row_id is not None else None
        if row_id != entry.row or before is None:
            return "nobody", None
        update = next((update for update in plan.updates[table] if update.id == row_id), Update(before.id, {}))
        written = not update.changes.keys().isdisjoint(field.columns)
        stands = self._stored[before.id][1] if before.id in self._stored else update.applied_to(before)
        says, holds = base.monday[number], stands[field]
        if says is UNSET or holds is UNREADABLE:
            return "nobody", None
        if same(field, says, holds):
            return ("monday" if written else "both"), says
        took_back = base.postgres[number]
        if took_back is not FORCE and same(field, took_back, holds):
            return "nobody", None
        return "postgres", holds

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


def _told(found: WouldMerge, shown: Sequence[FieldValue]) -> str:
    """What tells later whether a pair of rows is as it was, by what its item has `shown`: see `NAMESAKE` and
    `standing_query`."""
    if found.names is not None:
        return "\n".join((found.other, *found.names))
    if found.rival is not None:
        claims = (f"{row} {key}" for key, row in found.contested)
        return "\n".join((str(found.rival), digest_of(shown), *claims))
    return ""


def alike(found: WouldMerge) -> str:
    """Why two rows are reported: a person decides whether they are one."""
    if found.role == MARKER:
        return (
            f"the item carries the Sync ID of {found.table} {found.other}, and has the row {found.row}: if it is a "
            "copy of another item, clear its Sync ID; if the two rows are one, merge them"
        )
    if found.names is None and found.role == f"{found.table}.{found.other}":
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
            f"item {found.rival} of the {found.item[0]} board has the same e-mail or name, and stays {found.table} "
            f"{found.other}; this one is {found.table} {found.row}: correct the cells, or archive one of the two items "
            "if they are one"
        )
    return f"{found.table} {found.row} and {found.other} look like one: correct the cells, or merge the rows"
