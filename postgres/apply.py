"""Carries out a plan in one transaction: new rows by COPY, changed columns by one UPDATE a set, then the sync's state.

Nothing is touched when nothing differs. A row that the database refuses (a constraint of the user's own) is found by
halving, left out with everything that depends on it, and reported; the rest lands.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from msgspec import UNSET
from psycopg2 import sql

from models import TABLES, RowId
from postgres.conflicts import add_conflicts, settle_open
from postgres.copy import CopyText
from postgres.faults import ROW_REFUSED, reason_of
from postgres.items import write_items
from postgres.state import JSON_COLUMNS, LOOKALIKE, row_hash
from postgres.transaction import Transaction
from reconcile.columns import MARKER
from reconcile.hub import POSITION
from reconcile.identity import WouldMerge
from reconcile.plan import ItemBase, Plan, Update
from reconcile.rows import Layout
from reconcile.world import RowValues, World

logger = logging.getLogger(__name__)
T = TypeVar("T")

_ROWS_A_STATEMENT = 5_000
_FORGET = """
DELETE FROM monday_sync.sync_key WHERE NOT placeholder;
DELETE FROM monday_sync.sync_row;
DELETE FROM monday_sync.sync_dead WHERE kind <> 'op';
UPDATE monday_sync.sync_conflict SET state = 'settled' WHERE state = 'open';
UPDATE monday_sync.sync_board SET tolerated = 0
"""
_CORRECTED = f"""
DELETE FROM monday_sync.sync_dead d USING unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id)
WHERE d.board_id = w.board_id AND d.item_id = w.item_id AND d.kind <> 'op' AND NOT {LOOKALIKE}
AND NOT (d.kind, d.board_id, d.item_id, d.place)
    IN (SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[]))
"""  # noqa: S608  constants alone
_FOREIGN_KEYS = {
    table: tuple(
        position for column, position in columns.items() if column.endswith("_id") and column != "monday_item_id"
    )
    for table, columns in POSITION.items()
}


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that the database would not take: its table, and the rule's name. Never a value."""

    table: str
    row: RowId
    reason: str


@dataclass(slots=True)
class Applied:
    """Rows really written, by table; and the refused ones, which wait for a person."""

    inserted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))
    updated: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))
    refused: list[Refused] = field(default_factory=list)


class Applier:
    """Writes one plan. Tables go in the order of `models.TABLES` and rows by id: every writer locks alike."""

    def __init__(self, tx: Transaction, layouts: Mapping[str, Layout], world: World, run_id: str) -> None:
        self._tx = tx
        self._layouts = layouts
        self._world = world
        self._run_id = run_id
        self._applied = Applied()
        self._refused: set[RowId] = set()

    def apply(self, plan: Plan, *, forget: bool = False) -> Applied:
        """Rows first, then what is remembered of them; `forget` drops first what earlier runs remembered of rows, and
        of the items of the plan.

        Raises psycopg2.Error for anything but a row's own fault; the transaction is then lost as a whole.
        """
        if forget:
            self._tx.execute(_FORGET)
        for table in TABLES:
            if plan.inserts[table]:
                self._insert(table, plan.inserts[table])
            if plan.updates[table]:
                self._update(table, plan.updates[table])
        places = self._item_places(plan.items)  # before their links are taken away
        self._write_items(plan.items, forget=forget)
        self._write_departed(plan)
        self._write_keys(plan)
        self._write_row_hashes(plan)
        self._write_dead(plan, places)
        self._write_conflicts(plan)
        return self._applied

    # The nine tables

    def _insert(self, table: str, rows: list[RowValues]) -> None:
        columns = TABLES[table].__struct_fields__
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            self._tx.table(table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        healthy = [row for row in rows if not self._depends_on_refused(table, row)]

        def copy(part: Sequence[RowValues]) -> None:
            self._tx.copy_in(statement, CopyText(part))

        done = self._halving(table, healthy, copy, lambda row: row[0])
        self._applied.inserted[table] = len(done)

    def _depends_on_refused(self, table: str, row: RowValues) -> bool:
        if not self._refused or self._refused.isdisjoint(row[position] for position in _FOREIGN_KEYS[table]):
            return False
        self._refuse(table, row[0], "it points at a row that was refused")
        return True

    def _update(self, table: str, updates: Sequence[Update]) -> None:
        by_columns: dict[tuple[str, ...], list[Update]] = defaultdict(list)
        for update in updates:
            if self._refused.isdisjoint(after for _before, after in update.changes.values() if isinstance(after, str)):
                by_columns[tuple(update.changes)].append(update)
            else:
                self._refuse(table, update.id, "it points at a row that was refused")
        for columns, group in sorted(by_columns.items()):
            statement = self._update_statement(table, columns)

            def run(part: Sequence[Update], statement: sql.Composable = statement) -> None:
                for start in range(0, len(part), _ROWS_A_STATEMENT):
                    self._tx.execute(statement, (records(part[start : start + _ROWS_A_STATEMENT]),))

            done = self._halving(table, group, run, lambda update: update.id)
            self._applied.updated[table] += len(done)

    def _update_statement(self, table: str, columns: Sequence[str]) -> sql.Composable:
        """The record set is typed by the table itself, so an enum or a varchar of an older database fits as it is."""
        name = self._tx.table(table)
        return sql.SQL(
            "UPDATE {table} AS t SET {set}, updated_at = now()"
            " FROM jsonb_populate_recordset(NULL::{table}, %s) AS s WHERE t.id = s.id"
        ).format(
            table=name, set=sql.SQL(", ").join(sql.SQL("{0} = s.{0}").format(sql.Identifier(name)) for name in columns)
        )

    def _halving(
        self, table: str, rows: Sequence[T], write: Callable[[Sequence[T]], None], row_id: Callable[[T], RowId]
    ) -> Sequence[T]:
        """Write rows; where the database refuses some, find them by halving and write the others."""
        if not rows:
            return rows
        try:
            with self._tx.savepoint():
                write(rows)
        except ROW_REFUSED as error:
            if len(rows) == 1:
                self._refuse(table, row_id(rows[0]), f"the database refused it: {reason_of(error)}")
                return []
            middle = len(rows) // 2
            halves = (rows[:middle], rows[middle:])
            return [row for half in halves for row in self._halving(table, half, write, row_id)]
        return rows

    def _refuse(self, table: str, row: RowId, reason: str) -> None:
        logger.warning("row refused table=%s row=%s reason=%s", table, row, reason)
        self._refused.add(row)
        self._applied.refused.append(Refused(table, row, reason))

    # What is remembered

    def _write_items(self, items: Sequence[ItemBase], *, forget: bool) -> None:
        if not items:
            return
        known = {(item.board, item.id) for item in items}
        if not forget:
            known &= self._world.stored.keys()
        write_items(self._tx, self._layouts, self._whole(items), known)

    def _whole(self, items: Sequence[ItemBase]) -> Iterator[ItemBase]:
        for item in items:
            if self._refused and not self._refused.isdisjoint(item.links):
                self._forget_refused(item, self._layouts[item.board])
            yield item

    def _forget_refused(self, item: ItemBase, layout: Layout) -> None:
        """An item with a refused row is tried again by the next run. Its refused slots, and those that moved to another
        row, stand as they did before this run: what points at them may be what was refused."""
        stored = self._world.stored.get((item.board, item.id))
        m = list(item.m)
        for place, (slot, row) in enumerate(zip(layout.slots, item.links, strict=True)):
            before = stored.links[place] if stored is not None else None
            if before is None and row in self._world.rows[slot.table]:
                before = row  # it is there, only its change was refused
            if row not in self._refused and (stored is None or row == before):
                continue
            item.links[place] = before
            for number in slot.fields:
                item.p.pop(number, None)
                m[number] = UNSET if stored is None or before is None else stored.m[number]
                if stored is not None and before is not None and stored.p[number] != stored.m[number]:
                    item.p[number] = stored.p[number]
        item.m_hash, item.m, item.held = None, m, stored.held if stored is not None else {}

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
            "DELETE FROM monday_sync.sync_dead d USING unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id)"
            " WHERE d.board_id = w.board_id AND d.item_id = w.item_id AND d.kind <> 'op'",
            ([self._layouts[item.board].board_id for item in archived], [item.item_id for item in archived]),
        )

    def _write_keys(self, plan: Plan) -> None:
        claimed = [
            (table, key, row)
            for table, keys in plan.claimed.items()
            if table != "projects"  # the item id is in the table itself
            for key, row in sorted(keys.items())
            if row not in self._refused
        ]
        gone = [
            (table, key)
            for table, keys in plan.released.items()
            for key in sorted(keys)
            if self._world.keys[table].get(key) not in self._refused  # the row still has it
        ]
        gone += [("customers", key) for key in plan.placeholders]
        if any(self._world.counts.values()):  # the key of a deleted row may still be there
            gone += [(table, key) for table, key, _row in claimed]
        if gone:
            self._tx.execute(
                "DELETE FROM monday_sync.sync_key k USING unnest(%s::text[], %s::text[]) AS w (table_name, key)"
                " WHERE k.table_name = w.table_name AND k.key = w.key",
                ([table for table, _ in gone], [key for _, key in gone]),
            )
        rows: Iterable[RowValues] = [(*entry, "f") for entry in claimed]
        rows = [*rows, *(("customers", key, None, "t") for key in sorted(plan.placeholders))]
        if rows:
            self._tx.copy_in(
                "COPY monday_sync.sync_key (table_name, key, row_id, placeholder) FROM STDIN", CopyText(rows)
            )

    def _write_row_hashes(self, plan: Plan) -> None:
        """In step: the hash of the row as it is now. Dirty: no hash, until monday was told. A row with an edit of a
        person's that waits keeps its old hash, or the edit would be forgotten."""
        linked = {row for item in plan.items for row in item.links if row is not None} if self._world.unknown else set()
        for table in TABLES:
            new = {row[0] for row in plan.inserts[table]} - self._refused
            met = {row for row in self._world.unknown & linked if row in self._world.rows[table]} - self._refused
            clean = {update.id for update in plan.updates[table]} - self._world.pending - self._refused
            dirty = {row for row in plan.dirty if row in new or row in self._world.rows[table]} - self._refused
            edited = {row for row in plan.in_step if row in self._world.rows[table]} - self._refused
            current = (new | met | clean | edited) - dirty
            if current:
                everything = not self._world.counts.get(table) and not dirty  # a first load: every row is one of these
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
        seen = plan.items if self._world.stored else ()
        dead = [
            ("cell", self._layouts[cell.board].board_id, cell.item_id, cell.column_id, cell.reason)
            for cell in plan.quarantined
        ]
        dead += [
            (
                "would-merge",
                self._layouts[found.item[0]].board_id,
                found.item[1],
                found.role,
                alike(found),
            )
            for found in plan.would_merge
        ]
        dead += [
            ("row", *places.get(refused.row, (0, 0)), f"{refused.table}.{refused.row}", refused.reason)
            for refused in self._applied.refused
        ]
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
                "INSERT INTO monday_sync.sync_dead (kind, board_id, item_id, place, reason, run_id)"
                " SELECT DISTINCT ON (1, 2, 3, 4) *, %s FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[],"
                " %s::text[]) ON CONFLICT (kind, board_id, item_id, place) DO UPDATE SET reason = EXCLUDED.reason",
                (self._run_id, *([entry[number] for entry in dead] for number in range(5))),
            )

    def _item_places(self, items: Sequence[ItemBase]) -> dict[RowId, tuple[int, int]]:
        """Where the refused rows come from: row → (board id, item id)."""
        return {
            row: (self._layouts[item.board].board_id, item.id)
            for item in (items if self._refused else ())
            for row in item.links
            if row in self._refused and row is not None
        }

    def _write_conflicts(self, plan: Plan) -> None:
        if self._world.stored:
            settle_open(self._tx, self._layouts, [(item.board, item.id) for item in plan.items])
        add_conflicts(self._tx, self._layouts, self._run_id, plan.conflicts)


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
    return f"{found.table} {found.row} and {found.other} look like one: correct the cells, or merge the rows"


def records(updates: Sequence[Update]) -> str:
    """The changed columns of several rows as a JSON array; jsonb columns hold JSON themselves."""
    records = [
        {"id": update.id} | {column: _json_value(column, after) for column, (_before, after) in update.changes.items()}
        for update in updates
    ]
    return json.dumps(records, default=str, ensure_ascii=False)


def _json_value(column: str, value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and column in JSON_COLUMNS else value
