"""What becomes known of a write goes to the database at once: bases of written items, ids of new ones, and the journal
lets go of what is remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from models import RowId
from monday.connection import READ_TIMEOUT_S
from postgres import journal
from postgres.changes import add_changes
from postgres.conflicts import add_conflicts
from postgres.transaction import Transaction
from postgres.write_push import link_rows, mark_archived, note_refused_rows, remember_items
from reconcile.change_filter import hash_of
from reconcile.changes import Change, archived_change, created_change
from reconcile.decode import decode
from reconcile.errors import DriftError
from reconcile.items import RawItem, decode_item
from reconcile.types import Conflict, ItemBase, ItemKey, ItemState
from run.context import Run
from run.start import RunStart

T = TypeVar("T")

MARGIN_S = READ_TIMEOUT_S + 15


@dataclass(slots=True)
class WriteResult:
    """What is known of some ops of one batch. `places` go from the journal; `created` stay there until the new items
    were read: (place, row, item id)."""

    number: int
    places: list[int] = field(default_factory=list)
    bases: list[ItemBase] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    archived: list[ItemKey] = field(default_factory=list)
    created: list[tuple[int, RowId, int]] = field(default_factory=list)
    table: str = ""
    changes: list[Change] = field(default_factory=list)
    """Cells that were written; what is created and archived is told by itself."""


def require_lease(run: Run) -> None:
    """Raise LeaseHeld unless the lease outlasts the longest request: a run that was asleep must not write."""
    run.lease.require(MARGIN_S)


def in_fenced_transaction(run: Run, work: Callable[[Transaction], T], label: str) -> T:
    """A writing transaction of this run, which proves first that nobody else has taken over."""

    def checked(tx: Transaction) -> T:
        run.lease.check_fence(tx)
        return work(tx)

    return run.database.transact(checked, read_only=False, label=label)


def write_outcome(run: Run, tx: Transaction, outcome: WriteResult) -> None:
    remember_items(tx, run.layouts, outcome.bases)
    add_conflicts(tx, run.layouts, run.run_id, outcome.conflicts)
    changes = [*outcome.changes]
    if outcome.archived:
        changes += [archived_change(run.layouts[board], item_id) for board, item_id in outcome.archived]
        mark_archived(tx, run.layouts, outcome.archived)
    if outcome.created:
        journal.keep_item_ids(tx, outcome.number, [(place, item_id) for place, _row, item_id in outcome.created])
        items = {row: item_id for _place, row, item_id in outcome.created}
        refused = link_rows(tx, outcome.table, items)
        layout = next(o for o in run.layouts.values() if o.record.table == outcome.table)
        note_refused_rows(tx, run.run_id, outcome.table, refused, layout.board_id, items)
        changes += [created_change(layout, row, item_id) for _place, row, item_id in outcome.created]
    add_changes(tx, run.layouts, run.run_id, changes)
    if outcome.places:
        journal.drop_ops(tx, outcome.number, outcome.places)


def state_of(run: Run, start: RunStart, board: str, raw: RawItem, *, as_page: bool) -> ItemState:
    """An item as it was answered. Its hash is known only where it has the form in which a page shows it (`as_page`).

    Raises DriftError when it is no item.
    """
    content_hash = hash_of(start.hash_keys[board], raw) if as_page else None
    try:
        return decode(run.layouts[board], decode_item(raw.raw), content_hash)
    except msgspec.DecodeError as error:
        raise DriftError(
            f"monday.com answered with something on the {board} board that is no item: "
            "check that MONDAY_API_VERSION is one that monday.com still answers"
        ) from error
