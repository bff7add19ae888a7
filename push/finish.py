"""The end of a push: what monday.com was told is remembered, the lease is let go, and the report is filled."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from models import TABLES, Row, RowId
from postgres.changes import add_changes, pruned
from postgres.conflicts import Winner, add_conflicts, open_conflicts, settle
from postgres.ids import claims_query, forget_rows, keep_claims, list_left_behind
from postgres.state import OpenIssues, read_standing
from postgres.transaction import Transaction
from postgres.write_push import (
    count_tolerated,
    follow_customers,
    mark_told,
    move_keys,
    note_refused,
    note_refused_rows,
    recompute_roles,
    remember_items,
)
from push.operations import Sent
from push.overwritten import overwritten
from push.plan import PreparedPush
from push.recover import Recovered
from push.rejected import cleared
from push.summary import fill_report
from reconcile.changes import Change, derived_changes
from reconcile.errors import Exit
from reconcile.push_plan import key_changes
from reconcile.types import Conflict, ItemKey
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
        old = pruned(run.settings.keep_days)
        run.lease.release(tx, [*news, *old, *run.calls.statements(), run_record(run, tx.encoding)])


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
    told = _told(found, sent)
    if told:
        mark_told(tx, told)
        owners = key_changes({row: table for row, (table, _) in told.items()}, _rows_now(found, sent), edits.owners)
        move_keys(tx, list(owners), edits.outdated)
    list_left_behind(tx, run.layouts, run.run_id, edits.left_behind)
    forget_rows(tx, edits.lost)
    _write_derived(run, start, sent, tx)
    if push.settled or sent.delivered or sent.new:
        count_tolerated(tx)


def _write_derived(run: Run, start: RunStart, sent: Sent, tx: Transaction) -> None:
    """What follows in PostgreSQL from what the items show now: the roles of people, and whose policy it is."""
    changes: list[Change] = []
    people, projects = _moved(run, sent)
    for asked, follow, table, refused_of in (
        (people, partial(recompute_roles, tx, run.layouts), "users", "users"),
        (projects, partial(follow_customers, tx, start.present), "policies", "projects"),
    ):
        if asked:
            done = follow(asked)
            note_refused_rows(tx, run.run_id, refused_of, done.refused)
            items = {update.id: item for row, update in done.written.items() if (item := asked[row]) is not None}
            changes += derived_changes({table: list(done.written.values())}, items)
    add_changes(tx, run.layouts, run.run_id, changes)


def _ended(run: Run, found: PreparedPush, sent: Sent, tx: Transaction) -> dict[int, tuple[Winner, Any]]:
    """Open conflicts that are none any more: both sides say the same, or monday's edit was taken back and the row's
    value sent. Whatever else ended is settled by the other direction, which sees both sides."""
    told_now = {
        (item_push.item, field.id): target
        for item_push in sent.delivered
        for field, target in item_push.targets.items()
    }
    waits = {lost.place for lost in found.push.conflicts if lost.open}
    ended: dict[int, tuple[Winner, Any]] = {}
    for entry in open_conflicts(tx, run.layouts, found.looked):
        if entry.place in told_now:
            ended[entry.id] = ("postgres", told_now[entry.place])
        elif entry.place in found.push.agreed and entry.place not in waits:
            ended[entry.id] = ("both", found.push.agreed[entry.place])
    return ended


def _told(found: PreparedPush, sent: Sent) -> dict[RowId, tuple[str, str]]:
    """Rows of which monday shows everything now, with the content that they were told with."""
    edits, waits = found.edits, found.push.pending_rows | sent.undelivered
    created = {create.row for create in sent.new}
    shown = {row for item in sent.delivered for row in item.moved.values()}
    shown |= {row for create in sent.new for row in create.links}
    fresh = {row for _board, row in edits.new_rows}
    return {
        row: (table, sent.prepared.hashes.get(row, content))
        for row, content in edits.hashes.items()
        if row not in waits and (row in edits.changed or row in created or (row in shown and row not in fresh))
        for table in TABLES
        if row in edits.rows[table]
    }


def _rows_now(found: PreparedPush, sent: Sent) -> Mapping[str, Mapping[RowId, Row]]:
    """The rows as they are after they were made whole."""
    rows = {table: dict(known) for table, known in found.edits.rows.items()}
    for table, updates in found.push.completed.items():
        for update in updates:
            if update.id in sent.prepared.hashes:
                rows[table][update.id] = update.applied_to(rows[table][update.id])
    return rows


def _moved(run: Run, sent: Sent) -> tuple[dict[RowId, ItemKey | None], dict[RowId, ItemKey | None]]:
    """People who gained or lost a slot, and projects that show another customer, each with the item that says so."""
    people: dict[RowId, ItemKey | None] = {}
    projects: dict[RowId, ItemKey | None] = {}
    for item_push in sent.delivered:
        layout, links, key = run.layouts[item_push.board], item_push.base.links, (item_push.board, item_push.id)
        if "customer" in item_push.moved:
            projects |= {row: key for row in (links[layout.record],) if row is not None}
        for slot in layout.slots:
            if slot.person and slot.role in item_push.moved:
                rows = (links[slot], item_push.left.get(slot.role))
                people |= {row: key for row in rows if row is not None}
    for create in sent.new:
        slots = run.layouts[create.board].slots
        people |= {row: None for row, slot in zip(create.links, slots, strict=True) if row is not None and slot.person}
        projects[create.row] = None
    return people, projects
