"""What a server tells of itself and of the role: for the doctor, and for who tests a connection."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from postgres.transaction import Transaction

_LOGGED_BY: Final = (
    "log_min_messages",
    "log_min_error_statement",
    "log_error_verbosity",
    "log_statement",
    "log_min_duration_statement",
    "log_min_duration_sample",
    "log_transaction_sample_rate",
)
"""The settings that decide which statements, and with them which values, a server writes into its log."""


class Session(NamedTuple):
    """Where a transaction runs, and as whom. `now` by the server's clock, `pooled` whether a pooler stands between."""

    database: str
    role: str
    version: str
    now: datetime
    pooled: bool


class Rights(NamedTuple):
    """What a role may make: tables in its schema, schemas in the database."""

    role: str
    create_tables: bool
    create_schemas: bool


def read_session(tx: Transaction) -> Session:
    """One query; the version as the server spells it."""
    told = tx.one(
        "SELECT current_database(), current_user, current_setting('server_version'), clock_timestamp(),"
        " pg_backend_pid()"
    )
    assert told is not None
    database, role, version, now, backend_pid = told
    # A pooler invents the process id that it tells at connect; the server's own answer differs from it.
    return Session(database, role, version, now, pooled=backend_pid != tx.connection.info.backend_pid)


def read_rights(tx: Transaction) -> Rights:
    """What this role may make."""
    told = tx.one(
        "SELECT current_user, has_schema_privilege(%s, 'CREATE'), has_database_privilege(current_database(), 'CREATE')",
        (tx.schema,),
    )
    assert told is not None
    return Rights(*told)


def withheld_state(tx: Transaction) -> list[str]:
    """Tables of the sync's own that this role may not both read and write."""
    tables = tx.rows(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'monday_sync'"
        " AND c.relkind = 'r' AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')"
        " AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')) ORDER BY 1"
    )
    return [f"monday_sync.{name}" for (name,) in tables]


def log_settings(tx: Transaction) -> dict[str, str]:
    """The settings that decide what is logged, as they are for this role: name → value, as PostgreSQL spells it."""
    rows = tx.rows("SELECT name, current_setting(name) FROM unnest(%s::text[]) AS w (name)", (list(_LOGGED_BY),))
    return dict(rows)
