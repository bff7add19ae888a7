"""What a role that is only to look lacks, as the statements that give it."""

from __future__ import annotations

from typing import Final

from postgres.transaction import Transaction
from reconcile.tables import TABLES

# Asked of the catalogue alone, which every role may read.
_MISSING: Final = """
SELECT format('GRANT USAGE ON SCHEMA %%I TO %%I;', n.nspname, current_user) FROM pg_namespace n
WHERE n.nspname IN ('monday_sync', %(schema)s) AND NOT has_schema_privilege(n.oid, 'USAGE')
UNION ALL
SELECT format('GRANT SELECT ON %%s TO %%I;', string_agg(format('%%I.%%I', n.nspname, c.relname), ', '
    ORDER BY n.nspname, c.relname), current_user)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v') AND NOT has_table_privilege(c.oid, 'SELECT')
    AND (n.nspname = 'monday_sync' OR (n.nspname = %(schema)s AND c.relname = ANY(%(tables)s)))
HAVING count(*) > 0
"""


def missing_grants(tx: Transaction) -> list[str]:
    """The statements that let this role read the nine tables and what the sync remembers; empty where it may."""
    rows = tx.rows(_MISSING, {"schema": tx.schema, "tables": list(TABLES)})
    return [statement for (statement,) in rows]
