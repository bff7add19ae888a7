"""Finds what people changed in PostgreSQL, without a trigger: rows whose content hash is not the one that was kept.

Only changed rows travel, with the items that show them and the other rows of those items.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from psycopg2 import sql

from models import REFERENCES, TABLES, RowId
from postgres.items import STORED, rows_by_id, stored_item
from postgres.state import Present, row_hash
from postgres.transaction import Transaction
from reconcile.edits import Edits
from reconcile.keys import row_keys
from reconcile.rows import STAFF_ROLE, Layout

_ROLE = STAFF_ROLE.partition(":")[2]
_SHOWN = (
    "WITH shown AS (SELECT DISTINCT i.board_id, i.item_id FROM monday_sync.sync_item i"  # noqa: S608  constants alone
    " CROSS JOIN LATERAL unnest(i.links) AS n (row_id) JOIN unnest(%s::uuid[]) AS c (row_id) ON c.row_id = n.row_id"
    " WHERE i.state = 'active' UNION SELECT board_id, item_id FROM monday_sync.sync_dead WHERE kind = 'op') "
    + STORED
    + " JOIN shown USING (board_id, item_id) WHERE i.state = 'active' AND i.board_id = ANY(%s)"
)


def read_edits(tx: Transaction, layouts: Mapping[str, Layout], present: Present) -> Edits:
    """Everything that the plan of a push is made of, but for what monday shows; `busy` and `items` are the caller's."""
    edits = Edits()
    if not tx.has_state:
        return edits
    reader = _Reader(tx, layouts, present, edits)
    reader.find_changed()
    reader.find_items()
    reader.find_deleted()
    reader.find_fresh()
    reader.load_rows()
    reader.load_owners()
    return edits


class _Reader:
    def __init__(self, tx: Transaction, layouts: Mapping[str, Layout], present: Present, edits: Edits) -> None:
        self._tx, self._layouts, self._present, self._edits = tx, layouts, present, edits
        self._by_id = {layout.board_id: layout for layout in layouts.values()}

    def find_changed(self) -> None:
        """Known rows that are not in step. One statement for all tables: a distant database is asked once."""
        changed = sql.SQL(" UNION ALL ").join(
            sql.SQL(
                "SELECT {name}, t.id::text, {hash} FROM {table} t JOIN monday_sync.sync_row s"
                " ON s.table_name = {name} AND s.row_id = t.id WHERE s.p_hash IS DISTINCT FROM {hash}"
            ).format(name=sql.Literal(table), table=self._tx.table(table), hash=row_hash(table, self._present[table]))
            for table in TABLES
            if table in self._present
        )
        for table, row, content in self._tx.rows(changed):
            self._edits.changed[row] = table
            self._edits.hashes[row] = content

    def find_items(self) -> None:
        """Active items that show a changed row, or of which monday refused a cell."""
        for row in self._tx.rows(_SHOWN, (sorted(self._edits.changed), list(self._by_id))):
            stored = stored_item(row, self._by_id)
            self._edits.stored[stored.board, stored.id] = stored
        for board_id, item_id, place, value in self._tx.rows(
            "SELECT board_id, item_id, place, input FROM monday_sync.sync_dead WHERE kind = 'op'"
        ):
            if board_id in self._by_id:
                letter = (self._by_id[board_id].board, item_id, place)
                self._edits.letters.add(letter)
                self._edits.refused[letter] = value
        if self._edits.changed:
            elsewhere = self._tx.rows(
                "SELECT DISTINCT c.row_id::text FROM monday_sync.sync_item i"
                " CROSS JOIN LATERAL unnest(i.links) AS n (row_id) JOIN unnest(%s::uuid[]) AS c (row_id)"
                " ON c.row_id = n.row_id WHERE i.state = 'active' AND NOT i.board_id = ANY(%s)",
                (sorted(self._edits.changed), list(self._by_id)),
            )
            self._edits.elsewhere = {row for (row,) in elsewhere}

    def find_deleted(self) -> None:
        """Items whose record a person deleted."""
        for layout in self._layouts.values():
            slot = layout.slots[layout.record]
            if slot.table not in self._present:
                continue
            gone = sql.SQL(
                STORED + " WHERE i.board_id = %s AND i.state = 'active' AND NOT EXISTS"
                " (SELECT FROM {table} t WHERE t.id = i.links[array_position(l.slots, %s)])"
            ).format(table=self._tx.table(slot.table))
            for row in self._tx.rows(gone, (layout.board_id, slot.role)):
                stored = stored_item(row, self._by_id)
                self._edits.stored[stored.board, stored.id] = stored

    def find_fresh(self) -> None:
        """Rows that no item stands for yet: projects, and people with the role of the staff board."""
        conditions = {"master": sql.SQL("true"), "staff": sql.SQL("t.roles @> ARRAY[{}]").format(sql.Literal(_ROLE))}
        for board, layout in self._layouts.items():
            slot = layout.slots[layout.record]
            if not {"monday_item_id", "archived_at"} <= set(self._present.get(slot.table, ())):
                continue
            statement = sql.SQL(
                "SELECT t.id::text, {hash} FROM {table} t"
                " WHERE t.monday_item_id IS NULL AND t.archived_at IS NULL AND {condition} ORDER BY t.id"
            ).format(
                hash=row_hash(slot.table, self._present[slot.table]),
                table=self._tx.table(slot.table),
                condition=conditions[board],
            )
            found: dict[RowId, str] = dict(self._tx.rows(statement))
            if not found:
                continue
            linked = self._tx.rows(
                "SELECT row_id::text FROM monday_sync.sync_link WHERE role = %s AND row_id = ANY(%s::uuid[])",
                (slot.role, list(found)),
            )
            for (row,) in linked:
                del found[row]  # its item is known: somebody cleared monday_item_id
            self._edits.fresh += [(board, row) for row in found]
            self._edits.hashes |= found

    def load_rows(self) -> None:
        """The rows that those items and new rows are linked to, and those that their records point at now."""
        edits = self._edits
        wanted: dict[str, set[RowId]] = defaultdict(set)
        for row, table in edits.changed.items():
            wanted[table].add(row)
        for board, row in edits.fresh:
            layout = self._layouts[board]
            wanted[layout.slots[layout.record].table].add(row)
        for stored in edits.stored.values():
            for slot, link in zip(self._layouts[stored.board].slots, stored.links, strict=True):
                if link is not None:
                    wanted[slot.table].add(link)
        self._load(wanted)
        pointed = self._pointed_at(wanted)
        self._load(pointed)
        self._load_unknown(pointed)

    def _pointed_at(self, loaded: Mapping[str, set[RowId]]) -> dict[str, set[RowId]]:
        found: dict[str, set[RowId]] = defaultdict(set)
        for table in ("projects", "users"):
            columns = [(n, REFERENCES[c]) for n, c in enumerate(TABLES[table].__struct_fields__) if c in REFERENCES]
            for row in self._edits.rows[table].values():
                for number, target in columns:
                    if row[number] is not None and row[number] not in loaded.get(target, ()):
                        found[target].add(row[number])
        return found

    def _load(self, wanted: Mapping[str, Collection[RowId]]) -> None:
        for table, ids in wanted.items():
            if ids and table in self._present:
                for row in rows_by_id(self._tx, table, self._present, ids):
                    self._edits.rows[table][row[0]] = row

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
        edits = self._edits
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
            (sorted(edits.hashes), [table for table, _ in sorted(said)], [key for _, key in sorted(said)]),
        )
        people: set[RowId] = set()
        for table, key, row in found:
            edits.owners[table][key] = row
            if table == "users" and row not in edits.rows["users"]:
                people.add(row)
        self._load({"users": people})
        for table, owners in edits.owners.items():
            for key in [key for key, row in owners.items() if table == "users" and row not in edits.rows["users"]]:
                del owners[key]  # a person deleted the row: the key is free
