"""PostgreSQL through psycopg2: transactions that survive a lost connection and work behind a pooler.

`python db_connector.py` tests the configured connection and prints what it finds; it changes nothing.
"""

from __future__ import annotations

import itertools
import logging
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self, TypeVar

import psycopg2  # noqa: TID251  it opens the connections
from psycopg2 import extensions  # noqa: TID251
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_after_delay
from tenacity.wait import wait_random_exponential

from postgres.connection import Sleep, connect
from postgres.embedded import LocalPostgres
from postgres.errors import DatabaseFault, as_sync_error, connection_lost, fault_of, not_text, server_name
from postgres.migrate import state
from postgres.schema import TableShape, check, read_shapes, withheld
from postgres.server import read_rights, read_session
from postgres.transaction import DatabaseStats, Transaction, outcome_of, roll_back
from postgres.url import connection_keywords, host_of, parse_database_url
from reconcile.errors import SyncError
from reconcile.tables import TABLES

__all__ = ["Database", "DatabaseStats", "Transaction", "describe", "open_database", "parse_database_url"]

logger = logging.getLogger(__name__)
T = TypeVar("T")

TRIES = 5
BUDGET_S = 60
_STATUS_ASKED = 10


class Database:
    """Runs transactions on one connection, opened when needed and kept until `close()`; used by one thread.

    `keywords` are libpq's (see `parse_database_url`). `sleep` takes seconds.
    """

    def __init__(self, keywords: Mapping[str, str], *, sleep: Sleep = time.sleep) -> None:
        self._keywords = connection_keywords(keywords)
        self._sleep = sleep
        self._connection: extensions.connection | None = None
        self.stats = DatabaseStats()

    def __repr__(self) -> str:
        return f"Database({self.server!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def server(self) -> str:
        """`host:port`, for people."""
        return server_name(self._keywords)

    @property
    def host(self) -> str:
        """The address as `Place` knows it."""
        return host_of(self._keywords)

    @property
    def port(self) -> str:
        return self._keywords.get("port", "5432")

    def sibling(self, *, sleep: Sleep | None = None) -> Database:
        """Another, unconnected Database on the same server: for another thread."""
        return Database(self._keywords, sleep=sleep or self._sleep)

    def transact(self, work: Callable[[Transaction], T], *, read_only: bool, label: str) -> T:
        """Run `work` in one transaction and commit; after a conflict or a lost connection, run all of it again.

        `work` must be repeatable and `label` says what it does ("reading the projects"). A COMMIT whose answer was
        lost is looked up, so committed work is not run twice. Raises what `work` raises, and for the database's own
        errors Unavailable, ConfigError, DriftError or, unforeseen, SyncError.
        """
        timeouts = itertools.count()

        def again(error: BaseException) -> bool:
            fault = fault_of(error)
            return fault is DatabaseFault.AGAIN or (fault is DatabaseFault.ONCE_MORE and next(timeouts) == 0)

        attempts = Retrying(
            stop=stop_after_attempt(TRIES) | stop_after_delay(BUDGET_S),
            wait=wait_random_exponential(multiplier=0.1, max=10),
            retry=retry_if_exception(again),
            before_sleep=lambda state: self._note_retry(state, label),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            result: T = attempts(self._once, work, read_only)
        except psycopg2.Error as error:
            raise as_sync_error(error, label, reads=read_only) from None
        except UnicodeDecodeError:
            raise not_text(label, "UTF-8") from None
        return result

    def close(self) -> None:
        """Give the connection back; the next transaction opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> extensions.connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._keywords, sleep=self._sleep)
            self.stats.connects += 1
        return self._connection

    def _once(self, work: Callable[[Transaction], T], read_only: bool) -> T:
        connection = self._connected()
        try:
            tx = Transaction(connection, self.stats, read_only=read_only)
            result = work(tx)
            tx.check_alive()
        except BaseException:
            self._roll_back(connection)
            raise
        self._commit(connection, tx)
        return result

    def _roll_back(self, connection: extensions.connection) -> None:
        try:
            if connection.info.transaction_status != extensions.TRANSACTION_STATUS_IDLE:
                roll_back(connection)
                self.stats.round_trips += 1
        except psycopg2.Error:
            self.close()

    def _commit(self, connection: extensions.connection, tx: Transaction) -> None:
        """COMMIT; when its answer is lost, ask a new connection what became of the transaction."""
        self.stats.round_trips += 1
        xid = tx.xid
        try:
            with connection.cursor() as cursor:
                cursor.execute(tx.ending)
        except psycopg2.Error as error:
            self.close()
            if not connection_lost(error):
                raise
            if xid is not None and self._outcome(xid) != "committed":
                raise
            logger.warning("database commit answer lost, outcome=%s", "read only" if xid is None else "committed")

    def _outcome(self, xid: str) -> str | None:
        """`committed`, `aborted`, `in progress` after waiting for it, or None when the server cannot tell."""
        status: str | None = None
        for _ in range(_STATUS_ASKED):
            try:
                status = self._status(xid)
            except psycopg2.Error:
                self.close()
                return None
            if status != "in progress":
                break
            self._sleep(0.5)
        return status

    def _status(self, xid: str) -> str | None:
        status = outcome_of(self._connected(), xid)
        self.stats.round_trips += 1
        return status

    def _note_retry(self, state: RetryCallState, label: str) -> None:
        error = state.outcome.exception() if state.outcome else None
        self.stats.retries += 1
        logger.warning(
            "database retry label=%r try=%d sqlstate=%s wait_s=%.2f",
            label,
            state.attempt_number,
            getattr(error, "pgcode", None),
            state.upcoming_sleep,
        )


def open_database(keywords: Mapping[str, str] | None, *, home: Path, bin_dir: Path | None = None) -> Database:
    """The Database of the settings; None stands for the embedded server in `home`, which is started if need be."""
    return Database(LocalPostgres(home, bin_dir=bin_dir).start() if keywords is None else keywords)


def describe(database: Database) -> list[str]:
    """What a person wants to know of a connection, a line each: server, role, TLS, pooler, tables, privileges."""
    return database.transact(_describe, read_only=True, label="looking at the database")


def _describe(tx: Transaction) -> list[str]:
    session, info = read_session(tx), tx.connection.info
    shapes, installed = read_shapes(tx), state(tx)
    return [
        f"server      PostgreSQL {session.version}",
        f"database    {session.database}, schema {tx.schema}, role {session.role}",
        f"encryption  {info.ssl_attribute('protocol') if info.ssl_in_use else 'none'}",
        f"pooler      {'yes' if session.pooled else 'none, a direct connection'}",
        f"privileges  {_privileges(tx, shapes)}",
        f"tables      {len(shapes)} of {len(TABLES)}",
        *(f"            {problem}" for problem in check(shapes)),
        f"sync state  {f'version {installed.version}' if installed else 'none yet, the first run makes it'}",
    ]


def _privileges(tx: Transaction, shapes: Mapping[str, TableShape]) -> str:
    lacking = withheld(shapes)
    tables = f"lacks {', '.join(lacking)}" if lacking else "reads and writes every table"
    return f"{tables}, {'may' if read_rights(tx).create_tables else 'may not'} create tables in {tx.schema}"


def main() -> int:
    """Test the configured connection; the exit code."""
    from settings import PROGRAM_DIR, load_settings  # the settings import this module's URL parser
    from terminal.say import say, say_error

    try:
        target = load_settings(need_monday=False).database
        keywords = None if target is None or target == "embedded" else target.keywords
        with open_database(keywords, home=PROGRAM_DIR / ".postgres") as database:
            say(f"connected   {database.server}", *describe(database))
    except SyncError as error:
        say_error(error)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    from terminal.streams import make_streams_safe

    make_streams_safe()
    sys.exit(main())
