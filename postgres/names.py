"""What people call a row: shown where a foreign key would be a uuid."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from psycopg2 import sql

from models import RowId
from postgres.records import Present
from postgres.transaction import Transaction
from reconcile.tables import SPECS


def row_names(tx: Transaction, present: Present, wanted: Mapping[str, Collection[RowId]]) -> dict[str, str]:
    """Names of these rows (table → ids) in one query; a row without a name, or that is not there, is left out."""
    parts = [
        sql.SQL("SELECT t.id::text, coalesce({names}) FROM {table} t WHERE t.id = ANY({ids}::uuid[])").format(
            names=sql.SQL(", ").join(
                sql.SQL("nullif({}::text, '')").format(sql.Identifier("t", name)) for name in names
            ),
            table=tx.table(table),
            ids=sql.Literal(sorted(ids)),
        )
        for table, ids in sorted(wanted.items())
        if ids and (names := [name for name in SPECS[table].names if name in present.get(table, ())])
    ]
    if not parts:
        return {}
    return {row: name for row, name in tx.rows(sql.SQL(" UNION ALL ").join(parts)) if name is not None}
