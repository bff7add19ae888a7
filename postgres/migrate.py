"""Bringing a database up to what the program needs: numbered SQL files, additive only, by the first real run.

What exists already is left as it is: a file runs only if something of it is missing, so that a role which may not
create tables can use a database whose owner has made them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import psycopg2
from psycopg2 import sql

from postgres.errors import DatabaseFault, fault_of, reason_of
from postgres.schema import TableShape, misfits, missing, read_shapes
from postgres.transaction import Transaction
from reconcile.errors import ConfigError, DriftError
from reconcile.tables import SPECS

logger = logging.getLogger(__name__)

FOLDER: Final = Path(__file__).resolve().parent.parent / "migrations"
_LOCK: Final = 7_265_841_902
"""The advisory lock of migrations: any number, as long as no other program picks the same."""

JOURNAL: Final = 4
"""The first version that has a journal of writes to monday.com."""

KEY_RULE: Final = 2
"""The rule by which keys are made today; 1 before the column `key_rule` was there."""

PLACES: Final = 7
"""The first version that remembers which boards are its own."""

CONFLICTS: Final = 8
"""The first version whose log says how a conflict ended, and who was told of it."""

NEWS: Final = 10
"""The first version that remembers what people were told of, and records each run from its beginning."""

CALLS: Final = 11
"""The first version that counts the calls of each day."""

CHANGES: Final = 12
"""The first version that has a history: what each run wrote."""

_WAIT_BRIEFLY = f"SET LOCAL lock_timeout = '3s'; SELECT pg_advisory_xact_lock({_LOCK})"
_WAIT_AS_USUAL = "SET LOCAL lock_timeout = '5s'"
_STATE = "SELECT version, instance, unlinked, to_jsonb(s) ->> 'key_rule' FROM monday_sync.sync_schema s"
_EXISTS = "SELECT to_regclass('monday_sync.sync_schema') IS NOT NULL"
_RECORD = """
INSERT INTO monday_sync.sync_schema (version, unlinked) VALUES (%s, %s)
ON CONFLICT (only_row) DO UPDATE SET version = EXCLUDED.version, unlinked = EXCLUDED.unlinked
RETURNING version, instance, unlinked, key_rule
"""
_REPEATED = """
SELECT count(*) FROM (
    SELECT FROM {projects} WHERE monday_item_id IS NOT NULL GROUP BY monday_item_id HAVING count(*) > 1
) AS repeated
"""
_EVENT_TRIGGERS = """
SELECT evtname FROM pg_event_trigger
WHERE evtenabled IN ('O', 'A') AND evtevent IN ('ddl_command_start', 'ddl_command_end') ORDER BY 1
"""
Shapes = Mapping[str, TableShape]


class Installed(NamedTuple):
    """The migrations a database has, and the random id that tells it from every other database.

    `unlinked` are columns ("table.column") that were added without their foreign key: see `link`. `key_rule` is the
    rule by which its keys were made.
    """

    version: int
    instance: str
    unlinked: tuple[str, ...] = ()
    key_rule: int = KEY_RULE


def _installed(version: int, instance: str, unlinked: Sequence[str], key_rule: str | int | None) -> Installed:
    return Installed(version, instance, tuple(unlinked), int(key_rule or 1))


def state(tx: Transaction) -> Installed | None:
    """What the database records about itself; None, without a query, when it has no bookkeeping yet.

    Raises ConfigError when a newer program has been here.
    """
    return _recorded(tx) if tx.has_state else None


def would_create(tx: Transaction) -> list[str]:
    """What `migrate` would add, a sentence each, for a dry run; empty when the database is up to date.

    Raises DriftError as `migrate` would.
    """
    installed = state(tx)
    if installed and installed.version == newest():
        return []
    shapes = read_shapes(tx)
    _refuse_misfits(shapes)
    added = [gap.replace(" is missing.", " would be created.") for gap in missing(shapes)]
    added += [
        f"Event trigger {name} is called for that, and may refuse it: the owner knows what it does."
        for (name,) in tx.rows(_EVENT_TRIGGERS)
    ]
    if _lacks_unique_item(shapes):
        _refuse_repeated_items(tx, shapes)
        added.append("A unique index on projects.monday_item_id would be created.")
    return added if installed else [*added, "Schema monday_sync would be created for the sync's own state."]


def migrate(tx: Transaction, installed: Installed | None = None) -> Installed:
    """Apply what is missing and record the version; one short query when nothing is, none when `state` is given.

    Raises ConfigError when a newer program has been here, DriftError when the tables that exist cannot be used.
    """
    installed = installed or state(tx)
    if installed and installed.version == newest():
        return installed
    tx.execute(_WAIT_BRIEFLY)
    installed = _recorded(tx) if (tx.one(_EXISTS) or (False,))[0] else None
    shapes = read_shapes(tx)
    _refuse_misfits(shapes)
    for number, path in _files().items():
        if number > (installed.version if installed else 0) and _is_needed(number, path, shapes):
            _apply(tx, path, shapes)
    unlinked = sorted({*_unlinked(shapes), *(installed.unlinked if installed else ())})
    recorded = tx.one(_RECORD, (newest(), unlinked))
    tx.execute(_WAIT_AS_USUAL)
    tx.has_state = True
    assert recorded is not None
    return _installed(*recorded)


def link(tx: Transaction, unlinked: Sequence[str]) -> None:
    """Add the foreign keys of columns that `migrate` added, as the last thing of the first load.

    One check of the whole table costs a twentieth of checking each row as it comes (measured: 12 keys, 20,000 rows).
    """
    for place in unlinked:
        table, _, column = place.partition(".")
        statement = sql.SQL("ALTER TABLE {} ADD FOREIGN KEY ({}) REFERENCES {} (id)")
        with _refusals_named(f"the foreign key of {place}"), tx.role_path():
            tx.execute(
                statement.format(tx.table(table), sql.Identifier(column), tx.table(SPECS[table].foreign_keys[column]))
            )
    if unlinked:
        tx.execute("UPDATE monday_sync.sync_schema SET unlinked = '{}'")


def keys_are_new(tx: Transaction) -> None:
    """All keys are made by the rule of today."""
    tx.execute("UPDATE monday_sync.sync_schema SET key_rule = %s", (KEY_RULE,))


def _unlinked(shapes: Shapes) -> Iterator[str]:
    """Foreign key columns that are not there yet; a column that is keeps what its owner gave it."""
    for table, spec in SPECS.items():
        for column in spec.foreign_keys:
            if not (table in shapes and column in shapes[table].columns):
                yield f"{table}.{column}"


def _apply(tx: Transaction, path: Path, shapes: Shapes) -> None:
    if path.stem == _UNIQUE_ITEM:
        _refuse_repeated_items(tx, shapes)
    schema = sql.Identifier(tx.schema).as_string(tx.connection)
    with _refusals_named(f"migrations/{path.name}"), tx.role_path():  # the owner's event triggers rely on it
        tx.execute(path.read_text(encoding="utf-8").replace("{schema}", schema))
    logger.info("migration applied file=%s schema=%s", path.name, tx.schema)


@contextmanager
def _refusals_named(what: str) -> Iterator[None]:
    """Name what the database's owner has to do where the database will not have a change of its tables: an event
    trigger forbids it, or a table is of a kind that cannot be changed so."""
    try:
        yield
    except psycopg2.Error as error:
        code = error.pgcode or ""
        if fault_of(error) is not DatabaseFault.FINAL or code == "42501" or code.startswith("53"):
            raise
        raise DriftError(
            f"The database refused to apply {what} ({error.diag.message_primary or reason_of(error)}): nothing was "
            "changed. Let the owner of the database allow it, or make the change, and run again."
        ) from None


def _recorded(tx: Transaction) -> Installed | None:
    row = tx.one(_STATE)
    if row is None:
        return None
    if row[0] > newest():
        raise ConfigError(
            f"The database was migrated to version {row[0]} by a newer program, this one knows {newest()}: "
            "update the program."
        )
    return _installed(*row)


def _refuse_misfits(shapes: Shapes) -> None:
    problems = misfits(shapes)
    if problems:
        raise DriftError("The existing tables do not fit and were not touched: " + " ".join(problems))


def _refuse_repeated_items(tx: Transaction, shapes: Shapes) -> None:
    if "projects" not in shapes or "monday_item_id" not in shapes["projects"].columns:
        return
    counted = tx.one(sql.SQL(_REPEATED).format(projects=tx.table("projects")))
    if counted and counted[0]:
        raise DriftError(
            f"{counted[0]} values of {tx.schema}.projects.monday_item_id stand on more than one row, so no unique "
            "index can be built: keep each on one row, set it to NULL on the others, and run again."
        )


def _lacks_unique_item(shapes: Shapes) -> bool:
    if "projects" in shapes and shapes["projects"].kind == "p":  # its unique indexes must hold what it is divided by
        return False
    column = shapes["projects"].columns.get("monday_item_id") if "projects" in shapes else None
    return column is None or not column.unique


def _lacks_something(shapes: Shapes) -> bool:
    return bool(missing(shapes))


def _is_needed(number: int, path: Path, shapes: Shapes) -> bool:
    """Whether a file is to be applied. One about the owner's tables is for what they lack; every other is about our own
    schema."""
    lacks = _NEEDED.get(number, _lacks_something if "{schema}" in path.read_text(encoding="utf-8") else None)
    return lacks is None or lacks(shapes)


_UNIQUE_ITEM: Final = "003_unique_item"
_NEEDED: Final[dict[int, Callable[[Shapes], bool]]] = {3: _lacks_unique_item}
"""What of the owner's tables a file is for, where that is no table and no column."""


def _files() -> dict[int, Path]:
    """Number → file, in order."""
    return {int(path.name.split("_")[0]): path for path in sorted(FOLDER.glob("*.sql"))}


def newest() -> int:
    """The number of the last migration."""
    return max(_files())
