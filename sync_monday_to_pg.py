"""monday.com → PostgreSQL: read both boards, decide what differs, write it in one transaction.

python sync_monday_to_pg.py                      # both boards
python sync_monday_to_pg.py --test --limit 10    # dry run, ten items a board
python sync_monday_to_pg.py --test --use-cache   # dry run without any network
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from options import CONTEXT_SETTINGS, EPILOG, Options, common_options, monday_to_pg_options
from run.json_command import JsonCommand
from terminal.streams import make_streams_safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconcile.errors import Exit
    from reconcile.journal_ops import OpenBatch
    from run.context import Run
    from run.start import RunStart


@click.command(
    cls=JsonCommand,
    direction="monday_to_pg",
    program="sync_monday_to_pg.py",
    context_settings=CONTEXT_SETTINGS,
    epilog=EPILOG,
)
@monday_to_pg_options
@common_options
def command(options: Options) -> None:
    """Bring what people changed on monday.com to PostgreSQL."""
    from run.command import run_command

    run_command(lambda _stop: sync(options), "sync_monday_to_pg.py", quiet=options.verbosity < 0)


def sync(options: Options) -> Exit:
    """One run, whole. Raises SyncError for every way to end that is not a result."""
    from functools import partial

    from pull.apply import apply
    from pull.read import exclude_unconfirmed_creates, print_caches, read_boards
    from run.approved import approved_plan
    from run.context import opened
    from run.place import remember
    from run.start import start_run

    if options.list_cache:
        from run.demo import CACHE

        return print_caches(CACHE if options.demo else None, as_json=options.json)
    with opened(options, "monday_to_pg") as run:
        start = run.database.transact(partial(start_run, run), read_only=run.dry, label="reading the sync state")
        remember(run, start.owned)
        approved = approved_plan(run, start)
        unfinished = _settled(run, start)
        snapshot = read_boards(run, start)  # no transaction is open while monday.com answers
        exclude_unconfirmed_creates(run, start, snapshot, unfinished)
        work = partial(apply, run, start, snapshot, approved=approved)
        run.database.transact(work, read_only=run.dry, label="writing what changed")
        remember(run, start.owned, recorded=True)
        return run.report.exit_code


def _settled(run: Run, start: RunStart) -> Sequence[OpenBatch]:
    """Writes to monday.com that a push left unfinished are settled first; those that are still in doubt."""
    if not start.sync_state.unfinished:
        return ()
    from push.recover import recover  # late: next to no run needs it, and it knows how to write

    run.keep_lease()
    return recover(run, start).unfinished


if __name__ == "__main__":
    make_streams_safe()
    command()
