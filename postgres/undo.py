"""What a run wrote, read for taking it back, and the rows as they are now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from psycopg2 import sql

from models import RowId
from postgres.bases import rows_by_id
from postgres.changes import COLUMNS, change_of_row
from postgres.state import Present, row_hash
from postgres.transaction import Transaction
from reconcile.changes import Change
from reconcile.columns import ColumnMap

_CHANGES: Final = f"SELECT {COLUMNS} FROM monday_sync.sync_change WHERE run_id = %s ORDER BY id"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Touched:
    """Rows that a run wrote or told of: column → value, and the hash by which an edit of it is found."""

    rows: Mapping[RowId, Mapping[str, Any]]
    hashes: Mapping[RowId, str]


def changes_of_run(
    tx: Transaction, run_id: str, boards: Mapping[int, str], columns: Mapping[str, ColumnMap]
) -> list[Change]:
    """What a run wrote, in the order in which it did. `boards`: id → name; `columns`: the mapping of each."""
    return [change_of_row(row, boards, columns, tx.encoding) for row in tx.rows(_CHANGES, (run_id,))]


def touched_rows(tx: Transaction, present: Present, wanted: Mapping[str, Collection[RowId]]) -> Touched:
    """Rows by table, as they are now."""
    rows: dict[RowId, Mapping[str, Any]] = {}
    hashes: dict[RowId, str] = {}
    for table, ids in wanted.items():
        rows |= {row.id: msgspec.structs.asdict(row) for row in rows_by_id(tx, table, present, ids)}
        statement = sql.SQL("SELECT t.id::text, {hash} FROM {table} t WHERE t.id = ANY(%s::uuid[])").format(
            hash=row_hash(table, present[table]), table=tx.table(table)
        )
        hashes |= dict(tx.rows(statement, (sorted(ids),)))
    return Touched(rows, hashes)
