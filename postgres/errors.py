"""What a database error means: run it again, run it once more, or tell the user in words without values.

psycopg2's own text quotes statements, keys and values (a unique violation prints the e-mail), so it never goes further
than this module; names of tables, columns and constraints do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

import psycopg2

from reconcile.errors import ConfigError, DriftError, SyncError, Unavailable


class DatabaseFault(Enum):
    """What `transact` does about an error."""

    AGAIN = "again"
    ONCE_MORE = "once more"
    FINAL = "final"


# A lost connection, a read-only or broken transaction, another one's lock, the server's means, an operator's hand, its
# system, a damaged file: whatever row is tried next, it meets the same.
_NO_ROWS_FAULT = ("08", "25", "40", "53", "55P03", "57", "58", "XX001", "XX002")
# Names, types and rights: a fault of the statement itself, unless it was raised inside, by what the statement set off.
_STATEMENT = ("0A", "28", "3D", "3F", "42", "55")
_RAISED_BY_HAND = ("exec_stmt_raise", "PLy_", "plperl", "pltcl")
"""Functions of the server in which the owner's own code raises an error: whatever it names may be a value."""

# Serialization failure, deadlock, lock timeout, shutdown, crash, starting up, too many connections, idle too long.
_AGAIN = frozenset(("40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300", "25P03"))
_CONNECTION_ENDED = frozenset(("57P01", "57P02", "57P03", "25P03"))
_STATEMENT_TIMEOUT = "57014"
_NOT_AS_MAPPED = frozenset(("42P01", "42703", "3F000", "42804", "42883", "42830"))
_NOT_A_PLAIN_TABLE = frozenset(("0A000", "42809", "428C9", "42P16", "42P17", "55000"))
"""A view, a partition, a table with rules, a column that is computed: it is there, and cannot do what a table does."""

_NO_TEXT = frozenset(("22P05", "22021"))
"""A byte that its own encoding does not have, or a sign that the client's or the server's lacks."""

_FULL = {
    "53100": "The disk of the database server is full",
    "53200": "The database server is out of memory",
}

_WAYS_ON = (
    "add sslrootcert=/path/ca.pem to DATABASE_URL, with the certificate of the authority that signed it, as whoever "
    "runs the server has it; or sslmode=require, which goes on without knowing who answers"
)
_UNKNOWN = (
    f"shows a certificate that nobody vouches for whom this machine trusts, as anyone in between could: {_WAYS_ON}"
)
_MISNAMED = (
    "shows a certificate for another name, as anyone in between could: use the name that it was made for as host, or "
    f"{_WAYS_ON}"
)
_UNVERIFIED = (
    "cannot be verified, as there is no file to do it by, or no host name: check sslrootcert and the host of "
    "DATABASE_URL"
)
_TRUSTING = (
    "asks for the log-in in a way by which it would see the password, or need not know it, and was told nothing: have "
    "whoever runs it set the password anew with password_encryption = scram-sha-256; or, where it is to be trusted so "
    "far, add require_auth=password (or md5, none) to DATABASE_URL"
)
_REFUSED_CONNECTION = (
    (r"certificate verify failed", _UNKNOWN),
    (r"does not match host name", _MISNAMED),
    (r"root certificate file|certificate store|host name must be specified for a verified", _UNVERIFIED),
    (r"authentication method requirement", _TRUSTING),
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
        r"invalid .*value",
        "is given a parameter that libpq does not take: check what stands behind the ? of DATABASE_URL",
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


def fault_of(error: BaseException) -> DatabaseFault:
    """Class an error by its SQLSTATE; a killed backend or a suspended server arrives without one."""
    if not isinstance(error, psycopg2.Error):
        return DatabaseFault.FINAL
    if error.pgcode is None:
        lost = isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError))
        return DatabaseFault.AGAIN if lost or type(error) is psycopg2.DatabaseError else DatabaseFault.FINAL
    if error.pgcode in _AGAIN or error.pgcode.startswith("08"):
        return DatabaseFault.AGAIN
    return DatabaseFault.ONCE_MORE if error.pgcode == _STATEMENT_TIMEOUT else DatabaseFault.FINAL


def is_rows_fault(error: psycopg2.Error) -> bool:
    """Whether a value, a constraint or a trigger refused a row, with whatever SQLSTATE: the other rows can go on."""
    code = error.pgcode
    if code is None or code.startswith(_NO_ROWS_FAULT):
        return False
    return raised_inside(error) or not code.startswith(_STATEMENT)


def raised_inside(error: psycopg2.Error) -> bool:
    """Whether a trigger or another function of the database raised it: only then does the server tell a context."""
    return bool(error.diag.context)


def connection_lost(error: psycopg2.Error) -> bool:
    """Say whether the connection died with this error, so that the fate of a COMMIT in flight is unknown."""
    if error.pgcode is None:
        return fault_of(error) is DatabaseFault.AGAIN
    return error.pgcode in _CONNECTION_ENDED or error.pgcode.startswith("08")


def reason_of(error: psycopg2.Error) -> str:
    """Why a row was refused, in names only: `SQLSTATE 23505 constraint=users_email_key table=users`."""
    diag = error.diag
    if (diag.source_function or "").startswith(_RAISED_BY_HAND):
        return f"SQLSTATE {error.pgcode}, raised by a trigger or function of the database"
    names = (("constraint", diag.constraint_name), ("table", diag.table_name), ("column", diag.column_name))
    return " ".join([f"SQLSTATE {error.pgcode or 'none'}", *(f"{what}={name}" for what, name in names if name)])


def as_sync_error(error: psycopg2.Error, label: str, *, reads: bool = False) -> SyncError:
    """Say a statement's failure in one sentence that names the work (`label`) and no value. What only `reads` needs no
    more rights than that takes."""
    code = error.pgcode or ""
    if code == "42501":
        return ConfigError(
            f"The database role may not do this while {label} ({_names(error)}): {_grant(error, reads=reads)}."
        )
    if code.startswith("28"):
        return ConfigError(f"The database refuses this user while {label}: check DATABASE_URL.")
    if code in _NOT_AS_MAPPED:
        return DriftError(
            f"The database is not as expected while {label} ({_names(error)}): run test_sync.py to see what differs."
        )
    if code in _NOT_A_PLAIN_TABLE:
        return DriftError(
            f"A table cannot do what is needed while {label} ({_names(error)}): a plain table is, without rules, with "
            "columns that can be written; run test_sync.py to see what differs."
        )
    if code in _NO_TEXT:
        return not_text(label, "text of its encoding")
    if code == "25006":
        return Unavailable(f"The database is read-only while {label}: connect to the primary, or wait, and run again.")
    if code == _STATEMENT_TIMEOUT:
        return Unavailable(f"The database took too long twice while {label}: nothing was written; run it again.")
    if code in _FULL:
        return Unavailable(
            f"{_FULL[code]} (SQLSTATE {code}, while {label}): nothing of this step was written. Running again does not "
            "help before there is room."
        )
    if fault_of(error) is DatabaseFault.AGAIN or code.startswith("53"):
        return Unavailable(
            f"The database failed while {label} (SQLSTATE {code or 'none, connection lost'}), and failed again each "
            "time it was tried: nothing of this step was written, what was done before is kept; run it again."
        )
    return SyncError(f"The database refused a statement while {label} ({reason_of(error)}): this is a bug, report it.")


def not_text(label: str, encoding: str) -> DriftError:
    """A database that takes every byte (SQL_ASCII, WIN1252) holds some that nobody can read."""
    return DriftError(
        f"The database holds text that is no {encoding}, found while {label}: correct its bytes, or move it to a "
        "database in UTF8."
    )


def refused_connection(error: psycopg2.OperationalError, keywords: Mapping[str, str]) -> ConfigError | None:
    """Tell a connection that can never succeed from one worth another try, which gives None.

    libpq gives no SQLSTATE for a failed connection. Its own text is English, the server's is in the language of its
    `lc_messages`: what no English word tells is told by the names in it. A server that is starting, stopping or full
    says so of itself; one that quotes the user or the database refuses that one.
    """
    text = str(error)
    for pattern, meaning in _REFUSED_CONNECTION:
        if re.search(pattern, text):
            return ConfigError(f"The database at {server_name(keywords)} {meaning}.")
    if any(re.search(pattern, text) for pattern, _meaning in _ABSENT_SERVER):
        return None
    said = text.rpartition("failed: ")[2]
    quoted = [what for what in ("user", "dbname") if (name := keywords.get(what)) and _quotes(said, name)]
    if not quoted:
        return None
    what = "user, password or database" if len(quoted) == 2 else {"user": "user or password"}.get(quoted[0], "database")
    return ConfigError(
        f"The database at {server_name(keywords)} refuses this {what}, in a language of its own: check DATABASE_URL."
    )


def _quotes(text: str, name: str) -> bool:
    """Whether a text has a name in quotes of some language: "ann", »ann«, « ann », 'ann'."""
    return re.search(rf"[^\w\s]\s?{re.escape(name)}\s?[^\w\s]", text) is not None


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
    """The server's first line: in the classes that use it, it quotes identifiers and types, never a value. A function
    of the database may put anything there."""
    if raised_inside(error):
        return f"SQLSTATE {error.pgcode}, raised by a trigger or function of the database"
    return error.diag.message_primary or f"SQLSTATE {error.pgcode}"


_DENIED = re.compile(r"permission denied for (?:(table|relation|view|schema|sequence|database) )?(\S+)")
_RIGHTS = {
    "schema": "USAGE, CREATE ON SCHEMA",
    "sequence": "USAGE ON SEQUENCE",
    "database": "CREATE ON DATABASE",
}
_RIGHTS_TO_READ = {"schema": "USAGE ON SCHEMA"}


def _grant(error: psycopg2.Error, *, reads: bool) -> str:
    """What the owner has to run. A server that speaks another language names the thing in other words, and a trigger
    of the owner's says what it likes."""
    denied = None if raised_inside(error) else _DENIED.search(error.diag.message_primary or "")
    if denied is None:
        return "run test_sync.py, which names what is missing, or run this once as the owner of the tables"
    kind = denied[1] or "table"
    rights = _RIGHTS_TO_READ.get(kind, "SELECT ON") if reads else _RIGHTS.get(kind, "SELECT, INSERT, UPDATE ON")
    return f"as the owner, run: GRANT {rights} {denied[2]} TO the role of DATABASE_URL;"
