"""Three-way merge of fields, inbound half: which row fields take a value from monday, and what each base becomes.

PostgreSQL is the hub, every slot a spoke. A slot speaks only when it changed since its own base; a standing old value
is no opinion. Several that changed to different values have one winner, the greatest (updated_at, board, item); the
others are kept in the conflict log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, Literal

from msgspec import UNSET

from models import UNREADABLE, RowId
from reconcile.base import FORCE, BaseValue, Stored
from reconcile.columns import Policy
from reconcile.database_state import DatabaseState, ItemKey
from reconcile.fields import FieldValue
from reconcile.identity import Links
from reconcile.layout import STAFF_ROLE, Field, ItemState, Layout, Slot
from reconcile.working_rows import POSITION, ItemRows

_STAFF_ITEM = POSITION["users"]["monday_item_id"]


Adopt = Literal["monday", "pg"]


class Verdict(Enum):
    """What one field of one spoke asks for."""

    SAME = auto()
    TOLERATED = auto()
    INBOUND = auto()
    OUTBOUND = auto()
    CONFLICT = auto()


def verdict(field: Field, m: FieldValue, p: FieldValue, bm: FieldValue, bp: BaseValue) -> Verdict:
    """Decide one field. (bm, bp) is the base: what monday showed and what the row held when they last met."""
    if field.compare_key(m) == field.compare_key(p):
        return Verdict.SAME
    on_monday = field.edit_key(m) != field.edit_key(bm)
    in_postgres = bp is FORCE or field.compare_key(p) != field.compare_key(bp)
    return {
        (False, False): Verdict.TOLERATED,
        (True, False): Verdict.INBOUND,
        (False, True): Verdict.OUTBOUND,
        (True, True): Verdict.CONFLICT,
    }[on_monday, in_postgres]


ConflictPlace = tuple[ItemKey, str]
"""(item, field id): what a conflict is about, for as long as it stays open."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two edits of one field. `open` while a person, or the other direction, has to decide.

    `monday` and `postgres` are what the two sides say, `agreed` what they last agreed on; UNSET where they never did.
    """

    item: ItemKey
    role: str
    field: str
    table: str
    row: RowId
    kept_from: str
    kept: Any
    lost_from: str
    lost: Any
    open: bool = False
    monday: Any = None
    postgres: Any = None
    agreed: Any = UNSET

    @property
    def place(self) -> ConflictPlace:
        return self.item, self.field


def agreed(field: Field, m: FieldValue, p: BaseValue) -> FieldValue:
    """What both sides said when they last met; UNSET where they never agreed."""
    if m is UNSET or p is UNSET or p is FORCE or field.compare_key(m) != field.compare_key(p):
        return UNSET
    return m


@dataclass(slots=True)
class Merged:
    """`forced` and `held` are (item, field number): a spoke that lost, and one whose edit waits."""

    adopt: Adopt | None = None
    conflicts: list[Conflict] = field(default_factory=list)
    forced: set[tuple[ItemKey, int]] = field(default_factory=set)
    deferred: set[tuple[ItemKey, int]] = field(default_factory=set)


@dataclass(slots=True)
class _SlotEdit:
    view: ItemState
    slot: Slot
    row: list[Any]
    field: Field
    number: int
    says: FieldValue
    was: FieldValue
    base: BaseValue


def newest_first(views: Sequence[ItemState], layouts: Mapping[str, Layout]) -> list[ItemState]:
    """Greatest (updated_at, board, item) first: who wins where several speak."""
    return sorted(views, key=lambda view: (view.updated_at, layouts[view.board].board_id, view.id), reverse=True)


def merge_fields(
    views: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    world: DatabaseState,
    links: Mapping[ItemKey, Links],
    rows: Mapping[ItemKey, ItemRows],
    policy: Policy | None,
    adopt: Adopt | None,
) -> Merged:
    """Write what monday says into the rows. `views` stand newest first; `policy` overrides the mapping's.

    `adopt` turns tolerated differences into edits of that side.
    """
    merged = Merged(adopt=adopt)
    voices = _voices(views, layouts, world, links, rows)
    if adopt == "monday":
        _add_tolerated(voices, views, layouts, world, links, rows)
    spoken: set[tuple[RowId, int]] = set()
    for (row_id, at), told in voices.items():
        _settle(row_id, told, policy, merged)
        spoken.add((row_id, at))
    for view in (*(v for v in views if v.board == "staff"), *(v for v in views if v.board != "staff")):
        _fill(view, layouts[view.board], world, links, rows, spoken, policy, merged)
    return merged


def selects_only(slot: Slot, row: Sequence[Any]) -> bool:
    """References select, they do not edit: a role cell never changes the record of somebody on the staff board."""
    return slot.table == "users" and slot.role != STAFF_ROLE and row[_STAFF_ITEM] is not None


def _voices(
    views: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    world: DatabaseState,
    links: Mapping[ItemKey, Links],
    rows: Mapping[ItemKey, ItemRows],
) -> dict[tuple[RowId, int], list[_SlotEdit]]:
    """Fields that changed on monday since the base of a slot that is still linked to the same row."""
    voices: dict[tuple[RowId, int], list[_SlotEdit]] = defaultdict(list)
    for view in views:
        item = (view.board, view.id)
        stored = world.bases.get(item)
        if stored is None:
            continue
        layout = layouts[view.board]
        for slot, row, row_id, old in zip(layout.slots, rows[item], links[item], stored.links, strict=True):
            if row is None or row_id is None or row_id != old or selects_only(slot, row):
                continue
            for number in slot.fields:
                field, said, was = layout.fields[number], view.values[number], stored.monday[number]
                if was is not UNSET and field.edit_key(said) != field.edit_key(was):
                    voice = _SlotEdit(view, slot, row, field, number, said, was, stored.postgres[number])
                    voices[row_id, field.at].append(voice)
    return voices


def _add_tolerated(
    voices: dict[tuple[RowId, int], list[_SlotEdit]],
    views: Sequence[ItemState],
    layouts: Mapping[str, Layout],
    world: DatabaseState,
    links: Mapping[ItemKey, Links],
    rows: Mapping[ItemKey, ItemRows],
) -> None:
    """Differences that nobody made since they were first seen speak for monday too; an empty cell never does."""
    for view in views:
        item, layout = (view.board, view.id), layouts[view.board]
        stored = world.bases.get(item)
        for place, (slot, row) in enumerate(zip(layout.slots, rows[item], strict=True)):
            if row is None or row[0] not in world.rows[slot.table] or selects_only(slot, row):
                continue
            met = stored if stored is not None and stored.links[place] == links[item][place] else None
            for number, at in zip(slot.fields, slot.row_at, strict=True):
                field, says, holds = layout.fields[number], view.values[number], row[at]
                if (
                    says in (None, UNSET)
                    or holds in (None, UNREADABLE)
                    or field.compare_key(says) == field.compare_key(holds)
                ):
                    continue
                if (
                    met is None
                    or verdict(field, says, holds, met.monday[number], met.postgres[number]) is Verdict.TOLERATED
                ):
                    voices[row[0], at].append(_SlotEdit(view, slot, row, field, number, says, UNSET, holds))


def _settle(row_id: RowId, told: list[_SlotEdit], policy: Policy | None, merged: Merged) -> None:
    """One field of one row, and every slot that says something new about it."""
    row = told[0].row
    held = row[told[0].field.at]
    if held is UNREADABLE:  # every edit of it waits until a person has corrected the row
        merged.deferred |= {(_item(voice), voice.number) for voice in told}
        return
    waits = [voice for voice in told if (policy or voice.field.policy) != "monday" and _in_conflict(voice, held)]
    voters = [voice for voice in told if voice not in waits]
    while voters and (joins := [voice for voice in waits if not _in_conflict(voice, voters[0].says)]):
        waits = [voice for voice in waits if voice not in joins]  # what is to be written is what they knew: no conflict
        voters = [voice for voice in told if voice not in waits]
    for voice in waits:
        merged.deferred.add((_item(voice), voice.number))
        if (policy or voice.field.policy) == "manual":
            conflict = _conflict(voice, row_id, "nobody", None, "monday", voice.says, held)
            merged.conflicts.append(replace(conflict, open=True))
    if all(_equal(voice, held) for voice in voters):
        return
    winner = voters[0]
    if _in_conflict(winner, held):
        merged.conflicts.append(_conflict(winner, row_id, "monday", winner.says, "postgres", held, held))
    row[winner.field.at] = winner.says
    for voice in voters[1:]:
        if not _equal(voice, winner.says):
            won, lost = f"item {winner.view.id}", f"item {voice.view.id}"
            merged.conflicts.append(_conflict(voice, row_id, won, winner.says, lost, voice.says, winner.says))
            merged.forced.add((_item(voice), voice.number))


def _in_conflict(voice: _SlotEdit, held: Any) -> bool:
    return verdict(voice.field, voice.says, held, UNSET, voice.base) is Verdict.CONFLICT


def _fill(
    view: ItemState,
    layout: Layout,
    world: DatabaseState,
    links: Mapping[ItemKey, Links],
    rows: Mapping[ItemKey, ItemRows],
    spoken: set[tuple[RowId, int]],
    policy: Policy | None,
    merged: Merged,
) -> None:
    """First contact: an empty field of the row takes what the item says, and one without its parts those; a filled one
    is left, and tolerated. What a person emptied is an edit: it loses against the item of another, where monday wins,
    and not against a cell that only selects.
    """
    item = (view.board, view.id)
    stored = world.bases.get(item)
    for place, row in enumerate(rows[item]):
        if row is None:
            continue
        slot = layout.slots[place]
        if slot.values_of(row) == view.values[slot.first : slot.last]:
            continue
        row_id = links[item][place]
        met = stored if stored is not None and stored.links[place] == row_id and not selects_only(slot, row) else None
        for number, at, says in zip(slot.fields, slot.row_at, view.values[slot.first : slot.last], strict=True):
            if says is None or says is UNSET or (row[at] is not None and not _lacks_parts(row[at], says)):
                continue
            if (met is None or met.monday[number] is UNSET) and (not spoken or (row[0], at) not in spoken):
                if (row[0], at) in world.cleared_fields:
                    field = layout.fields[number]
                    if selects_only(slot, row) or (policy or field.policy) != "monday":
                        continue
                    voice = _SlotEdit(view, slot, row, field, number, says, UNSET, None)
                    merged.conflicts.append(_conflict(voice, row[0], "monday", says, "postgres", None, None))
                row[at] = says


def _lacks_parts(holds: FieldValue, says: FieldValue) -> bool:
    """Whether a row holds of a name or an address only the whole, the one that the item says."""
    return isinstance(holds, tuple) and isinstance(says, tuple) and holds[0] == says[0] and not any(holds[1:])


@dataclass(slots=True)
class NextBase:
    """The base after the plan: what monday shows, and by number what a row holds where that differs.

    `outbound` are rows that hold something which this item does not show yet. It `waits`: a field of it could not meet
    its row, so that the item is looked at again.
    """

    monday: Sequence[FieldValue]
    postgres: dict[int, BaseValue] = field(default_factory=dict)
    tolerated: int = 0
    awaiting_push: list[RowId] = field(default_factory=list)
    waits: bool = False


def next_base(
    view: ItemState, layout: Layout, stored: Stored | None, links: Links, rows: ItemRows, merged: Merged
) -> NextBase:
    """What monday shows and what the rows will hold, field by field."""
    base = NextBase(view.values)
    for place, row in enumerate(rows):
        if row is None:
            continue
        slot = layout.slots[place]
        if slot.values_of(row) == view.values[slot.first : slot.last]:
            continue
        met = stored if stored is not None and stored.links[place] == links[place] else None
        for number, at in zip(slot.fields, slot.row_at, strict=True):
            if view.values[number] != row[at]:
                _next_field(base, number, layout.fields[number], view, row, met, merged)
    return base


def _next_field(
    base: NextBase, number: int, field: Field, view: ItemState, row: list[Any], met: Stored | None, merged: Merged
) -> None:
    """A field in which the item and its row differ."""
    says, holds, item = view.values[number], row[field.at], (view.board, view.id)
    if says is UNSET:
        return
    if holds is UNREADABLE:
        if met is not None and met.monday[number] is not UNSET:
            _as_before(base, number, met)
        else:
            base.monday = [*base.monday[:number], UNSET, *base.monday[number + 1 :]]
            base.waits = True
        return
    agree = field.compare_key(says) == field.compare_key(holds)
    was = met.monday[number] if met is not None else UNSET
    if (item, number) in merged.forced:
        held: BaseValue = FORCE
    elif met is not None and (item, number) in merged.deferred:
        _as_before(base, number, met)
        return
    elif met is not None and was is not UNSET and not agree and field.edit_key(says) == field.edit_key(was):
        held = _as_before(base, number, met)
    else:
        held = base.postgres[number] = holds
    if held is FORCE:
        base.postgres[number] = FORCE
    if held is FORCE or field.compare_key(held) != field.compare_key(holds):
        if field.two_way:
            base.awaiting_push.append(row[0])
    elif not agree and merged.adopt == "pg" and field.two_way:
        base.postgres[number] = FORCE
        base.awaiting_push.append(row[0])
    elif not agree:
        base.tolerated += 1


def _as_before(base: NextBase, number: int, met: Stored) -> BaseValue:
    """Nothing was settled: the base of this field stays what it was."""
    if base.monday[number] != met.monday[number]:
        base.monday = [*base.monday[:number], met.monday[number], *base.monday[number + 1 :]]
    if met.postgres[number] != met.monday[number]:
        base.postgres[number] = met.postgres[number]
    return met.postgres[number]


def _equal(voice: _SlotEdit, value: FieldValue) -> bool:
    return bool(voice.field.compare_key(voice.says) == voice.field.compare_key(value))


def _item(voice: _SlotEdit) -> ItemKey:
    return voice.view.board, voice.view.id


def _conflict(
    voice: _SlotEdit, row: RowId, kept_from: str, kept: Any, lost_from: str, lost: Any, holds: Any
) -> Conflict:
    """`holds` is PostgreSQL's side, made whole if a person edited a part of it."""
    field, base = voice.field, voice.base
    return Conflict(
        _item(voice),
        voice.slot.role,
        field.id,
        voice.slot.table,
        row,
        kept_from,
        kept,
        lost_from,
        lost,
        monday=voice.says,
        postgres=field.completed(holds, None if base is FORCE or base is UNSET else base),
        agreed=agreed(field, voice.was, base),
    )
