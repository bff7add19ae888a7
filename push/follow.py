"""What follows in PostgreSQL from what monday.com was told: a person's roles, whose policy it is, and the keys of rows.
Worked out by `reconcile.derived`, as in a pull; here it is seen what of it the push has moved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from models import Row, RowId
from postgres.records import Present
from postgres.transaction import Transaction
from postgres.write_push import (
    followed_rows,
    held_roles,
    keep_in_step,
    mark_told,
    move_keys,
    note_refused_rows,
    write_column,
)
from push.operations import Sent
from push.plan import PreparedPush
from reconcile.derived import (
    FOLLOWING,
    ROLES_COLUMN,
    Showing,
    followed,
    following_slots,
    has_roles,
    keys_after_push,
    roles_of,
)
from reconcile.identity import Links
from reconcile.layout import Layout
from reconcile.tables import TABLES
from run.context import Run


def remember_told(run: Run, present: Present, found: PreparedPush, sent: Sent, tx: Transaction) -> None:
    """The rows of which monday shows everything now are in step, and go by the keys of what they say."""
    told = rows_told(found, sent)
    if told:
        mark_told(tx, told)
        tables = {row: table for row, (table, _content) in told.items()}
        move_keys(tx, keys_after_push(tables, _rows_now(found, sent), found.edits.owners, found.edits.outdated))
    _write_roles(run, sent, tx)
    _write_following(run, present, sent, tx)


def rows_told(found: PreparedPush, sent: Sent) -> dict[RowId, tuple[str, str]]:
    """Rows of which monday shows everything now: row → (table, the content that they were told with)."""
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


def _write_roles(run: Run, sent: Sent, tx: Transaction) -> None:
    """Of people who gained or lost a slot of an item."""
    moved: dict[str, set[RowId]] = defaultdict(set)
    for layout, links, left in _moved(run, sent):
        for slot, row in zip(layout.slots, links, strict=True):
            if has_roles(slot) and (left is None or slot.role in left):
                was = left.get(slot.role) if left is not None else None
                moved[slot.table] |= {person for person in (row, was) if person is not None}
    ours = {slot.person for layout in run.layouts.values() for slot in layout.slots if slot.person}
    for table, people in moved.items():
        held = held_roles(tx, table, people)
        now = {row: roles_of(of.roles, of.shown, ours, has_item=of.has_item) for row, of in held.items()}
        changed = {row: roles for row, roles in now.items() if roles != held[row].roles}
        note_refused_rows(tx, run.run_id, table, write_column(tx, table, ROLES_COLUMN, changed))


def _write_following(run: Run, present: Present, sent: Sent, tx: Transaction) -> None:
    """Of rows whose first item was told to show them, or to point at something else beside them."""
    for table, column in FOLLOWING:
        showing: dict[tuple[RowId, RowId], Showing] = {}
        for layout, links, left in _moved(run, sent):
            slots, record = following_slots(table, column, layout), links[layout.record]
            if slots is None or record is None or (row := links[slots[0]]) is None:
                continue
            moved = left is None or any(layout.slots[place].role in left for place in slots)
            showing[row, record] = Showing(links[slots[1]], moved)
        held = followed_rows(tx, present, table, column, run.layouts, {row for row, _record in showing})
        now = {row: followed(of.held, showing.get((row, of.first)) if of.first else None) for row, of in held.items()}
        changed = {row: points for row, points in now.items() if points != held[row].held}
        refused = write_column(tx, table, column, changed)
        note_refused_rows(tx, run.run_id, table, refused)
        keep_in_step(tx, present, table, [row for row in changed if held[row].in_step and row not in refused])


def _moved(run: Run, sent: Sent) -> list[tuple[Layout, Links, Mapping[str, RowId | None] | None]]:
    """(layout, links now, role → the row that it showed before) of items of which a slot shows another row; None in the
    last place of a new one."""
    items = [(run.layouts[item.board], item.base.links, item.left) for item in sent.delivered if item.moved]
    return [*items, *((run.layouts[create.board], create.links, None) for create in sent.new)]
