"""The end of a push: what monday.com was told is remembered, the lease is let go, and the report is filled."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from postgres.conflicts import Winner, add_conflicts, open_conflicts, settle
from postgres.ids import claims_query, forget_rows, keep_claims, list_left_behind
from postgres.state import OpenIssues, read_standing
from postgres.transaction import Transaction
from postgres.write_push import count_tolerated, note_refused, remember_items
from push.follow import remember_told
from push.operations import Sent
from push.overwritten import overwritten
from push.plan import PreparedPush
from push.recover import Recovered
from push.rejected import cleared
from push.summary import fill_report
from reconcile.conflicts import Conflict
from reconcile.errors import Exit
from run.context import Run
from run.news import closing, fill_news, values_judged
from run.place import remember
from run.record import run_record
from run.start import RunStart

logger = logging.getLogger(__name__)


def finish(run: Run, start: RunStart, found: PreparedPush, sent: Sent, recovered: Recovered) -> Exit:
    """Remember, report and let the lease go, in one transaction; the exit code says whether a person is needed."""
    told = overwritten(run, found, sent)  # a dry run has sent nothing
    run.report.notes += told.notes
    work = partial(_conclude, run, start, found, sent, recovered, told.lost)
    run.lease.stop()
    run.database.transact(work, read_only=run.dry, label="remembering what was sent")
    remember(run, start.owned, recorded=True)
    return run.report.exit_code


def _conclude(
    run: Run,
    start: RunStart,
    found: PreparedPush,
    sent: Sent,
    recovered: Recovered,
    lost: Sequence[Conflict],
    tx: Transaction,
) -> None:
    if not run.dry:
        _remember(run, start, found, sent, lost, tx)
    standing = what_stands(run, start, tx, carried_out=not run.dry)
    rows = fill_report(run, found, sent, recovered, lost, standing, carried_out=not run.dry)
    judged = [run.environment(), values_judged(standing), rows]
    fill_news(run, standing, judged)
    if not run.dry:
        news = closing(run, tx, start.present, standing, judged)
        run.lease.release(tx, [*news, *run.calls.statements(), run_record(run, tx.encoding)])


def what_stands(run: Run, start: RunStart, tx: Transaction, *, carried_out: bool) -> OpenIssues:
    """What stays open. That no item has an id is found out by the other direction, which knows every item."""
    told = start.tells_of_losses
    claims = claims_query(tx, run.layouts, start.present, ()) if start.journaled else None
    standing = read_standing(tx, start.present, outbound=False, told=told, claims=claims, remembers=start.remembers)
    if not carried_out or not (standing.claims or standing.claims_over):
        return standing
    keep_claims(tx, run.run_id, standing.claims, standing.claims_over)
    return read_standing(tx, start.present, outbound=False, told=told)


# What is remembered ---------------------------------------------------------------------------------------------------


def _remember(
    run: Run, start: RunStart, found: PreparedPush, sent: Sent, lost: Sequence[Conflict], tx: Transaction
) -> None:
    push, edits = found.push, found.edits
    remember_items(tx, run.layouts, push.settled)
    add_conflicts(tx, run.layouts, run.run_id, [*push.conflicts, *lost])
    settle(tx, run.run_id, _ended(run, found, sent, tx))
    refused = [*push.rejected, *sent.refused]
    over = cleared(found, refused, {create.row for create in sent.new})
    note_refused(tx, run.layouts, run.run_id, refused, over)
    remember_told(run, start.present, found, sent, tx)
    list_left_behind(tx, run.layouts, run.run_id, edits.left_behind)
    forget_rows(tx, edits.lost)
    if push.settled or sent.delivered or sent.new:
        count_tolerated(tx)


def _ended(run: Run, found: PreparedPush, sent: Sent, tx: Transaction) -> dict[int, tuple[Winner, Any]]:
    """Open conflicts that are none any more: both sides say the same, or monday's edit was taken back and the row's
    value sent. Whatever else ended is settled by the other direction, which sees both sides."""
    told_now = {
        ((item.board, item.id), run.layouts[item.board].fields[number].id): target
        for item in sent.delivered
        for number, target in item.targets.items()
    }
    waits = {lost.place for lost in found.push.conflicts if lost.open}
    ended: dict[int, tuple[Winner, Any]] = {}
    for entry in open_conflicts(tx, run.layouts, found.looked):
        if entry.place in told_now:
            ended[entry.id] = ("postgres", told_now[entry.place])
        elif entry.place in found.push.agreed and entry.place not in waits:
            ended[entry.id] = ("both", found.push.agreed[entry.place])
    return ended
