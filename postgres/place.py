"""What a database tells of itself, and which boards it remembers as its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from psycopg2 import errors

from postgres.transaction import Params, Row, Transaction
from reconcile.place import Bound, Place


class Itself(msgspec.Struct, frozen=True):
    """What a database tells of itself, its address apart: see `Place`."""

    database: str
    oid: int
    system: str | None = None

    def at(self, host: str, port: str) -> Place:
        return Place(host, port, self.database, self.oid, self.system)


SYSTEM: Final = "<system>"
"""Stands in a statement for the identifier of the whole server, which not every server tells every role."""

ITSELF: Final = """json_build_object(
    'database', current_database(),
    'oid', (SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = current_database()),
    'system', <system>
)"""
BOUND: Final = "coalesce((SELECT json_object_agg(board_id, p) FROM monday_sync.sync_place p), '{}')"
"""SQL of what `Itself` and, by board id, `Bound` are read from, as JSON."""

_ASKED: Final = "(SELECT system_identifier::text FROM pg_catalog.pg_control_system())"
_UNTOLD: Final = (
    errors.InsufficientPrivilege,
    errors.UndefinedFunction,
    errors.FeatureNotSupported,
    errors.InternalError_,
    errors.IoError,
    errors.UndefinedFile,
)

_KEEP = """
INSERT INTO monday_sync.sync_place (board_id, claim, hosts, port, database, oid, system, replaced)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (board_id) DO UPDATE SET claim = EXCLUDED.claim, hosts = EXCLUDED.hosts, port = EXCLUDED.port,
    database = EXCLUDED.database, oid = EXCLUDED.oid, system = EXCLUDED.system, replaced = EXCLUDED.replaced,
    bound_at = now()
"""


def rows_with_system(tx: Transaction, statement: str, params: Params | None = None) -> list[Row]:
    """The rows of a query that holds `SYSTEM`; NULL in its place where the server does not tell.

    One message: the savepoint goes out with the query, and is only gone back to when that is refused.
    """
    try:
        return tx.rows("SAVEPOINT system; " + statement.replace(SYSTEM, _ASKED), params)
    except _UNTOLD:
        if tx.connection.closed:
            raise
        tx.execute("ROLLBACK TO SAVEPOINT system")
        return tx.rows(statement.replace(SYSTEM, "NULL"), params)


def read_itself(tx: Transaction) -> Itself:
    """What the database tells of itself."""
    ((told,),) = rows_with_system(tx, f"SELECT {ITSELF}::text")
    return msgspec.json.decode(told, type=Itself)


def read_bound(tx: Transaction, board_ids: Sequence[int]) -> dict[int, Bound]:
    """Whose these boards are, as the database remembers it."""
    ((told,),) = tx.rows(f"SELECT ({BOUND})::text")
    found = msgspec.json.decode(told, type=dict[int, Bound])
    return {board_id: found[board_id] for board_id in board_ids if board_id in found}


def keep_bound(tx: Transaction, board_id: int, bound: Bound) -> None:
    """Remember that the board belongs to this database."""
    where = (bound.port, bound.database, bound.oid, bound.system)
    tx.execute(_KEEP, (board_id, bound.claim, list(bound.hosts), *where, list(bound.replaced)))


def forget_replaced(tx: Transaction, board_id: int) -> None:
    """The board shows our claim by now: no other is to be replaced any more."""
    tx.execute("UPDATE monday_sync.sync_place SET replaced = '{}' WHERE board_id = %s", (board_id,))
