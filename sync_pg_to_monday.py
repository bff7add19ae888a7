"""PostgreSQL → monday.com: find what people changed in the database, look at the items that show it, send what differs.

python sync_pg_to_monday.py                      # both boards
python sync_pg_to_monday.py --test               # dry run: every cell that would change
python sync_pg_to_monday.py --board master --limit 10
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from options import CONTEXT_SETTINGS, EPILOG, Options, common_options, pg_to_monday_options
from run.json_command import JsonCommand
from terminal.streams import make_streams_safe

if TYPE_CHECKING:
    from reconcile.errors import Exit
    from run.command import StopSignal


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
    from run.command import run_command

    run_command(lambda stop: sync(options, stop), "sync_pg_to_monday.py", quiet=options.verbosity < 0)


def sync(options: Options, stop: StopSignal) -> Exit:
    """One run, whole. Raises SyncError for every way to end that is not a result."""
    from functools import partial

    from push.approve import keep_to_approved
    from push.finish import finish
    from push.guard import guard
    from push.marker import set_up_marker
    from push.operations import Sent
    from push.plan import find_edits, prepare_push
    from push.recover import recover
    from push.send import send
    from reconcile.approval import push_as_approved
    from reconcile.errors import Unavailable
    from run.approved import approved_plan, keep_plan
    from run.context import PUSH, opened
    from run.place import remember
    from run.start import start_run

    with opened(options, PUSH) as run:
        start = run.database.transact(partial(start_run, run), read_only=run.dry, label="reading the sync state")
        remember(run, start.owned)
        run.keep_lease()
        if options.setup_marker:
            return set_up_marker(run, start)
        approved = approved_plan(run, start)
        recovered = recover(run, start)
        edits = run.database.transact(
            partial(find_edits, run, start, recovered.unfinished), read_only=True, label="finding what changed"
        )
        found = prepare_push(run, start, edits)
        keep_to_approved(run, found, approved)
        guard(run, start, found)
        if options.plan is not None:
            changes = push_as_approved(found.push, run.layouts)
            keep_plan(run, start, found.push.digest(), changes, found.names, {})
        sent = Sent() if run.dry else send(run, start, found, stop)
        code = finish(run, start, found, sent, recovered)
    if sent.stopped:
        raise Unavailable(sent.stopped)
    return code


if __name__ == "__main__":
    make_streams_safe()
    command()
