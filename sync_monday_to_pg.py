"""monday.com → PostgreSQL: read both boards, decide what differs, write it in one transaction.

python sync_monday_to_pg.py                      # both boards
python sync_monday_to_pg.py --test --limit 10    # dry run, ten items a board
python sync_monday_to_pg.py --test --use-cache   # dry run without any network
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.options import CONTEXT_SETTINGS, EPILOG, JsonCommand, Options, common_options, monday_to_pg_options
from cli.streams import make_streams_safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.run import Run
    from opening.begin import Start
    from postgres.journal import OpenBatch
    from reconcile.errors import Exit


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
    from cli.main import run_command

    run_command(lambda _stop: sync(options), "sync_monday_to_pg.py", quiet=options.verbosity < 0)


def sync(options: Options) -> Exit:
    """One run, whole. Raises SyncError for every way to end that is not a result."""
    from functools import partial

    from cli.run import opened
    from inbound.land import land
    from inbound.read import hold_back, print_caches, read_boards
    from opening.begin import begin
    from opening.place import remember

    if options.list_cache:
        from cli.demo import CACHE

        return print_caches(CACHE if options.demo else None, as_json=options.json)
    with opened(options, "monday_to_pg") as run:
        start = run.database.transact(partial(begin, run), read_only=run.dry, label="reading the sync state")
        remember(run, start.owned)
        unfinished = _settled(run, start)
        snapshot = read_boards(run, start)  # no transaction is open while monday.com answers
        hold_back(run, start, snapshot, unfinished)
        run.database.transact(partial(land, run, start, snapshot), read_only=run.dry, label="writing what changed")
        remember(run, start.owned, recorded=True)
        return run.report.exit_code


def _settled(run: Run, start: Start) -> Sequence[OpenBatch]:
    """Writes to monday.com that a push left unfinished are settled first; those that are still in doubt."""
    if not start.opening.unfinished:
        return ()
    from outbound.recover import recover  # late: next to no run needs it, and it knows how to write

    run.keep_lease()
    return recover(run, start).waiting


if __name__ == "__main__":
    make_streams_safe()
    command()
