"""One transaction: what the code that loads state and applies a plan may do with the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
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
# answers, after a lost COMMIT, whether it happened. Up to the change of the path everything is named in full: see
# `Transaction.role_path`.
_BEGIN = """
BEGIN ISOLATION LEVEL REPEATABLE READ {mode};
SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';
SET LOCAL idle_in_transaction_session_timeout = '120s';
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL array_nulls = on;
SET LOCAL jit = off;
WITH role AS MATERIALIZED (
    SELECT pg_catalog.current_schemas(false) AS schemas, pg_catalog.current_setting('search_path') AS path
)
SELECT (pg_catalog.array_remove(schemas, 'monday_sync'::pg_catalog.name))[1],
    pg_catalog.to_regclass('monday_sync.sync_schema') IS NOT NULL, pg_catalog.current_setting('server_encoding'), {xid},
    path, pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true), pg_catalog.now()
FROM role
"""
_READING = _BEGIN.format(mode="READ ONLY", xid="NULL")
_WRITING = _BEGIN.format(mode="READ WRITE", xid="pg_catalog.pg_current_xact_id()::pg_catalog.text")
_SAFE_PATH = "SET LOCAL search_path = pg_catalog, pg_temp"


_OUTCOME = "SELECT pg_catalog.pg_xact_status(%s::pg_catalog.xid8)"


def roll_back(connection: extensions.connection) -> None:
    """End a transaction that failed. Raises psycopg2.Error."""
    with connection.cursor() as cursor:
        cursor.execute("ROLLBACK")


def outcome_of(connection: extensions.connection, xid: str) -> str | None:
    """What became of a transaction of which the COMMIT was not answered: `committed`, `aborted`, `in progress`, or None
    where the server cannot tell any more. Raises psycopg2.Error."""
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOME, (xid,))
        answer = cursor.fetchone()
    return answer[0] if answer else None


@dataclass(slots=True)
class DatabaseStats:
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
    `encoding` how the database keeps text, `now` its time when the transaction began.
    Methods raise psycopg2.Error; leave it to `transact`, except a row's own fault inside a `savepoint`.
    """

    __slots__ = (
        "_cursor",
        "_path",
        "_role_path",
        "_savepoints",
        "_stats",
        "_wanted",
        "connection",
        "encoding",
        "has_state",
        "now",
        "read_only",
        "schema",
        "xid",
    )

    def __init__(self, connection: extensions.connection, stats: DatabaseStats, *, read_only: bool) -> None:
        self.connection = connection
        self.read_only = read_only
        self._stats = stats
        self._savepoints = 0
        self._cursor = connection.cursor()
        stats.transactions += 1
        try:
            self._send(_READING if read_only else _WRITING)
        except errors.FeatureNotSupported:  # a standby refuses READ WRITE itself; nothing else of it can be unsupported
            raise Unavailable("The database is a read-only standby: connect to the primary, and run again.") from None
        begun = self._cursor.fetchone()
        assert begun is not None
        self.has_state: bool = begun[1]
        self.encoding = Encoding(begun[2])
        self.xid: str | None = begun[3]
        if begun[0] is None:
            raise ConfigError(
                "The database role's search_path names no existing schema: create one, or ALTER ROLE … SET search_path."
            )
        self.schema: str = begun[0]
        self.now: datetime = begun[6]
        path = sql.Literal(begun[4]).as_string(connection)
        self._role_path = f"SELECT pg_catalog.set_config('search_path', {path}, true)"
        self._path = self._wanted = _SAFE_PATH
        """The statements that set the path as it is, and as the next statement is to have it."""

    def execute(self, statement: Statement, params: Params | None = None) -> int:
        """Run a statement, or several without parameters; the number of rows of the last."""
        if self._path == self._wanted:
            self._send(statement, params)
        else:  # in the same message: no round trip of its own
            text = self._cursor.mogrify(statement, params).decode()
            self._send(f"{self._wanted};{text}")
            self._path = self._wanted
        return self._cursor.rowcount

    def _send(self, statement: Statement, params: Params | None = None) -> None:
        self._stats.round_trips += 1
        self._cursor.execute(statement, params)

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
        return self.execute(";".join(self._cursor.mogrify(*each).decode() for each in statements))

    def batch_one(self, statements: Sequence[tuple[str, Params]]) -> Row | None:
        """The same; the first row of the last, which is a query, or None."""
        self.batch(statements)
        return self._cursor.fetchone()

    def copy_in(self, statement: Statement, file: Any) -> int:
        """Feed `COPY … FROM STDIN` from a file-like object's `read(size)`; the number of rows copied."""
        if self._path != self._wanted:
            text = statement.as_string(self.connection) if isinstance(statement, sql.Composable) else statement
            statement = f"{self._wanted};{text}"
        self._stats.round_trips += 2  # the server's go-ahead, then its verdict on the data
        self._cursor.copy_expert(statement, file, size=1 << 16)
        self._path = self._wanted
        return self._cursor.rowcount

    @contextmanager
    def role_path(self) -> Iterator[None]:
        """Run statements under the role's own search_path: those that write or make tables of the owner's, whose
        triggers, checks and defaults may rely on it.

        Everybody who may create something in a schema of that path can put a function, operator or type there that
        fits better than PostgreSQL's own, and would then act with the rights of this role. So these statements name
        every function, operator and type in full: `pg_catalog.now()`, `OPERATOR(pg_catalog.=)`, `pg_catalog.uuid`. All
        others run under a path where nobody else may create anything, and are written plainly.
        """
        before, self._wanted = self._wanted, self._role_path
        try:
            yield
        finally:
            self._wanted = before

    @property
    def ending(self) -> str:
        """The COMMIT: triggers that were deferred to it find what they rely on."""
        return "COMMIT" if self.read_only or self._path == self._role_path else f"{self._role_path};COMMIT"

    def check_alive(self) -> None:
        """Raise RuntimeError if an error was swallowed: COMMIT would roll back and report no error."""
        if self.connection.info.transaction_status == extensions.TRANSACTION_STATUS_INERROR:
            raise RuntimeError("a statement failed, the error was swallowed, and COMMIT would silently roll back")

    def table(self, name: str) -> sql.Identifier:
        """A business table's qualified name: no search_path leads to it, or it may be anyone's."""
        return sql.Identifier(self.schema, name)

    @contextmanager
    def savepoint(self) -> Iterator[Part]:
        """Undo only what happens inside when it raises, or says that it is not kept; an error goes on, the transaction
        stays usable."""
        part = Part()
        self._savepoints += 1
        name, path = f"part_{self._savepoints}", self._path
        self._send(f"SAVEPOINT {name}")
        undo = f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}"
        try:
            yield part
        except BaseException:
            if not self.connection.closed:
                self._send(undo)
                self._path = path
            raise
        self._send(f"RELEASE SAVEPOINT {name}" if part.kept else undo)
        self._path = self._path if part.kept else path
