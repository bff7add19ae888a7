"""The start of a run in either direction: the tables are there, nobody else is at work, and what is remembered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cli.report import counted
from cli.run import Run
from models import TABLES
from monday_api import BOARDS
from postgres import migrate, schema
from postgres.state import Known, Opening, Present, keep_hashes, read_opening
from postgres.transaction import Transaction
from reconcile.errors import DriftError, UnsafePlan
from reconcile.intake import hash_key
from reconcile.rows import compile_layout


@dataclass(frozen=True, slots=True)
class Start:
    """What is known before monday.com is asked. `present` are the tables with their columns, `unlinked` foreign keys
    to be made after the rows; `restored`: the database is older than the last run from here."""

    opening: Opening
    hash_keys: Mapping[str, bytes]
    present: Present
    unlinked: Sequence[str] = ()
    restored: bool = False

    def known(self, board: str) -> Mapping[int, Known]:
        return self.opening.known.get(board, {})

    def active(self, board: str) -> Collection[int]:
        """Ids of the items that were on the board at the last look."""
        return [item_id for item_id, known in self.known(board).items() if known.state in ("active", "missing")]

    def open_items(self, board: str) -> Collection[int]:
        """Items with something left open: they are looked at again, changed or not."""
        return [
            item_id for item_id, known in self.known(board).items() if known.m_hash is None and known.state == "active"
        ]

    def watermark(self, board_id: int) -> datetime | None:
        state = self.opening.boards.get(board_id)
        return state.watermark if state else None


def begin(run: Run, tx: Transaction) -> Start:
    """Migrate and take the lease, or only look in a dry run; compile the boards for the tables as they are.

    Raises DriftError, ConfigError, LeaseHeld.
    """
    unlinked: Sequence[str] = ()
    before = migrate.state(tx)
    _refuse_another_database(run, before)
    if not run.dry:
        installed = migrate.migrate(tx, before)
        unlinked = installed.unlinked
        run.lease.acquire(tx)
        run.instance = installed.instance
    shapes = schema.read_shapes(tx)
    if run.dry:
        run.report.notes += _would_create(tx, shapes)
    problems = schema.misfits(shapes)
    if before is not None and before.version == migrate.newest():  # else what is missing is made, or told of
        problems += [f"{gap} It was there before: add it again." for gap in schema.missing(shapes)]
    if problems:
        raise DriftError("The tables are not what the mapping needs: " + " ".join(problems))
    limits = schema.Limits(shapes).columns
    run.layouts = {
        name: compile_layout(name, board_id, BOARDS[name], limits).without(run.options.skip_columns)
        for name, board_id in run.board_ids.items()
    }
    keys = {name: hash_key(run.mappings[name], sorted(map(repr, limits.items()))) for name in run.board_ids}
    journaled = not run.dry or (before is not None and before.version >= migrate.JOURNAL)
    opening = read_opening(tx, {board_id: name for name, board_id in run.board_ids.items()}, journaled=journaled)
    if not run.dry:
        keep_hashes(tx, opening.hashed)
    present = {table: frozenset(shape.columns) for table, shape in shapes.items()}
    instance = run.instance or (before.instance if before is not None else None)
    forgotten = run.forgotten_run(instance, opening.last_run)
    if forgotten is not None:
        run.report.notes = list(dict.fromkeys([*run.report.notes, _older(forgotten)]))
    return Start(opening, keys, present, unlinked, restored=forgotten is not None)


def _older(forgotten: str) -> str:
    return (
        f"This database does not know run {forgotten}, which wrote to it from here: it is older than that, as one from "
        "a backup is. What was edited in it since is lost; what the boards say comes with sync_monday_to_pg.py."
    )


def _refuse_another_database(run: Run, installed: migrate.Installed | None) -> None:
    """Raise UnsafePlan for a database that another copy of the program has synced, and this one has not.

    A fresh database is nobody's: it is taken as it is.
    """
    if installed is None or run.options.rebind_db:
        return
    known = run.known_instance()
    if known is not None and known != installed.instance:
        raise UnsafePlan(
            "This is not the database that earlier runs from here wrote to, and it was synced before: nothing was "
            "written. Check DATABASE_URL; if it is right, run again with --rebind-db."
        )


def _would_create(tx: Transaction, shapes: Mapping[str, schema.TableShape]) -> list[str]:
    """What a real run would add to the database: the absent tables in one sentence, the columns in one a table."""
    tables = [table for table in TABLES if table not in shapes]
    columns = {
        table: [name for name in (*schema.fields_of(table), *schema.INSTANTS) if name not in shape.columns]
        for table, shape in shapes.items()
    }
    together = [f"{counted(len(tables), 'table')} would be created: {', '.join(tables)}."] if tables else []
    together += [
        f"{counted(len(names), 'column')} of {table} would be created: {', '.join(names)}."
        for table, names in columns.items()
        if names
    ]
    one_by_one = {f"Table {table} would be created." for table in tables}
    one_by_one |= {f"Column {table}.{name} would be created." for table, names in columns.items() for name in names}
    return together + [sentence for sentence in migrate.would_create(tx) if sentence not in one_by_one]
