"""One transaction: what the code that loads state and applies a plan may do with the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from psycopg2 import errors, extensions, sql

from postgres.encoding import Encoding
from reconcile.errors import ConfigError, Unavailable

T = TypeVar("T")
Row = tuple[Any, ...]
Statement = str | sql.Composable
Params = Sequence[Any] | Mapping[str, Any]

# BEGIN goes out with the first statements, in one message: psycopg2's own would cost a round trip for each transaction.
# A transaction-mode pooler hands the session to a stranger at COMMIT, so everything is set LOCAL, each time. jsonb text
# of an instant follows the time zone, hence UTC; a role or a database may have its own way with dates and with NULL in
# lists. The role named monday_sync must not take the sync's own schema for the business tables'. The transaction id
# answers, after a lost COMMIT, whether it happened.
_BEGIN = """
BEGIN ISOLATION LEVEL REPEATABLE READ {mode};
SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';
SET LOCAL idle_in_transaction_session_timeout = '120s';
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL array_nulls = on;
SET LOCAL jit = off;
SELECT (array_remove(current_schemas(false), 'monday_sync'))[1], to_regclass('monday_sync.sync_schema') IS NOT NULL,
    current_setting('server_encoding'),
"""
_READING = _BEGIN.format(mode="READ ONLY") + "NULL"
_WRITING = _BEGIN.format(mode="READ WRITE") + "pg_current_xact_id()::text"


@dataclass(slots=True)
class Stats:
    """What a `Database` has done so far: waits for the server (BEGIN and COMMIT included), connections, retries."""

    connects: int = 0
    transactions: int = 0
    round_trips: int = 0
    retries: int = 0


@dataclass(slots=True)
class Part:
    """What happens inside a savepoint."""

    kept: bool = True


class Transactor(Protocol):
    """What can run transactions: `db_connector.Database`."""

    def transact(self, work: Callable[[Transaction], T], *, read_only: bool, label: str) -> T: ...

    def close(self) -> None: ...


class Transaction:
    """An open REPEATABLE READ transaction; `Database.transact` makes, commits and rolls it back.

    `schema` is where the business tables live, `has_state` whether the sync's bookkeeping was there at the start,
    `encoding` how the database keeps text.
    Methods raise psycopg2.Error; leave it to `transact`, except a row's own fault inside a `savepoint`.
    """

    __slots__ = (
        "_cursor",
        "_savepoints",
        "_stats",
        "connection",
        "encoding",
        "has_state",
        "read_only",
        "schema",
        "xid",
    )

    def __init__(self, connection: extensions.connection, stats: Stats, *, read_only: bool) -> None:
        self.connection = connection
        self.read_only = read_only
        self._stats = stats
        self._savepoints = 0
        self._cursor = connection.cursor()
        stats.transactions += 1
        try:
            begun = self.one(_READING if read_only else _WRITING)
        except errors.FeatureNotSupported:  # a standby refuses READ WRITE itself; nothing else of it can be unsupported
            raise Unavailable("The database is a read-only standby: connect to the primary, and run again.") from None
        assert begun is not None
        self.has_state: bool = begun[1]
        self.encoding = Encoding(begun[2])
        self.xid: str | None = begun[3]
        if begun[0] is None:
            raise ConfigError(
                "The database role's search_path names no existing schema: create one, or ALTER ROLE … SET search_path."
            )
        self.schema: str = begun[0]

    def execute(self, statement: Statement, params: Params | None = None) -> int:
        """Run a statement, or several without parameters; the number of rows of the last."""
        self._stats.round_trips += 1
        self._cursor.execute(statement, params)
        return self._cursor.rowcount

    def rows(self, statement: Statement, params: Params | None = None) -> list[Row]:
        """All rows of a query: uuid and json as text, numeric as Decimal, dates and instants as datetime's own."""
        self.execute(statement, params)
        return self._cursor.fetchall()

    def one(self, statement: Statement, params: Params | None = None) -> Row | None:
        """The first row of a query, or None."""
        self.execute(statement, params)
        return self._cursor.fetchone()

    def batch(self, statements: Sequence[tuple[str, Params]]) -> int:
        """Several statements in one round trip; the number of rows of the last."""
        texts = [self._cursor.mogrify(statement, params).decode() for statement, params in statements]
        self._stats.round_trips += 1
        self._cursor.execute(";".join(texts))
        return self._cursor.rowcount

    def batch_one(self, statements: Sequence[tuple[str, Params]]) -> Row | None:
        """The same; the first row of the last, which is a query, or None."""
        self.batch(statements)
        return self._cursor.fetchone()

    def copy_in(self, statement: Statement, file: Any) -> int:
        """Feed `COPY … FROM STDIN` from a file-like object's `read(size)`; the number of rows copied."""
        self._stats.round_trips += 2  # the server's go-ahead, then its verdict on the data
        self._cursor.copy_expert(statement, file, size=1 << 16)
        return self._cursor.rowcount

    def check_alive(self) -> None:
        """Raise RuntimeError if an error was swallowed: COMMIT would roll back and report no error."""
        if self.connection.info.transaction_status == extensions.TRANSACTION_STATUS_INERROR:
            raise RuntimeError("a statement failed, the error was swallowed, and COMMIT would silently roll back")

    def table(self, name: str) -> sql.Identifier:
        """A business table's qualified name: a pooled session's search_path may be anyone's."""
        return sql.Identifier(self.schema, name)

    @contextmanager
    def savepoint(self) -> Iterator[Part]:
        """Undo only what happens inside when it raises, or says that it is not kept; an error goes on, the transaction
        stays usable."""
        part = Part()
        self._savepoints += 1
        name = f"part_{self._savepoints}"
        self.execute(f"SAVEPOINT {name}")
        undo = f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}"
        try:
            yield part
        except BaseException:
            if not self.connection.closed:
                self.execute(undo)
            raise
        self.execute(f"RELEASE SAVEPOINT {name}" if part.kept else undo)
