"""Three-way merge of fields, the pull's half: which fields of the rows take a value from monday, and what each base
becomes.

A row of PostgreSQL may be shown by many slots. A slot has a say only when it changed since its own base; a value that
stands as it stood is no opinion. Of several that changed to different values the newest wins, the greatest (updated_at,
board, item); the others are kept in the conflict log.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from msgspec import UNSET

from models import UNREADABLE, Row, RowId, User
from reconcile.changes import EDITED_ON_MONDAY, FIRST_CONTACT, MONDAY_WON
from reconcile.columns import Policy
from reconcile.conflicts import winner
from reconcile.database_state import DatabaseState
from reconcile.decide import agreed, decide, edited_in_postgres, edited_on_monday, same
from reconcile.fields import FieldValue
from reconcile.layout import STAFF_ROLE, Layout
from reconcile.types import (
    FORCE,
    BaseValue,
    Conflict,
    ConflictPlace,
    Field,
    ItemBase,
    ItemState,
    Links,
    Pair,
    Slot,
    Verdict,
)
from reconcile.working_rows import Causes, ItemRows

Adopt = Literal["monday", "pg"]
"""The side that tolerated differences are settled for."""


class PlannedItem(NamedTuple):
    """One item of a plan, and all that is decided upon."""

    state: ItemState
    layout: Layout
    base: ItemBase | None
    """What is remembered of it; None for a new item."""
    links: Links
    """The rows of its slots from now on."""
    rows: ItemRows

    def base_of(self, slot: Slot) -> ItemBase | None:
        """Its base, where it was linked to the row of this slot before."""
        return self.base if self.base is not None and self.base.links[slot] == self.links[slot] else None


@dataclass(slots=True)
class Merged:
    """What did not simply become the row's value, and what the bases have to say about it."""

    adopt: Adopt | None = None
    conflicts: list[Conflict] = dataclasses.field(default_factory=list)
    forced: set[ConflictPlace] = dataclasses.field(default_factory=set)
    """Fields of items that lost against another item: theirs is still to be overwritten on monday."""
    deferred: dict[ConflictPlace, RowId] = dataclasses.field(default_factory=dict)
    """Edits on monday that wait for a person or for the other direction → the row that they wait for."""


@dataclass(slots=True)
class _SlotEdit:
    """What one slot shows anew of one field of its row."""

    state: ItemState
    slot: Slot
    row: Row
    field: Field
    base: Pair
    """The field when both were last reconciled."""

    @property
    def monday(self) -> FieldValue:
        return self.state[self.field]

    @property
    def place(self) -> ConflictPlace:
        return self.state.item, self.field.id

    def conflicts_with(self, postgres: Any) -> bool:
        """Whether the row was edited too, to something else."""
        return not self.shows(postgres) and edited_in_postgres(self.field, postgres, self.base.postgres)

    def shows(self, value: FieldValue) -> bool:
        """Whether it is this value that it shows."""
        return same(self.field, self.monday, value)


_Edits = dict[tuple[RowId, str], list[_SlotEdit]]
"""(row, first column of the field) → the edits of it, newest first."""


def newest_first(states: Sequence[ItemState], layouts: Mapping[str, Layout]) -> list[ItemState]:
    """Greatest (updated_at, board, item) first: who wins where several have a say."""
    return sorted(states, key=lambda state: (state.updated_at, layouts[state.board].board_id, state.id), reverse=True)


def merge_fields(
    items: Sequence[PlannedItem],
    database: DatabaseState,
    policy: Policy | None,
    adopt: Adopt | None,
    causes: Causes,
) -> Merged:
    """Write what monday shows into the rows, and note why.

    `items` stand newest first. `policy` overrides the mapping's, `adopt` turns tolerated differences into edits of that
    side.
    """
    merged = Merged(adopt=adopt)
    edits = _slot_edits(items)
    if adopt == "monday":
        _add_tolerated(edits, items, database)
    for (row_id, _column), of_field in edits.items():
        _settle(row_id, of_field, policy, merged, causes)
    for item in sorted(items, key=lambda item: item.state.board != "staff"):  # what the staff board shows comes first
        _fill(item, database, edits, policy, merged, causes)
    return merged


def selects_only(slot: Slot, row: Row) -> bool:
    """Whether a slot selects its row and does not edit it: a role's cells never change the record of somebody who is on
    the staff board."""
    return isinstance(row, User) and slot.role != STAFF_ROLE and row.monday_item_id is not None


# Edits on monday ------------------------------------------------------------------------------------------------------


def _slot_edits(items: Sequence[PlannedItem]) -> _Edits:
    """Fields that changed on monday since the base of a slot that is still linked to the same row."""
    edits: _Edits = defaultdict(list)
    for item in items:
        state, base = item.state, item.base
        if base is None:
            continue
        for slot, row in zip(item.layout.slots, item.rows, strict=True):
            if row is None or row.id != base.links[slot] or selects_only(slot, row):
                continue
            if state.values.of(slot) == base.monday.of(slot):
                continue
            for field in slot.fields:
                if edited_on_monday(field, state[field], base.monday[field]):
                    edits[row.id, field.column].append(_SlotEdit(state, slot, row, field, base[field]))
    return edits


def _add_tolerated(edits: _Edits, items: Sequence[PlannedItem], database: DatabaseState) -> None:
    """Differences that nobody made since first contact count as edits on monday too; an empty cell never does.

    The pair of such an edit is made up, so that it is one of monday's alone: monday had not been read, and the row
    holds what it held.
    """
    for item in items:
        for slot, row in zip(item.layout.slots, item.rows, strict=True):
            if row is None or row.id not in database.rows[slot.table] or selects_only(slot, row):
                continue
            base = item.base_of(slot)
            for field in slot.fields:
                monday, postgres = item.state[field], row[field]
                if monday in (None, UNSET) or postgres in (None, UNREADABLE) or same(field, monday, postgres):
                    continue
                if base is None or _is_tolerated(field, monday, postgres, base[field]):
                    edit = _SlotEdit(item.state, slot, row, field, Pair(UNSET, postgres))
                    edits[row.id, field.column].append(edit)


def _is_tolerated(field: Field, monday: FieldValue, postgres: FieldValue, pair: Pair) -> bool:
    return pair.monday is not UNSET and decide(field, monday, postgres, pair).verdict is Verdict.TOLERATED


def _settle(row_id: RowId, edits: list[_SlotEdit], policy: Policy | None, merged: Merged, causes: Causes) -> None:
    """One field of one row, and every slot that shows something new of it."""
    row, field = edits[0].row, edits[0].field
    postgres = row[field]
    if postgres is UNREADABLE:  # every edit of it waits until a person has corrected the row
        merged.deferred |= {edit.place: row_id for edit in edits}
        return
    waiting = [edit for edit in edits if winner(edit.field, policy) != "monday" and edit.conflicts_with(postgres)]
    voters = [edit for edit in edits if edit not in waiting]
    while voters and (joining := [edit for edit in waiting if not edit.conflicts_with(voters[0].monday)]):
        waiting = [edit for edit in waiting if edit not in joining]  # what is to be written is what they knew
        voters = [edit for edit in edits if edit not in waiting]
    for edit in waiting:
        merged.deferred[edit.place] = row_id
        if winner(edit.field, policy) == "nobody":
            merged.conflicts.append(
                _conflict(edit, row_id, "nobody", None, "monday", edit.monday, postgres).left_open()
            )
    if all(edit.shows(postgres) for edit in voters):
        return
    newest = voters[0]
    reason = FIRST_CONTACT if newest.base.monday is UNSET else EDITED_ON_MONDAY
    if newest.conflicts_with(postgres):
        reason = MONDAY_WON
        merged.conflicts.append(_conflict(newest, row_id, "monday", newest.monday, "postgres", postgres, postgres))
    row[field] = newest.monday
    causes.note(row_id, field.column, newest.state.item, reason, field.cells[0])
    for edit in voters[1:]:
        if not edit.shows(newest.monday):
            kept_from, lost_from = f"item {newest.state.id}", f"item {edit.state.id}"
            kept, lost = newest.monday, edit.monday
            merged.conflicts.append(_conflict(edit, row_id, kept_from, kept, lost_from, lost, kept))
            merged.forced.add(edit.place)


# First contact --------------------------------------------------------------------------------------------------------


def _fill(
    item: PlannedItem,
    database: DatabaseState,
    settled: Mapping[tuple[RowId, str], object],
    policy: Policy | None,
    merged: Merged,
    causes: Causes,
) -> None:
    """First contact of a slot with its row: an empty field of the row takes what the item shows, and a name or an
    address without its parts takes those; a filled field is left, and the difference tolerated.

    What a person emptied is an edit: it loses against an item that is new to the row, where monday wins, and never
    against a cell that only selects the row. What was `settled` as an edit is left alone.
    """
    state = item.state
    for slot, row in zip(item.layout.slots, item.rows, strict=True):
        if row is None:
            continue
        shown, held = state.values.of(slot), slot.values_of(row)
        if held == shown:
            continue
        base = item.base_of(slot)
        if base is not None and selects_only(slot, row):
            base = None
        for field, monday, postgres in zip(slot.fields, shown, held, strict=True):
            if monday is None or monday is UNSET:
                continue
            if postgres is not None and not _lacks_parts(postgres, monday):
                continue
            if base is not None and base.monday[field] is not UNSET:
                continue
            if settled and (row.id, field.column) in settled:
                continue
            reason = FIRST_CONTACT
            if database.cleared_fields and (row.id, field.column) in database.cleared_fields:
                if selects_only(slot, row) or winner(field, policy) != "monday":
                    continue
                edit = _SlotEdit(state, slot, row, field, Pair(UNSET, None))
                merged.conflicts.append(_conflict(edit, row.id, "monday", monday, "postgres", None, None))
                reason = MONDAY_WON
            row[field] = monday
            if causes.wanted:
                causes.note(row.id, field.column, state.item, reason, field.cells[0])


def _lacks_parts(postgres: FieldValue, monday: FieldValue) -> bool:
    """Whether a row holds of a name or an address only the whole, the one that the item shows."""
    if not isinstance(postgres, tuple) or not isinstance(monday, tuple):
        return False
    return postgres[0] == monday[0] and not any(postgres[1:])


# The base after the plan ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class NextBase:
    """The base after the plan."""

    base: ItemBase
    awaiting_push: list[RowId] = dataclasses.field(default_factory=list)
    """Rows that hold something which this item does not show yet."""
    incomplete: bool = False
    """A field could not be compared with its row, so that the item is looked at again."""


def next_base(item: PlannedItem, merged: Merged) -> NextBase:
    """What monday shows and what the rows will hold, field by field."""
    state = item.state
    base = ItemBase(state.board, state.id, state.updated_at, item.links, state.values, state.values)
    after = NextBase(base)
    for slot, row in zip(item.layout.slots, item.rows, strict=True):
        if row is None:
            continue
        shown, held = state.values.of(slot), slot.values_of(row)
        if held == shown:
            continue
        before = item.base_of(slot)
        for field, monday, postgres in zip(slot.fields, shown, held, strict=True):
            if monday != postgres:
                _next_pair(after, field, row, before[field] if before is not None else None, merged)
    return after


def _next_pair(after: NextBase, field: Field, row: Row, before: Pair | None, merged: Merged) -> None:
    """The pair of a field in which the item and its row differ. `before` is that of an item that was linked to this
    row already."""
    base = after.base
    monday, postgres = base.monday[field], row[field]
    if monday is UNSET:
        return
    if postgres is UNREADABLE:
        if before is not None and before.monday is not UNSET:
            base[field] = before
        else:
            base[field] = Pair(UNSET, UNSET)
            after.incomplete = True
        return
    remembered: BaseValue = postgres
    if (base.item, field.id) in merged.forced:
        remembered = FORCE
    elif before is not None and (base.item, field.id) in merged.deferred:
        base[field] = before
        return
    elif before is not None and _is_as_before(field, monday, postgres, before):
        monday, remembered = before.monday, before.postgres
    if edited_in_postgres(field, postgres, remembered):
        if field.two_way:
            after.awaiting_push.append(row.id)
    elif not same(field, base.monday[field], postgres):
        if merged.adopt == "pg" and field.two_way:
            remembered = FORCE
            after.awaiting_push.append(row.id)
        else:
            base.tolerated += 1
    base[field] = Pair(monday, remembered)


def _is_as_before(field: Field, monday: FieldValue, postgres: FieldValue, before: Pair) -> bool:
    """Whether the two differ and monday shows what it showed: nothing was settled, and the pair stays what it was."""
    if before.monday is UNSET or same(field, monday, postgres):
        return False
    return not edited_on_monday(field, monday, before.monday)


def _conflict(
    edit: _SlotEdit, row: RowId, kept_from: str, kept: Any, lost_from: str, lost: Any, postgres: Any
) -> Conflict:
    """`postgres` is what the row holds: it is made whole if a person edited a part of it."""
    before = edit.base.postgres
    return Conflict(
        edit.state.item,
        edit.slot.role,
        edit.field.id,
        edit.slot.table,
        row,
        kept_from,
        kept,
        lost_from,
        lost,
        monday=edit.monday,
        postgres=edit.field.completed(postgres, None if before is FORCE or before is UNSET else before),
        agreed=agreed(edit.field, edit.base),
    )
