"""Keeps a pull to the plan that was approved: it is refused where something has moved, or goes on with the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from pull.read import Snapshot
from reconcile.approval import Subject, moved, pull_as_approved, without
from reconcile.plan_pull import Plan
from run.approved import moved_error, note_left
from run.context import Run
from run.saved_plan import SavedPlan

T = TypeVar("T")
_ROUNDS: Final = 12
"""An item that is left out may change what another one would do; so often it is planned anew."""


def plan_as_approved(
    run: Run, snapshot: Snapshot, approved: SavedPlan | None, plan_anew: Callable[[], tuple[T, Plan]]
) -> tuple[T, Plan]:
    """The plan, and what came with it. With --skip-moved it is made again without the items of which something has
    moved; they count as not read. Raises MovedError for a plan that is not the approved one."""
    made = plan_anew()
    if approved is None:
        return made
    first = difference = moved(approved.changes, pull_as_approved(made[1], run.layouts))
    left: set[Subject] = set()
    for _ in range(_ROUNDS):
        if not difference:
            if left:
                note_left(run, approved, first, left)
            return made
        more = difference.subjects() - left
        if not run.options.skip_moved or not more or not all(_leave(snapshot, subject) for subject in more):
            break
        left |= more
        made = plan_anew()
        difference = moved(without(approved.changes, left), pull_as_approved(made[1], run.layouts))
    raise moved_error(run, approved, difference)


def _leave(snapshot: Snapshot, subject: Subject) -> bool:
    """Take an item out of what was read; False for a row, which belongs to none."""
    if isinstance(subject, str):
        return False
    board, item_id = subject
    snapshot.left_out.add(subject)
    snapshot.gone.pop(subject, None)
    if board in snapshot.filters:
        snapshot.filters[board].states.pop(item_id, None)
    return True
