"""Judges the plan of a push before anything is sent; one that is refused is shown all the same."""

from __future__ import annotations

from functools import partial

from monday_api import BOARDS
from postgres.transaction import Transaction
from push.finish import what_stands
from push.operations import Sent
from push.plan import PreparedPush
from push.recover import Recovered
from push.summary import fill_report
from reconcile.errors import UnsafePlan
from reconcile.guards import BoardSize, Thresholds, guard_push, guard_read
from run.context import Run
from run.start import RunStart

FIELDS = {
    (board, column_id): column.target or "the item's name"
    for board, columns in BOARDS.items()
    for column_id, column in columns.items()
}
"""What each cell shows: (board, column id) → field."""


def guard(run: Run, start: RunStart, found: PreparedPush) -> None:
    """Raises UnsafePlan for a board that shrank, and for a plan that no person would make."""
    options = run.options
    thresholds = Thresholds(
        options.max_change, options.max_delete, accept_shrink=options.accept_shrink, max_create=options.max_create
    )
    known = {board: len(start.active(board)) for board in run.board_ids}
    schemas = found.boards.schemas if found.boards is not None else {}
    sizes = {board: BoardSize(schema.items_count, known[board], complete=True) for board, schema in schemas.items()}
    try:
        guard_read(sizes, thresholds)
        guard_push(found.push, known, thresholds, FIELDS)
    except UnsafePlan:
        run.database.transact(partial(_tell, run, start, found), read_only=True, label="reading what is open")
        raise


def _tell(run: Run, start: RunStart, found: PreparedPush, tx: Transaction) -> None:
    standing = what_stands(run, start, tx, carried_out=False)
    fill_report(run, found, Sent(), Recovered(), (), standing, carried_out=False)
