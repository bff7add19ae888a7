"""Three-way merge of fields, the pull's half: which row fields take a value from monday, and what each base becomes.

A row of PostgreSQL may be shown by many slots. A slot has a say only when it changed since its own base; a standing old
value is no opinion. Several that changed to different values have one winner, the greatest (updated_at, board, item);
the others are kept in the conflict log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import UNSET

from models import UNREADABLE, Row, RowId
from reconcile.base import FORCE, BaseValue, ItemBase
from reconcile.changes import EDITED_ON_MONDAY, FIRST_CONTACT, MONDAY_WON
from reconcile.columns import Policy
from reconcile.conflicts import Conflict, winner
from reconcile.database_state import DatabaseState, ItemKey
from reconcile.decide import Verdict, agreed, decide, edited_in_postgres, edited_on_monday, same
from reconcile.fields import FieldValue
from reconcile.identity import Links
from reconcile.layout import Field, ItemState, Layout, Slot
from reconcile.tables import HOMES, ITEM_ID
from reconcile.working_rows import Causes, ItemRows

Adopt = Literal["monday", "pg"]


@dataclass(slots=True)
class Merged:
    """(item, field number) of what did not simply land: `forced` of a slot that lost, and whose item is still to be
    told; `deferred` of an edit that waits."""

    adopt: Adopt | None = None
    conflicts: list[Conflict] = field(default_factory=list)
    forced: set[tuple[ItemKey, int]] = field(default_factory=set)
    deferred: set[tuple[ItemKey, int]] = field(default_factory=set)


@dataclass(slots=True)
class _SlotEdit:
    """What one slot says anew of one field of its row. (`base_monday`, `base_postgres`) is the pair when they met."""

    state: ItemState
    slot: Slot
    row: Row
    field: Field
    number: int
    monday: FieldValue
    base_monday: FieldValue
    base_postgres: BaseValue

    @property
    def item(self) -> ItemKey:
        return self.state.board, self.state.id

    def conflicts_with(self, postgres: Any) -> bool:
        """Whether the row was edited too, to something else."""
        return not self.says(postgres) and edited_in_postgres(self.field, postgres, self.base_postgres)

    def says(self, value: FieldValue) -> bool:
        return same(self.field, self.monday, value)


def newest_first(states: Sequence[ItemState], layouts: Mapping[str, Layout]) -> list[ItemState]:
    """Greatest (updated_at, board, item) first: who wins where several have a say."""
    return sorted(states, key=lambda state: (state.updated_at, layouts[state.board].board_id, state.id), reverse=True)


def merge_fields(
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    rows: Mapping[ItemKey, ItemRows],
    policy: Policy | None,
    adopt: Adopt | None,
    causes: Causes,
) -> Merged:
    """Write what monday says into the rows, and note why. `states` stand newest first; `policy` overrides the
    mapping's.

    `adopt` turns tolerated differences into edits of that side.
    """
    merged = Merged(adopt=adopt)
    edits = _slot_edits(states, layouts, database, links, rows)
    if adopt == "monday":
        _add_tolerated(edits, states, layouts, database, links, rows)
    settled: set[tuple[RowId, str]] = set()
    for (row_id, column), of_field in edits.items():
        _settle(row_id, of_field, policy, merged, causes)
        settled.add((row_id, column))
    homes = {board for board, layout in layouts.items() if layout.is_home}
    homes_first = sorted(states, key=lambda state: state.board not in homes)
    for state in homes_first:
        _fill(state, layouts[state.board], database, links, rows, settled, policy, merged, causes)
    return merged


def selects_only(slot: Slot, row: Row) -> bool:
    """References select, they do not edit: a role cell never changes the record of somebody on the staff board."""
    return slot.table in HOMES and not slot.is_home and getattr(row, ITEM_ID) is not None


def _slot_edits(
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    rows: Mapping[ItemKey, ItemRows],
) -> dict[tuple[RowId, str], list[_SlotEdit]]:
    """Fields that changed on monday since the base of a slot that is still linked to the same row."""
    edits: dict[tuple[RowId, str], list[_SlotEdit]] = defaultdict(list)
    for state in states:
        item = (state.board, state.id)
        base = database.bases.get(item)
        if base is None:
            continue
        layout = layouts[state.board]
        for slot, row, row_id, linked_before in zip(layout.slots, rows[item], links[item], base.links, strict=True):
            if row is None or row_id is None or row_id != linked_before or selects_only(slot, row):
                continue
            for number in slot.fields:
                one, monday, before = layout.fields[number], state.values[number], base.monday[number]
                if edited_on_monday(one, monday, before):
                    edit = _SlotEdit(state, slot, row, one, number, monday, before, base.postgres[number])
                    edits[row_id, one.columns[0]].append(edit)
    return edits


def _add_tolerated(
    edits: dict[tuple[RowId, str], list[_SlotEdit]],
    states: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    rows: Mapping[ItemKey, ItemRows],
) -> None:
    """Differences that nobody made since first contact count as edits on monday too; an empty cell never does."""
    for state in states:
        item, layout = (state.board, state.id), layouts[state.board]
        base = database.bases.get(item)
        for place, (slot, row) in enumerate(zip(layout.slots, rows[item], strict=True)):
            if row is None or row.id not in database.rows[slot.table] or selects_only(slot, row):
                continue
            met = base if base is not None and base.links[place] == links[item][place] else None
            for number in slot.fields:
                one = layout.fields[number]
                monday, postgres = state.values[number], row[one]
                if monday in (None, UNSET) or postgres in (None, UNREADABLE) or same(one, monday, postgres):
                    continue
                if met is None or _is_tolerated(one, number, monday, postgres, met):
                    edit = _SlotEdit(state, slot, row, one, number, monday, UNSET, postgres)
                    edits[row.id, one.columns[0]].append(edit)


def _is_tolerated(one: Field, number: int, monday: FieldValue, postgres: FieldValue, base: ItemBase) -> bool:
    if base.monday[number] is UNSET:
        return False
    return decide(one, monday, postgres, base.monday[number], base.postgres[number]).verdict is Verdict.TOLERATED


def _settle(row_id: RowId, edits: list[_SlotEdit], policy: Policy | None, merged: Merged, causes: Causes) -> None:
    """One field of one row, and every slot that says something new about it."""
    row, one = edits[0].row, edits[0].field
    postgres = row[one]
    if postgres is UNREADABLE:  # every edit of it waits until a person has corrected the row
        merged.deferred |= {(edit.item, edit.number) for edit in edits}
        return
    waiting = [edit for edit in edits if winner(edit.field, policy) != "monday" and edit.conflicts_with(postgres)]
    voters = [edit for edit in edits if edit not in waiting]
    while voters and (joining := [edit for edit in waiting if not edit.conflicts_with(voters[0].monday)]):
        waiting = [edit for edit in waiting if edit not in joining]  # what is to be written is what they knew
        voters = [edit for edit in edits if edit not in waiting]
    for edit in waiting:
        merged.deferred.add((edit.item, edit.number))
        if winner(edit.field, policy) == "nobody":
            merged.conflicts.append(
                _conflict(edit, row_id, "nobody", None, "monday", edit.monday, postgres).left_open()
            )
    if all(edit.says(postgres) for edit in voters):
        return
    newest = voters[0]
    reason = FIRST_CONTACT if newest.base_monday is UNSET else EDITED_ON_MONDAY
    if newest.conflicts_with(postgres):
        reason = MONDAY_WON
        merged.conflicts.append(_conflict(newest, row_id, "monday", newest.monday, "postgres", postgres, postgres))
    row[one] = newest.monday
    causes.note(row_id, one.columns[0], newest.item, reason, one.cells[0])
    for edit in voters[1:]:
        if not edit.says(newest.monday):
            kept_from, lost_from = f"item {newest.state.id}", f"item {edit.state.id}"
            kept, lost = newest.monday, edit.monday
            merged.conflicts.append(_conflict(edit, row_id, kept_from, kept, lost_from, lost, kept))
            merged.forced.add((edit.item, edit.number))


def _fill(
    state: ItemState,
    layout: Layout,
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    rows: Mapping[ItemKey, ItemRows],
    settled: set[tuple[RowId, str]],
    policy: Policy | None,
    merged: Merged,
    causes: Causes,
) -> None:
    """First contact: an empty field of the row takes what the item says, and one without its parts those; a filled one
    is left, and tolerated. What a person emptied is an edit: it loses against the item of another, where monday wins,
    and not against a cell that only selects.
    """
    item = (state.board, state.id)
    base = database.bases.get(item)
    for place, row in enumerate(rows[item]):
        if row is None:
            continue
        slot = layout.slots[place]
        shown = state.values[slot.first : slot.last]
        if slot.values_of(row) == shown:
            continue
        linked_as_before = base is not None and base.links[place] == links[item][place]
        met = base if linked_as_before and not selects_only(slot, row) else None
        for number, monday in zip(slot.fields, shown, strict=True):
            if monday is None or monday is UNSET:
                continue
            one = layout.fields[number]
            postgres = row[one]
            if postgres is not None and not _lacks_parts(postgres, monday):
                continue
            if met is not None and met.monday[number] is not UNSET:
                continue
            if settled and (row.id, one.columns[0]) in settled:
                continue
            reason = FIRST_CONTACT
            if (row.id, one.columns[0]) in database.cleared_fields:
                if selects_only(slot, row) or winner(one, policy) != "monday":
                    continue
                edit = _SlotEdit(state, slot, row, one, number, monday, UNSET, None)
                merged.conflicts.append(_conflict(edit, row.id, "monday", monday, "postgres", None, None))
                reason = MONDAY_WON
            row[one] = monday
            if causes.wanted:
                causes.note(row.id, one.columns[0], item, reason, one.cells[0])


def _lacks_parts(postgres: FieldValue, monday: FieldValue) -> bool:
    """Whether a row holds of a name or an address only the whole, the one that the item says."""
    if not isinstance(postgres, tuple) or not isinstance(monday, tuple):
        return False
    return postgres[0] == monday[0] and not any(postgres[1:])


@dataclass(slots=True)
class NextBase:
    """The base after the plan. `awaiting_push` are rows that hold something which this item does not show yet.

    It is `incomplete` where a field could not meet its row, so that the item is looked at again.
    """

    base: ItemBase
    awaiting_push: list[RowId] = field(default_factory=list)
    incomplete: bool = False


def next_base(
    state: ItemState, layout: Layout, before: ItemBase | None, links: Links, rows: ItemRows, merged: Merged
) -> NextBase:
    """What monday shows and what the rows will hold, field by field."""
    base = ItemBase(state.board, state.id, state.updated_at, links, state.values, state.values)
    after = NextBase(base)
    for place, row in enumerate(rows):
        if row is None:
            continue
        slot = layout.slots[place]
        if slot.values_of(row) == state.values[slot.first : slot.last]:
            continue
        met = before if before is not None and before.links[place] == links[place] else None
        for number in slot.fields:
            if state.values[number] != row[layout.fields[number]]:
                _next_pair(after, number, layout.fields[number], row, met, merged)
    return after


def _next_pair(after: NextBase, number: int, one: Field, row: Row, met: ItemBase | None, merged: Merged) -> None:
    """The pair of a field in which the item and its row differ. `met` is the base of an item that was linked to this
    row before."""
    base = after.base
    monday, postgres = base.monday[number], row[one]
    if monday is UNSET:
        return
    if postgres is UNREADABLE:
        if met is not None and met.monday[number] is not UNSET:
            base.set_pair(number, met.monday[number], met.postgres[number])
        else:
            base.set_pair(number, UNSET, UNSET)
            after.incomplete = True
        return
    before = met.monday[number] if met is not None else UNSET
    remembered: BaseValue = postgres
    if (base.key, number) in merged.forced:
        remembered = FORCE
    elif met is not None and (base.key, number) in merged.deferred:
        base.set_pair(number, before, met.postgres[number])
        return
    elif met is not None and _stands(one, monday, postgres, before):
        remembered = met.postgres[number]
        monday = before
    if edited_in_postgres(one, postgres, remembered):
        if one.two_way:
            after.awaiting_push.append(row.id)
    elif not same(one, base.monday[number], postgres):
        if merged.adopt == "pg" and one.two_way:
            remembered = FORCE
            after.awaiting_push.append(row.id)
        else:
            base.tolerated += 1
    base.set_pair(number, monday, remembered)


def _stands(one: Field, monday: FieldValue, postgres: FieldValue, before: FieldValue) -> bool:
    """Whether the two differ and monday says what it said: nothing was settled, and the pair stays what it was."""
    return before is not UNSET and not same(one, monday, postgres) and not edited_on_monday(one, monday, before)


def _conflict(
    edit: _SlotEdit, row: RowId, kept_from: str, kept: Any, lost_from: str, lost: Any, postgres: Any
) -> Conflict:
    """`postgres` is what the row holds: it is made whole if a person edited a part of it."""
    before = edit.base_postgres
    return Conflict(
        edit.item,
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
        agreed=agreed(edit.field, edit.base_monday, before),
    )
