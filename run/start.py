"""The start of a run in either direction: the tables are there, nobody else is at work, and what is remembered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monday_api import BOARDS
from postgres import migrate, schema
from postgres.encoding import narrowed
from postgres.ids import astray_query
from postgres.records import Present
from postgres.state import Known, SyncState, keep_hashes, read_sync_state, standing_query
from postgres.transaction import Transaction
from reconcile.base import is_open
from reconcile.change_filter import hash_key
from reconcile.errors import DriftError
from reconcile.layout import Layout, Limits, compile_layout
from reconcile.tables import TABLES
from run.context import PULL, Run
from run.place import Owned, settle_owner
from run.record import record_begun
from run.report import counted


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is known before monday.com is asked. `present` are the tables with their columns, `unlinked` foreign keys
    to be made after the rows, `owned` says whether the boards are this database's; `every_board` are the layouts of all
    boards, where an older rule made the database's keys; not `journaled`: an older program was here last, and this run
    may not migrate; not `tells_of_losses`: the log of conflicts is still an older program's; `restored`: the database
    is older than the last run from here; not `remembers`: what people were told of was not written down."""

    sync_state: SyncState
    hash_keys: Mapping[str, bytes]
    present: Present
    owned: Owned
    unlinked: Sequence[str] = ()
    every_board: Mapping[str, Layout] | None = None
    journaled: bool = True
    tells_of_losses: bool = True
    restored: bool = False
    remembers: bool = True

    def known(self, board: str) -> Mapping[int, Known]:
        return self.sync_state.known.get(board, {})

    def active(self, board: str) -> Collection[int]:
        """Ids of the items that were on the board at the last look."""
        return [item_id for item_id, known in self.known(board).items() if known.state in ("active", "missing")]

    def open_items(self, board: str) -> Collection[int]:
        """Items with something left open: they are looked at again, changed or not."""
        return [
            item_id
            for item_id, known in self.known(board).items()
            if is_open(known.content_hash) and known.state == "active"
        ]

    def watermark(self, board_id: int) -> datetime | None:
        state = self.sync_state.boards.get(board_id)
        return state.watermark if state else None


def start_run(run: Run, tx: Transaction) -> RunStart:
    """Migrate and take the lease, or only look in a dry run; compile the boards for the tables as they are.

    Raises DriftError, ConfigError, LeaseHeld, and UnsafePlan for a push of a board that belongs to another database.
    """
    unlinked: Sequence[str] = ()
    before = installed = migrate.state(tx)
    if not run.dry:
        installed = migrate.migrate(tx, before)
        unlinked = installed.unlinked
        run.lease.acquire(tx, [record_begun(run, tx.encoding)])
    shapes = schema.read_shapes(tx)
    if run.dry:
        run.report.notes += _would_create(tx, shapes)
    problems = schema.misfits(shapes)
    if before is not None and before.version == migrate.newest():  # else what is missing is made, or told of
        problems += [f"{gap} It was there before: add it again." for gap in schema.missing(shapes)]
    if problems:
        raise DriftError("The tables are not what the mapping needs: " + " ".join(problems))
    limits = narrowed(schema.Limits(shapes).columns, tx.encoding, {table: schema.fields_of(table) for table in TABLES})
    every_board = None
    if installed is not None and installed.key_rule < migrate.KEY_RULE:
        every_board = _layouts(run, run.every_board, limits)
    run.layouts = _layouts(run, run.board_ids, limits)
    keys = {name: hash_key(run.mappings[name], sorted(map(repr, limits.items()))) for name in run.board_ids}
    version = migrate.newest() if not run.dry else before.version if before is not None else 0
    journaled, pulls = version >= migrate.JOURNAL, run.report.direction == PULL
    present = {table: frozenset(shape.columns) for table, shape in shapes.items()}
    sync_state = read_sync_state(
        tx,
        {board_id: name for name, board_id in run.board_ids.items()},
        journaled=journaled,
        placed=version >= migrate.PLACES,
        astray=astray_query(tx, run.layouts, present) if pulls else None,
        standing=standing_query(tx, run.board_ids.values(), present) if pulls and journaled else None,
        run_id=run.run_id,
        counted=version >= migrate.CALLS,
        reserve=run.calls.first if not run.dry and not run.options.replays else None,
    )
    if sync_state.now is not None:
        run.calls.open(sync_state.now, sync_state.calls, counts=not run.dry and not run.options.replays)
    assert sync_state.itself is not None
    owned = settle_owner(run, tx, sync_state.itself, sync_state.bound, before)
    if not run.dry:
        keep_hashes(tx, sync_state.hashed)
    tells = version >= migrate.CONFLICTS
    forgotten = owned.forgotten_run(sync_state.last_run)
    if forgotten is not None:
        run.report.notes = list(dict.fromkeys([*run.report.notes, _older(forgotten)]))
    restored = forgotten is not None
    return RunStart(
        sync_state, keys, present, owned, unlinked, every_board, journaled, tells, restored, version >= migrate.NEWS
    )


def _older(forgotten: str) -> str:
    return (
        f"This database does not know run {forgotten}, which wrote to it from here: it is older than that, as one from "
        "a backup is. What was edited in it since is lost; what the boards say comes with sync_monday_to_pg.py."
    )


def _layouts(run: Run, board_ids: Mapping[str, int], limits: Limits) -> dict[str, Layout]:
    return {
        name: compile_layout(name, board_id, BOARDS[name], limits).without(run.options.skip_columns)
        for name, board_id in board_ids.items()
    }


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
