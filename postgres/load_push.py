"""Finds what people changed in PostgreSQL, without a trigger: rows whose content hash is not the one that was kept.

Only changed rows travel, with the items that show them and the other rows of those items.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import asdict
from psycopg2 import sql

from models import Row, RowId
from postgres.bases import BASES, base_of_row, model_columns, places, rows_by_id
from postgres.ids import astray_of, astray_query, record_tables
from postgres.records import Present, becomes_item
from postgres.state import LOOKALIKE, row_hash
from postgres.transaction import Transaction
from reconcile.database_state import ItemKey
from reconcile.edits import Edits
from reconcile.ids import Astray, IdPlace, follow
from reconcile.layout import Layout
from reconcile.tables import RECORDS, SPECS, TABLES, certain_columns, certain_keys, row_keys

_SHOWING = BASES + (  # noqa: S608  constants alone
    " WHERE i.state = 'active' AND (EXISTS (SELECT FROM unnest(i.links) AS n (row_id) WHERE n.row_id = ANY(%s::uuid[]))"
    " OR (i.board_id, i.item_id) IN (SELECT * FROM unnest(%s::bigint[], %s::bigint[]))"
    " OR (i.board_id, i.item_id) IN (SELECT board_id, item_id FROM monday_sync.sync_dead WHERE kind = 'op'))"
)
"""Active items that show one of the rows, that are named, or of which monday refused a cell. An array that is compared
with is hashed, where a join with it would be planned as if it were short."""


def read_edits(tx: Transaction, layouts: Mapping[str, Layout], present: Present) -> Edits:
    """All that the plan of a push is made of, but for what monday shows; `in_flight` and `items` are the caller's.

    One statement where nothing changed.
    """
    edits = Edits()
    if not tx.has_state:
        return edits
    reader = _Reader(tx, layouts, present, edits)
    if reader.find_changed():
        reader.find_items()
        reader.drop_known()
        reader.load_rows()
        reader.load_owners()
        reader.load_known_records()
    return edits


class _Reader:
    def __init__(self, tx: Transaction, layouts: Mapping[str, Layout], present: Present, edits: Edits) -> None:
        self._tx, self._layouts, self._present, self._edits = tx, layouts, present, edits
        self._by_id = {layout.board_id: layout for layout in layouts.values()}
        self._deleted: set[RowId] = set()
        self._astray: dict[ItemKey, Astray] = {}

    def find_changed(self) -> bool:
        """Known rows that are not in step, records that a person deleted, rows that no item stands for, and the cells
        that monday refused. False when there is nothing of all that.
        """
        edits = self._edits
        parts = [self._changed(table) for table in TABLES if table in self._present]
        for board, table in record_tables(self._layouts, self._present).items():
            parts += [self._gone(table), self._new(board, table)]
        parts.append(
            sql.SQL(
                "SELECT 'refused', board_id::text, item_id::text, place, input FROM monday_sync.sync_dead"
                " WHERE kind = 'op'"
            )
        )
        astray = astray_query(self._tx, self._layouts, self._present)
        if astray is not None:
            parts.append(
                sql.SQL("SELECT 'astray', board_id::text, item_id::text, found, NULL FROM ({}) a").format(astray)
            )
        found = []
        for kind, name, row, content, value in self._tx.rows(sql.SQL(" UNION ALL ").join(parts)):
            if kind == "changed":
                edits.changed[row], edits.hashes[row] = name, content
            elif kind == "gone":
                self._deleted.add(row)
            elif kind == "astray":
                found.append((int(name), int(row), content))
            elif kind == "new":
                edits.new_rows.append((name, row))
                edits.hashes[row] = content
            elif int(name) in self._by_id:
                letter = (self._by_id[int(name)].board, int(row), content)
                edits.letters.add(letter)
                edits.rejected[letter] = value
        self._astray = astray_of(found, self._layouts)
        return bool(edits.changed or self._deleted or edits.new_rows or edits.letters or self._astray)

    def _changed(self, table: str) -> sql.Composable:
        return sql.SQL(
            "SELECT 'changed', {name}, t.id::text, {hash}, NULL FROM {table} t JOIN monday_sync.sync_row s"
            " ON s.table_name = {name} AND s.row_id = t.id WHERE s.p_hash IS DISTINCT FROM {hash}"
        ).format(name=sql.Literal(table), table=self._tx.table(table), hash=row_hash(table, self._present[table]))

    def _gone(self, table: str) -> sql.Composable:
        return sql.SQL(
            "SELECT 'gone', {name}, s.row_id::text, NULL, NULL FROM monday_sync.sync_row s"
            " WHERE s.table_name = {name} AND NOT EXISTS (SELECT FROM {table} t WHERE t.id = s.row_id)"
        ).format(name=sql.Literal(table), table=self._tx.table(table))

    def _new(self, board: str, table: str) -> sql.Composable:
        """Rows that are to become items, unless they may be an item's already."""
        return sql.SQL(
            "SELECT 'new', {board}, t.id::text, {hash}, NULL FROM {table} t"
            " WHERE {becomes} AND NOT EXISTS"
            " (SELECT FROM monday_sync.sync_dead d WHERE {lookalike} AND d.place = {table_name} || '.' || t.id)"
        ).format(
            board=sql.Literal(board),
            hash=row_hash(table, self._present[table]),
            table=self._tx.table(table),
            table_name=sql.Literal(table),
            lookalike=sql.SQL(LOOKALIKE),
            becomes=becomes_item(board, "t"),
        )

    def find_items(self) -> None:
        """The items, and which changed rows a board outside this run shows too."""
        edits = self._edits
        wanted = edits.changed.keys() | self._deleted
        for row in self._tx.rows(_SHOWING, (sorted(wanted), *places(self._layouts, self._astray))):
            if row[0] not in self._by_id:
                edits.elsewhere |= edits.changed.keys() & set(row[3])
                continue
            base = base_of_row(row, self._by_id, self._tx.encoding)
            edits.bases[base.board, base.id] = base
        self._follow()

    def _follow(self) -> None:
        """Items whose row is another one now are compared with that. Of an item whose row is not certain, or that has
        none until the other direction makes one, nothing is told."""
        edits = self._edits
        holders: dict[str, set[RowId]] = defaultdict(set)
        for item, astray in self._astray.items():
            base, place, layout = edits.bases.get(item), astray.place(), self._layouts[item[0]]
            if base is None or place is IdPlace.EMPTIED:
                continue
            left = follow(base, astray, place, layout)
            if place is not IdPlace.MOVED:
                edits.in_flight.add(item)
                continue
            edits.left_behind += [left] if left is not None else []
            edits.moved.add(item)
            edits.lost |= {astray.link} if astray.link is not None and not astray.there else set()
            holders[layout.slots[layout.record].table] |= {astray.holder} if astray.holder is not None else set()
        for table, rows in holders.items():
            statement = sql.SQL("SELECT t.id::text, {hash} FROM {table} t WHERE t.id = ANY(%s::uuid[])").format(
                hash=row_hash(table, self._present[table]), table=self._tx.table(table)
            )
            for row, content in self._tx.rows(statement, (sorted(rows),)):
                edits.changed[row], edits.hashes[row] = table, content

    def drop_known(self) -> None:
        """Rows of which the item is known are not new: somebody cleared their `monday_item_id`, or wrote it into
        another row. One whose item is gone becomes an item again."""
        roles = {board: layout.slots[layout.record].role for board, layout in self._layouts.items()}
        if not self._edits.new_rows:
            return
        known = {
            (role, row)
            for role, row in self._tx.rows(
                "SELECT k.role, k.row_id::text FROM monday_sync.sync_link k JOIN monday_sync.sync_item i"
                " USING (board_id, item_id) WHERE k.role = ANY(%s) AND k.row_id = ANY(%s::uuid[])"
                " AND i.state IN ('active', 'missing')",
                (list(roles.values()), [row for _, row in self._edits.new_rows]),
            )
        }
        for board, row in [(board, row) for board, row in self._edits.new_rows if (roles[board], row) in known]:
            self._edits.new_rows.remove((board, row))
            if row not in self._edits.changed:
                del self._edits.hashes[row]

    def load_rows(self) -> None:
        """The rows that those items and new rows are linked to, and those that their records point at now."""
        edits = self._edits
        wanted: dict[str, set[RowId]] = defaultdict(set)
        for row, table in edits.changed.items():
            wanted[table].add(row)
        for board, row in edits.new_rows:
            layout = self._layouts[board]
            wanted[layout.slots[layout.record].table].add(row)
        for base in edits.bases.values():
            for slot, link in zip(self._layouts[base.board].slots, base.links, strict=True):
                if link is not None:
                    wanted[slot.table].add(link)
        self._load(wanted)
        pointed = self._pointed_at(wanted)
        self._load(pointed)
        self._load_unknown(pointed)

    def _pointed_at(self, loaded: Mapping[str, set[RowId]]) -> dict[str, set[RowId]]:
        found: dict[str, set[RowId]] = defaultdict(set)
        for table in sorted(RECORDS):
            targets = SPECS[table].foreign_keys
            for row in self._edits.rows[table].values():
                for column, target in targets.items():
                    points = getattr(row, column)
                    if points is not None and points not in loaded.get(target, ()):
                        found[target].add(points)
        return found

    def _load(self, wanted: Mapping[str, Collection[RowId]]) -> None:
        for table, ids in wanted.items():
            if ids and table in self._present:
                for row in rows_by_id(self._tx, table, self._present, ids):
                    self._edits.rows[table][row.id] = row

    def _load_unknown(self, pointed: Mapping[str, Collection[RowId]]) -> None:
        """Rows that the sync never met and an item is to show: their content is remembered once it does."""
        for table, ids in pointed.items():
            statement = sql.SQL(
                "SELECT t.id::text, {hash} FROM {table} t WHERE t.id = ANY(%s::uuid[]) AND NOT EXISTS"
                " (SELECT FROM monday_sync.sync_row s WHERE s.table_name = {name} AND s.row_id = t.id)"
            ).format(hash=row_hash(table, self._present[table]), table=self._tx.table(table), name=sql.Literal(table))
            self._edits.hashes |= dict(self._tx.rows(statement, (sorted(ids),)))

    def load_owners(self) -> None:
        """Whose are the keys that the changed and new rows have, and that they would have now."""
        edits, encoding = self._edits, self._tx.encoding
        said = {
            (table, key)
            for table, rows in edits.rows.items()
            for row_id, row in rows.items()
            if row_id in edits.hashes
            for key in row_keys(table, row)
        }
        if not edits.hashes:
            return
        found: Iterable[tuple[Any, ...]] = self._tx.rows(
            "SELECT table_name, key, row_id::text FROM monday_sync.sync_key WHERE row_id = ANY(%s::uuid[])"
            " UNION SELECT k.table_name, k.key, k.row_id::text FROM unnest(%s::text[], %s::text[])"
            " AS w (table_name, key) JOIN monday_sync.sync_key k USING (table_name, key) WHERE k.row_id IS NOT NULL",
            (
                sorted(edits.hashes),
                [table for table, _ in sorted(said)],
                [encoding.kept(key) for _, key in sorted(said)],
            ),
        )
        others: dict[str, set[RowId]] = defaultdict(set)
        for table, key, row in found:
            edits.owners[table][encoding.said(key)] = row
            if row not in edits.rows[table]:
                others[table].add(row)
        self._load(others)
        for table, owners in edits.owners.items():
            rows = edits.rows[table]
            says = {row: row_keys(table, rows[row]) if row in rows else () for row in {*owners.values()}}
            for key, row in [(key, row) for key, row in owners.items() if key not in says[row]]:
                del owners[key]  # the row says something else by now, or a person deleted it: the key is free
                edits.outdated.add((table, key, row))

    def load_known_records(self) -> None:
        """Which records on a board have an e-mail of a new one: a key says it of one row alone, maybe of no item."""
        for board, table in record_tables(self._layouts, self._present).items():
            self._load_known_records(table, [row for name, row in self._edits.new_rows if name == board])

    def _load_known_records(self, table: str, new: Sequence[RowId]) -> None:
        edits = self._edits

        def keys_of(row: Row) -> tuple[str, ...]:
            return certain_keys(table, asdict(row))

        keys = {key for row in new if row in edits.rows[table] for key in keys_of(edits.rows[table][row])}
        columns = sorted({*certain_columns(table)} & {*self._present[table]})
        if not keys or not columns:
            return
        either = sql.SQL(" OR ").join(  # which of them are the same is for their keys to tell
            sql.SQL("{} IS NOT NULL").format(sql.Identifier("t", column)) for column in columns
        )
        statement = sql.SQL("SELECT {} FROM {} t WHERE t.monday_item_id IS NOT NULL AND ({}) ORDER BY t.id").format(
            model_columns(table, self._present), self._tx.table(table), either
        )
        for values in self._tx.rows(statement):
            row = TABLES[table](*values)
            for key in keys.intersection(keys_of(row)):
                edits.known_records.setdefault((table, key), row.id)
