"""Rows of `projects` without an item id that look like the job of an item, which would get a second row. What they are
told by is declared: see `Lookalike`.

Which item a row stands for is never guessed: a project is found by its item's id alone. Where the ids were never
written into an older database, each job would be there twice after the first run, so that a person is told before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from models import RowId
from reconcile.database_state import DatabaseState, ItemKey, RowValues
from reconcile.identity import Resolution, WouldMerge
from reconcile.keys import bare, loose
from reconcile.layout import ItemState, Layout
from reconcile.tables import ARCHIVED_AT, ITEM_ID, SPECS, Lookalike
from reconcile.working_rows import POSITION

_NOBODY, _SOMEBODY = "(nobody)", "(somebody)"  # no name, once it is folded

Mark = tuple[str, str]
"""What a row and an item may have in common: a claim number, or a name and whose job it is."""


def lookalikes(
    views: Sequence[ItemState], layouts: Mapping[str, Layout], world: DatabaseState, resolution: Resolution
) -> list[WouldMerge]:
    """Items that would get a new row, each with the row that looks like it: by claim number, else by name and customer,
    else by name where one of the two has no customer. An item and a row are in one pair at most."""
    pairs: dict[ItemKey, WouldMerge] = {}
    for board, layout in layouts.items():
        table = layout.slots[layout.record].table
        if (alike := SPECS[table].lookalike) is not None:
            items = [view for view in views if view.board == board]
            pairs |= _pairs(table, alike, items, layout, world, resolution)
    return [pair for _item, pair in sorted(pairs.items())]


def _pairs(
    table: str,
    alike: Lookalike,
    views: Sequence[ItemState],
    layout: Layout,
    world: DatabaseState,
    resolution: Resolution,
) -> dict[ItemKey, WouldMerge]:
    at = POSITION[table]
    waiting = [
        row
        for row in world.rows[table].values()
        if row[0] in world.unknown and row[at[ITEM_ID]] is None and row[at[ARCHIVED_AT]] is None
    ]
    if not waiting:
        return {}
    free: dict[Mark, list[RowId]] = defaultdict(list)
    for row in reversed(waiting):  # the first that was loaded is taken first
        for mark in _marks_of_row(table, alike, row, world):
            free[mark].append(row[0])
    pairs: dict[ItemKey, WouldMerge] = {}
    given: set[RowId] = set()
    said = [said for view in views for said in _said(alike, view, layout, resolution)]
    for _strength, item, new, mark in sorted(said):
        rows = free.get(mark, [])
        while rows and rows[-1] in given:
            rows.pop()
        if rows and item not in pairs:
            given.add(rows[-1])
            pairs[item] = WouldMerge(item, f"{table}.{rows[-1]}", table, new, rows.pop())
    return pairs


def _said(
    alike: Lookalike, view: ItemState, layout: Layout, resolution: Resolution
) -> Iterator[tuple[int, ItemKey, RowId, Mark]]:
    """(strength, item, its new row, mark) for an item that would get one, the strongest with the smallest number."""
    item, record = (view.board, view.id), layout.slots[layout.record]
    new = resolution.links[item][layout.record]
    if new is None or new not in resolution.new_rows:
        return
    place = next(number for number, slot in enumerate(layout.slots) if slot.link == alike.owner)
    called = layout.slots[place].at[_name_column(record.table, alike)]
    owner, name = resolution.links[item][place], view.values[called]
    owners = ((1, owner), (1, _text(name)), (2, _NOBODY)) if owner else ((2, _NOBODY), (2, _SOMEBODY))
    if claim := _claim(view.values[record.at[alike.number]]):
        yield 0, item, new, claim
    for called_so in {_text(view.values[record.at[column]]) for column in alike.names} - {""}:
        yield from ((strength, item, new, (called_so, whose)) for strength, whose in owners if whose)


def _marks_of_row(table: str, alike: Lookalike, row: RowValues, world: DatabaseState) -> Iterator[Mark]:
    at, owners_table = POSITION[table], SPECS[table].foreign_keys[alike.owner]
    if claim := _claim(row[at[alike.number]]):
        yield claim
    owner = row[at[alike.owner]]
    known = world.rows[owners_table].get(owner)
    name = known[POSITION[owners_table][_name_column(table, alike)]] if known else None
    owners = {owner, _SOMEBODY, _text(name)} - {""} if owner else {_NOBODY}
    for called in {_text(row[at[column]]) for column in alike.names} - {""}:
        yield from ((called, whose) for whose in owners)


def _name_column(table: str, alike: Lookalike) -> str:
    """The column with the name of whose it is."""
    return SPECS[SPECS[table].foreign_keys[alike.owner]].names[0]


def _claim(value: object) -> Mark | None:
    number = bare(value) if isinstance(value, str) else ""
    return ("claim number", number) if number else None


def _text(value: object) -> str:
    return loose(value) if isinstance(value, str) else ""
