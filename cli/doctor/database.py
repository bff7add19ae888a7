"""PostgreSQL: reachable, who and how, the nine tables against the models, and what the sync remembers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Final

from cli.doctor.finding import Finding, guarded, ok, problem, warning
from cli.doctor.machine import compare_clocks
from cli.doctor.runs import examine_boards, examine_runs
from db_connector import Database
from monday.errors import next_reset
from monday_api import BOARDS
from postgres import migrate
from postgres.by_hand import set_for_role
from postgres.calls import used_today
from postgres.connection import OLDEST_SERVER
from postgres.dead_letters import count_open, nobodys_ids
from postgres.lease import held_by
from postgres.place import read_bound, read_itself
from postgres.readable import unreadable_in
from postgres.rules import read_rules
from postgres.schema import Limits, fields_of, misfits, read_shapes, withheld
from postgres.server import log_settings, read_rights, read_session, withheld_state
from postgres.transaction import Transaction
from postgres.url import is_local, is_verified, logs_in_unseen
from reconcile.errors import Exit
from reconcile.place import judge
from reconcile.tables import TABLES
from run.place_file import recall
from settings import PROGRAM_DIR, DatabaseTarget, Settings

_PATIENCE_S: Final = 0.3
_SHOWN: Final = 10


def examine_database(settings: Settings) -> Iterator[Finding]:
    """Everything about the database, each check in a read-only transaction of its own: one that fails ends only itself.

    Raises SyncError when it cannot be reached at all.
    """
    keywords = keywords_of(settings)
    if keywords is None:
        yield ok("database", f"a database of the tool's own; the first run makes it in {PROGRAM_DIR / '.postgres'}")
        return
    with Database(keywords, sleep=lambda wait_s: time.sleep(min(wait_s, _PATIENCE_S))) as database:
        yield from _look(database, lambda tx: _examine_connection(tx, database.server))
        for check, examine in _CHECKS.items():
            yield from guarded(check, partial(_look, database, examine))
        yield from guarded("calls", partial(_look, database, partial(_examine_calls, settings)))
        place = partial(_examine_place, settings, database)
        yield from guarded("place", partial(_look, database, place))


def _look(database: Database, examine: Callable[[Transaction], Iterator[Finding]]) -> list[Finding]:
    return database.transact(lambda tx: list(examine(tx)), read_only=True, label="looking at the database")


def keywords_of(settings: Settings) -> Mapping[str, str] | None:
    """None for an embedded database that is not there yet: looking must not make one."""
    if isinstance(settings.database, DatabaseTarget):
        return settings.database.keywords
    from postgres.embedded import LocalPostgres

    home = PROGRAM_DIR / ".postgres"
    return LocalPostgres(home).start() if home.exists() else None


def _examine_connection(tx: Transaction, server: str) -> Iterator[Finding]:
    session, info = read_session(tx), tx.connection.info
    yield ok("database", f"{session.database} at {server}, schema {tx.schema}, as {session.role}")
    yield from compare_clocks("clock", "the database's", session.now)
    number = info.server_version
    yield ok("server", f"PostgreSQL {number // 10000}.{number % 100} ({OLDEST_SERVER // 10000} or later is needed)")
    yield _examine_encryption(info.ssl_attribute("protocol") if info.ssl_in_use else None, info.dsn_parameters)
    pooler = "yes; transaction mode is all that is needed" if session.pooled else "none, a direct connection"
    yield ok("pooler", pooler)


def _examine_encryption(protocol: str | None, keywords: Mapping[str, str]) -> Finding:
    """What TLS and the log-in do not protect from; `keywords` are those of the connection."""
    if is_local(keywords):
        return ok("TLS", protocol or "none, the server is on this machine")
    known = "" if logs_in_unseen(keywords) else ", and is given the password if it asks (require_auth)"
    if not is_verified(keywords):
        return warning(
            "TLS",
            f"{protocol}, but nobody has looked who answers: whoever stands in between can read and change all that "
            f"passes{known}",
            "use sslmode=verify-full, with sslrootcert=/path/ca.pem where no public authority signed the certificate, "
            "or add channel_binding=require, in DATABASE_URL",
        )
    return ok("TLS", f"{protocol}; the server has proved who it is{known}")


def _examine_calls(settings: Settings, tx: Transaction) -> Iterator[Finding]:
    """What both commands have used of the daily calls, from any host."""
    installed = migrate.state(tx)
    if installed is None or installed.version < migrate.CALLS:
        yield ok("calls of today", "not counted yet: the next run begins to")
        return
    now, limit = datetime.now(UTC), settings.daily_calls
    used, left = used_today(tx), f"it starts anew at {next_reset(now)}"
    if limit is None:
        yield ok("calls of today", f"{used:,g} used by both commands, without a limit of one's own; {left}")
    elif used >= limit:
        yield warning(
            "calls of today",
            f"{used:,g} of {limit:,} used by both commands: no run asks monday.com any more today; {left}",
            "wait, or set SYNC_DAILY_CALLS higher",
        )
    else:
        yield ok("calls of today", f"{used:,g} of {limit:,} used by both commands; {left}")


def _examine_privileges(tx: Transaction) -> Iterator[Finding]:
    shapes = read_shapes(tx)
    lacking, rights = withheld(shapes), read_rights(tx)
    if migrate.state(tx) is None:
        if len(shapes) < len(TABLES) and not rights.create_tables:
            lacking.append(f"CREATE on schema {tx.schema}")
        if not rights.create_schemas and not tx.has_state:
            lacking.append("CREATE on the database (for the schema monday_sync)")
    else:
        lacking += [f"reading and writing {table}" for table in withheld_state(tx)]
    if lacking:
        says, fix = f"{rights.role} lacks {', '.join(lacking)}", f'GRANT them to "{rights.role}" as the owner'
        yield problem("privileges", says, fix, Exit.USAGE)
    else:
        yield ok("privileges", f"reads and writes {len(shapes)} of {len(TABLES)} tables that are there")


def _examine_server_log(tx: Transaction) -> Iterator[Finding]:
    """Whether the server writes values into its log, beside statements that fail and for every one."""
    role, settings = read_session(tx).role, log_settings(tx)
    silent = settings["log_min_messages"] in ("log", "fatal", "panic")  # what fails is not logged at all
    failing = {"log_min_error_statement": "panic", "log_error_verbosity": "terse"}
    wrong = {name: (settings[name], right) for name, right in failing.items() if settings[name] != right and not silent}
    if wrong:
        yield _logged("a statement that fails is logged by the server with names and addresses in it", role, wrong)
    working = {
        "log_statement": ("none", settings["log_statement"] in ("mod", "all")),
        "log_min_duration_statement": ("-1", settings["log_min_duration_statement"] != "-1"),
        "log_min_duration_sample": ("-1", settings["log_min_duration_sample"] != "-1"),
        "log_transaction_sample_rate": ("0", float(settings["log_transaction_sample_rate"]) > 0),
    }
    whole = {name: (settings[name], right) for name, (right, logs) in working.items() if logs}
    if whole:
        yield _logged("statements that work are logged by the server with names and addresses in them", role, whole)
    if not wrong and not whole:
        yield ok("server's log", "no statement, and no row that was refused, is written into it")


def _logged(what: str, role: str, settings: Mapping[str, tuple[str, str]]) -> Finding:
    shown = ", ".join(f"{name} = {now}" for name, (now, _right) in settings.items())
    fix = " ".join(set_for_role(role, setting, right) for setting, (_now, right) in settings.items())
    return warning("server's log", f"{what} ({shown})", f"as a superuser: {fix}")


def _examine_tables(tx: Transaction) -> Iterator[Finding]:
    shapes = read_shapes(tx)
    wrong = misfits(shapes)
    for sentence in wrong:
        says, _, fix = sentence.removesuffix(".").rpartition(": ")
        yield problem("tables", says or sentence, fix, Exit.DRIFT)
    if wrong:
        return
    coming = migrate.would_create(tx)
    if coming:
        yield ok("tables", f"{len(shapes)} of {len(TABLES)} are there; the first real run makes what is missing")
    else:
        yield ok("tables", f"all {len(TABLES)} are there and fit")
    yield from (ok("tables", sentence.removesuffix("."), detail=True) for sentence in coming)


def _examine_models(tx: Transaction) -> Iterator[Finding]:
    """The mapping leads to models, the models to tables; what the tables have beyond that is left alone."""
    shapes = read_shapes(tx)
    targets = {column.target for columns in BOARDS.values() for column in columns.values() if column.target}
    lost = sorted(target for target in targets if not _is_field(*target.split(".")))
    if lost:
        yield problem("models", f"the mapping leads to {', '.join(lost)}", "add the field to models.py", Exit.DRIFT)
    else:
        yield ok("models", "every mapped column has its field in models.py")
    narrow = sorted(".".join(place) for place, shape in Limits(shapes).columns.items() if _narrow(place, shape.name))
    if narrow:
        text = f"{len(narrow)} columns take less than a cell can hold: values that do not fit are quarantined"
        yield ok("models", f"{text} ({', '.join(narrow[:5])}{', …' if len(narrow) > 5 else ''})")


def _examine_rules(tx: Transaction) -> Iterator[Finding]:
    """What the tables' owner has them refuse or change: it is met when rows are written, and not before."""
    named = read_rules(tx).unforeseen()
    if named:
        text = "what these refuse is set aside, and what they change stays as they change it, unforeseen by a dry run"
        yield ok("rules", f"{text}: {'; '.join(named)}")
    else:
        yield ok("rules", "no constraint, trigger or rule that a dry run cannot foretell")


def _is_field(table: str, column: str) -> bool:
    return table in TABLES and column in fields_of(table)


def _narrow(place: tuple[str, str], column: str) -> bool:
    return column != "id" and fields_of(place[0])[place[1]] is not Decimal


def _examine_values(tx: Transaction) -> Iterator[Finding]:
    """What the tables hold that no run can read."""
    shapes = read_shapes(tx)
    if misfits(shapes):
        return
    found = unreadable_in(tx, {table: shape.columns for table, shape in shapes.items()})
    for column in found:
        named = ", ".join(column.rows[:3]) + (", …" if column.count > len(column.rows[:3]) else "")
        rows = "row" if column.count == 1 else "rows"
        yield warning(
            "values", f"{column.place} holds {column.what} in {column.count:,} {rows} ({named})", "correct it in SQL"
        )
    if not found:
        yield ok("values", "every date, amount and list of the tables can be read")


def _examine_state(tx: Transaction) -> Iterator[Finding]:
    if migrate.state(tx) is None:
        yield ok("sync state", "nothing was ever synced into this database")
        return
    now = read_session(tx).now
    yield from examine_runs(tx, now)
    yield from examine_boards(tx, now)
    yield from _examine_open(tx)
    yield from _examine_lease(tx)


def _examine_open(tx: Transaction) -> Iterator[Finding]:
    counts = count_open(tx)
    names = {
        "cell": ("quarantined cells", "correct them on the board: SELECT * FROM monday_sync.sync_dead"),
        "row": ("rows that the database refused", "see the reasons: SELECT * FROM monday_sync.sync_dead"),
        "would-merge": ("pairs of rows that look like one", "correct the cells: SELECT * FROM monday_sync.sync_dead"),
        "op": ("writes that monday.com refused", "see the reasons: SELECT * FROM monday_sync.sync_dead"),
        "conflict": ("open conflicts", "run with --on-conflict monday or --on-conflict pg"),
    }
    for kind, (what, fix) in names.items():
        if counts.get(kind):
            yield warning("open", f"{counts[kind]:,} {what}", fix)
    claims, every = nobodys_ids(tx, _SHOWN)
    for place, item_id, reason in claims:
        says, _, fix = reason.partition(": ")
        yield warning("open", f"{place} with item {item_id}: {says}", fix)
    if every > len(claims):
        more = f"{every - len(claims):,} more rows whose monday_item_id is nobody's"
        yield warning("open", more, "see the reasons: SELECT * FROM monday_sync.sync_dead")
    if not any(counts.values()) and not claims:
        yield ok("open", "nothing waits for a person")


def _examine_lease(tx: Transaction) -> Iterator[Finding]:
    held = held_by(tx)
    if held is None:
        yield ok("lease", "free")
        return
    holder, until = held
    if holder.is_dead():
        yield ok("lease", "left by a run that died: the next one takes it over")
    else:
        at_work = f"{holder.shown()} is at work, until {until} UTC at least"
        yield warning("lease", at_work, "wait for it: others end with 6")


def _examine_place(settings: Settings, database: Database, tx: Transaction) -> Iterator[Finding]:
    """Where the database is, and whether the boards belong to it as far as itself and this folder know."""
    place = read_itself(tx).at(database.host, database.port)
    yield ok("place", place.shown)
    installed = migrate.state(tx)
    boards = settings.board_ids
    bound = read_bound(tx, list(boards.values())) if installed and installed.version >= migrate.PLACES else {}
    for board, board_id in boards.items():
        local = recall(settings, board_id, installed.instance if installed else None)
        rivals = judge(place, bound.get(board_id), local).rivals
        for rival in rivals:
            yield warning(
                "place",
                f"the {board} board belongs to {rival.shown}, {rival.says}: a push is refused",
                "check DATABASE_URL; if this database is to have the board, run once with --rebind-db",
            )
        if not rivals and board_id in bound:
            yield ok("place", f"the {board} board belongs to this database")


_CHECKS: Final[dict[str, Callable[[Transaction], Iterator[Finding]]]] = {
    "privileges": _examine_privileges,
    "tables": _examine_tables,
    "models": _examine_models,
    "values": _examine_values,
    "rules": _examine_rules,
    "sync state": _examine_state,
    "server's log": _examine_server_log,
}
