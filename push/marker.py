"""`--setup-marker`: the text column in which a new item carries the id of its row, added once to each board."""

from __future__ import annotations

from monday.boards import BoardSchema
from monday_api import MARKER, MARKER_TITLE
from postgres.transaction import Transaction
from push.claim import claim, description, refuse_claimed
from reconcile.columns import TEXT
from reconcile.errors import Exit
from run.context import Run
from run.record import killed_runs, run_record
from run.start import RunStart
from run.version import heed_version
from terminal.say import say


def has_marker(schema: BoardSchema) -> bool:
    """Whether new items of this board can carry the id of their row, and be found by it."""
    column = schema.columns.get(MARKER)
    return column is not None and not column.archived and column.type == TEXT.monday_type


def set_up_marker(run: Run, start: RunStart) -> Exit:
    """Add the column where it is not there yet, and let it name this database.

    Raises SyncError when the token's user may not, UnsafePlan where it names another database.
    """
    marked = run.client.look({}).marked  # an absent board is told before anything is made
    heed_version(run, run.client)
    refuse_claimed(run, start, marked)
    for board in run.board_ids:
        made = run.client.looker.create_marker(board, MARKER, MARKER_TITLE, description(start.owned.bound[board]))
        what = "was added" if made else "is there already"
        say(f'{board}: the column "{MARKER_TITLE}" ({MARKER}) {what}.', error=run.options.json)

    claim(run, start, marked)

    def record(tx: Transaction) -> None:
        run.lease.release(tx, [killed_runs(run), *run.calls.statements(), run_record(run, tx.encoding)])

    run.database.transact(record, read_only=False, label="recording the run")
    return Exit.DONE
