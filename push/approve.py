"""Keeps a push to the plan that was approved: it is refused where something has moved, or goes on with the rest."""

from __future__ import annotations

from models import RowId
from push.plan import PreparedPush
from reconcile.approval import Subject, moved, push_as_approved, subject_of
from reconcile.changes import push_changes
from reconcile.push_plan import Push
from run.approved import moved_error, note_left
from run.context import Run
from run.saved_plan import SavedPlan


def keep_to_approved(run: Run, found: PreparedPush, approved: SavedPlan | None) -> None:
    """Raises MovedError for a plan that is not the approved one; with --skip-moved the plan loses what is not."""
    if approved is None:
        return
    difference = moved(approved.changes, push_as_approved(found.push, run.layouts))
    if not difference:
        return
    if not run.options.skip_moved:
        raise moved_error(run, approved, difference)
    left = difference.subjects()
    _leave(run, found.push, left)
    note_left(run, approved, difference, left)


def _leave(run: Run, push: Push, left: set[Subject]) -> None:
    """Rows of what is left out go on waiting for a push."""
    of_row: dict[RowId, Subject] = {}
    for change in push_changes(push, run.layouts):
        if change.address.wrote == "postgres" and change.address.row is not None:
            of_row[change.address.row] = subject_of(change)
    for item_push in push.items:
        if item_push.item in left:
            push.pending_rows |= set(item_push.causes.values())
    for create in push.creates:
        if create.row in left:
            push.pending_rows |= {create.row, *(row for row in create.links if row is not None)}
    push.items = [item_push for item_push in push.items if item_push.item not in left]
    push.creates = [create for create in push.creates if create.row not in left]
    push.archives = [item for item in push.archives if item not in left]
    push.settled = [base for base in push.settled if base.item not in left]
    push.linked = {place: item for place, item in push.linked.items() if (place[0], item) not in left}
    for table, updates in push.completed.items():
        push.completed[table] = [update for update in updates if of_row.get(update.id, update.id) not in left]
