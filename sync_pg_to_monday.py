"""PostgreSQL → monday.com: find what people changed in the database, look at the items that show it, send what differs.

python sync_pg_to_monday.py                      # both boards
python sync_pg_to_monday.py --test               # dry run: every cell that would change
python sync_pg_to_monday.py --board master --limit 10
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.options import CONTEXT_SETTINGS, EPILOG, JsonCommand, Options, common_options, pg_to_monday_options
from cli.streams import make_streams_safe

if TYPE_CHECKING:
    from cli.main import StopSignal
    from reconcile.errors import Exit


@click.command(
    cls=JsonCommand,
    direction="pg_to_monday",
    program="sync_pg_to_monday.py",
    context_settings=CONTEXT_SETTINGS,
    epilog=EPILOG,
)
@pg_to_monday_options
@common_options
def command(options: Options) -> None:
    """Bring what people changed in PostgreSQL to monday.com."""
    from cli.main import run_command

    run_command(lambda stop: sync(options, stop), "sync_pg_to_monday.py", quiet=options.verbosity < 0)


def sync(options: Options, stop: StopSignal) -> Exit:
    """One run, whole. Raises SyncError for every way to end that is not a result."""
    from functools import partial

    from cli.run import PUSH, opened
    from opening.begin import begin
    from opening.place import remember
    from outbound.conclude import conclude
    from outbound.find import find_edits, plan_push
    from outbound.guard import guard
    from outbound.lanes import Sent
    from outbound.marker import set_up_marker
    from outbound.recover import recover
    from outbound.send import send
    from reconcile.errors import Unavailable

    with opened(options, PUSH) as run:
        start = run.database.transact(partial(begin, run), read_only=run.dry, label="reading the sync state")
        remember(run, start.owned)
        run.keep_lease()
        if options.setup_marker:
            return set_up_marker(run, start)
        recovered = recover(run, start)
        edits = run.database.transact(
            partial(find_edits, run, start, recovered.waiting), read_only=True, label="finding what changed"
        )
        found = plan_push(run, start, edits)
        guard(run, start, found)
        sent = Sent() if run.dry else send(run, start, found, stop)
        code = conclude(run, start, found, sent, recovered)
    if sent.stopped:
        raise Unavailable(sent.stopped)
    return code


if __name__ == "__main__":
    make_streams_safe()
    command()
