"""What a database error means: run it again, run it once more, or tell the user in words without values.

psycopg2's own text quotes statements, keys and values (a unique violation prints the e-mail), so it never goes further
than this module; names of tables, columns and constraints do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

import psycopg2
from psycopg2 import errors

from reconcile.errors import ConfigError, DriftError, SyncError, Unavailable


class Fault(Enum):
    """What `transact` does about an error."""

    AGAIN = "again"
    ONCE_MORE = "once more"
    FINAL = "final"


ROW_REFUSED: tuple[type[psycopg2.Error], ...] = (psycopg2.DataError, psycopg2.IntegrityError, errors.RaiseException)
"""A value, a constraint or a trigger refused a row (SQLSTATE classes 22 and 23, P0001): the other rows can go on."""

# Serialization failure, deadlock, lock timeout, shutdown, crash, starting up, too many connections, idle too long.
_AGAIN = frozenset(("40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300", "25P03"))
_CONNECTION_ENDED = frozenset(("57P01", "57P02", "57P03", "25P03"))
_STATEMENT_TIMEOUT = "57014"
_NOT_AS_MAPPED = frozenset(("42P01", "42703", "3F000", "42804", "42883", "42830"))

_FULL = {
    "53100": "The disk of the database server is full",
    "53200": "The database server is out of memory",
}

_REFUSED_CONNECTION = (
    (
        r"authentication failed|no password supplied|no such user|role .+ does not exist|pg_hba\.conf|not permitted to",
        "refuses this user or password: check the user and password of DATABASE_URL",
    ),
    (
        r"database .+ does not exist|no such database|permission denied for database",
        "has no such database for this user: check the name at the end of DATABASE_URL",
    ),
    (
        r"not support SSL|SSL was required|SSL off|certificate|channel binding|SSL error",
        "did not agree on TLS: check sslmode, sslrootcert and channel_binding of DATABASE_URL",
    ),
    (
        r"unsupported startup parameter",
        "refuses a start-up option: remove PGOPTIONS, or set the option on the role",
    ),
    (
        r"endpoint .*(?:not|could)",
        "does not know this endpoint: check the host name of DATABASE_URL",
    ),
    (
        r"could not translate host name(?!.*[Tt]emporary failure)",
        "cannot be found by that name: check the host of DATABASE_URL",
    ),
)
_ABSENT_SERVER = (
    (r"[Cc]onnection refused|No such file", "nothing listens there"),
    (r"timeout|timed out", "it did not answer in time"),
    (r"starting up|shutting down|recovery", "it is starting or stopping"),
    (r"too many|remaining connection slots|no more connections", "it has no connection left"),
)


def fault_of(error: BaseException) -> Fault:
    """Class an error by its SQLSTATE; a killed backend or a suspended server arrives without one."""
    if not isinstance(error, psycopg2.Error):
        return Fault.FINAL
    if error.pgcode is None:
        lost = isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError))
        return Fault.AGAIN if lost or type(error) is psycopg2.DatabaseError else Fault.FINAL
    if error.pgcode in _AGAIN or error.pgcode.startswith("08"):
        return Fault.AGAIN
    return Fault.ONCE_MORE if error.pgcode == _STATEMENT_TIMEOUT else Fault.FINAL


def connection_lost(error: psycopg2.Error) -> bool:
    """Say whether the connection died with this error, so that the fate of a COMMIT in flight is unknown."""
    if error.pgcode is None:
        return fault_of(error) is Fault.AGAIN
    return error.pgcode in _CONNECTION_ENDED or error.pgcode.startswith("08")


def reason_of(error: psycopg2.Error) -> str:
    """Why a row was refused, in names only: `SQLSTATE 23505 constraint=users_email_key table=users`."""
    diag = error.diag
    names = (("constraint", diag.constraint_name), ("table", diag.table_name), ("column", diag.column_name))
    return " ".join([f"SQLSTATE {error.pgcode or 'none'}", *(f"{what}={name}" for what, name in names if name)])


def as_sync_error(error: psycopg2.Error, label: str) -> SyncError:
    """Say a statement's failure in one sentence that names the work (`label`) and no value."""
    code = error.pgcode or ""
    if code == "42501":
        return ConfigError(f"The database role may not do this while {label} ({_names(error)}): {_grant(error)}.")
    if code.startswith("28"):
        return ConfigError(f"The database refuses this user while {label}: check DATABASE_URL.")
    if code in _NOT_AS_MAPPED:
        return DriftError(
            f"The database is not as expected while {label} ({_names(error)}): run test_sync.py to see what differs."
        )
    if code == "25006":
        return Unavailable(f"The database is read-only while {label}: connect to the primary, or wait, and run again.")
    if code == _STATEMENT_TIMEOUT:
        return Unavailable(f"The database took too long twice while {label}: nothing was written; run it again.")
    if code in _FULL:
        return Unavailable(
            f"{_FULL[code]} (SQLSTATE {code}, while {label}): nothing of this step was written. Running again does not "
            "help before there is room."
        )
    if fault_of(error) is Fault.AGAIN or code.startswith("53"):
        return Unavailable(
            f"The database failed while {label} (SQLSTATE {code or 'none, connection lost'}), and failed again each "
            "time it was tried: nothing of this step was written, what was done before is kept; run it again."
        )
    return SyncError(f"The database refused a statement while {label} ({reason_of(error)}): this is a bug, report it.")


def refused_connection(error: psycopg2.OperationalError, keywords: Mapping[str, str]) -> ConfigError | None:
    """Tell a connection that can never succeed from one worth another try, which gives None.

    libpq gives no SQLSTATE for a failed connection, so this reads its English text; an unknown text means try again.
    """
    text = str(error)
    for pattern, meaning in _REFUSED_CONNECTION:
        if re.search(pattern, text):
            return ConfigError(f"The database at {server_name(keywords)} {meaning}.")
    return None


def unreachable(error: psycopg2.OperationalError, keywords: Mapping[str, str]) -> Unavailable:
    """Say why the server could not be reached, without libpq's text."""
    text = str(error)
    known = (meaning for pattern, meaning in _ABSENT_SERVER if re.search(pattern, text))
    meaning = next(known, "the connection failed")
    return Unavailable(f"The database at {server_name(keywords)} cannot be reached ({meaning}): run it again later.")


def server_name(keywords: Mapping[str, str]) -> str:
    """`host:port`, as shown to people."""
    host = keywords.get("host") or keywords.get("hostaddr") or "the local socket"
    return f"{host}:{keywords.get('port') or 5432}"


def _names(error: psycopg2.Error) -> str:
    """The server's first line; in the classes that use it, it quotes identifiers and types, never a value."""
    return error.diag.message_primary or f"SQLSTATE {error.pgcode}"


_DENIED = re.compile(r"permission denied for (?:(table|relation|view|schema|sequence|database) )?(\S+)")
_RIGHTS = {
    "schema": "USAGE, CREATE ON SCHEMA",
    "sequence": "USAGE ON SEQUENCE",
    "database": "CREATE ON DATABASE",
}


def _grant(error: psycopg2.Error) -> str:
    """What the owner has to run. A server that speaks another language names the thing in other words."""
    denied = _DENIED.search(error.diag.message_primary or "")
    if denied is None:
        return "run test_sync.py, which names what is missing, or run this once as the owner of the tables"
    rights = _RIGHTS.get(denied[1] or "table", "SELECT, INSERT, UPDATE ON")
    return f"as the owner, run: GRANT {rights} {denied[2]} TO the role of DATABASE_URL;"
